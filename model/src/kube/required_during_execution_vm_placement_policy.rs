//! RequiredDuringExecutionVMPlacementPolicy: a mark for VMs whose placement must hold while they run.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The policy.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vsphere.policy.vmware.com",
    version = "v1alpha1",
    kind = "RequiredDuringExecutionVMPlacementPolicy",
    plural = "requiredduringexecutionvmplacementpolicies",
    namespaced,
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct RequiredDuringExecutionVmPlacementPolicySpec {
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}
