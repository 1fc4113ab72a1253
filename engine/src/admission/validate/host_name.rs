//! VM-V-180: the guest's host name and domain name are such, and short enough.
//!
//! Page: admission §14.4; the first that applies is said. The VM's own name is the host name where none is given, so that a VM whose
//! name has a dot needs a host name.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateNetworkHostAndDomainName`.

use std::net::IpAddr;

use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineSpec};

use crate::admission::cause::{self, Causes};
use crate::admission::names;
use crate::admission::request::Request;

const WINDOWS_BYTES_MAX: usize = 15;
const BOTH_BYTES_MAX: usize = 255;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let spec = request.new.spec;
    let (path, host) = host(request, spec);
    let domain = spec.network.as_ref().map_or("", |network| &network.domain_name);
    let is_address = host.parse::<IpAddr>().is_ok();
    if !is_address && !names::is_host_label(host) {
        causes.push(cause::invalid(path, host, "host name must adhere to RFC-1123"));
    } else if is_address && !domain.is_empty() {
        causes.push(cause::invalid(path, host, "host name may not be IP address when domain name is non-empty"));
    } else if host.len() > WINDOWS_BYTES_MAX && is_windows(spec) && !was_longer(request) {
        causes.push(cause::invalid(path, host, "host name may not exceed 15 characters for Windows"));
    } else if !domain.is_empty() && !names::is_domain_name(domain) {
        causes.push(cause::invalid("spec.network.domainName", domain, "domain name must adhere to RFC-1123"));
    } else if !domain.is_empty() && host.len() + 1 + domain.len() > BOTH_BYTES_MAX {
        let text = "host name and domain name combined exceed 255 characters";
        causes.push(cause::invalid("spec.network", &format!("{host}.{domain}"), text));
    }
}

/// The host name, and where it stands.
fn host<'a>(request: &Request<'a, VirtualMachine>, spec: &'a VirtualMachineSpec) -> (&'static str, &'a str) {
    match spec.network.as_ref().map(|network| network.host_name.as_str()).filter(|name| !name.is_empty()) {
        Some(name) => ("spec.network.hostName", name),
        None => ("metadata.name", request.name()),
    }
}

fn is_windows(spec: &VirtualMachineSpec) -> bool {
    has_sysprep(spec) || spec.guest_id.starts_with("win")
}

fn has_sysprep(spec: &VirtualMachineSpec) -> bool {
    spec.bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.sysprep.is_some())
}

/// Whether the VM had too long a name for Windows already.
fn was_longer(request: &Request<'_, VirtualMachine>) -> bool {
    request.old_spec().is_some_and(|old| has_sysprep(old) && host(request, old).1.len() > WINDOWS_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    fn with(host: &str, domain: &str) -> Sample {
        Sample::vm().spec("network", json!({"hostName": host, "domainName": domain}))
    }

    #[test]
    fn a_host_name_is_a_label_or_an_address() {
        for host in ["web-1", "10.0.0.1", "2001:db8::1", "größe", ""] {
            assert!(with(host, "").admitted().is_ok(), "{host}");
        }
        let text = "spec.network.hostName: Invalid value: \"a_b\": host name must adhere to RFC-1123";
        assert_eq!(with("a_b", "").denied(), [text]);
        let text = "spec.network.hostName: Invalid value: \"10.0.0.1\": host name may not be IP address when domain name is non-empty";
        assert_eq!(with("10.0.0.1", "local").denied(), [text]);
    }

    #[test]
    fn a_name_with_a_dot_needs_a_host_name() {
        let dotted = Sample::vm().named("web.1");
        assert_eq!(dotted.denied(), ["metadata.name: Invalid value: \"web.1\": host name must adhere to RFC-1123"]);
        assert!(with("web-1", "").named("web.1").admitted().is_ok());
    }

    #[test]
    fn windows_takes_fifteen_characters_unless_it_had_more() {
        let long = "sixteen-letters1";
        let windows = with(long, "").spec("guestID", json!("windows2019srv_64Guest"));
        let text = format!("spec.network.hostName: Invalid value: \"{long}\": host name may not exceed 15 characters for Windows");
        assert_eq!(windows.denied(), [text]);
        let sysprep = with(long, "").spec("bootstrap", json!({"sysprep": {"rawSysprep": {"name": "s", "key": "k"}}}));
        assert!(sysprep.imported().spec("powerState", json!("PoweredOff")).admitted().is_ok());
    }

    #[test]
    fn a_domain_name_is_one_and_both_together_are_short_enough() {
        assert!(with("web", "example.com").admitted().is_ok());
        let text = "spec.network.domainName: Invalid value: \"example.c\": domain name must adhere to RFC-1123";
        assert_eq!(with("web", "example.c").denied(), [text]);
        let domain = vec!["a".repeat(62); 4].join(".");
        let denied = with("web12", &domain[..250]).denied();
        assert!(denied[0].ends_with("host name and domain name combined exceed 255 characters"), "{denied:?}");
    }
}
