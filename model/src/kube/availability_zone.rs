//! AvailabilityZone: clusters that fail together, and each namespace's pools and folder in them.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::zone::VirtualMachineReservation;

/// Clusters that fail together.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "topology.tanzu.vmware.com",
    version = "v1alpha1",
    kind = "AvailabilityZone",
    plural = "availabilityzones",
    status = "AvailabilityZoneStatus",
    shortname = "az",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct AvailabilityZoneSpec {
    /// The clusters.
    #[serde(rename = "clusterComputeResourceMoIDs", default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_compute_resource_mo_ids: Vec<String>,
    /// The cluster, in objects older than the list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster_compute_resource_mo_id: String,
    /// Each namespace's pools and folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<String, NamespaceInfo>,
    /// The system's own pools and folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_info: Option<SystemInfo>,
    /// Room kept for VMs of some classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub virtual_machine_reservations: Vec<VirtualMachineReservation>,
}

/// A namespace's pools and folder, by managed object id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceInfo {
    /// The folder.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder_mo_id: String,
    /// The resource pools, one for each cluster.
    #[serde(rename = "poolMoIDs", default, skip_serializing_if = "Vec::is_empty")]
    pub pool_mo_ids: Vec<String>,
    /// The resource pool, in objects older than the list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pool_mo_id: String,
}

/// The system's own pools and folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemInfo {
    /// The folder.
    #[serde(rename = "folderMoID", default, skip_serializing_if = "String::is_empty")]
    pub folder_mo_id: String,
    /// The resource pools.
    #[serde(rename = "poolMoIDs", default, skip_serializing_if = "Vec::is_empty")]
    pub pool_mo_ids: Vec<String>,
}

/// The zone as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AvailabilityZoneStatus {
    /// What is true of the zone, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Whether it is being taken away.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub marked_for_removal: bool,
    /// Room kept, as set in vSphere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub virtual_machine_reservations: Vec<VirtualMachineReservation>,
}
