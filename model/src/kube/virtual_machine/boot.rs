//! How a VM boots: firmware, order and delays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;
use crate::time::GoDuration;

/// Firmware and boot behaviour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BootOptions {
    /// How long to wait between power-on and boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_delay: Option<GoDuration>,
    /// What to boot from, first to last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boot_order: Vec<BootableDevice>,
    /// `Enabled` or `Disabled`: whether to try again when nothing could be booted. The CRD lets any word pass.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("default" = "Disabled"))]
    pub boot_retry: String,
    /// How long to wait before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_retry_delay: Option<GoDuration>,
    /// Whether only signed EFI images may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Disabled"))]
    pub efi_secure_boot: Option<Switch>,
    /// The firmware; the class's or image's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmware>,
    /// The protocol of network boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "IP4"))]
    pub network_boot_protocol: Option<NetworkBootProtocol>,
}

/// One device to boot from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BootableDevice {
    /// Which one: a volume's or an interface's name; empty for a CD-ROM.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What kind of device.
    #[serde(rename = "type", default)]
    #[schemars(!default)]
    pub type_: BootableDeviceType,
}

choice! {
    /// What can be booted from.
    #[derive(Default)]
    pub enum BootableDeviceType {
        /// A disk.
        #[default]
        Disk = "Disk",
        /// A network interface.
        Network = "Network",
        /// A CD-ROM drive.
        CDRom = "CDRom",
    }
}

choice! {
    /// On or off, in the API's words.
    pub enum Switch {
        /// On.
        Enabled = "Enabled",
        /// Off.
        Disabled = "Disabled",
    }
}

choice! {
    /// A VM's firmware.
    pub enum Firmware {
        /// Legacy BIOS.
        Bios = "bios",
        /// UEFI.
        Efi = "efi",
    }
}

choice! {
    /// The protocol of network boot.
    pub enum NetworkBootProtocol {
        /// PXE over IPv4.
        Ip4 = "IP4",
        /// PXE over IPv6, EFI only.
        Ip6 = "IP6",
    }
}
