//! VM Operator as a pure, synchronous state machine.
//!
//! An input and an instant go in ([`Engine::handle`]), outputs come out, nothing else happens: no clock, no chance of its
//! own, no input or output. The engine has two ports, as the real operator has. On the Kubernetes side it hears of changed
//! objects and writes objects; on the vSphere side it calls operations and hears of changed VMs. Who answers, a twin or a
//! vCenter, it can't tell. [`Engine::admit`] is the admission webhook, a function of the request and of what the watches told.
//!
//! Read on in `pass` (the life of one pass), `queue` (who is worked on when), `vm` and `group` (the controllers).

pub mod admission;
mod affinity;
pub mod cache;
mod crypto;
mod draft;
pub mod features;
mod group;
mod groups;
pub mod guest_network;
mod limits;
mod pass;
mod placement;
pub mod planted;
mod policy;
mod queue;
mod set_policy;
mod settings;
mod snapshot;
pub mod storage_quota;
mod storage_usage;
mod verdict;
mod vm;
mod volumes;
mod waits;
mod wakes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::id::{CallId, VmId, WriteId};
use vmtwin_model::kube::api::{self, Admission, Admitted, ApiError, ErrorReason, Notice, Review, WatchEvent, Write};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::rng::Rng;
use vmtwin_model::shards::Shards;
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Answer, Change, Changed, Operation};

use admission::AdmissionCx;
use cache::Cache;
pub use features::{Feature, Features};
pub use pass::PassId;
use pass::{Argument, Around, Asked, Cx, Effects, Pass, Pending, Stop, Until};
pub use queue::{Controller, Controllers, Idle, Key, Retries};
use queue::{Queue, Wake};
pub use settings::{FastDeployMode, NetworkProvider, Settings};
use storage_quota::{Granted, Objects, RequestedCapacity};
pub use verdict::{Verdict, Wait};
use waits::Waits;

/// What the engine is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A watch tells of a changed object.
    Changed(WatchEvent),
    /// The hypervisor answers a call.
    Answer {
        /// The call.
        id: CallId,
        /// The answer.
        answer: Answer,
    },
    /// The API server answers a write.
    Written {
        /// The write.
        id: WriteId,
        /// The answer.
        result: api::Answer,
    },
    /// The watcher of the inventory tells of a changed VM.
    Observed(Change),
    /// An instant came that [`Engine::next_wakeup`] named.
    Came,
}

/// What the engine does.
#[derive(Clone, Debug)]
pub struct Output {
    /// What brought it about.
    pub because: Because,
    /// What is to be done.
    pub what: Out,
}

/// What brought an output about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The record of this number.
    Record(Cause),
    /// The pass of this number, which an earlier [`Out::Woke`] announced.
    Pass(PassId),
}

/// One thing that the engine does.
#[derive(Clone, Debug)]
pub enum Out {
    /// A pass begins.
    Woke {
        /// The pass.
        pass: PassId,
        /// What it is for.
        key: Key,
        /// What woke it, in words.
        why: Arc<str>,
    },
    /// A call on the hypervisor.
    Call {
        /// By which the answer comes back.
        id: CallId,
        /// The object of the pass.
        object: ObjectKey,
        /// The call.
        operation: Operation,
    },
    /// A write to the API server, as the operator's account.
    Write {
        /// By which the answer comes back.
        id: WriteId,
        /// The write.
        write: Write,
    },
    /// A Kubernetes Event.
    Notice(Notice),
    /// A pass ended.
    Passed(Passed),
}

/// How a pass ended.
#[derive(Clone, Debug)]
pub struct Passed {
    /// The pass.
    pub pass: PassId,
    /// What it was for.
    pub key: Key,
    /// Its verdict.
    pub verdict: Verdict,
    /// The versions of the objects that it saw.
    pub saw: Vec<(ObjectKey, u64)>,
}

/// When the engine wants to be called again, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wakeup {
    /// A pass has waited long enough.
    Deadline,
    /// A key is due.
    Due,
    /// The periodic resync.
    Resync,
}

/// The operator: its settings, what the watches told it, what it is doing. Cloning it is a fork.
#[derive(Clone, Debug)]
pub struct Engine {
    settings: Arc<Settings>,
    rng: Rng,
    cache: Cache,
    queue: Queue,
    passes: BTreeMap<PassId, Pass>,
    active: Shards<Key, PassId>,
    again: Shards<Key, Wake>,
    /// The creates under way, from the pass that starts one to the end of its background part.
    creates: BTreeMap<ObjectKey, Arc<Argument>>,
    calls: BTreeMap<CallId, PassId>,
    writes: BTreeMap<WriteId, PassId>,
    waits: Waits,
    vms: Shards<VmId, ObjectKey>,
    power: Shards<VmId, PowerState>,
    /// What VMs and snapshots take of each storage class.
    usage: storage_usage::Sums,
    ended: Shards<Key, Ended>,
    memories: BTreeMap<ObjectKey, Arc<group::Memory>>,
    stirred: BTreeMap<ObjectKey, Arc<BTreeSet<ObjectKey>>>,
    resync_at: Option<Timestamp>,
    incarnation: u32,
    counter: u64,
    work: Work,
}

/// How a pass ends whose last write was refused: the pass's own error stays the outermost, a success becomes the write's error. Source:
/// vm-lifecycle §2.2-3.
fn unwritten(verdict: Verdict, error: &ApiError) -> Verdict {
    match verdict {
        Verdict::Failed(_) => verdict,
        Verdict::Terminal(own) => Verdict::failed(format!("{own}\n{}", error.message)),
        Verdict::Done | Verdict::Progress(_) | Verdict::Again { .. } | Verdict::Parked => Verdict::failed(error.message.clone()),
    }
}

/// How the last passes of a key ended.
#[derive(Clone, Debug)]
struct Ended {
    verdict: Verdict,
    quiet_runs: u32,
    at: Timestamp,
    at_this_instant: u32,
}

/// How much the engine has done: counted, so that tests can hold it to a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Passes that ended.
    pub passes: u64,
    /// Runs of a controller's function; a pass with answers takes several.
    pub runs: u64,
    /// Calls on the hypervisor.
    pub calls: u64,
    /// Writes to the API server.
    pub writes: u64,
    /// Objects that passes looked at, for each pass anew.
    pub looks: u64,
}

impl Engine {
    /// An operator that starts at this instant and knows nothing yet. `incarnation` says how many there were before it in this
    /// run: ids of calls and writes never repeat.
    #[must_use]
    pub fn new(now: Timestamp, settings: Arc<Settings>, rng: Rng, incarnation: u32) -> Self {
        Self {
            resync_at: settings.resync_period.map(|period| now + period),
            settings,
            rng,
            cache: Cache::default(),
            queue: Queue::default(),
            passes: BTreeMap::new(),
            active: Shards::new(),
            again: Shards::new(),
            creates: BTreeMap::new(),
            calls: BTreeMap::new(),
            writes: BTreeMap::new(),
            waits: Waits::default(),
            vms: Shards::new(),
            power: Shards::new(),
            usage: storage_usage::Sums::default(),
            ended: Shards::new(),
            memories: BTreeMap::new(),
            stirred: BTreeMap::new(),
            incarnation,
            counter: 0,
            work: Work::default(),
        }
    }

    /// The operator's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How much the engine has done.
    #[must_use]
    pub fn work(&self) -> Work {
        self.work
    }

    /// Judges a request, as the operator's webhooks do, by what the watches told.
    ///
    /// # Errors
    /// If the request is refused.
    pub fn admit(&self, now: Timestamp, review: &Review) -> Admitted {
        let (admission, _) = self.admit_counting(now, review, &self.cache, &Granted::default())?;
        Ok(admission)
    }

    /// Judges a request, as the operator's webhooks and the storage quota do. Only the quota looks at `objects`, the API server's own,
    /// and at what was granted there since it was last reported as used. Comes back with what the request needs of each storage
    /// class, for the caller to note in [`Granted`] once the object is stored.
    ///
    /// # Errors
    /// If the request is refused.
    pub fn admit_counting(
        &self,
        now: Timestamp,
        review: &Review,
        objects: &dyn Objects,
        granted: &Granted,
    ) -> Result<(Admission, Vec<RequestedCapacity>), ApiError> {
        let cx = AdmissionCx { now, rng: self.rng, settings: &self.settings, cache: &self.cache };
        let admission = admission::admit(&cx, review)?;
        let asked = admission::admit_storage(&cx, objects, granted, review, &admission)?;
        Ok((admission, asked))
    }

    /// When the engine wants to be called with [`Input::Came`], and what for.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<(Timestamp, Wakeup)> {
        let deadline = self.waits.next().map(|at| (at, Wakeup::Deadline));
        let due = self.queue.next().map(|at| (at, Wakeup::Due));
        let resync = self.resync_at.map(|at| (at, Wakeup::Resync));
        [deadline, due, resync].into_iter().flatten().min()
    }

    /// The next instant at which something happens by itself that a settled system hasn't ahead.
    #[must_use]
    pub fn next_pending(&self, retries: Retries) -> Option<Timestamp> {
        [self.waits.next(), self.queue.next_pending(retries)].into_iter().flatten().min()
    }

    /// When one of the controllers looks at an object next, as far as that is known, and why.
    #[must_use]
    pub fn next_look(&self, object: &ObjectKey) -> Option<(Timestamp, Arc<str>)> {
        let looks = [Controller::Vm, Controller::VmCreate, Controller::Group].into_iter().filter_map(|controller| {
            let (at, why) = self.queue.due(&Key { controller, object: object.clone() })?;
            Some((at, why.clone()))
        });
        looks.min_by_key(|(at, _)| *at)
    }

    /// Whether the engine waits for answers.
    #[must_use]
    pub fn waits_for_answers(&self) -> bool {
        !self.calls.is_empty() || !self.writes.is_empty()
    }

    /// Takes one input in and gives back what is to be done, in order. `cause` is the number of the input's log record.
    ///
    /// # Panics
    /// On a bug of the engine: a pass that asks for ever, or a key that is worked on without end at one instant.
    pub fn handle(&mut self, now: Timestamp, cause: Cause, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Changed(event) => self.changed(now, cause, event, &mut out),
            Input::Answer { id, answer } => self.answered(now, id, answer, &mut out),
            Input::Written { id, result } => self.written(now, cause, id, result, &mut out),
            Input::Observed(change) => self.observed(now, cause, &change, &mut out),
            Input::Came => self.came(now, &mut out),
        }
        out
    }

    fn changed(&mut self, now: Timestamp, cause: Cause, event: WatchEvent, out: &mut Vec<Output>) {
        let WatchEvent { key, after, .. } = event;
        let before = self.cache.apply(&key, after.clone());
        let (old, new) = (before.as_deref(), after.as_deref());
        let references = |object: Option<&Object>| object.map(|object| wakes::references(object, &self.settings)).unwrap_or_default();
        let (named, names) = (references(old), references(new));
        self.cache.refer(&key, &named, &names);
        self.note_unique_id(&key, old, new);
        for (namespace, class, whose) in self.usage.note(&self.cache, &key, old, new) {
            let report = storage_usage::report(&namespace, &class, whose);
            if self.cache.get(&report.object).is_some() {
                let wake = Wake { cause, why: "storage is taken or given back".into(), idle: Idle::Busy };
                self.wake(now + storage_usage::COALESCES, report, wake);
            }
        }
        for (woken, delay) in wakes::woken(&self.cache, &key, old, new) {
            let verb = match (old.is_some(), new.is_some()) {
                (false, _) => "is new",
                (true, true) => "changed",
                (true, false) => "is gone",
            };
            if woken.controller == Controller::Group && woken.object != key {
                Arc::make_mut(self.stirred.entry(woken.object.clone()).or_default()).insert(key.clone());
            }
            let why = if woken.object == key { Arc::from(verb) } else { format!("{key} {verb}").into() };
            self.wake(now + delay, woken, Wake { cause, why, idle: Idle::Busy });
        }
        self.end_waits(now, self.waits.for_object(&key), out);
    }

    fn note_unique_id(&mut self, key: &ObjectKey, before: Option<&Object>, after: Option<&Object>) {
        let id = |object: Option<&Object>| {
            object.and_then(Object::view::<VirtualMachine>).map(|vm| vm.status.unique_id.clone()).unwrap_or_default()
        };
        let (old, new) = (id(before), id(after));
        if old != new {
            self.vms.remove(&VmId::from(old));
            if !new.is_empty() {
                self.vms.insert(VmId::from(new), key.clone());
            }
        }
    }

    fn observed(&mut self, now: Timestamp, cause: Cause, change: &Change, out: &mut Vec<Output>) {
        self.power.insert(change.vm.clone(), change.power_state);
        let named = change.namespaced_name.as_deref().and_then(|name| name.split_once('/'));
        let key = match named {
            Some((namespace, name)) => Some(ObjectKey::of::<VirtualMachine>(namespace, name)),
            None => self.vms.get(&change.vm).cloned(),
        };
        // The end of a task alone wakes nobody: a pass that met a running task polls (vm-lifecycle §12.1), and a pass whose
        // own task failed shall keep to its back-off.
        let watched = change.changed.iter().any(|changed| *changed != Changed::Task);
        if let Some(object) = key.filter(|key| watched && self.cache.get(key).is_some()) {
            let why = format!("{}: {change}", change.vm).into();
            self.wake(now, Key { controller: Controller::Vm, object }, Wake { cause, why, idle: Idle::Busy });
        }
        self.end_waits(now, self.waits.for_power(&change.vm, change.power_state), out);
    }

    fn end_waits(&mut self, now: Timestamp, ended: Vec<PassId>, out: &mut Vec<Output>) {
        for id in ended {
            if let Some(until) = self.waits.take(id) {
                self.resume(now, id, |pass, cache| pass.waited(now, until, true, cache), out);
            }
        }
    }

    fn came(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        if let Some((id, until)) = self.waits.expire(now) {
            self.resume(now, id, |pass, cache| pass.waited(now, until, false, cache), out);
        } else if let Some((key, wake)) = self.queue.pop(now) {
            self.begin(now, key, wake, out);
        } else if self.resync_at.is_some_and(|at| at <= now) {
            self.resync(now);
        }
    }

    fn resync(&mut self, now: Timestamp) {
        self.resync_at = self.settings.resync_period.map(|period| now + period);
        let kinds = vmtwin_model::kube::Kind::all().filter_map(|kind| Some((kind, wakes::controller_of(kind)?)));
        let keys: Vec<Key> = kinds
            .flat_map(|(kind, controller)| self.cache.list(kind, None).map(move |object| Key { controller, object: object.key.clone() }))
            .collect();
        for key in keys {
            self.wake(now, key, Wake { cause: Cause::default(), why: "resync".into(), idle: Idle::Periodic });
        }
    }

    /// Makes a key due; if a pass of it is open, when that ends.
    fn wake(&mut self, at: Timestamp, key: Key, wake: Wake) {
        if !self.settings.controllers.has(key.controller) {
            return;
        }
        if self.active.contains(&key) {
            if !self.again.contains(&key) {
                self.again.insert(key, wake);
            }
            return;
        }
        let priority = self.priority(&key);
        self.queue.add(key, at, priority, wake);
    }

    fn priority(&self, key: &Key) -> i32 {
        match key.controller {
            Controller::Vm => self.cache.get(&key.object).and_then(|object| object.view()).map_or(0, vm::priority),
            Controller::VmCreate => vm::CREATING,
            Controller::Group
            | Controller::Probe
            | Controller::Volumes
            | Controller::StorageQuota
            | Controller::StorageUsage
            | Controller::SetPolicy
            | Controller::PolicyEvaluation
            | Controller::Snapshot => 0,
        }
    }

    fn begin(&mut self, now: Timestamp, key: Key, wake: Wake, out: &mut Vec<Output>) {
        self.count_at_instant(now, &key);
        let id = PassId(self.next_id());
        out.push(Output { because: Because::Record(wake.cause), what: Out::Woke { pass: id, key: key.clone(), why: wake.why } });
        let argument = match key.controller {
            Controller::VmCreate => self.creates.get(&key.object).cloned(),
            _ => None,
        };
        let mut pass = Pass::new(id, key.clone(), now, argument);
        if key.controller == Controller::Group {
            pass.group =
                group::Known { memory: self.memories.remove(&key.object), stirred: self.stirred.remove(&key.object).unwrap_or_default() };
        }
        self.active.insert(key, id);
        self.passes.insert(id, pass);
        self.run(now, id, out);
    }

    fn count_at_instant(&mut self, now: Timestamp, key: &Key) {
        if let Some(ended) = self.ended.get_mut(key) {
            ended.at_this_instant = if ended.at == now { ended.at_this_instant + 1 } else { 0 };
            ended.at = now;
            assert!(ended.at_this_instant < limits::PASSES_PER_INSTANT, "{key} is worked on without end at {now}: {}", ended.verdict);
        }
    }

    fn next_id(&mut self) -> u64 {
        self.counter += 1;
        (u64::from(self.incarnation) << 40) | self.counter
    }

    fn answered(&mut self, now: Timestamp, id: CallId, answer: Answer, out: &mut Vec<Output>) {
        let Some(pass) = self.calls.remove(&id) else { return };
        let Some(Pending::Call(operation)) = self.passes.get_mut(&pass).and_then(|pass| pass.pending.take()) else {
            unreachable!("calls belong to passes that wait for them")
        };
        self.resume(now, pass, |pass, _| pass.answered(now, operation, answer), out);
    }

    fn written(&mut self, now: Timestamp, cause: Cause, id: WriteId, result: api::Answer, out: &mut Vec<Output>) {
        let Some(pass) = self.writes.remove(&id) else { return };
        match &mut self.passes.get_mut(&pass).expect("writes belong to open passes").pending {
            Some(Pending::Writes { keys, answers }) => {
                answers.insert(id, result);
                if answers.len() == keys.len() {
                    // Ids are counted up, so the answers stand in the order in which the writes left.
                    let (keys, answers) = (std::mem::take(keys), std::mem::take(answers));
                    self.resume(now, pass, |pass, _| pass.written(now, keys, answers.into_values().collect()), out);
                }
            }
            Some(Pending::Closing(verdict)) => {
                let verdict = verdict.clone();
                if result.is_err() {
                    self.passes.get_mut(&pass).expect("writes belong to open passes").group.memory = None;
                }
                let (verdict, changed) = match result {
                    Ok(_) => (verdict, true),
                    Err(error) if error.reason == ErrorReason::NotFound => (verdict, false),
                    Err(error) => (unwritten(verdict, &error), false),
                };
                self.conclude(now, cause, pass, verdict, changed, out);
            }
            other => unreachable!("a write of a pass that waits for {other:?}"),
        }
    }

    fn resume(&mut self, now: Timestamp, id: PassId, take: impl FnOnce(&mut Pass, &Cache), out: &mut Vec<Output>) {
        let pass = self.passes.get_mut(&id).expect("only open passes are resumed");
        pass.pending = None;
        take(pass, &self.cache);
        self.run(now, id, out);
    }

    /// Runs a pass's controller from the top, up to the next thing that it has to wait for.
    fn run(&mut self, now: Timestamp, id: PassId, out: &mut Vec<Output>) {
        self.work.runs += 1;
        let mut pass = self.passes.remove(&id).expect("only open passes are run");
        let around = Around {
            settings: &self.settings,
            cache: &self.cache,
            usage: &self.usage,
            slots_free: self.creates.len() < self.settings.create_slots(),
            creating: self.creates.contains_key(&pass.key.object),
            rng: self.rng,
        };
        let mut cx = Cx::new(&mut pass, around);
        let (stop, write) = match cx.controller() {
            Controller::Vm => vm::run(&mut cx),
            Controller::VmCreate => vm::run_create(&mut cx),
            Controller::Group => group::run(&mut cx),
            Controller::Probe => vm::run_probe(&mut cx),
            Controller::Volumes => volumes::run(&mut cx),
            Controller::StorageQuota => storage_usage::run_quota(&mut cx),
            Controller::StorageUsage => storage_usage::run_usage(&mut cx),
            Controller::SetPolicy => set_policy::run(&mut cx),
            Controller::PolicyEvaluation => policy::run(&mut cx),
            Controller::Snapshot => snapshot::run(&mut cx),
        };
        let Effects { asked, notices, spawned } = cx.into_effects();
        let because = Because::Pass(id);
        out.extend(notices.into_iter().map(|notice| Output { because, what: Out::Notice(notice) }));
        let verdict = match stop {
            Err(Stop::Suspended) => {
                self.ask(now, pass, asked.expect("a pass is suspended only by asking"), out);
                return;
            }
            Ok(verdict) | Err(Stop::End(verdict)) => verdict,
        };
        if let Some((key, argument)) = spawned {
            self.creates.insert(key.object.clone(), Arc::new(argument));
            let wake = Wake { cause: Cause::default(), why: "create".into(), idle: Idle::Busy };
            self.wake(now, key, wake);
        }
        match write {
            Some(write) => {
                self.send(id, write, out);
                pass.pending = Some(Pending::Closing(verdict));
                self.passes.insert(id, pass);
            }
            None => {
                self.passes.insert(id, pass);
                self.conclude(now, Cause::default(), id, verdict, false, out);
            }
        }
    }

    fn send(&mut self, pass: PassId, write: Write, out: &mut Vec<Output>) {
        let id = WriteId(self.next_id());
        self.work.writes += 1;
        self.writes.insert(id, pass);
        out.push(Output { because: Because::Pass(pass), what: Out::Write { id, write } });
    }

    fn ask(&mut self, now: Timestamp, mut pass: Pass, asked: Asked, out: &mut Vec<Output>) {
        let id = pass.id;
        match asked {
            Asked::Call(operation) => {
                let call = CallId(self.next_id());
                self.work.calls += 1;
                self.calls.insert(call, id);
                let what = Out::Call { id: call, object: pass.key.object.clone(), operation: operation.clone() };
                out.push(Output { because: Because::Pass(id), what });
                pass.pending = Some(Pending::Call(operation));
            }
            Asked::Writes(writes) => {
                let keys = writes.iter().map(|write| write.key().clone()).collect();
                for write in writes {
                    self.send(id, write, out);
                }
                pass.pending = Some(Pending::Writes { keys, answers: BTreeMap::new() });
            }
            Asked::Wait { until, deadline } => {
                let there = matches!(&until, Until::PowerState(vm, wanted) if self.power.get(vm) == Some(wanted));
                pass.pending = Some(Pending::Wait);
                if there {
                    self.passes.insert(id, pass);
                    self.resume(now, id, |pass, cache| pass.waited(now, until, true, cache), out);
                    return;
                }
                self.waits.add(id, deadline, until);
            }
        }
        self.passes.insert(id, pass);
    }

    /// Ends a pass: tells it, and schedules what follows from its verdict.
    fn conclude(&mut self, now: Timestamp, cause: Cause, id: PassId, verdict: Verdict, changed: bool, out: &mut Vec<Output>) {
        let mut pass = self.passes.remove(&id).expect("only open passes end");
        let key = pass.key.clone();
        if let Some(memory) = pass.group.memory.take() {
            self.memories.insert(key.object.clone(), memory);
        }
        self.active.remove(&key);
        self.work.passes += 1;
        let saw = pass.versions();
        self.work.looks += saw.len() as u64;
        out.push(Output {
            because: Because::Pass(id),
            what: Out::Passed(Passed { pass: id, key: key.clone(), verdict: verdict.clone(), saw }),
        });
        let idle = self.note_end(now, &key, &verdict, changed || pass.mutated);
        match &verdict {
            Verdict::Done => self.queue.forget(&key),
            Verdict::Progress(what) => {
                self.queue.forget(&key);
                // Not all that vSphere can change is watched: where nothing told of what was done, the next pass is due all the same.
                if pass.mutated && !changed && !self.again.contains(&key) {
                    self.wake(now, key.clone(), Wake { cause, why: Arc::from(*what), idle: Idle::Busy });
                }
            }
            Verdict::Again { after, why } => {
                self.queue.forget(&key);
                let (why, idle) = match why {
                    Wait::Prescribed(why) => (why, Idle::Busy),
                    Wait::Poll(why) => (why, idle),
                };
                self.wake(now + *after, key.clone(), Wake { cause, why: Arc::from(*why), idle });
            }
            Verdict::Failed(_) => {
                let after = self.queue.back_off(&key);
                self.wake(now + after, key.clone(), Wake { cause, why: format!("again after {after}").into(), idle });
            }
            Verdict::Terminal(_) => {}
            Verdict::Parked => {
                let priority = self.priority(&key);
                self.queue.park(key.clone(), priority);
            }
        }
        if key.controller == Controller::VmCreate {
            self.creates.remove(&key.object);
            self.look_at_created(now, cause, &key, &verdict);
        }
        if verdict != Verdict::Parked && matches!(key.controller, Controller::Vm | Controller::VmCreate) {
            self.give_slot(now, cause);
        }
        if let Some(wake) = self.again.remove(&key) {
            self.wake(now, key, wake);
        }
    }

    /// Wakes the next VM that waits for a create slot, if one is free. Each VM so woken hands on what it doesn't take.
    fn give_slot(&mut self, now: Timestamp, cause: Cause) {
        if self.creates.len() < self.settings.create_slots()
            && let Some(next) = self.queue.unpark()
        {
            self.wake(now, next, Wake { cause, why: "a create slot is free".into(), idle: Idle::Busy });
        }
    }

    /// The end of a create wakes its VM: what came into being does by itself, what failed is looked at as late as upstream's poll may be.
    fn look_at_created(&mut self, now: Timestamp, cause: Cause, create: &Key, verdict: &Verdict) {
        if verdict.error().is_some() {
            let vm = Key { controller: Controller::Vm, object: create.object.clone() };
            let after = self.settings.create_vm_requeue_delay;
            self.wake(now + after, vm, Wake { cause, why: "the create failed".into(), idle: Idle::Busy });
        }
    }

    /// Notes how a pass ended, and tells whether a retry of it would be idle: the last two runs ended alike and changed nothing.
    fn note_end(&mut self, now: Timestamp, key: &Key, verdict: &Verdict, changed: bool) -> Idle {
        let last = self.ended.get(key);
        let alike = last.is_some_and(|last| last.verdict == *verdict);
        let quiet_runs = match (changed, alike) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => last.map_or(0, |last| last.quiet_runs) + 1,
        };
        let at_this_instant = last.filter(|last| last.at == now).map_or(0, |last| last.at_this_instant);
        self.ended.insert(key.clone(), Ended { verdict: verdict.clone(), quiet_runs, at: now, at_this_instant });
        if quiet_runs >= 2 { Idle::Retry } else { Idle::Busy }
    }
}
