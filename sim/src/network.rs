//! Networks of vSphere and their addresses: what is handed out to whom. Who asks is no matter here: the network provider for an
//! interface object, or a guest by DHCP.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use vmtwin_model::id::NetworkId;
use vmtwin_model::vsphere::inventory::{self, Ipam, Name};

/// A network.
#[derive(Clone, Debug)]
pub struct Network {
    /// The managed object id.
    pub id: NetworkId,
    /// What the scenario says of it.
    pub settings: inventory::Network,
    /// Whether it was told to have no address left.
    pub exhausted: bool,
    /// The segment's id at the network provider.
    pub segment: Arc<str>,
    pub(crate) range: Option<Range>,
    /// The addresses in use.
    pub(crate) used: BTreeSet<u128>,
    /// No address below this one is free.
    lowest: u128,
    /// Addresses that guests were given by DHCP, by MAC address.
    pub(crate) leases: BTreeMap<Arc<str>, u128>,
}

/// The addresses that a network can hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    v4: bool,
    pub(crate) prefix: u8,
    base: u128,
    last: u128,
    gateway: Option<u128>,
}

impl Range {
    /// Reads a network in CIDR notation and its gateway.
    pub(crate) fn parse(cidr: &str, gateway: &str) -> Option<Self> {
        let (address, prefix) = cidr.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let prefix: u8 = prefix.parse().ok()?;
        let (v4, width) = (address.is_ipv4(), if address.is_ipv4() { 32 } else { 128 });
        if prefix > width {
            return None;
        }
        let hosts = if prefix == 0 && width == 128 { u128::MAX } else { (1_u128 << (width - prefix)) - 1 };
        let base = number(address) & !hosts;
        Some(Self { v4, prefix, base, last: base + hosts, gateway: gateway.parse().ok().map(number) })
    }

    /// The mask of an IPv4 network in dotted form; nothing for IPv6.
    pub(crate) fn mask(&self) -> String {
        if !self.v4 {
            return String::new();
        }
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
        Ipv4Addr::from(mask).to_string()
    }

    pub(crate) fn text(&self, address: u128) -> String {
        match u32::try_from(address).ok().filter(|_| self.v4) {
            Some(v4) => Ipv4Addr::from(v4).to_string(),
            None => Ipv6Addr::from(address).to_string(),
        }
    }

    /// Whether an interface may have it: neither the network's own address, nor the gateway's, nor the broadcast address.
    fn is_usable(&self, address: u128) -> bool {
        let inside = self.base < address && if self.v4 { address < self.last } else { address <= self.last };
        inside && Some(address) != self.gateway
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

impl Network {
    pub(crate) fn new(id: NetworkId, settings: inventory::Network, segment: Arc<str>) -> Self {
        let range = Range::parse(&settings.cidr, &settings.gateway);
        Self { id, settings, exhausted: false, segment, range, used: BTreeSet::new(), lowest: 0, leases: BTreeMap::new() }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.settings.name
    }

    /// Whether guests ask for their address by DHCP.
    #[must_use]
    pub fn is_dhcp(&self) -> bool {
        self.settings.ipam == Ipam::Dhcp
    }

    /// Takes the lowest free address.
    pub(crate) fn take(&mut self) -> Option<u128> {
        let range = self.range.filter(|_| !self.exhausted)?;
        let mut next = self.lowest.max(range.base + 1);
        while next <= range.last && (!range.is_usable(next) || self.used.contains(&next)) {
            next += 1;
        }
        self.lowest = next;
        (next <= range.last && self.used.insert(next)).then_some(next)
    }

    /// Gives an address back.
    pub(crate) fn give_back(&mut self, address: u128) {
        self.used.remove(&address);
        self.lowest = self.lowest.min(address);
    }

    /// Takes this very address, if it is free and of this network.
    pub(crate) fn take_this(&mut self, address: &str) -> Option<u128> {
        let range = self.range?;
        let address = number(address.parse().ok()?);
        (!self.exhausted && range.is_usable(address) && self.used.insert(address)).then_some(address)
    }

    /// The address that DHCP gives to this MAC address, the same each time.
    pub(crate) fn lease(&mut self, mac: &Arc<str>) -> Option<u128> {
        if let Some(address) = self.leases.get(mac) {
            return Some(*address);
        }
        let address = self.take()?;
        self.leases.insert(mac.clone(), address);
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(cidr: &str, gateway: &str) -> Network {
        let settings = inventory::Network {
            name: "n".into(),
            type_: "distributed".into(),
            cidr: cidr.into(),
            gateway: gateway.into(),
            ipam: Ipam::Pool,
        };
        Network::new("dvportgroup-1".into(), settings, "segment".into())
    }

    fn take(network: &mut Network) -> Option<String> {
        let range = network.range.expect("a network");
        network.take().map(|address| range.text(address))
    }

    #[test]
    fn addresses_come_in_order_and_the_gateway_is_passed_over() {
        let mut network = network("192.168.0.0/29", "192.168.0.2");
        let got: Vec<String> = std::iter::from_fn(|| take(&mut network)).collect();
        assert_eq!(got, ["192.168.0.1", "192.168.0.3", "192.168.0.4", "192.168.0.5", "192.168.0.6"]);
        network.give_back(number("192.168.0.4".parse().expect("an address")));
        assert_eq!(take(&mut network).as_deref(), Some("192.168.0.4"), "a freed address is given out again");
        assert_eq!(take(&mut network), None);
        assert_eq!(network.range.map(|range| range.mask()).as_deref(), Some("255.255.255.248"));
    }

    #[test]
    fn an_exhausted_network_gives_nothing_until_it_is_restored() {
        let mut network = network("10.0.0.0/24", "10.0.0.1");
        network.exhausted = true;
        assert_eq!(take(&mut network), None);
        network.exhausted = false;
        assert_eq!(take(&mut network).as_deref(), Some("10.0.0.2"));
    }

    #[test]
    fn dhcp_gives_the_same_address_to_the_same_mac() {
        let mut network = network("fd00::/64", "fd00::1");
        let mac: Arc<str> = "00:50:56:00:00:01".into();
        let first = network.lease(&mac);
        assert_eq!(first, network.lease(&mac));
        assert_eq!(network.range.map(|range| range.text(first.unwrap_or_default())).as_deref(), Some("fd00::2"));
    }
}
