//! What the operator has seen of a VM and last decided about it. Written by the operator alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;
use crate::kube::power::PowerState;
use crate::kube::reference::LocalObjectRef;
use crate::kube::virtual_machine::{HardwareStatus, NetworkStatus, VolumeStatus};
use crate::kube::virtual_machine_snapshot::SnapshotReference;
use crate::time::Timestamp;
use crate::units::Bytes;

/// What was seen of a VM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineStatus {
    /// The BIOS UUID.
    #[serde(rename = "biosUUID", default, skip_serializing_if = "String::is_empty")]
    pub bios_uuid: String,
    /// Whether changed blocks are tracked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_block_tracking: Option<bool>,
    /// The class that the VM was last made or resized with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<LocalObjectRef>,
    /// What is true of the VM, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Its encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crypto: Option<CryptoStatus>,
    /// The snapshot it stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_snapshot: Option<SnapshotReference>,
    /// The guest as it is configured in vSphere; absent when nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<GuestStatus>,
    /// Its hardware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<HardwareStatus>,
    /// Its virtual hardware version; 0 before it is known.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub hardware_version: i32,
    /// The instance UUID.
    #[serde(rename = "instanceUUID", default, skip_serializing_if = "String::is_empty")]
    pub instance_uuid: String,
    /// When it was last restarted by request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_restart_time: Option<Timestamp>,
    /// Its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkStatus>,
    /// The host it runs on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node_name: String,
    /// Policies in force, with the generation that was applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyStatus>,
    /// Its power state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_state: Option<PowerState>,
    /// What vSphere tells of its making.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderStatus>,
    /// Snapshots without a parent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub root_snapshots: Vec<SnapshotReference>,
    /// What it takes on the datastores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageStatus>,
    /// vSphere's managed object id of it, `vm-42`.
    #[serde(rename = "uniqueID", default, skip_serializing_if = "String::is_empty")]
    pub unique_id: String,
    /// Its volumes, those of the image included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name", "type"]))]
    pub volumes: Vec<VolumeStatus>,
    /// The zone it was placed in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
}

/// The guest as it is configured in vSphere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuestStatus {
    /// The guest's name in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub guest_full_name: String,
    /// The guest's identifier.
    #[serde(rename = "guestID", default, skip_serializing_if = "String::is_empty")]
    pub guest_id: String,
}

/// What vSphere tells of a VM's making.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    /// When vSphere made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Timestamp>,
}

/// A policy in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// Group and version of the policy.
    #[serde(default)]
    #[schemars(!default)]
    pub api_version: String,
    /// The generation that was applied.
    #[serde(default)]
    #[schemars(!default)]
    pub generation: i64,
    /// The policy's kind.
    #[serde(default)]
    #[schemars(!default)]
    pub kind: String,
    /// The policy's name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}

/// A VM's encryption.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CryptoStatus {
    /// What is encrypted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub encrypted: Vec<EncryptionType>,
    /// Whether it has a vTPM.
    #[serde(rename = "hasVTPM", default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub has_vtpm: bool,
    /// The key.
    #[serde(rename = "keyID", default, skip_serializing_if = "String::is_empty")]
    pub key_id: String,
    /// The key provider.
    #[serde(rename = "providerID", default, skip_serializing_if = "String::is_empty")]
    pub provider_id: String,
}

/// What a VM takes on the datastores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageStatus {
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<StorageRequestedStatus>,
    /// What counts against the quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Bytes>,
    /// What is taken in fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<StorageUsageStatus>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageRequestedStatus {
    /// The capacity of the disks that are not claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<Bytes>,
}

/// What is taken in fact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageUsageStatus {
    /// By the disks that are not claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<Bytes>,
    /// By everything else: swap, logs, NVRAM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<Bytes>,
    /// By snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<StorageSnapshotUsageStatus>,
}

/// What snapshots take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageSnapshotUsageStatus {
    /// Files of the VM and its plain disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<Bytes>,
    /// Disks behind claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Bytes>,
}

choice! {
    /// What of a VM can be encrypted.
    pub enum EncryptionType {
        /// The VM's home files.
        Config = "Config",
        /// Its disks.
        Disks = "Disks",
    }
}
