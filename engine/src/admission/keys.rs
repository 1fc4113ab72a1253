//! The annotations and labels that admission reads or writes: those that are its own, and those that the controllers know too.

pub(super) use crate::vm::keys::{
    APPLY_POWER_STATE_TIME, CLUSTER_ROLES, DELETE_CHECK, LAST_RESIZED, PAUSED, POWER_ON_CHECK, SNAPSHOT_VM_NAME, UPGRADED, ZONE,
};

/// Turns validation and the quota off, for privileged users.
pub(super) const SKIP_VALIDATION: &str = "vmoperator.vmware.com.protected/skip-validation";
/// When a group's power state was last changed.
pub(super) const LAST_UPDATED_POWER_STATE_TIME: &str = "vmoperator.vmware.com.protected/last-updated-power-state-time";
/// The operator's version at the object's creation.
pub(super) const CREATED_AT_BUILD_VERSION: &str = "vmoperator.vmware.com/created-at-build-version";
/// The API version at the object's creation.
pub(super) const CREATED_AT_SCHEMA_VERSION: &str = "vmoperator.vmware.com/created-at-schema-version";
/// Asks for no default interface.
pub(super) const NO_DEFAULT_NIC: &str = "vmoperator.vmware.com/no-default-nic";
/// Marks a VM that was failed over.
pub(super) const FAILED_OVER_VM: &str = "vmoperator.vmware.com/failed-over-vm";
/// The cluster module that the VM is to join.
pub(super) const CLUSTER_MODULE_GROUP: &str = "vsphere-cluster-module-group";

/// Label: the Kubernetes cluster that the VM is a node of.
pub(super) const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";
/// Label: the default EncryptionClass of a namespace.
pub(super) const DEFAULT_ENCRYPTION_CLASS: &str = "encryption.vmware.com/default";
/// Label: the instance of a class that new VMs get.
pub(super) const ACTIVE: &str = "vmoperator.vmware.com/active";
/// Label: a claim of instance storage.
pub(super) const INSTANCE_STORAGE: &str = "vmoperator.vmware.com/instance-storage-resource";

/// The path of an annotation.
pub(super) fn annotation_path(key: &str) -> String {
    format!("metadata.annotations[{key}]")
}

/// The path of a label.
pub(super) fn label_path(key: &str) -> String {
    format!("metadata.labels[{key}]")
}
