//! What came of runs, in the forms that it is told in: text for people, a document for programs, JUnit for a build server, files to keep.

pub mod document;
pub mod failure;
pub mod junit;
pub mod keep;
pub mod text;

use std::time::Duration;

use vmtwin_scenarios::diagnostics::{Diagnostic, Severity};
use vmtwin_scenarios::format::Scenario;
use vmtwin_scenarios::runner::{Report, RunResult};

use crate::jobs::Done;
use crate::status::Status;

/// What came of a file, or of one of its scenarios.
pub enum Unit<'a> {
    /// A file that can't be run.
    Invalid {
        /// The file.
        file: String,
        /// What is wrong with it.
        diagnostics: &'a [Diagnostic],
    },
    /// A scenario with all of its seeds.
    Scenario(Group<'a>),
}

/// A scenario with what came of each of its seeds.
pub struct Group<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The file's warnings, with its first scenario alone.
    pub diagnostics: &'a [Diagnostic],
    /// Each seed with the command that repeats it, in order.
    pub runs: Vec<Run>,
}

/// One seed of a scenario.
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// The command that repeats it.
    pub repeat: String,
    /// What came of it; nothing if it never began.
    pub done: Option<Done>,
}

impl Run {
    /// How it ended.
    pub fn result(&self) -> RunResult {
        self.report().map_or(RunResult::Interrupted, |report| report.result)
    }

    /// The report, if it began.
    pub fn report(&self) -> Option<&Report> {
        self.done.as_ref().map(|done| &done.report)
    }

    /// How long it took.
    pub fn took(&self) -> Duration {
        self.done.as_ref().map_or(Duration::ZERO, |done| done.took)
    }
}

/// How many runs ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All held.
    pub passed: usize,
    /// Something didn't.
    pub failed: usize,
    /// The file can't be run.
    pub invalid: usize,
    /// Ended early, or never began.
    pub interrupted: usize,
}

impl Tally {
    /// The tally over these.
    pub fn of(units: &[Unit<'_>]) -> Self {
        let mut tally = Self::default();
        for unit in units {
            match unit {
                Unit::Invalid { .. } => tally.invalid += 1,
                Unit::Scenario(group) => group.runs.iter().for_each(|run| tally.count(run.result())),
            }
        }
        tally
    }

    fn count(&mut self, result: RunResult) {
        *match result {
            RunResult::Passed => &mut self.passed,
            RunResult::Failed => &mut self.failed,
            RunResult::Invalid => &mut self.invalid,
            RunResult::Interrupted => &mut self.interrupted,
        } += 1;
    }

    /// The exit status that it comes to.
    pub fn status(&self) -> Status {
        match self {
            Self { interrupted: 1.., .. } => Status::Interrupted,
            Self { invalid: 1.., .. } => Status::Invalid,
            Self { failed: 1.., .. } => Status::Failed,
            _ => Status::Held,
        }
    }
}

/// `1 error`, `3 errors`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// How many errors there are among diagnostics.
pub fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_ends_with_the_worst_that_it_holds() {
        let status = |passed, failed, invalid, interrupted| Tally { passed, failed, invalid, interrupted }.status();
        assert_eq!(status(3, 0, 0, 0), Status::Held);
        assert_eq!(status(3, 1, 0, 0), Status::Failed);
        assert_eq!(status(3, 1, 1, 0), Status::Invalid);
        assert_eq!(status(3, 1, 1, 1), Status::Interrupted);
    }
}
