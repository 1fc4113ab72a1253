//! What people and fate do to the infrastructure. All of it happens at once; what follows from it takes its time.

use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::time::Timestamp;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::action::{DatastoreAction, Fate, HostAction, NetworkAction, Reach, VmAction};
use vmtwin_model::vsphere::inventory::{HostState, Name, PoolAllocation};
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Action, Changed, Failure};

use crate::agenda::Entry;
use crate::build::near;
use crate::guest::Soft;
use crate::{Source, World};

/// Why an action can't be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// There is nothing of this name.
    #[error("there is no {kind} named `{name}`{}", near(.similar))]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// Under which name.
        name: Name,
        /// A name that is there and looks like it.
        similar: Option<Name>,
    },
    /// The state of things forbids it.
    #[error("{0}")]
    State(String),
    /// It isn't modelled.
    #[error("{0} is not supported")]
    NotSupported(&'static str),
}

impl World {
    /// Something happens to the infrastructure behind the operator's back. What changes comes out of [`World::step`], at this instant.
    ///
    /// # Errors
    /// If a name isn't there, the state forbids it, or it isn't modelled; then nothing has happened.
    pub fn act(&mut self, now: Timestamp, cause: Cause, action: &Action) -> Result<(), ActionError> {
        self.begin(now, cause);
        let result = self.do_act(action);
        let told = self.flush();
        if !told.is_empty() {
            self.agenda.put(now, cause, Entry::Tell(told));
        }
        result
    }

    fn do_act(&mut self, action: &Action) -> Result<(), ActionError> {
        match action {
            Action::Host(name, action) => self.act_on_host(name, *action),
            Action::Zone(name, fate) => {
                let hosts: Vec<u32> = self.hosts_of_zone(name)?;
                for host in hosts {
                    self.fate(host, *fate);
                }
                Ok(())
            }
            Action::Datastore(name, action) => self.act_on_datastore(name, *action),
            Action::KeyProvider(name, action) => self.act_on_key_provider(name, action),
            Action::Network(name, action) => self.act_on_network(name, *action),
            Action::Vm(name, action) => {
                let vm = self.vms.labelled(name).ok_or_else(|| ActionError::Unknown { kind: "VM", name: name.clone(), similar: None })?;
                self.act_on_vm(vm, name, action)
            }
            Action::Vcenter(reach) => self.act_on_vcenter(*reach),
            Action::Fault(rule) => {
                self.add_rule(rule);
                Ok(())
            }
            Action::Slow { operation, factor_milli } => {
                self.durations.slow.insert(operation.clone(), *factor_milli);
                Ok(())
            }
        }
    }

    fn hosts_of_zone(&self, zone: &Name) -> Result<Vec<u32>, ActionError> {
        if !self.zones.iter().any(|there| there.name == *zone) {
            let similar = crate::build::similar(zone, self.zones.iter().map(|there| &there.name));
            return Err(ActionError::Unknown { kind: "zone", name: zone.clone(), similar });
        }
        Ok(self.clusters.iter().filter(|(_, cluster)| cluster.zone == *zone).flat_map(|(_, cluster)| cluster.hosts.clone()).collect())
    }

    fn fate(&mut self, host: u32, fate: Fate) {
        match fate {
            Fate::Fail => self.fail_host(host),
            Fate::Recover => self.recover_host(host),
        }
    }

    fn act_on_host(&mut self, name: &Name, action: HostAction) -> Result<(), ActionError> {
        let row = lookup("host", &self.names.hosts, name)?;
        let Some(host) = self.hosts.get(row) else { return Ok(()) };
        let (state, alive) = (host.state, host.alive);
        let wrong = |what: &str| Err(ActionError::State(format!("host {name} {what}")));
        match action {
            HostAction::Fate(Fate::Fail) if !alive => wrong("has failed already"),
            HostAction::Fate(Fate::Recover) if alive => wrong("has not failed"),
            HostAction::Fate(fate) => {
                self.fate(row, fate);
                Ok(())
            }
            HostAction::Disconnect if state == HostState::Disconnected => wrong("is disconnected already"),
            HostAction::Disconnect if !alive => wrong("has failed"),
            HostAction::Reconnect if state != HostState::Disconnected => wrong("is not disconnected"),
            HostAction::Disconnect | HostAction::Reconnect => {
                let state = if action == HostAction::Disconnect { HostState::Disconnected } else { HostState::Connected };
                self.connect_host(row, state);
                Ok(())
            }
            HostAction::EnterMaintenance if !alive || state != HostState::Connected => {
                wrong("is not connected, or in maintenance mode already")
            }
            HostAction::EnterMaintenance => {
                self.enter_maintenance(row);
                Ok(())
            }
            HostAction::ExitMaintenance if state != HostState::Maintenance && !host.evacuating => wrong("is not in maintenance mode"),
            HostAction::ExitMaintenance => {
                self.exit_maintenance(row);
                Ok(())
            }
        }
    }

    fn connect_host(&mut self, row: u32, state: HostState) {
        let Some(host) = self.hosts.get_mut(row) else { return };
        host.state = state;
        let vms = host.vms.clone();
        self.host_changed(row);
        self.tell_host(row, if state == HostState::Connected { "the host is connected again" } else { "the host is disconnected" });
        for vm in vms {
            self.reach(vm);
        }
    }

    fn act_on_datastore(&mut self, name: &Name, action: DatastoreAction) -> Result<(), ActionError> {
        let row = lookup("datastore", &self.names.datastores, name)?;
        let space = self.space_row(row);
        let Some(ds) = self.datastores.get_mut(if matches!(action, DatastoreAction::Fill(_)) { space } else { row }) else { return Ok(()) };
        match action {
            DatastoreAction::Fill(basis_points) => {
                let level = i128::from(ds.capacity.0) * i128::from(basis_points) / 10_000;
                ds.foreign = Bytes((i64::try_from(level).unwrap_or(i64::MAX) - ds.used.0).max(0));
            }
            DatastoreAction::Maintenance => ds.maintenance = true,
            DatastoreAction::Reach(reach) => {
                ds.accessible = reach == Reach::Up;
                ds.maintenance &= reach == Reach::Down;
                let there = |(_, vm): &(u32, &Arc<crate::vm::Vm>)| vm.datastores().any(|ds| ds == row);
                let vms: Vec<u32> = self.vms.iter().filter(there).map(|(vm, _)| vm).collect();
                for vm in vms {
                    self.reach(vm);
                }
            }
        }
        let id = self.datastores.get(row).map(|ds| ds.id.clone());
        if let Some(id) = id {
            self.tell(format!("Datastore/{id}"), Action::Datastore(name.clone(), action).to_string());
        }
        Ok(())
    }

    fn act_on_network(&mut self, name: &Name, action: NetworkAction) -> Result<(), ActionError> {
        let row = lookup("network", &self.names.networks, name)?;
        if let Some(network) = self.networks.get_mut(row) {
            network.exhausted = action == NetworkAction::Exhaust;
        }
        if action == NetworkAction::Restore {
            self.addresses_are_back();
        }
        Ok(())
    }

    fn act_on_vcenter(&mut self, reach: Reach) -> Result<(), ActionError> {
        match (reach, self.vcenter_up) {
            (Reach::Down, false) => return Err(ActionError::State("vCenter is down already".to_owned())),
            (Reach::Up, true) => return Err(ActionError::State("vCenter is up already".to_owned())),
            (Reach::Down, true) => {
                self.vcenter_up = false;
                self.tell("vcenter".to_owned(), "vCenter is out of reach".to_owned());
                let open: Vec<_> = self.calls.keys().copied().collect();
                for call in open {
                    self.answer(call, None, Err(Failure::Lost("vCenter is out of reach".into())));
                }
            }
            (Reach::Up, false) => {
                self.vcenter_up = true;
                self.tell("vcenter".to_owned(), "vCenter answers again".to_owned());
                for (vm, changed) in std::mem::take(&mut self.missed) {
                    self.touched.entry(vm).or_default().extend(changed);
                }
                let left = std::mem::take(&mut self.missed_left);
                self.left.extend(left);
            }
        }
        Ok(())
    }

    fn act_on_vm(&mut self, vm: u32, name: &Name, action: &VmAction) -> Result<(), ActionError> {
        let Some(row) = self.vms.get(vm).cloned() else { return Ok(()) };
        let power = row.power();
        let wrong = || Err(ActionError::State(format!("VM {name} is {power}: {} is not possible", action.word())));
        let on = power == PowerState::PoweredOn;
        self.check_reach(vm).map_err(|fault| ActionError::State(format!("VM {name}: {fault}")))?;
        match action {
            VmAction::PowerOn if on => return wrong(),
            VmAction::PowerOff if power == PowerState::PoweredOff => return wrong(),
            VmAction::Suspend
            | VmAction::Reset
            | VmAction::ToolsStart
            | VmAction::ToolsStop
            | VmAction::GuestHang
            | VmAction::GuestCrash
            | VmAction::GuestShutdown
                if !on =>
            {
                return wrong();
            }
            VmAction::PowerOn => {
                let host = self.admit_power_on(vm, None).map_err(|fault| ActionError::State(format!("VM {name}: {fault}")))?;
                self.book(vm, host);
                self.switch_on(vm, host);
            }
            VmAction::PowerOff => self.switch_off(vm),
            VmAction::Suspend => self.suspend(vm),
            VmAction::Reset => self.guest_boots(vm),
            VmAction::ToolsStop => self.guest_tools(vm, false),
            VmAction::ToolsStart => self.guest_tools(vm, true),
            VmAction::GuestHang => self.guest_sticks(vm, false),
            VmAction::GuestCrash => self.guest_sticks(vm, true),
            VmAction::GuestShutdown => self.guest_told(vm, Soft::Shutdown),
            VmAction::Migrate(host) => {
                let to = lookup("host", &self.names.hosts, host)?;
                self.migrate(vm, to).map_err(ActionError::State)?;
            }
            VmAction::Reconfigure(spec) => {
                let fault = |fault| ActionError::State(format!("VM {name}: {fault}"));
                self.check_reconfigure(vm, &row, spec).map_err(fault)?;
                self.reconfigure(vm, spec).map_err(fault)?;
            }
            VmAction::Destroy => {
                // An administrator switches it off first.
                if on {
                    self.switch_off(vm);
                }
                self.remove_vm(vm);
            }
            VmAction::Relocate { pool, folder } => self.relocate(vm, pool.as_ref(), folder.as_ref())?,
        }
        Ok(())
    }

    /// An administrator moves a VM to another pool or folder: `root`, `namespace`, or a child of the namespace's, made if need be.
    fn relocate(&mut self, vm: u32, pool: Option<&Name>, folder: Option<&Name>) -> Result<(), ActionError> {
        let Some(row) = self.vms.get(vm).cloned() else { return Ok(()) };
        let namespace: Name = row.label().split_once('/').map_or("", |(namespace, _)| namespace).into();
        let cluster = self.pools.get(row.pool).map_or(0, |pool| pool.cluster);
        let root = self.clusters.get(cluster).map_or(row.pool, |cluster| cluster.root);
        let unknown = |kind, name: &Name| ActionError::Unknown { kind, name: name.clone(), similar: None };
        let to_pool = match pool {
            None => row.pool,
            Some(name) if &**name == "root" => root,
            Some(name) => {
                let own = self.child_pool(root, &namespace).ok_or_else(|| unknown("pool", name))?;
                match name.split_once('/') {
                    None => own,
                    Some((_, child)) => self.child_pool(own, child).unwrap_or_else(|| {
                        self.add_pool(child.into(), cluster, Some(own), PoolAllocation::default(), PoolAllocation::default())
                    }),
                }
            }
        };
        let to_folder = match folder {
            None => row.folder,
            Some(name) if &**name == "root" => self.vm_folder,
            Some(name) => {
                let own = self.namespace_folder(&namespace).ok_or_else(|| unknown("folder", name))?;
                match name.split_once('/') {
                    None => own,
                    Some((_, child)) => self.child_folder(own, child).unwrap_or_else(|| self.add_folder(child.into(), Some(own))),
                }
            }
        };
        let booked = row.booked.map(|booked| booked.host);
        self.unbook(vm);
        self.vms.change(vm, |row| {
            row.pool = to_pool;
            row.folder = to_folder;
        });
        if let Some(host) = booked {
            self.book(vm, host);
        }
        self.locate(vm);
        self.touch(vm, Changed::Location);
        Ok(())
    }

    /// Tells of something that happened to a VM.
    pub(crate) fn tell_vm(&mut self, vm: u32, message: &str) {
        if let Some(row) = self.vms.get(vm) {
            self.tell(format!("VirtualMachine/{}", row.seen.id), message.to_owned());
        }
    }

    /// Tells of something that happened to a host.
    pub(crate) fn tell_host(&mut self, host: u32, message: &str) {
        if let Some(host) = self.hosts.get(host) {
            let object = format!("HostSystem/{}", host.name);
            self.tell(object, message.to_owned());
        }
    }

    pub(crate) fn tell(&mut self, object: String, message: String) {
        self.push(crate::What::Event { object, message });
    }

    /// Adds what happened, from the source that is at work.
    pub(crate) fn push(&mut self, what: crate::What) {
        let source = match &what {
            crate::What::Request { .. } => Source::Supervisor,
            crate::What::Answer { .. } | crate::What::Task { .. } => Source::Vsphere,
            crate::What::Changed(_) | crate::What::Event { .. } => self.source,
        };
        self.told.push(crate::Happening { cause: self.cause, source, what });
    }
}

fn lookup(kind: &'static str, names: &std::collections::BTreeMap<Name, u32>, name: &Name) -> Result<u32, ActionError> {
    names.get(name).copied().ok_or_else(|| ActionError::Unknown {
        kind,
        name: name.clone(),
        similar: crate::build::similar(name, names.keys()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory, spec};
    use vmtwin_model::time::Span;
    use vmtwin_model::vsphere::action::{FaultEnd, FaultRule};
    use vmtwin_model::vsphere::vm::ConnectionState;
    use vmtwin_model::vsphere::{Fault, FaultName, Operation, Reply};

    fn on_vm(action: VmAction) -> Action {
        Action::Vm("shop/a".into(), action)
    }

    fn rule(operation: &str, ends: FaultEnd) -> FaultRule {
        FaultRule { operation: operation.into(), matching: None, ends, times: None, skip: 0, lasts: None, probability: 1_000_000 }
    }

    #[test]
    fn unknown_names_and_wrong_states_are_told() {
        let mut trial = Trial::new(&inventory());
        let error = trial.act(&Action::Host("esx-2".into(), HostAction::Disconnect)).expect_err("there are two hosts");
        assert_eq!(error.to_string(), "there is no host named `esx-2`: did you mean `esx-0`?");
        trial.running("a");
        let error = trial.act(&on_vm(VmAction::PowerOn)).expect_err("it is on");
        assert_eq!(error.to_string(), "VM shop/a is poweredOn: powerOn is not possible");
        let error = trial.act(&Action::KeyProvider("k".into(), vmtwin_model::vsphere::action::KeyProviderAction::Reach(Reach::Up)));
        assert!(matches!(error, Err(ActionError::Unknown { .. })), "there is no such provider");
    }

    #[test]
    fn what_is_done_out_of_band_is_reported_like_any_other_change() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.running("a");
        trial.changes.clear();
        trial.act(&on_vm(VmAction::PowerOff)).expect("it is on");
        assert_eq!((trial.changes[0].0, &trial.changes[0].1.vm), (trial.now, &vm));
        trial.act(&on_vm(VmAction::PowerOn)).expect("it is off");
        trial.act(&on_vm(VmAction::Migrate("esx-1".into()))).expect("it has room");
        assert_eq!(trial.vm(&vm).location.host_name.as_deref(), Some("esx-1"));
        trial.act(&on_vm(VmAction::Relocate { pool: Some("root".into()), folder: Some("namespace/child".into()) })).expect("all is there");
        assert_eq!(trial.value("VirtualMachine", "shop/a")["resourcePool"], "Resources");
        assert_eq!(trial.value("VirtualMachine", "shop/a")["parent"], "child");
        trial.act(&on_vm(VmAction::Destroy)).expect("an administrator can");
        let (_, last) = trial.changes.last().expect("a change");
        assert!(last.changed.contains(&Changed::Left) && last.namespaced_name.as_deref() == Some("shop/a"));
        assert_eq!(trial.world.vms().count(), 0);
    }

    #[test]
    fn a_full_datastore_takes_no_swap_file_and_no_new_vm() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(spec("a"));
        trial.act(&Action::Datastore("ds".into(), DatastoreAction::Fill(9_999))).expect("it is there");
        let fault = trial.refused(Operation::PowerOnVm { vm: vm.clone(), host: None });
        assert_eq!(fault.name, FaultName::NoDiskSpace);
        let another = trial.deployment(spec("b"));
        assert_eq!(trial.refused(another).name, FaultName::InsufficientStorageSpace);
        trial.act(&Action::Datastore("ds".into(), DatastoreAction::Fill(5_000))).expect("downwards too");
        trial.ask(Operation::PowerOnVm { vm, host: None }).expect("there is room");
    }

    #[test]
    fn a_vm_on_a_datastore_out_of_reach_is_inaccessible() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.running("a");
        let reach = |reach| Action::Datastore("ds".into(), DatastoreAction::Reach(reach));
        trial.act(&reach(Reach::Down)).expect("it is there");
        assert_eq!(trial.vm(&vm).runtime.connection_state, ConnectionState::Inaccessible);
        assert_eq!(trial.refused(Operation::PowerOffVm { vm: vm.clone() }).name, FaultName::InaccessibleDatastore);
        trial.act(&reach(Reach::Up)).expect("it is there");
        trial.ask(Operation::PowerOffVm { vm }).expect("it can be reached");
    }

    #[test]
    fn while_vcenter_is_down_calls_are_lost_and_changes_wait() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(spec("a"));
        let open = trial.call(Operation::PowerOnVm { vm: vm.clone(), host: None });
        trial.run(Span::from_millis(500));
        trial.changes.clear();
        trial.act(&Action::Vcenter(Reach::Down)).expect("it is up");
        assert!(matches!(trial.answers[&open].1.result, Err(Failure::Lost(_))));
        assert!(matches!(trial.ask(Operation::About {}), Err(Failure::Lost(_))));
        assert!(trial.changes.is_empty());
        assert_eq!(trial.vm(&vm).runtime.power_state, PowerState::PoweredOn, "the host has done it nevertheless");
        trial.act(&Action::Vcenter(Reach::Up)).expect("it is down");
        assert!(trial.changes[0].1.changed.contains(&Changed::PowerState));
        assert!(matches!(trial.ask(Operation::RetrieveVm { vm }), Ok(Reply::Vm(_))));
    }

    #[test]
    fn fault_rules_count_skip_match_and_end() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(spec("a"));
        let other = trial.deploy(spec("b"));
        let fault = Fault::new(FaultName::GenericVmConfigFault, "no");
        let mut rule = rule("ReconfigVM_Task", FaultEnd::Fault(fault.clone()));
        rule.matching = Some(Arc::new(serde_json::json!({"vm": "shop/a"})));
        (rule.skip, rule.times) = (1, Some(2));
        trial.act(&Action::Fault(Box::new(rule))).expect("it comes into force");
        let ask =
            |trial: &mut Trial, vm: &vmtwin_model::id::VmId| trial.ask(Operation::ReconfigVm { vm: vm.clone(), spec: Arc::default() });
        assert!(trial.world.faults_may_end());
        assert!(ask(&mut trial, &other).is_ok());
        let results: Vec<bool> = (0..4).map(|_| ask(&mut trial, &vm).is_ok()).collect();
        assert_eq!(results, [true, false, false, true]);
        assert!(!trial.world.faults_may_end(), "it has caught what it was to catch");
    }

    #[test]
    fn a_rule_of_limited_time_ends_and_its_end_is_pending() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(spec("a"));
        let mut rule = rule("PowerOnVM_Task", FaultEnd::Fault(Fault::new(FaultName::NoCompatibleHost, "")));
        rule.lasts = Some(Span::from_mins(5));
        trial.act(&Action::Fault(Box::new(rule))).expect("it comes into force");
        assert_eq!(trial.world.next_pending(), Some(trial.now + Span::from_mins(5)));
        assert_eq!(trial.refused(Operation::PowerOnVm { vm: vm.clone(), host: None }).name, FaultName::NoCompatibleHost);
        trial.run(Span::from_mins(5));
        trial.ask(Operation::PowerOnVm { vm, host: None }).expect("the rule is over");
    }

    #[test]
    fn a_lost_call_does_nothing_and_a_lost_answer_all() {
        let mut trial = Trial::new(&inventory());
        for (end, made) in [(FaultEnd::LoseCall, 0), (FaultEnd::LoseAnswer, 1)] {
            let mut rule = rule("deployLibraryItem", end);
            rule.times = Some(1);
            trial.act(&Action::Fault(Box::new(rule))).expect("it comes into force");
            let operation = trial.deployment(spec("a"));
            assert!(matches!(trial.ask(operation), Err(Failure::Lost(_))));
            assert_eq!(trial.world.vms().count(), made);
        }
    }

    #[test]
    fn about_half_of_the_calls_are_caught_by_a_rule_of_that_probability() {
        let mut trial = Trial::new(&inventory());
        let mut rule = rule("RetrieveServiceContent", FaultEnd::Fault(Fault::new(FaultName::SystemError, "")));
        rule.probability = 500_000;
        trial.act(&Action::Fault(Box::new(rule))).expect("it comes into force");
        let caught = (0..200).filter(|_| trial.ask(Operation::About {}).is_err()).count();
        assert!((70..130).contains(&caught), "{caught} of 200");
    }

    #[test]
    fn a_slow_operation_takes_as_many_times_as_long() {
        let mut trial = Trial::new(&inventory());
        trial.act(&Action::Slow { operation: "RetrieveServiceContent".into(), factor_milli: 2_500 }).expect("it is an operation");
        let before = trial.now;
        trial.ask(Operation::About {}).expect("it answers");
        assert_eq!(trial.now - before, Span::from_millis(2_500));
    }
}
