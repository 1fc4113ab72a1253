//! What a snapshot needs: its VM's memory if it keeps that, and what each of the VM's disks may grow to, by storage class.
//!
//! Page: admission §20.3 (QU-21 to QU-27), crypto-storage §8.5.
//!
//! Mirrors: vm-operator `pkg/util/kube`, `CalculateReservedForSnapshotPerStorageClass`.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use vmtwin_model::kube::View;
use vmtwin_model::kube::api::{ApiError, ErrorReason};
use vmtwin_model::kube::virtual_machine::{PersistentVolumeClaimSource, VirtualMachine, VolumeStatus, VolumeType};
use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;
use vmtwin_model::units::{Bytes, bytes_of};

use super::asked::policy;
use super::{Objects, RequestedCapacity, not_found, view};

/// What a new snapshot needs.
pub(super) fn asked(objects: &dyn Objects, snapshot: View<'_, VirtualMachineSnapshot>) -> Result<Vec<RequestedCapacity>, ApiError> {
    let needs = needs(objects, snapshot).map_err(|why| {
        let text = format!("unable to calculate reserved capacity for snapshot \"{}\": {why}", snapshot.object.key.name);
        ApiError::new(ErrorReason::InternalError, text)
    })?;
    let asked = needs.into_iter().map(|(storage_class, capacity)| {
        let policy = policy(objects, &storage_class)?;
        Ok(RequestedCapacity { storage_class, policy, capacity })
    });
    asked.collect()
}

/// By storage class, in the order in which they are met.
pub(crate) fn needs(objects: &dyn Objects, snapshot: View<'_, VirtualMachineSnapshot>) -> Result<Vec<(String, Bytes)>, String> {
    let (namespace, name) = (&snapshot.object.key.namespace, snapshot.spec.vm_name.as_str());
    if name.is_empty() {
        return Err("vmName is not set".to_owned());
    }
    let vm = view::<VirtualMachine>(objects, namespace, name)
        .ok_or_else(|| format!("failed to get VM {name}: {}", not_found::<VirtualMachine>(name)))?;
    let mut needs = Vec::new();
    if snapshot.spec.memory {
        let memory = vm.status.hardware.as_ref().and_then(|hardware| hardware.memory.as_ref()?.total);
        let unknown = "failed to calculate reserved storage capacity for snapshot since VM does not have memory usage set";
        add(&mut needs, &vm.spec.storage_class, memory.ok_or(unknown)?);
    }
    for volume in &vm.status.volumes {
        match volume.type_ {
            VolumeType::Classic => {
                let requested = volume.requested.ok_or("requested is not set for classic disk")?;
                add(&mut needs, &vm.spec.storage_class, requested);
            }
            VolumeType::Managed => {
                if let Some(claim) = claim_of(vm, volume) {
                    let (class, capacity) = of_claim(objects, namespace, &volume.name, claim)?;
                    add(&mut needs, &class, capacity);
                }
            }
        }
    }
    Ok(needs)
}

fn add(needs: &mut Vec<(String, Bytes)>, class: &str, capacity: Bytes) {
    match needs.iter_mut().find(|(known, _)| known == class) {
        Some((_, sum)) => *sum += capacity,
        None => needs.push((class.to_owned(), capacity)),
    }
}

fn claim_of<'a>(vm: View<'a, VirtualMachine>, volume: &VolumeStatus) -> Option<&'a PersistentVolumeClaimSource> {
    let wanted = vm.spec.volumes.iter().find(|wanted| wanted.name == volume.name)?;
    wanted.persistent_volume_claim.as_ref()
}

/// Class and size of what is behind a volume. Instance storage says both itself.
fn of_claim(objects: &dyn Objects, namespace: &str, volume: &str, source: &PersistentVolumeClaimSource) -> Result<(String, Bytes), String> {
    if let Some(instance) = &source.instance_volume_claim {
        let size = bytes_of(&instance.size).map_err(|error| error.to_string())?;
        return Ok((instance.storage_class.clone(), size));
    }
    let name = &source.claim_name;
    let claim = view::<PersistentVolumeClaim>(objects, namespace, name)
        .ok_or_else(|| format!("failed to get pvc {name} for volume {volume}: persistentvolumeclaims \"{name}\" not found"))?;
    let class = claim.spec.storage_class_name.clone().filter(|class| !class.is_empty());
    let class = class.ok_or_else(|| format!("storage class is not set for pvc {name}"))?;
    let requests = claim.spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    let storage = requests.and_then(|requests| requests.get("storage"));
    let storage = storage.ok_or_else(|| format!("requests is not set for pvc {name}"))?;
    Ok((class, bytes_of(storage).map_err(|error| error.to_string())?))
}
