//! VirtualMachineImageCache: copies of an image's files near the datastores where VMs are made. The copying is the
//! operator's and vSphere's.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;
use crate::kube::virtual_machine::VolumeType;

/// What is to be copied where.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmoperator.vmware.com",
    version = "v1alpha5",
    kind = "VirtualMachineImageCache",
    plural = "virtualmachineimagecaches",
    namespaced,
    status = "VirtualMachineImageCacheStatus",
    shortname = "vmic",
    shortname = "vmicache",
    shortname = "vmimagecache",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineImageCacheSpec {
    /// Where copies are wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["datacenterID", "datastoreID", "profileID"]))]
    pub locations: Vec<ImageCacheLocationSpec>,
    /// The library item.
    #[serde(rename = "providerID", default)]
    #[schemars(!default)]
    pub provider_id: String,
    /// The version of its content.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider_version: String,
}

/// A place for a copy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageCacheLocationSpec {
    /// The datacenter.
    #[serde(rename = "datacenterID", default)]
    #[schemars(!default, extend("minLength" = 1))]
    pub datacenter_id: String,
    /// The datastore.
    #[serde(rename = "datastoreID", default)]
    #[schemars(!default, extend("minLength" = 1))]
    pub datastore_id: String,
    /// The storage profile.
    #[serde(rename = "profileID", default)]
    #[schemars(!default, extend("minLength" = 1))]
    pub profile_id: String,
}

/// What has been copied where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineImageCacheStatus {
    /// What is true of the cache, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Each place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["datacenterID", "datastoreID", "profileID"]))]
    pub locations: Vec<ImageCacheLocationStatus>,
    /// The OVF descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ovf: Option<ImageCacheOvfStatus>,
}

/// The OVF descriptor as cached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageCacheOvfStatus {
    /// The ConfigMap that holds it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub config_map_name: String,
    /// The content's version it belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider_version: String,
}

/// A place with a copy, or on the way to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageCacheLocationStatus {
    /// What is true of the place, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The datacenter.
    #[serde(rename = "datacenterID", default)]
    #[schemars(!default)]
    pub datacenter_id: String,
    /// The datastore.
    #[serde(rename = "datastoreID", default)]
    #[schemars(!default)]
    pub datastore_id: String,
    /// The files copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id", "type"]))]
    pub files: Vec<ImageCacheFileStatus>,
    /// The storage profile.
    #[serde(rename = "profileID", default)]
    #[schemars(!default)]
    pub profile_id: String,
}

/// A file copied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageCacheFileStatus {
    /// Who looks after it, if it is a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_type: Option<VolumeType>,
    /// Its path on the datastore, or the disk's id.
    #[serde(default)]
    #[schemars(!default)]
    pub id: String,
    /// Its name in the image.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What it is.
    #[serde(rename = "type", default)]
    #[schemars(!default)]
    pub type_: ImageCacheFileType,
}

choice! {
    /// Files of an image.
    #[derive(Default)]
    pub enum ImageCacheFileType {
        /// A disk.
        #[default]
        Disk = "Disk",
        /// Anything else.
        Other = "Other",
    }
}
