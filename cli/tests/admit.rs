//! `vmtwin admit`, as a user and as an API server call it.

#[path = "../../tests/harness/folder.rs"]
mod folder;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use folder::Folder;
use serde_json::{Value, json};

/// The program that Cargo built for these tests: never a stale one.
const VMTWIN: &str = env!("CARGO_BIN_EXE_vmtwin");

fn inventory() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/inventories/small.yaml").to_string_lossy().into_owned()
}

fn call(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(VMTWIN)
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that refuses its input early closes the pipe.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const CLASS: &str = "apiVersion: vmoperator.vmware.com/v1alpha5
kind: VirtualMachineClass
metadata: {name: my-vm-class, namespace: my-namespace}
spec: {hardware: {cpus: 2, memory: 4Gi}}
";

fn vm(name: &str, power_state: &str) -> String {
    format!(
        "apiVersion: vmoperator.vmware.com/v1alpha5
kind: VirtualMachine
metadata: {{name: {name}, namespace: my-namespace}}
spec:
  className: my-vm-class
  imageName: vmi-0a0044d7c690bcbea
  storageClass: my-storage-class
  powerState: {power_state}
"
    )
}

#[test]
fn a_folder_is_judged_and_each_denial_names_its_line() {
    let folder = Folder::empty();
    std::fs::write(folder.join("vms.yaml"), format!("{}---\n{}", vm("good", "PoweredOn"), vm("bad", "Suspended"))).expect("a file");
    std::fs::write(folder.join("class.yaml"), CLASS).expect("a file");
    std::fs::write(folder.join("notes.txt"), "not read").expect("a file");
    let output = call(&folder, &["admit", "--file", ".", "--given", &inventory(), "--allow-outside"], b"");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{}", text(&output.stderr));
    for wanted in [
        "✓ VirtualMachine/my-namespace/good",
        "✗ VirtualMachine/my-namespace/bad",
        "denied[FieldValueInvalid]: spec.powerState",
        "vms.yaml:17:15",
        "powerState: Suspended",
        "2 of 3 objects admitted",
    ] {
        assert!(said.contains(wanted), "{wanted} isn't in:\n{said}");
    }
}

#[test]
fn standard_input_is_a_file_and_json_is_stable() {
    let folder = Folder::empty();
    let input = format!("{CLASS}---\n{}", vm("web", "PoweredOn"));
    let output = call(&folder, &["admit", "-f", "-", "--given", &inventory(), "-o", "json"], input.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let vm = &report["results"][1];
    assert_eq!(
        (&vm["object"], &vm["allowed"], &vm["operation"]),
        (&json!("VirtualMachine/my-namespace/web"), &json!(true), &json!("create"))
    );
    assert_eq!(vm["stored"]["spec"]["image"]["name"], "vmi-0a0044d7c690bcbea");
    assert!(vm["filled"].as_array().is_some_and(|filled| !filled.is_empty()));
}

#[test]
fn an_old_object_makes_it_an_update_and_the_user_counts() {
    let folder = Folder::empty();
    let checked = vm("web", "PoweredOff")
        .replace("namespace: my-namespace}", "namespace: my-namespace, annotations: {poweron.check.vmoperator.vmware.com/ad: wait}}");
    std::fs::write(folder.join("old.yaml"), &checked).expect("a file");
    std::fs::write(folder.join("new.yaml"), vm("web", "PoweredOff")).expect("a file");
    let arguments = ["admit", "--file", "new.yaml", "--old", "old.yaml", "--given", &inventory()];
    let output = call(&folder, &arguments, b"");
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("poweron.check.vmoperator.vmware.com/ad"), "{}", text(&output.stdout));
    let output = call(&folder, &[&arguments[..], &["--as", "administrator"]].concat(), b"");
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn gates_are_switched_and_those_that_do_not_exist_are_refused() {
    let folder = Folder::empty();
    std::fs::write(folder.join("vm.yaml"), format!("{CLASS}---\n{}  groupName: my-group\n", vm("web", "PoweredOn"))).expect("a file");
    let arguments = ["admit", "--file", "vm.yaml", "--given", &inventory()];
    assert_eq!(call(&folder, &arguments, b"").status.code(), Some(0));
    let output = call(&folder, &[&arguments[..], &["--features", "VMGroups=false"]].concat(), b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("the VM Groups feature is not enabled"), "{}", text(&output.stdout));
    for gates in ["VMGroup=false", "VMGroups", "VMGroups=maybe", "VMResize=true"] {
        let output = call(&folder, &[&arguments[..], &["--features", gates]].concat(), b"");
        assert_eq!(output.status.code(), Some(2), "{gates}: {}", text(&output.stderr));
    }
}

fn review(object: &Value) -> Vec<u8> {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5", "kind": {"group": "vmoperator.vmware.com", "version": "v1alpha5", "kind": "VirtualMachine"},
            "operation": "CREATE", "namespace": "my-namespace", "userInfo": {"username": "devops@vsphere.local"}, "object": object,
        },
    });
    serde_json::to_vec(&review).expect("JSON")
}

#[test]
fn a_review_is_answered_in_both_senses_and_the_status_tells_which() {
    let folder = Folder::empty();
    std::fs::write(folder.join("class.yaml"), CLASS).expect("a file");
    let arguments = ["admit", "--given", &inventory(), "--given", "class.yaml"];
    let mut object: Value = serde_saphyr::from_str(&vm("web", "PoweredOn")).expect("a manifest");
    let output = call(&folder, &arguments, &review(&object));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(
        (output.status.code(), &answer["response"]["allowed"], &answer["response"]["uid"]),
        (Some(0), &json!(true), &json!("705ab4f5")),
        "{answer}"
    );
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
    object["spec"]["powerState"] = json!("Suspended");
    let output = call(&folder, &arguments, &review(&object));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!((output.status.code(), &answer["response"]["allowed"]), (Some(1), &json!(false)));
    assert_eq!(answer["response"]["status"]["details"]["causes"][0]["field"], "spec.powerState");
}

#[test]
fn input_that_is_none_has_status_2_and_says_why() {
    let folder = Folder::empty();
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(5 << 20));
    let deep = "[".repeat(10_000);
    for input in ["", "{}", "kind: AdmissionReview", "\u{0}", &long, &deep] {
        let output = call(&folder, &["admit"], input.as_bytes());
        assert_eq!(output.status.code(), Some(2));
        let answer: Value = serde_json::from_slice(&output.stdout).expect("one document");
        assert_eq!(answer["response"]["status"]["code"], 400, "{answer}");
    }
    std::fs::write(folder.join("broken.yaml"), "a: [\n").expect("a file");
    std::fs::write(folder.join("deep.yaml"), &deep).expect("a file");
    std::fs::write(folder.join("kind.yaml"), "apiVersion: vmoperator.vmware.com/v1alpha5\nkind: VirtualMachin\n").expect("a file");
    for arguments in [
        &["admit", "--file", "nowhere.yaml"][..],
        &["admit", "--file", "broken.yaml"],
        &["admit", "--file", "deep.yaml"],
        &["admit", "--file", "kind.yaml"],
        &["admit", "--old", "broken.yaml"],
    ] {
        let output = call(&folder, arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
