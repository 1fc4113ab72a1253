//! Which power state may follow which, as a table: what a request may ask of a VM, by its desired power state so far.
//!
//! Page: admission §1.2 and §4, rules VM-V-001, -003, -005. It speaks of desired states; what the VM does at the moment plays no
//! part. The rules that read it, and the restart, which has no row here, are in `validate::power` and `mutate::restart`.

use vmtwin_model::kube::power::PowerState::{self, PoweredOff, PoweredOn, Suspended};

/// One cell of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The desired power state before; none for a VM that is being created.
    pub from: Option<PowerState>,
    /// The desired power state that is asked for.
    pub to: PowerState,
    /// What becomes of the request.
    pub ruling: Ruling,
}

/// What becomes of a request for another power state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is let in.
    Allowed,
    /// It is refused.
    Refused {
        /// By this rule.
        rule: &'static str,
        /// With this text.
        text: &'static str,
    },
    /// It is refused unless `spec.powerOffMode` is `Hard`; gate `StrictPowerTransitions`.
    OnlyHard {
        /// By this rule.
        rule: &'static str,
        /// With this text.
        text: &'static str,
    },
}

/// The table, complete.
pub const TRANSITIONS: &[Transition] = &[
    allowed(None, PoweredOn),
    allowed(None, PoweredOff),
    Transition {
        from: None,
        to: Suspended,
        ruling: Ruling::Refused { rule: "VM-V-001", text: "cannot set a new VM's power state to Suspended" },
    },
    allowed(Some(PoweredOn), PoweredOn),
    allowed(Some(PoweredOn), PoweredOff),
    allowed(Some(PoweredOn), Suspended),
    allowed(Some(PoweredOff), PoweredOn),
    allowed(Some(PoweredOff), PoweredOff),
    Transition {
        from: Some(PoweredOff),
        to: Suspended,
        ruling: Ruling::Refused { rule: "VM-V-003", text: "cannot suspend a VM that is powered off" },
    },
    allowed(Some(Suspended), PoweredOn),
    Transition {
        from: Some(Suspended),
        to: PoweredOff,
        ruling: Ruling::OnlyHard { rule: "VM-V-005", text: "cannot power off a VM that is suspended unless spec.powerOffMode is Hard" },
    },
    allowed(Some(Suspended), Suspended),
];

const fn allowed(from: Option<PowerState>, to: PowerState) -> Transition {
    Transition { from, to, ruling: Ruling::Allowed }
}

/// What the table says of a request.
#[must_use]
pub fn ruling(from: Option<PowerState>, to: PowerState) -> Ruling {
    let row = TRANSITIONS.iter().find(|row| row.from == from && row.to == to);
    row.expect("the table has a row for each pair of states").ruling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_each_pair_once() {
        for from in std::iter::once(None).chain(PowerState::ALL.iter().copied().map(Some)) {
            for &to in PowerState::ALL {
                assert_eq!(TRANSITIONS.iter().filter(|row| row.from == from && row.to == to).count(), 1, "{from:?} {to}");
            }
        }
    }
}
