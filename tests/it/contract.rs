//! The contract of the vSphere port, held against both worlds.

use vmtwin_tests::contract::{Hypervisor, PROMISES};
use vmtwin_tests::twin::Twin;
use vmtwin_tests::vcsim::Wire;

/// What govmomi's simulator doesn't check and a vCenter does: its `CreateVM_Task` looks at the disks' files alone, not at the folder's names.
const BEYOND_THE_SIMULATOR: [&str; 1] = ["a name is taken once in a folder"];

fn hold(world: &mut dyn Hypervisor, but_for: &[&str]) {
    assert!(but_for.iter().all(|name| PROMISES.iter().any(|(promise, _)| promise == name)), "an exception is a promise");
    for (name, promise) in PROMISES.iter().filter(|(name, _)| !but_for.contains(name)) {
        println!("{name}");
        promise(world);
    }
}

#[test]
fn the_twin_keeps_every_promise_of_the_port() {
    hold(&mut Twin::new(), &[]);
}

#[test]
fn the_simulator_on_the_wire_keeps_every_promise_of_the_port() {
    if let Some(mut wire) = Wire::open() {
        hold(&mut wire, &BEYOND_THE_SIMULATOR);
    }
}
