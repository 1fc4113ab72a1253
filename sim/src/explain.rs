//! Why a VM is where it is, or nowhere: each cluster, host and datastore that could take it, with what speaks against it or how good it is,
//! and the smallest single changes that would make it fit. Nothing is changed: what-ifs are tried on a copy of the world.

use std::sync::Arc;

use vmtwin_model::id::PoolId;
use vmtwin_model::units::{Bytes, MHz, MiB};
use vmtwin_model::vsphere::inventory::{HostState, Name, RuleKind};
use vmtwin_model::vsphere::spec::ConfigSpec;
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Fault, FaultName};

use crate::World;
use crate::cluster::Cluster;
use crate::host::Host;
use crate::placement::{Besides, Wish};

/// What a place is looked for.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A VM that exists, by `namespace/name`: for its power-on, or as it runs.
    Existing(&'a str),
    /// A VM of a placement request: the pools that were offered, the specs of the VMs before it in the request, and its own.
    Requested {
        /// The pools.
        pools: &'a [PoolId],
        /// The specs of those before it.
        before: &'a [Arc<ConfigSpec>],
        /// Its spec.
        spec: &'a ConfigSpec,
    },
}

/// Something that was considered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// `Zone`, `ClusterComputeResource`, `HostSystem` or `Datastore`.
    pub kind: &'static str,
    /// Its name.
    pub name: Name,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one.
    Chosen(Shown),
    /// It would do, but another is better.
    Outranked(Shown),
    /// It can't be.
    Rejected {
        /// The fault's name: which filter it was.
        rule: FaultName,
        /// Why, in words.
        message: Arc<str>,
    },
}

/// A score, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// How much of what it asks for the VM gets, 0 to 100; of a datastore: how much is free, in per cent.
    pub score: i64,
    /// The smaller free share of CPU and memory afterwards, in per cent; negative where more is asked for than there is.
    pub headroom: i64,
    /// What of policies and rules would be broken; a required one counts a thousand.
    pub broken: u32,
}

/// What is known of a VM's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Zones, then their clusters, each followed by its hosts; then datastores.
    pub candidates: Vec<Candidate>,
    /// Single changes after which it would fit, the smallest first.
    pub remedies: Vec<String>,
}

/// A search for a host: what is looked for, what was given away before in the same request, and the pools with their clusters.
struct Search<'a> {
    wish: Wish<'a>,
    besides: Besides,
    pools: Vec<(u32, u32)>,
}

/// A change that may help, with how large it is.
#[derive(Clone, Debug)]
struct Remedy {
    size: i64,
    text: String,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Capacity { host: u32, cpu: i64, memory: i64 },
    Back(u32),
    Rule { cluster: u32, name: Name },
    Elsewhere(u32),
    OneMore(u32),
}

/// How many remedies are told.
const TOLD: usize = 5;
/// What a change counts that isn't an amount of memory or CPU.
const WHOLE: i64 = 1 << 40;

impl World {
    /// Explains a VM's place. Nothing if there is no such VM.
    #[must_use]
    pub fn explain(&self, subject: Subject<'_>) -> Option<Explanation> {
        let search = self.search(subject)?;
        let (running, needed) = match subject {
            Subject::Existing(label) => {
                let row = self.vms.labelled(label).and_then(|vm| self.vms.get(vm))?;
                ((row.power() == PowerState::PoweredOn).then_some(row.host), row.datastores().collect())
            }
            Subject::Requested { .. } => (None, Vec::new()),
        };
        let chosen = running.or_else(|| self.best_among(&search));
        let mut explanation = Explanation { candidates: self.considered(&search, chosen), remedies: Vec::new() };
        explanation.candidates.extend(self.datastores_considered(&needed));
        if chosen.is_none() {
            explanation.remedies = self.remedies(subject, &search);
        }
        Some(explanation)
    }

    /// The first VM of a request for which there is no place, if they are taken in their order; all have one if there is none.
    #[must_use]
    pub fn first_without_place(&self, pools: &[PoolId], specs: &[Arc<ConfigSpec>]) -> Option<usize> {
        let rows = pools.iter().filter_map(|id| self.names.pool_ids.get(id));
        let pools: Vec<(u32, u32)> = rows.filter_map(|row| Some((*row, self.pools.get(*row)?.cluster))).collect();
        let mut besides = Besides::default();
        specs.iter().position(|spec| self.place(&pools, spec, (true, false), &mut besides).is_err())
    }

    /// What is looked for, and where.
    fn search<'a>(&'a self, subject: Subject<'a>) -> Option<Search<'a>> {
        match subject {
            Subject::Existing(label) => {
                let vm = self.vms.labelled(label)?;
                let row = self.vms.get(vm)?;
                let pools = vec![(row.pool, self.pools.get(row.pool)?.cluster)];
                Some(Search { wish: self.wish_of(vm, row), besides: Besides::default(), pools })
            }
            Subject::Requested { pools, before, spec } => {
                let rows = pools.iter().filter_map(|id| self.names.pool_ids.get(id));
                let pools: Vec<(u32, u32)> = rows.filter_map(|row| Some((*row, self.pools.get(*row)?.cluster))).collect();
                let mut besides = Besides::default();
                for earlier in before {
                    // One that finds no place takes none.
                    let _placed = self.place(&pools, earlier, (true, false), &mut besides);
                }
                Some(Search { wish: self.wish_for(spec, &besides)?, besides, pools })
            }
        }
    }

    /// What is looked for, with what was given away before.
    pub(crate) fn sought<'a>(&'a self, subject: Subject<'a>) -> Option<(Wish<'a>, Besides)> {
        self.search(subject).map(|search| (search.wish, search.besides))
    }

    /// The pools, with their clusters, where it is looked for.
    pub(crate) fn pools_sought(&self, subject: Subject<'_>) -> Option<Vec<(u32, u32)>> {
        self.search(subject).map(|search| search.pools)
    }

    fn best_among(&self, Search { wish, besides, pools }: &Search<'_>) -> Option<u32> {
        let open = pools.iter().filter(|(pool, _)| self.admit_to_pool(*pool, wish.size.reserved).is_ok());
        open.filter_map(|(_, cluster)| self.best_host(*cluster, wish, besides)).max().map(|(_, host)| host)
    }

    fn considered(&self, Search { wish, besides, pools }: &Search<'_>, chosen: Option<u32>) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let mut zone: Option<Name> = None;
        for (pool, cluster) in pools {
            let Some(there) = self.clusters.get(*cluster) else { continue };
            let holds = |row: &u32| chosen == Some(*row);
            if zone.as_ref() != Some(&there.zone) {
                let here = pools.iter().filter_map(|(_, cluster)| self.clusters.get(*cluster)).filter(|other| other.zone == there.zone);
                let fits = here.clone().any(|cluster| self.fits_in(cluster, wish, besides));
                let is_chosen = here.clone().any(|cluster| cluster.hosts.iter().any(holds));
                candidates.push(Candidate { kind: "Zone", name: there.zone.clone(), verdict: whole(is_chosen, fits, &there.zone) });
                zone = Some(there.zone.clone());
            }
            let verdict = match self.admit_to_pool(*pool, wish.size.reserved) {
                // A VM that is there has what it asks for already.
                _ if there.hosts.iter().any(holds) => whole(true, true, &there.name),
                Err(fault) => rejected(&fault),
                Ok(()) => whole(false, self.fits_in(there, wish, besides), &there.name),
            };
            candidates.push(Candidate { kind: "ClusterComputeResource", name: there.name.clone(), verdict });
            for row in &there.hosts {
                let Some(host) = self.hosts.get(*row) else { continue };
                let shown = || {
                    let score = self.score(host, *row, wish, besides, true);
                    Shown { score: score.happiness(), headroom: score.headroom_percent(), broken: score.broken() }
                };
                let verdict = match self.host_says(host, *row, wish, besides) {
                    _ if holds(row) => Verdict::Chosen(shown()),
                    Ok(()) => Verdict::Outranked(shown()),
                    Err(fault) => rejected(&fault),
                };
                candidates.push(Candidate { kind: "HostSystem", name: host.name.clone(), verdict });
            }
        }
        candidates
    }

    fn fits_in(&self, cluster: &Cluster, wish: &Wish<'_>, besides: &Besides) -> bool {
        let hosts = cluster.hosts.iter().filter_map(|row| Some((*row, self.hosts.get(*row)?)));
        hosts.into_iter().any(|(row, host)| self.host_says(host, row, wish, besides).is_ok())
    }

    fn datastores_considered(&self, needed: &[u32]) -> Vec<Candidate> {
        let rows = needed.iter().filter_map(|row| Some((*row, self.datastores.get(*row)?)));
        let candidate = |(row, ds): (u32, &Arc<crate::Datastore>)| {
            let (free, capacity) = (self.free_on(row), ds.capacity.0.max(1));
            let shown = Shown { score: free.max(0) / (capacity / 100).max(1), ..Shown::default() };
            let verdict = if !ds.accessible {
                Verdict::Rejected { rule: FaultName::InaccessibleDatastore, message: "it is out of reach".into() }
            } else {
                Verdict::Chosen(shown)
            };
            Candidate { kind: "Datastore", name: ds.name.clone(), verdict }
        };
        rows.map(candidate).collect()
    }

    /// Single changes after which there is a host, each tried on a copy.
    fn remedies(&self, subject: Subject<'_>, search: &Search<'_>) -> Vec<String> {
        let mut remedies: Vec<Remedy> = Vec::new();
        for (_, cluster) in &search.pools {
            let Some(there) = self.clusters.get(*cluster) else { continue };
            for row in &there.hosts {
                let Some(host) = self.hosts.get(*row) else { continue };
                remedies.extend(self.remedies_on((*cluster, there), (*row, host), search));
            }
            if let Some(first) = there.hosts.first().and_then(|row| self.hosts.get(*row)) {
                let text = format!("one more host like {}", first.name);
                remedies.push(Remedy { size: WHOLE * 2, text, change: Change::OneMore(*cluster) });
            }
        }
        remedies.sort_by_key(|remedy| remedy.size);
        let mut told = Vec::new();
        for remedy in remedies {
            if told.len() < TOLD && !told.contains(&remedy.text) && self.helps(&remedy.change, subject) {
                told.push(remedy.text);
            }
        }
        told
    }

    fn remedies_on(&self, (cluster, there): (u32, &Cluster), (row, host): (u32, &Arc<Host>), search: &Search<'_>) -> Vec<Remedy> {
        let Search { wish, besides, .. } = search;
        let mut remedies = Vec::new();
        let name = &host.name;
        let Err(fault) = self.host_says(host, row, wish, besides) else { return remedies };
        let lacks = |key: &str| {
            let of = |key: &str| fault.properties.get(key).and_then(serde_json::Value::as_i64).unwrap_or(0);
            (of(key) - of("unreserved")).max(1)
        };
        match &fault.name {
            FaultName::InsufficientHostMemoryCapacityFault => {
                let missing = Bytes(lacks("requested"));
                let text = format!("{} more memory on {name}", gib(missing));
                let memory = missing.to_mib_up().0;
                remedies.push(Remedy { size: memory, text, change: Change::Capacity { host: row, cpu: 0, memory } });
            }
            FaultName::InsufficientHostCpuCapacityFault => {
                let cpu = lacks("requested");
                let text = format!("{cpu} MHz more CPU on {name}");
                remedies.push(Remedy { size: cpu, text, change: Change::Capacity { host: row, cpu, memory: 0 } });
            }
            _ if !host.takes_vms() => {
                let text = format!("{name} connected, up and out of maintenance");
                remedies.push(Remedy { size: WHOLE, text, change: Change::Back(row) });
            }
            _ => {}
        }
        for rule in there.rules.iter().filter(|rule| rule.enabled && rule.must && rule.vms.iter().any(|vm| **vm == *wish.label)) {
            let text = format!("without the rule {}", rule.name);
            remedies.push(Remedy { size: WHOLE - 1, text, change: Change::Rule { cluster, name: rule.name.clone() } });
            if rule.kind == RuleKind::AntiAffinity {
                remedies.extend(self.moves_away(row, wish));
            }
        }
        if wish.policies.iter().any(|policy| policy.keeps_apart()) {
            remedies.extend(self.moves_away(row, wish));
        }
        remedies
    }

    /// Each other VM of a host that could be elsewhere, if it is the only one in the way: tried like any change.
    fn moves_away(&self, row: u32, wish: &Wish<'_>) -> Vec<Remedy> {
        let Some(host) = self.hosts.get(row) else { return Vec::new() };
        let others = host.vms.iter().filter_map(|vm| Some((*vm, self.vms.get(*vm)?))).filter(|(_, other)| other.label() != wish.label);
        others
            .filter(|(_, other)| !other.tags.is_empty() || !other.policies.is_empty())
            .map(|(vm, other)| Remedy { size: WHOLE - 2, text: format!("{} elsewhere", other.label()), change: Change::Elsewhere(vm) })
            .collect()
    }

    /// Whether there is a host after a change.
    fn helps(&self, change: &Change, subject: Subject<'_>) -> bool {
        let mut world = self.clone();
        match change {
            Change::Capacity { host, cpu, memory } => {
                if let Some(host) = world.hosts.get_mut(*host) {
                    host.usable_cpu = MHz(host.usable_cpu.0 + cpu);
                    host.usable_memory = MiB(host.usable_memory.0 + memory);
                    host.memory = Bytes(host.memory.0 + (memory << 20));
                }
                world.host_changed(*host);
            }
            Change::Back(host) => {
                if let Some(host) = world.hosts.get_mut(*host) {
                    (host.alive, host.evacuating, host.state) = (true, false, HostState::Connected);
                }
                world.host_changed(*host);
            }
            Change::Rule { cluster, name } => {
                if let Some(cluster) = world.clusters.get_mut(*cluster) {
                    cluster.rules.retain(|rule| rule.name != *name);
                }
            }
            Change::Elsewhere(vm) => world.remove_vm(*vm),
            Change::OneMore(cluster) => return self.search(subject).is_some_and(|search| self.new_host_helps(*cluster, &search.wish)),
        }
        world.search(subject).is_some_and(|search| world.best_among(&search).is_some())
    }

    /// Whether an empty host like the cluster's first would take it: nothing is on it, so that only its size and rules speak.
    fn new_host_helps(&self, cluster: u32, wish: &Wish<'_>) -> bool {
        let Some(like) = self.clusters.get(cluster).and_then(|there| self.hosts.get(*there.hosts.first()?)) else { return false };
        let mut empty = Host::clone(like);
        (empty.alive, empty.evacuating, empty.state) = (true, false, HostState::Connected);
        (empty.reserved, empty.demand, empty.powered_on) = Default::default();
        empty.vgpus_used.clear();
        empty.instance_used = 0;
        empty.name = "a new host".into();
        self.host_says(&empty, u32::MAX, wish, &Besides::default()).is_ok()
    }
}

/// The verdict on a zone or cluster by that on what is in it.
fn whole(is_chosen: bool, fits: bool, name: &Name) -> Verdict {
    if is_chosen {
        Verdict::Chosen(Shown::default())
    } else if fits {
        Verdict::Outranked(Shown::default())
    } else {
        Verdict::Rejected { rule: FaultName::NoCompatibleHost, message: format!("no host of {name} is compatible").into() }
    }
}

fn rejected(fault: &Fault) -> Verdict {
    let numbers = ["requested", "unreserved"].map(|key| fault.properties.get(key).and_then(serde_json::Value::as_i64));
    let message = match (&fault.name, numbers) {
        (FaultName::InsufficientHostMemoryCapacityFault, [Some(needs), Some(free)]) => {
            format!("memory reservation: needs {}, {} is free", gib(Bytes(needs)), gib(Bytes(free))).into()
        }
        (FaultName::InsufficientHostCpuCapacityFault, [Some(needs), Some(free)]) => {
            format!("CPU reservation: needs {needs} MHz, {free} MHz is free").into()
        }
        _ => fault.localized_message.clone(),
    };
    Verdict::Rejected { rule: fault.name.clone(), message }
}

/// Bytes in GiB with one digit, rounded up.
fn gib(bytes: Bytes) -> String {
    let tenths = (i128::from(bytes.0) * 10 + (1 << 30) - 1) >> 30;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory, spec};
    use vmtwin_model::units::VCpus;
    use vmtwin_model::vsphere::Action;
    use vmtwin_model::vsphere::action::HostAction;
    use vmtwin_model::vsphere::spec::Allocation;

    fn large(name: &str, gib: i64) -> ConfigSpec {
        let reservation = Some(Allocation { reservation: Some(gib << 10), ..Allocation::default() });
        ConfigSpec { memory_mb: Some(MiB(gib << 10)), memory_allocation: reservation, num_cpus: Some(VCpus(1)), ..spec(name) }
    }

    fn explain(trial: &Trial, spec: &ConfigSpec) -> Explanation {
        let pools = trial.world.topology().pools("zone-a", "shop").to_vec();
        trial.world.explain(Subject::Requested { pools: &pools, before: &[], spec }).expect("a VM")
    }

    #[test]
    fn a_vm_that_fits_has_one_chosen_host_and_the_others_are_outranked() {
        let trial = Trial::new(&inventory());
        let told = explain(&trial, &spec("a"));
        let kinds: Vec<&str> = told.candidates.iter().map(|candidate| candidate.kind).collect();
        assert_eq!(kinds, ["Zone", "ClusterComputeResource", "HostSystem", "HostSystem"]);
        assert!(matches!(told.candidates[2].verdict, Verdict::Chosen(_)) && matches!(told.candidates[3].verdict, Verdict::Outranked(_)));
        assert_eq!(told.remedies, Vec::<String>::new());
    }

    #[test]
    fn one_that_is_too_large_is_told_what_is_missing_and_that_helps() {
        let mut trial = Trial::new(&inventory());
        trial.act(&Action::Host("esx-1".into(), HostAction::EnterMaintenance)).expect("it is connected");
        let told = explain(&trial, &large("a", 61));
        let message = |nth: usize| match &told.candidates[nth].verdict {
            Verdict::Rejected { message, .. } => message.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(message(2).starts_with("memory reservation: needs 61."), "{}", message(2));
        assert!(told.remedies[0].ends_with("more memory on esx-0"), "{:?}", told.remedies);
        assert!(!told.remedies.iter().any(|remedy| remedy.contains("esx-1")), "that alone wouldn't do: {:?}", told.remedies);
    }

    #[test]
    fn a_host_in_maintenance_that_would_do_is_the_remedy() {
        let mut trial = Trial::new(&inventory());
        let reserve = trial.deploy(large("full", 55));
        trial.ask(vmtwin_model::vsphere::Operation::PowerOnVm { vm: reserve, host: None }).expect("it fits");
        trial.act(&Action::Host("esx-1".into(), HostAction::EnterMaintenance)).expect("it is connected");
        let told = explain(&trial, &large("a", 30));
        assert!(told.remedies.iter().any(|remedy| remedy == "esx-1 connected, up and out of maintenance"), "{:?}", told.remedies);
    }
}
