//! The versions of VirtualMachineImage and ClusterVirtualMachineImage.

use super::Version;

/// A disk's sizes before v1alpha5. Source: scenario-format §3.1: `size` is `requested`, `capacity` is `limit`.
const DISKS: &[(&str, &str)] = &[("status.disks[].size", "status.disks[].requested"), ("status.disks[].capacity", "status.disks[].limit")];

/// Where they differ from v1alpha5.
pub(super) const VERSIONS: &[Version] = &[
    Version { name: "v1alpha3", lacks: &[], moves: DISKS, loses: &[], fills: &[] },
    Version { name: "v1alpha4", lacks: &[], moves: DISKS, loses: &[], fills: &[] },
];
