//! High availability: what is kept free for a host's failure, and how its VMs are started again elsewhere.
//!
//! Admission control knows shares of the cluster, slots and dedicated hosts. Every failed host counts as one that wasn't the primary.
//! Restart classes go in their order without waiting for each other. Isolation and lost paths to datastores
//! make nothing happen here.

use vmtwin_model::time::Span;
use vmtwin_model::units::{MiB, VCpus};
use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::inventory::{AdmissionControl, HostState, Name};
use vmtwin_model::vsphere::vm::PowerState;

use crate::agenda::Entry;
use crate::balance::Why;
use crate::capacity::{Need, Size};
use crate::placement::{Besides, Wish};
use crate::slots::{self, Fixed};
use crate::{World, refusals};

/// The CPU that admission control counts for a VM without a reservation.
const LEAST_CPU: i64 = 32;
/// Until HA declares a host dead.
const DECLARED_DEAD: Span = Span::from_secs(18);
/// Until vCenter takes a host for lost without HA.
const NO_HEARTBEAT: Span = Span::from_secs(60);
/// From the declaration to the first attempt.
const PREPARATION: Span = Span::from_secs(12);
/// From one attempt to the next.
pub(crate) const ATTEMPTS: [Span; 4] = [Span::from_mins(2), Span::from_mins(4), Span::from_mins(8), Span::from_mins(16)];

/// The CPU of a VM's reservation as admission control counts it.
pub(crate) fn counted_cpu(reserved: Need) -> i64 {
    reserved.cpu.max(LEAST_CPU)
}

impl World {
    /// Whether HA lets a VM of this size be switched on in a cluster.
    pub(crate) fn admit_failover(&self, cluster: u32, size: &Size) -> Result<(), Fault> {
        self.failover_left(cluster, size, 1)
    }

    /// Whether what HA is to keep free is still there when a host is emptied. Source: placement-groups §10.5.
    pub(crate) fn may_be_emptied(&self, host: u32) -> bool {
        let Some(there) = self.hosts.get(host) else { return false };
        let reserved = Need { cpu: there.failover_cpu, memory: there.reserved.memory };
        let all = Size { cpus: VCpus(0), memory: MiB(0), reserved };
        there.powered_on == 0 || self.failover_left(there.cluster, &all, 0).is_ok()
    }

    /// Whether a size besides what the hosts have leaves HA its reserve; `more` VMs are new to the cluster.
    fn failover_left(&self, cluster: u32, size: &Size, more: u32) -> Result<(), Fault> {
        let Some(cluster) = self.clusters.get(cluster) else { return Ok(()) };
        if !cluster.ha.enabled {
            return Ok(());
        }
        let hosts: Vec<_> = cluster.hosts.iter().filter_map(|host| self.hosts.get(*host)).filter(|host| host.takes_vms()).collect();
        if hosts.len() < 2 {
            return Ok(());
        }
        let (host_failures, cpu, memory) = match cluster.ha.admission_control {
            AdmissionControl::Percentage { host_failures, cpu, memory } => (host_failures, cpu, memory),
            AdmissionControl::Slots { host_failures, cpu, memory } => {
                let enough = slots::suffice(cluster, &hosts, host_failures, Fixed { cpu, memory }, (size, more));
                return if enough { Ok(()) } else { Err(refusals::failover()) };
            }
            AdmissionControl::Disabled | AdmissionControl::FailoverHosts(_) => return Ok(()),
        };
        let automatic = 10_000 * i64::from(host_failures) / i64::try_from(hosts.len()).unwrap_or(i64::MAX);
        let kept = |given: Option<u32>| given.map_or(automatic, i64::from);
        let total_cpu: i64 = hosts.iter().map(|host| host.usable_cpu.0).sum();
        let total_memory: i64 = hosts.iter().map(|host| host.usable_memory.0).sum();
        let used_cpu = hosts.iter().map(|host| host.failover_cpu).sum::<i64>() + counted_cpu(size.reserved);
        let used_memory = hosts.iter().map(|host| host.reserved.memory).sum::<i64>() + size.reserved.memory;
        let short = |total: i64, used: i64, share: i64| i128::from(total - used) * 10_000 < i128::from(total) * i128::from(share);
        if short(total_cpu, used_cpu, kept(cpu)) || short(total_memory, used_memory, kept(memory)) {
            return Err(refusals::failover());
        }
        Ok(())
    }

    /// A host fails: what ran there is gone, though nobody knows yet.
    pub(crate) fn fail_host(&mut self, row: u32) {
        let Some(host) = self.hosts.get_mut(row) else { return };
        if !host.alive {
            return;
        }
        host.alive = false;
        host.epoch += 1;
        host.leaving.clear();
        host.keys.clear();
        let (epoch, vms, cluster) = (host.epoch, host.vms.clone(), host.cluster);
        self.tell_host(row, "the host failed");
        for vm in vms {
            self.guest_phase(vm, crate::guest::Phase::Down);
        }
        let ha = self.clusters.get(cluster).is_some_and(|cluster| cluster.ha.enabled);
        let at = self.now + if ha { DECLARED_DEAD } else { NO_HEARTBEAT };
        self.agenda.put(at, self.cause, Entry::HostLost { host: row, epoch });
    }

    /// Nobody has heard of a failed host for long enough.
    pub(crate) fn host_lost(&mut self, row: u32, epoch: u32) {
        let Some(host) = self.hosts.get_mut(row).filter(|host| host.epoch == epoch && !host.alive) else { return };
        host.state = HostState::NotResponding;
        let (vms, cluster) = (host.vms.clone(), host.cluster);
        self.tell_host(row, "the host doesn't respond");
        for vm in &vms {
            self.reach(*vm);
        }
        let Some(cluster) = self.clusters.get(cluster).filter(|cluster| cluster.ha.enabled).cloned() else { return };
        let running = |vm: &&u32| self.vms.get(**vm).is_some_and(|row| row.power() == PowerState::PoweredOn);
        let mut order: Vec<(u8, Name, u32)> = Vec::new();
        for vm in vms.iter().filter(running) {
            let Some(row) = self.vms.get(*vm) else { continue };
            let word = cluster.ha.restart_priority.get(row.label()).map(|word| &**word);
            let Some(class) = priority(word) else { continue };
            order.push((class, row.label().into(), *vm));
        }
        order.sort();
        for (.., vm) in order {
            self.agenda.put(self.now + PREPARATION, self.cause, Entry::Restart { vm, host: row, epoch, attempt: 0 });
        }
    }

    /// HA tries to start a VM of a failed host elsewhere.
    pub(crate) fn restart(&mut self, vm: u32, from: u32, epoch: u32, attempt: usize) {
        if self.hosts.get(from).is_none_or(|host| host.epoch != epoch) {
            return;
        }
        let Some(row) = self.vms.get(vm).filter(|row| row.host == from && row.power() == PowerState::PoweredOn) else { return };
        let wish = Wish { failover: true, ..self.wish_of(vm, row) };
        let cluster = self.pools.get(row.pool).map_or(0, |pool| pool.cluster);
        let Some((_, host)) = self.best_host(cluster, &wish, &Besides::default()) else {
            self.tell_vm(vm, "HA finds no host to restart the VM on");
            // After the last attempt it waits for room, and looks as rarely as before.
            let wait = ATTEMPTS.get(attempt).copied().unwrap_or(ATTEMPTS[ATTEMPTS.len() - 1]);
            self.agenda.put(self.now + wait, self.cause, Entry::Restart { vm, host: from, epoch, attempt: attempt + 1 });
            return;
        };
        let label: std::sync::Arc<str> = row.label().into();
        self.move_vm(vm, host);
        self.switch_off(vm);
        self.book(vm, host);
        self.reach(vm);
        self.tell_vm(vm, "HA restarts the VM");
        let span = self.duration("PowerOnVM_Task", &label, Span::ZERO);
        let epoch = self.vms.get(vm).map_or(0, |row| row.guest.epoch);
        self.agenda.put(self.now + span, self.cause, Entry::Restarted { vm, epoch });
    }

    /// A VM that HA started runs, unless somebody else has switched it on meanwhile.
    pub(crate) fn restarted(&mut self, vm: u32, epoch: u32) {
        let Some(row) = self.vms.get(vm).filter(|row| row.guest.epoch == epoch && row.power() == PowerState::PoweredOff) else { return };
        let host = row.booked.map_or(row.host, |booked| booked.host);
        let up = self.hosts.get(host).is_some_and(|host| host.alive);
        if up && row.task.is_none() {
            self.switch_on(vm, host);
        } else if row.task.is_none() {
            self.unbook(vm);
        }
    }

    /// A failed host is back, at once: what was on it and wasn't restarted is off.
    pub(crate) fn recover_host(&mut self, row: u32) {
        let Some(host) = self.hosts.get_mut(row) else { return };
        if host.alive {
            return;
        }
        host.alive = true;
        host.epoch += 1;
        if host.state == HostState::NotResponding {
            host.state = HostState::Connected;
        }
        let (vms, cluster) = (host.vms.clone(), host.cluster);
        self.tell_host(row, "the host is back");
        self.want_balance(cluster, Why::Repair);
        for vm in vms {
            if self.vms.get(vm).is_some_and(|row| row.power() == PowerState::PoweredOn) {
                self.switch_off(vm);
            }
            self.reach(vm);
        }
    }
}

/// The class of a restart priority; nothing where the VM isn't restarted.
fn priority(word: Option<&str>) -> Option<u8> {
    Some(match word {
        Some("disabled") => return None,
        Some("highest") => 0,
        Some("high") => 1,
        Some("low") => 3,
        Some("lowest") => 4,
        _ => 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory};
    use vmtwin_model::vsphere::action::{Fate, HostAction};
    use vmtwin_model::vsphere::vm::ConnectionState;
    use vmtwin_model::vsphere::{Action, FaultName, Operation};

    fn host(name: &str, action: HostAction) -> Action {
        Action::Host(name.into(), action)
    }

    #[test]
    fn without_ha_vms_wait_for_their_host_and_are_off_when_it_is_back() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.running("a");
        trial.act(&host("esx-0", HostAction::Fate(Fate::Fail))).expect("it was up");
        assert_eq!(trial.vm(&vm).runtime.connection_state, ConnectionState::Connected, "nobody knows yet");
        trial.run(Span::from_secs(60));
        let runtime = &trial.vm(&vm).runtime;
        assert_eq!((runtime.connection_state, runtime.power_state), (ConnectionState::Disconnected, PowerState::PoweredOn));
        assert_eq!(trial.refused(Operation::PowerOffVm { vm: vm.clone() }).name, FaultName::HostNotConnected);
        trial.act(&host("esx-0", HostAction::Fate(Fate::Recover))).expect("it was down");
        let runtime = &trial.vm(&vm).runtime;
        assert_eq!((runtime.connection_state, runtime.power_state), (ConnectionState::Connected, PowerState::PoweredOff));
        assert!(trial.act(&host("esx-0", HostAction::Fate(Fate::Recover))).is_err());
    }

    #[test]
    fn ha_starts_vms_again_on_another_host() {
        let mut inventory = inventory();
        inventory.zones[0].clusters[0].ha.enabled = true;
        let mut trial = Trial::new(&inventory);
        let vm = trial.running("a");
        assert_eq!(trial.vm(&vm).location.host_name.as_deref(), Some("esx-0"));
        trial.act(&host("esx-0", HostAction::Fate(Fate::Fail))).expect("it was up");
        trial.run(Span::from_secs(40));
        let seen = trial.vm(&vm);
        assert_eq!(seen.location.host_name.as_deref(), Some("esx-1"));
        assert_eq!((seen.runtime.connection_state, seen.runtime.power_state), (ConnectionState::Connected, PowerState::PoweredOn));
    }

    #[test]
    fn admission_control_keeps_a_share_free() {
        let mut inventory = inventory();
        let cluster = &mut inventory.zones[0].clusters[0];
        cluster.ha.enabled = true;
        cluster.ha.admission_control = AdmissionControl::Percentage { host_failures: 1, cpu: None, memory: Some(9_999) };
        let mut trial = Trial::new(&inventory);
        let vm = trial.deploy(crate::trial::spec("a"));
        let fault = trial.refused(Operation::PowerOnVm { vm, host: None });
        assert_eq!(fault.name, FaultName::InsufficientFailoverResourcesFault);
    }

    #[test]
    fn an_evacuation_moves_running_vms_and_then_the_host_is_in_maintenance() {
        let mut trial = Trial::new(&inventory());
        let (a, b) = (trial.running("a"), trial.running("b"));
        trial.act(&host("esx-0", HostAction::EnterMaintenance)).expect("it is connected");
        assert_eq!(trial.value("HostSystem", "esx-0")["runtime"]["inMaintenanceMode"], false);
        trial.run(Span::from_mins(2));
        for vm in [&a, &b] {
            let seen = trial.vm(vm);
            assert_eq!((seen.location.host_name.as_deref(), seen.runtime.power_state), (Some("esx-1"), PowerState::PoweredOn));
        }
        assert_eq!(trial.value("HostSystem", "esx-0")["runtime"]["inMaintenanceMode"], true);
        assert_eq!(trial.world.next_pending(), None);
        trial.act(&host("esx-0", HostAction::ExitMaintenance)).expect("it is in maintenance");
        assert_eq!(trial.value("HostSystem", "esx-0")["runtime"]["inMaintenanceMode"], false);
    }

    #[test]
    fn a_host_that_cannot_be_emptied_waits_without_keeping_anyone_from_settling() {
        let mut inventory = inventory();
        inventory.zones[0].clusters[0].hosts.truncate(1);
        let mut trial = Trial::new(&inventory);
        let vm = trial.running("a");
        trial.run(Span::from_mins(10));
        trial.act(&host("esx-0", HostAction::EnterMaintenance)).expect("it is connected");
        trial.run(Span::from_mins(10));
        assert_eq!((trial.world.next_pending(), trial.world.next_event().is_some()), (None, true));
        trial.ask(Operation::PowerOffVm { vm }).expect("it is switched off");
        trial.run(Span::from_mins(2));
        assert_eq!(trial.value("HostSystem", "esx-0")["runtime"]["inMaintenanceMode"], true);
    }
}
