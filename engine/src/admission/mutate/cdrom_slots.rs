//! VM-M-027: each CD-ROM of an upgraded VM gets a slot, on an IDE controller or else on a SATA one.
//!
//! Page: admission §3.2; gate `VMSharedDisks`. A CD-ROM that says a part of where it hangs is completed only if its unit alone is
//! missing. What else hangs on these controllers is known by the VM's status.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `MutateCdromControllerOnUpdate`.

use vmtwin_model::kube::virtual_machine::{
    CdromSpec, ControllerSharingMode, ControllerType, DeviceType, HardwareSpec, VirtualMachine, VirtualMachineStatus,
};

use crate::admission::controllers::{self, Controller, ControllerId, Slots, place_of_cdrom};
use crate::admission::request::{Denial, Request};
use crate::admission::validate::upgrade::is_upgraded;
use crate::draft::Draft;
use crate::features::Feature;

const KINDS: [ControllerType; 2] = [ControllerType::Ide, ControllerType::Sata];

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let cdroms = vm.spec().hardware.as_ref().map(|hardware| &hardware.cdrom[..]).unwrap_or_default();
    if !request.cx.on(Feature::VMSharedDisks) || cdroms.is_empty() || !is_upgraded(vm.view()) {
        return Ok(());
    }
    let mut slots = taken_by_others(vm.status());
    let Some(hardware) = &mut vm.spec_mut().hardware else { return Ok(()) };
    let mut cdroms = std::mem::take(&mut hardware.cdrom);
    for (id, unit) in cdroms.iter().filter_map(place_of_cdrom).filter(|(id, _)| KINDS.contains(&id.0)) {
        ensure(hardware, id);
        slots.take(id, unit);
    }
    for cdrom in cdroms.iter_mut().filter(|cdrom| cdrom.unit_number.is_none()) {
        place(cdrom, hardware, &mut slots);
    }
    hardware.cdrom = cdroms;
    Ok(())
}

fn taken_by_others(status: &VirtualMachineStatus) -> Slots {
    let mut slots = Slots::default();
    for controller in status.hardware.iter().flat_map(|hardware| &hardware.controllers) {
        for device in controller.devices.iter().filter(|device| device.type_ != DeviceType::Cdrom) {
            slots.take((controller.type_, controller.bus_number), device.unit_number);
        }
    }
    slots
}

fn place(cdrom: &mut CdromSpec, hardware: &mut HardwareSpec, slots: &mut Slots) {
    let id = match (cdrom.controller_type, cdrom.controller_bus_number) {
        (Some(kind), Some(bus)) if KINDS.contains(&kind) => Some((kind, bus)),
        (None, None) => KINDS.iter().find_map(|kind| with_room(hardware, slots, *kind)),
        _ => None,
    };
    let Some(id) = id else { return };
    ensure(hardware, id);
    if let Some(unit) = slots.take_free(&controller(id)) {
        cdrom.controller_type = Some(id.0);
        cdrom.controller_bus_number = Some(id.1);
        cdrom.unit_number = Some(unit);
    }
}

/// The lowest controller of a kind with a free slot, else the lowest bus that is free.
fn with_room(hardware: &HardwareSpec, slots: &Slots, kind: ControllerType) -> Option<ControllerId> {
    let there = |id: &ControllerId| controllers::all(Some(hardware)).iter().any(|controller| controller.id == *id);
    let ids = (0..controllers::most(kind)).map(|bus| (kind, bus));
    ids.clone().find(|id| there(id) && slots.has_free(&controller(*id))).or_else(|| ids.clone().find(|id| !there(id)))
}

fn ensure(hardware: &mut HardwareSpec, id: ControllerId) {
    if controllers::all(Some(hardware)).iter().all(|controller| controller.id != id) {
        controllers::add(hardware, controller(id));
    }
}

fn controller(id: ControllerId) -> Controller {
    Controller::new(id, ControllerSharingMode::None)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn cdrom(nth: usize) -> Value {
        json!({"name": format!("cd{nth}"), "image": {"kind": "VirtualMachineImage", "name": format!("vmi-{nth}")}})
    }

    #[test]
    fn ide_comes_first_then_sata() {
        let stored = Sample::vm().with(Feature::VMSharedDisks).spec("guestID", json!("otherGuest")).stored();
        let mut hardware = stored.mutated()["spec"]["hardware"].clone();
        hardware["cdrom"] = (0..5).map(cdrom).collect();
        let vm = stored.spec("hardware", hardware).mutated();
        let cdroms = vm["spec"]["hardware"]["cdrom"].as_array().expect("CD-ROMs").clone();
        let place = |cdrom: &Value| (cdrom["controllerType"].clone(), cdrom["controllerBusNumber"].clone(), cdrom["unitNumber"].clone());
        let expected = [("IDE", 0, 0), ("IDE", 0, 1), ("IDE", 1, 0), ("IDE", 1, 1), ("SATA", 0, 0)];
        assert_eq!(cdroms.iter().map(place).collect::<Vec<_>>(), expected.map(|(kind, bus, unit)| (json!(kind), json!(bus), json!(unit))));
        assert_eq!(vm["spec"]["hardware"]["sataControllers"], json!([{"busNumber": 0}]));
    }

    #[test]
    fn a_half_said_place_is_left_for_validation() {
        let stored = Sample::vm().with(Feature::VMSharedDisks).spec("guestID", json!("otherGuest")).stored();
        let mut half = cdrom(0);
        half["controllerType"] = json!("IDE");
        let vm = stored.spec("hardware", json!({"cdrom": [half.clone()]})).mutated();
        assert_eq!(vm["spec"]["hardware"]["cdrom"][0], half);
    }
}
