//! Step 9: brings the VM back to the snapshot that `spec.currentSnapshotName` names. Source: crypto-storage §8.4.
//!
//! While vSphere is at it an annotation stands on the object, so that nothing else is done and nobody asks for another snapshot. If the
//! task fails it stays: the VM may be anywhere between, and a person has to look.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmprovider_vm_snapshot.go`, `reconcileSnapshotRevert`.

use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::kube::power::{PowerOpMode, PowerState};
use vmtwin_model::kube::virtual_machine::{NetworkInterfaceSpec, NetworkSpec, VirtualMachineSpec, VirtualMachineStatus};
use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};
use vmtwin_model::vsphere::snapshot::SnapshotNode;
use vmtwin_model::vsphere::vm::{Config, PowerState as Observed};
use vmtwin_model::vsphere::{self, Failure, Operation, Reply};

use super::is_cluster_node;
use super::manifest::{self, Kept};
use crate::features::Feature;
use crate::pass::{Cx, Flow};
use crate::storage_quota;
use crate::verdict::{Verdict, Wait};
use crate::vm::update::power::TASK_POLL;
use crate::vm::{VmDraft, ask, keys, text_of};

/// On a snapshot's object: it was made elsewhere, and no manifest is kept with it.
const IMPORTED: &str = "vmoperator.vmware.com/imported-snapshot";
/// What vSphere says of a disk that can't go back.
const VIGOR: &str = "msg.snapshot.vigor.revert.error";
/// What it says of a volume that has a snapshot of its own in between.
const VIGOR_FCD: &str = "msg.snapshot.vigor.revert.errorFcd";

pub(in crate::vm::update) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Option<Arc<str>>> {
    if !cx.settings.features.on(Feature::VMSnapshots) {
        return Ok(None);
    }
    if vm.recent_task.iter().any(|task| task.state.is_open() && is_about_snapshots(&task.description_id)) {
        return Err(Verdict::Again { after: TASK_POLL, why: Wait::Poll("snapshot operation in progress") }.into());
    }
    if draft.annotation(keys::REVERT_IN_PROGRESS).is_some() {
        return Err(Verdict::Progress("snapshot revert in progress").into());
    }
    let name = draft.spec().current_snapshot_name.clone();
    if name.is_empty() {
        if draft.status().conditions.condition(&ConditionType::SnapshotRevertSucceeded).is_some() {
            draft.status_mut().conditions.take(&ConditionType::SnapshotRevertSucceeded);
        }
        return Ok(None);
    }
    if is_cluster_node(draft) {
        tell(cx, draft, Reason::SnapshotRevertSkipped, "Skipping snapshot revert for VKS node".into());
        return Ok(None);
    }
    match wanted(cx, draft, vm, &name) {
        Err((reason, why)) => {
            tell(cx, draft, reason, why.clone());
            Ok(Some(why))
        }
        Ok((node, imported)) => revert(cx, draft, vm, &node, imported),
    }
}

fn is_about_snapshots(description: &str) -> bool {
    description.starts_with("VirtualMachineSnapshot.")
        || ["VirtualMachine.createSnapshot", "VirtualMachine.revertToCurrentSnapshot", "VirtualMachine.removeAllSnapshots"]
            .contains(&description)
}

fn tell(cx: &Cx<'_>, draft: &mut VmDraft, reason: Reason, message: Arc<str>) {
    let condition = Condition::fails(ConditionType::SnapshotRevertSucceeded, reason, message);
    let now = cx.now();
    draft.status_mut().conditions.put(condition, now);
}

/// The snapshot to go back to, and whether it was imported; or why there is no going back.
fn wanted(cx: &mut Cx<'_>, draft: &VmDraft, vm: &vsphere::VirtualMachine, name: &str) -> Result<(SnapshotNode, bool), (Reason, Arc<str>)> {
    let failed = |why: String| (Reason::SnapshotRevertFailed, Arc::from(why));
    let Some(object) = cx.find::<VirtualMachineSnapshot>(&draft.namespace().clone(), name) else {
        return Err(failed(storage_quota::not_found::<VirtualMachineSnapshot>(name)));
    };
    if !object.status().conditions.is_true(&ConditionType::SnapshotReady) {
        return Err((Reason::SnapshotRevertSkipped, format!("skipping revert for not-ready snapshot {name:?}").into()));
    }
    let Some(tree) = &vm.snapshot else { return Err(failed("no snapshots for this VM".to_owned())) };
    match tree.named(name)[..] {
        [] => Err(failed(format!("snapshot {name:?} not found"))),
        [node] => Ok((node.clone(), object.object.annotation(IMPORTED).is_some())),
        ref several => Err(failed(format!("{name:?} resolves to {} snapshots", several.len()))),
    }
}

fn revert(
    cx: &mut Cx<'_>,
    draft: &mut VmDraft,
    vm: &vsphere::VirtualMachine,
    node: &SnapshotNode,
    imported: bool,
) -> Flow<Option<Arc<str>>> {
    let config = config_of(cx, vm, node)?;
    draft.annotate(keys::REVERT_IN_PROGRESS, Some(""));
    tell(cx, draft, Reason::SnapshotRevertInProgress, "snapshot revert in progress".into());
    if let Err(error) = draft.save(cx)? {
        return Err(Verdict::failed(error.message.clone()).into());
    }
    let operation = Operation::RevertToSnapshot { vm: vm.id.clone(), snapshot: node.snapshot.clone() };
    if let Err(failure) = cx.call(operation.clone())? {
        let text = text_of(&operation, &failure);
        tell(cx, draft, Reason::SnapshotRevertTaskFailed, said(&failure).unwrap_or_else(|| text.clone()));
        return Ok(Some(text));
    }
    let kept = match config.extra_config.get(manifest::KEY) {
        Some(text) => manifest::decode(text).map_err(|why| format!("failed to read VM YAML in snapshot config: {why}")),
        None if imported => Ok(Kept { spec: approximated(draft, &config), labels: None, annotations: None }),
        None => Err("no VM YAML in snapshot config".to_owned()),
    };
    match kept {
        Err(why) => {
            let why: Arc<str> = why.into();
            tell(cx, draft, Reason::SnapshotRevertFailedInvalidManifest, why.clone());
            Ok(Some(why))
        }
        Ok(kept) => {
            restore(draft, kept, node);
            Err(Verdict::Progress("reverted snapshot").into())
        }
    }
}

/// How the VM was configured in a snapshot.
fn config_of(cx: &mut Cx<'_>, vm: &vsphere::VirtualMachine, node: &SnapshotNode) -> Flow<Arc<Config>> {
    let read = Operation::RetrieveSnapshot { vm: vm.id.clone(), snapshot: node.snapshot.clone() };
    match ask(cx, read, "failed to get snapshot config")? {
        Reply::SnapshotConfig(config) => Ok(config),
        other => unreachable!("a snapshot was answered with {other:?}"),
    }
}

/// vSphere's own words for disks that can't go back.
fn said(failure: &Failure) -> Option<Arc<str>> {
    let fault = failure.fault()?;
    let messages = fault.properties.get("faultMessage").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |key: &str| messages.iter().find(|message| message["key"] == key);
    if of(VIGOR_FCD).is_some() {
        return Some(
            " The virtual machine cannot be reverted when crossing a CSI VolumeSnapshot. VolumeSnapshots should be deleted before \
             retrying the revert."
                .into(),
        );
    }
    let text = of(VIGOR)?["message"].as_str().unwrap_or(&fault.localized_message);
    Some(text.into())
}

/// The object says again what it said then. Of the status nothing stays but which VM it is: the rest is observed anew.
fn restore(draft: &mut VmDraft, kept: Kept, node: &SnapshotNode) {
    let meta = draft.meta_mut();
    (meta.labels, meta.annotations) = (kept.labels, kept.annotations);
    draft.annotate(keys::REVERT_IN_PROGRESS, None);
    let power = if node.state == Observed::PoweredOn { PowerState::PoweredOn } else { PowerState::PoweredOff };
    *draft.spec_mut() = VirtualMachineSpec { power_state: Some(power), current_snapshot_name: String::new(), ..kept.spec };
    let status = draft.status_mut();
    *status = VirtualMachineStatus {
        unique_id: std::mem::take(&mut status.unique_id),
        bios_uuid: std::mem::take(&mut status.bios_uuid),
        instance_uuid: std::mem::take(&mut status.instance_uuid),
        ..VirtualMachineStatus::default()
    };
}

/// What the spec may have been where nobody kept it.
fn approximated(draft: &VmDraft, config: &Config) -> VirtualMachineSpec {
    let cards = config.hardware.device.iter().filter(|device| device.type_.is_ethernet_card()).count();
    let interfaces = (0..cards).map(|nth| NetworkInterfaceSpec { name: format!("eth{nth}"), ..NetworkInterfaceSpec::default() });
    VirtualMachineSpec {
        power_off_mode: Some(PowerOpMode::TrySoft),
        storage_class: draft.spec().storage_class.clone(),
        group_name: draft.spec().group_name.clone(),
        instance_uuid: draft.spec().instance_uuid.clone(),
        bios_uuid: draft.spec().bios_uuid.clone(),
        network: Some(NetworkSpec { interfaces: interfaces.collect(), ..NetworkSpec::default() }),
        min_hardware_version: config.version.strip_prefix("vmx-").and_then(|version| version.parse().ok()).unwrap_or_default(),
        guest_id: config.guest_id.to_string(),
        ..VirtualMachineSpec::default()
    }
}
