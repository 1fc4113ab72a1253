//! Fast deploy: a VM of disks that lie near its datastore already, copied or linked, instead of a deploy from the content library. Source:
//! vm-lifecycle §16.1, §16.2; gate `FastDeploy`.
//!
//! The copies near the datastore are the image cache's: the VM says which place it needs, and waits, holding nothing, until they are there.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmprovider_vm.go`, `vmlifecycle/create_fastdeploy.go`.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::storage_policy::StoragePolicy;
use vmtwin_model::kube::virtual_machine_image_cache::{
    ImageCacheFileType, ImageCacheLocationSpec, VirtualMachineImageCache, VirtualMachineImageCacheSpec, VirtualMachineImageCacheStatus,
};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Object, Reason};
use vmtwin_model::units::{Bytes, bytes_of};
use vmtwin_model::vsphere::spec::{Backing, Device, DeviceChange, DeviceType, FileInfo, FileOperation, OptionValue, ProfileSpec};
use vmtwin_model::vsphere::{ConfigSpec, Operation, Reply};
use xxhash_rust::xxh3::xxh3_128;

use super::place::Place;
use super::prerequisites::Needs;
use crate::admission::encryption;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Known};
use crate::settings::FastDeployMode;
use crate::verdict::Verdict;
use crate::vm::{VmDraft, ask, keys};

/// A VM that is made fast: of which disks, and where.
#[derive(Clone, Debug)]
pub(super) struct FastDeploy {
    mode: FastDeployMode,
    /// The VM's folder, `[datastore] uid`.
    home: String,
    /// The paths of the cached disks.
    disks: Vec<Arc<str>>,
}

/// How this VM is made fast in this pass, if it is.
pub(super) fn mode(cx: &mut Cx<'_>, draft: &VmDraft, needs: &Needs) -> Option<FastDeployMode> {
    if !cx.settings.features.on(Feature::FastDeploy) || needs.image.type_ != "OVF" || has_instance_storage(needs) {
        return None;
    }
    let mode = match draft.annotation(keys::FAST_DEPLOY) {
        None => cx.settings.fast_deploy_mode,
        Some(word) if word.eq_ignore_ascii_case("direct") => FastDeployMode::Direct,
        Some(word) if word.eq_ignore_ascii_case("linked") => FastDeployMode::Linked,
        Some(_) => return None,
    };
    match (is_encrypted(cx, needs), cx.settings.features.on(Feature::BringYourOwnEncryptionKey)) {
        (true, false) => None,
        (true, true) => Some(FastDeployMode::Direct),
        (false, _) => Some(mode),
    }
}

fn has_instance_storage(needs: &Needs) -> bool {
    let hardware = needs.class().hardware.as_ref();
    hardware.and_then(|hardware| hardware.instance_storage.as_ref()).is_some_and(|storage| !storage.volumes.is_empty())
}

fn is_encrypted(cx: &mut Cx<'_>, needs: &Needs) -> bool {
    let Some(name) = encryption::policy_name(&needs.storage_policy) else { return false };
    let namespace = cx.settings.pod_namespace.clone();
    cx.find::<StoragePolicy>(&namespace, &name).is_some_and(|policy| policy.status().encrypted)
}

/// Waits for the image's disks near the datastore.
pub(super) fn prepare(
    cx: &mut Cx<'_>,
    draft: &mut VmDraft,
    needs: &Needs,
    place: &Place,
    mode: Option<FastDeployMode>,
) -> Flow<Option<FastDeploy>> {
    let Some(mode) = mode else { return Ok(None) };
    let Some(datastore) = &place.datastore else {
        return Err(Verdict::failed("no datastore was recommended for the VM").into());
    };
    let operation = Operation::RetrieveDatastore { datastore: datastore.clone() };
    let Reply::Datastore(info) = ask(cx, operation, "failed to get datastore")? else { unreachable!("a datastore was asked for") };
    let location = ImageCacheLocationSpec {
        datacenter_id: info.datacenter.to_string(),
        datastore_id: datastore.to_string(),
        profile_id: needs.storage_policy.to_string(),
    };
    let cache = cache_name(&needs.image.provider_item_id);
    let (disks, why) = match wanted_cache(cx, needs, &cache, &location)? {
        Some(cache) => cached_disks(&cache, &location),
        None => (None, "hardware not ready"),
    };
    let now = cx.now();
    let Some(disks) = disks else {
        draft.set_label(keys::IMAGE_CACHE, Some(&cache));
        draft.annotate(keys::IMAGE_CACHE_LOCATION, Some(&serde_json::json!(location).to_string()));
        draft.status_mut().conditions.put(Condition::fails(ConditionType::ImageCacheReady, Reason::NotReady, why), now);
        return Err(Verdict::Progress(why).into());
    };
    draft.set_label(keys::IMAGE_CACHE, None);
    draft.annotate(keys::IMAGE_CACHE_LOCATION, None);
    draft.status_mut().conditions.put(Condition::holds(ConditionType::ImageCacheReady), now);
    Ok(Some(FastDeploy { mode, home: format!("[{}] {}", info.name, draft.base().uid()), disks }))
}

/// The cache of an item is named after it.
fn cache_name(item: &str) -> String {
    let digits = format!("{:032x}", xxh3_128(item.as_bytes()));
    format!("vmi-{}", &digits[..17])
}

/// The item's cache, if it is known of this location; else it is told of it.
fn wanted_cache(
    cx: &mut Cx<'_>,
    needs: &Needs,
    name: &str,
    location: &ImageCacheLocationSpec,
) -> Flow<Option<Known<VirtualMachineImageCache>>> {
    let namespace = cx.settings.pod_namespace.clone();
    let write = match cx.find::<VirtualMachineImageCache>(&namespace, name) {
        Some(cache) if cache.spec().locations.contains(location) => return Ok(Some(cache)),
        Some(cache) => {
            let mut spec = cache.spec().clone();
            spec.locations.push(location.clone());
            Write::Update { base: cache.object.clone(), meta: None, spec: Some(Arc::new(spec)), status: None }
        }
        None => {
            let meta = ObjectMeta { name: Some(name.to_owned()), namespace: Some(namespace.to_string()), ..ObjectMeta::default() };
            let spec = VirtualMachineImageCacheSpec {
                locations: vec![location.clone()],
                provider_id: needs.image.provider_item_id.clone(),
                provider_version: needs.image.provider_content_version.clone(),
            };
            let object = Object::new::<VirtualMachineImageCache>(meta, spec, VirtualMachineImageCacheStatus::default());
            Write::Create(Arc::new(object))
        }
    };
    match cx.write(write)? {
        Ok(_) => Ok(None),
        // Where another VM was faster, its write is on the way to us, and the next attempt sees it.
        Err(error) => Err(Verdict::failed(format!("failed to ask for cached files: {error}")).into()),
    }
}

/// The disks that are cached at a location, or what isn't there yet.
fn cached_disks(cache: &Known<VirtualMachineImageCache>, location: &ImageCacheLocationSpec) -> (Option<Vec<Arc<str>>>, &'static str) {
    const HARDWARE: &str = "VirtualMachineImageCacheHardwareReady";
    let status = cache.status();
    if !status.conditions.is_true(&ConditionType::from(HARDWARE)) {
        return (None, "hardware not ready");
    }
    let here = status.locations.iter().find(|there| {
        there.datacenter_id == location.datacenter_id
            && there.datastore_id == location.datastore_id
            && there.profile_id == location.profile_id
    });
    let ready = here.filter(|there| there.conditions.is_true(&ConditionType::Ready));
    let disks = |files: &[vmtwin_model::kube::virtual_machine_image_cache::ImageCacheFileStatus]| {
        files.iter().filter(|file| file.type_ == ImageCacheFileType::Disk).map(|file| file.id.as_str().into()).collect()
    };
    (ready.map(|there| disks(&there.files)), "cached files not ready")
}

impl FastDeploy {
    /// What comes before the VM is made: its folder, and copies of the disks unless they are linked.
    pub(super) fn before(&self) -> Vec<Operation> {
        let mut before = vec![Operation::MakeDirectory { name: self.home.as_str().into() }];
        if self.mode == FastDeployMode::Direct {
            let copies = self.disks.iter().enumerate();
            before.extend(copies.map(|(nth, disk)| Operation::CopyVirtualDisk { source_name: disk.clone(), dest_name: self.disk(nth) }));
        }
        before
    }

    /// What takes it back.
    pub(super) fn cleanup(&self) -> Operation {
        Operation::DeleteDatastoreFile { name: self.home.as_str().into() }
    }

    /// Puts the disks into the create spec, and what else a deploy would have brought from the image.
    pub(super) fn complete(&self, spec: &mut ConfigSpec, draft: &VmDraft, needs: &Needs) {
        spec.files = Some(FileInfo { vm_path_name: Some(format!("{}/{}.vmx", self.home, draft.name()).into()) });
        if spec.guest_id.is_none() {
            spec.guest_id = needs.image.os_info.as_ref().map(|os| os.type_.as_str().into());
        }
        if spec.version.is_none() {
            spec.version = needs.image.hardware_version.map(|version| format!("vmx-{version}").into());
        }
        let controller = self.controller(spec);
        for (nth, cached) in self.disks.iter().enumerate() {
            spec.device_change.push(self.disk_change(nth, cached, controller, draft, needs));
        }
        if self.mode == FastDeployMode::Linked {
            let names: Vec<&str> = self.disks.iter().map(|path| path.rsplit(['/', ' ']).next().unwrap_or(path)).collect();
            spec.extra_config.push(OptionValue::new(keys::KEEP_DISKS, names.join(",")));
        }
    }

    /// The class's disk controller, or a paravirtual one of ours.
    fn controller(&self, spec: &mut ConfigSpec) -> i32 {
        const OURS: i32 = -2000;
        let is_scsi = |type_: &DeviceType| {
            matches!(
                type_,
                DeviceType::ParaVirtualSCSIController
                    | DeviceType::VirtualLsiLogicController
                    | DeviceType::VirtualLsiLogicSASController
                    | DeviceType::VirtualBusLogicController
            )
        };
        if let Some(there) = spec.device_change.iter().find(|change| is_scsi(&change.device.type_)) {
            return there.device.key;
        }
        let controller = Device { bus_number: Some(0), ..Device::new(DeviceType::ParaVirtualSCSIController, OURS) };
        spec.device_change.push(DeviceChange::add(controller));
        OURS
    }

    fn disk_change(&self, nth: usize, cached: &Arc<str>, controller: i32, draft: &VmDraft, needs: &Needs) -> DeviceChange {
        let number = i32::try_from(nth).unwrap_or(i32::MAX);
        let mut disk = Device::new(DeviceType::VirtualDisk, -2001 - number);
        let of_image = needs.image.disks.get(nth).and_then(|disk| disk.limit).unwrap_or_default();
        let wanted = if nth == 0 { boot_capacity(draft) } else { Bytes::ZERO };
        disk.capacity_in_bytes = Some(of_image.max(wanted)).filter(|capacity| *capacity > Bytes::ZERO);
        disk.controller_key = Some(controller);
        let mut backing = Backing {
            type_: Some("VirtualDiskFlatVer2BackingInfo".into()),
            file_name: Some(self.disk(nth)),
            thin_provisioned: Some(true),
            ..Backing::default()
        };
        let linked = self.mode == FastDeployMode::Linked;
        if linked {
            let parent = serde_json::json!({"_typeName": "VirtualDiskFlatVer2BackingInfo", "fileName": &**cached});
            backing.rest.insert("parent".to_owned(), parent);
        }
        disk.backing = Some(backing);
        DeviceChange {
            file_operation: linked.then_some(FileOperation::Create),
            profile: vec![ProfileSpec { profile_id: needs.storage_policy.clone() }],
            ..DeviceChange::add(disk)
        }
    }

    fn disk(&self, nth: usize) -> Arc<str> {
        format!("{}/disk-{nth}.vmdk", self.home).into()
    }
}

fn boot_capacity(draft: &VmDraft) -> Bytes {
    let quantity = draft.spec().advanced.as_ref().and_then(|advanced| advanced.boot_disk_capacity.as_ref());
    quantity.and_then(|quantity| bytes_of(quantity).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mode: FastDeployMode) -> FastDeploy {
        FastDeploy { mode, home: "[ds] uid".to_owned(), disks: vec!["[ds] cache/item/a.vmdk".into(), "[ds] cache/item/b.vmdk".into()] }
    }

    #[test]
    fn direct_copies_every_disk_and_linked_none() {
        let methods = |mode| of(mode).before().iter().map(Operation::method).collect::<Vec<_>>();
        assert_eq!(methods(FastDeployMode::Direct), ["MakeDirectory", "CopyVirtualDisk_Task", "CopyVirtualDisk_Task"]);
        assert_eq!(methods(FastDeployMode::Linked), ["MakeDirectory"]);
        assert_eq!(of(FastDeployMode::Direct).cleanup(), Operation::DeleteDatastoreFile { name: "[ds] uid".into() });
    }

    #[test]
    fn a_cache_is_named_after_its_item_alone() {
        assert_eq!(cache_name("item-1"), cache_name("item-1"));
        assert_ne!(cache_name("item-1"), cache_name("item-2"));
        assert_eq!(cache_name("item-1").len(), 21);
    }
}
