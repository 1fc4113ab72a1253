//! Hosts: what they have, what of it is promised, and whether anyone can reach them.
//!
//! `state` is what vCenter shows; `alive` is the truth. The two differ from a failure until somebody notices.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vmtwin_model::id::{ClusterId, HostId};
use vmtwin_model::units::{Bytes, MHz, MiB, VCpus};
use vmtwin_model::vsphere::inventory::{HostState, Name};
use vmtwin_model::vsphere::vm::CryptoKeyId;

use crate::capacity::Need;
use crate::failover::Restarts;

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// The managed object id.
    pub id: HostId,
    /// The name.
    pub name: Name,
    /// The cluster that it is in.
    pub cluster_id: ClusterId,
    /// Logical CPUs.
    pub cpus: VCpus,
    /// The clock of one core.
    pub clock: MHz,
    /// The whole CPU bandwidth.
    pub cpu: MHz,
    /// Physical memory.
    pub memory: Bytes,
    /// What VMs may reserve of the CPU.
    pub usable_cpu: MHz,
    /// What VMs may reserve of the memory.
    pub usable_memory: MiB,
    /// What vCenter shows.
    pub state: HostState,
    /// Whether it is on its way into maintenance mode.
    pub evacuating: bool,
    pub(crate) cluster: u32,
    pub(crate) datastores: BTreeSet<u32>,
    pub(crate) alive: bool,
    pub(crate) epoch: u32,
    /// What its powered-on VMs have reserved.
    pub(crate) reserved: Need,
    /// What its powered-on VMs are expected to ask for.
    pub(crate) demand: Need,
    /// The CPU that HA's admission control counts for them.
    pub(crate) failover_cpu: i64,
    pub(crate) powered_on: u32,
    /// The vGPUs that it has, by profile.
    pub(crate) vgpus: Vec<(Name, u32)>,
    /// Those that its powered-on VMs hold.
    pub(crate) vgpus_used: BTreeMap<Name, u32>,
    /// The room for instance storage, and what claims have taken of it, in bytes.
    pub(crate) instance_storage: Bytes,
    pub(crate) instance_used: i64,
    /// The VMs that are on their way to another host.
    pub(crate) leaving: BTreeSet<u32>,
    /// The VMs that run or are registered here.
    pub(crate) vms: BTreeSet<u32>,
    /// The keys that it keeps in its memory.
    pub(crate) keys: BTreeSet<CryptoKeyId>,
    pub(crate) gate: Gate,
    /// Its VMs that HA has still to start elsewhere, if it failed.
    pub(crate) restarts: Restarts,
    /// The VMs of other hosts that HA starts here at once, and those that wait for their turn.
    pub(crate) starts: Gate,
}

impl Host {
    /// Whether vCenter can do anything with it.
    pub(crate) fn is_reachable(&self) -> bool {
        self.alive && matches!(self.state, HostState::Connected | HostState::Maintenance)
    }

    /// Each core runs two threads, and a VM may have as many virtual CPUs as there are threads. Source: placement-groups §10.1.
    pub(crate) fn logical_cpus(&self) -> u32 {
        self.cpus.0.saturating_mul(2)
    }

    /// Whether its VMs are expected to ask for more than it has.
    pub(crate) fn is_crowded(&self) -> bool {
        self.demand.cpu > self.usable_cpu.0 || self.demand.memory > self.usable_memory.0
    }

    /// Whether something new may come here.
    pub(crate) fn takes_vms(&self) -> bool {
        self.alive && self.state == HostState::Connected && !self.evacuating
    }
}

/// Tokens for work that a host or a datastore can do at once, and the tasks that wait for one, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    pub(crate) used: u32,
    pub(crate) waiting: VecDeque<u32>,
}

impl Gate {
    /// How many tasks have or want a token.
    pub(crate) fn load(&self) -> usize {
        usize::try_from(self.used).unwrap_or(usize::MAX).saturating_add(self.waiting.len())
    }

    /// Takes a token for the task, or puts it into the line.
    pub(crate) fn enter(&mut self, capacity: u32, task: u32) -> bool {
        if self.used < capacity {
            self.used += 1;
            true
        } else {
            self.waiting.push_back(task);
            false
        }
    }

    /// Gives a token back; the task that has waited longest gets it.
    pub(crate) fn leave(&mut self) -> Option<u32> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.used = self.used.saturating_sub(1);
        }
        next
    }
}
