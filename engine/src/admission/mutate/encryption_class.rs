//! VM-M-010: a new VM on an encrypting storage class takes the default EncryptionClass of its namespace, if it names none.
//!
//! Page: admission §3.1 and §11. Not on updates: to empty the name is to go back to the default key provider.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetDefaultEncryptionClass`.

use vmtwin_model::kube::Resource;
use vmtwin_model::kube::encryption_class::EncryptionClass;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::encryption::{self, Encryption};
use crate::admission::keys::DEFAULT_ENCRYPTION_CLASS;
use crate::admission::request::{Denial, Request};
use crate::draft::Draft;
use crate::features::Feature;

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let cx = &request.cx;
    let named = vm.spec().crypto.as_ref().is_some_and(|crypto| !crypto.encryption_class_name.is_empty());
    if !cx.on(Feature::BringYourOwnEncryptionKey) || named || vm.spec().storage_class.is_empty() {
        return Ok(());
    }
    match encryption::of(cx, &vm.spec().storage_class) {
        Encryption::Plain => return Ok(()),
        Encryption::Unknown(why) => return Err(Denial::Text(why)),
        Encryption::Encrypted => {}
    }
    let classes = cx.cache.list(EncryptionClass::KIND, Some(request.namespace()));
    let mut defaults = classes.filter(|class| class.label(DEFAULT_ENCRYPTION_CLASS) == Some("true"));
    match (defaults.next(), defaults.next()) {
        (None, _) => Ok(()),
        (Some(class), None) => {
            vm.spec_mut().crypto.get_or_insert_default().encryption_class_name = class.key.name.to_string();
            Ok(())
        }
        (Some(_), Some(_)) => {
            let text = format!("multiple EncryptionClass resources have the label \"{DEFAULT_ENCRYPTION_CLASS}\": \"true\"");
            Err(Denial::Text(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn class(name: &str) -> Value {
        json!({
            "apiVersion": "encryption.vmware.com/v1alpha1", "kind": "EncryptionClass",
            "metadata": {"name": name, "namespace": "my-namespace", "labels": {"encryption.vmware.com/default": "true"}},
            "spec": {"keyProvider": "p"}
        })
    }

    #[test]
    fn the_default_class_is_taken_on_an_encrypting_storage_class_alone() {
        let sample = Sample::vm().given(class("rsa"));
        assert_eq!(sample.created()["spec"]["crypto"], json!(null));
        let encrypted = sample.spec("storageClass", json!("encrypted"));
        assert_eq!(encrypted.created()["spec"]["crypto"]["encryptionClassName"], "rsa");
        let chosen = encrypted.spec("crypto", json!({"encryptionClassName": "other"}));
        assert_eq!(chosen.created()["spec"]["crypto"]["encryptionClassName"], "other");
    }

    #[test]
    fn two_default_classes_are_one_too_many() {
        let sample = Sample::vm().spec("storageClass", json!("encrypted")).given(class("a")).given(class("b"));
        let text = r#"multiple EncryptionClass resources have the label "encryption.vmware.com/default": "true""#;
        assert_eq!(sample.denied_by_mutation(), text);
    }

    #[test]
    fn a_storage_class_whose_policy_is_unknown_is_refused() {
        let sample = Sample::vm().spec("storageClass", json!("unknown-policy"));
        assert_eq!(sample.denied_by_mutation(), "storagepolicies.infra.vmware.com \"pol-00000000-8000000000000003\" not found");
    }
}
