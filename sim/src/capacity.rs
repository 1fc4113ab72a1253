//! How much a VM needs, and whether a host has it: reservations and the hypervisor's overhead.

use std::ops::{Add, Sub};

use vmtwin_model::units::{Bytes, MHz, MiB, VCpus};
use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::vm::Config;

use crate::World;
use crate::balance::Why;
use crate::host::Host;
use crate::{graphics, ha, refusals};

/// CPU in MHz and memory in MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// MHz.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
}

impl Add for Need {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_add(other.cpu), memory: self.memory.saturating_add(other.memory) }
    }
}

impl Sub for Need {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(other.cpu), memory: self.memory.saturating_sub(other.memory) }
    }
}

/// What a powered-on VM of this configuration holds, in the three ways that it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) cpus: VCpus,
    pub(crate) memory: MiB,
    /// The reservations, with the overhead.
    pub(crate) reserved: Need,
}

impl Size {
    pub(crate) fn of(config: &Config) -> Self {
        let (cpus, memory) = (config.hardware.num_cpu, config.hardware.memory_mb);
        let cpu = config.cpu_allocation.reservation.unwrap_or(0).max(0);
        let reservation = config.memory_allocation.reservation.unwrap_or(0).max(0);
        Self { cpus, memory, reserved: Need { cpu, memory: reservation + overhead(cpus, memory).0 } }
    }

    /// What it is expected to ask of a host with this clock: half of its CPUs, all of its memory; never less than it has reserved.
    pub(crate) fn demand(&self, clock: MHz) -> Need {
        let cpu = i64::from(self.cpus.0) * clock.0 / 2;
        Need { cpu: cpu.max(self.reserved.cpu), memory: self.memory.0.max(self.reserved.memory) }
    }
}

const MEMORY_STEPS: [i64; 4] = [256, 1024, 4096, 16384];
const CPU_STEPS: [i64; 4] = [1, 2, 4, 8];
/// Hundredths of a MiB, by memory and CPUs.
const OVERHEAD: [[i64; 4]; 4] =
    [[2029, 2428, 3223, 4816], [2590, 2991, 3786, 5382], [4864, 5272, 6067, 7678], [13962, 14398, 15193, 16860]];

/// The memory that the hypervisor needs besides: interpolated in memory and CPUs, the last slope extended, rounded up to a whole MiB.
/// Source: placement-groups §10.1.
pub(crate) fn overhead(cpus: VCpus, memory: MiB) -> MiB {
    let memory = memory.0.clamp(MEMORY_STEPS[0], 1 << 40);
    let cpus = i64::from(cpus.0).max(1);
    let row = segment(&MEMORY_STEPS, memory);
    let by_cpus = |row: usize| {
        let at = segment(&CPU_STEPS, cpus);
        line((CPU_STEPS[at], OVERHEAD[row][at]), (CPU_STEPS[at + 1], OVERHEAD[row][at + 1]), cpus)
    };
    let hundredths = line((MEMORY_STEPS[row], by_cpus(row)), (MEMORY_STEPS[row + 1], by_cpus(row + 1)), memory);
    MiB(hundredths / 100 + i64::from(hundredths % 100 > 0))
}

/// The step at which the line begins that the value lies on.
fn segment(steps: &[i64; 4], value: i64) -> usize {
    (0..2).find(|at| value < steps[at + 1]).unwrap_or(2)
}

/// The value at `x` of the line through two points, rounded down.
fn line(from: (i64, i64), to: (i64, i64), x: i64) -> i64 {
    from.1 + (to.1 - from.1) * (x - from.0) / (to.0 - from.0)
}

/// What VMs may reserve of a host's CPU: all but two per cent and one GHz, unless a share is given in basis points.
pub(crate) fn usable_cpu(cpu: MHz, share: Option<u32>) -> MHz {
    match share {
        Some(share) => MHz(cpu.0 * i64::from(share) / 10_000),
        None => MHz((cpu.0 - cpu.0 / 50 - 1000).max(0)),
    }
}

/// What VMs may reserve of a host's memory: all but 4 GiB, unless a share is given in basis points.
pub(crate) fn usable_memory(memory: Bytes, share: Option<u32>) -> MiB {
    let memory = memory.to_mib_down();
    match share {
        Some(share) => MiB(memory.0 * i64::from(share) / 10_000),
        None => MiB((memory.0 - 4096).max(0)),
    }
}

impl Host {
    /// Whether it can take a VM of this size besides those that it has; `besides` is what was given away in the same request.
    pub(crate) fn admits(&self, size: &Size, besides: Need) -> Result<(), Fault> {
        let left = Need { cpu: self.usable_cpu.0, memory: self.usable_memory.0 } - self.reserved - besides;
        if size.cpus.0 > self.logical_cpus() || size.reserved.cpu > left.cpu {
            return Err(refusals::host_cpu(&self.id, left.cpu.max(0), size.reserved.cpu));
        }
        if size.memory.0 > self.memory.to_mib_down().0 || size.reserved.memory > left.memory {
            return Err(refusals::host_memory(&self.id, left.memory.max(0) << 20, size.reserved.memory << 20));
        }
        Ok(())
    }
}

/// What a VM has booked while it is on, or about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Booked {
    pub(crate) host: u32,
    pub(crate) pool: u32,
    pub(crate) reserved: Need,
    pub(crate) demand: Need,
}

impl World {
    /// Books what a VM needs on a host and in its pool. What it had booked before is given back first.
    pub(crate) fn book(&mut self, vm: u32, host: u32) {
        self.unbook(vm);
        let Some(row) = self.vms.get(vm) else { return };
        let (size, pool, graphics) = (row.size(), row.pool, graphics::of(row.config()));
        let Some(there) = self.hosts.get_mut(host) else { return };
        let demand = size.demand(there.clock);
        let cluster = there.cluster;
        there.take_graphics(graphics);
        there.reserved = there.reserved + size.reserved;
        there.demand = there.demand + demand;
        there.failover_cpu += ha::counted_cpu(size.reserved);
        there.powered_on += 1;
        let crowded = there.is_crowded();
        self.charge_pool(pool, size.reserved);
        self.note_size(cluster, size.reserved);
        if crowded {
            self.note_crowd(cluster, host);
        }
        if let Some(row) = self.vms.get_mut(vm) {
            row.booked = Some(Booked { host, pool, reserved: size.reserved, demand });
        }
    }

    /// Gives back what a VM has booked.
    pub(crate) fn unbook(&mut self, vm: u32) {
        let Some(row) = self.vms.get_mut(vm) else { return };
        let Some(booked) = row.booked.take() else { return };
        let graphics = graphics::of(row.config());
        let mut cluster = 0;
        if let Some(there) = self.hosts.get_mut(booked.host) {
            cluster = there.cluster;
            there.give_graphics_back(&graphics);
            there.reserved = there.reserved - booked.reserved;
            there.demand = there.demand - booked.demand;
            there.failover_cpu -= ha::counted_cpu(booked.reserved);
            there.powered_on -= 1;
        }
        self.charge_pool(booked.pool, Need::default() - booked.reserved);
        self.forget_size(cluster, booked.reserved);
        self.note_room(cluster, booked.host);
    }

    /// A host is asked for more than it has.
    fn note_crowd(&mut self, cluster: u32, host: u32) {
        let known = self.clusters.get(cluster).is_none_or(|cluster| cluster.crowded.contains(&host));
        if !known && let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.crowded.insert(host);
        }
        self.want_balance(cluster, Why::Relief);
    }

    /// A host has more room than before: others may be relieved.
    fn note_room(&mut self, cluster: u32, host: u32) {
        if self.clusters.get(cluster).is_none_or(|cluster| cluster.crowded.is_empty()) {
            return;
        }
        let crowded = self.hosts.get(host).is_some_and(|host| host.is_crowded());
        if !crowded && let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.crowded.remove(&host);
        }
        if self.clusters.get(cluster).is_some_and(|cluster| !cluster.crowded.is_empty()) {
            self.want_balance(cluster, Why::Relief);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overhead_is_what_the_documentation_samples_and_lies_between() {
        assert_eq!(overhead(VCpus(1), MiB(256)), MiB(21));
        assert_eq!(overhead(VCpus(8), MiB(16384)), MiB(169));
        assert_eq!(overhead(VCpus(2), MiB(2560)), MiB(42), "halfway between 29.91 and 52.72");
        assert_eq!(overhead(VCpus(1), MiB(32768)), MiB(261), "the last slope goes on");
        assert!(overhead(VCpus(16), MiB(16384)) > overhead(VCpus(8), MiB(16384)));
    }

    #[test]
    fn the_hypervisor_keeps_its_share() {
        assert_eq!(usable_cpu(MHz(83_200), None), MHz(80_536));
        assert_eq!(usable_memory(Bytes::from_gib(256), None), MiB(252 << 10));
        assert_eq!(usable_cpu(MHz(10_000), Some(8_500)), MHz(8_500));
    }
}
