//! Spoilt scenarios, thrown at the program itself: whatever stands in a file, the program ends in time, within its memory, with a status that it
//! documents.
//!
//! `VMTWIN_HOSTILE_CASES` says how many; a failing file is shrunk, printed and kept.

#[path = "../../tests/harness/folder.rs"]
mod folder;
#[path = "../../tests/harness/spoil.rs"]
mod spoil;

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use folder::Folder;
use spoil::{Case, Seeds};

const VMTWIN: &str = env!("CARGO_BIN_EXE_vmtwin");
/// How long the program may take.
const TIME: Duration = Duration::from_secs(10);
/// How much address space it may take, in KiB.
const MEMORY_KIB: u64 = 1 << 20;
/// How many spoilt files there are, unless `VMTWIN_HOSTILE_CASES` says otherwise.
const CASES: u32 = 300;

/// How a call of the program went wrong.
fn verdict(folder: &Path, command: &str, file: &str) -> Result<(), String> {
    // The shell's limit goes over to the program; of threads it needs one alone.
    let line = format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"");
    let mut call = Command::new("sh");
    call.args(["-c", &line, VMTWIN, command, file]).current_dir(folder).env("NO_COLOR", "1");
    call.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = call.spawn().map_err(|error| error.to_string())?;
    match wait(&mut child) {
        None => Err(format!("`vmtwin {command} {file}` is not through after {TIME:?}")),
        Some(status) if matches!(status.code(), Some(0..=2)) => Ok(()),
        Some(status) => Err(format!("`vmtwin {command} {file}` ended with {status}")),
    }
}

/// The end of the child; nothing if it had to be put to one.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < TIME {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let _it_may_have_ended = child.kill();
    let _ = child.wait();
    None
}

/// A folder with the inventories that the library leans on, and what a hostile file may refer to.
fn folder() -> Folder {
    let folder = Folder::empty();
    std::fs::create_dir_all(folder.join("a folder.yaml")).expect("a folder for the test");
    let inventory = spoil::root().join("scenarios/inventories/small.yaml");
    std::fs::copy(inventory, folder.join("small.yaml")).expect("the inventory can be copied");
    #[cfg(unix)]
    {
        for (link, target) in [("loop.yaml", "loop.yaml"), ("dangling.yaml", "nowhere.yaml"), ("zero.yaml", "/dev/zero"), ("up", "..")] {
            std::os::unix::fs::symlink(target, folder.join(link)).expect("a link");
        }
        let made = Command::new("mkfifo").arg(folder.join("fifo.yaml")).status();
        assert!(made.is_ok_and(|status| status.success()), "a pipe can be made");
    }
    folder
}

#[test]
fn spoilt_scenarios_end_in_time_and_with_a_status_that_is_documented() {
    let cases = std::env::var("VMTWIN_HOSTILE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let seed = std::env::var("VMTWIN_HOSTILE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(11);
    let config = Config { cases, max_shrink_iters: 60, failure_persistence: None, rng_seed: RngSeed::Fixed(seed), ..Config::default() };
    let (seeds, folder) = (Seeds::of_the_library(), folder());
    let file = folder.join("case.yaml");
    let ended = TestRunner::new(config).run(&spoil::any(), |case: Case| {
        let bytes = seeds.spoilt(&case);
        let command = if bytes.len().is_multiple_of(4) { "timeline" } else { "run" };
        std::fs::write(&file, bytes).expect("the case can be written");
        verdict(&folder, command, "case.yaml").map_err(TestCaseError::fail)
    });
    if let Err(TestError::Fail(why, case)) = ended {
        let bytes = seeds.spoilt(&case);
        let kept = std::env::temp_dir().join("vmtwin-hostile-find.yaml");
        std::fs::write(&kept, &bytes).expect("the find can be kept");
        panic!("{why}\n{case:?}\nkept as {}:\n{}", kept.display(), String::from_utf8_lossy(&bytes[..bytes.len().min(4000)]));
    }
    ended.expect("nothing but a failure ends it early");
}

#[test]
fn files_that_are_none_are_told() {
    let folder = folder();
    std::fs::File::create(folder.join("sparse.yaml")).and_then(|file| file.set_len(40 << 30)).expect("a large file without content");
    std::fs::File::create(folder.join("large.yaml")).and_then(|file| file.set_len(900 << 20)).expect("a large file without content");
    for file in
        ["a folder.yaml", "loop.yaml", "dangling.yaml", "zero.yaml", "fifo.yaml", "sparse.yaml", "large.yaml", ".", "-", "/dev/zero"]
    {
        let head = "apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {name: odd}\nspec:\n  vsphere: {from: small.yaml}\n";
        std::fs::write(folder.join("refers.yaml"), format!("{head}  objects: [{{file: \"{file}\"}}]\n")).expect("a file");
        for named in [file, "refers.yaml"] {
            let output =
                Command::new(VMTWIN).args(["lint", named]).current_dir(&folder).env("NO_COLOR", "1").output().expect("the program starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{named} ({file}): {said}");
            assert!(said.contains("error"), "{named} says why: {said}");
            assert_eq!(verdict(&folder, "run", named), Ok(()), "{named} ({file})");
        }
    }
}

#[test]
fn a_reader_who_goes_away_or_a_full_disk_is_no_bug() {
    let (library, first) = ("scenarios/library", "scenarios/library/basics/first-vm.yaml");
    let program = || {
        let mut program = Command::new(VMTWIN);
        program.current_dir(spoil::root()).stderr(Stdio::null());
        program
    };
    for arguments in [
        &["run", library][..],
        &["run", library, "-o", "json"],
        &["timeline", first],
        &["timeline", first, "-o", "yaml"],
        &["lint", library, "-o", "yaml"],
        &["schema"],
        &["features"],
        &["man"],
        &["completions", "bash"],
    ] {
        let mut gone = program().args(arguments).stdout(Stdio::piped()).spawn().expect("the program starts");
        drop(gone.stdout.take());
        assert_eq!(gone.wait().expect("it ends").code(), Some(0), "{arguments:?}");
        if let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") {
            let status = program().args(arguments).stdout(full).status().expect("the program starts");
            assert_eq!(status.code(), Some(3), "{arguments:?}");
        }
    }
    let folder = Folder::empty();
    let report = folder.join("nowhere/report.xml");
    let unwritable = ["run", first, "--junit", report.to_str().expect("the path is text")];
    let output = program().args(unwritable).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(3), "a report that can't be written is the world's fault");
}

/// A run that would take minutes: VMs that are looked at every minute, for ten weeks.
fn long() -> String {
    let mut text = "apiVersion: vmtwin.dev/v1alpha1
kind: Scenario
metadata: {name: long}
spec:
  horizon: 1650h
  operator: {resyncPeriod: 1m}
  vsphere: {from: small.yaml}
  steps: [{sleep: 1649h}]
  objects:
"
    .to_owned();
    for n in 0..100 {
        text.push_str(&format!(
            "  - apiVersion: vmoperator.vmware.com/v1alpha5
    kind: VirtualMachine
    metadata: {{name: vm-{n}, namespace: my-namespace}}
    spec: {{className: my-vm-class, imageName: vmi-0a0044d7c690bcbea, storageClass: my-storage-class}}
"
        ));
    }
    text
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_run_ends_in_order_and_says_so() {
    let folder = folder();
    std::fs::write(folder.join("long.yaml"), long()).expect("a file");
    let mut program = Command::new(VMTWIN);
    program.args(["run", "long.yaml", "-o", "json", "--junit", "report.xml"]).current_dir(&folder).env("NO_COLOR", "1");
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    let id = child.id().to_string();
    // Busy for so many hundredths of a second, it is past its beginning.
    let busy = |id: &str| {
        let status = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("the program runs");
        let (_, fields) = status.rsplit_once(')').expect("the name stands in brackets");
        fields.split(' ').nth(12).and_then(|ticks| ticks.parse::<u64>().ok()).expect("a number of ticks")
    };
    while busy(&id) < 50 {
        assert!(child.try_wait().expect("a child").is_none(), "the run is long enough");
        std::thread::sleep(Duration::from_millis(10));
    }
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {id}")]).status().expect("a shell");
    assert!(sent.success());
    let status = wait(&mut child).expect("it ends in time");
    let mut report = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().expect("a pipe"), &mut report).expect("text");
    let report: serde_json::Value = serde_json::from_str(&report).expect("a whole document");
    assert_eq!((status.code(), report["scenarios"][0]["result"].as_str()), (Some(130), Some("interrupted")));
    let junit = std::fs::read_to_string(folder.join("report.xml")).expect("the other report is written, too");
    assert!(junit.contains("interrupted") && junit.trim_end().ends_with("</testsuites>"), "{junit}");
}
