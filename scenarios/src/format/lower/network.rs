//! Networks and their addresses.

use std::net::IpAddr;

use vmtwin_model::vsphere::inventory::{Ipam, Name, Network};

use super::{Cx, name};
use crate::diagnostics::Code;
use crate::format::section::inventory::{self, IpamMode, NetworkType};
use crate::format::section::scalar::Text;
use crate::format::shape::shorten;

/// The name of the network that there is where none is given.
pub(in crate::format) const DEFAULT_NAME: &str = "workload";

/// The networks.
pub(in crate::format) fn networks(cx: &mut Cx<'_>, section: &[inventory::Network]) -> Vec<Network> {
    if section.is_empty() {
        let (cidr, gateway) = default_cidr(1).expect("the first network has a default");
        return vec![Network { name: DEFAULT_NAME.into(), type_: "distributed".into(), cidr, gateway, ipam: Ipam::Pool }];
    }
    section.iter().enumerate().map(|(at, one)| network(cx, one, at + 1)).collect()
}

/// The network of the N-th entry, 10.N.0.0/16, and its gateway.
fn default_cidr(place: usize) -> Option<(Name, Name)> {
    (place <= 255).then(|| (format!("10.{place}.0.0/16").into(), format!("10.{place}.0.1").into()))
}

fn network(cx: &mut Cx<'_>, section: &inventory::Network, place: usize) -> Network {
    let given = section.cidr.as_ref().and_then(|text| cidr(cx, text).map(|cidr| (text, cidr)));
    let (cidr, mut gateway) = match (&given, default_cidr(place)) {
        (Some((text, cidr)), _) => (name(text), cidr.first().to_string().into()),
        (None, Some(default)) => default,
        (None, None) => {
            if section.cidr.is_none() {
                cx.sink.tell(Code::MissingField, section.name.region, "a network after the 255th lacks `cidr`");
            }
            ("".into(), "".into())
        }
    };
    if let Some(text) = &section.gateway {
        gateway = name(text);
        match (text.value.parse::<IpAddr>(), &given) {
            (Err(_), _) => cx.sink.tell(Code::Address, text.region, format!("`{}` is not an IP address", shorten(&text.value))),
            (Ok(address), Some((_, cidr))) if !cidr.contains(address) => {
                cx.sink.tell(Code::Address, text.region, format!("the gateway {address} does not belong to the network"));
            }
            (Ok(_), _) => {}
        }
    }
    Network {
        name: name(&section.name),
        type_: match section.type_ {
            None | Some(NetworkType::Distributed) => "distributed",
            Some(NetworkType::Standard) => "standard",
            Some(NetworkType::Opaque) => "opaque",
        }
        .into(),
        cidr,
        ipam: ipam(cx, section, &gateway),
        gateway,
    }
}

fn ipam(cx: &mut Cx<'_>, section: &inventory::Network, gateway: &Name) -> Ipam {
    let dhcp = section.dhcp.as_ref().is_some_and(|dhcp| dhcp.value);
    let Some(ipam) = &section.ipam else { return if dhcp { Ipam::Dhcp } else { Ipam::Pool } };
    let mode = ipam.mode.unwrap_or(if dhcp { IpamMode::Dhcp } else { IpamMode::Static });
    if let Some(dhcp) = section.dhcp.as_ref().filter(|dhcp| dhcp.value && mode != IpamMode::Dhcp) {
        cx.sink.tell_with(
            Code::Contradiction,
            dhcp.region,
            "`dhcp: true` and this mode of `ipam` can't both hold",
            |diagnostic, sources| diagnostic.note("`ipam` is here", Some(sources.place(ipam.region))),
        );
    }
    let Some(addresses) = &ipam.addresses else {
        return match mode {
            IpamMode::Static => Ipam::Pool,
            IpamMode::Dhcp => Ipam::Dhcp,
            IpamMode::None => Ipam::None,
        };
    };
    if mode != IpamMode::Static {
        cx.sink.tell(Code::Contradiction, ipam.region, "only with the mode `static` are there `addresses`");
    }
    let mut fixed = Vec::new();
    for address in addresses {
        let own = cidr(cx, &address.ip);
        if let Some(gateway) = address.gateway.as_ref().filter(|gateway| !gateway.value.is_empty())
            && gateway.value.parse::<IpAddr>().is_err()
        {
            cx.sink.tell(Code::Address, gateway.region, format!("`{}` is not an IP address", shorten(&gateway.value)));
        }
        if own.is_some() {
            fixed.push((name(&address.ip), address.gateway.as_ref().map_or_else(|| gateway.clone(), name)));
        }
    }
    Ipam::Fixed(fixed)
}

/// An address with the length of its prefix.
struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    fn bits(address: IpAddr) -> (u128, u8) {
        match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        }
    }

    /// The address's bits without those of the host.
    fn network(&self) -> u128 {
        let (bits, width) = Self::bits(self.address);
        let host = width - self.prefix;
        if host >= 128 { 0 } else { (bits >> host) << host }
    }

    fn contains(&self, address: IpAddr) -> bool {
        let same_family = self.address.is_ipv4() == address.is_ipv4();
        same_family && Self { address, prefix: self.prefix }.network() == self.network()
    }

    /// The first address that a machine can have.
    fn first(&self) -> IpAddr {
        let (_, width) = Self::bits(self.address);
        let bits = self.network() + u128::from(self.prefix < width);
        match (self.address, u32::try_from(bits)) {
            (IpAddr::V4(_), Ok(bits)) => IpAddr::V4(bits.into()),
            _ => IpAddr::V6(bits.into()),
        }
    }
}

fn cidr(cx: &mut Cx<'_>, text: &Text) -> Option<Cidr> {
    let parsed = text.value.split_once('/').and_then(|(address, prefix)| {
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.parse::<u8>().ok().filter(|prefix| *prefix <= most)?;
        Some(Cidr { address, prefix })
    });
    if parsed.is_none() {
        let message = format!("`{}` is not an address with a prefix length such as `10.1.0.0/16`", shorten(&text.value));
        cx.sink.tell(Code::Address, text.region, message);
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_knows_its_addresses() {
        let cidr = Cidr { address: "192.168.7.9".parse().expect("an address"), prefix: 24 };
        assert_eq!(cidr.first().to_string(), "192.168.7.1");
        assert!(cidr.contains("192.168.7.200".parse().expect("an address")));
        assert!(!cidr.contains("192.168.8.1".parse().expect("an address")));
        let all = Cidr { address: "::".parse().expect("an address"), prefix: 0 };
        assert!(all.contains("fe80::1".parse().expect("an address")));
        assert_eq!(Cidr { address: "10.0.0.5".parse().expect("an address"), prefix: 32 }.first().to_string(), "10.0.0.5");
    }
}
