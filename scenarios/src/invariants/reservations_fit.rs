//! What runs on a host never reserves more than the host can give. Source: placement §10.1. Checks the twin.

use vmtwin_model::units::{Bytes, MHz, MiB};
use vmtwin_model::vsphere::inventory::{Cluster, Host};
use vmtwin_model::vsphere::vm::{Config, PowerState};

use super::{Check, Invariant, View, When};
use crate::log::{Event, Record};

pub(super) const RULE: Invariant = Invariant {
    name: "reservations-fit",
    guards: "placement §10.1",
    holds: "per connected host the reservations of the VMs that are on, with the next smaller overhead of the table, are at most the reservable",
    of_twin: true,
    when: When::Each(check),
};

/// A powered-on VM needs at least so much beside its memory: rows of placement §10.1, (memory, overhead) in MiB by 1, 2, 4, 8 virtual CPUs.
const OVERHEAD: [(i64, [i64; 4]); 4] =
    [(256, [20, 24, 32, 48]), (1024, [25, 29, 37, 53]), (4096, [48, 52, 60, 76]), (16384, [139, 143, 151, 168])];

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    let concerns = record.event == Event::Change
        && ["powerState=poweredOn", "runtime.host", "config"].iter().any(|word| record.message.contains(word));
    let Some(id) = record.vsphere.as_deref().filter(|_| concerns) else { return };
    let Some(vm) = view.vm(&id.into()).filter(|vm| vm.runtime.power_state == PowerState::PoweredOn) else { return };
    let Some(name) = vm.location.host_name.as_deref() else { return };
    let Some((cluster, host)) = view.host(name) else { return };
    out.premise();
    let on_host = view.on_host(name).filter(|vm| vm.runtime.power_state == PowerState::PoweredOn);
    let (mut cpu, mut memory) = (MHz::ZERO, MiB::ZERO);
    for config in on_host.filter_map(|vm| vm.config.as_ref()) {
        cpu += MHz(config.cpu_allocation.reservation.unwrap_or(0));
        memory += MiB(config.memory_allocation.reservation.unwrap_or(0)) + overhead(config);
    }
    let (cpu_there, memory_there) = reservable(cluster, host);
    if cpu > cpu_there || memory > memory_there {
        let (expected, observed) = (format!("at most {cpu_there} and {memory_there}"), format!("{cpu} and {memory}"));
        out.violated(&[&name, &id], format!("the VMs on {name} reserve more than it can give"), expected, observed);
    }
}

/// The overhead of the next smaller row and column: what is needed at the least.
fn overhead(config: &Config) -> MiB {
    let (cpus, memory) = (config.hardware.num_cpu.0, config.hardware.memory_mb.0);
    let column = match cpus {
        0 | 1 => 0,
        2 | 3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    MiB(OVERHEAD.iter().rev().find(|(size, _)| *size <= memory).map_or(0, |(_, row)| row[column]))
}

/// The host's capacity, or the share of it that the scenario names.
fn reservable(cluster: &Cluster, host: &Host) -> (MHz, MiB) {
    const BASIS_POINTS: i64 = 10_000;
    let share = |whole: i64, part: Option<u32>| {
        part.map_or(whole, |part| whole / BASIS_POINTS * i64::from(part) + whole % BASIS_POINTS * i64::from(part) / BASIS_POINTS)
    };
    let memory = Bytes(host.memory.0).to_mib_down();
    (MHz(share(host.cpu().0, cluster.reservable_cpu)), MiB(share(memory.0, cluster.reservable_memory)))
}
