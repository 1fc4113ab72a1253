//! VirtualMachineSnapshot: a state of a VM to go back to.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;
use crate::kube::power::PowerState;
use crate::time::GoDuration;
use crate::units::Bytes;

/// The snapshot asked for.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmoperator.vmware.com",
    version = "v1alpha5",
    kind = "VirtualMachineSnapshot",
    plural = "virtualmachinesnapshots",
    namespaced,
    status = "VirtualMachineSnapshotStatus",
    shortname = "vmsnapshot",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineSnapshotSpec {
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether the memory is kept.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub memory: bool,
    /// Whether and how the guest is brought to rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiesce: Option<QuiesceSpec>,
    /// The VM, in the snapshot's namespace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vm_name: String,
}

/// Bringing a guest to rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuiesceSpec {
    /// How long that may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

/// The snapshot as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineSnapshotStatus {
    /// Snapshots taken on top of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<SnapshotReference>,
    /// What is true of the snapshot, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The VM's power state in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_state: Option<PowerState>,
    /// Whether the guest was at rest.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub quiesced: bool,
    /// What it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<SnapshotStorageStatus>,
    /// vSphere's id of it, `snapshot-…`.
    #[serde(rename = "uniqueID", default, skip_serializing_if = "String::is_empty")]
    pub unique_id: String,
}

/// What a snapshot takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStorageStatus {
    /// What it may take at most, by storage class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requested: Vec<SnapshotStorageRequested>,
    /// What it takes in fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Bytes>,
}

/// What a snapshot may take in one storage class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStorageRequested {
    /// The StorageClass.
    #[serde(default)]
    #[schemars(!default)]
    pub storage_class: String,
    /// The amount.
    #[serde(default)]
    #[schemars(!default)]
    pub total: Bytes,
}

/// A snapshot by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotReference {
    /// The object's name, or vSphere's for one without an object.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// Whether there is an object for it.
    #[serde(rename = "type", default)]
    #[schemars(!default, extend("default" = "Managed"))]
    pub type_: SnapshotReferenceType,
}

choice! {
    /// Whether there is an object for a snapshot.
    #[derive(Default)]
    pub enum SnapshotReferenceType {
        /// There is a VirtualMachineSnapshot.
        #[default]
        Managed = "Managed",
        /// It was made outside VM Operator.
        Unmanaged = "Unmanaged",
    }
}
