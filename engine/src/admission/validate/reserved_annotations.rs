//! VM-V-020 to VM-V-023: annotations that the system writes are for privileged users.
//!
//! Page: admission §5.1. Values are compared as strings; an absent one is empty. The stamps of the creation are overwritten on a
//! create, so they are looked at on updates alone.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateAnnotation`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::changes::{self, May};
use crate::admission::keys;
use crate::admission::request::Request;

const ALWAYS: [&str; 7] = [
    "vmoperator.vmware.com/cloud-init-instance-id",
    "virtualmachine.vmoperator.vmware.com/first-boot-done",
    "vmoperator.vmware.com/restored-vm",
    keys::FAILED_OVER_VM,
    "vmoperator.vmware.com/imported-vm",
    "mgmt.proxy.vmware.com/allowlist",
    "mgmt.proxy.vmware.com/watermark",
];

const ON_UPDATE: [&str; 3] = [keys::CREATED_AT_BUILD_VERSION, keys::CREATED_AT_SCHEMA_VERSION, keys::CLUSTER_MODULE_GROUP];

pub(in crate::admission) fn validate_create(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    validate(request, &ALWAYS, causes);
}

pub(in crate::admission) fn validate_update(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    validate(request, &ALWAYS, causes);
    validate(request, &ON_UPDATE, causes);
}

fn validate(request: &Request<'_, VirtualMachine>, reserved: &[&str], causes: &mut Causes) {
    if request.user.is_privileged() || changes::RESERVED.may(changes::power(request)) != May::Privileged {
        return;
    }
    for key in reserved.iter().filter(|key| request.old_annotation(key) != request.new_annotation(key)) {
        let text = "modifying this annotation is not allowed for non-admin users";
        causes.push(cause::forbidden(keys::annotation_path(key), text));
    }
}

#[cfg(test)]
mod tests {
    use super::{ALWAYS, ON_UPDATE};
    use crate::admission::samples::Sample;

    fn refused(key: &str) -> String {
        format!("metadata.annotations[{key}]: Forbidden: modifying this annotation is not allowed for non-admin users")
    }

    #[test]
    fn reserved_annotations_are_for_privileged_users() {
        for key in ALWAYS {
            let sample = Sample::vm().annotation(key, "x");
            assert_eq!(sample.denied(), [refused(key)]);
            assert!(sample.clone().privileged().admitted().is_ok());
            assert!(sample.annotation(key, "").admitted().is_ok());
        }
    }

    #[test]
    fn some_are_looked_at_on_updates_alone() {
        for key in ON_UPDATE {
            assert_eq!(
                Sample::vm().spec("reserved", serde_json::json!({"resourcePolicyName": "p"})).stored().annotation(key, "x").denied(),
                [refused(key)]
            );
        }
        assert!(Sample::vm().annotation(ON_UPDATE[0], "x").admitted().is_ok());
    }
}
