//! What each verb of the scenario format does. Source: scenario-format §4.

use std::sync::Arc;

use serde_json::{Map, Value};
use vmtwin_apiserver::in_stored_version;
use vmtwin_model::kube::api::{ApiError, PatchKind, Request, Subresource, User};
use vmtwin_model::kube::{Kind, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};

use super::live::VSPHERE;
use super::objects;
use super::report::{Difference, Failure, StepReport, StepResult};
use super::run::{Halt, Run};
use crate::check::{CallFact, CallWanted, Count, Expected, Lookup, Outcome, check_calls};
use crate::diagnostics::{Code, Diagnostic, Place};
use crate::format::{self, Expect, Manifest, OperatorAction, Origin, Reference, Step, Target, Verb};
use crate::log::{Event, Record, Source};
use crate::yaml::Path;

/// How long a check waits unless the step says otherwise.
const PATIENCE: Span = Span::from_secs(30);
/// How long a system is given to settle unless the step says otherwise.
const SETTLES_WITHIN: Span = Span::from_hours(1);

/// How a step ended.
pub(super) enum Ended {
    Passed,
    Failed(Box<Broken>),
    Halted(Halt),
}

/// Why a step failed.
#[derive(Default)]
pub(super) struct Broken {
    message: String,
    objects: Vec<String>,
    differences: Vec<Difference>,
    places: Vec<(Place, String)>,
}

impl Broken {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }
}

/// What a part of a step gives back: it held, it didn't, or the run goes no further.
type Held = Result<(), Stopped>;

pub(super) enum Stopped {
    Broken(Box<Broken>),
    Halted(Halt),
}

impl From<Broken> for Stopped {
    fn from(broken: Broken) -> Self {
        Self::Broken(Box::new(broken))
    }
}

impl From<Halt> for Stopped {
    fn from(halt: Halt) -> Self {
        Self::Halted(halt)
    }
}

/// Takes one step.
pub(super) fn take<'a>(run: &mut Run<'a>, step: &'a Step) -> Ended {
    let ended = match wait_for_instant(run, step) {
        Ok(()) => act(run, step),
        Err(stopped) => Err(stopped),
    };
    match ended {
        Ok(()) => Ended::Passed,
        Err(Stopped::Broken(broken)) => Ended::Failed(broken),
        Err(Stopped::Halted(halt)) => Ended::Halted(halt),
    }
}

fn wait_for_instant(run: &mut Run<'_>, step: &Step) -> Held {
    let Some(at) = step.at else { return Ok(()) };
    if at < run.elapsed() {
        return Err(Broken::new(format!("`at: {at}` has passed: it is {} already", run.elapsed())).into());
    }
    advance(run, run.start + at)
}

/// Advances to an instant; past the horizon is a failure.
fn advance(run: &mut Run<'_>, to: Timestamp) -> Held {
    run.advance(to)?;
    if to > run.end {
        return Err(Broken::new(format!("the horizon of {} was reached", run.end - run.start)).into());
    }
    Ok(())
}

fn act<'a>(run: &mut Run<'a>, step: &'a Step) -> Held {
    let user = user_of(step);
    match &step.verb {
        Verb::Apply(manifests, expect) => each(run, manifests, expect, |run, manifest| apply_one(run, &user, manifest)),
        Verb::Create(manifests, expect) => each(run, manifests, expect, |run, manifest| create_one(run, &user, manifest)),
        Verb::Patch(manifests, expect) => each(run, manifests, expect, |run, manifest| patch_one(run, &user, manifest)),
        Verb::Delete(references, expect) => delete(run, &user, references, expect),
        Verb::Assert(manifests) => poll(run, manifests, step.timeout.unwrap_or(PATIENCE), Wanted::Holds),
        Verb::Error(manifests) => poll(run, manifests, step.timeout.unwrap_or(PATIENCE), Wanted::NeverHolds),
        Verb::Always { span, objects } => poll(run, objects, *span, Wanted::HoldsThroughout),
        Verb::Gone(references) => gone(run, references, step.timeout.unwrap_or(PATIENCE)),
        Verb::Calls(checks) => calls(run, checks),
        Verb::Sleep(span) => advance(run, run.simulation.now() + *span),
        Verb::Settle => settle(run, step.timeout.unwrap_or(SETTLES_WITHIN)),
        Verb::Vsphere(actions) => vsphere(run, actions),
        Verb::Operator(action) => operator(run, action),
        Verb::Kube(faults) => {
            for fault in faults {
                run.simulation.fault_api(kube_fault(fault));
            }
            run.watch_fresh();
            Ok(())
        }
    }
}

/// `administrator` stands for `kubernetes-admin`; every other name is the user's own.
fn user_of(step: &Step) -> User {
    match step.user.as_deref() {
        None => User::named("devops@vsphere.local"),
        Some("administrator") => User::named("kubernetes-admin"),
        Some(name) => User::named(name),
    }
}

/// One request after another, each with all that it brings about at its instant.
fn each<'a>(
    run: &mut Run<'a>,
    manifests: &'a [Manifest],
    expect: &Expect,
    one: impl Fn(&mut Run<'a>, &'a Manifest) -> Result<(), Broken>,
) -> Held {
    for manifest in manifests {
        let result = one(run, manifest);
        run.watch_fresh();
        judge(result, expect, &objects::name_of(&manifest.value))?;
        run.drain()?;
    }
    Ok(())
}

/// Holds a request's end against what was expected of it.
fn judge(result: Result<(), Broken>, expect: &Expect, object: &str) -> Held {
    match (result, expect) {
        (result, Expect::Allowed) => Ok(result?),
        (Ok(()), Expect::Denied { .. }) => {
            Err(Broken::new(format!("the request for {object} was allowed, but was expected to be denied")).into())
        }
        (Err(broken), Expect::Denied { field, message, reason, code }) => {
            let text = &broken.message;
            let wrong = |what: &str, wanted: &str| Broken {
                message: format!("the request for {object} was denied, but not with {what} `{wanted}`: {text}"),
                ..Broken::default()
            };
            let fields = || broken.differences.iter().map(|difference| difference.path.as_str());
            if let Some(field) = field
                && !fields().any(|there| same_path(there, field))
            {
                return Err(wrong("a cause at field", field).into());
            }
            if let Some(message) = message
                && !text.contains(message.as_str())
            {
                return Err(wrong("the message", message).into());
            }
            let found = |wanted: &str| broken.objects.iter().any(|there| there == wanted);
            if let Some(reason) = reason
                && !found(reason)
            {
                return Err(wrong("the reason", reason).into());
            }
            if let Some(code) = code
                && !found(&code.to_string())
            {
                return Err(wrong("the code", &code.to_string()).into());
            }
            Ok(())
        }
    }
}

/// `a[b]`, `a["b"]` and `a.b` are the same path.
fn same_path(a: &str, b: &str) -> bool {
    let plain = |path: &str| path.replace("[\"", ".").replace("\"]", "").replace('[', ".").replace(']', "");
    plain(a) == plain(b)
}

/// A refusal as a failure: its causes point into the user's file.
fn refused(error: &ApiError, origin: &Origin, object: &str) -> Broken {
    let mut broken = Broken::new(error.message.clone());
    broken.objects = vec![error.code.to_string(), error.reason.to_string(), object.to_owned()];
    for cause in &error.causes {
        broken.objects.push(cause.reason.to_string());
        broken.differences.push(Difference {
            object: object.to_owned(),
            path: cause.field.clone(),
            expected: Value::Null,
            found: Some(cause.message.as_str().into()),
            since: None,
        });
        broken.places.push((origin.place_of(&Path::parse(&cause.field)), cause.message.clone()));
    }
    broken
}

/// Creates the object, or merges the manifest three ways: what was applied before, what is wanted, what is there.
pub(super) fn apply_one<'a>(run: &mut Run<'a>, user: &User, manifest: &'a Manifest) -> Result<(), Broken> {
    let Some(key) = objects::key_of_manifest(&manifest.value) else {
        return create_one(run, user, manifest);
    };
    let before = run.applied.insert(key.clone(), &manifest.value);
    if run.simulation.api().get(&key).is_none() {
        return create_one(run, user, manifest);
    }
    // A merge is one of fields of the same version. What couldn't be brought to it was refused, hence never applied.
    let wanted = in_stored_version(manifest.value.clone()).map_err(|error| refused(&error, &manifest.origin, &key.to_string()))?;
    let mut patch = wanted.clone();
    if let Some(before) = before.and_then(|before| in_stored_version(before.clone()).ok()) {
        remove_dropped(&before, &wanted, &mut patch);
    }
    send_patch(run, user, &key, patch, manifest)
}

/// Sets to `null` what was applied before and is not any more.
pub(crate) fn remove_dropped(before: &Value, after: &Value, patch: &mut Value) {
    let (Some(before), Some(after), Some(patch)) = (before.as_object(), after.as_object(), patch.as_object_mut()) else { return };
    for (name, old) in before {
        match (after.get(name), patch.get_mut(name)) {
            (None, _) => {
                patch.insert(name.clone(), Value::Null);
            }
            (Some(new), Some(patch)) => remove_dropped(old, new, patch),
            (Some(_), None) => {}
        }
    }
}

fn create_one(run: &mut Run<'_>, user: &User, manifest: &Manifest) -> Result<(), Broken> {
    let name = objects::name_of(&manifest.value);
    let mut value = in_stored_version(manifest.value.clone()).map_err(|error| refused(&error, &manifest.origin, &name))?;
    let status = take_status(&mut value);
    let created = run.simulation.user_request(user, Request::Create { manifest: value });
    let object = created.map_err(|error| refused(&error, &manifest.origin, &name))?;
    match status {
        Some(status) => send_status(run, user, &object.key, status, manifest),
        None => Ok(()),
    }
}

fn patch_one(run: &mut Run<'_>, user: &User, manifest: &Manifest) -> Result<(), Broken> {
    let key = match objects::key_of_manifest(&manifest.value) {
        Some(key) => key,
        None => {
            let kind = Kind::named(manifest.kind()).ok_or_else(|| Broken::new(format!("no matches for kind {:?}", manifest.kind())))?;
            ObjectKey::new(kind, manifest.namespace(), manifest.name())
        }
    };
    let patch = in_stored_version(manifest.value.clone()).map_err(|error| refused(&error, &manifest.origin, &key.to_string()))?;
    send_patch(run, user, &key, patch, manifest)
}

/// Sends a merge patch; a `status` in it goes to the subresource, as a second request.
fn send_patch(run: &mut Run<'_>, user: &User, key: &ObjectKey, mut patch: Value, manifest: &Manifest) -> Result<(), Broken> {
    let status = take_status(&mut patch);
    if let Some(fields) = patch.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
        if let Some(meta) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.remove("name");
            meta.remove("namespace");
        }
        fields.retain(|name, value| name != "metadata" || value.as_object().is_some_and(|meta| !meta.is_empty()));
    }
    if patch.as_object().is_some_and(|fields| !fields.is_empty()) || status.is_none() {
        let request = Request::Patch { key: key.clone(), kind: PatchKind::Merge, patch, part: Subresource::Main };
        run.simulation.user_request(user, request).map_err(|error| refused(&error, &manifest.origin, &key.to_string()))?;
    }
    match status {
        Some(status) => send_status(run, user, key, status, manifest),
        None => Ok(()),
    }
}

fn take_status(value: &mut Value) -> Option<Value> {
    let has_subresource = objects::key_of_manifest(value)
        .map(|key| key.kind)
        .or_else(|| Kind::named(value.get("kind")?.as_str()?))
        .is_none_or(|kind| kind.info().layout == vmtwin_model::kube::Layout::SpecStatus);
    if has_subresource { value.as_object_mut()?.remove("status") } else { None }
}

fn send_status(run: &mut Run<'_>, user: &User, key: &ObjectKey, status: Value, manifest: &Manifest) -> Result<(), Broken> {
    let patch = Value::Object(Map::from_iter([("status".to_owned(), status)]));
    let request = Request::Patch { key: key.clone(), kind: PatchKind::Merge, patch, part: Subresource::Status };
    run.simulation.user_request(user, request).map(|_| ()).map_err(|error| refused(&error, &manifest.origin, &key.to_string()))
}

fn delete(run: &mut Run<'_>, user: &User, references: &[Reference], expect: &Expect) -> Held {
    for reference in references {
        let result = match &reference.target {
            Target::Kube(key) => {
                let answer = run.simulation.user_request(user, Request::Delete { key: key.clone() });
                answer.map(|_| ()).map_err(|error| refused(&error, &reference.origin, &key.to_string()))
            }
            Target::Vsphere { kind, name } => Err(Broken::new(format!("{kind}/{name} is the infrastructure's: use a `vsphere` step"))),
        };
        run.watch_fresh();
        judge(result, expect, &target_name(&reference.target))?;
        run.drain()?;
    }
    Ok(())
}

fn target_name(target: &Target) -> String {
    match target {
        Target::Kube(key) => key.to_string(),
        Target::Vsphere { kind, name } => format!("{kind}/{name}"),
    }
}

/// What a check of objects is to find.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// All hold, before the time is over.
    Holds,
    /// None holds, as long as the time lasts.
    NeverHolds,
    /// All hold, as long as the time lasts.
    HoldsThroughout,
}

/// Checks objects after every event that touches them.
fn poll(run: &mut Run<'_>, manifests: &[Manifest], time: Span, wanted: Wanted) -> Held {
    let mut checks = Vec::with_capacity(manifests.len());
    for manifest in manifests {
        let expected = Expected::new(&manifest.value).map_err(|error| Broken::new(format!("{}: {}", error.path, error.message)))?;
        checks.push((expected, manifest));
    }
    let deadline = run.simulation.now() + time;
    let mut outcomes: Vec<Outcome> = checks.iter().map(|(expected, _)| expected.check(&run.simulation)).collect();
    loop {
        let holds = |outcome: &Outcome| matches!(outcome, Outcome::Holds { .. });
        match wanted {
            Wanted::Holds if outcomes.iter().all(holds) => return Ok(()),
            Wanted::NeverHolds => {
                if let Some(at) = outcomes.iter().position(holds) {
                    return Err(matched(&outcomes[at], checks[at].1).into());
                }
            }
            Wanted::HoldsThroughout => {
                if let Some(at) = outcomes.iter().position(|outcome| !holds(outcome)) {
                    return Err(differs(run, &outcomes, &checks, Some(at), "doesn't hold at every instant").into());
                }
            }
            Wanted::Holds => {}
        }
        let Some(records) = run.turn(deadline)? else { break };
        for ((expected, _), outcome) in checks.iter().zip(&mut outcomes) {
            if records.iter().any(|record| touches(expected, record)) {
                *outcome = expected.check(&run.simulation);
            }
        }
    }
    match wanted {
        Wanted::Holds => {
            let text = format!("doesn't hold after {time}");
            Err(differs(run, &outcomes, &checks, None, &text).into())
        }
        Wanted::NeverHolds | Wanted::HoldsThroughout => Ok(()),
    }
}

/// Whether a record may change what a check finds.
fn touches(expected: &Expected, record: &Record) -> bool {
    let looks_around = expected.kinds_listed().next().is_some();
    if looks_around {
        return true;
    }
    if expected.api_version() == VSPHERE {
        return matches!(record.source, Source::Vsphere | Source::Guest | Source::Scenario | Source::Operator);
    }
    match record.event {
        Event::Event => expected.kind() == "Event",
        Event::Write => record.object.as_ref().is_some_and(|key| key.kind.info().kind == expected.kind()),
        _ => false,
    }
}

fn matched(outcome: &Outcome, manifest: &Manifest) -> Broken {
    let object = match outcome {
        Outcome::Holds { object } => object.clone(),
        _ => objects::name_of(&manifest.value),
    };
    Broken { message: format!("{object} matches, but nothing was to match"), objects: vec![object], ..Broken::default() }
}

fn differs(run: &Run<'_>, outcomes: &[Outcome], checks: &[(Expected, &Manifest)], only: Option<usize>, text: &str) -> Broken {
    let mut broken = Broken::default();
    let mut names = Vec::new();
    for (at, (outcome, (_, manifest))) in outcomes.iter().zip(checks).enumerate() {
        if only.is_some_and(|only| only != at) {
            continue;
        }
        match outcome {
            Outcome::Holds { .. } => {}
            Outcome::Absent { what } => {
                names.push(what.clone());
                broken.objects.push(objects::name_of(&manifest.value));
                broken.places.push((manifest.origin.place(), what.clone()));
            }
            Outcome::Differs(mismatches) => {
                for mismatch in mismatches {
                    if !broken.objects.contains(&mismatch.object) {
                        broken.objects.push(mismatch.object.clone());
                        names.push(format!("{} {text}", mismatch.object));
                    }
                    let place = manifest.origin.place_of(&Path::parse(&mismatch.path));
                    broken.places.push((place, crate::check::explain(mismatch)));
                    broken.differences.push(Difference {
                        object: mismatch.object.clone(),
                        path: mismatch.path.clone(),
                        expected: mismatch.expected.clone(),
                        found: mismatch.found.clone(),
                        since: since(run, &mismatch.object),
                    });
                }
            }
        }
    }
    broken.message = names.join("; ");
    broken
}

/// When an object last changed.
fn since(run: &Run<'_>, object: &str) -> Option<Span> {
    let lines = run.simulation.log().touching(&[object.to_owned()], usize::MAX);
    lines.iter().rev().find(|record| matches!(record.event, Event::Write | Event::Change)).map(|record| record.elapsed)
}

fn gone(run: &mut Run<'_>, references: &[Reference], time: Span) -> Held {
    let deadline = run.simulation.now() + time;
    let still_there = |run: &Run<'_>| -> Option<String> {
        references.iter().map(|reference| &reference.target).find(|target| is_there(run, target)).map(target_name)
    };
    loop {
        let Some(object) = still_there(run) else { return Ok(()) };
        if run.turn(deadline)?.is_none() {
            let finalizers = match &references[0].target {
                Target::Kube(key) => run.simulation.api().get(key).and_then(|object| object.meta.finalizers.clone()).unwrap_or_default(),
                Target::Vsphere { .. } => Vec::new(),
            };
            let held = if finalizers.is_empty() { String::new() } else { format!(", held by finalizers {}", finalizers.join(", ")) };
            return Err(Broken {
                message: format!("{object} is still there after {time}{held}"),
                objects: vec![object],
                ..Broken::default()
            }
            .into());
        }
    }
}

fn is_there(run: &Run<'_>, target: &Target) -> bool {
    match target {
        Target::Kube(key) => run.simulation.api().get(key).is_some(),
        Target::Vsphere { kind, name } => Lookup::object(&run.simulation, VSPHERE, kind, "", name).is_some(),
    }
}

fn calls(run: &mut Run<'_>, checks: &[format::CallsCheck]) -> Held {
    let simulation = &run.simulation;
    let names: Vec<Option<String>> = simulation.calls().iter().map(|call| Some(call.object.namespaced_name())).collect();
    let facts: Vec<CallFact<'_>> = simulation
        .calls()
        .iter()
        .zip(&names)
        .map(|(call, name)| CallFact {
            method: call.method,
            vm_id: call.vm.as_ref().map(|vm| vm.as_str()),
            vm_name: name.as_deref(),
            seq: call.seq,
            ended: call.ended.as_ref().map(|outcome| *outcome == crate::log::Outcome::Success),
        })
        .collect();
    let began = |step: Option<usize>| step.and_then(|step| run.step_began.get(step)).copied().unwrap_or(0);
    let wanted: Vec<CallWanted> = checks
        .iter()
        .map(|check| CallWanted {
            operation: check.operation.clone(),
            vm: check.vm.clone(),
            count: match check.count {
                format::CallCount::Exactly(count) => Count::Exactly(whole(count)),
                format::CallCount::AtLeast(count) => Count::AtLeast(whole(count)),
                format::CallCount::AtMost(count) => Count::AtMost(whole(count)),
            },
            result: check.result.map(|result| result == format::CallResult::Success),
            since_seq: began(check.since),
        })
        .collect();
    check_calls(&facts, &wanted).map_err(|message| Broken::new(message).into())
}

fn whole(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Advances until nothing is pending but periodic work and idle retries.
fn settle(run: &mut Run<'_>, time: Span) -> Held {
    let deadline = run.simulation.now() + time;
    while let Some(next) = run.simulation.next_pending() {
        if next > deadline || run.turn(deadline)?.is_none() {
            let rest = if next > run.end { " (the horizon was reached)" } else { "" };
            return Err(Broken::new(format!("not settled after {time}: something is due at {}{rest}", next - run.start)).into());
        }
    }
    Ok(())
}

fn vsphere(run: &mut Run<'_>, actions: &[vmtwin_model::vsphere::Action]) -> Held {
    for action in actions {
        run.simulation.act(action).map_err(|error| Broken::new(format!("{action}: {error}")))?;
        run.watch_fresh();
        run.drain()?;
    }
    Ok(())
}

fn operator(run: &mut Run<'_>, action: &OperatorAction) -> Held {
    match action {
        OperatorAction::Restart => run.simulation.restart_operator(),
        OperatorAction::Pause(span) => run.simulation.pause_operator(*span),
        OperatorAction::Crash(crash) => run.simulation.crash_operator(crash.clone()),
    }
    run.watch_fresh();
    run.drain()?;
    Ok(())
}

fn kube_fault(fault: &format::KubeFault) -> vmtwin_apiserver::KubeFault {
    use vmtwin_apiserver::KubeFault as Fault;

    let target = |what: &format::KubeTarget| match what {
        format::KubeTarget::Kind(kind) => vmtwin_apiserver::Target::Kind(*kind),
        format::KubeTarget::Object(key) => vmtwin_apiserver::Target::Object(key.clone()),
    };
    match fault {
        format::KubeFault::Late { what, by, span } => Fault::Late { what: target(what), by: *by, lasts: span.unwrap_or(Span::MAX) },
        format::KubeFault::Unseen { what, times } => Fault::Unseen { what: target(what), times: *times },
        format::KubeFault::Old { what, by } => {
            let kind = match what {
                format::KubeTarget::Kind(kind) => *kind,
                format::KubeTarget::Object(key) => key.kind,
            };
            Fault::Old { kind, by: *by }
        }
        format::KubeFault::Conflict { what, times } => Fault::Conflict { what: target(what), times: *times },
        format::KubeFault::Down(span) => Fault::Down { lasts: *span },
    }
}

/// File, line and column of a place.
pub(super) fn coordinates(place: &Place) -> (String, usize, usize) {
    let position = place.position();
    (place.file.name().to_owned(), position.line, position.column)
}

/// The report of a step that failed, with what helps to see why.
pub(super) fn report_of_failure(run: &Run<'_>, name: &str, verb: &'static str, place: &Place, broken: Broken) -> StepReport {
    const LINES: usize = 8;
    let records: Vec<Arc<Record>> = run.simulation.log().touching(&broken.objects, LINES);
    let message = broken.message;
    let diagnostics = broken.places.into_iter().map(|(place, text)| Diagnostic::new(Code::StepFailed, place, text)).collect();
    StepReport {
        name: name.to_owned(),
        verb,
        result: StepResult::Failed,
        at: run.elapsed(),
        message: Some(message),
        place: Some(coordinates(place)),
        failure: Some(Failure { differences: broken.differences, records, diagnostics }),
    }
}
