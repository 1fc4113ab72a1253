//! What forbids an operation on a VM's encryption: every violation is told, in the order of the page's table.
//!
//! A violation stops the operation alone; the change that offends is still sent, and vSphere decides on it.
//!
//! Source: crypto-storage §1.7. Mirrors: vm-operator `pkg/vmconfig/crypto/crypto_reconciler_pre.go`, `validate…`.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::vsphere::snapshot::SnapshotInfo;
use vmtwin_model::vsphere::spec::{ConfigSpec, CryptoSpec, DeviceChange, DeviceOperation, DeviceType};
use vmtwin_model::vsphere::vm::PowerState;

use super::{Doing, Problem, Reasons, message};

/// The keys of ExtraConfig that hold a VM's secrets, as upstream compares them.
const SECRET_KEYS: [&str; 6] = [
    "ancestordatafilekeys",
    "cryptostate",
    "datafilekey",
    "encryption.required",
    "encryption.required.vtpm",
    "encryption.unspecified.default",
];

/// What the rules look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// All that the pass is about to change.
    pub(crate) change: &'a ConfigSpec,
    /// Whether the VM has a vTPM or an encrypted storage class.
    pub(crate) qualifies: bool,
    pub(crate) power: PowerState,
    pub(crate) snapshots: Option<&'a SnapshotInfo>,
    /// Whether the storage policies that the change names for encrypted devices encrypt.
    pub(crate) policies: &'a BTreeMap<Arc<str>, bool>,
}

/// What is violated, if anything is.
pub(crate) fn validate(doing: Doing, facts: Facts<'_>) -> Result<(), Problem> {
    let mut violated = Violated::default();
    let change = facts.change;
    violated.when(first_tpm(change) == Some(DeviceOperation::Remove), Reasons::INVALID_CHANGES, "not remove vTPM");
    violated.when(!facts.qualifies, Reasons::INVALID_STATE, "use encryption storage class or have vTPM");
    match doing {
        Doing::Encrypting => {
            violated.when(facts.power != PowerState::PoweredOff, Reasons::INVALID_STATE, "be powered off");
            let stands = facts.snapshots.is_some_and(|snapshots| snapshots.current_snapshot.is_some());
            violated.when(stands, Reasons::INVALID_STATE, "not have snapshots");
        }
        Doing::Recrypting => {
            let branches = facts.snapshots.is_some_and(SnapshotInfo::branches);
            violated.when(branches, Reasons::INVALID_STATE, "not have snapshot tree");
        }
        Doing::Updating => {
            let secret = change.extra_config.iter().any(|option| SECRET_KEYS.contains(&&*option.key));
            violated.when(secret, Reasons::INVALID_CHANGES, "not add/remove/modify secret key");
        }
    }
    for device in &change.device_change {
        violated.by_device(device, facts.policies);
    }
    if violated.parts.is_empty() {
        return Ok(());
    }
    Err(Problem::new(violated.reasons, message(&violated.parts, Some(doing))))
}

/// What becomes of a vTPM: the first change of one counts.
pub(crate) fn first_tpm(change: &ConfigSpec) -> Option<DeviceOperation> {
    let tpm = change.device_change.iter().find(|change| change.device.type_ == DeviceType::VirtualTPM)?;
    Some(tpm.operation.unwrap_or(DeviceOperation::Add))
}

/// Whether a change of a device puts data on a disk that a policy must encrypt.
pub(crate) fn writes_encrypted(change: &DeviceChange) -> bool {
    let crypts = matches!(change.crypto(), Some(CryptoSpec::Encrypt { .. } | CryptoSpec::DeepRecrypt { .. }));
    crypts && change.operation != Some(DeviceOperation::Remove)
}

#[derive(Debug, Default)]
struct Violated {
    reasons: Reasons,
    parts: Vec<&'static str>,
}

impl Violated {
    fn when(&mut self, violated: bool, reason: Reasons, part: &'static str) {
        if violated {
            self.reasons.add(reason);
            self.parts.push(part);
        }
    }

    fn by_device(&mut self, change: &DeviceChange, policies: &BTreeMap<Arc<str>, bool>) {
        const CHANGES: Reasons = Reasons::INVALID_CHANGES;
        let encrypts = change.profile.iter().any(|profile| policies.get(&profile.profile_id).copied().unwrap_or(false));
        self.when(writes_encrypted(change) && !encrypts, CHANGES, "specify policy when encrypting devices");
        if change.crypto().is_none() {
            return;
        }
        let backing = change.device.backing.as_ref().and_then(|backing| backing.type_.as_deref()).unwrap_or_default();
        self.when(backing.starts_with("VirtualDiskRawDiskMapping"), CHANGES, "not encrypt raw disks");
        self.when(change.device.type_ != DeviceType::VirtualDisk, CHANGES, "not encrypt non-disk devices");
        let has_parent = change.backing.as_ref().is_some_and(|backing| backing.parent.is_some());
        self.when(has_parent, CHANGES, "not encrypt devices with multiple backings");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    struct Vm {
        power: PowerState,
        qualifies: bool,
        snapshots: Value,
    }

    const FIT: Vm = Vm { power: PowerState::PoweredOff, qualifies: true, snapshots: Value::Null };

    fn told(doing: Doing, vm: &Vm, change: Value) -> (String, String) {
        let change: ConfigSpec = serde_json::from_value(change).expect("a spec");
        let snapshots: Option<SnapshotInfo> = serde_json::from_value(vm.snapshots.clone()).expect("snapshots");
        let policies = BTreeMap::from([("good".into(), true), ("plain".into(), false)]);
        let facts = Facts { change: &change, qualifies: vm.qualifies, power: vm.power, snapshots: snapshots.as_ref(), policies: &policies };
        match validate(doing, facts) {
            Ok(()) => (String::new(), String::new()),
            Err(problem) => (problem.reasons.to_string(), problem.message.to_string()),
        }
    }

    fn is(reason: &str, message: &str) -> (String, String) {
        (reason.to_owned(), message.to_owned())
    }

    fn disk(operation: &str, crypto: &str, rest: Value) -> Value {
        let id = json!({"keyId": "k", "providerId": {"id": "p"}});
        let key = if crypto == "CryptoSpecEncrypt" { "cryptoKeyId" } else { "newKeyId" };
        let mut change = json!({"operation": operation, "device": {"_typeName": "VirtualDisk", "key": 2000}, "backing": {"crypto": {"_typeName": crypto, key: id}}});
        for (field, value) in rest.as_object().expect("fields") {
            change[field] = value.clone();
        }
        change
    }

    #[test]
    fn only_a_vm_that_is_off_and_without_snapshots_is_encrypted() {
        assert_eq!(told(Doing::Encrypting, &FIT, json!({})), is("", ""));
        for power in [PowerState::PoweredOn, PowerState::Suspended] {
            let vm = Vm { power, ..FIT };
            assert_eq!(told(Doing::Encrypting, &vm, json!({})), is("InvalidState", "Must be powered off when encrypting vm"));
            assert_eq!(told(Doing::Recrypting, &vm, json!({})), is("", ""));
        }
        let chain = json!({"currentSnapshot": "b", "rootSnapshotList": [{"snapshot": "a", "childSnapshotList": [{"snapshot": "b"}]}]});
        let vm = Vm { snapshots: chain, ..FIT };
        assert_eq!(told(Doing::Encrypting, &vm, json!({})), is("InvalidState", "Must not have snapshots when encrypting vm"));
        assert_eq!(told(Doing::Recrypting, &vm, json!({})), is("", ""), "a chain is fine");
        let fork = json!({"currentSnapshot": "b", "rootSnapshotList": [{"snapshot": "a"}, {"snapshot": "b"}]});
        let vm = Vm { snapshots: fork, ..FIT };
        assert_eq!(told(Doing::Recrypting, &vm, json!({})), is("InvalidState", "Must not have snapshot tree when recrypting vm"));
        assert_eq!(told(Doing::Updating, &vm, json!({})), is("", ""));
    }

    #[test]
    fn a_vm_without_a_need_is_told_so_in_every_case() {
        let vm = Vm { qualifies: false, ..FIT };
        for (doing, words) in
            [(Doing::Encrypting, "encrypting"), (Doing::Recrypting, "recrypting"), (Doing::Updating, "updating encrypted")]
        {
            let text = format!("Must use encryption storage class or have vTPM when {words} vm");
            assert_eq!(told(doing, &vm, json!({})), is("InvalidState", &text));
        }
    }

    #[test]
    fn changes_that_break_encryption_are_told() {
        let tpm = json!({"deviceChange": [{"operation": "remove", "device": {"_typeName": "VirtualTPM", "key": 11000}}]});
        assert_eq!(told(Doing::Recrypting, &FIT, tpm), is("InvalidChanges", "Must not remove vTPM when recrypting vm"));
        let secret = json!({"extraConfig": [{"key": "cryptostate", "value": ""}]});
        let text = "Must not add/remove/modify secret key when updating encrypted vm";
        assert_eq!(told(Doing::Updating, &FIT, secret.clone()), is("InvalidChanges", text));
        assert_eq!(told(Doing::Encrypting, &FIT, secret), is("", ""));
        assert_eq!(told(Doing::Updating, &FIT, json!({"extraConfig": [{"key": "CryptoState", "value": ""}]})), is("", ""));
    }

    #[test]
    fn an_encrypted_device_must_be_a_disk_of_its_own_with_a_policy() {
        let all = |changes: Value| told(Doing::Encrypting, &FIT, json!({"deviceChange": changes}));
        let good = json!({"profile": [{"profileId": "good"}]});
        assert_eq!(all(json!([disk("add", "CryptoSpecEncrypt", good.clone())])), is("", ""));
        let text = "Must specify policy when encrypting devices when encrypting vm";
        for profile in [json!({}), json!({"profile": [{"profileId": "plain"}]})] {
            assert_eq!(all(json!([disk("edit", "CryptoSpecDeepRecrypt", profile)])), is("InvalidChanges", text));
        }
        assert_eq!(all(json!([disk("edit", "CryptoSpecShallowRecrypt", json!({}))])), is("", ""));
        let raw =
            json!({"device": {"_typeName": "VirtualDisk", "key": 1, "backing": {"_typeName": "VirtualDiskRawDiskMappingVer1BackingInfo"}}});
        let text = "Must not encrypt raw disks when encrypting vm";
        assert_eq!(all(json!([disk("edit", "CryptoSpecShallowRecrypt", raw)])), is("InvalidChanges", text));
        let other = json!({"device": {"_typeName": "VirtualAHCIController", "key": 1}, "profile": [{"profileId": "good"}]});
        let text = "Must not encrypt non-disk devices when encrypting vm";
        assert_eq!(all(json!([disk("add", "CryptoSpecEncrypt", other)])), is("InvalidChanges", text));
        let mut child = disk("add", "CryptoSpecEncrypt", good);
        child["backing"]["parent"] = json!({});
        let text = "Must not encrypt devices with multiple backings when encrypting vm";
        assert_eq!(all(json!([child])), is("InvalidChanges", text));
    }

    #[test]
    fn state_and_changes_come_together() {
        let vm = Vm { power: PowerState::PoweredOn, ..FIT };
        let change = json!({"deviceChange": [disk("add", "CryptoSpecEncrypt", json!({}))]});
        let text = "Must be powered off and specify policy when encrypting devices when encrypting vm";
        assert_eq!(told(Doing::Encrypting, &vm, change), is("InvalidStateAndInvalidChanges", text));
    }
}
