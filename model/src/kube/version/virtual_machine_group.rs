//! The versions of VirtualMachineGroup.

use super::Version;

/// Where they differ from v1alpha5. Page: admission §22.2.
pub(super) const VERSIONS: &[Version] =
    &[Version { name: "v1alpha6", lacks: &[], moves: &[], loses: &["spec.bootOrder[].powerOffDelay"], fills: &[] }];
