//! Step 12: takes the oldest snapshot that isn't taken yet, one a pass. Source: crypto-storage §8.3.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmprovider_vm_snapshot.go`, `reconcileSnapshot`.

use std::sync::Arc;

use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::PromoteDisksMode;
use vmtwin_model::kube::virtual_machine_snapshot::{QuiesceSpec, VirtualMachineSnapshot};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Object, Reason};
use vmtwin_model::time::Span;
use vmtwin_model::vsphere::operation::GuestQuiesceSpec;
use vmtwin_model::vsphere::spec::{ConfigSpec, OptionValue};
use vmtwin_model::vsphere::vm::PowerState as Observed;
use vmtwin_model::vsphere::{self, Operation, Reply};

use super::{is_cluster_node, manifest};
use crate::draft::Draft;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Known};
use crate::snapshot::{SnapshotDraft, is_owned};
use crate::verdict::{Verdict, Wait};
use crate::vm::{VmDraft, ask, text_of};

type Snapshot = Known<VirtualMachineSnapshot>;

pub(in crate::vm::update) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Option<Arc<str>>> {
    if !cx.settings.features.on(Feature::VMSnapshots) || is_cluster_node(draft) || promotes(cx, draft) {
        return Ok(None);
    }
    let waiting = waiting(cx, draft);
    let Some(oldest) = waiting.first() else { return Ok(None) };
    if oldest.object.is_deleting() || !is_owned(oldest.object.meta.owner_references.as_deref(), draft.base().uid()) {
        return Ok(None);
    }
    if let Some(error) = take(cx, draft, vm, oldest)? {
        return Ok(Some(error));
    }
    if waiting.len() > 1 {
        return Err(Verdict::Again { after: Span::ZERO, why: Wait::Prescribed("requeuing to process remaining snapshots") }.into());
    }
    Ok(None)
}

/// While the VM's disks are still linked to cached ones no snapshot is taken: it would keep them so.
fn promotes(cx: &Cx<'_>, draft: &VmDraft) -> bool {
    cx.settings.features.on(Feature::FastDeploy)
        && draft.spec().promote_disks_mode != Some(PromoteDisksMode::Disabled)
        && !draft.status().conditions.is_true(&ConditionType::DiskPromotionSynced)
}

/// The VM's snapshots that aren't taken yet, the oldest first.
fn waiting(cx: &mut Cx<'_>, draft: &VmDraft) -> Vec<Snapshot> {
    let mut waiting: Vec<Snapshot> = cx.naming(&draft.base().key.clone());
    waiting.retain(|snapshot| !snapshot.status().conditions.is_true(&ConditionType::SnapshotCreated));
    // Those of one second stay in the order of their names.
    waiting.sort_by_key(|snapshot| snapshot.object.meta.creation_timestamp.clone());
    waiting
}

/// Takes a snapshot; one of its name that vSphere has already is taken over. Gives the error, if there is one.
fn take(cx: &mut Cx<'_>, draft: &VmDraft, vm: &vsphere::VirtualMachine, snapshot: &Snapshot) -> Flow<Option<Arc<str>>> {
    let there = vm.snapshot.iter().flat_map(|tree| tree.nodes()).find(|node| *node.name == *snapshot.name());
    if let Some(node) = there {
        let made = Made { id: node.snapshot.clone(), on: node.state == Observed::PoweredOn };
        return tell(cx, snapshot.object.clone(), |draft| made.write(draft)).map(|(_, error)| error);
    }
    keep_manifest(cx, draft, vm)?;
    let not = |reason, message: Arc<str>| Condition::fails(ConditionType::SnapshotCreated, reason, message);
    let (object, error) = tell(cx, snapshot.object.clone(), |_| not(Reason::SnapshotCreationInProgress, "snapshot in progress".into()))?;
    if error.is_some() {
        return Ok(error);
    }
    let spec = snapshot.spec();
    let operation = Operation::CreateSnapshot {
        vm: vm.id.clone(),
        name: snapshot.name().into(),
        description: (!spec.description.is_empty()).then(|| spec.description.as_str().into()),
        memory: spec.memory,
        quiesce_spec: spec.quiesce.as_ref().map(quiesce),
    };
    match cx.call(operation.clone())? {
        Ok(Reply::Snapshot(id)) => {
            let made = Made { id, on: spec.memory && vm.runtime.power_state == Observed::PoweredOn };
            tell(cx, object, |draft| made.write(draft)).map(|(_, error)| error)
        }
        Ok(other) => unreachable!("a snapshot was answered with {other:?}"),
        Err(failure) => {
            let text = text_of(&operation, &failure);
            tell(cx, object, |_| not(Reason::SnapshotCreationFailed, text.clone()))?;
            Ok(Some(text))
        }
    }
}

/// Whole minutes, rounded to the nearest.
fn quiesce(spec: &QuiesceSpec) -> GuestQuiesceSpec {
    let minutes = |timeout: Span| i32::try_from((timeout.as_secs() + 30) / 60).unwrap_or(i32::MAX);
    GuestQuiesceSpec { timeout: spec.timeout.map(minutes) }
}

/// What the VM's object says must lie in the VM's configuration before that is kept; where it doesn't yet, that is this pass's work.
fn keep_manifest(cx: &mut Cx<'_>, draft: &VmDraft, vm: &vsphere::VirtualMachine) -> Flow<()> {
    let text = manifest::encode(draft);
    if vm.extra_config(manifest::KEY) == Some(&text) {
        return Ok(());
    }
    let spec = ConfigSpec { extra_config: vec![OptionValue::new(manifest::KEY, text)], ..ConfigSpec::default() };
    ask(cx, Operation::ReconfigVm { vm: vm.id.clone(), spec: spec.into() }, "failed to keep the VM's manifest")?;
    Err(Verdict::Again { after: Span::ZERO, why: Wait::Prescribed("kept the VM's manifest") }.into())
}

/// A snapshot that vSphere has.
struct Made {
    id: Arc<str>,
    on: bool,
}

impl Made {
    fn write(&self, draft: &mut SnapshotDraft) -> Condition {
        let quiesced = draft.spec().quiesce.is_some();
        let status = draft.status_mut();
        self.id.as_ref().clone_into(&mut status.unique_id);
        status.quiesced = quiesced;
        status.power_state = Some(if self.on { PowerState::PoweredOn } else { PowerState::PoweredOff });
        Condition::holds(ConditionType::SnapshotCreated)
    }
}

/// Writes a snapshot's status with a condition, and gives the version that came of it, or why it couldn't be written.
fn tell(
    cx: &mut Cx<'_>,
    object: Arc<Object>,
    change: impl FnOnce(&mut SnapshotDraft) -> Condition,
) -> Flow<(Arc<Object>, Option<Arc<str>>)> {
    let mut draft: SnapshotDraft = Draft::of(object.clone()).expect("the object was read as a snapshot");
    let condition = change(&mut draft);
    draft.status_mut().conditions.put(condition, cx.now());
    let Some(write) = draft.into_write() else { return Ok((object, None)) };
    Ok(match cx.write(write)? {
        Ok(object) => (object, None),
        Err(error) => (object, Some(error.message.as_str().into())),
    })
}
