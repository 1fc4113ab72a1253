//! PolicyEvaluation: the question which policies a VM falls under, and the answer with the tags they mean.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;
use crate::kube::reference::LocalObjectRef;

/// The VM to judge.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vsphere.policy.vmware.com",
    version = "v1alpha1",
    kind = "PolicyEvaluation",
    plural = "policyevaluations",
    namespaced,
    status = "PolicyEvaluationStatus",
    shortname = "policyeval",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEvaluationSpec {
    /// Its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PolicyEvaluationImage>,
    /// Policies asked for explicitly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name", "kind"]))]
    pub policies: Vec<LocalObjectRef>,
    /// Its guest and labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<PolicyEvaluationWorkload>,
}

/// The image of a VM to judge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEvaluationImage {
    /// The image object's labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The image's display name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// The workload to judge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEvaluationWorkload {
    /// Its guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<PolicyEvaluationGuest>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// The guest of a VM to judge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEvaluationGuest {
    /// The guest's family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_family: Option<GuestFamily>,
    /// The guest's identifier.
    #[serde(rename = "guestID", default, skip_serializing_if = "String::is_empty")]
    pub guest_id: String,
}

choice! {
    /// Families of guests.
    pub enum GuestFamily {
        /// macOS.
        Darwin = "Darwin",
        /// Linux.
        Linux = "Linux",
        /// NetWare.
        Netware = "Netware",
        /// Any other.
        Other = "Other",
        /// Solaris.
        Solaris = "Solaris",
        /// Windows.
        Windows = "Windows",
    }
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEvaluationStatus {
    /// What is true of the evaluation, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The generation that was judged.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub observed_generation: i64,
    /// The policies the VM falls under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name", "kind"]))]
    pub policies: Vec<PolicyEvaluationResult>,
}

/// A policy the VM falls under.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEvaluationResult {
    /// Group and version of the policy.
    #[serde(default)]
    #[schemars(!default)]
    pub api_version: String,
    /// The policy's kind.
    #[serde(default)]
    #[schemars(!default)]
    pub kind: String,
    /// The policy's name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// The policy's generation that was used.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub observed_generation: i64,
    /// The ids of the vSphere tags it means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub tags: Vec<String>,
}
