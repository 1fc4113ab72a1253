//! The end of a snapshot: vSphere's is removed, those on top of it stay, and then the object may go. Source: crypto-storage §8.6.

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::vsphere::Operation;

use super::{FINALIZER, SnapshotDraft, node_of};
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::{ask, locate};

pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &mut SnapshotDraft) -> Flow<Verdict> {
    if !draft.has_finalizer(FINALIZER) {
        return Ok(Verdict::Done);
    }
    let name = draft.spec().vm_name.clone();
    if name.is_empty() {
        return Ok(Verdict::failed("VirtualMachineSnapshot VMName is empty"));
    }
    if let Some(vm) = cx.find::<VirtualMachine>(&draft.namespace().clone(), &name)
        && !vm.status().unique_id.is_empty()
    {
        remove(cx, draft, &vm.status().unique_id)?;
    }
    draft.remove_finalizer(FINALIZER);
    Ok(Verdict::Done)
}

/// Removes vSphere's snapshot, if vSphere has the VM and the snapshot. One that is just being taken is waited for.
fn remove(cx: &mut Cx<'_>, draft: &SnapshotDraft, vm: &str) -> Flow<()> {
    let Some(vm) = locate::retrieve(cx, vm.into())? else { return Ok(()) };
    let taking = |description: &str| description == "VirtualMachine.createSnapshot";
    if vm.recent_task.iter().any(|task| task.state.is_open() && taking(&task.description_id)) {
        return Err(Verdict::failed("a snapshot of the VM is being taken").into());
    }
    if let Some(node) = node_of(vm.snapshot.as_deref(), &draft.status().unique_id, draft.name()) {
        let operation = Operation::RemoveSnapshot { vm: vm.id.clone(), snapshot: node.snapshot.clone() };
        ask(cx, operation, "failed to delete snapshot")?;
    }
    Ok(())
}
