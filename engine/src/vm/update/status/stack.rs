//! The guest's name servers, DHCP clients and routes, as the status has them. Source: vm-lifecycle §8.1 (`ipStacks`).
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmlifecycle/update_status.go`, `guestIPStackInfoToIPStackStatus`.

use std::net::IpAddr;

use vmtwin_model::kube::reference::KeyValuePair;
use vmtwin_model::kube::virtual_machine::{
    NetworkDhcpOptionsStatus, NetworkDhcpStatus, NetworkDnsStatus, NetworkIpRouteGatewayStatus, NetworkIpRouteStatus, NetworkIpStackStatus,
};
use vmtwin_model::vsphere::vm::{DhcpConfig, DhcpOptions, DnsConfig, IpRoute, IpStack, KeyValue};

pub(super) fn status(stack: &IpStack) -> NetworkIpStackStatus {
    NetworkIpStackStatus {
        dhcp: stack.dhcp_config.as_ref().map(dhcp),
        dns: stack.dns_config.as_ref().map(dns),
        ip_routes: stack.ip_route_config.ip_route.iter().filter_map(route).collect(),
        kernel_config: pairs(&stack.ip_stack_config),
    }
}

pub(super) fn dns(dns: &DnsConfig) -> NetworkDnsStatus {
    NetworkDnsStatus {
        dhcp: dns.dhcp,
        domain_name: dns.domain_name.to_string(),
        host_name: dns.host_name.to_string(),
        nameservers: once_each(&dns.ip_address),
        search_domains: once_each(&dns.search_domain),
    }
}

pub(super) fn dhcp(dhcp: &DhcpConfig) -> NetworkDhcpStatus {
    let options = |options: &DhcpOptions| NetworkDhcpOptionsStatus { config: pairs(&options.config), enabled: options.enable };
    NetworkDhcpStatus { ip4: dhcp.ipv4.as_ref().map(options), ip6: dhcp.ipv6.as_ref().map(options) }
}

/// The texts without repetitions, in their order.
fn once_each(texts: &[std::sync::Arc<str>]) -> Vec<String> {
    let mut once: Vec<String> = Vec::with_capacity(texts.len());
    for text in texts {
        if !once.iter().any(|there| **there == **text) {
            once.push(text.to_string());
        }
    }
    once
}

fn pairs(pairs: &[KeyValue]) -> Vec<KeyValuePair> {
    pairs.iter().map(|pair| KeyValuePair { key: pair.key.to_string(), value: pair.value.to_string() }).collect()
}

/// Routes to networks alone: not to single hosts, link-local or multicast addresses, or to what is no address.
fn route(route: &IpRoute) -> Option<NetworkIpRouteStatus> {
    let network: IpAddr = route.network.parse().ok()?;
    let (local, bits) = match network {
        IpAddr::V4(v4) => (v4.is_link_local(), 32),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), 128),
    };
    if local || network.is_multicast() || route.prefix_length == bits {
        return None;
    }
    let said = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    Some(NetworkIpRouteStatus {
        gateway: Some(NetworkIpRouteGatewayStatus { address: said(&route.gateway.ip_address), device: said(&route.gateway.device) }),
        network_address: format!("{}/{}", route.network, route.prefix_length),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_routes_to_networks_are_told_and_each_name_server_once() {
        let stack: IpStack = serde_json::from_value(serde_json::json!({
            "dnsConfig": {"dhcp": true, "hostName": "web", "domainName": "example.com", "ipAddress": ["1.1.1.1", "8.8.8.8", "1.1.1.1"],
                "searchDomain": ["example.com", "example.com"]},
            "ipRouteConfig": {"ipRoute": [
                {"network": "0.0.0.0", "prefixLength": 0, "gateway": {"ipAddress": "192.168.0.1", "device": "0"}},
                {"network": "192.168.0.0", "prefixLength": 24, "gateway": {"device": "0"}},
                {"network": "192.168.0.7", "prefixLength": 32, "gateway": {}},
                {"network": "169.254.0.0", "prefixLength": 16, "gateway": {}},
                {"network": "fe80::", "prefixLength": 64, "gateway": {}},
                {"network": "ff00::", "prefixLength": 8, "gateway": {}},
                {"network": "nonsense", "prefixLength": 8, "gateway": {}}]}
        }))
        .expect("a stack");
        let status = status(&stack);
        let dns = status.dns.expect("DNS");
        assert_eq!(
            (dns.nameservers, dns.search_domains),
            (vec!["1.1.1.1".to_owned(), "8.8.8.8".to_owned()], vec!["example.com".to_owned()])
        );
        let networks: Vec<&str> = status.ip_routes.iter().map(|route| route.network_address.as_str()).collect();
        assert_eq!(networks, ["0.0.0.0/0", "192.168.0.0/24"]);
    }
}
