//! VM-V-110, VM-V-111: an EncryptionClass goes with a storage class that encrypts.
//!
//! Page: admission §11. To name another class, or none, is free in every power state (VM-V-112): that is how a VM is rekeyed.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateCrypto`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes, Structure};
use crate::admission::encryption::{self, Encryption};
use crate::admission::request::Request;
use crate::admission::user::Standing;
use crate::features::Feature;

const FIELD: &str = "spec.crypto.encryptionClassName";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(crypto) = &request.new.spec.crypto else { return };
    if !request.cx.on(Feature::BringYourOwnEncryptionKey) {
        let text = "the Bring Your Own Key (Provider) feature is not enabled";
        causes.push(cause::invalid("spec.crypto", Structure(crypto), text));
        return;
    }
    let class = &crypto.encryption_class_name;
    // The operator goes on with a VM that got past the webhook, or whose storage class doesn't encrypt any more: the reconciler says what is wrong.
    let goes_on = request.user == Standing::Operator && request.old.is_some_and(|old| old.spec.crypto == request.new.spec.crypto);
    if class.is_empty() || goes_on {
        return;
    }
    match encryption::of(&request.cx, &request.new.spec.storage_class) {
        Encryption::Encrypted => {}
        Encryption::Plain => {
            causes.push(cause::invalid(FIELD, class, "requires spec.storageClass specify an encryption storage class"));
        }
        Encryption::Unknown(why) => causes.push(cause::internal(FIELD, &why)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn with(storage_class: &str) -> Sample {
        Sample::vm().spec("storageClass", json!(storage_class)).spec("crypto", json!({"encryptionClassName": "rsa"}))
    }

    #[test]
    fn an_encryption_class_needs_a_storage_class_that_encrypts() {
        assert!(with("encrypted").admitted().is_ok());
        let text =
            "spec.crypto.encryptionClassName: Invalid value: \"rsa\": requires spec.storageClass specify an encryption storage class";
        assert_eq!(with("gold").denied(), [text]);
        assert_eq!(
            with("unknown-policy").denied(),
            [
                "spec.crypto.encryptionClassName: Internal error: storagepolicies.infra.vmware.com \"pol-00000000-8000000000000003\" not found"
            ]
        );
    }

    #[test]
    fn a_running_vm_may_be_rekeyed() {
        let stored = with("encrypted").spec("powerState", json!("PoweredOn")).stored();
        for class in ["other", ""] {
            assert!(stored.clone().spec("crypto", json!({"encryptionClassName": class})).admitted().is_ok());
        }
    }

    #[test]
    fn the_operator_goes_on_with_a_vm_that_got_past() {
        let stored = with("gold").stored();
        let finalizer = json!(["vmoperator.vmware.com/virtualmachine"]);
        assert!(
            stored
                .clone()
                .meta("finalizers", finalizer.clone())
                .asked_by("system:serviceaccount:vmware-system-vmop:default")
                .admitted()
                .is_ok()
        );
        assert!(stored.meta("finalizers", finalizer).admitted().is_err());
    }

    #[test]
    fn without_the_gate_there_is_no_crypto() {
        let mut sample = with("encrypted");
        sample.settings.features.set(Feature::BringYourOwnEncryptionKey, false);
        assert!(sample.denied()[0].ends_with("the Bring Your Own Key (Provider) feature is not enabled"));
    }
}
