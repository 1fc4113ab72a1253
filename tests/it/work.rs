//! Work is counted: passes, writes, calls and records of one VM's life, and that they don't grow with the number of others.

use allocation_counter::{AllocationInfo, measure};
use vmtwin_scenarios::runner::{Options, Ran, RunResult, run};
use vmtwin_tests::lives::Lives;

/// The whole lives of so many VMs, deletion included, on one cluster for every thousand: what was done, and what was allocated for it.
fn played(vms: usize) -> (Ran, AllocationInfo) {
    let scenario = Lives { vms, hosts: 64 * vms.div_ceil(1000), deleted: true }.scenario();
    let mut played = None;
    let allocated = measure(|| played = Some(run(&scenario, &Options::default(), &|| false)));
    let ran = played.expect("it was measured");
    assert_eq!(ran.report.result, RunResult::Passed, "{}", ran.report.to_json());
    (ran, allocated)
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
