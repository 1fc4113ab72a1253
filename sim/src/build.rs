//! From an inventory at rest to a world: names are resolved, ids given out, existing VMs put in their place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::id::{ClusterId, DatastoreId, FolderId, HostId, NetworkId, PoolId};
use vmtwin_model::table::Table;
use vmtwin_model::time::Timestamp;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::Inventory;
use vmtwin_model::vsphere::inventory::{self, HostState, Name, PoolAllocation};

use crate::agenda::Agenda;
use crate::capacity::{Need, usable_cpu, usable_memory};
use crate::datastore::Policy;
use crate::host::Gate;
use crate::image::{Behaviour, Image};
use crate::latency::Durations;
use crate::neighbours::Ports;
use crate::shards::Shards;
use crate::task::Tasks;
use crate::vm::Vms;
use crate::{Cluster, Datastore, Folder, Host, Names, Network, Pool, Settings, Source, World};

/// Why an inventory is no world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A name that refers to nothing.
    #[error("{user} names the {kind} `{name}`, which isn't there{}", near(.similar))]
    Unresolved {
        /// Who names it.
        user: String,
        /// What it should be.
        kind: &'static str,
        /// The name.
        name: Name,
        /// A name that is there and looks like it.
        similar: Option<Name>,
    },
    /// A name or id that two things have.
    #[error("two {kind}s have the {what} `{name}`")]
    Twice {
        /// What they are.
        kind: &'static str,
        /// Name or id.
        what: &'static str,
        /// The name or id.
        name: Name,
    },
    /// A VM with nowhere to be.
    #[error("VM {0} has no host, and there is none that it could be on")]
    NoHost(Name),
}

/// The end of a message that proposes another name.
pub(crate) fn near(similar: &Option<Name>) -> String {
    similar.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The name among these that is nearest, if it is near: a few letters changed, added or left out.
pub(crate) fn similar<'a>(name: &str, names: impl Iterator<Item = &'a Name>) -> Option<Name> {
    let limit = name.chars().count() / 3 + 1;
    let near = names.map(|there| (distance(name, there), there)).filter(|(distance, _)| *distance <= limit);
    near.min().map(|(_, there)| there.clone())
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let cost = (before + usize::from(from != *to)).min(row[j] + 1).min(row[j + 1] + 1);
            before = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

/// Looks a name up for somebody.
fn resolve(user: impl Fn() -> String, kind: &'static str, names: &BTreeMap<Name, u32>, name: &Name) -> Result<u32, BuildError> {
    names.get(name).copied().ok_or_else(|| BuildError::Unresolved {
        user: user(),
        kind,
        name: name.clone(),
        similar: similar(name, names.keys()),
    })
}

impl World {
    /// A world from an inventory.
    ///
    /// # Errors
    /// If a name in it refers to nothing, or two things have one name.
    pub fn new(now: Timestamp, settings: Settings, inventory: &Inventory) -> Result<Self, BuildError> {
        let rng = settings.rng;
        let mut world = Self {
            rng,
            provider: settings.network_provider,
            agenda: Agenda::default(),
            instance_uuid: rng.draw("sim/uuid", ("ServiceInstance", "vcenter", 1)).uuid().to_string().into(),
            hardware_version: if inventory.vcenter_version.starts_with('8') { "vmx-21".into() } else { "vmx-22".into() },
            vcenter_up: true,
            zones: Arc::new(inventory.zones.clone()),
            namespaces: Arc::new(inventory.namespaces.clone()),
            key_providers: Arc::new(inventory.key_providers.clone()),
            clusters: Table::new(),
            hosts: Table::new(),
            pools: Table::new(),
            folders: Table::new(),
            vm_folder: 0,
            datastores: Table::new(),
            policies: Arc::default(),
            networks: Table::new(),
            images: Arc::default(),
            names: Arc::default(),
            vms: Vms::default(),
            tasks: Tasks::default(),
            calls: BTreeMap::new(),
            ports: Ports::default(),
            rules: Vec::new(),
            durations: Durations { timings: Arc::new(inventory.timings.clone()), slow: BTreeMap::new() },
            counts: Shards::default(),
            missed: BTreeMap::new(),
            missed_left: Vec::new(),
            now,
            cause: Cause::default(),
            source: Source::Vsphere,
            touched: BTreeMap::new(),
            left: Vec::new(),
            told: Vec::new(),
        };
        world.build_datastores(inventory)?;
        world.build_clusters(inventory)?;
        world.build_namespaces(inventory)?;
        world.build_pools(inventory)?;
        world.build_networks(inventory)?;
        world.build_images(inventory)?;
        for vm in &inventory.virtual_machines {
            world.check_existing(vm)?;
        }
        world.build_vms(inventory)?;
        for rule in &inventory.faults {
            world.add_rule(rule);
        }
        // What is there from the start is no news.
        world.touched.clear();
        world.told.clear();
        Ok(world)
    }

    fn names_mut(&mut self) -> &mut Names {
        Arc::make_mut(&mut self.names)
    }

    fn build_datastores(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        for (nth, given) in inventory.datastores.iter().enumerate() {
            let id = DatastoreId::new(format!("datastore-{}", nth + 11));
            let row = self.datastores.insert(Arc::new(Datastore {
                id: id.clone(),
                name: given.name.clone(),
                type_: given.type_.clone(),
                capacity: given.capacity,
                foreign: given.used,
                used: Bytes::ZERO,
                accessible: true,
                maintenance: given.maintenance,
                space_of: None,
                gate: Gate::default(),
            }));
            self.names_mut().datastore_ids.insert(id, row);
            if self.names_mut().datastores.insert(given.name.clone(), row).is_some() {
                return Err(BuildError::Twice { kind: "datastore", what: "name", name: given.name.clone() });
            }
        }
        for given in &inventory.datastores {
            let Some(shared) = &given.shares_space_with else { continue };
            let of = resolve(|| format!("datastore {}", given.name), "datastore", &self.names.datastores, shared)?;
            let row = self.names.datastores[&given.name];
            let of = self.space_row(of);
            if let Some(ds) = self.datastores.get_mut(row).filter(|_| of != row) {
                ds.space_of = Some(of);
            }
        }
        let mut policies = Vec::new();
        for given in &inventory.storage_policies {
            let user = || format!("storage policy {}", given.name);
            let datastores = given.datastores.iter().map(|name| resolve(user, "datastore", &self.names.datastores, name));
            policies.push(Policy { id: given.id.clone(), datastores: datastores.collect::<Result<_, _>>()?, thin: given.thin });
        }
        self.policies = Arc::new(policies);
        Ok(())
    }

    fn build_clusters(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        self.vm_folder = self.add_folder("vm".into(), None);
        let given_ids: BTreeSet<&HostId> = inventory
            .zones
            .iter()
            .flat_map(|zone| &zone.clusters)
            .flat_map(|cluster| &cluster.hosts)
            .filter_map(|host| host.id.as_ref())
            .collect();
        let mut number = 8;
        for zone in &inventory.zones {
            for given in &zone.clusters {
                let id = ClusterId::new(format!("domain-c{number}"));
                number += 1;
                let row = self.clusters.insert(Arc::new(Cluster {
                    id: id.clone(),
                    name: given.name.clone(),
                    zone: zone.name.clone(),
                    drs: given.drs,
                    ha: given.ha.clone(),
                    rules: given.rules.clone(),
                    hosts: Vec::new(),
                    root: 0,
                }));
                self.names_mut().cluster_ids.insert(id, row);
                if self.names_mut().clusters.insert(given.name.clone(), row).is_some() {
                    return Err(BuildError::Twice { kind: "cluster", what: "name", name: given.name.clone() });
                }
                let root = self.add_pool("Resources".into(), row, None, PoolAllocation::default(), PoolAllocation::default());
                let mut hosts = Vec::new();
                for host in &given.hosts {
                    let id = match &host.id {
                        Some(id) => id.clone(),
                        None => loop {
                            let id = HostId::new(format!("host-{}", number + 1));
                            number += 1;
                            if !given_ids.contains(&id) {
                                break id;
                            }
                        },
                    };
                    hosts.push(self.add_host(id, host, row, given)?);
                }
                if let Some(cluster) = self.clusters.get_mut(row) {
                    cluster.hosts = hosts;
                    cluster.root = root;
                }
            }
        }
        Ok(())
    }

    fn add_host(&mut self, id: HostId, given: &inventory::Host, cluster: u32, settings: &inventory::Cluster) -> Result<u32, BuildError> {
        let user = || format!("host {}", given.name);
        let datastores = given.datastores.iter().map(|name| resolve(user, "datastore", &self.names.datastores, name));
        let datastores = datastores.collect::<Result<_, _>>()?;
        let cluster_id = self.clusters.get(cluster).map(|cluster| cluster.id.clone()).expect("the cluster was put in just now");
        let row = self.hosts.insert(Arc::new(Host {
            id: id.clone(),
            name: given.name.clone(),
            cluster_id,
            cpus: given.cpus(),
            clock: given.clock,
            cpu: given.cpu(),
            memory: given.memory,
            usable_cpu: usable_cpu(given.cpu(), settings.reservable_cpu),
            usable_memory: usable_memory(given.memory, settings.reservable_memory),
            state: given.state,
            evacuating: false,
            cluster,
            datastores,
            alive: given.state != HostState::NotResponding,
            epoch: 0,
            reserved: Need::default(),
            demand: Need::default(),
            failover_cpu: 0,
            powered_on: 0,
            leaving: BTreeSet::new(),
            vms: BTreeSet::new(),
            gate: Gate::default(),
        }));
        if self.names_mut().host_ids.insert(id.clone(), row).is_some() {
            return Err(BuildError::Twice { kind: "host", what: "id", name: id.as_str().into() });
        }
        if self.names_mut().hosts.insert(given.name.clone(), row).is_some() {
            return Err(BuildError::Twice { kind: "host", what: "name", name: given.name.clone() });
        }
        Ok(row)
    }

    pub(crate) fn add_pool(&mut self, name: Name, cluster: u32, parent: Option<u32>, cpu: PoolAllocation, memory: PoolAllocation) -> u32 {
        let id = PoolId::new(format!("resgroup-{}", self.pools.len() + 9));
        let cluster_id = self.clusters.get(cluster).map(|cluster| cluster.id.clone()).expect("a pool's cluster is there");
        let pool = Pool { id: id.clone(), name, cluster_id, cpu, memory, cluster, parent, demand: Need::default() };
        let row = self.pools.insert(Arc::new(pool));
        self.names_mut().pool_ids.insert(id, row);
        // A reservation of its own is taken from above from the beginning.
        if let Some(parent) = parent {
            self.charge_pool(parent, Need { cpu: cpu.reservation, memory: memory.reservation });
        }
        row
    }

    pub(crate) fn add_folder(&mut self, name: Name, parent: Option<u32>) -> u32 {
        let id = FolderId::new(format!("group-v{}", self.folders.len() + 3));
        let row = self.folders.insert(Arc::new(Folder { id: id.clone(), name, parent }));
        self.names_mut().folder_ids.insert(id, row);
        row
    }

    /// Each namespace has a folder, and a pool in every cluster of its zones.
    fn build_namespaces(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        for namespace in &inventory.namespaces {
            self.add_folder(namespace.name.clone(), Some(self.vm_folder));
            for zone in &namespace.zones {
                if !inventory.zones.iter().any(|there| there.name == *zone) {
                    let similar = similar(zone, inventory.zones.iter().map(|zone| &zone.name));
                    let user = format!("namespace {}", namespace.name);
                    return Err(BuildError::Unresolved { user, kind: "zone", name: zone.clone(), similar });
                }
            }
            let limit = |limit: Option<i64>| PoolAllocation { limit: limit.unwrap_or(-1), ..PoolAllocation::default() };
            let (cpu, memory) =
                (limit(namespace.cpu_limit.map(|cpu| cpu.0)), limit(namespace.memory_limit.map(|memory| memory.to_mib_down().0)));
            let clusters: Vec<(u32, u32)> = self
                .clusters
                .iter()
                .filter(|(_, there)| namespace.zones.contains(&there.zone))
                .map(|(row, there)| (row, there.root))
                .collect();
            for (row, root) in clusters {
                self.add_pool(namespace.name.clone(), row, Some(root), cpu, memory);
            }
        }
        Ok(())
    }

    /// Pools besides the namespaces' own, each below a pool that stands before it.
    fn build_pools(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        for given in inventory.zones.iter().flat_map(|zone| &zone.clusters) {
            let row = self.names.clusters[&given.name];
            let root = self.clusters.get(row).map_or(0, |cluster| cluster.root);
            for pool in &given.resource_pools {
                let above = match &pool.parent {
                    None => root,
                    Some(name) => {
                        let wanted = name.strip_prefix("namespace/").unwrap_or(name);
                        let found = self.pools.iter().find(|(_, there)| there.cluster == row && *there.name == *wanted).map(|(row, _)| row);
                        found.ok_or_else(|| BuildError::Unresolved {
                            user: format!("resource pool {}", pool.name),
                            kind: "resource pool",
                            name: name.clone(),
                            similar: None,
                        })?
                    }
                };
                self.add_pool(pool.name.clone(), row, Some(above), pool.cpu, pool.memory);
            }
        }
        Ok(())
    }

    fn build_networks(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        for (nth, given) in inventory.networks.iter().enumerate() {
            let kind = if &*given.type_ == "distributed" { "dvportgroup" } else { "network" };
            let id = NetworkId::new(format!("{kind}-{}", nth + 20));
            let segment = self.rng.draw("sim/uuid", ("segment", &given.name, 1)).uuid().to_string();
            let row = self.networks.insert(Arc::new(Network::new(id.clone(), given.clone(), segment.into())));
            self.names_mut().network_ids.insert(id, row);
            if self.names_mut().networks.insert(given.name.clone(), row).is_some() {
                return Err(BuildError::Twice { kind: "network", what: "name", name: given.name.clone() });
            }
        }
        Ok(())
    }

    fn build_images(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        let mut images = Vec::new();
        for given in &inventory.images {
            let profile = profile(inventory, || format!("image {}", given.name), given.guest.as_ref())?;
            let behaviour = Arc::new(Behaviour::new(profile, &given.guest_id, given.tools));
            images.push(Image { item: given.clone(), behaviour });
        }
        self.images = Arc::new(images);
        Ok(())
    }

    /// Whether all that an existing VM names is there.
    fn check_existing(&self, vm: &inventory::ExistingVm) -> Result<(), BuildError> {
        let user = || format!("VM {}", vm.name);
        if let Some(host) = &vm.host {
            resolve(user, "host", &self.names.hosts, host)?;
        }
        vm.datastores.iter().try_for_each(|name| resolve(user, "datastore", &self.names.datastores, name).map(|_| ()))
    }
}

/// The guest profile of this name.
pub(crate) fn profile<'a>(
    inventory: &'a Inventory,
    user: impl Fn() -> String,
    name: Option<&Name>,
) -> Result<Option<&'a inventory::GuestProfile>, BuildError> {
    let Some(name) = name else { return Ok(None) };
    inventory.guests.get(name).map(Some).ok_or_else(|| BuildError::Unresolved {
        user: user(),
        kind: "guest profile",
        name: name.clone(),
        similar: similar(name, inventory.guests.keys()),
    })
}
