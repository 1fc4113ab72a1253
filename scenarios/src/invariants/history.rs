//! What rules must remember of a whole run: classes as they were, what administrators did behind the operator's back, restarts,
//! resizes, wishes for a power state. Built from the log alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::id::{TaskId, VmId};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::kube::{Kind, Object, ObjectKey, Resource};
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::Operation;
use vmtwin_model::vsphere::spec::ConfigSpec;

use super::ledger::Call;
use crate::log::{Data, Event, Outcome, Record, Source};
use crate::runner::Simulation;

/// What happened over the whole run.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Every version of every class.
    classes: BTreeMap<ObjectKey, BTreeMap<u64, Arc<Object>>>,
    /// What was done to which VM out of band, by the VM's name in the scenario.
    meddled: BTreeMap<String, BTreeSet<String>>,
    /// How often the operator died or was started anew.
    pub(super) interruptions: u64,
    /// The restarts of each VM for each value of `spec.nextRestartTime`, by uid and value.
    pub(super) restarts: BTreeMap<(String, String), Restarts>,
    /// The classes that the last two resizes of a VM carried, the last one last.
    pub(super) resizes: BTreeMap<VmId, Vec<Carried>>,
    /// Who asked last for which power state.
    pub(super) wishes: BTreeMap<ObjectKey, Wishes>,
    /// Since when an object of this uid has this value of `nextRestartTime`.
    pub(super) restart_asked: BTreeMap<(String, String), Timestamp>,
    /// Whose labels changed after it was made.
    pub(super) relabelled: BTreeSet<ObjectKey>,
    /// The host on which each VM was seen first.
    pub(super) first_hosts: BTreeMap<VmId, Arc<str>>,
    /// Tasks that ended.
    pub(super) ended: BTreeSet<TaskId>,
    /// Tasks that ended a second time.
    pub(super) ended_twice: Option<TaskId>,
    /// The user who asked last, with the number of the request's record.
    asker: (u64, String),
    /// The object that was worked on last.
    pub(super) last_woken: Option<ObjectKey>,
}

/// The restarts for one value of `spec.nextRestartTime`.
#[derive(Clone, Debug, Default)]
pub(super) struct Restarts {
    /// How many were done.
    pub(super) done: u64,
    /// How many records of it, or restarts, failed or were lost.
    pub(super) failed: u64,
    /// The interruptions before the first.
    pub(super) interruptions: u64,
}

/// What a resize was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Carried {
    /// The class's name.
    pub(super) name: String,
    /// Its uid.
    pub(super) uid: String,
    /// Its generation.
    pub(super) generation: i64,
}

/// When somebody asked last for a power state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wishes {
    /// A user, by changing an object that was there.
    pub(super) user: Option<Timestamp>,
    /// Anybody.
    pub(super) last: Option<Timestamp>,
}

impl History {
    /// What is there when a run begins.
    pub(super) fn begin(simulation: &Simulation) -> Self {
        let mut history = Self::default();
        for class in simulation.api().list(VirtualMachineClass::KIND, None) {
            history.classes.entry(class.key.clone()).or_default().insert(class.resource_version, class.clone());
        }
        history
    }

    pub(super) fn take(&mut self, simulation: &Simulation, record: &Record) {
        match (record.event, &record.data) {
            (Event::Wake, _) => self.last_woken.clone_from(&record.object),
            (Event::Request, _) if record.source == Source::User && record.result.is_none() => {
                let user = record.message.split(' ').next().unwrap_or_default();
                self.asker = (record.seq, user.to_owned());
            }
            (Event::Write, Data::Change(change)) => {
                if let Some(after) = &change.after {
                    self.written(record, change.before.as_deref(), after);
                }
            }
            (Event::Change, _) if record.source == Source::Scenario => self.happened(&record.message),
            (Event::Change, _) => self.moved(simulation, record),
            (Event::Task, _) => {
                if let Some(task) = &record.task {
                    self.ended_twice = (!self.ended.insert(task.clone())).then(|| task.clone());
                }
            }
            _ => {}
        }
    }

    fn happened(&mut self, message: &str) {
        if message.starts_with("the operator dies") || message.starts_with("the operator restarts") {
            self.interruptions += 1;
            // What a pass carried that died with the operator, nobody knows.
            self.resizes.clear();
        } else if let Some((name, word)) = message.strip_prefix("vm ").and_then(|rest| rest.split_once(": ")) {
            self.meddled.entry(name.to_owned()).or_default().insert(word.to_owned());
        }
    }

    fn moved(&mut self, simulation: &Simulation, record: &Record) {
        let Some(vm) = record.vsphere.as_deref().and_then(|id| simulation.world().vm(&VmId::from(id))) else { return };
        if let Some(host) = &vm.location.host_name {
            self.first_hosts.entry(vm.id.clone()).or_insert_with(|| host.clone());
        }
    }

    fn written(&mut self, record: &Record, before: Option<&Object>, after: &Arc<Object>) {
        if after.key.kind == VirtualMachineClass::KIND {
            self.classes.entry(after.key.clone()).or_default().insert(after.resource_version, after.clone());
        } else if is_powered(after.key.kind) {
            let state = |object: &Object| {
                let of_vm = object.view::<VirtualMachine>().and_then(|vm| vm.spec.power_state);
                of_vm.or_else(|| object.view::<VirtualMachineGroup>().and_then(|group| group.spec.power_state))
            };
            let sync = |object: &Object| {
                object.view::<VirtualMachineGroup>().map(|group| group.spec.next_force_power_state_sync_time.clone()).unwrap_or_default()
            };
            if before.is_none_or(|before| state(before) != state(after) || sync(before) != sync(after)) {
                let wishes = self.wishes.entry(after.key.clone()).or_default();
                wishes.last = Some(record.at);
                if before.is_none() {
                    wishes.user = None;
                } else if record.source == Source::User {
                    wishes.user = Some(record.at);
                }
            }
            if let Some(vm) = after.view::<VirtualMachine>().filter(|vm| !vm.spec.next_restart_time.is_empty()) {
                let key = (after.uid().to_owned(), vm.spec.next_restart_time.clone());
                self.restart_asked.entry(key).or_insert(record.at);
            }
            if before.is_some_and(|before| own_labels(before) != own_labels(after)) {
                self.relabelled.insert(after.key.clone());
            }
        }
    }

    /// A pass ended: what its calls came to.
    pub(super) fn passed(&mut self, simulation: &Simulation, record: &Record, calls: &[Call], known: Option<&Arc<Object>>) {
        let (Data::Passed(passed), Some(known)) = (&record.data, known) else { return };
        let Some(vm) = known.view::<VirtualMachine>() else { return };
        let ended = |call: &Call| {
            let calls = simulation.calls();
            calls.binary_search_by_key(&call.seq, |call| call.seq).ok().and_then(|at| calls[at].ended.clone())
        };
        let restarts = !vm.spec.next_restart_time.is_empty()
            && calls.iter().any(|call| matches!(call.operation, Operation::ResetVm { .. } | Operation::RebootGuest { .. }));
        if restarts {
            let key = (known.uid().to_owned(), vm.spec.next_restart_time.clone());
            let fresh = Restarts { interruptions: self.interruptions, ..Restarts::default() };
            let restarts = self.restarts.entry(key).or_insert(fresh);
            for call in calls {
                let is_restart = matches!(call.operation, Operation::ResetVm { .. } | Operation::RebootGuest { .. });
                match ended(call) {
                    Some(Outcome::Success) if is_restart => restarts.done += 1,
                    Some(Outcome::Success) => {}
                    _ => restarts.failed += 1,
                }
            }
        }
        for call in calls.iter().filter(|call| ended(call) == Some(Outcome::Success)) {
            let id = match &call.operation {
                Operation::ReconfigVm { vm, spec } if resizes(spec) => vm.clone(),
                Operation::CreateVm { .. } | Operation::DeployLibraryItem(_) => {
                    let calls = simulation.calls();
                    let made = calls.binary_search_by_key(&call.seq, |call| call.seq).ok().and_then(|at| calls[at].vm.clone());
                    let Some(made) = made else { continue };
                    made
                }
                _ => continue,
            };
            let class = passed.saw.iter().find(|(key, _)| key.kind == VirtualMachineClass::KIND && *key.name == *vm.spec.class_name);
            let Some(class) = class.and_then(|(key, version)| self.classes.get(key)?.get(version)) else { continue };
            let carried = Carried { name: class.key.name.to_string(), uid: class.uid().to_owned(), generation: class.generation };
            let resizes = self.resizes.entry(id).or_default();
            if resizes.len() > 1 {
                resizes.remove(0);
            }
            resizes.push(carried);
        }
    }

    /// The class of this uid as it was in this generation.
    pub(super) fn class(&self, uid: &str, generation: i64) -> Option<&Arc<Object>> {
        let versions = self.classes.values().flat_map(BTreeMap::values);
        versions.into_iter().find(|class| class.uid() == uid && class.generation == generation)
    }

    /// Whether this was done to a VM out of band.
    pub(super) fn was_meddled(&self, name: &str, words: &[&str]) -> bool {
        self.meddled.get(name).is_some_and(|done| words.iter().any(|word| done.contains(*word)))
    }

    /// The user behind a record that a request brought about.
    pub(super) fn asker(&self, record: &Record) -> Option<&str> {
        (self.asker.0 == record.cause.0).then_some(self.asker.1.as_str())
    }
}

/// Whether a reconfigure changes what a class gives.
pub(super) fn resizes(spec: &ConfigSpec) -> bool {
    spec.num_cpus.is_some() || spec.memory_mb.is_some() || spec.cpu_allocation.is_some() || spec.memory_allocation.is_some()
}

fn is_powered(kind: Kind) -> bool {
    kind == VirtualMachine::KIND || kind == VirtualMachineGroup::KIND
}

/// The labels that aren't the operator's.
fn own_labels(object: &Object) -> Vec<(&String, &String)> {
    let labels = object.meta.labels.iter().flatten();
    labels.filter(|(key, _)| !key.contains("vmoperator.vmware.com") && !key.starts_with("topology.kubernetes.io")).collect()
}
