//! StoragePolicyUsage: what one kind of object has in use of a storage class, told by the controller of that kind.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::storage_policy_quota::QuotaUsage;

/// Whose use of what is told.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cns.vmware.com",
    version = "v1alpha2",
    kind = "StoragePolicyUsage",
    plural = "storagepolicyusages",
    namespaced,
    status = "StoragePolicyUsageStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct StoragePolicyUsageSpec {
    /// The CA of the reporter's webhook, PEM in Base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "byte"))]
    pub ca_bundle: String,
    /// The kind's group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("x-kubernetes-validations" = [{"message": "ResourceAPIgroup is immutable", "rule": "self == oldSelf"}]))]
    pub resource_api_group: String,
    /// The reporter.
    #[serde(default)]
    #[schemars(!default, extend("x-kubernetes-validations" = [{"message": "ResourceExtensionName is immutable", "rule": "self == oldSelf"}]))]
    pub resource_extension_name: String,
    /// The reporter's namespace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("x-kubernetes-validations" = [{"message": "ResourceExtensionNamespace is immutable", "rule": "self == oldSelf"}]))]
    pub resource_extension_namespace: String,
    /// The kind.
    #[serde(default)]
    #[schemars(!default, extend("maxLength" = 64, "x-kubernetes-validations" = [{"message": "ResourceKind is immutable", "rule": "self == oldSelf"}]))]
    pub resource_kind: String,
    /// The StorageClass.
    #[serde(default)]
    #[schemars(!default, extend("maxLength" = 64, "x-kubernetes-validations" = [{"message": "StorageClassName is immutable", "rule": "self == oldSelf"}]))]
    pub storage_class_name: String,
    /// The policy's id in vSphere.
    #[serde(default)]
    #[schemars(!default, extend("maxLength" = 128, "x-kubernetes-validations" = [{"message": "StoragePolicyId is immutable", "rule": "self == oldSelf"}]))]
    pub storage_policy_id: String,
}

/// What is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoragePolicyUsageStatus {
    /// The amounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_usage: Option<QuotaUsage>,
}
