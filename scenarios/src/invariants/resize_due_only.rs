//! A VM is resized once for a class, and again only if it shall follow that. Source: seed "Resizing".

use vmtwin_model::vsphere::Operation;

use super::history::resizes;
use super::{Check, Invariant, View, When};
use crate::log::Record;

const FOLLOWS: &str = "vmoperator.vmware.com/same-vm-class-resize";

pub(super) const RULE: Invariant = Invariant {
    name: "resize-due-only",
    guards: "seed: Resizing",
    holds: "between two resizes that succeed className changed or, with the annotation, the class did",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    for call in view.calls_of(record) {
        let Operation::ReconfigVm { vm, spec } = &call.operation else { continue };
        let Some(known) = view.known(record).filter(|_| resizes(spec) && view.succeeded(call.seq)) else { continue };
        let Some([before, after]) = view.history().resizes.get(vm).map(Vec::as_slice) else { continue };
        if view.history().was_meddled(&known.key.namespaced_name(), &["reconfigure"]) {
            continue;
        }
        out.premise();
        let follows = known.annotation(FOLLOWS).is_some();
        if before.name == after.name && (before == after || !follows) {
            let expected = if follows { "another class, or another generation of it" } else { "another class" };
            out.violated(&[&known.key, vm], "a VM is resized again unasked", expected, format!("{} as before", after.name));
        }
    }
}
