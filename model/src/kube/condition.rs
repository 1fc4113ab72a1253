//! Conditions: what a component says of an object's state, for people and for other components.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::words::words;

words! {
    /// The type of a condition; all have positive polarity. Source: vm-lifecycle §17, placement-groups §1.3.
    pub enum ConditionType {
        /// The object and all that belongs to it is in the desired state; on a VM: the readiness probe's verdict.
        Ready,
        /// The VM's class was found.
        ClassReady = "VirtualMachineClassReady",
        /// The VM's image was found and is ready.
        ImageReady = "VirtualMachineImageReady",
        /// The set resource policy was found and has its pool and folder.
        ResourcePolicyReady = "VirtualMachineConditionVMSetResourcePolicyReady",
        /// The secrets of the bootstrap provider were found.
        BootstrapReady = "VirtualMachineBootstrapReady",
        /// The storage class is usable.
        StorageReady = "VirtualMachineStorageReady",
        /// The network interfaces are ready.
        NetworkReady = "VirtualMachineNetworkReady",
        /// The VM was placed.
        PlacementReady = "VirtualMachineConditionPlacementReady",
        /// The image's files are in the cache (fast deploy).
        ImageCacheReady = "VirtualMachineConditionImageCacheReady",
        /// The vSphere VM exists.
        Created = "VirtualMachineCreated",
        /// The VM's hardware is what its class says.
        ClassConfigurationSynced = "VirtualMachineClassConfigurationSynced",
        /// The observed power state is the desired one.
        PowerStateSynced = "VirtualMachinePowerStateSynced",
        /// VM Tools run in the guest.
        Tools = "VirtualMachineTools",
        /// The guest was customized.
        GuestCustomization,
        /// The guest's own word on its bootstrap.
        GuestBootstrap,
        /// The guest reports a primary address.
        GuestNetworkConfigSynced = "VirtualMachineGuestNetworkConfigSynced",
        /// Reconciliation isn't paused.
        ReconcileReady = "VirtualMachineReconcileReady",
        /// The VM is in its namespace's pool and folder.
        LocationValid = "VirtualMachineLocationValid",
        /// The backup record is written.
        BackupUpToDate = "VirtualMachineBackupUpToDate",
        /// False where a guest ID was refused; never True.
        GuestIdReconfigured = "GuestIDReconfigured",
        /// vSphere has the snapshot.
        SnapshotCreated = "VirtualMachineSnapshotCreated",
        /// CSI has looked at the volumes of the snapshot.
        SnapshotCsiSynced = "VirtualMachineSnapshotCSISynced",
        /// The snapshot can be reverted to.
        SnapshotReady = "VirtualMachineSnapshotReady",
        /// Not there, or why the VM isn't at the snapshot that it is to go back to.
        SnapshotRevertSucceeded = "VirtualMachineSnapshotRevertSucceeded",
        /// The VM's encryption is what was asked for.
        EncryptionSynced = "VirtualMachineEncryptionSynced",
        /// Disk promotion began.
        DiskPromotionStarted = "VirtualMachineDiskPromotionStarted",
        /// No disk of the VM has a parent any more.
        DiskPromotionSynced = "VirtualMachineDiskPromotionSynced",
        /// The member exists, and it and its group name each other.
        GroupLinked,
        /// A member has the power state of its group.
        MemberPowerStateSynced = "PowerStateSynced",
        /// A member's placement is decided.
        MemberPlacementReady = "PlacementReady",
    }
}

words! {
    /// The reason of a condition: one word in CamelCase.
    pub enum Reason {
        /// A condition that is True, with nothing more to say.
        True,
        /// A condition that is False, with nothing more to say.
        False,
        /// A condition of which nothing is known.
        Unknown,
        /// It failed with the error in the message.
        Error,
        /// An object isn't there.
        NotFound,
        /// An object is there, but not ready.
        NotReady,
        /// A value isn't acceptable.
        Invalid,
        /// A field is empty.
        NotSet,
        /// A reference names a kind that isn't served here.
        UnknownKind,
        /// What was asked for isn't possible here.
        NotSupported,
        /// Access was refused.
        Forbidden,
        /// An error of the API server.
        InternalError,
        /// A look-up failed in some other way.
        GetError,
        /// A storage class must be named.
        StorageClassRequired,
        /// A secret lacks a key.
        RequiredKeyNotFound,
        /// Placement chose another zone than the label names.
        ZoneMismatch,
        /// Desired and observed are the same.
        Synced,
        /// Desired and observed differ.
        NotSynced,
        /// The class of the VM isn't there.
        ClassNotFound,
        /// The VM was given another class, which isn't applied yet.
        ClassNameChanged,
        /// The class was changed, which isn't applied yet.
        SameClassResize,
        /// The class was changed (upstream's word).
        ClassUpdated,
        /// vSphere reports nothing about the guest.
        NoGuestInfo,
        /// VM Tools don't run.
        ToolsNotRunning = "VirtualMachineToolsNotRunning",
        /// Customization waits for the next power-on.
        GuestCustomizationPending,
        /// Customization is under way.
        GuestCustomizationRunning,
        /// Customization failed.
        GuestCustomizationFailed,
        /// Reconciliation is paused.
        Paused = "VirtualMachineReconcilePaused",
        /// The VM is in another pool.
        ResourcePoolMismatch,
        /// The VM is in another folder.
        FolderMismatch,
        /// The VM is in another pool and folder.
        ResourcePoolAndFolderMismatch,
        /// Linked disks wait for something before they become full ones.
        DiskPromotionPending,
        /// Linked disks are becoming full ones.
        DiskPromotionRunning,
        /// Linked disks couldn't become full ones.
        DiskPromotionTaskError,
        /// Linked disks couldn't become full ones, for a reason that passes.
        DiskPromotionTaskTransientError,
        /// A member isn't listed by its group, or names another.
        NotMember,
        /// Something is ordered and under way.
        Pending,
        /// A member waits for its group's placement.
        PendingPlacement,
        /// A member existed before its group placed.
        AlreadyPlaced,
        /// Members of a group aren't ready.
        MembersNotReady,
        /// Policies that must apply couldn't be gathered.
        MandatoryPoliciesReconcileFailed,
        /// Policies that were asked for couldn't be gathered.
        ExplicitPoliciesReconcileFailed,
        /// The owner reference couldn't be set.
        SetOwnerRefError,
        /// The owner reference couldn't be written.
        OwnerRefPatchError,
        /// The snapshot isn't taken yet.
        SnapshotWaitingForCreation = "VirtualMachineSnapshotWaitingForCreation",
        /// The snapshot waits until the VM's disks are registered.
        SnapshotWaitingForDiskRegistration = "VirtualMachineSnapshotWaitingForDiskRegistration",
        /// The snapshot waits for CSI.
        SnapshotWaitingForCsiSync = "VirtualMachineSnapshotWaitingForCSISync",
        /// CSI was asked to look at the snapshot's volumes.
        SnapshotCsiSyncInProgress = "VirtualMachineSnapshotCSISyncInProgress",
        /// The snapshot is being taken.
        SnapshotCreationInProgress = "VirtualMachineSnapshotCreationInProgress",
        /// The snapshot couldn't be taken.
        SnapshotCreationFailed = "VirtualMachineSnapshotCreationFailed",
        /// The VM isn't reverted.
        SnapshotRevertSkipped = "VirtualMachineSnapshotRevertSkipped",
        /// The VM can't be reverted.
        SnapshotRevertFailed = "VirtualMachineSnapshotRevertFailed",
        /// The VM is being reverted.
        SnapshotRevertInProgress = "VirtualMachineSnapshotRevertInProgress",
        /// vSphere couldn't revert the VM.
        SnapshotRevertTaskFailed = "VirtualMachineSnapshotRevertTaskFailed",
        /// The manifest kept with the snapshot is missing or can't be read.
        SnapshotRevertFailedInvalidManifest = "VirtualMachineSnapshotRevertFailedInvalidVMManifest",
        /// A member's power state couldn't be written.
        PowerStatePatchError,
    }
}

/// True, False or Unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It doesn't hold.
    False,
    /// Nobody can tell.
    #[default]
    Unknown,
}

impl std::fmt::Display for ConditionStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        })
    }
}

/// One condition of an object's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word; never empty.
    #[serde(default = "unknown")]
    pub reason: Reason,
    /// Why, in a sentence.
    #[serde(default)]
    pub message: Arc<str>,
    /// When status, reason or message last changed, in whole seconds.
    #[serde(default)]
    pub last_transition_time: Timestamp,
    /// The generation of the spec that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

fn unknown() -> Reason {
    Reason::Unknown
}

/// How long a condition's message may be, in bytes: Kubernetes refuses longer ones (`metav1.Condition`).
pub const MESSAGE_MAX: usize = 32_768;

/// A message that Kubernetes takes: one that is too long ends in a word on what was left out.
fn fitting(message: Arc<str>) -> Arc<str> {
    const ROOM: usize = 64;

    if message.len() <= MESSAGE_MAX {
        return message;
    }
    let end = (0..=MESSAGE_MAX - ROOM).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
    format!("{} … and {} bytes more", &message[..end], message.len() - end).into()
}

impl Condition {
    /// A condition that holds.
    #[must_use]
    pub fn holds(type_: ConditionType) -> Self {
        Self::new(type_, ConditionStatus::True, Reason::True, "")
    }

    /// A condition that doesn't hold, and why.
    #[must_use]
    pub fn fails(type_: ConditionType, reason: Reason, message: impl Into<Arc<str>>) -> Self {
        Self::new(type_, ConditionStatus::False, reason, message)
    }

    /// A condition; its transition time is set when it is put among others.
    #[must_use]
    pub fn new(type_: ConditionType, status: ConditionStatus, reason: Reason, message: impl Into<Arc<str>>) -> Self {
        Self {
            type_,
            status,
            reason,
            message: fitting(message.into()),
            last_transition_time: Timestamp::default(),
            observed_generation: None,
        }
    }

    /// Whether it holds.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.status == ConditionStatus::True
    }
}

/// A foreign condition, as Kubernetes' own library has it.
impl From<&Condition> for meta::Condition {
    fn from(condition: &Condition) -> Self {
        let nanos = i128::from(condition.last_transition_time.as_nanos());
        let time = k8s_openapi::jiff::Timestamp::from_nanosecond(nanos).expect("every i64 of nanoseconds is an instant");
        Self {
            type_: condition.type_.to_string(),
            status: condition.status.to_string(),
            reason: condition.reason.to_string(),
            message: condition.message.to_string(),
            last_transition_time: meta::Time(time),
            observed_generation: condition.observed_generation,
        }
    }
}

/// What can be done with a list of conditions.
pub trait Conditions {
    /// The condition of this type.
    fn condition(&self, type_: &ConditionType) -> Option<&Condition>;

    /// Whether the condition of this type is there and True.
    fn is_true(&self, type_: &ConditionType) -> bool {
        self.condition(type_).is_some_and(Condition::is_true)
    }

    /// Puts a condition in, or changes the one of its type. Its transition time moves, to the whole second of `now`, only
    /// if status, reason or message differ from what is there; then it goes to the place where conditions of
    /// its type stand: `Ready` first, the others by name.
    fn put(&mut self, condition: Condition, now: Timestamp);

    /// Takes the condition of this type out.
    fn take(&mut self, type_: &ConditionType) -> Option<Condition>;
}

impl Conditions for Vec<Condition> {
    fn condition(&self, type_: &ConditionType) -> Option<&Condition> {
        self.iter().find(|condition| condition.type_ == *type_)
    }

    fn put(&mut self, mut condition: Condition, now: Timestamp) {
        condition.last_transition_time = now.to_second();
        match self.iter_mut().find(|there| there.type_ == condition.type_) {
            Some(there) => {
                if (there.status, &there.reason, &there.message) != (condition.status, &condition.reason, &condition.message) {
                    *there = condition;
                }
            }
            None => {
                self.push(condition);
                self.sort_by(|a, b| {
                    (a.type_ != ConditionType::Ready).cmp(&(b.type_ != ConditionType::Ready)).then_with(|| a.type_.cmp(&b.type_))
                });
            }
        }
    }

    fn take(&mut self, type_: &ConditionType) -> Option<Condition> {
        let at = self.iter().position(|condition| condition.type_ == *type_)?;
        Some(self.remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_time_moves_only_with_what_the_condition_says() {
        let (first, later) = (Timestamp::from_nanos(1_500_000_000), Timestamp::from_nanos(9_000_000_000));
        let mut conditions = Vec::new();
        conditions.put(Condition::holds(ConditionType::Created), first);
        conditions.put(Condition::holds(ConditionType::Ready), first);
        conditions.put(Condition::holds(ConditionType::Created), later);
        assert_eq!(conditions[0].type_, ConditionType::Ready, "Ready stands first");
        assert_eq!(conditions[1].last_transition_time, Timestamp::from_nanos(1_000_000_000), "whole seconds, unmoved");
        conditions.put(Condition::fails(ConditionType::Created, Reason::Error, "deploy error"), later);
        assert_eq!(conditions[1].last_transition_time, later);
        assert!(!conditions.is_true(&ConditionType::Created));
    }

    #[test]
    fn a_message_is_never_longer_than_kubernetes_takes() {
        let long = "ä".repeat(MESSAGE_MAX);
        let condition = Condition::fails(ConditionType::Ready, Reason::Error, long.as_str());
        assert!(condition.message.len() <= MESSAGE_MAX && condition.message.ends_with(" bytes more"), "{}", condition.message.len());
        let just = "a".repeat(MESSAGE_MAX);
        assert_eq!(&*Condition::fails(ConditionType::Ready, Reason::Error, just.as_str()).message, just);
    }

    #[test]
    fn foreign_words_are_kept() {
        let json = serde_json::json!({"type": "Foo", "status": "True", "reason": "Bar", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let condition: Condition = serde_json::from_value(json.clone()).expect("a condition");
        assert_eq!(condition.type_, ConditionType::from("Foo"));
        assert_eq!(serde_json::to_value(&condition).expect("JSON"), json);
    }
}
