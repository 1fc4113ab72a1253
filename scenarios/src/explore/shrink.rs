//! Making a failing scenario small: what isn't needed for the same failure goes. Source: reproduce §4.
//!
//! A candidate counts if it is a valid scenario whose steps all hold and in which the same invariant fails on objects of the same
//! kinds (or, for a failed step, the step of the same verb fails). Candidates are judged one after the other, so the result hangs
//! on the document, the version and the number of tries alone.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{INVALID_DENIED, load, play};
use crate::format::Scenario;
use crate::runner::{Failing, Options, StepResult, Violation};

/// What must fail again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An invariant, on objects of these kinds.
    Invariant {
        /// Its name.
        name: String,
        /// The kinds.
        kinds: BTreeSet<String>,
    },
    /// A step of this verb.
    Step {
        /// The verb.
        verb: String,
    },
}

impl Target {
    /// That which a violation is about.
    #[must_use]
    pub fn of(violation: &Violation) -> Self {
        if violation.invariant == INVALID_DENIED {
            let verb = if violation.message.contains("PersistentVolumeClaim") { "create" } else { "" };
            return Self::Step { verb: verb.to_owned() };
        }
        let kinds = violation.objects.iter().map(|object| super::report::kind_of(object).to_owned()).collect();
        Self::Invariant { name: violation.invariant.to_owned(), kinds }
    }
}

/// How much may be tried.
pub struct Limits<'a> {
    /// So many candidates.
    pub tries: u64,
    /// Asked before each: whether to stop.
    pub stop: &'a dyn Fn() -> bool,
}

/// A document that was made small.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The document.
    pub document: Value,
    /// How many candidates were tried.
    pub tries: u64,
    /// Whether nothing was left to try.
    pub complete: bool,
}

/// Why a document can't be shrunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShrinkError {
    /// It doesn't fail so.
    #[error("the scenario doesn't fail in this way")]
    DoesNotFail,
}

/// Makes a document small that fails in this way.
///
/// # Errors
/// If it doesn't.
pub fn shrink(document: &Value, target: &Target, limits: &Limits<'_>) -> Result<Shrunk, ShrinkError> {
    let failing = |scenario: &Scenario, _: &Value| fails(scenario, target, limits.stop);
    let mut work = Work { fails: &failing, limits, best: document.clone(), tries: 0, out: false };
    // What was refused did nothing: without it the others' instants stay.
    if !work.holds(document) {
        let lenient = without_refused(document).filter(|lenient| work.holds(lenient));
        work.best = lenient.ok_or(ShrinkError::DoesNotFail)?;
    }
    work.watch_one(target);
    Ok(work.finish())
}

/// Makes a document small whose run fails by a test of the caller's.
///
/// # Errors
/// If it doesn't.
pub fn shrink_by(document: &Value, failing: &Fails<'_>, limits: &Limits<'_>) -> Result<Shrunk, ShrinkError> {
    let work = Work { fails: failing, limits, best: document.clone(), tries: 0, out: false };
    if work.holds(document) { Ok(work.finish()) } else { Err(ShrinkError::DoesNotFail) }
}

/// Whether a scenario, and the document that it was read from, fails in the way that is looked at.
pub type Fails<'a> = dyn Fn(&Scenario, &Value) -> bool + 'a;

/// The passes in their order.
const PASSES: &[fn(&mut Work<'_>)] = &[
    |work| work.steps(),
    |work| work.objects(),
    |work| work.infrastructure(),
    |work| work.merge(),
    |work| work.fields(),
    |work| work.instants(),
    |work| work.values(),
];

struct Work<'a> {
    fails: &'a Fails<'a>,
    limits: &'a Limits<'a>,
    best: Value,
    tries: u64,
    out: bool,
}

impl Work<'_> {
    /// Pass after pass until nothing gains.
    fn finish(mut self) -> Shrunk {
        loop {
            let before = self.best.clone();
            for pass in PASSES {
                pass(&mut self);
            }
            if self.best == before || self.out {
                break;
            }
        }
        Shrunk { document: self.best, tries: self.tries, complete: !self.out }
    }

    /// Tries a candidate; it becomes the best if it fails in the same way.
    fn attempt(&mut self, candidate: Value) -> bool {
        if self.out || candidate == self.best {
            return false;
        }
        if self.tries >= self.limits.tries || (self.limits.stop)() {
            self.out = true;
            return false;
        }
        self.tries += 1;
        let holds = self.holds(&candidate);
        if holds {
            self.best = candidate;
        }
        holds
    }

    fn holds(&self, candidate: &Value) -> bool {
        load(candidate).is_ok_and(|scenario| (self.fails)(&scenario, candidate))
    }

    /// From here on the one invariant is watched alone: it says the same and costs less.
    fn watch_one(&mut self, target: &Target) {
        if let Target::Invariant { name, .. } = target {
            let mut candidate = self.best.clone();
            candidate["spec"]["invariants"] = json!({"only": [name]});
            self.attempt(candidate);
        }
    }

    fn steps(&mut self) {
        self.list("/spec/steps");
    }

    fn objects(&mut self) {
        for list in ["/spec/objects", "/spec/state"] {
            self.list(list);
        }
    }

    /// Every list of the infrastructure, from the outside in.
    fn infrastructure(&mut self) {
        for path in lists(&self.best, "/spec/vsphere") {
            self.list(&path);
        }
        for path in lists(&self.best, "/spec/objects").into_iter().chain(lists(&self.best, "/spec/steps")) {
            self.list(&path);
        }
    }

    /// Delta debugging of a list: all of it, halves, quarters … single items, the last first.
    fn list(&mut self, path: &str) {
        let length = |work: &Self| work.best.pointer(path).and_then(Value::as_array).map_or(0, Vec::len);
        let mut chunk = length(self);
        while chunk > 0 && !self.out {
            let mut end = length(self);
            while end > 0 && !self.out {
                let start = end.saturating_sub(chunk);
                let mut candidate = self.best.clone();
                if let Some(list) = candidate.pointer_mut(path).and_then(Value::as_array_mut) {
                    list.drain(start..end.min(list.len()));
                }
                self.attempt(candidate);
                end = start;
            }
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
    }

    /// Puts one named thing in the place of another of its list: what named the one names the other.
    fn merge(&mut self) {
        for path in lists(&self.best, "/spec") {
            let mut at = self.best.pointer(&path).and_then(Value::as_array).map_or(0, Vec::len);
            while at > 1 && !self.out {
                at -= 1;
                let Some(list) = self.best.pointer(&path).and_then(Value::as_array) else { break };
                let Some((gone, heir)) = list.get(at).and_then(name_of).zip(list.first().and_then(name_of)) else { continue };
                let (gone, heir) = (gone.to_owned(), heir.to_owned());
                let mut candidate = self.best.clone();
                if let Some(list) = candidate.pointer_mut(&path).and_then(Value::as_array_mut) {
                    list.remove(at);
                }
                rename(&mut candidate["spec"], &gone, &heir);
                self.attempt(candidate);
            }
        }
    }

    /// Fields that nothing needs.
    fn fields(&mut self) {
        let mut paths = fields(&self.best, "");
        paths.reverse();
        for path in paths {
            if self.out || KEPT.contains(&path.as_str()) || self.best.pointer(&path).is_none() {
                continue;
            }
            let mut candidate = self.best.clone();
            remove(&mut candidate, &path);
            self.attempt(candidate);
        }
    }

    /// Instants go to that of the step before, or become waits until all is quiet.
    fn instants(&mut self) {
        let count = self.best.pointer("/spec/steps").and_then(Value::as_array).map_or(0, Vec::len);
        for at in (0..count).rev() {
            let path = format!("/spec/steps/{at}/at");
            if self.best.pointer(&path).is_none() {
                continue;
            }
            let mut candidate = self.best.clone();
            remove(&mut candidate, &path);
            if let Some(steps) = candidate.pointer_mut("/spec/steps").and_then(Value::as_array_mut) {
                steps.insert(at, json!({"settle": {}}));
            }
            self.attempt(candidate);
        }
    }

    /// Values that are rounder, smaller, or the default.
    fn values(&mut self) {
        for path in scalars(&self.best, "/spec") {
            for simpler in self.best.pointer(&path).map(simpler).unwrap_or_default() {
                let mut candidate = self.best.clone();
                if let Some(value) = candidate.pointer_mut(&path) {
                    *value = simpler;
                }
                if self.attempt(candidate) {
                    break;
                }
            }
        }
    }
}

/// Fields that a file has whatever happens.
const KEPT: &[&str] = &[
    "/apiVersion",
    "/kind",
    "/metadata",
    "/metadata/name",
    "/spec",
    "/spec/steps",
    "/spec/vsphere",
    "/spec/invariants",
    "/spec/invariants/only",
];

/// Whether a scenario fails in this way, with all its steps held otherwise.
fn fails(scenario: &Scenario, target: &Target, stop: &dyn Fn() -> bool) -> bool {
    match target {
        Target::Invariant { name, kinds } => {
            let one = play(scenario, 0, Failing::Ends, stop);
            let same = |violation: &Violation| violation.invariant == name && &kinds_of(violation) == kinds;
            !one.interrupted && one.refused.is_empty() && one.violations.iter().any(same)
        }
        Target::Step { verb } => {
            let ran = crate::runner::run(scenario, &Options::default(), stop);
            let mut steps = ran.report.steps.iter();
            steps.any(|step| step.result == StepResult::Failed && (verb.is_empty() || step.verb == verb))
        }
    }
}

fn kinds_of(violation: &Violation) -> BTreeSet<String> {
    violation.objects.iter().map(|object| super::report::kind_of(object).to_owned()).collect()
}

/// The document without the steps that fail in it.
fn without_refused(document: &Value) -> Option<Value> {
    let scenario = load(document).ok()?;
    let one = play(&scenario, 0, Failing::GoesOn, &|| false);
    let mut lenient = document.clone();
    let steps = lenient.pointer_mut("/spec/steps")?.as_array_mut()?;
    let mut at = 0;
    steps.retain(|_| {
        at += 1;
        !one.refused.contains(&(at - 1))
    });
    Some(lenient)
}

fn name_of(item: &Value) -> Option<&str> {
    item.get("name").or_else(|| item.pointer("/metadata/name")).and_then(Value::as_str)
}

/// Puts one name in the place of another, in texts that are the name or have it between slashes.
fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text.split('/').any(|part| part == from) => {
            *text = text.split('/').map(|part| if part == from { to } else { part }).collect::<Vec<_>>().join("/");
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, from, to)),
        Value::Object(fields) => {
            let renamed: Map<String, Value> = std::mem::take(fields)
                .into_iter()
                .map(|(name, mut value)| {
                    rename(&mut value, from, to);
                    (if name == from { to.to_owned() } else { name }, value)
                })
                .collect();
            *fields = renamed;
        }
        _ => {}
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The paths of all nodes below one that a test picks, the outer before the inner.
fn paths(document: &Value, below: &str, pick: &dyn Fn(&Value) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let Some(root) = document.pointer(below) else { return found };
    let mut open = vec![(below.to_owned(), root)];
    while let Some((path, value)) = open.pop() {
        if pick(value) {
            found.push(path.clone());
        }
        match value {
            Value::Array(items) => open.extend(items.iter().enumerate().rev().map(|(at, item)| (format!("{path}/{at}"), item))),
            Value::Object(fields) => open.extend(fields.iter().rev().map(|(name, value)| (format!("{path}/{}", escaped(name)), value))),
            _ => {}
        }
    }
    found
}

fn lists(document: &Value, below: &str) -> Vec<String> {
    paths(document, below, &|value| value.as_array().is_some_and(|items| !items.is_empty()))
}

fn scalars(document: &Value, below: &str) -> Vec<String> {
    paths(document, below, &|value| matches!(value, Value::Number(_) | Value::String(_)))
}

/// The paths of all fields of mappings.
fn fields(document: &Value, below: &str) -> Vec<String> {
    let all = paths(document, below, &|_| true);
    all.into_iter().filter(|path| path.rsplit('/').next().is_some_and(|last| !last.is_empty() && last.parse::<usize>().is_err())).collect()
}

fn remove(document: &mut Value, path: &str) {
    let Some((parent, name)) = path.rsplit_once('/') else { return };
    let name = name.replace("~1", "/").replace("~0", "~");
    if let Some(Value::Object(fields)) = document.pointer_mut(parent) {
        fields.shift_remove(&name);
    }
}

/// Simpler values, the simplest first.
fn simpler(value: &Value) -> Vec<Value> {
    match value {
        Value::Number(number) => {
            let Some(number) = number.as_u64() else { return Vec::new() };
            [0, 1, number / 2].into_iter().filter(|simple| *simple < number).map(Value::from).collect()
        }
        Value::String(text) => {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            let unit = &text[digits.len()..];
            let Ok(number) = digits.parse::<u64>() else { return Vec::new() };
            match unit {
                "s" => {
                    let minutes = number.div_ceil(60) * 60;
                    let rounds = [60, 600, minutes].into_iter().filter(|round| *round != number);
                    rounds.map(|round| Value::from(format!("{}m", round / 60))).collect()
                }
                "Gi" | "Ti" if number > 1 => vec![Value::from(format!("1{unit}")), Value::from(format!("{}{unit}", number / 2))],
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// A found bug as a file: what it violates in a comment, where it was found in the annotations.
#[must_use]
pub fn file(document: &Value, name: &str, violation: &Violation, found_by: &str) -> String {
    let mut document = document.clone();
    let area = document.pointer("/metadata/labels/area").cloned().unwrap_or_else(|| "found".into());
    document["metadata"] = json!({
        "name": name, "labels": {"area": area},
        "annotations": {"vmtwin.dev/violates": violation.invariant, "vmtwin.dev/found-by": found_by},
    });
    format!("# {}: {}\n{}", violation.invariant, violation.message.replace('\n', " "), super::to_yaml(&document))
}
