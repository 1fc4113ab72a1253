//! The world as others look at it: by id and name, and as JSON under the vSphere API's property names for assertions.
//!
//! In the JSON, references to hosts, pools, folders, datastores and networks are by name, since nobody who writes a scenario knows ids.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use vmtwin_model::id::{ClusterId, DatastoreId, HostId, PoolId, VmId};
use vmtwin_model::vsphere::VirtualMachine;
use vmtwin_model::vsphere::inventory::{DrsAutomation, HostState, PoolAllocation};
use vmtwin_model::vsphere::vm::Task;

use crate::vm::Vm;
use crate::{Cluster, Datastore, Host, Network, Pool, World};

impl World {
    /// The VM with this id.
    #[must_use]
    pub fn vm(&self, id: &VmId) -> Option<&Arc<VirtualMachine>> {
        self.vms.find(id).and_then(|row| self.vms.get(row)).map(|row| &row.seen)
    }

    /// The VM of this name: `namespace/name` if an object manages it, else its plain name.
    #[must_use]
    pub fn vm_named(&self, name: &str) -> Option<&Arc<VirtualMachine>> {
        self.vms.labelled(name).and_then(|row| self.vms.get(row)).map(|row| &row.seen)
    }

    /// The root pool of a cluster.
    #[must_use]
    pub fn root_pool(&self, cluster: &ClusterId) -> Option<PoolId> {
        let row = self.names.cluster_ids.get(cluster)?;
        self.pools.get(self.clusters.get(*row)?.root).map(|pool| pool.id.clone())
    }

    /// All VMs in the order of their ids, as numbers.
    pub fn vms(&self) -> impl Iterator<Item = &Arc<VirtualMachine>> {
        self.vms.iter().map(|(_, row)| &row.seen)
    }

    /// The host with this id.
    #[must_use]
    pub fn host(&self, id: &HostId) -> Option<&Arc<Host>> {
        self.names.host_ids.get(id).and_then(|row| self.hosts.get(*row))
    }

    /// The host of this name.
    #[must_use]
    pub fn host_named(&self, name: &str) -> Option<&Arc<Host>> {
        self.names.hosts.get(name).and_then(|row| self.hosts.get(*row))
    }

    /// All hosts in the order of the inventory.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.iter().map(|(_, host)| host)
    }

    /// All clusters in the order of the inventory.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.clusters.iter().map(|(_, cluster)| cluster)
    }

    /// All resource pools in the order in which they were made.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.pools.iter().map(|(_, pool)| pool)
    }

    /// The datastore with this id.
    #[must_use]
    pub fn datastore(&self, id: &DatastoreId) -> Option<&Arc<Datastore>> {
        self.names.datastore_ids.get(id).and_then(|row| self.datastores.get(*row))
    }

    /// All datastores in the order of the inventory.
    pub fn datastores(&self) -> impl Iterator<Item = &Arc<Datastore>> {
        self.datastores.iter().map(|(_, ds)| ds)
    }

    /// All networks in the order of the inventory.
    pub fn networks(&self) -> impl Iterator<Item = &Arc<Network>> {
        self.networks.iter().map(|(_, network)| network)
    }

    /// All objects of a kind of the vSphere API with their names, for assertions; nothing if there is no such kind here.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Option<Vec<(Arc<str>, Value)>> {
        Some(match kind {
            "VirtualMachine" => self.vms.iter().map(|(_, row)| (row.label().into(), self.vm_value(row))).collect(),
            "HostSystem" => self.hosts.iter().map(|(_, host)| (host.name.clone(), self.host_value(host))).collect(),
            "ClusterComputeResource" => {
                self.clusters.iter().map(|(_, cluster)| (cluster.name.clone(), self.cluster_value(cluster))).collect()
            }
            "Datastore" => self.datastores.iter().map(|(row, ds)| (ds.name.clone(), self.datastore_value(row, ds))).collect(),
            "ResourcePool" => self.pools.iter().map(|(row, pool)| (pool.name.clone(), self.pool_value(row, pool))).collect(),
            "Folder" => self
                .folders
                .iter()
                .map(|(_, folder)| {
                    let parent = folder.parent.and_then(|row| self.folders.get(row)).map(|parent| &parent.name);
                    (folder.name.clone(), json!({"moID": folder.id, "name": folder.name, "parent": parent}))
                })
                .collect(),
            "Network" => self
                .networks
                .iter()
                .map(|(_, network)| {
                    (network.name().clone(), json!({"moID": network.id, "name": network.name(), "exhausted": network.exhausted}))
                })
                .collect(),
            "KeyProvider" => self
                .key_providers
                .iter()
                .map(|provider| {
                    let value = json!({
                        "name": provider.name,
                        "native": provider.native,
                        "useAsDefault": provider.default,
                        "keys": provider.keys,
                        "available": provider.available,
                    });
                    (provider.name.clone(), value)
                })
                .collect(),
            "Task" => self.task_values(),
            "ServiceInstance" => {
                let content = json!({"about": {"instanceUuid": self.instance_uuid}});
                vec![("ServiceInstance".into(), json!({"moID": "ServiceInstance", "name": "ServiceInstance", "content": content}))]
            }
            _ => return None,
        })
    }

    fn vm_value(&self, row: &Vm) -> Value {
        let mut value = serde_json::to_value(&*row.seen).expect("a VM's properties have string keys");
        let host = self.hosts.get(row.host).map(|host| &*host.name);
        let pool = self.pools.get(row.pool).map(|pool| &*pool.name);
        let folder = self.folders.get(row.folder).map(|folder| &*folder.name);
        let datastores: Vec<&str> = row.datastores().filter_map(|ds| self.datastores.get(ds)).map(|ds| &*ds.name).collect();
        if let Some(runtime) = value.get_mut("runtime").and_then(Value::as_object_mut) {
            runtime.insert("host".to_owned(), host.into());
        }
        if let Value::Object(fields) = &mut value {
            fields.insert("resourcePool".to_owned(), pool.into());
            fields.insert("parent".to_owned(), folder.into());
            fields.insert("datastore".to_owned(), datastores.into());
            // It is this crate's own way of telling what a reader finds by following the references.
            fields.remove("location");
        }
        value
    }

    fn host_value(&self, host: &Host) -> Value {
        let connection = match host.state {
            HostState::Connected | HostState::Maintenance => "connected",
            HostState::Disconnected => "disconnected",
            HostState::NotResponding => "notResponding",
        };
        let vms: Vec<&str> = host.vms.iter().filter_map(|vm| self.vms.get(*vm)).map(|row| row.label()).collect();
        let datastores: Vec<&str> = host.datastores.iter().filter_map(|ds| self.datastores.get(*ds)).map(|ds| &*ds.name).collect();
        json!({
            "moID": host.id,
            "name": host.name,
            "parent": self.clusters.get(host.cluster).map(|cluster| &cluster.name),
            "runtime": {
                "connectionState": connection,
                "inMaintenanceMode": host.state == HostState::Maintenance,
                "powerState": if host.alive { "poweredOn" } else { "unknown" },
            },
            "summary": {"hardware": {
                "cpuMhz": host.clock,
                "numCpuCores": host.cpus,
                "numCpuThreads": host.logical_cpus(),
                "memorySize": host.memory.0,
            }},
            "vm": vms,
            "datastore": datastores,
        })
    }

    fn cluster_value(&self, cluster: &Cluster) -> Value {
        let hosts: Vec<&Arc<Host>> = cluster.hosts.iter().filter_map(|row| self.hosts.get(*row)).collect();
        let behaviour = match cluster.drs.automation {
            DrsAutomation::Manual => "manual",
            DrsAutomation::PartiallyAutomated => "partiallyAutomated",
            DrsAutomation::FullyAutomated => "fullyAutomated",
            DrsAutomation::Disabled => "disabled",
        };
        let usable = hosts.iter().filter(|host| host.takes_vms());
        json!({
            "moID": cluster.id,
            "name": cluster.name,
            "zone": cluster.zone,
            "host": hosts.iter().map(|host| &host.name).collect::<Vec<_>>(),
            "configurationEx": {
                "drsConfig": {"enabled": cluster.drs.enabled, "defaultVmBehavior": behaviour, "vmotionRate": cluster.drs.migration_threshold},
                "dasConfig": {"enabled": cluster.ha.enabled},
            },
            "summary": {
                "numHosts": hosts.len(),
                "numEffectiveHosts": usable.count(),
                "totalCpu": hosts.iter().map(|host| host.cpu.0).sum::<i64>(),
                "totalMemory": hosts.iter().map(|host| host.memory.0).sum::<i64>(),
            },
        })
    }

    fn datastore_value(&self, row: u32, ds: &Datastore) -> Value {
        let space = self.datastores.get(self.space_row(row)).map_or(ds.capacity, |ds| ds.capacity);
        let there = |(_, vm): &(u32, &Arc<Vm>)| vm.datastores().any(|ds| ds == row);
        let vms: Vec<&str> = self.vms.iter().filter(there).map(|(_, vm)| vm.label()).collect();
        json!({
            "moID": ds.id,
            "name": ds.name,
            "summary": {
                "type": ds.type_,
                "capacity": space.0,
                "freeSpace": self.free_on(row),
                "accessible": ds.accessible,
                "maintenanceMode": if ds.maintenance { "inMaintenance" } else { "normal" },
            },
            "vm": vms,
        })
    }

    fn pool_value(&self, row: u32, pool: &Pool) -> Value {
        let allocation = |allocation: PoolAllocation| json!({"reservation": allocation.reservation, "limit": allocation.limit, "expandableReservation": allocation.expandable});
        let vms: Vec<&str> = self.vms.iter().filter(|(_, vm)| vm.pool == row).map(|(_, vm)| vm.label()).collect();
        json!({
            "moID": pool.id,
            "name": pool.name,
            "parent": pool.parent.and_then(|row| self.pools.get(row)).map(|parent| &parent.name),
            "owner": self.clusters.get(pool.cluster).map(|cluster| &cluster.name),
            "config": {"cpuAllocation": allocation(pool.cpu), "memoryAllocation": allocation(pool.memory)},
            "runtime": {"cpu": {"reservationUsed": pool.demand.cpu}, "memory": {"reservationUsed": pool.demand.memory << 20}},
            "vm": vms,
        })
    }

    fn task_values(&self) -> Vec<(Arc<str>, Value)> {
        let value = |task: &Task| {
            let mut fields = Map::new();
            fields.insert("name".to_owned(), task.key.as_str().into());
            fields.insert("info".to_owned(), serde_json::to_value(task).expect("a task's properties have string keys"));
            (task.key.as_str().into(), Value::Object(fields))
        };
        self.tasks.known(self.now).map(value).collect()
    }
}
