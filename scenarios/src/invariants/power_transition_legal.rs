//! No request leads a VM where it can't go. Source: seed "Transitions"; admission §1.2.

use vmtwin_model::kube::power::{PowerOpMode, PowerState};
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record, Source};

pub(super) const RULE: Invariant = Invariant {
    name: "power-transition-legal",
    guards: "seed: Transitions; admission §1.2",
    holds: "no admitted request takes a forbidden cell of the table (desired to desired), empties spec.powerState, creates Suspended, or restarts \
            what isn't PoweredOn",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    let (Event::Write, Source::User, Data::Change(change)) = (record.event, record.source, &record.data) else { return };
    let Some(after) = change.after.as_deref() else { return };
    let Some(new) = after.view::<VirtualMachine>() else { return };
    let old = change.before.as_deref().and_then(|before| before.view::<VirtualMachine>());
    let strict = view.gate_is_on("StrictPowerTransitions");
    let wrong = match (old.map(|old| old.spec.power_state), new.spec.power_state) {
        (None, Some(PowerState::Suspended)) => Some("created suspended"),
        (Some(Some(_)), None) => Some("the power state was emptied"),
        (Some(Some(PowerState::PoweredOff)), Some(PowerState::Suspended)) if strict => Some("PoweredOff to Suspended"),
        (Some(Some(PowerState::Suspended)), Some(PowerState::PoweredOff))
            if strict && new.spec.power_off_mode != Some(PowerOpMode::Hard) =>
        {
            Some("Suspended to PoweredOff without powerOffMode Hard")
        }
        (Some(before), after) if before != after => None,
        _ => {
            let restarts = old.is_some_and(|old| old.spec.next_restart_time != new.spec.next_restart_time);
            match old.filter(|_| restarts) {
                Some(old) if old.spec.power_state != Some(PowerState::PoweredOn) => Some("a restart of what isn't PoweredOn"),
                Some(_) => None,
                None => return,
            }
        }
    };
    out.premise();
    if let Some(wrong) = wrong {
        out.violated(&[&after.key], format!("admitted: {wrong}"), "a denial", "an admitted request");
    }
}
