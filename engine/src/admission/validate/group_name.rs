//! VM-V-194: a VM may join any group, which needn't exist yet; without the gate `VMGroups` there are none to join.
//!
//! Page: admission §2.4 and §15.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateGroupName`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::changes::GROUP_NAME;
use crate::admission::request::Request;
use crate::features::Feature;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let group = &request.new.spec.group_name;
    if !group.is_empty() && !request.cx.on(Feature::VMGroups) {
        causes.push(cause::invalid(GROUP_NAME.path, group, "the VM Groups feature is not enabled"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    #[test]
    fn a_vm_may_join_a_group_where_there_are_groups() {
        let mut sample = Sample::vm().spec("groupName", json!("nowhere"));
        assert!(sample.admitted().is_ok());
        sample.settings.features.set(Feature::VMGroups, false);
        assert_eq!(sample.denied(), ["spec.groupName: Invalid value: \"nowhere\": the VM Groups feature is not enabled"]);
    }
}
