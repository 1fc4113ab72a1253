//! ComputePolicy: which workloads a compute policy of vSphere applies to, and the tags that say so.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kube::Condition;
use crate::kube::choice::choice;
use crate::kube::policy_evaluation::GuestFamily;

/// A compute policy.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vsphere.policy.vmware.com",
    version = "v1alpha1",
    kind = "ComputePolicy",
    plural = "computepolicies",
    namespaced,
    status = "ComputePolicyStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Enforcement-Mode", "type": "string", "jsonPath": ".spec.enforcementMode"}"#,
    printcolumn = r#"{"name": "Description", "type": "string", "jsonPath": ".spec.description"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ComputePolicySpec {
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it applies to all that match, or to those that name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Mandatory"))]
    pub enforcement_mode: Option<EnforcementMode>,
    /// What it applies to; absent: anything.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub match_: Option<MatchSpec>,
    /// The policy's id in vSphere.
    #[serde(rename = "policyID", default, skip_serializing_if = "String::is_empty")]
    pub policy_id: String,
    /// Names of the TagPolicies whose tags it means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub tags: Vec<String>,
}

/// What a policy applies to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MatchSpec {
    /// By image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<MatchImage>,
    /// Nested matches, a list of the same shape.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
    pub match_: Option<Value>,
    /// How the parts are joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "And"))]
    pub op: Option<MatchBoolean>,
    /// By workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<MatchWorkload>,
}

/// A match by image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MatchImage {
    /// By the image object's labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelSelectorRequirement>,
    /// By the image's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<StringMatch>,
}

/// A match by workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MatchWorkload {
    /// By guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<MatchGuest>,
    /// By kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<WorkloadKind>,
    /// By labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelSelectorRequirement>,
}

/// A match by guest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MatchGuest {
    /// By family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_family: Option<GuestFamilyMatch>,
    /// By identifier.
    #[serde(rename = "guestID", default, skip_serializing_if = "Option::is_none")]
    pub guest_id: Option<StringMatch>,
}

/// A match of a string.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StringMatch {
    /// How to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Equal"))]
    pub op: Option<ValueOperator>,
    /// What with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
}

/// A match of a guest's family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuestFamilyMatch {
    /// How to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Equal"))]
    pub op: Option<ValueOperator>,
    /// What with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<GuestFamily>,
}

choice! {
    /// Who a policy applies to.
    pub enum EnforcementMode {
        /// All that match.
        Mandatory = "Mandatory",
        /// Those that match and name it.
        Optional = "Optional",
    }
}

choice! {
    /// How matches are joined.
    pub enum MatchBoolean {
        /// All of them.
        And = "And",
        /// Any of them.
        Or = "Or",
    }
}

choice! {
    /// Kinds of workload.
    pub enum WorkloadKind {
        /// A pod.
        Pod = "Pod",
        /// A VM.
        VirtualMachine = "VirtualMachine",
    }
}

choice! {
    /// How strings are compared.
    pub enum ValueOperator {
        /// The same.
        Equal = "Equal",
        /// Not the same.
        NotEqual = "NotEqual",
        /// It is a part.
        Contains = "Contains",
        /// It is no part.
        NotContains = "NotContains",
        /// It is the beginning.
        HasPrefix = "HasPrefix",
        /// It is not the beginning.
        NotHasPrefix = "NotHasPrefix",
        /// It is the end.
        HasSuffix = "HasSuffix",
        /// It is not the end.
        NotHasSuffix = "NotHasSuffix",
        /// It matches as a regular expression.
        Match = "Match",
        /// It does not match as a regular expression.
        NotMatch = "NotMatch",
    }
}

/// The policy as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComputePolicyStatus {
    /// What is true of the policy, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The generation that was seen.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub observed_generation: i64,
}
