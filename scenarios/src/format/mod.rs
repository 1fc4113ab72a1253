//! The scenario format: from bytes to scenarios that are ready to run, or to everything that is wrong with them.
//!
//! A file is read in stages. The YAML becomes a tree; the matrix is expanded and the inventory put in its place on the
//! tree; the tree is checked against the very schema that [`schema`] prints; then values, names and contradictions are
//! judged, each stage going on after a mistake and none telling of another's. Only a file without errors becomes
//! scenarios. Nothing here runs anything.

pub mod cel;
mod files;
mod known;
mod lower;
mod matrix;
mod near;
mod output;
mod plan;
pub mod profile;
mod reader;
mod schema;
mod section;
mod session;
mod shape;
mod sink;
mod spanned;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use vmtwin_model::time::{Span, Timestamp};

pub use files::{Disk, Files, MOST_BYTES, Memory, Root};
pub use lower::operator::INVARIANTS;
pub(crate) use near::nearest;
pub use output::{
    CallCount, CallResult, CallsCheck, Crash, CrashPoint, Expect, InvariantSelection, KubeFault, KubeTarget, Loaded, Manifest,
    NetworkProvider, OperatorAction, OperatorSection, Origin, Reference, Scenario, Step, Target, Verb,
};
pub use plan::{LoadedPlan, hundredths_of, load_baseline, load_plan, span_of};
pub use schema::{KINDS, schema};

use crate::diagnostics::{Code, Region};
use crate::yaml::{Data, Limits, Node, Path as NodePath};
use lower::manifest::{Purpose, Raw};
use lower::step::StepManifests;
use lower::{Cx, manifest as manifests, names};
use reader::from_node;
use section::scalar::Text;
use section::scenario::Scenario as Section;
use session::{Session, is_kind, own_kind};
use shape::{Rules, Shape};
use spanned::Object;

/// The version of the format.
pub const API_VERSION: &str = "vmtwin.dev/v1alpha1";
/// The group under which the infrastructure's objects are asserted on.
pub const VSPHERE_GROUP: &str = "vsphere.vmtwin.dev/";

/// The kinds of the infrastructure that can be asserted on.
pub const VSPHERE_KINDS: &[&str] = &[
    "ClusterComputeResource",
    "Datastore",
    "Folder",
    "HostSystem",
    "KeyProvider",
    "Network",
    "ResourcePool",
    "ServiceInstance",
    "Task",
    "VirtualMachine",
];

/// How often the operator may resync in a run: for five years at the usual period.
const MOST_RESYNCS: i64 = 100_000;

/// Documents of vmtwin's own that may stand beside a scenario; others read them.
const BESIDE: &[&str] = &["CapacityPlan", "ExploreProfile"];

/// Reads a scenario file and what it refers to.
#[must_use]
pub fn load(path: &Path, root: &Root) -> Loaded {
    let disk = Disk::new(root.clone());
    match disk.read(path) {
        Ok(bytes) => load_bytes(path, &bytes, &disk),
        Err(error) => Loaded { scenarios: Vec::new(), diagnostics: vec![session::unreadable(path, &error)] },
    }
}

/// Reads a scenario file that is at hand; what it refers to comes from `files`.
#[must_use]
pub fn load_bytes(name: impl AsRef<Path>, bytes: &[u8], files: &dyn Files) -> Loaded {
    load_within(name.as_ref(), bytes, files, &Limits::default())
}

/// The same, within other budgets.
#[must_use]
pub fn load_within(name: &Path, bytes: &[u8], files: &dyn Files, limits: &Limits) -> Loaded {
    let mut session = Session::new(files, limits);
    let mut scenarios = read(&mut session, name, bytes);
    if session.sink.errors() > 0 {
        scenarios.clear();
    }
    Loaded { scenarios, diagnostics: session.sink.finish() }
}

/// A scenario file as documents that stand for themselves: one for each point of the matrix, with all that it refers to in place.
///
/// # Errors
/// All that is wrong with the file.
pub fn resolve(path: &Path, root: &Root) -> Result<Vec<serde_json::Value>, Vec<crate::diagnostics::Diagnostic>> {
    let disk = Disk::new(root.clone());
    let bytes = disk.read(path).map_err(|error| vec![session::unreadable(path, &error)])?;
    let loaded = load_bytes(path, &bytes, &disk);
    if loaded.scenarios.is_empty() {
        return Err(loaded.diagnostics);
    }
    let mut session = Session::new(&disk, &Limits::default());
    let documents = session.take(path, &bytes).map(|read| read.documents.clone()).unwrap_or_default();
    let Some(scenario) = documents.iter().find(|document| own_kind(document) == Some("Scenario")) else { return Ok(Vec::new()) };
    let beside: Vec<serde_json::Value> =
        documents.iter().filter(|document| own_kind(document).is_none()).map(|document| document.to_value()).collect();
    let mut resolved = Vec::new();
    for point in matrix::expand(Node::clone(scenario), &mut session.sink) {
        let mut node = point.root;
        session.put_inventory(&mut node);
        let root = Arc::new(node);
        let mut document = root.to_value();
        if let Some(spec) = document.get_mut("spec").and_then(serde_json::Value::as_object_mut) {
            spec.shift_remove("matrix");
        }
        if !beside.is_empty() {
            let objects = &mut document["spec"]["objects"];
            match objects.as_array_mut() {
                Some(objects) => objects.extend(beside.iter().cloned()),
                None => *objects = beside.clone().into(),
            }
        }
        put_files(&mut session, &root, NodePath::root(), &mut document);
        if let Some(name) = document.pointer_mut("/metadata/name") {
            *name = format!("{}{}", name.as_str().unwrap_or_default(), point.suffix).into();
        }
        resolved.push(document);
    }
    Ok(resolved)
}

/// Puts the manifests in the places of the files that lists of them name.
fn put_files(session: &mut Session<'_>, root: &Arc<Node>, path: NodePath, value: &mut serde_json::Value) {
    use serde_json::Value;

    let is_file = |value: &Value| value.get("file").is_some_and(Value::is_string) && value.get("kind").is_none();
    let read = |session: &mut Session<'_>, path: &NodePath| {
        let mut raws = Vec::new();
        session.manifests(root, path, &mut raws);
        raws.iter().filter_map(|raw| raw.node().map(Node::to_value)).collect::<Vec<Value>>()
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let below = path.key(name.as_str());
                if is_file(value) {
                    *value = read(session, &below).into();
                } else {
                    put_files(session, root, below, value);
                }
            }
        }
        Value::Array(items) => {
            let mut all = Vec::with_capacity(items.len());
            for (at, mut item) in std::mem::take(items).into_iter().enumerate() {
                let below = path.index(at);
                if is_file(&item) {
                    all.extend(read(session, &below));
                } else {
                    put_files(session, root, below, &mut item);
                    all.push(item);
                }
            }
            *items = all;
        }
        _ => {}
    }
}

/// Whether a file holds a scenario, as far as can be told without judging it.
#[must_use]
pub fn is_scenario_file(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains("Scenario") {
        return false;
    }
    let files = Memory::default();
    let mut session = Session::new(&files, &Limits::default());
    match session.take(Path::new(""), bytes) {
        Some(read) if read.complete => read.documents.iter().any(|document| own_kind(document) == Some("Scenario")),
        // What can't be read still says what it was meant to be.
        _ => text.lines().any(|line| line.strip_prefix("kind:").is_some_and(|kind| kind.trim() == "Scenario")),
    }
}

fn read(session: &mut Session<'_>, name: &Path, bytes: &[u8]) -> Vec<Scenario> {
    let Some(read) = session.take(name, bytes) else { return Vec::new() };
    if !read.complete {
        return Vec::new();
    }
    let mut scenario: Option<&Arc<Node>> = None;
    let mut beside: Vec<&Arc<Node>> = Vec::new();
    for document in &read.documents {
        match (own_kind(document), scenario) {
            (Some("Scenario"), None) => scenario = Some(document),
            (Some("Scenario"), Some(first)) => {
                let (region, first) = (head(document), head(first));
                session.sink.tell_with(Code::TwoScenarios, region, "a second Scenario in this file", |diagnostic, sources| {
                    diagnostic.note("the first is here", Some(sources.place(first)))
                });
            }
            (Some(kind), _) if BESIDE.contains(&kind) => {}
            (Some(kind), _) => {
                let message = format!("a document of kind `{}` does not stand beside a Scenario", shape::shorten(kind));
                let help = session.sink.near(kind, ["Scenario"]);
                session.sink.tell_help(Code::NotAManifest, head(document), message, help);
            }
            (None, _) => beside.push(document),
        }
    }
    let Some(scenario) = scenario else {
        if session.sink.errors() == 0 {
            let region = read.documents.first().map_or(Region::default(), |document| head(document));
            let help = format!("a scenario begins with `apiVersion: {API_VERSION}` and `kind: Scenario`");
            session.sink.tell_help(Code::NoScenario, region, "the file holds no Scenario", Some(help));
        }
        return Vec::new();
    };
    if !is_kind(scenario, "Scenario") {
        let region = scenario.get("apiVersion").map_or(scenario.region, |version| version.region);
        let help = Some(format!("write `{API_VERSION}`"));
        session.sink.tell_help(Code::NoScenario, region, "no version of the format has this name", help);
        return Vec::new();
    }
    let mut scenarios = Vec::new();
    let mut weight = 0usize;
    for point in matrix::expand(Node::clone(scenario), &mut session.sink) {
        let matrix::Point { suffix, values, root } = point;
        if let Some(mut scenario) = one(session, root, &beside) {
            scenario.name.push_str(&suffix);
            scenario.matrix_point = values;
            weight = weight.saturating_add(weight_of(&scenario));
            if weight > MOST_WEIGHT && !scenarios.is_empty() {
                let region = scenario_matrix(&read.documents);
                session.sink.tell(Code::MatrixTooLarge, region, "the infrastructures of all combinations are too large together");
                return Vec::new();
            }
            scenarios.push(scenario);
        }
    }
    scenarios
}

/// Hosts and their mounts of all combinations together, in units of the size of a mount.
const MOST_WEIGHT: usize = 16_000_000;
/// How much larger a host is than a mount.
const HOST: usize = 8;

/// How large a scenario's infrastructure is, as far as few words can make it large.
fn weight_of(scenario: &Scenario) -> usize {
    let clusters = scenario.inventory.zones.iter().flat_map(|zone| &zone.clusters);
    clusters.flat_map(|cluster| &cluster.hosts).map(|host| HOST + host.datastores.len()).sum()
}

/// Where the matrix of a file's scenario stands.
fn scenario_matrix(documents: &[Arc<Node>]) -> Region {
    let matrix = documents.iter().find_map(|document| document.get("spec")?.entry("matrix"));
    matrix.map_or(Region::default(), |entry| entry.key_region)
}

/// Where a document says what it is.
fn head(document: &Node) -> Region {
    document.entry("kind").map_or(document.region, |kind| kind.value.region)
}

/// Reads one scenario, its matrix's values in place.
fn one(session: &mut Session<'_>, mut root: Node, beside: &[&Arc<Node>]) -> Option<Scenario> {
    let mut inventory_whole = session.put_inventory(&mut root);
    let had_vsphere = has_vsphere(&root);
    let mut shape = Shape::new(schema::scenario(), Rules::Own, &mut session.sink);
    let usable = shape.check(&mut root);
    let (cut, lost) = (shape.cut, shape.lost);
    if !usable {
        return None;
    }
    let section: Section = match from_node(&root) {
        Ok(section) => section,
        Err(error) => {
            session.sink.tell(Code::WrongType, root.region, format!("the scenario can't be read: {error}"));
            return None;
        }
    };
    let vsphere = root.get("spec").and_then(|spec| spec.entry("vsphere"));
    let in_vsphere = |region: &Region| {
        let Some(entry) = vsphere else { return false };
        region.file != root.region.file || (entry.value.region.start <= region.start && region.end <= entry.value.region.end)
    };
    inventory_whole &= !lost.iter().any(in_vsphere) && has_vsphere(&root) == had_vsphere;
    let mut manifests_whole = lost.is_empty();
    let root = Arc::new(root);

    let state = gather(session, &root, &section.spec.state, &mut manifests_whole);
    let mut objects = gather(session, &root, &section.spec.objects, &mut manifests_whole);
    for document in beside {
        objects.push(Raw { root: Arc::clone(document), path: NodePath::root() });
    }
    let steps = step_manifests(session, &root, &section, &mut manifests_whole);

    let mut known = names::collect(&section.spec.vsphere, &mut session.sink);
    let only_namespace = match section.spec.vsphere.namespaces.as_slice() {
        [only] => Some(only.name.value.clone()),
        _ => None,
    };
    for raw in &state {
        manifests::collect(&mut known, raw, true, only_namespace.as_deref());
    }
    for raw in objects.iter().chain(steps.values().flatten()) {
        manifests::collect(&mut known, raw, false, only_namespace.as_deref());
    }
    if !inventory_whole {
        known.open_inventory();
    }
    if !manifests_whole {
        known.open_manifests();
    }
    let mut cx = Cx { sink: &mut session.sink, known, root, cut, only_namespace };
    Some(lower(&mut cx, &section, &state, &objects, &steps))
}

/// Whether `spec.vsphere` is written at all; one of the wrong type is cut out.
fn has_vsphere(root: &Node) -> bool {
    root.get("spec").is_some_and(|spec| spec.entry("vsphere").is_some())
}

fn lower(cx: &mut Cx<'_>, section: &Section, state: &[Raw], objects: &[Raw], steps: &StepManifests) -> Scenario {
    let spec = &section.spec;
    let texts = |texts: &spanned::Named<Text>| texts.0.iter().map(|(key, text)| (key.value.clone(), text.value.clone())).collect();
    cx.sink.name(&section.metadata.name);
    let start = spec.start.as_ref().and_then(|start| cx.sink.instant(start));
    let start = start.unwrap_or_else(|| Timestamp::parse("2026-01-01T00:00:00Z").expect("the default start is an instant"));
    let given_horizon = spec.horizon.as_ref().and_then(|horizon| cx.sink.duration(horizon).map(|span| (span, horizon.0.region)));
    let horizon = given_horizon.map_or(Span::from_hours(24), |(span, _)| span);
    if let Some((span, region)) = given_horizon
        && span > Timestamp::MAX - start
    {
        cx.sink.tell(Code::Duration, region, "the run would end after the clock's last instant, in 2262");
    }
    let operator = lower::operator::operator(cx, &spec.operator);
    if horizon <= Timestamp::MAX - start {
        check_resyncs(cx, spec, operator.resync_period, horizon);
    }
    let inventory = lower::inventory::inventory(cx, &spec.vsphere);
    let classes = lower::class::classes(cx, &spec.vsphere.namespaces);
    let state = whole(cx, state, Purpose::State);
    for raw in objects {
        lower::step::check_storage_class(cx, raw);
    }
    let objects = whole(cx, objects, Purpose::Request);
    let horizon_place = (horizon, given_horizon.map(|(_, region)| region));
    let steps = lower::step::steps(cx, &spec.steps, steps, horizon_place, &operator.privileged_users);
    Scenario {
        name: section.metadata.name.value.clone(),
        labels: texts(&section.metadata.labels),
        annotations: texts(&section.metadata.annotations),
        file: Arc::clone(cx.sink.sources.file(cx.root.region.file)),
        description: spec.description.as_ref().map(|text| text.value.clone()).unwrap_or_default(),
        seed: spec.seed.as_ref().map_or(0, |seed| seed.value),
        start,
        horizon,
        operator,
        inventory,
        classes,
        state,
        objects,
        steps,
        invariants: lower::operator::invariants(cx, &spec.invariants),
        matrix_point: BTreeMap::new(),
    }
}

/// Refuses a run that would consist of resyncs: ever so many of them, each of which looks at every object.
fn check_resyncs(cx: &mut Cx<'_>, spec: &section::scenario::Spec, period: Option<Span>, horizon: Span) {
    let Some(period) = period.filter(|period| *period > Span::ZERO) else { return };
    let times = horizon.as_nanos() / period.as_nanos();
    let place = spec.operator.resync_period.as_ref().or(spec.horizon.as_ref()).map(|given| given.0.region);
    if let Some(region) = place.filter(|_| times > MOST_RESYNCS) {
        let message =
            format!("all objects would be looked at {times} times up to the horizon of {horizon}; {MOST_RESYNCS} times are the most");
        let help = Some("choose a longer `resyncPeriod`, `none`, or a nearer `horizon`".to_owned());
        cx.sink.tell_help(Code::Bounds, region, message, help);
    }
}

/// The manifests of `state` or `objects`: a set, in which an object stands once.
fn whole(cx: &mut Cx<'_>, raws: &[Raw], purpose: Purpose) -> Vec<Manifest> {
    let mut seen: BTreeMap<(String, String, String), Region> = BTreeMap::new();
    let mut manifests = Vec::with_capacity(raws.len());
    for raw in raws {
        let Some(manifest) = manifests::manifest(cx, raw, purpose) else { continue };
        let region = raw.node().map_or(Region::default(), |node| node.region);
        let group = manifest.api_version().split_once('/').map_or("", |(group, _)| group);
        let key = (format!("{group}/{}", manifest.kind()), manifest.namespace().to_owned(), manifest.name().to_owned());
        if !key.2.is_empty() {
            if let Some(first) = seen.get(&key).copied() {
                let message = format!("{} `{}` stands here twice", manifest.kind(), shape::shorten(&key.2));
                cx.sink.tell_with(Code::SameObject, region, message, |diagnostic, sources| {
                    diagnostic.note("the first is here", Some(sources.place(first)))
                });
                continue;
            }
            seen.insert(key, region);
        }
        manifests.push(manifest);
    }
    manifests
}

fn gather(session: &mut Session<'_>, root: &Arc<Node>, objects: &[Object], whole: &mut bool) -> Vec<Raw> {
    let mut raws = Vec::new();
    for object in objects {
        *whole &= session.manifests(root, &object.0.path, &mut raws);
    }
    raws
}

/// The manifests of the steps, by step.
fn step_manifests(session: &mut Session<'_>, root: &Arc<Node>, section: &Section, whole: &mut bool) -> StepManifests {
    let mut manifests = StepManifests::new();
    for (index, step) in section.spec.steps.iter().enumerate() {
        let always = step.always.as_ref().map(|always| &always.object);
        let lists =
            [&step.apply, &step.create, &step.patch, &step.assert, &step.error].into_iter().filter_map(Option::as_ref).chain(always);
        for list in lists {
            let raws = gather(session, root, &list.0, whole);
            manifests.entry(index).or_default().extend(raws);
        }
    }
    manifests
}

/// Whether a node is a mapping; for the modules that look at trees themselves.
fn is_mapping(node: &Node) -> bool {
    matches!(node.data, Data::Mapping(_))
}
