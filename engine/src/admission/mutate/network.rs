//! VM-M-001, VM-M-022: a VM without interfaces gets one on the default network, and each interface's reference to its network is completed.
//!
//! Page: admission §3.1, with the table of default references. An update adds no interface, and completes references with the gate
//! `MutableNetworks` alone.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `AddDefaultNetworkInterface`, `SetDefaultNetworkInterface`.

use k8s_openapi::api::core::v1::ConfigMap;
use vmtwin_model::kube::reference::PartialObjectRef;
use vmtwin_model::kube::virtual_machine::{NetworkInterfaceSpec, VirtualMachine};

use crate::admission::keys;
use crate::admission::network_provider::{self, CONFIG_MAP};
use crate::admission::request::{AdmissionCx, Denial, Request};
use crate::draft::Draft;
use crate::features::Feature;

const INTERFACE: &str = "eth0";
const NAMED_NETWORK: &str = "VM Network";

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let network = vm.spec().network.as_ref();
    let interfaces = network.map_or(0, |network| network.interfaces.len());
    let unwanted = network.is_some_and(|network| network.disabled) || vm.annotation(keys::NO_DEFAULT_NIC).is_some();
    if interfaces == 0 && unwanted {
        return Ok(());
    }
    let reference = default_reference(&request.cx, request.namespace())?;
    let interfaces = &mut vm.spec_mut().network.get_or_insert_default().interfaces;
    if interfaces.is_empty() {
        interfaces.push(NetworkInterfaceSpec { name: INTERFACE.to_owned(), ..NetworkInterfaceSpec::default() });
    }
    for interface in interfaces {
        complete(&mut interface.network, &reference);
    }
    Ok(())
}

pub(in crate::admission) fn default_on_update(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let interfaces = vm.spec().network.as_ref().map(|network| &network.interfaces[..]).unwrap_or_default();
    let complete_already = |network: &PartialObjectRef| !network.api_version.is_empty() && !network.kind.is_empty();
    let lacking = interfaces.iter().any(|interface| !interface.network.as_ref().is_some_and(complete_already));
    if !request.cx.on(Feature::MutableNetworks) || !lacking {
        return Ok(());
    }
    let reference = default_reference(&request.cx, request.namespace())?;
    for interface in vm.spec_mut().network.iter_mut().flat_map(|network| &mut network.interfaces) {
        complete(&mut interface.network, &reference);
    }
    Ok(())
}

fn complete(network: &mut Option<PartialObjectRef>, reference: &PartialObjectRef) {
    let network = network.get_or_insert_with(|| reference.clone());
    if network.api_version.is_empty() {
        network.api_version.clone_from(&reference.api_version);
    }
    if network.kind.is_empty() {
        network.kind.clone_from(&reference.kind);
    }
}

fn default_reference(cx: &AdmissionCx<'_>, namespace: &str) -> Result<PartialObjectRef, Denial> {
    let Some(provider) = network_provider::of(cx, namespace) else {
        return Err(Denial::Text("NetworkSettings has not been created for this namespace".to_owned()));
    };
    Ok(match network_provider::objects(provider) {
        Some(objects) => {
            PartialObjectRef { api_version: objects.api_version.to_owned(), kind: objects.default_kind.to_owned(), name: String::new() }
        }
        None => PartialObjectRef { name: named_network(cx).to_owned(), ..PartialObjectRef::default() },
    })
}

fn named_network<'a>(cx: &AdmissionCx<'a>) -> &'a str {
    let map = cx.cache.view::<ConfigMap>(&cx.settings.pod_namespace, CONFIG_MAP);
    let network = map.and_then(|map| map.spec.data.as_ref()?.get("Network"));
    network.map(String::as_str).filter(|network| !network.is_empty()).unwrap_or(NAMED_NETWORK)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;
    use crate::features::Feature;
    use crate::settings::NetworkProvider;

    #[test]
    fn a_vm_without_interfaces_gets_one_on_the_providers_default_network() {
        let mut sample = Sample::vm();
        let eth0 = json!({"apiVersion": "crd.nsx.vmware.com/v1alpha1", "kind": "SubnetSet", "name": ""});
        assert_eq!(sample.created()["spec"]["network"]["interfaces"], json!([{"name": "eth0", "network": eth0}]));
        sample.settings.network_provider = NetworkProvider::Named;
        assert_eq!(sample.mutated()["spec"]["network"]["interfaces"], json!([{"name": "eth0", "network": {"name": "VM Network"}}]));
    }

    #[test]
    fn a_vm_may_do_without_interfaces() {
        let disabled = Sample::vm().spec("network", json!({"disabled": true}));
        assert_eq!(disabled.created()["spec"]["network"], json!({"disabled": true}));
        let annotated = Sample::vm().annotation("vmoperator.vmware.com/no-default-nic", "");
        assert_eq!(annotated.created()["spec"]["network"], json!(null));
    }

    #[test]
    fn each_namespace_may_have_a_provider_of_its_own() {
        let sample = Sample::vm().with(Feature::PerNamespaceNetworkProvider);
        assert_eq!(sample.denied_by_mutation(), "NetworkSettings has not been created for this namespace");
        let given = sample.given(json!({
            "apiVersion": "netoperator.vmware.com/v1alpha1", "kind": "NetworkSettings",
            "metadata": {"name": "default", "namespace": "my-namespace"}, "provider": "vsphere-distributed"
        }));
        let network = json!({"apiVersion": "netoperator.vmware.com/v1alpha1", "kind": "Network", "name": ""});
        assert_eq!(given.created()["spec"]["network"]["interfaces"], json!([{"name": "eth0", "network": network}]));
    }

    #[test]
    fn an_update_completes_references_where_networks_may_change() {
        let stored = Sample::vm().stored();
        let bare = json!({"interfaces": [{"name": "eth0"}, {"name": "eth1", "network": {"name": "red"}}]});
        assert_eq!(stored.clone().spec("network", bare.clone()).mutated()["spec"]["network"], bare, "the gate is off");
        let vm = stored.with(Feature::MutableNetworks).spec("network", bare).mutated();
        let network = |name: &str| json!({"apiVersion": "crd.nsx.vmware.com/v1alpha1", "kind": "SubnetSet", "name": name});
        let expected = json!([{"name": "eth0", "network": network("")}, {"name": "eth1", "network": network("red")}]);
        assert_eq!(vm["spec"]["network"]["interfaces"], expected);
    }

    #[test]
    fn references_are_completed_and_what_is_given_is_kept() {
        let sample = Sample::vm().spec(
            "network",
            json!({"disabled": true, "interfaces": [
                {"name": "eth0"}, {"name": "eth1", "network": {"name": "red"}}, {"name": "eth2", "network": {"kind": "Subnet", "name": "blue"}}
            ]}),
        );
        let network = |kind: &str, name: &str| json!({"apiVersion": "crd.nsx.vmware.com/v1alpha1", "kind": kind, "name": name});
        assert_eq!(
            sample.mutated()["spec"]["network"]["interfaces"],
            json!([
                {"name": "eth0", "network": network("SubnetSet", "")},
                {"name": "eth1", "network": network("SubnetSet", "red")},
                {"name": "eth2", "network": network("Subnet", "blue")},
            ])
        );
    }
}
