//! Step 7: brings an object of an older version up to this one, once. Source: vm-lifecycle §10.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/upgrade/virtualmachine`, `ReconcileSchemaUpgrade`.

use std::sync::Arc;

use vmtwin_model::vsphere;

use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::update::configuration::bootstrap::settle_instance_id;
use crate::vm::{VmDraft, keys};

pub(super) fn reconcile(_: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Option<Arc<str>>> {
    let Some(config) = &vm.config else { return Ok(None) };
    if keys::UPGRADED.iter().all(|(key, value)| draft.annotation(key) == Some(value)) {
        return Ok(None);
    }
    if draft.spec().bios_uuid.is_empty() && !config.uuid.is_empty() {
        draft.spec_mut().bios_uuid = config.uuid.to_string();
    }
    if draft.spec().instance_uuid.is_empty() && !config.instance_uuid.is_empty() {
        draft.spec_mut().instance_uuid = config.instance_uuid.to_string();
    }
    settle_instance_id(draft);
    for (key, value) in keys::UPGRADED {
        draft.annotate(key, Some(value));
    }
    Err(Verdict::Progress("upgraded vm schema").into())
}
