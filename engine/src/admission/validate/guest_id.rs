//! VM-V-090: the guest ID of a running VM stays.
//!
//! Page: admission §9.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateUpdatesWhenPoweredOn`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use super::FROZEN_WHILE_ON;
use crate::admission::cause::{self, Causes};
use crate::admission::changes::{self, May};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let changed = request.old_spec().is_some_and(|old| old.guest_id != request.new.spec.guest_id);
    if changed && changes::GUEST_ID.may(changes::power(request)) == May::Stay {
        causes.push(cause::forbidden(changes::GUEST_ID.path, FROZEN_WHILE_ON));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    #[test]
    fn the_guest_id_changes_while_the_vm_is_off_or_as_it_is_powered_on() {
        let vm = |state: &str| Sample::vm().spec("powerState", json!(state)).stored().spec("guestID", json!("other"));
        assert!(vm("PoweredOff").admitted().is_ok());
        assert!(vm("PoweredOff").spec("powerState", json!("PoweredOn")).admitted().is_ok());
        assert!(vm("Suspended").admitted().is_ok());
        assert_eq!(vm("PoweredOn").denied(), ["spec.guestID: Forbidden: updates to this field is not allowed when VM power is on"]);
    }
}
