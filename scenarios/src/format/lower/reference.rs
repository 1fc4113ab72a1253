//! References to objects: `Kind/NAMESPACE/NAME`, or a mapping.

use vmtwin_model::kube::{Kind, ObjectKey, Scope};

use super::Cx;
use crate::diagnostics::{Code, Region};
use crate::format::output::{KubeTarget, Reference, Target};
use crate::format::section::scalar::Text;
use crate::format::section::step;
use crate::format::shape::shorten;
use crate::format::{VSPHERE_GROUP, VSPHERE_KINDS};
use crate::yaml::Node;

/// A reference; nothing if it was wrong.
pub(in crate::format) fn reference(cx: &mut Cx<'_>, section: &step::Reference) -> Option<Reference> {
    let node = cx.node(&section.0);
    let target = match node.as_str() {
        Some(text) => Target::Kube(written(cx, text, node.region)?),
        None => mapped(cx, &node)?,
    };
    Some(Reference { target, origin: cx.origin(section.0.path.clone()) })
}

/// `Kind/NAMESPACE/NAME`, `Kind/NAME`.
fn written(cx: &mut Cx<'_>, text: &str, region: Region) -> Option<ObjectKey> {
    let parts: Vec<&str> = text.split('/').collect();
    let (kind, namespace, name) = match parts.as_slice() {
        [kind, name] if !kind.is_empty() && !name.is_empty() => (kind, None, name),
        [kind, namespace, name] if !kind.is_empty() && !namespace.is_empty() && !name.is_empty() => (kind, Some(*namespace), name),
        _ => {
            let message = format!("`{}` is not a reference such as `VirtualMachine/my-namespace/my-vm`", shorten(text));
            cx.sink.tell(Code::Reference, region, message);
            return None;
        }
    };
    let kind = named_kind(cx, kind, region)?;
    key(cx, kind, namespace, name, region)
}

fn named_kind(cx: &mut Cx<'_>, word: &str, region: Region) -> Option<Kind> {
    let kind = Kind::named(word);
    if kind.is_none() {
        let help = cx.sink.near(word, Kind::all().map(|kind| kind.info().kind));
        cx.sink.tell_help(Code::UnknownKind, region, format!("no kind is named `{}`", shorten(word)), help);
    }
    kind
}

/// The key of an object, with the only namespace where none is given.
fn key(cx: &mut Cx<'_>, kind: Kind, namespace: Option<&str>, name: &str, region: Region) -> Option<ObjectKey> {
    match (kind.info().scope, namespace) {
        (Scope::Cluster, None) => Some(ObjectKey::new(kind, "", name)),
        (Scope::Cluster, Some(_)) => {
            cx.sink.tell(Code::ScopeMismatch, region, format!("a {kind} lives in no namespace"));
            None
        }
        (Scope::Namespaced, Some(namespace)) => {
            let known = cx.known.namespaces.check_at(namespace, region, Code::UnknownNamespace, "namespace", cx.sink);
            known.then(|| ObjectKey::new(kind, namespace, name))
        }
        (Scope::Namespaced, None) => match cx.only_namespace.clone() {
            Some(only) => Some(ObjectKey::new(kind, only, name)),
            None => {
                super::manifest::tell_no_namespace(cx, &kind.to_string(), region);
                None
            }
        },
    }
}

/// `{apiVersion, kind, metadata: {name, namespace}}`.
fn mapped(cx: &mut Cx<'_>, node: &Node) -> Option<Target> {
    for entry in node.entries() {
        if !matches!(&*entry.key, "apiVersion" | "kind" | "metadata") {
            let help = cx.sink.near(&entry.key, ["apiVersion", "kind", "metadata"]);
            cx.sink.tell_help(Code::UnknownField, entry.key_region, format!("unknown field `{}` in a reference", entry.key), help);
        }
    }
    let metadata = node.get("metadata");
    let text = |node: Option<&Node>| node.and_then(Node::as_str).map(str::to_owned);
    let (api_version, kind) = (text(node.get("apiVersion")), text(node.get("kind")));
    let name = text(metadata.and_then(|metadata| metadata.get("name")));
    let namespace = text(metadata.and_then(|metadata| metadata.get("namespace")));
    let (Some(kind), Some(name)) = (kind, name) else {
        cx.sink.tell(Code::Reference, node.region, "a reference has at least `kind` and `metadata.name`");
        return None;
    };
    let kind_region = node.get("kind").map_or(node.region, |kind| kind.region);
    if api_version.as_deref().is_some_and(|version| version.starts_with(VSPHERE_GROUP)) {
        if !VSPHERE_KINDS.contains(&kind.as_str()) {
            let help = cx.sink.near(&kind, VSPHERE_KINDS.iter().copied());
            cx.sink.tell_help(Code::UnknownKind, kind_region, format!("the infrastructure has no kind `{}`", shorten(&kind)), help);
            return None;
        }
        return Some(Target::Vsphere { kind, name });
    }
    let found = match &api_version {
        Some(version) => super::manifest::find_kind(cx, version, &kind, kind_region)?,
        None => named_kind(cx, &kind, kind_region)?,
    };
    let region = metadata.map_or(node.region, |metadata| metadata.region);
    key(cx, found, namespace.as_deref(), &name, region).map(Target::Kube)
}

/// A kind, or one object.
pub(in crate::format) fn target(cx: &mut Cx<'_>, text: &Text) -> Option<KubeTarget> {
    if text.value.contains('/') {
        written(cx, &text.value, text.region).map(KubeTarget::Object)
    } else {
        named_kind(cx, &text.value, text.region).map(KubeTarget::Kind)
    }
}
