//! A group's member is made where its group's root placed it, and not before. Source: placement §7.

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::kube::{ConditionType, Conditions, Object, ObjectKey};
use vmtwin_model::vsphere::Operation;

use super::{Check, Invariant, View, When};
use crate::log::Record;

const ZONE: &str = "topology.kubernetes.io/zone";

pub(super) const RULE: Invariant = Invariant {
    name: "member-waits-placement",
    guards: "placement §7",
    holds: "a member without zone label isn't created before its group's status has it, by UID, with PlacementReady True, and then in the pool named \
            there",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    for call in view.calls_of(record) {
        let pool = match &call.operation {
            Operation::CreateVm { pool, .. } => pool,
            Operation::DeployLibraryItem(deploy) => &deploy.resource_pool_id,
            _ => continue,
        };
        let Some(known) = view.known(record).filter(|known| known.label(ZONE).is_none_or(str::is_empty)) else { continue };
        let Some(vm) = known.view::<VirtualMachine>().filter(|vm| !vm.spec.group_name.is_empty()) else { continue };
        let key = ObjectKey::of::<VirtualMachineGroup>(known.key.namespace.clone(), vm.spec.group_name.as_str());
        let Some(group) = view.known_other(record, &key) else { continue };
        out.premise();
        match placed(group, known) {
            None => out.violated(&[&known.key, &key], "created before its group placed it", "an entry with PlacementReady", "none"),
            Some(named) if !named.is_empty() && named != pool.as_str() => {
                out.violated(&[&known.key, &key], "created in another pool than its group decided", named, pool.as_str());
            }
            Some(_) => {}
        }
    }
}

/// The pool that a group decided for a member.
fn placed<'a>(group: &'a Object, member: &Object) -> Option<&'a str> {
    let group = group.view::<VirtualMachineGroup>()?;
    let mut entries = group.status.members.iter().filter(|entry| *entry.name == *member.key.name && entry.uid == member.uid());
    let entry = entries.find(|entry| entry.conditions.is_true(&ConditionType::MemberPlacementReady))?;
    entry.placement.as_ref().map(|placement| placement.pool.as_str())
}
