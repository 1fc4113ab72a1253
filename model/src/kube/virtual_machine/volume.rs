//! Volumes beside those of the image, and what is seen of all of them. Attaching is the work of the storage
//! neighbours.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;
use crate::kube::virtual_machine::ControllerType;
use crate::units::Bytes;

/// A volume asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSpec {
    /// The clustered application it serves, which sets the modes below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_type: Option<VolumeApplicationType>,
    /// The bus number of its controller; chosen when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_bus_number: Option<i32>,
    /// The kind of its controller; SCSI when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_type: Option<ControllerType>,
    /// Whether snapshots and power-offs keep its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_mode: Option<VolumeDiskMode>,
    /// Its name, unique in the VM.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// The claim behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<PersistentVolumeClaimSource>,
    /// Whether it may be taken from the VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub removable: Option<bool>,
    /// Whether several VMs write to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing_mode: Option<VolumeSharingMode>,
    /// Its unit on the controller; the next free one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_number: Option<i32>,
}

/// The claim behind a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersistentVolumeClaimSource {
    /// The PersistentVolumeClaim's name.
    #[serde(default)]
    #[schemars(!default)]
    pub claim_name: String,
    /// What instance storage is to be made as; the system's use only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_volume_claim: Option<InstanceVolumeClaim>,
    /// Whether the claim is mounted read-only.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub read_only: bool,
}

/// A volume of instance storage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceVolumeClaim {
    /// Its size in bytes.
    #[serde(default)]
    #[schemars(!default)]
    pub size: Quantity,
    /// Its StorageClass.
    #[serde(default)]
    #[schemars(!default)]
    pub storage_class: String,
}

choice! {
    /// Clustered applications that need particular disk modes.
    pub enum VolumeApplicationType {
        /// Oracle RAC.
        OracleRac = "OracleRAC",
        /// Microsoft failover clustering.
        MicrosoftWsfc = "MicrosoftWSFC",
    }
}

choice! {
    /// Whether snapshots and power-offs keep a disk's content.
    pub enum VolumeDiskMode {
        /// Outside snapshots; changes are lost at power-off.
        IndependentNonPersistent = "IndependentNonPersistent",
        /// Outside snapshots; changes stay.
        IndependentPersistent = "IndependentPersistent",
        /// Changes are lost at power-off.
        NonPersistent = "NonPersistent",
        /// Changes stay.
        Persistent = "Persistent",
    }
}

choice! {
    /// Whether several VMs write to a disk.
    pub enum VolumeSharingMode {
        /// Several may.
        MultiWriter = "MultiWriter",
        /// One may.
        None = "None",
    }
}

choice! {
    /// Who looks after a disk.
    #[derive(Default)]
    pub enum VolumeType {
        /// The VM: it is a plain virtual disk.
        Classic = "Classic",
        /// CNS: a first class disk behind a claim.
        #[default]
        Managed = "Managed",
    }
}

/// A volume as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeStatus {
    /// Whether it is attached.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub attached: bool,
    /// Its controller's bus number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_bus_number: Option<i32>,
    /// Its controller's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_type: Option<ControllerType>,
    /// Its encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crypto: Option<VolumeCryptoStatus>,
    /// Its disk mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_mode: Option<VolumeDiskMode>,
    /// The disk's UUID, as the guest sees it.
    #[serde(rename = "diskUUID", default, skip_serializing_if = "String::is_empty")]
    pub disk_uuid: String,
    /// Why it could not be attached, detached or made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// The most it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Bytes>,
    /// Its name in the spec, or the disk's own.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// The size asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Bytes>,
    /// Its sharing mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing_mode: Option<VolumeSharingMode>,
    /// Who looks after it.
    #[serde(rename = "type", default)]
    #[schemars(!default, extend("default" = "Managed"))]
    pub type_: VolumeType,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_number: Option<i32>,
    /// What it takes in fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Bytes>,
}

/// A volume's encryption.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeCryptoStatus {
    /// The key.
    #[serde(rename = "keyID", default, skip_serializing_if = "String::is_empty")]
    pub key_id: String,
    /// The key provider.
    #[serde(rename = "providerID", default, skip_serializing_if = "String::is_empty")]
    pub provider_id: String,
}
