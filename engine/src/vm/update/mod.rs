//! Keeping a VM that exists what its object says, one step after the other. Source: vm-lifecycle §7.
//!
//! The order is the specification. Status comes first, so that it is refreshed before anything can fail, and so lags each action
//! by one pass; power comes last, so that a VM is switched on only when it is what it should be.

pub(crate) mod configuration;
mod location;
pub(super) mod power;
mod schema;
mod snapshot;
mod status;

use std::sync::Arc;

use vmtwin_model::kube::power::PowerState;
use vmtwin_model::vsphere;

use super::{VmDraft, notice};
use crate::pass::{Cx, Flow, Stop};
use crate::verdict::Verdict;

pub(super) use status::controller_type;

/// A step: nothing wrong, an error with which the pass goes on, or the pass's end.
type Step = fn(&mut Cx<'_>, &mut VmDraft, &vsphere::VirtualMachine) -> Flow<Option<Arc<str>>>;

/// The steps, in their order.
pub(crate) const STEPS: [(&str, Step); 7] = [
    ("status", status::reconcile),
    ("location", location::reconcile),
    ("schema upgrade", schema::reconcile),
    ("snapshot revert", snapshot::revert::reconcile),
    ("config", configuration::reconcile),
    ("power state", power::reconcile),
    ("snapshot", snapshot::create::reconcile),
];

pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Verdict> {
    let verdict = match run(cx, draft, vm) {
        Ok(()) => Verdict::Done,
        Err(Stop::End(verdict)) => verdict,
        Err(Stop::Suspended) => return Err(Stop::Suspended),
    };
    match &verdict {
        Verdict::Failed(error) => notice(cx, draft, "Update", Some(error)),
        _ => notice(cx, draft, "Update", None),
    }
    Ok(verdict)
}

fn run(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<()> {
    let mut noted = Vec::new();
    for (name, step) in STEPS {
        match step(cx, draft, vm) {
            Ok(None) => {}
            Ok(Some(error)) => {
                noted.push(format!("failed to reconcile {name}: {error}"));
                if name == "config" && !turns_off(draft, vm) {
                    break;
                }
            }
            Err(Stop::End(Verdict::Progress(_) | Verdict::Terminal(_))) if !noted.is_empty() => break,
            Err(stop) => return Err(stop),
        }
    }
    if noted.is_empty() { Ok(()) } else { Err(Verdict::failed(noted.join("\n")).into()) }
}

/// Observed on, desired off: then a broken configuration doesn't keep the VM from being switched off.
fn turns_off(draft: &VmDraft, vm: &vsphere::VirtualMachine) -> bool {
    use vmtwin_model::vsphere::vm::PowerState as Observed;

    vm.runtime.power_state == Observed::PoweredOn && draft.spec().power_state == Some(PowerState::PoweredOff)
}

/// Whether a task of this VM runs; a foreign import doesn't count. Source: vm-lifecycle §11.2.
fn has_running_task(vm: &vsphere::VirtualMachine) -> bool {
    const IMPORT: &str = "com.vmware.wcp.mobility.virtualmachinesimport.create";
    vm.recent_task.iter().any(|task| task.state.is_open() && &*task.description_id != IMPORT)
}

/// Who holds the VM: its user by annotation, a vSphere administrator by ExtraConfig.
fn paused_by(draft: &VmDraft, vm: &vsphere::VirtualMachine) -> Option<&'static str> {
    let devops = draft.annotation(super::keys::PAUSED).is_some();
    let admin = vm.extra_config(super::keys::ADMIN_PAUSE).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match (devops, admin) {
        (false, false) => None,
        (true, false) => Some("devops"),
        (false, true) => Some("admin"),
        (true, true) => Some("both"),
    }
}
