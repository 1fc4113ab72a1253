//! VirtualMachineSetResourcePolicy: a folder, a resource pool and cluster modules for a set of VMs.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::virtual_machine_class::ResourceSpec;

/// What is made for a set of VMs.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmoperator.vmware.com",
    version = "v1alpha5",
    kind = "VirtualMachineSetResourcePolicy",
    plural = "virtualmachinesetresourcepolicies",
    namespaced,
    status = "VirtualMachineSetResourcePolicyStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineSetResourcePolicySpec {
    /// Names of the cluster modules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_module_groups: Vec<String>,
    /// The folder's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// The resource pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_pool: Option<ResourcePoolSpec>,
}

/// A resource pool to make.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourcePoolSpec {
    /// The most it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceSpec>,
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What is reserved for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservations: Option<ResourceSpec>,
}

/// What has been made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineSetResourcePolicyStatus {
    /// The cluster modules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clustermodules: Vec<ClusterModuleStatus>,
    /// The resource pools, one for each cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_pools: Vec<ResourcePoolStatus>,
}

/// A cluster module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterModuleStatus {
    /// Its cluster.
    #[serde(rename = "clusterMoID", default)]
    #[schemars(!default)]
    pub cluster_mo_id: String,
    /// Its name in the spec.
    #[serde(default)]
    #[schemars(!default)]
    pub group_name: String,
    /// Its id.
    #[serde(rename = "moduleUUID", default)]
    #[schemars(!default)]
    pub module_uuid: String,
}

/// A resource pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourcePoolStatus {
    /// Its id.
    #[serde(rename = "childResourcePoolMoID", default)]
    #[schemars(!default)]
    pub child_resource_pool_mo_id: String,
    /// Its cluster.
    #[serde(rename = "clusterMoID", default)]
    #[schemars(!default)]
    pub cluster_mo_id: String,
}
