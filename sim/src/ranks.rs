//! The hosts of a cluster by what is left on them, and what all of them come to. Both follow every booking and every change of a host, so
//! that a VM's place is found without a look at each host. Source: placement-groups §10.4 (the score), §10.5 (HA's reserve).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use vmtwin_model::vsphere::inventory::Name;

use crate::World;
use crate::capacity::Need;
use crate::host::Host;
use crate::placement::share_left;

/// What a host's score for a VM hangs on, the VM's policies and rules aside: hosts of one load score alike but for their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load {
    /// The smaller share of CPU and memory that is left, in millionths; the hosts with most come first.
    left: Reverse<i64>,
    powered_on: u32,
    demand: (i64, i64),
    usable: (i64, i64),
    clock: i64,
}

impl Load {
    fn of(host: &Host) -> Self {
        let (demand, usable) = ((host.demand.cpu, host.demand.memory), (host.usable_cpu.0, host.usable_memory.0));
        let left = share_left(usable.0, demand.0).min(share_left(usable.1, demand.1));
        Self { left: Reverse(left), powered_on: host.powered_on, demand, usable, clock: host.clock.0 }
    }

    /// The share that is left; with one more VM it isn't more.
    pub(crate) fn left(&self) -> i64 {
        self.left.0
    }
}

/// The hosts in their order, and their sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranks {
    order: BTreeMap<Load, BTreeSet<(Name, u32)>>,
    places: BTreeMap<u32, Load>,
    /// What those come to that take VMs.
    pub(crate) open: Sum,
    /// What those have that vCenter can reach.
    pub(crate) reachable: Need,
}

/// What hosts come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) hosts: i64,
    pub(crate) usable: Need,
    /// What their VMs have reserved; the CPU as HA's admission control counts it.
    pub(crate) reserved: Need,
}

impl Ranks {
    /// The loads with their hosts in the order of their names, the least loaded first.
    pub(crate) fn by_load(&self) -> impl Iterator<Item = (&Load, &BTreeSet<(Name, u32)>)> {
        self.order.iter()
    }

    /// Whether a host is among these.
    pub(crate) fn has(&self, row: u32) -> bool {
        self.places.contains_key(&row)
    }

    /// Puts a host where it belongs.
    fn place(&mut self, row: u32, host: &Host) {
        let load = Load::of(host);
        if self.places.get(&row) == Some(&load) {
            return;
        }
        let name = (host.name.clone(), row);
        if let Some(earlier) = self.places.insert(row, load.clone())
            && let Some(there) = self.order.get_mut(&earlier)
        {
            there.remove(&name);
            if there.is_empty() {
                self.order.remove(&earlier);
            }
        }
        self.order.entry(load).or_default().insert(name);
    }

    /// Counts what a VM books, or gives back, on a host.
    fn count(&mut self, host: &Host, reserved: Need) {
        if host.takes_vms() {
            self.open.reserved = self.open.reserved + reserved;
        }
    }
}

impl World {
    /// A VM booked this on a host, or gave it back; the CPU as HA's admission control counts it.
    pub(crate) fn booking_changed(&mut self, row: u32, reserved: Need) {
        let Some(host) = self.hosts.get(row).cloned() else { return };
        if let Some(cluster) = self.clusters.get_mut(host.cluster) {
            cluster.ranks.place(row, &host);
            cluster.ranks.count(&host, reserved);
        }
    }

    /// A host has other capacity than before, or may be used otherwise.
    pub(crate) fn host_changed(&mut self, row: u32) {
        let Some(cluster) = self.hosts.get(row).map(|host| host.cluster) else { return };
        self.rank(cluster);
    }

    /// Ranks a cluster's hosts anew.
    pub(crate) fn rank(&mut self, cluster: u32) {
        let mut ranks = Ranks::default();
        for (row, host) in self.hosts_of(cluster) {
            ranks.place(row, host);
            let usable = Need { cpu: host.usable_cpu.0, memory: host.usable_memory.0 };
            if host.takes_vms() {
                ranks.open.hosts += 1;
                ranks.open.usable = ranks.open.usable + usable;
                ranks.count(host, Need { cpu: host.failover_cpu, memory: host.reserved.memory });
            }
            if host.is_reachable() {
                ranks.reachable = ranks.reachable + usable;
            }
        }
        if let Some(there) = self.clusters.get_mut(cluster) {
            there.ranks = ranks;
        }
    }
}
