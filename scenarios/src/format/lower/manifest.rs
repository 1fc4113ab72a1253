//! Kubernetes manifests inside of a file: what can be told of them before anything runs.

use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::kube::{Kind, Scope};

use super::Cx;
use crate::diagnostics::{Code, Region};
use crate::format::cel::compile;
use crate::format::known::Known;
use crate::format::output::{Manifest, Origin};
use crate::format::shape::{Rules, Shape, shorten};
use crate::format::{VSPHERE_GROUP, VSPHERE_KINDS};
use crate::yaml::{Data, Node, Path};

/// Namespaces that every Supervisor has.
pub(in crate::format) const SYSTEM_NAMESPACES: &[&str] =
    &["default", "kube-public", "kube-system", "vmware-system-csi", "vmware-system-vmop"];

const METADATA: &[&str] = &[
    "name",
    "namespace",
    "generateName",
    "labels",
    "annotations",
    "uid",
    "generation",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "finalizers",
    "ownerReferences",
    "managedFields",
    "selfLink",
];

/// A manifest as it stands in a file.
#[derive(Clone, Debug)]
pub(in crate::format) struct Raw {
    pub(in crate::format) root: Arc<Node>,
    pub(in crate::format) path: Path,
}

/// What a manifest is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::format) enum Purpose {
    /// It is installed as it is.
    State,
    /// It is sent, and shall be allowed.
    Request,
    /// It is sent, and shall be denied: it may be as wrong as it likes.
    Refused,
    /// A part of an object, to merge.
    Patch,
    /// A part of an object, to merge, and that shall be denied.
    RefusedPatch,
    /// A part of an object, to compare.
    Partial,
}

impl Purpose {
    fn is_patch(self) -> bool {
        matches!(self, Self::Patch | Self::RefusedPatch)
    }

    fn is_refused(self) -> bool {
        matches!(self, Self::Refused | Self::RefusedPatch)
    }
}

impl Raw {
    pub(in crate::format) fn node(&self) -> Option<&Node> {
        self.root.node_at(&self.path)
    }

    fn text(&self, path: &[&str]) -> Option<&str> {
        path.iter().try_fold(self.node()?, |node, key| node.get(key))?.as_str()
    }

    fn region_of(&self, path: &[&str]) -> Region {
        let mut node = self.node().unwrap_or(&self.root);
        for key in path {
            let Some(next) = node.get(key) else { break };
            node = next;
        }
        node.region
    }
}

/// Adds the names that a manifest brings.
pub(in crate::format) fn collect(known: &mut Known, raw: &Raw, state: bool, only_namespace: Option<&str>) {
    let (Some(kind), Some(api_version)) = (raw.text(&["kind"]), raw.text(&["apiVersion"])) else { return };
    let namespace = raw.text(&["metadata", "namespace"]).or(only_namespace).unwrap_or_default();
    if state && !namespace.is_empty() {
        known.namespaces.mention(namespace, raw.region_of(&["metadata", "namespace"]));
    }
    let region = raw.region_of(&["metadata", "name"]);
    let Some(name) = raw.text(&["metadata", "name"]) else {
        if raw.text(&["metadata", "generateName"]).is_some() {
            known.vms.open |= kind == "VirtualMachine";
            known.classes.open |= kind == "VirtualMachineClass";
        }
        return;
    };
    match (api_version.split('/').next().unwrap_or_default(), kind) {
        ("v1", "Namespace") => known.namespaces.mention(name, region),
        ("storage.k8s.io", "StorageClass") => known.policies.mention(name, region),
        ("vmoperator.vmware.com", "VirtualMachine") => known.vms.mention(format!("{namespace}/{name}"), region),
        ("vmoperator.vmware.com", "VirtualMachineClass") => known.classes.mention(format!("{namespace}/{name}"), region),
        _ => {}
    }
}

/// A manifest, checked; nothing if it can't be used at all.
pub(in crate::format) fn manifest(cx: &mut Cx<'_>, raw: &Raw, purpose: Purpose) -> Option<Manifest> {
    let node = raw.node()?.clone();
    if !matches!(node.data, Data::Mapping(_)) {
        cx.sink.tell(Code::NotAManifest, node.region, format!("a manifest is a mapping, found {}", node.sort()));
        return None;
    }
    let origin = Origin { file: Arc::clone(cx.sink.sources.file(node.region.file)), root: Arc::clone(&raw.root), path: raw.path.clone() };
    expressions(cx, &node, purpose == Purpose::Partial);
    let api_version = text_field(cx, &node, "apiVersion", !purpose.is_patch());
    let kind = text_field(cx, &node, "kind", true)?;
    let named = check_metadata(cx, &node, purpose);
    let mut value = node.to_value();
    let kind_region = node.get("kind").map_or(node.region, |kind| kind.region);
    let found = match &api_version {
        Some(version) if version.starts_with(VSPHERE_GROUP) => {
            check_vsphere_kind(cx, &kind, kind_region, purpose);
            return Some(Manifest { value, origin });
        }
        Some(version) if purpose == Purpose::State => Kind::find(version, &kind),
        Some(version) => find_kind(cx, version, &kind, kind_region),
        None if purpose.is_patch() => Kind::named(&kind).or_else(|| {
            let help = cx.sink.near(&kind, Kind::all().map(|kind| kind.info().kind));
            cx.sink.tell_help(Code::UnknownKind, kind_region, format!("no kind is named `{}`", shorten(&kind)), help);
            None
        }),
        None => None,
    };
    let Some(found) = found else {
        if let Some(version) = api_version.filter(|_| purpose == Purpose::State) {
            let message = format!("the API server doesn't serve `{}` of `{}`", shorten(&kind), shorten(&version));
            cx.sink.tell(Code::NotServed, kind_region, message);
        }
        return Some(Manifest { value, origin });
    };
    place_in_namespace(cx, &node, found, named, purpose, &mut value);
    check_fields(cx, &node, found, api_version.as_deref(), purpose);
    Some(Manifest { value, origin })
}

fn text_field(cx: &mut Cx<'_>, node: &Node, field: &str, required: bool) -> Option<String> {
    match node.get(field) {
        Some(value) => match value.as_str() {
            Some(text) => Some(text.to_owned()),
            None if matches!(value.data, Data::Broken) => None,
            None => {
                cx.sink.tell(Code::WrongType, value.region, format!("`{field}` takes a string, found {}", value.sort()));
                None
            }
        },
        None if required => {
            cx.sink.tell(Code::NotAManifest, node.region, format!("the manifest lacks `{field}`"));
            None
        }
        None => None,
    }
}

/// The kind of this version and name; if there is none it is told, with the nearest.
pub(in crate::format) fn find_kind(cx: &mut Cx<'_>, api_version: &str, kind: &str, region: Region) -> Option<Kind> {
    let found = Kind::find(api_version, kind);
    if found.is_none() {
        let help = match Kind::named(kind).filter(|known| known.info().kind == kind) {
            Some(known) => Some(format!("`{kind}` is served as `{}`", known.info().api_version())),
            None => cx.sink.near(kind, Kind::all().map(|kind| kind.info().kind)),
        };
        let message = format!("the API server doesn't serve `{}` of `{}`", shorten(kind), shorten(api_version));
        cx.sink.tell_help(Code::UnknownKind, region, message, help);
    }
    found
}

fn check_vsphere_kind(cx: &mut Cx<'_>, kind: &str, region: Region, purpose: Purpose) {
    if purpose != Purpose::Partial {
        let message = format!("the infrastructure's `{}` can be asserted on, not written: use a `vsphere` step", shorten(kind));
        cx.sink.tell(Code::UnknownKind, region, message);
    } else if !VSPHERE_KINDS.contains(&kind) {
        let help = cx.sink.near(kind, VSPHERE_KINDS.iter().copied());
        cx.sink.tell_help(Code::UnknownKind, region, format!("the infrastructure has no kind `{}`", shorten(kind)), help);
    }
}

/// Whether the manifest names an object.
fn check_metadata(cx: &mut Cx<'_>, node: &Node, purpose: Purpose) -> bool {
    let metadata = match node.entry("metadata") {
        Some(entry) if matches!(entry.value.data, Data::Mapping(_)) => &entry.value,
        Some(entry) if matches!(entry.value.data, Data::Broken) => return true,
        Some(entry) if !entry.value.is_null() => {
            cx.sink.tell(Code::WrongType, entry.value.region, format!("`metadata` takes a mapping, found {}", entry.value.sort()));
            return true;
        }
        _ if purpose == Purpose::Partial => return false,
        _ => {
            cx.sink.tell(Code::NotAManifest, node.region, "the manifest lacks `metadata.name`");
            return true;
        }
    };
    for entry in metadata.entries() {
        let key = &*entry.key;
        let expression = purpose == Purpose::Partial && key.starts_with('(');
        if !expression && !METADATA.contains(&key) {
            let help = cx.sink.near(key, METADATA.iter().copied());
            cx.sink.tell_help(Code::UnknownField, entry.key_region, format!("unknown field `{}` in `metadata`", shorten(key)), help);
        }
        let value = &entry.value;
        let loose = purpose == Purpose::Partial || purpose.is_patch();
        let is_text = |node: &Node| node.as_str().is_some() || matches!(node.data, Data::Broken) || (loose && node.is_null());
        match key {
            "name" | "namespace" | "generateName" | "uid" if !is_text(value) => wrong_text(cx, &entry.key, value),
            "labels" | "annotations" => {
                for label in value.entries().iter().filter(|label| !is_text(&label.value) && !label.key.starts_with('(')) {
                    wrong_text(cx, &label.key, &label.value);
                }
            }
            _ => {}
        }
    }
    let named = metadata.get("name").is_some();
    if !named && purpose != Purpose::Partial && metadata.get("generateName").is_none() {
        cx.sink.tell(Code::NotAManifest, metadata.region, "the manifest lacks `metadata.name`");
    }
    named
}

fn wrong_text(cx: &mut Cx<'_>, key: &str, value: &Node) {
    let help = match &value.data {
        Data::Number(number) => Some(format!("write `\"{number}\"`")),
        Data::Bool(value) => Some(format!("write `\"{value}\"`")),
        _ => None,
    };
    cx.sink.tell_help(Code::WrongType, value.region, format!("`{}` takes a string, found {}", shorten(key), value.sort()), help);
}

/// Fills in the only namespace, or tells why none fits.
fn place_in_namespace(cx: &mut Cx<'_>, node: &Node, kind: Kind, named: bool, purpose: Purpose, value: &mut Value) {
    let written = node.get("metadata").and_then(|metadata| metadata.get("namespace")).filter(|namespace| !namespace.is_null());
    let region = node.get("metadata").map_or(node.region, |metadata| metadata.region);
    match (kind.info().scope, written) {
        (Scope::Cluster, Some(namespace)) if !purpose.is_refused() => {
            cx.sink.tell(Code::ScopeMismatch, namespace.region, format!("a {kind} lives in no namespace"));
        }
        (Scope::Namespaced, Some(namespace)) => {
            if let Some(text) = namespace.as_str().filter(|_| purpose != Purpose::State && !purpose.is_refused()) {
                cx.known.namespaces.check_at(text, namespace.region, Code::UnknownNamespace, "namespace", cx.sink);
            }
        }
        (Scope::Namespaced, None) if named => match &cx.only_namespace {
            Some(only) => {
                if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.insert("namespace".to_owned(), only.as_str().into());
                }
            }
            None => tell_no_namespace(cx, kind.info().kind, region),
        },
        _ => {}
    }
}

/// Tells that a namespaced thing has no namespace to go to.
pub(in crate::format) fn tell_no_namespace(cx: &mut Cx<'_>, kind: &str, region: Region) {
    if !cx.known.namespaces.open {
        cx.sink.tell(Code::NoNamespace, region, format!("the {kind} lacks a namespace, and `vsphere.namespaces` doesn't have exactly one"));
    }
}

/// Checks the fields against the kind's schema, where it has one and the manifest is of the version that is spoken.
fn check_fields(cx: &mut Cx<'_>, node: &Node, kind: Kind, api_version: Option<&str>, purpose: Purpose) {
    let info = kind.info();
    let current = api_version.is_none_or(|version| version == info.api_version());
    let Some(schema) = info.schema.filter(|_| current && !purpose.is_refused()) else { return };
    let rules = match purpose {
        Purpose::Partial | Purpose::Patch | Purpose::RefusedPatch => Rules::Partial,
        Purpose::State => Rules::Installed,
        Purpose::Request | Purpose::Refused => Rules::Manifest,
    };
    let mut copy = node.clone();
    Shape::new(schema(), rules, cx.sink).check(&mut copy);
}

/// Reads the CEL expressions of a partial object. Elsewhere a key in parentheses is a key.
fn expressions(cx: &mut Cx<'_>, node: &Node, partial: bool) {
    if !partial {
        return;
    }
    for entry in node.entries() {
        if let Some(expression) = entry.key.strip_prefix('(') {
            let expression = expression.strip_suffix(')').map(str::trim);
            if let Err(message) =
                expression.ok_or_else(|| "the parenthesis isn't closed".to_owned()).and_then(|text| compile(text).map(drop))
            {
                cx.sink.tell(Code::Cel, entry.key_region, format!("this is not a CEL expression: {message}"));
            }
        }
        expressions(cx, &entry.value, true);
    }
    for item in node.items() {
        expressions(cx, item, true);
    }
}
