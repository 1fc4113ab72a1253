//! Step 11: brings the VM to `spec.powerState`, and restarts it when that is asked for. Source: vm-lifecycle §12.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmprovider_vm.go`, `reconcilePowerState`.

use std::sync::Arc;

use vmtwin_model::kube::power::{PowerOpMode, PowerState as Desired};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::spec::{ConfigSpec, OptionValue};
use vmtwin_model::vsphere::vm::{ConnectionState, PowerState as Observed};
use vmtwin_model::vsphere::{self, Failure, FaultName, Operation};

use super::{has_running_task, paused_by};
use crate::features::Feature;
use crate::pass::{Cx, Flow, Stop, Until};
use crate::verdict::{Verdict, Wait};
use crate::vm::{VmDraft, keys, text_of};

/// How long a guest is given to do as it is told.
const SOFT_TIMEOUT: Span = Span::from_mins(5);

/// How Go writes the layout of an instant with nanoseconds.
const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// When a VM whose task runs is looked at again: the end of a failed task changes nothing that is watched.
pub(super) const TASK_POLL: Span = Span::from_secs(10);

pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Option<Arc<str>>> {
    gates(cx, draft, vm)?;
    let Some(desired) = draft.spec().power_state else { return Ok(None) };
    let result = match (desired, vm.runtime.power_state) {
        (Desired::PoweredOn, Observed::PoweredOn) => {
            // An operator that died after it switched the VM on leaves this to the next one.
            draft.annotate(keys::FIRST_BOOT_DONE, Some("true"));
            restart(cx, draft, vm)
        }
        (Desired::PoweredOn, Observed::PoweredOff | Observed::Suspended) => power_on(cx, draft, vm),
        (Desired::PoweredOff, Observed::PoweredOn) => bring_off(cx, vm, mode(draft.spec().power_off_mode)).map(Some),
        (Desired::PoweredOff, Observed::Suspended) => power_off_suspended(cx, draft, vm),
        (Desired::Suspended, Observed::PoweredOn) => bring(cx, vm, &SUSPEND, mode(draft.spec().suspend_mode)).map(Some),
        (Desired::PoweredOff, Observed::PoweredOff) | (Desired::Suspended, Observed::PoweredOff | Observed::Suspended) => Ok(None),
    };
    match result {
        Ok(None) => Ok(None),
        Ok(Some(())) => Err(Verdict::Progress("updated power state").into()),
        Err(Stop::End(Verdict::Failed(error))) => Ok(Some(error)),
        Err(stop) => Err(stop),
    }
}

fn mode(mode: Option<PowerOpMode>) -> PowerOpMode {
    mode.unwrap_or(PowerOpMode::TrySoft)
}

/// What holds any power change, in order. Source: vm-lifecycle §12.1.
fn gates(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<()> {
    reachable(vm)?;
    wait_for_group(cx, draft)?;
    if paused_by(draft, vm).is_some() {
        return Err(Verdict::Progress("is paused").into());
    }
    if has_running_task(vm) {
        return Err(Verdict::Again { after: TASK_POLL, why: Wait::Poll("has outstanding task") }.into());
    }
    Ok(())
}

/// vCenter must reach the VM, and it must be in a pool.
pub(super) fn reachable(vm: &vsphere::VirtualMachine) -> Flow<()> {
    let state = vm.runtime.connection_state;
    if state != ConnectionState::Connected {
        return Err(Verdict::terminal(format!("unsupported connection state: {state}")).into());
    }
    if vm.resource_pool.is_none() {
        return Err(Verdict::terminal("VM does not belong to a resource pool").into());
    }
    Ok(())
}

/// A group may have ordered a later instant.
fn wait_for_group(cx: &Cx<'_>, draft: &mut VmDraft) -> Flow<()> {
    let switches = matches!(draft.spec().power_state, Some(Desired::PoweredOn | Desired::PoweredOff));
    if !switches || !cx.settings.features.on(Feature::VMGroups) {
        return Ok(());
    }
    let Some(text) = draft.annotation(keys::APPLY_POWER_STATE_TIME).filter(|text| !text.is_empty()) else { return Ok(()) };
    let at = Timestamp::parse(text).map_err(|error| Verdict::failed(format!("{}: {error}", keys::APPLY_POWER_STATE_TIME)))?;
    if at > cx.now() {
        return Err(Verdict::Again { after: at - cx.now(), why: Wait::Prescribed("apply time not reached") }.into());
    }
    draft.annotate(keys::APPLY_POWER_STATE_TIME, None);
    Ok(())
}

fn power_on(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Option<()>> {
    let skipped = crate::planted::is("check-skipped-on-resume") && vm.runtime.power_state == Observed::Suspended;
    if draft.has_annotation_below(keys::POWER_ON_CHECK) && !skipped {
        return Ok(None);
    }
    hard(cx, vm, &Operation::PowerOnVm { vm: vm.id.clone(), host: None }, Observed::PoweredOn)?;
    draft.annotate(keys::FIRST_BOOT_DONE, Some("true"));
    Ok(Some(()))
}

/// `Soft` does nothing to a suspended VM, and `TrySoft`'s soft part fails at once.
fn power_off_suspended(cx: &mut Cx<'_>, draft: &VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Option<()>> {
    match mode(draft.spec().power_off_mode) {
        PowerOpMode::Soft => Ok(None),
        PowerOpMode::Hard | PowerOpMode::TrySoft => {
            hard(cx, vm, &Operation::PowerOffVm { vm: vm.id.clone() }, Observed::PoweredOff)?;
            Ok(Some(()))
        }
    }
}

/// Switches a VM off that isn't off. A suspended one has no guest to ask, so all modes but `Soft` are hard.
pub(crate) fn bring_off(cx: &mut Cx<'_>, vm: &vsphere::VirtualMachine, mode: PowerOpMode) -> Flow<()> {
    bring(cx, vm, &POWER_OFF, mode)
}

/// A way down: how the guest is asked, how it is done without, and where it leads.
struct Way {
    soft: fn(&vsphere::VirtualMachine) -> Operation,
    hard: fn(&vsphere::VirtualMachine) -> Operation,
    to: Observed,
}

const POWER_OFF: Way = Way {
    soft: |vm| Operation::ShutdownGuest { vm: vm.id.clone() },
    hard: |vm| Operation::PowerOffVm { vm: vm.id.clone() },
    to: Observed::PoweredOff,
};

const SUSPEND: Way = Way {
    soft: |vm| Operation::StandbyGuest { vm: vm.id.clone() },
    hard: |vm| Operation::SuspendVm { vm: vm.id.clone() },
    to: Observed::Suspended,
};

/// Asks the guest, or doesn't, as the mode says. Source: vm-lifecycle §12.3.
fn bring(cx: &mut Cx<'_>, vm: &vsphere::VirtualMachine, way: &Way, mode: PowerOpMode) -> Flow<()> {
    let soft = match mode {
        PowerOpMode::Hard => None,
        PowerOpMode::Soft | PowerOpMode::TrySoft => Some(ask_guest(cx, vm, way)?),
    };
    match (mode, soft) {
        (_, Some(Ok(()))) => Ok(()),
        (PowerOpMode::Soft, Some(Err(error))) => Err(Verdict::failed(error).into()),
        _ => hard(cx, vm, &(way.hard)(vm), way.to),
    }
}

/// Asks the guest and waits; the error says why it didn't come to that.
fn ask_guest(cx: &mut Cx<'_>, vm: &vsphere::VirtualMachine, way: &Way) -> Flow<Result<(), String>> {
    let operation = (way.soft)(vm);
    if let Err(failure) = cx.call(operation.clone())? {
        let text = text_of(&operation, &failure);
        return Ok(Err(format!("soft set power state to {} failed {text}", way.to)));
    }
    let reached = cx.wait(Until::PowerState(vm.id.clone(), way.to), soft_timeout())?;
    Ok(if reached { Ok(()) } else { Err(format!("timed out waiting for power state {}", way.to)) })
}

/// How long a guest has.
fn soft_timeout() -> Span {
    if crate::planted::is("fallback-too-early") { Span::from_secs(30) } else { SOFT_TIMEOUT }
}

/// A hard operation; one that finds its end reached already counts as done.
fn hard(cx: &mut Cx<'_>, _: &vsphere::VirtualMachine, operation: &Operation, to: Observed) -> Flow<()> {
    match cx.call(operation.clone())? {
        Ok(_) => Ok(()),
        Err(failure) if is_there(&failure, to) => Ok(()),
        Err(failure) if crate::planted::is("no-capacity-is-final") && failure.is_a("InsufficientResourcesFault") => {
            Err(Verdict::terminal(text_of(operation, &failure)).into())
        }
        Err(failure) => {
            let text = text_of(operation, &failure);
            Err(Verdict::failed(format!("hard set power state to {to} failed: {text}")).into())
        }
    }
}

fn is_there(failure: &Failure, state: Observed) -> bool {
    let fault = failure.fault().filter(|fault| fault.name == FaultName::InvalidPowerState);
    fault.and_then(|fault| fault.text("existingState")).is_some_and(|existing| existing == state.to_string())
}

/// Restarts the VM if `spec.nextRestartTime` lies after the last restart and not in the future. Source: vm-lifecycle §12.5.
///
/// Recording comes after restarting: a crash in between may restart once more, never not at all.
fn restart(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Option<()>> {
    let text = draft.spec().next_restart_time.clone();
    if text.is_empty() {
        return Ok(None);
    }
    let wanted = Timestamp::parse(&text)
        .map_err(|_| Verdict::failed(format!("spec.nextRestartTime {text:?} cannot be parsed with {RFC3339_NANO:?}")))?;
    let last =
        vm.extra_config(keys::LAST_RESTART_TIME).and_then(|nanos| nanos.parse().ok()).map_or(Timestamp::default(), Timestamp::from_nanos);
    if wanted == last && draft.status().last_restart_time != Some(wanted) {
        // An operator that died after it took the note leaves the status to the next one.
        draft.status_mut().last_restart_time = Some(wanted);
    }
    if wanted <= last || wanted > cx.now() {
        tell_of_restart(draft, wanted, last);
        return Ok(None);
    }
    let first = !crate::planted::is("restart-recorded-first");
    // Where it was done and couldn't be recorded, what is left is the record: a VM isn't restarted until vSphere takes a note of it.
    if first && draft.status().last_restart_time.is_none_or(|done| done < wanted) {
        restart_now(cx, vm, mode(draft.spec().restart_mode))?;
        draft.status_mut().last_restart_time = Some(wanted);
    }
    let record = OptionValue::new(keys::LAST_RESTART_TIME, wanted.as_nanos().to_string());
    let spec = ConfigSpec { extra_config: vec![record], ..ConfigSpec::default() };
    if !crate::planted::is("restart-not-recorded") {
        crate::vm::ask(cx, Operation::ReconfigVm { vm: vm.id.clone(), spec: spec.into() }, "failed to record the restart")?;
    }
    if !first {
        draft.status_mut().last_restart_time = Some(wanted);
        if let Err(Stop::Suspended) = restart_now(cx, vm, mode(draft.spec().restart_mode)) {
            return Err(Stop::Suspended);
        }
    }
    Err(Verdict::Progress("restarted vm").into())
}

/// The write that told of the restart may have been lost to a conflict or a crash; what the VM has on record is told again.
fn tell_of_restart(draft: &mut VmDraft, wanted: Timestamp, last: Timestamp) {
    let told = draft.status().last_restart_time.map(|told| told.to_second());
    if wanted == last && told != Some(last.to_second()) {
        draft.status_mut().last_restart_time = Some(last);
    }
}

fn restart_now(cx: &mut Cx<'_>, vm: &vsphere::VirtualMachine, mode: PowerOpMode) -> Flow<()> {
    if mode != PowerOpMode::Hard {
        let operation = Operation::RebootGuest { vm: vm.id.clone() };
        match cx.call(operation.clone())? {
            Ok(_) => return Ok(()),
            Err(failure) if mode == PowerOpMode::Soft => {
                let text = text_of(&operation, &failure);
                return Err(Verdict::failed(format!("failed to soft restart vm {text}")).into());
            }
            Err(_) => {}
        }
    }
    crate::vm::ask(cx, Operation::ResetVm { vm: vm.id.clone() }, "failed to hard restart vm")?;
    Ok(())
}
