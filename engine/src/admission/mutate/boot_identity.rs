//! VM-M-007: the BIOS UUID of a new VM is drawn unless it is given, and is cloud-init's instance id unless that is given.
//!
//! Page: admission §3.1. Who may give one is VM-V-078's business.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetDefaultBiosUUID`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let spec = vm.spec_mut();
    if spec.bios_uuid.is_empty() {
        let key = (request.namespace(), request.name(), request.cx.now.as_nanos());
        spec.bios_uuid = request.cx.rng.draw("engine/admission/bios-uuid", key).uuid().to_string();
    }
    if let Some(cloud_init) = spec.bootstrap.as_mut().and_then(|bootstrap| bootstrap.cloud_init.as_mut())
        && cloud_init.instance_id.is_empty()
    {
        cloud_init.instance_id.clone_from(&spec.bios_uuid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    #[test]
    fn the_drawn_uuid_is_cloud_inits_instance_id_too() {
        let vm = Sample::vm().spec("bootstrap", json!({"cloudInit": {}})).created();
        assert_eq!(vm["spec"]["biosUUID"].as_str().map(str::len), Some(36));
        assert_eq!(vm["spec"]["bootstrap"]["cloudInit"]["instanceID"], vm["spec"]["biosUUID"]);
        assert_ne!(vm["spec"]["biosUUID"], vm["spec"]["instanceUUID"]);
    }

    #[test]
    fn a_given_instance_id_stays() {
        let vm = Sample::vm().spec("bootstrap", json!({"cloudInit": {"instanceID": "i-1"}})).created();
        assert_eq!(vm["spec"]["bootstrap"]["cloudInit"]["instanceID"], "i-1");
    }
}
