//! CnsNodeVMBatchAttachment: the wish that all of a VM's claims hang on it, each in its place, fulfilled by the
//! storage neighbours.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;

/// Which disks on which VM.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cns.vmware.com",
    version = "v1alpha1",
    kind = "CnsNodeVMBatchAttachment",
    plural = "cnsnodevmbatchattachments",
    namespaced,
    status = "CnsNodeVmBatchAttachmentStatus",
    shortname = "batchattach",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "InstanceUUID", "type": "string", "jsonPath": ".spec.instanceUUID"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct CnsNodeVmBatchAttachmentSpec {
    /// The VM's instance UUID.
    #[serde(rename = "instanceUUID", default)]
    #[schemars(!default)]
    pub instance_uuid: String,
    /// The volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub volumes: Vec<BatchVolumeSpec>,
}

/// A volume to attach.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchVolumeSpec {
    /// Its name in the VM's spec.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// Its claim, and its place on the VM.
    #[serde(default)]
    #[schemars(!default)]
    pub persistent_volume_claim: BatchPersistentVolumeClaimSpec,
}

/// A claim with its place on the VM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchPersistentVolumeClaimSpec {
    /// The PersistentVolumeClaim's name.
    #[serde(default)]
    #[schemars(!default)]
    pub claim_name: String,
    /// vSphere's key of the controller.
    #[serde(default)]
    #[schemars(!default)]
    pub controller_key: i32,
    /// The disk's mode, in vSphere's words.
    #[serde(default)]
    #[schemars(!default)]
    pub disk_mode: BatchDiskMode,
    /// Whether several VMs write to it, in vSphere's words.
    #[serde(default)]
    #[schemars(!default)]
    pub sharing_mode: BatchSharingMode,
    /// The unit on the controller.
    #[serde(default)]
    #[schemars(!default)]
    pub unit_number: i32,
}

choice! {
    /// vSphere's words for what snapshots and power-offs keep of a disk.
    #[derive(Default)]
    pub enum BatchDiskMode {
        /// Outside snapshots; changes stay.
        #[default]
        IndependentPersistent = "independent_persistent",
        /// Changes stay.
        Persistent = "persistent",
        /// Outside snapshots; changes are lost at power-off.
        IndependentNonPersistent = "independent_nonpersistent",
        /// Changes are lost at power-off.
        NonPersistent = "nonpersistent",
    }
}

choice! {
    /// vSphere's words for whether several VMs write to a disk.
    #[derive(Default)]
    pub enum BatchSharingMode {
        /// Several may.
        #[default]
        MultiWriter = "sharingMultiWriter",
        /// One may.
        None = "sharingNone",
    }
}

/// The attachments as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CnsNodeVmBatchAttachmentStatus {
    /// What is true of the whole, by type; `Ready` above all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Each volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub volumes: Vec<BatchVolumeStatus>,
}

/// A volume as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchVolumeStatus {
    /// Its name in the VM's spec.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// Its claim.
    #[serde(default)]
    #[schemars(!default)]
    pub persistent_volume_claim: BatchPersistentVolumeClaimStatus,
}

/// A claim as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchPersistentVolumeClaimStatus {
    /// The PersistentVolumeClaim's name.
    #[serde(default)]
    #[schemars(!default)]
    pub claim_name: String,
    /// The volume's id in CNS.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cns_volume_id: String,
    /// What is true of the attachment, by type; `VolumeAttached` above all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The disk's UUID, once attached.
    #[serde(rename = "diskUUID", default, skip_serializing_if = "String::is_empty")]
    pub disk_uuid: String,
}
