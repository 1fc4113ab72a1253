//! Resource pools and folders: where VMs lie in the inventory, and how pools pass reservations upwards.
//!
//! A pool's `demand` is what its powered-on VMs have reserved, and what its child pools are charged: their own reservation, or
//! what is asked of them where that is more (they borrow the difference from above, if they may).

use vmtwin_model::id::{ClusterId, FolderId, PoolId};
use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::inventory::{Name, PoolAllocation};

use crate::World;
use crate::capacity::Need;
use crate::planning::Constraint;
use crate::refusals;

/// A resource pool.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The managed object id.
    pub id: PoolId,
    /// The name.
    pub name: Name,
    /// The owner.
    pub cluster_id: ClusterId,
    /// CPU in MHz.
    pub cpu: PoolAllocation,
    /// Memory in MB.
    pub memory: PoolAllocation,
    pub(crate) cluster: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) demand: Need,
}

impl Pool {
    /// What the pool above is charged when so much is asked of this one.
    fn charged(&self, demand: Need) -> Need {
        Need { cpu: demand.cpu.max(self.cpu.reservation), memory: demand.memory.max(self.memory.reservation) }
    }
}

/// A folder for VMs.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The managed object id.
    pub id: FolderId,
    /// The name.
    pub name: Name,
    pub(crate) parent: Option<u32>,
}

impl World {
    /// Whether a pool can give so much more, and its parents with it.
    pub(crate) fn admit_to_pool(&self, pool: u32, need: Need) -> Result<(), Fault> {
        let mut at = pool;
        let mut need = need;
        if self.is_lifted(Constraint::Memory) {
            need.memory = 0;
        }
        if self.is_lifted(Constraint::Cpu) {
            need.cpu = 0;
        }
        let pools_count = !self.is_lifted(Constraint::Pool);
        loop {
            let Some(pool) = self.pools.get(at) else { return Ok(()) };
            if !pools_count && pool.parent.is_some() {
                at = pool.parent.unwrap_or(at);
                continue;
            }
            let demand = pool.demand + need;
            let root = pool.parent.is_none();
            let (cpu, memory) = if root {
                let usable = self.usable_of(pool.cluster);
                let fixed = |reservation| PoolAllocation { reservation, limit: -1, expandable: false };
                (fixed(usable.cpu), fixed(usable.memory))
            } else {
                (pool.cpu, pool.memory)
            };
            if need.cpu > 0
                && let Some(unreserved) = short(cpu, pool.demand.cpu, demand.cpu)
            {
                return Err(refusals::pool_cpu(unreserved, need.cpu));
            }
            if need.memory > 0
                && let Some(unreserved) = short(memory, pool.demand.memory, demand.memory)
            {
                return Err(refusals::pool_memory(unreserved << 20, need.memory << 20));
            }
            need = pool.charged(demand) - pool.charged(pool.demand);
            match pool.parent {
                Some(parent) if need != Need::default() => at = parent,
                _ => return Ok(()),
            }
        }
    }

    /// Books so much more, or less, on a pool and what is above it.
    pub(crate) fn charge_pool(&mut self, pool: u32, change: Need) {
        let mut at = Some(pool);
        let mut change = change;
        while let Some(row) = at {
            let Some(pool) = self.pools.get_mut(row) else { return };
            let before = pool.charged(pool.demand);
            pool.demand = pool.demand + change;
            change = pool.charged(pool.demand) - before;
            at = pool.parent.filter(|_| change != Need::default());
        }
    }

    /// What the hosts of a cluster that are there can reserve together.
    pub(crate) fn usable_of(&self, cluster: u32) -> Need {
        self.clusters.get(cluster).map_or_else(Need::default, |cluster| cluster.ranks.reachable)
    }

    /// The child of a pool with this name.
    pub(crate) fn child_pool(&self, parent: u32, name: &str) -> Option<u32> {
        self.pools.iter().find(|(_, pool)| pool.parent == Some(parent) && *pool.name == *name).map(|(row, _)| row)
    }

    /// The child of a folder with this name.
    pub(crate) fn child_folder(&self, parent: u32, name: &str) -> Option<u32> {
        self.folders.iter().find(|(_, folder)| folder.parent == Some(parent) && *folder.name == *name).map(|(row, _)| row)
    }
}

/// What is unreserved, if a pool with this demand can't come to that one.
fn short(allocation: PoolAllocation, before: i64, after: i64) -> Option<i64> {
    if allocation.limit >= 0 && after > allocation.limit {
        return Some((allocation.limit - before).max(0));
    }
    (!allocation.expandable && after > allocation.reservation).then(|| (allocation.reservation - before).max(0))
}
