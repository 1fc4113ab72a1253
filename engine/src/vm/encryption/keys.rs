//! Whom a VM or a claim asks for a key: its EncryptionClass, which must name a known provider and a usable key, or the default provider.
//!
//! Source: crypto-storage §1.3, §2.2. Mirrors: vm-operator `pkg/vmconfig/crypto`, `getEncryptionClass…`, and `pkg/providers/vsphere/vcenter`'s key
//! manager.

use vmtwin_model::kube::Resource;
use vmtwin_model::kube::encryption_class::EncryptionClass;
use vmtwin_model::vsphere::vm::CryptoKeyId;
use vmtwin_model::vsphere::{Operation, Reply};

use crate::crypto::{Problem, Reasons, Wanted};
use crate::pass::{Cx, Flow};
use crate::vm::VmDraft;
use crate::vm::create::prerequisites::not_found;

/// Whether the default provider steps in where no class is named.
pub(super) fn uses_default(draft: &VmDraft) -> bool {
    draft.spec().crypto.as_ref().and_then(|crypto| crypto.use_default_key_provider).unwrap_or(true)
}

/// What the EncryptionClass of the VM says; nothing where it names none.
pub(super) fn of_class(cx: &mut Cx<'_>, draft: &VmDraft) -> Flow<Option<Result<Wanted, Problem>>> {
    let name = draft.spec().crypto.as_ref().map(|crypto| crypto.encryption_class_name.clone()).unwrap_or_default();
    if name.is_empty() {
        return Ok(None);
    }
    named(cx, draft, &name).map(Some)
}

/// What the EncryptionClass of this name says.
pub(super) fn named(cx: &mut Cx<'_>, draft: &VmDraft, name: &str) -> Flow<Result<Wanted, Problem>> {
    let Some(class) = cx.find::<EncryptionClass>(&draft.namespace().clone(), name) else {
        return Ok(Err(Problem::new(Reasons::CLASS_NOT_FOUND, not_found(EncryptionClass::KIND, name))));
    };
    let spec = class.spec();
    let invalid = |text: &str| Ok(Err(Problem::new(Reasons::CLASS_INVALID, text)));
    // A list that can't be had counts as one without the provider.
    let provider = match cx.call(Operation::ListKmipServers {})? {
        Ok(Reply::KeyProviders(providers)) => providers.into_iter().find(|provider| *provider.id == *spec.key_provider),
        Ok(other) => unreachable!("a list of key providers answered {other:?}"),
        Err(_) => None,
    };
    let Some(provider) = provider else { return invalid("invalid key provider") };
    let key = CryptoKeyId::new(provider.id, spec.key_id.as_str());
    if spec.key_id.is_empty() || provider.native {
        return Ok(Ok(Wanted::Class(key)));
    }
    let usable = match cx.call(Operation::QueryCryptoKeyStatus { key: key.clone() })? {
        Ok(Reply::KeyStatus { available, reason }) => available || &*reason == "KeyStateNotActiveOrEnabled",
        Ok(other) => unreachable!("a key's status answered {other:?}"),
        Err(_) => false,
    };
    if usable { Ok(Ok(Wanted::Class(key))) } else { invalid("invalid key id") }
}

/// The default provider; none where vSphere can't tell.
pub(super) fn default_provider(cx: &mut Cx<'_>) -> Flow<Wanted> {
    match cx.call(Operation::GetDefaultKmsCluster {})? {
        Ok(Reply::DefaultKeyProvider(provider)) => Ok(Wanted::Default(provider)),
        Ok(other) => unreachable!("the default key provider answered {other:?}"),
        Err(_) => Ok(Wanted::Default(None)),
    }
}
