//! `vmtwin explore` and `vmtwin shrink`, as a user calls them.

#[path = "../../tests/harness/folder.rs"]
mod folder;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use folder::Folder;
use serde_json::Value;

/// The program that Cargo built for these tests: never a stale one.
const VMTWIN: &str = env!("CARGO_BIN_EXE_vmtwin");

fn call(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(VMTWIN).args(arguments).current_dir(folder).env("NO_COLOR", "1").output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The report without what hangs on the machine.
fn report(output: &Output) -> Value {
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    assert!(report["wallSeconds"].is_number());
    report["wallSeconds"] = Value::Null;
    report
}

#[test]
fn any_number_of_threads_gives_the_same_report() {
    let folder = Folder::empty();
    let with = |jobs| call(&folder, &["explore", "--profile", "power", "--runs", "12", "--seed", "3", "-o", "json", "-j", jobs]);
    let (one, three) = (report(&with("1")), report(&with("3")));
    assert_eq!(one, three);
    assert_eq!((&one["runs"], &one["stopped"]), (&12.into(), &"runs".into()), "{one}");
    assert!(one["events"].as_u64().is_some_and(|events| events > 100), "{one}");
    assert!(one["coverage"]["operations"]["hit"].as_u64().is_some_and(|hit| hit > 3), "{one}");
    let other = report(&call(&folder, &["explore", "--profile", "power", "--runs", "12", "--seed", "4", "-o", "json"]));
    assert_ne!(one["digest"], other["digest"]);
}

#[test]
fn a_run_is_a_scenario_that_can_be_printed_and_run() {
    let folder = Folder::empty();
    let printed = call(&folder, &["explore", "--profile", "chaos", "--seed", "2", "--run", "7", "--print"]);
    assert_eq!(printed.status.code(), Some(0), "{}", text(&printed.stderr));
    std::fs::write(folder.join("seven.yaml"), &printed.stdout).expect("a file");
    let linted = call(&folder, &["lint", "seven.yaml"]);
    assert_eq!(linted.status.code(), Some(0), "{}", text(&linted.stderr));
}

#[test]
fn what_is_wrong_with_a_profile_is_told_with_its_place_and_status_2() {
    let folder = Folder::empty();
    let wrong = "apiVersion: vmtwin.dev/v1alpha1\nkind: ExploreProfile\nmetadata: {name: mine}\nspec:\n  base: powr\n  world: {zones: 3..1, hostsPerCluster: 0,\n    \
                 drs: {fullyAutomated: 0, manual: 0, off: 0}}\n  users:\n    operations: {setPowr: 1}\n  invariants: {only: [power-reach]}\n";
    std::fs::write(folder.join("mine.yaml"), wrong).expect("a file");
    let output = call(&folder, &["explore", "--profile", "mine.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    let wanted = ["mine.yaml:5", "power", "turned around", "isn't within", "all weights of `world.drs` are 0", "setPower", "power-reached"];
    for wanted in wanted {
        assert!(said.contains(wanted), "{wanted} isn't in:\n{said}");
    }
    for arguments in [&["--profile", "none-such"][..], &["--time", "soon"], &["--stop-after", "0"], &["--print"], &["--list", "what"]] {
        let arguments: Vec<&str> = ["explore"].iter().chain(arguments).copied().collect();
        let output = call(&folder, &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_profile_of_ones_own_stands_on_a_built_in_one() {
    let folder = Folder::empty();
    let mine =
        "apiVersion: vmtwin.dev/v1alpha1\nkind: ExploreProfile\nmetadata: {name: mine}\nspec:\n  base: power\n  users: {steps: 2..4}\n";
    std::fs::write(folder.join("mine.yaml"), mine).expect("a file");
    let output = call(&folder, &["explore", "--profile", "mine.yaml", "--runs", "3", "--corpus", "corpus.jsonl", "-o", "json"]);
    let explored = report(&output);
    assert_eq!((&explored["profile"], &explored["runs"]), (&"mine".into(), &3.into()));
    let corpus = std::fs::read_to_string(folder.join("corpus.jsonl")).expect("a corpus");
    let first: Value = serde_json::from_str(corpus.lines().next().unwrap_or_default()).expect("a line");
    assert_eq!(first["profile"], "mine");
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_exploration_writes_its_report() {
    let folder = Folder::empty();
    let many = ["explore", "--profile", "power", "--runs", "100000000", "--stop-after", "100000000", "--shrink-tries", "0", "-o", "json"];
    let mut program = Command::new(VMTWIN);
    program.args(many).current_dir(&*folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().expect("the program starts");
    let id = child.id().to_string();
    // Busy for so many hundredths of a second, it is past its beginning.
    let busy = || {
        let status = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("the program runs");
        let (_, fields) = status.rsplit_once(')').expect("the name stands in brackets");
        fields.split(' ').nth(12).and_then(|ticks| ticks.parse::<u64>().ok()).expect("a number of ticks")
    };
    while busy() < 50 {
        assert!(child.try_wait().expect("a child").is_none(), "there are runs enough");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {id}")]).status().expect("a shell").success());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert_eq!(report(&output)["stopped"], "interrupted");
}

#[test]
fn a_file_that_fails_is_made_small_and_stays_as_it_was() {
    let folder = Folder::empty();
    let printed = text(&call(&folder, &["explore", "--profile", "power", "--seed", "2", "--run", "3", "--print"]).stdout);
    let failing = format!("{}\n  - assert: {{apiVersion: v1, kind: Namespace, metadata: {{name: nowhere}}}}\n", printed.trim_end());
    std::fs::write(folder.join("big.yaml"), &failing).expect("a file");
    let output = call(&folder, &["shrink", "big.yaml", "--tries", "600", "--out", "small.yaml", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert!(told["lines"].as_u64() < told["from"].as_u64(), "{told}");
    assert!(told["lines"].as_u64().is_some_and(|lines| lines < 30), "{told}");
    assert_eq!(std::fs::read_to_string(folder.join("big.yaml")).expect("it is there"), failing);
    assert_eq!(call(&folder, &["run", "small.yaml"]).status.code(), Some(1));
    let overwritten = call(&folder, &["shrink", "big.yaml", "--out", "big.yaml"]);
    assert_eq!(overwritten.status.code(), Some(2));
}

#[test]
fn the_list_of_invariants_tells_which_are_checked() {
    let folder = Folder::empty();
    let output = call(&folder, &["explore", "--list", "invariants", "-o", "json"]);
    let rows: Value = serde_json::from_slice(&output.stdout).expect("a list");
    let rows = rows.as_array().expect("a list");
    assert_eq!(rows.len(), 44);
    assert!(rows.iter().any(|row| row["name"] == "power-reached" && row["checked"] == true && row["kind"] == "liveness"));
    assert!(rows.iter().any(|row| row["checked"] == false && row["why"].is_string()));
}
