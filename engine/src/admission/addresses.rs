//! Addresses as Go reads them, for the rules about networks.

use std::net::IpAddr;

/// The family of an address; an IPv4 address in IPv6 form counts as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The family of an address; nothing if it is none.
pub(super) fn family(address: &str) -> Option<Family> {
    Some(match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    })
}

/// The family of an address with prefix length; nothing if it is none.
pub(super) fn cidr_family(text: &str) -> Option<Family> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let length = Some(length).filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()))?;
    let fits = length.parse::<u32>().is_ok_and(|length| length <= bits);
    fits.then(|| if address.to_canonical().is_ipv4() { Family::V4 } else { Family::V6 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_family() {
        for (text, expected) in [
            ("10.0.0.1", Some(Family::V4)),
            ("::ffff:10.0.0.1", Some(Family::V4)),
            ("2001:db8::1", Some(Family::V6)),
            ("10.0.0.1/24", None),
            ("010.0.0.1", None),
            ("", None),
        ] {
            assert_eq!(family(text), expected, "{text}");
        }
    }

    #[test]
    fn a_prefix_length_fits_its_family() {
        for (text, expected) in [
            ("10.0.0.1/24", Some(Family::V4)),
            ("10.0.0.1/33", None),
            ("::ffff:10.0.0.1/120", Some(Family::V4)),
            ("2001:db8::/64", Some(Family::V6)),
            ("10.0.0.1", None),
            ("10.0.0.1/+8", None),
            ("10.0.0.1/", None),
        ] {
            assert_eq!(cidr_family(text), expected, "{text}");
        }
    }
}
