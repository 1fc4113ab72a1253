//! In the end a VM has the power state that is desired. Source: seed "Power States", "Working with VMs": tries until it can.

use vmtwin_model::kube::power::{PowerOpMode, PowerState as Desired};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{ConditionType, Conditions, View as Typed};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere;
use vmtwin_model::vsphere::vm::{ConnectionState, PowerState as Observed};

use super::{Check, Invariant, View, When};
use crate::log::Outcome;

/// An error so young shows that the operator still tries.
const STILL_TRIES: Span = Span::from_mins(20);

pub(super) const RULE: Invariant = Invariant {
    name: "power-reached",
    guards: "seed: Power States; Working with VMs",
    holds: "the observed power state is the desired one, two hours after the last step at the latest",
    of_twin: false,
    when: When::AtLast(check),
};

fn check(view: &View<'_>, out: &mut Check) {
    for object in view.objects::<VirtualMachine>() {
        let key = &object.object.key;
        let Some(vm) = view.vm_of(key) else { continue };
        let Some(desired) = object.spec.power_state else { continue };
        if excused(view, object, vm, desired) {
            continue;
        }
        let reached = matches!(
            (desired, vm.runtime.power_state),
            (Desired::PoweredOn, Observed::PoweredOn)
                | (Desired::PoweredOff, Observed::PoweredOff)
                | (Desired::Suspended, Observed::Suspended)
        );
        if !reached && still_tries(view, vm) {
            continue;
        }
        out.premise();
        if !reached {
            let observed = vm.runtime.power_state.to_string();
            out.violated(&[key, &vm.id], format!("{desired} is desired, and nobody tries any more"), desired.to_string(), observed);
        }
    }
}

/// What a VM may rightly wait for. Source: reproduce §2 ("Excused").
fn excused(view: &View<'_>, object: Typed<'_, VirtualMachine>, vm: &vsphere::VirtualMachine, desired: Desired) -> bool {
    let annotations = || object.meta.annotations.iter().flatten();
    let has = |prefix: &str| annotations().any(|(key, _)| key.starts_with(prefix));
    let paused = has("vmoperator.vmware.com/paused") || vm.extra_config("vmservice.virtualmachine.pause").is_some();
    let held = has("poweron.check.vmoperator.vmware.com/") || object.object.is_deleting();
    let delayed = annotations()
        .find(|(key, _)| key.as_str() == "vmoperator.vmware.com.protected/apply-power-state-time")
        .is_some_and(|(_, at)| Timestamp::parse(at).is_ok_and(|at| at > view.now()));
    let soft = [object.spec.power_off_mode, object.spec.suspend_mode].contains(&Some(PowerOpMode::Soft));
    let cannot_suspend = desired == Desired::Suspended && vm.runtime.power_state == Observed::PoweredOff;
    let unreachable = vm.runtime.connection_state != ConnectionState::Connected;
    let moved = object.status.conditions.condition(&ConditionType::LocationValid).is_some_and(|condition| !condition.is_true());
    let class_missing = object.status.conditions.condition(&ConditionType::ClassReady).is_some_and(|condition| !condition.is_true());
    let storage_waits = object.spec.volumes.iter().any(|volume| volume.persistent_volume_claim.is_some());
    paused || held || delayed || soft || cannot_suspend || unreachable || moved || class_missing || storage_waits
}

/// The last call on the VM failed, and not long ago: it will be tried again.
fn still_tries(view: &View<'_>, vm: &vsphere::VirtualMachine) -> bool {
    let last = view.calls().iter().rev().find(|call| call.vm.as_ref() == Some(&vm.id));
    last.is_some_and(|call| matches!(call.ended, Some(Outcome::Error(_))) && view.now() - call.at <= STILL_TRIES)
}
