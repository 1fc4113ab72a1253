//! No power-on while a power-on check is on the object. Source: seed "Power On Check".

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::vsphere::Operation;

use super::{Check, Invariant, View, When};
use crate::log::Record;

const PREFIX: &str = "poweron.check.vmoperator.vmware.com/";

pub(super) const RULE: Invariant = Invariant {
    name: "power-on-held",
    guards: "seed: Power On Check",
    holds: "no PowerOn call for a VM whose known object has a key under poweron.check.vmoperator.vmware.com/",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    let Some(known) = view.known(record) else { return };
    if known.view::<VirtualMachine>().is_none() {
        return;
    }
    let held = known.meta.annotations.iter().flatten().find(|(key, _)| key.starts_with(PREFIX));
    let Some((key, _)) = held else { return };
    out.premise();
    for call in view.calls_of(record) {
        if let Operation::PowerOnVm { vm, .. } = &call.operation {
            let message = format!("PowerOnVM_Task was called while `{key}` is on the object");
            out.violated(
                &[&known.key, vm],
                message,
                "no power-on until all checks are removed",
                format!("a power-on of {vm} at {}", call.at),
            );
        }
    }
}
