//! What can't be exceeded whatever the placer does: bounds worked out from the hosts' books alone. Source: capacity §3.2, §3.4.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use vmtwin_model::vsphere::inventory::Name;
use vmtwin_sim::planning::{Budget, Kept, Overcommit};
use vmtwin_sim::{Need, World};

use super::plan::Apart;
use super::tell;

/// What a VM needs: its reservations with the overhead, virtual CPUs, configured memory in MiB.
type Needed = (Need, i64, i64);

/// The resources that are summed.
const RESOURCES: [&str; 4] = ["memory", "cpu", "vcpus", "configuredMemory"];

/// A resource of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Usable {
    cluster: Name,
    resource: &'static str,
    total: i64,
    hypervisor: i64,
    ha: i64,
    used: i64,
}

/// How tight a resource is for a class.
#[derive(Clone, Debug)]
pub(super) struct Tight {
    cluster: Name,
    resource: &'static str,
    left: i64,
    need: i64,
    fits: i64,
}

/// Upper bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    volume: i64,
    hosts: i64,
    clique: Option<i64>,
}

const WHOLE: i64 = 10_000;

fn unit(resource: &str) -> &'static str {
    match resource {
        "memory" | "configuredMemory" => "MiB",
        "cpu" => "MHz",
        _ => "",
    }
}

fn need_of((reserved, vcpus, configured): &Needed, resource: &str) -> i64 {
    match resource {
        "memory" => reserved.memory,
        "cpu" => reserved.cpu,
        "vcpus" => *vcpus,
        _ => *configured,
    }
}

/// What a class needs, in words.
pub(super) fn in_words((reserved, vcpus, configured): &Needed) -> String {
    let memory = format!("{} GiB", tell::tenths_of_gib(*configured));
    let reserves = match (reserved.cpu, reserved.memory) {
        (0, mib) => format!("{} GiB reserved", tell::tenths_of_gib(mib)),
        (mhz, mib) => format!("{mhz} MHz and {} GiB reserved", tell::tenths_of_gib(mib)),
    };
    format!("{vcpus} vCPU, {memory}, {reserves}")
}

/// What the planner allows of a resource, by hundredths; nothing where it sets no limit.
fn allowed(overcommit: Overcommit, resource: &str) -> Option<i64> {
    match resource {
        "vcpus" => overcommit.cpu,
        "configuredMemory" => overcommit.memory,
        _ => Some(100),
    }
}

/// Total, the hypervisor's part, and what is used, of one host.
fn of_host(budget: &Budget, overcommit: Overcommit, resource: &str) -> Option<(i64, i64, i64)> {
    let ratio = allowed(overcommit, resource)?;
    Some(match resource {
        "memory" => (budget.physical, budget.physical - budget.usable.memory, budget.reserved.memory),
        "cpu" => (budget.mhz, budget.mhz - budget.usable.cpu, budget.reserved.cpu),
        "vcpus" => (budget.cores * ratio / 100, 0, budget.vcpus),
        _ => (budget.physical * ratio / 100, 0, budget.configured),
    })
}

/// HA's part of what is left after the hypervisor's.
fn kept_of(kept: Kept, resource: &str) -> i64 {
    match resource {
        "memory" | "configuredMemory" => kept.memory,
        _ => kept.cpu,
    }
}

/// What is usable in each cluster. Source: capacity §3.2.
pub(super) fn usable(world: &World, overcommit: Overcommit) -> Vec<Usable> {
    let (budgets, kept) = (world.budgets(), world.kept_by_cluster());
    let clusters: BTreeSet<&Name> = budgets.iter().map(|budget| &budget.cluster).collect();
    let mut rows = Vec::new();
    for cluster in clusters {
        let part = kept.get(cluster).copied().unwrap_or_default();
        for resource in RESOURCES {
            let hosts = budgets.iter().filter(|budget| budget.cluster == *cluster);
            let Some(parts) = hosts.map(|budget| of_host(budget, overcommit, resource)).collect::<Option<Vec<_>>>() else { continue };
            let (total, hypervisor, used) = parts.iter().fold((0, 0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1, sum.2 + part.2));
            let ha = ((total - hypervisor) * kept_of(part, resource) + WHOLE - 1) / WHOLE;
            rows.push(Usable { cluster: cluster.clone(), resource, total, hypervisor, ha, used });
        }
    }
    rows
}

/// Whether HA keeps anything of any cluster.
pub(super) fn ha_keeps(world: &World) -> bool {
    world.kept_by_cluster().values().any(|kept| *kept != Kept::default())
}

/// The zone of each cluster.
fn zones(world: &World) -> BTreeMap<Name, Name> {
    world.clusters().map(|cluster| (cluster.name.clone(), cluster.zone.clone())).collect()
}

/// How many fit by each resource of each cluster alone, the tightest first.
pub(super) fn tightest(world: &World, overcommit: Overcommit, need: Needed, zone: Option<&str>) -> Vec<Tight> {
    let zones = zones(world);
    let mut rows: Vec<Tight> = usable(world, overcommit)
        .into_iter()
        .filter(|row| zone.is_none_or(|zone| zones.get(&row.cluster).is_some_and(|of| **of == *zone)))
        .filter(|row| need_of(&need, row.resource) > 0)
        .map(|row| {
            let (left, need) = (row.left(), need_of(&need, row.resource));
            Tight { cluster: row.cluster, resource: row.resource, left, need, fits: (left / need).max(0) }
        })
        .collect();
    rows.sort_by_key(|row| row.fits);
    rows
}

/// The bounds for more of a class. Source: capacity §3.4.
pub(super) fn bounds(world: &World, overcommit: Overcommit, need: Needed, zone: Option<&str>, apart: Option<Apart>) -> Bounds {
    let mut by_cluster: BTreeMap<Name, i64> = BTreeMap::new();
    for row in tightest(world, overcommit, need, zone) {
        let least = by_cluster.entry(row.cluster).or_insert(row.fits);
        *least = (*least).min(row.fits);
    }
    let budgets = world.budgets();
    let here = || budgets.iter().filter(|budget| zone.is_none_or(|zone| *budget.zone == *zone));
    let of_host = |budget: &Budget| {
        let quotient = |resource: &&str| {
            let (total, hypervisor, used) = of_host(budget, overcommit, resource)?;
            let need = need_of(&need, resource);
            (need > 0).then(|| ((total - hypervisor - used) / need).max(0))
        };
        RESOURCES.iter().filter_map(quotient).min().unwrap_or(i64::MAX)
    };
    let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let clique = apart.map(|apart| match apart {
        Apart::Host => size(here().filter(|budget| of_host(budget) > 0).count()),
        Apart::Zone => size(here().map(|budget| &budget.zone).collect::<BTreeSet<_>>().len()),
    });
    let hosts = here().map(of_host).fold(0_i64, i64::saturating_add);
    let volume = by_cluster.into_values().fold(0_i64, i64::saturating_add);
    Bounds { volume, hosts, clique }
}

impl Usable {
    fn usable(&self) -> i64 {
        self.total - self.hypervisor - self.ha
    }

    fn left(&self) -> i64 {
        self.usable() - self.used
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "cluster": self.cluster, "resource": self.resource, "name": null, "unit": unit(self.resource), "total": self.total,
            "hypervisor": self.hypervisor, "ha": self.ha, "usable": self.usable(), "used": self.used, "left": self.left(),
        })
    }
}

impl Tight {
    pub(super) fn to_json(&self) -> Value {
        json!({"cluster": self.cluster, "resource": self.resource, "left": self.left, "need": self.need, "fits": self.fits})
    }

    pub(super) fn line(&self) -> String {
        let unit = unit(self.resource);
        let amount = |amount: i64| if unit.is_empty() { amount.to_string() } else { format!("{amount} {unit}") };
        format!("  {:<20} {:<20} {:>14} {:>10} {:>6}", self.cluster, self.resource, amount(self.left), amount(self.need), self.fits)
    }
}

impl Bounds {
    /// The smallest of them.
    pub(super) fn upper(&self) -> i64 {
        [Some(self.volume), Some(self.hosts), self.clique].into_iter().flatten().min().unwrap_or(i64::MAX)
    }

    pub(super) fn to_json(&self, fits: u32) -> Value {
        let gap = self.upper() - i64::from(fits);
        json!({"volume": self.volume, "hosts": self.hosts, "clique": self.clique, "exact": null, "upper": self.upper(), "gap": gap,
               "proven": gap == 0})
    }
}
