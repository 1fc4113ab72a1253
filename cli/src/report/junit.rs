//! JUnit's XML, for build servers: a suite for each file, a case for each run.

use std::path::Path;

use anyhow::Context as _;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use vmtwin_scenarios::runner::RunResult;
use vmtwin_scenarios::timeline::Style;

use super::document::stem;
use super::{Group, Run, Unit, counted, errors, failure};

/// Writes the file.
pub fn write(path: &Path, units: &[Unit<'_>]) -> anyhow::Result<()> {
    let mut suites: Vec<TestSuite> = Vec::new();
    for unit in units {
        let (file, cases) = match unit {
            Unit::Invalid { file, diagnostics } => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                let text: Vec<String> = diagnostics.iter().map(|diagnostic| diagnostic.render(false)).collect();
                status.set_type("invalid").set_message(counted(errors(diagnostics), "error")).set_description(text.join("\n\n"));
                (file.as_str(), vec![TestCase::new(stem(file), status)])
            }
            Unit::Scenario(group) => (group.scenario.file.name(), group.runs.iter().map(|run| case(group, run)).collect()),
        };
        if suites.last().is_none_or(|suite| suite.name.as_str() != file) {
            suites.push(TestSuite::new(file));
        }
        let suite = suites.last_mut().expect("the file's suite was just added");
        for mut case in cases {
            case.set_classname(file);
            suite.add_test_case(case);
        }
    }
    let mut report = Report::new("vmtwin");
    report.add_test_suites(suites);
    let text = report.to_string().context("the JUnit report can't be made")?;
    std::fs::write(path, text).with_context(|| format!("`{}` can't be written", path.display()))
}

fn case(group: &Group<'_>, run: &Run) -> TestCase {
    let status = match (run.result(), run.report()) {
        (RunResult::Passed, _) => TestCaseStatus::success(),
        (RunResult::Interrupted, _) | (_, None) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("interrupted");
            status
        }
        (RunResult::Failed | RunResult::Invalid, Some(report)) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let text = failure::render(group.scenario, report, &run.repeat, Style::default());
            status.set_type("failed").set_message(failure::headline(report)).set_description(text);
            status
        }
    };
    let name = if group.runs.len() == 1 { group.scenario.name.clone() } else { format!("{}@{}", group.scenario.name, run.seed) };
    let mut case = TestCase::new(name, status);
    case.set_time(run.took());
    case
}
