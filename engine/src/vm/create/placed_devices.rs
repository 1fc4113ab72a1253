//! The devices of a VM for whom a place is looked for: what vSphere needs to be told, and nothing that it takes amiss. Source:
//! placement-groups §3.5.
//!
//! Mirrors: vm-operator `virtualmachine/configspec.go`, `CreateConfigSpecForPlacement`.

use std::sync::Arc;

use vmtwin_model::units::{Bytes, MiB};
use vmtwin_model::vsphere::spec::{Backing, ConfigSpec, Device, DeviceChange, DeviceType, FileOperation, ProfileSpec};

use super::prerequisites::Needs;

/// The key of the disk that stands in where a VM has none.
const STAND_IN: i32 = -42;
/// The key that a new PCI device counts down from.
const PCI_DEVICES: i32 = -200;
/// The key of the PCI controller.
const PCI_CONTROLLER: i32 = 100;
/// The key that new SCSI controllers count down from.
const SCSI_CONTROLLERS: i32 = -500;
/// The unit of a SCSI controller that is the controller itself.
const OWN_UNIT: i32 = 7;
/// How many disks hang on a SCSI controller.
const DISKS_PER_CONTROLLER: usize = 15;

/// Completes the devices. `from_image`: the VM's disks come from the image one by one; otherwise one stands for all of them.
pub(super) fn complete(spec: &mut ConfigSpec, needs: &Needs, from_image: bool, instance: Vec<DeviceChange>) {
    // A request with network adapters is refused by vCenter.
    spec.device_change.retain(|change| !change.device.type_.is_ethernet_card());
    number_pci_devices(spec);
    for change in spec.device_change.iter_mut().filter(|change| change.device.rest.contains_key("vDiskId")) {
        change.file_operation = Some(FileOperation::Create);
        change.device.backing.get_or_insert_default().file_name = Some("".into());
    }
    if !spec.device_change.iter().any(|change| change.device.type_ == DeviceType::VirtualDisk) {
        spec.device_change.extend(own_disks(needs, from_image));
    }
    spec.device_change.extend(instance);
    hang_up(spec);
}

/// Devices of the host with key 0 get keys by which they can be told apart.
fn number_pci_devices(spec: &mut ConfigSpec) {
    let devices = spec.device_change.iter_mut().map(|change| &mut change.device);
    let unnumbered = devices.filter(|device| device.type_ == DeviceType::VirtualPCIPassthrough && device.key == 0);
    for (device, below) in unnumbered.zip(0..) {
        device.key = PCI_DEVICES - below;
    }
}

fn own_disks(needs: &Needs, from_image: bool) -> Vec<DeviceChange> {
    let of_image: Vec<Bytes> = if from_image { needs.image.disks.iter().filter_map(|disk| disk.limit).collect() } else { Vec::new() };
    let capacities = if of_image.is_empty() { vec![MiB(1).to_bytes()] } else { of_image };
    capacities.into_iter().zip(0..).map(|(capacity, below)| thin_disk(STAND_IN - below, capacity, &needs.storage_policy)).collect()
}

fn thin_disk(key: i32, capacity: Bytes, policy: &Arc<str>) -> DeviceChange {
    let mut disk = Device::new(DeviceType::VirtualDisk, key);
    disk.capacity_in_bytes = Some(capacity);
    disk.backing = Some(Backing { thin_provisioned: Some(true), ..Backing::default() });
    DeviceChange {
        file_operation: Some(FileOperation::Create),
        profile: vec![ProfileSpec { profile_id: policy.clone() }],
        ..DeviceChange::add(disk)
    }
}

/// Supplies the PCI controller and as many paravirtual SCSI controllers as the disks need that hang nowhere, and gives those units.
fn hang_up(spec: &mut ConfigSpec) {
    let is_loose = |change: &DeviceChange| change.device.type_ == DeviceType::VirtualDisk && change.device.controller_key.is_none();
    let loose = spec.device_change.iter().filter(|change| is_loose(change)).count();
    if !spec.device_change.iter().any(|change| change.device.type_ == DeviceType::VirtualPCIController) {
        spec.device_change.push(DeviceChange::add(Device::new(DeviceType::VirtualPCIController, PCI_CONTROLLER)));
    }
    let there = spec.device_change.iter().filter(|change| change.device.type_ == DeviceType::ParaVirtualSCSIController).count();
    let buses = i32::try_from(there).unwrap_or(0);
    let places = (0..4).flat_map(|bus| (0..16).filter(|unit| *unit != OWN_UNIT).map(move |unit| (bus, unit)));
    for (change, (bus, unit)) in spec.device_change.iter_mut().filter(|change| is_loose(change)).zip(places) {
        change.device.controller_key = Some(SCSI_CONTROLLERS - bus);
        change.device.unit_number = Some(unit);
    }
    let needed = loose.div_ceil(DISKS_PER_CONTROLLER);
    for bus in (0..4).take(needed) {
        let mut controller = Device::new(DeviceType::ParaVirtualSCSIController, SCSI_CONTROLLERS - bus);
        controller.controller_key = Some(PCI_CONTROLLER);
        controller.bus_number = Some(buses + bus);
        controller.rest.insert("sharedBus".to_owned(), "noSharing".into());
        spec.device_change.push(DeviceChange::add(controller));
    }
}
