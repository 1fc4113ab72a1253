//! VM-V-010 to VM-V-012: a new VM can't be restarted, and a restart is an instant by the time it gets here.
//!
//! Page: admission §4. What may be asked for is the mutation's business (VM-M-020).
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateNextRestartTimeOnCreate`, `validateNextRestartTimeOnUpdate`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::time::Timestamp;

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

const FIELD: &str = "spec.nextRestartTime";

pub(in crate::admission) fn validate_create(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let asked = &request.new.spec.next_restart_time;
    if !asked.is_empty() {
        causes.push(cause::invalid(FIELD, asked, "cannot restart VM on create"));
    }
}

pub(in crate::admission) fn validate_update(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let asked = &request.new.spec.next_restart_time;
    if asked.is_empty() || request.old_spec().is_some_and(|old| old.next_restart_time == *asked) {
        return;
    }
    if asked.eq_ignore_ascii_case("now") {
        causes.push(cause::invalid(FIELD, asked, "mutation webhooks are required to restart VM"));
    } else if Timestamp::parse(asked).is_err() {
        causes.push(cause::invalid(FIELD, asked, "must be formatted as RFC3339Nano"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::validate_update;
    use crate::admission::samples::Sample;

    #[test]
    fn a_new_vm_cannot_be_restarted() {
        let text = "spec.nextRestartTime: Invalid value: \"now\": cannot restart VM on create";
        assert_eq!(Sample::vm().spec("nextRestartTime", json!("now")).denied(), [text]);
    }

    #[test]
    fn a_restart_that_no_mutation_saw_is_refused() {
        let asked = |time: &str| {
            let sample = Sample::vm().stored().spec("nextRestartTime", json!(time));
            sample.found_by(validate_update)
        };
        let no_mutation = "spec.nextRestartTime: Invalid value: \"now\": mutation webhooks are required to restart VM";
        assert_eq!(asked("now"), [no_mutation]);
        assert_eq!(asked("5m"), ["spec.nextRestartTime: Invalid value: \"5m\": must be formatted as RFC3339Nano"]);
        assert_eq!(asked("2026-01-01T00:00:00Z"), [""; 0]);
    }
}
