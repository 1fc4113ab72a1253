//! StorageQuota: how much storage a namespace may use in all, whatever the policy.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::storage_policy_quota::QuotaUsage;

/// How much storage a namespace may use.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cns.vmware.com",
    version = "v1alpha2",
    kind = "StorageQuota",
    plural = "storagequotas",
    namespaced,
    status = "StorageQuotaStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct StorageQuotaSpec {
    /// The most, in bytes; absent means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Quantity>,
    /// The most of each storage policy, in bytes, by the policy's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub storage_policy_level_limits: BTreeMap<String, Quantity>,
}

/// What is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageQuotaStatus {
    /// By storage policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub total: Vec<QuotaUsageByPolicy>,
}

/// What is used of one storage policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaUsageByPolicy {
    /// The policy's id in vSphere.
    #[serde(default)]
    #[schemars(!default)]
    pub storage_policy_id: String,
    /// The amounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_quota_usage: Option<QuotaUsage>,
}
