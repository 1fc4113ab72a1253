//! In the end a VM has the power state that is desired. Source: seed "Power States", "Working with VMs": tries until it can.

use vmtwin_model::kube::power::PowerState as Desired;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::time::Span;
use vmtwin_model::vsphere;
use vmtwin_model::vsphere::vm::PowerState as Observed;

use super::excused::excused;
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
        let cannot_suspend = desired == Desired::Suspended && vm.runtime.power_state == Observed::PoweredOff;
        if cannot_suspend || excused(view, object, vm) {
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

/// The last call on the VM failed, and not long ago: it will be tried again.
fn still_tries(view: &View<'_>, vm: &vsphere::VirtualMachine) -> bool {
    let last = view.calls().iter().rev().find(|call| call.vm.as_ref() == Some(&vm.id));
    last.is_some_and(|call| matches!(call.ended, Some(Outcome::Error(_))) && view.now() - call.at <= STILL_TRIES)
}
