//! What admission refuses. One rule, or one numbered family of rules, per file; the order is in the lists of `admission`.

pub(super) mod addresses;
pub(super) mod affinity;
pub(super) mod apply_time;
pub(super) mod bios_uuid;
pub(super) mod boot_disk;
pub(super) mod boot_options;
pub(super) mod bootstrap_change;
pub(super) mod bootstrap_providers;
pub(super) mod cdrom;
pub(super) mod cdrom_controllers;
pub(super) mod cdrom_frozen;
pub(super) mod checks;
pub(super) mod class;
pub(super) mod class_instance;
pub(super) mod class_resources;
pub(super) mod cloud_init;
pub(super) mod cluster_module;
pub(super) mod controllers_frozen;
pub(super) mod crypto;
pub(super) mod customization_parity;
pub(super) mod group_members;
pub(super) mod group_name;
pub(super) mod group_power_state;
pub(super) mod group_power_time;
pub(super) mod guest_id;
pub(super) mod guest_network;
pub(super) mod hardware_version;
pub(super) mod host_name;
pub(super) mod image;
pub(super) mod immutable;
pub(super) mod instance_storage;
pub(super) mod instance_storage_claim;
pub(super) mod interface_name;
pub(super) mod interface_network;
pub(super) mod interfaces;
pub(super) mod mac_address;
pub(super) mod paused;
pub(super) mod power_state;
pub(super) mod readiness_probe;
pub(super) mod reserved_annotations;
pub(super) mod resource_policy;
pub(super) mod restart;
pub(super) mod routes;
pub(super) mod snapshot;
pub(super) mod snapshot_revert;
pub(super) mod storage_class;
pub(super) mod sysprep;
pub(super) mod upgrade;
pub(super) mod vapp_config;
pub(super) mod volume_removal;
pub(super) mod volume_sharing;
pub(super) mod volume_slots;
pub(super) mod volumes;
pub(super) mod zone;

use vmtwin_model::kube::virtual_machine::{CdromSpec, NetworkInterfaceSpec, VirtualMachineSpec};

/// What is said of a field that a running VM freezes.
const FROZEN_WHILE_ON: &str = "updates to this field is not allowed when VM power is on";

fn cdroms(spec: &VirtualMachineSpec) -> &[CdromSpec] {
    spec.hardware.as_ref().map_or(&[], |hardware| &hardware.cdrom)
}

fn interfaces(spec: &VirtualMachineSpec) -> &[NetworkInterfaceSpec] {
    spec.network.as_ref().map_or(&[], |network| &network.interfaces)
}

/// The interfaces with their paths.
fn interface_paths(spec: &VirtualMachineSpec) -> impl Iterator<Item = (String, &NetworkInterfaceSpec)> {
    let interfaces = interfaces(spec).iter().enumerate();
    interfaces.map(|(index, interface)| (format!("spec.network.interfaces[{index}]"), interface))
}
