//! `status.network` as the guest reports it. Source: vm-lifecycle §8.1.

use std::net::IpAddr;

use vmtwin_model::kube::virtual_machine::{
    IpAddressOrigin, IpAddressState, NetworkInterfaceIpAddrStatus, NetworkInterfaceIpStatus, NetworkInterfaceStatus, NetworkStatus,
};
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Reason};
use vmtwin_model::vsphere::spec::Device;
use vmtwin_model::vsphere::vm::{Guest, GuestNic};
use vmtwin_model::vsphere::{self};

use super::{put, stack};
use crate::features::Feature;
use crate::pass::Cx;
use crate::vm::create::interfaces;
use crate::vm::update::configuration::nics;
use crate::vm::{VmDraft, keys};

pub(super) fn write(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) {
    let config = draft.status().network.as_ref().and_then(|network| network.config.clone());
    let reported = vm.guest.as_ref().and_then(|guest| observe(cx, draft, vm, guest));
    let has_guest = vm.guest.is_some();
    let network = match (reported, config) {
        (None, None) => None,
        (None, config) => Some(NetworkStatus { config, ..NetworkStatus::default() }),
        (Some(reported), config) => Some(NetworkStatus { config, ..reported }),
    };
    if has_guest {
        put(cx, draft, synced(network.as_ref()));
    }
    draft.status_mut().network = network;
}

fn observe(cx: &mut Cx<'_>, draft: &VmDraft, vm: &vsphere::VirtualMachine, guest: &Guest) -> Option<NetworkStatus> {
    let devices = vm.config.as_ref().map(|config| config.hardware.device.as_slice()).unwrap_or_default();
    let names = names(cx, draft, devices);
    let interfaces: Vec<NetworkInterfaceStatus> =
        guest.net.iter().filter(|nic| nic.device_config_id >= 0).map(|nic| interface(nic, &names)).collect();
    let mut network = NetworkStatus {
        host_name: guest.host_name.as_deref().unwrap_or_default().to_owned(),
        interfaces,
        ip_stacks: guest.ip_stack.iter().map(stack::status).collect(),
        ..NetworkStatus::default()
    };
    primary_addresses(&mut network, &candidates(draft, vm, guest));
    (network != NetworkStatus::default()).then_some(network)
}

/// The interfaces' names by their cards' keys: the n-th Ethernet card is the n-th interface of the spec, unless interfaces may change; then a card is
/// known by its port, its MAC address or its network. Surplus cards have no name.
fn names(cx: &mut Cx<'_>, draft: &VmDraft, devices: &[Device]) -> Vec<(i32, String)> {
    if cx.settings.features.on(Feature::MutableNetworks) {
        let made = interfaces::made(cx, draft);
        let cards = nics::cards_of(devices, &made);
        return made.into_iter().zip(cards).filter_map(|(interface, card)| Some((devices[card?].key, interface.name))).collect();
    }
    let interfaces = match &draft.spec().network {
        Some(network) if !network.disabled => network.interfaces.as_slice(),
        _ => &[],
    };
    let cards = devices.iter().filter(|device| device.type_.is_ethernet_card());
    cards.zip(interfaces).map(|(card, interface)| (card.key, interface.name.clone())).collect()
}

fn interface(nic: &GuestNic, names: &[(i32, String)]) -> NetworkInterfaceStatus {
    let name = names.iter().find(|(key, _)| *key == nic.device_config_id).map(|(_, name)| name.as_str()).unwrap_or_default();
    let addresses = nic.ip_config.ip_address.iter().map(|address| NetworkInterfaceIpAddrStatus {
        address: format!("{}/{}", address.ip_address, address.prefix_length),
        origin: address.origin.as_deref().and_then(|word| IpAddressOrigin::ALL.iter().copied().find(|origin| origin.as_str() == word)),
        state: address.state.as_deref().and_then(|word| IpAddressState::ALL.iter().copied().find(|state| state.as_str() == word)),
        ..NetworkInterfaceIpAddrStatus::default()
    });
    NetworkInterfaceStatus {
        device_key: nic.device_config_id,
        name: name.to_owned(),
        ip: Some(NetworkInterfaceIpStatus {
            addresses: addresses.collect(),
            auto_configuration_enabled: nic.ip_config.auto_configuration_enabled,
            dhcp: nic.ip_config.dhcp.as_ref().map(stack::dhcp),
            mac_addr: nic.mac_address.to_string(),
        }),
        dns: nic.dns_config.as_ref().map(stack::dns),
    }
}

/// Whether an address may stand for a VM: not unspecified, loopback, link-local or multicast.
fn usable(text: &str) -> Option<IpAddr> {
    let bare = text.split('/').next().unwrap_or_default();
    let address: IpAddr = bare.parse().ok()?;
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    (!address.is_unspecified() && !address.is_loopback() && !address.is_multicast() && !local).then_some(address)
}

/// What may be the primary address of either family, as the guest spells it.
#[derive(Debug, Default)]
struct Candidates {
    v4: Option<String>,
    v6: Option<String>,
}

/// VM Tools' one address fills its family. With cloud-init, what the guest publishes of itself goes before that.
fn candidates(draft: &VmDraft, vm: &vsphere::VirtualMachine, guest: &Guest) -> Candidates {
    let told = |v4: bool| guest.ip_address.as_deref().filter(|text| usable(text).is_some_and(|address| address.is_ipv4() == v4));
    let by_cloud_init = draft.spec().bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.cloud_init.is_some());
    let published = |key: &str, v4: bool| {
        let text = vm.extra_config(key).filter(|_| by_cloud_init)?;
        usable(text).filter(|address| address.is_ipv4() == v4).map(|_| text)
    };
    Candidates {
        v4: published(keys::LOCAL_IPV4, true).or_else(|| told(true)).map(str::to_owned),
        v6: published(keys::LOCAL_IPV6, false).or_else(|| told(false)).map(str::to_owned),
    }
}

/// The candidates fill their families; a missing one is filled from the interface that carries the other, where that is not ambiguous.
fn primary_addresses(network: &mut NetworkStatus, candidates: &Candidates) {
    let addresses = |interface: &NetworkInterfaceStatus| -> Vec<IpAddr> {
        interface.ip.iter().flat_map(|ip| &ip.addresses).filter_map(|address| usable(&address.address)).collect()
    };
    let only = |all: &[IpAddr], v4: bool| -> Option<IpAddr> {
        let mut family = all.iter().filter(|address| address.is_ipv4() == v4);
        family.next().copied().filter(|_| family.next().is_none())
    };
    let text = |address: Option<IpAddr>| address.map(|address| address.to_string()).unwrap_or_default();
    let carrier = |of: &str| {
        let address = usable(of)?;
        network.interfaces.iter().map(addresses).find(|all| all.contains(&address))
    };
    let (primary4, primary6) = match (candidates.v4.clone(), candidates.v6.clone()) {
        (Some(v4), Some(v6)) => (v4, v6),
        (Some(v4), None) => {
            let v6 = carrier(&v4).and_then(|all| only(&all, false));
            (v4, text(v6))
        }
        (None, Some(v6)) => {
            let v4 = carrier(&v6).and_then(|all| only(&all, true));
            (text(v4), v6)
        }
        (None, None) => match network.interfaces.as_slice() {
            [interface] => {
                let all = addresses(interface);
                (text(only(&all, true)), text(only(&all, false)))
            }
            _ => (String::new(), String::new()),
        },
    };
    (network.primary_ip4, network.primary_ip6) = (primary4, primary6);
}

fn synced(network: Option<&NetworkStatus>) -> Condition {
    const TYPE: ConditionType = ConditionType::GuestNetworkConfigSynced;
    let empty = NetworkStatus::default();
    let network = network.unwrap_or(&empty);
    let known: Vec<(&str, &str)> = [("IPv4", network.primary_ip4.as_str()), ("IPv6", network.primary_ip6.as_str())]
        .into_iter()
        .filter(|(_, address)| !address.is_empty())
        .collect();
    if known.is_empty() {
        return Condition::fails(TYPE, Reason::NotSynced, "Neither IPv4 nor IPv6 address reported by guest");
    }
    let carried: Vec<&str> =
        network.interfaces.iter().flat_map(|interface| &interface.ip).flat_map(|ip| &ip.addresses).map(|a| a.address.as_str()).collect();
    let carries = |address: &str| usable(address).is_some_and(|address| carried.iter().any(|there| usable(there) == Some(address)));
    if let Some((_, missing)) = known.iter().find(|(_, address)| !carried.is_empty() && !carries(address)) {
        return Condition::fails(TYPE, Reason::NotSynced, format!("{missing} not yet reflected in per-NIC data"));
    }
    let text: Vec<String> = known.iter().map(|(family, address)| format!("{family}=\"{address}\"")).collect();
    Condition::new(TYPE, ConditionStatus::True, Reason::Synced, text.join(", "))
}
