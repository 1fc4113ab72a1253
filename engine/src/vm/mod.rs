//! The VirtualMachine controller: from the first sight of an object to the end of its VM. Source: vm-lifecycle.

pub(crate) mod create;
mod delete;
mod encryption;
mod group_link;
pub(crate) mod keys;
pub(crate) mod locate;
pub(crate) mod probe;
pub(crate) mod secrets;
#[cfg(test)]
mod tests;
mod update;

use std::sync::Arc;

use vmtwin_model::kube::api::{Notice, Write};
use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Conditions, View};
use vmtwin_model::vsphere::{Failure, Operation};

use crate::draft::Draft;
use crate::pass::{Cx, Flow, Stop};
use crate::verdict::Verdict;

/// The draft of a VM.
pub(crate) type VmDraft = Draft<VirtualMachine>;

/// The priority of a VM that is being created.
pub(crate) const CREATING: i32 = 100;

/// Which of several VMs that are due goes first. Source: vm-lifecycle §2.6.
pub(crate) fn priority(vm: View<'_, VirtualMachine>) -> i32 {
    if let Some(priority) = vm.object.annotation(keys::RECONCILE_PRIORITY).and_then(|text| text.parse().ok()) {
        return priority;
    }
    let status = vm.status;
    if vm.object.is_deleting() {
        97
    } else if !status.conditions.is_true(&ConditionType::Created) {
        CREATING
    } else if status.power_state != vm.spec.power_state {
        99
    } else if status.power_state == Some(PowerState::PoweredOn) && waits_for_address(vm) {
        98
    } else if status.conditions.condition(&ConditionType::DiskPromotionSynced).is_some_and(|synced| synced.status == ConditionStatus::False)
    {
        96
    } else {
        0
    }
}

fn waits_for_address(vm: View<'_, VirtualMachine>) -> bool {
    let wanted = vm.spec.network.as_ref().is_some_and(|network| !network.disabled);
    let known = vm.status.network.as_ref().is_some_and(|network| !network.primary_ip4.is_empty() || !network.primary_ip6.is_empty());
    wanted && !known
}

/// One pass. Source: vm-lifecycle §2.2.
pub(crate) fn run(cx: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    with_draft(cx, reconcile)
}

/// The background part of a VM's creation.
pub(crate) fn run_create(cx: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    with_draft(cx, create::deploy::finish)
}

/// One attempt of a readiness probe by TCP.
pub(crate) fn run_probe(cx: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    with_draft(cx, probe::attempt)
}

fn with_draft(cx: &mut Cx<'_>, body: fn(&mut Cx<'_>, &mut VmDraft) -> Flow<Verdict>) -> (Flow<Verdict>, Option<Write>) {
    let Some(mut draft) = cx.subject().and_then(Draft::of) else { return (Ok(Verdict::Done), None) };
    let result = body(cx, &mut draft);
    if matches!(result, Err(Stop::Suspended)) {
        return (result, None);
    }
    keep_instants(&mut draft);
    (result, draft.into_write())
}

/// A condition that a pass changed and changed back hasn't changed: its transition time is what it was. Without that a step whose call fails would write
/// the object in every pass, be woken by its own write, and never rest. Source: vm-lifecycle §8.2.
fn keep_instants(draft: &mut VmDraft) {
    let base = draft.base().clone();
    let Some(before) = base.view::<VirtualMachine>().map(|vm| &vm.status.conditions) else { return };
    let kept = |now: &Condition| {
        let old = before.condition(&now.type_)?;
        let same = (old.status, &old.reason, &old.message) == (now.status, &now.reason, &now.message);
        (same && old.last_transition_time != now.last_transition_time).then_some(old.last_transition_time)
    };
    if draft.status().conditions.iter().any(|condition| kept(condition).is_some()) {
        for condition in &mut draft.status_mut().conditions {
            condition.last_transition_time = kept(condition).unwrap_or(condition.last_transition_time);
        }
    }
}

fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<Verdict> {
    if draft.base().is_deleting() {
        return delete::reconcile(cx, draft);
    }
    if draft.annotation(keys::PAUSED).is_some() {
        return Ok(Verdict::Done);
    }
    if !draft.has_finalizer(keys::FINALIZER) {
        draft.remove_finalizer(keys::OLD_FINALIZER);
        draft.add_finalizer(keys::FINALIZER);
        return Ok(Verdict::Done);
    }
    if cx.is_creating() {
        return Ok(Verdict::Progress(CREATE_UNDER_WAY));
    }
    // A VM that is known by its id is one that is brought up to date; of any other nobody knows yet what is to be done about it.
    let op = if draft.status().unique_id.is_empty() { "ReconcileNormal" } else { "Update" };
    match locate::find(cx, draft) {
        Ok(None) => create::reconcile(cx, draft),
        Ok(Some(vm)) => update::reconcile(cx, draft, &vm),
        Err(Stop::End(verdict)) => {
            notice(cx, draft, op, verdict.error().map(|error| &**error));
            Ok(verdict)
        }
        Err(Stop::Suspended) => Err(Stop::Suspended),
    }
}

/// Why a VM that is being created is left alone. Upstream looks again every 10 s; here the end of the create wakes it, for at a
/// vCenter's size those looks would be millions of passes that do nothing.
const CREATE_UNDER_WAY: &str = "create under way";

/// Emits `<op>Success` or `<op>Failure` on the VM. Source: vm-lifecycle §2.5.
fn notice(cx: &mut Cx<'_>, draft: &VmDraft, op: &str, error: Option<&str>) {
    cx.notice(Notice {
        object: draft.base().key.clone(),
        warning: error.is_some(),
        reason: format!("{op}{}", if error.is_some() { "Failure" } else { "Success" }).into(),
        message: error.map_or_else(|| format!("{op} success"), str::to_owned).into(),
    });
}

/// How upstream prints a failure: a call's fault with its code, a task's as the server's text.
pub(crate) fn text_of(operation: &Operation, failure: &Failure) -> Arc<str> {
    let Some(fault) = failure.fault() else { return failure.to_string().into() };
    let message = if fault.localized_message.is_empty() { fault.name.as_str() } else { &*fault.localized_message };
    if operation.method().ends_with("_Task") {
        message.into()
    } else if fault.localized_message.is_empty() || *fault.localized_message == *fault.name.as_str() {
        format!("ServerFaultCode: {}", fault.name).into()
    } else {
        format!("ServerFaultCode: {}: {message}", fault.name).into()
    }
}

/// Asks vSphere for something, and ends the pass with an ordinary error that begins so if it fails.
pub(crate) fn ask(cx: &mut Cx<'_>, operation: Operation, what: &str) -> Flow<vmtwin_model::vsphere::Reply> {
    let failure = match cx.call(operation.clone())? {
        Ok(reply) => return Ok(reply),
        Err(failure) => failure,
    };
    Err(Verdict::failed(format!("{what}: {}", text_of(&operation, &failure))).into())
}
