//! From an inventory at rest to a world: ids are given out, names are resolved, what exists already is put in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::id::{ClusterId, DatastoreId, FolderId, HostId, NetworkId, PoolId};
use vmtwin_model::table::Table;
use vmtwin_model::time::Timestamp;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::Inventory;
use vmtwin_model::vsphere::inventory::{self, GuestProfile, HostState, Name, PoolAllocation, Rule, RuleKind};

use crate::agenda::Agenda;
use crate::balance::{Wanted, Why};
use crate::bindings::Bindings;
use crate::capacity::{self, Need};
use crate::datastore::Policy;
use crate::failover::Restarts;
use crate::host::Gate;
use crate::image::{Behaviour, Image};
use crate::latency::Durations;
use crate::library::Library;
use crate::module::Modules;
use crate::neighbours::{Ports, Quotas, Volumes};
use crate::ranks::Ranks;
use crate::shards::Shards;
use crate::slots::Sizes;
use crate::task::Tasks;
use crate::vm::Vms;
use crate::{Cluster, Datastore, Folder, Host, Names, Network, Pool, Settings, Source, World, Zone};

/// Why an infrastructure can't be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A name isn't there.
    #[error("{by} names the {kind} `{name}`, which isn't there{}", near(.similar))]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// Under which name.
        name: Name,
        /// Who names it.
        by: String,
        /// A name that is there and looks like it.
        similar: Option<Name>,
    },
    /// A name or an id is there twice.
    #[error("there are two {kind}s called `{name}`")]
    Twice {
        /// Of what.
        kind: &'static str,
        /// The name.
        name: Name,
    },
    /// There is no place for a VM.
    #[error("the VM `{0}` has no host to be on: there is none")]
    NoHost(Name),
}

/// What a message adds where a name looks like another.
pub(crate) fn near(similar: &Option<Name>) -> String {
    similar.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default()
}

/// The name that looks most like this one, if any does: it begins alike, or differs in a letter or two.
pub(crate) fn similar<'a>(name: &str, names: impl Iterator<Item = &'a Name>) -> Option<Name> {
    let mut best: Option<(usize, &Name)> = None;
    for candidate in names {
        let distance = distance(name, candidate);
        if distance <= name.len().max(candidate.len()) / 3 && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, name)| name.clone())
}

/// How many letters must be put in, left out or changed to make one of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The newest virtual hardware of a vCenter's version.
fn newest_hardware(version: &str) -> &'static str {
    match version.split('.').next() {
        Some("6") => "vmx-15",
        Some("7") => "vmx-19",
        Some("8") => "vmx-21",
        _ => "vmx-22",
    }
}

pub(crate) fn find(kind: &'static str, names: &BTreeMap<Name, u32>, name: &Name, by: impl Fn() -> String) -> Result<u32, BuildError> {
    let unknown = || BuildError::Unknown { kind, name: name.clone(), by: by(), similar: similar(name, names.keys()) };
    names.get(name).copied().ok_or_else(unknown)
}

/// The guest profile of this name.
pub(crate) fn profile<'a>(
    inventory: &'a Inventory,
    name: Option<&Name>,
    by: impl Fn() -> String,
) -> Result<Option<&'a GuestProfile>, BuildError> {
    let Some(name) = name else { return Ok(None) };
    let unknown = || {
        let similar = similar(name, inventory.guests.keys());
        BuildError::Unknown { kind: "guest profile", name: name.clone(), by: by(), similar }
    };
    inventory.guests.get(name).map(Some).ok_or_else(unknown)
}

fn images(inventory: &Inventory) -> Result<Vec<Image>, BuildError> {
    let image = |image: &inventory::Image| {
        let profile = profile(inventory, image.guest.as_ref(), || format!("image `{}`", image.name))?;
        Ok(Image { item: image.clone(), behaviour: Arc::new(Behaviour::new(profile, &image.guest_id, image.tools)) })
    };
    inventory.images.iter().map(image).collect()
}

impl World {
    /// The world of an inventory, at its first instant.
    ///
    /// # Errors
    /// If a name in it isn't there, or is there twice.
    pub fn new(now: Timestamp, settings: Settings, inventory: &Inventory) -> Result<Self, BuildError> {
        let mut world = Self::empty(now, settings, inventory);
        world.images = Arc::new(images(inventory)?);
        world.add_datastores(inventory)?;
        world.add_networks(inventory)?;
        world.add_policies(inventory)?;
        world.vm_folder = world.add_folder("vm".into(), None);
        for zone in &inventory.zones {
            for cluster in &zone.clusters {
                world.add_cluster(&zone.name, cluster)?;
            }
        }
        world.add_namespaces(inventory)?;
        world.add_pools(inventory)?;
        world.add_existing(inventory)?;
        let ruled = world.clusters.iter().filter(|(_, cluster)| cluster.rules.iter().any(|rule| rule.enabled)).map(|(row, _)| row);
        for cluster in ruled.collect::<Vec<_>>() {
            world.want_balance(cluster, Why::Repair);
        }
        for rule in &inventory.faults {
            world.add_rule(rule);
        }
        world.told.clear();
        world.touched.clear();
        Ok(world)
    }

    fn empty(now: Timestamp, settings: Settings, inventory: &Inventory) -> Self {
        Self {
            now,
            cause: Cause::default(),
            source: Source::Vsphere,
            settings,
            rng: settings.rng,
            durations: Durations { timings: Arc::new(inventory.timings.clone()), slow: BTreeMap::new() },
            agenda: Agenda::default(),
            zones: Arc::new(inventory.zones.iter().map(|zone| Zone { name: zone.name.clone() }).collect()),
            hosts: Table::new(),
            clusters: Table::new(),
            pools: Table::new(),
            folders: Table::new(),
            destroyed: 0,
            vm_folder: 0,
            datastores: Table::new(),
            networks: Table::new(),
            policies: Arc::new(Vec::new()),
            images: Arc::default(),
            namespaces: Arc::new(inventory.namespaces.iter().map(|namespace| (namespace.name.clone(), namespace.zones.clone())).collect()),
            key_providers: Arc::new(inventory.key_providers.clone()),
            locked: BTreeSet::new(),
            names: Arc::default(),
            rules: Vec::new(),
            vms: Vms::default(),
            tasks: Tasks::default(),
            calls: BTreeMap::new(),
            counts: Shards::default(),
            instance_uuid: settings.rng.draw("sim/vcenter", "instanceUuid").uuid().to_string().into(),
            hardware_version: newest_hardware(&inventory.vcenter_version).into(),
            vcenter_up: true,
            touched: BTreeMap::new(),
            left: Vec::new(),
            missed: BTreeMap::new(),
            missed_left: Vec::new(),
            told: Vec::new(),
            ports: Ports::default(),
            library: Library::default(),
            volumes: Volumes::default(),
            quotas: Quotas::default(),
            requests: 0,
            modules: Modules::default(),
            snapshots: 0,
            bindings: Bindings::default(),
            planning: None,
        }
    }

    fn add_datastores(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        for (nth, ds) in inventory.datastores.iter().enumerate() {
            let id = DatastoreId::new(format!("datastore-{}", 15 + nth));
            let row = self.datastores.insert(Arc::new(Datastore {
                id: id.clone(),
                name: ds.name.clone(),
                type_: ds.type_.clone(),
                capacity: ds.capacity,
                foreign: ds.used,
                used: Bytes::ZERO,
                accessible: true,
                maintenance: ds.maintenance,
                space_of: None,
                gate: Gate::default(),
            }));
            self.names_mut().datastore_ids.insert(id, row);
            if self.names_mut().datastores.insert(ds.name.clone(), row).is_some() {
                return Err(BuildError::Twice { kind: "datastore", name: ds.name.clone() });
            }
        }
        for ds in &inventory.datastores {
            if let Some(other) = &ds.shares_space_with {
                let space = find("datastore", &self.names.datastores, other, || format!("datastore `{}`", ds.name))?;
                let row = self.names.datastores[&ds.name];
                let space = self.space_row(space);
                if let Some(ds) = self.datastores.get_mut(row).filter(|_| space != row) {
                    ds.space_of = Some(space);
                }
            }
        }
        Ok(())
    }

    fn add_networks(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        for (nth, network) in inventory.networks.iter().enumerate() {
            let id = if &*network.type_ == "standard" { format!("network-{}", 20 + nth) } else { format!("dvportgroup-{}", 20 + nth) };
            let segment = self.rng.draw("sim/segment", &*network.name).uuid().to_string();
            let row = self.networks.insert(Arc::new(Network::new(NetworkId::new(id), network.clone(), segment.into())));
            if self.names_mut().networks.insert(network.name.clone(), row).is_some() {
                return Err(BuildError::Twice { kind: "network", name: network.name.clone() });
            }
        }
        Ok(())
    }

    fn add_policies(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        let mut policies = Vec::new();
        for policy in &inventory.storage_policies {
            let by = || format!("storage policy `{}`", policy.name);
            let datastores =
                policy.datastores.iter().map(|name| find("datastore", &self.names.datastores, name, by)).collect::<Result<_, _>>()?;
            policies.push(Policy { id: policy.id.clone(), datastores, thin: policy.thin, encrypted: policy.encrypted });
        }
        self.policies = Arc::new(policies);
        Ok(())
    }

    pub(crate) fn add_folder(&mut self, name: Name, parent: Option<u32>) -> u32 {
        let id = FolderId::new(format!("group-v{}", 3 + self.folders.len() + self.destroyed));
        let row = self.folders.insert(Arc::new(Folder { id: id.clone(), name, parent }));
        self.names_mut().folder_ids.insert(id, row);
        row
    }

    pub(crate) fn forget_folder(&mut self, row: u32) {
        let Some(folder) = self.folders.remove(row) else { return };
        self.names_mut().folder_ids.remove(&folder.id);
        self.destroyed += 1;
    }

    pub(crate) fn forget_pool(&mut self, row: u32) {
        let Some(pool) = self.pools.remove(row) else { return };
        self.names_mut().pool_ids.remove(&pool.id);
        self.destroyed += 1;
    }

    pub(crate) fn add_pool(&mut self, name: Name, cluster: u32, parent: Option<u32>, cpu: PoolAllocation, memory: PoolAllocation) -> u32 {
        let id = PoolId::new(format!("resgroup-{}", 10 + self.pools.len() + self.destroyed));
        let cluster_id = self.clusters.get(cluster).map_or_else(|| ClusterId::from(""), |cluster| cluster.id.clone());
        let pool = Pool { id: id.clone(), name, cluster_id, cpu, memory, cluster, parent, demand: Need::default() };
        let row = self.pools.insert(Arc::new(pool));
        self.names_mut().pool_ids.insert(id, row);
        // A reservation of its own is taken from above from the beginning.
        if let Some(parent) = parent {
            self.charge_pool(parent, Need { cpu: cpu.reservation, memory: memory.reservation });
        }
        row
    }

    fn add_cluster(&mut self, zone: &Name, cluster: &inventory::Cluster) -> Result<(), BuildError> {
        let id = ClusterId::new(format!("domain-c{}", 8 + self.clusters.len()));
        let row = self.clusters.insert(Arc::new(Cluster {
            id: id.clone(),
            name: cluster.name.clone(),
            zone: zone.clone(),
            drs: cluster.drs,
            ha: cluster.ha.clone(),
            rules: in_force(&cluster.rules),
            overrides: cluster.overrides.clone(),
            sizes: Sizes::default(),
            balance: Wanted::default(),
            crowded: BTreeSet::new(),
            ranks: Ranks::default(),
            hosts: Vec::new(),
            root: 0,
        }));
        self.names_mut().cluster_ids.insert(id.clone(), row);
        let fixed = PoolAllocation { reservation: 0, limit: -1, expandable: false };
        let root = self.add_pool("Resources".into(), row, None, fixed, fixed);
        let mut hosts = Vec::with_capacity(cluster.hosts.len());
        for host in &cluster.hosts {
            hosts.push(self.add_host(cluster, row, &id, host)?);
        }
        if let Some(there) = self.clusters.get_mut(row) {
            there.root = root;
            there.hosts = hosts;
        }
        self.rank(row);
        Ok(())
    }

    fn add_host(
        &mut self,
        cluster: &inventory::Cluster,
        cluster_row: u32,
        cluster_id: &ClusterId,
        host: &inventory::Host,
    ) -> Result<u32, BuildError> {
        let counted = || (9 + self.hosts.len()..).map(|number| HostId::new(format!("host-{number}")));
        let free = || counted().find(|id| !self.names.host_ids.contains_key(id)).expect("numbers don't end");
        let id = host.id.clone().unwrap_or_else(free);
        let by = || format!("host `{}`", host.name);
        let datastores: BTreeSet<u32> =
            host.datastores.iter().map(|name| find("datastore", &self.names.datastores, name, by)).collect::<Result<_, _>>()?;
        let row = self.hosts.insert(Arc::new(Host {
            id: id.clone(),
            name: host.name.clone(),
            cluster_id: cluster_id.clone(),
            cpus: host.cpus(),
            clock: host.clock,
            cpu: host.cpu(),
            memory: host.memory,
            usable_cpu: capacity::usable_cpu(host.cpu(), cluster.reservable_cpu),
            usable_memory: capacity::usable_memory(host.memory, cluster.reservable_memory),
            state: host.state,
            evacuating: false,
            cluster: cluster_row,
            datastores,
            alive: host.state != HostState::NotResponding,
            epoch: 0,
            reserved: Need::default(),
            demand: Need::default(),
            failover_cpu: 0,
            powered_on: 0,
            vgpus: host.vgpus.clone(),
            vgpus_used: BTreeMap::new(),
            instance_storage: host.instance_storage,
            instance_used: 0,
            restarts: Restarts::default(),
            starts: Gate::default(),
            leaving: BTreeSet::new(),
            vms: BTreeSet::new(),
            keys: BTreeSet::new(),
            gate: Gate::default(),
        }));
        if self.names_mut().host_ids.insert(id, row).is_some() || self.names_mut().hosts.insert(host.name.clone(), row).is_some() {
            return Err(BuildError::Twice { kind: "host", name: host.name.clone() });
        }
        Ok(row)
    }

    /// A folder for each namespace, and a pool in each cluster of its zones.
    fn add_namespaces(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        let zones: BTreeMap<Name, u32> = inventory.zones.iter().map(|zone| zone.name.clone()).zip(0..).collect();
        for namespace in &inventory.namespaces {
            for zone in &namespace.zones {
                find("zone", &zones, zone, || format!("namespace `{}`", namespace.name))?;
            }
            self.add_folder(namespace.name.clone(), Some(self.vm_folder));
            let limit = |value: Option<i64>| PoolAllocation { limit: value.unwrap_or(-1), ..PoolAllocation::default() };
            let cpu = limit(namespace.cpu_limit.map(|limit| limit.0));
            let memory = limit(namespace.memory_limit.map(|limit| limit.to_mib_down().0));
            let clusters = self.clusters.iter().filter(|(_, cluster)| namespace.zones.contains(&cluster.zone));
            let clusters: Vec<(u32, u32)> = clusters.map(|(row, cluster)| (row, cluster.root)).collect();
            for (cluster, root) in clusters {
                self.add_pool(namespace.name.clone(), cluster, Some(root), cpu, memory);
            }
        }
        Ok(())
    }

    /// The pools that a cluster has besides, parents before children as they stand.
    fn add_pools(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        let clusters = inventory.zones.iter().flat_map(|zone| &zone.clusters);
        for (cluster, row) in clusters.zip(0u32..) {
            let root = self.clusters.get(row).map_or(0, |cluster| cluster.root);
            let mut own: BTreeMap<Name, u32> = BTreeMap::new();
            for pool in &cluster.resource_pools {
                let parent = match &pool.parent {
                    None => root,
                    Some(name) => {
                        let of_namespace = name.strip_prefix("namespace/").and_then(|namespace| self.child_pool(root, namespace));
                        match of_namespace.or_else(|| own.get(name).copied()) {
                            Some(parent) => parent,
                            None => find("resource pool", &own, name, || format!("resource pool `{}`", pool.name))?,
                        }
                    }
                };
                let made = self.add_pool(pool.name.clone(), row, Some(parent), pool.cpu, pool.memory);
                own.insert(pool.name.clone(), made);
            }
        }
        Ok(())
    }

    pub(crate) fn namespace_folder(&self, namespace: &str) -> Option<u32> {
        self.child_folder(self.vm_folder, namespace)
    }

    /// The names and ids for writing; a fork that shares them keeps its own.
    fn names_mut(&mut self) -> &mut Names {
        Arc::make_mut(&mut self.names)
    }
}

/// The rules of a cluster: of two that contradict each other about a VM, the older stays in force.
fn in_force(rules: &[Rule]) -> Vec<Rule> {
    let mut kept: Vec<Rule> = Vec::with_capacity(rules.len());
    for rule in rules {
        let mut rule = rule.clone();
        let contradicts = |older: &Rule| {
            let shared = older.vms.iter().filter(|vm| rule.vms.contains(vm)).count();
            // Two rules between VMs contradict each other about a pair, one about hosts about a single VM.
            let enough = if matches!(rule.kind, RuleKind::Affinity | RuleKind::AntiAffinity) { 2 } else { 1 };
            older.enabled && older.must == rule.must && shared >= enough && World::contradicts(&older.kind, &rule.kind)
        };
        rule.enabled = rule.enabled && !kept.iter().any(contradicts);
        kept.push(rule);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_proposed_and_a_far_one_is_not() {
        let names: Vec<Name> = ["vsan-a", "nfs-b"].map(Into::into).to_vec();
        assert_eq!(similar("vsan-b", names.iter()).as_deref(), Some("vsan-a"));
        assert_eq!(similar("local", names.iter()), None);
    }
}
