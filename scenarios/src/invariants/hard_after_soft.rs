//! A guest that can be asked is asked first, and given five minutes. Source: seed "Power Op Mode"; lifecycle §12.3.

use vmtwin_model::kube::power::PowerOpMode;
use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineSpec};
use vmtwin_model::time::Span;
use vmtwin_model::vsphere::Operation;
use vmtwin_model::vsphere::vm::PowerState;

use super::ledger::Call;
use super::{Check, Invariant, View, When};
use crate::log::{Event, Record};

const FIVE_MINUTES: Span = Span::from_mins(5);

pub(super) const RULE: Invariant = Invariant {
    name: "hard-after-soft",
    guards: "seed: Power Op Mode; lifecycle §12.3",
    holds: "TrySoft with tools running: no hard call without a soft one before it in the pass, nor sooner than 5m after it unless that failed, \
            and at 5m one if the VM hasn't gone; Soft: no hard call",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    if record.event != Event::Pass {
        return;
    }
    let calls = view.calls_of(record);
    let (Some(known), false) = (view.known(record), calls.is_empty()) else { return };
    let (Some(vm), Some(began)) = (known.view::<VirtualMachine>(), view.began(record)) else { return };
    if began.state != PowerState::PoweredOn {
        return;
    }
    for (hard, soft, mode, to) in ways(vm.spec) {
        let first_hard = calls.iter().find(|call| hard(&call.operation));
        let first_soft = calls.iter().find(|call| soft(&call.operation));
        if first_hard.is_none() && first_soft.is_none() {
            continue;
        }
        out.premise();
        let tell = |out: &mut Check, message: &str, expected: &str, call: &Call| {
            out.violated(&[&known.key], message, expected, format!("{} at {}", call.operation, call.at));
        };
        match (mode, first_soft, first_hard) {
            (PowerOpMode::Soft, _, Some(hard)) => tell(out, "a hard call though the mode is Soft", "no hard call", hard),
            (PowerOpMode::TrySoft, None, Some(hard)) if began.tools_run => {
                tell(out, "a hard call, and the guest wasn't asked", "a soft call before it", hard);
            }
            (PowerOpMode::TrySoft, Some(soft), Some(hard))
                if to.is_some() && view.succeeded(soft.seq) && hard.at < soft.at + FIVE_MINUTES =>
            {
                tell(out, "the guest wasn't given five minutes", "five minutes after the soft call", hard);
            }
            (PowerOpMode::TrySoft, Some(soft), None) if view.succeeded(soft.seq) => {
                if let Some(to) = to.filter(|to| !view.states_during(record).contains(to)) {
                    tell(out, "the guest didn't go, and nobody switched it", &format!("a hard call, or {to}"), soft);
                }
            }
            _ => {}
        }
    }
}

type Is = fn(&Operation) -> bool;

/// Hard call, soft call, mode, and the state that is waited for.
fn ways(spec: &VirtualMachineSpec) -> [(Is, Is, PowerOpMode, Option<PowerState>); 3] {
    let mode = |mode: Option<PowerOpMode>| mode.unwrap_or(PowerOpMode::TrySoft);
    [
        (
            |operation| matches!(operation, Operation::PowerOffVm { .. }),
            |operation| matches!(operation, Operation::ShutdownGuest { .. }),
            mode(spec.power_off_mode),
            Some(PowerState::PoweredOff),
        ),
        (
            |operation| matches!(operation, Operation::SuspendVm { .. }),
            |operation| matches!(operation, Operation::StandbyGuest { .. }),
            mode(spec.suspend_mode),
            Some(PowerState::Suspended),
        ),
        (
            |operation| matches!(operation, Operation::ResetVm { .. }),
            |operation| matches!(operation, Operation::RebootGuest { .. }),
            mode(spec.restart_mode),
            None,
        ),
    ]
}
