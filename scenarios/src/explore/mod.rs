//! Random worlds, operations and faults against the invariants; and what fails, made small. Source: reproduce §3, §4, §7.
//!
//! A run is a function of version, profile, seed and its number, and it is a scenario before its first event runs: the very same
//! document is printed, run, and shrunk. Whoever runs many (the command line, on several threads) adds them up in the order of
//! their numbers, so the report hangs on nothing else.

mod coverage;
mod dice;
mod emit;
pub mod harness;
mod plan;
pub mod reference;
pub mod report;
pub mod shrink;
#[cfg(feature = "proptest")]
pub mod strategy;
mod trouble;
mod users;
mod world;

use std::path::Path;

use serde_json::Value;
use vmtwin_model::time::Span;

pub use coverage::{AREAS, Coverage};
pub use emit::to_yaml;
pub use harness::Harness;
pub use plan::draw;
pub use report::Exploration;

use crate::diagnostics::Diagnostic;
use crate::format::profile::Profile;
use crate::format::{Loaded, Memory, Scenario, load_bytes};
use crate::runner::{Failing, Options, RunResult, StepResult, Violation, run_observed};

/// The name under which a drawn request that must be denied, and wasn't, is told.
pub const INVALID_DENIED: &str = "invalid-denied";

/// What came of one drawn run.
#[derive(Clone, Debug)]
pub struct One {
    /// Its number.
    pub run: u64,
    /// How long it took in virtual time.
    pub virtual_time: Span,
    /// How many records its log has.
    pub events: u64,
    /// The digest over its log.
    pub digest: String,
    /// What was violated.
    pub violations: Vec<Violation>,
    /// What it reached.
    pub coverage: Coverage,
    /// Whether it was told to stop before its end.
    pub interrupted: bool,
    /// Steps that failed, by their places: requests that were refused, changes that couldn't be made.
    pub refused: Vec<usize>,
}

/// A document that is no scenario: a mistake of the drawer's.
#[derive(Debug, thiserror::Error)]
#[error("run {run} isn't a scenario: {}", told.first().map(|diagnostic| diagnostic.message.as_str()).unwrap_or_default())]
pub struct NotAScenario {
    /// The run.
    pub run: u64,
    /// What is wrong with it.
    pub told: Vec<Diagnostic>,
}

/// Reads a document of [`draw`]'s.
///
/// # Errors
/// All that is wrong with it.
pub fn load(document: &Value) -> Result<Scenario, Vec<Diagnostic>> {
    let text = document.to_string();
    let Loaded { mut scenarios, diagnostics } = load_bytes(Path::new("explore.yaml"), text.as_bytes(), &Memory::default());
    scenarios.pop().ok_or(diagnostics)
}

/// Draws and runs one.
///
/// # Errors
/// If what was drawn is no scenario.
pub fn run(profile: &Profile, seed: u64, run: u64, cancelled: &dyn Fn() -> bool) -> Result<One, NotAScenario> {
    let document = draw(profile, seed, run);
    let scenario = load(&document).map_err(|told| NotAScenario { run, told })?;
    Ok(play(&scenario, run, Failing::GoesOn, cancelled))
}

/// Runs a scenario, and notes what it reached.
#[must_use]
pub fn play(scenario: &Scenario, run: u64, failing: Failing, cancelled: &dyn Fn() -> bool) -> One {
    let mut coverage = Coverage::default();
    let options = Options { failing, ..Options::default() };
    let ran = run_observed(scenario, &options, cancelled, &mut |simulation, records| coverage.see(simulation, records));
    coverage.premises(&ran.premises);
    let report = ran.report;
    let offset = report.steps.len().saturating_sub(scenario.steps.len());
    let steps = report.steps[offset..].iter().enumerate();
    let refused = steps.clone().filter(|(_, step)| step.result == StepResult::Failed).map(|(at, _)| at).collect();
    let mut violations = report.violations;
    for (_, step) in steps.filter(|(_, step)| step.result == StepResult::Failed) {
        let message = step.message.clone().unwrap_or_default();
        if message.contains("was allowed, but was expected to be denied") {
            let object = message.split_whitespace().nth(3).unwrap_or_default().to_owned();
            violations.push(Violation {
                invariant: INVALID_DENIED,
                at: step.at,
                objects: vec![object],
                message,
                expected: "a denial".to_owned(),
                observed: "an admitted request".to_owned(),
                records: Vec::new(),
            });
        }
    }
    One {
        run,
        virtual_time: report.virtual_time,
        events: report.events,
        digest: report.digest,
        violations,
        coverage,
        interrupted: report.result == RunResult::Interrupted,
        refused,
    }
}

#[cfg(feature = "planted")]
pub use vmtwin_engine::planted::{ALL as PLANTED, plant};

#[cfg(test)]
mod tests;
