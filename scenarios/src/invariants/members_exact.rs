//! A group's status lists its members, no more and no fewer, each with the power that it has. Source: seed; placement §6.3.

use std::collections::BTreeSet;

use vmtwin_model::kube::ObjectKey;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};

use super::excused::is_paused;
use super::{Check, Invariant, View, When};

pub(super) const RULE: Invariant = Invariant {
    name: "members-exact",
    guards: "placement §6.3",
    holds: "status.members are the spec's members by kind and name, each powerState its VM's",
    of_twin: false,
    when: When::AtRest(check),
};

fn check(view: &View<'_>, out: &mut Check) {
    for key in touched_groups(view) {
        let Some(group) = view.object(&key).and_then(|object| object.view::<VirtualMachineGroup>()) else { continue };
        if is_paused(group.object) || group.object.is_deleting() || view.in_ring(&key) || !view.is_linked_up(group) {
            continue;
        }
        out.premise();
        let kind = |kind: Option<MemberKind>| kind.unwrap_or(MemberKind::VirtualMachine).to_string();
        let wanted = group.spec.boot_order.iter().flat_map(|boot_group| &boot_group.members);
        let wanted: BTreeSet<(String, &str)> = wanted.map(|member| (kind(member.kind), member.name.as_str())).collect();
        let listed: Vec<(String, &str)> =
            group.status.members.iter().map(|member| (member.kind.to_string(), member.name.as_str())).collect();
        let unique: BTreeSet<(String, &str)> = listed.iter().cloned().collect();
        if unique != wanted || unique.len() != listed.len() {
            out.violated(&[&key], "status.members aren't the spec's members", format!("{wanted:?}"), format!("{listed:?}"));
        }
        for member in group.status.members.iter().filter(|member| member.kind == MemberKind::VirtualMachine) {
            let vm_key = ObjectKey::of::<VirtualMachine>(key.namespace.clone(), member.name.as_str());
            let Some(vm) = view.object(&vm_key).and_then(|object| object.view::<VirtualMachine>()) else { continue };
            let linked = *vm.spec.group_name == *key.name && !vm.object.is_deleting();
            if linked && member.power_state != vm.status.power_state {
                let text = |state: Option<vmtwin_model::kube::power::PowerState>| state.map(|state| state.to_string()).unwrap_or_default();
                out.violated(
                    &[&key, &vm_key],
                    "the member's power state isn't its VM's",
                    text(vm.status.power_state),
                    text(member.power_state),
                );
            }
        }
    }
}

/// The groups that changed, and those of VMs that did.
fn touched_groups(view: &View<'_>) -> BTreeSet<ObjectKey> {
    let own = view.touched_objects::<VirtualMachineGroup>().map(|group| group.object.key.clone());
    let of_vms = view.touched_objects::<VirtualMachine>().filter(|vm| !vm.spec.group_name.is_empty());
    let of_vms = of_vms.map(|vm| ObjectKey::of::<VirtualMachineGroup>(vm.object.key.namespace.clone(), vm.spec.group_name.as_str()));
    own.chain(of_vms).collect()
}
