//! The feature gates: which there are, where they come from, what they change, and which are on.

use std::collections::BTreeMap;
use std::fmt;

/// A gate, as the table knows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Gate {
    /// Its name in `spec.operator.features`.
    pub name: &'static str,
    /// Whether it is on unless told otherwise.
    pub default: bool,
    /// Whose gate it is.
    pub origin: Origin,
    /// What it changes when it is on.
    pub effect: &'static str,
    /// Whether this version acts on it; a gate that isn't supported yet can't be switched on.
    pub supported: bool,
}

/// Whose gate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// VM Operator's, with its default.
    Upstream,
    /// VM Operator's, on here because the documentation describes what it opens.
    Documented,
    /// vmtwin's own.
    Vmtwin,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Upstream => "upstream",
            Self::Documented => "documented",
            Self::Vmtwin => "vmtwin",
        })
    }
}

macro_rules! gates {
    ($($name:ident: $default:literal, $origin:ident, $supported:literal, $effect:literal;)+) => {
        /// Every gate by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Feature {
            $(#[doc = $effect] $name,)+
        }

        /// The table of gates, in the order of their names.
        pub const GATES: &[Gate] = &[
            $(Gate { name: stringify!($name), default: $default, origin: Origin::$origin, effect: $effect, supported: $supported },)+
        ];

        impl Feature {
            const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

gates! {
    AllDisksArePVCs: false, Upstream, false, "Disks of images become claims.";
    BringYourOwnEncryptionKey: true, Documented, false, "`spec.crypto` names an EncryptionClass; a VM can be encrypted and rekeyed.";
    DiskPromotion: false, Vmtwin, true, "With FastDeploy, linked disks become full ones as `promoteDisksMode` says.";
    ExtensionCompatConstraint: false, Upstream, false, "The create spec carries the extension's compatibility constraint.";
    FastDeploy: false, Upstream, true, "VMs are made from cached disks instead of by a deploy.";
    GuestCustomizationVCDParity: false, Upstream, false, "LinuxPrep and Sysprep take a script and an expiring password.";
    HostAffinity: false, Vmtwin, true, "`vmAffinity` may have host scope, as upstream lets it with VMAffinityDuringExecution.";
    ImmutableClasses: false, Upstream, false, "A VM names an immutable instance of its class.";
    InstanceStorage: true, Upstream, false, "A class may carry volumes that live on the VM's host.";
    MutableNetworks: false, Upstream, true, "Interfaces may change after the deployment.";
    PerNamespaceNetworkProvider: false, Upstream, false, "Each namespace has its own network provider.";
    PodVMOnStretchedSupervisor: true, Upstream, true, "A storage class is a namespace's by its StoragePolicyQuota, not by its ResourceQuota.";
    ReportClassUpdated: false, Vmtwin, true, "A class that was updated is reported (`ClassUpdated`) without the same-class annotation too, as upstream does.";
    StoragePolicyMutability: false, Upstream, false, "The storage policy of a volume may change.";
    StrictBootOrder: false, Vmtwin, false, "A boot group waits until the earlier ones are really powered on.";
    StrictPowerTransitions: true, Vmtwin, true, "Requests are held to the documented table of power transitions; off is upstream's leniency.";
    TagEveryLabel: false, Vmtwin, true, "Every label of a group's member that isn't VM Operator's becomes a tag for placement.";
    TelcoVMServiceAPI: false, Upstream, false, "Advanced compute settings, `powerOffDelay`.";
    VMAffinityDuringExecution: true, Documented, true, "Host affinity terms reach placement and stay on the VM.";
    VMGroups: true, Documented, true, "VirtualMachineGroup, `spec.groupName`, delayed power-on.";
    VMImportNewNet: false, Upstream, false, "VMs without a class or an image may be imported.";
    VMIncrementalRestore: false, Upstream, false, "VMs without an image may be restored.";
    VMPlacementPolicies: true, Documented, true, "Zone affinity terms reach placement.";
    VMResize: false, Upstream, false, "The whole of a class is applied at a resize.";
    VMResizeCPUMemory: true, Documented, true, "CPU, memory, reservations and limits follow the class.";
    VMSharedDisks: false, Upstream, false, "Controllers, shared disks, one attachment object for each VM.";
    VMSnapshots: false, Upstream, true, "VirtualMachineSnapshot; snapshots are counted apart from the VM.";
    VMVlanSubinterface: false, Upstream, false, "VLAN interfaces in the guest.";
    VMWaitForFirstConsumerPVC: false, Upstream, true, "Claims may wait for the VM's zone.";
    VSpherePolicies: false, Upstream, true, "Compute policies tag and hold VMs.";
    WorkloadDomainIsolation: true, Documented, true, "Candidates for placement come from the namespace's Zones.";
    WorkloadIPv6: false, Upstream, false, "Interfaces choose how they get IPv6 addresses.";
}

/// Which gates are on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    set: BTreeMap<Feature, bool>,
}

/// A gate of this name doesn't exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no feature gate `{0}`")]
pub struct UnknownGate(pub String);

impl Feature {
    /// The gate's row in the table.
    #[must_use]
    pub fn gate(self) -> &'static Gate {
        &GATES[self as usize]
    }

    /// The gate of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Self, UnknownGate> {
        Self::ALL.iter().copied().find(|feature| feature.gate().name == name).ok_or_else(|| UnknownGate(name.to_owned()))
    }
}

impl Features {
    /// Whether a gate is on.
    #[must_use]
    pub fn on(&self, feature: Feature) -> bool {
        self.set.get(&feature).copied().unwrap_or(feature.gate().default)
    }

    /// Switches a gate.
    pub fn set(&mut self, feature: Feature, on: bool) {
        self.set.insert(feature, on);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_agrees_with_the_names() {
        assert!(GATES.windows(2).all(|pair| pair[0].name < pair[1].name), "gates stand in the order of their names");
        for (row, gate) in GATES.iter().enumerate() {
            assert_eq!(Feature::named(gate.name).map(|feature| feature as usize), Ok(row));
        }
    }

    #[test]
    fn the_documented_gates_are_on_and_can_be_switched() {
        let mut features = Features::default();
        assert!(features.on(Feature::VMGroups) && !features.on(Feature::VMSnapshots));
        features.set(Feature::VMGroups, false);
        assert!(!features.on(Feature::VMGroups));
        assert_eq!(Feature::named("VMGroup"), Err(UnknownGate("VMGroup".to_owned())));
    }
}
