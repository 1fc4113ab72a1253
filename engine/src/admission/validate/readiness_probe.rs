//! VM-V-181, VM-V-183, VM-V-184: a readiness probe asks in one way, and by TCP only where the operator can reach the VM.
//!
//! Page: admission §15.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateReadinessProbe`.

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use vmtwin_model::kube::virtual_machine::{TcpSocketAction, VirtualMachine};

use crate::admission::cause::{self, Causes, Shown};
use crate::admission::network_provider::{self, CONFIG_MAP};
use crate::admission::request::Request;
use crate::settings::NetworkProvider;

const FIELD: &str = "spec.readinessProbe";
const RESTRICTED_PORT: i32 = 6443;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(probe) = &request.new.spec.readiness_probe else { return };
    let actions = [probe.tcp_socket.is_some(), probe.guest_heartbeat.is_some(), !probe.guest_info.is_empty()];
    if actions.into_iter().filter(|there| *there).count() > 1 {
        causes.push(cause::forbidden(FIELD, "only one action can be specified"));
    }
    if let Some(socket) = &probe.tcp_socket {
        validate_socket(request, socket, causes);
    }
}

fn validate_socket(request: &Request<'_, VirtualMachine>, socket: &TcpSocketAction, causes: &mut Causes) {
    let cx = &request.cx;
    let field = format!("{FIELD}.tcpSocket");
    if network_provider::of(cx, request.namespace()) == Some(NetworkProvider::Vpc) {
        causes.push(cause::forbidden(field, "VPC networking doesn't allow TCP readiness probe to be specified"));
        return;
    }
    let port = match &socket.port {
        IntOrString::Int(RESTRICTED_PORT) => return,
        IntOrString::Int(port) => port.shown(),
        IntOrString::String(port) => port.shown(),
    };
    let Some(map) = cx.cache.view::<ConfigMap>(&cx.settings.pod_namespace, CONFIG_MAP) else {
        causes.push(cause::forbidden(field, &format!("configmaps \"{CONFIG_MAP}\" not found")));
        return;
    };
    let restricted = map.spec.data.as_ref().and_then(|data| data.get("IsRestrictedNetwork"));
    if restricted.is_some_and(|restricted| restricted == "true") {
        causes.push(cause::not_supported(format!("{field}.port"), AsShown(port), &["6443"]));
    }
}

/// A value that is a number or a string, shown already.
struct AsShown(String);

impl Shown for AsShown {
    fn shown(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::settings::NetworkProvider;

    fn probing(probe: Value, restricted: Option<&str>) -> Sample {
        let mut sample = Sample::vm().spec("readinessProbe", probe);
        sample.settings.network_provider = NetworkProvider::Vds;
        match restricted {
            None => sample,
            Some(restricted) => sample.given(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "data": {"IsRestrictedNetwork": restricted},
                "metadata": {"name": "vsphere.provider.config.vmoperator.vmware.com", "namespace": "vmware-system-vmop"},
            })),
        }
    }

    #[test]
    fn a_probe_asks_in_one_way() {
        assert!(probing(json!({"guestHeartbeat": {}}), None).admitted().is_ok());
        let two = probing(json!({"guestHeartbeat": {}, "guestInfo": [{"key": "ready"}]}), None);
        assert_eq!(two.denied(), ["spec.readinessProbe: Forbidden: only one action can be specified"]);
    }

    #[test]
    fn a_vpc_cannot_be_reached_by_tcp() {
        let mut sample = probing(json!({"tcpSocket": {"port": 6443}}), None);
        assert!(sample.admitted().is_ok());
        sample.settings.network_provider = NetworkProvider::Vpc;
        let text = "spec.readinessProbe.tcpSocket: Forbidden: VPC networking doesn't allow TCP readiness probe to be specified";
        assert_eq!(sample.denied(), [text]);
    }

    #[test]
    fn a_restricted_network_lets_one_port_through() {
        assert!(probing(json!({"tcpSocket": {"port": 22}}), Some("false")).admitted().is_ok());
        let restricted = probing(json!({"tcpSocket": {"port": 22}}), Some("true"));
        let text = "spec.readinessProbe.tcpSocket.port: Unsupported value: 22: supported values: \"6443\"";
        assert_eq!(restricted.denied(), [text]);
        let unknown = probing(json!({"tcpSocket": {"port": "ssh"}}), None);
        assert!(unknown.denied()[0].starts_with("spec.readinessProbe.tcpSocket: Forbidden: configmaps"));
    }
}
