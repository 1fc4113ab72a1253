//! Where a VM goes: hard filters first, then the host with most headroom. Source: placement-groups §10.2–10.3.
//!
//! The score is monotone and plain: how much of what it asks for the VM would get, then the smaller of the free shares of CPU and memory
//! after it has come. Ties go to more free
//! memory, more free CPU, fewer powered-on VMs, then the name. A request for many VMs is worked through in its order; only where
//! that finds no place for one of them, `search` goes back and forth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::id::{ClusterId, DatastoreId, PoolId};
use vmtwin_model::units::{MHz, MiB, VCpus};
use vmtwin_model::vsphere::answer::{Placement, Placements, PoolFaults};
use vmtwin_model::vsphere::inventory::{AdmissionControl, DrsAutomation, HostState, Name, RuleKind};
use vmtwin_model::vsphere::operation::PlaceVmsXCluster;
use vmtwin_model::vsphere::spec::{Allocation, ConfigSpec, DeviceType};
use vmtwin_model::vsphere::vm::{Config, Hardware};
use vmtwin_model::vsphere::{Fault, FaultName, Reply};

use crate::bindings::Binding;
use crate::capacity::{Need, Size};
use crate::host::Host;
use crate::memo::{Memo, Spot};
use crate::planning::Constraint;
use crate::policies::{Policy, tags_of};
use crate::vm::{NAMESPACED_NAME, Vm};
use crate::{World, configure, deploy, devices, graphics, instance, refusals};

/// What is looked for: a place for a VM of this size.
#[derive(Clone, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) label: &'a str,
    pub(crate) size: Size,
    /// The datastores that its host must see.
    pub(crate) datastores: Vec<u32>,
    /// The VM itself, if it exists: it isn't in its own way.
    pub(crate) vm: Option<u32>,
    pub(crate) policies: Vec<Policy>,
    /// The vGPUs that it takes, by profile.
    pub(crate) vgpus: Vec<Name>,
    /// The instance storage that it takes, in bytes.
    pub(crate) instance: i64,
    /// Whether a required policy rules a host out, or weighs only.
    pub(crate) creating: bool,
    /// Whether HA looks for it: it alone may use dedicated failover hosts.
    pub(crate) failover: bool,
}

impl Wish<'_> {
    pub(crate) fn of_size(size: Size) -> Self {
        Self {
            label: "",
            size,
            datastores: Vec::new(),
            vm: None,
            policies: Vec::new(),
            vgpus: Vec::new(),
            instance: 0,
            creating: false,
            failover: false,
        }
    }
}

/// What was given away earlier in the same request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Besides {
    hosts: BTreeMap<u32, (Need, Need)>,
    /// By tag: the hosts, and the clusters.
    pub(crate) tags: BTreeMap<Arc<str>, Vec<(u32, u32)>>,
    space: BTreeMap<u32, i64>,
    vgpus: BTreeMap<u32, Vec<Name>>,
    instance: BTreeMap<u32, i64>,
    /// What the VMs so far ask of those with a tag.
    pub(crate) bindings: BTreeMap<Arc<str>, BTreeSet<Binding>>,
    /// The places of those that state something of a tag that they don't have.
    pub(crate) strangers: BTreeMap<Arc<str>, Vec<(Binding, u32, u32)>>,
}

/// How good a host is; the greater the better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Score<'a> {
    failover: bool,
    kept: std::cmp::Reverse<u32>,
    happiness: i64,
    headroom: i64,
    memory: i64,
    cpu: i64,
    vms: std::cmp::Reverse<u32>,
    name: std::cmp::Reverse<&'a str>,
}

/// What breaking a required policy weighs where it only weighs: more than all preferred ones.
const REQUIRED: u32 = 1000;

impl Score<'_> {
    /// Whether HA's admission control would let the VM be switched on there.
    pub(crate) fn failover_holds(&self) -> bool {
        self.failover
    }

    /// How many required policies would be broken.
    pub(crate) fn required_broken(&self) -> u32 {
        self.kept.0 / REQUIRED
    }

    /// How much of all policies and rules would be broken.
    pub(crate) fn broken(&self) -> u32 {
        self.kept.0
    }

    /// Whether no host can be better that has at most this share left before the VM comes.
    fn beats_all_with(&self, left: i64) -> bool {
        self.kept.0 == 0 && self.happiness == 100 && self.headroom > left
    }

    /// The smaller free share of CPU and memory, in per cent.
    pub(crate) fn headroom_percent(&self) -> i64 {
        self.headroom.div_euclid(MILLION / 100)
    }

    /// How much of what it asks for the VM would get, 0 to 100.
    pub(crate) fn happiness(&self) -> i64 {
        self.happiness
    }
}

const MILLION: i64 = 1_000_000;

/// How much a VM gets of what it asks for where `all` is asked of `there`, 0 to 100; never less than what it has reserved.
fn granted(own: i64, reserved: i64, all: i64, there: i64) -> i64 {
    if own <= 0 || all <= there {
        return 100;
    }
    let share = i128::from(own) * i128::from(there.max(0)) / i128::from(all.max(1));
    let granted = i64::try_from(share).unwrap_or(own).max(reserved).min(own);
    granted * 100 / own
}

/// The share that is left of `of` after `used`, in millionths; negative where more is asked for than there is.
pub(crate) fn share_left(of: i64, used: i64) -> i64 {
    let of = i128::from(of.max(1));
    i64::try_from((of - i128::from(used)) * i128::from(MILLION) / of).unwrap_or(i64::MIN)
}

impl World {
    /// What speaks against a host for a VM.
    pub(crate) fn host_says(&self, host: &Host, row: u32, wish: &Wish<'_>, besides: &Besides) -> Result<(), Fault> {
        if !host.alive || matches!(host.state, HostState::Disconnected | HostState::NotResponding) {
            return Err(refusals::host_not_connected(&host.name));
        }
        if host.state == HostState::Maintenance || host.evacuating {
            return Err(refusals::invalid_state("The host is in maintenance mode or enters it."));
        }
        if let Some(missing) = wish.datastores.iter().find(|ds| !host.datastores.contains(ds)) {
            let name = self.datastores.get(*missing).map_or("", |ds| &ds.name);
            return Err(refusals::invalid_state(&format!("The host has no access to the datastore {name}.")));
        }
        if let Some(cluster) = self.clusters.get(host.cluster) {
            if let AdmissionControl::FailoverHosts(names) = &cluster.ha.admission_control
                && cluster.ha.enabled
                && !wish.failover
                && names.contains(&host.name)
            {
                return Err(refusals::invalid_state("The host is a dedicated failover host."));
            }
            if !self.is_lifted(Constraint::Rule) {
                self.rules_say(cluster, host, row, wish, true)?;
            }
        }
        if let Some(vm) = wish.vm.and_then(|vm| self.vms.get(vm)) {
            self.keys_for_host(row, vm.config())
                .map_err(|_| refusals::invalid_state("The host has no access to the virtual machine's keys."))?;
        }
        let own = wish.vm.and_then(|vm| self.vms.get(vm)?.booked).filter(|booked| booked.host == row);
        if !wish.vgpus.is_empty() && own.is_none() && !self.is_lifted(Constraint::Device) {
            host.has_graphics(&wish.vgpus, besides.vgpus.get(&row).map_or(&[][..], Vec::as_slice))?;
        }
        let besides_storage = besides.instance.get(&row).copied().unwrap_or(0);
        let besides = besides.hosts.get(&row).map_or_else(Need::default, |(reserved, _)| *reserved);
        self.planner_says(host, row, wish)?;
        host.admits(&self.sized(&wish.size), self.relieved(besides) - own.map_or_else(Need::default, |own| own.reserved))?;
        self.storage_says(host, row, wish, besides_storage)?;
        self.policies_say(host, row, wish)
    }

    /// Whether a host breaks a rule of DRS for a VM: those that must be kept, or those that should.
    pub(crate) fn rules_say(
        &self,
        cluster: &crate::cluster::Cluster,
        host: &Host,
        row: u32,
        wish: &Wish<'_>,
        must: bool,
    ) -> Result<(), Fault> {
        for rule in cluster.rules.iter().filter(|rule| rule.enabled && rule.must == must) {
            if !rule.vms.iter().any(|vm| **vm == *wish.label) {
                continue;
            }
            let others = || {
                let rows = rule.vms.iter().filter(|vm| ***vm != *wish.label).filter_map(|vm| self.vms.labelled(vm));
                rows.filter_map(|vm| self.vms.get(vm)?.booked).map(|booked| booked.host)
            };
            let kept = match &rule.kind {
                RuleKind::RunOn(hosts) => hosts.contains(&host.name),
                RuleKind::NotRunOn(hosts) => !hosts.contains(&host.name),
                RuleKind::AntiAffinity => others().all(|other| other != row),
                RuleKind::Affinity => others().all(|other| other == row),
            };
            if !kept {
                return Err(refusals::invalid_state(&format!("The rule {} would be broken.", rule.name)));
            }
        }
        Ok(())
    }

    /// `failover`: whether HA's admission control would let the VM be switched on in the host's cluster.
    pub(crate) fn score<'a>(&self, host: &'a Host, row: u32, wish: &Wish<'_>, besides: &Besides, failover: bool) -> Score<'a> {
        let besides = besides.hosts.get(&row).map_or_else(Need::default, |(_, demand)| *demand);
        let own = wish.vm.and_then(|vm| self.vms.get(vm)?.booked).filter(|booked| booked.host == row);
        let demand = host.demand + besides + wish.size.demand(host.clock) - own.map_or_else(Need::default, |own| own.demand);
        let wanted = wish.size.demand(host.clock);
        let happiness = granted(wanted.cpu, wish.size.reserved.cpu, demand.cpu, host.usable_cpu.0).min(granted(
            wanted.memory,
            wish.size.reserved.memory,
            demand.memory,
            host.usable_memory.0,
        ));
        let (cpu, memory) = (share_left(host.usable_cpu.0, demand.cpu), share_left(host.usable_memory.0, demand.memory));
        let broken = wish.policies.iter().filter(|policy| !self.keeps(policy, host, row));
        let mut points: u32 = broken.map(|policy| if policy.required { REQUIRED } else { 1 }).sum();
        if let Some(cluster) = self.clusters.get(host.cluster)
            && self.rules_say(cluster, host, row, wish, false).is_err()
        {
            points += 1;
        }
        Score {
            failover,
            kept: std::cmp::Reverse(points),
            happiness,
            headroom: cpu.min(memory),
            memory,
            cpu,
            vms: std::cmp::Reverse(host.powered_on),
            name: std::cmp::Reverse(&host.name),
        }
    }

    /// The best host of a cluster for a VM, with its score.
    pub(crate) fn best_host(&self, cluster: u32, wish: &Wish<'_>, besides: &Besides) -> Option<(Score<'_>, u32)> {
        let there = self.clusters.get(cluster)?;
        let failover = self.admit_failover(cluster, &wish.size).is_ok();
        let judge = |row: u32| {
            let host = self.hosts.get(row).filter(|host| self.host_says(host, row, wish, besides).is_ok())?;
            Some((self.score(host, row, wish, besides, failover), row))
        };
        // These have another load for this VM than for others.
        let own = wish.vm.and_then(|vm| Some(self.vms.get(vm)?.booked?.host));
        let apart: BTreeSet<u32> = besides.hosts.keys().copied().chain(own).filter(|row| there.ranks.has(*row)).collect();
        let mut best = apart.iter().filter_map(|row| judge(*row)).max();
        for (load, hosts) in there.ranks.by_load() {
            if best.as_ref().is_some_and(|(score, _)| score.beats_all_with(load.left())) {
                break;
            }
            for (_, row) in hosts.iter().filter(|(_, row)| !apart.contains(row)) {
                let found = judge(*row);
                let kept = found.as_ref().is_some_and(|(score, _)| score.broken() == 0);
                best = best.max(found);
                // The others of this load have later names, and break as much or more.
                if kept {
                    break;
                }
            }
        }
        best
    }

    /// The host with least to do that a powered-off VM can be registered on.
    pub(crate) fn least_busy_host(&self, cluster: u32, sees: impl Fn(u32) -> bool) -> Option<u32> {
        let wish = Wish::of_size(Size::of(&Config::default()));
        let fit = self.hosts_of(cluster).filter(|(row, host)| host.takes_vms() && sees(*row));
        let least = fit.map(|(row, host)| {
            let load = std::cmp::Reverse(host.gate.load());
            (load, self.score(host, row, &wish, &Besides::default(), true), row)
        });
        least.max().map(|(.., row)| row)
    }

    pub(crate) fn hosts_of(&self, cluster: u32) -> impl Iterator<Item = (u32, &Arc<Host>)> {
        let hosts = self.clusters.get(cluster).into_iter().flat_map(|cluster| &cluster.hosts);
        hosts.filter_map(|row| Some((*row, self.hosts.get(*row)?)))
    }

    /// Why no host of a cluster takes a VM: one reason for each.
    pub(crate) fn no_compatible_host(&self, cluster: u32, wish: &Wish<'_>, besides: &Besides) -> Fault {
        let mut ids = Vec::new();
        let mut errors = Vec::new();
        for (row, host) in self.hosts_of(cluster) {
            if let Err(fault) = self.host_says(host, row, wish, besides) {
                ids.push(Value::from(host.id.as_str()));
                let text = format!("{}: {}", host.name, fault.localized_message);
                errors.push(json!({"fault": {"_typeName": fault.name.as_str()}, "localizedMessage": text}));
            }
        }
        let subject = if wish.label.is_empty() { "the virtual machine" } else { wish.label };
        let text = format!("No host is compatible with {subject}.");
        Fault::new(FaultName::NoCompatibleHost, text).with("host", ids).with("error", errors)
    }

    /// The host on which a VM is switched on: DRS's choice, or where it is registered.
    pub(crate) fn host_for_power_on(&self, vm: u32, wanted: Option<u32>) -> Result<u32, Fault> {
        let Some(row) = self.vms.get(vm) else { return Err(refusals::not_found("VirtualMachine", "vm")) };
        let cluster = self.pools.get(row.pool).map_or(0, |pool| pool.cluster);
        let drs = !matches!(self.automation(cluster, row), DrsAutomation::Disabled | DrsAutomation::Manual);
        let wish = self.wish_of(vm, row);
        if let (false, at) | (true, at @ Some(_)) = (drs, wanted) {
            let at = at.unwrap_or(row.host);
            let Some(host) = self.hosts.get(at) else { return Ok(at) };
            return self.host_says(host, at, &wish, &Besides::default()).map(|()| at);
        }
        if let Some((_, host)) = self.best_host(cluster, &wish, &Besides::default()) {
            return Ok(host);
        }
        let hosts = self.clusters.get(cluster).map_or(&[][..], |cluster| &cluster.hosts);
        match hosts {
            // With one host, its own reason says more than that none is compatible.
            [only] => match self.hosts.get(*only).map(|host| self.host_says(host, *only, &wish, &Besides::default())) {
                Some(Err(fault)) => Err(fault),
                _ => Ok(*only),
            },
            _ => Err(self.no_compatible_host(cluster, &wish, &Besides::default())),
        }
    }

    /// What an existing VM asks of a host.
    pub(crate) fn wish_of<'a>(&self, vm: u32, row: &'a Vm) -> Wish<'a> {
        Wish {
            label: row.label(),
            size: row.size(),
            datastores: row.datastores().collect(),
            vm: Some(vm),
            policies: self.policies_of_running(vm, row),
            vgpus: graphics::of(row.config()),
            instance: 0,
            creating: false,
            failover: false,
        }
    }

    /// `PlaceVm`: a host and datastores in one cluster.
    pub(crate) fn place_one(&mut self, cluster: &ClusterId, spec: &ConfigSpec) -> Result<Reply, Fault> {
        let row = *self.names.cluster_ids.get(cluster).ok_or_else(|| refusals::not_found(ClusterId::TYPE, cluster.as_str()))?;
        let Some(there) = self.clusters.get(row) else { return Err(refusals::not_found(ClusterId::TYPE, cluster.as_str())) };
        if there.hosts.is_empty() {
            return Err(refusals::invalid_state("The cluster has no host."));
        }
        let pools = [(there.root, row)];
        self.place(&pools, spec, (true, true), &mut Besides::default())
            .map(|placement| Reply::Placements(Placements { placements: vec![placement], faults: Vec::new() }))
            .map_err(Refused::into_fault)
    }

    /// `PlaceVmsXCluster`: a cluster for each VM, and a host and datastores where they are asked for.
    pub(crate) fn place_many(&mut self, place: &PlaceVmsXCluster) -> Result<Reply, Fault> {
        let placements = self.recommend(place)?;
        if placements.faults.is_empty() {
            self.announce(place);
        }
        Ok(Reply::Placements(placements))
    }

    /// Where the VMs of a request would go. Nothing is changed by it.
    ///
    /// # Errors
    /// If the request makes no sense.
    pub fn recommend(&self, place: &PlaceVmsXCluster) -> Result<Placements, Fault> {
        if place.resource_pools.is_empty() {
            return Err(refusals::invalid_argument("placementSpec.resourcePools"));
        }
        if place.vm_placement_specs.is_empty() {
            return Err(refusals::invalid_argument("placementSpec.vmPlacementSpecs"));
        }
        let mut pools = Vec::new();
        for id in &place.resource_pools {
            let row = *self.names.pool_ids.get(id).ok_or_else(|| refusals::not_found(PoolId::TYPE, id.as_str()))?;
            let cluster = self.pools.get(row).map_or(0, |pool| pool.cluster);
            if pools.iter().any(|(_, there)| *there == cluster) {
                return Err(refusals::invalid_argument("placementSpec.resourcePools"));
            }
            if self.clusters.get(cluster).is_none_or(|cluster| cluster.hosts.is_empty()) {
                return Err(Fault::new(FaultName::GenericDrsFault, "A cluster of the request has no host."));
            }
            pools.push((row, cluster));
        }
        let asked = (place.host_recomm_required, place.datastore_recomm_required);
        match self.place_all(&pools, &place.vm_placement_specs, asked) {
            Ok(placements) => Ok(Placements { placements, faults: Vec::new() }),
            Err(Refused::Call(fault)) => Err(fault),
            Err(Refused::Pools(faults)) => match self.search_places(&pools, &place.vm_placement_specs, asked) {
                Some(placements) => Ok(Placements { placements, faults: Vec::new() }),
                None => Ok(Placements { placements: Vec::new(), faults: self.by_pool(faults) }),
            },
        }
    }

    /// A place for one VM after the other, in their order.
    fn place_all(&self, pools: &[(u32, u32)], specs: &[Arc<ConfigSpec>], asked: (bool, bool)) -> Result<Vec<Placement>, Refused> {
        let mut memo = Memo::new(self, pools);
        let mut placed = Vec::with_capacity(specs.len());
        let alone = self.binds_others(specs) || specs.iter().any(|spec| instance::of_spec(spec) > 0);
        let mut besides = if alone { Besides::of_request(specs) } else { Besides::default() };
        for spec in specs {
            let known = if alone { None } else { memo.best(spec, &besides) };
            let spot = match known {
                Some((spot, wish)) => {
                    placed.push(self.take(spot, wish, spec, asked, &mut besides)?);
                    spot
                }
                None => {
                    let (spot, wish) = self.best_spot(pools, spec, &besides)?;
                    placed.push(self.take(spot, &wish, spec, asked, &mut besides)?);
                    spot
                }
            };
            if !alone {
                memo.taken(&tags_of(spec), spot);
            }
        }
        Ok(placed)
    }

    fn by_pool(&self, faults: Vec<(u32, Fault)>) -> Vec<PoolFaults> {
        let named = faults.into_iter().filter_map(|(pool, fault)| Some((self.pools.get(pool)?.id.clone(), fault)));
        named.map(|(resource_pool, fault)| PoolFaults { resource_pool, faults: vec![fault] }).collect()
    }

    /// The place of one VM among pools with their clusters; it is given away for the rest of the request. `asked`: host, datastores.
    pub(crate) fn place(
        &self,
        pools: &[(u32, u32)],
        spec: &ConfigSpec,
        asked: (bool, bool),
        besides: &mut Besides,
    ) -> Result<Placement, Refused> {
        let (spot, wish) = self.best_spot(pools, spec, besides)?;
        self.take(spot, &wish, spec, asked, besides)
    }

    /// The best host for a VM among pools with their clusters.
    pub(crate) fn best_spot<'a>(&self, pools: &[(u32, u32)], spec: &'a ConfigSpec, besides: &Besides) -> Result<(Spot, Wish<'a>), Refused> {
        let no_name = || Refused::Call(refusals::invalid_argument("placementSpec.vmPlacementSpecs.configSpec.name"));
        let wish = self.wish_for(spec, besides).ok_or_else(no_name)?;
        let mut best: Option<(Score<'_>, Spot)> = None;
        let mut reasons = Vec::new();
        for (pool, cluster) in pools {
            if let Err(fault) = self.admit_to_pool(*pool, wish.size.reserved) {
                reasons.push((*pool, no_pool(wish.label, &fault)));
                continue;
            }
            match self.best_host(*cluster, &wish, besides) {
                Some((score, host)) if best.as_ref().is_none_or(|(there, ..)| score > *there) => {
                    best = Some((score, Spot { pool: *pool, cluster: *cluster, host }));
                }
                Some(_) => {}
                None => reasons.push((*pool, self.no_compatible_host(*cluster, &wish, besides))),
            }
        }
        best.map(|(_, spot)| (spot, wish)).ok_or(Refused::Pools(reasons))
    }

    /// Gives a spot away for the rest of the request.
    pub(crate) fn take(
        &self,
        Spot { pool, cluster, host }: Spot,
        wish: &Wish<'_>,
        spec: &ConfigSpec,
        asked: (bool, bool),
        besides: &mut Besides,
    ) -> Result<Placement, Refused> {
        let name = spec.name.clone().unwrap_or_default();
        let policy = deploy::policy_of(spec);
        let datastores = if asked.1 {
            let hosts: Vec<u32> = if asked.0 { vec![host] } else { self.clusters.get(cluster).map_or_else(Vec::new, |c| c.hosts.clone()) };
            let thin = policy.and_then(|id| self.policy(id)).is_none_or(|policy| policy.thin);
            let bytes = devices::new_bytes(spec, thin);
            let bytes_so_far = bytes + besides.space.values().sum::<i64>();
            let chosen = self.roomy(policy, bytes_so_far).and_then(|roomy| self.choose_datastore(&roomy, bytes_so_far, &hosts));
            let datastore = chosen.map_err(|fault| Refused::Pools(vec![(pool, no_pool(wish.label, &fault))]))?;
            *besides.space.entry(datastore).or_default() += bytes;
            self.recommended(datastore, spec)
        } else {
            Vec::new()
        };
        let clock = self.hosts.get(host).map_or(MHz(0), |host| host.clock);
        let taken = besides.hosts.entry(host).or_default();
        *taken = (taken.0 + wish.size.reserved, taken.1 + wish.size.demand(clock));
        if !wish.vgpus.is_empty() {
            besides.vgpus.entry(host).or_default().extend(wish.vgpus.iter().cloned());
        }
        if wish.instance > 0 {
            *besides.instance.entry(host).or_default() += wish.instance;
        }
        for tag in tags_of(spec) {
            besides.tags.entry(tag).or_default().push((host, cluster));
        }
        besides.bind(spec, (host, cluster));
        let pool =
            self.pools.get(pool).map(|pool| pool.id.clone()).ok_or_else(|| Refused::Call(refusals::not_found(PoolId::TYPE, "pool")))?;
        let host = if asked.0 { self.hosts.get(host).map(|host| host.id.clone()) } else { None };
        Ok(Placement { vm_name: name, pool, host, datastores })
    }

    /// What a VM that is to be made asks of a host; nothing if it has no name.
    pub(crate) fn wish_for<'a>(&self, spec: &'a ConfigSpec, besides: &Besides) -> Option<Wish<'a>> {
        let name = spec.name.as_ref().filter(|name| !name.is_empty())?;
        let marked = spec.extra_config.iter().find(|option| &*option.key == NAMESPACED_NAME).map(|option| &option.value);
        Some(Wish {
            label: marked.unwrap_or(name),
            size: size_of(spec),
            datastores: Vec::new(),
            vm: None,
            policies: self.policies_of_new(spec, besides),
            vgpus: graphics::of_spec(spec),
            instance: instance::of_spec(spec),
            creating: true,
            failover: false,
        })
    }

    fn recommended(&self, datastore: u32, spec: &ConfigSpec) -> Vec<(Option<i32>, DatastoreId)> {
        let Some(ds) = self.datastores.get(datastore) else { return Vec::new() };
        let disks = spec.device_change.iter().filter(|change| change.device.type_ == DeviceType::VirtualDisk);
        let keys = disks.map(|change| Some(change.device.key));
        std::iter::once(None).chain(keys).map(|key| (key, ds.id.clone())).collect()
    }
}

/// The size of a VM that a spec describes.
pub(crate) fn size_of(spec: &ConfigSpec) -> Size {
    let mut config = Config {
        hardware: Hardware { num_cpu: VCpus(1), memory_mb: MiB(128), ..Hardware::default() },
        cpu_allocation: Allocation::platform_default(),
        memory_allocation: Allocation::platform_default(),
        ..Config::default()
    };
    configure::apply_values(&mut config, spec);
    Size::of(&config)
}

/// Why no place was found.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The request makes no sense.
    Call(Fault),
    /// Each pool that was offered, with what speaks against it.
    Pools(Vec<(u32, Fault)>),
}

impl Refused {
    /// One fault of all pools', for a call that knows no other answer.
    fn into_fault(self) -> Fault {
        match self {
            Self::Call(fault) => fault,
            Self::Pools(faults) => faults.into_iter().map(|(_, fault)| fault).next().unwrap_or_else(|| refusals::invalid_state("no pool")),
        }
    }
}

/// A pool, or the storage below it, that has no room: said as a search for a host says it.
fn no_pool(label: &str, fault: &Fault) -> Fault {
    let error = json!({"fault": {"_typeName": fault.name.as_str()}, "localizedMessage": &*fault.localized_message});
    Fault::new(FaultName::NoCompatibleHost, format!("No host is compatible with {label}.")).with("error", vec![error])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory, spec};
    use vmtwin_model::id::VmId;
    use vmtwin_model::vsphere::action::HostAction;
    use vmtwin_model::vsphere::inventory::{PoolAllocation, ResourcePool, Rule};
    use vmtwin_model::vsphere::{Action, Operation};

    fn host_of(trial: &Trial, vm: &VmId) -> String {
        trial.vm(vm).location.host_name.as_deref().unwrap_or_default().to_owned()
    }

    fn reserving(name: &str, cpu: i64, memory: i64) -> ConfigSpec {
        let allocation = |reservation| Some(Allocation { reservation: Some(reservation), ..Allocation::default() });
        ConfigSpec {
            cpu_allocation: allocation(cpu),
            memory_allocation: allocation(memory),
            memory_mb: Some(MiB(memory.max(4096))),
            ..spec(name)
        }
    }

    fn power_on(vm: &VmId) -> Operation {
        Operation::PowerOnVm { vm: vm.clone(), host: None }
    }

    #[test]
    fn vms_are_switched_on_where_there_is_most_headroom() {
        let mut trial = Trial::new(&inventory());
        let hosts: Vec<String> = ["a", "b", "c", "d"]
            .iter()
            .map(|name| {
                let vm = trial.running(name);
                host_of(&trial, &vm)
            })
            .collect();
        assert_eq!(hosts, ["esx-0", "esx-1", "esx-0", "esx-1"]);
    }

    #[test]
    fn a_reservation_that_no_host_has_is_refused_with_a_reason_for_each() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(reserving("a", 0, 61 << 10));
        let fault = trial.refused(power_on(&vm));
        assert_eq!(fault.name, FaultName::NoCompatibleHost);
        let errors = fault.properties["error"].as_array().expect("a list");
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[0]["fault"]["_typeName"], "InsufficientHostMemoryCapacityFault");
        assert_eq!(trial.vm(&vm).recent_task.last().and_then(|task| task.error.clone()), Some(fault));
    }

    #[test]
    fn a_single_host_says_itself_what_it_lacks() {
        let mut inventory = inventory();
        inventory.zones[0].clusters[0].hosts.truncate(1);
        let mut trial = Trial::new(&inventory);
        let vm = trial.deploy(reserving("a", 90_000, 0));
        // The root pool is asked first.
        let fault = trial.refused(power_on(&vm));
        assert_eq!(fault.name, FaultName::InsufficientCpuResourcesFault);
        assert_eq!((fault.properties["unreserved"].as_i64(), fault.properties["requested"].as_i64()), (Some(80_536), Some(90_000)));
        let vm = trial.deploy(ConfigSpec { num_cpus: Some(VCpus(65)), ..spec("b") });
        assert_eq!(trial.refused(power_on(&vm)).name, FaultName::InsufficientHostCpuCapacityFault);
    }

    #[test]
    fn a_pool_borrows_from_its_parent_only_if_it_may() {
        let mut inventory = inventory();
        let fixed = |reservation| PoolAllocation { reservation, limit: -1, expandable: false };
        let borrowing = |reservation| PoolAllocation { reservation, limit: -1, expandable: true };
        let open = PoolAllocation::default();
        inventory.zones[0].clusters[0].resource_pools = vec![
            ResourcePool { name: "parent".into(), parent: None, cpu: fixed(6000), memory: open },
            ResourcePool { name: "child".into(), parent: Some("parent".into()), cpu: borrowing(2000), memory: open },
        ];
        let trial = Trial::new(&inventory);
        let row = |name: &str| trial.world.pools.iter().find(|(_, pool)| &*pool.name == name).map(|(row, _)| row).expect("the pool");
        let (parent, child) = (row("parent"), row("child"));
        for (others, fits) in [(1000, true), (3000, false)] {
            let mut world = trial.world.clone();
            world.charge_pool(parent, Need { cpu: others, memory: 0 });
            let vm = Need { cpu: 2000, memory: 0 };
            assert!(world.admit_to_pool(child, vm).is_ok(), "its own reservation suffices for the first");
            world.charge_pool(child, vm);
            assert_eq!(world.admit_to_pool(child, vm).is_ok(), fits, "the second borrows beside {others}");
            world.charge_pool(child, Need::default() - vm);
            assert_eq!(world.pools.get(parent).map(|pool| pool.demand.cpu), Some(others + 2000), "what is given back is given back");
        }
    }

    #[test]
    fn a_namespace_limit_binds() {
        let mut inventory = inventory();
        inventory.namespaces[0].cpu_limit = Some(MHz(3000));
        let mut trial = Trial::new(&inventory);
        let first = trial.deploy(reserving("a", 2000, 0));
        trial.ask(power_on(&first)).expect("it fits");
        let second = trial.deploy(reserving("b", 2000, 0));
        let fault = trial.refused(power_on(&second));
        assert_eq!((fault.name, fault.properties["unreserved"].as_i64()), (FaultName::InsufficientCpuResourcesFault, Some(1000)));
        trial.ask(Operation::PowerOffVm { vm: first }).expect("it is switched off");
        trial.ask(power_on(&second)).expect("there is room again");
    }

    #[test]
    fn a_rule_that_must_be_kept_rules_hosts_out() {
        let mut inventory = inventory();
        let vms = vec!["shop/a".into(), "shop/b".into(), "shop/c".into()];
        inventory.zones[0].clusters[0].rules =
            vec![Rule { name: "apart".into(), enabled: true, must: true, vms, kind: RuleKind::AntiAffinity }];
        let mut trial = Trial::new(&inventory);
        let (a, b) = (trial.running("a"), trial.running("b"));
        assert_ne!(host_of(&trial, &a), host_of(&trial, &b));
        let c = trial.deploy(spec("c"));
        let fault = trial.refused(power_on(&c));
        assert!(fault.properties["error"][0]["localizedMessage"].as_str().is_some_and(|text| text.contains("rule apart")), "{fault:?}");
    }

    #[test]
    fn hosts_in_maintenance_or_lost_take_nothing() {
        let mut trial = Trial::new(&inventory());
        trial.act(&Action::Host("esx-0".into(), HostAction::EnterMaintenance)).expect("it is connected");
        assert_eq!(trial.value("HostSystem", "esx-0")["runtime"]["inMaintenanceMode"], true, "it was empty");
        for name in ["a", "b"] {
            let vm = trial.running(name);
            assert_eq!(host_of(&trial, &vm), "esx-1");
        }
    }

    fn place(trial: &mut Trial, specs: Vec<ConfigSpec>) -> Result<Vec<Placement>, Fault> {
        let pools = trial.world.topology().pools("zone-a", "shop").to_vec();
        let request = PlaceVmsXCluster {
            resource_pools: pools,
            vm_placement_specs: specs.into_iter().map(Arc::new).collect(),
            host_recomm_required: true,
            datastore_recomm_required: true,
        };
        match trial.ask(Operation::PlaceVmsXCluster(request)) {
            Ok(Reply::Placements(Placements { placements, faults })) => match faults.first() {
                None => Ok(placements),
                Some(pool) => Err(pool.faults[0].clone()),
            },
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure.fault().expect("a fault").clone()),
        }
    }

    fn apart(name: &str, strictness: &str) -> ConfigSpec {
        let tag = json!({"nameId": {"tag": "app:mq", "category": "shop"}});
        let policy =
            json!({"_typeName": "VmVmAntiAffinity", "antiAffinedVmsTag": tag, "policyStrictness": strictness, "policyTopology": "Host"});
        let mut spec = spec(name);
        spec.rest.insert("vmPlacementPolicies".to_owned(), json!([policy]));
        spec.rest.insert("tagSpecs".to_owned(), json!([{"operation": "add", "id": tag}]));
        spec
    }

    #[test]
    fn many_vms_are_placed_with_regard_to_each_other() {
        let mut trial = Trial::new(&inventory());
        let strict = "RequiredDuringPlacementPreferredDuringExecution";
        let placed = place(&mut trial, vec![apart("a", strict), apart("b", strict)]).expect("two hosts suffice for two");
        assert_ne!(placed[0].host, placed[1].host);
        assert_eq!(placed[0].datastores.len(), 1, "the home");
        let fault = place(&mut trial, vec![apart("a", strict), apart("b", strict), apart("c", strict)]).expect_err("not for three");
        assert_eq!(fault.name, FaultName::NoCompatibleHost);
        assert!(fault.properties["error"][0]["localizedMessage"].as_str().is_some_and(|text| text.contains("VmVmAntiAffinity")));
        let lenient = "PreferredDuringPlacementPreferredDuringExecution";
        assert_eq!(place(&mut trial, vec![apart("a", lenient), apart("b", lenient), apart("c", lenient)]).map(|all| all.len()), Ok(3));
    }

    #[test]
    fn a_nameless_spec_or_a_pool_given_twice_is_an_invalid_argument() {
        let mut trial = Trial::new(&inventory());
        let fault = place(&mut trial, vec![ConfigSpec { name: None, ..spec("a") }]).expect_err("it has no name");
        assert_eq!(fault.text("invalidProperty"), Some("placementSpec.vmPlacementSpecs.configSpec.name"));
        let fault = place(&mut trial, Vec::new()).expect_err("there is nothing to place");
        assert_eq!(fault.name, FaultName::InvalidArgument);
    }
}
