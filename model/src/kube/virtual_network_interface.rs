//! VirtualNetworkInterface of the NSX-T provider (NCP): the wish for a port on a VirtualNetwork, answered with its
//! switch, MAC and addresses.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;

/// The port wanted.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmware.com",
    version = "v1alpha1",
    kind = "VirtualNetworkInterface",
    plural = "virtualnetworkinterfaces",
    namespaced,
    status = "VirtualNetworkInterfaceStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkInterfaceSpec {
    /// The VirtualNetwork's name; the namespace's default when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub virtual_network: String,
}

/// The port as made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkInterfaceStatus {
    /// What is true of the port, by type; `Ready` above all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::kube::schema::provider_conditions")]
    pub conditions: Vec<Condition>,
    /// The id to give the VM's adapter as its external id.
    #[serde(rename = "interfaceID", default, skip_serializing_if = "String::is_empty")]
    pub interface_id: String,
    /// The addresses given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<VirtualNetworkInterfaceIp>,
    /// The MAC address given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mac_address: String,
    /// What NSX made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_status: Option<VirtualNetworkInterfaceProviderStatus>,
}

/// An address given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkInterfaceIp {
    /// The gateway.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gateway: String,
    /// The address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// The mask.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subnet_mask: String,
}

/// What NSX made of a port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualNetworkInterfaceProviderStatus {
    /// The logical port's id.
    #[serde(rename = "nsxLogicalPortID", default, skip_serializing_if = "String::is_empty")]
    pub nsx_logical_port_id: String,
    /// The logical switch's id, by which the host knows the network.
    #[serde(rename = "nsxLogicalSwitchID", default, skip_serializing_if = "String::is_empty")]
    pub nsx_logical_switch_id: String,
}
