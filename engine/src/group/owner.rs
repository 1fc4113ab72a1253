//! The owner reference that ties a member's life to its group's: non-controlling, one for each group.
//!
//! Mirrors: controller-runtime `controllerutil.SetOwnerReference`, `RemoveOwnerReference`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::kube::{Object, Resource};

use crate::draft::Draft;

/// Whether the member was its group's already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    /// It joins just now.
    New,
    /// It carries the group's reference.
    Old,
}

/// Gives the member the group's reference. One that names an earlier group of the same name is brought up to date.
pub(super) fn set<M: Resource>(member: &mut Draft<M>, group: &Object) -> Membership {
    if member.meta().owner_references.iter().flatten().any(|owner| names(owner, group) && owner.uid == group.uid()) {
        return Membership::Old;
    }
    let reference = reference_to(group);
    let owners = member.meta_mut().owner_references.get_or_insert_default();
    match owners.iter_mut().find(|owner| names(owner, group)) {
        Some(stale) => *stale = reference,
        None => owners.push(reference),
    }
    Membership::New
}

/// Takes the group's reference off the member.
pub(super) fn remove<M: Resource>(member: &mut Draft<M>, group: &Object) {
    if member.meta().owner_references.iter().flatten().any(|owner| names(owner, group)) {
        let owners = &mut member.meta_mut().owner_references;
        owners.get_or_insert_default().retain(|owner| !names(owner, group));
        if owners.as_ref().is_some_and(Vec::is_empty) {
            *owners = None;
        }
    }
}

fn names(owner: &OwnerReference, group: &Object) -> bool {
    owner.kind == VirtualMachineGroup::KIND.info().kind && owner.name == *group.key.name
}

fn reference_to(group: &Object) -> OwnerReference {
    let info = VirtualMachineGroup::KIND.info();
    OwnerReference {
        api_version: info.api_version(),
        kind: info.kind.to_owned(),
        name: group.key.name.to_string(),
        uid: group.uid().to_owned(),
        ..OwnerReference::default()
    }
}
