//! One run in progress. It is a value: cloning it is a fork of the whole world.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use vmtwin_apiserver::{ApiServer, WatcherId};
use vmtwin_engine::storage_quota::Granted;
use vmtwin_engine::{Because, Engine, Input, Out, Output, PassId, Retries, Settings, Work};
use vmtwin_model::Cause;
use vmtwin_model::id::{CallId, PoolId, VmId};
use vmtwin_model::kube::api::{self, Admitted, ApiError, Notice, Request, Review, User};
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::answer::Placement;
use vmtwin_model::vsphere::spec::ConfigSpec;
use vmtwin_model::vsphere::{Action, Answer, Change, Changed, Inventory, Operation};
use vmtwin_sim::{Happening, What, World};

use super::objects;
use super::stored::Stored;
use crate::format::{Crash, CrashPoint};
use crate::log::{Data, Entry, Event, Keep, Log, Outcome, Record, Source};

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The first instant.
    pub start: Timestamp,
    /// The seed of every random choice.
    pub seed: u64,
    /// The operator's settings.
    pub settings: Arc<Settings>,
    /// The infrastructure.
    pub inventory: Arc<Inventory>,
    /// Whether CSI and CNS do anything by themselves.
    pub csi: vmtwin_sim::Csi,
    /// Kubernetes objects that are there, as they are.
    pub state: Vec<Value>,
    /// Keys of objects that will be applied, so that they aren't made from the inventory.
    pub claimed: Vec<ObjectKey>,
    /// How much of the log is kept.
    pub keep: Keep,
    /// In which order the API server gives out its inner ids; nothing observable hangs on it.
    pub id_order: vmtwin_apiserver::IdOrder,
}

/// Why a run can't begin.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The infrastructure doesn't hold together.
    #[error("the infrastructure can't be built: {0}")]
    World(#[from] vmtwin_sim::BuildError),
    /// An object of `state` can't be installed.
    #[error("object {index} of `state` can't be installed: {error}")]
    State {
        /// Its place in the order of installation.
        index: usize,
        /// Why.
        error: ApiError,
    },
    /// An object that the infrastructure brings can't be installed.
    #[error("{object} can't be made from `vsphere`: {error}")]
    Generated {
        /// Which.
        object: String,
        /// Why.
        error: ApiError,
    },
}

/// A call of the operator on the hypervisor, other than a read.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// Its record's number.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The object that was worked on.
    pub object: ObjectKey,
    /// The VM that it is about.
    pub vm: Option<VmId>,
    /// The method; the arguments stand in the log's record.
    pub method: &'static str,
    /// How it ended; nothing while it is under way.
    pub ended: Option<Outcome>,
    /// The places that it was answered, if it asked for some.
    pub places: Arc<[Placement]>,
}

/// A Kubernetes Event with how often it was told.
#[derive(Clone, Debug)]
pub struct NoticeRecord {
    /// The event.
    pub notice: Notice,
    /// How often.
    pub count: u64,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
}

/// What one turn of the loop did.
#[derive(Clone, Debug)]
pub enum Turn {
    /// One event was handled, and these records were written.
    Event(Vec<Arc<Record>>),
    /// Nothing happens up to the limit; the clock stands at the limit.
    Idle,
}

/// A message under way to the operator, at the same instant; while it pauses, until it goes on.
#[derive(Clone, Debug)]
struct Message {
    cause: Cause,
    input: Input,
}

/// Whether the operator runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Up,
    /// It neither acts nor answers until then; it keeps what it knows.
    PausedUntil(Timestamp),
    /// It is dead until then, and has forgotten everything.
    DownUntil(Timestamp),
}

/// A run in progress.
#[derive(Clone, Debug)]
pub struct Simulation {
    now: Timestamp,
    rng: Rng,
    settings: Arc<Settings>,
    /// The account under which the operator writes.
    account: User,
    api: ApiServer,
    engine: Engine,
    world: World,
    log: Log,
    fresh: Vec<Arc<Record>>,
    operator_watch: WatcherId,
    neighbour_watch: WatcherId,
    operator: Operator,
    crash: Option<Crash>,
    incarnation: u32,
    granted: Granted,
    inbox: VecDeque<Message>,
    pass_records: BTreeMap<PassId, Cause>,
    open_calls: BTreeMap<CallId, usize>,
    calls: Vec<CallRecord>,
    notices: BTreeMap<(ObjectKey, Arc<str>, Arc<str>), NoticeRecord>,
    warnings: Vec<String>,
}

impl Simulation {
    /// Sets a run up, up to the operator's start: the world, the objects made of it, the state, the operator.
    ///
    /// # Errors
    /// If the infrastructure or an object doesn't hold together.
    pub fn new(setup: &Setup) -> Result<Self, SetupError> {
        let rng = Rng::new(setup.seed);
        let now = setup.start;
        let world_settings =
            vmtwin_sim::Settings { rng, network_provider: objects::network_provider(setup.settings.network_provider), csi: setup.csi };
        let mut world = World::new(now, world_settings, &setup.inventory)?;
        let mut api = ApiServer::new(vmtwin_apiserver::Settings { rng, id_order: setup.id_order });
        let mut warnings = Vec::new();
        let (state, keys) = objects::ordered_state(&setup.state, &setup.inventory);
        for manifest in objects::generate(&setup.settings, &setup.inventory, &world, &keys, &setup.claimed) {
            let object = objects::name_of(&manifest);
            api.install(now, manifest).map_err(|error| SetupError::Generated { object, error })?;
        }
        for (index, manifest) in state.into_iter().enumerate() {
            let is_stuck = objects::is_pending_claim(&manifest);
            let installed = api.install(now, manifest).map_err(|error| SetupError::State { index, error })?;
            if is_stuck {
                world.leave_claim(&installed.object.key.namespaced_name());
            }
            warnings.extend(installed.warnings);
        }
        let operator_watch = api.watch(None);
        let neighbour_watch = api.watch(None);
        let engine = Engine::new(now, setup.settings.clone(), rng, 0);
        let log = Log::new(now, setup.keep);
        let mut simulation = Self {
            now,
            rng,
            settings: setup.settings.clone(),
            account: setup.settings.operator(),
            api,
            engine,
            world,
            log,
            fresh: Vec::new(),
            operator_watch,
            neighbour_watch,
            operator: Operator::Up,
            crash: None,
            incarnation: 0,
            granted: Granted::default(),
            inbox: VecDeque::new(),
            pass_records: BTreeMap::new(),
            open_calls: BTreeMap::new(),
            calls: Vec::new(),
            notices: BTreeMap::new(),
            warnings,
        };
        for object in simulation.api.list_for(neighbour_watch, now) {
            simulation.world.observe(now, Cause::default(), &new_to_watcher(object));
        }
        simulation.list();
        Ok(simulation)
    }

    /// The instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The API server, to be read.
    #[must_use]
    pub fn api(&self) -> &ApiServer {
        &self.api
    }

    /// The twin, to be read.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The operator's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether a gate of this name is on.
    #[must_use]
    pub fn gate_is_on(&self, name: &str) -> bool {
        vmtwin_engine::Feature::named(name).is_ok_and(|gate| self.settings.features.on(gate))
    }

    /// The operator's calls on the hypervisor so far, reads excepted.
    #[must_use]
    pub fn calls(&self) -> &[CallRecord] {
        &self.calls
    }

    /// The Kubernetes Events so far, in the order of their objects.
    pub fn notices(&self) -> impl Iterator<Item = &NoticeRecord> {
        self.notices.values()
    }

    /// What was kept though it isn't understood.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How much the operator has done.
    #[must_use]
    pub fn work(&self) -> Work {
        self.engine.work()
    }

    /// When the operator looks at an object next, as far as that is known, and why.
    #[must_use]
    pub fn next_look(&self, object: &ObjectKey) -> Option<(Timestamp, Arc<str>)> {
        self.engine.next_look(object)
    }

    /// Handles the next event, if one is due at the limit or before; else the clock goes to the limit.
    pub fn turn(&mut self, limit: Timestamp) -> Turn {
        match self.next_event() {
            Some(at) if at <= limit => {
                self.now = self.now.max(at);
                self.handle_one();
                Turn::Event(std::mem::take(&mut self.fresh))
            }
            _ => {
                self.now = self.now.max(limit);
                Turn::Idle
            }
        }
    }

    /// When the next thing happens by itself.
    #[must_use]
    pub fn next_event(&self) -> Option<Timestamp> {
        let inbox = (self.operator == Operator::Up && !self.inbox.is_empty()).then_some(self.now);
        let engine = match self.operator {
            Operator::Up => self.engine.next_wakeup().map(|(at, _)| at),
            Operator::PausedUntil(until) | Operator::DownUntil(until) => Some(until),
        };
        [inbox, self.api.next_delivery(), self.world.next_event(), engine].into_iter().flatten().min()
    }

    /// When the next thing happens that a settled system hasn't ahead; nothing if it is settled. Source: scenario-format §4 ("Settled").
    #[must_use]
    pub fn next_pending(&self) -> Option<Timestamp> {
        let retries = if self.world.faults_may_end() { Retries::Count } else { Retries::Rest };
        let engine = match self.operator {
            Operator::Up => self.engine.next_pending(retries),
            Operator::PausedUntil(until) | Operator::DownUntil(until) => Some(until),
        };
        let inbox = (self.operator == Operator::Up && !self.inbox.is_empty()).then_some(self.now);
        [inbox, self.api.next_delivery(), self.api.outage_ends(self.now), self.world.next_pending(), engine].into_iter().flatten().min()
    }

    /// The order at one instant: messages under way, watches, the infrastructure, the operator.
    fn handle_one(&mut self) {
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= self.now);
        if let Operator::PausedUntil(until) = self.operator
            && until <= self.now
        {
            self.operator = Operator::Up;
        } else if let Operator::DownUntil(until) = self.operator
            && until <= self.now
        {
            self.restart_operator();
        } else if self.operator == Operator::Up
            && let Some(message) = self.inbox.pop_front()
        {
            self.tell_engine(message.cause, message.input);
        } else if due(self.api.next_delivery()) {
            self.deliver();
        } else if due(self.world.next_event()) {
            for happening in self.world.step(self.now) {
                self.happened(happening);
            }
        } else if self.operator == Operator::Up && due(self.engine.next_wakeup().map(|(at, _)| at)) {
            self.tell_engine(Cause::default(), Input::Came);
        }
    }

    fn deliver(&mut self) {
        let Some(delivery) = self.api.deliver(self.now) else { return };
        if delivery.watcher == self.neighbour_watch {
            self.world.observe(self.now, delivery.cause, &delivery.event);
        } else {
            self.tell_engine(delivery.cause, Input::Changed(delivery.event));
        }
    }

    fn happened(&mut self, happening: Happening) {
        let Happening { cause, source, what } = happening;
        let source = match source {
            vmtwin_sim::Source::Vsphere => Source::Vsphere,
            vmtwin_sim::Source::Guest => Source::Guest,
            vmtwin_sim::Source::Supervisor => Source::Supervisor,
        };
        match what {
            What::Answer { id, method, vm, answer } => self.answered(cause, id, method, vm.as_ref(), answer),
            What::Changed(change) => self.observed(source, cause, change),
            What::Task { task, vm, method } => self.task_changed(cause, &task, vm.as_ref(), method),
            What::Event { object, message } => {
                let mut entry = Entry::new(source, Event::Change, cause, message);
                entry.vsphere = Some(object.into());
                self.record(entry);
            }
            What::Request { id, user, request } => {
                let result = self.request(source, &user, request, cause);
                self.world.answered(self.now, id, &result);
            }
        }
    }

    fn answered(&mut self, cause: Cause, id: CallId, method: &'static str, vm: Option<&VmId>, answer: Answer) {
        let outcome = outcome_of(&answer);
        if let Some(at) = self.open_calls.remove(&id) {
            let call = &mut self.calls[at];
            call.ended = Some(outcome.clone());
            if let Ok(vmtwin_model::vsphere::Reply::Created(made)) = &answer.result {
                call.vm = Some(made.clone());
            }
            if let Ok(vmtwin_model::vsphere::Reply::Placements(places)) = &answer.result {
                call.places = places.placements.as_slice().into();
            }
            if answer.task.is_none() {
                let mut entry =
                    Entry::new(Source::Vsphere, Event::Task, Cause(call.seq), text_of(&answer)).on(call.object.clone()).ended(outcome);
                entry.vsphere = call.vm.as_ref().or(vm).map(|vm| vm.as_str().into());
                entry.operation = Some(method);
                self.record(entry);
            }
        }
        if self.crashes_at(CrashPoint::Answer, Some(method)) {
            self.die();
            return;
        }
        self.tell_engine(cause, Input::Answer { id, answer });
    }

    fn observed(&mut self, source: Source, cause: Cause, change: Change) {
        let mut entry = Entry::new(source, Event::Change, cause, change.to_string()).at(Some(&change.vm));
        entry.object = change.namespaced_name.as_deref().and_then(objects::vm_key);
        let record = self.record(entry);
        self.tell_engine(Cause(record.seq), Input::Observed(change));
    }

    fn task_changed(&mut self, cause: Cause, task: &vmtwin_model::vsphere::vm::Task, vm: Option<&VmId>, method: &'static str) {
        use vmtwin_model::vsphere::vm::TaskState;

        let outcome = match task.state {
            TaskState::Queued | TaskState::Running => return,
            TaskState::Success => Outcome::Success,
            TaskState::Error => Outcome::Error(task.error.as_ref().map(|fault| fault.name.clone())),
        };
        let message = task.error.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut entry = Entry::new(Source::Vsphere, Event::Task, cause, message).at(vm).ended(outcome);
        entry.operation = Some(method);
        entry.task = Some(task.key.clone());
        entry.object = vm.and_then(|vm| self.object_of(vm));
        self.record(entry);
    }

    fn object_of(&self, vm: &VmId) -> Option<ObjectKey> {
        let name = self.world.vm(vm)?.extra_config("vmservice.namespacedName")?.to_owned();
        objects::vm_key(&name)
    }

    fn record(&mut self, entry: Entry) -> Arc<Record> {
        let record = self.log.append(self.now, entry);
        self.fresh.push(record.clone());
        record
    }

    /// Records something of the scenario's own: an action, a violation.
    pub fn note(&mut self, entry: Entry) -> Arc<Record> {
        self.record(entry)
    }

    /// Takes the records that were written since the last turn or the last call of this.
    pub fn take_fresh(&mut self) -> Vec<Arc<Record>> {
        std::mem::take(&mut self.fresh)
    }

    fn tell_engine(&mut self, cause: Cause, input: Input) {
        if matches!(self.operator, Operator::DownUntil(_)) {
            // The webhooks are served by others meanwhile: what the watches tell is known, and nothing is done.
            if matches!(input, Input::Changed(_)) {
                drop(self.engine.handle(self.now, cause, input));
            }
            return;
        }
        if matches!(self.operator, Operator::PausedUntil(_)) && !matches!(input, Input::Changed(_)) {
            // It waits until somebody reads it.
            self.inbox.push_back(Message { cause, input });
            return;
        }
        for output in self.engine.handle(self.now, cause, input) {
            if self.dies_instead_of(&output) {
                self.die();
                return;
            }
            self.do_for_engine(output);
        }
    }

    /// The operator will die at this; an earlier word of the sort is forgotten.
    pub fn crash_operator(&mut self, crash: Crash) {
        let at = match crash.at {
            CrashPoint::Call => "before a call leaves",
            CrashPoint::Answer => "before an answer arrives",
            CrashPoint::Write => "before a write",
        };
        self.record(Entry::new(Source::Scenario, Event::Change, Cause::default(), format!("the operator will die {at}")));
        self.crash = Some(crash);
    }

    fn dies_instead_of(&mut self, output: &Output) -> bool {
        match &output.what {
            Out::Call { operation, .. } => self.crashes_at(CrashPoint::Call, Some(operation.method())),
            Out::Write { .. } => self.crashes_at(CrashPoint::Write, None),
            Out::Woke { .. } | Out::Notice(_) | Out::Passed(_) => false,
        }
    }

    /// Whether the operator is to die here: the call is the one that was named, and so many passed before.
    fn crashes_at(&mut self, point: CrashPoint, method: Option<&str>) -> bool {
        let Some(crash) = self.crash.as_mut().filter(|crash| crash.at == point) else { return false };
        if crash.operation.as_deref().is_some_and(|named| Some(named) != method) {
            return false;
        }
        if crash.skip > 0 {
            crash.skip -= 1;
            return false;
        }
        true
    }

    /// All that the operator held in memory is lost, and what it was about to do isn't done.
    fn die(&mut self) {
        let Some(crash) = self.crash.take() else { return };
        self.record(Entry::new(Source::Scenario, Event::Change, Cause::default(), "the operator dies"));
        if crash.down == Span::ZERO {
            self.restart_operator();
        } else {
            self.inbox.clear();
            self.operator = Operator::DownUntil(self.now + crash.down);
        }
    }

    fn do_for_engine(&mut self, output: Output) {
        let cause = match output.because {
            Because::Record(cause) => cause,
            Because::Pass(pass) => self.pass_records.get(&pass).copied().unwrap_or_default(),
        };
        match output.what {
            Out::Woke { pass, key, why } => {
                let record = self.record(Entry::new(Source::Operator, Event::Wake, cause, why).on(key.object));
                self.pass_records.insert(pass, Cause(record.seq));
            }
            Out::Call { id, object, operation } => self.call(cause, id, object, operation),
            Out::Write { id, write } => {
                let user = self.account.clone();
                #[cfg(feature = "planted")]
                let write = write_back(&self.api, write);
                let result = self.request(Source::Operator, &user, Request::Write(write), cause);
                self.inbox.push_back(Message { cause, input: Input::Written { id, result } });
            }
            Out::Notice(notice) => self.tell_people(cause, notice),
            Out::Passed(passed) => {
                self.pass_records.remove(&passed.pass);
                let mut entry = Entry::new(Source::Operator, Event::Pass, cause, passed.verdict.to_string()).on(passed.key.object.clone());
                if passed.verdict.error().is_some() {
                    entry.result = Some(Outcome::Error(None));
                }
                self.record(entry.with(Data::Passed(Box::new(passed))));
            }
        }
    }

    fn call(&mut self, cause: Cause, id: CallId, object: ObjectKey, operation: Operation) {
        let shown = operation.mutates() || matches!(operation, Operation::PlaceVm { .. } | Operation::PlaceVmsXCluster(_));
        let cause = if shown {
            let vm = operation.vm().cloned();
            let method = operation.method();
            let mut entry = Entry::new(Source::Operator, Event::Operation, cause, "").on(object.clone()).at(vm.as_ref());
            entry.operation = Some(method);
            let seq = self.record(entry.with(Data::Call(operation.clone()))).seq;
            self.open_calls.insert(id, self.calls.len());
            self.calls.push(CallRecord { seq, at: self.now, object, vm, method, ended: None, places: Arc::default() });
            Cause(seq)
        } else {
            cause
        };
        self.world.call(self.now, cause, id, operation);
    }

    fn tell_people(&mut self, cause: Cause, notice: Notice) {
        let now = self.now;
        let key = (notice.object.clone(), notice.reason.clone(), notice.message.clone());
        let mut entry =
            Entry::new(Source::Operator, Event::Event, cause, format!("{}: {}", notice.reason, notice.message)).on(notice.object.clone());
        if notice.warning {
            entry.result = Some(Outcome::Error(None));
        }
        self.record(entry);
        let record = self.notices.entry(key).or_insert(NoticeRecord { notice, count: 0, first: now, last: now });
        record.count += 1;
        record.last = now;
    }

    /// Sends a request to the API server, and records what it changed; a refusal is recorded too.
    fn request(&mut self, source: Source, user: &User, request: Request, cause: Cause) -> api::Answer {
        let key = objects::key_of(&request);
        let verb = objects::verb_of(&request);
        let (now, first) = (self.now, self.log.next());
        let (engine, granted) = (&self.engine, &self.granted);
        let mut asked = Vec::new();
        let mut admission = |api: &ApiServer, review: Review| -> Admitted {
            let (admission, requested) = engine.admit_counting(now, &review, &Stored(api), granted)?;
            asked = requested;
            Ok(admission)
        };
        let response = self.api.request(now, first, user, request, &mut admission);
        if let Some(change) = response.changes.first()
            && let Some(after) = &change.after
        {
            self.granted.note(after, change.before.is_none(), asked);
        }
        for gone in response.changes.iter().filter(|change| change.after.is_none()) {
            self.granted.forget(&gone.key);
        }
        for warning in response.warnings {
            self.warnings.push(warning);
        }
        for change in response.changes {
            let what = match (&change.before, &change.after) {
                (None, _) => "created",
                (Some(_), Some(after)) if after.is_deleting() && change.before.as_ref().is_some_and(|before| !before.is_deleting()) => {
                    "deletion asked for"
                }
                (Some(_), Some(_)) => "changed",
                (Some(_), None) => "gone",
            };
            let entry = Entry::new(source, Event::Write, cause, what).on(change.key.clone()).with(Data::Change(change));
            self.record(entry);
        }
        if let Err(error) = &response.result {
            let mut entry = Entry::new(source, Event::Request, cause, format!("{verb}: {error}")).ended(Outcome::Error(None));
            entry.object = key;
            self.record(entry);
        }
        response.result
    }

    /// A user's request: recorded, and sent.
    pub fn user_request(&mut self, user: &User, request: Request) -> api::Answer {
        let verb = objects::verb_of(&request);
        let mut entry = Entry::new(Source::User, Event::Request, Cause::default(), format!("{user} {verb}"));
        entry.object = objects::key_of(&request);
        let cause = Cause(self.record(entry).seq);
        self.request(Source::User, user, request, cause)
    }

    /// Puts a planner's limits in force from now on, and holds what goes on by itself.
    pub fn plan(&mut self, overcommit: vmtwin_sim::planning::Overcommit) {
        self.world.plan(overcommit);
    }

    /// Lifts these constraints of places, to see whether they bind.
    pub fn lift(&mut self, lifted: &[vmtwin_sim::planning::Constraint]) {
        self.world.lift(lifted.iter().copied());
    }

    /// The last request for a place that names this VM, as far as the log goes back: the pools that were offered, and its spec.
    #[must_use]
    pub fn last_placement(&self, name: &str) -> Option<(Vec<PoolId>, Arc<ConfigSpec>)> {
        let is_its = |spec: &&Arc<ConfigSpec>| spec.name.as_deref() == Some(name);
        self.log.tail().rev().find_map(|record| {
            let Data::Call(operation) = &record.data else { return None };
            match operation {
                Operation::PlaceVmsXCluster(place) => {
                    let spec = place.vm_placement_specs.iter().find(is_its)?;
                    Some((place.resource_pools.clone(), spec.clone()))
                }
                Operation::PlaceVm { cluster, config_spec } if is_its(&config_spec) => {
                    Some((vec![self.world.root_pool(cluster)?], config_spec.clone()))
                }
                _ => None,
            }
        })
    }

    /// Something happens to the infrastructure.
    ///
    /// # Errors
    /// If it can't: an unknown name, a wrong state.
    pub fn act(&mut self, action: &Action) -> Result<(), vmtwin_sim::ActionError> {
        let next = self.log.next();
        self.world.act(self.now, next, action)?;
        self.record(Entry::new(Source::Scenario, Event::Change, Cause::default(), action.to_string()));
        Ok(())
    }

    /// The operator dies and a new one starts at once: all that it held in memory is lost.
    pub fn restart_operator(&mut self) {
        self.record(Entry::new(Source::Scenario, Event::Change, Cause::default(), "the operator restarts"));
        self.incarnation += 1;
        self.inbox.clear();
        self.pass_records.clear();
        self.open_calls.clear();
        self.engine = Engine::new(self.now, self.settings.clone(), self.rng, self.incarnation);
        self.operator = Operator::Up;
        self.api.rewatch(self.operator_watch);
        self.list();
    }

    /// The operator stands still for so long; it keeps what it knows.
    pub fn pause_operator(&mut self, span: Span) {
        self.record(Entry::new(Source::Scenario, Event::Change, Cause::default(), format!("the operator pauses for {span}")));
        self.operator = Operator::PausedUntil(self.now + span);
    }

    /// A fault of the API server.
    pub fn fault_api(&mut self, fault: vmtwin_apiserver::KubeFault) {
        self.record(Entry::new(Source::Scenario, Event::Change, Cause::default(), format!("API server: {fault}")));
        self.api.fault(self.now, fault);
    }

    /// The operator lists what is there: objects, then VMs.
    fn list(&mut self) {
        for object in self.api.list_for(self.operator_watch, self.now) {
            self.tell_engine(Cause::default(), Input::Changed(new_to_watcher(object)));
        }
        let seen: Vec<Change> = self.world.vms().map(|vm| entered(vm)).collect();
        for change in seen {
            self.tell_engine(Cause::default(), Input::Observed(change));
        }
    }
}

/// The mistake `stale-write-back`: the whole object that was read is written, whatever stands there by now.
#[cfg(feature = "planted")]
fn write_back(api: &ApiServer, write: api::Write) -> api::Write {
    match write {
        api::Write::Update { base, meta, spec, status } if vmtwin_engine::planted::is("stale-write-back") => {
            let current = api.get(&base.key).cloned().unwrap_or_else(|| base.clone());
            let (meta, spec) = (meta.unwrap_or_else(|| base.meta.clone()), spec.unwrap_or_else(|| base.spec.clone()));
            api::Write::Update { base: current, meta: Some(meta), spec: Some(spec), status }
        }
        write => write,
    }
}

fn new_to_watcher(object: Arc<Object>) -> api::WatchEvent {
    api::WatchEvent { key: object.key.clone(), before: None, after: Some(object) }
}

fn entered(vm: &vmtwin_model::vsphere::VirtualMachine) -> Change {
    Change {
        vm: vm.id.clone(),
        namespaced_name: vm.extra_config("vmservice.namespacedName").map(Into::into),
        power_state: vm.runtime.power_state,
        changed: vec![Changed::Entered],
    }
}

fn outcome_of(answer: &Answer) -> Outcome {
    match &answer.result {
        Ok(_) => Outcome::Success,
        Err(failure) => Outcome::Error(failure.fault().map(|fault| fault.name.clone())),
    }
}

fn text_of(answer: &Answer) -> String {
    match &answer.result {
        Ok(_) => String::new(),
        Err(failure) => failure.to_string(),
    }
}
