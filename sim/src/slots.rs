//! HA's slots: the largest reservations of a cluster make the slot, and enough of them must be left when hosts fail. Source:
//! placement-groups §10.6.
//!
//! A VM takes one slot, also where a slot of a fixed size is smaller than the VM.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::units::{Bytes, MHz};
use vmtwin_model::vsphere::inventory::AdmissionControl;

use crate::World;
use crate::capacity::{Need, Size};
use crate::cluster::Cluster;
use crate::ha::counted_cpu;
use crate::host::Host;

/// The reservations of a cluster's powered-on VMs, how often there is each. Kept only where slots are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    cpu: BTreeMap<i64, u32>,
    memory: BTreeMap<i64, u32>,
    vms: u32,
}

/// A slot of a size that is given, in part or whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed {
    pub(crate) cpu: Option<MHz>,
    pub(crate) memory: Option<Bytes>,
}

fn add(sizes: &mut BTreeMap<i64, u32>, size: i64) {
    *sizes.entry(size).or_default() += 1;
}

fn remove(sizes: &mut BTreeMap<i64, u32>, size: i64) {
    if let Some(count) = sizes.get_mut(&size) {
        *count -= 1;
        if *count == 0 {
            sizes.remove(&size);
        }
    }
}

fn largest(sizes: &BTreeMap<i64, u32>, own: i64) -> i64 {
    sizes.last_key_value().map_or(own, |(largest, _)| own.max(*largest)).max(1)
}

/// Whether so many more VMs, the largest of this size, leave slots for all when so many of the hosts fail, the largest first.
pub(crate) fn suffice(cluster: &Cluster, hosts: &[&Arc<Host>], failures: u32, fixed: Fixed, (size, more): (&Size, u32)) -> bool {
    let cpu = fixed.cpu.map_or_else(|| largest(&cluster.sizes.cpu, counted_cpu(size.reserved)), |cpu| cpu.0.max(1));
    let memory = fixed.memory.map_or_else(|| largest(&cluster.sizes.memory, size.reserved.memory), |bytes| bytes.to_mib_up().0.max(1));
    let mut slots: Vec<i64> = hosts.iter().map(|host| (host.usable_cpu.0 / cpu).min(host.usable_memory.0 / memory)).collect();
    slots.sort_unstable();
    let left = slots.len().saturating_sub(usize::try_from(failures).unwrap_or(usize::MAX));
    slots[..left].iter().sum::<i64>() >= i64::from(cluster.sizes.vms) + i64::from(more)
}

impl World {
    /// Notes what a VM holds from now on.
    pub(crate) fn note_size(&mut self, cluster: u32, reserved: Need) {
        self.change_sizes(cluster, |sizes| {
            add(&mut sizes.cpu, counted_cpu(reserved));
            add(&mut sizes.memory, reserved.memory);
            sizes.vms += 1;
        });
    }

    /// Notes that a VM holds nothing any more.
    pub(crate) fn forget_size(&mut self, cluster: u32, reserved: Need) {
        self.change_sizes(cluster, |sizes| {
            remove(&mut sizes.cpu, counted_cpu(reserved));
            remove(&mut sizes.memory, reserved.memory);
            sizes.vms = sizes.vms.saturating_sub(1);
        });
    }

    fn change_sizes(&mut self, cluster: u32, change: impl FnOnce(&mut Sizes)) {
        let counted =
            self.clusters.get(cluster).is_some_and(|cluster| matches!(cluster.ha.admission_control, AdmissionControl::Slots { .. }));
        if counted && let Some(cluster) = self.clusters.get_mut(cluster) {
            change(&mut cluster.sizes);
        }
    }
}
