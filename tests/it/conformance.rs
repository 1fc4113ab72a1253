//! The cases of the real VM Operator's behaviour, all of them, against the list of those that don't pass yet.

use std::path::{Path, PathBuf};

use vmtwin_tests::conformance::{self, Case, Outcome, Pending, Tally};
use vmtwin_tests::root;

/// Every case of a folder, with what became of it: file, case, outcome. They are shared among two threads, one case by one.
fn run_all(folder: &Path) -> Vec<(String, Case, Outcome)> {
    let mut cases = Vec::new();
    for path in conformance::files(folder) {
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        cases.extend(conformance::load(&path).into_iter().map(|case| (file.clone(), case)));
    }
    let play = |(file, case): &(String, Case)| conformance::run(case, conformance::gates(file, case));
    let (first, second) = cases.split_at(cases.len() / 2);
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let first = scope.spawn(|| first.iter().map(play).collect::<Vec<_>>());
        let second: Vec<Outcome> = second.iter().map(play).collect();
        first.join().expect("a case's panic is caught").into_iter().chain(second).collect()
    });
    cases.into_iter().zip(outcomes).map(|((file, case), outcome)| (file, case, outcome)).collect()
}

fn tally(ran: &[(String, Case, Outcome)], list: &Pending) -> Tally {
    let mut tally = Tally::default();
    for (file, case, outcome) in ran {
        tally.count(file, case, outcome, list.left_out.contains_key(&case.id));
    }
    tally
}

#[test]
fn the_cases_that_are_not_pending_pass_and_no_other() {
    let folder = root().join("tests/conformance");
    let list = folder.join("pending.yaml");
    let mut pending = Pending::load(&list);
    let ran = run_all(&folder);
    println!("{}", tally(&ran, &pending));
    if std::env::var_os("VMTWIN_BLESS").is_some() {
        pending.bless(ran.iter().map(|(_, case, outcome)| (&*case.id, outcome)));
        pending.store(&list);
    }
    let mistakes = pending.mistakes(ran.iter().map(|(_, case, outcome)| (&*case.id, outcome)));
    assert!(
        mistakes.is_empty(),
        "{} of {} cases aren't as tests/conformance/pending.yaml says:\n{}",
        mistakes.len(),
        ran.len(),
        mistakes.join("\n")
    );
}

/// `VMTWIN_CASES=DIR` prints the tally of another folder's cases, and what fails.
#[test]
fn the_tally_of_another_folder_is_printed() {
    let Some(folder) = std::env::var_os("VMTWIN_CASES").map(PathBuf::from) else {
        println!("skipped: VMTWIN_CASES names no folder");
        return;
    };
    let ran = run_all(&folder);
    for (_, case, outcome) in ran.iter().filter(|(.., outcome)| *outcome != Outcome::Passed) {
        let told = match outcome {
            Outcome::Failed(wrong) => wrong.join("; "),
            other => other.reason(),
        };
        println!("{} {} {}: {told}", case.id, if case.seed.is_some() { "(seed)" } else { "" }, case.title);
    }
    println!("{}", tally(&ran, &Pending::default()));
    assert!(!ran.is_empty(), "{} has no file of cases", folder.display());
}
