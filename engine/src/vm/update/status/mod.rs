//! Step 5: writes what vSphere shows into the status. Source: vm-lifecycle §8.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmlifecycle/update_status.go`, `ReconcileStatus`. Every part is written by itself;
//! a part that vSphere doesn't show is left as it was.

mod guest;
mod hardware;
mod network;
mod probe;
mod stack;
mod storage;

use std::sync::Arc;

pub(in crate::vm) use hardware::controller_type;

use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::zone::Zone;
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Conditions, Reason};
use vmtwin_model::vsphere::{self, vm::PowerState as Observed};

use super::configuration::resize;
use super::snapshot;
use crate::pass::{Cx, Flow};
use crate::vm::{VmDraft, create, group_link, keys};

pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Option<Arc<str>>> {
    put(cx, draft, Condition::holds(ConditionType::Created));
    annotations_to_conditions(cx, draft);
    class(cx, draft);
    power(cx, draft, vm);
    identity(draft, vm);
    hardware::write(draft, vm);
    network::write(cx, draft, vm);
    guest::write(cx, draft, vm);
    storage::write(cx, draft, vm);
    snapshot::status::write(cx, draft, vm)?;
    zone(cx, draft, vm);
    vm.location.host_name.as_deref().unwrap_or_default().clone_into(&mut draft.status_mut().node_name);
    probe::write(cx, draft, vm);
    group_link::update(cx, draft);
    pause(cx, draft);
    Ok(None)
}

/// Puts a condition, at this instant.
fn put(cx: &Cx<'_>, draft: &mut VmDraft, condition: Condition) {
    let now = cx.now();
    draft.status_mut().conditions.put(condition, now);
}

/// `type;status;reason;message` of the annotations that other components write.
fn annotations_to_conditions(cx: &Cx<'_>, draft: &mut VmDraft) {
    let annotations = draft.meta().annotations.iter().flatten();
    let texts: Vec<String> =
        annotations.filter(|(key, _)| key.starts_with(keys::CONDITION_ANNOTATION)).map(|(_, value)| value.clone()).collect();
    for text in texts {
        let mut parts = text.splitn(4, ';');
        let mut next = || parts.next().unwrap_or_default();
        let (type_, status, reason, message) = (next(), next(), next(), next());
        if type_.is_empty() {
            continue;
        }
        let (status, fallback) = match status {
            "True" => (ConditionStatus::True, Reason::True),
            "False" => (ConditionStatus::False, Reason::False),
            _ => (ConditionStatus::Unknown, Reason::Unknown),
        };
        let is_true = status == ConditionStatus::True;
        let reason = if is_true || reason.is_empty() { fallback } else { Reason::from(reason) };
        let message = if is_true { "" } else { message };
        put(cx, draft, Condition::new(ConditionType::from(type_), status, reason, message));
    }
}

fn class(cx: &mut Cx<'_>, draft: &mut VmDraft) {
    let name = draft.spec().class_name.clone();
    if name.is_empty() {
        draft.status_mut().class = None;
    } else if !resize::gate_is_on(cx.settings) && draft.status().class.is_none() {
        draft.status_mut().class = Some(create::deploy::class_reference(&name));
    }
    resize::write_condition(cx, draft);
}

fn power(cx: &Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) {
    let observed = match vm.runtime.power_state {
        Observed::PoweredOn => PowerState::PoweredOn,
        Observed::PoweredOff => PowerState::PoweredOff,
        Observed::Suspended => PowerState::Suspended,
    };
    draft.status_mut().power_state = Some(observed);
    let desired = draft.spec().power_state;
    let condition = if desired == Some(observed) {
        Condition::new(ConditionType::PowerStateSynced, ConditionStatus::True, Reason::Synced, observed.to_string())
    } else {
        let desired = desired.map(|state| state.to_string()).unwrap_or_default();
        let message = format!("spec.powerState={desired} != status.powerState={observed}");
        Condition::fails(ConditionType::PowerStateSynced, Reason::NotSynced, message)
    };
    put(cx, draft, condition);
}

fn identity(draft: &mut VmDraft, vm: &vsphere::VirtualMachine) {
    let status = draft.status_mut();
    vm.id.as_str().clone_into(&mut status.unique_id);
    let Some(config) = &vm.config else { return };
    (*config.uuid).clone_into(&mut status.bios_uuid);
    (*config.instance_uuid).clone_into(&mut status.instance_uuid);
    status.change_block_tracking = config.change_tracking_enabled;
    if let Some(created) = config.create_date {
        status.provider.get_or_insert_default().creation_timestamp.get_or_insert(created.to_second());
    }
}

/// The zone of the cluster that owns the VM's pool, looked up again whenever label and status don't agree.
fn zone(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) {
    let known = draft.status().zone.clone();
    if !known.is_empty() && draft.label(keys::ZONE) == Some(&known) {
        return;
    }
    let Some(cluster) = &vm.location.cluster else { return };
    let zones = cx.list::<Zone>(&draft.namespace().clone());
    let owns = |zone: &&crate::pass::Known<Zone>| {
        zone.spec().managed_vms.as_ref().is_some_and(|vms| vms.cluster_mo_ids.iter().any(|id| id == cluster.as_str()))
    };
    if let Some(zone) = zones.iter().find(owns) {
        let name = zone.name().to_owned();
        draft.set_label(keys::ZONE, Some(&name));
        draft.status_mut().zone = name;
    }
}

/// Told by the label that the later steps keep; so it lags by a pass.
fn pause(cx: &Cx<'_>, draft: &mut VmDraft) {
    let who = match draft.label(keys::PAUSED) {
        None => {
            put(cx, draft, Condition::holds(ConditionType::ReconcileReady));
            return;
        }
        Some("devops") => "DevOps",
        Some("admin") => "Admin",
        Some(_) => "Admin, DevOps",
    };
    let message = format!("Virtual Machine reconciliation paused by {who}");
    put(cx, draft, Condition::fails(ConditionType::ReconcileReady, Reason::Paused, message));
}
