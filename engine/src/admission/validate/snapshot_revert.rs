//! VM-V-192, VM-V-193: a VM is reverted to one snapshot at a time, not as it is created, and not if it is a node of a Kubernetes
//! cluster.
//!
//! Page: admission §15.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateSnapshot`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::changes::{self, CURRENT_SNAPSHOT, May};
use crate::admission::keys::CLUSTER_ROLES;
use crate::admission::request::Request;

const FIELD: &str = CURRENT_SNAPSHOT.path;

pub(in crate::admission) fn validate_create(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if !request.new.spec.current_snapshot_name.is_empty() {
        causes.push(cause::forbidden(FIELD, "creating VM with current snapshot is not allowed"));
    }
}

pub(in crate::admission) fn validate_update(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let new = &request.new.spec.current_snapshot_name;
    if new.is_empty() {
        return;
    }
    let old = request.old_spec().map(|old| old.current_snapshot_name.as_str()).unwrap_or_default();
    if new.trim().is_empty() {
        causes.push(cause::invalid(FIELD, new, "currentSnapshotName cannot be empty"));
    } else if !old.is_empty() && old != new && CURRENT_SNAPSHOT.may(changes::power(request)) == May::Once {
        causes.push(cause::forbidden(FIELD, "a snapshot revert is already in progress"));
    }
    if CLUSTER_ROLES.iter().any(|label| request.new.object.label(label).is_some()) {
        causes.push(cause::forbidden(FIELD, "snapshot revert is not allowed for VKS nodes"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    #[test]
    fn a_new_vm_stands_on_no_snapshot() {
        let sample = Sample::vm().spec("currentSnapshotName", json!("s1"));
        assert_eq!(sample.denied(), ["spec.currentSnapshotName: Forbidden: creating VM with current snapshot is not allowed"]);
    }

    #[test]
    fn one_revert_at_a_time() {
        let asked = Sample::vm().stored().spec("currentSnapshotName", json!("s1"));
        assert!(asked.admitted().is_ok());
        let under_way = asked.imported();
        assert!(under_way.clone().spec("currentSnapshotName", Value::Null).admitted().is_ok());
        let other = under_way.clone().spec("currentSnapshotName", json!("s2"));
        assert_eq!(other.denied(), ["spec.currentSnapshotName: Forbidden: a snapshot revert is already in progress"]);
        let blank = under_way.spec("currentSnapshotName", json!(" "));
        assert_eq!(blank.denied(), ["spec.currentSnapshotName: Invalid value: \" \": currentSnapshotName cannot be empty"]);
    }

    #[test]
    fn nodes_of_a_cluster_are_not_reverted() {
        let node = Sample::vm().label("capv.vmware.com/cluster.role", "node").stored().spec("currentSnapshotName", json!("s1"));
        assert_eq!(node.denied(), ["spec.currentSnapshotName: Forbidden: snapshot revert is not allowed for VKS nodes"]);
    }
}
