//! VM-V-169: a static route leads to a network, over an address of the same family.
//!
//! Page: admission §14.1.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateNetworkInterfaceSpec`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::addresses::{cidr_family, family};
use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

const EVERYWHERE: &str = "default";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    for (path, interface) in super::interface_paths(request.new.spec) {
        for (index, route) in interface.routes.iter().enumerate() {
            let path = format!("{path}.routes[{index}]");
            let (to, via) = (cidr_family(&route.to), family(&route.via));
            let everywhere = route.to == EVERYWHERE;
            if !everywhere && to.is_none() {
                causes.push(cause::invalid(format!("{path}.to"), &route.to, &format!("invalid CIDR address: {}", route.to)));
            }
            if via.is_none() {
                causes.push(cause::invalid(format!("{path}.via"), &route.via, "must be an IPv4 or IPv6 address"));
            }
            if !everywhere && to.is_some() && via.is_some() && to != via {
                causes.push(cause::invalid(path, "", "cannot mix IP address families"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn with(route: Value) -> Sample {
        let network = json!({"interfaces": [{"name": "eth0", "routes": [route]}]});
        Sample::vm().spec("network", network).spec("bootstrap", json!({"cloudInit": {}}))
    }

    #[test]
    fn a_route_leads_to_a_network() {
        assert!(with(json!({"to": "10.1.0.0/16", "via": "10.0.0.1"})).admitted().is_ok());
        assert!(with(json!({"to": "default", "via": "2001:db8::1"})).admitted().is_ok());
        let path = "spec.network.interfaces[0].routes[0]";
        let mixed = with(json!({"to": "10.1.0.0/16", "via": "2001:db8::1"}));
        assert_eq!(mixed.denied(), [format!("{path}: Invalid value: \"\": cannot mix IP address families")]);
        let unreadable = with(json!({"to": "10.1.0.0", "via": "gateway"}));
        assert_eq!(
            unreadable.denied(),
            [
                format!("{path}.to: Invalid value: \"10.1.0.0\": invalid CIDR address: 10.1.0.0"),
                format!("{path}.via: Invalid value: \"gateway\": must be an IPv4 or IPv6 address"),
            ]
        );
    }
}
