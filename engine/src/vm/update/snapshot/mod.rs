//! Snapshots in the VM's pass: going back to one (step 9), taking one (step 12), and what the VM shows of them (step 5).
//!
//! Source: crypto-storage §8.3, §8.4, §8.7. Mirrors: vm-operator `pkg/providers/vsphere/vmprovider_vm_snapshot.go`.

pub(super) mod create;
mod manifest;
pub(super) mod revert;
pub(super) mod status;

use crate::vm::VmDraft;
use crate::vm::keys::CLUSTER_ROLES;

/// Whether the VM is a node of a guest cluster: those are neither snapshotted nor reverted.
fn is_cluster_node(draft: &VmDraft) -> bool {
    CLUSTER_ROLES.iter().any(|label| draft.label(label).is_some())
}
