//! The claims of instance storage: one for each volume, on the host that was chosen; a host that can't have them is given up. Source:
//! placement-groups §4.
//!
//! Mirrors: vm-operator `controllers/virtualmachine/volume`, `reconcileInstanceStoragePVCs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use vmtwin_model::kube::Object;
use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::virtual_machine::InstanceVolumeClaim;
use vmtwin_model::time::{Span, Timestamp};

use crate::pass::{Cx, Flow, Known};
use crate::verdict::Verdict;
use crate::vm::{VmDraft, keys};

/// On a claim: it is of instance storage.
const RESOURCE: &str = "vmoperator.vmware.com/instance-storage-resource";
/// On a claim: the host that it is to be on.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// On a claim, written by the storage side: the pool that it is on, or that there is none.
const STORAGE_POOL: &str = "failure-domain.beta.vmware.com/storagepool";
/// How the storage side says that it gave up.
const GAVE_UP: &str = "FAILED_";
/// A claim that the storage side gave up on is given up here when it is so old.
const GIVEN_UP_AFTER: Span = Span::from_mins(5);

/// How a claim stands.
enum Standing {
    Missing,
    Bound,
    /// It is on another host.
    Elsewhere,
    /// The storage side gave up on it, long enough ago.
    Failed,
    /// It is being deleted, or somebody else's.
    InTheWay,
    Waits,
}

/// Makes and replaces claims; when all are bound the VM is told so, and when one can't be had on its host, that host is given up.
pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<()> {
    let Some(node) = draft.annotation(keys::INSTANCE_NODE).map(str::to_owned) else { return Ok(()) };
    let wanted: Vec<(String, InstanceVolumeClaim)> =
        super::volumes(draft).map(|(source, claim)| (source.claim_name.clone(), claim.clone())).collect();
    let (mut writes, mut all_bound, mut failed) = (Vec::new(), true, false);
    for (name, volume) in wanted {
        let claim = cx.find::<PersistentVolumeClaim>(&draft.namespace().clone(), &name);
        let standing = standing(claim.as_ref(), draft, &node, cx.now());
        all_bound &= matches!(standing, Standing::Bound);
        match standing {
            Standing::Missing | Standing::InTheWay => writes.push(Write::Create(Arc::new(new(draft, name, &volume, &node)))),
            Standing::Elsewhere | Standing::Failed => {
                failed |= matches!(standing, Standing::Failed);
                writes.extend(claim.map(|claim| Write::Delete(claim.object.key.clone())));
            }
            Standing::Bound | Standing::Waits => {}
        }
    }
    if failed {
        draft.annotate(keys::INSTANCE_NODE, None);
        draft.annotate(keys::INSTANCE_NODE_ID, None);
    }
    for answer in cx.write_all(writes)? {
        answer.map_err(|error| Verdict::failed(format!("failed to reconcile instance storage PVCs: {error}")))?;
    }
    if all_bound {
        draft.annotate(keys::INSTANCE_CLAIMS_BOUND, Some("true"));
    }
    Ok(())
}

fn standing(claim: Option<&Known<PersistentVolumeClaim>>, vm: &VmDraft, node: &str, now: Timestamp) -> Standing {
    let Some(claim) = claim else { return Standing::Missing };
    let object = &claim.object;
    let owners = object.meta.owner_references.iter().flatten();
    let ours = owners.into_iter().any(|owner| owner.uid == vm.base().uid() && owner.controller == Some(true));
    let made = object.meta.creation_timestamp.as_ref().and_then(|made| Timestamp::parse(&made.0.to_string()).ok());
    if object.is_deleting() || !ours {
        Standing::InTheWay
    } else if object.annotation(SELECTED_NODE) != Some(node) {
        Standing::Elsewhere
    } else if object.annotation(STORAGE_POOL).is_some_and(|pool| pool.starts_with(GAVE_UP)) {
        if made.is_some_and(|made| now >= made + GIVEN_UP_AFTER) { Standing::Failed } else { Standing::Waits }
    } else if claim.status().phase.as_deref() == Some("Bound") {
        Standing::Bound
    } else {
        Standing::Waits
    }
}

fn new(vm: &VmDraft, name: String, volume: &InstanceVolumeClaim, node: &str) -> Object {
    let meta = ObjectMeta {
        name: Some(name),
        namespace: Some(vm.namespace().to_string()),
        labels: Some(BTreeMap::from([(RESOURCE.to_owned(), "true".to_owned())])),
        annotations: Some(BTreeMap::from([(SELECTED_NODE.to_owned(), node.to_owned())])),
        owner_references: Some(vec![vm.as_owner()]),
        ..ObjectMeta::default()
    };
    let requests = BTreeMap::from([("storage".to_owned(), volume.size.clone())]);
    let spec = PersistentVolumeClaimSpec {
        access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
        resources: Some(VolumeResourceRequirements { requests: Some(requests), limits: None }),
        storage_class_name: Some(volume.storage_class.clone()),
        volume_mode: Some("Block".to_owned()),
        ..PersistentVolumeClaimSpec::default()
    };
    Object::new::<PersistentVolumeClaim>(meta, spec, PersistentVolumeClaimStatus::default())
}
