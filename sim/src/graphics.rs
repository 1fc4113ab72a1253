//! Devices of hosts that VMs take: vGPUs, and what ties a running VM to its host. Source: placement-groups §10.7.
//!
//! A host has so many vGPUs of each profile. Passed-through devices aren't counted: hosts don't say which they have.

use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::inventory::Name;
use vmtwin_model::vsphere::spec::{ConfigSpec, Device, DeviceOperation, DeviceType};
use vmtwin_model::vsphere::vm::Config;

use crate::host::Host;
use crate::refusals;

/// The vGPU profiles that a VM of this configuration takes, one for each vGPU.
pub(crate) fn of(config: &Config) -> Vec<Name> {
    config.hardware.device.iter().filter_map(profile).collect()
}

/// Those of a VM that a spec describes.
pub(crate) fn of_spec(spec: &ConfigSpec) -> Vec<Name> {
    let added = spec.device_change.iter().filter(|change| change.operation.unwrap_or(DeviceOperation::Add) == DeviceOperation::Add);
    added.filter_map(|change| profile(&change.device)).collect()
}

fn profile(device: &Device) -> Option<Name> {
    if device.type_ != DeviceType::VirtualPCIPassthrough {
        return None;
    }
    device.backing.as_ref()?.rest.get("vgpu")?.as_str().map(Into::into)
}

/// Whether a running VM can't be moved: it holds a device of its host.
pub(crate) fn is_tied(config: &Config) -> bool {
    let holds = |device: &Device| matches!(device.type_, DeviceType::VirtualPCIPassthrough | DeviceType::VirtualSriovEthernetCard);
    config.hardware.device.iter().any(holds)
}

impl Host {
    /// Whether it has these vGPUs free; `besides` were given away in the same request.
    pub(crate) fn has_graphics(&self, wanted: &[Name], besides: &[Name]) -> Result<(), Fault> {
        let count =
            |list: &[Name], profile: &Name| u32::try_from(list.iter().filter(|other| *other == profile).count()).unwrap_or(u32::MAX);
        let short = wanted.iter().find(|profile| {
            let there = self.vgpus.iter().filter(|(name, _)| name == *profile).map(|(_, count)| count).sum::<u32>();
            let used = self.vgpus_used.get(*profile).copied().unwrap_or(0);
            there.saturating_sub(used).saturating_sub(count(besides, profile)) < count(wanted, profile)
        });
        short.map_or(Ok(()), |profile| Err(refusals::graphics(profile)))
    }

    pub(crate) fn take_graphics(&mut self, wanted: Vec<Name>) {
        for profile in wanted {
            *self.vgpus_used.entry(profile).or_default() += 1;
        }
    }

    pub(crate) fn give_graphics_back(&mut self, wanted: &[Name]) {
        for profile in wanted {
            if let Some(used) = self.vgpus_used.get_mut(profile) {
                *used = used.saturating_sub(1);
            }
        }
    }
}
