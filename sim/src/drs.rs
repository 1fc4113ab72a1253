//! Moves of running VMs: DRS empties hosts that enter maintenance mode, administrators move what they like. The choice of hosts is in
//! `placement`, what DRS does for balance in `balance`.

use vmtwin_model::time::Span;
use vmtwin_model::vsphere::inventory::{DrsAutomation, HostState};
use vmtwin_model::vsphere::vm::PowerState;

use crate::agenda::Entry;
use crate::balance::Why;
use crate::latency::{drawn, sample, transfer};
use crate::placement::Besides;
use crate::{World, graphics, refusals};

/// How many VMs leave a host at once.
const MOVES: usize = 8;
/// What a move transfers in a second, in bytes.
const BANDWIDTH: i64 = 1_100_000_000;
/// When a host that can't be emptied is looked at again.
const LOOK_AGAIN: Span = Span::from_secs(60);

impl World {
    /// A host is asked to enter maintenance mode.
    pub(crate) fn enter_maintenance(&mut self, row: u32) {
        let Some(host) = self.hosts.get_mut(row) else { return };
        host.evacuating = true;
        let epoch = host.epoch;
        self.tell_host(row, "the host enters maintenance mode");
        self.evacuate(row, epoch);
    }

    pub(crate) fn exit_maintenance(&mut self, row: u32) {
        let Some(host) = self.hosts.get_mut(row) else { return };
        host.evacuating = false;
        host.epoch += 1;
        if host.state == HostState::Maintenance {
            host.state = HostState::Connected;
        }
        let cluster = host.cluster;
        self.tell_host(row, "the host left maintenance mode");
        self.want_balance(cluster, Why::Repair);
    }

    /// Moves the next VMs off a host, and lets it into maintenance mode when no powered-on VM is left.
    pub(crate) fn evacuate(&mut self, row: u32, epoch: u32) {
        let Some(host) = self.hosts.get(row).filter(|host| host.epoch == epoch && host.evacuating && host.alive) else { return };
        let on = |vm: &&u32| self.vms.get(**vm).is_some_and(|vm| vm.power() == PowerState::PoweredOn || vm.booked.is_some());
        let running: Vec<u32> = host.vms.iter().filter(on).copied().collect();
        if running.is_empty() && host.reserved == crate::capacity::Need::default() {
            if let Some(host) = self.hosts.get_mut(row) {
                host.evacuating = false;
                host.state = HostState::Maintenance;
            }
            self.tell_host(row, "the host is in maintenance mode");
            return;
        }
        let cluster = host.cluster;
        let mut room = MOVES.saturating_sub(host.leaving.len());
        if !self.may_be_emptied(row) {
            room = 0;
        }
        let waiting: Vec<u32> = running.into_iter().filter(|vm| !host.leaving.contains(vm)).collect();
        for vm in waiting {
            if room > 0 && self.leave(cluster, vm, row) {
                room -= 1;
            }
        }
        if self.hosts.get(row).is_some_and(|host| host.leaving.is_empty()) {
            self.agenda.put(self.now + LOOK_AGAIN, self.cause, Entry::Evacuate { host: row, epoch });
        }
    }

    /// Starts moving a VM to the best other host, if there is one and DRS may move it by itself.
    fn leave(&mut self, cluster: u32, vm: u32, from: u32) -> bool {
        let Some(row) = self.vms.get(vm).filter(|row| row.power() == PowerState::PoweredOn && row.task.is_none()) else { return false };
        if graphics::is_tied(row.config()) || self.automation(cluster, row) != DrsAutomation::FullyAutomated {
            return false;
        }
        let Some((_, to)) = self.best_host(cluster, &self.wish_of(vm, row), &Besides::default()) else { return false };
        self.start_move(vm, from, to);
        true
    }

    /// Starts moving a running VM.
    pub(crate) fn start_move(&mut self, vm: u32, from: u32, to: u32) {
        let Some(row) = self.vms.get(vm) else { return };
        let (label, memory): (std::sync::Arc<str>, _) = (row.label().into(), row.config().hardware.memory_mb.to_bytes().0);
        let nth = self.count(&label, "move");
        let setup = sample(drawn(2_000, 6_000), &mut self.rng.draw("sim/move", (&*label, nth)));
        // The room is taken where it comes to; the VM is shown where it was until then.
        self.book(vm, to);
        if let Some(host) = self.hosts.get_mut(from) {
            host.leaving.insert(vm);
        }
        self.agenda.put(self.now + setup + transfer(memory, BANDWIDTH), self.cause, Entry::Moved { vm, from, to });
    }

    pub(crate) fn moved(&mut self, vm: u32, from: u32, to: u32) {
        if let Some(host) = self.hosts.get_mut(from) {
            host.leaving.remove(&vm);
        }
        let bound = self.vms.get(vm).is_some_and(|row| row.host == from && row.booked.is_some_and(|booked| booked.host == to));
        if bound {
            if self.hosts.get(to).is_some_and(|host| host.takes_vms()) && self.hosts.get(from).is_some_and(|host| host.alive) {
                self.move_vm(vm, to);
                if let Some(row) = self.vms.get_mut(vm) {
                    row.moved_at = Some(self.now);
                }
                self.tell_vm(vm, "the VM was moved by DRS");
            } else {
                self.book(vm, from);
            }
        }
        let epoch = self.hosts.get(from).map_or(0, |host| host.epoch);
        self.evacuate(from, epoch);
    }

    /// An administrator moves a VM to a host.
    pub(crate) fn migrate(&mut self, vm: u32, to: u32) -> Result<(), String> {
        let Some(row) = self.vms.get(vm) else { return Ok(()) };
        let Some(host) = self.hosts.get(to) else { return Ok(()) };
        let cluster = self.pools.get(row.pool).map_or(0, |pool| pool.cluster);
        if host.cluster != cluster {
            return Err(format!("{} is in another cluster than {}", host.name, row.label()));
        }
        let says = if row.power() == PowerState::PoweredOn {
            self.host_says(host, to, &self.wish_of(vm, row), &Besides::default())
        } else if host.takes_vms() {
            Ok(())
        } else {
            Err(refusals::host_not_connected(&host.name))
        };
        says.map_err(|fault| fault.to_string())?;
        self.move_vm(vm, to);
        Ok(())
    }
}
