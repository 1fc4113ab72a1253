//! Claims that are bound with their first consumer: the VM's zone is written on them before they are attached. Source: crypto-storage §5.4.

use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use vmtwin_model::kube::api::Write;

use super::VmDraft;
use crate::features::Feature;
use crate::pass::{Cx, Flow};
use crate::vm::keys;

const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const IS_ZONE: &str = "cns.vmware.com/selected-node-is-zone";

/// Writes the VM's zone on a claim that waits for it; an error means that the volume isn't attached.
pub(super) fn prepare(cx: &mut Cx<'_>, draft: &VmDraft, claim: &str) -> Flow<Result<(), Arc<str>>> {
    let error = |text: String| Ok(Err(Arc::from(text)));
    let gate = cx.settings.features.on(Feature::VMWaitForFirstConsumerPVC);
    let Some(claim) = cx.find::<PersistentVolumeClaim>(&draft.namespace().clone(), claim) else {
        // Without the gate nobody asks for the claim: CNS tells what is wrong with it.
        return if gate { error(format!("cannot get PVC: persistentvolumeclaims {claim:?} not found")) } else { Ok(Ok(())) };
    };
    if claim.status().phase.as_deref() == Some("Bound") {
        return Ok(Ok(()));
    }
    let Some(class) = claim.spec().storage_class_name.clone().filter(|name| !name.is_empty()) else {
        return if gate { error(format!("PVC {} does not have StorageClassName set", claim.name())) } else { Ok(Ok(())) };
    };
    let Some(class) = cx.find::<StorageClass>("", &class) else {
        return if gate {
            error(format!("cannot get StorageClass for PVC {}: storageclasses.storage.k8s.io {class:?} not found", claim.name()))
        } else {
            Ok(Ok(()))
        };
    };
    if class.spec().volume_binding_mode.as_deref() != Some("WaitForFirstConsumer") {
        return Ok(Ok(()));
    }
    if !gate {
        return error("PVC with WFFC storage class support is not enabled".to_owned());
    }
    let zone = if draft.status().zone.is_empty() { draft.label(keys::ZONE).unwrap_or_default() } else { &draft.status().zone };
    if zone.is_empty() {
        return error("VM does not have Zone set".to_owned());
    }
    let has = |key: &str, value: &str| claim.object.annotation(key) == Some(value);
    if has(SELECTED_NODE, zone) && has(IS_ZONE, "true") {
        return Ok(Ok(()));
    }
    let mut meta = (*claim.object.meta).clone();
    meta.annotations.get_or_insert_default().extend([(SELECTED_NODE, zone), (IS_ZONE, "true")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    let write = Write::Update { base: claim.object.clone(), meta: Some(Arc::new(meta)), spec: None, status: None };
    match cx.write(write)? {
        Ok(_) => Ok(Ok(())),
        Err(why) => error(format!("cannot update PVC {}: {why}", claim.name())),
    }
}
