//! VM-M-011: a new VM that names its class takes the class' active instance, and one that names an instance gets the class' name.
//!
//! Page: admission §3.1; gate `ImmutableClasses`.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `ResolveClassAndClassName`.

use vmtwin_model::kube::Resource;
use vmtwin_model::kube::reference::LocalObjectRef;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class_instance::VirtualMachineClassInstance;

use crate::admission::class_instance::{is_active, owning_class};
use crate::admission::request::{Denial, Request};
use crate::draft::Draft;
use crate::features::Feature;

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let (cx, namespace) = (&request.cx, request.namespace());
    if !cx.on(Feature::ImmutableClasses) {
        return Ok(());
    }
    let class_name = &vm.spec().class_name;
    match &vm.spec().class {
        None if !class_name.is_empty() => {
            let instances = cx.cache.list(VirtualMachineClassInstance::KIND, Some(namespace));
            let mut active = instances.filter(|instance| is_active(instance) && owning_class(instance) == Some(class_name));
            if let Some(instance) = active.next() {
                let info = VirtualMachineClassInstance::KIND.info();
                let name = instance.key.name.to_string();
                vm.spec_mut().class = Some(LocalObjectRef { api_version: info.api_version(), kind: info.kind.to_owned(), name });
            }
        }
        Some(class) if class_name.is_empty() => {
            if class.name.is_empty() {
                return Err(Denial::Text("empty class instance name".to_owned()));
            }
            let instance = cx.cache.view::<VirtualMachineClassInstance>(namespace, &class.name).map(|instance| instance.object);
            let Some(instance) = instance.filter(|instance| is_active(instance)) else {
                return Err(Denial::Text("must specify a VirtualMachineClassInstance that is active".to_owned()));
            };
            if let Some(class) = owning_class(instance) {
                vm.spec_mut().class_name = class.to_owned();
            }
        }
        None | Some(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn instance(name: &str, active: bool) -> Value {
        let labels = if active { json!({"vmoperator.vmware.com/active": ""}) } else { json!({}) };
        json!({
            "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClassInstance",
            "metadata": {
                "name": name, "namespace": "my-namespace", "labels": labels,
                "ownerReferences": [{"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClass", "name": "my-class", "uid": "1"}]
            },
            "spec": {}
        })
    }

    fn sample() -> Sample {
        Sample::vm().with(Feature::ImmutableClasses).given(instance("old", false)).given(instance("new", true))
    }

    #[test]
    fn a_class_stands_for_its_active_instance() {
        assert_eq!(sample().created()["spec"]["class"]["name"], "new");
        assert_eq!(Sample::vm().given(instance("new", true)).created()["spec"]["class"], json!(null), "the gate is off");
    }

    #[test]
    fn an_active_instance_stands_for_its_class() {
        let named = |name: &str| {
            let class = json!({"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineClassInstance", "name": name});
            sample().spec("className", json!("")).spec("class", class)
        };
        assert_eq!(named("new").created()["spec"]["className"], "my-class");
        for name in ["old", "none"] {
            assert_eq!(named(name).denied_by_mutation(), "must specify a VirtualMachineClassInstance that is active");
        }
        assert_eq!(named("").denied_by_mutation(), "empty class instance name");
    }
}
