//! The program itself, as a user calls it.

#[path = "../../tests/harness/folder.rs"]
mod folder;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use folder::Folder;
use serde_json::Value;

/// The program that Cargo built for these tests: never a stale one.
const VMTWIN: &str = env!("CARGO_BIN_EXE_vmtwin");

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn call(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(VMTWIN).args(arguments).current_dir(folder).env("NO_COLOR", "1").output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_library_passes_and_the_report_says_so() {
    let output = call(&root(), &["run", "scenarios/", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let scenarios = report["scenarios"].as_array().expect("a list");
    assert!(scenarios.len() >= 8, "{}", scenarios.len());
    for scenario in scenarios {
        assert_eq!(scenario["result"], "passed", "{scenario}");
        assert_eq!(scenario["digest"].as_str().map(str::len), Some(32));
    }
}

#[test]
fn parallel_runs_print_the_same_document() {
    let one = call(&root(), &["run", "scenarios/", "-o", "json", "-j", "1"]);
    let four = call(&root(), &["run", "scenarios/", "-o", "json", "-j", "4"]);
    assert_eq!(text(&one.stdout), text(&four.stdout));
}

#[test]
fn an_edited_line_tells_what_broke_and_where() {
    let folder = Folder::empty();
    let library = root().join("scenarios");
    std::fs::create_dir_all(folder.join("library/basics")).expect("a folder");
    std::fs::create_dir_all(folder.join("inventories")).expect("a folder");
    std::fs::copy(library.join("inventories/small.yaml"), folder.join("inventories/small.yaml")).expect("a copy");
    let story = std::fs::read_to_string(library.join("library/basics/first-vm.yaml")).expect("the first VM");
    let edited = story.replace("hardware: {cpu: {total: 2}", "hardware: {cpu: {total: 3}");
    assert_ne!(story, edited);
    std::fs::write(folder.join("library/basics/first-vm.yaml"), edited).expect("a file");
    let output = call(&folder, &["run", "."]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let said = text(&output.stdout) + &text(&output.stderr);
    for wanted in ["status.hardware.cpu.total", "first-vm.yaml:", "repeat:"] {
        assert!(said.contains(wanted), "{wanted} isn't in:\n{said}");
    }
}

#[test]
fn a_file_that_is_wrong_is_invalid_with_all_its_errors_and_status_2() {
    let folder = Folder::empty();
    let wrong = "apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {name: x}\nspec:\n  horizn: 3h\n  vsphere:\n    zonez: []\n";
    std::fs::write(folder.join("wrong.yaml"), wrong).expect("a file");
    let output = call(&folder, &["run", "wrong.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for wanted in ["wrong.yaml:5", "wrong.yaml:7", "horizon", "zones"] {
        assert!(said.contains(wanted), "{wanted} isn't in:\n{said}");
    }
}

#[test]
fn hostile_files_end_with_status_2_and_never_with_a_panic() {
    let folder = Folder::empty();
    let bomb = format!(
        "a: &a [x,x,x,x,x,x,x,x,x]\n{}",
        (0..12)
            .map(|n| format!("a{n}: &a{n} [{}]\n", vec![if n == 0 { "*a".to_owned() } else { format!("*a{}", n - 1) }; 9].join(",")))
            .collect::<String>()
    );
    let scenario = |spec: &str| format!("apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: x}}\nspec:\n{spec}");
    let host = |host: &str| scenario(&format!("  vsphere: {{zones: [{{name: z, clusters: [{{name: c, hosts: [{host}]}}]}}]}}\n"));
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("nul", vec![0; 64]),
        ("bytes", (0..=255).collect()),
        ("bomb", bomb.into_bytes()),
        ("deep", "[".repeat(100_000).into_bytes()),
        ("large", scenario(&format!("  description: {}\n", "x".repeat(10 << 20))).into_bytes()),
        ("count", host("{name: h-, count: 99999999999}").into_bytes()),
        ("negative", host("{name: h, memory: -5Gi}").into_bytes()),
        ("overflow", host("{name: h, memory: 99999999999999999999Ei}").into_bytes()),
        ("horizon", scenario("  horizon: 99999999999h\n").into_bytes()),
        ("start", scenario("  start: \"9999-99-99T00:00:00Z\"\n").into_bytes()),
        ("outside", scenario("  objects: [{file: ../../../../etc/passwd}]\n").into_bytes()),
        ("cycle", scenario("  vsphere: {from: cycle.yaml}\n").into_bytes()),
        ("keys", b"a: 1\na: 2\n".to_vec()),
    ];
    for (name, bytes) in files {
        let file = format!("{name}.yaml");
        std::fs::write(folder.join(&file), bytes).expect("a file");
        let output = call(&folder, &["run", &file]);
        let said = text(&output.stderr);
        if name == "large" {
            assert!(matches!(output.status.code(), Some(0 | 2)), "{name}: {:?}\n{said}", output.status);
        } else {
            assert_eq!(output.status.code(), Some(2), "{name}:\n{said}");
            assert!(!said.trim().is_empty(), "{name} says why");
        }
    }
}

#[test]
fn what_init_writes_runs() {
    let folder = Folder::empty();
    let output = call(&folder, &["init"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = call(&folder, &["run", "."]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let again = call(&folder, &["init"]);
    assert_ne!(again.status.code(), Some(0), "init never overwrites");
}

#[test]
fn a_timeline_is_one_object_a_line_with_its_cause() {
    let output = call(&root(), &["timeline", "scenarios/library/basics/first-vm.yaml", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert!(lines.len() > 30);
    for (nth, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], nth + 1);
        assert!(line["cause"].as_u64().unwrap_or(0) < line["seq"].as_u64().expect("a number"), "a cause comes first: {line}");
    }
    let power_on =
        lines.iter().find(|line| line["operation"] == "PowerOnVM_Task" && line["event"] == "operation").expect("it is switched on");
    let mut at = power_on.clone();
    while let Some(cause) = at["cause"].as_u64() {
        at = lines[usize::try_from(cause).expect("small") - 1].clone();
    }
    assert!(["user", "operator", "supervisor", "vsphere"].contains(&at["source"].as_str().expect("a source")), "{at}");
}

#[test]
fn usage_errors_have_status_2() {
    for arguments in [&["run"][..], &["run", "nowhere.yaml"], &["capacity", "x"], &["run", "scenarios/", "--seed", "x"]] {
        let output = call(&root(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty());
    }
}
