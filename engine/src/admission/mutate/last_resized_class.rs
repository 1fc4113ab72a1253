//! VM-M-021: the first change of a VM's class records the class that it had.
//!
//! Page: admission §3.2. The record is kept up to date by the resize itself; here it only begins.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetLastResizeAnnotation`.

use serde_json::json;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::keys::LAST_RESIZED;
use crate::admission::request::{Denial, Request};
use crate::draft::Draft;
use crate::features::Feature;

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let old = request.old_spec().map(|old| old.class_name.as_str()).unwrap_or_default();
    let resizable = request.cx.on(Feature::VMResize) || request.cx.on(Feature::VMResizeCPUMemory);
    let another_instance = request.cx.on(Feature::ImmutableClasses) && request.old_spec().is_some_and(|old| old.class != vm.spec().class);
    if resizable && (old != vm.spec().class_name || another_instance) && vm.annotation(LAST_RESIZED).is_none() {
        vm.annotate(LAST_RESIZED, Some(&json!({"name": old}).to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    const KEY: &str = "vmoperator.vmware.com/last-resized-vm-class";

    #[test]
    fn a_first_change_records_the_class_before() {
        let vm = Sample::vm().stored().spec("className", json!("large")).updated();
        assert_eq!(vm["metadata"]["annotations"][KEY], r#"{"name":"my-class"}"#);
        assert_eq!(Sample::vm().stored().updated()["metadata"]["annotations"][KEY], json!(null));
    }

    #[test]
    fn a_record_stays_as_it_is() {
        let vm = Sample::vm().annotation(KEY, r#"{"name":"first"}"#).stored().spec("className", json!("large")).updated();
        assert_eq!(vm["metadata"]["annotations"][KEY], r#"{"name":"first"}"#);
    }
}
