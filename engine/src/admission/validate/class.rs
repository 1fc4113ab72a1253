//! VM-V-060 to VM-V-063: a VM has a class; it may be another one where VMs can be resized. With the gate `VMImportNewNet` a privileged
//! user may do without one.
//!
//! Page: admission §7. Whether the class exists is for the controller to report.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateClassOnCreate`, `validateClassOnUpdate`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes, IMMUTABLE};
use crate::admission::changes::CLASS_NAME;
use crate::admission::request::Request;
use crate::features::Feature;

pub(in crate::admission) fn validate_create(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if !request.new.spec.class_name.is_empty() {
        return;
    }
    if !request.cx.on(Feature::VMImportNewNet) {
        causes.push(cause::required(CLASS_NAME.path));
    } else if !request.user.is_privileged() {
        causes.push(cause::forbidden(CLASS_NAME.path, "restricted to privileged users"));
    }
}

pub(in crate::admission) fn validate_update(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let new = &request.new.spec.class_name;
    if request.old_spec().is_none_or(|old| old.class_name == *new) {
        return;
    }
    if !request.cx.on(Feature::VMResize) && !request.cx.on(Feature::VMResizeCPUMemory) {
        causes.push(cause::invalid(CLASS_NAME.path, new, IMMUTABLE));
    } else if new.is_empty() && !(request.cx.on(Feature::VMImportNewNet) && request.user.is_privileged()) {
        causes.push(cause::required(CLASS_NAME.path));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    #[test]
    fn a_vm_has_a_class() {
        assert_eq!(Sample::vm().spec("className", Value::Null).privileged().denied(), ["spec.className: Required value"]);
        assert_eq!(Sample::vm().stored().spec("className", Value::Null).denied(), ["spec.className: Required value"]);
    }

    #[test]
    fn the_class_may_change_where_vms_can_be_resized() {
        let mut sample = Sample::vm().stored().spec("className", json!("large"));
        assert!(sample.admitted().is_ok());
        sample.settings.features.set(Feature::VMResizeCPUMemory, false);
        assert_eq!(sample.denied(), ["spec.className: Invalid value: \"large\": field is immutable"]);
    }
}
