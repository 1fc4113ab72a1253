//! Step 6: the VM must be in its namespace's pool and folder of its zone, or in a direct child. Source: vm-lifecycle §9.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmprovider_vm.go`, `reconcileLocation`.

use std::sync::Arc;

use vmtwin_model::kube::zone::Zone;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};
use vmtwin_model::vsphere;

use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::VmDraft;

pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Option<Arc<str>>> {
    let zone = draft.status().zone.clone();
    if zone.is_empty() {
        return Ok(None);
    }
    let Some(pool) = &vm.resource_pool else { return Ok(Some("VM is not assigned to any resource pools".into())) };
    let Some(folder) = &vm.parent else { return Ok(Some("VM has no parent folder".into())) };
    let Some(zone) = cx.find::<Zone>(&draft.namespace().clone(), &zone) else { return Ok(None) };
    let Some(expected) = zone.spec().managed_vms.as_ref() else { return Ok(None) };
    let in_pool = |id: &str| expected.pool_mo_ids.iter().any(|pool| pool == id);
    let pool_fits = in_pool(pool.as_str()) || vm.location.pool_parent.as_ref().is_some_and(|parent| in_pool(parent.as_str()));
    let in_folder = |id: &str| expected.folder_mo_id == id;
    let folder_fits = in_folder(folder.as_str()) || vm.location.folder_parent.as_ref().is_some_and(|parent| in_folder(parent.as_str()));
    let reason = match (pool_fits, folder_fits) {
        (true, true) => {
            let now = cx.now();
            draft.status_mut().conditions.put(Condition::holds(ConditionType::LocationValid), now);
            return Ok(None);
        }
        (false, true) => Reason::ResourcePoolMismatch,
        (true, false) => Reason::FolderMismatch,
        (false, false) => Reason::ResourcePoolAndFolderMismatch,
    };
    let now = cx.now();
    let message = "VM was moved to an unexpected ResourcePool or Folder";
    draft.status_mut().conditions.put(Condition::fails(ConditionType::LocationValid, reason, message), now);
    Err(Verdict::terminal(message).into())
}
