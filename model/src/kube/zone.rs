//! Zone: a namespace's share of an availability zone, with its pools and folders in vSphere.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;

/// A namespace's share of an availability zone.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "topology.tanzu.vmware.com",
    version = "v1alpha1",
    kind = "Zone",
    plural = "zones",
    namespaced,
    status = "ZoneStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ZoneSpec {
    /// The zone's clusters the namespace may use; all when empty.
    #[serde(rename = "allowedClusterComputeResourceMoIDs", default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_cluster_compute_resource_mo_ids: Vec<String>,
    /// The AvailabilityZone behind it.
    #[serde(default)]
    #[schemars(!default)]
    pub availability_zone_reference: AvailabilityZoneReference,
    /// Bounds on CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<ZoneResource>,
    /// Whether devices may be passed through under a reservation only.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub disallow_unreserved_direct_path_usage: bool,
    /// Where VMs go.
    #[serde(rename = "managedVMs", default, skip_serializing_if = "Option::is_none")]
    pub managed_vms: Option<ZoneEntityInfo>,
    /// Bounds on memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ZoneResource>,
    /// The namespace's own pools and folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<ZoneEntityInfo>,
    /// Who pays for the VMs' overhead memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overhead_memory_provided_by: Option<OverheadMemoryProvider>,
    /// Where pods go.
    #[serde(rename = "vSpherePods", default, skip_serializing_if = "Option::is_none")]
    pub vsphere_pods: Option<ZoneEntityInfo>,
    /// Room kept for VMs of some classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub virtual_machine_reservations: Vec<VirtualMachineReservation>,
}

/// An AvailabilityZone by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AvailabilityZoneReference {
    /// Group and version.
    #[serde(default)]
    #[schemars(!default)]
    pub api_version: String,
    /// The name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}

/// Pools and a folder in vSphere, by managed object id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneEntityInfo {
    /// The clusters.
    #[serde(rename = "clusterMoIDs", default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_mo_ids: Vec<String>,
    /// The folder.
    #[serde(rename = "folderMoID", default, skip_serializing_if = "String::is_empty")]
    pub folder_mo_id: String,
    /// The resource pools, one for each cluster, in the clusters' order.
    #[serde(rename = "poolMoIDs", default, skip_serializing_if = "Vec::is_empty")]
    pub pool_mo_ids: Vec<String>,
}

/// Bounds on a resource, as quantities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneResource {
    /// The most that may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Quantity>,
    /// What is reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Quantity>,
}

/// Room kept for VMs of a class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineReservation {
    /// For how many.
    #[serde(default)]
    #[schemars(!default)]
    pub count: i64,
    /// The class.
    #[serde(default)]
    #[schemars(!default)]
    pub reserved_vm_class: String,
}

choice! {
    /// Who pays for overhead memory.
    pub enum OverheadMemoryProvider {
        /// The system.
        System = "System",
        /// The namespace.
        Namespace = "Namespace",
    }
}

/// The zone as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneStatus {
    /// What is true of the zone, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Bounds on CPU, as set in vSphere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<ZoneResource>,
    /// As set in vSphere.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub disallow_unreserved_direct_path_usage: bool,
    /// Whether it is being taken from the namespace.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub marked_for_removal: bool,
    /// Bounds on memory, as set in vSphere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ZoneResource>,
    /// Room kept, as set in vSphere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub virtual_machine_reservations: Vec<VirtualMachineReservation>,
}
