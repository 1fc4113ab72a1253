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
    #[serde(default)]
    #[schemars(!default)]
    pub kind: String,
    /// The image object's name, `vmi-…`.
    #[serde(default)]
    #[schemars(!default)]
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{BootableDeviceType, VirtualMachine, VirtualMachineSpec, VirtualMachineStatus};
    use crate::kube::power::PowerOpMode;
    use crate::units::Bytes;

    #[test]
    fn a_spec_comes_back_as_it_was_written() {
        let written = json!({
            "className": "best-effort-small", "imageName": "ubuntu-24.04", "storageClass": "gold", "guestID": "ubuntu64Guest",
            "biosUUID": "0a7a1b4c-8f5e-4f1c-9a53-3b1f2c5a7e10", "groupName": "web", "powerOffMode": "Hard",
            "nextRestartTime": "now", "minHardwareVersion": 20,
            "advanced": {"bootDiskCapacity": "20Gi", "changeBlockTracking": false},
            "affinity": {"vmAntiAffinity": {"requiredDuringSchedulingPreferredDuringExecution": [
                {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "kubernetes.io/hostname"}
            ]}},
            "bootOptions": {"bootDelay": "10s", "bootOrder": [{"type": "CDRom"}, {"type": "Disk", "name": "data"}]},
            "bootstrap": {
                "cloudInit": {"cloudConfig": {
                    "ssh_pwauth": true, "runcmd": ["ls", ["a", "b"]],
                    "users": [{"name": "jdoe", "lock_passwd": false, "passwd": {"name": "secret", "key": "jdoe"}}],
                    "write_files": [{"path": "/etc/motd", "content": {"name": "secret", "key": "motd"}, "encoding": "gz+b64"}]
                }},
                "vAppConfig": {"properties": [{"key": "k", "value": {"value": "v"}}]}
            },
            "crypto": {"encryptionClassName": "rsa", "vTPMMode": "Clone"},
            "hardware": {"cdrom": [{"name": "cd1", "image": {"kind": "VirtualMachineImage", "name": "vmi-1"}, "connected": false}],
                "scsiControllers": [{"busNumber": 0, "type": "LsiLogicSAS", "sharingMode": "Virtual"}]},
            "network": {"interfaces": [{"name": "eth0", "network": {"name": "net"}, "dhcp4": true, "mtu": 9000,
                "macAddr": "00:50:56:00:00:01", "routes": [{"to": "default", "via": "10.0.0.1"}]}]},
            "readinessProbe": {"tcpSocket": {"port": 22}, "periodSeconds": 5},
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "pvc"}, "sharingMode": "MultiWriter", "unitNumber": 1}]
        });
        let spec: VirtualMachineSpec = serde_json::from_value(written.clone()).expect("the spec is well formed");
        assert_eq!(serde_json::to_value(&spec).expect("a spec is JSON"), written);
        assert_eq!(spec.power_off_mode, Some(PowerOpMode::Hard));
        let boot_order = &spec.boot_options.as_ref().expect("boot options were written").boot_order;
        assert_eq!(boot_order[0].type_, BootableDeviceType::CDRom);
    }

    #[test]
    fn a_status_comes_back_as_it_was_written() {
        let written = json!({
            "biosUUID": "0a7a1b4c-8f5e-4f1c-9a53-3b1f2c5a7e10", "uniqueID": "vm-42", "zone": "zone-1", "powerState": "PoweredOn",
            "lastRestartTime": "2026-01-01T00:00:00Z", "crypto": {"encrypted": ["Config"], "hasVTPM": true, "keyID": "k", "providerID": "p"},
            "hardware": {"cpu": {"total": 2, "reservation": 200}, "memory": {"total": "4Gi"}, "vGPUs": [{"profile": "p", "type": "Nvidia"}]},
            "network": {"primaryIP4": "10.0.0.5", "interfaces": [{"name": "eth0", "deviceKey": 4000, "ip": {"macAddr": "00:50:56:00:00:01"}}]},
            "storage": {"total": "16Gi", "requested": {"disks": "10Gi"}, "usage": {"disks": "2Gi", "other": "1536Mi"}},
            "volumes": [{"name": "disk-0", "type": "Classic", "attached": true, "diskUUID": "6000c295", "limit": "10Gi"}]
        });
        let status: VirtualMachineStatus = serde_json::from_value(written.clone()).expect("the status is well formed");
        assert_eq!(serde_json::to_value(&status).expect("a status is JSON"), written);
        let storage = status.storage.expect("storage was written");
        assert_eq!(storage.total, Some(Bytes(16 << 30)));
    }

    #[test]
    fn an_empty_vm_has_empty_parts() {
        let vm = VirtualMachine::default();
        assert_eq!(serde_json::to_value(&vm.spec).expect("a spec is JSON"), Value::Object(serde_json::Map::new()));
        assert_eq!(vm.status, None);
    }
}
