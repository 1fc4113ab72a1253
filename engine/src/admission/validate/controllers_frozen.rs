//! VM-V-138: the SCSI controllers of a running VM keep make and sharing, and none is added beside one that other hosts share.
//!
//! Page: admission §12; gate `VMSharedDisks`. The desired power state before decides, whatever is asked for.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateControllerWhenPoweredOn`.

use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::{ControllerSharingMode, ControllerType, VirtualMachine};

use super::FROZEN_WHILE_ON;
use super::volumes::is_exempt;
use crate::admission::cause::{self, Causes};
use crate::admission::controllers::{self, Controller};
use crate::admission::request::Request;
use crate::features::Feature;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(old) = request.old_spec().filter(|old| old.power_state == Some(PowerState::PoweredOn)) else { return };
    if !request.cx.on(Feature::VMSharedDisks) || is_exempt(request) {
        return;
    }
    let (before, after) = (controllers::all(old.hardware.as_ref()), controllers::all(request.new.spec.hardware.as_ref()));
    let hot = before.iter().any(|controller| {
        let used = old.volumes.iter().any(|volume| controllers::of_volume(volume, &before) == Some(controller));
        controller.id.0 == ControllerType::Scsi && controller.sharing == ControllerSharingMode::Physical && used
    });
    for (list, kind) in [("nvmeControllers", ControllerType::Nvme), ("scsiControllers", ControllerType::Scsi)] {
        for (index, new) in after.iter().filter(|controller| controller.id.0 == kind).enumerate() {
            let path = format!("spec.hardware.{list}[{index}]");
            match before.iter().find(|old| old.id == new.id) {
                Some(old) => validate_same(&path, old, new, causes),
                None if kind == ControllerType::Scsi && hot => {
                    causes.push(cause::forbidden(path, "Hot-adding a new SCSI controller is not allowed when FSR is not supported"));
                }
                None => {}
            }
        }
    }
}

fn validate_same(path: &str, old: &Controller, new: &Controller, causes: &mut Causes) {
    if old.sharing != new.sharing {
        causes.push(cause::forbidden(format!("{path}.sharingMode"), FROZEN_WHILE_ON));
    }
    if old.make != new.make {
        causes.push(cause::forbidden(format!("{path}.type"), FROZEN_WHILE_ON));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn hardware(scsi: Value) -> Value {
        json!({"ideControllers": [{"busNumber": 0}, {"busNumber": 1}], "scsiControllers": scsi})
    }

    #[test]
    fn make_and_sharing_stay_while_the_vm_is_on() {
        let before = hardware(json!([{"busNumber": 1, "type": "ParaVirtual", "sharingMode": "None"}]));
        let stored = Sample::vm().with(Feature::VMSharedDisks).spec("hardware", before).stored();
        let changed = stored.spec("hardware", hardware(json!([{"busNumber": 1, "type": "LsiLogic", "sharingMode": "Virtual"}])));
        let text = |field: &str| {
            format!("spec.hardware.scsiControllers[0].{field}: Forbidden: updates to this field is not allowed when VM power is on")
        };
        assert_eq!(changed.denied(), [text("sharingMode"), text("type")]);
    }

    #[test]
    fn no_controller_is_added_beside_one_that_is_shared_and_used() {
        let physical = json!({"busNumber": 1, "sharingMode": "Physical"});
        let volume = json!([{"name": "q", "controllerType": "SCSI", "controllerBusNumber": 1, "unitNumber": 0}]);
        let vm = Sample::vm().with(Feature::VMSharedDisks).spec("hardware", hardware(json!([physical])));
        let more = hardware(json!([physical, {"busNumber": 2}]));
        let text = "spec.hardware.scsiControllers[1]: Forbidden: Hot-adding a new SCSI controller is not allowed when FSR is not supported";
        assert_eq!(vm.clone().spec("volumes", volume).stored().spec("hardware", more.clone()).denied(), [text]);
        assert!(vm.stored().spec("hardware", more).admitted().is_ok(), "nothing hangs on the shared one");
    }
}
