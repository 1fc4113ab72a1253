//! The examples of the page, worked. Source: capacity §3.

use std::path::Path;

use super::*;
use crate::format::{Memory, load_bytes};

/// W of the page: one zone, one cluster, four hosts of 16 cores × 2,500 MHz and 64 GiB; the class m reserves its 16 GiB, n nothing.
fn world(ha: &str, rest: &str) -> Plan {
    let text = format!(
        r#"
apiVersion: vmtwin.dev/v1alpha1
kind: Scenario
metadata: {{name: w}}
spec:
  vsphere:
    zones:
    - name: zone-a
      clusters:
      - name: cluster-a1
        hosts: [{{name: esx-a1-, count: 4, cpu: {{sockets: 1, cores: 16, mhz: 2500}}, memory: 64Gi}}]
        ha: {ha}
    datastores: [{{name: ds, type: vmfs, capacity: 100Ti}}]
    storagePolicies: [{{name: gold}}]
    images: [{{name: linux, disks: [{{size: 1Gi, capacity: 1Gi}}], guest: quick}}]
    guests: {{quick: {{boot: 20s, toolsStart: 5s}}}}
    timings: {{"*": 2s}}
    namespaces: [{{name: team, zones: [zone-a]}}]
  objects:
  - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachineClass, metadata: {{name: m, namespace: team}},
     spec: {{hardware: {{cpus: 4, memory: 16Gi}}, policies: {{resources: {{requests: {{memory: 16Gi}}}}}}}}}}
  - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachineClass, metadata: {{name: n, namespace: team}},
     spec: {{hardware: {{cpus: 4, memory: 16Gi}}}}}}
  - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachineClass, metadata: {{name: huge, namespace: team}},
     spec: {{hardware: {{cpus: 4, memory: 96Gi}}, policies: {{resources: {{requests: {{memory: 96Gi}}}}}}}}}}
{rest}"#
    );
    let loaded = load_bytes(Path::new("w.yaml"), text.as_bytes(), &Memory::default());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics.iter().map(|told| &told.message).collect::<Vec<_>>());
    Plan::of(loaded.scenarios.into_iter().next().expect("one scenario"))
}

const HA: &str = "{enabled: true, admissionControl: {policy: clusterResourcePercentage, hostFailuresToTolerate: 1}}";
const NO_HA: &str = "{enabled: false}";

fn headroom(mut plan: Plan, question: HeadroomQuestion) -> Value {
    plan.headroom = vec![question];
    let outcome = run(&plan, &|| false).expect("it is answered");
    outcome.to_json()["results"][0]["headroom"][0].clone()
}

#[test]
fn eleven_fit_beside_what_ha_keeps_and_ha_alone_binds() {
    let told = headroom(world(HA, ""), HeadroomQuestion::of("m"));
    assert_eq!(told["fits"], 11, "{told:#}");
    assert_eq!(told["stopped"]["constraint"], "ha");
    assert_eq!(told["stopped"]["stage"], "powerOn");
    assert_eq!((&told["stopped"]["hosts"]["ha"], &told["stopped"]["hostsTotal"]), (&json!(4), &json!(4)));
    assert_eq!(told["binding"], json!([{"constraint": "ha", "fitsWithout": 12}]));
    assert_eq!((&told["bounds"]["volume"], &told["bounds"]["upper"], &told["bounds"]["proven"]), (&json!(11), &json!(11), &json!(true)));
}

#[test]
fn without_ha_three_a_host_fit() {
    let told = headroom(world(NO_HA, ""), HeadroomQuestion::of("m"));
    assert_eq!(told["fits"], 12, "{told:#}");
    let bounds = &told["bounds"];
    assert_eq!(
        (&bounds["volume"], &bounds["hosts"], &bounds["upper"], &bounds["proven"]),
        (&json!(14), &json!(12), &json!(12), &json!(true))
    );
    assert_eq!(told["placements"], json!({"esx-a1-0": 3, "esx-a1-1": 3, "esx-a1-2": 3, "esx-a1-3": 3}));
}

#[test]
fn a_class_that_reserves_nothing_is_stopped_by_the_planner() {
    let told = headroom(world(HA, ""), HeadroomQuestion::of("n"));
    assert_eq!((&told["fits"], &told["stopped"]["constraint"]), (&json!(12), &json!("overcommit.memory")), "{told:#}");
    let mut plan = world(HA, "");
    plan.overcommit.memory = Some(150);
    assert_eq!(headroom(plan, HeadroomQuestion::of("n"))["fits"], 18);
}

#[test]
fn what_is_larger_than_a_host_needs_two_limits_lifted_at_once() {
    let told = headroom(world(HA, ""), HeadroomQuestion::of("huge"));
    assert_eq!((&told["fits"], &told["binding"]), (&json!(0), &json!([])), "{told:#}");
    assert_eq!(told["together"], json!(["memory", "overcommit.memory"]));
}

#[test]
fn vms_that_repel_each_other_find_a_host_each() {
    let question = HeadroomQuestion { apart: Some(Apart::Host), ..HeadroomQuestion::of("m") };
    let told = headroom(world(NO_HA, ""), question);
    assert_eq!((&told["fits"], &told["bounds"]["clique"]), (&json!(4), &json!(4)), "{told:#}");
    assert_eq!(told["stopped"]["stage"], "placement");
}

#[test]
fn a_limit_ends_the_count() {
    let told = headroom(world(HA, ""), HeadroomQuestion { limit: 3, ..HeadroomQuestion::of("m") });
    assert_eq!((&told["fits"], &told["stopped"]["constraint"]), (&json!(3), &json!("limit")));
}

/// Two m on each host.
fn two_a_host() -> String {
    let vm = |n: usize| {
        format!(
            "  - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachine, metadata: {{name: vm-{n}, namespace: team}},\n     \
             spec: {{className: m, imageName: linux, storageClass: gold, network: {{disabled: true}}}}}}\n"
        )
    };
    (0..8).map(vm).collect()
}

#[test]
fn each_host_is_survived_and_the_recovery_is_what_its_parts_take() {
    let mut plan = world(HA, &two_a_host());
    plan.survive = Some(SurviveQuestion { of: [Sets::Hosts, Sets::Zones].into(), within: Span::from_hours(1), keep: None });
    plan.requirements = vec![Requirement::Survive { of: Sets::Hosts, within: Some(Span::from_mins(10)) }];
    let outcome = run(&plan, &|| false).expect("it is answered");
    let told = outcome.to_json();
    let survive = &told["results"][0]["survive"];
    assert_eq!(
        (&survive["tried"], &survive["survived"]),
        (&json!({"hosts": 4, "zones": 1}), &json!({"hosts": 4, "zones": 0})),
        "{survive:#}"
    );
    let zone = &survive["failures"][0];
    assert_eq!((&zone["kind"], &zone["lost"], &zone["restarted"], &zone["downCount"]), (&json!("zone"), &json!(8), &json!(0), &json!(8)));
    assert_eq!(zone["downAtLeast"], 8);
    let host = &survive["failures"][1];
    assert_eq!((&host["kind"], &host["lost"], &host["restarted"], &host["survived"]), (&json!("host"), &json!(2), &json!(2), &json!(true)));
    // A declaration of at most 35 s, 12 s of preparation, 2 s to switch on, 20 s of boot and 5 s until the tools run.
    assert!(host["recoverySeconds"]["max"].as_f64().is_some_and(|seconds| (54.0..80.0).contains(&seconds)), "{host:#}");
    assert!(outcome.held());
}

#[test]
fn without_ha_all_that_was_lost_is_down_and_nothing_protected_it() {
    let mut plan = world(NO_HA, &two_a_host());
    plan.survive = Some(SurviveQuestion { of: [Sets::Hosts].into(), within: Span::from_hours(1), keep: None });
    plan.requirements = vec![Requirement::Survive { of: Sets::Hosts, within: None }];
    let outcome = run(&plan, &|| false).expect("it is answered");
    let told = outcome.to_json();
    let failure = &told["results"][0]["survive"]["failures"][0];
    assert_eq!((&failure["downCount"], failure["notProtected"].as_array().map(Vec::len)), (&json!(2), Some(2)), "{failure:#}");
    assert!(!outcome.held());
}

#[test]
fn what_is_wrong_with_a_plan_is_said_with_its_code() {
    let ask = |change: &dyn Fn(&mut Plan)| {
        let mut plan = world(HA, "");
        change(&mut plan);
        run(&plan, &|| false).expect_err("it is wrong").to_string()
    };
    assert!(ask(&|plan| plan.headroom = vec![HeadroomQuestion::of("mm")]).starts_with("CAP002: no class is named `mm`"));
    let unclear = ask(&|plan| {
        plan.baseline.inventory.images.clear();
        plan.headroom = vec![HeadroomQuestion::of("m")];
    });
    assert_eq!(unclear, "CAP004: which image new VMs are to have isn't clear: the baseline has none");
    let twice = ask(&|plan| plan.headroom = vec![HeadroomQuestion::of("m"), HeadroomQuestion::of("m")]);
    assert!(twice.starts_with("CAP005"), "{twice}");
    assert!(ask(&|plan| plan.baseline.inventory.zones[0].clusters[0].hosts.clear()).starts_with("CAP003"));
}
