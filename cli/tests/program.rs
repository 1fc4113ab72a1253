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

#[test]
fn explain_tells_what_holds_a_vm_and_a_group_as_text_and_as_a_document() {
    let story = "scenarios/library/placement/waits-for-room.yaml";
    let output = call(&root(), &["explain", story, "--vm", "my-namespace/third", "--at", "29m", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let states = [&told["object"], &told["desired"], &told["observed"]].map(|word| word.as_str().unwrap_or_default());
    assert_eq!(states, ["my-namespace/third", "PoweredOn", "PoweredOff"]);
    assert!(told["tries"].as_u64().is_some_and(|tries| tries > 1) && told["next"].is_string() && told["since"].is_string(), "{told:#}");
    let holds = told["heldBy"].as_array().expect("a list");
    assert!(holds.iter().any(|hold| hold["page"] == "placement-groups §10" && hold["seq"].is_u64()), "{told:#}");
    let candidates = told["placement"]["candidates"].as_array().expect("a list");
    let rejected = candidates.iter().filter(|one| one["kind"] == "HostSystem" && one["verdict"] == "rejected");
    assert!(
        rejected.clone().count() >= 1 && rejected.clone().all(|host| host["message"].as_str().is_some_and(|why| why.contains("needs")))
    );
    assert!(told["wouldChange"].as_array().is_some_and(|changes| !changes.is_empty()), "{told:#}");

    let said = text(&call(&root(), &["explain", story, "--vm", "my-namespace/third", "--at", "29m", "--why", "power"]).stdout);
    assert!(said.starts_with("my-namespace/third at 29m") && !said.contains("candidates"), "{said}");

    let group = "scenarios/library/groups/three-tier-boot.yaml";
    let whole = text(&call(&root(), &["timeline", group, "-o", "json"]).stdout);
    let name = whole
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|line| line["object"].as_str()?.strip_prefix("VirtualMachineGroup/").map(str::to_owned))
        .expect("a group");
    let output = call(&root(), &["explain", group, "--group", &name, "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert!(told["observed"].as_str().is_some_and(|seen| seen.contains("VMs PoweredOn")), "{told:#}");
}

#[test]
fn explain_refuses_what_isn_t_there_or_makes_no_sense_with_status_2() {
    let story = "scenarios/library/placement/waits-for-room.yaml";
    for (arguments, wanted) in [
        (vec!["--vm", "my-namespace/nobody"], "there is no VirtualMachine my-namespace/nobody"),
        (vec!["--group", "my-namespace/nobody"], "there is no VirtualMachineGroup my-namespace/nobody"),
        (vec!["--vm", "nobody"], "write it NS/NAME"),
        (vec!["--vm", "my-namespace/first", "--why", "Nonsense"], "has no condition `Nonsense`"),
        (vec![], "--vm"),
        (vec!["--vm", "a/b", "--group", "a/b"], "--group"),
        (vec!["--vm", "my-namespace/first", "--at", "soon"], "soon"),
    ] {
        let all: Vec<&str> = ["explain", story].into_iter().chain(arguments.iter().copied()).collect();
        let output = call(&root(), &all);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
}

#[test]
fn capacity_answers_a_scenario_and_a_plan_and_judges_requirements() {
    let folder = Folder::empty();
    let inventory = std::fs::read_to_string(root().join("scenarios/inventories/small.yaml")).expect("the inventory");
    std::fs::write(folder.join("small.yaml"), &inventory).expect("a file");
    let scenario = concat!(
        "apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {name: base}\nspec:\n",
        "  vsphere: {from: small.yaml, images: [{name: linux}]}\n",
        "  objects:\n",
        "  - {apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachineClass, metadata: {name: m, namespace: my-namespace}, ",
        "spec: {hardware: {cpus: 8, memory: 128Gi}, policies: {resources: {requests: {memory: 128Gi}}}}}\n",
    );
    std::fs::write(folder.join("base.yaml"), scenario).expect("a file");
    let output = call(&folder, &["capacity", "base.yaml", "--class", "m", "--survive", "hosts,zones", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let result = &told["results"][0];
    // 252 GiB for VMs on each of three hosts, 128 GiB and the overhead for each VM.
    assert_eq!((told["kind"].as_str(), result["headroom"][0]["fits"].as_u64()), (Some("CapacityResult"), Some(3)), "{result:#}");
    assert_eq!(result["headroom"][0]["bounds"]["hosts"], 3);
    assert_eq!(result["survive"]["survived"]["hosts"], 3, "nothing runs there");

    let plan = "apiVersion: vmtwin.dev/v1alpha1\nkind: CapacityPlan\nmetadata: {name: next}\nspec:\n  baseline: base.yaml\n  headroom: [m]\n  \
                requirements: [{headroom: m, atLeast: 4}]\n";
    std::fs::write(folder.join("plan.yaml"), plan).expect("a file");
    let output = call(&folder, &["capacity", "plan.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("m at least 4, 3 fit") && said.contains("Proven: no placement fits more."), "{said}");

    let wrong = plan.replace("headroom: [m]", "headroom: [{class: m, limitt: 3}, mm]\n  growth: {}\n  settle: soon");
    std::fs::write(folder.join("wrong.yaml"), wrong).expect("a file");
    let output = call(&folder, &["capacity", "wrong.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for wanted in ["unknown field `limitt`", "did you mean `limit`?", "`growth` isn't answered", "wrong.yaml:8"] {
        assert!(said.contains(wanted), "{wanted} isn't in:\n{said}");
    }

    let output = call(&folder, &["capacity", "small.yaml", "--class", "m"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("CAP004"), "{}", text(&output.stderr));
    let output = call(&folder, &["capacity", "plan.yaml", "--class", "m"]);
    assert_eq!(output.status.code(), Some(2), "flags don't go with a plan");
}
