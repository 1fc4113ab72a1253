//! The contract of the vSphere port, held against both worlds.

use vmtwin_tests::contract::{Hypervisor, PROMISES};
use vmtwin_tests::twin::Twin;
use vmtwin_tests::vcsim::Wire;

fn hold(world: &mut dyn Hypervisor) {
    for (name, promise) in PROMISES {
        println!("{name}");
        promise(world);
    }
}

#[test]
fn the_twin_keeps_every_promise_of_the_port() {
    hold(&mut Twin::new());
}

#[test]
fn the_simulator_on_the_wire_keeps_every_promise_of_the_port() {
    if let Some(mut wire) = Wire::open() {
        hold(&mut wire);
    }
}
