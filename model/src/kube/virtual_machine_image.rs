//! VirtualMachineImage and ClusterVirtualMachineImage: what an item of a content library offers, in one namespace or
//! in all.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::reference::{KeyValuePair, LocalObjectRef};
use crate::kube::virtual_machine::ControllerType;
use crate::units::Bytes;

/// Where an image comes from.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmoperator.vmware.com",
    version = "v1alpha5",
    kind = "VirtualMachineImage",
    plural = "virtualmachineimages",
    namespaced,
    status = "VirtualMachineImageStatus",
    shortname = "vmi",
    shortname = "vmimage",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Display Name", "type": "string", "jsonPath": ".status.name"}"#,
    printcolumn = r#"{"name": "Type", "type": "string", "jsonPath": ".status.type"}"#,
    printcolumn = r#"{"name": "Image Version", "type": "string", "jsonPath": ".status.productInfo.version"}"#,
    printcolumn = r#"{"name": "OS Name", "type": "string", "jsonPath": ".status.osInfo.type"}"#,
    printcolumn = r#"{"name": "OS Version", "type": "string", "jsonPath": ".status.osInfo.version"}"#,
    printcolumn = r#"{"name": "Hardware Version", "type": "string", "jsonPath": ".status.hardwareVersion"}"#,
    printcolumn = r#"{"name": "Capabilities", "type": "string", "jsonPath": ".status.capabilities"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineImageSpec {
    /// The content library item behind the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<LocalObjectRef>,
}

/// What an image offers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineImageStatus {
    /// What the image says it can do, e.g. `cloud-init`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub capabilities: Vec<String>,
    /// What is true of the image, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Its disks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub disks: Vec<ImageDiskInfo>,
    /// Its firmware, `bios` or `efi`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub firmware: String,
    /// Its virtual hardware version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware_version: Option<i32>,
    /// Its display name, the library item's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_info: Option<ImageOsInfo>,
    /// The OVF properties a user may set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ovf_properties: Vec<OvfProperty>,
    /// Its product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_info: Option<ImageProductInfo>,
    /// The version of the library item's content.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider_content_version: String,
    /// The library item's id.
    #[serde(rename = "providerItemID", default, skip_serializing_if = "String::is_empty")]
    pub provider_item_id: String,
    /// `OVF` or `ISO`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub type_: String,
    /// VMware's own OVF properties.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vmware_system_properties: Vec<KeyValuePair>,
}

/// An image's operating system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageOsInfo {
    /// Its number in CIM.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// vSphere's guest identifier.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub type_: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// An image's product.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageProductInfo {
    /// Its version in full.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub full_version: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub product: String,
    /// Its vendor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor: String,
    /// Its version in short.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// An OVF property a user may set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OvfProperty {
    /// Its value when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Its key.
    #[serde(default)]
    #[schemars(!default)]
    pub key: String,
    /// Its OVF type, e.g. `string`.
    #[serde(rename = "type", default)]
    #[schemars(!default)]
    pub type_: String,
}

/// An image's disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageDiskInfo {
    /// Its controller's bus number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_bus_number: Option<i32>,
    /// Its controller's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_type: Option<ControllerType>,
    /// Its capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Bytes>,
    /// Its name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// What it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Bytes>,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_number: Option<i32>,
}
