//! Whole scenarios through the reader.

use vmtwin_model::time::Span;
use vmtwin_scenarios::diagnostics::Diagnostic;
use vmtwin_scenarios::format::{Expect, Loaded, Memory, Verb, is_scenario_file, load_bytes};

/// The shortest scenario that is one, with this text below `spec`.
fn scenario(spec: &str) -> String {
    format!("apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: short}}\nspec:\n{spec}")
}

fn load(text: &str) -> Loaded {
    load_bytes("a.yaml", text.as_bytes(), &Memory::default())
}

#[track_caller]
fn valid(text: &str) -> Loaded {
    let loaded = load(text);
    let rendered: Vec<String> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.render(false)).collect();
    assert!(rendered.is_empty(), "{}", rendered.join("\n"));
    loaded
}

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.code.id()).collect()
}

const WORLD: &str = "  vsphere:
    zones: [{name: zone-a, clusters: [{name: c, hosts: [{name: esx-, count: 3}]}]}]
    datastores: [{name: ds}]
    storagePolicies: [{name: gold}]
    namespaces: [{name: ns}]
";

#[test]
fn defaults_are_filled_in() {
    let loaded = valid(&scenario(WORLD));
    let scenario = &loaded.scenarios[0];
    assert_eq!((scenario.seed, scenario.horizon, scenario.start.to_string().as_str()), (0, Span::from_hours(24), "2026-01-01T00:00:00Z"));
    let cluster = &scenario.inventory.zones[0].clusters[0];
    let names: Vec<&str> = cluster.hosts.iter().map(|host| &*host.name).collect();
    assert_eq!(names, ["esx-0", "esx-1", "esx-2"]);
    let host = &cluster.hosts[2];
    assert_eq!((host.sockets, host.cores, host.clock.0, host.memory.to_string().as_str()), (2, 16, 2600, "256Gi"));
    assert_eq!(host.datastores.len(), 1, "all datastores unless told");
    assert!(cluster.drs.enabled && !cluster.ha.enabled);
    assert_eq!(scenario.inventory.datastores[0].capacity.to_string(), "10Ti");
    assert_eq!(&*scenario.inventory.networks[0].name, "workload");
    assert_eq!((&*scenario.inventory.networks[0].cidr, &*scenario.inventory.networks[0].gateway), ("10.1.0.0/16", "10.1.0.1"));
    assert_eq!(scenario.inventory.namespaces[0].zones.len(), 1);
}

#[test]
fn a_matrix_makes_a_scenario_of_each_combination() {
    let loaded = valid(&scenario(&format!(
        "{WORLD}  matrix: {{mode: [Hard, TrySoft], wait: [1m, 2m]}}
  seed: 7
  description: powers off by ${{mode}}
  steps: [{{sleep: \"${{wait}}\"}}]
"
    )));
    let names: Vec<&str> = loaded.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(
        names,
        ["short[mode=Hard,wait=1m]", "short[mode=Hard,wait=2m]", "short[mode=TrySoft,wait=1m]", "short[mode=TrySoft,wait=2m]"]
    );
    assert_eq!(loaded.scenarios[2].description, "powers off by TrySoft");
    assert!(matches!(loaded.scenarios[1].steps[0].verb, Verb::Sleep(span) if span == Span::from_mins(2)));
}

#[test]
fn a_scalar_that_is_nothing_else_takes_the_values_type() {
    let loaded = valid(&scenario(
        "  matrix: {hosts: [1, 2]}\n  vsphere: {zones: [{name: z, clusters: [{name: c, hosts: [{name: h-, count: \"${hosts}\"}]}]}]}\n",
    ));
    let hosts = |at: usize| loaded.scenarios[at].inventory.zones[0].clusters[0].hosts.len();
    assert_eq!((hosts(0), hosts(1)), (1, 2));
}

#[test]
fn files_take_their_places() {
    let inventory = "apiVersion: vmtwin.dev/v1alpha1\nkind: Inventory\nspec:\n  zones: [{name: z}]\n  datastores: [{name: a}, {name: b}]\n  namespaces: [{name: ns}]\n";
    let claims = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: one}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}\n";
    let more = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: three}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: four}\n";
    let files = Memory::default().with("inv/small.yaml", inventory).with("lib/maps/1.yaml", claims).with("lib/maps/2.yaml", more);
    let text = scenario("  vsphere: {from: ../inv/small.yaml, datastores: [{name: c}]}\n  state: [{file: \"maps/*.yaml\"}]\n");
    let text = format!("{text}---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: five}}}}\n");
    let loaded = load_bytes("lib/a.yaml", text.as_bytes(), &files);
    assert_eq!(loaded.diagnostics, Vec::<Diagnostic>::new());
    let scenario = &loaded.scenarios[0];
    let datastores: Vec<&str> = scenario.inventory.datastores.iter().map(|datastore| &*datastore.name).collect();
    assert_eq!(datastores, ["c"], "a field beside `from` replaces");
    let state: Vec<&str> = scenario.state.iter().map(|manifest| manifest.name()).collect();
    assert_eq!(state, ["one", "two", "three", "four"]);
    assert_eq!((scenario.objects[0].name(), scenario.objects[0].namespace()), ("five", "ns"));
    let place = scenario.state[3].origin.place_of(&vmtwin_scenarios::yaml::Path::parse("metadata.name"));
    assert_eq!(place.to_string(), "lib/maps/2.yaml:7:18");
}

#[test]
fn paths_stay_inside_and_files_are_no_circle() {
    let files = Memory::default()
        .with("x.yaml", "apiVersion: vmtwin.dev/v1alpha1\nkind: Inventory\nspec: {from: y.yaml}\n")
        .with("y.yaml", "apiVersion: vmtwin.dev/v1alpha1\nkind: Inventory\nspec: {from: x.yaml}\n");
    let code = |spec: &str| codes(&load_bytes("a.yaml", scenario(spec).as_bytes(), &files));
    assert_eq!(code("  vsphere: {from: x.yaml}\n"), ["VT5006"]);
    assert_eq!(code("  state: [{file: a.yaml}]\n"), ["VT5006"]);
    assert_eq!(code("  state: [{file: ../../etc/passwd}]\n"), ["VT1016"]);
    assert_eq!(code("  state: [{file: /etc/passwd}]\n"), ["VT1016"]);
    assert_eq!(code("  state: [{file: \"../*\"}]\n"), ["VT1016"]);
    assert_eq!(code("  vsphere: {from: nowhere.yaml}\n"), ["VT1015"]);
}

#[test]
fn requests_may_be_expected_to_be_denied() {
    let loaded = valid(&scenario(&format!(
        "{WORLD}  steps:
  - create: {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachine, metadata: {{name: vm}}, spec: {{storageClass: lead}}}}
    expect: {{denied: {{field: spec.storageClass, message: no}}}}
  - delete: VirtualMachine/ns/vm
  - {{as: administrator, delete: ClusterVirtualMachineImage/vmi-1}}
"
    )));
    let Verb::Create(manifests, Expect::Denied { field, .. }) = &loaded.scenarios[0].steps[0].verb else {
        panic!("a create that is denied")
    };
    assert_eq!((manifests[0].namespace(), field.as_deref()), ("ns", Some("spec.storageClass")));
}

#[test]
fn one_cause_is_told_once_and_all_causes_are_told() {
    let text = "  horizon: 90
  vsphere:
    zonez: [{name: zone-a}]
    datastores: [{name: ds, capacity: lots}]
    storagePolicies: [{name: gold, datastores: [sd]}]
    namespaces: [{name: ns, zones: [zone-a]}]
  steps:
  - aply: {}
  - sleep: -5s
";
    // The zone isn't told: it was lost with `zonez`.
    assert_eq!(codes(&load(&scenario(text))), ["VT3002", "VT1010", "VT3003", "VT1010", "VT3002"]);
}

#[test]
fn only_files_with_a_scenario_are_taken_from_a_folder() {
    assert!(is_scenario_file(scenario("").as_bytes()));
    assert!(is_scenario_file(b"kind: Scenario\n  broken: [\n"));
    assert!(!is_scenario_file(b"apiVersion: vmtwin.dev/v1alpha1\nkind: Inventory\nspec: {}\n"));
    assert!(!is_scenario_file(b"kind: List\nmetadata: {name: Scenario}\n"));
    assert!(!is_scenario_file(b"\xff\xfe\0"));
}
