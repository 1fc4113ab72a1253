//! Step 1: lets a group go that is to be deleted. Its members are the garbage collector's business.

use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;

use super::finalizer::FINALIZER;
use crate::draft::Draft;
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

pub(super) fn reconcile(_: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>) -> Flow<()> {
    if !group.base().is_deleting() {
        return Ok(());
    }
    group.remove_finalizer(FINALIZER);
    Err(Verdict::Done.into())
}
