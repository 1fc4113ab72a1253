//! The table of the kinds that are known, and what is particular to each.
//!
//! A kind is a row here: its names, its scope, which Rust types its parts have and how they are read from JSON. The API
//! server works on rows alone, so that a new kind is a type, a line in this table, and nothing else.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::object::Body;

/// A Rust type that stands for a kind.
pub trait Resource: 'static {
    /// The kind's row.
    const KIND: Kind;
    /// The type of the spec; of the whole object but for its metadata where there is none.
    type Spec: Body + Clone + Default + PartialEq + DeserializeOwned + Serialize;
    /// The type of the status.
    type Status: Body + Clone + Default + PartialEq + DeserializeOwned + Serialize;
}

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the cluster as a whole.
    Cluster,
    /// In a namespace.
    Namespaced,
}

/// How an object's JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `spec` and `status` stand apart, and so do requests for them.
    SpecStatus,
    /// No `spec`, no `status` subresource: everything beside the metadata is one part.
    Whole,
}

/// Why a manifest doesn't fit its kind's types.
pub type DecodeError = serde_json::Error;

/// One kind.
pub struct KindInfo {
    /// The API group; empty for Kubernetes' core group.
    pub group: &'static str,
    /// The version that is stored and spoken.
    pub version: &'static str,
    /// Further versions that are read, and converted.
    pub also: &'static [&'static str],
    /// The kind's name.
    pub kind: &'static str,
    /// The resource's name, as in URLs and `kubectl get`.
    pub plural: &'static str,
    /// Short names that kubectl takes.
    pub short: &'static [&'static str],
    /// Whether objects live in namespaces.
    pub scope: Scope,
    /// How the JSON is laid out.
    pub layout: Layout,
    /// Reads the spec part.
    pub decode_spec: fn(Value) -> Result<Arc<dyn Body>, DecodeError>,
    /// Reads the status part.
    pub decode_status: fn(Value) -> Result<Arc<dyn Body>, DecodeError>,
    /// The structural schema of the whole object, where the kind has one.
    pub schema: Option<fn() -> &'static Value>,
}

impl fmt::Debug for KindInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api_version(), self.kind)
    }
}

impl KindInfo {
    /// `group/version`, or the version alone in the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// Reads a part of a kind's own type; an absent part (`null`) is the empty one.
pub(crate) fn decode<T: Body + Default + DeserializeOwned>(value: Value) -> Result<Arc<dyn Body>, DecodeError> {
    Ok(if value.is_null() { Arc::new(T::default()) } else { Arc::new(serde_json::from_value::<T>(value)?) })
}

/// A kind: the number of its row.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(pub(crate) u16);

impl Kind {
    /// The kind's row.
    #[must_use]
    pub fn info(self) -> &'static KindInfo {
        &super::registry::KINDS[usize::from(self.0)]
    }

    /// Every kind that is served, in the order of the table; [`Kind::FOREIGN`] isn't one of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..super::registry::KINDS.len()).map(|row| Self(u16::try_from(row).expect("there are fewer than 2^16 kinds")))
    }

    /// The kind of this `apiVersion` and `kind`, in any version that is read.
    #[must_use]
    pub fn find(api_version: &str, kind: &str) -> Option<Self> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self::all().find(|candidate| {
            let info = candidate.info();
            info.kind == kind && info.group == group && (info.version == version || info.also.contains(&version))
        })
    }

    /// The kind of this name, as people write it in a reference: `VirtualMachine`, `virtualmachines`, `vm`; the first of the table
    /// where several groups have it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.info().kind == name).or_else(|| {
            Self::all().find(|kind| {
                let info = kind.info();
                info.plural == name || info.short.contains(&name) || info.kind.eq_ignore_ascii_case(name)
            })
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.info().kind)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.info().kind)
    }
}

/// Kinds sort by their name, then group: what is walked in the order of kinds doesn't depend on the table's order.
impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if self.0 == other.0 {
            return std::cmp::Ordering::Equal;
        }
        (self.info().kind, self.info().group).cmp(&(other.info().kind, other.info().group))
    }
}

/// The status of a kind that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Nothing {}
