//! VirtualMachineClass: the size of a VM and what it guarantees, as an administrator defines it.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What VMs of the class are like.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmoperator.vmware.com",
    version = "v1alpha5",
    kind = "VirtualMachineClass",
    plural = "virtualmachineclasses",
    namespaced,
    status = "VirtualMachineClassStatus",
    shortname = "vmclass",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "CPU", "type": "string", "jsonPath": ".spec.hardware.cpus"}"#,
    printcolumn = r#"{"name": "Memory", "type": "string", "jsonPath": ".spec.hardware.memory"}"#,
    printcolumn = r#"{"name": "Capabilities", "type": "string", "jsonPath": ".status.capabilities", "priority": 1}"#
)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineClassSpec {
    /// A vSphere ConfigSpec in JSON, for what the fields here do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("type" = "object", "x-kubernetes-preserve-unknown-fields" = true))]
    pub config_spec: Option<Value>,
    /// The controller that looks after VMs of the class; VM Operator's when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub controller_name: String,
    /// What the class is for, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Processors, memory and devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<ClassHardware>,
    /// Reservations and limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<ClassPolicies>,
    /// The id of the reservation that VMs of the class draw from.
    #[serde(rename = "reservedProfileID", default, skip_serializing_if = "String::is_empty")]
    pub reserved_profile_id: String,
    /// How many VMs of the class the zones keep room for.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    #[schemars(extend("minimum" = 0))]
    pub reserved_slots: i32,
}

/// Processors, memory and devices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassHardware {
    /// Virtual CPUs.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub cpus: i64,
    /// Devices passed through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<VirtualDevices>,
    /// Volumes on the host's own disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_storage: Option<InstanceStorage>,
    /// Memory in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

/// Devices passed through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualDevices {
    /// PCI devices, any of a make.
    #[serde(rename = "dynamicDirectPathIODevices", default, skip_serializing_if = "Vec::is_empty")]
    pub dynamic_direct_path_io_devices: Vec<DynamicDirectPathIoDevice>,
    /// Virtual GPUs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["profileName"]))]
    pub vgpu_devices: Vec<VgpuDevice>,
}

/// A PCI device, any of a make.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DynamicDirectPathIoDevice {
    /// The hardware label it must carry.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub custom_label: String,
    /// The PCI device id.
    #[serde(rename = "deviceID", default)]
    #[schemars(!default)]
    pub device_id: i64,
    /// The PCI vendor id.
    #[serde(rename = "vendorID", default)]
    #[schemars(!default)]
    pub vendor_id: i64,
}

/// A virtual GPU.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VgpuDevice {
    /// Its profile, e.g. `grid_v100-4q`.
    #[serde(default)]
    #[schemars(!default)]
    pub profile_name: String,
}

/// Volumes on the host's own disks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStorage {
    /// Their StorageClass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub storage_class: String,
    /// The volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<InstanceStorageVolume>,
}

/// A volume on the host's own disks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStorageVolume {
    /// Its size in bytes.
    #[serde(default)]
    #[schemars(!default)]
    pub size: Quantity,
}

/// What the class guarantees and bounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassPolicies {
    /// Reservations and limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ClassResources>,
}

/// Reservations and limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassResources {
    /// The most a VM may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceSpec>,
    /// What is reserved for a VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceSpec>,
}

/// An amount of CPU and memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpec {
    /// CPU in processors, `1500m` is one and a half; a processor is worth the clock of the cluster's slowest host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Memory in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

/// Nothing is seen of a class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineClassStatus {}
