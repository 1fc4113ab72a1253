//! VM-V-170 to VM-V-173: the interfaces of a VM stay in number, name, network and MAC address.
//!
//! Page: admission §14.3. Interfaces are paired by position; what the guest is told about them may change. A VM that was failed
//! over may be put on other networks. With the gate `MutableNetworks` a MAC address alone stays, with its interface's name and network.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateImmutableNetwork`.

use vmtwin_model::kube::virtual_machine::{NetworkInterfaceSpec, VirtualMachine};

use crate::admission::cause::{self, Causes, IMMUTABLE};
use crate::admission::changes::{self, May};
use crate::admission::keys::FAILED_OVER_VM;
use crate::admission::request::Request;
use crate::features::Feature;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(old) = request.old_spec() else { return };
    if changes::INTERFACES.may(changes::power(request)) != May::Stay {
        return;
    }
    let (old, new) = (super::interfaces(old), super::interfaces(request.new.spec));
    if request.cx.on(Feature::MutableNetworks) {
        validate_mac_addresses(old, new, causes);
        return;
    }
    let path = changes::INTERFACES.path;
    if old.len() != new.len() {
        causes.push(cause::forbidden(path, "network interfaces cannot be added or removed"));
        return;
    }
    if request.new.object.annotation(FAILED_OVER_VM).is_some() {
        return;
    }
    for (index, (old, new)) in old.iter().zip(new).enumerate() {
        let path = format!("{path}[{index}]");
        if old.name != new.name {
            causes.push(cause::forbidden(format!("{path}.name"), IMMUTABLE));
        }
        if old.network != new.network {
            causes.push(cause::forbidden(format!("{path}.network"), IMMUTABLE));
        }
        if old.mac_addr != new.mac_addr {
            causes.push(cause::invalid(format!("{path}.macAddr"), &new.mac_addr, IMMUTABLE));
        }
    }
}

/// Interfaces are paired by name, network name and network kind.
fn validate_mac_addresses(old: &[NetworkInterfaceSpec], new: &[NetworkInterfaceSpec], causes: &mut Causes) {
    fn pair(interface: &NetworkInterfaceSpec) -> (&str, &str, &str) {
        let network = interface.network.as_ref().map(|network| (network.name.as_str(), network.kind.as_str()));
        let (name, kind) = network.unwrap_or_default();
        (&interface.name, name, kind)
    }
    for (index, interface) in new.iter().enumerate() {
        let before = old.iter().find(|old| pair(old) == pair(interface));
        if before.is_some_and(|old| old.mac_addr != interface.mac_addr) {
            let field = format!("{}[{index}].macAddr", changes::INTERFACES.path);
            causes.push(cause::invalid(field, &interface.mac_addr, IMMUTABLE));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn interface(name: &str, network: &str) -> Value {
        let network = json!({"apiVersion": "crd.nsx.vmware.com/v1alpha1", "kind": "Subnet", "name": network});
        json!({"name": name, "network": network})
    }

    fn changed(interfaces: Value) -> Sample {
        let vm = Sample::vm().spec("network", json!({"interfaces": [interface("eth0", "red")]})).stored();
        vm.spec("network", json!({"interfaces": interfaces}))
    }

    #[test]
    fn interfaces_stay_but_for_what_the_guest_is_told() {
        let mut told = interface("eth0", "red");
        told["addresses"] = json!(["10.0.0.5/24"]);
        assert!(changed(json!([told])).admitted().is_ok());
        let more = changed(json!([interface("eth0", "red"), interface("eth1", "red")]));
        assert_eq!(more.denied(), ["spec.network.interfaces: Forbidden: network interfaces cannot be added or removed"]);
        let mut other = interface("eth9", "blue");
        other["macAddr"] = json!("00:50:56:00:00:01");
        assert_eq!(
            changed(json!([other])).denied(),
            [
                "spec.network.interfaces[0].name: Forbidden: field is immutable",
                "spec.network.interfaces[0].network: Forbidden: field is immutable",
                "spec.network.interfaces[0].macAddr: Invalid value: \"00:50:56:00:00:01\": field is immutable",
            ]
        );
    }

    #[test]
    fn a_vm_that_was_failed_over_may_move() {
        let vm = Sample::vm().annotation("vmoperator.vmware.com/failed-over-vm", "").stored();
        assert!(vm.spec("network", json!({"interfaces": [interface("eth9", "blue")]})).admitted().is_ok());
    }
}
