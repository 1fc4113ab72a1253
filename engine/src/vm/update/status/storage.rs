//! `status.volumes` (what vSphere shows of it) and `status.storage`. Source: crypto-storage §6.

use vmtwin_model::kube::virtual_machine::{
    StorageRequestedStatus, StorageSnapshotUsageStatus, StorageUsageStatus, VolumeCryptoStatus, VolumeStatus, VolumeType,
};
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::spec::{Device, DeviceType};
use vmtwin_model::vsphere::vm::LayoutEx;
use vmtwin_model::vsphere::{self};

use crate::features::Feature;
use crate::pass::Cx;
use crate::snapshot::size;
use crate::vm::VmDraft;

/// Files that are a disk's, and so count as its usage.
const DISK_FILES: [&str; 4] = ["diskDescriptor", "diskExtent", "digestDescriptor", "digestExtent"];
/// How many digits the number of a disk's link has.
const LINK_DIGITS: usize = 6;
/// Files that are a snapshot's.
const SNAPSHOT_FILES: [&str; 3] = ["snapshotData", "snapshotList", "snapshotMemory"];

pub(super) fn write(cx: &Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) {
    let Some(config) = &vm.config else { return };
    let layout = &vm.layout_ex;
    if !layout.disk.is_empty() {
        volumes(cx, draft, &config.hardware.device, layout);
    }
    usage(cx, draft, vm);
}

fn volumes(cx: &Cx<'_>, draft: &mut VmDraft, devices: &[Device], layout: &LayoutEx) {
    let disks: Vec<Disk<'_>> = devices.iter().filter(|device| device.type_ == DeviceType::VirtualDisk).filter_map(Disk::of).collect();
    let apart = cx.settings.features.on(Feature::VMSnapshots);
    let volumes = &mut draft.status_mut().volumes;
    volumes.retain(|volume| volume.type_ == VolumeType::Managed || disks.iter().any(|disk| disk.uuid == volume.disk_uuid));
    for disk in &disks {
        let used = disk.used(layout, apart);
        let at = volumes.iter().position(|volume| volume.disk_uuid == disk.uuid);
        let volume = match at {
            Some(at) => &mut volumes[at],
            None if disk.is_managed => continue,
            None => {
                volumes.push(disk.classic());
                volumes.last_mut().expect("one was just put in")
            }
        };
        volume.used = Some(used);
        if volume.type_ == VolumeType::Classic {
            volume.requested.get_or_insert(disk.capacity);
        }
        if let Some((key_id, provider_id)) = disk.key() {
            volume.crypto = Some(VolumeCryptoStatus { key_id, provider_id });
        }
    }
    volumes.sort_by(|a, b| a.disk_uuid.cmp(&b.disk_uuid));
}

/// A disk as the status needs it.
struct Disk<'a> {
    device: &'a Device,
    uuid: &'a str,
    file: &'a str,
    capacity: Bytes,
    is_managed: bool,
}

impl<'a> Disk<'a> {
    fn of(device: &'a Device) -> Option<Self> {
        let backing = device.backing.as_ref()?;
        let descriptor = || backing.rest.get("descriptorFileName").and_then(serde_json::Value::as_str);
        let file = backing.file_name.as_deref().or_else(descriptor).filter(|path| path.starts_with('[') && path.contains(']'))?;
        let is_managed = device.rest.contains_key("vDiskId");
        Some(Self { device, uuid: backing.uuid.as_deref()?, file, capacity: device.capacity_in_bytes.unwrap_or_default(), is_managed })
    }

    /// The disk's own name: its file's, without folder and suffix, and without the number of a link above a snapshot.
    fn name(&self) -> &str {
        let file = self.file.rsplit(['/', ' ']).next().unwrap_or_default();
        let name = file.strip_suffix(".vmdk").unwrap_or(file);
        let is_number = |text: &str| text.len() == LINK_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        match name.rsplit_once('-') {
            Some((own, number)) if is_number(number) => own,
            _ => name,
        }
    }

    fn classic(&self) -> VolumeStatus {
        VolumeStatus {
            name: self.name().to_owned(),
            type_: VolumeType::Classic,
            attached: true,
            disk_uuid: self.uuid.to_owned(),
            limit: Some(self.capacity),
            requested: Some(self.capacity),
            ..VolumeStatus::default()
        }
    }

    /// The space of its whole chain; where snapshots are counted apart, of its last link alone.
    fn used(&self, layout: &LayoutEx, apart: bool) -> Bytes {
        let chain = layout.disk.iter().find(|disk| disk.key == self.device.key).map_or(&[][..], |disk| &disk.chain);
        let links = if apart { &chain[chain.len().saturating_sub(1)..] } else { chain };
        let keys: Vec<i32> = links.iter().flat_map(|link| &link.file_key).copied().collect();
        layout.file.iter().filter(|file| keys.contains(&file.key)).map(|file| file.unique_size).sum()
    }

    fn key(&self) -> Option<(String, String)> {
        let key = self.device.backing.as_ref()?.key_id.as_ref()?;
        Some((key.key_id.to_string(), key.provider().to_string()))
    }
}

fn usage(cx: &Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) {
    let layout = &vm.layout_ex;
    let apart = cx.settings.features.on(Feature::VMSnapshots);
    let counts = |type_: &str| !(DISK_FILES.contains(&type_) || apart && SNAPSHOT_FILES.contains(&type_));
    let other: Bytes = layout.file.iter().filter(|file| counts(&file.type_)).map(|file| file.unique_size).sum();
    let classic = || draft.status().volumes.iter().filter(|volume| volume.type_ == VolumeType::Classic);
    let used: Bytes = classic().filter_map(|volume| volume.used).sum();
    let requested: Bytes = classic().filter_map(|volume| volume.requested).sum();
    if [other, used, requested].iter().all(|part| *part == Bytes::ZERO) {
        return;
    }
    let storage = draft.status_mut().storage.get_or_insert_default();
    let usage = storage.usage.get_or_insert_with(StorageUsageStatus::default);
    usage.other = (other > Bytes::ZERO).then_some(other);
    usage.disks = Some(used);
    if apart {
        let sizes = (!layout.snapshot.is_empty()).then(|| size::of_all(vm));
        usage.snapshots = sizes.map(|sizes| StorageSnapshotUsageStatus { vm: Some(sizes.vm), volume: Some(sizes.volume) });
    }
    storage.requested.get_or_insert_with(StorageRequestedStatus::default).disks = Some(requested);
    storage.total = Some(requested + other);
}
