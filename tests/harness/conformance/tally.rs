//! How many cases of each topic pass, and of those that the seed page tells too.

use std::collections::BTreeMap;
use std::fmt;

use super::{Case, Outcome};

/// The counts of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    not_runnable: usize,
    left_out: usize,
    seed: usize,
    seed_passed: usize,
}

/// The counts by file and topic.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    topics: BTreeMap<(String, String), Counts>,
}

impl Tally {
    /// Counts a case. `left_out` says that a decision leaves it out.
    pub fn count(&mut self, file: &str, case: &Case, outcome: &Outcome, left_out: bool) {
        let topic = case.id.rsplit_once('-').map_or(&*case.id, |(topic, _)| topic);
        let counts = self.topics.entry((file.to_owned(), topic.to_owned())).or_default();
        match outcome {
            _ if left_out => counts.left_out += 1,
            Outcome::LeftOut(_) => counts.left_out += 1,
            Outcome::Passed => counts.passed += 1,
            Outcome::Failed(_) => counts.failed += 1,
            Outcome::NotRunnable(_) => counts.not_runnable += 1,
        }
        if case.seed.is_some() && !left_out && !matches!(outcome, Outcome::LeftOut(_)) {
            counts.seed += 1;
            counts.seed_passed += usize::from(*outcome == Outcome::Passed);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, counts: &Counts| {
            let Counts { passed, failed, not_runnable, left_out, seed, seed_passed } = counts;
            writeln!(f, "{name:32} {passed:>6} {failed:>6} {not_runnable:>12} {left_out:>8} {:>14}", format!("{seed_passed} of {seed}"))
        };
        writeln!(f, "{:32} {:>6} {:>6} {:>12} {:>8} {:>14}", "topic", "passed", "failed", "not runnable", "left out", "seed passed")?;
        let mut files: BTreeMap<&str, Counts> = BTreeMap::new();
        for ((file, topic), counts) in &self.topics {
            row(f, topic, counts)?;
            let sum = files.entry(file).or_default();
            sum.passed += counts.passed;
            sum.failed += counts.failed;
            sum.not_runnable += counts.not_runnable;
            sum.left_out += counts.left_out;
            sum.seed += counts.seed;
            sum.seed_passed += counts.seed_passed;
        }
        files.iter().try_for_each(|(file, counts)| row(f, &format!("all of {file}"), counts))
    }
}
