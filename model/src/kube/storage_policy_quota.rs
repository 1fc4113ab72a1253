//! StoragePolicyQuota: how much of a storage policy a namespace may use. Its totals are summed by the storage
//! neighbours from the usages.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Bytes;

/// How much of a storage policy a namespace may use.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cns.vmware.com",
    version = "v1alpha2",
    kind = "StoragePolicyQuota",
    plural = "storagepolicyquotas",
    namespaced,
    status = "StoragePolicyQuotaStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct StoragePolicyQuotaSpec {
    /// The most, in bytes; absent means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Quantity>,
    /// The policy's id in vSphere.
    #[serde(default)]
    #[schemars(!default, extend("maxLength" = 128, "x-kubernetes-validations" = [{"message": "StoragePolicyId is immutable", "rule": "self == oldSelf"}]))]
    pub storage_policy_id: String,
}

/// What is used of the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoragePolicyQuotaStatus {
    /// By who reports it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<QuotaUsageByExtension>,
    /// By storage class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub total: Vec<QuotaUsageByStorageClass>,
}

/// What one reporter has in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaUsageByExtension {
    /// The reporter.
    #[serde(default)]
    #[schemars(!default, extend("maxLength" = 64))]
    pub extension_name: String,
    /// By storage class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extension_quota_usage: Vec<QuotaUsageByStorageClass>,
}

/// What is used in one storage class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaUsageByStorageClass {
    /// The amounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sc_quota_usage: Option<QuotaUsage>,
    /// The StorageClass.
    #[serde(default)]
    #[schemars(!default, extend("maxLength" = 64))]
    pub storage_class_name: String,
}

/// Amounts that count against a quota.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaUsage {
    /// Promised to what is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Bytes>,
    /// Taken by what exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Bytes>,
}
