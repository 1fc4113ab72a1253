//! Cluster modules: VMs that DRS and HA keep apart as well as they can; and the pools and folders that are made while the world runs.
//! Source: placement-groups §8, vsphere §2.7.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::id::{ClusterId, DatastoreId, FolderId, PoolId, VmId};
use vmtwin_model::vsphere::answer::DatastoreInfo;
use vmtwin_model::vsphere::inventory::PoolAllocation;
use vmtwin_model::vsphere::operation::{PoolShare, PoolSpec};
use vmtwin_model::vsphere::{Fault, FaultName, Reply};

use crate::capacity::Need;
use crate::{World, refusals};

/// The cluster modules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Modules {
    by_id: BTreeMap<Arc<str>, Module>,
    /// The modules that a VM is in.
    of_vm: BTreeMap<u32, BTreeSet<Arc<str>>>,
    made: u32,
}

#[derive(Clone, Debug)]
struct Module {
    cluster: ClusterId,
    members: BTreeSet<u32>,
}

fn not_there(module: &str) -> Fault {
    Fault::new(FaultName::ManagedObjectNotFound, format!("The cluster module {module} does not exist.")).with("obj", module)
}

impl Modules {
    pub(crate) fn list(&self) -> Vec<(Arc<str>, ClusterId)> {
        self.by_id.iter().map(|(id, module)| (id.clone(), module.cluster.clone())).collect()
    }

    pub(crate) fn delete(&mut self, id: &str) -> Result<(), Fault> {
        let module = self.by_id.remove(id).ok_or_else(|| not_there(id))?;
        for vm in module.members {
            self.forget_membership(vm, id);
        }
        Ok(())
    }

    fn forget_membership(&mut self, vm: u32, id: &str) {
        if let Some(of_vm) = self.of_vm.get_mut(&vm) {
            of_vm.remove(id);
            if of_vm.is_empty() {
                self.of_vm.remove(&vm);
            }
        }
    }

    /// The VM is gone.
    pub(crate) fn leave(&mut self, vm: u32) {
        for id in self.of_vm.remove(&vm).unwrap_or_default() {
            if let Some(module) = self.by_id.get_mut(&id) {
                module.members.remove(&vm);
            }
        }
    }

    /// The other members of the modules that a VM is in.
    pub(crate) fn peers(&self, vm: u32) -> impl Iterator<Item = u32> {
        let modules = self.of_vm.get(&vm).into_iter().flatten();
        let members = modules.filter_map(|id| self.by_id.get(id)).flat_map(|module| module.members.iter().copied());
        members.filter(move |other| *other != vm)
    }
}

impl World {
    pub(crate) fn make_module(&mut self, cluster: &ClusterId) -> Result<Reply, Fault> {
        if !self.names.cluster_ids.contains_key(cluster) {
            return Err(refusals::not_found(ClusterId::TYPE, cluster.as_str()));
        }
        self.modules.made += 1;
        let id: Arc<str> = self.rng.draw("sim/module", (cluster.as_str(), self.modules.made)).uuid().to_string().into();
        self.modules.by_id.insert(id.clone(), Module { cluster: cluster.clone(), members: BTreeSet::new() });
        Ok(Reply::Module(id))
    }

    pub(crate) fn module_members(&self, id: &str) -> Result<Vec<VmId>, Fault> {
        let module = self.modules.by_id.get(id).ok_or_else(|| not_there(id))?;
        Ok(module.members.iter().filter_map(|row| self.vms.get(*row)).map(|vm| vm.seen.id.clone()).collect())
    }

    pub(crate) fn join_module(&mut self, id: &str, vms: &[VmId]) -> Result<Reply, Fault> {
        let rows = vms.iter().map(|vm| self.find_vm(vm)).collect::<Result<Vec<_>, _>>()?;
        let id: Arc<str> = id.into();
        let module = self.modules.by_id.get_mut(&id).ok_or_else(|| not_there(&id))?;
        module.members.extend(rows.iter().copied());
        for row in rows {
            self.modules.of_vm.entry(row).or_default().insert(id.clone());
        }
        Ok(Reply::Done)
    }

    pub(crate) fn make_pool(&mut self, entity: &PoolId, name: &str, spec: &PoolSpec) -> Result<Reply, Fault> {
        let parent = *self.names.pool_ids.get(entity).ok_or_else(|| refusals::not_found(PoolId::TYPE, entity.as_str()))?;
        if let Some(there) = self.child_pool(parent, name).and_then(|row| self.pools.get(row)) {
            return Err(refusals::duplicate_name(name, there.id.as_str()));
        }
        let cluster = self.pools.get(parent).map_or(0, |pool| pool.cluster);
        let reserved = Need { cpu: spec.cpu_allocation.reservation, memory: spec.memory_allocation.reservation };
        self.admit_to_pool(parent, reserved)?;
        let share = |share: PoolShare| PoolAllocation { reservation: share.reservation, limit: share.limit, expandable: true };
        let row = self.add_pool(name.into(), cluster, Some(parent), share(spec.cpu_allocation), share(spec.memory_allocation));
        Ok(Reply::Child(self.pools.get(row).map(|pool| pool.id.as_str().into())))
    }

    pub(crate) fn make_folder(&mut self, entity: &FolderId, name: &str) -> Result<Reply, Fault> {
        let parent = *self.names.folder_ids.get(entity).ok_or_else(|| refusals::not_found(FolderId::TYPE, entity.as_str()))?;
        if let Some(there) = self.child_folder(parent, name).and_then(|row| self.folders.get(row)) {
            return Err(refusals::duplicate_name(name, there.id.as_str()));
        }
        let row = self.add_folder(name.into(), Some(parent));
        Ok(Reply::Child(self.folders.get(row).map(|folder| folder.id.as_str().into())))
    }

    /// What a datastore is known by. Directories can't be made at the top of vSAN and vVols.
    pub(crate) fn datastore_info(&self, id: &DatastoreId) -> Result<Arc<DatastoreInfo>, Fault> {
        let row = self.names.datastore_ids.get(id).and_then(|row| self.datastores.get(*row));
        let ds = row.ok_or_else(|| refusals::not_found(DatastoreId::TYPE, id.as_str()))?;
        let has_objects = matches!(&*ds.type_, "vsan" | "vvol");
        Ok(Arc::new(DatastoreInfo {
            name: ds.name.clone(),
            datacenter: crate::library::DATACENTER.into(),
            url: format!("ds:///vmfs/volumes/{}/", self.rng.draw("sim/datastore-url", &*ds.name).uuid()).into(),
            supported_disk_formats: vec!["native_512".into(), "native_4k".into()],
            top_level_directory_create_supported: !has_objects,
        }))
    }
}
