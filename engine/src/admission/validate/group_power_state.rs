//! GR-V-03: a group that has a power state keeps having one. Any one may follow any other.
//!
//! Page: admission §16.2.
//!
//! Mirrors: vm-operator `webhooks/virtualmachinegroup/validation`, `validatePowerState`.

use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachineGroup>, causes: &mut Causes) {
    let had = request.old.is_some_and(|old| old.spec.power_state.is_some());
    if had && request.new.spec.power_state.is_none() {
        causes.push(cause::forbidden("spec.powerState", "cannot set powerState to empty once it's been set"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    #[test]
    fn a_power_state_may_change_but_not_go() {
        let stored = Sample::group().spec("powerState", json!("Suspended")).stored();
        assert!(stored.clone().spec("powerState", json!("PoweredOff")).admitted().is_ok());
        let text = "spec.powerState: Forbidden: cannot set powerState to empty once it's been set";
        assert_eq!(stored.spec("powerState", Value::Null).denied(), [text]);
    }
}
