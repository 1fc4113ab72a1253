//! CD-ROMs: those of the spec are there, hold their images and are connected as it says. Source: vm-lifecycle §11.6, seed "CD-ROM".
//!
//! A drive is known by the file behind it: the storage URI of its image's library item. While the VM is off drives come, change and go;
//! while it runs only the connection and the guest's control change.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/virtualmachine/cdrom.go`.

use std::fmt;
use std::sync::Arc;

use vmtwin_model::kube::cluster_content_library_item::ClusterContentLibraryItem;
use vmtwin_model::kube::cluster_virtual_machine_image::ClusterVirtualMachineImage;
use vmtwin_model::kube::content_library_item::{ContentLibraryItem, ContentLibraryItemStatus};
use vmtwin_model::kube::virtual_machine::{CdromSpec, ImageRef};
use vmtwin_model::kube::virtual_machine_image::{VirtualMachineImage, VirtualMachineImageSpec, VirtualMachineImageStatus};
use vmtwin_model::kube::{ConditionStatus, ConditionType, Conditions, Resource};
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::Operation;
use vmtwin_model::vsphere::spec::{Backing, Connectable, Device, DeviceChange, DeviceType};

use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::create::prerequisites::not_found;
use crate::vm::{VmDraft, text_of};

/// How many drives a controller takes.
const IDE_UNITS: i32 = 2;
const AHCI_UNITS: i32 = 30;

/// What has to change so that the drives of a VM that is off are those of its spec. A spec without hardware says nothing.
pub(super) fn while_off(cx: &mut Cx<'_>, draft: &VmDraft, devices: &[Device]) -> Flow<Vec<DeviceChange>> {
    let Some(hardware) = &draft.spec().hardware else { return Ok(Vec::new()) };
    let wanted = hardware.cdrom.clone();
    let mut files = Vec::with_capacity(wanted.len());
    for cdrom in &wanted {
        let file = backing_file(cx, draft, cdrom)?;
        the_drive(devices, &file)?;
        files.push(file);
    }
    let drives = || devices.iter().filter(|device| device.type_ == DeviceType::VirtualCdrom);
    let mut changes: Vec<DeviceChange> =
        drives().filter(|drive| !files.iter().any(|file| holds(drive, file))).cloned().map(DeviceChange::remove).collect();
    let mut bay = Bay::new(devices, &changes);
    for (cdrom, file) in wanted.iter().zip(&files) {
        match drives().find(|drive| holds(drive, file)) {
            Some(drive) => changes.extend(edit(drive, cdrom, Running::No)),
            None => changes.push(DeviceChange::add(bay.place(new_drive(cdrom, file)))),
        }
    }
    // What a drive hangs on comes before it.
    bay.made.into_iter().map(DeviceChange::add).chain(changes).map(Ok).collect()
}

/// What has to change of the drives of a running VM. All of them must be there.
pub(super) fn while_on(cx: &mut Cx<'_>, draft: &VmDraft, devices: &[Device]) -> Flow<Vec<DeviceChange>> {
    let wanted = draft.spec().hardware.as_ref().map(|hardware| hardware.cdrom.clone()).unwrap_or_default();
    let mut changes = Vec::new();
    for cdrom in &wanted {
        let file = backing_file(cx, draft, cdrom)?;
        let Some(drive) = the_drive(devices, &file)? else {
            return Err(Verdict::failed(format!("no CD-ROM is found for image ref {}", Ref(&cdrom.image))).into());
        };
        changes.extend(edit(drive, cdrom, Running::Yes));
    }
    Ok(changes)
}

/// Whether the VM runs: only then is a drive connected at this very moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    Yes,
    No,
}

/// Both are allowed unless the spec says otherwise.
fn connectable(cdrom: &CdromSpec, running: Running) -> Connectable {
    let connected = cdrom.connected.unwrap_or(true);
    Connectable {
        start_connected: connected,
        connected: connected && running == Running::Yes,
        allow_guest_control: cdrom.allow_guest_control.unwrap_or(true),
    }
}

fn edit(drive: &Device, cdrom: &CdromSpec, running: Running) -> Option<DeviceChange> {
    let wanted = connectable(cdrom, running);
    let differs = drive.connectable.as_ref().is_none_or(|there| {
        there.start_connected != wanted.start_connected
            || there.allow_guest_control != wanted.allow_guest_control
            || (running == Running::Yes && there.connected != wanted.connected)
    });
    differs.then(|| DeviceChange::edit(Device { connectable: Some(wanted), ..drive.clone() }))
}

fn new_drive(cdrom: &CdromSpec, file: &Arc<str>) -> Device {
    Device {
        backing: Some(Backing { type_: Some("VirtualCdromIsoBackingInfo".into()), file_name: Some(file.clone()), ..Backing::default() }),
        connectable: Some(connectable(cdrom, Running::No)),
        ..Device::new(DeviceType::VirtualCdrom, 0)
    }
}

fn holds(drive: &Device, file: &str) -> bool {
    drive.backing.as_ref().and_then(|backing| backing.file_name.as_deref()) == Some(file)
}

/// The one drive with this file.
fn the_drive<'a>(devices: &'a [Device], file: &str) -> Flow<Option<&'a Device>> {
    let mut drives = devices.iter().filter(|device| device.type_ == DeviceType::VirtualCdrom && holds(device, file));
    let first = drives.next();
    if drives.next().is_some() {
        let text =
            format!("error getting CD-ROM device by backing file name {file}: found multiple CD-ROMs with same backing file name: {file}");
        return Err(Verdict::failed(text).into());
    }
    Ok(first)
}

/// Where new drives go: the first IDE channel with room, else a SATA controller with room, else a new one of those on the PCI controller.
struct Bay {
    devices: Vec<Device>,
    made: Vec<Device>,
    next_key: i32,
}

impl Bay {
    fn new(devices: &[Device], removed: &[DeviceChange]) -> Self {
        let stays = |device: &&Device| !removed.iter().any(|change| change.device.key == device.key);
        Self { devices: devices.iter().filter(stays).cloned().collect(), made: Vec::new(), next_key: -200 }
    }

    fn place(&mut self, drive: Device) -> Device {
        let room = self.room(&[DeviceType::VirtualIDEController], IDE_UNITS);
        let room = room.or_else(|| self.room(&[DeviceType::VirtualAHCIController, DeviceType::VirtualSATAController], AHCI_UNITS));
        let (controller, unit) = room.unwrap_or_else(|| (self.add_ahci(), 0));
        let drive = Device { key: self.key(), controller_key: Some(controller), unit_number: Some(unit), ..drive };
        self.devices.push(drive.clone());
        drive
    }

    /// The first controller of these types that has a unit free, with the first free one.
    fn room(&self, types: &[DeviceType], units: i32) -> Option<(i32, i32)> {
        self.devices.iter().filter(|device| types.contains(&device.type_)).find_map(|controller| {
            let on_it = || self.devices.iter().filter(|device| device.controller_key == Some(controller.key));
            let taken = |unit: i32| on_it().any(|device| device.unit_number == Some(unit));
            if on_it().count() >= usize::try_from(units).unwrap_or(usize::MAX) {
                return None;
            }
            (0..units).find(|unit| !taken(*unit)).map(|unit| (controller.key, unit))
        })
    }

    fn add_ahci(&mut self) -> i32 {
        let pci = self.devices.iter().find(|device| device.type_ == DeviceType::VirtualPCIController).map(|device| device.key);
        let pci = pci.unwrap_or_else(|| {
            let key = self.key();
            self.make(Device { bus_number: Some(0), ..Device::new(DeviceType::VirtualPCIController, key) })
        });
        let buses: Vec<i32> = self
            .devices
            .iter()
            .filter(|device| device.type_ == DeviceType::VirtualAHCIController)
            .filter_map(|device| device.bus_number)
            .collect();
        let bus = (0..).find(|bus| !buses.contains(bus));
        let key = self.key();
        self.make(Device { bus_number: bus, controller_key: Some(pci), ..Device::new(DeviceType::VirtualAHCIController, key) })
    }

    fn make(&mut self, controller: Device) -> i32 {
        let key = controller.key;
        self.devices.push(controller.clone());
        self.made.push(controller);
        key
    }

    /// Keys of new devices are negative.
    fn key(&mut self) -> i32 {
        self.next_key -= 1;
        self.next_key
    }
}

/// An image's reference as upstream prints it.
struct Ref<'a>(&'a ImageRef);

impl fmt::Display for Ref<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{} {}}}", self.0.kind, self.0.name)
    }
}

/// The file behind an image. One that isn't in the library yet is fetched if the drive is to be connected.
fn backing_file(cx: &mut Cx<'_>, draft: &VmDraft, cdrom: &CdromSpec) -> Flow<Arc<str>> {
    let failed = |why: String| Verdict::failed(format!("error getting backing file name by image ref {}: {why}", Ref(&cdrom.image)));
    let (item, status) = library_item(cx, draft, &cdrom.image).map_err(failed)?;
    let uri = status.file_info.first().map(|file| file.storage_uri.as_str()).filter(|uri| !uri.is_empty());
    let Some(uri) = uri else { return Err(failed("no storage URI found in the content library item status".to_owned()).into()) };
    let is_there = status.cached && status.size_in_bytes.is_some_and(|size| size > Bytes::ZERO);
    if cdrom.connected.unwrap_or(true) && !is_there {
        sync(cx, &item).map_err(|stop| match stop {
            crate::pass::Stop::End(Verdict::Failed(why)) => failed(why.to_string()).into(),
            other => other,
        })?;
    }
    Ok(uri.into())
}

fn sync(cx: &mut Cx<'_>, item: &str) -> Flow<()> {
    let operation = Operation::SyncLibraryItem { item: item.into() };
    let failure = match cx.call(operation.clone())? {
        Ok(_) => return Ok(()),
        Err(failure) => failure,
    };
    let text = text_of(&operation, &failure);
    Err(Verdict::failed(if failure.is_a("ManagedObjectNotFound") {
        format!("error getting library item {item} to sync: {text}")
    } else {
        format!("error syncing library item {item}: {text}")
    })
    .into())
}

/// The library item of an image that can be in a drive: its id and what is known of it.
fn library_item(cx: &mut Cx<'_>, draft: &VmDraft, image: &ImageRef) -> Result<(String, ContentLibraryItemStatus), String> {
    let namespace = draft.namespace().clone();
    match image.kind.as_str() {
        "VirtualMachineImage" => {
            let found = cx.find::<VirtualMachineImage>(&namespace, &image.name);
            let found = found.ok_or_else(|| not_found(VirtualMachineImage::KIND, &image.name))?;
            let name = item_of(found.spec(), found.status())?;
            let item = cx.find::<ContentLibraryItem>(&namespace, &name);
            let item = item.ok_or_else(|| not_found(ContentLibraryItem::KIND, &name))?;
            Ok((item.spec().uuid.clone(), item.status().clone()))
        }
        "ClusterVirtualMachineImage" => {
            let found = cx.find::<ClusterVirtualMachineImage>("", &image.name);
            let found = found.ok_or_else(|| not_found(ClusterVirtualMachineImage::KIND, &image.name))?;
            let name = item_of(found.spec(), found.status())?;
            let item = cx.find::<ClusterContentLibraryItem>("", &name);
            let item = item.ok_or_else(|| not_found(ClusterContentLibraryItem::KIND, &name))?;
            Ok((item.spec().uuid.clone(), item.status().clone()))
        }
        other => Err(format!("unsupported image kind: {other:?}")),
    }
}

/// The name of the library item behind an image that is ready and an ISO.
fn item_of(spec: &VirtualMachineImageSpec, status: &VirtualMachineImageStatus) -> Result<String, String> {
    match status.conditions.condition(&ConditionType::Ready) {
        Some(ready) if ready.status == ConditionStatus::True => {}
        Some(ready) => return Err(format!("image condition is not ready: {}: {}", ready.reason, ready.message)),
        None => return Err("image condition is not ready: nil".to_owned()),
    }
    if status.type_ != "ISO" {
        return Err(format!("image type {:?} is not ISO", status.type_));
    }
    match &spec.provider_ref {
        Some(provider) if !provider.name.is_empty() => Ok(provider.name.clone()),
        _ => Err("image provider ref is empty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controller(type_: DeviceType, key: i32, bus: i32) -> Device {
        Device { bus_number: Some(bus), ..Device::new(type_, key) }
    }

    fn drive(key: i32, controller: i32, unit: i32) -> Device {
        Device { controller_key: Some(controller), unit_number: Some(unit), ..Device::new(DeviceType::VirtualCdrom, key) }
    }

    fn placed(devices: &[Device]) -> (Option<i32>, Option<i32>, Vec<DeviceType>) {
        let mut bay = Bay::new(devices, &[]);
        let drive = bay.place(Device::new(DeviceType::VirtualCdrom, 0));
        (drive.controller_key, drive.unit_number, bay.made.into_iter().map(|device| device.type_).collect())
    }

    #[test]
    fn a_drive_goes_to_ide_then_to_sata_then_to_a_controller_of_its_own() {
        use DeviceType::{VirtualAHCIController, VirtualIDEController, VirtualPCIController};

        let ide = [controller(VirtualIDEController, 200, 0), controller(VirtualIDEController, 201, 1)];
        assert_eq!(placed(&ide), (Some(200), Some(0), vec![]));
        let full = [drive(3000, 200, 0), drive(3001, 200, 1), drive(3002, 201, 0)];
        assert_eq!(placed(&[&ide[..], &full[..]].concat()), (Some(201), Some(1), vec![]));
        let sata = [controller(VirtualAHCIController, 15000, 0), drive(16000, 15000, 0)];
        assert_eq!(placed(&sata), (Some(15000), Some(1), vec![]));
        let pci = [controller(VirtualPCIController, 100, 0)];
        assert_eq!(placed(&pci), (Some(-201), Some(0), vec![VirtualAHCIController]));
        assert_eq!(placed(&[]), (Some(-202), Some(0), vec![VirtualPCIController, VirtualAHCIController]));
    }

    #[test]
    fn the_live_connection_counts_only_while_the_vm_runs() {
        let off = Device {
            connectable: Some(Connectable { start_connected: true, connected: false, allow_guest_control: true }),
            ..Device::new(DeviceType::VirtualCdrom, 3000)
        };
        let spec = CdromSpec::default();
        assert_eq!(edit(&off, &spec, Running::No), None, "connected and guest control are the defaults");
        let on = edit(&off, &spec, Running::Yes).expect("it is to be connected now");
        assert!(on.device.connectable.is_some_and(|there| there.connected));
        let barred = CdromSpec { allow_guest_control: Some(false), ..CdromSpec::default() };
        assert!(edit(&off, &barred, Running::No).is_some());
    }
}
