//! The VirtualMachineSnapshot controller: what a snapshot asks for, what it takes, whether it is ready, and its end.
//!
//! Taking snapshots and going back to them are steps of the VM's own pass (`vm/update/snapshot/`): only there it is known what else the
//! VM is at. CSI looks at the volumes of a snapshot when the annotation asks for it, and answers in the annotation.
//!
//! Source: crypto-storage §8.2, §8.6. Mirrors: vm-operator `controllers/virtualmachinesnapshot`.

mod delete;
pub(crate) mod size;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_snapshot::{SnapshotStorageRequested, VirtualMachineSnapshot};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Object, ObjectKey, Reason, Resource};
use vmtwin_model::vsphere::snapshot::{SnapshotInfo, SnapshotNode};

use crate::draft::Draft;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Known, Stop};
use crate::storage_quota;
use crate::verdict::Verdict;
use crate::vm::{keys, locate};

/// The draft of a snapshot.
pub(crate) type SnapshotDraft = Draft<VirtualMachineSnapshot>;

/// The finalizer.
const FINALIZER: &str = "vmoperator.vmware.com/virtualmachinesnapshot";

/// Whether a snapshot has to hear of its VM's change: the VM came into being, or is gone.
pub(crate) fn concerns(before: Option<&Object>, after: Option<&Object>) -> bool {
    let id = |object: Option<&Object>| object.and_then(Object::view::<VirtualMachine>).map(|vm| vm.status.unique_id.clone());
    id(before) != id(after)
}

/// The VM of a snapshot.
pub(crate) fn vm_of(object: &Object) -> Option<ObjectKey> {
    let snapshot = object.view::<VirtualMachineSnapshot>().filter(|snapshot| !snapshot.spec.vm_name.is_empty())?;
    Some(ObjectKey::of::<VirtualMachine>(object.key.namespace.clone(), snapshot.spec.vm_name.as_str()))
}

/// What vSphere has of a snapshot object: by the id that the object knows, else by its name.
pub(crate) fn node_of<'a>(tree: Option<&'a SnapshotInfo>, unique_id: &str, name: &str) -> Option<&'a SnapshotNode> {
    let tree = tree?;
    tree.node(unique_id).or_else(|| tree.nodes().into_iter().find(|node| *node.name == *name))
}

/// One pass.
pub(crate) fn run(cx: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    let Some(mut draft) = cx.subject().and_then(Draft::of) else { return (Ok(Verdict::Done), None) };
    if !cx.settings.features.on(Feature::VMSnapshots) {
        return (Ok(Verdict::Done), None);
    }
    let result = if draft.base().is_deleting() { delete::reconcile(cx, &mut draft) } else { reconcile(cx, &mut draft) };
    let write = if matches!(result, Err(Stop::Suspended)) { None } else { draft.into_write() };
    (result, write)
}

fn reconcile(cx: &mut Cx<'_>, draft: &mut SnapshotDraft) -> Flow<Verdict> {
    let result = keep(cx, draft);
    if !matches!(result, Err(Stop::Suspended)) {
        tell_ready(cx, draft);
    }
    result
}

fn keep(cx: &mut Cx<'_>, draft: &mut SnapshotDraft) -> Flow<Verdict> {
    if !draft.has_finalizer(FINALIZER) {
        draft.add_finalizer(FINALIZER);
        return Ok(Verdict::Done);
    }
    let name = draft.spec().vm_name.clone();
    if name.is_empty() {
        return Ok(Verdict::failed("vmName is required"));
    }
    draft.set_label(keys::SNAPSHOT_VM_NAME, Some(&name));
    let Some(vm) = cx.find::<VirtualMachine>(&draft.namespace().clone(), &name) else {
        return Ok(Verdict::failed(format!("failed to get VM {name}: {}", storage_quota::not_found::<VirtualMachine>(&name))));
    };
    own(draft, &vm);
    if vm.status().unique_id.is_empty() {
        return Ok(Verdict::failed("VM hasn't been created and has no uniqueID"));
    }
    request(cx, draft, &vm)?;
    if !draft.status().conditions.is_true(&ConditionType::SnapshotCreated) {
        return Ok(Verdict::Done);
    }
    sync(cx, draft);
    measure(cx, draft, &vm)?;
    Ok(Verdict::Done)
}

/// The VM owns its snapshots, so that they go with it; it isn't their controller.
fn own(draft: &mut SnapshotDraft, vm: &Known<VirtualMachine>) {
    if is_owned(draft.meta().owner_references.as_deref(), vm.object.uid()) {
        return;
    }
    let info = VirtualMachine::KIND.info();
    draft.meta_mut().owner_references.get_or_insert_default().push(OwnerReference {
        api_version: info.api_version(),
        kind: info.kind.to_owned(),
        name: vm.name().to_owned(),
        uid: vm.object.uid().to_owned(),
        ..OwnerReference::default()
    });
}

/// Whether the VM with this UID is among the owners.
pub(crate) fn is_owned(owners: Option<&[OwnerReference]>, vm: &str) -> bool {
    owners.unwrap_or_default().iter().any(|owner| owner.uid == vm)
}

/// What the snapshot may take at most, worked out once. Source: crypto-storage §8.5.
fn request(cx: &mut Cx<'_>, draft: &mut SnapshotDraft, vm: &Known<VirtualMachine>) -> Flow<()> {
    if draft.status().storage.as_ref().is_some_and(|storage| !storage.requested.is_empty()) {
        return Ok(());
    }
    let namespace = draft.namespace().clone();
    let mut objects = BTreeMap::from([(vm.object.key.clone(), Arc::clone(&vm.object))]);
    for claim in vm.spec().volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref()) {
        let key = ObjectKey::of::<PersistentVolumeClaim>(namespace.clone(), claim.claim_name.as_str());
        objects.extend(cx.get(&key).map(|object| (key, object)));
    }
    let needs = storage_quota::snapshot_needs(&objects, draft.view())
        .map_err(|why| Verdict::failed(format!("failed to calculate requested capacity: {why}")))?;
    let requested = needs.into_iter().map(|(storage_class, total)| SnapshotStorageRequested { storage_class, total });
    let requested: Vec<SnapshotStorageRequested> = requested.collect();
    if !requested.is_empty() {
        draft.status_mut().storage.get_or_insert_default().requested = requested;
    }
    Ok(())
}

/// Asks CSI to look at the snapshot's volumes, and tells whether it has.
fn sync(cx: &Cx<'_>, draft: &mut SnapshotDraft) {
    let condition = if draft.annotation(keys::CSI_SYNC) == Some(keys::CSI_SYNC_COMPLETED) {
        Condition::holds(ConditionType::SnapshotCsiSynced)
    } else {
        draft.annotate(keys::CSI_SYNC, Some("requested"));
        Condition::fails(ConditionType::SnapshotCsiSynced, Reason::SnapshotCsiSyncInProgress, "Sync CSI volume requested")
    };
    draft.status_mut().conditions.put(condition, cx.now());
}

/// What the snapshot takes.
fn measure(cx: &mut Cx<'_>, draft: &mut SnapshotDraft, vm: &Known<VirtualMachine>) -> Flow<()> {
    let id = vm.status().unique_id.as_str();
    let Some(seen) = locate::retrieve(cx, id.into())? else {
        return Err(Verdict::failed(format!("failed to get VM {id} of snapshot {}", draft.name())).into());
    };
    let Some(node) = node_of(seen.snapshot.as_deref(), &draft.status().unique_id, draft.name()) else {
        return Err(Verdict::failed(format!("snapshot {:?} not found", draft.name())).into());
    };
    let size = size::of(&seen, &node.snapshot).map_err(Verdict::failed)?;
    draft.status_mut().storage.get_or_insert_default().used = Some(size.vm);
    Ok(())
}

fn tell_ready(cx: &Cx<'_>, draft: &mut SnapshotDraft) {
    let conditions = &draft.status().conditions;
    let created = conditions.condition(&ConditionType::SnapshotCreated);
    let waits_for_disks = created.is_some_and(|created| created.reason == Reason::SnapshotWaitingForDiskRegistration);
    let not = |reason, message: &str| Condition::fails(ConditionType::SnapshotReady, reason, message);
    let condition = if waits_for_disks && created.is_some_and(|created| !created.is_true()) {
        not(Reason::SnapshotWaitingForDiskRegistration, "Snapshot is not ready because disk registration hasn't been completed")
    } else if !created.is_some_and(Condition::is_true) {
        not(Reason::SnapshotWaitingForCreation, "Snapshot is not ready because it doesn't have created condition")
    } else if !conditions.is_true(&ConditionType::SnapshotCsiSynced) {
        not(Reason::SnapshotWaitingForCsiSync, "Snapshot is not ready because CSI volume sync hasn't been completed")
    } else {
        Condition::holds(ConditionType::SnapshotReady)
    };
    draft.status_mut().conditions.put(condition, cx.now());
}
