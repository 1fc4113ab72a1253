//! VM-V-074, VM-V-078: a BIOS UUID is a UUID, and privileged users alone may choose it.
//!
//! Page: admission §8 and §21. Who chose it shows in the object as it was sent: the mutation draws one where there was none.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateBiosUUID`; that it isn't everyone's to choose is the
//! documentation's word.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::changes::BIOS_UUID;
use crate::admission::request::Request;

const FORM: [usize; 5] = [8, 4, 4, 4, 12];

pub(in crate::admission) fn validate_create(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let uuid = &request.new.spec.bios_uuid;
    if !uuid.is_empty() && !is_uuid(uuid) {
        causes.push(cause::invalid(BIOS_UUID.path, uuid, "must provide a valid UUID"));
    }
    validate_chooser(request, causes);
}

pub(in crate::admission) fn validate_update(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if request.old_spec().is_some_and(|old| old.bios_uuid.is_empty()) {
        validate_chooser(request, causes);
    }
}

fn validate_chooser(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if !request.sent.spec.bios_uuid.is_empty() && !request.user.is_privileged() {
        causes.push(cause::forbidden(BIOS_UUID.path, "only privileged users may set this field"));
    }
}

fn is_uuid(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') && text.split('-').map(str::len).eq(FORM)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    const UUID: &str = "11223344-5566-4778-899A-abbccddeeff0";
    const REFUSED: &str = "spec.biosUUID: Forbidden: only privileged users may set this field";

    #[test]
    fn privileged_users_alone_choose_it() {
        let sample = Sample::vm().spec("biosUUID", json!(UUID));
        assert_eq!(sample.denied(), [REFUSED]);
        assert!(sample.privileged().admitted().is_ok());
        let imported = Sample::vm().spec("powerState", json!("PoweredOff")).imported().spec("biosUUID", json!(UUID));
        assert_eq!(imported.denied(), [REFUSED]);
        assert!(imported.privileged().admitted().is_ok());
    }

    #[test]
    fn it_is_a_uuid() {
        let sample = Sample::vm().spec("biosUUID", json!("1234")).privileged();
        assert_eq!(sample.denied(), ["spec.biosUUID: Invalid value: \"1234\": must provide a valid UUID"]);
    }
}
