//! The controllers of a VM's disks and CD-ROMs, and the slots on them: how many there can be, and which are taken.
//!
//! Page: admission §12 (VM-V-137), §9 (VM-V-094). A SCSI controller takes one slot for itself.
//!
//! Mirrors: vm-operator `api/v1alpha5`, `VirtualControllerType.MaxCount`, `ControllerSpec.MaxSlots`; `pkg/util/vmopv1`,
//! `NextAvailableUnitNumber`.

use std::collections::BTreeSet;

use vmtwin_model::kube::virtual_machine::{
    CdromSpec, ControllerSharingMode, ControllerType, HardwareSpec, IdeControllerSpec, NvmeControllerSpec, SataControllerSpec,
    ScsiControllerSpec, ScsiControllerType, VolumeSpec,
};

/// The slot that a SCSI controller takes itself.
pub(super) const SCSI_OWN_SLOT: i32 = 7;

/// A controller by its kind and bus.
pub(super) type ControllerId = (ControllerType, i32);

/// A controller, of whatever kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Controller {
    /// Kind and bus.
    pub(super) id: ControllerId,
    /// Whether VMs share its bus.
    pub(super) sharing: ControllerSharingMode,
    /// Its make, if it is a SCSI controller.
    pub(super) make: Option<ScsiControllerType>,
}

impl Controller {
    /// A controller that isn't there yet, of the usual make.
    pub(super) fn new(id: ControllerId, sharing: ControllerSharingMode) -> Self {
        Self { id, sharing, make: (id.0 == ControllerType::Scsi).then_some(ScsiControllerType::ParaVirtual) }
    }

    /// How many slots it has, its own included.
    pub(super) fn slots(&self) -> i32 {
        match (self.id.0, self.make) {
            (ControllerType::Ide, _) => 2,
            (ControllerType::Sata, _) => 30,
            (ControllerType::Nvme, _) => 64,
            (ControllerType::Scsi, None | Some(ScsiControllerType::ParaVirtual)) => 65,
            (ControllerType::Scsi, Some(_)) => 16,
        }
    }

    /// The slot that it takes itself.
    pub(super) fn own_slot(&self) -> Option<i32> {
        (self.id.0 == ControllerType::Scsi).then_some(SCSI_OWN_SLOT)
    }

    /// Whether its bus is shared by VMs.
    pub(super) fn is_shared(&self) -> bool {
        self.sharing != ControllerSharingMode::None
    }

    /// The lowest free slot.
    fn free_slot(&self, taken: &Slots) -> Option<i32> {
        (0..self.slots()).find(|unit| Some(*unit) != self.own_slot() && !taken.has(self.id, *unit))
    }
}

/// How many controllers of a kind a VM can have.
pub(super) fn most(kind: ControllerType) -> i32 {
    match kind {
        ControllerType::Ide => 2,
        ControllerType::Nvme | ControllerType::Scsi | ControllerType::Sata => 4,
    }
}

/// The controllers that a VM asks for.
pub(super) fn all(hardware: Option<&HardwareSpec>) -> Vec<Controller> {
    let Some(hardware) = hardware else { return Vec::new() };
    let unshared = ControllerSharingMode::None;
    let ide = hardware.ide_controllers.iter().map(|one| Controller::new((ControllerType::Ide, one.bus_number), unshared));
    let nvme = hardware
        .nvme_controllers
        .iter()
        .map(|one| Controller::new((ControllerType::Nvme, one.bus_number), one.sharing_mode.unwrap_or(unshared)));
    let sata = hardware.sata_controllers.iter().map(|one| Controller::new((ControllerType::Sata, one.bus_number), unshared));
    let scsi = hardware.scsi_controllers.iter().map(|one| Controller {
        id: (ControllerType::Scsi, one.bus_number),
        sharing: one.sharing_mode.unwrap_or(unshared),
        make: Some(one.type_.unwrap_or(ScsiControllerType::ParaVirtual)),
    });
    ide.chain(nvme).chain(sata).chain(scsi).collect()
}

/// Adds a controller to what a VM asks for.
pub(super) fn add(hardware: &mut HardwareSpec, controller: Controller) {
    let bus_number = controller.id.1;
    match controller.id.0 {
        ControllerType::Ide => hardware.ide_controllers.push(IdeControllerSpec { bus_number }),
        ControllerType::Sata => hardware.sata_controllers.push(SataControllerSpec { bus_number }),
        ControllerType::Nvme => {
            hardware.nvme_controllers.push(NvmeControllerSpec { bus_number, sharing_mode: Some(controller.sharing) });
        }
        ControllerType::Scsi => {
            let (sharing_mode, type_) = (Some(controller.sharing), controller.make);
            hardware.scsi_controllers.push(ScsiControllerSpec { bus_number, sharing_mode, type_ });
        }
    }
}

/// The controller on which a volume hangs, if it says so and there is one.
pub(super) fn of_volume<'a>(volume: &VolumeSpec, controllers: &'a [Controller]) -> Option<&'a Controller> {
    let id = (volume.controller_type?, volume.controller_bus_number?);
    controllers.iter().find(|controller| controller.id == id)
}

/// Where a volume says that it hangs, if it says it in full.
pub(super) fn place_of_volume(volume: &VolumeSpec) -> Option<(ControllerId, i32)> {
    Some(((volume.controller_type?, volume.controller_bus_number?), volume.unit_number?))
}

/// Where a CD-ROM says that it hangs, if it says it in full.
pub(super) fn place_of_cdrom(cdrom: &CdromSpec) -> Option<(ControllerId, i32)> {
    Some(((cdrom.controller_type?, cdrom.controller_bus_number?), cdrom.unit_number?))
}

/// The slots that are taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots(BTreeSet<(ControllerId, i32)>);

impl Slots {
    /// Takes a slot; whether it was free.
    pub(super) fn take(&mut self, id: ControllerId, unit: i32) -> bool {
        self.0.insert((id, unit))
    }

    fn has(&self, id: ControllerId, unit: i32) -> bool {
        self.0.contains(&(id, unit))
    }

    /// Takes the lowest free slot of a controller.
    pub(super) fn take_free(&mut self, controller: &Controller) -> Option<i32> {
        let unit = controller.free_slot(self)?;
        self.take(controller.id, unit);
        Some(unit)
    }

    /// Whether a controller has a free slot.
    pub(super) fn has_free(&self, controller: &Controller) -> bool {
        controller.free_slot(self).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scsi_controller_never_gives_away_its_own_slot() {
        let controller = Controller::new((ControllerType::Scsi, 1), ControllerSharingMode::None);
        let mut slots = Slots::default();
        let units: Vec<i32> = std::iter::from_fn(|| slots.take_free(&controller)).collect();
        assert_eq!(units.len(), 64);
        assert!(!units.contains(&SCSI_OWN_SLOT) && units.contains(&64));
    }

    #[test]
    fn an_lsi_controller_has_sixteen_slots() {
        let controller = Controller {
            make: Some(ScsiControllerType::LsiLogic),
            ..Controller::new((ControllerType::Scsi, 0), ControllerSharingMode::None)
        };
        assert_eq!(controller.slots(), 16);
        assert_eq!(most(ControllerType::Ide), 2);
    }
}
