//! VM-V-164 to VM-V-168: static addresses, gateways, DHCP and name servers of an interface are such, and go together.
//!
//! Page: admission §14.1. The two families stand apart and follow the same rules. A gateway `None` keeps the provider's away.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateNetworkInterfaceSpec`.

use vmtwin_model::kube::virtual_machine::{NetworkInterfaceSpec, VirtualMachine};

use crate::admission::addresses::{Family, cidr_family, family};
use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

const NO_GATEWAY: &str = "None";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    for (path, interface) in super::interface_paths(request.new.spec) {
        for (index, address) in interface.addresses.iter().enumerate() {
            if cidr_family(address).is_none() {
                let text = format!("invalid CIDR address: {address}");
                causes.push(cause::invalid(format!("{path}.addresses[{index}]"), address, &text));
            }
        }
        validate_gateway(&path, interface, Family::V4, causes);
        validate_gateway(&path, interface, Family::V6, causes);
        validate_dhcp(&path, interface, Family::V4, causes);
        validate_dhcp(&path, interface, Family::V6, causes);
        validate_nameservers(&path, &interface.nameservers, causes);
    }
    if let Some(network) = &request.new.spec.network {
        validate_nameservers("spec.network", &network.nameservers, causes);
    }
}

fn validate_gateway(path: &str, interface: &NetworkInterfaceSpec, of: Family, causes: &mut Causes) {
    let (number, gateway) = gateway(interface, of);
    if gateway.is_empty() || gateway == NO_GATEWAY {
        return;
    }
    let field = format!("{path}.gateway{number}");
    if !has_address(interface, of) {
        let text = format!("gateway{number} must have an IPv{number} address in the addresses field");
        causes.push(cause::invalid(field.clone(), gateway, &text));
    }
    if family(gateway) != Some(of) {
        causes.push(cause::invalid(field, gateway, &format!("must be a valid IPv{number} address")));
    }
}

fn validate_dhcp(path: &str, interface: &NetworkInterfaceSpec, of: Family, causes: &mut Causes) {
    let (number, gateway) = gateway(interface, of);
    let dhcp = match of {
        Family::V4 => interface.dhcp4,
        Family::V6 => interface.dhcp6,
    };
    if !dhcp {
        return;
    }
    if has_address(interface, of) {
        let text = format!("dhcp{number} cannot be used with IPv{number} addresses in addresses field");
        causes.push(cause::invalid(format!("{path}.dhcp{number}"), &interface.addresses.join(","), &text));
    }
    if !gateway.is_empty() {
        let text = format!("gateway{number} is mutually exclusive with dhcp{number}");
        causes.push(cause::invalid(format!("{path}.gateway{number}"), gateway, &text));
    }
}

fn validate_nameservers(path: &str, nameservers: &[String], causes: &mut Causes) {
    for (index, server) in nameservers.iter().enumerate() {
        if family(server).is_none() {
            causes.push(cause::invalid(format!("{path}.nameservers[{index}]"), server, "must be an IPv4 or IPv6 address"));
        }
    }
}

/// The family's number and its gateway.
fn gateway(interface: &NetworkInterfaceSpec, of: Family) -> (u8, &str) {
    match of {
        Family::V4 => (4, &interface.gateway4),
        Family::V6 => (6, &interface.gateway6),
    }
}

fn has_address(interface: &NetworkInterfaceSpec, of: Family) -> bool {
    interface.addresses.iter().any(|address| cidr_family(address) == Some(of))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn with(settings: Value) -> Sample {
        let mut interface = json!({"name": "eth0"});
        for (key, value) in settings.as_object().expect("settings are a mapping") {
            interface[key] = value.clone();
        }
        Sample::vm().spec("network", json!({"interfaces": [interface]})).spec("bootstrap", json!({"cloudInit": {}}))
    }

    const PATH: &str = "spec.network.interfaces[0]";

    #[test]
    fn addresses_have_a_prefix_length() {
        assert!(with(json!({"addresses": ["10.0.0.5/24", "2001:db8::5/64"]})).admitted().is_ok());
        let text = format!("{PATH}.addresses[0]: Invalid value: \"10.0.0.5\": invalid CIDR address: 10.0.0.5");
        assert_eq!(with(json!({"addresses": ["10.0.0.5"]})).denied(), [text]);
    }

    #[test]
    fn a_gateway_goes_with_an_address_of_its_family() {
        assert!(with(json!({"addresses": ["10.0.0.5/24"], "gateway4": "10.0.0.1", "gateway6": "None"})).admitted().is_ok());
        assert_eq!(
            with(json!({"gateway6": "10.0.0.1"})).denied(),
            [
                format!("{PATH}.gateway6: Invalid value: \"10.0.0.1\": gateway6 must have an IPv6 address in the addresses field"),
                format!("{PATH}.gateway6: Invalid value: \"10.0.0.1\": must be a valid IPv6 address"),
            ]
        );
    }

    #[test]
    fn dhcp_excludes_addresses_and_gateway_of_its_family() {
        assert!(with(json!({"dhcp4": true, "addresses": ["2001:db8::5/64"], "gateway6": "2001:db8::1"})).admitted().is_ok());
        assert_eq!(
            with(json!({"dhcp4": true, "addresses": ["10.0.0.5/24", "10.0.0.6/24"], "gateway4": "None"})).denied(),
            [
                format!(
                    "{PATH}.dhcp4: Invalid value: \"10.0.0.5/24,10.0.0.6/24\": dhcp4 cannot be used with IPv4 addresses in addresses field"
                ),
                format!("{PATH}.gateway4: Invalid value: \"None\": gateway4 is mutually exclusive with dhcp4"),
            ]
        );
    }

    #[test]
    fn name_servers_are_addresses() {
        assert!(with(json!({"nameservers": ["10.0.0.53"]})).admitted().is_ok());
        let text = format!("{PATH}.nameservers[0]: Invalid value: \"dns\": must be an IPv4 or IPv6 address");
        assert_eq!(with(json!({"nameservers": ["dns"]})).denied(), [text]);
        let global = Sample::vm().spec("network", json!({"nameservers": ["dns"]})).spec("bootstrap", json!({"linuxPrep": {}}));
        assert_eq!(global.denied(), ["spec.network.nameservers[0]: Invalid value: \"dns\": must be an IPv4 or IPv6 address"]);
    }
}
