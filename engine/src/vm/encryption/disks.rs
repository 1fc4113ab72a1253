//! The disks of an encrypted VM: classic ones follow the VM's key, those behind claims have keys of their own.
//!
//! Source: crypto-storage §1.6, §1.7. Mirrors: vm-operator `pkg/vmconfig/crypto/crypto_reconciler_pre.go`, `reconcileFCDs`.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use vmtwin_model::kube::virtual_machine::{ControllerType, VolumeSpec};
use vmtwin_model::vsphere::ConfigSpec;
use vmtwin_model::vsphere::spec::{BackingSpec, CryptoSpec, Device, DeviceChange, DeviceOperation, DeviceType, ProfileSpec};
use vmtwin_model::vsphere::vm::Config;

use super::{Site, Storage, current, keys, storage_of};
use crate::crypto::{self, Deed, Problem, Reasons};
use crate::features::Feature;
use crate::pass::{Cx, Flow};
use crate::vm::VmDraft;

/// The annotation by which a claim names its EncryptionClass.
const ENCRYPTION_CLASS: &str = "csi.vsphere.encryption-class";

/// Backings whose encryption is looked at.
const BACKINGS: [&str; 3] = ["VirtualDiskFlatVer2BackingInfo", "VirtualDiskSeSparseBackingInfo", "VirtualDiskSparseVer2BackingInfo"];

fn disks(config: &Config) -> impl Iterator<Item = &Device> {
    config.hardware.device.iter().filter(|device| {
        let backing = device.backing.as_ref().and_then(|backing| backing.type_.as_deref());
        device.type_ == DeviceType::VirtualDisk && backing.is_some_and(|type_| BACKINGS.contains(&type_))
    })
}

/// Whether a disk is a first class disk: one that lives on without the VM.
pub(crate) fn is_managed(disk: &Device) -> bool {
    disk.rest.contains_key("vDiskId")
}

/// Whether a disk stands on another: a snapshot's, or a linked clone's.
fn has_parent(disk: &Device) -> bool {
    disk.backing.as_ref().is_some_and(|backing| backing.rest.get("parent").is_some_and(|parent| !parent.is_null()))
}

/// Brings the disks behind claims to the keys of their claims; tells whether any needs it.
pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &VmDraft, config: &Config, change: &mut ConfigSpec) -> Flow<Result<bool, Problem>> {
    let mut chosen = false;
    if draft.spec().volumes.is_empty() {
        return Ok(Ok(false));
    }
    for disk in disks(config).filter(|disk| is_managed(disk)) {
        let volume = draft.spec().volumes.iter().find(|volume| is_at(config, disk, volume));
        let claim = volume.and_then(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone()));
        let Some(claim) = claim else { continue };
        let (deed, storage) = match of_claim(cx, draft, &claim, disk)? {
            Ok(found) => found,
            Err(problem) => return Ok(Err(problem)),
        };
        match deed {
            Deed::Nothing => continue,
            Deed::Encrypt(crypto_key_id) => edit(change, disk, CryptoSpec::Encrypt { crypto_key_id }, Some(&storage)),
            Deed::Recrypt(new_key_id) => edit(change, disk, CryptoSpec::ShallowRecrypt { new_key_id }, None),
        }
        chosen = true;
    }
    Ok(Ok(chosen))
}

/// What is to be done to the disk of a claim, and the claim's policy.
fn of_claim(cx: &mut Cx<'_>, draft: &VmDraft, claim: &str, disk: &Device) -> Flow<Result<(Deed, Storage), Problem>> {
    let Some(claim) = cx.find::<PersistentVolumeClaim>(&draft.namespace().clone(), claim) else {
        return Ok(Err(Problem::new(Reasons::INTERNAL_ERROR, "PVC not found")));
    };
    let storage = storage_of(cx, claim.spec().storage_class_name.as_deref().unwrap_or_default())?;
    if !storage.encrypted {
        return Ok(Ok((Deed::Nothing, storage)));
    }
    let wanted = match claim.object.annotation(ENCRYPTION_CLASS).filter(|name| !name.is_empty()) {
        Some(name) => keys::named(cx, draft, name)?,
        None => Ok(keys::default_provider(cx)?),
    };
    let there = disk.backing.as_ref().and_then(|backing| backing.key_id.as_ref());
    Ok(wanted.and_then(|wanted| crypto::of_disk(&wanted, there)).map(|deed| (deed, storage)))
}

/// Whether a disk is at the place of a volume: controller type, bus and unit.
fn is_at(config: &Config, disk: &Device, volume: &VolumeSpec) -> bool {
    let Some(controller) = config.hardware.device.iter().find(|device| Some(device.key) == disk.controller_key) else { return false };
    let type_ = controller_type(&controller.type_);
    type_.is_some()
        && volume.controller_type == type_
        && volume.controller_bus_number == Some(controller.bus_number.unwrap_or(0))
        && volume.unit_number.is_some()
        && volume.unit_number == disk.unit_number
}

fn controller_type(type_: &DeviceType) -> Option<ControllerType> {
    crate::vm::update::controller_type(type_)
}

/// Lets the classic disks that are encrypted follow the VM's new key.
pub(super) fn recrypt_classic(config: &Config, asked: &CryptoSpec, change: &mut ConfigSpec) {
    let encrypted = |disk: &&Device| disk.backing.as_ref().is_some_and(|backing| backing.key_id.is_some());
    for disk in disks(config).filter(|disk| !is_managed(disk) && !crate::planted::is("disks-keep-old-key")).filter(encrypted) {
        edit(change, disk, asked.clone(), None);
    }
}

/// Encrypts the plain classic disks of an encrypted VM on an encrypted storage class, with the VM's key: images that were copied bring
/// plain ones.
pub(super) fn encrypt_plain(cx: &Cx<'_>, site: &Site<'_>, change: &mut ConfigSpec) {
    let Some(key) = current(site.config).filter(|_| cx.settings.features.on(Feature::FastDeploy) && site.storage.encrypted) else { return };
    let plain = |disk: &&Device| disk.backing.as_ref().is_some_and(|backing| backing.key_id.is_none());
    for disk in disks(site.config).filter(|disk| !is_managed(disk) && !has_parent(disk)).filter(plain) {
        edit(change, disk, CryptoSpec::Encrypt { crypto_key_id: key.clone() }, Some(&site.storage));
    }
}

/// Adds the encryption to the edit of a disk, or a new edit; a disk that comes or goes by the same change is left alone.
fn edit(change: &mut ConfigSpec, disk: &Device, asked: CryptoSpec, storage: Option<&Storage>) {
    let pending = change.device_change.iter_mut().find(|pending| pending.device.key == disk.key);
    let edit = match pending {
        Some(pending) if pending.operation == Some(DeviceOperation::Edit) => pending,
        Some(_) => return,
        None => {
            change.device_change.push(DeviceChange::edit(disk.clone()));
            change.device_change.last_mut().expect("one was just put in")
        }
    };
    edit.backing.get_or_insert_with(BackingSpec::default).crypto = Some(asked);
    if let Some(storage) = storage.filter(|_| edit.profile.is_empty()) {
        edit.profile = vec![ProfileSpec { profile_id: storage.policy.clone() }];
    }
}
