//! VirtualMachine: what its owner asks for (this file and its neighbours by subject) and what was seen
//! ([`status`](VirtualMachineStatus)). No defaults beyond those of the CRD and no rules: those are admission's.

mod affinity;
mod boot;
mod bootstrap;
mod cloud_config;
mod crypto;
mod hardware;
mod network;
mod probe;
mod status;
mod sysprep;
mod volume;

pub use affinity::{AffinitySpec, VmAffinitySpec, VmAffinityTerm, VmAntiAffinitySpec};
pub use boot::{BootOptions, BootableDevice, BootableDeviceType, Firmware, NetworkBootProtocol, Switch};
pub use bootstrap::{BootstrapSpec, CloudInit, LinuxPrep, LinuxPrepPassword, SysprepSpec, VAppConfig};
pub use cloud_config::{CloudConfig, CloudConfigUser, WriteFile, WriteFileEncoding};
pub use crypto::{CryptoSpec, VtpmMode};
pub use hardware::{
    CdromSpec, ControllerSharingMode, ControllerStatus, ControllerType, CpuAllocationStatus, DeviceStatus, DeviceType, HardwareSpec,
    HardwareStatus, IdeControllerSpec, MemoryAllocationStatus, NvmeControllerSpec, SataControllerSpec, ScsiControllerSpec,
    ScsiControllerType, VgpuStatus,
};
pub use network::{
    IpAddressOrigin, IpAddressState, NetworkConfigDhcpOptionsStatus, NetworkConfigDhcpStatus, NetworkConfigDnsStatus,
    NetworkConfigInterfaceIpStatus, NetworkConfigInterfaceStatus, NetworkConfigStatus, NetworkDhcpOptionsStatus, NetworkDhcpStatus,
    NetworkDnsStatus, NetworkInterfaceIpAddrStatus, NetworkInterfaceIpStatus, NetworkInterfaceSpec, NetworkInterfaceStatus,
    NetworkIpRouteGatewayStatus, NetworkIpRouteStatus, NetworkIpStackStatus, NetworkRouteSpec, NetworkSpec, NetworkStatus,
};
pub use probe::{GuestHeartbeatAction, GuestHeartbeatStatus, GuestInfoAction, ReadinessProbeSpec, TcpSocketAction};
pub use status::{
    CryptoStatus, EncryptionType, GuestStatus, PolicyStatus, ProviderStatus, StorageRequestedStatus, StorageSnapshotUsageStatus,
    StorageStatus, StorageUsageStatus, VirtualMachineStatus,
};
pub use sysprep::{
    DomainPassword, GuiRunOnce, GuiUnattended, GuiUnattendedPassword, Identification, LicenseFilePrintData, LicenseMode, ProductId,
    Sysprep, UserData,
};
pub use volume::{
    InstanceVolumeClaim, PersistentVolumeClaimSource, VolumeApplicationType, VolumeCryptoStatus, VolumeDiskMode, VolumeSharingMode,
    VolumeSpec, VolumeStatus, VolumeType,
};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;
use crate::kube::power::{PowerOpMode, PowerState};
use crate::kube::reference::LocalObjectRef;
use crate::kube::storage_policy::VolumeProvisioningMode;

/// What the owner of a VM asks for.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmoperator.vmware.com",
    version = "v1alpha5",
    kind = "VirtualMachine",
    plural = "virtualmachines",
    namespaced,
    status = "VirtualMachineStatus",
    shortname = "vm",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Power-State", "type": "string", "jsonPath": ".status.powerState"}"#,
    printcolumn = r#"{"name": "Class", "type": "string", "jsonPath": ".spec.className", "priority": 1}"#,
    printcolumn = r#"{"name": "Image", "type": "string", "jsonPath": ".spec.image.name", "priority": 1}"#,
    printcolumn = r#"{"name": "Primary-IP4", "type": "string", "jsonPath": ".status.network.primaryIP4", "priority": 1}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineSpec {
    /// Settings most VMs do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advanced: Option<AdvancedSpec>,
    /// With which VMs this one wants to share a zone or host, and with which not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<AffinitySpec>,
    /// The BIOS UUID; drawn at creation when empty. A UUID in text.
    #[serde(rename = "biosUUID", default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uuid"))]
    pub bios_uuid: String,
    /// Firmware and boot behaviour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_options: Option<BootOptions>,
    /// How the guest is set up when it first starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<BootstrapSpec>,
    /// The class instance (one revision of a class) that the VM is made or resized with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<LocalObjectRef>,
    /// The name of the VM's VirtualMachineClass; may be empty for an imported VM.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub class_name: String,
    /// The encryption asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crypto: Option<CryptoSpec>,
    /// The VirtualMachineSnapshot to go back to; emptied once that is done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub current_snapshot_name: String,
    /// The VirtualMachineGroup the VM belongs to, by its own wish.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group_name: String,
    /// vSphere's guest identifier, e.g. `ubuntu64Guest`; the image's when empty.
    #[serde(rename = "guestID", default, skip_serializing_if = "String::is_empty")]
    pub guest_id: String,
    /// CD-ROM drives and controllers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<HardwareSpec>,
    /// The image that the VM is made from, by kind and object name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
    /// The image by object name or display name; admission resolves it into `image`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image_name: String,
    /// The instance UUID, unique in a vCenter; drawn at creation when empty.
    #[serde(rename = "instanceUUID", default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uuid"))]
    pub instance_uuid: String,
    /// The lowest virtual hardware version wanted, e.g. 20; 0 asks for nothing.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    #[schemars(extend("minimum" = 13))]
    pub min_hardware_version: i32,
    /// Interfaces, names and name servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSpec>,
    /// A restart asked for: `now` when written, an RFC 3339 instant once admitted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next_restart_time: String,
    /// Policies the VM's owner asks for explicitly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<LocalObjectRef>,
    /// How the VM is powered off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "TrySoft"))]
    pub power_off_mode: Option<PowerOpMode>,
    /// What power state the VM shall be in; powered on by default at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_state: Option<PowerState>,
    /// Whether and when linked disks become full ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Online"))]
    pub promote_disks_mode: Option<PromoteDisksMode>,
    /// How to tell that the workload is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<ReadinessProbeSpec>,
    /// Settings for the system's use only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<ReservedSpec>,
    /// How the VM is restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "TrySoft"))]
    pub restart_mode: Option<PowerOpMode>,
    /// The StorageClass of the VM's home and of its image's disks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub storage_class: String,
    /// How the VM is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "TrySoft"))]
    pub suspend_mode: Option<PowerOpMode>,
    /// Volumes beside those of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub volumes: Vec<VolumeSpec>,
}

/// An image by kind and name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageRef {
    /// `VirtualMachineImage` or `ClusterVirtualMachineImage`.
    pub kind: String,
    /// The image object's name, `vmi-…`.
    pub name: String,
}

/// Settings most VMs do without.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdvancedSpec {
    /// The boot disk's size in bytes, if it shall be larger than the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_disk_capacity: Option<Quantity>,
    /// Whether changed blocks are tracked for backups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_block_tracking: Option<bool>,
    /// How disks are provisioned that do not say so themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_volume_provisioning_mode: Option<VolumeProvisioningMode>,
}

/// Settings for the system's use only; a user may not change them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservedSpec {
    /// The VirtualMachineSetResourcePolicy that gives folder and resource pool.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource_policy_name: String,
}

choice! {
    /// Whether and when linked disks become full ones.
    pub enum PromoteDisksMode {
        /// While the VM runs.
        Online = "Online",
        /// When the VM is next powered off or on.
        Offline = "Offline",
        /// Never.
        Disabled = "Disabled",
    }
}
