//! Kubernetes' libraries of IP addresses and CIDRs: `cidr('10.0.0.0/8').containsIP('10.1.2.3')`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cel::common::types::{CelBool, CelInt, CelString};
use cel::common::value::Val;
use cel::{DeclarationError, Env, ExecutionError, add_member_overload, add_overload};

use super::value::cel_value;

/// An address as a value of CEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ip(IpAddr);

/// A range of addresses as a value of CEL; bits beyond the prefix are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    address: IpAddr,
    prefix: u8,
}

cel_value!(Ip, "net.IP", {});
cel_value!(Cidr, "net.CIDR", {});

impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Ip {
    /// What Kubernetes takes: no zone, no leading zeros, no IPv4 address in IPv6's clothes.
    fn parse(text: &str) -> Option<Self> {
        match text.parse::<IpAddr>().ok()? {
            IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => None,
            address => Some(Self(address)),
        }
    }
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let Ip(address) = Ip::parse(address)?;
        let digits = prefix == "0" || !prefix.starts_with(['0', '+']);
        let prefix: u8 = prefix.parse().ok().filter(|_| digits)?;
        (prefix <= width(address)).then_some(Self { address, prefix })
    }

    fn network(self) -> IpAddr {
        masked(self.address, self.prefix)
    }

    fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.network()
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with the bits beyond the prefix cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

pub(super) fn library(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_type(Ip::cel_type().to_owned())?;
    env.add_type(Cidr::cel_type().to_owned())?;
    add_overload!(env, fn ip: (CelString<'_>) -> Result<Ip>)?;
    add_overload!(env, fn is_ip: (CelString<'_>) -> CelBool, name = "isIP")?;
    add_overload!(env, fn is_canonical: (CelString<'_>) -> Result<CelBool>, name = "ip.isCanonical")?;
    add_overload!(env, fn text_of_ip: (Ip) -> CelString<'static>, name = "string")?;
    add_member_overload!(env, fn family: (Ip) -> CelInt)?;
    add_member_overload!(env, fn is_unspecified: (Ip) -> CelBool)?;
    add_member_overload!(env, fn is_loopback: (Ip) -> CelBool)?;
    add_member_overload!(env, fn is_link_local_multicast: (Ip) -> CelBool)?;
    add_member_overload!(env, fn is_link_local_unicast: (Ip) -> CelBool)?;
    add_member_overload!(env, fn is_global_unicast: (Ip) -> CelBool)?;
    add_overload!(env, fn cidr: (CelString<'_>) -> Result<Cidr>)?;
    add_overload!(env, fn is_cidr: (CelString<'_>) -> CelBool, name = "isCIDR")?;
    add_overload!(env, fn text_of_cidr: (Cidr) -> CelString<'static>, name = "string")?;
    add_member_overload!(env, fn contains_ip: (Cidr, Ip) -> CelBool, name = "containsIP")?;
    add_member_overload!(env, fn contains_ip_text: (Cidr, CelString<'_>) -> Result<CelBool>, name = "containsIP")?;
    add_member_overload!(env, fn contains_cidr: (Cidr, Cidr) -> CelBool, name = "containsCIDR")?;
    add_member_overload!(env, fn contains_cidr_text: (Cidr, CelString<'_>) -> Result<CelBool>, name = "containsCIDR")?;
    add_member_overload!(env, fn address_of: (Cidr) -> Ip, name = "ip")?;
    add_member_overload!(env, fn prefix_length: (Cidr) -> CelInt)?;
    add_member_overload!(env, fn network_of: (Cidr) -> Cidr, name = "masked")?;
    Ok(())
}

fn ip(text: &CelString<'_>) -> Result<Ip, ExecutionError> {
    Ip::parse(text.inner()).ok_or_else(|| ExecutionError::function_error("ip", format!("`{}` is not an IP address", text.inner())))
}

fn is_ip(text: &CelString<'_>) -> CelBool {
    Ip::parse(text.inner()).is_some().into()
}

fn is_canonical(text: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    ip(text).map(|address| (address.to_string() == text.inner()).into())
}

fn text_of_ip(this: &Ip) -> CelString<'static> {
    this.to_string().into()
}

fn family(this: &Ip) -> CelInt {
    (if this.0.is_ipv4() { 4 } else { 6 }).into()
}

fn is_unspecified(this: &Ip) -> CelBool {
    this.0.is_unspecified().into()
}

fn is_loopback(this: &Ip) -> CelBool {
    this.0.is_loopback().into()
}

fn is_link_local_multicast(this: &Ip) -> CelBool {
    link_local_multicast(this.0).into()
}

fn link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets().starts_with(&[224, 0, 0]),
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    }
}

fn is_link_local_unicast(this: &Ip) -> CelBool {
    link_local_unicast(this.0).into()
}

fn link_local_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// As Go has it: private addresses are global, too.
fn is_global_unicast(this: &Ip) -> CelBool {
    let address = this.0;
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    (!broadcast && !address.is_unspecified() && !address.is_loopback() && !address.is_multicast() && !link_local_unicast(address)).into()
}

fn cidr(text: &CelString<'_>) -> Result<Cidr, ExecutionError> {
    Cidr::parse(text.inner()).ok_or_else(|| ExecutionError::function_error("cidr", format!("`{}` is not a CIDR", text.inner())))
}

fn is_cidr(text: &CelString<'_>) -> CelBool {
    Cidr::parse(text.inner()).is_some().into()
}

fn text_of_cidr(this: &Cidr) -> CelString<'static> {
    this.to_string().into()
}

fn contains_ip(this: &Cidr, address: &Ip) -> CelBool {
    this.contains(address.0).into()
}

fn contains_ip_text(this: &Cidr, address: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    ip(address).map(|address| contains_ip(this, &address))
}

fn contains_cidr(this: &Cidr, other: &Cidr) -> CelBool {
    (other.prefix >= this.prefix && this.contains(other.address)).into()
}

fn contains_cidr_text(this: &Cidr, other: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    cidr(other).map(|other| contains_cidr(this, &other))
}

fn address_of(this: &Cidr) -> Ip {
    Ip(this.address)
}

fn prefix_length(this: &Cidr) -> CelInt {
    i64::from(this.prefix).into()
}

fn network_of(this: &Cidr) -> Cidr {
    Cidr { address: this.network(), prefix: this.prefix }
}
