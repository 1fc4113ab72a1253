//! VM-M-014: a new VM has two IDE controllers unless it names its own.
//!
//! Page: admission §3.1.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetDefaultControllers`.

use vmtwin_model::kube::virtual_machine::{IdeControllerSpec, VirtualMachine};

use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

pub(in crate::admission) fn default(_: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let controllers = &mut vm.spec_mut().hardware.get_or_insert_default().ide_controllers;
    if controllers.is_empty() {
        controllers.extend([0, 1].map(|bus_number| IdeControllerSpec { bus_number }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    #[test]
    fn two_controllers_are_added_where_none_is_named() {
        assert_eq!(Sample::vm().created()["spec"]["hardware"]["ideControllers"], json!([{"busNumber": 0}, {"busNumber": 1}]));
        let named = Sample::vm().spec("hardware", json!({"ideControllers": [{"busNumber": 1}]}));
        assert_eq!(named.created()["spec"]["hardware"]["ideControllers"], json!([{"busNumber": 1}]));
    }
}
