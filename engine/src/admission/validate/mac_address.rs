//! VM-V-163: a MAC address can be given where NSX' VPCs give out the ports.
//!
//! Page: admission §14.1. The interface's own reference decides, which a create completes by the provider. The address' form is the
//! schema's business.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateMACAddress`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::network_provider::group;
use crate::admission::request::Request;

const VPC: &str = "crd.nsx.vmware.com";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    for (path, interface) in super::interface_paths(request.new.spec) {
        let api_version = interface.network.as_ref().map_or("", |network| &network.api_version);
        if !interface.mac_addr.is_empty() && group(api_version) != VPC {
            let text = format!("macAddr is available only with the following network providers: {VPC}");
            causes.push(cause::invalid(format!("{path}.macAddr"), &interface.mac_addr, &text));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;
    use crate::settings::NetworkProvider;

    #[test]
    fn vpcs_alone_take_mac_addresses() {
        let interface = json!({"name": "eth0", "macAddr": "00:50:56:00:00:01"});
        let mut sample = Sample::vm().spec("network", json!({"interfaces": [interface]}));
        assert!(sample.admitted().is_ok());
        sample.settings.network_provider = NetworkProvider::Vds;
        let text = "spec.network.interfaces[0].macAddr: Invalid value: \"00:50:56:00:00:01\": macAddr is available only with the following \
                    network providers: crd.nsx.vmware.com";
        assert_eq!(sample.denied(), [text]);
    }
}
