//! What holds of a VM whatever happens: an operator may die at any event and the world ends the same; once faults end, a VM settles or says why it
//! can't; and no fault makes the operator work without end. Source: vm-lifecycle §2.3, §12, §22.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};
use vmtwin_model::kube::api::{Request, User};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::Span;
use vmtwin_scenarios::format::{self, Scenario};
use vmtwin_scenarios::log::Keep;
use vmtwin_scenarios::runner::{Options, RunResult, Simulation, Turn, run, set_up};
use vmtwin_tests::Nowhere;

const BIOS: &str = "f7c371d6-2003-5a48-9859-3bc9a8b08908";
const INSTANCE: &str = "6132d223-1566-5921-bc3b-df91ece09a4d";

/// A world with one VM's object; with `observed` its vSphere VM is there too.
fn world(spec: Value, annotations: Value, observed: Option<&str>) -> Value {
    let mut vm = json!({
        "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachine",
        "metadata": {"name": "vm", "namespace": "ns", "annotations": annotations},
        "spec": {"className": "small", "imageName": "vmi-1", "image": {"kind": "ClusterVirtualMachineImage", "name": "vmi-1"}, "storageClass": "gold",
            "powerState": "PoweredOn", "powerOffMode": "TrySoft", "suspendMode": "TrySoft", "restartMode": "TrySoft",
            "network": {"interfaces": [{"name": "eth0"}]}, "biosUUID": BIOS, "instanceUUID": INSTANCE},
    });
    merge(&mut vm["spec"], &spec);
    let mut machines = Vec::new();
    if let Some(observed) = observed {
        vm["status"] = json!({"uniqueID": "vm-101", "zone": "z", "powerState": observed});
        vm["metadata"]["labels"] = json!({"topology.kubernetes.io/zone": "z"});
        vm["metadata"]["finalizers"] = json!(["vmoperator.vmware.com/virtualmachine"]);
        vm["spec"]["network"] = json!({"disabled": true});
        let mut power = observed.to_owned();
        power[..1].make_ascii_lowercase();
        let tools = if observed == "PoweredOn" { "guestToolsRunning" } else { "guestToolsNotRunning" };
        machines.push(json!({
            "name": "ns/vm", "moID": "vm-101", "host": "esx-0", "guestProfile": "g",
            "runtime": {"powerState": power, "connectionState": "connected"},
            "config": {"uuid": BIOS, "instanceUuid": INSTANCE, "guestId": "otherGuest", "version": "vmx-19",
                "hardware": {"numCPU": 1, "memoryMB": 1024}, "extraConfig": {"vmservice.namespacedName": "ns/vm"}},
            "guest": {"toolsRunningStatus": tools},
        }));
    }
    json!({
        "apiVersion": "vmtwin.dev/v1alpha1", "kind": "Scenario", "metadata": {"name": "life"},
        "spec": {
            "operator": {"resyncPeriod": "none"},
            "vsphere": {
                "timings": {"*": "1s"},
                "zones": [{"name": "z", "clusters": [{"name": "c", "hosts": [{"name": "esx-", "count": 2, "datastores": ["ds"]}]}]}],
                "datastores": [{"name": "ds"}],
                "storagePolicies": [{"name": "gold", "datastores": ["ds"]}],
                "images": [{"name": "vmi-1", "guestID": "ubuntu64Guest", "guest": "g"}],
                "namespaces": [{"name": "ns", "zones": ["z"]}],
                "guests": {"g": {"boot": "20s", "shutdown": "20s", "standby": "20s"}},
                "virtualMachines": machines,
            },
            "state": [
                {"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClass", "metadata": {"name": "small", "namespace": "ns"},
                    "spec": {"hardware": {"cpus": 2, "memory": "4Gi"}}},
                vm,
            ],
            "steps": [{"settle": {}, "timeout": "4h"}],
        },
    })
}

fn merge(there: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        there[key] = value.clone();
    }
}

fn scenario(document: &Value) -> Scenario {
    let loaded = format::load_bytes(Path::new("life.yaml"), document.to_string().as_bytes(), &Nowhere);
    vmtwin_tests::assert_valid(&loaded);
    loaded.scenarios.into_iter().next().expect("one scenario")
}

fn key() -> ObjectKey {
    ObjectKey::of::<VirtualMachine>("ns", "vm")
}

/// Goes on until nothing is pending, but for so long at most; tells whether it came to rest.
fn settle(simulation: &mut Simulation, at_most: Span) -> bool {
    let end = simulation.now() + at_most;
    while simulation.next_pending().is_some() && simulation.now() < end {
        simulation.turn(end);
    }
    simulation.next_pending().is_none()
}

/// What a settled world comes down to: the object without its instants, and how its VM is.
fn essence(simulation: &Simulation) -> Value {
    let object = simulation.api().get(&key()).map(|object| told(object));
    let vms: Vec<Value> = simulation
        .world()
        .vms()
        .map(|vm| {
            let config = vm.config.clone().unwrap_or_default();
            let devices: Vec<String> = config.hardware.device.iter().map(|device| format!("{} {}", device.key, device.type_)).collect();
            json!({"name": vm.name, "power": vm.runtime.power_state, "cpus": config.hardware.num_cpu, "memory": config.hardware.memory_mb,
                "version": config.version, "guestID": config.guest_id, "devices": devices,
                "restarted": config.extra_config.get("vmservice.lastRestartTime")})
        })
        .collect();
    json!({"object": object, "vms": vms})
}

/// The places where two values differ, one a line.
fn difference(found: &Value, wanted: &Value, path: &str) -> String {
    match (found, wanted) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().map(|key| difference(&found[key], &wanted[key], &format!("{path}.{key}"))).collect()
        }
        _ if found == wanted => String::new(),
        _ => format!("{path}: {found}, not {wanted}\n"),
    }
}

fn told(object: &Object) -> Value {
    let vm = object.view::<VirtualMachine>().expect("a VM");
    let conditions: BTreeSet<String> =
        vm.status.conditions.iter().map(|there| format!("{} {} {} {}", there.type_, there.status, there.reason, there.message)).collect();
    // A probe of an image's readiness carries its instant.
    let conditions: BTreeSet<String> = conditions.into_iter().filter(|text| !text.starts_with("VirtualMachineImageReady")).collect();
    json!({"spec": vm.spec, "power": vm.status.power_state, "class": vm.status.class, "hardware": vm.status.hardware,
        "restarted": vm.status.last_restart_time, "finalizers": object.meta.finalizers, "annotations": object.meta.annotations,
        "labels": object.meta.labels, "conditions": conditions})
}

/// The stories of which every event is once the operator's last.
fn stories() -> Vec<(&'static str, Value, bool)> {
    let none = || json!({});
    vec![
        ("created and switched on", world(none(), none(), None), false),
        ("switched off by a guest that takes its time", world(json!({"powerState": "PoweredOff"}), none(), Some("PoweredOn")), false),
        ("suspended", world(json!({"powerState": "Suspended"}), none(), Some("PoweredOn")), false),
        ("resumed", world(none(), none(), Some("Suspended")), false),
        ("restarted", world(json!({"nextRestartTime": "2025-12-31T23:00:00Z", "restartMode": "Hard"}), none(), Some("PoweredOn")), false),
        (
            "resized on the way from off to on, with a newer hardware version",
            world(json!({"minHardwareVersion": 21}), json!({"vmoperator.vmware.com/same-vm-class-resize": ""}), Some("PoweredOff")),
            false,
        ),
        ("deleted", world(none(), none(), Some("PoweredOn")), true),
    ]
}

#[test]
fn an_operator_that_dies_at_any_event_leaves_the_same_world() {
    for (name, document, deleted) in stories() {
        let mut simulation = set_up(&scenario(&document), &Options::default()).expect("the world holds together");
        if deleted {
            simulation.user_request(&User::named("kubernetes-admin"), Request::Delete { key: key() }).expect("it may go");
        }
        let mut whole = simulation.clone();
        assert!(settle(&mut whole, Span::from_hours(4)), "{name}: it comes to rest");
        let wanted = essence(&whole);
        let mut events = 0;
        while simulation.next_pending().is_some() {
            let mut other = simulation.clone();
            other.restart_operator();
            assert!(settle(&mut other, Span::from_hours(4)), "{name}: it comes to rest though the operator died at event {events}");
            let found = essence(&other);
            assert!(
                found == wanted,
                "{name}: the operator died at event {events}, {}:\n{}",
                simulation.now(),
                difference(&found, &wanted, "")
            );
            events += 1;
            if matches!(simulation.turn(whole.now()), Turn::Idle) {
                break;
            }
        }
        assert!(events > 5, "{name}: {events} events are no story");
    }
}

/// Every call that a VM's life makes, with faults that it may meet.
const FAULTS: &[(&str, &str)] = &[
    ("deployLibraryItem", "InvalidRequest"),
    ("RetrievePropertiesEx", "NotAuthenticated"),
    ("FindAllByUuid", "SystemError"),
    ("ReconfigVM_Task", "GenericVmConfigFault"),
    ("ReconfigVM_Task", "TaskInProgress"),
    ("ReconfigVM_Task", "ConcurrentAccess"),
    ("UpgradeVM_Task", "NotSupported"),
    ("CustomizeVM_Task", "CustomizationFault"),
    ("PowerOnVM_Task", "NoCompatibleHost"),
    ("PowerOnVM_Task", "InvalidPowerState"),
    ("PowerOffVM_Task", "HostNotConnected"),
    ("ShutdownGuest", "ToolsUnavailable"),
    ("StandbyGuest", "InvalidPowerState"),
    ("SuspendVM_Task", "HostCommunication"),
    ("RebootGuest", "SystemError"),
    ("ResetVM_Task", "HostNotConnected"),
    ("Destroy_Task", "TaskInProgress"),
    ("PlaceVmsXCluster", "InsufficientResourcesFault"),
];

/// How many passes a VM may take in an hour in which nothing goes as it should: back-off alone makes two dozen.
const PASSES_PER_HOUR: u64 = 90;
/// A create that failed is tried again after ten seconds, with a pass for the VM and one for its deploy.
const PASSES_OF_CREATES: u64 = 2 * 360 + PASSES_PER_HOUR;

#[test]
fn no_fault_makes_the_operator_work_without_end() {
    let mut table = Vec::new();
    for (operation, fault) in FAULTS {
        for (name, mut document, deleted) in stories() {
            document["spec"]["vsphere"]["faults"] = json!([{"operation": operation, "fault": fault}]);
            let mut simulation = set_up(&scenario(&document), &Options::default()).expect("the world holds together");
            if deleted {
                simulation.user_request(&User::named("kubernetes-admin"), Request::Delete { key: key() }).expect("it may go");
            }
            let end = simulation.now() + Span::from_hours(1);
            while simulation.now() < end {
                simulation.turn(end);
            }
            let passes = simulation.work().passes;
            if passes > if *operation == "deployLibraryItem" { PASSES_OF_CREATES } else { PASSES_PER_HOUR } {
                table.push(format!("{operation} fails with {fault}, {name}: {passes} passes in an hour"));
            }
        }
    }
    assert!(table.is_empty(), "{}", table.join("\n"));
}

/// What happens to a VM, in the words of a scenario's steps.
fn happening() -> impl Strategy<Value = Value> {
    let vm = |what: &str| json!({"vsphere": {"vm": "ns/vm", what: true}});
    let patch = |spec: Value| json!({"patch": {"kind": "VirtualMachine", "metadata": {"name": "vm", "namespace": "ns"}, "spec": spec}, "as": "administrator"});
    let fault = |operation: &str, name: &str| json!({"vsphere": {"fault": {"operation": operation, "fault": name, "times": 3}}});
    let out_of_band: Vec<Value> = ["guestHang", "guestCrash"].iter().map(|what| vm(what)).collect();
    let hosts: Vec<Value> = ["fail", "recover"].iter().map(|what| json!({"vsphere": {"host": "esx-0", *what: true}})).collect();
    let states: Vec<Value> = ["PoweredOn", "PoweredOff"].iter().map(|state| patch(json!({"powerState": state}))).collect();
    let modes: Vec<Value> =
        ["Hard", "Soft", "TrySoft"].iter().map(|mode| patch(json!({"powerOffMode": mode, "suspendMode": mode}))).collect();
    let faults: Vec<Value> = FAULTS.iter().map(|(operation, name)| fault(operation, name)).collect();
    let waits = (1_u32..400).prop_map(|seconds| json!({"sleep": format!("{seconds}s")}));
    let chosen = |all: Vec<Value>| prop::sample::select(all);
    prop_oneof![
        1 => chosen(out_of_band),
        1 => chosen(hosts),
        3 => chosen(states),
        2 => chosen(modes),
        3 => chosen(faults),
        1 => Just(json!({"operator": {"restart": true}})),
        5 => waits,
    ]
}

proptest! {
    #![proptest_config(Config { cases: 48, failure_persistence: None, ..Config::default() })]

    #[test]
    fn once_faults_end_a_vm_settles_or_says_why_not(
        observed in prop::sample::select(vec![None, Some("PoweredOn"), Some("PoweredOff"), Some("Suspended")]),
        happenings in prop::collection::vec(happening(), 1..12),
    ) {
        let mut document = world(json!({}), json!({}), observed);
        // A retry that is due after the last fault of a rule counts as idle, so the rules of rest would speak too early.
        let of_rest = ["keys-agree", "power-reached", "resize-marks-true", "rest-is-rest", "status-true"];
        document["spec"]["invariants"] = json!({"disable": of_rest});
        // What has happened already, or can't any more, is refused by the twin; the steps after it are as good without it.
        let mut steps: Vec<Value> = Vec::new();
        for happening in happenings {
            let mut tried = steps.clone();
            tried.push(happening);
            document["spec"]["steps"] = json!(tried);
            let ran = run(&scenario(&document), &Options { keep: Keep::All, ..Options::default() }, &|| false);
            prop_assert!(ran.report.violations.is_empty(), "{}\n{}", document, ran.report.to_json());
            if ran.report.result == RunResult::Passed {
                steps = tried;
            }
        }
        // A guest that hangs holds a soft operation for good; that fault ends, too.
        let soft = json!({"powerOffMode": "TrySoft", "suspendMode": "TrySoft"});
        steps.push(json!({"patch": {"kind": "VirtualMachine", "metadata": {"name": "vm", "namespace": "ns"}, "spec": soft}, "as": "administrator"}));
        steps.push(json!({"sleep": "40m"}));
        steps.push(json!({"settle": {}, "timeout": "6h"}));
        document["spec"]["steps"] = json!(steps);
        let ran = run(&scenario(&document), &Options { keep: Keep::All, ..Options::default() }, &|| false);
        prop_assert_eq!(ran.report.result, RunResult::Passed, "{}\n{}", document, ran.report.to_json());
        let mine = |object: &&Value| object["kind"] == "VirtualMachine" && object["apiVersion"] == "vmoperator.vmware.com/v1alpha5";
        let vm = ran.final_objects.iter().find(mine).expect("the object is there");
        let same = vm["spec"]["powerState"] == vm["status"]["powerState"];
        let why = vm["status"]["conditions"].as_array().into_iter().flatten().any(|condition| condition["status"] == "False");
        prop_assert!(same || why, "{}\n{}", document, vm);
    }
}
