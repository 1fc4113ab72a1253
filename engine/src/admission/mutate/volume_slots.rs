//! VM-M-025: each volume of an upgraded VM gets a slot on a controller, and the VM the controllers that takes.
//!
//! Page: admission §3.2; gates `VMSharedDisks`, `AllDisksArePVCs`. Volumes that say where they hang come first, so that nobody takes
//! their slot. Without `AllDisksArePVCs` the disks of the image are nobody's volumes, and bus 0 is left to them. What finds no slot
//! stays without one, and is refused by VM-V-136.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `AddControllersForVolumes`.

use vmtwin_model::kube::virtual_machine::{
    ControllerSharingMode, ControllerType, HardwareSpec, VirtualMachine, VolumeApplicationType, VolumeSpec,
};

use super::volume_modes;
use crate::admission::controllers::{self, Controller, Slots, place_of_cdrom, place_of_volume};
use crate::admission::request::{Denial, Request};
use crate::admission::validate::upgrade::is_upgraded;
use crate::draft::Draft;
use crate::features::Feature;

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let (shared, claims) = (request.cx.on(Feature::VMSharedDisks), request.cx.on(Feature::AllDisksArePVCs));
    if !(shared || claims) || !is_upgraded(vm.view()) || vm.spec().volumes.is_empty() {
        return Ok(());
    }
    volume_modes::fill(vm);
    if vm.spec().volumes.iter().all(|volume| place_of_volume(volume).is_some_and(|(id, _)| has(vm.spec().hardware.as_ref(), id))) {
        return Ok(());
    }
    let spec = vm.spec_mut();
    let hardware = spec.hardware.get_or_insert_default();
    let mut slots = Slots::default();
    for (id, unit) in hardware.cdrom.iter().filter_map(place_of_cdrom) {
        slots.take(id, unit);
    }
    let first_bus = i32::from(!claims);
    let (placed, loose): (Vec<_>, Vec<_>) = spec.volumes.iter_mut().partition(|volume| place_of_volume(volume).is_some());
    for volume in placed.into_iter().chain(loose) {
        place(volume, hardware, &mut slots, first_bus);
    }
    Ok(())
}

fn has(hardware: Option<&HardwareSpec>, id: controllers::ControllerId) -> bool {
    controllers::all(hardware).iter().any(|controller| controller.id == id)
}

fn place(volume: &mut VolumeSpec, hardware: &mut HardwareSpec, slots: &mut Slots, first_bus: i32) {
    let Some(controller) = controller_for(volume, hardware, slots, first_bus) else { return };
    volume.controller_type = Some(controller.id.0);
    volume.controller_bus_number = Some(controller.id.1);
    match volume.unit_number {
        Some(unit) => {
            slots.take(controller.id, unit);
        }
        None => volume.unit_number = slots.take_free(&controller),
    }
}

/// The controller that a volume names, else the first of its kind with a fitting sharing mode and a free slot, else a new one.
fn controller_for(volume: &VolumeSpec, hardware: &mut HardwareSpec, slots: &Slots, first_bus: i32) -> Option<Controller> {
    let kind = volume.controller_type.unwrap_or(ControllerType::Scsi);
    let sharing = match volume.application_type {
        Some(VolumeApplicationType::MicrosoftWsfc) => ControllerSharingMode::Physical,
        Some(VolumeApplicationType::OracleRac) | None => ControllerSharingMode::None,
    };
    let there: Vec<Controller> = controllers::all(Some(hardware)).into_iter().filter(|controller| controller.id.0 == kind).collect();
    let on = |bus: i32| there.iter().find(|controller| controller.id.1 == bus).copied();
    let mut buses = first_bus..controllers::most(kind);
    let bus = match volume.controller_bus_number {
        Some(bus) => bus,
        None => {
            let fits = |controller: &Controller| controller.sharing == sharing && slots.has_free(controller);
            let fitting = buses.clone().find(|bus| on(*bus).is_some_and(|controller| fits(&controller)));
            fitting.or_else(|| buses.find(|bus| on(*bus).is_none()))?
        }
    };
    if let Some(controller) = on(bus) {
        return Some(controller);
    }
    let can_add = bus >= 0 && i32::try_from(there.len()).is_ok_and(|count| count < controllers::most(kind));
    let controller = Controller::new((kind, bus), sharing);
    can_add.then(|| controllers::add(hardware, controller))?;
    Some(controller)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn places(vm: &Value) -> Vec<(String, i64, i64)> {
        let volumes = vm["spec"]["volumes"].as_array().expect("volumes");
        let number = |value: &Value| value.as_i64().unwrap_or(-1);
        let place = |volume: &Value| {
            let kind = volume["controllerType"].as_str().unwrap_or_default().to_owned();
            (kind, number(&volume["controllerBusNumber"]), number(&volume["unitNumber"]))
        };
        volumes.iter().map(place).collect()
    }

    #[test]
    fn volumes_get_the_lowest_free_slots_beside_those_that_name_theirs() {
        let volumes = json!([
            {"name": "a"}, {"name": "b"}, {"name": "c", "applicationType": "MicrosoftWSFC"},
            {"name": "d", "controllerType": "SCSI", "controllerBusNumber": 1, "unitNumber": 0},
            {"name": "e", "controllerType": "NVME"},
        ]);
        let sample = Sample::vm().with(Feature::VMSharedDisks).stored().spec("volumes", volumes);
        let vm = sample.mutated();
        let expected = [("SCSI", 1, 1), ("SCSI", 1, 2), ("SCSI", 2, 0), ("SCSI", 1, 0), ("NVME", 1, 0)];
        assert_eq!(places(&vm), expected.map(|(kind, bus, unit)| (kind.to_owned(), bus, unit)));
        let scsi = json!([
            {"busNumber": 1, "sharingMode": "None", "type": "ParaVirtual"}, {"busNumber": 2, "sharingMode": "Physical", "type": "ParaVirtual"}
        ]);
        assert_eq!(vm["spec"]["hardware"]["scsiControllers"], scsi);
    }

    #[test]
    fn with_claims_for_all_disks_bus_zero_is_used_too() {
        let sample = Sample::vm().with(Feature::AllDisksArePVCs).stored().spec("volumes", json!([{"name": "a"}]));
        assert_eq!(places(&sample.mutated()), [("SCSI".to_owned(), 0, 0)]);
    }

    #[test]
    fn a_vm_that_is_behind_in_its_schema_is_left_alone() {
        let behind = Sample::vm().with(Feature::VMSharedDisks).annotation("vmoperator.vmware.com/upgraded-to-schema-version", "v1alpha1");
        let sample = behind.stored().spec("volumes", json!([{"name": "a"}]));
        assert_eq!(places(&sample.mutated()), [(String::new(), -1, -1)]);
    }
}
