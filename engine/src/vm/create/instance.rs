//! Instance storage: volumes on the disks of the VM's own host. Source: placement-groups §4.
//!
//! The class's volumes are written into the VM's spec once, before anything else of the creation; placement then chooses a host, and
//! the VM is made when its claims are bound there. The claims themselves are `claims`'.
//!
//! Mirrors: vm-operator `vmprovider_vm.go`, `addInstanceStorageVolumes`; `pkg/util/vmopv1/instancestorage.go`.

mod claims;

use k8s_openapi::api::storage::v1::StorageClass;
use vmtwin_model::kube::Resource;
use vmtwin_model::kube::virtual_machine::{InstanceVolumeClaim, PersistentVolumeClaimSource, VolumeSpec};
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::units::bytes_of;
use vmtwin_model::vsphere::spec::{Backing, Device, DeviceChange, DeviceType, FileOperation, ProfileSpec};

use super::prerequisites::not_found;
use crate::features::Feature;
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::{VmDraft, keys};

/// The disk id that stands for an instance volume in a placement.
const PLACEHOLDER_DISK: &str = "cc737f33-2aa3-4594-aa60-df7d6d4cb984";

/// The claims of a VM's instance volumes.
pub(crate) fn volumes(draft: &VmDraft) -> impl Iterator<Item = (&PersistentVolumeClaimSource, &InstanceVolumeClaim)> {
    let sources = draft.spec().volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref());
    sources.filter_map(|source| Some((source, source.instance_volume_claim.as_ref()?)))
}

/// Whether a VM has instance storage.
pub(crate) fn has_volumes(draft: &VmDraft) -> bool {
    volumes(draft).next().is_some()
}

/// Whether a host must be chosen for it.
pub(super) fn needs_host(cx: &Cx<'_>, draft: &VmDraft) -> bool {
    cx.settings.features.on(Feature::InstanceStorage) && has_volumes(draft) && draft.annotation(keys::INSTANCE_NODE_ID).is_none()
}

/// Writes the class's volumes into the spec of a VM that has none yet; the pass then ends, so that the next sees the VM as it will be.
pub(super) fn add_volumes(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<()> {
    if !cx.settings.features.on(Feature::InstanceStorage) || has_volumes(draft) {
        return Ok(());
    }
    let class = cx.find::<VirtualMachineClass>(&draft.namespace().clone(), &draft.spec().class_name.clone());
    let storage = class.as_ref().and_then(|class| class.spec().hardware.as_ref()?.instance_storage.as_ref());
    let Some(storage) = storage.filter(|storage| !storage.volumes.is_empty()) else { return Ok(()) };
    for (nth, volume) in storage.volumes.iter().enumerate() {
        let id = cx.draw("engine/instance-volume", (draft.base().uid(), nth)).uuid();
        let name = format!("instance-pvc-{id}");
        let claim = InstanceVolumeClaim { size: volume.size.clone(), storage_class: storage.storage_class.clone() };
        draft.spec_mut().volumes.push(VolumeSpec {
            name: name.clone(),
            persistent_volume_claim: Some(PersistentVolumeClaimSource {
                claim_name: name,
                instance_volume_claim: Some(claim),
                read_only: false,
            }),
            ..VolumeSpec::default()
        });
    }
    Err(Verdict::Progress("added instance storage volumes").into())
}

/// The disks that stand for the instance volumes in a placement: thick, of their size, with the policy of their class.
pub(super) fn disks(cx: &mut Cx<'_>, draft: &VmDraft) -> Flow<Vec<DeviceChange>> {
    let wanted: Vec<InstanceVolumeClaim> = volumes(draft).map(|(_, claim)| claim.clone()).collect();
    let mut disks = Vec::new();
    for (claim, key) in wanted.iter().zip((-1000_i32..).map(|n| n - 43)) {
        let class = cx.find::<StorageClass>("", &claim.storage_class);
        let class = class.ok_or_else(|| Verdict::failed(not_found(StorageClass::KIND, &claim.storage_class)))?;
        let policy = class.spec().parameters.as_ref().and_then(|parameters| parameters.get("storagePolicyID")).cloned();
        let size = bytes_of(&claim.size).map_err(|error| Verdict::failed(format!("the size of an instance volume: {error}")))?;
        let mut disk = Device::new(DeviceType::VirtualDisk, key);
        disk.capacity_in_bytes = Some(size);
        disk.backing = Some(Backing { thin_provisioned: Some(false), ..Backing::default() });
        disk.rest.insert("vDiskId".to_owned(), serde_json::json!({"id": PLACEHOLDER_DISK}));
        disks.push(DeviceChange {
            file_operation: Some(FileOperation::Create),
            profile: policy.map(|id| ProfileSpec { profile_id: id.into() }).into_iter().collect(),
            ..DeviceChange::add(disk)
        });
    }
    Ok(disks)
}

/// Holds the creation until all claims are bound.
pub(super) fn check_bound(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<()> {
    if !cx.settings.features.on(Feature::InstanceStorage) || !has_volumes(draft) {
        return Ok(());
    }
    if draft.annotation(keys::INSTANCE_CLAIMS_BOUND).is_none() {
        claims::reconcile(cx, draft)?;
    }
    match draft.annotation(keys::INSTANCE_CLAIMS_BOUND) {
        Some(_) => Ok(()),
        None => Err(Verdict::failed("instance storage PVCs are not bound yet").into()),
    }
}
