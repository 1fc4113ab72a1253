//! Resource pools and folders that are destroyed: what was in a pool goes to the one above, what was in a folder goes with it. Source: the
//! API reference of `ResourcePool` and `ManagedEntity.Destroy_Task`.

use vmtwin_model::id::{FolderId, PoolId};
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Changed, Fault, Operation};

use crate::capacity::Need;
use crate::{World, refusals};

/// Whether an operation destroys a pool or a folder.
pub(crate) fn is_destruction(operation: &Operation) -> bool {
    matches!(operation, Operation::DestroyPool { .. } | Operation::DestroyFolder { .. })
}

impl World {
    /// What speaks against it.
    pub(crate) fn check_destruction(&self, operation: &Operation) -> Result<(), Fault> {
        match operation {
            Operation::DestroyPool { pool } => {
                let row = self.row_of_pool(pool)?;
                let is_root = self.pools.get(row).is_some_and(|pool| pool.parent.is_none());
                if is_root { Err(refusals::not_supported("a cluster's own pool goes with its cluster")) } else { Ok(()) }
            }
            Operation::DestroyFolder { folder } => {
                let row = self.row_of_folder(folder)?;
                let running =
                    self.vms_below(row).into_iter().any(|vm| self.vms.get(vm).is_some_and(|vm| vm.power() != PowerState::PoweredOff));
                if running { Err(refusals::power_state(PowerState::PoweredOff, PowerState::PoweredOn)) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// Does it; it was checked just now.
    pub(crate) fn destroy(&mut self, operation: &Operation) -> Result<(), Fault> {
        match operation {
            Operation::DestroyPool { pool } => {
                let row = self.row_of_pool(pool)?;
                self.destroy_pool(row);
            }
            Operation::DestroyFolder { folder } => {
                let row = self.row_of_folder(folder)?;
                for vm in self.vms_below(row) {
                    self.remove_vm(vm);
                }
                for folder in self.folders_below(row) {
                    self.forget_folder(folder);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn row_of_pool(&self, id: &PoolId) -> Result<u32, Fault> {
        self.names.pool_ids.get(id).copied().ok_or_else(|| refusals::not_found(PoolId::TYPE, id.as_str()))
    }

    fn row_of_folder(&self, id: &FolderId) -> Result<u32, Fault> {
        self.names.folder_ids.get(id).copied().ok_or_else(|| refusals::not_found(FolderId::TYPE, id.as_str()))
    }

    /// Its VMs and pools hang below its parent afterwards, and take from there what they had from it.
    fn destroy_pool(&mut self, row: u32) {
        let Some(pool) = self.pools.get(row).cloned() else { return };
        let Some(parent) = pool.parent else { return };
        let vms: Vec<u32> = self.vms.iter().filter(|(_, vm)| vm.pool == row).map(|(vm, _)| vm).collect();
        for vm in vms {
            let host = self.vms.get(vm).and_then(|vm| vm.booked).map(|booked| booked.host);
            self.unbook(vm);
            self.vms.change(vm, |vm| vm.pool = parent);
            if let Some(host) = host {
                self.book(vm, host);
            }
            self.locate(vm);
            self.touch(vm, Changed::Location);
        }
        // What is left of its demand is its child pools'; with them it moves up.
        let left = self.pools.get(row).map_or_else(Need::default, |pool| pool.demand);
        self.charge_pool(row, Need::default() - left);
        let reserved = Need { cpu: pool.cpu.reservation, memory: pool.memory.reservation };
        self.charge_pool(parent, left - reserved);
        let children: Vec<u32> = self.pools.iter().filter(|(_, child)| child.parent == Some(row)).map(|(child, _)| child).collect();
        for child in children {
            if let Some(child) = self.pools.get_mut(child) {
                child.parent = Some(parent);
            }
        }
        self.forget_pool(row);
    }

    /// A folder and all that hang below it, the lowest first.
    fn folders_below(&self, folder: u32) -> Vec<u32> {
        let mut rows = vec![folder];
        let mut at = 0;
        while let Some(above) = rows.get(at).copied() {
            rows.extend(self.folders.iter().filter(|(_, child)| child.parent == Some(above)).map(|(row, _)| row));
            at += 1;
        }
        rows.reverse();
        rows
    }

    fn vms_below(&self, folder: u32) -> Vec<u32> {
        let folders = self.folders_below(folder);
        self.vms.iter().filter(|(_, vm)| folders.contains(&vm.folder)).map(|(row, _)| row).collect()
    }
}

#[cfg(test)]
mod tests {
    use vmtwin_model::id::VmId;
    use vmtwin_model::vsphere::inventory::PoolAllocation;
    use vmtwin_model::vsphere::operation::{PoolShare, PoolSpec};
    use vmtwin_model::vsphere::{FaultName, Reply};

    use super::*;
    use crate::trial::{Trial, inventory, spec};

    fn pool(trial: &mut Trial, name: &str, cpu: i64) -> PoolId {
        let entity = trial.world.topology().pools("zone-a", "shop")[0].clone();
        let share = |reservation| PoolShare { reservation, limit: -1 };
        let spec = PoolSpec { cpu_allocation: share(cpu), memory_allocation: share(0) };
        match trial.ask(Operation::CreateResourcePool { entity, name: name.into(), spec }) {
            Ok(Reply::Child(Some(id))) => PoolId::from(&*id),
            other => panic!("{other:?}"),
        }
    }

    fn deploy_into(trial: &mut Trial, pool: &PoolId) -> VmId {
        let Operation::DeployLibraryItem(mut deploy) = trial.deployment(spec("a")) else { panic!("it deploys") };
        deploy.resource_pool_id = pool.clone();
        match trial.ask(Operation::DeployLibraryItem(deploy)) {
            Ok(Reply::Created(vm)) => vm,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_in_a_pool_goes_to_the_one_above_and_the_books_stay_true() {
        let mut trial = Trial::new(&inventory());
        let above = trial.world.topology().pools("zone-a", "shop")[0].clone();
        let before: Vec<Need> = trial.world.pools().map(|pool| pool.demand).collect();
        let child = pool(&mut trial, "child", 4000);
        let vm = deploy_into(&mut trial, &child);
        trial.ask(Operation::PowerOnVm { vm: vm.clone(), host: None }).expect("it fits");
        trial.ask(Operation::DestroyPool { pool: child.clone() }).expect("it may go");
        assert_eq!(trial.vm(&vm).resource_pool.as_ref(), Some(&above));
        assert_eq!(trial.refused(Operation::DestroyPool { pool: child.clone() }).name, FaultName::ManagedObjectNotFound);
        assert_ne!(pool(&mut trial, "child", 0), child, "an id isn't given out twice");
        trial.ask(Operation::PowerOffVm { vm }).expect("it is on");
        let demand = |trial: &Trial| trial.world.pools().map(|pool| pool.demand).collect::<Vec<_>>();
        assert_eq!(demand(&trial)[..before.len()], before[..], "what it had reserved is free");
        let root = trial.world.pools().next().expect("the cluster's").id.clone();
        assert_eq!(trial.refused(Operation::DestroyPool { pool: root }).name, FaultName::NotSupported);
    }

    #[test]
    fn pools_below_a_pool_move_up_with_what_they_reserve() {
        let mut trial = Trial::new(&inventory());
        let open = PoolAllocation::default();
        let parent = trial.world.child_pool(trial.world.clusters.get(0).expect("one").root, "shop").expect("the namespace's");
        let cluster = 0;
        let middle = trial.world.add_pool("middle".into(), cluster, Some(parent), open, open);
        let fixed = PoolAllocation { reservation: 1000, ..open };
        trial.world.add_pool("low".into(), cluster, Some(middle), fixed, open);
        let of_parent = |trial: &Trial| trial.world.pools.get(parent).map(|pool| pool.demand.cpu);
        assert_eq!(of_parent(&trial), Some(1000));
        let id = trial.world.pools.get(middle).expect("it is there").id.clone();
        trial.ask(Operation::DestroyPool { pool: id }).expect("it may go");
        assert_eq!(of_parent(&trial), Some(1000));
        assert!(trial.world.child_pool(parent, "low").is_some());
    }

    #[test]
    fn a_folder_goes_with_what_is_in_it_unless_a_vm_runs_there() {
        let mut trial = Trial::new(&inventory());
        let entity = trial.world.topology().folder("shop").expect("the namespace's").clone();
        let folder = match trial.ask(Operation::CreateFolder { entity, name: "child".into() }) {
            Ok(Reply::Child(Some(id))) => FolderId::from(&*id),
            other => panic!("{other:?}"),
        };
        let Operation::DeployLibraryItem(mut deploy) = trial.deployment(spec("a")) else { panic!("it deploys") };
        deploy.folder_id = folder.clone();
        let Ok(Reply::Created(vm)) = trial.ask(Operation::DeployLibraryItem(deploy)) else { panic!("it is made") };
        trial.ask(Operation::PowerOnVm { vm: vm.clone(), host: None }).expect("it fits");
        assert_eq!(trial.refused(Operation::DestroyFolder { folder: folder.clone() }).name, FaultName::InvalidPowerState);
        trial.ask(Operation::PowerOffVm { vm }).expect("it is on");
        trial.ask(Operation::DestroyFolder { folder: folder.clone() }).expect("nothing runs there");
        assert_eq!(trial.world.vms().count(), 0);
        assert_eq!(trial.refused(Operation::DestroyFolder { folder }).name, FaultName::ManagedObjectNotFound);
    }
}
