//! What is at rest stays at rest, whoever looks again. Source: lifecycle §22.

use std::collections::{BTreeMap, BTreeSet};

use vmtwin_model::kube::ObjectKey;
use vmtwin_model::time::Span;

use super::{Check, Invariant, When};
use crate::log::{Data, Event, Outcome, Record, Source};
use crate::runner::{Simulation, Turn};

/// How long the second look may take.
const WITHIN: Span = Span::from_mins(30);

pub(super) const RULE: Invariant = Invariant {
    name: "rest-is-rest",
    guards: "lifecycle §22",
    holds: "waking every key a second time brings no write and no mutating call (on a fork, at the end of the run)",
    of_twin: false,
    when: When::OnFork(check),
};

fn check(fork: &mut Simulation, out: &mut Check) {
    // A fork that isn't at rest, or whose vCenter is away, says nothing.
    if fork.next_pending().is_some() || !fork.world().vcenter_is_up() {
        return;
    }
    // An operator that starts looks at everything.
    fork.restart_operator();
    let mut records = fork.take_fresh();
    let deadline = fork.now() + WITHIN;
    while fork.next_pending().is_some_and(|at| at <= deadline) {
        match fork.turn(deadline) {
            Turn::Idle => break,
            Turn::Event(more) => records.extend(more),
        }
    }
    let mut failing: BTreeSet<&ObjectKey> = BTreeSet::new();
    let mut done: BTreeMap<&ObjectKey, &Record> = BTreeMap::new();
    for record in &records {
        let Some(key) = &record.object else { continue };
        match record.event {
            // What can't be done is tried again; that is no change.
            Event::Pass if record.result == Some(Outcome::Error(None)) => drop(failing.insert(key)),
            Event::Pass => out.premise(),
            Event::Write | Event::Operation if record.source == Source::Operator => {
                let mutates = match &record.data {
                    Data::Call(operation) => operation.mutates(),
                    _ => true,
                };
                if mutates {
                    done.entry(key).or_insert(record);
                }
            }
            _ => {}
        }
    }
    for (key, record) in done {
        if !failing.contains(key) {
            let what = record.operation.map_or_else(|| format!("{} {}", record.event, record.message), str::to_owned);
            out.violated(&[key], "an object at rest was changed by a second look", "no write and no call", what);
        }
    }
}
