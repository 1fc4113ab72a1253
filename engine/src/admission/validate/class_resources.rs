//! CL-V-01, CL-V-02: a new class asks for no more CPU and memory than it allows.
//!
//! Page: admission §17. Zero means nothing asked for, or no limit. Amounts count by their whole part, rounded up.
//!
//! Mirrors: vm-operator `webhooks/virtualmachineclass/validation`, `validatePolicies`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::units::Amount;

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

const FIELD: &str = "spec.policies.resources.requests";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachineClass>, causes: &mut Causes) {
    let policies = request.new.spec.policies.as_ref();
    let Some(resources) = policies.and_then(|policies| policies.resources.as_ref()) else { return };
    let (Some(requests), Some(limits)) = (&resources.requests, &resources.limits) else { return };
    if let Some(cpu) = excess(requests.cpu.as_ref(), limits.cpu.as_ref()) {
        causes.push(cause::invalid(format!("{FIELD}.cpu"), cpu, "CPU request must not be larger than the CPU limit"));
    }
    if let Some(memory) = excess(requests.memory.as_ref(), limits.memory.as_ref()) {
        causes.push(cause::invalid(format!("{FIELD}.memory"), memory, "memory request must not be larger than the memory limit"));
    }
}

/// The amount asked for, if it is more than the limit.
pub(super) fn excess<'a>(request: Option<&'a Quantity>, limit: Option<&Quantity>) -> Option<&'a str> {
    let request = request?;
    // A quantity that can't be read is the schema's to refuse.
    let value = |quantity: &Quantity| Amount::parse(&quantity.0).ok().map(Amount::value_up).filter(|value| *value != 0);
    (value(request)? > value(limit?)?).then_some(&request.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn class(requests: Value, limits: Value) -> Sample {
        Sample::class().spec("policies", json!({"resources": {"requests": requests, "limits": limits}}))
    }

    #[test]
    fn requests_stay_within_limits() {
        assert!(class(json!({"cpu": "1500m", "memory": "1Gi"}), json!({"cpu": "2", "memory": "1Gi"})).admitted().is_ok());
        assert!(class(json!({"cpu": "4"}), json!({"cpu": "0"})).admitted().is_ok());
        assert_eq!(
            class(json!({"cpu": "3", "memory": "2Gi"}), json!({"cpu": "2", "memory": "1Gi"})).denied(),
            [
                "spec.policies.resources.requests.cpu: Invalid value: \"3\": CPU request must not be larger than the CPU limit",
                "spec.policies.resources.requests.memory: Invalid value: \"2Gi\": memory request must not be larger than the memory limit",
            ]
        );
    }

    #[test]
    fn a_class_may_change_freely() {
        let stored = Sample::class().stored();
        let policies = json!({"resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "2"}}});
        assert!(stored.spec("policies", policies).admitted().is_ok());
    }
}
