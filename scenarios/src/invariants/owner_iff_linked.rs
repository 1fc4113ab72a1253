//! At rest a member has its group as owner if, and only if, both name each other. Source: seed "Group Membership".

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Object, ObjectKey};

use super::{Check, Invariant, View, When};

pub(super) const RULE: Invariant = Invariant {
    name: "owner-iff-linked",
    guards: "seed: Group Membership",
    holds: "owner reference ⇔ the group lists the member and the member names the group",
    of_twin: false,
    when: When::AtRest(check),
};

fn check(view: &View<'_>, out: &mut Check) {
    for vm in view.touched_objects::<VirtualMachine>() {
        member(view, vm.object, &vm.spec.group_name, MemberKind::VirtualMachine, out);
    }
    for group in view.touched_objects::<VirtualMachineGroup>() {
        member(view, group.object, &group.spec.group_name, MemberKind::VirtualMachineGroup, out);
    }
}

fn member(view: &View<'_>, object: &Object, group_name: &str, kind: MemberKind, out: &mut Check) {
    if object.is_deleting() || object.annotation("vmoperator.vmware.com/paused").is_some() {
        return;
    }
    let owners = object.meta.owner_references.iter().flatten().filter(|owner| owner.kind == "VirtualMachineGroup");
    let owners: Vec<&str> = owners.map(|owner| owner.name.as_str()).collect();
    if group_name.is_empty() && owners.is_empty() {
        return;
    }
    out.premise();
    let linked = !group_name.is_empty() && lists(view, object, group_name, kind);
    if linked && !owners.contains(&group_name) && acts(view, object, group_name) {
        out.violated(&[&object.key], "linked, but not owned by its group", format!("an owner reference to {group_name}"), "none");
    }
    for owner in owners.into_iter().filter(|owner| !(linked && *owner == group_name)) {
        out.violated(&[&object.key], format!("owned by {owner}, but not linked to it"), "no owner reference", owner);
    }
}

/// Whether the group looks at its members at all: one that isn't linked to its own parent doesn't (placement §6.2-3).
fn acts(view: &View<'_>, object: &Object, group_name: &str) -> bool {
    let key = ObjectKey::of::<VirtualMachineGroup>(object.key.namespace.clone(), group_name);
    let Some(group) = view.object(&key) else { return false };
    let parent = group.view::<VirtualMachineGroup>().map(|group| group.spec.group_name.as_str()).unwrap_or_default();
    parent.is_empty() || lists(view, group, parent, MemberKind::VirtualMachineGroup)
}

fn lists(view: &View<'_>, object: &Object, group_name: &str, kind: MemberKind) -> bool {
    let key = ObjectKey::of::<VirtualMachineGroup>(object.key.namespace.clone(), group_name);
    let Some(group) = view.object(&key).filter(|group| !group.is_deleting()) else { return false };
    let Some(group) = group.view::<VirtualMachineGroup>() else { return false };
    let members = group.spec.boot_order.iter().flat_map(|boot_group| &boot_group.members);
    members.into_iter().any(|member| *member.name == *object.key.name && member.kind.unwrap_or(MemberKind::VirtualMachine) == kind)
}
