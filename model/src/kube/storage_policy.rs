//! StoragePolicy: what vSphere's storage policy means for VMs. It lives in the operator's own namespace.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;

/// A storage policy of vSphere.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infra.vmware.com",
    version = "v1alpha1",
    kind = "StoragePolicy",
    plural = "storagepolicies",
    namespaced,
    status = "StoragePolicyStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct StoragePolicySpec {
    /// The policy's id in vSphere.
    #[serde(default)]
    #[schemars(!default)]
    pub id: String,
}

/// The policy as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoragePolicyStatus {
    /// The datastores that comply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datastores: Vec<StoragePolicyDatastore>,
    /// The sector format of its disks, `512N` or `4K`; empty leaves it to the datastore.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub disk_format: String,
    /// How its disks are provisioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_provisioning_mode: Option<VolumeProvisioningMode>,
    /// Whether it encrypts.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub encrypted: bool,
    /// The StorageClasses that stand for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage_classes: Vec<String>,
    /// The VolumeAttributesClass that stands for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub volume_attributes_class: String,
}

/// A datastore that complies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoragePolicyDatastore {
    /// Its id.
    #[serde(default)]
    #[schemars(!default)]
    pub id: ManagedObjectId,
    /// Its kind.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<DatastoreType>,
}

/// A managed object of vSphere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedObjectId {
    /// Its id, `datastore-…`.
    #[serde(rename = "objectID", default)]
    #[schemars(!default)]
    pub object_id: String,
    /// Its server's id.
    #[serde(rename = "serverID", default, skip_serializing_if = "String::is_empty")]
    pub server_id: String,
}

choice! {
    /// Kinds of datastore.
    pub enum DatastoreType {
        /// VMFS.
        Vmfs = "VMFS",
        /// vSAN.
        Vsan = "VSAN",
    }
}

choice! {
    /// How a disk takes its room.
    pub enum VolumeProvisioningMode {
        /// As it is written.
        Thin = "Thin",
        /// At once, zeroed when written.
        Thick = "Thick",
        /// At once, zeroed at once.
        ThickEagerZero = "ThickEagerZero",
    }
}
