//! NetworkInterface of the VDS provider: the wish for a port on a Network, answered with the port and its addresses.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;

/// The port wanted.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "netoperator.vmware.com",
    version = "v1alpha1",
    kind = "NetworkInterface",
    plural = "networkinterfaces",
    namespaced,
    status = "NetworkInterfaceStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterfaceSpec {
    /// An id given by the asker.
    #[serde(rename = "externalID", default, skip_serializing_if = "String::is_empty")]
    pub external_id: String,
    /// Which address families are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_family_policy: Option<IpFamilyPolicy>,
    /// The Network's name; the namespace's default when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub network_name: String,
    /// Where the port is to be made beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_allocation: Option<PortAllocation>,
    /// The provider's own object, if it says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<NetworkProviderRef>,
    /// The adapter's type, e.g. `vmxnet3`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub type_: String,
}

/// Where a port is to be made beforehand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortAllocation {
    /// The host.
    #[serde(default)]
    #[schemars(!default)]
    pub node_name: String,
}

/// A provider's own object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkProviderRef {
    /// Its group.
    #[serde(default)]
    #[schemars(!default)]
    pub api_group: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Its kind.
    #[serde(default)]
    #[schemars(!default)]
    pub kind: String,
    /// Its name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}

choice! {
    /// Address families.
    pub enum IpFamilyPolicy {
        /// IPv4.
        Ipv4Only = "IPv4Only",
        /// IPv6.
        Ipv6Only = "IPv6Only",
        /// Both.
        DualStack = "DualStack",
    }
}

/// The port as made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterfaceStatus {
    /// What is true of the port, by type; `Ready` above all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::kube::schema::provider_conditions")]
    pub conditions: Vec<Condition>,
    /// The connection's id.
    #[serde(rename = "connectionID", default, skip_serializing_if = "String::is_empty")]
    pub connection_id: String,
    /// The id given by the asker, or by the provider.
    #[serde(rename = "externalID", default, skip_serializing_if = "String::is_empty")]
    pub external_id: String,
    /// Where IPv4 addresses come from: `dhcp`, `staticpool` or `none`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ip_assignment_mode: String,
    /// The addresses given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_configs: Vec<IpConfig>,
    /// Where IPv6 addresses come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ipv6_assignment_mode: String,
    /// The MAC address given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mac_address: String,
    /// The port group's managed object id.
    #[serde(rename = "networkID", default, skip_serializing_if = "String::is_empty")]
    pub network_id: String,
    /// The port's id.
    #[serde(rename = "portID", default, skip_serializing_if = "String::is_empty")]
    pub port_id: String,
}

/// An address given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IpConfig {
    /// The gateway.
    #[serde(default)]
    #[schemars(!default)]
    pub gateway: String,
    /// The address.
    #[serde(default)]
    #[schemars(!default)]
    pub ip: String,
    /// `IPv4` or `IPv6`.
    #[serde(default)]
    #[schemars(!default)]
    pub ip_family: String,
    /// The prefix length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0, "maximum" = 128))]
    pub prefix: Option<i32>,
    /// The mask, IPv4.
    #[serde(default)]
    #[schemars(!default)]
    pub subnet_mask: String,
}
