//! What runs reached: operations by result, passes by verdict, faults that bit, conditions, power transitions, denials, premises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::vsphere::operation::METHODS;

use crate::log::{Data, Event, Outcome, Record, Source};
use crate::runner::Simulation;

/// The areas, as the report names them.
pub const AREAS: &[&str] = &["rules", "steps", "operations", "faults", "conditions", "transitions", "premises"];

/// What was reached, by area.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    hit: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Methods of the port that the operator calls and the log shows.
const CALLED: &[&str] = &[
    "CopyVirtualDisk_Task",
    "CreateVM_Task",
    "CustomizeVM_Task",
    "Destroy_Task",
    "MakeDirectory",
    "PlaceVm",
    "PlaceVmsXCluster",
    "PowerOffVM_Task",
    "PowerOnVM_Task",
    "RebootGuest",
    "ReconfigVM_Task",
    "ResetVM_Task",
    "ShutdownGuest",
    "StandbyGuest",
    "SuspendVM_Task",
    "deployLibraryItem",
];

/// Controllers of the operator, as the log names them.
const CONTROLLERS: &[&str] = &["vm", "vm/create", "group", "volumes", "storage/quota", "storage/usage"];
/// Verdicts.
const VERDICTS: &[&str] = &["done", "progress", "again", "failed", "terminal", "parked"];

impl Coverage {
    /// Takes in what was just written.
    pub fn see(&mut self, _: &Simulation, records: &[Arc<Record>]) {
        for record in records {
            self.record(record);
        }
    }

    fn record(&mut self, record: &Record) {
        match (record.event, &record.data) {
            (Event::Task, _) => {
                if let Some(method) = record.operation.filter(|method| METHODS.contains(method)) {
                    match &record.result {
                        Some(Outcome::Error(fault)) => {
                            self.hit("operations", || format!("{method} error"));
                            let fault = fault.as_ref().map_or_else(|| "lost".to_owned(), ToString::to_string);
                            self.hit("faults", || format!("{method} {fault}"));
                        }
                        _ => self.hit("operations", || format!("{method} success")),
                    }
                }
            }
            (Event::Pass, Data::Passed(passed)) => {
                self.hit("steps", || format!("{} {}", passed.key.controller.word(), passed.verdict.word()));
            }
            (Event::Request, _) if record.source == Source::User && record.result.is_some() => {
                self.hit("rules", || rule_of(&record.message));
            }
            (Event::Write, Data::Change(change)) if record.source == Source::Operator => {
                let Some(after) = change.after.as_deref() else { return };
                if change.before.as_ref().is_some_and(|before| Arc::ptr_eq(&before.status, &after.status)) {
                    return;
                }
                let conditions = after.view::<VirtualMachine>().map(|vm| &vm.status.conditions);
                let conditions = conditions.or_else(|| after.view::<VirtualMachineGroup>().map(|group| &group.status.conditions));
                for condition in conditions.into_iter().flatten() {
                    self.hit("conditions", || format!("{} {} {}", condition.type_, condition.status, condition.reason));
                }
                let vm = |object: &vmtwin_model::kube::Object| object.view::<VirtualMachine>().and_then(|vm| vm.status.power_state);
                let before = change.before.as_deref().and_then(vm);
                if let (Some(before), Some(now), Some(object)) = (before, vm(after), after.view::<VirtualMachine>())
                    && before != now
                {
                    let wanted = object.spec.power_state.map(|state| state.to_string()).unwrap_or_default();
                    let mode = object.spec.power_off_mode.map(|mode| mode.to_string()).unwrap_or_default();
                    self.hit("transitions", || format!("{before} → {now} wanting {wanted} by {mode}"));
                }
            }
            _ => {}
        }
    }

    /// Notes which invariants could have failed.
    pub fn premises(&mut self, premises: &BTreeMap<&'static str, u64>) {
        for (name, _) in premises.iter().filter(|(_, count)| **count > 0) {
            self.hit("premises", || (*name).to_owned());
        }
    }

    fn hit(&mut self, area: &'static str, what: impl FnOnce() -> String) {
        self.hit.entry(area).or_default().insert(what());
    }

    /// Adds another run's; tells whether there is anything new in it.
    pub fn add(&mut self, other: &Self) -> bool {
        let mut new = false;
        for (area, there) in &other.hit {
            let mine = self.hit.entry(area).or_default();
            for what in there {
                if !mine.contains(what) {
                    mine.insert(what.clone());
                    new = true;
                }
            }
        }
        new
    }

    /// How much of an area was reached, of how much; nothing for the second where the area has no complete list.
    #[must_use]
    pub fn counts(&self, area: &str) -> (usize, Option<usize>) {
        let hit = self.hit.get(area).map_or(0, BTreeSet::len);
        let all = reachable(area);
        (hit, (!all.is_empty()).then_some(all.len().max(hit)))
    }

    /// What of an area was never reached.
    #[must_use]
    pub fn never(&self, area: &str) -> Vec<String> {
        let hit = self.hit.get(area);
        reachable(area).into_iter().filter(|what| !hit.is_some_and(|hit| hit.contains(what))).collect()
    }

    /// What of an area was reached.
    pub fn reached(&self, area: &str) -> impl Iterator<Item = &str> {
        self.hit.get(area).into_iter().flatten().map(String::as_str)
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let area = |area: &str| {
            let (hit, of) = self.counts(area);
            json!({"hit": hit, "of": of, "never": self.never(area)})
        };
        Value::Object(AREAS.iter().map(|name| ((*name).to_owned(), area(name))).collect::<Map<_, _>>())
    }
}

/// What there is to reach, where a list of it can be made from the code; elsewhere what was reached is counted alone.
fn reachable(area: &str) -> Vec<String> {
    let pairs = |first: &[&str], second: &[&str]| -> Vec<String> {
        first.iter().flat_map(|a| second.iter().map(move |b| format!("{a} {b}"))).collect()
    };
    match area {
        "operations" => pairs(CALLED, &["success", "error"]),
        "steps" => pairs(CONTROLLERS, VERDICTS).into_iter().filter(|step| is_step(step)).collect(),
        "premises" => crate::invariants::all().iter().map(|rule| rule.name.to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// Verdicts that a controller has at all.
fn is_step(step: &str) -> bool {
    match step.split_once(' ') {
        Some(("vm" | "vm/create", _)) => true,
        Some(("group", verdict)) => !matches!(verdict, "parked" | "progress"),
        Some((_, verdict)) => matches!(verdict, "done" | "failed"),
        None => false,
    }
}

/// A denial's first field, without indexes and names: what tells one rule from another in an answer.
fn rule_of(message: &str) -> String {
    let text: String = message.chars().take(160).collect();
    let mut words = text.split_whitespace().filter(|word| word.starts_with("spec.") || word.starts_with("metadata."));
    let field = words.next().map(|word| word.trim_end_matches([':', ',']).to_owned());
    let reason = ["Forbidden", "Invalid value", "Required value", "exceeded quota", "insufficient quota", "not found", "already exists"];
    let reason = reason.into_iter().find(|reason| text.contains(reason)).unwrap_or("denied");
    format!("{} {reason}", field.unwrap_or_else(|| "request".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_list_is_one_of_the_port() {
        assert!(CALLED.iter().all(|method| METHODS.contains(method)));
    }

    #[test]
    fn what_another_run_reached_is_new_once() {
        let (mut all, mut one) = (Coverage::default(), Coverage::default());
        one.hit("faults", || "PowerOnVM_Task Timedout".to_owned());
        assert!(all.add(&one));
        assert!(!all.add(&one));
        assert_eq!(all.counts("faults"), (1, None));
    }
}
