//! VM-V-136, VM-V-137: where a volume hangs is said whole, on a controller that is there, in a slot that is free.
//!
//! Page: admission §12; gates `VMSharedDisks`, `AllDisksArePVCs`. A new VM may leave it to the operator; an update may not, since
//! mutation fills it in.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateControllerFields`, `validateControllers`.

use vmtwin_model::kube::virtual_machine::{VirtualMachine, VolumeSpec};

use super::upgrade::is_upgraded;
use super::volumes::is_exempt;
use crate::admission::cause::{self, Causes};
use crate::admission::controllers::{self, Controller, Slots, place_of_cdrom};
use crate::admission::request::Request;
use crate::features::Feature;

const IDE_CONTROLLERS: usize = 2;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let (shared, claims) = (request.cx.on(Feature::VMSharedDisks), request.cx.on(Feature::AllDisksArePVCs));
    if !(shared || claims) || is_exempt(request) {
        return;
    }
    for (index, volume) in request.new.spec.volumes.iter().enumerate() {
        validate_whole(&format!("spec.volumes[{index}]"), volume, request.old.is_some(), causes);
    }
    if shared && is_upgraded(request.new) {
        validate_slots(request, causes);
    }
}

/// VM-V-136.
fn validate_whole(path: &str, volume: &VolumeSpec, exists: bool, causes: &mut Causes) {
    let (kind, bus, unit) = (volume.controller_type.is_some(), volume.controller_bus_number.is_some(), volume.unit_number.is_some());
    let parts = [
        ("unitNumber", exists && !unit),
        ("controllerType", (exists || unit || bus) && !kind),
        ("controllerBusNumber", (exists || unit || kind) && !bus),
    ];
    causes.extend(parts.iter().filter(|(_, missing)| *missing).map(|(part, _)| cause::required(format!("{path}.{part}"))));
}

/// VM-V-137.
fn validate_slots(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(hardware) = &request.new.spec.hardware else { return };
    let ide = hardware.ide_controllers.len();
    // An older VM may have fewer; that is nothing that this update did.
    let before = request.old_spec().and_then(|old| old.hardware.as_ref()).map(|hardware| hardware.ide_controllers.len());
    if ide != IDE_CONTROLLERS && before != Some(ide) {
        let text = format!("must have exactly {IDE_CONTROLLERS} controllers");
        causes.push(cause::invalid("spec.hardware.ideControllers", &format!("{ide} controllers"), &text));
    }
    let there = controllers::all(Some(hardware));
    let mut slots = Slots::default();
    for (id, unit) in hardware.cdrom.iter().filter_map(place_of_cdrom) {
        slots.take(id, unit);
    }
    for (index, volume) in request.new.spec.volumes.iter().enumerate() {
        validate_slot(&format!("spec.volumes[{index}]"), volume, &there, &mut slots, causes);
    }
}

/// The first that is wrong with a slot.
fn validate_slot(path: &str, volume: &VolumeSpec, there: &[Controller], slots: &mut Slots, causes: &mut Causes) {
    let (Some(kind), Some(bus)) = (volume.controller_type, volume.controller_bus_number) else { return };
    let mut wrong = |field: &str, value: i32, text: String| causes.push(cause::invalid(format!("{path}.{field}"), value, &text));
    let buses = controllers::most(kind);
    if !(0..buses).contains(&bus) {
        wrong("controllerBusNumber", bus, format!("must be between 0 and {}", buses - 1));
        return;
    }
    // A slot that is said in part is the next update's to complete.
    let Some(unit) = volume.unit_number else { return };
    let Some(controller) = controllers::of_volume(volume, there) else {
        wrong("controllerBusNumber", bus, format!("controller {kind}:{bus} does not exist"));
        return;
    };
    if !(0..controller.slots()).contains(&unit) {
        wrong("unitNumber", unit, format!("unit number must be between 0 and {} for {kind} controller", controller.slots() - 1));
    } else if controller.own_slot() == Some(unit) {
        wrong("unitNumber", unit, format!("unit number {unit} is reserved for the {kind} controller itself"));
    } else if !slots.take(controller.id, unit) {
        wrong("unitNumber", unit, format!("controller unit number {kind}:{bus}:{unit} is already in use"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn sample(hardware: Value, volumes: Value) -> Sample {
        Sample::vm().with(Feature::VMSharedDisks).spec("hardware", hardware).spec("volumes", volumes)
    }

    fn ide() -> Value {
        json!([{"busNumber": 0}, {"busNumber": 1}])
    }

    fn on(name: &str, kind: &str, bus: i32, unit: i32) -> Value {
        json!({"name": name, "controllerType": kind, "controllerBusNumber": bus, "unitNumber": unit})
    }

    #[test]
    fn a_new_volume_says_all_or_nothing() {
        let volumes = json!([{"name": "a"}, {"name": "b", "unitNumber": 1}, {"name": "c", "controllerType": "SCSI"}]);
        let expected = [
            "spec.volumes[1].controllerType: Required value",
            "spec.volumes[1].controllerBusNumber: Required value",
            "spec.volumes[2].controllerBusNumber: Required value",
        ];
        assert_eq!(sample(json!({"ideControllers": ide()}), volumes).denied(), expected);
    }

    #[test]
    fn the_slot_is_one_that_is_there_and_free() {
        let scsi = json!([{"busNumber": 1, "type": "LsiLogic"}]);
        let volumes = json!([
            on("a", "SCSI", 4, 0),
            on("b", "SCSI", 2, 0),
            on("c", "SCSI", 1, 16),
            on("d", "SCSI", 1, 7),
            on("e", "SCSI", 1, 1),
            on("f", "SCSI", 1, 1)
        ]);
        let expected = [
            "spec.volumes[0].controllerBusNumber: Invalid value: 4: must be between 0 and 3",
            "spec.volumes[1].controllerBusNumber: Invalid value: 2: controller SCSI:2 does not exist",
            "spec.volumes[2].unitNumber: Invalid value: 16: unit number must be between 0 and 15 for SCSI controller",
            "spec.volumes[3].unitNumber: Invalid value: 7: unit number 7 is reserved for the SCSI controller itself",
            "spec.volumes[5].unitNumber: Invalid value: 1: controller unit number SCSI:1:1 is already in use",
        ];
        assert_eq!(sample(json!({"ideControllers": ide(), "scsiControllers": scsi}), volumes).denied(), expected);
    }

    #[test]
    fn there_are_two_ide_controllers() {
        let one = sample(json!({"ideControllers": [{"busNumber": 0}]}), json!([]));
        let text = "spec.hardware.ideControllers: Invalid value: \"1 controllers\": must have exactly 2 controllers";
        assert_eq!(one.denied(), [text]);
    }
}
