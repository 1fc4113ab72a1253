//! VM-V-127, VM-V-128: a volume that says so can't be removed, nor one that stands for a disk of the image.
//!
//! Page: admission §12. Paths count in the old list.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateVolumeRemoval`.

use vmtwin_model::kube::virtual_machine::{VirtualMachine, VolumeSpec};

use super::volumes::is_exempt;
use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(old) = request.old_spec().filter(|_| !is_exempt(request)) else { return };
    let new = &request.new.spec.volumes;
    for (index, volume) in old.volumes.iter().enumerate() {
        if new.iter().any(|new| new.name == volume.name) {
            continue;
        }
        if volume.removable == Some(false) {
            causes.push(cause::forbidden(format!("spec.volumes[{index}]"), "cannot remove volume with removable=false"));
        }
        if stands_for_disk(volume) {
            let text = format!("{}: removing volume backfilled from classic disk is not allowed", volume.name);
            causes.push(cause::forbidden("spec.volumes", &text));
        }
    }
}

fn stands_for_disk(volume: &VolumeSpec) -> bool {
    volume.persistent_volume_claim.is_none()
        && volume.controller_type.is_some()
        && volume.controller_bus_number.is_some()
        && volume.unit_number.is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn without(volume: Value) -> Sample {
        Sample::vm().spec("volumes", json!([volume])).stored().spec("volumes", json!([]))
    }

    #[test]
    fn a_volume_can_be_removed_unless_it_says_otherwise() {
        let claim = json!({"claimName": "x"});
        assert!(without(json!({"name": "a", "persistentVolumeClaim": claim})).admitted().is_ok());
        let fixed = without(json!({"name": "a", "persistentVolumeClaim": claim, "removable": false}));
        assert_eq!(fixed.denied(), ["spec.volumes[0]: Forbidden: cannot remove volume with removable=false"]);
    }

    #[test]
    fn a_disk_of_the_image_stays() {
        let disk = without(json!({"name": "disk-0", "controllerType": "SCSI", "controllerBusNumber": 0, "unitNumber": 0}));
        assert_eq!(disk.denied(), ["spec.volumes: Forbidden: disk-0: removing volume backfilled from classic disk is not allowed"]);
    }
}
