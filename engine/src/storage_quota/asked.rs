//! What a VM needs: its image's disks and room for swapping when it is created, the growth of its boot disk later.
//!
//! Page: admission §20.1 and §20.2. Claims are counted when they are provisioned, and the boot disk's growth at an update alone.
//!
//! Mirrors: vm-operator `webhooks/storagepolicyquota/validation`, `HandleCreate`, `HandleUpdate`.

use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::Value;
use vmtwin_model::kube::View;
use vmtwin_model::kube::api::{ApiError, ErrorReason};
use vmtwin_model::kube::cluster_virtual_machine_image::ClusterVirtualMachineImage;
use vmtwin_model::kube::condition::{ConditionStatus, ConditionType};
use vmtwin_model::kube::virtual_machine::{ImageRef, VirtualMachine, VirtualMachineSpec, VolumeType};
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::virtual_machine_image::{VirtualMachineImage, VirtualMachineImageStatus};
use vmtwin_model::units::{Bytes, MiB, bytes_of};

use super::{Objects, RequestedCapacity, not_found, view};

const ISO: &str = "ISO";

/// QU-01: what a new VM needs.
pub(super) fn by_new_vm(objects: &dyn Objects, vm: View<'_, VirtualMachine>) -> Result<Vec<RequestedCapacity>, ApiError> {
    let (namespace, spec) = (&vm.object.key.namespace, vm.spec);
    let Some(image) = &spec.image else { return Ok(Vec::new()) };
    let policy = policy(objects, &spec.storage_class)?;
    let status = image_status(objects, namespace, image)?;
    if status.type_ == ISO {
        return Ok(Vec::new());
    }
    if status.disks.is_empty() {
        if is_ready(status) {
            return Ok(Vec::new());
        }
        let text = format!("no disks found in image \"{}\" status.disks", image.name);
        return Err(ApiError::new(ErrorReason::NotFound, text));
    }
    let capacity = capacity_of(status) + swap(objects, namespace, &spec.class_name);
    Ok(vec![RequestedCapacity { storage_class: spec.storage_class.clone(), policy, capacity }])
}

/// QU-02: what a larger boot disk needs.
pub(super) fn by_larger_boot_disk(
    objects: &dyn Objects,
    old: View<'_, VirtualMachine>,
    new: View<'_, VirtualMachine>,
) -> Result<Vec<RequestedCapacity>, ApiError> {
    let (before, after) = (boot_disk(old.spec), boot_disk(new.spec));
    let Some(wanted) = after.filter(|_| before != after) else { return Ok(Vec::new()) };
    let limit = || old.status.volumes.iter().filter(|volume| volume.type_ == VolumeType::Classic).find_map(|volume| volume.limit);
    let growth = wanted - before.or_else(limit).unwrap_or_default();
    if growth <= Bytes::ZERO {
        return Ok(Vec::new());
    }
    let policy = policy(objects, &new.spec.storage_class)?;
    Ok(vec![RequestedCapacity { storage_class: new.spec.storage_class.clone(), policy, capacity: growth }])
}

/// QU-10, QU-27: the id of a storage class' policy; empty if the class names none.
pub(super) fn policy(objects: &dyn Objects, storage_class: &str) -> Result<String, ApiError> {
    let Some(class) = view::<StorageClass>(objects, "", storage_class) else {
        return Err(ApiError::new(ErrorReason::NotFound, not_found::<StorageClass>(storage_class)));
    };
    Ok(class.spec.parameters.as_ref().and_then(|parameters| parameters.get("storagePolicyID")).cloned().unwrap_or_default())
}

/// QU-14: the sum of what an image's disks may grow to.
pub(super) fn capacity_of(image: &VirtualMachineImageStatus) -> Bytes {
    image.disks.iter().filter_map(|disk| if crate::planted::is("quota-counts-size") { disk.requested } else { disk.limit }).sum()
}

/// QU-11: an image's status.
pub(super) fn image_status<'a>(
    objects: &'a dyn Objects,
    namespace: &str,
    image: &ImageRef,
) -> Result<&'a VirtualMachineImageStatus, ApiError> {
    let (found, missing) = match image.kind.as_str() {
        "VirtualMachineImage" => {
            let found = view::<VirtualMachineImage>(objects, namespace, &image.name).map(|image| image.status);
            (found, not_found::<VirtualMachineImage>(&image.name))
        }
        "ClusterVirtualMachineImage" => {
            let found = view::<ClusterVirtualMachineImage>(objects, "", &image.name).map(|image| image.status);
            (found, not_found::<ClusterVirtualMachineImage>(&image.name))
        }
        kind => return Err(ApiError::new(ErrorReason::BadRequest, format!("unsupported image kind {kind}"))),
    };
    found.ok_or_else(|| ApiError::new(ErrorReason::NotFound, missing))
}

/// QU-15: room for swapping what the class doesn't reserve. A class without a reservation in its configSpec, or one that can't be
/// read, asks for none; nor may a reservation above the memory give any back.
pub(super) fn swap(objects: &dyn Objects, namespace: &str, class: &str) -> Bytes {
    let class = view::<VirtualMachineClass>(objects, namespace, class);
    let Some(config) = class.and_then(|class| class.spec.config_spec.as_ref()) else { return Bytes::ZERO };
    let Some(reservation) = config.pointer("/memoryAllocation/reservation").and_then(Value::as_i64) else { return Bytes::ZERO };
    let memory = config.get("memoryMB").and_then(Value::as_i64).unwrap_or_default();
    (MiB(memory) - MiB(reservation)).at_least(MiB::ZERO).to_bytes()
}

fn is_ready(image: &VirtualMachineImageStatus) -> bool {
    let ready = image.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready);
    ready.is_some_and(|ready| ready.status == ConditionStatus::True)
}

fn boot_disk(spec: &VirtualMachineSpec) -> Option<Bytes> {
    // A quantity that can't be read is the schema's to refuse.
    spec.advanced.as_ref()?.boot_disk_capacity.as_ref().and_then(|capacity| bytes_of(capacity).ok())
}
