//! Hardware upgrades and guest customization: what waits for the next power-on, and what it sets in the guest.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Changed, Fault, FaultName};

use crate::vm::Vm;
use crate::{World, refusals};

/// The newest virtual hardware.
const NEWEST: u32 = 22;

fn number(version: &str) -> Option<u32> {
    version.strip_prefix("vmx-")?.parse().ok()
}

impl World {
    pub(crate) fn check_upgrade(&self, row: &Vm, version: &str) -> Result<(), Fault> {
        if row.power() != PowerState::PoweredOff {
            return Err(refusals::power_state(PowerState::PoweredOff, row.power()));
        }
        let Some(wanted) = number(version).filter(|wanted| *wanted <= NEWEST) else { return Err(refusals::not_supported(version)) };
        if number(&row.config().version).is_some_and(|there| there >= wanted) {
            return Err(Fault::new(FaultName::AlreadyUpgraded, "The virtual machine is already up-to-date."));
        }
        Ok(())
    }

    pub(crate) fn upgrade(&mut self, vm: u32, version: &Arc<str>) {
        if let Some(config) = self.seen_mut(vm).and_then(|seen| seen.config.as_mut()) {
            config.version.clone_from(version);
        }
    }

    pub(crate) fn check_customize(&self, row: &Vm) -> Result<(), Fault> {
        if row.power() != PowerState::PoweredOff {
            return Err(refusals::power_state(PowerState::PoweredOff, row.power()));
        }
        if row.customization.is_some() {
            return Err(Fault::new(
                FaultName::CustomizationPending,
                "A customization operation is already pending on the virtual machine.",
            ));
        }
        if !row.behaviour.tools {
            return Err(refusals::tools_unavailable());
        }
        Ok(())
    }

    /// The customization waits for the next power-on.
    pub(crate) fn customize(&mut self, vm: u32, spec: &Arc<Value>) {
        if let Some(row) = self.vms.get_mut(vm) {
            row.customization = Some(spec.clone());
        }
        self.customization_status(vm, "TOOLSDEPLOYPKG_PENDING");
    }

    /// The guest has done what the customization says.
    pub(crate) fn customize_guest(&mut self, vm: u32) {
        let Some(row) = self.vms.get_mut(vm) else { return };
        let Some(spec) = row.customization.take() else { return };
        row.addresses = fixed_addresses(row, &spec);
        let name = ["/identity/hostName/name", "/identity/userData/computerName/name"].iter().find_map(|path| spec.pointer(path)?.as_str());
        if let Some(name) = name {
            let name: Arc<str> = name.into();
            if let Some(seen) = self.seen_mut(vm) {
                seen.guest.get_or_insert_default().host_name = Some(name);
            }
            self.touch(vm, Changed::Guest);
        }
    }
}

/// The fixed addresses of a customization with their prefix lengths, by MAC address; an adapter without one is the next in order.
fn fixed_addresses(row: &Vm, spec: &Value) -> BTreeMap<Arc<str>, Arc<str>> {
    let cards: Vec<_> = row.config().hardware.device.iter().filter(|device| device.type_.is_ethernet_card()).collect();
    let settings = spec.get("nicSettingMap").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut addresses = BTreeMap::new();
    for (nth, setting) in settings.iter().enumerate() {
        let mac = setting.get("macAddress").and_then(Value::as_str).map(|mac| mac.to_ascii_lowercase().into());
        let Some(mac) = mac.or_else(|| cards.get(nth)?.mac_address.clone()) else { continue };
        let Some(address) = setting.pointer("/adapter/ip/ipAddress").and_then(Value::as_str) else { continue };
        let mask = setting.pointer("/adapter/subnetMask").and_then(Value::as_str).and_then(|mask| mask.parse::<std::net::Ipv4Addr>().ok());
        let prefix = mask.map_or(24, |mask| u32::from(mask).count_ones());
        addresses.insert(mac, format!("{address}/{prefix}").into());
    }
    addresses
}
