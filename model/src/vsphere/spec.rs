//! What is sent to make or change a VM: `VirtualMachineConfigSpec` and its parts, under the vSphere API's names.
//!
//! Every field is optional, as in the API: what is absent stays as it is. The JSON is the API's own (`_typeName` names the type
//! of a polymorphic value), so a class's `configSpec` reads as it stands. Source: vsphere §3.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::vm::CryptoKeyId;
use crate::units::{Bytes, MiB, VCpus};
use crate::words::words;

fn absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `VirtualMachineConfigSpec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigSpec {
    /// The VM's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// The virtual hardware's version, `vmx-21`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Arc<str>>,
    /// The BIOS UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Arc<str>>,
    /// The instance UUID, unique in a vCenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_uuid: Option<Arc<str>>,
    /// The guest operating system's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_id: Option<Arc<str>>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation: Option<Arc<str>>,
    /// Where the files are to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FileInfo>,
    /// How many virtual CPUs.
    #[serde(default, rename = "numCPUs", skip_serializing_if = "Option::is_none")]
    pub num_cpus: Option<VCpus>,
    /// How many of them make a socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_cores_per_socket: Option<VCpus>,
    /// The memory's size.
    #[serde(default, rename = "memoryMB", skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<MiB>,
    /// Devices to add, edit and remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub device_change: Vec<DeviceChange>,
    /// CPU reservation, limit (MHz) and shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_allocation: Option<Allocation>,
    /// Memory reservation, limit (MB) and shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_allocation: Option<Allocation>,
    /// Keys of the VM's configuration file; an empty value removes a key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_config: Vec<OptionValue>,
    /// Whether changed blocks are tracked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_tracking_enabled: Option<bool>,
    /// `bios` or `efi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Arc<str>>,
    /// How the VM boots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_options: Option<BootOptions>,
    /// Who manages the VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManagedBy>,
    /// The storage policies of the VM's home.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vm_profile: Vec<ProfileSpec>,
    /// What is to be done about the encryption of the VM's home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crypto: Option<CryptoSpec>,
    /// What else the API has, kept as it came.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// `VirtualMachineBootOptions`. In a spec what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootOptions {
    /// Milliseconds between power-on and boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_delay: Option<i64>,
    /// Whether the firmware's setup comes up at the next boot.
    #[serde(default, rename = "enterBIOSSetup", skip_serializing_if = "Option::is_none")]
    pub enter_bios_setup: Option<bool>,
    /// Whether only signed EFI images may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efi_secure_boot_enabled: Option<bool>,
    /// Whether to try again when nothing could be booted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_retry_enabled: Option<bool>,
    /// Milliseconds before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_retry_delay: Option<i64>,
    /// What to boot from, first to last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boot_order: Vec<Bootable>,
    /// `ipv4` or `ipv6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_boot_protocol: Option<Arc<str>>,
}

/// `VirtualMachineBootOptionsBootableDevice`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "_typeName", rename_all_fields = "camelCase")]
pub enum Bootable {
    /// Any CD-ROM.
    #[serde(rename = "VirtualMachineBootOptionsBootableCdromDevice")]
    Cdrom {},
    /// A disk.
    #[serde(rename = "VirtualMachineBootOptionsBootableDiskDevice")]
    Disk {
        /// Its key.
        device_key: i32,
    },
    /// A network adapter.
    #[serde(rename = "VirtualMachineBootOptionsBootableEthernetDevice")]
    Ethernet {
        /// Its key.
        device_key: i32,
    },
    /// Any floppy.
    #[serde(rename = "VirtualMachineBootOptionsBootableFloppyDevice")]
    Floppy {},
}

/// `VirtualMachineFileInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileInfo {
    /// The configuration file's path, `[datastore] folder/file.vmx`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm_path_name: Option<Arc<str>>,
}

/// `ManagedByInfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedBy {
    /// The extension's key.
    pub extension_key: Arc<str>,
    /// What sort of VM it is to the extension.
    #[serde(rename = "type")]
    pub type_: Arc<str>,
}

/// `VirtualMachineDefinedProfileSpec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileSpec {
    /// The storage policy's id.
    pub profile_id: Arc<str>,
}

/// `OptionValue`: one key of ExtraConfig.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionValue {
    /// The key.
    pub key: Arc<str>,
    /// The value.
    pub value: Arc<str>,
}

impl OptionValue {
    /// A key with its value.
    #[must_use]
    pub fn new(key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// `ResourceAllocationInfo`: in MHz for CPU, in MB for memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Allocation {
    /// What is guaranteed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<i64>,
    /// What may be used at most; −1 is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The weight under contention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<Shares>,
}

impl Allocation {
    /// No limit.
    pub const UNLIMITED: i64 = -1;

    /// What the platform takes where nothing is said: reservation 0, no limit, normal shares.
    #[must_use]
    pub fn platform_default() -> Self {
        Self { reservation: Some(0), limit: Some(Self::UNLIMITED), shares: Some(Shares::default()) }
    }
}

/// `SharesInfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shares {
    /// The level.
    pub level: SharesLevel,
    /// The number; it counts only with level `custom`.
    #[serde(default, skip_serializing_if = "absent")]
    pub shares: i32,
}

/// `SharesLevel`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SharesLevel {
    /// Half of normal.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Twice normal.
    High,
    /// As the number says.
    Custom,
}

/// `CryptoSpec`: what is to be done about the encryption of a VM's home or of a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "_typeName", rename_all_fields = "camelCase")]
pub enum CryptoSpec {
    /// What is plain is to be encrypted.
    #[serde(rename = "CryptoSpecEncrypt")]
    Encrypt {
        /// With this key; with an empty id the provider makes one.
        crypto_key_id: CryptoKeyId,
    },
    /// The key that wraps the data keys is to be another.
    #[serde(rename = "CryptoSpecShallowRecrypt")]
    ShallowRecrypt {
        /// The new one.
        new_key_id: CryptoKeyId,
    },
    /// The data is to be encrypted anew.
    #[serde(rename = "CryptoSpecDeepRecrypt")]
    DeepRecrypt {
        /// The new key.
        new_key_id: CryptoKeyId,
    },
    /// What is encrypted is to be plain.
    #[serde(rename = "CryptoSpecDecrypt")]
    Decrypt {},
    /// Nothing.
    #[serde(rename = "CryptoSpecNoOp")]
    NoOp {},
}

/// `VirtualDeviceConfigSpecBackingSpec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackingSpec {
    /// The backing that a new disk stands on, as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Value>,
    /// What is to be done about the disk's encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crypto: Option<CryptoSpec>,
}

/// `VirtualDeviceConfigSpec`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceChange {
    /// What is to be done; absent is adding, where a class describes hardware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<DeviceOperation>,
    /// What is to be done with its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_operation: Option<FileOperation>,
    /// The device.
    pub device: Device,
    /// The disk's storage policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profile: Vec<ProfileSpec>,
    /// The disk's parent and encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backing: Option<BackingSpec>,
}

impl DeviceChange {
    /// A device to add.
    #[must_use]
    pub fn add(device: Device) -> Self {
        Self::of(DeviceOperation::Add, device)
    }

    /// A device that is there, with what is to change of it.
    #[must_use]
    pub fn edit(device: Device) -> Self {
        Self::of(DeviceOperation::Edit, device)
    }

    /// A device that is to go; its file stays.
    #[must_use]
    pub fn remove(device: Device) -> Self {
        Self::of(DeviceOperation::Remove, device)
    }

    fn of(operation: DeviceOperation, device: Device) -> Self {
        Self { operation: Some(operation), file_operation: None, device, profile: Vec::new(), backing: None }
    }

    /// What it asks about the disk's encryption.
    #[must_use]
    pub fn crypto(&self) -> Option<&CryptoSpec> {
        self.backing.as_ref()?.crypto.as_ref()
    }
}

/// `VirtualDeviceConfigSpecOperation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeviceOperation {
    /// A new device.
    Add,
    /// Another setting of a device that is there, by its key.
    Edit,
    /// A device that goes, by its key.
    Remove,
}

/// `VirtualDeviceConfigSpecFileOperation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FileOperation {
    /// Make the file.
    Create,
    /// Delete the file.
    Destroy,
    /// Put another in its place.
    Replace,
}

words! {
    /// The type of a virtual device.
    pub enum DeviceType {
        /// A disk.
        VirtualDisk,
        /// A CD-ROM drive.
        VirtualCdrom,
        /// A network adapter of Intel's E1000.
        VirtualE1000,
        /// A network adapter of Intel's E1000e.
        VirtualE1000e,
        /// VMware's network adapter, first generation.
        VirtualVmxnet,
        /// VMware's network adapter, second generation.
        VirtualVmxnet2,
        /// VMware's network adapter, third generation.
        VirtualVmxnet3,
        /// A network adapter of AMD's PCnet32.
        VirtualPCNet32,
        /// A network adapter by SR-IOV.
        VirtualSriovEthernetCard,
        /// A SCSI controller of no further known make.
        VirtualSCSIController,
        /// VMware's paravirtual SCSI controller.
        ParaVirtualSCSIController,
        /// LSI Logic's SCSI controller.
        VirtualLsiLogicController,
        /// LSI Logic's SAS controller.
        VirtualLsiLogicSASController,
        /// BusLogic's SCSI controller.
        VirtualBusLogicController,
        /// An NVMe controller.
        VirtualNVMEController,
        /// A SATA controller.
        VirtualAHCIController,
        /// A SATA controller of no further known make.
        VirtualSATAController,
        /// An IDE controller.
        VirtualIDEController,
        /// The PCI controller.
        VirtualPCIController,
        /// A PCI device of the host, or a vGPU.
        VirtualPCIPassthrough,
        /// A trusted platform module.
        VirtualTPM,
    }
}

impl DeviceType {
    /// Whether it is a network adapter.
    #[must_use]
    pub fn is_ethernet_card(&self) -> bool {
        matches!(
            self,
            Self::VirtualE1000
                | Self::VirtualE1000e
                | Self::VirtualVmxnet
                | Self::VirtualVmxnet2
                | Self::VirtualVmxnet3
                | Self::VirtualPCNet32
                | Self::VirtualSriovEthernetCard
        )
    }
}

/// A virtual device, flat: each type uses the fields that it has in the API. New ones have negative keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// The type.
    #[serde(rename = "_typeName")]
    pub type_: DeviceType,
    /// The key by which it is addressed.
    #[serde(default)]
    pub key: i32,
    /// What stands behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backing: Option<Backing>,
    /// How it is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectable: Option<Connectable>,
    /// The controller that it hangs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_key: Option<i32>,
    /// Its place on the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_number: Option<i32>,
    /// Controllers: the bus number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus_number: Option<i32>,
    /// Disks: the capacity in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "plain_bytes")]
    pub capacity_in_bytes: Option<Bytes>,
    /// Network adapters: `manual`, `generated` or `assigned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_type: Option<Arc<str>>,
    /// Network adapters: the MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<Arc<str>>,
    /// Network adapters: the id of the port at the network provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Arc<str>>,
    /// What else the type has in the API, kept as it came.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

impl Device {
    /// A device of this type with this key, and nothing else known of it.
    #[must_use]
    pub fn new(type_: DeviceType, key: i32) -> Self {
        Self {
            type_,
            key,
            backing: None,
            connectable: None,
            controller_key: None,
            unit_number: None,
            bus_number: None,
            capacity_in_bytes: None,
            address_type: None,
            mac_address: None,
            external_id: None,
            rest: BTreeMap::new(),
        }
    }
}

/// `VirtualDeviceConnectInfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connectable {
    /// Whether it is connected when the VM starts.
    pub start_connected: bool,
    /// Whether the guest may connect and disconnect it.
    pub allow_guest_control: bool,
    /// Whether it is connected.
    pub connected: bool,
}

/// What stands behind a device, flat like [`Device`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backing {
    /// The type of backing.
    #[serde(default, rename = "_typeName", skip_serializing_if = "Option::is_none")]
    pub type_: Option<Arc<str>>,
    /// Files: the path, `[datastore] folder/file.vmdk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<Arc<str>>,
    /// Files: the datastore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastore: Option<Arc<str>>,
    /// Disks: whether space is taken as it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thin_provisioned: Option<bool>,
    /// Disks: the UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Arc<str>>,
    /// Disks: the key that they are encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<CryptoKeyId>,
    /// Networks: the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<Arc<str>>,
    /// Networks: the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Arc<str>>,
    /// What else the type has in the API, kept as it came.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

mod plain_bytes {
    //! Bytes as the bare number that the vSphere API has.

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::units::Bytes;

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(bytes: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(bytes.unwrap_or_default().0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_the_documentation_reads_as_it_stands() {
        let spec: ConfigSpec = serde_json::from_value(serde_json::json!({
            "_typeName": "VirtualMachineConfigSpec",
            "cpuAllocation": {"_typeName": "ResourceAllocationInfo", "limit": 400, "reservation": 200},
            "deviceChange": [{"_typeName": "VirtualDeviceConfigSpec", "device": {"_typeName": "VirtualE1000", "key": -100}, "operation": "add"}]
        }))
        .expect("a config spec");
        assert_eq!(spec.cpu_allocation.as_ref().and_then(|cpu| cpu.limit), Some(400));
        assert_eq!(spec.device_change[0].device.type_, DeviceType::VirtualE1000);
        assert!(spec.device_change[0].device.type_.is_ethernet_card());
        assert_eq!(spec.rest.get("_typeName"), Some(&Value::from("VirtualMachineConfigSpec")));
    }
}
