//! `PromoteDisks_Task`: disks that are linked to others become full ones, each with a copy of what it shared.
//!
//! Source: vm-lifecycle §16.3, vsphere §4.

use std::sync::Arc;

use vmtwin_model::id::VmId;
use vmtwin_model::time::Span;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::spec::{Device, DeviceType};
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Changed, Fault};

use crate::latency::transfer;
use crate::library::{COPY_RATE, parent_of};
use crate::vm::Vm;
use crate::{World, files, refusals};

impl World {
    /// What speaks against it: the VM sleeps, a disk isn't its own, or the datastore has no room for the copies.
    pub(crate) fn check_promotion(&self, row: &Vm, disks: &[Device]) -> Result<(), Fault> {
        if row.power() == PowerState::Suspended {
            return Err(refusals::power_state(PowerState::PoweredOn, row.power()));
        }
        if disks.iter().any(|disk| own(row, disk.key).is_none()) {
            return Err(refusals::invalid_argument("disks"));
        }
        let more = self.shared(row, disks);
        match self.datastores.get(row.home) {
            Some(ds) if !row.stated_files && more.0 > self.free_on(row.home).max(0) => {
                Err(refusals::no_disk_space(&ds.id, &ds.name, &files::home_path(self, row)))
            }
            _ => Ok(()),
        }
    }

    /// How long the copies take.
    pub(crate) fn promotion_span(&self, vm: &VmId, disks: &[Device]) -> Span {
        let row = self.find_vm(vm).ok().and_then(|vm| self.vms.get(vm));
        row.map_or(Span::ZERO, |row| transfer(self.shared(row, disks).0, COPY_RATE))
    }

    /// What disks have of those that they are linked to.
    fn shared(&self, row: &Vm, disks: &[Device]) -> Bytes {
        let linked = disks.iter().filter_map(|disk| parent_of(own(row, disk.key)?.backing.as_ref()?));
        Bytes(linked.filter_map(|path| self.library.disk(path)).map(|disk| disk.size.0).sum())
    }

    /// The disks stand alone from now on; it was checked just now.
    pub(crate) fn promote(&mut self, vm: u32, disks: &[Device]) {
        let Some(row) = self.vms.get(vm).cloned() else { return };
        for key in disks.iter().map(|disk| disk.key) {
            let more = own(&row, key).map(|disk| self.shared(&row, std::slice::from_ref(disk))).unwrap_or_default();
            let Some(row) = self.vms.get_mut(vm) else { return };
            let written = row.written.entry(key).or_default();
            *written = Bytes(written.0 + more.0);
            let devices =
                Arc::make_mut(&mut row.seen).config.as_mut().map(|config| config.hardware.device.as_mut_slice()).unwrap_or_default();
            if let Some(backing) = devices.iter_mut().find(|device| device.key == key).and_then(|disk| disk.backing.as_mut()) {
                backing.rest.remove("parent");
            }
        }
        self.touch(vm, Changed::Config);
        self.lay_out(vm);
    }
}

/// The VM's disk of this key.
fn own(row: &Vm, key: i32) -> Option<&Device> {
    row.config().hardware.device.iter().find(|device| device.key == key && device.type_ == DeviceType::VirtualDisk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::LooseDisk;
    use crate::trial::{Trial, inventory, spec};
    use vmtwin_model::vsphere::inventory::Timing;
    use vmtwin_model::vsphere::spec::{Backing, ConfigSpec, DeviceChange};
    use vmtwin_model::vsphere::vm::TaskState;
    use vmtwin_model::vsphere::{Answer, FaultName, Operation, Reply};

    fn linked(trial: &mut Trial) -> (VmId, Device) {
        let loose = LooseDisk { size: Bytes::from_gib(2), capacity: Bytes::from_gib(10), image: 0 };
        trial.world.lay_disk(&"[ds] cache/a.vmdk".into(), loose);
        let vm = trial.deploy(spec("a"));
        let mut backing = Backing { thin_provisioned: Some(true), ..Backing::default() };
        backing.rest.insert("parent".to_owned(), serde_json::json!({"fileName": "[ds] cache/a.vmdk"}));
        let disk = Device { backing: Some(backing), ..Device::new(DeviceType::VirtualDisk, -1) };
        let change = ConfigSpec { device_change: vec![DeviceChange::add(disk)], ..ConfigSpec::default() };
        trial.ask(Operation::ReconfigVm { vm: vm.clone(), spec: Arc::new(change) }).expect("a disk is added");
        let devices = &trial.vm(&vm).config.as_ref().expect("a configuration").hardware.device;
        let disk = devices.iter().rfind(|device| device.type_ == DeviceType::VirtualDisk).cloned().expect("a disk");
        (vm, disk)
    }

    fn extent(trial: &Trial, vm: &VmId, key: i32) -> Bytes {
        let layout = &trial.vm(vm).layout_ex;
        let chain = layout.disk.iter().find(|disk| disk.key == key).expect("the disk is laid out");
        let file = chain.chain[0].file_key[1];
        layout.file.iter().find(|there| there.key == file).expect("its extent").size
    }

    #[test]
    fn a_linked_disk_becomes_full_while_whoever_asked_goes_on() {
        let mut trial = Trial::new(&inventory());
        let (vm, disk) = linked(&mut trial);
        assert_eq!(extent(&trial, &vm, disk.key), Bytes::ZERO, "it shares everything");
        let call = trial.call(Operation::PromoteDisks { vm: vm.clone(), unlink: true, disks: vec![disk.clone()] });
        trial.run(Span::from_millis(1));
        let Answer { task, result } = trial.answers[&call].1.clone();
        assert_eq!((task.is_some(), result), (true, Ok(Reply::Done)), "the answer doesn't wait for the task");
        let state = |trial: &Trial| trial.vm(&vm).recent_task.last().map(|task| (task.description_id.to_string(), task.state));
        assert_eq!(state(&trial), Some(("VirtualMachine.promoteDisks".to_owned(), TaskState::Running)));
        trial.run(Span::from_mins(5));
        assert_eq!(state(&trial).map(|(_, state)| state), Some(TaskState::Success));
        assert_eq!(extent(&trial, &vm, disk.key), Bytes::from_gib(2), "it has a copy of what it shared");
        let after = own(&trial.world.vms.get(trial.world.find_vm(&vm).expect("it is there")).expect("a row").clone(), disk.key).cloned();
        assert_eq!(after.and_then(|disk| disk.backing).as_ref().and_then(parent_of), None);
    }

    #[test]
    fn a_promotion_can_be_cancelled_and_leaves_the_disk_linked() {
        let mut inventory = inventory();
        inventory.timings.insert("CancelTask".into(), Timing::Fixed(Span::from_millis(100)));
        let mut trial = Trial::new(&inventory);
        let (vm, disk) = linked(&mut trial);
        trial.call(Operation::PromoteDisks { vm: vm.clone(), unlink: true, disks: vec![disk.clone()] });
        trial.run(Span::from_millis(1));
        let task = trial.vm(&vm).recent_task.last().expect("a task").key.clone();
        trial.ask(Operation::CancelTask { task: task.clone() }).expect("it runs");
        let ended = trial.vm(&vm).recent_task.iter().find(|there| there.key == task).cloned().expect("it is remembered");
        assert_eq!(ended.error.map(|fault| fault.name), Some(FaultName::RequestCanceled));
        trial.run(Span::from_mins(5));
        assert_eq!(extent(&trial, &vm, disk.key), Bytes::ZERO);
        trial.ask(Operation::DestroyVm { vm }).expect("no task has the VM any more");
        assert_eq!(trial.refused(Operation::CancelTask { task: "task-4711".into() }).name, FaultName::ManagedObjectNotFound);
    }
}
