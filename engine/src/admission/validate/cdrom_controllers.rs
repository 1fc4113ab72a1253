//! VM-V-091 to VM-V-095: where a CD-ROM hangs is said whole, is an IDE or SATA controller, and is nobody else's slot.
//!
//! Page: admission §9; gate `VMSharedDisks`. A new VM may leave it to the operator; an upgraded VM says it, since mutation fills it in.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateCdromControllerSpecsOnCreate`,
//! `validateCdromControllerSpecsOnUpdate`.

use vmtwin_model::kube::virtual_machine::{CdromSpec, ControllerSharingMode, ControllerType, VirtualMachine};

use super::cdroms;
use super::upgrade::is_upgraded;
use crate::admission::cause::{self, Causes};
use crate::admission::controllers::{self, Controller, Slots, place_of_cdrom};
use crate::admission::request::Request;
use crate::features::Feature;

const FIELD: &str = "spec.hardware.cdrom";

pub(in crate::admission) fn validate_create(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if !request.cx.on(Feature::VMSharedDisks) {
        return;
    }
    for (index, cdrom) in cdroms(request.new.spec).iter().enumerate() {
        let path = format!("{FIELD}[{index}]");
        match (cdrom.controller_type, cdrom.controller_bus_number) {
            (Some(_), None) => {
                let text = "must be set when controllerType is specified";
                causes.push(cause::required_because(format!("{path}.controllerBusNumber"), text));
            }
            (None, Some(_)) => {
                let text = "must be set when controllerBusNumber is specified";
                causes.push(cause::required_because(format!("{path}.controllerType"), text));
            }
            (Some(_), Some(_)) | (None, None) => validate_place(&path, cdrom, causes),
        }
    }
}

pub(in crate::admission) fn validate_update(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if !request.cx.on(Feature::VMSharedDisks) || !is_upgraded(request.new) {
        return;
    }
    let cdroms = cdroms(request.new.spec);
    for (index, cdrom) in cdroms.iter().enumerate() {
        let path = format!("{FIELD}[{index}]");
        let parts = [
            ("controllerType", cdrom.controller_type.is_none()),
            ("controllerBusNumber", cdrom.controller_bus_number.is_none()),
            ("unitNumber", cdrom.unit_number.is_none()),
        ];
        causes.extend(parts.iter().filter(|(_, missing)| *missing).map(|(part, _)| cause::required(format!("{path}.{part}"))));
        validate_place(&path, cdrom, causes);
    }
    let mut slots = Slots::default();
    for (index, cdrom) in cdroms.iter().enumerate() {
        if let Some((id, unit)) = place_of_cdrom(cdrom)
            && !slots.take(id, unit)
        {
            causes.push(cause::duplicate(format!("{FIELD}[{index}].unitNumber"), unit));
        }
    }
}

/// VM-V-093, VM-V-094: a place that is said whole.
fn validate_place(path: &str, cdrom: &CdromSpec, causes: &mut Causes) {
    let Some(((kind, bus), unit)) = place_of_cdrom(cdrom) else { return };
    if !matches!(kind, ControllerType::Ide | ControllerType::Sata) {
        causes.push(cause::not_supported(format!("{path}.controllerType"), kind.as_str(), &["IDE", "SATA"]));
        return;
    }
    let (buses, units) = (controllers::most(kind), Controller::new((kind, bus), ControllerSharingMode::None).slots());
    if !(0..buses).contains(&bus) {
        let text = format!("{kind} controllerBusNumber must be in the range of 0 to {}", buses - 1);
        causes.push(cause::invalid(format!("{path}.controllerBusNumber"), bus, &text));
    }
    if !(0..units).contains(&unit) {
        let text = format!("{kind} unitNumber must be in the range of 0 to {}", units - 1);
        causes.push(cause::invalid(format!("{path}.unitNumber"), unit, &text));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn cdrom(nth: usize, place: &Value) -> Value {
        let mut cdrom = json!({"name": format!("cd{nth}"), "image": {"kind": "VirtualMachineImage", "name": format!("vmi-{nth}")}});
        for (field, value) in place.as_object().expect("a mapping") {
            cdrom[field] = value.clone();
        }
        cdrom
    }

    fn sample(places: &[Value]) -> Sample {
        let cdroms: Vec<Value> = places.iter().enumerate().map(|(nth, place)| cdrom(nth + 1, place)).collect();
        let sample = Sample::vm().with(Feature::VMSharedDisks).spec("guestID", json!("otherGuest"));
        sample.spec("hardware", json!({"ideControllers": [{"busNumber": 0}, {"busNumber": 1}], "cdrom": cdroms}))
    }

    fn place(kind: &str, bus: i32, unit: i32) -> Value {
        json!({"controllerType": kind, "controllerBusNumber": bus, "unitNumber": unit})
    }

    #[test]
    fn a_new_cdrom_says_all_or_nothing_of_its_controller() {
        assert!(sample(&[json!({}), place("IDE", 1, 1)]).spec("imageName", json!("vmi-1")).admitted().is_ok());
        let half = sample(&[json!({"controllerType": "IDE"}), json!({"controllerBusNumber": 0})]);
        let expected = [
            "spec.hardware.cdrom[0].controllerBusNumber: Required value: must be set when controllerType is specified",
            "spec.hardware.cdrom[1].controllerType: Required value: must be set when controllerBusNumber is specified",
        ];
        assert_eq!(half.denied(), expected);
    }

    #[test]
    fn the_place_is_one_that_such_a_controller_has() {
        let expected = [
            "spec.hardware.cdrom[0].controllerType: Unsupported value: \"SCSI\": supported values: \"IDE\", \"SATA\"",
            "spec.hardware.cdrom[1].controllerBusNumber: Invalid value: 2: IDE controllerBusNumber must be in the range of 0 to 1",
            "spec.hardware.cdrom[1].unitNumber: Invalid value: 2: IDE unitNumber must be in the range of 0 to 1",
            "spec.hardware.cdrom[2].unitNumber: Invalid value: 30: SATA unitNumber must be in the range of 0 to 29",
        ];
        assert_eq!(sample(&[place("SCSI", 0, 0), place("IDE", 2, 2), place("SATA", 3, 30)]).denied(), expected);
    }

    #[test]
    fn an_update_says_it_whole_and_shares_no_slot() {
        let stored = sample(&[]).spec("powerState", json!("PoweredOff")).stored();
        let hardware = |cdroms: Value| json!({"ideControllers": [{"busNumber": 0}, {"busNumber": 1}], "cdrom": cdroms});
        let two = hardware(json!([cdrom(1, &place("IDE", 0, 0)), cdrom(2, &place("IDE", 0, 0))]));
        assert_eq!(stored.clone().spec("hardware", two).denied(), ["spec.hardware.cdrom[1].unitNumber: Duplicate value: 0"]);
        let half = hardware(json!([cdrom(1, &json!({"controllerType": "IDE"}))]));
        let expected = ["spec.hardware.cdrom[0].controllerBusNumber: Required value", "spec.hardware.cdrom[0].unitNumber: Required value"];
        assert_eq!(stored.spec("hardware", half).denied(), expected);
    }
}
