//! What-if planning: limits of the planner's own beside vSphere's, constraints that are lifted to see whether they bind, and what hosts
//! have left. Source: capacity §3.2, §3.3. Nothing of it is in force unless a planner asks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use vmtwin_model::vsphere::inventory::{AdmissionControl, Name, RuleKind};
use vmtwin_model::vsphere::{Fault, FaultName};

use crate::World;
use crate::capacity::{Need, Size};
use crate::explain::Subject;
use crate::host::Host;
use crate::placement::Wish;

/// What can keep a VM off hosts. Source: capacity §3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Constraint {
    /// HA's admission control.
    Ha,
    /// A host's memory: its reservations, or its size.
    Memory,
    /// A host's CPU: its reservations, or its size.
    Cpu,
    /// The planner's limit of configured memory.
    OvercommitMemory,
    /// The planner's limit of virtual CPUs.
    OvercommitCpu,
    /// Limits of the namespace's pool.
    Pool,
    /// Rules of DRS that must be kept.
    Rule,
    /// Required affinity.
    Affinity,
    /// Required anti-affinity.
    AntiAffinity,
    /// Devices of hosts.
    Device,
    /// Instance storage.
    InstanceStorage,
    /// The host is down, in maintenance, or dedicated to failover.
    Host,
}

impl Constraint {
    /// Those that can be lifted.
    pub const LIFTABLE: [Self; 11] = [
        Self::Ha,
        Self::Memory,
        Self::Cpu,
        Self::OvercommitMemory,
        Self::OvercommitCpu,
        Self::Pool,
        Self::Rule,
        Self::Affinity,
        Self::AntiAffinity,
        Self::Device,
        Self::InstanceStorage,
    ];
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ha => "ha",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::OvercommitMemory => "overcommit.memory",
            Self::OvercommitCpu => "overcommit.cpu",
            Self::Pool => "pool",
            Self::Rule => "rule",
            Self::Affinity => "affinity",
            Self::AntiAffinity => "antiAffinity",
            Self::Device => "device",
            Self::InstanceStorage => "instanceStorage",
            Self::Host => "host",
        })
    }
}

/// How much may be promised of what there is, in hundredths; nothing is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overcommit {
    /// Virtual CPUs by core.
    pub cpu: Option<i64>,
    /// Configured by physical memory.
    pub memory: Option<i64>,
}

/// What is in force besides vSphere's rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planning {
    overcommit: Overcommit,
    lifted: BTreeSet<Constraint>,
}

/// What a host has, and has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The host.
    pub host: Name,
    /// Its cluster.
    pub cluster: Name,
    /// Its zone.
    pub zone: Name,
    /// Cores.
    pub cores: i64,
    /// Physical memory in MiB.
    pub physical: i64,
    /// What VMs may reserve.
    pub usable: Need,
    /// What they have reserved.
    pub reserved: Need,
    /// Their virtual CPUs.
    pub vcpus: i64,
    /// Their configured memory in MiB.
    pub configured: i64,
    /// The whole CPU bandwidth in MHz.
    pub mhz: i64,
}

/// What a cluster keeps for HA, in ten-thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Of the CPU.
    pub cpu: i64,
    /// Of the memory.
    pub memory: i64,
}

const WHOLE: i64 = 10_000;

fn limit(constraint: Constraint, what: &str, asked: i64, there: i64) -> Fault {
    let text = format!("The planner's limit {constraint} would be exceeded: {asked} {what} of {there}.");
    Fault::new(FaultName::from("PlannerLimit"), text).with("constraint", constraint.to_string())
}

impl World {
    /// Puts limits of a planner's own in force.
    pub fn plan(&mut self, overcommit: Overcommit) {
        self.planning = Some(Arc::new(Planning { overcommit, ..Planning::default() }));
    }

    /// Lifts these constraints everywhere, and no others.
    pub fn lift(&mut self, lifted: impl IntoIterator<Item = Constraint>) {
        let overcommit = self.planning.as_ref().map(|planning| planning.overcommit).unwrap_or_default();
        self.planning = Some(Arc::new(Planning { overcommit, lifted: lifted.into_iter().collect() }));
    }

    pub(crate) fn is_lifted(&self, constraint: Constraint) -> bool {
        self.planning.as_ref().is_some_and(|planning| planning.lifted.contains(&constraint))
    }

    /// A size without the parts that aren't looked at.
    pub(crate) fn sized(&self, size: &Size) -> Size {
        let mut size = *size;
        if self.planning.is_some() {
            if self.is_lifted(Constraint::Memory) {
                (size.memory.0, size.reserved.memory) = (0, 0);
            }
            if self.is_lifted(Constraint::Cpu) {
                (size.cpus.0, size.reserved.cpu) = (0, 0);
            }
        }
        size
    }

    /// What was given away, less whatever there is of what isn't looked at: hosts may be over their limits there.
    pub(crate) fn relieved(&self, besides: Need) -> Need {
        const PLENTY: i64 = 1 << 50;

        let mut besides = besides;
        if self.planning.is_some() {
            if self.is_lifted(Constraint::Memory) {
                besides.memory -= PLENTY;
            }
            if self.is_lifted(Constraint::Cpu) {
                besides.cpu -= PLENTY;
            }
        }
        besides
    }

    /// What a VM needs: its reservations with the overhead, its virtual CPUs, its configured memory in MiB.
    #[must_use]
    pub fn need_of(&self, label: &str) -> Option<(Need, i64, i64)> {
        let size = self.vms.labelled(label).and_then(|vm| self.vms.get(vm))?.size();
        Some((size.reserved, i64::from(size.cpus.0), size.memory.0))
    }

    /// What the VMs that are on have of a host: virtual CPUs, and configured memory in MiB; one left out.
    fn configured_on(&self, row: u32, host: &Host, but: Option<u32>) -> (i64, i64) {
        let on = host.vms.iter().filter(|vm| Some(**vm) != but).filter_map(|vm| self.vms.get(*vm));
        let on = on.filter(|vm| vm.booked.is_some_and(|booked| booked.host == row)).map(|vm| vm.size());
        on.fold((0, 0), |(cpus, memory), size| (cpus + i64::from(size.cpus.0), memory + size.memory.0))
    }

    /// What the planner's limits say against a host.
    pub(crate) fn planner_says(&self, host: &Host, row: u32, wish: &Wish<'_>) -> Result<(), Fault> {
        let Some(planning) = &self.planning else { return Ok(()) };
        let (cpus, memory) = self.configured_on(row, host, wish.vm);
        planning.says(
            (i64::from(host.cpus.0) * 100, host.memory.to_mib_down().0 * 100),
            (cpus + i64::from(wish.size.cpus.0), memory + wish.size.memory.0),
        )
    }

    /// What they say against a cluster, when HA's part is taken off.
    pub(crate) fn planner_admits(&self, cluster: u32, size: &Size) -> Result<(), Fault> {
        let kept = if self.is_lifted(Constraint::Ha) { Kept::default() } else { self.kept(cluster) };
        self.planner_admits_beside(kept, cluster, size)
    }

    /// The same beside so much that is kept.
    fn planner_admits_beside(&self, kept: Kept, cluster: u32, size: &Size) -> Result<(), Fault> {
        let Some(planning) = &self.planning else { return Ok(()) };
        let (mut there, mut asked) = ((0, 0), (i64::from(size.cpus.0), size.memory.0));
        for (row, host) in self.hosts_of(cluster).filter(|(_, host)| self.counts(host)) {
            let (cpus, memory) = self.configured_on(row, host, None);
            asked = (asked.0 + cpus, asked.1 + memory);
            there = (there.0 + i64::from(host.cpus.0), there.1 + host.memory.to_mib_down().0);
        }
        let share = |all: i64, kept: i64| all * (WHOLE - kept) / (WHOLE / 100);
        planning.says((share(there.0, kept.cpu), share(there.1, kept.memory)), asked)
    }

    /// Whether a host counts for what is usable.
    fn counts(&self, host: &Host) -> bool {
        let dedicated = self.clusters.get(host.cluster).is_some_and(|cluster| match &cluster.ha.admission_control {
            AdmissionControl::FailoverHosts(names) => cluster.ha.enabled && names.contains(&host.name),
            _ => false,
        });
        host.takes_vms() && !dedicated
    }

    /// What HA keeps of a cluster: its percentage; with slots the tolerated hosts, the largest first.
    pub(crate) fn kept(&self, cluster: u32) -> Kept {
        let Some(there) = self.clusters.get(cluster).filter(|there| there.ha.enabled) else { return Kept::default() };
        let hosts: Vec<&Arc<Host>> = self.hosts_of(cluster).map(|(_, host)| host).filter(|host| host.takes_vms()).collect();
        if hosts.len() < 2 {
            return Kept::default();
        }
        let count = i64::try_from(hosts.len()).unwrap_or(i64::MAX);
        match there.ha.admission_control {
            AdmissionControl::Percentage { host_failures, cpu, memory } => {
                let automatic = (WHOLE * i64::from(host_failures) / count).min(WHOLE);
                let given = |share: Option<u32>| share.map_or(automatic, i64::from);
                Kept { cpu: given(cpu), memory: given(memory) }
            }
            AdmissionControl::Slots { host_failures, .. } => {
                let share = |of: &dyn Fn(&Host) -> i64| {
                    let mut all: Vec<i64> = hosts.iter().map(|host| of(host)).collect();
                    all.sort_unstable();
                    let largest = all.iter().rev().take(usize::try_from(host_failures).unwrap_or(usize::MAX)).sum::<i64>();
                    largest * WHOLE / all.iter().sum::<i64>().max(1)
                };
                Kept { cpu: share(&|host| host.usable_cpu.0), memory: share(&|host| host.usable_memory.0) }
            }
            AdmissionControl::Disabled | AdmissionControl::FailoverHosts(_) => Kept::default(),
        }
    }

    /// What HA keeps of each cluster, by its name.
    #[must_use]
    pub fn kept_by_cluster(&self) -> BTreeMap<Name, Kept> {
        self.clusters.iter().map(|(row, cluster)| (cluster.name.clone(), self.kept(row))).collect()
    }

    /// What each host that counts has, and has left, in the order of the inventory.
    #[must_use]
    pub fn budgets(&self) -> Vec<Budget> {
        let hosts = self.hosts.iter().filter(|(_, host)| self.counts(host));
        hosts
            .filter_map(|(row, host)| {
                let cluster = self.clusters.get(host.cluster)?;
                let (vcpus, configured) = self.configured_on(row, host, None);
                Some(Budget {
                    host: host.name.clone(),
                    cluster: cluster.name.clone(),
                    zone: cluster.zone.clone(),
                    cores: i64::from(host.cpus.0),
                    physical: host.memory.to_mib_down().0,
                    usable: Need { cpu: host.usable_cpu.0, memory: host.usable_memory.0 },
                    reserved: host.reserved,
                    vcpus,
                    configured,
                    mhz: host.cpu.0,
                })
            })
            .collect()
    }

    /// How many hosts each constraint keeps a VM off, and how many there are. A host counts for all that reject it.
    #[must_use]
    pub fn rejections(&self, subject: Subject<'_>) -> Option<(BTreeMap<Constraint, u32>, u32)> {
        let clusters = self.pools_sought(subject)?;
        let of = |world: &Self| -> Option<Vec<bool>> { world.rejected(subject, &clusters) };
        let all = |but: Option<Constraint>| {
            let mut world = self.clone();
            world.lift(Constraint::LIFTABLE.into_iter().filter(|constraint| Some(*constraint) != but));
            world
        };
        let down = of(&all(None))?;
        let hosts = u32::try_from(down.len()).unwrap_or(u32::MAX);
        let mut counts = BTreeMap::new();
        let mut count = |constraint, rejected: usize| {
            if rejected > 0 {
                counts.insert(constraint, u32::try_from(rejected).unwrap_or(u32::MAX));
            }
        };
        count(Constraint::Host, down.iter().filter(|down| **down).count());
        for constraint in Constraint::LIFTABLE {
            let rejected = of(&all(Some(constraint)))?;
            count(constraint, rejected.iter().zip(&down).filter(|(rejected, down)| **rejected && !**down).count());
        }
        Some((counts, hosts))
    }
}

impl Planning {
    /// Holds what is asked against what is there: virtual CPUs by hundredths of cores, memory by hundredths of MiB.
    fn says(&self, there: (i64, i64), asked: (i64, i64)) -> Result<(), Fault> {
        let exceeded = |constraint, ratio: Option<i64>, there: i64, asked: i64| {
            let most = ratio.filter(|_| !self.lifted.contains(&constraint)).map(|ratio| there.saturating_mul(ratio) / (100 * 100));
            most.filter(|most| asked > *most)
        };
        if let Some(most) = exceeded(Constraint::OvercommitMemory, self.overcommit.memory, there.1, asked.1) {
            return Err(limit(Constraint::OvercommitMemory, "MiB", asked.1, most));
        }
        if let Some(most) = exceeded(Constraint::OvercommitCpu, self.overcommit.cpu, there.0, asked.0) {
            return Err(limit(Constraint::OvercommitCpu, "vCPUs", asked.0, most));
        }
        Ok(())
    }
}

impl World {
    /// Whether each host of these clusters rejects it, in their order.
    fn rejected(&self, subject: Subject<'_>, clusters: &[(u32, u32)]) -> Option<Vec<bool>> {
        let (wish, besides) = self.sought(subject)?;
        let mut rejected = Vec::new();
        for (pool, cluster) in clusters {
            let whole = self.admit_to_pool(*pool, wish.size.reserved).is_err()
                || self.admit_failover(*cluster, &wish.size).is_err()
                // HA's part is off the planner's limits even where HA itself isn't looked at.
                || self.planner_admits_beside(self.kept(*cluster), *cluster, &wish.size).is_err();
            rejected.extend(self.hosts_of(*cluster).map(|(row, host)| whole || self.host_says(host, row, &wish, &besides).is_err()));
        }
        Some(rejected)
    }

    /// The rules of DRS that must be kept and aren't, in the order of clusters and rules.
    #[must_use]
    pub fn broken_rules(&self) -> Vec<Name> {
        let mut broken = Vec::new();
        for (_, cluster) in self.clusters.iter() {
            for rule in cluster.rules.iter().filter(|rule| rule.enabled && rule.must) {
                let at = rule.vms.iter().filter_map(|vm| self.vms.get(self.vms.labelled(vm)?)?.booked).map(|booked| booked.host);
                let at: Vec<u32> = at.collect();
                let named = |hosts: &[Name], row: &u32| self.hosts.get(*row).is_some_and(|host| hosts.contains(&host.name));
                let kept = match &rule.kind {
                    RuleKind::RunOn(hosts) => at.iter().all(|row| named(hosts, row)),
                    RuleKind::NotRunOn(hosts) => !at.iter().any(|row| named(hosts, row)),
                    RuleKind::Affinity => at.windows(2).all(|two| two[0] == two[1]),
                    RuleKind::AntiAffinity => at.iter().collect::<BTreeSet<_>>().len() == at.len(),
                };
                if !kept {
                    broken.push(rule.name.clone());
                }
            }
        }
        broken
    }
}
