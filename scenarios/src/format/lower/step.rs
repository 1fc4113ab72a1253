//! Steps.

use std::collections::BTreeMap;

use vmtwin_model::time::Span;

use super::image::check_operation;
use super::manifest::{Purpose, Raw, manifest};
use super::reference::{reference, target};
use super::{Cx, action};
use crate::diagnostics::{Code, Region};
use crate::format::output::{
    CallCount, CallResult, CallsCheck, Crash, CrashPoint, Expect, KubeFault, Manifest, OperatorAction, Reference, Step, Verb,
};
use crate::format::section::scalar::Text;
use crate::format::section::step::{self, StepFields};
use crate::format::shape::shorten;
use crate::format::spanned::{Object, Several, Spanned};
use crate::yaml::{Node, Path};

/// The manifests of the steps, by step, with `{file: …}` put in their places.
pub(in crate::format) type StepManifests = BTreeMap<usize, Vec<Raw>>;

/// Users of whom a slip of the pen would make an ordinary one.
const USERS: &[&str] = &["administrator", "devops@vsphere.local", "kubernetes-admin"];

/// The steps.
pub(in crate::format) fn steps(
    cx: &mut Cx<'_>,
    section: &[step::Step],
    manifests: &StepManifests,
    horizon: (Span, Option<Region>),
    privileged: &[String],
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut clock = Clock { now: Span::ZERO, horizon, told: false };
    let mut names: BTreeMap<&str, (usize, Region)> = BTreeMap::new();
    for (index, one) in section.iter().enumerate() {
        check_user(cx, one.user.as_ref(), privileged);
        let at = one.at.as_ref().and_then(|at| cx.sink.duration(at).map(|span| (span, at.0.region)));
        clock.advance_to(cx, at);
        let timeout = one.timeout.as_ref().and_then(|timeout| cx.sink.duration(timeout));
        let raws = manifests.get(&index).map(Vec::as_slice).unwrap_or_default();
        let verb = verb(cx, one, raws, &names);
        if let Some(verb) = &verb {
            clock.pass(cx, verb, one.region);
        }
        if let Some(name) = &one.name {
            name_step(cx, &mut names, name, index);
        }
        if let Some(verb) = verb {
            steps.push(Step {
                name: one.name.as_ref().map(|name| name.value.clone()),
                at: at.map(|(span, _)| span),
                user: one.user.as_ref().map(|user| user.value.clone()),
                timeout,
                verb,
                origin: cx.origin(Path::parse("spec.steps").index(index)),
                index,
            });
        }
    }
    steps
}

fn name_step<'s>(cx: &mut Cx<'_>, names: &mut BTreeMap<&'s str, (usize, Region)>, name: &'s Text, index: usize) {
    if let Some((_, first)) = names.get(name.value.as_str()) {
        let first = *first;
        let message = format!("a step is called `{}` already", shorten(&name.value));
        cx.sink.tell_with(Code::DuplicateName, name.region, message, |diagnostic, sources| {
            diagnostic.label("the second of this name").note("the first is here", Some(sources.place(first)))
        });
        return;
    }
    names.insert(&name.value, (index, name.region));
}

/// The least time that has passed, as far as it can be told without a run.
struct Clock {
    now: Span,
    horizon: (Span, Option<Region>),
    told: bool,
}

impl Clock {
    fn advance_to(&mut self, cx: &mut Cx<'_>, at: Option<(Span, Region)>) {
        let Some((at, region)) = at else { return };
        if at < self.now {
            let message = format!("at {at} the steps before this one are not over: they take {} at least", self.now);
            cx.sink.tell(Code::Backwards, region, message);
            return;
        }
        self.now = at;
        self.check(cx, region);
    }

    fn pass(&mut self, cx: &mut Cx<'_>, verb: &Verb, region: Region) {
        let span = match verb {
            Verb::Sleep(span) | Verb::Always { span, .. } => *span,
            _ => return,
        };
        self.now += span;
        self.check(cx, region);
    }

    /// Tells of the first step beyond the horizon; those after it are beyond it, too.
    fn check(&mut self, cx: &mut Cx<'_>, region: Region) {
        let (horizon, place) = self.horizon;
        if self.now <= horizon || self.told {
            return;
        }
        self.told = true;
        let message = format!("this step goes on to {} at least, and the run ends at {horizon}", self.now);
        cx.sink.tell_with(Code::BeyondHorizon, region, message, |diagnostic, sources| match place {
            Some(place) => diagnostic.note("the horizon is here", Some(sources.place(place))),
            None => diagnostic.help(format!("set `horizon`, which is {horizon} unless told")),
        });
    }
}

fn check_user(cx: &mut Cx<'_>, user: Option<&Text>, privileged: &[String]) {
    let Some(user) = user else { return };
    if user.value.trim().is_empty() {
        cx.sink.tell(Code::Name, user.region, "a user has a name");
        return;
    }
    let known = USERS.iter().copied().chain(privileged.iter().map(String::as_str));
    if known.clone().any(|known| known == user.value) {
        return;
    }
    if let Some(near) = cx.sink.nearest(&user.value, known) {
        let message = format!("`{}` is an ordinary user, and nearly `{near}`", shorten(&user.value));
        cx.sink.tell_help(Code::NearUser, user.region, message, Some(format!("did you mean `{near}`?")));
    }
}

/// The step's verb; nothing if it was wrong.
fn verb(cx: &mut Cx<'_>, section: &Spanned<StepFields>, raws: &[Raw], names: &BTreeMap<&str, (usize, Region)>) -> Option<Verb> {
    let verbs = verbs_of(section);
    let verb = match verbs.as_slice() {
        [verb] => *verb,
        [] => {
            if !cx.cut.contains(&section.region) {
                cx.sink.tell(Code::NoVerb, section.region, "the step has no verb, such as `apply` or `sleep`");
            }
            return None;
        }
        [first, second, ..] => {
            cx.sink.tell(Code::SeveralVerbs, section.region, format!("the step has two verbs, `{first}` and `{second}`"));
            return None;
        }
    };
    check_companions(cx, section, verb);
    let expect = expect(cx, section.expect.as_ref().filter(|_| is_request(verb)));
    let purpose = if expect == Expect::Allowed { Purpose::Request } else { Purpose::Refused };
    let plain_user = section.user.is_none();
    Some(match verb {
        "apply" => Verb::Apply(requests(cx, raws, purpose, plain_user), expect),
        "create" => Verb::Create(requests(cx, raws, purpose, plain_user), expect),
        "patch" => Verb::Patch(all(cx, raws, if purpose == Purpose::Refused { Purpose::RefusedPatch } else { Purpose::Patch }), expect),
        "delete" => Verb::Delete(references(cx, section.delete.as_ref()?), expect),
        "assert" => Verb::Assert(all(cx, raws, Purpose::Partial)),
        "error" => Verb::Error(all(cx, raws, Purpose::Partial)),
        "always" => {
            let span = cx.sink.duration(&section.always.as_ref()?.span);
            let objects = all(cx, raws, Purpose::Partial);
            Verb::Always { span: span?, objects }
        }
        "gone" => Verb::Gone(references(cx, section.gone.as_ref()?)),
        "calls" => Verb::Calls(section.calls.as_ref()?.0.iter().filter_map(|check| calls(cx, check, names)).collect()),
        "capacity" => {
            cx.sink.tell(Code::NotSupported, section.capacity.as_ref()?.0.region, "a `capacity` step is not supported yet");
            return None;
        }
        "sleep" => Verb::Sleep(cx.sink.duration(section.sleep.as_ref()?)?),
        "settle" => Verb::Settle,
        "vsphere" => Verb::Vsphere(section.vsphere.as_ref()?.0.iter().filter_map(|one| action::action(cx, one)).collect()),
        "operator" => Verb::Operator(operator(cx, section.operator.as_ref()?)?),
        _ => Verb::Kube(section.kube.as_ref()?.0.iter().filter_map(|one| kube(cx, one)).collect()),
    })
}

fn verbs_of(section: &StepFields) -> Vec<&'static str> {
    let fields = [
        (section.apply.is_some(), "apply"),
        (section.create.is_some(), "create"),
        (section.patch.is_some(), "patch"),
        (section.delete.is_some(), "delete"),
        (section.assert.is_some(), "assert"),
        (section.error.is_some(), "error"),
        (section.always.is_some(), "always"),
        (section.gone.is_some(), "gone"),
        (section.calls.is_some(), "calls"),
        (section.capacity.is_some(), "capacity"),
        (section.sleep.is_some(), "sleep"),
        (section.settle.is_some(), "settle"),
        (section.vsphere.is_some(), "vsphere"),
        (section.operator.is_some(), "operator"),
        (section.kube.is_some(), "kube"),
    ];
    fields.into_iter().filter(|(present, _)| *present).map(|(_, name)| name).collect()
}

fn is_request(verb: &str) -> bool {
    matches!(verb, "apply" | "create" | "patch" | "delete")
}

/// Tells of an expectation beside a verb that asks for nothing. (`as` and `timeout` may stand in any step.)
fn check_companions(cx: &mut Cx<'_>, section: &StepFields, verb: &str) {
    if let Some(expect) = section.expect.as_ref().filter(|_| !is_request(verb) && verb != "capacity") {
        cx.sink.tell(Code::Misplaced, expect.0.region, format!("`expect` means nothing beside `{verb}`"));
    }
}

fn expect(cx: &mut Cx<'_>, section: Option<&Object>) -> Expect {
    let Some(section) = section else { return Expect::Allowed };
    let node = cx.node(&section.0);
    check_keys(cx, &node, &["denied"], "`expect`");
    let Some(denied) = node.get("denied") else {
        if node.entries().is_empty() {
            cx.sink.tell(Code::MissingField, node.region, "`expect` lacks `denied`");
        }
        return Expect::Allowed;
    };
    check_keys(cx, denied, &["field", "message", "reason", "code"], "`denied`");
    if !matches!(denied.data, crate::yaml::Data::Mapping(_)) {
        cx.sink.tell(Code::WrongType, denied.region, format!("`denied` takes a mapping, found {}", denied.sort()));
    }
    let mut text = |key: &str| {
        let value = denied.get(key)?;
        if value.as_str().is_none() {
            cx.sink.tell(Code::WrongType, value.region, format!("`{key}` takes a string, found {}", value.sort()));
        }
        value.as_str().map(str::to_owned)
    };
    let (field, message, reason) = (text("field"), text("message"), text("reason"));
    let code = denied.get("code").and_then(|code| {
        let number = code.to_value().as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code));
        if number.is_none() {
            cx.sink.tell(Code::Bounds, code.region, "`code` is a status from 400 to 599");
        }
        number
    });
    Expect::Denied { field, message, reason, code }
}

fn check_keys(cx: &mut Cx<'_>, node: &Node, known: &[&str], what: &str) {
    for entry in node.entries().iter().filter(|entry| !known.contains(&&*entry.key)) {
        let help = cx.sink.near(&entry.key, known.iter().copied());
        cx.sink.tell_help(Code::UnknownField, entry.key_region, format!("unknown field `{}` in {what}", shorten(&entry.key)), help);
    }
}

fn all(cx: &mut Cx<'_>, raws: &[Raw], purpose: Purpose) -> Vec<Manifest> {
    raws.iter().filter_map(|raw| manifest(cx, raw, purpose)).collect()
}

fn requests(cx: &mut Cx<'_>, raws: &[Raw], purpose: Purpose, plain_user: bool) -> Vec<Manifest> {
    if plain_user && purpose == Purpose::Request {
        for raw in raws {
            check_storage_class(cx, raw);
        }
    }
    all(cx, raws, purpose)
}

/// Tells of a storage class that a new VM names and nothing makes: it would be refused.
pub(in crate::format) fn check_storage_class(cx: &mut Cx<'_>, raw: &Raw) {
    let Some(node) = raw.node() else { return };
    if node.get("kind").and_then(Node::as_str) != Some("VirtualMachine") {
        return;
    }
    let Some(class) = node.get("spec").and_then(|spec| spec.get("storageClass")) else { return };
    if let Some(name) = class.as_str().filter(|name| !name.is_empty()) {
        cx.known.policies.check_at(name, class.region, Code::UnknownStoragePolicy, "storage policy", cx.sink);
    }
}

fn references(cx: &mut Cx<'_>, section: &Several<step::Reference>) -> Vec<Reference> {
    section.0.iter().filter_map(|one| reference(cx, one)).collect()
}

fn calls(cx: &mut Cx<'_>, section: &step::Calls, names: &BTreeMap<&str, (usize, Region)>) -> Option<CallsCheck> {
    let operation = check_operation(cx, &section.operation);
    if let Some(vm) = &section.vm {
        action::check_vm(cx, vm);
    }
    let count = match &section.count {
        Some(count) => cx.sink.call_count(count),
        None => Some(CallCount::AtLeast(1)),
    };
    let since = match &section.since {
        None => None,
        Some(since) => match names.get(since.value.as_str()) {
            Some((index, _)) => Some(*index),
            None => {
                let help = cx.sink.near(&since.value, names.keys().copied());
                let message = format!("no step before this one is named `{}`", shorten(&since.value));
                cx.sink.tell_help(Code::UnknownStep, since.region, message, help);
                return None;
            }
        },
    };
    Some(CallsCheck {
        operation: operation.to_string(),
        vm: section.vm.as_ref().map(|vm| vm.value.clone()),
        count: count?,
        result: section.result.map(|result| match result {
            step::CallResult::Success => CallResult::Success,
            step::CallResult::Error => CallResult::Error,
        }),
        since,
    })
}

fn operator(cx: &mut Cx<'_>, section: &Spanned<step::OperatorAction>) -> Option<OperatorAction> {
    let things = [section.restart.is_some(), section.pause.is_some(), section.crash.is_some()];
    if things.iter().filter(|present| **present).count() != 1 {
        if !cx.cut.contains(&section.region) {
            cx.sink.tell(Code::OneThing, section.region, "exactly one of `restart`, `pause`, `crash` happens to the operator");
        }
        return None;
    }
    if let Some(down) = section.down.as_ref().filter(|_| section.crash.is_none()) {
        cx.sink.tell(Code::Misplaced, down.0.region, "`down` goes with `crash`");
    }
    if let Some(pause) = &section.pause {
        return cx.sink.duration(pause).map(OperatorAction::Pause);
    }
    let Some(crash) = &section.crash else { return Some(OperatorAction::Restart) };
    if let Some(operation) = &crash.operation {
        check_operation(cx, operation);
        if crash.at == step::CrashPoint::Write {
            cx.sink.tell(Code::Misplaced, operation.region, "`operation` goes with `at: call` and `at: answer`");
        }
    }
    Some(OperatorAction::Crash(Crash {
        at: match crash.at {
            step::CrashPoint::Call => CrashPoint::Call,
            step::CrashPoint::Answer => CrashPoint::Answer,
            step::CrashPoint::Write => CrashPoint::Write,
        },
        operation: crash.operation.as_ref().map(|operation| operation.value.clone()),
        skip: cx.sink.within_or(crash.skip.as_ref(), 0, 1_000_000_000, "the number of calls that pass", 0),
        down: cx.sink.duration_or(section.down.as_ref(), Span::ZERO),
    }))
}

fn kube(cx: &mut Cx<'_>, section: &Spanned<step::Kube>) -> Option<KubeFault> {
    let things = [
        (section.late.is_some(), "late", "by for"),
        (section.unseen.is_some(), "unseen", "times"),
        (section.old.is_some(), "old", "by"),
        (section.conflict.is_some(), "conflict", "times"),
        (section.down.is_some(), "down", ""),
    ];
    let mut present = things.iter().filter(|(present, ..)| *present);
    let (Some((_, thing, companions)), None) = (present.next(), present.next()) else {
        if !cx.cut.contains(&section.region) {
            let message = "exactly one of `late`, `unseen`, `old`, `conflict`, `down` happens to the API server";
            cx.sink.tell(Code::OneThing, section.region, message);
        }
        return None;
    };
    for (region, word) in [
        (section.by.as_ref().map(|by| by.0.region), "by"),
        (section.span.as_ref().map(|span| span.0.region), "for"),
        (section.times.as_ref().map(|times| times.region), "times"),
    ] {
        if let Some(region) = region.filter(|_| !companions.split(' ').any(|companion| companion == word)) {
            cx.sink.tell(Code::Misplaced, region, format!("`{word}` means nothing beside `{thing}`"));
        }
    }
    if companions.contains("by") && section.by.is_none() && !cx.cut.contains(&section.region) {
        cx.sink.tell(Code::MissingField, section.region, format!("`{thing}` lacks `by`"));
    }
    let times = cx.sink.within_or(section.times.as_ref(), 1, 1_000_000, "the number of times", 1);
    let by = section.by.as_ref().and_then(|by| cx.sink.duration(by));
    let span = section.span.as_ref().and_then(|span| cx.sink.duration(span));
    Some(match *thing {
        "late" => KubeFault::Late { what: target(cx, section.late.as_ref()?)?, by: by?, span },
        "unseen" => KubeFault::Unseen { what: target(cx, section.unseen.as_ref()?)?, times },
        "old" => KubeFault::Old { what: target(cx, section.old.as_ref()?)?, by: by? },
        "conflict" => KubeFault::Conflict { what: target(cx, section.conflict.as_ref()?)?, times },
        _ => KubeFault::Down(cx.sink.duration(section.down.as_ref()?)?),
    })
}
