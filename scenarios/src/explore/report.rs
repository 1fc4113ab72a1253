//! Many runs added up in the order of their numbers, and told.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use vmtwin_model::time::Span;
use xxhash_rust::xxh3::Xxh3;

use super::{AREAS, Coverage, One};
use crate::runner::Violation;

/// Why an exploration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All runs were done.
    Runs,
    /// Its time was up.
    Time,
    /// Enough of them failed.
    Violations,
    /// Somebody interrupted it.
    Interrupted,
}

impl Stopped {
    /// The word of the report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Time => "time",
            Self::Violations => "violations",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A bug that was found: the first violation of its signature.
#[derive(Clone, Debug)]
pub struct Found {
    /// The run.
    pub run: u64,
    /// The violation.
    pub violation: Violation,
    /// What tells it from others: invariant, kinds of the objects, operation.
    pub signature: String,
    /// Where it was written, how long that is, and how it got so small.
    pub shrunk: Option<Kept>,
}

/// A found bug's file.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The file.
    pub file: String,
    /// Its lines.
    pub lines: usize,
    /// The lines of the run as it was drawn.
    pub from: usize,
    /// How many candidates were tried.
    pub tries: u64,
    /// Whether nothing was left to try.
    pub complete: bool,
}

/// What came of many runs.
#[derive(Clone, Default)]
pub struct Exploration {
    /// How many runs there were.
    pub runs: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Their virtual time in nanoseconds.
    pub virtual_nanos: u128,
    /// Their records.
    pub events: u64,
    /// What they reached.
    pub coverage: Coverage,
    /// What was found, in the order of the runs.
    pub found: Vec<Found>,
    /// The runs that first reached something.
    pub corpus: Vec<u64>,
    signatures: BTreeSet<String>,
    hasher: Xxh3,
}

impl std::fmt::Debug for Exploration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exploration").field("runs", &self.runs).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Exploration {
    /// Adds the next run. Runs come in the order of their numbers.
    pub fn add(&mut self, one: One) {
        self.runs += 1;
        self.virtual_nanos += u128::try_from(one.virtual_time.as_nanos()).unwrap_or_default();
        self.events += one.events;
        self.hasher.update(&one.run.to_le_bytes());
        self.hasher.update(one.digest.as_bytes());
        if self.coverage.add(&one.coverage) {
            self.corpus.push(one.run);
        }
        self.failed += u64::from(!one.violations.is_empty());
        for violation in one.violations {
            self.hasher.update(violation.message.as_bytes());
            let signature = signature(&violation);
            if self.signatures.insert(signature.clone()) {
                self.found.push(Found { run: one.run, violation, signature, shrunk: None });
            }
        }
    }

    /// Takes in what a run of the corpus reached, without counting the run.
    pub fn note(&mut self, one: &One) {
        self.coverage.add(&one.coverage);
    }

    /// The digest over all runs.
    #[must_use]
    pub fn digest(&self) -> String {
        format!("{:032x}", self.hasher.digest128())
    }

    /// The virtual seconds of all runs.
    #[must_use]
    pub fn virtual_seconds(&self) -> u128 {
        self.virtual_nanos / 1_000_000_000
    }

    /// What was reached, and what never was: the second and third line of the report.
    #[must_use]
    pub fn coverage_lines(&self, uncovered: bool) -> String {
        let mut text = String::from("  reached   ");
        for area in AREAS {
            let (hit, of) = self.coverage.counts(area);
            match of {
                Some(of) => drop(write!(text, " {area} {hit}/{of} ")),
                None => drop(write!(text, " {area} {hit} ")),
            }
        }
        let never: Vec<String> =
            AREAS.iter().flat_map(|area| self.coverage.never(area).into_iter().map(move |what| format!("{area}: {what}"))).collect();
        if never.is_empty() {
            return text.trim_end().to_owned();
        }
        let shown = if uncovered { never.len() } else { 4 };
        let more = never.len().saturating_sub(shown);
        let list = never.iter().take(shown).cloned().collect::<Vec<_>>().join(" · ");
        let rest = if more > 0 { format!(" · {more} more: --uncovered") } else { String::new() };
        format!("{}\n  never      {list}{rest}", text.trim_end())
    }

    /// For programs; what hangs on the machine stands in `wallSeconds` alone.
    #[must_use]
    pub fn to_json(&self, profile: &str, profile_digest: &str, seed: u64, stopped: Stopped) -> Value {
        let span = Span::from_nanos(i64::try_from(self.virtual_nanos).unwrap_or(i64::MAX));
        json!({
            "profile": profile, "profileDigest": profile_digest, "seed": seed, "version": env!("CARGO_PKG_VERSION"), "runs": self.runs,
            "stopped": stopped.word(), "virtualTime": span.to_iso(), "events": self.events, "digest": self.digest(),
            "violations": self.found.iter().map(Found::to_json).collect::<Vec<_>>(),
            "coverage": self.coverage.to_json(),
        })
    }
}

/// What tells a bug from others.
#[must_use]
pub fn signature(violation: &Violation) -> String {
    let kinds: BTreeSet<&str> = violation.objects.iter().map(|object| kind_of(object)).collect();
    let operation = violation.records.iter().rev().find_map(|record| record.operation).unwrap_or_default();
    let text = format!("{} {kinds:?} {operation}", violation.invariant);
    let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes()) >> 32;
    format!("{}-{hash:08x}", violation.invariant)
}

/// The kind of an object by its name in a violation: `VirtualMachine/ns/vm` or `vm-101`.
#[must_use]
pub fn kind_of(object: &str) -> &str {
    match object.split_once('/') {
        Some((kind, _)) => kind,
        None => object.trim_end_matches(|c: char| c.is_ascii_digit()),
    }
}

impl Found {
    fn to_json(&self) -> Value {
        let violation = &self.violation;
        let mut value = json!({
            "invariant": violation.invariant, "kind": crate::invariants::kind_of(violation.invariant), "run": self.run, "at": violation.at.to_iso(),
            "objects": violation.objects, "message": violation.message, "expected": violation.expected, "observed": violation.observed,
            "events": violation.records.iter().map(|record| record.to_json()).collect::<Vec<_>>(), "signature": self.signature,
        });
        if let Some(kept) = &self.shrunk {
            value["file"] = kept.file.as_str().into();
            value["lines"] = kept.lines.into();
            value["shrink"] = json!({"from": kept.from, "tries": kept.tries, "complete": kept.complete});
            value["repeat"] = json!([format!("vmtwin run {}", kept.file)]);
        }
        value
    }
}
