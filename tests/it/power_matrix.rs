//! Every cell of the power table: what is done for each desired and observed state, mode and guest, and where it ends. The table is printed, so that a
//! change of any cell is seen. Source: vm-lifecycle §12.2, §12.3.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use vmtwin_scenarios::format;
use vmtwin_scenarios::log::{Data, Event, Keep};
use vmtwin_scenarios::runner::{Options, Ran, RunResult, run};
use vmtwin_tests::Nowhere;

const STATES: [&str; 3] = ["PoweredOn", "PoweredOff", "Suspended"];
const MODES: [&str; 3] = ["Hard", "Soft", "TrySoft"];

/// How a guest takes being asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guest {
    Cooperates,
    Hangs,
    HasNoTools,
}

impl Guest {
    const ALL: [Self; 3] = [Self::Cooperates, Self::Hangs, Self::HasNoTools];

    fn word(self) -> &'static str {
        match self {
            Self::Cooperates => "cooperates",
            Self::Hangs => "hangs",
            Self::HasNoTools => "no tools",
        }
    }
}

/// A VM that was found in one state and is to be in another, with all three modes alike. Ten minutes are enough for one fallback.
fn document(desired: &str, observed: &str, mode: &str, guest: Guest) -> Value {
    let mut power = observed.to_owned();
    power[..1].make_ascii_lowercase();
    let (bios, instance) = ("f7c371d6-2003-5a48-9859-3bc9a8b08908", "6132d223-1566-5921-bc3b-df91ece09a4d");
    let tools = if guest == Guest::HasNoTools || observed != "PoweredOn" { "guestToolsNotRunning" } else { "guestToolsRunning" };
    let ends = if guest == Guest::Hangs { "never" } else { "20s" };
    json!({
        "apiVersion": "vmtwin.dev/v1alpha1", "kind": "Scenario", "metadata": {"name": "cell"},
        "spec": {
            "vsphere": {
                "timings": {"*": "1s"},
                "zones": [{"name": "z", "clusters": [{"name": "c", "hosts": [{"name": "esx", "datastores": ["ds"]}]}]}],
                "datastores": [{"name": "ds"}],
                "storagePolicies": [{"name": "gold", "datastores": ["ds"]}],
                "namespaces": [{"name": "ns", "zones": ["z"]}],
                "guests": {"g": {"shutdown": ends, "standby": ends}},
                "virtualMachines": [{
                    "name": "ns/vm", "moID": "vm-101", "host": "esx", "guestProfile": "g",
                    "runtime": {"powerState": power, "connectionState": "connected"},
                    "config": {"uuid": bios, "instanceUuid": instance, "guestId": "otherGuest", "version": "vmx-19",
                        "hardware": {"numCPU": 2, "memoryMB": 4096}, "extraConfig": {"vmservice.namespacedName": "ns/vm"}},
                    "guest": {"toolsRunningStatus": tools},
                }],
            },
            "state": [
                {"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClass", "metadata": {"name": "small", "namespace": "ns"},
                    "spec": {"hardware": {"cpus": 2, "memory": "4Gi"}}},
                {"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachine",
                    "metadata": {"name": "vm", "namespace": "ns", "labels": {"topology.kubernetes.io/zone": "z"},
                        "finalizers": ["vmoperator.vmware.com/virtualmachine"]},
                    "spec": {"className": "small", "imageName": "vmi-1", "image": {"kind": "VirtualMachineImage", "name": "vmi-1"},
                        "storageClass": "gold", "powerState": desired, "powerOffMode": mode, "suspendMode": mode, "restartMode": mode,
                        "network": {"disabled": true}, "biosUUID": bios, "instanceUUID": instance},
                    "status": {"uniqueID": "vm-101", "zone": "z", "powerState": observed}},
            ],
            "steps": [{"sleep": "10m"}],
        },
    })
}

fn played(document: &Value) -> Ran {
    let loaded = format::load_bytes(Path::new("cell.yaml"), document.to_string().as_bytes(), &Nowhere);
    let told: Vec<String> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.render(false)).collect();
    assert!(loaded.is_valid(), "{}", told.join("\n"));
    let ran = run(&loaded.scenarios[0], &Options { keep: Keep::All, ..Options::default() }, &|| false);
    assert_eq!(ran.report.result, RunResult::Passed, "{:?}", ran.report.steps);
    ran
}

/// The power operations in their order, equal ones in a row counted.
fn calls(ran: &Ran) -> String {
    let mut told: Vec<(&str, u32)> = Vec::new();
    for record in ran.records.iter().filter(|record| record.event == Event::Operation) {
        let Data::Call(operation) = &record.data else { continue };
        let method = operation.method();
        let is_power = method.contains("Power") || method.contains("Guest") || ["SuspendVM_Task", "ResetVM_Task"].contains(&method);
        match told.last_mut().filter(|(last, _)| *last == method) {
            Some((_, count)) => *count += 1,
            None if is_power => told.push((method, 1)),
            None => {}
        }
    }
    let texts = told.iter().map(|(method, count)| if *count == 1 { (*method).to_owned() } else { format!("{method} ×{count}") });
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() { "–".to_owned() } else { texts.join(", ") }
}

fn errors(ran: &Ran) -> String {
    let passes = ran.records.iter().filter_map(|record| match &record.data {
        Data::Passed(passed) => passed.verdict.error().map(ToString::to_string),
        _ => None,
    });
    let texts: BTreeSet<String> = passes.collect();
    texts.into_iter().collect::<Vec<_>>().join("; ")
}

fn power_of(ran: &Ran, kind_of: &str, pointer: &str) -> String {
    let object = ran.final_objects.iter().find(|object| object["kind"] == "VirtualMachine" && object["apiVersion"] == kind_of);
    object.and_then(|object| object.pointer(pointer)).and_then(Value::as_str).unwrap_or("?").to_owned()
}

#[test]
fn every_cell_of_the_power_table_does_what_it_did() {
    let mut table = String::from("desired    observed   mode    guest      | ends in    | calls | errors\n");
    for desired in STATES {
        for observed in STATES {
            for mode in MODES {
                for guest in Guest::ALL {
                    let ran = played(&document(desired, observed, mode, guest));
                    let status = power_of(&ran, "vmoperator.vmware.com/v1alpha5", "/status/powerState");
                    let real = power_of(&ran, "vsphere.vmtwin.dev/v1alpha1", "/runtime/powerState");
                    assert!(status.eq_ignore_ascii_case(&real), "{desired} {observed} {mode} {}: {status} is not {real}", guest.word());
                    let (calls, errors) = (calls(&ran), errors(&ran));
                    let line = format!("{desired:10} {observed:10} {mode:7} {:10} | {status:10} | {calls} | {errors}", guest.word());
                    table.push_str(line.trim_end());
                    table.push('\n');
                }
            }
        }
    }
    insta::with_settings!({prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("power-matrix", table);
    });
}
