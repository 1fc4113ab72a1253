//! The storage quota: what a request needs of each storage class, and whether that much is free.
//!
//! It comes last in the admission chain, after mutation, schema and validation. Upstream computes what a request needs; who
//! compares and refuses there is a component outside of its repository. Here both are done, and on the API server's own
//! objects: whatever the watches have told so far, two requests never take the same space. What was granted and isn't reported
//! as used yet is kept by whoever keeps the API server, as a [`Granted`].
//!
//! Page: admission §20, crypto-storage §7.

mod asked;
mod claim;
mod free;
mod granted;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use vmtwin_model::kube::api::{ApiError, ErrorReason, Review, ReviewVerb};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;
use vmtwin_model::kube::{Kind, Object, ObjectKey, Resource, View};
use vmtwin_model::units::Bytes;

use crate::cache::Cache;
use crate::features::{Feature, Features};
pub use granted::Granted;
pub(crate) use snapshot::needs as snapshot_needs;

/// Objects as some store has them: the API server's own, or what the operator was told.
pub trait Objects {
    /// The object of this key.
    fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>>;
    /// The objects of a kind in a namespace, in the order of their names.
    fn list<'a>(&'a self, kind: Kind, namespace: &'a str) -> Box<dyn Iterator<Item = &'a Arc<Object>> + 'a>;
}

impl Objects for Cache {
    fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.get(key)
    }

    fn list<'a>(&'a self, kind: Kind, namespace: &'a str) -> Box<dyn Iterator<Item = &'a Arc<Object>> + 'a> {
        Box::new(self.list(kind, Some(namespace)))
    }
}

impl Objects for BTreeMap<ObjectKey, Arc<Object>> {
    fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.get(key)
    }

    fn list<'a>(&'a self, kind: Kind, namespace: &'a str) -> Box<dyn Iterator<Item = &'a Arc<Object>> + 'a> {
        Box::new(self.values().filter(move |object| object.key.kind == kind && *object.key.namespace == *namespace))
    }
}

/// What a request needs of a storage class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedCapacity {
    /// The StorageClass.
    pub storage_class: String,
    /// The id of its policy.
    pub policy: String,
    /// How much.
    pub capacity: Bytes,
}

/// What a request needs of each storage class, for the object as it would be stored; nothing if it isn't the quota's business.
///
/// Mirrors: vm-operator `webhooks/storagepolicyquota/validation`, `RequestedCapacityHandler.Handle`.
///
/// # Errors
/// If that can't be told.
pub fn asked(features: &Features, objects: &dyn Objects, review: &Review, new: &Object) -> Result<Vec<RequestedCapacity>, ApiError> {
    if review.verb == ReviewVerb::Delete {
        return Ok(Vec::new());
    }
    // GEN-002: what is on its way out is left alone.
    if review.verb == ReviewVerb::Update && new.is_deleting() {
        return Ok(Vec::new());
    }
    if let Some(vm) = new.view::<VirtualMachine>() {
        return match review.old.as_deref().and_then(Object::view::<VirtualMachine>) {
            None => asked::by_new_vm(objects, vm),
            Some(old) => asked::by_larger_boot_disk(objects, old, vm),
        };
    }
    if let Some(claim) = new.view::<PersistentVolumeClaim>() {
        return claim::by_claim(objects, review.old.as_deref().and_then(Object::view), claim);
    }
    match new.view::<VirtualMachineSnapshot>() {
        Some(snapshot) if review.verb == ReviewVerb::Create && features.on(Feature::VMSnapshots) => snapshot::asked(objects, snapshot),
        Some(_) | None => Ok(Vec::new()),
    }
}

/// QU-30, QU-33: refuses what is more than what is free. To take the last byte is fine.
///
/// # Errors
/// If there isn't enough.
pub fn judge(objects: &dyn Objects, granted: &Granted, namespace: &str, asked: &[RequestedCapacity]) -> Result<(), ApiError> {
    for (index, one) in asked.iter().enumerate() {
        let Some(free) = free::of(objects, granted, namespace, &one.policy) else { continue };
        let besides: Bytes = asked[..index].iter().filter(|other| other.policy == one.policy).map(|other| other.capacity).sum();
        let available = (free - besides).at_least(Bytes::ZERO);
        if one.capacity > available {
            let RequestedCapacity { storage_class, capacity, .. } = one;
            let text = format!("insufficient quota for storage class \"{storage_class}\": requested {capacity}, available {available}");
            return Err(ApiError::new(ErrorReason::Forbidden, text));
        }
    }
    Ok(())
}

/// An object as kind `K`.
fn view<'a, K: Resource>(objects: &'a dyn Objects, namespace: &str, name: &str) -> Option<View<'a, K>> {
    objects.get(&ObjectKey::of::<K>(namespace, name))?.view()
}

/// Kubernetes' words for an object that isn't there.
pub(crate) fn not_found<K: Resource>(name: &str) -> String {
    let info = K::KIND.info();
    format!("{}.{} \"{name}\" not found", info.plural, info.group)
}

#[cfg(test)]
mod tests;
