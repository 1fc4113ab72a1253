//! An object at rest: the one representation that the API server stores, watches carry and caches share.
//!
//! Metadata, spec and status are behind shared pointers of their own. Whoever changes one part shares the others, and
//! whoever asks whether a part changed asks for the pointer first. The parts are the kinds' own Rust types; JSON is made at
//! the edge alone.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Map, Value};

use super::kinds::{Kind, Layout, Resource};

/// Which object: its kind, namespace (empty for cluster-scoped kinds) and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The kind.
    pub kind: Kind,
    /// The namespace, or nothing for a kind of cluster scope.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// The key of an object with this kind, namespace and name.
    #[must_use]
    pub fn new(kind: Kind, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object of type `K`.
    #[must_use]
    pub fn of<K: Resource>(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self::new(K::KIND, namespace, name)
    }

    /// `namespace/name`, or the name alone in cluster scope.
    #[must_use]
    pub fn namespaced_name(&self) -> String {
        if self.namespace.is_empty() { self.name.to_string() } else { [&*self.namespace, "/", &*self.name].concat() }
    }
}

/// `VirtualMachine/my-namespace/my-vm`, `StorageClass/gold`.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.info().kind;
        f.pad(&if self.namespace.is_empty() {
            [kind, "/", &*self.name].concat()
        } else {
            [kind, "/", &*self.namespace, "/", &*self.name].concat()
        })
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A part of an object (its spec, its status, or the whole of a kind that has neither) behind one interface.
///
/// Every type that serializes and compares is one; the kinds' own types are meant.
pub trait Body: Any + fmt::Debug + Send + Sync {
    /// The part as its own type.
    fn as_any(&self) -> &dyn Any;
    /// Whether the other part is of the same type and equal.
    fn same(&self, other: &dyn Body) -> bool;
    /// The part as JSON, as it stands in the object.
    fn to_value(&self) -> Value;
    /// Appends the part's content in the form that digests cover.
    fn write_to(&self, out: &mut Vec<u8>);
}

impl<T: Any + fmt::Debug + Send + Sync + PartialEq + Serialize> Body for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn same(&self, other: &dyn Body) -> bool {
        other.as_any().downcast_ref::<T>().is_some_and(|other| self == other)
    }

    fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("the kinds' types have string keys and finite numbers")
    }

    fn write_to(&self, out: &mut Vec<u8>) {
        crate::digest::append(out, self);
    }
}

/// An object as the API server holds it.
#[derive(Clone, Debug)]
pub struct Object {
    /// Kind, namespace, name.
    pub key: ObjectKey,
    /// Metadata without what stands in the fields beside it (resourceVersion, generation).
    pub meta: Arc<ObjectMeta>,
    /// The spec; the whole object but for its metadata where the kind has none.
    pub spec: Arc<dyn Body>,
    /// The status; empty where the kind has none.
    pub status: Arc<dyn Body>,
    /// The store's version of the object; 0 while it was never stored.
    pub resource_version: u64,
    /// How often the spec changed; 0 while it was never stored.
    pub generation: i64,
}

/// An object seen as its own kind: typed references into the shared parts.
#[derive(Debug)]
pub struct View<'a, K: Resource> {
    /// The object.
    pub object: &'a Object,
    /// Its metadata.
    pub meta: &'a ObjectMeta,
    /// Its spec.
    pub spec: &'a K::Spec,
    /// Its status.
    pub status: &'a K::Status,
}

impl<K: Resource> Clone for View<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Resource> Copy for View<'_, K> {}

impl Object {
    /// A new object that was never stored.
    #[must_use]
    pub fn new<K: Resource>(meta: ObjectMeta, spec: K::Spec, status: K::Status) -> Self {
        let key = ObjectKey::of::<K>(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
        Self { key, meta: Arc::new(meta), spec: Arc::new(spec), status: Arc::new(status), resource_version: 0, generation: 0 }
    }

    /// The object as kind `K`, if it is of that kind.
    #[must_use]
    pub fn view<K: Resource>(&self) -> Option<View<'_, K>> {
        if self.key.kind != K::KIND {
            return None;
        }
        Some(View {
            object: self,
            meta: &self.meta,
            spec: self.spec.as_any().downcast_ref()?,
            status: self.status.as_any().downcast_ref()?,
        })
    }

    /// The annotation with this key.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.meta.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// The label with this key.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.meta.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// The unique id, or nothing while it was never stored.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.meta.uid.as_deref().unwrap_or_default()
    }

    /// Whether deletion was asked for.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.meta.deletion_timestamp.is_some()
    }

    /// The object as kubectl would print it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let info = self.key.kind.info();
        let mut object = Map::new();
        match info.layout {
            Layout::Whole => {
                if let Value::Object(body) = self.spec.to_value() {
                    object = body;
                }
            }
            Layout::SpecStatus => {
                for (name, part) in [("spec", &self.spec), ("status", &self.status)] {
                    let value = part.to_value();
                    if value.as_object().is_none_or(|map| !map.is_empty()) {
                        object.insert(name.to_owned(), value);
                    }
                }
            }
        }
        if self.key.kind != Kind::FOREIGN {
            object.insert("apiVersion".to_owned(), info.api_version().into());
            object.insert("kind".to_owned(), info.kind.into());
        }
        object.insert("metadata".to_owned(), self.meta_value());
        Value::Object(object)
    }

    fn meta_value(&self) -> Value {
        let mut meta = serde_json::to_value(&*self.meta).expect("metadata has string keys");
        if let Value::Object(fields) = &mut meta {
            if self.resource_version > 0 {
                fields.insert("resourceVersion".to_owned(), self.resource_version.to_string().into());
            }
            if self.generation > 0 {
                fields.insert("generation".to_owned(), self.generation.into());
            }
        }
        meta
    }
}

/// Whether two shared parts are the same: by pointer, then by content.
#[must_use]
pub fn same_part(a: &Arc<dyn Body>, b: &Arc<dyn Body>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b)) || a.same(&**b)
}
