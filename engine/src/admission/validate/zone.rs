//! VM-V-075 to VM-V-077: the zone that a VM asks for is one of its namespace's that isn't going, and stays once it is set.
//!
//! Page: admission §8. A privileged user may change the zone, and the new one isn't looked up.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateAvailabilityZone`.

use vmtwin_model::kube::availability_zone::AvailabilityZone;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::zone::Zone;

use crate::admission::cause::{self, Causes, IMMUTABLE};
use crate::admission::changes::{self, May};
use crate::admission::keys;
use crate::admission::request::Request;
use crate::admission::user::Standing;
use crate::features::Feature;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let old = request.old.and_then(|old| old.object.label(keys::ZONE)).unwrap_or_default();
    let new = request.new.object.label(keys::ZONE).unwrap_or_default();
    if !old.is_empty() {
        let fixed = changes::ZONE.may(changes::power(request)) == May::Once && !request.user.is_privileged();
        if fixed && old != new {
            causes.push(cause::invalid(changes::ZONE.path, new, IMMUTABLE));
        }
    } else if !new.is_empty() {
        validate_chosen(request, new, causes);
    }
}

fn validate_chosen(request: &Request<'_, VirtualMachine>, name: &str, causes: &mut Causes) {
    let cx = &request.cx;
    let path = changes::ZONE.path;
    // Upstream isolates every VM that isn't a node of a Kubernetes cluster, whatever the gate.
    let isolated = cx.on(Feature::WorkloadDomainIsolation) || request.new.object.label(keys::CLUSTER_NAME).is_none();
    if !isolated {
        if cx.cache.view::<AvailabilityZone>("", name).is_none() {
            let text = format!("availabilityzones.topology.tanzu.vmware.com \"{name}\" not found");
            causes.push(cause::invalid(path, name, &text));
        }
        return;
    }
    match cx.cache.view::<Zone>(request.namespace(), name) {
        None => causes.push(cause::invalid(path, name, &format!("zones.topology.tanzu.vmware.com \"{name}\" not found"))),
        Some(zone) if zone.object.is_deleting() && !request.user.is_privileged() && request.user != Standing::ClusterApi => {
            causes.push(cause::invalid(path, name, "cannot use zone that is being deleted"));
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::admission::samples::Sample;

    const ZONE: &str = "topology.kubernetes.io/zone";
    const PATH: &str = "metadata.labels[topology.kubernetes.io/zone]";

    #[test]
    fn a_zone_of_the_namespace_may_be_chosen() {
        assert!(Sample::vm().label(ZONE, "zone-1").admitted().is_ok());
        assert!(Sample::vm().stored().label(ZONE, "zone-1").admitted().is_ok());
        let text = format!("{PATH}: Invalid value: \"zone-2\": zones.topology.tanzu.vmware.com \"zone-2\" not found");
        assert_eq!(Sample::vm().label(ZONE, "zone-2").denied(), [text]);
    }

    #[test]
    fn a_zone_that_is_going_is_for_privileged_users_and_cluster_api() {
        let sample = Sample::vm().label(ZONE, "zone-gone");
        assert_eq!(sample.denied(), [format!("{PATH}: Invalid value: \"zone-gone\": cannot use zone that is being deleted")]);
        assert!(sample.clone().privileged().admitted().is_ok());
        assert!(sample.asked_by("system:serviceaccount:svc-tkg-domain-c8:default").admitted().is_ok());
    }

    #[test]
    fn a_zone_stays_once_set() {
        let stored = Sample::vm().label(ZONE, "zone-1").stored();
        let moved = stored.clone().label(ZONE, "zone-2");
        assert_eq!(moved.denied(), [format!("{PATH}: Invalid value: \"zone-2\": field is immutable")]);
        assert!(moved.privileged().admitted().is_ok());
        assert_eq!(stored.meta("labels", serde_json::Value::Null).denied(), [format!("{PATH}: Invalid value: \"\": field is immutable")]);
    }
}
