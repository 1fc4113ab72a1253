//! Finds out whether a group's ancestors form a ring. Each group has one parent at the most, so there is one way up: it ends at a
//! root or comes back to a group that was met already. Nobody goes that way while no groups at all form a ring.

use std::collections::BTreeSet;
use std::sync::Arc;

use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;

use crate::draft::Draft;
use crate::pass::Cx;

/// The ring that this group is part of or hangs below, as text; nothing where the way up ends.
pub(super) fn cycle(cx: &mut Cx<'_>, group: &Draft<VirtualMachineGroup>) -> Option<Arc<str>> {
    if !cx.any_ring() {
        return None;
    }
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
