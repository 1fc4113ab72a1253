//! VM-V-161: VM, network and interface together name an object of the network provider.
//!
//! Page: admission §14.1.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateNetworkInterfaceSpec`.

use vmtwin_model::kube::labels;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    for (path, interface) in super::interface_paths(request.new.spec) {
        let (vm, name) = (request.name(), &interface.name);
        let joined = match interface.network.as_ref().map(|network| &network.name).filter(|network| !network.is_empty()) {
            Some(network) => format!("{vm}-{network}-{name}"),
            None => format!("{vm}-{name}"),
        };
        for error in labels::subdomain_errors(&joined) {
            let text = format!("is the resulting network interface name: {error}");
            causes.push(cause::invalid(format!("{path}.name"), &joined, &text));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;
    use crate::settings::NetworkProvider;

    #[test]
    fn the_joined_name_is_a_subdomain() {
        let with = |network: &str| Sample::vm().spec("network", json!({"interfaces": [{"name": "eth0", "network": {"name": network}}]}));
        assert!(with("red").admitted().is_ok());
        let long = "a".repeat(250);
        let text = format!(
            "spec.network.interfaces[0].name: Invalid value: \"my-object-{long}-eth0\": is the resulting network interface name: must be \
             no more than 253 bytes"
        );
        assert_eq!(with(&long).denied(), [text]);
    }

    #[test]
    fn the_named_provider_needs_a_network_of_such_a_name() {
        let mut sample = Sample::vm();
        sample.settings.network_provider = NetworkProvider::Named;
        assert!(sample.denied()[0].contains("\"my-object-VM Network-eth0\": is the resulting network interface name: a lowercase"));
    }
}
