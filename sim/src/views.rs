//! What others may see of the world: its objects, its topology, and everything under the vSphere API's property names.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::id::{ClusterId, FolderId, HostId, PoolId, VmId};
use vmtwin_model::vsphere::VirtualMachine;
use vmtwin_model::vsphere::inventory::{HostState, Name};

use crate::vm::Vm;
use crate::{Datastore, Host, World};

/// How zones and namespaces lie in the inventory: what a Supervisor tells its operator.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    clusters: BTreeMap<Name, Vec<ClusterId>>,
    pools: BTreeMap<(Name, Name), Vec<PoolId>>,
    folders: BTreeMap<Name, FolderId>,
}

impl Topology {
    /// The clusters of a zone, in order.
    #[must_use]
    pub fn clusters(&self, zone: &str) -> &[ClusterId] {
        self.clusters.get(zone).map(Vec::as_slice).unwrap_or_default()
    }

    /// The pools of a namespace in a zone, one for each of its clusters, in their order.
    #[must_use]
    pub fn pools(&self, zone: &str, namespace: &str) -> &[PoolId] {
        self.pools.get(&(zone.into(), namespace.into())).map(Vec::as_slice).unwrap_or_default()
    }

    /// The folder of a namespace.
    #[must_use]
    pub fn folder(&self, namespace: &str) -> Option<&FolderId> {
        self.folders.get(namespace)
    }
}

impl World {
    /// The VM of this id.
    #[must_use]
    pub fn vm(&self, id: &VmId) -> Option<&Arc<VirtualMachine>> {
        self.vms.find(id).and_then(|row| self.vms.get(row)).map(|vm| &vm.seen)
    }

    /// The VM of this name: `namespace/name` of the object that manages it, or the plain name of another.
    #[must_use]
    pub fn vm_named(&self, name: &str) -> Option<&Arc<VirtualMachine>> {
        self.vms.labelled(name).and_then(|row| self.vms.get(row)).map(|vm| &vm.seen)
    }

    /// All VMs, in the order of their ids.
    pub fn vms(&self) -> impl Iterator<Item = &Arc<VirtualMachine>> {
        self.vms.iter().map(|(_, vm)| &vm.seen)
    }

    /// The host of this id.
    #[must_use]
    pub fn host(&self, id: &HostId) -> Option<&Arc<Host>> {
        self.names.host_ids.get(id).and_then(|row| self.hosts.get(*row))
    }

    /// All hosts, cluster by cluster.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.iter().map(|(_, host)| host)
    }

    /// All datastores, in the order of the inventory.
    pub fn datastores(&self) -> impl Iterator<Item = &Arc<Datastore>> {
        self.datastores.iter().map(|(_, datastore)| datastore)
    }

    /// Whether some fault rule in force may still end or miss.
    #[must_use]
    pub fn faults_may_end(&self) -> bool {
        self.has_passing_faults()
    }

    /// How zones and namespaces lie in the inventory.
    #[must_use]
    pub fn topology(&self) -> Topology {
        let mut topology = Topology::default();
        for (_, cluster) in self.clusters.iter() {
            topology.clusters.entry(cluster.zone.clone()).or_default().push(cluster.id.clone());
            for (namespace, _) in self.namespaces.iter() {
                let pool = self.child_pool(cluster.root, namespace).and_then(|row| self.pools.get(row));
                if let Some(pool) = pool {
                    topology.pools.entry((cluster.zone.clone(), namespace.clone())).or_default().push(pool.id.clone());
                }
            }
        }
        for (namespace, _) in self.namespaces.iter() {
            if let Some(folder) = self.namespace_folder(namespace).and_then(|row| self.folders.get(row)) {
                topology.folders.insert(namespace.clone(), folder.id.clone());
            }
        }
        topology
    }

    /// All objects of a kind with their names, under the vSphere API's property names; nothing if there is no such kind. References
    /// to hosts, pools, folders and datastores are names.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Option<Vec<(Arc<str>, Value)>> {
        Some(match kind {
            "VirtualMachine" => self.vms.iter().map(|(_, vm)| (vm.label().into(), self.show_vm(vm))).collect(),
            "HostSystem" => self.hosts.iter().map(|(_, host)| (host.name.clone(), self.show_host(host))).collect(),
            "ClusterComputeResource" => self
                .clusters
                .iter()
                .map(|(_, cluster)| {
                    let hosts: Vec<&Name> = cluster.hosts.iter().filter_map(|row| self.hosts.get(*row)).map(|host| &host.name).collect();
                    (cluster.name.clone(), json!({"moID": cluster.id, "name": cluster.name, "zone": cluster.zone, "host": hosts}))
                })
                .collect(),
            "Datastore" => self.datastores.iter().map(|(row, ds)| (ds.name.clone(), self.show_datastore(row, ds))).collect(),
            "Network" => self
                .networks
                .iter()
                .map(|(_, network)| (network.name().clone(), json!({"moID": network.id, "name": network.name(), "exhausted": network.exhausted})))
                .collect(),
            "ResourcePool" => self
                .pools
                .iter()
                .map(|(_, pool)| {
                    let allocation = |a: &vmtwin_model::vsphere::inventory::PoolAllocation| {
                        json!({"reservation": a.reservation, "limit": a.limit, "expandableReservation": a.expandable})
                    };
                    let value = json!({"moID": pool.id, "name": pool.name, "owner": pool.cluster_id, "config": {
                        "cpuAllocation": allocation(&pool.cpu), "memoryAllocation": allocation(&pool.memory)}});
                    (pool.id.as_str().into(), value)
                })
                .collect(),
            "Folder" => self.folders.iter().map(|(_, folder)| (folder.name.clone(), json!({"moID": folder.id, "name": folder.name}))).collect(),
            "Task" => {
                let open = self.tasks.open.values().map(|open| &open.info);
                let all = self.tasks.ended.iter().chain(open);
                all.map(|task| (task.key.as_str().into(), json!({"name": task.key, "info": task}))).collect()
            }
            "KeyProvider" => Vec::new(),
            _ => return None,
        })
    }

    fn show_vm(&self, vm: &Vm) -> Value {
        let mut value = serde_json::to_value(&*vm.seen).expect("a VM has string keys and finite numbers");
        let host = self.hosts.get(vm.host).map(|host| host.name.clone());
        let pool = self.pools.get(vm.pool).map(|pool| pool.id.clone());
        let folder = self.folders.get(vm.folder).map(|folder| folder.id.clone());
        let datastores: Vec<Name> = vm.datastores().filter_map(|row| self.datastores.get(row)).map(|ds| ds.name.clone()).collect();
        if let Some(fields) = value.as_object_mut() {
            if let Some(runtime) = fields.get_mut("runtime").and_then(Value::as_object_mut) {
                runtime.insert("host".to_owned(), json!(host));
            }
            fields.insert("resourcePool".to_owned(), json!(pool));
            fields.insert("parent".to_owned(), json!(folder));
            fields.insert("datastore".to_owned(), json!(datastores));
            fields.remove("location");
        }
        value
    }

    fn show_host(&self, host: &Host) -> Value {
        let vms: Vec<&str> = host.vms.iter().filter_map(|row| self.vms.get(*row)).map(|vm| vm.label()).collect();
        let datastores: Vec<&Name> = host.datastores.iter().filter_map(|row| self.datastores.get(*row)).map(|ds| &ds.name).collect();
        let connection = match host.state {
            HostState::Connected | HostState::Maintenance => "connected",
            HostState::Disconnected => "disconnected",
            HostState::NotResponding => "notResponding",
        };
        json!({
            "moID": host.id,
            "name": host.name,
            "runtime": {
                "connectionState": connection,
                "powerState": if host.alive { "poweredOn" } else { "unknown" },
                "inMaintenanceMode": host.state == HostState::Maintenance,
            },
            "summary": {"hardware": {"numCpuCores": host.cpus.0, "cpuMhz": host.clock.0, "memorySize": host.memory.0}},
            "datastore": datastores,
            "vm": vms,
        })
    }

    fn show_datastore(&self, row: u32, ds: &Datastore) -> Value {
        let vms: Vec<&str> =
            self.vms.iter().filter(|(_, vm)| vm.datastores().any(|there| there == row)).map(|(_, vm)| vm.label()).collect();
        let maintenance = if ds.maintenance { "inMaintenance" } else { "normal" };
        json!({
            "moID": ds.id,
            "name": ds.name,
            "summary": {
                "type": ds.type_, "capacity": ds.capacity.0, "freeSpace": self.free_on(row).max(0), "accessible": ds.accessible, "maintenanceMode": maintenance,
            },
            "vm": vms,
        })
    }
}
