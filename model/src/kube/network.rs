//! Network of the VDS provider: a network of a namespace, backed by a distributed port group.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the network is.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "netoperator.vmware.com",
    version = "v1alpha1",
    kind = "Network",
    plural = "networks",
    namespaced,
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSpec {
    /// `vsphere-distributed` or `nsx-t`.
    #[serde(rename = "type", default)]
    #[schemars(!default)]
    pub type_: String,
    /// The provider's own object.
    #[serde(default)]
    #[schemars(!default)]
    pub provider_ref: NetworkProviderRef,
    /// DNS servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    /// DNS search domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_search_domains: Vec<String>,
    /// NTP servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ntp: Vec<String>,
}

/// A provider's own object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkProviderRef {
    /// Its group.
    #[serde(default)]
    #[schemars(!default)]
    pub api_group: String,
    /// Its kind.
    #[serde(default)]
    #[schemars(!default)]
    pub kind: String,
    /// Its name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// Its namespace; empty for an object of cluster scope.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
}
