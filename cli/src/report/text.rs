//! Runs told to people: a line for each scenario, failures in full, and how it stands at the end.

use std::time::Duration;

use vmtwin_model::time::Span;
use vmtwin_scenarios::runner::{Report, RunResult, StepResult};
use vmtwin_scenarios::timeline::{Colour, Ink, Style, duration, plain};

use super::{Group, Run, Tally, Unit, counted, errors, failure};

/// The widest column of names; longer names push.
const WIDEST_NAME: usize = 48;
/// What a line takes besides the name.
const BESIDES: usize = 56;
/// The columns of steps, virtual time, events and wall time.
const FIGURES: [usize; 4] = [9, 14, 11, 0];
/// Of how many seeds that failed everything is told.
const MOST_EXPANDED: usize = 3;

/// Tells units one by one, so that their columns are lined up.
pub struct Text {
    style: Style,
    name: usize,
}

impl Text {
    /// For scenarios of these names.
    pub fn of<'n>(names: impl Iterator<Item = &'n str>, style: Style) -> Self {
        let room = style.width.map_or(WIDEST_NAME, |width| width.saturating_sub(BESIDES).clamp(12, WIDEST_NAME));
        Self { style, name: names.map(|name| name.chars().count()).filter(|&width| width <= room).max().unwrap_or(0) }
    }

    /// A unit, without a line break at its end.
    pub fn unit(&self, unit: &Unit<'_>) -> String {
        match unit {
            Unit::Invalid { file, diagnostics } => {
                let count = counted(errors(diagnostics), "error");
                self.headline(RunResult::Invalid, file, &format!("invalid: {count}"))
            }
            Unit::Scenario(group) => match &group.runs[..] {
                [run] => self.single(group, run),
                runs => self.several(group, runs),
            },
        }
    }

    fn single(&self, group: &Group<'_>, run: &Run) -> String {
        let name = &group.scenario.name;
        let Some(report) = run.report() else { return self.headline(RunResult::Interrupted, name, "interrupted before it began") };
        let steps = steps(report);
        let figures = [steps, format!("{} virtual", coarse(report.virtual_time)), counted_large(report.events, "event"), wall(run.took())];
        // Where the name pushes, nothing can be lined up.
        let columns = if name.chars().count() <= self.name { FIGURES } else { [0; 4] };
        let figures: Vec<String> = figures.iter().zip(columns).map(|(figure, width)| format!("{figure:<width$}")).collect();
        let mut text = self.headline(report.result, name, figures.join("  ").trim_end());
        self.expand(&mut text, group, run, report);
        text
    }

    fn several(&self, group: &Group<'_>, runs: &[Run]) -> String {
        let worst = runs.iter().map(Run::result).max().unwrap_or(RunResult::Passed);
        let with = |result| runs.iter().filter(move |run| run.result() == result);
        let seeds = format!("{} seeds from {}", runs.len(), runs.first().map_or(0, |run| run.seed));
        let mut found = Vec::new();
        for result in [RunResult::Failed, RunResult::Interrupted] {
            let count = with(result).count();
            if count > 0 {
                found.push(format!("{count} {}", result.word()));
            }
        }
        let found = if found.is_empty() { "all passed".to_owned() } else { found.join(", ") };
        let events: u64 = runs.iter().filter_map(Run::report).map(|report| report.events).sum();
        let took: Duration = runs.iter().map(Run::took).sum();
        let mut text =
            self.headline(worst, &group.scenario.name, &format!("{seeds}: {found}  {}  {}", counted_large(events, "event"), wall(took)));
        let failed: Vec<&Run> = with(RunResult::Failed).collect();
        for run in failed.iter().take(MOST_EXPANDED) {
            text.push_str(&format!("\n  {}", self.paint(Ink::Strong, &format!("with seed {}", run.seed))));
            if let Some(report) = run.report() {
                self.expand(&mut text, group, run, report);
            }
        }
        if let Some(rest) = failed.get(MOST_EXPANDED..).filter(|rest| !rest.is_empty()) {
            let seeds: Vec<String> = rest.iter().map(|run| run.seed.to_string()).collect();
            text.push_str(&format!("\n  and with {}: {}", if rest.len() == 1 { "seed" } else { "seeds" }, seeds.join(", ")));
        }
        text
    }

    /// What failed, and what may be wrong.
    fn expand(&self, text: &mut String, group: &Group<'_>, run: &Run, report: &Report) {
        if report.result == RunResult::Failed {
            text.push('\n');
            text.push_str(failure::render(group.scenario, report, &run.repeat, self.style).trim_end());
            text.push('\n');
        }
        for warning in &report.warnings {
            text.push_str(&format!("\n  {} {}", self.paint(Ink::Warning, "warning:"), plain(warning)));
        }
    }

    fn headline(&self, result: RunResult, name: &str, rest: &str) -> String {
        let (glyph, ink) = match result {
            RunResult::Passed => ("✓", Ink::Good),
            RunResult::Failed => ("✗", Ink::Bad),
            RunResult::Invalid => ("!", Ink::Bad),
            RunResult::Interrupted => ("-", Ink::Warning),
        };
        let name = plain(name);
        let padding = " ".repeat(self.name.saturating_sub(name.chars().count()));
        let name = if result == RunResult::Passed { name } else { self.paint(Ink::Strong, &name) };
        format!("{} {name}{padding}  {rest}", self.paint(ink, glyph))
    }

    fn paint(&self, ink: Ink, text: &str) -> String {
        self.style.colour.paint(ink, text)
    }
}

/// How it stands at the end: `14 passed, 1 failed, 0 invalid in 0.8 s`.
pub fn summary(tally: &Tally, took: Duration, colour: Colour) -> String {
    let count = |count: usize, word: &str, ink| colour.paint(if count > 0 { ink } else { Ink::Text }, &format!("{count} {word}"));
    let mut parts =
        vec![count(tally.passed, "passed", Ink::Good), count(tally.failed, "failed", Ink::Bad), count(tally.invalid, "invalid", Ink::Bad)];
    if tally.interrupted > 0 {
        parts.push(count(tally.interrupted, "interrupted", Ink::Warning));
    }
    format!("{} in {}", parts.join(", "), seconds(took))
}

/// `12 steps`, or `step 4 of 12` if that failed.
fn steps(report: &Report) -> String {
    let count = report.steps.len();
    match report.steps.iter().position(|step| step.result == StepResult::Failed) {
        Some(at) => format!("step {} of {count} failed", at + 1),
        None if report.result == RunResult::Interrupted => "interrupted".to_owned(),
        None if !report.violations.is_empty() => format!("{} violated", counted(report.violations.len(), "invariant")),
        None => counted(count, "step"),
    }
}

/// `1 event`, `18,112 events`.
fn counted_large(count: u64, what: &str) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {what}{}", if count == 1 { "" } else { "s" })
}

/// A span of virtual time, in whole seconds once there are a few of them.
fn coarse(span: Span) -> String {
    if span.as_secs() < 10 { duration(span) } else { duration(Span::from_secs(span.as_secs())) }
}

/// `43 ms`, `1.2 s`, `2m5s`.
fn wall(took: Duration) -> String {
    if took < Duration::from_secs(1) { format!("{} ms", took.as_millis()) } else { seconds(took) }
}

fn seconds(took: Duration) -> String {
    if took < Duration::from_secs(60) {
        format!("{}.{} s", took.as_secs(), took.subsec_millis() / 100)
    } else {
        duration(Span::from_secs(i64::try_from(took.as_secs()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_every_end() {
        let tally = Tally { passed: 14, failed: 1, invalid: 0, interrupted: 0 };
        assert_eq!(summary(&tally, Duration::from_millis(870), Colour::Plain), "14 passed, 1 failed, 0 invalid in 0.8 s");
        let tally = Tally { interrupted: 2, ..tally };
        assert_eq!(summary(&tally, Duration::from_secs(125), Colour::Plain), "14 passed, 1 failed, 0 invalid, 2 interrupted in 2m5s");
    }

    #[test]
    fn large_counts_are_grouped_by_thousands() {
        assert_eq!(
            [1, 999, 1_000, 18_112, 1_234_567].map(|count| counted_large(count, "event")),
            ["1 event", "999 events", "1,000 events", "18,112 events", "1,234,567 events"]
        );
    }

    #[test]
    fn wall_time_is_short() {
        assert_eq!([43, 1_250, 61_000].map(|millis| wall(Duration::from_millis(millis))), ["43 ms", "1.2 s", "1m1s"]);
    }
}
