//! Public bug reports, told again as scenarios, against the list of those that don't pass yet.

use vmtwin_scenarios::runner::{Options, RunResult, run};
use vmtwin_tests::conformance::{Outcome, Pending};
use vmtwin_tests::{root, scenarios_within};

#[test]
fn the_stories_that_are_not_pending_hold_and_no_other() {
    let folder = root().join("tests/bugs");
    let list = folder.join("pending.yaml");
    let mut pending = Pending::load(&list);
    let mut files: Vec<_> = std::fs::read_dir(&folder).expect("the folder is there").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml") && *path != list);
    files.sort();
    let outcomes: Vec<(String, Outcome)> =
        files.iter().map(|path| (path.file_stem().expect("files have names").to_string_lossy().into_owned(), outcome(path))).collect();
    let passed = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Passed).count();
    println!("{passed} of {} stories hold", outcomes.len());
    if std::env::var_os("VMTWIN_BLESS").is_some() {
        pending.bless(outcomes.iter().map(|(name, outcome)| (&**name, outcome)));
        pending.store(&list);
    }
    let mistakes = pending.mistakes(outcomes.iter().map(|(name, outcome)| (&**name, outcome)));
    assert!(mistakes.is_empty(), "these aren't as tests/bugs/pending.yaml says:\n{}", mistakes.join("\n"));
}

fn outcome(path: &std::path::Path) -> Outcome {
    let scenarios = match scenarios_within(path) {
        Ok(scenarios) => scenarios,
        Err(told) => return Outcome::NotRunnable(told),
    };
    for scenario in &scenarios {
        let report = run(scenario, &Options::default(), &|| false).report;
        if report.result == RunResult::Passed {
            continue;
        }
        let step = report.steps.iter().filter_map(|step| step.message.clone().map(|message| format!("{}: {message}", step.name)));
        let violation = report.violations.iter().map(|violation| format!("{} is violated: {}", violation.invariant, violation.message));
        return Outcome::Failed(step.chain(violation).collect());
    }
    Outcome::Passed
}
