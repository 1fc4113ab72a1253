//! `status.network.config`: the network configuration that the guest is meant to have. Source: vm-lifecycle §11.7.4, seed "Intended Network Config".

use std::net::IpAddr;

use k8s_openapi::api::core::v1::ConfigMap;
use vmtwin_model::kube::virtual_machine::{
    NetworkConfigDhcpOptionsStatus, NetworkConfigDhcpStatus, NetworkConfigDnsStatus, NetworkConfigInterfaceIpStatus,
    NetworkConfigInterfaceStatus, NetworkConfigStatus, NetworkInterfaceSpec, NetworkSpec,
};

use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::VmDraft;
use crate::vm::create::interfaces::Interface;

/// The ConfigMap that VM Operator is initialized from.
const CONFIG_MAP: &str = "vmoperator-network-config";

pub(super) fn write(cx: &mut Cx<'_>, draft: &mut VmDraft, interfaces: &[Interface]) -> Flow<()> {
    let spec = draft.spec().network.clone().unwrap_or_default();
    let of_operator = operator_dns(cx)?;
    let config = NetworkConfigStatus { dns: dns(draft, &spec, &of_operator), interfaces: merged(draft, &spec, interfaces) };
    let config = (config != NetworkConfigStatus::default()).then_some(config);
    if draft.status().network.as_ref().and_then(|network| network.config.as_ref()) != config.as_ref() {
        draft.status_mut().network.get_or_insert_default().config = config;
    }
    Ok(())
}

/// Nameservers and search domains of the ConfigMap. A missing one is no error; one that still holds its placeholder is.
fn operator_dns(cx: &mut Cx<'_>) -> Flow<NetworkConfigDnsStatus> {
    let namespace = cx.settings.pod_namespace.clone();
    let Some(map) = cx.find::<ConfigMap>(&namespace, CONFIG_MAP) else { return Ok(NetworkConfigDnsStatus::default()) };
    let words = |key: &str| -> Vec<String> {
        let text = map.spec().data.as_ref().and_then(|data| data.get(key)).map(String::as_str).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    };
    let nameservers = words("nameservers");
    if nameservers.iter().any(|word| word == "<worker_dns>") {
        return Err(Verdict::failed("No valid nameservers in the operator's ConfigMap: it still holds <worker_dns>").into());
    }
    Ok(NetworkConfigDnsStatus { nameservers, search_domains: words("searchsuffixes"), ..NetworkConfigDnsStatus::default() })
}

fn dns(draft: &VmDraft, spec: &NetworkSpec, of_operator: &NetworkConfigDnsStatus) -> Option<NetworkConfigDnsStatus> {
    let or = |own: &Vec<String>, other: &Vec<String>| if own.is_empty() { other.clone() } else { own.clone() };
    Some(NetworkConfigDnsStatus {
        host_name: if spec.host_name.is_empty() { draft.name().to_string() } else { spec.host_name.clone() },
        domain_name: spec.domain_name.clone(),
        nameservers: or(&spec.nameservers, &of_operator.nameservers),
        search_domains: or(&spec.search_domains, &of_operator.search_domains),
    })
}

fn merged(draft: &VmDraft, spec: &NetworkSpec, interfaces: &[Interface]) -> Vec<NetworkConfigInterfaceStatus> {
    if spec.disabled {
        return Vec::new();
    }
    let nothing = Interface::default();
    let one = |(nth, wanted): (usize, &NetworkInterfaceSpec)| {
        let provided = interfaces.get(nth).unwrap_or(&nothing);
        NetworkConfigInterfaceStatus {
            name: wanted.name.clone(),
            dns: interface_dns(draft, spec, wanted),
            ip: interface_ip(wanted, provided),
        }
    };
    spec.interfaces.iter().enumerate().map(one).collect()
}

/// The interface's own; with cloud-init the global ones of the spec stand in, unless switched off.
fn interface_dns(draft: &VmDraft, spec: &NetworkSpec, wanted: &NetworkInterfaceSpec) -> Option<NetworkConfigDnsStatus> {
    let cloud_init = draft.spec().bootstrap.as_ref().and_then(|bootstrap| bootstrap.cloud_init.as_ref());
    let or_global = |own: &Vec<String>, global: &Vec<String>, switch: Option<Option<bool>>| match switch {
        Some(switch) if own.is_empty() && switch.unwrap_or(true) => global.clone(),
        _ => own.clone(),
    };
    let dns = NetworkConfigDnsStatus {
        nameservers: or_global(&wanted.nameservers, &spec.nameservers, cloud_init.map(|init| init.use_global_nameservers_as_default)),
        search_domains: or_global(
            &wanted.search_domains,
            &spec.search_domains,
            cloud_init.map(|init| init.use_global_search_domains_as_default),
        ),
        ..NetworkConfigDnsStatus::default()
    };
    (dns != NetworkConfigDnsStatus::default()).then_some(dns)
}

fn interface_ip(wanted: &NetworkInterfaceSpec, provided: &Interface) -> Option<NetworkConfigInterfaceIpStatus> {
    let (dhcp4, dhcp6) = (wanted.dhcp4 || provided.dhcp4, wanted.dhcp6 || provided.dhcp6);
    let mut addresses = if wanted.addresses.is_empty() {
        let by_dhcp = |address: &&String| if is_v4(address) { dhcp4 } else { dhcp6 };
        provided.addresses.iter().filter(|address| !by_dhcp(address)).cloned().collect()
    } else {
        wanted.addresses.iter().filter(|address| is_cidr(address)).cloned().collect::<Vec<_>>()
    };
    addresses.sort();
    let gateway = |own: &str, v4: bool| match own {
        "None" => String::new(),
        _ if !addresses.iter().any(|address| is_v4(address) == v4) => String::new(),
        "" => provided.gateways.iter().find(|gateway| is_v4(gateway) == v4).cloned().unwrap_or_default(),
        own => own.to_owned(),
    };
    let (gateway4, gateway6) = (gateway(&wanted.gateway4, true), gateway(&wanted.gateway6, false));
    let on = |enabled: bool| enabled.then_some(NetworkConfigDhcpOptionsStatus { enabled: true });
    let dhcp = (dhcp4 || dhcp6).then(|| NetworkConfigDhcpStatus { ip4: on(dhcp4), ip6: on(dhcp6) });
    let ip = NetworkConfigInterfaceIpStatus { addresses, dhcp, gateway4, gateway6 };
    (ip != NetworkConfigInterfaceIpStatus::default()).then_some(ip)
}

fn is_v4(address: &str) -> bool {
    address.split('/').next().unwrap_or_default().parse::<IpAddr>().is_ok_and(|address| address.is_ipv4())
}

fn is_cidr(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    prefix.parse::<u8>().is_ok_and(|prefix| prefix <= if address.is_ipv4() { 32 } else { 128 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provided() -> Interface {
        Interface { addresses: vec!["192.168.0.3/24".to_owned()], gateways: vec!["192.168.0.1".to_owned()], ..Interface::default() }
    }

    #[test]
    fn addresses_and_gateway_come_from_ipam_unless_the_user_gives_them() {
        let ip = interface_ip(&NetworkInterfaceSpec::default(), &provided()).expect("addresses");
        assert_eq!((ip.addresses, ip.gateway4.as_str()), (vec!["192.168.0.3/24".to_owned()], "192.168.0.1"));
        let wanted =
            NetworkInterfaceSpec { addresses: vec!["10.0.0.5/8".to_owned(), "nonsense".to_owned()], ..NetworkInterfaceSpec::default() };
        let ip = interface_ip(&wanted, &provided()).expect("addresses");
        assert_eq!(
            (ip.addresses, ip.gateway4.as_str()),
            (vec!["10.0.0.5/8".to_owned()], "192.168.0.1"),
            "IPAM's gateway also with own addresses"
        );
    }

    #[test]
    fn a_network_with_dhcp_gives_neither_address_nor_gateway() {
        let network = Interface { dhcp4: true, ..provided() };
        let ip = interface_ip(&NetworkInterfaceSpec::default(), &network).expect("DHCP");
        assert!(ip.addresses.is_empty() && ip.gateway4.is_empty());
        assert_eq!(ip.dhcp.and_then(|dhcp| dhcp.ip4).map(|ip4| ip4.enabled), Some(true));
    }
}
