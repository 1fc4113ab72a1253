//! VM-V-064 to VM-V-066: an instance of a class that a VM names is there, is the active one, and is of the VM's class.
//!
//! Page: admission §7; gate `ImmutableClasses`. On an update it is looked at if the class changes.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateClassInstance`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class_instance::VirtualMachineClassInstance;

use crate::admission::cause::{self, Causes};
use crate::admission::class_instance::{is_active, owning_class};
use crate::admission::request::Request;
use crate::features::Feature;

const FIELD: &str = "spec.class.name";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let spec = request.new.spec;
    let same_class = request.old_spec().is_some_and(|old| old.class_name == spec.class_name);
    let Some(class) = spec.class.as_ref().filter(|_| request.cx.on(Feature::ImmutableClasses) && !same_class) else { return };
    let instance = request.cx.cache.view::<VirtualMachineClassInstance>(request.namespace(), &class.name);
    let Some(instance) = instance.map(|instance| instance.object) else {
        let text = "must specify a valid reference to a VirtualMachineClassInstance object";
        causes.push(cause::invalid(FIELD, &class.name, text));
        return;
    };
    if !is_active(instance) {
        let text = "must specify a reference to a VirtualMachineClassInstance object that is active";
        causes.push(cause::invalid(FIELD, &class.name, text));
    }
    if owning_class(instance) != Some(&spec.class_name) {
        let text = "VirtualMachineClassInstance must be an instance of the VM Class specified by spec.class";
        causes.push(cause::invalid(FIELD, &class.name, text));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn instance(labels: Value, class: &str) -> Value {
        json!({
            "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClassInstance",
            "metadata": {
                "name": "one", "namespace": "my-namespace", "labels": labels,
                "ownerReferences": [{"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClass", "name": class, "uid": "1"}]
            },
            "spec": {}
        })
    }

    fn sample() -> Sample {
        let class = json!({"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClassInstance", "name": "one"});
        Sample::vm().with(Feature::ImmutableClasses).spec("class", class)
    }

    #[test]
    fn an_instance_is_there_active_and_of_the_class() {
        let active = json!({"vmoperator.vmware.com/active": ""});
        assert!(sample().given(instance(active, "my-class")).admitted().is_ok());
        let invalid = |text: &str| format!("spec.class.name: Invalid value: \"one\": {text}");
        let missing = invalid("must specify a valid reference to a VirtualMachineClassInstance object");
        assert_eq!(sample().denied(), [missing]);
        let both = [
            invalid("must specify a reference to a VirtualMachineClassInstance object that is active"),
            invalid("VirtualMachineClassInstance must be an instance of the VM Class specified by spec.class"),
        ];
        assert_eq!(sample().given(instance(json!({}), "other")).denied(), both);
    }

    #[test]
    fn an_update_that_keeps_the_class_is_not_looked_at() {
        let stored = sample().spec("powerState", json!("PoweredOn")).imported();
        assert!(stored.clone().admitted().is_ok());
        assert_eq!(stored.spec("className", json!("other")).denied().len(), 1);
    }
}
