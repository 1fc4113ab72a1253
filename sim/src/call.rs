//! Calls of the operator: how they arrive, what those that are no tasks answer, and how answers get lost.
//!
//! Every call is answered exactly once, whatever becomes of it. A read sees the world at the instant of its answer.

use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::Cause;
use vmtwin_model::id::{CallId, ClusterId, FolderId, HostId, PoolId, TaskId, VmId};
use vmtwin_model::time::Span;
use vmtwin_model::units::MHz;
use vmtwin_model::vsphere::action::FaultEnd;
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Answer, Failure, Fault, FaultName, Operation, Reply};

use crate::agenda::Entry;
use crate::guest::{Phase, Soft};
use crate::key_provider::Unusable;
use crate::{What, World, faults, refusals};

/// How long a caller waits for an answer that doesn't come.
const LOST_AFTER: Span = Span::from_secs(10);

/// A call that isn't answered yet.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operation: Arc<Operation>,
    pub(crate) cause: Cause,
    /// A fault rule's word on its end.
    pub(crate) ends: Option<FaultEnd>,
}

impl World {
    /// The operator calls. The answer comes out of [`World::step`], later.
    pub fn call(&mut self, now: vmtwin_model::time::Timestamp, cause: Cause, id: CallId, operation: Operation) {
        self.begin(now, cause);
        self.calls.insert(id, Call { operation: Arc::new(operation), cause, ends: None });
        if self.vcenter_up {
            self.agenda.put(now, cause, Entry::Arrive(id));
        } else {
            self.agenda.put(now + LOST_AFTER, cause, Entry::Lose(id));
        }
    }

    pub(crate) fn arrive(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let operation = call.operation.clone();
        let caught = self.caught(&operation);
        if let Some(end) = &caught {
            let about = operation.vm().map_or_else(|| "vcenter".to_owned(), |vm| format!("{}/{vm}", VmId::TYPE));
            self.tell(about, format!("a fault rule catches {}", operation.method()));
            if *end == FaultEnd::LoseCall {
                self.agenda.put(self.now + LOST_AFTER, self.cause, Entry::Lose(id));
                return;
            }
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.ends.clone_from(&caught);
        }
        if is_task(&operation) {
            self.start_task(id, operation, caught);
        } else {
            let object = self.object_of(&operation);
            let extra = match &*operation {
                Operation::PlaceVmsXCluster(place) => {
                    Span::from_millis(30).times(i64::try_from(place.vm_placement_specs.len()).unwrap_or(i64::MAX))
                }
                // A server that doesn't answer is waited for.
                Operation::QueryCryptoKeyStatus { key } if self.usable(key) == Err(Unusable::Unreachable) => Span::from_secs(30),
                _ => Span::ZERO,
            };
            let span = self.duration(operation.method(), &object, extra);
            self.agenda.put(self.now + span, self.cause, Entry::Complete(id));
        }
    }

    /// The name by which draws for a call are told apart from those for others.
    pub(crate) fn object_of(&self, operation: &Operation) -> Arc<str> {
        if let Some(row) = operation.vm().and_then(|vm| self.vms.find(vm)).and_then(|row| self.vms.get(row)) {
            return row.label().into();
        }
        if let Some(name) = self.future_name(operation) {
            return name;
        }
        match operation {
            Operation::FindAllByUuid { uuid } => uuid.clone(),
            Operation::FindChildPool { name, .. }
            | Operation::FindChildFolder { name, .. }
            | Operation::CreateResourcePool { name, .. }
            | Operation::CreateFolder { name, .. } => name.clone(),
            Operation::MinClusterCpu { cluster } => self.cluster_name(cluster),
            _ => "vcenter".into(),
        }
    }

    fn cluster_name(&self, id: &ClusterId) -> Arc<str> {
        let row = self.names.cluster_ids.get(id).and_then(|row| self.clusters.get(*row));
        row.map_or_else(|| "vcenter".into(), |cluster| cluster.name.clone())
    }

    /// How long this call takes: the how-many-th of its sort on this object.
    pub(crate) fn duration(&mut self, method: &'static str, object: &str, extra: Span) -> Span {
        let nth = self.count(object, method);
        self.durations.of(method, extra, &mut self.rng.draw("sim/latency", (method, object, nth)))
    }

    /// How long it takes until this call is refused.
    pub(crate) fn refusal_time(&mut self, method: &'static str, object: &str) -> Span {
        let nth = self.count(object, method);
        self.durations.of_refusal(method, &mut self.rng.draw("sim/refusal", (method, object, nth)))
    }

    /// How often something of this sort has happened to this object, this time included.
    pub(crate) fn count(&mut self, object: &str, what: &'static str) -> u32 {
        let counts = self.counts.entry(object);
        match counts.iter_mut().find(|(there, _)| *there == what) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                counts.push((what, 1));
                1
            }
        }
    }

    pub(crate) fn lose(&mut self, id: CallId) {
        self.answer(id, None, Err(Failure::Lost("no answer".into())));
    }

    /// A call that is no task comes to its end.
    pub(crate) fn complete(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id).cloned() else { return };
        let result = match &call.ends {
            Some(FaultEnd::Fault(fault)) => Err(fault.clone()),
            Some(FaultEnd::Result(value)) => self.completes_with(&call.operation, value),
            _ => self.perform(&call.operation),
        };
        self.answer(id, None, result.map_err(Failure::Fault));
    }

    /// Answers a call, unless it was answered before.
    pub(crate) fn answer(&mut self, id: CallId, task: Option<TaskId>, result: Result<Reply, Failure>) {
        let Some(call) = self.calls.remove(&id) else { return };
        let vm = match &result {
            Ok(Reply::Created(vm)) => Some(vm.clone()),
            _ => call.operation.vm().cloned(),
        };
        let result = if call.ends == Some(FaultEnd::LoseAnswer) { Err(Failure::Lost("connection reset".into())) } else { result };
        let what = What::Answer { id, method: call.operation.method(), vm, answer: Answer { task, result } };
        let cause = std::mem::replace(&mut self.cause, call.cause);
        self.push(what);
        self.cause = cause;
    }

    fn completes_with(&mut self, operation: &Operation, result: &Value) -> Result<Reply, Fault> {
        let is_placement = matches!(operation, Operation::PlaceVm { .. } | Operation::PlaceVmsXCluster(_));
        match (faults::placements_in_result(result), faults::fault_in_result(result)) {
            (Some(placements), _) if is_placement => Ok(Reply::Placements(placements)),
            (_, Some(fault)) => Err(fault),
            _ => self.perform(operation),
        }
    }

    /// Does what a call that is no task asks for.
    fn perform(&mut self, operation: &Operation) -> Result<Reply, Fault> {
        match operation {
            Operation::About {} => Ok(Reply::About { instance_uuid: self.instance_uuid.clone() }),
            Operation::FindAllByUuid { uuid } => {
                let rows = self.vms.with_instance(uuid).iter().filter_map(|row| self.vms.get(*row));
                Ok(Reply::Found(rows.map(|row| row.seen.id.clone()).collect()))
            }
            Operation::RetrieveVm { vm } => {
                let row = self.find_vm(vm)?;
                self.forget_tasks(row, self.now);
                self.vms.get(row).map(|row| Reply::Vm(row.seen.clone())).ok_or_else(|| refusals::not_found(VmId::TYPE, vm.as_str()))
            }
            Operation::RetrieveSnapshot { .. } => self.snapshot_config(operation),
            Operation::ListKmipServers {} => Ok(self.list_key_providers()),
            Operation::GetDefaultKmsCluster {} => Ok(Reply::DefaultKeyProvider(self.default_key_provider().cloned())),
            Operation::QueryCryptoKeyStatus { key } => Ok(self.key_status(key)),
            Operation::MinClusterCpu { cluster } => self.min_clock(cluster).map(Reply::Clock),
            Operation::FindChildPool { entity, name } => {
                let parent = *self.names.pool_ids.get(entity).ok_or_else(|| refusals::not_found(PoolId::TYPE, entity.as_str()))?;
                let child = self.child_pool(parent, name).and_then(|row| self.pools.get(row));
                Ok(Reply::Child(child.map(|pool| pool.id.as_str().into())))
            }
            Operation::FindChildFolder { entity, name } => {
                let parent = *self.names.folder_ids.get(entity).ok_or_else(|| refusals::not_found(FolderId::TYPE, entity.as_str()))?;
                let child = self.child_folder(parent, name).and_then(|row| self.folders.get(row));
                Ok(Reply::Child(child.map(|folder| folder.id.as_str().into())))
            }
            Operation::RetrieveHost { host } => {
                let row = self.names.host_ids.get(host).and_then(|row| self.hosts.get(*row));
                row.map(|row| Reply::Name(row.name.clone())).ok_or_else(|| refusals::not_found(HostId::TYPE, host.as_str()))
            }
            Operation::RetrieveDatastore { datastore } => self.datastore_info(datastore).map(Reply::Datastore),
            Operation::CreateResourcePool { entity, name, spec } => self.make_pool(entity, name, spec),
            Operation::CreateFolder { entity, name } => self.make_folder(entity, name),
            Operation::ListModules {} => Ok(Reply::Modules(self.modules.list())),
            Operation::CreateModule { cluster } => self.make_module(cluster),
            Operation::DeleteModule { module } => self.modules.delete(module).map(|()| Reply::Done),
            Operation::ListModuleMembers { module } => self.module_members(module).map(Reply::Found),
            Operation::AddModuleMembers { module, vms } => self.join_module(module, vms),
            Operation::PlaceVm { cluster, config_spec } => self.place_one(cluster, config_spec),
            Operation::PlaceVmsXCluster(place) => self.place_many(place),
            Operation::ConnectTcp { vm, host, .. } => self.connect_tcp(vm, host),
            Operation::MakeDirectory { name } => self.make_directory(name),
            Operation::CancelTask { task } => self.cancel_task(task),
            Operation::SyncLibraryItem { item } => match self.images.iter().any(|image| image.item.id == *item) {
                true => Ok(Reply::Done),
                false => Err(refusals::not_found("LibraryItem", item)),
            },
            Operation::ShutdownGuest { vm } => self.tell_guest(vm, Soft::Shutdown),
            Operation::StandbyGuest { vm } => self.tell_guest(vm, Soft::Standby),
            Operation::RebootGuest { vm } => self.tell_guest(vm, Soft::Reboot),
            _ => Err(Fault::new(FaultName::SystemError, "a task was taken for a plain call")),
        }
    }

    fn min_clock(&self, id: &ClusterId) -> Result<MHz, Fault> {
        let cluster = self.names.cluster_ids.get(id).and_then(|row| self.clusters.get(*row));
        let cluster = cluster.ok_or_else(|| refusals::not_found(ClusterId::TYPE, id.as_str()))?;
        let clocks = cluster.hosts.iter().filter_map(|host| self.hosts.get(*host)).map(|host| host.clock);
        clocks.min().ok_or_else(|| refusals::invalid_state("The cluster has no host."))
    }

    /// A guest that runs listens on every port of its addresses.
    fn connect_tcp(&self, id: &VmId, host: &str) -> Result<Reply, Fault> {
        let row = self.find_vm(id).ok().and_then(|vm| self.vms.get(vm));
        let row = row.ok_or_else(|| refusals::not_found(VmId::TYPE, id.as_str()))?;
        let guest = row.seen.guest.as_ref();
        let is_its = guest.is_some_and(|guest| {
            let addresses = guest.net.iter().flat_map(|nic| &nic.ip_config.ip_address).map(|address| &*address.ip_address);
            guest.ip_address.as_deref().into_iter().chain(addresses).any(|address| address == host)
        });
        let listens = row.power() == PowerState::PoweredOn && matches!(row.guest.phase, Phase::Up | Phase::Ending(_));
        if is_its && listens { Ok(Reply::Done) } else { Err(refusals::unreachable_host(host)) }
    }

    fn tell_guest(&mut self, id: &VmId, what: Soft) -> Result<Reply, Fault> {
        let vm = self.find_vm(id)?;
        self.check_reach(vm)?;
        let row = self.vms.get(vm).ok_or_else(|| refusals::not_found(VmId::TYPE, id.as_str()))?;
        let wanted = match what {
            Soft::Shutdown => PowerState::PoweredOff,
            Soft::Standby => PowerState::Suspended,
            Soft::Reboot => PowerState::PoweredOn,
        };
        if row.power() != PowerState::PoweredOn {
            return Err(refusals::power_state(wanted, row.power()));
        }
        if !row.seen.tools_run() {
            return Err(refusals::tools_unavailable());
        }
        self.guest_told(vm, what);
        Ok(Reply::Done)
    }
}

/// Whether vCenter does it in a task.
fn is_task(operation: &Operation) -> bool {
    let at_once = matches!(
        operation,
        Operation::ShutdownGuest { .. }
            | Operation::StandbyGuest { .. }
            | Operation::RebootGuest { .. }
            | Operation::SyncLibraryItem { .. }
            | Operation::MakeDirectory { .. }
            | Operation::CancelTask { .. }
            | Operation::CreateResourcePool { .. }
            | Operation::CreateFolder { .. }
            | Operation::CreateModule { .. }
            | Operation::DeleteModule { .. }
            | Operation::AddModuleMembers { .. }
    );
    operation.mutates() && !at_once
}
