//! CPUs and memory change only while a VM is off. Source: seed "Resizing".

use vmtwin_model::vsphere::Operation;
use vmtwin_model::vsphere::vm::PowerState;

use super::history::resizes;
use super::{Check, Invariant, View, When};
use crate::log::Record;

pub(super) const RULE: Invariant = Invariant {
    name: "resize-off-only",
    guards: "seed: Resizing",
    holds: "no reconfigure changes CPU count, memory or allocations of a VM that wasn't off when the pass began",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    for call in view.calls_of(record) {
        let Operation::ReconfigVm { vm, spec } = &call.operation else { continue };
        let (Some(known), true) = (view.known(record), resizes(spec)) else { continue };
        out.premise();
        if view.began(record).is_some_and(|began| began.state != PowerState::PoweredOff)
            && !view.states_during(record).contains(&PowerState::PoweredOff)
        {
            let state = view.began(record).map(|began| began.state.to_string()).unwrap_or_default();
            out.violated(&[&known.key, vm], "a VM is resized that isn't off", "poweredOff", state);
        }
    }
}
