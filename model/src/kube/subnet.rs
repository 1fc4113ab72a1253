//! Subnet of the VPC provider (NSX): one subnet that ports are taken from. Only the fields that decide where a VM is
//! connected and how it gets its address.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;

/// What the subnet is like.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "crd.nsx.vmware.com",
    version = "v1alpha1",
    kind = "Subnet",
    plural = "subnets",
    namespaced,
    status = "SubnetStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "AccessMode", "type": "string", "jsonPath": ".spec.accessMode"}"#,
    printcolumn = r#"{"name": "IPv4SubnetSize", "type": "string", "jsonPath": ".spec.ipv4SubnetSize"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct SubnetSpec {
    /// The VPC it belongs to; the namespace's own when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vpc_name: String,
    /// How many addresses it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 16, "maximum" = 65536))]
    pub ipv4_subnet_size: Option<i32>,
    /// From where it can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<AccessMode>,
    /// Its networks, with prefix length; the VPC chooses when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<String>,
    /// How addresses are given.
    #[serde(rename = "subnetDHCPConfig", default, skip_serializing_if = "Option::is_none")]
    pub subnet_dhcp_config: Option<SubnetDhcpConfig>,
}

/// How a subnet gives addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubnetDhcpConfig {
    /// By DHCP or not; `DHCPDeactivated` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DhcpMode>,
}

choice! {
    /// From where a subnet can be reached.
    pub enum AccessMode {
        /// From its VPC.
        Private = "Private",
        /// From anywhere.
        Public = "Public",
        /// From the VPCs of its transit gateway.
        PrivateTgw = "PrivateTGW",
    }
}

choice! {
    /// Whether and by whom DHCP is served.
    pub enum DhcpMode {
        /// By the subnet's own server.
        Server = "DHCPServer",
        /// By a server elsewhere.
        Relay = "DHCPRelay",
        /// Not at all: addresses come from the provider's pool, or there are none.
        Deactivated = "DHCPDeactivated",
    }
}

/// The subnet as made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubnetStatus {
    /// Its networks, with prefix length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_addresses: Vec<String>,
    /// Its gateways, with prefix length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateway_addresses: Vec<String>,
    /// Its DHCP servers.
    #[serde(rename = "DHCPServerAddresses", default, skip_serializing_if = "Vec::is_empty")]
    pub dhcp_server_addresses: Vec<String>,
    /// What is true of the subnet, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::kube::schema::provider_conditions")]
    pub conditions: Vec<Condition>,
}
