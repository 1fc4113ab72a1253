//! `kind: ExploreProfile`: what worlds, users, changes and faults `explore` draws, and how often. Source: reproduce §3.1.
//!
//! The table of fields below is the schema, the defaults and the list of names, all in one. A profile says where it differs from
//! its base.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use vmtwin_model::digest;
use vmtwin_model::time::Span;

use super::files::{Disk, Files, Memory, Root};
use super::session::{Session, is_kind};
use super::shape::shorten;
use super::sink::Sink;
use crate::diagnostics::{Code, Diagnostic, Region};
use crate::yaml::{Limits, Node};

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// A number from the first to the second, a range, or weights of numbers.
    Count(u64, u64),
    /// A duration, a range, or weights of durations; `none` is none.
    Time,
    /// A share in per cent up to this one, or a range.
    Share(u64),
    /// Weights of the names that the default has.
    Weights,
    /// Shares of feature gates, by their names.
    Gates,
}

/// The fields of a profile with their defaults, in the page's order.
const FIELDS: &[(&str, Takes, &str)] = &[
    ("horizon", Takes::Time, "6h"),
    ("world.zones", Takes::Count(1, 16), "1..3"),
    ("world.clustersPerZone", Takes::Count(1, 8), "1..2"),
    ("world.hostsPerCluster", Takes::Count(1, 64), "1..4"),
    ("world.datastores", Takes::Count(1, 16), "1..3"),
    ("world.networks", Takes::Count(1, 8), "1..2"),
    ("world.namespaces", Takes::Count(1, 8), "1..2"),
    ("world.classes", Takes::Count(1, 16), "1..4"),
    ("world.images", Takes::Count(1, 16), "1..3"),
    ("world.storagePolicies", Takes::Count(1, 8), "1..2"),
    ("world.keyProviders", Takes::Count(0, 8), "0..2"),
    ("world.existingVMs", Takes::Count(0, 64), "0..4"),
    ("world.groups", Takes::Count(0, 16), "0..3"),
    ("world.depth", Takes::Count(1, 8), "1..3"),
    ("world.affinity", Takes::Share(100), "40%"),
    ("world.rules", Takes::Count(0, 16), "0..2"),
    ("world.pools", Takes::Count(0, 8), "0..2"),
    ("world.tightness", Takes::Share(1000), "20%..110%"),
    ("world.quota", Takes::Weights, "none 5 tight 3 ample 2"),
    ("world.drs", Takes::Weights, "fullyAutomated 6 manual 1 off 1"),
    ("world.ha", Takes::Weights, "off 1 percentage 2 slots 1 failoverHosts 1"),
    ("world.guests", Takes::Weights, "cooperative 6 slow 2 hangs 1 noTools 1"),
    ("world.timings", Takes::Weights, "typical 3 instant 1 heavyTail 1"),
    ("users.steps", Takes::Count(0, 10_000), "5..40"),
    ("users.gap", Takes::Time, "0s..10m"),
    ("users.burst", Takes::Share(100), "20%"),
    ("users.invalid", Takes::Share(100), "5%"),
    ("users.as", Takes::Weights, "devops 9 privileged 1"),
    (
        "users.operations",
        Takes::Weights,
        "createVM 8 deleteVM 3 setPower 10 restart 3 setModes 2 setClass 3 editClass 1 addCheck 2 removeCheck 2 pause 1 setLabel 2 createGroup 2 \
         editGroup 3 setGroupPower 4 joinGroup 3 leaveGroup 2 deleteGroup 1 forceSync 1 setCrypto 3 addVolume 3 removeVolume 2 growBootDisk 1 \
         snapshot 0 editQuota 1 setCdrom 1",
    ),
    ("outOfBand.events", Takes::Count(0, 1_000), "0..6"),
    (
        "outOfBand.kinds",
        Takes::Weights,
        "powerOff 3 powerOn 2 suspend 1 reset 1 guestShutdown 2 guestCrash 1 toolsStop 1 migrate 2 reconfigure 1 relocate 1 destroy 1 \
         fillDatastore 1 removeKey 1 editRule 1",
    ),
    ("faults.count", Takes::Count(0, 1_000), "0..5"),
    ("faults.lasting", Takes::Time, "10s..30m"),
    (
        "faults.kinds",
        Takes::Weights,
        "taskFault 5 slow 3 loseCall 2 loseAnswer 3 hostFail 2 hostDisconnect 1 maintenance 2 zoneFail 1 datastoreInaccessible 1 \
         keyProviderDown 1 ipExhausted 1 vcenterDown 2 late 3 unseen 2 old 2 conflict 2 apiDown 1 crash 4 pause 1",
    ),
    ("operator.resyncPeriod", Takes::Time, "none 3 30m 1"),
    ("swarm.omit", Takes::Share(100), "50%"),
    ("swarm.whole", Takes::Share(100), "10%"),
    ("features", Takes::Gates, "VMSnapshots 10 StrictBootOrder 10 VMSharedDisks 10"),
    ("invariants.settleWithin", Takes::Time, "2h"),
    ("invariants.forkChecks", Takes::Share(100), "10%"),
];

/// The built-in profiles: their names, and where each differs from the default.
const BUILT_IN: &[(&str, &str)] = &[
    ("default", ""),
    (
        "power",
        "world: {zones: 1, clustersPerZone: 1, hostsPerCluster: 1, datastores: 1, networks: 1, namespaces: 1, classes: 2, images: 1, \
         storagePolicies: 1, keyProviders: 0, existingVMs: 0, groups: 0, affinity: 0%, rules: 0, pools: 0, tightness: 20%, quota: {tight: 0, ample: 0}, \
         drs: {manual: 0, off: 0}, ha: {percentage: 0, slots: 0, failoverHosts: 0}, guests: {cooperative: 2, slow: 1, hangs: 1, noTools: 1}}\n\
         users: {steps: 4..16, operations: {createVM: 4, createGroup: 0, editGroup: 0, setGroupPower: 0, joinGroup: 0, leaveGroup: 0, deleteGroup: 0, \
         forceSync: 0, setCrypto: 0, addVolume: 0, removeVolume: 0, growBootDisk: 0, editQuota: 0, setCdrom: 0, restart: 6, editClass: 2}}\n\
         outOfBand: {events: 0..3, kinds: {fillDatastore: 0, removeKey: 0, editRule: 0, relocate: 0, migrate: 0}}\n\
         faults: {count: 0..3, kinds: {crash: 8, hostFail: 0, hostDisconnect: 0, maintenance: 0, zoneFail: 0, datastoreInaccessible: 0, \
         keyProviderDown: 0, ipExhausted: 0}}",
    ),
    (
        "placement",
        "world: {zones: 3, clustersPerZone: 1, tightness: 60%..110%, affinity: 80%, rules: 1..3, keyProviders: 0, groups: 1..3}\n\
         users: {operations: {createVM: 14, createGroup: 4, joinGroup: 4, setCrypto: 0, addVolume: 1, removeVolume: 0, growBootDisk: 0, setCdrom: 0, \
         restart: 1}}\n\
         faults: {kinds: {hostFail: 5, maintenance: 5, zoneFail: 3, hostDisconnect: 3, keyProviderDown: 0}}",
    ),
    (
        "groups",
        "world: {groups: 2..4, depth: 2..4, keyProviders: 0, affinity: 20%}\n\
         users: {operations: {createGroup: 4, editGroup: 6, setGroupPower: 9, joinGroup: 7, leaveGroup: 5, deleteGroup: 2, forceSync: 5, setCrypto: 0, \
         addVolume: 0, removeVolume: 0, growBootDisk: 0, setCdrom: 0, editQuota: 0}}",
    ),
    (
        "crypto",
        "world: {keyProviders: 1..3, groups: 0, affinity: 0%, rules: 0}\n\
         users: {operations: {setCrypto: 30, createVM: 10, createGroup: 0, editGroup: 0, setGroupPower: 0, joinGroup: 0, leaveGroup: 0, deleteGroup: 0, \
         forceSync: 0, restart: 1, setCdrom: 0}}\n\
         outOfBand: {kinds: {removeKey: 6}}\n\
         faults: {kinds: {keyProviderDown: 5}}",
    ),
    (
        "storage",
        "world: {quota: {none: 1, tight: 6, ample: 2}, keyProviders: 0, groups: 0, affinity: 0%, rules: 0}\n\
         users: {operations: {createVM: 12, addVolume: 10, removeVolume: 6, growBootDisk: 6, editQuota: 4, createGroup: 0, editGroup: 0, \
         setGroupPower: 0, joinGroup: 0, leaveGroup: 0, deleteGroup: 0, forceSync: 0, setCrypto: 0, restart: 1}, burst: 40%}\n\
         outOfBand: {kinds: {fillDatastore: 6}}\n\
         faults: {kinds: {datastoreInaccessible: 4, keyProviderDown: 0}}",
    ),
    ("chaos", "users: {steps: 40..120}\nfaults: {count: 5..15}"),
];

/// A value of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Evenly from the first up to the last; shares in per cent, durations in nanoseconds.
    Range(u64, u64),
    /// One of these, by weight.
    Weights(Vec<(String, u64)>),
}

/// A profile, complete: nothing is left to its base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    settings: BTreeMap<&'static str, Setting>,
    /// The invariants that are watched alone.
    pub only: Vec<String>,
    /// The invariants that aren't watched.
    pub disable: Vec<String>,
}

impl Profile {
    /// The names of the built-in profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A built-in profile.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        static ALL: LazyLock<Vec<Profile>> = LazyLock::new(|| BUILT_IN.iter().map(|(name, spec)| built_in(name, spec)).collect());
        ALL.iter().find(|profile| profile.name == name).cloned()
    }

    /// A profile with another value of a field, written as in the file.
    ///
    /// # Errors
    /// If there is no such field, or the value isn't one of it; in words.
    pub fn with(&self, field: &str, value: &str) -> Result<Self, String> {
        let mut nested = value.to_owned();
        for part in field.rsplit('.') {
            nested = format!("{{{part}: {nested}}}");
        }
        let text = format!("apiVersion: {}\nkind: ExploreProfile\nmetadata: {{name: {}}}\nspec: {nested}", super::API_VERSION, self.name);
        read_bytes(Path::new("profile"), text.as_bytes(), &Memory::default(), Some(self))
            .map_err(|told| told.first().map(|diagnostic| diagnostic.message.clone()).unwrap_or_default())
    }

    /// The value of a field, `world.zones`.
    #[must_use]
    pub fn setting(&self, field: &str) -> &Setting {
        self.settings.get(field).expect("explore asks for fields of the table alone")
    }

    /// The names of a field of weights; nothing if it is none, or no field at all.
    #[must_use]
    pub fn weights(&self, field: &str) -> Option<&[(String, u64)]> {
        match self.settings.get(field)? {
            Setting::Weights(weights) => Some(weights),
            Setting::Range(..) => None,
        }
    }

    /// What tells this profile from any other.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut bytes = Vec::new();
        let settings: Vec<String> = self.settings.iter().map(|(field, setting)| format!("{field} {setting:?}")).collect();
        digest::append(&mut bytes, &(&self.name, settings, &self.only, &self.disable));
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes))
    }
}

fn built_in(name: &str, spec: &str) -> Profile {
    let spec: String = spec.lines().map(|line| format!("  {}\n", line.trim())).collect();
    let spec = if spec.trim().is_empty() { "spec: {}".to_owned() } else { format!("spec:\n{spec}") };
    let text = format!("apiVersion: {}\nkind: ExploreProfile\nmetadata: {{name: {name}}}\n{spec}", super::API_VERSION);
    match read_bytes(Path::new(name), text.as_bytes(), &Memory::default(), Some(&default())) {
        Ok(profile) => profile,
        Err(told) => unreachable!("profile {name} is one of ours: {:?}", told.first().map(|diagnostic| &diagnostic.message)),
    }
}

/// The default's values, read from the table.
fn default() -> Profile {
    let setting = |takes: Takes, text: &str| match takes {
        Takes::Weights | Takes::Gates => weights(text),
        Takes::Time if text.contains(' ') => weights(text),
        _ => range(takes, text).expect("the table's defaults are values"),
    };
    let settings = FIELDS.iter().map(|(field, takes, text)| (*field, setting(*takes, text))).collect();
    Profile { name: "default".to_owned(), settings, only: Vec::new(), disable: Vec::new() }
}

fn weights(text: &str) -> Setting {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].parse().expect("the table's weights are numbers")));
    Setting::Weights(pairs.collect())
}

/// Reads a profile file.
///
/// # Errors
/// All that is wrong with it.
pub fn load(path: &Path, root: &Root) -> Result<Profile, Vec<Diagnostic>> {
    let disk = Disk::new(root.clone());
    match disk.read(path) {
        Ok(bytes) => read_bytes(path, &bytes, &disk, None),
        Err(error) => Err(vec![super::session::unreadable(path, &error)]),
    }
}

/// Reads a profile that is at hand, over `base` unless it names one.
fn read_bytes(name: &Path, bytes: &[u8], files: &dyn Files, base: Option<&Profile>) -> Result<Profile, Vec<Diagnostic>> {
    let mut session = Session::new(files, &Limits::default());
    let documents = session.take(name, bytes).map(|read| read.documents.clone()).unwrap_or_default();
    let document = documents.iter().find(|document| is_kind(document, "ExploreProfile"));
    let mut profile = None;
    if let Some(document) = document {
        profile = Some(read(&mut session.sink, document, base));
    } else if session.sink.errors() == 0 {
        let region = documents.first().map_or(Region::default(), |document| document.region);
        let help = format!("a profile begins with `apiVersion: {}` and `kind: ExploreProfile`", super::API_VERSION);
        session.sink.tell_help(Code::NoScenario, region, "the file holds no ExploreProfile", Some(help));
    }
    match profile {
        Some(profile) if session.sink.errors() == 0 => Ok(profile),
        _ => Err(session.sink.finish()),
    }
}

fn read(sink: &mut Sink, document: &Node, base: Option<&Profile>) -> Profile {
    known(sink, document, &["apiVersion", "kind", "metadata", "spec"], "a profile");
    let name = document.get("metadata").and_then(|metadata| metadata.get("name")?.as_str()).unwrap_or_default().to_owned();
    if name.is_empty() {
        sink.tell(Code::MissingField, document.region, "a profile lacks `metadata.name`");
    }
    let empty = Node::new(document.region, crate::yaml::Data::Null);
    let spec = document.get("spec").unwrap_or(&empty);
    let mut profile = base.cloned().unwrap_or_else(default);
    if let Some(named) = spec.get("base") {
        let word = named.as_str().unwrap_or_default();
        match Profile::built_in(word) {
            Some(base) => profile = base,
            None => {
                let help = sink.near(word, Profile::names());
                sink.tell_help(Code::UnknownWord, named.region, format!("no built-in profile is named `{}`", shorten(word)), help);
            }
        }
    }
    profile.name = name;
    if let Some(from) = spec.get("from").filter(|from| !from.is_null()) {
        sink.tell(Code::NotSupported, from.region, "starting from a scenario (`from`) is not supported yet");
    }
    section(sink, spec, "", &mut profile);
    profile
}

/// Reads the fields below a prefix.
fn section(sink: &mut Sink, node: &Node, prefix: &str, profile: &mut Profile) {
    if !matches!(node.data, crate::yaml::Data::Mapping(_) | crate::yaml::Data::Null) {
        sink.tell(Code::WrongType, node.region, format!("`{prefix}` takes a mapping, found {}", node.sort()));
        return;
    }
    let here: Vec<&str> = FIELDS.iter().filter_map(|(field, ..)| field.strip_prefix(prefix)?.split('.').next()).collect();
    for entry in node.entries() {
        let path = format!("{prefix}{}", entry.key);
        if let Some((field, takes, _)) = FIELDS.iter().find(|(field, ..)| *field == path) {
            if let Some(setting) = value(sink, &entry.value, field, *takes, &profile.settings[field]) {
                profile.settings.insert(field, setting);
            }
        } else if here.contains(&&*entry.key) {
            section(sink, &entry.value, &format!("{path}."), profile);
        } else if prefix == "invariants." && matches!(&*entry.key, "only" | "disable") {
            let names = invariants(sink, &entry.value);
            if &*entry.key == "only" { profile.only = names } else { profile.disable = names }
        } else if !(prefix.is_empty() && matches!(&*entry.key, "base" | "from")) {
            let help = sink.near(&entry.key, here.iter().copied());
            sink.tell_help(Code::UnknownField, entry.key_region, format!("unknown field `{}`", shorten(&path)), help);
        }
    }
}

fn known(sink: &mut Sink, node: &Node, names: &[&str], what: &str) {
    for entry in node.entries().iter().filter(|entry| !names.contains(&&*entry.key)) {
        let help = sink.near(&entry.key, names.iter().copied());
        sink.tell_help(Code::UnknownField, entry.key_region, format!("unknown field `{}` of {what}", shorten(&entry.key)), help);
    }
}

fn invariants(sink: &mut Sink, node: &Node) -> Vec<String> {
    let mut names = Vec::new();
    for item in node.items() {
        let name = item.as_str().unwrap_or_default();
        if super::INVARIANTS.contains(&name) {
            names.push(name.to_owned());
        } else {
            let help = sink.near(name, super::INVARIANTS.iter().copied());
            sink.tell_help(Code::UnknownInvariant, item.region, format!("no invariant is named `{}`", shorten(name)), help);
        }
    }
    names
}

/// Reads a field's value.
fn value(sink: &mut Sink, node: &Node, field: &str, takes: Takes, base: &Setting) -> Option<Setting> {
    if !node.entries().is_empty() {
        return weighted(sink, node, field, takes, base);
    }
    let text = scalar(node)?;
    match (takes, range(takes, &text)) {
        (Takes::Weights | Takes::Gates, _) => {
            sink.tell(Code::WrongType, node.region, format!("`{field}` takes weights by name, `{{NAME: WEIGHT}}`"));
            None
        }
        (_, Ok(setting)) => Some(setting),
        (_, Err(wrong)) => {
            let code = if matches!(wrong, Wrong::Shape(_)) { Code::WrongType } else { Code::Bounds };
            sink.tell(code, node.region, format!("`{field}`: {}", wrong.text()));
            None
        }
    }
}

fn weighted(sink: &mut Sink, node: &Node, field: &str, takes: Takes, base: &Setting) -> Option<Setting> {
    let mut all = match (takes, base) {
        (Takes::Weights | Takes::Gates, Setting::Weights(base)) => base.clone(),
        _ => Vec::new(),
    };
    for entry in node.entries() {
        let name = entry.key.to_string();
        let text = scalar(&entry.value).unwrap_or_default();
        let weight = if takes == Takes::Gates {
            text.strip_suffix('%').unwrap_or_default().parse::<u64>().ok().filter(|share| *share <= 100)
        } else {
            text.parse().ok()
        };
        let Some(weight) = weight.filter(|weight| *weight <= 1_000_000) else {
            let wanted = if takes == Takes::Gates { "a share such as `10%`" } else { "a weight, a number from 0 to 1000000" };
            sink.tell(Code::WrongType, entry.value.region, format!("`{field}.{}` takes {wanted}", shorten(&name)));
            continue;
        };
        let fits = match takes {
            Takes::Weights => all.iter().any(|(known, _)| *known == name),
            Takes::Gates => vmtwin_engine::Feature::named(&name).is_ok(),
            Takes::Time if name == "none" => true,
            _ => range(takes, &name).is_ok(),
        };
        if !fits {
            let names: Vec<String> = all.iter().map(|(known, _)| known.clone()).collect();
            let help = sink.near(&name, names.iter().map(String::as_str));
            let message = format!("`{field}` has no `{}`", shorten(&name));
            sink.tell_help(Code::UnknownWord, entry.key_region, message, help);
            continue;
        }
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some(there) => there.1 = weight,
            None => all.push((name, weight)),
        }
    }
    if takes != Takes::Gates && all.iter().all(|(_, weight)| *weight == 0) {
        sink.tell(Code::Bounds, node.region, format!("all weights of `{field}` are 0: nothing could be drawn"));
        return None;
    }
    Some(Setting::Weights(all))
}

fn scalar(node: &Node) -> Option<String> {
    match node.to_value() {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => Some("none".to_owned()),
        _ => None,
    }
}

/// Why a text is no value of a field.
#[derive(Debug)]
enum Wrong {
    Shape(&'static str),
    Turned(String),
    Bounds(String),
}

impl Wrong {
    fn text(&self) -> String {
        match self {
            Self::Shape(wanted) => format!("takes {wanted}"),
            Self::Turned(range) => format!("the range `{range}` is turned around"),
            Self::Bounds(text) => text.clone(),
        }
    }
}

/// Reads one value or a range.
fn range(takes: Takes, text: &str) -> Result<Setting, Wrong> {
    let one = |text: &str| -> Result<u64, Wrong> {
        match takes {
            Takes::Count(..) => text.parse().map_err(|_| Wrong::Shape("a number, a range such as `1..4`, or weights of numbers")),
            Takes::Share(_) => text
                .strip_suffix('%')
                .and_then(|share| share.parse().ok())
                .ok_or(Wrong::Shape("a share such as `5%`, or a range of shares")),
            Takes::Time if text == "none" => Ok(0),
            Takes::Time => {
                let nanos = text.parse::<Span>().ok().and_then(|span| u64::try_from(span.as_nanos()).ok());
                nanos.ok_or(Wrong::Shape("a duration such as `10s`, a range of durations, or weights of durations"))
            }
            Takes::Weights | Takes::Gates => Err(Wrong::Shape("weights by name")),
        }
    };
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let (low, high) = (one(low.trim())?, one(high.trim())?);
    if low > high {
        return Err(Wrong::Turned(text.to_owned()));
    }
    let bounds = match takes {
        Takes::Count(least, most) => (least, most),
        Takes::Share(most) => (0, most),
        _ => (0, u64::MAX),
    };
    if low < bounds.0 || high > bounds.1 {
        return Err(Wrong::Bounds(format!("`{text}` isn't within {} and {}", bounds.0, bounds.1)));
    }
    Ok(Setting::Range(low, high))
}

/// The schema of `kind: ExploreProfile`, made of the table.
pub(super) fn schema() -> Value {
    let mut spec = Map::new();
    for (field, takes, default) in FIELDS {
        let leaf = match takes {
            Takes::Count(least, most) => json!({"type": ["integer", "string", "object"], "minimum": least, "maximum": most}),
            Takes::Time | Takes::Share(_) => json!({"type": ["string", "object"]}),
            Takes::Weights | Takes::Gates => json!({"type": "object"}),
        };
        let mut leaf = leaf;
        leaf["description"] = format!("Default: {default}").into();
        let mut at = &mut spec;
        let mut parts: Vec<&str> = field.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let section = at.entry(part).or_insert_with(|| json!({"type": "object", "additionalProperties": false, "description": format!("What is drawn of `{part}`."), "properties": {}}));
            let Some(Value::Object(properties)) = section.get_mut("properties") else { unreachable!("a section has properties") };
            at = properties;
        }
        at.insert(last.to_owned(), leaf);
    }
    if let Some(Value::Object(properties)) = spec.get_mut("invariants").and_then(|section| section.get_mut("properties")) {
        for list in ["only", "disable"] {
            properties.insert(
                list.to_owned(),
                json!({"type": "array", "items": {"enum": super::INVARIANTS}, "description": "Names of invariants."}),
            );
        }
    }
    spec.insert("base".to_owned(), json!({"type": "string", "enum": Profile::names().collect::<Vec<_>>(), "description": "Whose fields hold where this profile is silent."}));
    let spec = json!({"type": "object", "additionalProperties": false, "properties": spec, "description": "What is drawn, and how often."});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "ExploreProfile", "type": "object", "additionalProperties": false,
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {
            "apiVersion": {"const": super::API_VERSION}, "kind": {"const": "ExploreProfile"},
            "metadata": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "description": "Its name."}}, "description": "Who it is."},
            "spec": spec,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profiles_are_valid_and_differ() {
        let digests: std::collections::BTreeSet<String> =
            Profile::names().filter_map(Profile::built_in).map(|profile| profile.digest()).collect();
        assert_eq!(digests.len(), BUILT_IN.len());
    }

    #[test]
    fn what_is_wrong_with_a_profile_is_said() {
        let profile = default();
        for (field, value, wanted) in [
            ("world.zones", "3..1", "turned around"),
            ("world.zones", "0", "isn't within 1 and 16"),
            ("world.zonez", "1", "unknown field"),
            ("users.operations", "{createVM: 1, setPowr: 2}", "has no `setPowr`"),
            ("world.quota", "{none: 0, tight: 0, ample: 0}", "are 0"),
            ("users.gap", "soon", "takes a duration"),
            ("invariants.only", "[power-reach]", "no invariant is named"),
            ("features", "{VMGroup: 5%}", "has no `VMGroup`"),
        ] {
            let told = profile.with(field, value).expect_err(value);
            assert!(told.contains(wanted), "{field}: {value}: {told}");
        }
    }

    #[test]
    fn a_profile_differs_from_its_base_where_it_says_so() {
        let profile = default().with("world.zones", "{1: 5, 2: 3}").and_then(|profile| profile.with("users.operations", "{createVM: 0}"));
        let profile = profile.expect("a profile");
        assert_eq!(profile.setting("world.zones"), &Setting::Weights(vec![("1".to_owned(), 5), ("2".to_owned(), 3)]));
        let Setting::Weights(operations) = profile.setting("users.operations") else { panic!("weights") };
        assert_eq!(operations[0], ("createVM".to_owned(), 0));
        assert!(operations.len() > 20);
    }
}
