//! What admission fills in. One rule, or one numbered family of rules, per file; the order is in the lists of `admission`.

pub(super) mod boot_identity;
pub(super) mod cdrom_image_kind;
pub(super) mod cdrom_slots;
pub(super) mod class_controller;
pub(super) mod class_instance;
pub(super) mod created_at;
pub(super) mod delayed_power_state;
pub(super) mod encryption_class;
pub(super) mod group_owner;
pub(super) mod group_power_time;
pub(super) mod ide_controllers;
pub(super) mod image;
pub(super) mod image_name;
pub(super) mod instance_identity;
pub(super) mod last_resized_class;
pub(super) mod network;
pub(super) mod power_state;
pub(super) mod restart;
pub(super) mod snapshot_label;
pub(super) mod volume_modes;
pub(super) mod volume_slots;
