//! What came of a run, for people and for programs.

use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::time::Span;

use crate::log::Record;

/// What came of one scenario.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// The file that it stands in, as the user named it.
    pub file: String,
    /// The seed that was used.
    pub seed: u64,
    /// How it ended.
    pub result: RunResult,
    /// How long it took in virtual time, up to the end of the last step.
    pub virtual_time: Span,
    /// How many records the log has.
    pub events: u64,
    /// The digest over the log.
    pub digest: String,
    /// The steps.
    pub steps: Vec<StepReport>,
    /// Violated invariants.
    pub violations: Vec<Violation>,
    /// What was kept though it isn't understood, and what is likely a mistake.
    pub warnings: Vec<String>,
}

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunResult {
    /// All held.
    Passed,
    /// A step failed or an invariant was violated.
    Failed,
    /// It could not be run.
    Invalid,
    /// It was interrupted.
    Interrupted,
}

impl RunResult {
    /// The word of the report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What came of a step.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// Its name, or its place and verb.
    pub name: String,
    /// Its verb.
    pub verb: &'static str,
    /// How it ended.
    pub result: StepResult,
    /// When it ended, from the start; for a skipped one when the run ended.
    pub at: Span,
    /// Why it failed, in words.
    pub message: Option<String>,
    /// Where it stands: file, line, column.
    pub place: Option<(String, usize, usize)>,
    /// What else helps to see why it failed.
    pub failure: Option<Failure>,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// It held.
    Passed,
    /// It didn't.
    Failed,
    /// An earlier one had failed.
    Skipped,
}

impl StepResult {
    /// The word of the report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Why a step failed, in detail.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// Expected beside found, a line each.
    pub differences: Vec<Difference>,
    /// The last records that touch the objects, oldest first.
    pub records: Vec<Arc<Record>>,
    /// Rendered pointers into the user's file.
    pub diagnostics: Vec<crate::diagnostics::Diagnostic>,
}

/// One value that isn't as expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Which object.
    pub object: String,
    /// The path in it.
    pub path: String,
    /// What was expected.
    pub expected: Value,
    /// What was found; nothing if there is no such field.
    pub found: Option<Value>,
    /// Since when it is so, from the start, where that is known.
    pub since: Option<Span>,
}

/// A violated invariant.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The invariant.
    pub invariant: &'static str,
    /// When, from the start.
    pub at: Span,
    /// The objects.
    pub objects: Vec<String>,
    /// In words.
    pub message: String,
    /// What the rule says.
    pub expected: String,
    /// What was.
    pub observed: String,
    /// The records that touch the objects, oldest first.
    pub records: Vec<Arc<Record>>,
}

impl Report {
    /// The report as it stands in the document that `run -o json` prints.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "file": self.file,
            "seed": self.seed,
            "result": self.result.word(),
            "virtualTime": self.virtual_time.to_iso(),
            "events": self.events,
            "digest": self.digest,
            "steps": self.steps.iter().map(StepReport::to_json).collect::<Vec<_>>(),
            "violations": self.violations.iter().map(Violation::to_json).collect::<Vec<_>>(),
            "warnings": self.warnings,
        })
    }
}

impl StepReport {
    fn to_json(&self) -> Value {
        let mut value = json!({"name": self.name, "verb": self.verb, "result": self.result.word(), "at": self.at.to_iso()});
        if let Some(message) = &self.message {
            value["message"] = message.as_str().into();
        }
        if let Some((file, line, column)) = &self.place {
            value["place"] = format!("{file}:{line}:{column}").into();
        }
        if let Some(failure) = &self.failure {
            value["differences"] = failure.differences.iter().map(Difference::to_json).collect();
        }
        value
    }
}

impl Difference {
    fn to_json(&self) -> Value {
        json!({"object": self.object, "path": self.path, "expected": self.expected, "found": self.found, "since": self.since.map(Span::to_iso)})
    }
}

impl Violation {
    fn to_json(&self) -> Value {
        json!({
            "invariant": self.invariant,
            "at": self.at.to_iso(),
            "objects": self.objects,
            "message": self.message,
            "expected": self.expected,
            "observed": self.observed,
            "events": self.records.iter().map(|record| record.to_json()).collect::<Vec<_>>(),
        })
    }
}
