//! VM-M-013: a new VM says which operator and API version it was created with, whatever its manifest says.
//!
//! Page: admission §3.1.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetCreatedAtAnnotations`.

use vmtwin_model::kube::Resource;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::keys;
use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

pub(in crate::admission) fn default(_: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    vm.annotate(keys::CREATED_AT_BUILD_VERSION, Some(env!("CARGO_PKG_VERSION")));
    vm.annotate(keys::CREATED_AT_SCHEMA_VERSION, Some(VirtualMachine::KIND.info().version));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::admission::samples::Sample;

    #[test]
    fn a_made_up_stamp_is_overwritten() {
        let vm = Sample::vm().annotation("vmoperator.vmware.com/created-at-schema-version", "v9").created();
        assert_eq!(vm["metadata"]["annotations"]["vmoperator.vmware.com/created-at-schema-version"], "v1alpha5");
        assert!(vm["metadata"]["annotations"]["vmoperator.vmware.com/created-at-build-version"].is_string());
    }
}
