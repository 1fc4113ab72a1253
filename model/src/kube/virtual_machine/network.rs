//! A VM's network: the interfaces asked for, and the state of the guest's stack as VM Tools tells it. The provider's
//! own objects have files of their own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;
use crate::kube::reference::{KeyValuePair, PartialObjectRef};
use crate::time::Timestamp;

/// The network asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSpec {
    /// Whether the VM has no interface at all.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub disabled: bool,
    /// The guest's domain name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain_name: String,
    /// The guest's host name; the VM's name when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host_name: String,
    /// The interfaces, in order; one called `eth0` on the default network when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 10, "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub interfaces: Vec<NetworkInterfaceSpec>,
    /// DNS servers for all interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// DNS search domains for all interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_domains: Vec<String>,
}

/// An interface asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterfaceSpec {
    /// Static addresses with prefix length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Whether IPv4 comes from DHCP.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub dhcp4: bool,
    /// Whether IPv6 comes from DHCP.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub dhcp6: bool,
    /// The IPv4 gateway; `None` keeps the provider's away.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gateway4: String,
    /// The IPv6 gateway; `None` keeps the provider's away.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gateway6: String,
    /// What the device is called inside the guest; cloud-init only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("pattern" = r"^\w\w+$"))]
    pub guest_device_name: String,
    /// The MAC address; the provider's or vCenter's choice when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("pattern" = "^([0-9A-Fa-f]{2}:){5}([0-9A-Fa-f]{2})$"))]
    pub mac_addr: String,
    /// The MTU, in bytes; cloud-init only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<i64>,
    /// The interface's name, unique in the VM.
    #[serde(default)]
    #[schemars(!default, extend("pattern" = "^[a-z0-9]{2,}$"))]
    pub name: String,
    /// DNS servers of this interface.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// The network it is connected to; the namespace's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<PartialObjectRef>,
    /// Static routes; cloud-init only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<NetworkRouteSpec>,
    /// DNS search domains of this interface.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_domains: Vec<String>,
}

/// A static route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkRouteSpec {
    /// Its metric; 0 leaves it to the guest.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    #[schemars(extend("minimum" = 1))]
    pub metric: i32,
    /// The destination: `default` or a network with prefix length.
    #[serde(default)]
    #[schemars(!default)]
    pub to: String,
    /// The next hop's address.
    #[serde(default)]
    #[schemars(!default)]
    pub via: String,
}

/// The network as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkStatus {
    /// What was asked for, settled: the addresses a user without VM Tools would enter by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<NetworkConfigStatus>,
    /// The guest's host name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host_name: String,
    /// The guest's interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<NetworkInterfaceStatus>,
    /// The guest's network stacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_stacks: Vec<NetworkIpStackStatus>,
    /// The address to reach the VM at, IPv4.
    #[serde(rename = "primaryIP4", default, skip_serializing_if = "String::is_empty")]
    pub primary_ip4: String,
    /// The address to reach the VM at, IPv6.
    #[serde(rename = "primaryIP6", default, skip_serializing_if = "String::is_empty")]
    pub primary_ip6: String,
}

/// The network configuration, settled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkConfigStatus {
    /// DNS for all interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<NetworkConfigDnsStatus>,
    /// Each interface's configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<NetworkConfigInterfaceStatus>,
}

/// DNS settings, settled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkConfigDnsStatus {
    /// The domain name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain_name: String,
    /// The host name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host_name: String,
    /// DNS servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// DNS search domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_domains: Vec<String>,
}

/// One interface's configuration, settled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkConfigInterfaceStatus {
    /// Its DNS settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<NetworkConfigDnsStatus>,
    /// Its addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<NetworkConfigInterfaceIpStatus>,
    /// Its name in the spec.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// One interface's addresses, settled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkConfigInterfaceIpStatus {
    /// Addresses with prefix length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Which families come from DHCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<NetworkConfigDhcpStatus>,
    /// The IPv4 gateway.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gateway4: String,
    /// The IPv6 gateway.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gateway6: String,
}

/// Which families come from DHCP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkConfigDhcpStatus {
    /// IPv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip4: Option<NetworkConfigDhcpOptionsStatus>,
    /// IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip6: Option<NetworkConfigDhcpOptionsStatus>,
}

/// DHCP for one family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkConfigDhcpOptionsStatus {
    /// Whether it is used.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub enabled: bool,
}

/// An interface as the guest tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterfaceStatus {
    /// vSphere's key of the adapter; 0 for an interface without one.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub device_key: i32,
    /// Its DNS settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<NetworkDnsStatus>,
    /// Its addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<NetworkInterfaceIpStatus>,
    /// Its name in the spec.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// DNS settings as the guest tells them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkDnsStatus {
    /// Whether they came by DHCP.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub dhcp: bool,
    /// The domain name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain_name: String,
    /// The host name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host_name: String,
    /// DNS servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// DNS search domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_domains: Vec<String>,
}

/// An interface's addresses as the guest tells them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterfaceIpStatus {
    /// The addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<NetworkInterfaceIpAddrStatus>,
    /// Whether IPv6 configures itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_configuration_enabled: Option<bool>,
    /// The DHCP client's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<NetworkDhcpStatus>,
    /// The MAC address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mac_addr: String,
}

/// One address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterfaceIpAddrStatus {
    /// The address with prefix length.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Timestamp>,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<IpAddressOrigin>,
    /// Its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<IpAddressState>,
}

choice! {
    /// Where an address came from.
    pub enum IpAddressOrigin {
        /// From DHCP.
        Dhcp = "dhcp",
        /// From the link layer, as IPv6 autoconfiguration.
        LinkLayer = "linklayer",
        /// Written by hand.
        Manual = "manual",
        /// From elsewhere.
        Other = "other",
        /// Drawn by the guest.
        Random = "random",
    }
}

choice! {
    /// The state of an address.
    pub enum IpAddressState {
        /// Valid, not to be used for anything new.
        Deprecated = "deprecated",
        /// Used elsewhere too.
        Duplicate = "duplicate",
        /// Its interface is down.
        Inaccessible = "inaccessible",
        /// Not usable.
        Invalid = "invalid",
        /// Usable.
        Preferred = "preferred",
        /// Being checked for duplicates.
        Tentative = "tentative",
        /// Not known.
        Unknown = "unknown",
    }
}

/// The DHCP client's settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkDhcpStatus {
    /// IPv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip4: Option<NetworkDhcpOptionsStatus>,
    /// IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip6: Option<NetworkDhcpOptionsStatus>,
}

/// The DHCP client's settings for one family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkDhcpOptionsStatus {
    /// The guest's own settings, numbered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub config: Vec<KeyValuePair>,
    /// Whether the client runs.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub enabled: bool,
}

/// A network stack of the guest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkIpStackStatus {
    /// The DHCP client's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<NetworkDhcpStatus>,
    /// DNS settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<NetworkDnsStatus>,
    /// The routing table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_routes: Vec<NetworkIpRouteStatus>,
    /// Kernel settings, numbered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub kernel_config: Vec<KeyValuePair>,
}

/// A route of the guest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkIpRouteStatus {
    /// Its next hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<NetworkIpRouteGatewayStatus>,
    /// Its destination, with prefix length.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub network_address: String,
}

/// A route's next hop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkIpRouteGatewayStatus {
    /// The hop's address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The interface it goes through.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
}
