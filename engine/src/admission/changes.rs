//! Who may change which field of an existing VirtualMachine, as a table, by the desired power states before and after.
//!
//! Page: admission §1.1. Rules about one field ask its row whether the field may change; what they say if it may not, and what
//! else they look at, is theirs.

use vmtwin_model::kube::power::PowerState::{PoweredOff, PoweredOn};
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use super::keys;
use super::request::Request;

/// The column of the table: what a request says of the VM's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Powered on before and after, and not held back by a power-on check.
    On,
    /// Powered off before or after, or held back by a power-on check.
    Off,
    /// Neither.
    Suspended,
    /// The request empties the power state, which is refused by itself (VM-V-002): the power freezes nothing.
    Unsaid,
}

/// Whether a field may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// By anyone.
    Change,
    /// By nobody.
    Stay,
    /// By privileged users.
    Privileged,
    /// While it isn't set yet.
    Once,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The path of the field.
    pub path: &'static str,
    /// Whether it may change while the VM is on, off, suspended.
    pub may: [May; 3],
    /// The rules that say so.
    pub rules: &'static str,
}

impl Field {
    const fn always(path: &'static str, may: May, rules: &'static str) -> Self {
        Self { path, may: [may; 3], rules }
    }

    const fn frozen_while_on(path: &'static str, rules: &'static str) -> Self {
        Self { path, may: [May::Stay, May::Change, May::Change], rules }
    }

    /// Whether the field may change under this power.
    #[must_use]
    pub fn may(&self, power: Power) -> May {
        match power {
            Power::On => self.may[0],
            Power::Off => self.may[1],
            Power::Suspended => self.may[2],
            // What holds whatever the power still holds.
            Power::Unsaid if self.may[0] == self.may[1] && self.may[1] == self.may[2] => self.may[0],
            Power::Unsaid => May::Change,
        }
    }
}

macro_rules! fields {
    ($($name:ident = $field:expr;)+) => {
        $(pub(super) const $name: Field = $field;)+

        /// The table, in the order of the page.
        pub const FIELDS: &[Field] = &[$($name,)+];
    };
}

fields! {
    IMAGE_NAME = Field::always("spec.imageName", May::Stay, "VM-V-050");
    IMAGE = Field::always("spec.image", May::Stay, "VM-V-050");
    CLASS_NAME = Field::always("spec.className", May::Change, "VM-V-060, VM-V-061 (never to empty)");
    POWER_STATE = Field::always("spec.powerState", May::Change, "VM-V-002, VM-V-003, VM-V-005: as the table of transitions says");
    RESTART = Field { path: "spec.nextRestartTime", may: [May::Change, May::Stay, May::Stay], rules: "VM-M-020: `now` alone, by the power state before" };
    POWER_OFF_MODE = Field::always("spec.powerOffMode, spec.suspendMode, spec.restartMode", May::Change, "");
    ZONE = Field::always("metadata.labels[topology.kubernetes.io/zone]", May::Once, "VM-V-075: privileged users always");
    STORAGE_CLASS = Field::always("spec.storageClass", May::Stay, "VM-V-070");
    BIOS_UUID = Field::always("spec.biosUUID", May::Once, "VM-V-071, VM-V-078");
    INSTANCE_UUID = Field::always("spec.instanceUUID", May::Once, "VM-V-072");
    RESOURCE_POLICY = Field::always("spec.reserved.resourcePolicyName", May::Stay, "VM-V-073");
    GUEST_ID = Field::frozen_while_on("spec.guestID", "VM-V-090");
    CDROM = Field::frozen_while_on("spec.hardware.cdrom", "VM-V-084 to VM-V-087");
    CDROM_CONNECTION = Field::always("spec.hardware.cdrom[].connected, .allowGuestControl", May::Change, "");
    AFFINITY = Field::always("spec.affinity", May::Stay, "VM-V-109");
    GROUP_NAME = Field::always("spec.groupName", May::Change, "VM-V-194, VM-M-023");
    CRYPTO = Field::always("spec.crypto", May::Change, "VM-V-110 to VM-V-112");
    VOLUME_ADDED = Field::always("spec.volumes: one more", May::Change, "VM-V-124 to VM-V-126");
    VOLUME_REMOVED = Field::always("spec.volumes: one less", May::Change, "VM-V-127, VM-V-128: not `removable: false`, nor a disk of the image");
    INSTANCE_STORAGE = Field::always("spec.volumes[].persistentVolumeClaim.instanceVolumeClaim", May::Privileged, "VM-V-129");
    BOOTSTRAP = Field::always("spec.bootstrap", May::Privileged, "VM-V-159: to drop or swap the provider; a first one and its settings are free");
    INTERFACES = Field::always("spec.network.interfaces", May::Stay, "VM-V-170 to VM-V-173: number, name, network, MAC address");
    GUEST_NETWORK = Field::always("spec.network: all else", May::Change, "VM-V-160 to VM-V-169, VM-V-174 to VM-V-177");
    BOOT_OPTIONS = Field::frozen_while_on("spec.bootOptions", "VM-V-182");
    HARDWARE_VERSION_UP = Field { path: "spec.minHardwareVersion, upwards", may: [May::Stay, May::Change, May::Stay], rules: "VM-V-191" };
    HARDWARE_VERSION_DOWN = Field::always("spec.minHardwareVersion, downwards", May::Stay, "VM-V-190");
    CURRENT_SNAPSHOT = Field::always("spec.currentSnapshotName", May::Once, "VM-V-193: emptying is free");
    CHECKS = Field::always("metadata.annotations.(poweron|delete).check.vmoperator.vmware.com/…", May::Privileged, "VM-V-030 to VM-V-033");
    RESERVED = Field::always("metadata.annotations[…], metadata.labels.vmoperator.vmware.com/paused", May::Privileged, "VM-V-020 to VM-V-024");
}

/// The column for a request. A power-on check counts as off: the VM can't be running yet.
pub(super) fn power(request: &Request<'_, VirtualMachine>) -> Power {
    let Some(old) = request.old else { return Power::Unsaid };
    let held = old.meta.annotations.iter().flatten().any(|(key, _)| key.starts_with(HELD));
    if held && request.new.spec.power_state.is_some() { Power::Off } else { power_as_asked(request) }
}

/// Shorter than the prefix of checks by its slash, as upstream's.
const HELD: &str = keys::POWER_ON_CHECK.split_at(keys::POWER_ON_CHECK.len() - 1).0;

/// The column for a request, whatever checks there are.
pub(super) fn power_as_asked(request: &Request<'_, VirtualMachine>) -> Power {
    let Some(new) = request.new.spec.power_state else { return Power::Unsaid };
    match (request.old_spec().and_then(|old| old.power_state), new) {
        (Some(PoweredOn), PoweredOn) => Power::On,
        (Some(PoweredOff), _) | (_, PoweredOff) => Power::Off,
        _ => Power::Suspended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_answer_by_column() {
        let answers = [Power::On, Power::Off, Power::Suspended, Power::Unsaid].map(|power| HARDWARE_VERSION_UP.may(power));
        assert_eq!(answers, [May::Stay, May::Change, May::Stay, May::Change]);
        assert_eq!(BIOS_UUID.may(Power::On), May::Once);
    }
}
