//! What a claim needs: the size that it asks for, and at an update how much more that is.
//!
//! Page: crypto-storage §7.3, §7.5: claims are CSI's to judge; the verdict is reached here all the same, so that nothing overshoots a quota.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use vmtwin_model::kube::api::ApiError;
use vmtwin_model::kube::{Resource, View};
use vmtwin_model::units::{Bytes, bytes_of};

use super::{Objects, RequestedCapacity, asked};

/// What a claim that is made, or grows, needs. A claim without a class, or of one that isn't there, needs nothing that is known.
pub(super) fn by_claim(
    objects: &dyn Objects,
    old: Option<View<'_, PersistentVolumeClaim>>,
    new: View<'_, PersistentVolumeClaim>,
) -> Result<Vec<RequestedCapacity>, ApiError> {
    let Some(class) = class(new) else { return Ok(Vec::new()) };
    let capacity = size(new) - old.map(size).unwrap_or_default();
    match asked::policy(objects, class) {
        Ok(policy) if capacity > Bytes::ZERO => Ok(vec![RequestedCapacity { storage_class: class.to_owned(), policy, capacity }]),
        _ => Ok(Vec::new()),
    }
}

/// What the claims of a namespace take of a policy.
pub(super) fn taken(objects: &dyn Objects, namespace: &str, policy: &str) -> Bytes {
    let claims = objects.list(PersistentVolumeClaim::KIND, namespace).filter_map(|object| object.view::<PersistentVolumeClaim>());
    let of_policy = claims.filter(|claim| {
        !claim.object.is_deleting() && class(*claim).is_some_and(|class| asked::policy(objects, class).is_ok_and(|id| id == policy))
    });
    of_policy.map(size).sum()
}

fn class(claim: View<'_, PersistentVolumeClaim>) -> Option<&str> {
    claim.spec.storage_class_name.as_deref().filter(|class| !class.is_empty())
}

/// The size that a claim asks for.
fn size(claim: View<'_, PersistentVolumeClaim>) -> Bytes {
    let requests = claim.spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    requests.and_then(|requests| bytes_of(requests.get("storage")?).ok()).unwrap_or_default()
}
