//! SN-V-01 to SN-V-05: a snapshot is of a VM that can have one, says so in its label, and stays what it is.
//!
//! Page: admission §18. A VM that isn't there is the quota's to report, since nothing can be counted then (QU-22).
//!
//! Mirrors: vm-operator `webhooks/virtualmachinesnapshot/validation`, `ValidateCreate`, `ValidateUpdate`.

use vmtwin_model::kube::virtual_machine::{ControllerSharingMode, VirtualMachine};
use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;

use crate::admission::cause::{self, Causes, IMMUTABLE, Structure};
use crate::admission::keys::{self, CLUSTER_ROLES, SNAPSHOT_VM_NAME};
use crate::admission::request::Request;

type Snapshot<'a> = Request<'a, VirtualMachineSnapshot>;

const FIELD: &str = "spec.vmName";

pub(in crate::admission) fn validate_create(request: &Snapshot<'_>, causes: &mut Causes) {
    let name = &request.new.spec.vm_name;
    if name.is_empty() {
        causes.push(cause::required_because(FIELD, "vmName must be provided"));
        return;
    }
    validate_label(request, causes);
    let Some(vm) = request.cx.cache.view::<VirtualMachine>(request.namespace(), name) else { return };
    if CLUSTER_ROLES.iter().any(|label| vm.object.label(label).is_some()) {
        causes.push(cause::forbidden(FIELD, "snapshots are not allowed for VKS/TKG nodes"));
    }
    for controller in vm.spec.hardware.iter().flat_map(|hardware| &hardware.scsi_controllers) {
        let mode = controller.sharing_mode.unwrap_or(ControllerSharingMode::None);
        if mode != ControllerSharingMode::None {
            let bus = controller.bus_number;
            let value = format!("controller type SCSIControllers bus {bus} is using unsupported sharingMode for snapshot: {mode}");
            causes.push(cause::not_supported(FIELD, &value, &["None"]));
        }
    }
}

pub(in crate::admission) fn validate_update(request: &Snapshot<'_>, causes: &mut Causes) {
    validate_label(request, causes);
    let Some(old) = request.old.map(|old| old.spec) else { return };
    let new = request.new.spec;
    if old.memory != new.memory {
        causes.push(cause::invalid("spec.memory", new.memory, IMMUTABLE));
    }
    if old.quiesce != new.quiesce {
        causes.push(cause::invalid("spec.quiesce", Structure(&new.quiesce), IMMUTABLE));
    }
    if old.vm_name != new.vm_name {
        causes.push(cause::invalid(FIELD, &new.vm_name, IMMUTABLE));
    }
}

fn validate_label(request: &Snapshot<'_>, causes: &mut Causes) {
    let name = &request.new.spec.vm_name;
    if let Some(label) = request.new.object.label(SNAPSHOT_VM_NAME).filter(|label| label != name) {
        let text = format!("must match spec.vmName \"{name}\"");
        causes.push(cause::invalid(keys::label_path(SNAPSHOT_VM_NAME), label, &text));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    const LABEL: &str = "snapshot.vmoperator.vmware.com/vm-name";

    fn vm(labels: Value, hardware: Value) -> Value {
        json!({
            "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachine",
            "metadata": {"name": "my-vm", "namespace": "my-namespace", "labels": labels}, "spec": {"hardware": hardware}
        })
    }

    #[test]
    fn a_snapshot_names_its_vm_and_nothing_else_is_said_if_it_does_not() {
        let sample = Sample::snapshot().given(vm(json!({}), json!({})));
        assert!(sample.admitted().is_ok());
        assert_eq!(
            sample.clone().spec("vmName", json!("")).label(LABEL, "x").denied(),
            ["spec.vmName: Required value: vmName must be provided"]
        );
        let text = format!("metadata.labels[{LABEL}]: Invalid value: \"x\": must match spec.vmName \"my-vm\"");
        assert_eq!(sample.label(LABEL, "x").denied(), [text]);
    }

    #[test]
    fn nodes_of_a_cluster_and_vms_with_a_shared_bus_have_no_snapshots() {
        let hardware = json!({"scsiControllers": [{"busNumber": 0}, {"busNumber": 1, "sharingMode": "Physical"}]});
        let sample = Sample::snapshot().given(vm(json!({"capv.vmware.com/cluster.role": "node"}), hardware));
        let shared = "controller type SCSIControllers bus 1 is using unsupported sharingMode for snapshot: Physical";
        let expected = [
            "spec.vmName: Forbidden: snapshots are not allowed for VKS/TKG nodes".to_owned(),
            format!("spec.vmName: Unsupported value: \"{shared}\": supported values: \"None\""),
        ];
        assert_eq!(sample.denied(), expected);
    }

    #[test]
    fn a_snapshot_stays_what_it_is_but_for_its_description() {
        let stored = Sample::snapshot().stored();
        assert!(stored.clone().spec("description", json!("before the upgrade")).admitted().is_ok());
        let changed = stored.spec("memory", json!(true)).spec("vmName", json!("other")).label(LABEL, "other");
        let expected =
            ["spec.memory: Invalid value: true: field is immutable", "spec.vmName: Invalid value: \"other\": field is immutable"];
        assert_eq!(changed.denied(), expected);
    }
}
