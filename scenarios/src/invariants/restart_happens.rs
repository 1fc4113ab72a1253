//! A restart that was asked for happens, and is recorded. Source: seed "Restart".

use vmtwin_model::kube::power::{PowerOpMode, PowerState as Desired};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::vm::PowerState;

use super::excused::excused;
use super::{Check, Invariant, View, When};
use crate::log::Outcome;

pub(super) const RULE: Invariant = Invariant {
    name: "restart-happens",
    guards: "seed: Restart",
    holds: "a VM that is on and shall be on has, for its last nextRestartTime, a successful restart call after that was admitted, and the time \
            in status and ExtraConfig",
    of_twin: false,
    when: When::AtLast(check),
};

fn check(view: &View<'_>, out: &mut Check) {
    for object in view.objects::<VirtualMachine>() {
        let (key, wanted) = (&object.object.key, &object.spec.next_restart_time);
        let Some(vm) = view.vm_of(key).filter(|_| !wanted.is_empty()) else { continue };
        let Ok(at) = Timestamp::parse(wanted) else { continue };
        let on = vm.runtime.power_state == PowerState::PoweredOn && object.spec.power_state == Some(Desired::PoweredOn);
        let asked = view.history().restart_asked.get(&(object.object.uid().to_owned(), wanted.clone()));
        let Some(asked) = asked.filter(|_| on && at <= view.now()) else { continue };
        if object.spec.restart_mode == Some(PowerOpMode::Soft) || excused(view, object, vm) {
            continue;
        }
        out.premise();
        // Of the object, not of this vSphere VM: it may have been made anew since.
        let restarts = view.calls().iter().filter(|call| call.object == *key && call.at >= *asked);
        // A call whose answer was lost may have restarted the VM.
        let done = |outcome: Option<&Outcome>| matches!(outcome, Some(Outcome::Success | Outcome::Error(None)) | None);
        let mut restarts = restarts.filter(|call| matches!(call.method, "ResetVM_Task" | "RebootGuest"));
        if !restarts.any(|call| done(call.ended.as_ref())) {
            out.violated(&[key, &vm.id], format!("nobody restarted the VM for {wanted}"), "a restart", "none");
        }
        let recorded = vm.extra_config("vmservice.lastRestartTime").unwrap_or_default();
        if recorded != at.as_nanos().to_string() {
            out.violated(&[key], "the restart isn't recorded on the VM", at.as_nanos().to_string(), recorded);
        }
        // A status has whole seconds.
        let said = object.status.last_restart_time.map(|said| said.to_second());
        if said != Some(at.to_second()) {
            let said = said.map(|said| said.to_string()).unwrap_or_default();
            out.violated(&[key], "status.lastRestartTime isn't the last restart", at.to_second().to_string(), said);
        }
    }
}
