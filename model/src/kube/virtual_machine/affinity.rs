//! With which VMs a VM wants to share a topology domain, and with which not. Terms only; how they become tags and
//! rules is the placement's business.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A VM's wishes about its neighbours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AffinitySpec {
    /// VMs to be near to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm_affinity: Option<VmAffinitySpec>,
    /// VMs to keep away from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm_anti_affinity: Option<VmAntiAffinitySpec>,
}

/// VMs to be near to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmAffinitySpec {
    /// Terms that are tried for, at placement and later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub preferred_during_scheduling_preferred_during_execution: Vec<VmAffinityTerm>,
    /// Terms that must hold at placement and are tried for later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub required_during_scheduling_preferred_during_execution: Vec<VmAffinityTerm>,
}

/// VMs to keep away from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmAntiAffinitySpec {
    /// Terms that are tried for, at placement and later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub preferred_during_scheduling_preferred_during_execution: Vec<VmAffinityTerm>,
    /// Terms that must hold at placement and are tried for later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub required_during_scheduling_preferred_during_execution: Vec<VmAffinityTerm>,
}

/// One wish: these VMs, in this domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VmAffinityTerm {
    /// Which VMs of the namespace are meant; absent matches none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<LabelSelector>,
    /// The domain to share or not: `topology.kubernetes.io/zone` or `kubernetes.io/hostname`.
    #[serde(default)]
    #[schemars(!default)]
    pub topology_key: String,
}
