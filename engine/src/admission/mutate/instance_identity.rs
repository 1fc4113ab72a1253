//! VM-M-005, VM-M-006: the instance UUID of a new VM is drawn, and privileged users alone may choose it.
//!
//! Page: admission §3.1.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetDefaultInstanceUUID`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause;
use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    if vm.spec().instance_uuid.is_empty() {
        let key = (request.namespace(), request.name(), request.cx.now.as_nanos());
        vm.spec_mut().instance_uuid = request.cx.rng.draw("engine/admission/instance-uuid", key).uuid().to_string();
    } else if !request.user.is_privileged() {
        return Err(cause::forbidden("spec.instanceUUID", "only privileged users may set this field").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    const CHOSEN: &str = "11223344-5566-4778-899a-abbccddeeff0";

    #[test]
    fn a_uuid_of_version_four_is_drawn_for_each_vm() {
        let (first, second) = (Sample::vm().created(), Sample::vm().named("other").created());
        let uuid = first["spec"]["instanceUUID"].as_str().unwrap_or_default();
        assert_eq!((uuid.len(), &uuid[14..15], uuid), (36, "4", uuid.to_lowercase().as_str()));
        assert_ne!(uuid, second["spec"]["instanceUUID"]);
        assert_eq!(first["spec"]["instanceUUID"], Sample::vm().created()["spec"]["instanceUUID"]);
    }

    #[test]
    fn privileged_users_alone_choose_it() {
        let sample = Sample::vm().spec("instanceUUID", json!(CHOSEN));
        assert_eq!(sample.denied_by_mutation(), "spec.instanceUUID: Forbidden: only privileged users may set this field");
        assert_eq!(sample.privileged().created()["spec"]["instanceUUID"], CHOSEN);
    }
}
