//! SubnetSet of the VPC provider (NSX): a growing set of subnets that ports are taken from. Only the fields that
//! decide where a VM is connected and how it gets its address.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::subnet::{AccessMode, SubnetDhcpConfig};

/// What the subnets of the set are like.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "crd.nsx.vmware.com",
    version = "v1alpha1",
    kind = "SubnetSet",
    plural = "subnetsets",
    namespaced,
    status = "SubnetSetStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "AccessMode", "type": "string", "jsonPath": ".spec.accessMode"}"#,
    printcolumn = r#"{"name": "IPv4SubnetSize", "type": "string", "jsonPath": ".spec.ipv4SubnetSize"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct SubnetSetSpec {
    /// From where the subnets can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<AccessMode>,
    /// How many addresses each subnet has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 16, "maximum" = 65536))]
    pub ipv4_subnet_size: Option<i32>,
    /// How addresses are given.
    #[serde(rename = "subnetDHCPConfig", default, skip_serializing_if = "Option::is_none")]
    pub subnet_dhcp_config: Option<SubnetDhcpConfig>,
    /// Subnets made beforehand, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
}

/// The set as made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubnetSetStatus {
    /// What is true of the set, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::kube::schema::provider_conditions")]
    pub conditions: Vec<Condition>,
    /// The subnets made so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<SubnetInfo>,
}

/// A subnet of the set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubnetInfo {
    /// Its networks, with prefix length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_addresses: Vec<String>,
    /// Its gateways, with prefix length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateway_addresses: Vec<String>,
    /// Its DHCP servers.
    #[serde(rename = "DHCPServerAddresses", default, skip_serializing_if = "Vec::is_empty")]
    pub dhcp_server_addresses: Vec<String>,
}
