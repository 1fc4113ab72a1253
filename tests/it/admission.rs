//! Admission as a whole: a case for each rule, the page of the documentation, and what holds for any sequence of requests.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use vmtwin_engine::admission::{FIELDS, May, Ruling, TRANSITIONS, order, rules};
use vmtwin_tests::admission::{Chain, ON, check};
use vmtwin_tests::root;

/// Rules that no manifest can break: the schema of the status knows no other type of volume.
const WITHOUT_CASE: [&str; 1] = ["QU-26"];

fn read(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("tests/admission").join(name)).expect("a file of cases");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Our own cases, each with the world that all of them share.
fn cases() -> Vec<Value> {
    let world = read("world.yaml");
    let mut names: Vec<String> = std::fs::read_dir(root().join("tests/admission"))
        .expect("the folder of cases")
        .map(|entry| entry.expect("a file of cases").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "world.yaml")
        .collect();
    names.sort();
    let mut cases: Vec<Value> = names.iter().flat_map(|name| read(name)).collect();
    for case in &mut cases {
        let own = case["given"].as_array().cloned().unwrap_or_default();
        let named = |object: &Value| (object["kind"].clone(), object["metadata"]["name"].clone());
        let others = world.iter().filter(|object| own.iter().all(|own| named(own) != named(object)));
        case["given"] = others.chain(&own).cloned().collect();
    }
    cases
}

#[test]
fn every_case_holds() {
    let cases = cases();
    let wrong: Vec<String> = cases
        .iter()
        .map(|case| (case, check(case, &ON)))
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(case, wrong)| format!("{} {} {}: {}", case["id"], case["rules"], case["title"], wrong.join("; ")))
        .collect();
    println!("admission cases: {} of {} hold", cases.len() - wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_case() {
    let cases = cases();
    let shown: BTreeSet<&str> =
        cases.iter().flat_map(|case| case["rules"].as_array().into_iter().flatten()).filter_map(Value::as_str).collect();
    let known: BTreeSet<&str> = rules().map(|rule| rule.id).collect();
    let missing: Vec<&&str> = known.iter().filter(|id| !shown.contains(**id) && !WITHOUT_CASE.contains(*id)).collect();
    let unknown: Vec<&&str> = shown.difference(&known).collect();
    println!("admission rules: {} of {} have a case", known.len() - missing.len() - WITHOUT_CASE.len(), known.len());
    assert!(missing.is_empty() && unknown.is_empty(), "without a case: {missing:?}; cases of no rule: {unknown:?}");
    let ids: BTreeSet<&str> = cases.iter().filter_map(|case| case["id"].as_str()).collect();
    assert_eq!(ids.len(), cases.len(), "a case's id is its own");
}

#[test]
fn the_pages_of_the_documentation_are_fresh() {
    for (name, page) in [("docs/admission.md", page()), ("docs/guest-network.md", vmtwin_engine::guest_network::page())] {
        let path = root().join(name);
        if std::env::var_os("VMTWIN_BLESS").is_some() {
            std::fs::write(&path, &page).expect("the page can be written");
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == page, "{name} is not what the tables say: run this test with VMTWIN_BLESS=1");
    }
}

fn page() -> String {
    let mut page = "# Admission\n\nWhat is let in, what is refused with which words, and what is filled in. This page is made from the tables that the \
                    code reads: `engine/src/admission/changes.rs`, `transitions.rs`, the lists of `mod.rs`, and `rules.tsv` beside them. Each rule \
                    has a case in `tests/admission`.\n\nMarks: `[seed]` the VM Operator documentation requires it, `[up]` only upstream's code \
                    does, `[seed+]` the documentation does and upstream's code doesn't, `[choice]` neither says it.\n"
        .to_owned();
    page += "\n## Who may change what on an existing VirtualMachine\n\nBy the desired power states before and after: on (both `PoweredOn`, and no \
             power-on check before), off (either is `PoweredOff`, or there was a check), suspended (neither).\n\n| field | on | off | suspended | \
             rules |\n| --- | --- | --- | --- | --- |\n";
    for field in FIELDS {
        let [on, off, suspended] = field.may.map(word);
        writeln!(page, "| `{}` | {on} | {off} | {suspended} | {} |", field.path.replace('|', "\\|"), field.rules).expect("text grows");
    }
    page += "\n## Power states\n\n| from | to | |\n| --- | --- | --- |\n";
    for row in TRANSITIONS {
        let from = row.from.map_or("(new)", |from| from.as_str());
        let ruling = match row.ruling {
            Ruling::Allowed => "allowed".to_owned(),
            Ruling::Refused { rule, text } => format!("{rule}: {text}"),
            Ruling::OnlyHard { rule, text } => format!("with `powerOffMode: Hard` alone, {rule}: {text}"),
        };
        writeln!(page, "| {from} | {} | {ruling} |", row.to).expect("text grows");
    }
    page +=
        "\n## In which order\n\nA mutation that refuses ends the chain; validations are asked all, and what they find is said together.\n";
    for order in order() {
        writeln!(page, "\n**{}, {}**: {}.", order.kind, order.stage, order.ids.join(" · ")).expect("text grows");
    }
    page += "\n## Every rule\n\n| id | on | path | when | answer | gate | mark |\n| --- | --- | --- | --- | --- | --- | --- |\n";
    for rule in rules() {
        let cells = [rule.id, rule.on, rule.path, rule.when, rule.answer, rule.gate, rule.mark].map(|cell| cell.replace('|', "\\|"));
        writeln!(page, "| {} |", cells.join(" | ")).expect("text grows");
    }
    page
}

fn word(may: May) -> &'static str {
    match may {
        May::Change => "free",
        May::Stay => "fixed",
        May::Privileged => "privileged users",
        May::Once => "while it isn't set",
    }
}

/// Parts of a VM's spec to choose from, some of them wrong.
fn spec_parts() -> Vec<(&'static str, Vec<Value>)> {
    let interface = |more: Value| {
        let mut interface = json!({"name": "eth0", "network": {"name": "red"}});
        for (field, value) in more.as_object().into_iter().flatten() {
            interface[field] = value.clone();
        }
        json!({"interfaces": [interface]})
    };
    let cdrom = |image: &str| json!({"cdrom": [{"name": "cd1", "image": {"kind": "VirtualMachineImage", "name": image}}]});
    let place = json!({"name": "a", "persistentVolumeClaim": {"claimName": "a"}, "controllerType": "SCSI", "controllerBusNumber": 1, "unitNumber": 0});
    vec![
        ("className", vec![json!("small"), json!("large"), json!("")]),
        ("imageName", vec![json!("vmi-1"), json!("photon"), json!("nothing")]),
        ("storageClass", vec![json!("gold"), json!("encrypted"), json!("lead")]),
        ("powerState", vec![json!("PoweredOn"), json!("PoweredOff"), json!("Suspended"), json!("")]),
        ("powerOffMode", vec![json!("Hard"), json!("Soft")]),
        ("nextRestartTime", vec![json!("now"), json!("later")]),
        ("biosUUID", vec![json!("11111111-2222-4333-8444-555555555555"), json!("x")]),
        ("instanceUUID", vec![json!("11111111-2222-4333-8444-555555555556")]),
        ("guestID", vec![json!("otherGuest"), json!("windows9Server64Guest")]),
        ("groupName", vec![json!("web"), json!("db")]),
        (
            "affinity",
            vec![
                json!({}),
                json!({"vmAffinity": {"requiredDuringSchedulingPreferredDuringExecution": [{"topologyKey": "topology.kubernetes.io/zone"}]}}),
            ],
        ),
        ("crypto", vec![json!({}), json!({"encryptionClassName": "a"})]),
        (
            "hardware",
            vec![
                json!({}),
                cdrom("vmi-1"),
                cdrom("vmi-2"),
                json!({"ideControllers": [{"busNumber": 1}]}),
                json!({"scsiControllers": [{"busNumber": 1}]}),
            ],
        ),
        (
            "volumes",
            vec![
                json!([{"name": "a", "persistentVolumeClaim": {"claimName": "a"}}]),
                json!([place]),
                json!([{"name": "", "removable": false}]),
            ],
        ),
        (
            "network",
            vec![
                interface(json!({})),
                interface(json!({"mtu": 9000})),
                interface(json!({"addresses": ["10.0.0.1/24"], "gateway4": "10.0.0.2"})),
                json!({"disabled": true}),
                json!({"hostName": "a_b"}),
            ],
        ),
        (
            "bootstrap",
            vec![json!({"cloudInit": {}}), json!({"linuxPrep": {}}), json!({"sysprep": {}}), json!({"vAppConfig": {"rawProperties": "s"}})],
        ),
        (
            "bootOptions",
            vec![
                json!({"bootRetryDelay": "1s"}),
                json!({"firmware": "efi", "efiSecureBoot": "Enabled"}),
                json!({"bootOrder": [{"type": "Network", "name": "eth0"}]}),
            ],
        ),
        ("minHardwareVersion", vec![json!(20), json!(21), json!(23)]),
        ("currentSnapshotName", vec![json!("s"), json!(" ")]),
        ("readinessProbe", vec![json!({"guestHeartbeat": {}}), json!({"tcpSocket": {"port": 80}})]),
        ("advanced", vec![json!({"bootDiskCapacity": "20Gi"}), json!({"bootDiskCapacity": "900Gi"}), json!({"bootDiskCapacity": "1"})]),
        ("reserved", vec![json!({"resourcePolicyName": "p"})]),
    ]
}

/// Annotations (first) and labels to choose from.
fn meta_parts() -> [Vec<(&'static str, &'static str)>; 2] {
    [
        vec![
            ("poweron.check.vmoperator.vmware.com/a", "x"),
            ("delete.check.vmoperator.vmware.com/a", "x"),
            ("vmoperator.vmware.com/failed-over-vm", "x"),
            ("vmoperator.vmware.com.protected/apply-power-state-time", "2026-01-01T00:00:00Z"),
            ("vmoperator.vmware.com/upgraded-to-schema-version", "v1alpha1"),
            ("vsphere-cluster-module-group", "m"),
        ],
        vec![
            ("topology.kubernetes.io/zone", "zone-1"),
            ("topology.kubernetes.io/zone", "nowhere"),
            ("vmoperator.vmware.com/paused", "x"),
            ("capv.vmware.com/cluster.role", "node"),
        ],
    ]
}

/// One change of a VM's manifest: of a field, an annotation or a label; nothing to take it off.
#[derive(Clone, Debug)]
struct Edit {
    part: &'static str,
    name: &'static str,
    value: Option<Value>,
}

fn edit() -> impl Strategy<Value = Edit> {
    let spec: Vec<(&'static str, &'static str, Value)> =
        spec_parts().into_iter().flat_map(|(name, values)| values.into_iter().map(move |value| ("spec", name, value))).collect();
    let [annotations, labels] = meta_parts();
    let meta = annotations
        .into_iter()
        .map(|(name, value)| ("annotations", name, json!(value)))
        .chain(labels.into_iter().map(|(name, value)| ("labels", name, json!(value))));
    let all: Vec<_> = spec.into_iter().chain(meta).collect();
    (prop::sample::select(all), any::<u8>()).prop_map(|((part, name, value), gone)| Edit {
        part,
        name,
        value: (gone > 40).then_some(value),
    })
}

fn apply(vm: &mut Value, edits: &[Edit]) {
    for edit in edits {
        let part = if edit.part == "spec" { &mut vm["spec"] } else { &mut vm["metadata"][edit.part] };
        match &edit.value {
            Some(value) => part[edit.name] = value.clone(),
            None => {
                if let Some(fields) = part.as_object_mut() {
                    fields.remove(edit.name);
                }
            }
        }
    }
}

/// What the API server keeps for itself doesn't come with a manifest.
fn as_manifest(stored: &Value) -> Value {
    let mut manifest = stored.clone();
    if let Some(meta) = manifest["metadata"].as_object_mut() {
        for field in ["resourceVersion", "uid", "creationTimestamp", "generation"] {
            meta.remove(field);
        }
    }
    manifest
}

#[test]
fn what_was_let_in_may_stay_and_is_complete() {
    let request = (prop::collection::vec(edit(), 0..4), prop_oneof![Just("devops"), Just("privileged")]);
    let gates = prop::sample::subsequence(
        vec![
            "VMSharedDisks",
            "AllDisksArePVCs",
            "MutableNetworks",
            "ImmutableClasses",
            "VMImportNewNet",
            "VMIncrementalRestore",
            "GuestCustomizationVCDParity",
        ],
        0..4,
    );
    let strategy = (gates, prop::collection::vec(request, 1..6));
    let world = read("world.yaml");
    let config = Config { cases: 192, failure_persistence: None, ..Config::default() };
    let mut admitted = 0;
    let counted = std::cell::Cell::new(0_u32);
    TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha))
        .run(&strategy, |(gates, requests)| {
            let mut chain = Chain::of(&json!({"given": world, "features": gates}), &ON);
            let mut vm = json!({
                "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachine",
                "metadata": {"name": "my-vm", "namespace": "my-namespace", "annotations": {}, "labels": {}},
                "spec": {"className": "small", "imageName": "vmi-1", "storageClass": "gold"}
            });
            let mut verb = "create";
            for (edits, user) in requests {
                let mut asked = vm.clone();
                apply(&mut asked, &edits);
                let Ok(stored) = chain.ask(&json!({"verb": verb, "as": user, "object": asked})).result else { continue };
                counted.set(counted.get() + 1);
                vm = as_manifest(&stored);
                for user in ["devops", "privileged"] {
                    let again = chain.ask(&json!({"verb": "update", "as": user, "object": vm}));
                    let same = again.result.unwrap_or_else(|error| panic!("{user} may not leave this unchanged: {error}\n{vm}"));
                    // A volume or a CD-ROM gets its slot with the first update, since upstream gives out none at a create.
                    if verb == "update" {
                        assert_eq!(as_manifest(&same)["spec"], vm["spec"], "mutation is idempotent");
                    } else {
                        vm = as_manifest(&same);
                    }
                }
                if verb == "create" {
                    let mut twin = vm.clone();
                    twin["metadata"]["name"] = "my-twin".into();
                    let second = chain.clone().ask(&json!({"verb": "create", "as": "privileged", "object": twin}));
                    if let Ok(second) = second.result {
                        assert_eq!(as_manifest(&second)["spec"], vm["spec"], "mutation is idempotent");
                    }
                }
                verb = "update";
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    admitted += counted.get();
    assert!(admitted > 100, "only {admitted} requests were let in");
}
