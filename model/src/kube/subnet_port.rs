//! SubnetPort of the VPC provider (NSX): the wish for a port on a subnet, answered with its segment, MAC and
//! addresses.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;

/// The port wanted, on a Subnet or on a SubnetSet; on the namespace's default set when neither is named.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "crd.nsx.vmware.com",
    version = "v1alpha1",
    kind = "SubnetPort",
    plural = "subnetports",
    namespaced,
    status = "SubnetPortStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "VIFID", "type": "string", "jsonPath": ".status.attachment.id"}"#,
    printcolumn = r#"{"name": "IPAddress", "type": "string", "jsonPath": ".status.networkInterfaceConfig.ipAddresses[0].ipAddress"}"#,
    printcolumn = r#"{"name": "MACAddress", "type": "string", "jsonPath": ".status.networkInterfaceConfig.macAddress"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct SubnetPortSpec {
    /// The Subnet's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subnet: String,
    /// The SubnetSet's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subnet_set: String,
    /// Addresses that the port must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address_bindings: Vec<PortAddressBinding>,
}

/// Addresses that a port must have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortAddressBinding {
    /// The IP address; empty leaves it to the provider.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ip_address: String,
    /// The MAC address; empty leaves it to the provider.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mac_address: String,
}

/// The port as made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubnetPortStatus {
    /// What is true of the port, by type; `Ready` above all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::kube::schema::provider_conditions")]
    pub conditions: Vec<Condition>,
    /// What hangs on the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<PortAttachment>,
    /// How the interface is to be set up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_interface_config: Option<NetworkInterfaceConfig>,
}

/// What hangs on a port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortAttachment {
    /// The id to give the VM's adapter as its external id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
}

/// How an interface on the port is to be set up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterfaceConfig {
    /// The segment's id, by which the host knows the network.
    #[serde(rename = "logicalSwitchUUID", default, skip_serializing_if = "String::is_empty")]
    pub logical_switch_uuid: String,
    /// The addresses given; none with DHCP.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<NetworkInterfaceIpAddress>,
    /// The MAC address given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mac_address: String,
    /// Whether the subnet has no DHCP, so that no address means no address.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub dhcp_deactivated_on_subnet: bool,
}

/// An address given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterfaceIpAddress {
    /// The address with prefix length.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ip_address: String,
    /// The gateway.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gateway: String,
}
