//! Devices of the host that a class passes through, and what they need of the VM. Source: vm-lifecycle §6.2.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/virtualmachine/devices.go`; `vmlifecycle/create_configspec.go`.

use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::kube::virtual_machine_class::{DynamicDirectPathIoDevice, VgpuDevice, VirtualMachineClassSpec};
use vmtwin_model::vsphere::spec::{Backing, ConfigSpec, Device, DeviceChange, DeviceType, OptionValue};

/// The key that the devices of a class's list count down from.
const FIRST_KEY: i32 = -200;
/// What maps the devices' memory into the guest's.
const MMIO: [(&str, &str); 2] = [("pciPassthru.use64bitMMIO", "TRUE"), ("pciPassthru.64bitMMIOSizeGB", "512")];

/// The devices of the class's own list, which counts only where the class has no `configSpec`.
pub(super) fn listed(class: &VirtualMachineClassSpec) -> Vec<DeviceChange> {
    let hardware = class.hardware.as_ref().filter(|_| class.config_spec.is_none());
    let Some(devices) = hardware.and_then(|hardware| hardware.devices.as_ref()) else { return Vec::new() };
    let backings = devices.vgpu_devices.iter().map(vgpu).chain(devices.dynamic_direct_path_io_devices.iter().map(dynamic));
    let device = |(backing, below): (Backing, i32)| {
        DeviceChange::add(Device { backing: Some(backing), ..Device::new(DeviceType::VirtualPCIPassthrough, FIRST_KEY - below) })
    };
    backings.zip(0..).map(device).collect()
}

fn vgpu(vgpu: &VgpuDevice) -> Backing {
    backing("VirtualPCIPassthroughVmiopBackingInfo", json!({"vgpu": vgpu.profile_name}))
}

fn dynamic(device: &DynamicDirectPathIoDevice) -> Backing {
    let allowed = json!([{"vendorId": device.vendor_id, "deviceId": device.device_id}]);
    backing("VirtualPCIPassthroughDynamicBackingInfo", json!({"allowedDevice": allowed, "customLabel": device.custom_label}))
}

fn backing(type_: &str, fields: Value) -> Backing {
    let rest = fields.as_object().cloned().unwrap_or_default().into_iter().collect();
    Backing { type_: Some(type_.into()), rest, ..Backing::default() }
}

/// The keys without which the guest can't reach such devices; what the class says of them stays.
pub(super) fn add_keys(spec: &mut ConfigSpec) {
    if !spec.device_change.iter().any(|change| change.device.type_ == DeviceType::VirtualPCIPassthrough) {
        return;
    }
    for (key, value) in MMIO {
        if !spec.extra_config.iter().any(|option| *option.key == *key) {
            spec.extra_config.push(OptionValue { key: Arc::from(key), value: Arc::from(value) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(json: Value) -> VirtualMachineClassSpec {
        serde_json::from_value(json).expect("a class's spec")
    }

    #[test]
    fn a_classs_own_list_counts_only_without_a_config_spec() {
        let devices = json!({"vgpuDevices": [{"profileName": "grid_p40-1q"}], "dynamicDirectPathIODevices": [{"vendorID": 52, "deviceID": 53, "customLabel": "x"}]});
        let hardware = json!({"cpus": 2, "memory": "4Gi", "devices": devices});
        let listed_ones = listed(&class(json!({"hardware": hardware})));
        let told: Vec<Value> = listed_ones.iter().map(|change| json!(change.device)).collect();
        assert_eq!(told[0]["backing"]["vgpu"], "grid_p40-1q");
        assert_eq!(told[1]["backing"]["allowedDevice"], json!([{"vendorId": 52, "deviceId": 53}]));
        assert_eq!((&told[0]["key"], &told[1]["key"]), (&json!(-200), &json!(-201)));
        assert_eq!(listed(&class(json!({"hardware": hardware, "configSpec": {}}))), []);
    }

    #[test]
    fn passed_through_devices_bring_their_keys_once() {
        let mut spec = ConfigSpec::default();
        add_keys(&mut spec);
        assert_eq!(spec.extra_config, []);
        spec.device_change.push(DeviceChange::add(Device::new(DeviceType::VirtualPCIPassthrough, -1)));
        spec.extra_config.push(OptionValue::new(MMIO[1].0, "64"));
        add_keys(&mut spec);
        let keys: Vec<(&str, &str)> = spec.extra_config.iter().map(|option| (&*option.key, &*option.value)).collect();
        assert_eq!(keys, [("pciPassthru.64bitMMIOSizeGB", "64"), ("pciPassthru.use64bitMMIO", "TRUE")]);
    }
}
