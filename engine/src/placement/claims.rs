//! The zones that a VM's claims leave it. Source: placement-groups §3.6.
//!
//! They bind a VM that is placed by itself; a group's placement doesn't look at them.
//!
//! Mirrors: vm-operator `pkg/util/kube/storage.go`, `GetPVCZoneConstraints`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use vmtwin_model::kube::Resource;

use crate::pass::{Cx, Flow, Known};
use crate::verdict::Verdict;
use crate::vm::create::prerequisites::not_found;
use crate::vm::{VmDraft, keys};

/// On a claim: where its volume can be reached.
const ACCESSIBLE: &str = "csi.vsphere.volume-accessible-topology";
/// On a claim: where its volume was asked for.
const REQUESTED: &str = "csi.vsphere.volume-requested-topology";
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const OUR_PROVISIONER: &str = "csi.vsphere.vmware.com";

/// The zones that all claims of a VM allow; nothing where they bind it to none.
pub(crate) fn allowed_zones(cx: &mut Cx<'_>, draft: &VmDraft) -> Flow<Option<BTreeSet<String>>> {
    let mut allowed: Option<BTreeSet<String>> = None;
    for claim in claims(cx, draft)? {
        let Some(zones) = zones_of(cx, &claim).map_err(Verdict::failed)? else { continue };
        let left = match allowed {
            None => zones,
            Some(allowed) => allowed.intersection(&zones).cloned().collect(),
        };
        if left.is_empty() {
            return Err(Verdict::failed("no allowed zones remaining after applying PVC zone constraints").into());
        }
        allowed = Some(left);
    }
    Ok(allowed)
}

/// The claims of a VM's volumes but those of instance storage; each must exist.
fn claims(cx: &mut Cx<'_>, draft: &VmDraft) -> Flow<Vec<Known<PersistentVolumeClaim>>> {
    let namespace = draft.namespace().clone();
    let sources = draft.spec().volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref());
    let names = sources.filter(|claim| claim.instance_volume_claim.is_none()).map(|claim| &claim.claim_name);
    let find = |name: &String| {
        let missing = || Verdict::failed(not_found(PersistentVolumeClaim::KIND, name)).into();
        cx.find::<PersistentVolumeClaim>(&namespace, name).ok_or_else(missing)
    };
    names.map(find).collect()
}

/// The zones that a claim allows; nothing where it binds to none.
fn zones_of(cx: &mut Cx<'_>, claim: &Known<PersistentVolumeClaim>) -> Result<Option<BTreeSet<String>>, String> {
    if is_made_from_a_vm(claim) || claim.object.annotation(PROVISIONER).is_some_and(|provisioner| provisioner != OUR_PROVISIONER) {
        return Ok(None);
    }
    let topology = |key| claim.object.annotation(key).map_or(Ok(BTreeSet::new()), |text| read(claim, key, text));
    let zones = match claim.status().phase.as_deref() {
        Some("Bound") => {
            let (accessible, requested) = (topology(ACCESSIBLE)?, topology(REQUESTED)?);
            if accessible.len() > 1 && !requested.is_empty() {
                let both: BTreeSet<String> = accessible.intersection(&requested).cloned().collect();
                return Ok(Some(both));
            }
            accessible
        }
        Some("Lost") => BTreeSet::new(),
        _ if binds_at_once(cx, claim) => return Err(format!("PVC {} is not bound", claim.name())),
        _ => topology(REQUESTED)?,
    };
    Ok((!zones.is_empty()).then_some(zones))
}

fn is_made_from_a_vm(claim: &Known<PersistentVolumeClaim>) -> bool {
    let source = claim.spec().data_source_ref.as_ref();
    source.is_some_and(|source| source.kind == "VirtualMachine" && source.api_group.as_deref() == Some("vmoperator.vmware.com"))
}

/// Whether the claim's class binds without waiting for a VM; of a class that isn't there nobody knows.
pub(crate) fn binds_at_once(cx: &mut Cx<'_>, claim: &Known<PersistentVolumeClaim>) -> bool {
    let Some(name) = claim.spec().storage_class_name.clone() else { return false };
    let class = cx.find::<StorageClass>("", &name);
    class.is_some_and(|class| class.spec().volume_binding_mode.as_deref().unwrap_or("Immediate") == "Immediate")
}

/// Reads a topology: a list of segments, each with its zone.
fn read(claim: &Known<PersistentVolumeClaim>, key: &str, text: &str) -> Result<BTreeSet<String>, String> {
    let segments: Vec<BTreeMap<String, String>> =
        serde_json::from_str(text).map_err(|error| format!("failed to parse annotation {key} of PVC {}: {error}", claim.name()))?;
    Ok(segments.into_iter().filter_map(|mut segment| segment.remove(keys::ZONE)).collect())
}
