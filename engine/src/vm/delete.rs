//! The end of a VM: held by checks and pauses, switched off, destroyed, and then the object may go. Source: vm-lifecycle §13.

use vmtwin_model::kube::power::PowerOpMode;
use vmtwin_model::vsphere::vm::{ConnectionState, PowerState};
use vmtwin_model::vsphere::{self, Operation};

use super::update::configuration::promotion;
use super::update::power;
use super::{VmDraft, ask, keys, locate, notice};
use crate::pass::{Cx, Flow, Stop};
use crate::policy::workload;
use crate::verdict::Verdict;

pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<Verdict> {
    let checks = draft.meta().annotations.iter().flatten().filter(|(key, _)| key.starts_with(keys::DELETE_CHECK)).count();
    let enough = usize::from(crate::planted::is("one-check-is-enough"));
    if draft.annotation(keys::PAUSED).is_some() || checks > enough {
        return Ok(Verdict::Done);
    }
    if draft.has_finalizer(keys::FINALIZER) || draft.has_finalizer(keys::OLD_FINALIZER) {
        let unregister = draft.annotation(keys::SKIP_DELETE).is_some();
        match remove(cx, draft, unregister) {
            Err(Stop::End(verdict)) if verdict.error().is_some() => {
                let error = verdict.error().map(|text| text.to_string()).unwrap_or_default();
                notice(cx, draft, "Delete", Some(&error));
                return Ok(verdict);
            }
            other => other?,
        }
        if !unregister {
            notice(cx, draft, "Delete", None);
        }
        draft.remove_finalizer(keys::FINALIZER);
        draft.remove_finalizer(keys::OLD_FINALIZER);
    }
    Ok(Verdict::Done)
}

fn remove(cx: &mut Cx<'_>, draft: &mut VmDraft, unregister: bool) -> Flow<()> {
    if cx.is_creating() {
        return Err(Verdict::failed("failed to delete vm: reconcile already in progress").into());
    }
    let Some(vm) = locate::find(cx, draft)? else { return Ok(()) };
    if unregister { clean(cx, &vm) } else { destroy(cx, draft, &vm) }
}

fn destroy(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<()> {
    let state = vm.runtime.connection_state;
    if state != ConnectionState::Connected {
        return Err(Verdict::terminal(format!("failed to delete vm: unsupported connection state: {state}")).into());
    }
    if vm.extra_config(keys::ADMIN_PAUSE).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        draft.set_label(keys::PAUSED, Some("admin"));
        let text = format!("failed to delete this VM because extraConfig Key '{}' is set by admin", keys::ADMIN_PAUSE);
        return Err(Verdict::terminal(text).into());
    }
    if promotion::is_on(cx) {
        for task in promotion::running(vm) {
            let operation = Operation::CancelTask { task: task.key.clone() };
            ask(cx, operation, "failed to delete vm: failed to cancel disk promotion")?;
        }
    }
    if vm.runtime.power_state != PowerState::PoweredOff {
        let mode = draft.spec().power_off_mode.unwrap_or(PowerOpMode::TrySoft);
        power::bring_off(cx, vm, mode).map_err(|stop| prefixed(stop, "failed to delete vm: failed to power off vm"))?;
    }
    ask(cx, Operation::DestroyVm { vm: vm.id.clone() }, "failed to delete vm: destroy VM task failed")?;
    Ok(())
}

/// Takes our marks off a VM that stays.
fn clean(cx: &mut Cx<'_>, vm: &vsphere::VirtualMachine) -> Flow<()> {
    use vmtwin_model::vsphere::spec::{ConfigSpec, ManagedBy, OptionValue};

    const OURS: [&str; 3] = ["guestinfo.", "vmservice.", "imageregistry."];
    let Some(config) = &vm.config else { return Ok(()) };
    let ours = config.extra_config.keys().filter(|key| OURS.iter().any(|prefix| key.starts_with(prefix)));
    let extra_config: Vec<OptionValue> = ours.map(|key| OptionValue::new(key.clone(), "")).collect();
    let managed = config.managed_by.as_ref().is_some_and(|managed| *managed.extension_key == *keys::MANAGED_BY.0);
    if extra_config.is_empty() && !managed {
        return Ok(());
    }
    let managed_by = managed.then(|| ManagedBy { extension_key: "".into(), type_: "".into() });
    let mut spec = ConfigSpec { extra_config, managed_by, ..ConfigSpec::default() };
    workload::release(&mut spec, vm);
    ask(cx, Operation::ReconfigVm { vm: vm.id.clone(), spec: spec.into() }, "failed to unregister vm: reconfigure VM task failed")?;
    Ok(())
}

fn prefixed(stop: Stop, what: &str) -> Stop {
    match stop {
        Stop::End(Verdict::Failed(text)) => Verdict::failed(format!("{what}: {text}")).into(),
        other => other,
    }
}
