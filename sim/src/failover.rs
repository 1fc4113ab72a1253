//! Hosts that fail, and how HA starts their VMs again elsewhere. Source: placement-groups §10.6, vsphere §9.3.
//!
//! The VMs go class by class: the next class begins when every VM of the one before has its resources, or after a time. A host starts so many
//! at once. Isolation and lost paths to datastores make nothing happen here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use vmtwin_model::time::Span;
use vmtwin_model::vsphere::inventory::{AdmissionControl, HostState};
use vmtwin_model::vsphere::vm::PowerState;

use crate::World;
use crate::agenda::Entry;
use crate::balance::Why;
use crate::host::Host;
use crate::placement::{Besides, Wish};

/// Until HA declares a host dead that it heard of by the network alone.
const WITHOUT_HEARTBEAT_DATASTORES: Span = Span::from_secs(15);
/// The same where it looks at heartbeat datastores, too.
const WITH_HEARTBEAT_DATASTORES: Span = Span::from_secs(18);
/// The same of the primary host: another one is elected first.
const OF_PRIMARY: Span = Span::from_secs(35);
/// Until vCenter takes a host for lost without HA.
const NO_HEARTBEAT: Span = Span::from_secs(60);
/// From the declaration to the first attempt.
const PREPARATION: Span = Span::from_secs(12);
/// From one attempt to the next.
pub(crate) const ATTEMPTS: [Span; 4] = [Span::from_mins(2), Span::from_mins(4), Span::from_mins(8), Span::from_mins(16)];
/// How long a class waits for the one before it.
const CLASS_TIMEOUT: Span = Span::from_secs(600);
/// How many VMs a host starts at once.
const STARTS: u32 = 32;

/// What of a failed host HA has still to start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restarts {
    /// The classes that haven't begun, the most urgent first.
    classes: VecDeque<Vec<u32>>,
    /// The VMs of the class that is under way which have no resources yet.
    waiting: BTreeSet<u32>,
    /// How many classes have begun.
    begun: u32,
}

impl World {
    /// A host fails: what ran there is gone, though nobody knows yet.
    pub(crate) fn fail_host(&mut self, row: u32) {
        let Some(cluster) = self.hosts.get(row).filter(|host| host.alive).map(|host| host.cluster) else { return };
        let ha = self.clusters.get(cluster).is_some_and(|cluster| cluster.ha.enabled);
        let noticed = if ha { self.declared_dead_after(cluster, row) } else { NO_HEARTBEAT };
        let Some(host) = self.hosts.get_mut(row) else { return };
        host.alive = false;
        host.epoch += 1;
        host.leaving.clear();
        host.keys.clear();
        let (epoch, vms) = (host.epoch, host.vms.clone());
        self.host_changed(row);
        self.tell_host(row, "the host failed");
        for vm in vms {
            self.guest_phase(vm, crate::guest::Phase::Down);
        }
        self.agenda.put(self.now + noticed, self.cause, Entry::HostLost { host: row, epoch });
    }

    /// How long HA needs to declare a host dead.
    fn declared_dead_after(&self, cluster: u32, row: u32) -> Span {
        // The host with most datastores is primary; of several the one with the greatest id.
        let takes_part = |host: &Host| host.alive && host.state == HostState::Connected;
        let electable = self.hosts_of(cluster).filter(|(_, host)| takes_part(host));
        let primary =
            electable.max_by_key(|(_, host)| (host.datastores.len(), host.id.as_str().len(), host.id.as_str())).map(|(primary, _)| primary);
        if primary == Some(row) {
            return OF_PRIMARY;
        }
        let beats = |ds: &u32| self.datastores.get(*ds).is_some_and(|ds| ds.accessible && &*ds.type_ != "vsan");
        let shared = self.hosts.get(row).is_some_and(|host| {
            let others = || self.hosts_of(cluster).filter(|(other, there)| *other != row && takes_part(there));
            host.datastores.iter().filter(|ds| beats(ds)).any(|ds| others().any(|(_, other)| other.datastores.contains(ds)))
        });
        if shared { WITH_HEARTBEAT_DATASTORES } else { WITHOUT_HEARTBEAT_DATASTORES }
    }

    /// Nobody has heard of a failed host for long enough.
    pub(crate) fn host_lost(&mut self, row: u32, epoch: u32) {
        let Some(host) = self.hosts.get_mut(row).filter(|host| host.epoch == epoch && !host.alive) else { return };
        host.state = HostState::NotResponding;
        let (vms, cluster) = (host.vms.clone(), host.cluster);
        self.host_changed(row);
        self.tell_host(row, "the host doesn't respond");
        for vm in &vms {
            self.reach(*vm);
        }
        let Some(cluster) = self.clusters.get(cluster).filter(|cluster| cluster.ha.enabled).cloned() else { return };
        let mut classes: BTreeMap<u8, BTreeMap<Arc<str>, u32>> = BTreeMap::new();
        for vm in vms {
            let Some(row) = self.vms.get(vm).filter(|row| row.power() == PowerState::PoweredOn) else { continue };
            let word = cluster.ha.restart_priority.get(row.label()).map(|word| &**word);
            let Some(class) = priority(word) else { continue };
            classes.entry(class).or_default().insert(row.label().into(), vm);
        }
        let classes = classes.into_values().map(|class| class.into_values().collect()).collect();
        if let Some(host) = self.hosts.get_mut(row) {
            host.restarts = Restarts { classes, ..Restarts::default() };
        }
        self.next_class(row, PREPARATION);
    }

    /// The next class begins.
    fn next_class(&mut self, row: u32, after: Span) {
        let Some(host) = self.hosts.get_mut(row) else { return };
        let Some(class) = host.restarts.classes.pop_front() else { return };
        host.restarts.begun += 1;
        host.restarts.waiting = class.iter().copied().collect();
        let (begun, epoch, more) = (host.restarts.begun, host.epoch, !host.restarts.classes.is_empty());
        for vm in class {
            self.agenda.put(self.now + after, self.cause, Entry::Restart { vm, host: row, epoch, attempt: 0 });
        }
        if more {
            self.agenda.put(self.now + after + CLASS_TIMEOUT, self.cause, Entry::NextClass { host: row, epoch, begun });
        }
    }

    /// A class has waited long enough for the one before it.
    pub(crate) fn class_timeout(&mut self, row: u32, epoch: u32, begun: u32) {
        if self.hosts.get(row).is_some_and(|host| host.epoch == epoch && host.restarts.begun == begun) {
            self.next_class(row, Span::ZERO);
        }
    }

    /// A VM of a failed host needs no resources any more: it has them, or nobody wants it.
    fn provided(&mut self, vm: u32, from: u32) {
        let Some(host) = self.hosts.get_mut(from) else { return };
        if host.restarts.waiting.remove(&vm) && host.restarts.waiting.is_empty() {
            self.next_class(from, Span::ZERO);
        }
    }

    /// HA tries to start a VM of a failed host elsewhere.
    pub(crate) fn restart(&mut self, vm: u32, from: u32, epoch: u32, attempt: usize) {
        if self.hosts.get(from).is_none_or(|host| host.epoch != epoch) {
            return;
        }
        let Some(row) = self.vms.get(vm).filter(|row| row.host == from && row.power() == PowerState::PoweredOn) else {
            self.provided(vm, from);
            return;
        };
        let wish = Wish { failover: true, ..self.wish_of(vm, row) };
        let cluster = self.pools.get(row.pool).map_or(0, |pool| pool.cluster);
        let Some(host) = self.host_for_restart(cluster, &wish) else {
            self.tell_vm(vm, "HA finds no host to restart the VM on");
            // After the last attempt it waits for room, and looks as rarely as before.
            let wait = ATTEMPTS.get(attempt).copied().unwrap_or(ATTEMPTS[ATTEMPTS.len() - 1]);
            self.agenda.put(self.now + wait, self.cause, Entry::Restart { vm, host: from, epoch, attempt: attempt + 1 });
            return;
        };
        self.move_vm(vm, host);
        self.switch_off(vm);
        self.book(vm, host);
        self.reach(vm);
        self.tell_vm(vm, "HA restarts the VM");
        if self.hosts.get_mut(host).is_some_and(|there| there.starts.enter(STARTS, vm)) {
            self.start_restarted(vm, host);
        }
        self.provided(vm, from);
    }

    /// The best host; a dedicated failover host if one fits.
    fn host_for_restart(&self, cluster: u32, wish: &Wish<'_>) -> Option<u32> {
        let besides = Besides::default();
        if let Some(AdmissionControl::FailoverHosts(names)) = self.clusters.get(cluster).map(|cluster| &cluster.ha.admission_control) {
            let dedicated = self.hosts_of(cluster).filter(|(_, host)| names.contains(&host.name));
            let fit = dedicated.filter(|(row, host)| self.host_says(host, *row, wish, &besides).is_ok());
            let best = fit.map(|(row, host)| (self.score(host, row, wish, &besides, true), row)).max();
            if let Some((_, host)) = best {
                return Some(host);
            }
        }
        self.best_host(cluster, wish, &besides).map(|(_, host)| host)
    }

    fn start_restarted(&mut self, vm: u32, host: u32) {
        let Some(row) = self.vms.get(vm) else {
            self.next_start(host);
            return;
        };
        let (label, epoch): (Arc<str>, u32) = (row.label().into(), row.guest.epoch);
        let span = self.duration("PowerOnVM_Task", &label, Span::ZERO);
        self.agenda.put(self.now + span, self.cause, Entry::Restarted { vm, host, epoch });
    }

    /// A VM that HA started runs, unless somebody else has switched it on meanwhile.
    pub(crate) fn restarted(&mut self, vm: u32, host: u32, epoch: u32) {
        let row = self.vms.get(vm).filter(|row| row.guest.epoch == epoch && row.power() == PowerState::PoweredOff);
        if let Some(row) = row.filter(|row| row.task.is_none()) {
            let at = row.booked.map_or(row.host, |booked| booked.host);
            if self.hosts.get(at).is_some_and(|host| host.alive) {
                self.switch_on(vm, at);
            } else {
                self.unbook(vm);
            }
        }
        self.next_start(host);
    }

    /// One start on a host is over; the one that has waited longest begins.
    fn next_start(&mut self, host: u32) {
        let next = self.hosts.get_mut(host).and_then(|there| there.starts.leave());
        if let Some(vm) = next {
            self.start_restarted(vm, host);
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
        host.restarts = Restarts::default();
        if host.state == HostState::NotResponding {
            host.state = HostState::Connected;
        }
        let (vms, cluster) = (host.vms.clone(), host.cluster);
        self.host_changed(row);
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
    use vmtwin_model::id::VmId;
    use vmtwin_model::time::Timestamp;
    use vmtwin_model::units::{Bytes, MiB};
    use vmtwin_model::vsphere::action::{Fate, HostAction};
    use vmtwin_model::vsphere::spec::{Allocation, ConfigSpec};
    use vmtwin_model::vsphere::vm::ConnectionState;
    use vmtwin_model::vsphere::{Action, FaultName, Inventory, Operation};

    use super::*;
    use crate::trial::{Trial, inventory, spec};

    fn host(name: &str, action: HostAction) -> Action {
        Action::Host(name.into(), action)
    }

    fn fail(trial: &mut Trial, name: &str) {
        trial.act(&host(name, HostAction::Fate(Fate::Fail))).expect("it was up");
    }

    fn with_ha() -> Inventory {
        let mut inventory = inventory();
        inventory.zones[0].clusters[0].ha.enabled = true;
        inventory
    }

    fn is_on(trial: &Trial, vm: &VmId) -> bool {
        let runtime = &trial.vm(vm).runtime;
        (runtime.connection_state, runtime.power_state) == (ConnectionState::Connected, PowerState::PoweredOn)
    }

    fn reserving(name: &str, gib: i64) -> ConfigSpec {
        let reservation = Some(Allocation { reservation: Some(gib << 10), ..Allocation::default() });
        ConfigSpec { memory_mb: Some(MiB(gib << 10)), memory_allocation: reservation, ..spec(name) }
    }

    fn running_on(trial: &mut Trial, spec: ConfigSpec, at: &str) -> VmId {
        let vm = trial.deploy(spec);
        let host = trial.world.host_named(at).map(|host| host.id.clone());
        trial.ask(Operation::PowerOnVm { vm: vm.clone(), host }).expect("it fits");
        vm
    }

    #[test]
    fn without_ha_vms_wait_for_their_host_and_are_off_when_it_is_back() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.running("a");
        fail(&mut trial, "esx-0");
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
        let mut trial = Trial::new(&with_ha());
        let vm = trial.running("a");
        assert_eq!(trial.vm(&vm).location.host_name.as_deref(), Some("esx-0"));
        fail(&mut trial, "esx-0");
        trial.run(Span::from_secs(40));
        assert_eq!(trial.vm(&vm).location.host_name.as_deref(), Some("esx-1"));
        assert!(is_on(&trial, &vm));
    }

    /// Until a failed host is known to be one.
    fn noticed(inventory: &Inventory, name: &str) -> Span {
        let mut trial = Trial::new(inventory);
        fail(&mut trial, name);
        let failed = trial.now;
        let lost = |trial: &Trial| trial.world.host_named(name).is_some_and(|host| host.state == HostState::NotResponding);
        while !lost(&trial) {
            trial.run(Span::from_secs(1));
        }
        trial.now - failed
    }

    #[test]
    fn how_soon_a_host_is_declared_dead_depends_on_heartbeats_and_on_who_it_was() {
        assert_eq!(noticed(&with_ha(), "esx-0"), Span::from_secs(18));
        assert_eq!(noticed(&with_ha(), "esx-1"), Span::from_secs(35), "the primary");
        let mut on_vsan = with_ha();
        on_vsan.datastores[0].type_ = "vsan".into();
        assert_eq!(noticed(&on_vsan, "esx-0"), Span::from_secs(15));
        assert_eq!(noticed(&inventory(), "esx-0"), Span::from_secs(60));
    }

    #[test]
    fn classes_go_in_their_order_and_one_waits_for_the_other_only_so_long() {
        let mut inventory = with_ha();
        let cluster = &mut inventory.zones[0].clusters[0];
        for (vm, priority) in [("shop/huge", "highest"), ("shop/small", "low"), ("shop/never", "disabled")] {
            cluster.ha.restart_priority.insert(vm.into(), priority.into());
        }
        cluster.hosts[0].memory = Bytes::from_gib(128);
        let mut trial = Trial::new(&inventory);
        let huge = running_on(&mut trial, reserving("huge", 100), "esx-0");
        let small = running_on(&mut trial, spec("small"), "esx-0");
        let never = running_on(&mut trial, spec("never"), "esx-0");
        fail(&mut trial, "esx-0");
        trial.run(Span::from_mins(9));
        assert!(!is_on(&trial, &huge) && !is_on(&trial, &small), "the more urgent one has no host, and is waited for");
        trial.run(Span::from_mins(3));
        assert!(is_on(&trial, &small) && !is_on(&trial, &huge) && !is_on(&trial, &never));
    }

    #[test]
    fn the_more_urgent_class_gets_the_room() {
        let mut inventory = with_ha();
        inventory.zones[0].clusters[0].ha.restart_priority.insert("shop/z".into(), "high".into());
        let mut trial = Trial::new(&inventory);
        let a = running_on(&mut trial, reserving("a", 25), "esx-0");
        let z = running_on(&mut trial, reserving("z", 25), "esx-0");
        let _other = running_on(&mut trial, reserving("other", 25), "esx-1");
        fail(&mut trial, "esx-0");
        trial.run(Span::from_mins(2));
        assert_eq!((is_on(&trial, &z), is_on(&trial, &a)), (true, false), "there is room for one");
    }

    #[test]
    fn a_dedicated_failover_host_is_tried_first() {
        let mut inventory = with_ha();
        let cluster = &mut inventory.zones[0].clusters[0];
        let third = vmtwin_model::vsphere::inventory::Host { name: "esx-2".into(), ..cluster.hosts[0].clone() };
        cluster.hosts.push(third);
        cluster.hosts[2].memory = Bytes::from_gib(32);
        cluster.ha.admission_control = AdmissionControl::FailoverHosts(vec!["esx-2".into()]);
        let mut trial = Trial::new(&inventory);
        let vm = running_on(&mut trial, spec("a"), "esx-0");
        fail(&mut trial, "esx-0");
        trial.run(Span::from_mins(1));
        assert_eq!(trial.vm(&vm).location.host_name.as_deref(), Some("esx-2"), "though another has more room");
    }

    #[test]
    fn a_host_starts_thirty_two_vms_at_once() {
        let mut trial = Trial::new(&with_ha());
        let vms: Vec<VmId> =
            (0..40).map(|n| running_on(&mut trial, ConfigSpec { memory_mb: Some(MiB(512)), ..spec(&format!("v{n}")) }, "esx-0")).collect();
        fail(&mut trial, "esx-0");
        let failed = trial.now;
        // Until then nobody knows that they are gone.
        trial.run(Span::from_secs(19));
        let mut ends: Vec<Timestamp> = Vec::new();
        while ends.len() < vms.len() && trial.now < failed + Span::from_mins(5) {
            trial.run(Span::from_millis(100));
            let on = vms.iter().filter(|vm| is_on(&trial, vm)).count();
            ends.resize(on, trial.now);
        }
        assert_eq!(ends.len(), 40);
        assert!(ends[31] < ends[32], "the last eight wait for the first to be up");
    }
}
