//! The checks of reconcile cases. Source: the README of the cases, section 4. What can't be judged is never taken for true.

use serde_json::{Value, json};
use vmtwin_model::time::{Span, Timestamp};

use super::compare::{amount, contains, equal, equal_in_any_order, has, holds, instant, is_nothing, matches, mentions, somewhere};
use super::paths::{self, Found};
use super::world::{Call, World, looks_again};

/// Why a check doesn't hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// It is false.
    No(String),
    /// It can't be judged.
    Unknown(String),
}

type Judged = Result<(), Failed>;

fn no(why: impl Into<String>) -> Judged {
    Err(Failed::No(why.into()))
}

fn unknown<T>(why: impl Into<String>) -> Result<T, Failed> {
    Err(Failed::Unknown(why.into()))
}

fn text<'a>(check: &'a Value, key: &str) -> Option<&'a str> {
    check[key].as_str()
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The operators that may stand beside a path, with what belongs to one.
const OPERATORS: [&str; 15] = [
    "any_order",
    "at_least",
    "contains",
    "empty",
    "equals",
    "exists",
    "in",
    "lacks",
    "length",
    "matches",
    "mentions",
    "not_equals",
    "one_of",
    "unchanged_since",
    "within",
];

/// The keys of each sort of check besides operators and `note`, by the key that tells the sort; the first that is there does.
const SORTS: [(&str, &[&str]); 11] = [
    ("all_of", &["all_of"]),
    ("any_of", &["any_of"]),
    ("call", &["after", "before", "call", "count", "data", "has", "mentions", "path", "result", "somewhere", "vm"]),
    ("error_contains", &["count", "error_contains", "object", "retried"]),
    ("event", &["count", "event"]),
    ("objects", &["count", "objects", "where"]),
    ("same", &["same"]),
    ("different", &["different"]),
    ("placementPolicies", &["equals", "placementPolicies", "request", "tagCategory", "tagUUIDsAdded", "tagsAdded"]),
    ("retried", &["object", "retried"]),
    (
        "condition",
        &["condition", "exists", "message", "message_contains", "not_status", "object", "reason", "status", "vsphere", "vsphereVM"],
    ),
];

/// Holds that every key of a check is one that is judged: what is passed over would be taken for true.
fn understood(check: &Value) -> Judged {
    let sort = SORTS.iter().find(|(sort, _)| check.get(*sort).is_some());
    let own = sort.map_or(&["exists", "object", "path", "vsphere", "vsphereVM"][..], |(_, keys)| keys);
    let has_path = check.get("path").is_some();
    let known = |key: &str| key == "note" || own.contains(&key) || (has_path && OPERATORS.contains(&key));
    match check.as_object().into_iter().flatten().find(|(key, _)| !known(key)) {
        None => Ok(()),
        Some((key, _)) => unknown(format!("`{key}` can't be judged in {check}")),
    }
}

/// Whether a check holds.
pub(super) fn judge(world: &World<'_>, check: &Value) -> Judged {
    understood(check)?;
    let held = if let Some(all) = check["all_of"].as_array() {
        all.iter().try_for_each(|check| judge(world, check))
    } else if let Some(any) = check["any_of"].as_array() {
        any_of(world, any)
    } else if check.get("call").is_some() {
        call(world, check)
    } else if let Some(part) = text(check, "error_contains") {
        error(world, check, part)
    } else if check.get("retried").is_some() {
        last_pass(world, check)
    } else if check.get("event").is_some() {
        event(world, check)
    } else if check.get("objects").is_some() {
        objects(world, check)
    } else if check.get("same").is_some() || check.get("different").is_some() {
        same(world, check)
    } else if check.get("placementPolicies").is_some() {
        placement(world, check)
    } else if let Some((name, object)) = subject(world, check) {
        if check.get("condition").is_some() { condition(&name, object, check) } else { value(world, &name, object, check) }
    } else {
        unknown(format!("this check can't be judged: {check}"))
    };
    held.map_err(|failed| match (failed, text(check, "note")) {
        (Failed::No(why), Some(note)) => Failed::No(format!("{why} ({note})")),
        (failed, _) => failed,
    })
}

fn any_of(world: &World<'_>, checks: &[Value]) -> Judged {
    let (mut whys, mut unjudged) = (Vec::new(), Ok(()));
    for check in checks {
        match judge(world, check) {
            Ok(()) => return Ok(()),
            Err(Failed::No(why)) => whys.push(why),
            Err(unknown) => unjudged = Err(unknown),
        }
    }
    unjudged.and_then(|()| no(format!("none of: {}", whys.join("; "))))
}

/// What a check looks at: its name, and the object if it is there.
fn subject<'a>(world: &World<'a>, check: &Value) -> Option<(String, Option<&'a Value>)> {
    let (reference, object) = if let Some(reference) = text(check, "object") {
        (reference, world.object(reference))
    } else if let Some(which) = text(check, "vsphereVM") {
        (which, world.vm(which))
    } else {
        let reference = text(check, "vsphere")?;
        (reference, world.inventory(reference))
    };
    Some((reference.to_owned(), object))
}

fn condition(name: &str, object: Option<&Value>, check: &Value) -> Judged {
    let wanted = text(check, "condition").unwrap_or_default();
    let Some(object) = object else { return no(format!("{name} isn't there")) };
    let found = object["status"]["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == wanted);
    if check["exists"] == false {
        return found.map_or(Ok(()), |found| no(format!("{name} has the condition {found}")));
    }
    let Some(found) = found else {
        if check.get("not_status").is_some() {
            return Ok(());
        }
        return no(format!("{name} has no condition {wanted}"));
    };
    for key in ["status", "reason", "message"] {
        if let Some(wanted) = text(check, key)
            && found[key].as_str().unwrap_or_default() != wanted
        {
            return no(format!("{name}: {key} of {found} isn't `{wanted}`"));
        }
    }
    if let Some(status) = text(check, "not_status")
        && found["status"] == status
    {
        return no(format!("{name}: the status of {found} is `{status}`"));
    }
    let message = found["message"].as_str().unwrap_or_default();
    match texts(&check["message_contains"]).into_iter().find(|part| !message.contains(part)) {
        Some(part) => no(format!("{name}: `{part}` isn't in the message of {found}")),
        None => Ok(()),
    }
}

fn value(world: &World<'_>, name: &str, object: Option<&Value>, check: &Value) -> Judged {
    let Some(path) = text(check, "path") else {
        return match (check["exists"].as_bool(), object) {
            (Some(true), None) => no(format!("{name} isn't there")),
            (Some(false), Some(_)) => no(format!("{name} is there")),
            (Some(_), _) => Ok(()),
            (None, _) => unknown(format!("this check says nothing: {check}")),
        };
    };
    let Some(object) = object else {
        // What isn't there has nothing at any path.
        let asks_for_nothing = check["exists"] == false || check["empty"] == true || check["length"] == 0;
        return if asks_for_nothing { Ok(()) } else { no(format!("{name} isn't there")) };
    };
    let found = follow(object, path)?;
    operators(world, &format!("{name} {path}"), &found, check)?;
    if let Some(at) = text(check, "unchanged_since") {
        let at: Span = at.parse().map_err(|_| Failed::Unknown(format!("`{at}` is no duration")))?;
        let before = world.object_at(name, at).map(|object| follow(&object, path)).transpose()?.and_then(Found::value);
        let after = found.value();
        if before != after {
            return no(format!("{name} {path} was {} at {at}, and is {}", show(before.as_ref()), show(after.as_ref())));
        }
    }
    Ok(())
}

fn follow(object: &Value, path: &str) -> Result<Found, Failed> {
    paths::at(object, path).map_err(Failed::Unknown)
}

fn show(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

/// All operators that a check carries hold of what a path leads to.
fn operators(world: &World<'_>, name: &str, found: &Found, check: &Value) -> Judged {
    const KNOWN: [&str; 13] = [
        "equals",
        "not_equals",
        "one_of",
        "contains",
        "lacks",
        "mentions",
        "matches",
        "length",
        "at_least",
        "exists",
        "empty",
        "in",
        "unchanged_since",
    ];
    if !KNOWN.iter().any(|operator| check.get(*operator).is_some()) {
        return unknown(format!("no operator in {check}"));
    }
    let value = found.clone().value();
    let here = value.clone().unwrap_or_default();
    let no = |what: &str| no(format!("{name} is {}, {what}", show(value.as_ref())));
    let is_reference = ["host", "resourcePool", "parent", "pool", "folder"].iter().any(|end| name.ends_with(end));
    let same = |a: &Value, b: &Value| match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) if is_reference && world.same_reference(a, b) => true,
        _ => equal(a, b),
    };
    if let Some(wanted) = check.get("equals") {
        let holds = match text(check, "within") {
            Some(within) => near(&here, wanted, within)?,
            None if check["any_order"] == true => equal_in_any_order(&here, wanted),
            None => same(&here, wanted) || (is_nothing(wanted) && is_nothing(&here)),
        };
        if !holds {
            return no(&format!("not {wanted}"));
        }
    }
    if let Some(unwanted) = check.get("not_equals")
        && same(&here, unwanted)
    {
        return no("which it isn't to be");
    }
    if let Some(choice) = check["one_of"].as_array()
        && !choice.iter().any(|wanted| same(&here, wanted))
    {
        return no(&format!("none of {}", check["one_of"]));
    }
    if let Some(part) = check.get("contains")
        && !contains(&here, part)
    {
        return no(&format!("which doesn't contain {part}"));
    }
    if let Some(part) = check.get("lacks")
        && contains(&here, part)
    {
        return no(&format!("which contains {part}"));
    }
    if let Some(part) = check.get("mentions")
        && !mentions(&here, part.as_str().unwrap_or(&part.to_string()))
    {
        return no(&format!("which doesn't mention {part}"));
    }
    if let Some(pattern) = text(check, "matches")
        && !matches(pattern, here.as_str().unwrap_or(&here.to_string())).map_err(Failed::Unknown)?
    {
        return no(&format!("which {pattern} doesn't match"));
    }
    if let Some(length) = check.get("length")
        && !counts(found.length(), length)?
    {
        return no(&format!("{} long, not {length}", found.length()));
    }
    if let Some(least) = check.get("at_least") {
        let enough = match (amount(&here), amount(least)) {
            (Some(here), Some(least)) => here >= least,
            (None, Some(_)) => false,
            (_, None) => return unknown(format!("{least} is no amount")),
        };
        if !enough {
            return no(&format!("less than {least}"));
        }
    }
    if let Some(wanted) = check["exists"].as_bool()
        && is_nothing(&here) == wanted
    {
        return no(if wanted { "and is to be there" } else { "and isn't to be there" });
    }
    if let Some(wanted) = check["empty"].as_bool()
        && is_nothing(&here) != wanted
    {
        return no(if wanted { "and is to be empty" } else { "and isn't to be empty" });
    }
    if let Some(list) = check.get("in") {
        let (owner, object) = subject(world, list).ok_or_else(|| Failed::Unknown(format!("{list} names no object")))?;
        let list = object.map(|object| follow(object, text(list, "path").unwrap_or_default())).transpose()?.and_then(Found::value);
        let is_in = list.as_ref().and_then(Value::as_array).is_some_and(|items| {
            items.iter().any(|item| equal(item, &here) || item.as_str().zip(here.as_str()).is_some_and(|(a, b)| world.same_reference(a, b)))
        });
        if !is_in {
            return no(&format!("none of {} of {owner}", show(list.as_ref())));
        }
    }
    Ok(())
}

fn near(here: &Value, wanted: &Value, within: &str) -> Result<bool, Failed> {
    let within: Span = within.parse().map_err(|_| Failed::Unknown(format!("`{within}` is no duration")))?;
    let wanted = instant(wanted).ok_or_else(|| Failed::Unknown(format!("{wanted} is no instant")))?;
    Ok(instant(here).is_some_and(|here| here <= wanted + within && wanted <= here + within))
}

/// `N` or `">=N"`.
fn counts(found: usize, wanted: &Value) -> Result<bool, Failed> {
    let bad = || Failed::Unknown(format!("{wanted} is no count"));
    if let Some(exact) = wanted.as_u64() {
        return Ok(found as u64 == exact);
    }
    let text = wanted.as_str().ok_or_else(bad)?;
    match text.strip_prefix(">=") {
        Some(least) => Ok(found as u64 >= least.trim().parse().map_err(|_| bad())?),
        None => Ok(found as u64 == text.parse::<u64>().map_err(|_| bad())?),
    }
}

/// The API's methods behind a name.
fn methods(name: &Value) -> Vec<String> {
    let group = |name: &str| -> Vec<String> {
        let all: &[&str] = match name {
            "create" => &["CreateVM_Task", "CloneVM_Task", "deployLibraryItem"],
            "power" => &["PowerOnVM_Task", "PowerOffVM_Task", "SuspendVM_Task", "ResetVM_Task"],
            "guest" => &["ShutdownGuest", "StandbyGuest", "RebootGuest"],
            "place" => &["PlaceVm", "PlaceVmsXCluster"],
            _ => return vec![name.to_owned()],
        };
        all.iter().map(|name| (*name).to_owned()).collect()
    };
    texts(name).into_iter().flat_map(group).collect()
}

fn matching<'a>(world: &World<'a>, check: &Value, methods: &[String]) -> Result<Vec<Call<'a>>, Failed> {
    let after = match text(check, "after") {
        Some(after) => Some(after.parse::<Span>().map_err(|_| Failed::Unknown(format!("`{after}` is no duration")))?),
        None => None,
    };
    let mut found = Vec::new();
    for call in world.calls() {
        let method = call.record.operation.unwrap_or_default();
        let wanted = methods.iter().any(|wanted| wanted == method)
            && text(check, "vm").is_none_or(|vm| world.is_about(&call, vm))
            && match text(check, "result") {
                None => true,
                Some("success") => call.succeeded == Some(true),
                Some("error") => call.succeeded == Some(false),
                Some(other) => return unknown(format!("a call doesn't end in `{other}`")),
            }
            && after.is_none_or(|after| call.record.elapsed >= after)
            && check.get("data").is_none_or(|part| holds(&call.data, part))
            && check.get("somewhere").is_none_or(|part| somewhere(&call.data, part))
            && check.get("has").is_none_or(|keys| texts(keys).into_iter().any(|key| has(&call.data, key)))
            // With a path it is that path's operator.
            && (check.get("path").is_some() || text(check, "mentions").is_none_or(|part| mentions(&call.data, part)));
        if !wanted {
            continue;
        }
        if let Some(path) = text(check, "path") {
            match operators(world, path, &follow(&call.data, path)?, check) {
                Ok(()) => {}
                Err(Failed::No(_)) => continue,
                Err(unknown) => return Err(unknown),
            }
        }
        found.push(call);
    }
    Ok(found)
}

fn call(world: &World<'_>, check: &Value) -> Judged {
    let names = methods(&check["call"]);
    let found = matching(world, check, &names)?;
    if let Some(second) = check.get("before") {
        let only_vm = json!({"vm": check["vm"]});
        let later = matching(world, &only_vm, &methods(second))?;
        return match (found.first(), later.first()) {
            (Some(first), Some(second)) if first.record.seq < second.record.seq => Ok(()),
            (None, _) | (_, None) => no(format!("{names:?} and {second} weren't both called")),
            _ => no(format!("{second} was called before {names:?}")),
        };
    }
    let wanted = check.get("count").cloned().unwrap_or_else(|| json!(">=1"));
    if counts(found.len(), &wanted)? { Ok(()) } else { no(format!("{} was called {} times, not {wanted}", names.join("|"), found.len())) }
}

fn error(world: &World<'_>, check: &Value, part: &str) -> Judged {
    let found: Vec<bool> =
        world.errors(text(check, "object")).filter(|(error, _)| error.contains(part)).map(|(_, retried)| retried).collect();
    let wanted = check.get("count").cloned().unwrap_or_else(|| json!(">=1"));
    if !counts(found.len(), &wanted)? {
        let told: std::collections::BTreeSet<String> = world.errors(text(check, "object")).map(|(error, _)| error).collect();
        return no(format!("{} passes ended in an error with `{part}`, not {wanted}; errors: {told:?}", found.len()));
    }
    match check["retried"].as_bool() {
        Some(wanted) if found.contains(&!wanted) => no(format!("the error `{part}` is {}tried again", if wanted { "not " } else { "" })),
        _ => Ok(()),
    }
}

/// Whether the last pass of an object is followed by another of itself.
fn last_pass(world: &World<'_>, check: &Value) -> Judged {
    let object = text(check, "object").unwrap_or_default();
    match (world.passes(Some(object)).last(), check["retried"].as_bool()) {
        (None, _) => no(format!("{object} was never worked on")),
        (Some(_), None) => unknown(format!("{check}: true or false?")),
        (Some(passed), Some(wanted)) if looks_again(passed) == wanted => Ok(()),
        (Some(passed), Some(_)) => no(format!("the last pass of {object} ended with: {}", passed.verdict)),
    }
}

fn event(world: &World<'_>, check: &Value) -> Judged {
    let wanted = &check["event"];
    if let Some((key, _)) =
        wanted.as_object().into_iter().flatten().find(|(key, _)| !["message_contains", "object", "reason", "type"].contains(&key.as_str()))
    {
        return unknown(format!("`{key}` of an event can't be judged"));
    }
    let all: Vec<(String, String, bool)> = world.events(text(wanted, "object")).collect();
    let fits = |(reason, message, warning): &&(String, String, bool)| {
        text(wanted, "reason").is_none_or(|wanted| wanted == reason)
            && text(wanted, "type").is_none_or(|wanted| (wanted == "Warning") == *warning)
            && texts(&wanted["message_contains"]).into_iter().all(|part| message.contains(part))
    };
    let found = all.iter().filter(fits).count();
    let count = check.get("count").cloned().unwrap_or_else(|| json!(">=1"));
    if counts(found, &count)? {
        return Ok(());
    }
    let told: std::collections::BTreeSet<&String> = all.iter().map(|(reason, ..)| reason).collect();
    no(format!("the event {wanted} was told {found} times, not {count}; told: {told:?}"))
}

fn objects(world: &World<'_>, check: &Value) -> Judged {
    let reference = text(check, "objects").unwrap_or_default();
    let (kind, namespace) = reference.split_once('/').map_or((reference, None), |(kind, namespace)| (kind, Some(namespace)));
    let mut found = 0;
    for object in world.of_kind(kind) {
        let mut fits = namespace.is_none_or(|namespace| object["metadata"]["namespace"] == namespace);
        for (path, wanted) in check["where"].as_object().into_iter().flatten() {
            fits = fits && equal(&follow(object, path)?.value().unwrap_or_default(), wanted);
        }
        found += usize::from(fits);
    }
    let count = check.get("count").cloned().unwrap_or_else(|| json!(">=1"));
    if counts(found, &count)? { Ok(()) } else { no(format!("{found} objects {reference} are so, not {count}")) }
}

fn same(world: &World<'_>, check: &Value) -> Judged {
    let (all, alike) = match check["same"].as_array() {
        Some(all) => (all, true),
        None => (check["different"].as_array().ok_or_else(|| Failed::Unknown(check.to_string()))?, false),
    };
    let mut values = Vec::new();
    for one in all {
        let (name, object) = subject(world, one).ok_or_else(|| Failed::Unknown(format!("{one} names no object")))?;
        let path = text(one, "path").unwrap_or_default();
        let Some(value) = object.map(|object| follow(object, path)).transpose()?.and_then(Found::value) else {
            return no(format!("{name} {path} isn't there"));
        };
        values.push(converted(value, text(one, "as"))?);
    }
    let equal = |a: &Value, b: &Value| equal(a, b) || a.as_str().zip(b.as_str()).is_some_and(|(a, b)| world.same_reference(a, b));
    let pairs = (0..values.len()).flat_map(|a| (a + 1..values.len()).map(move |b| (a, b)));
    match pairs.into_iter().find(|(a, b)| equal(&values[*a], &values[*b]) != alike) {
        None => Ok(()),
        Some((a, b)) => no(format!("{} and {} are {}", values[a], values[b], if alike { "different" } else { "the same" })),
    }
}

/// An instant as the text or number that another field holds.
fn converted(value: Value, to: Option<&str>) -> Result<Value, Failed> {
    let Some(to) = to else { return Ok(value) };
    let at: Timestamp = instant(&value).ok_or_else(|| Failed::Unknown(format!("{value} is no instant")))?;
    match to {
        "unixNano" => Ok(at.as_nanos().to_string().into()),
        "seconds" => Ok((at.as_nanos() / 1_000_000_000).to_string().into()),
        other => unknown(format!("no conversion `{other}`")),
    }
}

/// The ConfigSpec with which a VM is placed or created: its placement policies and tags.
fn placement(world: &World<'_>, check: &Value) -> Judged {
    let vm = text(check, "placementPolicies").unwrap_or_default();
    let name = vm.rsplit('/').next().unwrap_or_default();
    let methods = methods(&json!(if text(check, "request") == Some("create") { "create" } else { "place" }));
    let calls = world.calls();
    let specs = calls.iter().rev().filter(|call| methods.iter().any(|method| Some(method.as_str()) == call.record.operation));
    let spec = specs.filter_map(|call| config_spec(&call.data, name)).next();
    let Some(spec) = spec else { return no(format!("no {} of {vm}", text(check, "request").unwrap_or("placement"))) };
    let policies: Vec<Value> = spec["vmPlacementPolicies"].as_array().into_iter().flatten().map(policy).collect();
    if let Some(wanted) = check.get("equals")
        && !equal_in_any_order(&Value::from(policies.clone()), &normal(wanted))
    {
        return no(format!("the placement policies of {vm} are {}, not {wanted}", Value::from(policies)));
    }
    let added = || spec["tagSpecs"].as_array().into_iter().flatten().filter(|tag| tag["operation"] == "add").map(|tag| &tag["id"]);
    let names: Vec<Value> = added().filter_map(|id| id["nameId"].get("tag")).cloned().collect();
    let uuids: Vec<Value> = added().filter_map(|id| id.get("uuid")).cloned().collect();
    if let Some(wanted) = check.get("tagsAdded")
        && !equal_in_any_order(&names.clone().into(), wanted)
    {
        return no(format!("{vm} gets the tags {}, not {wanted}", Value::from(names)));
    }
    if let Some(missing) = check["tagUUIDsAdded"].as_array().into_iter().flatten().find(|uuid| !uuids.contains(uuid)) {
        return no(format!("{vm} gets the tags {}, and not {missing}", Value::from(uuids)));
    }
    if let Some(category) = text(check, "tagCategory") {
        let mut ids = added().chain(spec["vmPlacementPolicies"].as_array().into_iter().flatten()).flat_map(categories);
        if let Some(other) = ids.find(|there| there != category) {
            return no(format!("a tag of {vm} is in the category {other}, not {category}"));
        }
    }
    Ok(())
}

/// The ConfigSpec of a VM in the arguments of a call, by its name.
fn config_spec<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => {
            let is_spec = fields.get("name").is_some_and(|there| there == name)
                && ["numCPUs", "memoryMB", "extraConfig", "deviceChange", "vmProfile", "vmPlacementPolicies"]
                    .iter()
                    .any(|key| fields.contains_key(*key));
            if is_spec { Some(value) } else { fields.values().find_map(|value| config_spec(value, name)) }
        }
        Value::Array(items) => items.iter().find_map(|value| config_spec(value, name)),
        _ => None,
    }
}

/// A policy of the API as the cases write it.
fn policy(policy: &Value) -> Value {
    let mut tags = Vec::new();
    tags_of(policy, &mut tags);
    let strictness = policy["policyStrictness"].as_str().unwrap_or_default();
    let topology = policy["policyTopology"].as_str().unwrap_or_default();
    let mut kind = policy["_typeName"].as_str().unwrap_or_default();
    kind = kind.strip_prefix("VmPlacementPolicy").filter(|rest| !rest.is_empty()).unwrap_or(kind);
    normal(&json!({"type": kind, "topology": topology, "strictness": strictness, "tags": tags}))
}

/// The tags in one order, so that two policies compare.
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => {
            let mut fields = fields.clone();
            if let Some(Value::Array(tags)) = fields.get_mut("tags") {
                tags.sort_by_key(ToString::to_string);
            }
            fields.into()
        }
        other => other.clone(),
    }
}

fn tags_of(value: &Value, tags: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => {
            tags.extend(fields.get("nameId").and_then(|id| id.get("tag")).cloned());
            fields.values().for_each(|value| tags_of(value, tags));
        }
        Value::Array(items) => items.iter().for_each(|value| tags_of(value, tags)),
        _ => {}
    }
}

fn categories(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("category").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(categories)).collect()
        }
        Value::Array(items) => items.iter().flat_map(categories).collect(),
        _ => Vec::new(),
    }
}
