//! In the end there is nothing left to do. Source: lifecycle §2.3.

use super::{Check, Invariant, View, When};

pub(super) const RULE: Invariant = Invariant {
    name: "settles",
    guards: "lifecycle §2.3",
    holds: "the run comes to rest within two hours of virtual time",
    of_twin: false,
    when: When::AtLast(check),
};

fn check(view: &View<'_>, out: &mut Check) {
    out.premise();
    if view.is_restless()
        && let Some(key) = view.last_woken()
    {
        out.violated(&[key], "the run doesn't come to rest; this object was worked on last", "nothing is due", "something still is");
    }
}
