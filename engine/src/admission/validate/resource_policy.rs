//! RP-V-01 to RP-V-03: a set resource policy reserves no more than it allows, names each cluster module once, and stays as it is.
//!
//! Page: admission §17.
//!
//! Mirrors: vm-operator `webhooks/virtualmachinesetresourcepolicy/validation`, `validateSpec`, `validateAllowedChanges`.

use vmtwin_model::kube::virtual_machine_set_resource_policy::VirtualMachineSetResourcePolicy;

use super::class_resources::excess;
use crate::admission::cause::{self, Causes, IMMUTABLE, Structure};
use crate::admission::request::Request;

pub(in crate::admission) fn validate_create(request: &Request<'_, VirtualMachineSetResourcePolicy>, causes: &mut Causes) {
    let spec = request.new.spec;
    let pool = spec.resource_pool.as_ref();
    if let Some((reservations, limits)) = pool.and_then(|pool| pool.reservations.as_ref().zip(pool.limits.as_ref())) {
        let pairs = [("cpu", &reservations.cpu, &limits.cpu), ("memory", &reservations.memory, &limits.memory)];
        for (resource, reservation, limit) in pairs {
            if let Some(reservation) = excess(reservation.as_ref(), limit.as_ref()) {
                let field = format!("spec.resourcePool.reservations.{resource}");
                causes.push(cause::invalid(field, reservation, "reservation value cannot exceed the limit value"));
            }
        }
    }
    let modules = &spec.cluster_module_groups;
    for (index, module) in modules.iter().enumerate().filter(|(index, module)| modules[..*index].contains(module)) {
        // The path says the field twice, as upstream's.
        causes.push(cause::duplicate(format!("spec.clusterModuleGroups[{index}].clusterModuleGroups"), module));
    }
}

pub(in crate::admission) fn validate_update(request: &Request<'_, VirtualMachineSetResourcePolicy>, causes: &mut Causes) {
    let Some(old) = request.old.map(|old| old.spec) else { return };
    let new = request.new.spec;
    if old.resource_pool != new.resource_pool {
        causes.push(cause::invalid("spec.resourcePool", Structure(&new.resource_pool), IMMUTABLE));
    }
    if old.folder != new.folder {
        causes.push(cause::invalid("spec.folder", &new.folder, IMMUTABLE));
    }
    if old.cluster_module_groups != new.cluster_module_groups {
        causes.push(cause::invalid("spec.clusterModuleGroups", Structure(&new.cluster_module_groups), IMMUTABLE));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn policy(spec: Value) -> Sample {
        Sample::of("vmoperator.vmware.com/v1alpha5", "VirtualMachineSetResourcePolicy", &spec)
    }

    #[test]
    fn a_policy_reserves_no_more_than_it_allows() {
        let pool = |memory: &str| policy(json!({"resourcePool": {"reservations": {"memory": memory}, "limits": {"memory": "2Gi"}}}));
        assert!(pool("2Gi").admitted().is_ok());
        let text = "spec.resourcePool.reservations.memory: Invalid value: \"3Gi\": reservation value cannot exceed the limit value";
        assert_eq!(pool("3Gi").denied(), [text]);
    }

    #[test]
    fn a_cluster_module_is_named_once() {
        let denied = policy(json!({"clusterModuleGroups": ["a", "b", "a"]})).denied();
        assert_eq!(denied, ["spec.clusterModuleGroups[2].clusterModuleGroups: Duplicate value: \"a\""]);
    }

    #[test]
    fn a_policy_stays() {
        let stored = policy(json!({"folder": "f"})).stored();
        assert!(stored.admitted().is_ok());
        let changed = stored.spec("folder", json!("g")).spec("resourcePool", json!({"name": "p"}));
        let denied = changed.denied();
        assert!(denied[0].starts_with("spec.resourcePool: Invalid value: ") && denied[0].ends_with(": field is immutable"));
        assert_eq!(denied[1], "spec.folder: Invalid value: \"g\": field is immutable");
    }
}
