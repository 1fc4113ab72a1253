//! VM-V-024: the label that pauses reconciliation is for privileged users. The annotation of that name is anyone's.
//!
//! Page: admission §5.1.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateLabel`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::keys::PAUSED;
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let old = request.old.and_then(|old| old.object.label(PAUSED)).unwrap_or_default();
    let new = request.new.object.label(PAUSED).unwrap_or_default();
    if old != new && !request.user.is_privileged() {
        let text = "modifying this label is not allowed for non-admin users";
        causes.push(cause::forbidden(format!("metadata.labels.{PAUSED}"), text));
    }
}

#[cfg(test)]
mod tests {
    use crate::admission::samples::Sample;

    #[test]
    fn privileged_users_alone_pause_by_label() {
        let text = "metadata.labels.vmoperator.vmware.com/paused: Forbidden: modifying this label is not allowed for non-admin users";
        let paused = Sample::vm().label("vmoperator.vmware.com/paused", "admin");
        assert_eq!(paused.denied(), [text]);
        assert!(paused.clone().privileged().admitted().is_ok());
        assert_eq!(paused.stored().meta("labels", serde_json::Value::Null).denied(), [text]);
        assert!(Sample::vm().annotation("vmoperator.vmware.com/paused", "true").admitted().is_ok());
    }
}
