//! What the API server does with Kubernetes' own kinds beyond storing them: the defaults and phases that other
//! components look at. No more than that: their controllers don't run.

use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    NamespaceStatus, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus, PersistentVolumeSpec, PersistentVolumeStatus, Secret,
};
use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::json;
use vmtwin_model::kube::api::Cause;
use vmtwin_model::kube::labels::{self, SelectorError, SelectorFault};
use vmtwin_model::kube::{Body, Kind, Object};

use crate::collect::NAMESPACE;
use crate::errors;

/// Whether it is one of Kubernetes' own kinds, which have no custom resource definition.
pub(crate) fn is_builtin(kind: Kind) -> bool {
    kind.info().schema.is_none()
}

/// A spec as it is stored: its defaults filled in.
pub(crate) fn settle(spec: Arc<dyn Body>) -> Arc<dyn Body> {
    let any = spec.as_any();
    if let Some(secret) = any.downcast_ref::<Secret>() {
        if secret.string_data.is_some() || secret.type_.is_none() {
            return Arc::new(settle_secret(secret.clone()));
        }
    } else if let Some(claim) = any.downcast_ref::<PersistentVolumeClaimSpec>() {
        if claim.volume_mode.is_none() {
            return Arc::new(PersistentVolumeClaimSpec { volume_mode: Some("Filesystem".to_owned()), ..claim.clone() });
        }
    } else if let Some(volume) = any.downcast_ref::<PersistentVolumeSpec>() {
        if volume.volume_mode.is_none() || volume.persistent_volume_reclaim_policy.is_none() {
            let mut volume = volume.clone();
            volume.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
            volume.persistent_volume_reclaim_policy.get_or_insert_with(|| "Retain".to_owned());
            return Arc::new(volume);
        }
    } else if let Some(class) = any.downcast_ref::<StorageClass>()
        && (class.reclaim_policy.is_none() || class.volume_binding_mode.is_none())
    {
        let mut class = class.clone();
        class.reclaim_policy.get_or_insert_with(|| "Delete".to_owned());
        class.volume_binding_mode.get_or_insert_with(|| "Immediate".to_owned());
        return Arc::new(class);
    }
    spec
}

/// `stringData` is for writing alone: it goes into `data`, over what is there.
fn settle_secret(mut secret: Secret) -> Secret {
    if let Some(texts) = secret.string_data.take() {
        let data = secret.data.get_or_insert_default();
        data.extend(texts.into_iter().map(|(key, text)| (key, ByteString(text.into_bytes()))));
    }
    secret.type_.get_or_insert_with(|| "Opaque".to_owned());
    secret
}

/// The rules of its own that a new object of Kubernetes' kinds breaks.
///
/// Mirrors: kubernetes `pkg/apis/core/validation`, `ValidatePersistentVolumeClaimSpec`, of which the selector alone is judged.
pub(crate) fn validate(object: &Object) -> Vec<Cause> {
    let claim = object.spec.as_any().downcast_ref::<PersistentVolumeClaimSpec>();
    let Some(selector) = claim.and_then(|claim| claim.selector.as_ref()) else { return Vec::new() };
    let cause = |error: SelectorError| {
        let field = format!("spec.selector.{}", error.field);
        match error.fault {
            SelectorFault::Required(why) => errors::required(&field, why),
            SelectorFault::Forbidden(why) => errors::field_forbidden(&field, why),
            SelectorFault::Invalid(value, why) => errors::invalid_value(&field, &json!(value), why),
        }
    };
    labels::selector_errors(selector).into_iter().map(cause).collect()
}

/// What an object has of the server's own making from its first instant on.
pub(crate) fn begin(object: &mut Object) {
    if object.key.kind == NAMESPACE {
        let labels = Arc::make_mut(&mut object.meta).labels.get_or_insert_default();
        labels.insert("kubernetes.io/metadata.name".to_owned(), object.key.name.to_string());
    }
    let any = object.status.as_any();
    if let Some(status) = any.downcast_ref::<NamespaceStatus>() {
        if status.phase.is_none() {
            object.status = Arc::new(NamespaceStatus { phase: Some("Active".to_owned()), ..status.clone() });
        }
    } else if let Some(status) = any.downcast_ref::<PersistentVolumeClaimStatus>() {
        if status.phase.is_none() {
            object.status = Arc::new(PersistentVolumeClaimStatus { phase: Some("Pending".to_owned()), ..status.clone() });
        }
    } else if let Some(status) = any.downcast_ref::<PersistentVolumeStatus>()
        && status.phase.is_none()
    {
        object.status = Arc::new(PersistentVolumeStatus { phase: Some("Pending".to_owned()), ..status.clone() });
    }
}

/// What an object whose deletion was asked for says of it.
pub(crate) fn terminate(object: &mut Object) {
    if let Some(status) = object.status.as_any().downcast_ref::<NamespaceStatus>() {
        object.status = Arc::new(NamespaceStatus { phase: Some("Terminating".to_owned()), ..status.clone() });
    }
}
