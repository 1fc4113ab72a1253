//! Tasks: the way through vCenter's queue, the tokens of hosts and datastores, the work, the end. Source: vsphere §9.1–9.2.
//!
//! What needs no work to be refused never queues. A task that waits for tokens isn't among the running ones, and holds nobody up but
//! those who want the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::id::{CallId, TaskId, VmId};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::action::FaultEnd;
use vmtwin_model::vsphere::vm::{Task, TaskState};
use vmtwin_model::vsphere::{Changed, Failure, Fault, FaultName, Operation, Reply};

use crate::agenda::Entry;
use crate::deploy::Site;
use crate::vm::TASK_MEMORY;
use crate::{What, World, faults, refusals};

/// How many tasks run at once.
const RUNNING_MAX: usize = 640;
/// The time between two tasks that are let in.
const RATE: Span = Span::from_millis(10);
/// How far the rate may be ahead: a second's worth at once.
const BURST: Span = Span::from_secs(1);
/// A host's tokens.
const HOST_TOKENS: u32 = 8;
/// A datastore's tokens.
const DATASTORE_TOKENS: u32 = 128;

/// How many ended tasks are kept together, so that a fork shares them.
const CHUNK: usize = 256;

/// What has tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    Host(u32),
    Datastore(u32),
}

/// A task that hasn't ended.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) info: Task,
    call: CallId,
    operation: Arc<Operation>,
    object: Arc<str>,
    vm: Option<u32>,
    cause: Cause,
    /// Why it fails, once that is known.
    refusal: Option<Fault>,
    /// Whether it is counted among the running ones.
    counted: bool,
    /// Where a VM is made.
    site: Option<Site>,
    wants: Vec<Bearer>,
    held: usize,
}

/// All tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    pub(crate) open: BTreeMap<u32, Arc<Open>>,
    ended: VecDeque<Arc<Vec<Task>>>,
    queue: VecDeque<u32>,
    /// Those that have all tokens and no place among the running ones.
    ready: VecDeque<u32>,
    running: usize,
    last: u32,
    /// When the rate would be used up, if all came evenly.
    paid_until: Timestamp,
    waking: Option<Timestamp>,
}

impl Tasks {
    /// The tasks that vCenter knows: those that ended lately, then those that haven't.
    pub(crate) fn known(&self, now: Timestamp) -> impl Iterator<Item = &Task> {
        let ended = self.ended.iter().flat_map(|chunk| chunk.iter()).filter(move |task| !is_forgotten(task, now));
        ended.chain(self.open.values().map(|open| &open.info))
    }
}

impl World {
    pub(crate) fn start_task(&mut self, call: CallId, operation: Arc<Operation>, caught: Option<FaultEnd>) {
        self.tasks.last += 1;
        let number = self.tasks.last;
        let refusal = match caught {
            Some(FaultEnd::Fault(fault)) => Some(fault),
            Some(FaultEnd::Result(result)) => faults::fault_in_result(&result),
            _ => None,
        };
        let refusal = refusal.or_else(|| self.check(&operation).err());
        let info = Task {
            key: TaskId::new(format!("task-{number}")),
            description_id: description(&operation).into(),
            state: TaskState::Queued,
            error: None,
            queue_time: self.now,
            complete_time: None,
        };
        let vm = operation.vm().and_then(|vm| self.vms.find(vm));
        let object = self.object_of(&operation);
        let refused = refusal.is_some();
        let open =
            Open { info, call, operation, object, vm, cause: self.cause, refusal, counted: false, site: None, wants: Vec::new(), held: 0 };
        if let Some(row) = vm.and_then(|vm| self.vms.get_mut(vm)) {
            Arc::make_mut(&mut row.seen).recent_task.push(open.info.clone());
            if !refused {
                row.task = Some(number);
            }
        }
        let at_once = matches!(*open.operation, Operation::PromoteDisks { .. }).then(|| open.info.key.clone());
        self.tasks.open.insert(number, Arc::new(open));
        if let Some(task) = at_once {
            // Nobody waits for the end of this one: whoever asked looks at the VM's tasks.
            self.answer(call, Some(task), Ok(Reply::Done));
        }
        if refused {
            self.refuse(number);
        } else {
            self.show_task(number, TaskState::Queued);
            self.tasks.queue.push_back(number);
            self.admit_tasks();
        }
    }

    /// What is wrong with a call that can be told without doing anything.
    fn check(&self, operation: &Operation) -> Result<(), Fault> {
        if let Some(id) = operation.vm() {
            let vm = self.find_vm(id)?;
            let row = self.vms.get(vm).ok_or_else(|| refusals::not_found(VmId::TYPE, id.as_str()))?;
            if let Some(open) = row.task.and_then(|task| self.tasks.open.get(&task)) {
                return Err(refusals::task_in_progress(&open.info.key));
            }
        }
        self.check_operation(operation)
    }

    /// Lets in what the rate and the limit of running tasks allow.
    pub(crate) fn admit_tasks(&mut self) {
        while self.tasks.running < RUNNING_MAX {
            if let Some(number) = self.tasks.ready.pop_front() {
                self.work(number);
                continue;
            }
            let Some(number) = self.tasks.queue.front().copied() else { return };
            let earliest = Timestamp::from_nanos(self.tasks.paid_until.as_nanos().saturating_sub(BURST.as_nanos()));
            if earliest > self.now {
                if self.tasks.waking.is_none_or(|at| at <= self.now) {
                    self.tasks.waking = Some(earliest);
                    self.agenda.put(earliest, self.cause, Entry::Admit);
                }
                return;
            }
            self.tasks.queue.pop_front();
            self.tasks.paid_until = self.tasks.paid_until.max(self.now) + RATE;
            self.plan_task(number);
        }
    }

    fn open_mut(&mut self, number: u32) -> Option<&mut Open> {
        self.tasks.open.get_mut(&number).map(Arc::make_mut)
    }

    /// Finds out where a task is to work, and lines up for the tokens.
    fn plan_task(&mut self, number: u32) {
        let Some(open) = self.tasks.open.get(&number) else { return };
        let operation = open.operation.clone();
        match self.site_of(&operation) {
            Ok(None) => {}
            Ok(Some(site)) => {
                if let Some(open) = self.open_mut(number) {
                    open.wants = vec![Bearer::Host(site.host), Bearer::Datastore(site.datastore)];
                    open.site = Some(site);
                }
            }
            Err(fault) => {
                if let Some(open) = self.open_mut(number) {
                    open.refusal = Some(fault);
                }
                self.refuse(number);
                return;
            }
        }
        self.gather(number);
    }

    /// Takes the tokens that a task still wants; with the last one it begins.
    fn gather(&mut self, number: u32) {
        loop {
            let Some(open) = self.tasks.open.get(&number) else { return };
            let Some(bearer) = open.wants.get(open.held).copied() else { break };
            let entered = match bearer {
                Bearer::Host(row) => self.hosts.get_mut(row).is_none_or(|host| host.gate.enter(HOST_TOKENS, number)),
                Bearer::Datastore(row) => self.datastores.get_mut(row).is_none_or(|ds| ds.gate.enter(DATASTORE_TOKENS, number)),
            };
            if !entered {
                return;
            }
            if let Some(open) = self.open_mut(number) {
                open.held += 1;
            }
        }
        self.work(number);
    }

    /// The task has all that it needs and works, as soon as there is a place among the running ones.
    fn work(&mut self, number: u32) {
        if self.tasks.running >= RUNNING_MAX {
            self.tasks.ready.push_back(number);
            return;
        }
        self.tasks.running += 1;
        if let Some(open) = self.open_mut(number) {
            open.counted = true;
        }
        let Some(open) = self.tasks.open.get(&number).cloned() else { return };
        match self.start_work(&open.operation, open.site.as_ref()) {
            Ok(extra) => {
                let span = self.duration(open.operation.method(), &open.object, extra);
                self.show_task(number, TaskState::Running);
                self.agenda.put(self.now + span, open.cause, Entry::TaskEnds(number));
            }
            Err(fault) => {
                if let Some(open) = self.open_mut(number) {
                    open.refusal = Some(fault);
                }
                self.refuse(number);
            }
        }
    }

    /// The task will fail, as soon as a refusal takes.
    fn refuse(&mut self, number: u32) {
        let Some(open) = self.tasks.open.get(&number).cloned() else { return };
        let span = self.refusal_time(open.operation.method(), &open.object);
        self.show_task(number, TaskState::Running);
        self.agenda.put(self.now + span, open.cause, Entry::TaskEnds(number));
    }

    pub(crate) fn task_ends(&mut self, number: u32) {
        let Some(open) = self.tasks.open.get(&number).cloned() else { return };
        let result = match &open.refusal {
            Some(fault) => Err(fault.clone()),
            None => self.finish_work(&open.operation, open.site.as_ref()),
        };
        let state = if result.is_ok() { TaskState::Success } else { TaskState::Error };
        let now = self.now;
        if let Some(open) = self.open_mut(number) {
            open.info.error = result.as_ref().err().cloned();
            open.info.complete_time = Some(now);
        }
        self.show_task(number, state);
        let Some(open) = self.tasks.open.remove(&number) else { return };
        if let Some(vm) = open.vm {
            if let Some(row) = self.vms.get_mut(vm).filter(|row| row.task == Some(number)) {
                row.task = None;
            }
            if self.vms.get(vm).is_some() {
                self.touch(vm, Changed::Task);
            }
            self.forget_tasks(vm, self.now);
        }
        self.answer(open.call, Some(open.info.key.clone()), result.map_err(Failure::Fault));
        self.forget_ended(&open.info);
        for bearer in &open.wants[..open.held] {
            let next = match bearer {
                Bearer::Host(row) => self.hosts.get_mut(*row).and_then(|host| host.gate.leave()),
                Bearer::Datastore(row) => self.datastores.get_mut(*row).and_then(|ds| ds.gate.leave()),
            };
            if let Some(next) = next {
                if let Some(open) = self.open_mut(next) {
                    open.held += 1;
                }
                self.gather(next);
            }
        }
        if open.counted {
            self.tasks.running -= 1;
        }
        self.admit_tasks();
    }

    /// Ends a task before its time; one that has ended already stays as it is.
    pub(crate) fn cancel_task(&mut self, id: &TaskId) -> Result<Reply, Fault> {
        let known = self.tasks.open.iter().find(|(_, open)| open.info.key == *id).map(|(number, _)| *number);
        let Some(number) = known else {
            let ended = self.tasks.known(self.now).any(|task| task.key == *id);
            return if ended { Ok(Reply::Done) } else { Err(refusals::not_found(TaskId::TYPE, id.as_str())) };
        };
        self.tasks.queue.retain(|queued| *queued != number);
        self.tasks.ready.retain(|ready| *ready != number);
        if let Some(open) = self.open_mut(number) {
            open.refusal = Some(Fault::new(FaultName::RequestCanceled, "The task was canceled by a user."));
        }
        self.task_ends(number);
        Ok(Reply::Done)
    }

    /// Remembers a task that ended, and forgets those that ended long ago.
    fn forget_ended(&mut self, info: &Task) {
        let ended = &mut self.tasks.ended;
        match ended.back_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).push(info.clone()),
            None => ended.push_back(Arc::new(vec![info.clone()])),
        }
        while ended.front().and_then(|chunk| chunk.last()).is_some_and(|last| is_forgotten(last, self.now)) {
            ended.pop_front();
        }
    }

    /// What deploys under way have taken of the datastores, though no VM has it yet.
    #[cfg(test)]
    pub(crate) fn space_under_way(&self) -> i64 {
        let working = self.tasks.open.values().filter(|open| open.info.state == TaskState::Running && open.refusal.is_none());
        working.filter_map(|open| open.site).map(|site| site.bytes()).sum()
    }

    /// Sets a task's state where it is seen, and tells of it.
    fn show_task(&mut self, number: u32, state: TaskState) {
        let Some(open) = self.open_mut(number) else { return };
        open.info.state = state;
        let open = self.tasks.open[&number].clone();
        if let Some(seen) = open.vm.and_then(|vm| self.seen_mut(vm))
            && let Some(task) = seen.recent_task.iter_mut().find(|task| task.key == open.info.key)
        {
            *task = open.info.clone();
        }
        let vm = open.operation.vm().cloned();
        self.push(What::Task { task: open.info.clone(), vm, method: open.operation.method() });
    }

    /// What begins with a task's work, and how much longer it takes for what it moves.
    fn start_work(&mut self, operation: &Operation, site: Option<&Site>) -> Result<Span, Fault> {
        match operation {
            Operation::DeployLibraryItem(_) | Operation::CreateVm { .. } => self.start_deploy(operation, site),
            Operation::PowerOnVm { vm, host } => self.start_power_on(vm, host.as_ref()),
            Operation::SuspendVm { vm } => Ok(self.suspend_span(vm)),
            Operation::ReconfigVm { spec, .. } => Ok(self.reconfigure_span(spec)),
            Operation::CopyVirtualDisk { .. } => Ok(self.files_span(operation)),
            Operation::CreateSnapshot { .. } | Operation::RevertToSnapshot { .. } | Operation::RemoveSnapshot { .. } => {
                self.start_snapshot(operation)
            }
            Operation::PromoteDisks { vm, disks, .. } => Ok(self.promotion_span(vm, disks)),
            _ => Ok(Span::ZERO),
        }
    }

    /// What a task has brought about when it ends.
    fn finish_work(&mut self, operation: &Operation, site: Option<&Site>) -> Result<Reply, Fault> {
        match operation {
            Operation::DeployLibraryItem(_) | Operation::CreateVm { .. } => self.finish_deploy(operation, site),
            Operation::PowerOnVm { vm, .. } => self.finish_power_on(vm),
            Operation::CreateSnapshot { .. } | Operation::RevertToSnapshot { .. } | Operation::RemoveSnapshot { .. } => {
                self.finish_snapshot(operation)
            }
            other => {
                self.check_operation(other)?;
                self.carry_out(other).map(|()| Reply::Done)
            }
        }
    }
}

/// Whether a task ended so long ago that vCenter has forgotten it.
fn is_forgotten(task: &Task, now: Timestamp) -> bool {
    task.complete_time.is_some_and(|end| now >= end + TASK_MEMORY)
}

/// The task's `descriptionId`.
fn description(operation: &Operation) -> &'static str {
    match operation {
        Operation::DeployLibraryItem(_) => "com.vmware.ovfs.LibraryItem.deploy",
        Operation::CreateVm { .. } => "Folder.createVm",
        Operation::ReconfigVm { .. } => "VirtualMachine.reconfigure",
        Operation::UpgradeVm { .. } => "VirtualMachine.upgradeVirtualHardware",
        Operation::CustomizeVm { .. } => "VirtualMachine.customize",
        Operation::CopyVirtualDisk { .. } => "VirtualDiskManager.copyVirtualDisk",
        Operation::DeleteDatastoreFile { .. } => "FileManager.deleteFile",
        Operation::InvokeFsr { .. } => "VirtualMachine.invokeFSR",
        Operation::PromoteDisks { .. } => "VirtualMachine.promoteDisks",
        Operation::PowerOnVm { .. } => "VirtualMachine.powerOn",
        Operation::PowerOffVm { .. } => "VirtualMachine.powerOff",
        Operation::SuspendVm { .. } => "VirtualMachine.suspend",
        Operation::ResetVm { .. } => "VirtualMachine.reset",
        Operation::DestroyVm { .. } => "VirtualMachine.destroy",
        Operation::CreateSnapshot { .. } => "VirtualMachine.createSnapshot",
        Operation::RevertToSnapshot { .. } => "VirtualMachineSnapshot.revert",
        Operation::RemoveSnapshot { .. } => "VirtualMachineSnapshot.remove",
        Operation::DestroyPool { .. } => "ResourcePool.destroy",
        Operation::DestroyFolder { .. } => "Folder.destroy",
        _ => "Task",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory, spec};

    fn running(trial: &Trial) -> usize {
        trial.world.tasks.open.values().filter(|open| open.info.state == TaskState::Running).count()
    }

    #[test]
    fn a_host_makes_eight_vms_at_once_and_the_others_wait() {
        let mut inventory = inventory();
        inventory.zones[0].clusters[0].hosts.truncate(1);
        let mut trial = Trial::new(&inventory);
        let other = trial.deploy(spec("other"));
        for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
            let operation = trial.deployment(spec(name));
            trial.call(operation);
        }
        trial.run(Span::from_millis(500));
        assert_eq!((running(&trial), trial.world.tasks.open.len()), (8, 10));
        let on = trial.call(Operation::PowerOnVm { vm: other, host: None });
        trial.run(Span::from_secs(1));
        assert!(trial.answers.contains_key(&on) || running(&trial) == 3, "a power-on needs no token");
        trial.run(Span::from_secs(1));
        assert_eq!(trial.world.vms().count(), 11);
    }

    #[test]
    fn tasks_are_let_in_at_a_hundred_a_second_after_the_first_hundred() {
        let mut trial = Trial::new(&inventory());
        let vms: Vec<VmId> = (0..150).map(|n| trial.deploy(spec(&format!("vm{n}")))).collect();
        trial.run(Span::from_secs(60));
        let calls: Vec<CallId> = vms.into_iter().map(|vm| trial.call(Operation::UpgradeVm { vm, version: "vmx-22".into() })).collect();
        let start = trial.now;
        trial.run(Span::from_secs(10));
        let ends: Vec<Span> = calls.iter().map(|call| trial.answers[call].0 - start).collect();
        assert_eq!((ends[0], ends[100]), (Span::from_secs(1), Span::from_secs(1)));
        assert_eq!((ends[101], ends[149]), (Span::from_millis(1_010), Span::from_millis(1_490)));
    }

    #[test]
    fn a_task_that_ended_is_remembered_for_ten_minutes() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.running("a");
        let seen = |trial: &mut Trial| match trial.ask(Operation::RetrieveVm { vm: vm.clone() }) {
            Ok(Reply::Vm(seen)) => seen.recent_task.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(seen(&mut trial), 1, "the power-on");
        trial.run(Span::from_mins(10));
        assert_eq!(seen(&mut trial), 0);
    }
}
