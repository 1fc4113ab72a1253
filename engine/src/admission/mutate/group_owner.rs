//! VM-M-023, GR-M-04: a VM or a group that leaves its group is no longer owned by it.
//!
//! Page: admission §3.2 and §16.1. The new group's reference is the group controller's to add.
//!
//! Mirrors: vm-operator `pkg/util/vmopv1`, `RemoveStaleGroupOwnerRef`.

use vmtwin_model::kube::Resource;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;

use crate::admission::request::{Denial, Request};
use crate::draft::Draft;
use crate::features::Feature;

pub(in crate::admission) fn default_vm(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let old = request.old.map(|old| old.spec.group_name.as_str()).unwrap_or_default();
    if request.cx.on(Feature::VMGroups) && old != vm.spec().group_name {
        disown(vm, old);
    }
    Ok(())
}

pub(in crate::admission) fn default_group(
    request: &Request<'_, VirtualMachineGroup>,
    group: &mut Draft<VirtualMachineGroup>,
) -> Result<(), Denial> {
    let old = request.old.map(|old| old.spec.group_name.as_str()).unwrap_or_default();
    if old != group.spec().group_name {
        disown(group, old);
    }
    Ok(())
}

fn disown<K: Resource>(object: &mut Draft<K>, group: &str) {
    if group.is_empty() || object.meta().owner_references.is_none() {
        return;
    }
    let references = &mut object.meta_mut().owner_references;
    if let Some(owners) = references {
        owners.retain(|owner| owner.kind != VirtualMachineGroup::KIND.info().kind || owner.name != group);
        if owners.is_empty() {
            *references = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn owner(kind: &str, name: &str) -> Value {
        json!({"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": kind, "name": name, "uid": name})
    }

    #[test]
    fn the_left_groups_reference_alone_is_taken_off() {
        for sample in [Sample::vm(), Sample::group()] {
            let owners = json!([owner("VirtualMachineGroup", "web"), owner("VirtualMachineGroup", "db"), owner("Other", "web")]);
            let stored = sample.spec("groupName", json!("web")).meta("ownerReferences", owners.clone()).stored();
            assert_eq!(stored.clone().updated()["metadata"]["ownerReferences"], owners);
            let moved = stored.spec("groupName", json!("db")).updated();
            let kept = json!([owner("VirtualMachineGroup", "db"), owner("Other", "web")]);
            assert_eq!(moved["metadata"]["ownerReferences"], kept);
        }
    }
}
