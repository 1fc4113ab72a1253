//! Tests of the whole machine, through its public face.

mod lifecycle;
mod property;
mod strictness;
mod watching;
mod writes;

use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Admission, Admitted, ApiError, PatchKind, Request, Review, Subresource, User, Write};
use vmtwin_model::kube::{Kind, Object, ObjectKey};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::{Span, Timestamp};

use crate::{ApiServer, Delivery, IdOrder, Response, Settings};

/// An API server with a namespace `ns`, and a clock.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    pub(super) api: ApiServer,
    pub(super) now: Timestamp,
    pub(super) next: u64,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(IdOrder::Dense)
    }

    pub(super) fn with(id_order: IdOrder) -> Self {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").expect("an instant");
        let api = ApiServer::new(Settings { rng: Rng::new(7), id_order });
        let mut bench = Self { api, now, next: 1 };
        bench.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})).expect("a namespace");
        bench
    }

    pub(super) fn send(&mut self, request: Request) -> Response {
        self.send_past(request, &mut |_, _| Ok(Admission::default()))
    }

    pub(super) fn send_past(&mut self, request: Request, admission: &mut dyn FnMut(&ApiServer, Review) -> Admitted) -> Response {
        let response = self.api.request(self.now, Cause(self.next), &User::named("someone"), request, admission);
        self.next += u64::try_from(response.changes.len()).expect("few changes");
        response
    }

    pub(super) fn create(&mut self, manifest: Value) -> Result<Arc<Object>, ApiError> {
        self.send(Request::Create { manifest }).result
    }

    pub(super) fn merge(&mut self, key: &ObjectKey, patch: Value) -> Response {
        self.send(Request::Patch { key: key.clone(), kind: PatchKind::Merge, patch, part: Subresource::Main })
    }

    pub(super) fn merge_status(&mut self, key: &ObjectKey, patch: Value) -> Response {
        self.send(Request::Patch { key: key.clone(), kind: PatchKind::Merge, patch, part: Subresource::Status })
    }

    pub(super) fn delete(&mut self, key: &ObjectKey) -> Response {
        self.send(Request::Delete { key: key.clone() })
    }

    pub(super) fn write(&mut self, write: Write) -> Response {
        self.send(Request::Write(write))
    }

    pub(super) fn sleep(&mut self, seconds: i64) {
        self.now = self.now + Span::from_secs(seconds);
    }

    pub(super) fn deliveries(&mut self) -> Vec<Delivery> {
        std::iter::from_fn(|| self.api.deliver(self.now)).collect()
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Arc<Object> {
        self.api.get(key).expect("the object is there").clone()
    }
}

pub(super) fn vm_kind() -> Kind {
    Kind::named("VirtualMachine").expect("the table has it")
}

pub(super) fn vm_key(name: &str) -> ObjectKey {
    ObjectKey::new(vm_kind(), "ns", name)
}

pub(super) fn map_key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::named("ConfigMap").expect("the table has it"), "ns", name)
}

pub(super) fn vm(name: &str) -> Value {
    json!({
        "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"className": "small", "imageName": "vmi-1", "storageClass": "gold", "powerState": "PoweredOn"},
    })
}

pub(super) fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "ns"}, "data": {"a": "1"}})
}

/// The manifest with these values at these places.
pub(super) fn with(mut manifest: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer has a slash");
        let parent = manifest.pointer_mut(parent).expect("the parent is there");
        parent[name] = value.clone();
    }
    manifest
}

pub(super) fn owned_by(manifest: Value, owners: &[&Object]) -> Value {
    let owners = owners.iter().map(|owner| {
        let info = owner.key.kind.info();
        json!({"apiVersion": info.api_version(), "kind": info.kind, "name": &*owner.key.name, "uid": owner.uid()})
    });
    with(manifest, &[("/metadata/ownerReferences", owners.collect())])
}

/// What changed, a line each: `created ConfigMap/ns/a`.
pub(super) fn lines(response: &Response) -> Vec<String> {
    response.changes.iter().map(|event| line(event.before.as_deref(), event.after.as_deref())).collect()
}

pub(super) fn line(before: Option<&Object>, after: Option<&Object>) -> String {
    match (before, after) {
        (None, Some(after)) => format!("created {}", after.key),
        (Some(before), Some(after)) if after.is_deleting() && !before.is_deleting() => format!("dying {}", after.key),
        (Some(_), Some(after)) => format!("changed {}", after.key),
        (Some(before), None) => format!("gone {}", before.key),
        (None, None) => "nothing".to_owned(),
    }
}
