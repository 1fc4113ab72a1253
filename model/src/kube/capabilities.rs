//! Capabilities: what a Supervisor and its services can do, and whether that is in force. VM Operator's gates hang on
//! it.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;

/// The capabilities that are declared.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "iaas.vmware.com",
    version = "v1alpha1",
    kind = "Capabilities",
    plural = "capabilities",
    status = "CapabilitiesStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct CapabilitiesSpec {
    /// Those of the infrastructure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub infra: Vec<Capability>,
    /// Those of each service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["serviceID"]))]
    pub services: Vec<ServiceCapabilities>,
    /// Those of the Supervisor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub supervisor: Vec<Capability>,
}

/// The capabilities of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceCapabilities {
    /// The capabilities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub capabilities: Vec<Capability>,
    /// The service.
    #[serde(rename = "serviceID", default)]
    #[schemars(!default)]
    pub service_id: String,
}

/// One capability.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capability {
    /// A rule that says when it counts as in force.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub activated_when_rule: String,
    /// A rule that says when it may come into force.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub activation_rule: String,
    /// What it is, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it is offered.
    #[serde(default)]
    #[schemars(!default, extend("default" = false))]
    pub enabled: bool,
    /// Its name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// Whose it is.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<CapabilityType>,
    /// Whether users see it.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    #[schemars(extend("default" = false))]
    pub user_facing: bool,
}

choice! {
    /// Whose a capability is.
    pub enum CapabilityType {
        /// vCenter's.
        VCenter = "VCenter",
        /// The Supervisor's.
        Supervisor = "Supervisor",
        /// A service's.
        Service = "Service",
    }
}

/// What is in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilitiesStatus {
    /// By service, then by capability.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, BTreeMap<String, CapabilityStatus>>,
    /// The Supervisor's, by capability.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub supervisor: BTreeMap<String, CapabilityStatus>,
}

/// Whether a capability is in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityStatus {
    /// Whether it is.
    #[serde(default)]
    #[schemars(!default)]
    pub activated: bool,
}
