//! VM-V-070 to VM-V-073: fields that stay as they are, at once or from when they are first set.
//!
//! Page: admission §8.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateImmutableFields`.

use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineSpec};

use crate::admission::cause::{self, Causes, IMMUTABLE};
use crate::admission::changes::{self, Field, May};
use crate::admission::request::Request;

type Read = fn(&VirtualMachineSpec) -> &str;

/// The fields, with how to read them.
const FIELDS: [(Field, Read); 4] = [
    (changes::STORAGE_CLASS, |spec| &spec.storage_class),
    (changes::BIOS_UUID, |spec| &spec.bios_uuid),
    (changes::INSTANCE_UUID, |spec| &spec.instance_uuid),
    (changes::RESOURCE_POLICY, |spec| spec.reserved.as_ref().map_or("", |reserved| &reserved.resource_policy_name)),
];

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(old) = request.old_spec() else { return };
    let power = changes::power(request);
    for (field, read) in FIELDS {
        let (old, new) = (read(old), read(request.new.spec));
        let fixed = match field.may(power) {
            May::Change => false,
            May::Stay => true,
            May::Privileged => !request.user.is_privileged(),
            May::Once => !old.is_empty(),
        };
        if fixed && old != new {
            causes.push(cause::invalid(field.path, new, IMMUTABLE));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    const UUID: &str = "11223344-5566-4778-899a-abbccddeeff0";

    #[test]
    fn nobody_changes_what_is_set() {
        let stored = Sample::vm().stored().privileged();
        for (field, value) in [("storageClass", "encrypted"), ("biosUUID", UUID), ("instanceUUID", UUID)] {
            let text = format!("spec.{field}: Invalid value: \"{value}\": field is immutable");
            assert_eq!(stored.clone().spec(field, json!(value)).denied(), [text]);
        }
        let policy = stored.spec("reserved", json!({"resourcePolicyName": "p"}));
        assert_eq!(policy.denied(), ["spec.reserved.resourcePolicyName: Invalid value: \"p\": field is immutable"]);
    }

    #[test]
    fn identifiers_can_be_set_once() {
        let imported = Sample::vm().spec("powerState", json!("PoweredOff")).imported().privileged();
        let identified = imported.spec("biosUUID", json!(UUID)).spec("instanceUUID", json!(UUID));
        assert!(identified.updated()["spec"]["biosUUID"].is_string());
    }
}
