//! VM-V-160: an interface names an object of the network provider.
//!
//! Page: admission §14.1. The version doesn't matter; a reference without group or kind isn't looked at.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateNetworkInterfaceSpec`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::network_provider::{self, group};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let provider = network_provider::of(&request.cx, request.namespace());
    let Some(objects) = provider.and_then(network_provider::objects) else { return };
    for (path, interface) in super::interface_paths(request.new.spec) {
        let Some(network) = &interface.network else { continue };
        if network.kind.is_empty() || group(&network.api_version).is_empty() {
            continue;
        }
        if group(&network.api_version) != group(objects.api_version) {
            causes.push(cause::not_supported(format!("{path}.network.apiVersion"), &network.api_version, &[objects.api_version]));
        }
        if !objects.kinds.contains(&network.kind.as_str()) {
            causes.push(cause::not_supported(format!("{path}.network.kind"), &network.kind, objects.kinds));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;
    use crate::settings::NetworkProvider;

    fn with(api_version: &str, kind: &str) -> Sample {
        let network = json!({"apiVersion": api_version, "kind": kind, "name": "n"});
        Sample::vm().spec("network", json!({"interfaces": [{"name": "eth0", "network": network}]}))
    }

    #[test]
    fn a_network_is_one_of_the_providers() {
        for kind in ["Subnet", "SubnetSet"] {
            assert!(with("crd.nsx.vmware.com/v1alpha9", kind).admitted().is_ok());
        }
        let mut other = with("vmware.com/v1alpha1", "VirtualNetwork");
        let path = "spec.network.interfaces[0].network";
        assert_eq!(
            other.denied(),
            [
                format!("{path}.apiVersion: Unsupported value: \"vmware.com/v1alpha1\": supported values: \"crd.nsx.vmware.com/v1alpha1\""),
                format!("{path}.kind: Unsupported value: \"VirtualNetwork\": supported values: \"Subnet\", \"SubnetSet\""),
            ]
        );
        other.settings.network_provider = NetworkProvider::NsxT;
        assert!(other.admitted().is_ok());
    }
}
