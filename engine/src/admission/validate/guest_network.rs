//! VM-V-174 to VM-V-177: what the guest is told of its network goes with a bootstrap provider that can tell it.
//!
//! Page: admission §14.2. vApp properties and no provider at all can tell nothing. Cloud-init takes the VM's name servers and search
//! domains as defaults for its interfaces, unless it is told not to.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateNetworkSpecWithBootstrapProvider`.

use vmtwin_model::kube::api::Cause;
use vmtwin_model::kube::virtual_machine::{BootstrapSpec, CloudInit, NetworkInterfaceSpec, NetworkSpec, VirtualMachine};

use crate::admission::cause::{self, Causes, Shown};
use crate::admission::request::Request;
use crate::guest_network::{GLOBAL, INTERFACE, Row, row_of};

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let nothing = BootstrapSpec::default();
    let bootstrap = request.new.spec.bootstrap.as_ref().unwrap_or(&nothing);
    for (path, interface) in super::interface_paths(request.new.spec) {
        validate_interface(&path, interface, bootstrap, causes);
    }
    if let Some(network) = &request.new.spec.network {
        validate_global(network, bootstrap, causes);
    }
}

fn validate_interface(path: &str, interface: &NetworkInterfaceSpec, bootstrap: &BootstrapSpec, causes: &mut Causes) {
    let mut told = |field: &str, is_set: bool, cause: &dyn Fn(&'static Row) -> Cause| {
        let row = row_of(INTERFACE, field);
        if is_set && !row.is_told_by(bootstrap) {
            causes.push(cause(row));
        }
    };
    let device = &interface.guest_device_name;
    told("guestDeviceName", !device.is_empty(), &|row| only_with(path, row, device));
    told("mtu", interface.mtu.is_some(), &|row| only_with(path, row, interface.mtu.unwrap_or_default()));
    told("routes", !interface.routes.is_empty(), &|row| only_with(path, row, "routes"));
    for (field, list) in [("searchDomains", &interface.search_domains), ("nameservers", &interface.nameservers)] {
        told(field, !list.is_empty(), &|row| only_with(path, row, &list.join(",")));
    }
}

fn validate_global(network: &NetworkSpec, bootstrap: &BootstrapSpec, causes: &mut Causes) {
    let as_default: [fn(&CloudInit) -> Option<bool>; 2] =
        [|cloud_init| cloud_init.use_global_nameservers_as_default, |cloud_init| cloud_init.use_global_search_domains_as_default];
    let lists = [
        ("nameservers", &network.nameservers, "UseGlobalNameserversAsDefault", as_default[0]),
        ("searchDomains", &network.search_domains, "UseGlobalSearchDomainsAsDefault", as_default[1]),
    ];
    for (field, list, setting, as_default) in lists {
        if list.is_empty() {
            continue;
        }
        match &bootstrap.cloud_init {
            Some(cloud_init) if as_default(cloud_init) == Some(false) => {
                let text = format!("{field} is available only for CloudInit when {setting} is true");
                causes.push(cause::invalid(format!("spec.network.{field}"), &list.join(","), &text));
            }
            _ => {
                let row = row_of(GLOBAL, field);
                if !row.is_told_by(bootstrap) {
                    causes.push(only_with("spec.network", row, &list.join(",")));
                }
            }
        }
    }
}

fn only_with(path: &str, row: &Row, value: impl Shown) -> Cause {
    let text = format!("{} is available only with the following bootstrap providers: {}", row.field, row.providers());
    cause::invalid(format!("{path}.{}", row.field), value, &text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn with(network: Value, bootstrap: Value) -> Sample {
        Sample::vm().spec("network", network).spec("bootstrap", bootstrap)
    }

    #[test]
    fn cloud_init_alone_tells_of_devices_routes_and_search_domains() {
        let network = json!({"interfaces": [{
            "name": "eth0", "guestDeviceName": "net0", "mtu": 9000, "routes": [{"to": "default", "via": "10.0.0.1"}],
            "searchDomains": ["a.local", "b.local"]
        }]});
        assert!(with(network.clone(), json!({"cloudInit": {}})).admitted().is_ok());
        let expected =
            [("guestDeviceName", "\"net0\""), ("mtu", "9000"), ("routes", "\"routes\""), ("searchDomains", "\"a.local,b.local\"")];
        let expected = expected.map(|(field, value)| {
            let text = format!("{field} is available only with the following bootstrap providers: CloudInit");
            format!("spec.network.interfaces[0].{field}: Invalid value: {value}: {text}")
        });
        for bootstrap in [json!({"linuxPrep": {}}), json!({"vAppConfig": {}}), Value::Null] {
            assert_eq!(with(network.clone(), bootstrap).denied(), expected);
        }
    }

    #[test]
    fn name_servers_of_an_interface_go_with_cloud_init_and_sysprep() {
        let network = json!({"interfaces": [{"name": "eth0", "nameservers": ["10.0.0.53"]}]});
        let sysprep = json!({"sysprep": {"rawSysprep": {"name": "s", "key": "k"}}});
        assert!(with(network.clone(), sysprep).admitted().is_ok());
        let text = "spec.network.interfaces[0].nameservers: Invalid value: \"10.0.0.53\": nameservers is available only with the following \
                    bootstrap providers: CloudInit and Sysprep";
        assert_eq!(with(network, json!({"linuxPrep": {}})).denied(), [text]);
    }

    #[test]
    fn global_settings_go_with_linux_prep_sysprep_and_as_defaults_with_cloud_init() {
        let network = json!({"nameservers": ["10.0.0.53"], "searchDomains": ["local"]});
        assert!(with(network.clone(), json!({"linuxPrep": {}})).admitted().is_ok());
        assert!(with(network.clone(), json!({"cloudInit": {}})).admitted().is_ok());
        let switched_off = json!({"cloudInit": {"useGlobalNameserversAsDefault": false, "useGlobalSearchDomainsAsDefault": false}});
        assert_eq!(
            with(network.clone(), switched_off).denied(),
            [
                "spec.network.nameservers: Invalid value: \"10.0.0.53\": nameservers is available only for CloudInit when \
                 UseGlobalNameserversAsDefault is true",
                "spec.network.searchDomains: Invalid value: \"local\": searchDomains is available only for CloudInit when \
                 UseGlobalSearchDomainsAsDefault is true",
            ]
        );
        let text = "spec.network.searchDomains: Invalid value: \"local\": searchDomains is available only with the following bootstrap \
                    providers: LinuxPrep and Sysprep";
        assert_eq!(with(network, Value::Null).denied()[1], text);
    }
}
