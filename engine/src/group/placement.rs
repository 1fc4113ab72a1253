//! Step 5 (to come).
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;

use crate::draft::Draft;
use crate::pass::{Cx, Flow};

pub(super) fn reconcile(_: &mut Cx<'_>, _: &mut Draft<VirtualMachineGroup>) -> Flow<()> {
    Ok(())
}
