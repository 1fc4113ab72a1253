//! Work is counted: passes, writes, calls and records of one VM's life, and that they don't grow with the number of others.

use std::path::Path;

use vmtwin_scenarios::format::{self, Scenario};
use vmtwin_scenarios::runner::{Options, Ran, RunResult, run};

/// A scenario of so many VMs that are created, run, and are deleted.
fn lives(count: usize) -> Scenario {
    let mut text = String::from(
        "apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {name: lives}\nspec:\n  operator: {maxDeployThreadsOnProvider: 640}\n  vsphere:\n    \
         zones: [{name: z, clusters: [{name: c, hosts: [{name: h-, count: 4, memory: 1Ti}]}]}]\n    datastores: [{name: d, capacity: 100Ti}]\n    \
         storagePolicies: [{name: p}]\n    images: [{name: vmi-1}]\n    timings: {\"*\": 1s}\n    namespaces: [{name: ns}]\n  objects:\n  \
         - {apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachineClass, metadata: {name: small, namespace: ns}, spec: {hardware: {cpus: 1, memory: 1Gi}}}\n",
    );
    for n in 0..count {
        text.push_str(&format!(
            "  - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachine, metadata: {{name: vm-{n:04}, namespace: ns}}, spec: {{className: small, imageName: vmi-1, storageClass: p}}}}\n"
        ));
    }
    text.push_str("  steps:\n  - settle: {}\n    timeout: 4h\n  - delete:\n");
    for n in 0..count {
        text.push_str(&format!("    - VirtualMachine/ns/vm-{n:04}\n"));
    }
    text.push_str("  - settle: {}\n    timeout: 4h\n");
    let loaded = format::load_bytes(Path::new("lives.yaml"), text.as_bytes(), &vmtwin_tests::Nowhere);
    vmtwin_tests::assert_valid(&loaded);
    loaded.scenarios.into_iter().next().expect("one scenario")
}

fn played(count: usize) -> Ran {
    let ran = run(&lives(count), &Options::default(), &|| false);
    assert_eq!(ran.report.result, RunResult::Passed, "{}", ran.report.to_json());
    ran
}

/// Passes, runs, calls, writes and records of one life. An increase needs a reason; a decrease is taken over.
const ONE_LIFE: [u64; 5] = [20, 41, 16, 16, 97];

#[test]
fn one_life_takes_this_much_work() {
    let ran = played(1);
    let work = ran.work;
    assert_eq!([work.passes, work.runs, work.calls, work.writes, ran.report.events], ONE_LIFE);
}

#[test]
fn the_work_for_one_vm_does_not_grow_with_the_number_of_others() {
    let (few, many) = (played(10), played(200));
    for (what, few, many) in [
        ("passes", few.work.passes, many.work.passes),
        ("runs", few.work.runs, many.work.runs),
        ("calls", few.work.calls, many.work.calls),
        ("writes", few.work.writes, many.work.writes),
        ("records", few.report.events, many.report.events),
    ] {
        let (per_few, per_many) = (few.div_ceil(10), many / 200);
        assert!(per_many <= per_few + 1, "{what} of one VM: {per_few} among 10, {per_many} among 200");
    }
}
