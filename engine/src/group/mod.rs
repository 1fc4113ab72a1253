//! The VirtualMachineGroup controller: links members, hands the group's power state down to them, and places the VMs of a whole
//! tree at once. A pass costs what changed since the last one (`memory`). It never calls on a vSphere VM: what it wants of a member it writes into the member's object, and the
//! member's own controller does it.
//!
//! Mirrors: vm-operator `controllers/virtualmachinegroup`, `vmprovider_vmgroup.go`. Source: placement-groups §6, §7.

mod deletion;
mod finalizer;
mod hierarchy;
mod members;
mod memory;
mod owner;
mod parent;
mod placement;
mod power;
mod ready;
mod tally;
#[cfg(test)]
mod tests;

use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;

pub(crate) use memory::{Known, Memory};
use tally::Tally;

use crate::draft::Draft;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Stop};
use crate::verdict::Verdict;

/// A step: it changes the draft, and writes what belongs to others.
type Step = fn(&mut Cx<'_>, &mut Draft<VirtualMachineGroup>) -> Flow<()>;

/// The steps of a pass. The first two end it where they have something to do; after the others `Ready` is told, whatever came of
/// them. A group that isn't linked to its parent leaves its members alone, and one that has a member missing places nothing:
/// hence the order.
const STEPS: [(&str, Step); 5] = [
    ("deletion", deletion::reconcile),
    ("finalizer", finalizer::reconcile),
    ("parent", parent::reconcile),
    ("members", members::reconcile),
    ("placement", placement::reconcile),
];

/// One pass for a group.
pub(crate) fn run(cx: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    let Some(mut group) = cx.subject().and_then(Draft::of) else { return (Ok(Verdict::Done), None) };
    if !cx.settings.features.on(Feature::VMGroups) {
        return (Ok(Verdict::Done), None);
    }
    let ended = STEPS.iter().try_for_each(|(_, step)| step(cx, &mut group));
    let error = match ended {
        Err(Stop::Suspended) => return (Err(Stop::Suspended), None),
        Err(Stop::End(verdict)) if verdict.error().is_none() => return (Ok(verdict), group.into_write()),
        Err(Stop::End(verdict)) => Some(verdict),
        Ok(()) => None,
    };
    let tally = tally(cx, &group);
    let verdict = ready::reconcile(cx, &mut group, &tally, error);
    let write = group.into_write();
    if let Some(memory) = cx.take_memory() {
        cx.remember(memory.at_the_end(write.as_ref(), tally));
    }
    (Ok(verdict), write)
}

/// What the members come to as they stand.
fn tally(cx: &Cx<'_>, group: &Draft<VirtualMachineGroup>) -> Tally {
    Tally::of(&group.status().members, cx.group().memory.as_deref().map(Memory::tally))
}
