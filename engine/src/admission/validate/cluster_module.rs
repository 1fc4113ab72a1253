//! VM-V-025: a cluster module is one of a set resource policy, so the VM names that too. Holds for everyone.
//!
//! Page: admission §5.1.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateAnnotation`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::keys::{self, CLUSTER_MODULE_GROUP};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let policy = request.new.spec.reserved.as_ref().map_or("", |reserved| &reserved.resource_policy_name);
    if policy.is_empty() && !request.new_annotation(CLUSTER_MODULE_GROUP).is_empty() {
        let text = "cluster module assignment requires spec.reserved.resourcePolicyName to specify a VirtualMachineSetResourcePolicy";
        causes.push(cause::forbidden(keys::annotation_path(CLUSTER_MODULE_GROUP), text));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    #[test]
    fn a_cluster_module_needs_a_resource_policy() {
        let sample = Sample::vm().annotation("vsphere-cluster-module-group", "m").privileged();
        let text = "metadata.annotations[vsphere-cluster-module-group]: Forbidden: cluster module assignment requires \
                    spec.reserved.resourcePolicyName to specify a VirtualMachineSetResourcePolicy";
        assert_eq!(sample.denied(), [text]);
        assert!(sample.spec("reserved", json!({"resourcePolicyName": "p"})).admitted().is_ok());
    }
}
