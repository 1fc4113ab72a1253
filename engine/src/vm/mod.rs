//! The VirtualMachine controller.
use vmtwin_model::kube::View;
use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

/// The priority of a VM that is being created.
pub(crate) const CREATING: i32 = 100;

pub(crate) fn priority(_: View<'_, VirtualMachine>) -> i32 {
    0
}

pub(crate) fn run(_: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    (Ok(Verdict::Done), None)
}

pub(crate) fn run_create(_: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    (Ok(Verdict::Done), None)
}
