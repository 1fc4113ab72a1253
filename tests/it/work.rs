//! Work is counted: passes, writes, calls and records of one VM's life, and that they don't grow with the number of others.

use std::path::Path;

use allocation_counter::{AllocationInfo, measure};
use vmtwin_scenarios::format::{self, Scenario};
use vmtwin_scenarios::runner::{Options, Ran, RunResult, run};
use vmtwin_tests::lives::Lives;

/// What every scenario of this file begins with.
const WORLD: &str = "apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {name: lives}\nspec:\n  operator: {maxDeployThreadsOnProvider: 640}\n  vsphere:\n    \
     zones: [{name: z, clusters: [{name: c, hosts: [{name: h-, count: 4, memory: 1Ti}]}]}]\n    datastores: [{name: d, capacity: 100Ti}]\n    \
     storagePolicies: [{name: p}]\n    images: [{name: vmi-1}]\n    timings: {\"*\": 1s}\n    namespaces: [{name: ns}]\n  objects:\n  \
     - {apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachineClass, metadata: {name: small, namespace: ns}, spec: {hardware: {cpus: 1, memory: 1Gi}}}\n";

fn vm(n: usize, group: &str) -> String {
    format!(
        "  - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachine, metadata: {{name: vm-{n:04}, namespace: ns}}, spec: {{className: small, imageName: vmi-1, storageClass: p, groupName: \"{group}\"}}}}\n"
    )
}

fn group(name: &str, parent: &str, members: &str) -> String {
    format!(
        "  - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachineGroup, metadata: {{name: {name}, namespace: ns}}, spec: {{groupName: \"{parent}\", powerState: PoweredOn, bootOrder: [{{members: [{members}]}}]}}}}\n"
    )
}

fn scenario(text: &str) -> Scenario {
    let loaded = format::load_bytes(Path::new("lives.yaml"), text.as_bytes(), &vmtwin_tests::Nowhere);
    vmtwin_tests::assert_valid(&loaded);
    loaded.scenarios.into_iter().next().expect("one scenario")
}

/// A scenario of one group with so many VMs.
fn members(count: usize) -> Scenario {
    let names: Vec<String> = (0..count).map(|n| format!("{{name: vm-{n:04}}}")).collect();
    let mut text = String::from(WORLD) + &group("g", "", &names.join(", "));
    text.extend((0..count).map(|n| vm(n, "g")));
    scenario(&(text + "  steps:\n  - settle: {}\n    timeout: 4h\n"))
}

/// A scenario of so many groups, each in the one before; in the last one is a VM.
fn levels(count: usize) -> Scenario {
    let mut text = String::from(WORLD);
    for n in 0..count {
        let parent = n.checked_sub(1).map(|n| format!("g-{n}")).unwrap_or_default();
        let member = if n + 1 < count { format!("{{kind: VirtualMachineGroup, name: g-{}}}", n + 1) } else { "{name: vm-0000}".to_owned() };
        text.push_str(&group(&format!("g-{n}"), &parent, &member));
    }
    text.push_str(&vm(0, &format!("g-{}", count - 1)));
    scenario(&(text + "  steps:\n  - settle: {}\n    timeout: 4h\n"))
}

fn passed(scenario: &Scenario) -> Ran {
    let ran = run(scenario, &Options::default(), &|| false);
    assert_eq!(ran.report.result, RunResult::Passed, "{}", ran.report.to_json());
    ran
}

/// The whole lives of so many VMs, deletion included, on one cluster for every thousand: what was done, and what was allocated for it.
fn played(vms: usize) -> (Ran, AllocationInfo) {
    let scenario = Lives { vms, hosts: 64 * vms.div_ceil(1000), deleted: true }.scenario();
    let mut played = None;
    let allocated = measure(|| played = Some(passed(&scenario)));
    (played.expect("it was measured"), allocated)
}

/// Passes, runs, calls, writes and records of one life. An increase needs a reason; a decrease is taken over.
const ONE_LIFE: [u64; 5] = [20, 41, 16, 16, 97];

#[test]
fn one_life_takes_this_much_work() {
    let (ran, _) = played(1);
    let work = ran.work;
    assert_eq!([work.passes, work.runs, work.calls, work.writes, ran.report.events], ONE_LIFE);
}

#[test]
fn the_work_for_one_vm_does_not_grow_with_the_number_of_others() {
    const FEW: u64 = 100;
    const MANY: u64 = 10_000;
    let counted = |vms: u64| {
        let (ran, allocated) = played(usize::try_from(vms).expect("a small number"));
        let work = ran.work;
        let each = [work.passes, work.runs, work.calls, work.writes, ran.report.events, allocated.bytes_total, allocated.bytes_max];
        each.map(|total| total / vms)
    };
    let (few, many) = (counted(FEW), counted(MANY));
    println!("passes, runs, calls, writes, records, bytes allocated, bytes held for one VM: {few:?} among {FEW}, {many:?} among {MANY}");
    for (at, what) in ["passes", "runs", "calls", "writes", "records"].into_iter().enumerate() {
        assert!(many[at] <= few[at] + 1, "{what} of one VM: {} among {FEW}, {} among {MANY}", few[at], many[at]);
    }
    for (at, what) in [(5, "bytes allocated"), (6, "bytes held at once")] {
        assert!(many[at] <= few[at] * 11 / 10, "{what} for one VM: {} among {FEW}, {} among {MANY}", few[at], many[at]);
    }
}

/// Holds the work for one of many against that for one of few.
fn assert_no_more_for_one(few: (usize, &Ran), many: (usize, &Ran)) {
    let share = |(count, ran): (usize, &Ran)| {
        let work = ran.work;
        let all = [work.passes, work.runs, work.calls, work.writes, work.looks, ran.report.events];
        all.map(|all| all.div_ceil(count as u64))
    };
    let what = ["passes", "runs", "calls", "writes", "looks", "records"];
    for (what, (per_few, per_many)) in what.into_iter().zip(share(few).into_iter().zip(share(many))) {
        assert!(per_many <= per_few + 1, "{what} for one: {per_few} among {}, {per_many} among {}", few.0, many.0);
    }
}

#[test]
fn the_work_for_one_member_does_not_grow_with_its_group() {
    assert_no_more_for_one((50, &passed(&members(50))), (500, &passed(&members(500))));
}

#[test]
fn the_work_for_one_group_does_not_grow_with_the_levels_above_and_below() {
    assert_no_more_for_one((20, &passed(&levels(20))), (500, &passed(&levels(500))));
}
