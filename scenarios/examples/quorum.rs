//! A property test as another team would write it: a database of three VMs keeps its quorum whatever users ask for beside it, while one host
//! fails. `cargo test --example quorum --features proptest` runs it; `cargo run` prints one such story.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use vmtwin_scenarios::explore::harness::{Happenings, World};
use vmtwin_scenarios::explore::{Harness, strategy};
use vmtwin_scenarios::invariants;

/// Three VMs of a tier, kept on different zones.
fn database(world: &World) -> String {
    let namespace = &world.namespaces()[0];
    let vm = |at: u32| {
        format!(
            "apiVersion: vmoperator.vmware.com/v1alpha5
kind: VirtualMachine
metadata: {{name: db-{at}, namespace: {namespace}, labels: {{tier: db}}}}
spec: {{className: c-1, imageName: vmi-1, storageClass: p1, groupName: db, affinity: {{vmAntiAffinity: {{requiredDuringSchedulingPreferredDuringExecution: [
  {{labelSelector: {{matchLabels: {{tier: db}}}}, topologyKey: topology.kubernetes.io/zone}}]}}}}}}
---
"
        )
    };
    let members = "[{name: db-1}, {name: db-2}, {name: db-3}]";
    let group = format!(
        "apiVersion: vmoperator.vmware.com/v1alpha5
kind: VirtualMachineGroup
metadata: {{name: db, namespace: {namespace}}}
spec: {{powerState: PoweredOn, bootOrder: [{{members: {members}}}]}}
"
    );
    (1..=3).map(vm).collect::<String>() + &group
}

/// Worlds with three zones, room enough, and guests that do as they are told.
fn worlds() -> impl Strategy<Value = World> {
    strategy::world()
        .zones(3)
        .hosts_per_cluster(1..=3)
        .for_vms(60)
        .with("world.keyProviders", "0")
        .with("world.groups", "0")
        .with("world.namespaces", "1")
        .with("world.tightness", "30%")
        .with("world.quota", "{tight: 0, ample: 0}")
        .with("world.ha", "{percentage: 0, slots: 0, failoverHosts: 0}")
}

/// VMs of others come and are switched on and off.
fn others() -> impl Strategy<Value = Happenings> {
    strategy::operations().profile("power").steps(3..12).only("users.operations", &["createVM"])
}

/// One host fails, and comes back.
fn one_host_fails() -> impl Strategy<Value = Happenings> {
    strategy::faults().steps(1).only("faults.kinds", &["hostFail"])
}

fn harness(world: World, others: &Happenings, fault: &Happenings) -> Harness {
    let database = database(&world);
    Harness::new(world).apply(&database).play(others).faults(fault).invariants(invariants::named(&[
        "power-on-held",
        "one-vm-each",
        "zone-kept",
    ]))
}

fn main() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let one = (worlds(), others(), one_host_fails()).new_tree(&mut runner).expect("a story");
    let (world, others, fault) = one.current();
    let run = harness(world, &others, &fault).run();
    println!("{}{} of the database's VMs run at the end", run.story(), run.at_end().vms().labelled("tier", "db").powered_on());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_database_keeps_its_quorum(world in worlds(), others in others(), fault in one_host_fails()) {
        let run = harness(world, &others, &fault).run();
        prop_assert!(run.violations().is_empty(), "{}", run.story());
        prop_assert!(run.at_end().vms().labelled("tier", "db").powered_on() >= 2, "{}", run.story());
    }
}
