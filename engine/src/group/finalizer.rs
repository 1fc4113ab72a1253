//! Step 2: a group isn't worked on before it carries the finalizer.

use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;

use crate::draft::Draft;
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

pub(super) const FINALIZER: &str = "vmoperator.vmware.com/virtualmachinegroup";

pub(super) fn reconcile(_: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>) -> Flow<()> {
    if group.has_finalizer(FINALIZER) {
        return Ok(());
    }
    group.add_finalizer(FINALIZER);
    Err(Verdict::Progress("added finalizer").into())
}
