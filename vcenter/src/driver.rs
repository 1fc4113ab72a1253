//! The engine over a real vCenter: what carries the messages, in real time.
//!
//! It is to a vCenter what the scenarios' runner is to the twin: the same engine and the same API server, the same order at one instant
//! (messages under way, watches, the infrastructure, the operator), and nothing of its own besides. A call of the engine is carried
//! out beside the loop, and its answer comes in when it comes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::Instant;
use vmtwin_apiserver::ApiServer;
use vmtwin_engine::{Engine, Input, Out, Settings};
use vmtwin_model::Cause;
use vmtwin_model::id::{CallId, WriteId};
use vmtwin_model::kube::api::{self, Admitted, ApiError, Notice, Request, Review, User, WatchEvent};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::{Answer, Change, Failure};

use crate::connection::Connection;
use crate::execute;
use crate::observe::{Memory, Watch};

/// How many calls are on the wire at once; the others wait for their turn.
const CALLS_MAX: usize = 64;

/// How many changes may wait to be taken in; the watch waits then.
const CHANGES_MAX: usize = 1024;

/// How long a watch that broke rests before it begins again.
const REST: Duration = Duration::from_secs(1);

/// The operator with its two ports.
pub struct Driver {
    clock: Clock,
    engine: Engine,
    api: ApiServer,
    user: User,
    connection: Connection,
    inbox: VecDeque<(WriteId, api::Answer)>,
    calls: JoinSet<(CallId, Answer)>,
    open: BTreeMap<Id, CallId>,
    lane: Arc<Semaphore>,
    changes: mpsc::Receiver<Change>,
    watch: AbortHandle,
    notices: Vec<Notice>,
    records: u64,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("connection", &self.connection).field("open", &self.open.len()).finish_non_exhaustive()
    }
}

/// The clock of a run: it never goes back, whatever is done to the machine's.
#[derive(Clone, Copy, Debug)]
struct Clock {
    start: Timestamp,
    began: Instant,
}

impl Clock {
    fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { start: Timestamp::from_nanos(nanos(since)), began: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        self.start + Span::from_nanos(nanos(self.began.elapsed()))
    }

    /// The machine's instant at which this clock shows `at`.
    fn instant(&self, at: Timestamp) -> Instant {
        let nanos = u64::try_from((at - self.start).as_nanos()).unwrap_or_default();
        // A deadline beyond a year is none.
        self.began + Duration::from_nanos(nanos).min(Duration::from_secs(365 * 86_400))
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl Driver {
    /// An operator that starts, over these objects and this vCenter.
    ///
    /// # Errors
    /// If an object can't be installed.
    pub fn new(connection: Connection, settings: Settings, seed: u64, objects: &[Value]) -> Result<Self, ApiError> {
        let clock = Clock::new();
        let (now, rng) = (clock.now(), Rng::new(seed));
        let mut api = ApiServer::new(vmtwin_apiserver::Settings { rng, id_order: vmtwin_apiserver::IdOrder::Dense });
        for manifest in objects {
            api.install(now, manifest.clone())?;
        }
        let watcher = api.watch(None);
        let settings = Arc::new(settings);
        let (sender, changes) = mpsc::channel(CHANGES_MAX);
        let watch = tokio::spawn(watch(connection.clone(), sender)).abort_handle();
        let mut driver = Self {
            clock,
            engine: Engine::new(now, settings.clone(), rng, 0),
            api,
            user: settings.operator(),
            connection,
            inbox: VecDeque::new(),
            calls: JoinSet::new(),
            open: BTreeMap::new(),
            lane: Arc::new(Semaphore::new(CALLS_MAX)),
            changes,
            watch,
            notices: Vec::new(),
            records: 0,
        };
        for object in driver.api.list_for(watcher, now) {
            driver.tell(Input::Changed(WatchEvent { key: object.key.clone(), before: None, after: Some(object) }));
        }
        Ok(driver)
    }

    /// The API server, to be read.
    #[must_use]
    pub fn api(&self) -> &ApiServer {
        &self.api
    }

    /// The Kubernetes Events so far.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// How much the engine has done.
    #[must_use]
    pub fn work(&self) -> vmtwin_engine::Work {
        self.engine.work()
    }

    /// A user's request.
    ///
    /// # Errors
    /// If it is refused.
    pub fn request(&mut self, user: &User, request: Request) -> api::Answer {
        let (now, first) = (self.clock.now(), self.records + 1);
        let engine = &self.engine;
        let mut admission = |_: &ApiServer, review: Review| -> Admitted { engine.admit(now, &review) };
        let response = self.api.request(now, Cause(first), user, request, &mut admission);
        for warning in &response.warnings {
            tracing::warn!(%user, warning, "the API server warns");
        }
        self.records += response.changes.len() as u64;
        response.result
    }

    /// Waits for the next thing that happens, and handles it. Nothing is lost if the wait is given up.
    pub async fn turn(&mut self) {
        if self.handle_what_is_due() {
            return;
        }
        let next = [self.api.next_delivery(), self.engine.next_wakeup().map(|(at, _)| at)].into_iter().flatten().min();
        let until = self.clock.instant(next.unwrap_or(Timestamp::MAX));
        tokio::select! {
            Some(ended) = self.calls.join_next_with_id() => self.answered(ended),
            Some(change) = self.changes.recv() => self.tell(Input::Observed(change)),
            () = tokio::time::sleep_until(until) => drop(self.handle_what_is_due()),
        }
    }

    /// Handles one thing of the machines inside, if one is due.
    fn handle_what_is_due(&mut self) -> bool {
        let now = self.clock.now();
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if let Some((id, result)) = self.inbox.pop_front() {
            self.tell(Input::Written { id, result });
        } else if due(self.api.next_delivery()) {
            if let Some(delivery) = self.api.deliver(now) {
                self.tell(Input::Changed(delivery.event));
            }
        } else if due(self.engine.next_wakeup().map(|(at, _)| at)) {
            self.tell(Input::Came);
        } else {
            return false;
        }
        true
    }

    fn answered(&mut self, ended: Result<(Id, (CallId, Answer)), tokio::task::JoinError>) {
        let (task, answered) = match ended {
            Ok((task, answered)) => (task, Some(answered)),
            Err(error) => {
                tracing::error!(%error, "a call broke off");
                (error.id(), None)
            }
        };
        let Some(call) = self.open.remove(&task) else { return };
        // A call that broke off is answered like one whose connection did: nobody knows whether it was done.
        let lost = || Answer { task: None, result: Err(Failure::Lost("the call broke off inside".into())) };
        let answer = answered.map_or_else(lost, |(_, answer)| answer);
        self.tell(Input::Answer { id: call, answer });
    }

    fn tell(&mut self, input: Input) {
        self.records += 1;
        for output in self.engine.handle(self.clock.now(), Cause(self.records), input) {
            self.carry(output.what);
        }
    }

    fn carry(&mut self, what: Out) {
        match what {
            Out::Woke { key, why, .. } => tracing::debug!(%key, %why, "a pass begins"),
            Out::Passed(passed) => tracing::debug!(key = %passed.key, verdict = %passed.verdict, "a pass ends"),
            Out::Notice(notice) => self.notices.push(notice),
            Out::Write { id, write } => {
                let user = self.user.clone();
                let result = self.request(&user, Request::Write(write));
                self.inbox.push_back((id, result));
            }
            Out::Call { id, object, operation } => {
                let operation_id = format!("vmtwin-{}-{}-{}", object.name, operation.method(), id.0);
                let (connection, lane) = (self.connection.clone(), self.lane.clone());
                let call = async move {
                    let _turn = lane.acquire().await;
                    tracing::debug!(%operation, operation_id, "a call leaves");
                    (id, execute::execute(&connection, &operation, &operation_id).await)
                };
                self.open.insert(self.calls.spawn(call).id(), id);
            }
        }
    }
}

/// The watch is the driver's: it ends with it.
impl Drop for Driver {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Watches for ever, or until nobody listens.
async fn watch(connection: Connection, sender: mpsc::Sender<Change>) {
    let mut memory = Memory::default();
    loop {
        match follow(&connection, &mut memory, &sender).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "the watch broke, and begins again"),
        }
        tokio::time::sleep(REST).await;
    }
}

/// One watch, up to its end; `Ok` if nobody listens any more.
async fn follow(connection: &Connection, memory: &mut Memory, sender: &mpsc::Sender<Change>) -> Result<(), crate::connection::Error> {
    let mut watch = Watch::begin(connection, memory).await?;
    loop {
        for change in watch.next(memory).await? {
            if sender.send(change).await.is_err() {
                return watch.end().await;
            }
        }
    }
}
