//! Virtual devices: their keys, their places on controllers, what is added, edited and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::inventory::ImageDisk;
use vmtwin_model::vsphere::spec::{Backing, ConfigSpec, Connectable, Device, DeviceChange, DeviceOperation, DeviceType};
use vmtwin_model::vsphere::vm::{Config, PowerState};

use crate::{World, library, refusals};

const PCI: i32 = 100;
const IDE: i32 = 200;
const SCSI: i32 = 1000;
const SATA: i32 = 15000;
const NVME: i32 = 31000;

/// Where devices are worked on: one VM, its folder, its datastore.
pub(crate) struct Bench<'a> {
    pub(crate) world: &'a World,
    pub(crate) label: &'a str,
    pub(crate) folder: &'a str,
    pub(crate) datastore: u32,
    pub(crate) thin: bool,
    pub(crate) power: PowerState,
}

/// The devices that every VM has.
pub(crate) fn basic() -> Vec<Device> {
    let controller = |type_, key, bus| Device { bus_number: Some(bus), ..Device::new(type_, key) };
    vec![
        controller(DeviceType::VirtualPCIController, PCI, 0),
        controller(DeviceType::VirtualIDEController, IDE, 0),
        controller(DeviceType::VirtualIDEController, IDE + 1, 1),
        controller(DeviceType::from("VirtualPS2Controller"), 300, 0),
        controller(DeviceType::from("VirtualSIOController"), 400, 0),
    ]
}

/// What the new disks of a spec take at once: thick ones their capacity. A disk that doesn't say is as its policy has it.
pub(crate) fn new_bytes(spec: &ConfigSpec, thin: bool) -> i64 {
    let new = spec.device_change.iter().filter(|change| is_new(change) && change.device.type_ == DeviceType::VirtualDisk);
    let says = |device: &Device| device.backing.as_ref().and_then(|backing| backing.thin_provisioned);
    let thick = new.filter(|change| !says(&change.device).unwrap_or(thin));
    thick.filter_map(|change| change.device.capacity_in_bytes).map(|bytes| bytes.0).sum()
}

fn is_new(change: &DeviceChange) -> bool {
    matches!(change.operation, None | Some(DeviceOperation::Add))
}

/// Whether it is a controller that disks can hang on.
fn is_disk_controller(type_: &DeviceType) -> bool {
    controller_base(type_).is_some_and(|base| base != PCI && base != IDE)
}

/// The first key of a controller type.
fn controller_base(type_: &DeviceType) -> Option<i32> {
    Some(match type_ {
        DeviceType::VirtualSCSIController
        | DeviceType::ParaVirtualSCSIController
        | DeviceType::VirtualLsiLogicController
        | DeviceType::VirtualLsiLogicSASController
        | DeviceType::VirtualBusLogicController => SCSI,
        DeviceType::VirtualAHCIController | DeviceType::VirtualSATAController => SATA,
        DeviceType::VirtualNVMEController => NVME,
        DeviceType::VirtualIDEController => IDE,
        DeviceType::VirtualPCIController => PCI,
        _ => return None,
    })
}

/// The first key of a device type, which depends on the controller for what hangs on several sorts.
fn device_base(type_: &DeviceType, controller: Option<i32>) -> i32 {
    match type_ {
        type_ if type_.is_ethernet_card() => 4000,
        DeviceType::VirtualDisk | DeviceType::VirtualCdrom => match controller {
            Some(key) if (IDE..300).contains(&key) => 3000,
            Some(key) if (SATA..16000).contains(&key) => 16000,
            Some(key) if key >= NVME => 32000,
            _ if *type_ == DeviceType::VirtualCdrom => 3000,
            _ => 2000,
        },
        DeviceType::VirtualPCIPassthrough => 13000,
        DeviceType::VirtualTPM => 11000,
        _ => 12000,
    }
}

fn free_key(config: &Config, base: i32) -> i32 {
    let used: BTreeSet<i32> = config.hardware.device.iter().map(|device| device.key).collect();
    (base..).find(|key| !used.contains(key)).unwrap_or(base)
}

fn free_unit(config: &Config, controller: i32) -> i32 {
    let used: BTreeSet<i32> = config
        .hardware
        .device
        .iter()
        .filter(|device| device.controller_key == Some(controller))
        .filter_map(|device| device.unit_number)
        .collect();
    let (first, skipped) = if controller == PCI { (7, None) } else { (0, (SCSI..2000).contains(&controller).then_some(7)) };
    (first..).find(|unit| !used.contains(unit) && Some(*unit) != skipped).unwrap_or(first)
}

impl Bench<'_> {
    /// Puts an image's disks in, on a controller that the spec brings, or else on a paravirtual one.
    pub(crate) fn add_image_disks(&self, config: &mut Config, disks: &[ImageDisk], spec: &ConfigSpec, written: &mut BTreeMap<i32, Bytes>) {
        let brings = spec.device_change.iter().any(|change| is_new(change) && is_disk_controller(&change.device.type_));
        if disks.is_empty() && brings {
            return;
        }
        let controller = Device {
            bus_number: Some(0),
            controller_key: Some(PCI),
            unit_number: Some(3),
            ..Device::new(DeviceType::ParaVirtualSCSIController, SCSI)
        };
        config.hardware.device.push(controller);
        for disk in disks {
            let key = free_key(config, 2000);
            let device = Device {
                capacity_in_bytes: Some(disk.capacity),
                controller_key: Some(SCSI),
                unit_number: Some(free_unit(config, SCSI)),
                backing: Some(self.disk_backing(key, config, self.thin)),
                ..Device::new(DeviceType::VirtualDisk, key)
            };
            config.hardware.device.push(device);
            written.insert(key, disk.size);
        }
        sort(config);
    }

    fn disk_backing(&self, key: i32, config: &Config, thin: bool) -> Backing {
        let nth = config.hardware.device.iter().filter(|device| device.type_ == DeviceType::VirtualDisk).count();
        let stem = if nth == 0 { config.name.to_string() } else { format!("{}_{nth}", config.name) };
        let uuid = self.rng_uuid("disk", key, config);
        Backing {
            type_: Some("VirtualDiskFlatVer2BackingInfo".into()),
            file_name: Some(format!("{}/{stem}.vmdk", self.folder).into()),
            datastore: self.world.datastores.get(self.datastore).map(|ds| ds.id.as_str().into()),
            thin_provisioned: Some(thin),
            uuid: Some(uuid),
            ..Backing::default()
        }
    }

    fn rng_uuid(&self, what: &str, key: i32, config: &Config) -> Arc<str> {
        self.world.rng.draw("sim/uuid", (what, self.label, key, &config.instance_uuid)).uuid().to_string().into()
    }

    /// Adds, edits and removes devices, or says which one is wrong.
    pub(crate) fn change_devices(
        &self,
        config: &mut Config,
        changes: &[DeviceChange],
        written: &mut BTreeMap<i32, Bytes>,
    ) -> Result<(), Fault> {
        let mut keys: BTreeMap<i32, i32> = BTreeMap::new();
        // Controllers first: what hangs on them may stand before them in a spec.
        let (controllers, others): (Vec<_>, Vec<_>) =
            changes.iter().enumerate().partition(|(_, change)| controller_base(&change.device.type_).is_some());
        for (index, change) in controllers.into_iter().chain(others) {
            match change.operation {
                None | Some(DeviceOperation::Add) => self.add(config, index, change, &mut keys, written)?,
                Some(DeviceOperation::Edit) => self.edit(config, index, &change.device)?,
                Some(DeviceOperation::Remove) => remove(config, index, change.device.key, written)?,
            }
        }
        sort(config);
        Ok(())
    }

    fn add(
        &self,
        config: &mut Config,
        index: usize,
        change: &DeviceChange,
        keys: &mut BTreeMap<i32, i32>,
        written: &mut BTreeMap<i32, Bytes>,
    ) -> Result<(), Fault> {
        let mut device = change.device.clone();
        let asked = device.key;
        let cold = device.type_ == DeviceType::VirtualTPM
            || device.type_ == DeviceType::VirtualPCIPassthrough
            || (device.type_ == DeviceType::VirtualCdrom && device.controller_key.is_some_and(|key| (IDE..300).contains(&key)));
        if cold && self.power != PowerState::PoweredOff {
            return Err(refusals::power_state(PowerState::PoweredOff, self.power));
        }
        if let Some(base) = controller_base(&device.type_) {
            // A class may describe the controllers that a VM has anyway.
            let bus = device.bus_number.unwrap_or(-1);
            let there = config.hardware.device.iter().find(|there| there.type_ == device.type_ && there.bus_number == Some(bus.max(0)));
            if let Some(there) = there.filter(|_| base == PCI || base == IDE || (base == SCSI && self.is_new_vm(config))) {
                keys.insert(asked, there.key);
                return Ok(());
            }
            device.key = free_key(config, base);
            device.bus_number = Some(device.key - base);
            device.controller_key.get_or_insert(PCI);
        } else {
            let controller = match device.controller_key {
                Some(key) => Some(keys.get(&key).copied().unwrap_or(key)),
                None if device.type_.is_ethernet_card() => Some(PCI),
                None if device.type_ == DeviceType::VirtualDisk => Some(self.scsi_controller(config)),
                None => None,
            };
            if let Some(controller) = controller
                && !config.hardware.device.iter().any(|there| there.key == controller)
            {
                return Err(refusals::invalid_device(index, "controllerKey"));
            }
            device.controller_key = controller;
            let taken =
                |unit| config.hardware.device.iter().any(|there| there.controller_key == controller && there.unit_number == Some(unit));
            device.unit_number = match (controller, device.unit_number) {
                (Some(_), Some(unit)) if unit >= 0 && !taken(unit) => Some(unit),
                (Some(key), _) => Some(free_unit(config, key)),
                (None, unit) => unit,
            };
            device.key = free_key(config, device_base(&device.type_, controller));
        }
        keys.insert(asked, device.key);
        if device.type_.is_ethernet_card() {
            self.finish_card(config, &mut device);
        }
        if device.type_ == DeviceType::VirtualDisk {
            // A disk that is there already, and one that is the child of another, may leave it to that how large it is.
            let path = device.backing.as_ref().and_then(|backing| backing.file_name.as_deref());
            let loose = path.and_then(|path| self.world.library.disk(path));
            let parent = device.backing.as_ref().and_then(library::parent_of).and_then(|path| self.world.library.disk(path));
            let least = loose.or(parent).map(|disk| disk.capacity).unwrap_or_default();
            let capacity = device.capacity_in_bytes.unwrap_or_default().max(least);
            if capacity.0 <= 0 {
                return Err(refusals::invalid_device(index, "capacityInBytes"));
            }
            device.capacity_in_bytes = Some(capacity);
            let written_before = loose.map(|disk| disk.size).unwrap_or_default();
            let thin = device.backing.as_ref().and_then(|backing| backing.thin_provisioned).unwrap_or(self.thin);
            let made = self.disk_backing(device.key, config, thin);
            let given = device.backing.take().unwrap_or_default();
            let named = given.file_name.filter(|name| name.ends_with(".vmdk"));
            device.backing = Some(Backing { file_name: named.or(made.file_name), rest: given.rest, ..made });
            written.insert(device.key, if thin { written_before } else { capacity });
        }
        config.hardware.device.push(device);
        Ok(())
    }

    /// A new VM's controllers come from its class where that has any: the one made for the image's disks stands for them.
    fn is_new_vm(&self, config: &Config) -> bool {
        config.create_date == Some(self.world.now)
    }

    fn scsi_controller(&self, config: &mut Config) -> i32 {
        if let Some(there) = config.hardware.device.iter().find(|device| controller_base(&device.type_) == Some(SCSI)) {
            return there.key;
        }
        let controller =
            Device { bus_number: Some(0), controller_key: Some(PCI), ..Device::new(DeviceType::ParaVirtualSCSIController, SCSI) };
        config.hardware.device.push(controller);
        SCSI
    }

    /// Gives a network adapter its MAC address and its connection.
    fn finish_card(&self, config: &Config, card: &mut Device) {
        let manual = card.address_type.as_deref().is_some_and(|type_| type_.eq_ignore_ascii_case("manual"));
        match card.mac_address.as_deref().filter(|mac| !mac.is_empty()) {
            Some(mac) => {
                let mac = mac.to_ascii_lowercase();
                card.mac_address = Some(mac.into());
                card.address_type.get_or_insert_with(|| if manual { "manual".into() } else { "assigned".into() });
            }
            None => {
                card.mac_address = Some(self.mac(config, card.key));
                card.address_type = Some("assigned".into());
            }
        }
        self.name_network(card);
        let on = self.power == PowerState::PoweredOn;
        let connectable = card.connectable.get_or_insert(Connectable { start_connected: true, allow_guest_control: true, connected: true });
        connectable.connected = on && connectable.start_connected;
    }

    /// An adapter shows the network that it is on by that one's name.
    fn name_network(&self, card: &mut Device) {
        if let Some(network) = self.world.network_of_card(card).and_then(|row| self.world.networks.get(row)) {
            card.backing.get_or_insert_default().device_name = Some(network.name().clone());
        }
    }

    /// A MAC address as vCenter makes them: its own prefix, then 80 to bf, then two bytes.
    fn mac(&self, config: &Config, key: i32) -> Arc<str> {
        let mut draw = self.world.rng.draw("sim/mac", (self.label, key, &config.instance_uuid));
        let (a, b, c) = (0x80 + draw.below(0x40), draw.below(256), draw.below(256));
        format!("00:50:56:{a:02x}:{b:02x}:{c:02x}").into()
    }

    fn edit(&self, config: &mut Config, index: usize, wanted: &Device) -> Result<(), Fault> {
        let on = self.power == PowerState::PoweredOn;
        let Some(there) = config.hardware.device.iter_mut().find(|device| device.key == wanted.key) else {
            return Err(refusals::invalid_device(index, "key"));
        };
        if let (Some(before), Some(after)) = (there.capacity_in_bytes, wanted.capacity_in_bytes) {
            if after < before {
                return Err(refusals::invalid_device(index, "capacityInBytes"));
            }
            there.capacity_in_bytes = Some(after);
        }
        if let Some(backing) = &wanted.backing {
            let before = there.backing.take().unwrap_or_default();
            let is_disk = there.type_ == DeviceType::VirtualDisk;
            there.backing = Some(if is_disk { Backing { rest: backing.rest.clone(), ..before } } else { backing.clone() });
        }
        if let Some(connectable) = &wanted.connectable {
            let connected = on && connectable.connected;
            there.connectable = Some(Connectable { connected, ..connectable.clone() });
        }
        if let Some(mac) = wanted.mac_address.as_deref().filter(|mac| !mac.is_empty()) {
            there.mac_address = Some(mac.to_ascii_lowercase().into());
        }
        for (kept, given) in [(&mut there.address_type, &wanted.address_type), (&mut there.external_id, &wanted.external_id)] {
            if given.is_some() {
                kept.clone_from(given);
            }
        }
        there.rest.extend(wanted.rest.clone());
        if there.type_.is_ethernet_card() {
            self.name_network(there);
        }
        Ok(())
    }
}

fn remove(config: &mut Config, index: usize, key: i32, written: &mut BTreeMap<i32, Bytes>) -> Result<(), Fault> {
    let at = config.hardware.device.iter().position(|device| device.key == key);
    let Some(at) = at else { return Err(refusals::invalid_device(index, "key")) };
    config.hardware.device.remove(at);
    written.remove(&key);
    Ok(())
}

fn sort(config: &mut Config) {
    config.hardware.device.sort_by_key(|device| device.key);
}
