//! The served versions of a kind that aren't the stored one: which fields they lack, name otherwise, or have besides.
//!
//! A version is described by how its fields differ from those of the stored version; a version that isn't in the tables has the
//! same fields. Rewriting an object by these tables is the API server's work. The tables are compared with the public
//! definitions by `model/tests/versions.rs`.
//!
//! Paths: `spec.volumes[].name`, where `[]` stands for every item.

mod virtual_machine;
mod virtual_machine_group;
mod virtual_machine_image;

use super::Kind;

/// How a served version of a kind differs from the stored one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Its name, `v1alpha3`.
    pub name: &'static str,
    /// Fields of the stored version's spec that it doesn't have.
    pub lacks: &'static [&'static str],
    /// Fields that are elsewhere in the stored version: from, to.
    pub moves: &'static [(&'static str, &'static str)],
    /// Fields that the stored version can't hold.
    pub loses: &'static [&'static str],
    /// Fields that the stored version requires and this one doesn't have, with the value that they stand for.
    pub fills: &'static [(&'static str, &'static str)],
}

impl Version {
    /// The differences of this version of a kind; nothing if its fields are those of the stored version.
    #[must_use]
    pub fn of(kind: Kind, name: &str) -> Option<&'static Self> {
        Self::all(kind).iter().find(|version| version.name == name)
    }

    /// The versions of a kind that differ from the stored one.
    #[must_use]
    pub fn all(kind: Kind) -> &'static [Self] {
        let info = kind.info();
        match (info.group, info.kind) {
            ("vmoperator.vmware.com", "VirtualMachine") => virtual_machine::VERSIONS,
            ("vmoperator.vmware.com", "VirtualMachineGroup") => virtual_machine_group::VERSIONS,
            ("vmoperator.vmware.com", "VirtualMachineImage" | "ClusterVirtualMachineImage") => virtual_machine_image::VERSIONS,
            ("cns.vmware.com", "StoragePolicyUsage") => STORAGE_POLICY_USAGE,
            _ => &[],
        }
    }

    /// Where a field of the stored version stands in this one: `spec.hardware.cdrom[0].name` is `spec.cdrom[0].name`.
    #[must_use]
    pub fn own_path(&self, stored: &str) -> String {
        let moved = self.moves.iter().find_map(|(own, there)| {
            let rest = stored.strip_prefix(there)?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{own}{rest}"))
        });
        moved.unwrap_or_else(|| stored.to_owned())
    }
}

const STORAGE_POLICY_USAGE: &[Version] =
    &[Version { name: "v1alpha1", lacks: &["spec.caBundle", "spec.resourceExtensionNamespace"], moves: &[], loses: &[], fills: &[] }];

#[cfg(test)]
mod tests {
    use super::Version;
    use crate::kube::Kind;

    #[test]
    fn a_moved_field_is_found_in_the_version_that_was_written() {
        let vm = Kind::named("VirtualMachine").expect("the table has it");
        let version = Version::of(vm, "v1alpha4").expect("it differs");
        assert_eq!(version.own_path("spec.hardware.cdrom[0].image.name"), "spec.cdrom[0].image.name");
        assert_eq!(version.own_path("spec.hardware.cdroms"), "spec.hardware.cdroms");
        assert_eq!(version.own_path("spec.className"), "spec.className");
        assert_eq!(Version::of(vm, "v1alpha5"), None, "the stored version differs from itself in nothing");
    }
}
