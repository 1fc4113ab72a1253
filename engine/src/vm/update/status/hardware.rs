//! `status.hardware`, `status.hardwareVersion`, `status.crypto.hasVTPM`. Source: vm-lifecycle §8-5, -6, -11.

use vmtwin_model::kube::virtual_machine::{
    ControllerStatus, ControllerType, CpuAllocationStatus, DeviceStatus, DeviceType as StatusDevice, HardwareStatus,
    MemoryAllocationStatus, VgpuStatus,
};
use vmtwin_model::units::MiB;
use vmtwin_model::vsphere::spec::{Device, DeviceType};
use vmtwin_model::vsphere::{self, vm::Config};

use crate::vm::VmDraft;

pub(super) fn write(draft: &mut VmDraft, vm: &vsphere::VirtualMachine) {
    let Some(config) = &vm.config else { return };
    let hardware = draft.status_mut().hardware.get_or_insert_default();
    compute(hardware, config);
    hardware.vgpus = config.hardware.device.iter().filter_map(vgpu).collect();
    hardware.controllers = controllers(&config.hardware.device);
    if *hardware == HardwareStatus::default() {
        draft.status_mut().hardware = None;
    }
    if config.hardware.device.iter().any(|device| device.type_ == DeviceType::VirtualTPM) {
        draft.status_mut().crypto.get_or_insert_default().has_vtpm = true;
    }
    if let Some(version) = config.version.strip_prefix("vmx-").and_then(|number| number.parse().ok()) {
        draft.status_mut().hardware_version = version;
    }
}

fn compute(hardware: &mut HardwareStatus, config: &Config) {
    let cpus = i32::try_from(config.hardware.num_cpu.0).unwrap_or(i32::MAX);
    if cpus > 0 {
        let reservation = config.cpu_allocation.reservation.filter(|mhz| *mhz > 0).unwrap_or(0);
        hardware.cpu = Some(CpuAllocationStatus { total: cpus, reservation });
    }
    let memory = config.hardware.memory_mb;
    if memory > MiB::ZERO {
        let reservation = config.memory_allocation.reservation.filter(|mib| *mib > 0).map(|mib| MiB(mib).to_bytes());
        hardware.memory = Some(MemoryAllocationStatus { total: Some(memory.to_bytes()), reservation });
    }
}

/// A PCI passthrough device whose backing names a vGPU; other passthrough devices are none.
fn vgpu(device: &Device) -> Option<VgpuStatus> {
    let backing = device.backing.as_ref().filter(|_| device.type_ == DeviceType::VirtualPCIPassthrough)?;
    let profile = backing.rest.get("vgpu")?.as_str()?;
    let says = |key: &str| backing.rest.get(key).and_then(serde_json::Value::as_bool).unwrap_or(false);
    let migration_type = match (says("enhancedMigrateCapability"), says("migrateSupported")) {
        (true, _) => "Enhanced",
        (false, true) => "Normal",
        (false, false) => "None",
    };
    Some(VgpuStatus { migration_type: migration_type.to_owned(), profile: profile.to_owned(), type_: "Nvidia".to_owned() })
}

fn controllers(devices: &[Device]) -> Vec<ControllerStatus> {
    let mut controllers: Vec<ControllerStatus> = devices
        .iter()
        .filter_map(|device| {
            let type_ = controller_type(&device.type_)?;
            let mut attached: Vec<DeviceStatus> = devices.iter().filter_map(|other| on(device.key, other)).collect();
            attached.sort_by_key(|device| (device.type_, device.unit_number));
            Some(ControllerStatus { bus_number: device.bus_number.unwrap_or(0), device_key: device.key, devices: attached, type_ })
        })
        .collect();
    controllers.sort_by_key(|controller| (controller.type_.to_string(), controller.bus_number));
    controllers
}

fn controller_type(type_: &DeviceType) -> Option<ControllerType> {
    match type_ {
        DeviceType::VirtualIDEController => Some(ControllerType::Ide),
        DeviceType::VirtualNVMEController => Some(ControllerType::Nvme),
        DeviceType::VirtualAHCIController | DeviceType::VirtualSATAController => Some(ControllerType::Sata),
        DeviceType::VirtualSCSIController
        | DeviceType::ParaVirtualSCSIController
        | DeviceType::VirtualLsiLogicController
        | DeviceType::VirtualLsiLogicSASController
        | DeviceType::VirtualBusLogicController => Some(ControllerType::Scsi),
        _ => None,
    }
}

fn on(controller: i32, device: &Device) -> Option<DeviceStatus> {
    let type_ = match device.type_ {
        DeviceType::VirtualDisk => StatusDevice::Disk,
        DeviceType::VirtualCdrom => StatusDevice::Cdrom,
        _ => return None,
    };
    (device.controller_key == Some(controller)).then(|| DeviceStatus { type_, unit_number: device.unit_number.unwrap_or(0) })
}
