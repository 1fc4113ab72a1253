//! What a refused reconfigure says of encryption: the known faults, from the outer one through its causes, as parts of the message.
//!
//! Source: crypto-storage §1.9. Mirrors: vm-operator `pkg/vmconfig/crypto/crypto_reconciler_post.go`.

use serde_json::Value;
use vmtwin_model::vsphere::Fault;

/// By the key of a fault's message in the server's catalogue.
const BY_KEY: &[(&str, &[(&str, &str)])] = &[
    (
        "GenericVmConfigFault",
        &[
            ("msg.vigor.enc.keyNotFound", "specify a valid key"),
            ("msg.keysafe.locator", "specify a key that can be located"),
            ("msg.vtpm.add.notEncrypted", "add vTPM"),
            ("msg.vigor.enc.required.vtpm", "have vTPM"),
        ],
    ),
    ("NotSupported", &[("msg.disk.policyChangeFailure", "not have encryption IO filter")]),
    ("InvalidArgument", &[("config.extraConfig[\"dataFileKey\"]", "not set secret key")]),
    (
        "InvalidDeviceOperation",
        &[
            ("msg.hostd.deviceSpec.enc.encrypted", "not specify encrypted disk"),
            ("msg.hostd.deviceSpec.enc.notEncrypted", "not specify decrypted disk"),
            ("", "not add/remove device sans crypto spec"),
        ],
    ),
    (
        "InvalidDeviceSpec",
        &[
            ("msg.hostd.deviceSpec.enc.badPolicy", "have encryption IO filter"),
            ("msg.hostd.deviceSpec.enc.notDisk", "not apply only to disk"),
            ("msg.hostd.deviceSpec.enc.sharedBacking", "not have disk with shared backing"),
            ("msg.hostd.deviceSpec.enc.notFile", "not have raw disk mapping"),
            ("msg.hostd.configSpec.enc.mismatch", "not add encrypted disk"),
            ("msg.hostd.deviceSpec.add.noencrypt", "not add plain disk"),
        ],
    ),
    (
        "InvalidVmConfig",
        &[
            ("msg.hostd.configSpec.enc.snapshots", "not have snapshots"),
            ("msg.hostd.deviceSpec.enc.diskChain", "not have only disk snapshots"),
            ("msg.hostd.configSpec.enc.notEncrypted", "not be encrypted"),
            ("msg.hostd.configSpec.enc.encrypted", "be encrypted"),
            ("msg.hostd.configSpec.enc.mismatch", "have vm and disks with different encryption states"),
            ("msg.hostd.configSpec.enc.mixedKeys", "have vm and disks with different key provider types"),
        ],
    ),
];

/// By the text of a `SystemError`.
const BY_TEXT: &[(&str, &str)] = &[
    ("Error creating disk Key locator", "specify a valid key"),
    ("Key locator error", "specify a key that can be located"),
    ("Key required for encryption.bundle.", "not specify encryption bundle"),
];

/// The parts that a fault and its causes give, the outer ones first; none where they have nothing to do with encryption.
pub(crate) fn parts_of(fault: &Fault) -> Vec<&'static str> {
    let mut parts = Vec::new();
    let name = fault.name.as_str();
    let existing = fault.properties.get("existingState").and_then(Value::as_str).unwrap_or_default();
    parts_of_one(name, &fault.localized_message, &keys(fault.properties.get("faultMessage")), existing, &mut parts);
    let mut cause = fault.properties.get("faultCause");
    while let Some(there) = cause {
        // A `LocalizedMethodFault` has the fault within, with the text beside it.
        let inner = there.get("fault").filter(|inner| inner.is_object()).unwrap_or(there);
        let text = |key: &str| [inner, there].iter().find_map(|value| value.get(key)?.as_str()).unwrap_or_default();
        let name = text("_typeName");
        parts_of_one(name, text("localizedMessage"), &keys(inner.get("faultMessage")), text("existingState"), &mut parts);
        cause = inner.get("faultCause");
    }
    parts
}

fn keys(messages: Option<&Value>) -> Vec<&str> {
    let messages = messages.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    messages.iter().filter_map(|message| message.get("key")?.as_str()).collect()
}

fn parts_of_one(name: &str, text: &str, keys: &[&str], existing: &str, parts: &mut Vec<&'static str>) {
    match name {
        "SystemError" => parts.extend(BY_TEXT.iter().filter(|(known, _)| *known == text).map(|(_, part)| *part)),
        "InvalidPowerState" if existing != "poweredOff" => parts.push("be powered off"),
        _ => {
            let Some((_, known)) = BY_KEY.iter().find(|(fault, _)| *fault == name) else { return };
            for key in keys {
                // An empty key stands for any other.
                parts.extend(known.iter().find(|(there, _)| there == key || there.is_empty()).map(|(_, part)| *part));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vmtwin_model::vsphere::FaultName;

    use super::*;

    fn fault(name: &str, keys: &[&str]) -> Fault {
        let messages: Vec<Value> = keys.iter().map(|key| json!({"key": key})).collect();
        Fault::new(FaultName::from(name), "").with("faultMessage", messages)
    }

    #[test]
    fn every_known_key_gives_its_part() {
        for (name, rows) in BY_KEY {
            for (key, part) in *rows {
                let key = if key.is_empty() { "msg.something.else" } else { key };
                assert_eq!(parts_of(&fault(name, &[key])), [*part]);
            }
            assert_eq!(parts_of(&fault(name, &[])), [""; 0]);
        }
        assert_eq!(parts_of(&fault("MethodFault", &["msg.keysafe.locator"])), [""; 0]);
        let several = ["msg.vigor.enc.keyNotFound", "msg.keysafe.locator", "msg.vtpm.add.notEncrypted"];
        let parts = ["specify a valid key", "specify a key that can be located", "add vTPM"];
        assert_eq!(parts_of(&fault("GenericVmConfigFault", &several)), parts);
    }

    #[test]
    fn a_power_state_other_than_off_is_told() {
        let state = |existing: &str| Fault::new(FaultName::InvalidPowerState, "").with("existingState", existing);
        assert_eq!(parts_of(&state("poweredOn")), ["be powered off"]);
        assert_eq!(parts_of(&state("")), ["be powered off"]);
        assert_eq!(parts_of(&state("poweredOff")), [""; 0]);
    }

    #[test]
    fn causes_follow_the_outer_fault() {
        let cause = json!({"fault": {"_typeName": "NotSupported", "faultMessage": [{"key": "msg.disk.policyChangeFailure"}]}});
        let fault = Fault::new(FaultName::SystemError, "Key locator error").with("faultCause", cause);
        assert_eq!(parts_of(&fault), ["specify a key that can be located", "not have encryption IO filter"]);
        let cause = json!({"fault": {"_typeName": "SystemError"}, "localizedMessage": "Key required for encryption.bundle."});
        assert_eq!(parts_of(&Fault::new(FaultName::SystemError, "").with("faultCause", cause)), ["not specify encryption bundle"]);
    }
}
