//! The VirtualMachineGroup controller.
use vmtwin_model::kube::api::Write;

use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

pub(crate) fn run(_: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    (Ok(Verdict::Done), None)
}
