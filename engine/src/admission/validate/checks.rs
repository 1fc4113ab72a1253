//! VM-V-030 to VM-V-033: who may add, change and take off the checks that hold back a power-on or a delete.
//!
//! Page: admission §5.2. Anyone may create a VM with a power-on check; all else is for privileged users. Each key stands by itself.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateChecks`.

use std::collections::BTreeSet;

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::changes::{self, May};
use crate::admission::keys::{DELETE_CHECK, POWER_ON_CHECK};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if request.user.is_privileged() || changes::CHECKS.may(changes::power(request)) != May::Privileged {
        return;
    }
    for prefix in [POWER_ON_CHECK, DELETE_CHECK] {
        let objects = request.old.iter().chain([&request.new]);
        let keys = objects.flat_map(|object| object.meta.annotations.iter().flatten().map(|(key, _)| key.as_str()));
        for key in keys.filter(|key| key.starts_with(prefix)).collect::<BTreeSet<&str>>() {
            let old = request.old.and_then(|old| old.object.annotation(key));
            let what = match (old, request.new.object.annotation(key)) {
                (None, Some(_)) if request.old.is_none() && prefix == POWER_ON_CHECK => continue,
                (None, Some(_)) => "adding",
                (Some(old), Some(new)) if old != new => "modifying",
                (Some(_), None) => "removing",
                (Some(_), Some(_)) | (None, None) => continue,
            };
            let text = format!("{what} this annotation is restricted to privileged users");
            causes.push(cause::forbidden(format!("metadata.annotations.{key}"), &text));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::admission::samples::Sample;

    const POWER_ON: &str = "poweron.check.vmoperator.vmware.com/app";
    const DELETE: &str = "delete.check.vmoperator.vmware.com/app";

    fn refused(what: &str, key: &str) -> Vec<String> {
        vec![format!("metadata.annotations.{key}: Forbidden: {what} this annotation is restricted to privileged users")]
    }

    #[test]
    fn a_new_vm_may_have_a_power_on_check_but_no_delete_check() {
        assert!(Sample::vm().annotation(POWER_ON, "wait").admitted().is_ok());
        assert_eq!(Sample::vm().annotation(DELETE, "wait").denied(), refused("adding", DELETE));
        assert!(Sample::vm().annotation(DELETE, "wait").privileged().admitted().is_ok());
    }

    #[test]
    fn the_checks_of_a_vm_are_for_privileged_users() {
        for key in [POWER_ON, DELETE] {
            let stored = Sample::vm().annotation(key, "wait").stored();
            assert!(stored.admitted().is_ok());
            let requests = [
                ("adding", Sample::vm().stored().annotation(key, "wait")),
                ("modifying", stored.clone().annotation(key, "longer")),
                ("removing", stored.privileged().meta("annotations", Value::Null).asked_by("devops")),
            ];
            for (what, request) in requests {
                assert!(request.denied().contains(&refused(what, key)[0]), "{what} {key}");
                assert!(request.privileged().admitted().is_ok());
            }
        }
    }
}
