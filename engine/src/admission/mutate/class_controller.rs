//! CL-M-01: a class's controller name can be replaced, but not emptied.
//!
//! Page: admission §17.
//!
//! Mirrors: vm-operator `webhooks/virtualmachineclass/mutation`, `SetControllerName`.

use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;

use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

pub(in crate::admission) fn default(
    request: &Request<'_, VirtualMachineClass>,
    class: &mut Draft<VirtualMachineClass>,
) -> Result<(), Denial> {
    if let Some(old) = request.old.filter(|old| class.spec().controller_name.is_empty() && !old.spec.controller_name.is_empty()) {
        class.spec_mut().controller_name.clone_from(&old.spec.controller_name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    #[test]
    fn an_emptied_name_is_put_back_and_another_one_taken() {
        let stored = Sample::class().spec("controllerName", json!("vmoperator.vmware.com/vsphere")).stored();
        let emptied = stored.clone().spec("controllerName", json!(null)).updated();
        assert_eq!(emptied["spec"]["controllerName"], "vmoperator.vmware.com/vsphere");
        assert_eq!(stored.spec("controllerName", json!("other")).updated()["spec"]["controllerName"], "other");
    }
}
