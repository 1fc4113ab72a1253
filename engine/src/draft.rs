//! The object of a pass on its way to its next version: what was read, and the parts that the pass changes.
//!
//! A part is copied when it is first written to. At the end of the pass only parts that really differ are sent, so a pass that
//! finds nothing new leaves the object as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use vmtwin_model::kube::api::{ApiError, Write};
use vmtwin_model::kube::{Object, Resource, View};

use crate::pass::{Cx, Flow};

/// An object of kind `K` that a pass may change.
#[derive(Debug)]
pub struct Draft<K: Resource> {
    base: Arc<Object>,
    meta: Option<ObjectMeta>,
    spec: Option<K::Spec>,
    status: Option<K::Status>,
}

impl<K: Resource> Draft<K> {
    /// A reference to it as the controlling owner of another object.
    pub(crate) fn as_owner(&self) -> OwnerReference {
        let info = K::KIND.info();
        OwnerReference {
            api_version: info.api_version(),
            kind: info.kind.to_owned(),
            name: self.base.key.name.to_string(),
            uid: self.base.uid().to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// A draft of this object, if it is of kind `K`.
    #[must_use]
    pub fn of(base: Arc<Object>) -> Option<Self> {
        base.view::<K>()?;
        Some(Self { base, meta: None, spec: None, status: None })
    }

    /// The object as it was read.
    #[must_use]
    pub fn base(&self) -> &Arc<Object> {
        &self.base
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.base.key.name
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &Arc<str> {
        &self.base.key.namespace
    }

    /// Metadata, spec and status as they stand.
    #[must_use]
    pub fn view(&self) -> View<'_, K> {
        View { object: &self.base, meta: self.meta(), spec: self.spec(), status: self.status() }
    }

    /// The metadata as it stands.
    #[must_use]
    pub fn meta(&self) -> &ObjectMeta {
        self.meta.as_ref().unwrap_or(&self.base.meta)
    }

    /// The spec as it stands.
    #[must_use]
    pub fn spec(&self) -> &K::Spec {
        self.spec.as_ref().unwrap_or_else(|| self.base.view::<K>().expect("checked when the draft was made").spec)
    }

    /// The status as it stands.
    #[must_use]
    pub fn status(&self) -> &K::Status {
        self.status.as_ref().unwrap_or_else(|| self.base.view::<K>().expect("checked when the draft was made").status)
    }

    /// The metadata, to be changed.
    pub fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.meta.get_or_insert_with(|| (*self.base.meta).clone())
    }

    /// The spec, to be changed.
    pub fn spec_mut(&mut self) -> &mut K::Spec {
        self.spec.get_or_insert_with(|| self.base.view::<K>().expect("checked when the draft was made").spec.clone())
    }

    /// The status, to be changed.
    pub fn status_mut(&mut self) -> &mut K::Status {
        self.status.get_or_insert_with(|| self.base.view::<K>().expect("checked when the draft was made").status.clone())
    }

    /// The annotation with this key.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.meta().annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// Whether any annotation's key begins so.
    #[must_use]
    pub fn has_annotation_below(&self, prefix: &str) -> bool {
        self.meta().annotations.iter().flatten().any(|(key, _)| key.starts_with(prefix))
    }

    /// The label with this key.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.meta().labels.as_ref()?.get(key).map(String::as_str)
    }

    /// Sets an annotation, or takes it off.
    pub fn annotate(&mut self, key: &str, value: Option<&str>) {
        if self.annotation(key) != value {
            set(&mut self.meta_mut().annotations, key, value);
        }
    }

    /// Sets a label, or takes it off.
    pub fn set_label(&mut self, key: &str, value: Option<&str>) {
        if self.label(key) != value {
            set(&mut self.meta_mut().labels, key, value);
        }
    }

    /// Whether it has this finalizer.
    #[must_use]
    pub fn has_finalizer(&self, finalizer: &str) -> bool {
        self.meta().finalizers.iter().flatten().any(|there| there == finalizer)
    }

    /// Adds a finalizer.
    pub fn add_finalizer(&mut self, finalizer: &str) {
        if !self.has_finalizer(finalizer) {
            self.meta_mut().finalizers.get_or_insert_default().push(finalizer.to_owned());
        }
    }

    /// Takes a finalizer off.
    pub fn remove_finalizer(&mut self, finalizer: &str) {
        if self.has_finalizer(finalizer) {
            let finalizers = &mut self.meta_mut().finalizers;
            finalizers.get_or_insert_default().retain(|there| there != finalizer);
            if finalizers.as_ref().is_some_and(Vec::is_empty) {
                *finalizers = None;
            }
        }
    }

    /// Writes what has changed so far, and goes on from the version that came of it: for what must stand on the object before the pass
    /// is through.
    ///
    /// # Errors
    /// Leaves the pass's function while the answer isn't there.
    pub(crate) fn save(&mut self, cx: &mut Cx<'_>) -> Flow<Result<(), ApiError>> {
        let base = self.base.clone();
        let sent = std::mem::replace(self, Self { base, meta: None, spec: None, status: None });
        let Some(write) = sent.into_write() else { return Ok(Ok(())) };
        Ok(cx.write(write)?.map(|written| self.base = written))
    }

    /// The write that makes the object what the draft says; nothing if it is that already.
    #[must_use]
    pub fn into_write(self) -> Option<Write> {
        let view = self.base.view::<K>().expect("checked when the draft was made");
        let meta = self.meta.filter(|meta| *meta != *self.base.meta).map(Arc::new);
        let spec = self.spec.filter(|spec| spec != view.spec).map(|spec| Arc::new(spec) as _);
        let status = self.status.filter(|status| status != view.status).map(|status| Arc::new(status) as _);
        if meta.is_none() && spec.is_none() && status.is_none() {
            return None;
        }
        Some(Write::Update { base: self.base, meta, spec, status })
    }
}

fn set(map: &mut Option<BTreeMap<String, String>>, key: &str, value: Option<&str>) {
    match value {
        Some(value) => {
            map.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        }
        None => {
            if let Some(entries) = map {
                entries.remove(key);
                if entries.is_empty() {
                    *map = None;
                }
            }
        }
    }
}
