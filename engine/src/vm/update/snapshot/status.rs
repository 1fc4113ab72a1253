//! What a VM shows of its snapshots, and each snapshot of those on top of it. Source: crypto-storage §8.7.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmlifecycle/update_status.go`, `updateCurrentSnapshotStatus`, `updateRootSnapshots`.

use vmtwin_model::kube::virtual_machine_snapshot::{SnapshotReference, SnapshotReferenceType, VirtualMachineSnapshot};
use vmtwin_model::vsphere::{self, snapshot::SnapshotNode};

use crate::draft::Draft;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Known};
use crate::vm::VmDraft;

type Snapshot = Known<VirtualMachineSnapshot>;

/// Writes what the VM shows; what is just being deleted isn't shown anew.
pub(in crate::vm::update) fn write(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<()> {
    if !cx.settings.features.on(Feature::VMSnapshots) {
        return Ok(());
    }
    let objects: Vec<Snapshot> = cx.naming(&draft.base().key.clone());
    let tree = vm.snapshot.as_deref();
    let roots = tree.map_or(&[][..], |tree| &tree.root_snapshot_list);
    let current = tree.and_then(|tree| tree.node(tree.current_snapshot.as_deref()?));
    if current.is_none_or(|node| !is_going(&objects, node)) {
        let current = current.map(|node| reference(&objects, node));
        if draft.status().current_snapshot != current {
            draft.status_mut().current_snapshot = current;
        }
    }
    if !roots.iter().any(|node| is_going(&objects, node)) {
        let roots = references(&objects, roots);
        if draft.status().root_snapshots != roots {
            draft.status_mut().root_snapshots = roots;
        }
    }
    for node in tree.into_iter().flat_map(|tree| tree.nodes()) {
        tell_children(cx, &objects, node)?;
    }
    Ok(())
}

fn object<'a>(objects: &'a [Snapshot], node: &SnapshotNode) -> Option<&'a Snapshot> {
    objects.iter().find(|object| object.name() == &*node.name)
}

fn is_going(objects: &[Snapshot], node: &SnapshotNode) -> bool {
    object(objects, node).is_some_and(|object| object.object.is_deleting())
}

/// A snapshot without an object has no name here.
fn reference(objects: &[Snapshot], node: &SnapshotNode) -> SnapshotReference {
    match object(objects, node) {
        Some(object) => SnapshotReference { name: object.name().to_owned(), type_: SnapshotReferenceType::Managed },
        None => SnapshotReference { name: String::new(), type_: SnapshotReferenceType::Unmanaged },
    }
}

fn references(objects: &[Snapshot], nodes: &[SnapshotNode]) -> Vec<SnapshotReference> {
    nodes.iter().map(|node| reference(objects, node)).collect()
}

/// Writes the snapshots on top of one into its object, in any order. One that was changed meanwhile is written by a later pass, which that
/// change brings.
fn tell_children(cx: &mut Cx<'_>, objects: &[Snapshot], node: &SnapshotNode) -> Flow<()> {
    let Some(known) = object(objects, node).filter(|object| !object.object.is_deleting()) else { return Ok(()) };
    let children = references(objects, &node.child_snapshot_list);
    let there = &known.status().children;
    if there.len() == children.len() && children.iter().all(|child| there.contains(child)) {
        return Ok(());
    }
    let Some(mut draft) = Draft::<VirtualMachineSnapshot>::of(known.object.clone()) else { return Ok(()) };
    draft.status_mut().children = children;
    if let Some(write) = draft.into_write() {
        let _answer = cx.write(write)?;
    }
    Ok(())
}
