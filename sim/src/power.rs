//! Power operations: what each asks of the VM's state, and what is true afterwards.

use std::sync::Arc;

use vmtwin_model::id::{HostId, VmId};
use vmtwin_model::time::Span;
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Changed, Fault, Operation, Reply};

use crate::latency::transfer;
use crate::{World, destroy, files, refusals};

/// Whether a task is about files beside VMs.
pub(crate) fn is_about_files(operation: &Operation) -> bool {
    matches!(operation, Operation::CopyVirtualDisk { .. } | Operation::DeleteDatastoreFile { .. })
}

impl World {
    /// What the state of things says against an operation. It is asked before the work and again at its end.
    pub(crate) fn check_operation(&self, operation: &Operation) -> Result<(), Fault> {
        use PowerState::{PoweredOff, PoweredOn, Suspended};

        let Some(id) = operation.vm() else {
            return match operation {
                _ if is_about_files(operation) => self.check_files(operation),
                _ if destroy::is_destruction(operation) => self.check_destruction(operation),
                _ => self.check_deploy(operation),
            };
        };
        let vm = self.find_vm(id)?;
        self.check_reach(vm)?;
        let row = self.vms.get(vm).ok_or_else(|| refusals::not_found(VmId::TYPE, id.as_str()))?;
        let power = row.power();
        let wrong = |requested| Err(refusals::power_state(requested, power));
        match operation {
            Operation::PowerOnVm { .. } if power == PoweredOn => wrong(PoweredOn),
            Operation::PowerOffVm { .. } if power == PoweredOff => wrong(PoweredOff),
            Operation::SuspendVm { .. } if power != PoweredOn => wrong(Suspended),
            Operation::ResetVm { .. } | Operation::InvokeFsr { .. } if power != PoweredOn => wrong(PoweredOn),
            Operation::DestroyVm { .. } if power == PoweredOn => wrong(PoweredOff),
            Operation::UpgradeVm { version, .. } => self.check_upgrade(row, version),
            Operation::CustomizeVm { .. } => self.check_customize(row),
            Operation::ReconfigVm { spec, .. } => self.check_reconfigure(vm, row, spec),
            Operation::CreateSnapshot { .. } | Operation::RevertToSnapshot { .. } | Operation::RemoveSnapshot { .. } => {
                self.check_snapshot(row, operation)
            }
            Operation::PromoteDisks { disks, .. } => self.check_promotion(row, disks),
            _ => Ok(()),
        }
    }

    /// Does what an operation on an existing VM is for; it was checked just now.
    pub(crate) fn carry_out(&mut self, operation: &Operation) -> Result<(), Fault> {
        let Some(id) = operation.vm() else {
            self.change_files(operation);
            return self.destroy(operation);
        };
        let vm = self.find_vm(id)?;
        match operation {
            Operation::PowerOffVm { .. } => self.switch_off(vm),
            Operation::SuspendVm { .. } => self.suspend(vm),
            Operation::ResetVm { .. } => self.guest_boots(vm),
            Operation::DestroyVm { .. } => self.remove_vm(vm),
            Operation::UpgradeVm { version, .. } => self.upgrade(vm, version),
            Operation::CustomizeVm { spec, .. } => self.customize(vm, spec),
            Operation::ReconfigVm { spec, .. } => self.reconfigure(vm, spec)?,
            Operation::PromoteDisks { disks, .. } => self.promote(vm, disks),
            _ => {}
        }
        Ok(())
    }

    /// Admission, the choice of a host, and the booking: what begins a power-on.
    pub(crate) fn start_power_on(&mut self, id: &VmId, host: Option<&HostId>) -> Result<Span, Fault> {
        let vm = self.find_vm(id)?;
        let wanted = match host {
            Some(id) => Some(*self.names.host_ids.get(id).ok_or_else(|| refusals::not_found(HostId::TYPE, id.as_str()))?),
            None => None,
        };
        let host = self.admit_power_on(vm, wanted)?;
        self.book(vm, host);
        let Some(row) = self.vms.get(vm) else { return Ok(Span::ZERO) };
        let resumed = row.power() == PowerState::Suspended;
        let memory = row.config().hardware.memory_mb.to_bytes().0;
        let drs = Span::from_millis(300);
        Ok(if resumed { drs + transfer(memory, 800_000_000) } else { drs })
    }

    /// The host on which a VM can be switched on, all things considered.
    pub(crate) fn admit_power_on(&self, vm: u32, wanted: Option<u32>) -> Result<u32, Fault> {
        let Some(row) = self.vms.get(vm) else { return Err(refusals::not_found(VmId::TYPE, "vm")) };
        let size = row.size();
        self.check_disk_keys(row, row.host)?;
        self.admit_to_pool(row.pool, size.reserved)?;
        let cluster = self.pools.get(row.pool).map_or(0, |pool| pool.cluster);
        self.admit_failover(cluster, &size)?;
        self.planner_admits(cluster, &size)?;
        let host = self.host_for_power_on(vm, wanted)?;
        let swap = files::swap_size(row.config()).to_bytes().0;
        if row.power() != PowerState::PoweredOn
            && !row.stated_files
            && swap > self.free_on(row.home)
            && let Some(ds) = self.datastores.get(row.home)
        {
            let file = format!("{}/{}.vswp", files::home_path(self, row), row.seen.name);
            return Err(refusals::no_disk_space(&ds.id, &ds.name, &file));
        }
        Ok(host)
    }

    pub(crate) fn finish_power_on(&mut self, id: &VmId) -> Result<Reply, Fault> {
        let vm = self.find_vm(id)?;
        let booked = self.vms.get(vm).and_then(|row| row.booked);
        let result = self.check_power_on(vm, booked.map(|booked| booked.host));
        match result {
            Ok(host) => {
                self.switch_on(vm, host);
                Ok(Reply::Done)
            }
            Err(fault) => {
                if self.vms.get(vm).is_some_and(|row| row.power() != PowerState::PoweredOn) {
                    self.unbook(vm);
                }
                Err(fault)
            }
        }
    }

    fn check_power_on(&self, vm: u32, host: Option<u32>) -> Result<u32, Fault> {
        let Some(row) = self.vms.get(vm) else { return Err(refusals::not_found(VmId::TYPE, "vm")) };
        if row.power() == PowerState::PoweredOn {
            return Err(refusals::power_state(PowerState::PoweredOn, PowerState::PoweredOn));
        }
        if let Some(ds) = row.datastores().filter_map(|ds| self.datastores.get(ds)).find(|ds| !ds.accessible) {
            return Err(refusals::inaccessible_datastore(&ds.id, &ds.name));
        }
        let host = host.unwrap_or(row.host);
        match self.hosts.get(host) {
            Some(there) if !there.takes_vms() => Err(refusals::host_not_connected(&there.name)),
            _ => Ok(host),
        }
    }

    /// The VM runs on this host from now on.
    pub(crate) fn switch_on(&mut self, vm: u32, host: u32) {
        let Some(row) = self.vms.get(vm) else { return };
        let resumed = row.power() == PowerState::Suspended;
        self.move_vm(vm, host);
        if self.vms.get(vm).is_some_and(|row| row.booked.is_none_or(|booked| booked.host != host)) {
            self.book(vm, host);
        }
        let now = self.now;
        if let Some(row) = self.vms.get_mut(vm) {
            row.boots += u32::from(!resumed);
            let seen = Arc::make_mut(&mut row.seen);
            seen.runtime.power_state = PowerState::PoweredOn;
            if !resumed || seen.runtime.boot_time.is_none() {
                seen.runtime.boot_time = Some(now);
            }
        }
        self.connect_devices(vm, true);
        self.touch(vm, Changed::PowerState);
        self.lay_out(vm);
        if resumed {
            self.guest_resumes(vm);
        } else {
            self.guest_boots(vm);
        }
    }

    /// The VM is off from now on.
    pub(crate) fn switch_off(&mut self, vm: u32) {
        self.power_down(vm, PowerState::PoweredOff);
        if let Some(seen) = self.seen_mut(vm) {
            seen.runtime.boot_time = None;
        }
    }

    /// The VM sleeps from now on.
    pub(crate) fn suspend(&mut self, vm: u32) {
        self.power_down(vm, PowerState::Suspended);
    }

    fn power_down(&mut self, vm: u32, state: PowerState) {
        if let Some(seen) = self.seen_mut(vm) {
            seen.runtime.power_state = state;
        }
        self.unbook(vm);
        self.connect_devices(vm, false);
        self.touch(vm, Changed::PowerState);
        self.lay_out(vm);
        self.guest_stops(vm);
    }

    /// Devices that start connected are connected while the VM is on. The change of the power state tells it.
    fn connect_devices(&mut self, vm: u32, on: bool) {
        let Some(config) = self.seen_mut(vm).and_then(|seen| seen.config.as_mut()) else { return };
        for device in &mut config.hardware.device {
            if let Some(connectable) = &mut device.connectable {
                connectable.connected = on && connectable.start_connected;
            }
        }
    }

    pub(crate) fn suspend_span(&self, id: &VmId) -> Span {
        let row = self.vms.find(id).and_then(|row| self.vms.get(row));
        row.map_or(Span::ZERO, |row| transfer(row.config().hardware.memory_mb.to_bytes().0 / 2, 500_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory, spec};
    use vmtwin_model::vsphere::FaultName;

    #[test]
    fn a_vm_is_deployed_off_and_switched_on() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(spec("a"));
        assert_eq!(vm.as_str(), "vm-101");
        assert_eq!(trial.vm(&vm).runtime.power_state, PowerState::PoweredOff);
        trial.changes.clear();
        assert_eq!(trial.ask(Operation::PowerOnVm { vm: vm.clone(), host: None }), Ok(Reply::Done));
        assert_eq!(trial.vm(&vm).runtime.power_state, PowerState::PoweredOn);
        let (at, change) = trial.changes.last().expect("a change").clone();
        assert_eq!(at, trial.now);
        assert!(change.changed.contains(&Changed::PowerState) && change.changed.contains(&Changed::Task), "{change}");
        assert_eq!(change.namespaced_name.as_deref(), Some("shop/a"));
    }

    #[test]
    fn a_change_comes_before_the_end_of_its_task_and_that_before_the_answer() {
        let mut trial = Trial::new(&inventory());
        trial.running("a");
        let last: Vec<&str> = trial.happened[trial.happened.len() - 3..]
            .iter()
            .map(|happening| match happening.what {
                crate::What::Changed(_) => "change",
                crate::What::Task { .. } => "task",
                crate::What::Answer { .. } => "answer",
                _ => "other",
            })
            .collect();
        assert_eq!(last, ["change", "task", "answer"]);
    }

    #[test]
    fn a_power_operation_from_the_wrong_state_names_both_states() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.running("a");
        let states = |fault: &Fault| {
            assert_eq!(fault.name, FaultName::InvalidPowerState);
            (fault.text("requestedState").map(str::to_owned), fault.text("existingState").map(str::to_owned))
        };
        let both = |a: &str, b: &str| (Some(a.to_owned()), Some(b.to_owned()));
        let fault = trial.refused(Operation::PowerOnVm { vm: vm.clone(), host: None });
        assert_eq!(states(&fault), both("poweredOn", "poweredOn"));
        let fault = trial.refused(Operation::DestroyVm { vm: vm.clone() });
        assert_eq!(states(&fault), both("poweredOff", "poweredOn"));
        trial.ask(Operation::PowerOffVm { vm: vm.clone() }).expect("it is switched off");
        let fault = trial.refused(Operation::SuspendVm { vm: vm.clone() });
        assert_eq!(states(&fault), both("suspended", "poweredOff"));
        let fault = trial.refused(Operation::ShutdownGuest { vm: vm.clone() });
        assert_eq!(states(&fault), both("poweredOff", "poweredOff"));
        trial.ask(Operation::DestroyVm { vm: vm.clone() }).expect("it is destroyed");
        assert_eq!(trial.refused(Operation::RetrieveVm { vm }).name, FaultName::ManagedObjectNotFound);
        assert_eq!(trial.value("Datastore", "ds")["summary"]["freeSpace"], 1024_i64 << 30, "its files are gone");
    }

    #[test]
    fn a_second_task_on_a_vm_is_refused_while_the_first_runs() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(spec("a"));
        let first = trial.call(Operation::PowerOnVm { vm: vm.clone(), host: None });
        trial.run(Span::from_millis(10));
        assert_eq!(trial.vm(&vm).recent_task.last().map(|task| task.state.is_open()), Some(true));
        let fault = trial.refused(Operation::ReconfigVm { vm, spec: Arc::default() });
        assert_eq!(fault.name, FaultName::TaskInProgress);
        assert!(fault.text("task").is_some_and(|task| task.starts_with("task-")));
        trial.run(Span::from_secs(5));
        assert!(trial.answers[&first].1.result.is_ok());
    }

    #[test]
    fn a_suspended_vm_keeps_its_memory_on_disk_until_it_is_resumed() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.running("a");
        let files = |trial: &Trial, type_: &str| trial.vm(&vm).layout_ex.file.iter().any(|file| &*file.type_ == type_);
        assert!(files(&trial, "swap") && !files(&trial, "suspendMemory"));
        trial.ask(Operation::SuspendVm { vm: vm.clone() }).expect("it is suspended");
        assert!(!files(&trial, "swap") && files(&trial, "suspendMemory"));
        trial.ask(Operation::PowerOnVm { vm: vm.clone(), host: None }).expect("it is resumed");
        trial.run(Span::from_secs(2));
        assert!(trial.vm(&vm).tools_run(), "a resumed guest needs no boot");
    }
}
