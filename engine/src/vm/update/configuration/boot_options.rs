//! How the VM boots, as `spec.bootOptions` says; its firmware is settled when it is made. Source: vm-lifecycle §11.4.
//!
//! Mirrors: vm-operator `pkg/vmconfig/bootoptions/bootoptions_reconciler.go`.

use vmtwin_model::kube::virtual_machine::{BootableDevice, BootableDeviceType, NetworkBootProtocol, Switch};
use vmtwin_model::vsphere::spec::{BootOptions, Bootable, Device, DeviceType};
use vmtwin_model::vsphere::vm::Config;

use super::nics;
use crate::vm::VmDraft;
use crate::vm::create::interfaces::Interface;

/// What vSphere takes where nobody said a protocol.
const IPV4: &str = "ipv4";

/// What has to change of them; what the spec doesn't say stays as it is. `known_by_port`: whether cards are found by their ports.
pub(super) fn collect(draft: &VmDraft, config: &Config, interfaces: &[Interface], known_by_port: bool) -> Option<BootOptions> {
    let spec = draft.spec().boot_options.as_ref()?;
    let there = &config.boot_options;
    let protocol = match spec.network_boot_protocol {
        Some(NetworkBootProtocol::Ip4) => Some(IPV4),
        Some(NetworkBootProtocol::Ip6) => Some("ipv6"),
        None => None,
    };
    let retry = Some(spec.boot_retry.as_str()).filter(|word| !word.is_empty()).map(|word| word == "Enabled");
    let milliseconds = |span: vmtwin_model::time::Span| span.as_nanos() / 1_000_000;
    let order = order(draft, &spec.boot_order, &config.hardware.device, interfaces, known_by_port);
    let change = BootOptions {
        boot_delay: differing(spec.boot_delay.map(milliseconds), there.boot_delay, 0),
        enter_bios_setup: None,
        efi_secure_boot_enabled: differing(
            spec.efi_secure_boot.map(|switch| switch == Switch::Enabled),
            there.efi_secure_boot_enabled,
            false,
        ),
        boot_retry_enabled: differing(retry, there.boot_retry_enabled, false),
        boot_retry_delay: differing(spec.boot_retry_delay.map(milliseconds), there.boot_retry_delay, 0),
        boot_order: order.filter(|order| *order != there.boot_order).unwrap_or_default(),
        network_boot_protocol: differing(protocol, there.network_boot_protocol.as_deref(), IPV4).map(Into::into),
    };
    (change != BootOptions::default()).then_some(change)
}

/// The boot options of a new VM: its own, and where those say nothing its class's.
pub(crate) fn of_new(draft: &VmDraft, of_class: Option<BootOptions>) -> Option<BootOptions> {
    let config = Config { boot_options: of_class.clone().unwrap_or_default(), ..Config::default() };
    let Some(own) = collect(draft, &config, &[], false) else { return of_class };
    let class = config.boot_options;
    Some(BootOptions {
        boot_delay: own.boot_delay.or(class.boot_delay),
        enter_bios_setup: class.enter_bios_setup,
        efi_secure_boot_enabled: own.efi_secure_boot_enabled.or(class.efi_secure_boot_enabled),
        boot_retry_enabled: own.boot_retry_enabled.or(class.boot_retry_enabled),
        boot_retry_delay: own.boot_retry_delay.or(class.boot_retry_delay),
        boot_order: if own.boot_order.is_empty() { class.boot_order } else { own.boot_order },
        network_boot_protocol: own.network_boot_protocol.or(class.network_boot_protocol),
    })
}

fn differing<T: PartialEq>(wanted: Option<T>, there: Option<T>, default: T) -> Option<T> {
    let there = there.unwrap_or(default);
    wanted.filter(|wanted| *wanted != there)
}

/// The devices of the order, once all that it names are there; a disk that isn't attached yet makes the order wait for it.
fn order(
    draft: &VmDraft,
    wanted: &[BootableDevice],
    devices: &[Device],
    interfaces: &[Interface],
    known_by_port: bool,
) -> Option<Vec<Bootable>> {
    let entry = |device: &BootableDevice| match device.type_ {
        BootableDeviceType::CDRom => Some(Bootable::Cdrom {}),
        BootableDeviceType::Disk => Some(Bootable::Disk { device_key: disk(draft, &device.name, devices)? }),
        BootableDeviceType::Network => Some(Bootable::Ethernet { device_key: card(&device.name, devices, interfaces, known_by_port)? }),
    };
    wanted.iter().map(entry).collect()
}

/// The disk of a volume: volumes are told of with the ids of their disks.
fn disk(draft: &VmDraft, name: &str, devices: &[Device]) -> Option<i32> {
    let volume = draft.status().volumes.iter().find(|volume| volume.name == name && !volume.disk_uuid.is_empty())?;
    let is_its = |device: &&Device| {
        let uuid = device.backing.as_ref().and_then(|backing| backing.uuid.as_deref());
        device.type_ == DeviceType::VirtualDisk && uuid.is_some_and(|uuid| uuid.eq_ignore_ascii_case(&volume.disk_uuid))
    };
    devices.iter().find(is_its).map(|device| device.key)
}

fn card(name: &str, devices: &[Device], interfaces: &[Interface], known_by_port: bool) -> Option<i32> {
    let nth = interfaces.iter().position(|interface| interface.name == name)?;
    if known_by_port {
        return nics::cards_of(devices, interfaces).get(nth).copied().flatten().map(|place| devices[place].key);
    }
    devices.iter().filter(|device| device.type_.is_ethernet_card()).nth(nth).map(|device| device.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::Draft;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use serde_json::{Value, json};
    use vmtwin_model::kube::Object;
    use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineStatus};

    fn told(options: Value, config: Value) -> Option<Value> {
        let spec = serde_json::from_value(json!({"bootOptions": options})).expect("a spec");
        let status: VirtualMachineStatus =
            serde_json::from_value(json!({"volumes": [{"name": "data", "type": "Managed", "diskUUID": "6000C298"}]})).expect("a status");
        let meta = ObjectMeta { name: Some("vm".to_owned()), namespace: Some("ns".to_owned()), ..ObjectMeta::default() };
        let draft = Draft::of(Object::new::<VirtualMachine>(meta, spec, status).into()).expect("a VM");
        let interfaces = ["eth0", "eth1"].map(|name| Interface { name: name.to_owned(), ..Interface::default() });
        let config: Config = serde_json::from_value(config).expect("a configuration");
        collect(&draft, &config, &interfaces, false).map(|change| json!(change))
    }

    fn devices() -> Value {
        json!({"hardware": {"device": [
            {"_typeName": "VirtualDisk", "key": 2000, "backing": {"uuid": "other"}},
            {"_typeName": "VirtualDisk", "key": 2001, "backing": {"uuid": "6000c298"}},
            {"_typeName": "VirtualVmxnet3", "key": 4000}, {"_typeName": "VirtualVmxnet3", "key": 4001}]}})
    }

    #[test]
    fn only_what_differs_from_the_vm_or_from_the_platforms_defaults_is_sent() {
        let defaults = json!({"bootRetry": "Disabled", "efiSecureBoot": "Disabled", "networkBootProtocol": "IP4"});
        assert_eq!(told(defaults, json!({})), None);
        let all = json!({"bootDelay": "10s", "bootRetry": "Enabled", "bootRetryDelay": "1m", "efiSecureBoot": "Enabled", "networkBootProtocol": "IP6"});
        let sent = json!({"bootDelay": 10000, "bootRetryEnabled": true, "bootRetryDelay": 60000, "efiSecureBootEnabled": true,
            "networkBootProtocol": "ipv6"});
        assert_eq!(told(all.clone(), json!({})), Some(sent.clone()));
        assert_eq!(told(all, json!({"bootOptions": sent})), None, "it is so already");
    }

    #[test]
    fn the_order_names_the_devices_of_volumes_and_interfaces() {
        let order = json!({"bootOrder": [{"type": "Network", "name": "eth1"}, {"type": "Disk", "name": "data"}, {"type": "CDRom"}]});
        let sent = json!({"bootOrder": [
            {"_typeName": "VirtualMachineBootOptionsBootableEthernetDevice", "deviceKey": 4001},
            {"_typeName": "VirtualMachineBootOptionsBootableDiskDevice", "deviceKey": 2001},
            {"_typeName": "VirtualMachineBootOptionsBootableCdromDevice"}]});
        assert_eq!(told(order, devices()), Some(sent));
        let waits = json!({"bootOrder": [{"type": "CDRom"}, {"type": "Disk", "name": "not attached yet"}]});
        assert_eq!(told(waits, devices()), None);
    }
}
