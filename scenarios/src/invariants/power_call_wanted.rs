//! Every power and guest call is what the object asks for, of the state that the VM had. Source: seed "On, Off, & Suspend"; lifecycle §12.2.

use std::collections::BTreeSet;

use vmtwin_model::kube::power::PowerState as Desired;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::vsphere::Operation;
use vmtwin_model::vsphere::vm::PowerState as Observed;

use super::{Check, Invariant, View, When};
use crate::log::Record;

pub(super) const RULE: Invariant = Invariant {
    name: "power-call-wanted",
    guards: "seed: On, Off, & Suspend; lifecycle §12.2",
    holds: "each power or guest call is what the known powerState, nextRestartTime or deletion asks of the state that the VM had",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    let Some(known) = view.known(record) else { return };
    let Some(object) = known.view::<VirtualMachine>() else { return };
    let states = view.states_during(record);
    let deleting = known.is_deleting();
    let desired = object.spec.power_state;
    for call in view.calls_of(record) {
        let mut states = states.clone();
        states.extend(call.state);
        let restarts = !object.spec.next_restart_time.is_empty();
        let Some(wanted) = is_wanted(&call.operation, desired, deleting, restarts, &states) else { continue };
        out.premise();
        if !wanted {
            let asks =
                if deleting { "deletion".to_owned() } else { desired.map_or_else(|| "nothing".to_owned(), |state| state.to_string()) };
            let seen: Vec<String> = states.iter().map(ToString::to_string).collect();
            out.violated(
                &[&known.key],
                format!("{} isn't what the object asks for", call.operation),
                format!("a call that leads from {} to {asks}", seen.join(" or ")),
                call.operation.to_string(),
            );
        }
    }
}

/// Whether a call is wanted; nothing if it isn't a power or guest call.
fn is_wanted(operation: &Operation, desired: Option<Desired>, deleting: bool, restarts: bool, states: &BTreeSet<Observed>) -> Option<bool> {
    let was = |state: Observed| states.contains(&state);
    Some(match operation {
        Operation::PowerOnVm { .. } => {
            !deleting && desired == Some(Desired::PoweredOn) && (was(Observed::PoweredOff) || was(Observed::Suspended))
        }
        Operation::PowerOffVm { .. } | Operation::ShutdownGuest { .. } => {
            (deleting || desired == Some(Desired::PoweredOff)) && (was(Observed::PoweredOn) || was(Observed::Suspended))
        }
        Operation::SuspendVm { .. } | Operation::StandbyGuest { .. } => {
            !deleting && desired == Some(Desired::Suspended) && was(Observed::PoweredOn)
        }
        Operation::ResetVm { .. } | Operation::RebootGuest { .. } => {
            !deleting && restarts && desired == Some(Desired::PoweredOn) && was(Observed::PoweredOn)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmtwin_model::id::VmId;

    #[test]
    fn a_vm_under_deletion_may_be_switched_off_and_never_on() {
        let vm = VmId::from("vm-1");
        let (on, off) = (BTreeSet::from([Observed::PoweredOn]), BTreeSet::from([Observed::PoweredOff]));
        let wanted =
            |operation: Operation, states: &BTreeSet<Observed>| is_wanted(&operation, Some(Desired::PoweredOn), true, false, states);
        assert_eq!(wanted(Operation::PowerOffVm { vm: vm.clone() }, &on), Some(true));
        assert_eq!(wanted(Operation::PowerOnVm { vm: vm.clone(), host: None }, &off), Some(false));
        assert_eq!(wanted(Operation::DestroyVm { vm }, &off), None);
    }
}
