//! VirtualNetwork of the NSX-T provider (NCP): a network of a namespace. Only what tells that it is there.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;

/// The network wanted.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmware.com",
    version = "v1alpha1",
    kind = "VirtualNetwork",
    plural = "virtualnetworks",
    namespaced,
    status = "VirtualNetworkStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkSpec {
    /// Sources that may come in from outside; all when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub whitelist_source_ranges: String,
}

/// The network as made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkStatus {
    /// What is true of the network, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::kube::schema::provider_conditions")]
    pub conditions: Vec<Condition>,
    /// The address that guests show to the outside.
    #[serde(rename = "defaultSNATIP", default, skip_serializing_if = "String::is_empty")]
    pub default_snat_ip: String,
}
