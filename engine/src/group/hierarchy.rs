//! The way up from a group: whether it comes back to itself, and which delays were handed down along it. Each group has one parent
//! at the most, so there is one way: it ends at a root or at a group that was met already.

use std::collections::BTreeSet;
use std::sync::Arc;

use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::time::{Span, Timestamp};

use super::power::{APPLY_TIME, LAST_UPDATED};
use crate::draft::Draft;
use crate::pass::Cx;

/// The ring that this group is part of or hangs below, as text; nothing where the way up ends.
pub(super) fn cycle(cx: &mut Cx<'_>, group: &Draft<VirtualMachineGroup>) -> Option<Arc<str>> {
    let namespace = group.namespace().clone();
    let mut way: Vec<String> = vec![group.name().to_string()];
    let mut met: BTreeSet<String> = way.iter().cloned().collect();
    let mut parent = group.spec().group_name.clone();
    while !parent.is_empty() {
        if !met.insert(parent.clone()) {
            let from = way.iter().position(|name| *name == parent)?;
            way.push(parent);
            return Some(format!("cycle detected in group hierarchy: {}", way[from..].join(" -> ")).into());
        }
        let next = cx.find::<VirtualMachineGroup>(&namespace, &parent)?.spec().group_name.clone();
        way.push(std::mem::replace(&mut parent, next));
    }
    None
}

/// How much of the instant that the parent wrote is the delays of the boot groups above: the time since the change that began at the
/// topmost group which handed it down.
pub(super) fn inherited_delay(cx: &mut Cx<'_>, group: &Draft<VirtualMachineGroup>, apply_time: Timestamp) -> Span {
    let namespace = group.namespace().clone();
    let mut met = BTreeSet::from([group.name().to_string()]);
    let mut parent = group.spec().group_name.clone();
    let mut began = None;
    while !parent.is_empty() && met.insert(parent.clone()) {
        let Some(above) = cx.find::<VirtualMachineGroup>(&namespace, &parent) else { break };
        began = above.object.annotation(LAST_UPDATED).and_then(|text| Timestamp::parse(text).ok());
        parent = match above.object.annotation(APPLY_TIME) {
            Some(_) => above.spec().group_name.clone(),
            None => break,
        };
    }
    began.map_or(Span::ZERO, |began| (apply_time - began).max(Span::ZERO))
}
