//! SN-M-01: a snapshot carries the name of its VM as a label.
//!
//! Page: admission §18. A label that is there stays, even a wrong one, which SN-V-02 refuses.
//!
//! Mirrors: vm-operator `webhooks/virtualmachinesnapshot/mutation`, `SetVMNameLabel`.

use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;

use crate::admission::keys::SNAPSHOT_VM_NAME;
use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

pub(in crate::admission) fn default(
    _: &Request<'_, VirtualMachineSnapshot>,
    snapshot: &mut Draft<VirtualMachineSnapshot>,
) -> Result<(), Denial> {
    let vm = snapshot.spec().vm_name.clone();
    if snapshot.label(SNAPSHOT_VM_NAME).is_none() && !vm.is_empty() {
        snapshot.set_label(SNAPSHOT_VM_NAME, Some(&vm));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    const LABEL: &str = "snapshot.vmoperator.vmware.com/vm-name";

    #[test]
    fn the_label_is_filled_in_and_never_mended() {
        assert_eq!(Sample::snapshot().mutated()["metadata"]["labels"][LABEL], "my-vm");
        assert_eq!(Sample::snapshot().label(LABEL, "other").mutated()["metadata"]["labels"][LABEL], "other");
        assert_eq!(Sample::snapshot().spec("vmName", json!(null)).mutated()["metadata"]["labels"], json!(null));
    }
}
