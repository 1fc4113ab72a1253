//! The event log: what happened, in order, each record with its cause; and the digest over all of it.
//!
//! The log is a stream. Whoever wants it listens while the run goes on: a timeline, a coverage count, the last lines of a failing run. The
//! digest covers every record with the content written and nothing else, in a compact binary form, so that it costs little and is the
//! same on every machine.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};
use vmtwin_engine::Passed;
use vmtwin_model::Cause;
use vmtwin_model::digest;
use vmtwin_model::id::{TaskId, VmId};
use vmtwin_model::kube::api::WatchEvent;
use vmtwin_model::kube::object::same_part;
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::{FaultName, Operation};
use xxhash_rust::xxh3::Xxh3;

/// How many records a run keeps to tell what led to a failure.
const TAIL: usize = 256;

/// Who brought a record about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A user's request.
    User,
    /// VM Operator.
    Operator,
    /// The operator's neighbours: network, volumes, images, quota; and the API server's own collection.
    Supervisor,
    /// vCenter and its hosts.
    Vsphere,
    /// A guest.
    Guest,
    /// The scenario itself.
    Scenario,
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::enum_variant_names, reason = "a Kubernetes Event has that name")]
pub enum Event {
    /// Somebody asks the API server for something.
    Request,
    /// An object changes.
    Write,
    /// The operator calls the hypervisor.
    Operation,
    /// A call or a task ends.
    Task,
    /// Something in the infrastructure changes.
    Change,
    /// A Kubernetes Event.
    Event,
    /// A pass begins.
    Wake,
    /// A pass ends.
    Pass,
    /// An invariant is violated.
    Violation,
}

macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal),+ })+) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }
    )+};
}

words! {
    Source { User = "user", Operator = "operator", Supervisor = "supervisor", Vsphere = "vsphere", Guest = "guest", Scenario = "scenario" }
    Event {
        Request = "request", Write = "write", Operation = "operation", Task = "task", Change = "change", Event = "event", Wake = "wake",
        Pass = "pass", Violation = "violation"
    }
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number; the first is 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// How long after the run's first instant.
    pub elapsed: Span,
    /// Who brought it about.
    pub source: Source,
    /// What it is about.
    pub event: Event,
    /// The Kubernetes object.
    pub object: Option<ObjectKey>,
    /// The vSphere object.
    pub vsphere: Option<Arc<str>>,
    /// The hypervisor's method.
    pub operation: Option<&'static str>,
    /// The task.
    pub task: Option<TaskId>,
    /// How it ended.
    pub result: Option<Outcome>,
    /// For people.
    pub message: Arc<str>,
    /// The number of what brought it about; 0 is the beginning.
    pub cause: Cause,
    /// The content.
    pub data: Data,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Success,
    /// With an error; with the fault's name, where vSphere failed it.
    Error(Option<FaultName>),
}

/// The content of a record.
#[derive(Clone, Debug, Default)]
pub enum Data {
    /// Nothing more.
    #[default]
    Nothing,
    /// A call's arguments.
    Call(Operation),
    /// A changed object.
    Change(WatchEvent),
    /// How a pass ended.
    Passed(Box<Passed>),
    /// Anything else.
    Json(Value),
}

/// What a record says before it has its place in the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who brought it about.
    pub source: Source,
    /// What it is about.
    pub event: Event,
    /// The Kubernetes object.
    pub object: Option<ObjectKey>,
    /// The vSphere object.
    pub vsphere: Option<Arc<str>>,
    /// The hypervisor's method.
    pub operation: Option<&'static str>,
    /// The task.
    pub task: Option<TaskId>,
    /// How it ended.
    pub result: Option<Outcome>,
    /// For people.
    pub message: Arc<str>,
    /// What brought it about.
    pub cause: Cause,
    /// The content.
    pub data: Data,
}

impl Entry {
    /// An entry that says this and nothing else.
    #[must_use]
    pub fn new(source: Source, event: Event, cause: Cause, message: impl Into<Arc<str>>) -> Self {
        Self {
            source,
            event,
            object: None,
            vsphere: None,
            operation: None,
            task: None,
            result: None,
            message: message.into(),
            cause,
            data: Data::Nothing,
        }
    }

    /// About this Kubernetes object.
    #[must_use]
    pub fn on(mut self, object: ObjectKey) -> Self {
        self.object = Some(object);
        self
    }

    /// About this VM.
    #[must_use]
    pub fn at(mut self, vm: Option<&VmId>) -> Self {
        self.vsphere = vm.map(|vm| vm.as_str().into());
        self
    }

    /// With this content.
    #[must_use]
    pub fn with(mut self, data: Data) -> Self {
        self.data = data;
        self
    }

    /// With this end.
    #[must_use]
    pub fn ended(mut self, result: Outcome) -> Self {
        self.result = Some(result);
        self
    }
}

/// The log of a run.
#[derive(Clone)]
pub struct Log {
    start: Timestamp,
    next: u64,
    hasher: Xxh3,
    tail: VecDeque<Arc<Record>>,
    kept: Option<Vec<Arc<Record>>>,
    buffer: Vec<u8>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Whether a log keeps all of its records, or the last ones alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All, for a timeline.
    All,
    /// The last ones, to tell what led to a failure.
    Tail,
}

impl Log {
    /// An empty log of a run that starts at this instant.
    #[must_use]
    pub fn new(start: Timestamp, keep: Keep) -> Self {
        let kept = (keep == Keep::All).then(Vec::new);
        Self { start, next: 1, hasher: Xxh3::new(), tail: VecDeque::with_capacity(TAIL), kept, buffer: Vec::new() }
    }

    /// The run's first instant.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The number that the next record will have.
    #[must_use]
    pub fn next(&self) -> Cause {
        Cause(self.next)
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.next - 1
    }

    /// Whether nothing happened yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next == 1
    }

    /// Appends a record, and gives it back.
    pub fn append(&mut self, at: Timestamp, entry: Entry) -> Arc<Record> {
        let Entry { source, event, object, vsphere, operation, task, result, message, cause, data } = entry;
        let elapsed = at - self.start;
        let record =
            Arc::new(Record { seq: self.next, at, elapsed, source, event, object, vsphere, operation, task, result, message, cause, data });
        self.next += 1;
        self.fold(&record);
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(record.clone());
        if let Some(kept) = &mut self.kept {
            kept.push(record.clone());
        }
        record
    }

    fn fold(&mut self, record: &Record) {
        self.buffer.clear();
        record.write_to(&mut self.buffer);
        let length = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
        self.hasher.update(&length.to_le_bytes());
        self.hasher.update(&self.buffer);
    }

    /// The digest over all records so far: xxh3-128 in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        format!("{:032x}", self.hasher.digest128())
    }

    /// The last records that touch one of these objects (by what `Display` prints of it), oldest first.
    #[must_use]
    pub fn touching(&self, objects: &[String], at_most: usize) -> Vec<Arc<Record>> {
        let touches = |record: &&Arc<Record>| objects.iter().any(|object| record.touches(object));
        let mut lines: Vec<Arc<Record>> = self.tail.iter().rev().filter(touches).take(at_most).cloned().collect();
        lines.reverse();
        lines
    }

    /// The last records, oldest first.
    pub fn tail(&self) -> impl DoubleEndedIterator<Item = &Arc<Record>> {
        self.tail.iter()
    }

    /// All records, if they were kept.
    #[must_use]
    pub fn kept(&self) -> &[Arc<Record>] {
        self.kept.as_deref().unwrap_or_default()
    }
}

impl Record {
    /// Whether the record is about this object.
    #[must_use]
    pub fn touches(&self, object: &str) -> bool {
        self.object.as_ref().is_some_and(|key| key.to_string() == object) || self.vsphere.as_deref() == Some(object)
    }

    /// Writes what the digest covers.
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend(self.seq.to_le_bytes());
        out.extend(self.at.as_nanos().to_le_bytes());
        out.extend([self.source as u8, self.event as u8]);
        out.extend(self.cause.0.to_le_bytes());
        match &self.object {
            Some(key) => write_key(out, key),
            None => write_text(out, ""),
        }
        let mut text = |part: &str| write_text(out, part);
        text(self.vsphere.as_deref().unwrap_or_default());
        text(self.operation.unwrap_or_default());
        text(self.task.as_ref().map(TaskId::as_str).unwrap_or_default());
        match &self.result {
            None => text("-"),
            Some(Outcome::Success) => text("success"),
            Some(Outcome::Error(fault)) => {
                text("error");
                text(fault.as_ref().map(FaultName::as_str).unwrap_or_default());
            }
        }
        text(&self.message);
        self.data.write_to(out);
    }

    /// The record as one line of `timeline -o json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut line = Map::new();
        line.insert("seq".to_owned(), self.seq.into());
        line.insert("at".to_owned(), self.at.to_string().into());
        line.insert("elapsed".to_owned(), self.elapsed.to_string().into());
        line.insert("source".to_owned(), self.source.to_string().into());
        line.insert("event".to_owned(), self.event.to_string().into());
        let mut text = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                line.insert(name.to_owned(), value.into());
            }
        };
        text("object", self.object.as_ref().map(ToString::to_string));
        text("vsphere", self.vsphere.as_deref().map(str::to_owned));
        text("operation", self.operation.map(str::to_owned));
        text("task", self.task.as_ref().map(ToString::to_string));
        if let Some(result) = &self.result {
            match result {
                Outcome::Success => text("result", Some("success".to_owned())),
                Outcome::Error(fault) => {
                    text("result", Some("error".to_owned()));
                    text("fault", fault.as_ref().map(ToString::to_string));
                }
            }
        }
        text("message", (!self.message.is_empty()).then(|| self.message.to_string()));
        if self.cause.0 > 0 {
            line.insert("cause".to_owned(), self.cause.0.into());
        }
        if let Some(data) = self.data.to_json() {
            line.insert("data".to_owned(), data);
        }
        Value::Object(line)
    }
}

impl Data {
    fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nothing => out.push(0),
            Self::Call(operation) => {
                out.push(1);
                digest::append(out, operation);
            }
            Self::Change(event) => {
                out.push(2);
                write_change(out, event.before.as_deref(), event.after.as_deref());
            }
            Self::Passed(passed) => {
                out.push(3);
                write_text(out, passed.verdict.word());
                for (key, version) in &passed.saw {
                    write_key(out, key);
                    out.extend(version.to_le_bytes());
                }
            }
            Self::Json(value) => {
                out.push(4);
                digest::append(out, value);
            }
        }
    }

    fn to_json(&self) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::Call(operation) => Some(operation.arguments()),
            Self::Change(event) => Some(change_to_json(event)),
            Self::Passed(passed) => {
                let saw: Vec<String> = passed.saw.iter().map(|(key, version)| format!("{key}@{version}")).collect();
                Some(json!({"controller": passed.key.controller.word(), "verdict": passed.verdict.word(), "saw": saw}))
            }
            Self::Json(value) => Some(value.clone()),
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(text.as_bytes());
}

fn write_key(out: &mut Vec<u8>, key: &ObjectKey) {
    for part in [key.kind.info().group, key.kind.info().kind, &*key.namespace, &*key.name] {
        write_text(out, part);
    }
}

/// The parts of an object that a write changed; all of a new one.
fn changed_parts<'a>(before: Option<&Object>, after: &'a Object) -> (bool, bool, bool, &'a Object) {
    match before {
        None => (true, true, true, after),
        Some(before) => (
            !Arc::ptr_eq(&before.meta, &after.meta) && before.meta != after.meta,
            !same_part(&before.spec, &after.spec),
            !same_part(&before.status, &after.status),
            after,
        ),
    }
}

fn write_change(out: &mut Vec<u8>, before: Option<&Object>, after: Option<&Object>) {
    let Some(after) = after else {
        out.push(0);
        return;
    };
    let (meta, spec, status, object) = changed_parts(before, after);
    out.push(1 + u8::from(meta) + 2 * u8::from(spec) + 4 * u8::from(status));
    out.extend(object.resource_version.to_le_bytes());
    out.extend(object.generation.to_le_bytes());
    if meta {
        digest::append(out, &*object.meta);
    }
    if spec {
        object.spec.write_to(out);
    }
    if status {
        object.status.write_to(out);
    }
}

fn change_to_json(event: &WatchEvent) -> Value {
    let Some(after) = &event.after else { return json!({"deleted": true}) };
    let (meta, spec, status, object) = changed_parts(event.before.as_deref(), after);
    let whole = object.to_value();
    let mut data = Map::new();
    data.insert("resourceVersion".to_owned(), object.resource_version.to_string().into());
    for (name, changed) in [("metadata", meta), ("status", status)] {
        if let Some(part) = whole.get(name).filter(|_| changed) {
            data.insert(name.to_owned(), part.clone());
        }
    }
    if spec {
        for (name, part) in whole
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| !["apiVersion", "kind", "metadata", "status"].contains(&name.as_str()))
        {
            data.insert(name.clone(), part.clone());
        }
    }
    Value::Object(data)
}
