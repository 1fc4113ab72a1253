//! What a group is to be, its members are to be, all the way down. Source: seed "Power State Management", "Nested Groups".

use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Object, ObjectKey};

use super::excused::is_paused;
use super::{Check, Invariant, View, When};

pub(super) const RULE: Invariant = Invariant {
    name: "group-power-reached",
    guards: "seed: Power State Management, Nested Groups",
    holds: "after a change of a group's power state each linked VM has it and each linked group was set to it, but for a later desired state of \
            its own; so has each VM that joins",
    of_twin: false,
    when: When::AtLast(check),
};

fn check(view: &View<'_>, out: &mut Check) {
    for group in view.objects::<VirtualMachineGroup>() {
        let key = &group.object.key;
        let Some(desired) = group.spec.power_state else { continue };
        // A group that isn't linked to its own parent looks at no member. Source: placement §6.2.
        if is_paused(group.object) || group.object.is_deleting() || view.in_ring(key) || !view.is_linked_up(group) {
            continue;
        }
        for member in group.spec.boot_order.iter().flat_map(|boot_group| &boot_group.members) {
            let namespace = key.namespace.clone();
            let member_key = match member.kind.unwrap_or(MemberKind::VirtualMachine) {
                MemberKind::VirtualMachine => ObjectKey::of::<VirtualMachine>(namespace, member.name.as_str()),
                MemberKind::VirtualMachineGroup => ObjectKey::of::<VirtualMachineGroup>(namespace, member.name.as_str()),
            };
            let Some(object) = view.object(&member_key) else { continue };
            let Some((group_name, has)) = wanted(object) else { continue };
            if *group_name != *key.name || object.is_deleting() || is_paused(object) || has_own(view, key, &member_key) {
                continue;
            }
            out.premise();
            if has != Some(desired) {
                let has = has.map(|has| has.to_string()).unwrap_or_default();
                out.violated(&[key, &member_key], "the member wasn't given its group's power state", desired.to_string(), has);
            }
        }
    }
}

/// The group that a member names, and the power state that it is to have.
fn wanted(object: &Object) -> Option<(&str, Option<PowerState>)> {
    if let Some(vm) = object.view::<VirtualMachine>() {
        return Some((&vm.spec.group_name, vm.spec.power_state));
    }
    let group = object.view::<VirtualMachineGroup>()?;
    Some((&group.spec.group_name, group.spec.power_state))
}

/// Whether a user gave the member another state after its group was given one.
fn has_own(view: &View<'_>, group: &ObjectKey, member: &ObjectKey) -> bool {
    let wishes = |key: &ObjectKey| view.history().wishes.get(key).copied().unwrap_or_default();
    let (of_group, own) = (wishes(group).last, wishes(member).user);
    own.is_some_and(|own| of_group.is_none_or(|of_group| own >= of_group))
}
