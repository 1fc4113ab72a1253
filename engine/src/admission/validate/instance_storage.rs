//! VM-V-129: volumes of instance storage come from the class; privileged users alone may touch them.
//!
//! Page: admission §12.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateInstanceStorageVolumes`.

use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineSpec, VolumeSpec};

use crate::admission::cause::{self, Causes};
use crate::admission::changes::{self, May};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let free = request.user.is_privileged() || changes::INSTANCE_STORAGE.may(changes::power(request)) != May::Privileged;
    if !free && !volumes(request.new.spec).eq(request.old_spec().into_iter().flat_map(volumes)) {
        causes.push(cause::forbidden("spec.volumes", "adding or modifying instance storage volume claim(s) is not allowed"));
    }
}

fn volumes(spec: &VirtualMachineSpec) -> impl Iterator<Item = &VolumeSpec> {
    spec.volumes.iter().filter(|volume| {
        let claim = volume.persistent_volume_claim.as_ref();
        claim.is_some_and(|claim| claim.instance_volume_claim.is_some())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn volume(size: &str) -> Value {
        let claim = json!({"claimName": "x", "instanceVolumeClaim": {"size": size, "storageClass": "local"}});
        json!([{"name": "a", "persistentVolumeClaim": claim}])
    }

    #[test]
    fn privileged_users_alone_touch_instance_storage() {
        let text = "spec.volumes: Forbidden: adding or modifying instance storage volume claim(s) is not allowed";
        let created = Sample::vm().spec("volumes", volume("1Gi"));
        assert_eq!(created.denied(), [text]);
        assert!(created.clone().privileged().admitted().is_ok());
        let stored = created.stored();
        assert!(stored.admitted().is_ok());
        assert_eq!(stored.spec("volumes", volume("2Gi")).denied(), [text]);
    }
}
