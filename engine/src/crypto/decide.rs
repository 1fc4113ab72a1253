//! What is to be done: the decision tables of a new VM, of an existing one, and of a disk behind a claim.
//!
//! Source: crypto-storage §1.4, §1.5, §1.6. Mirrors: vm-operator `pkg/vmconfig/crypto/crypto_reconciler_pre.go`.

use std::sync::Arc;

use vmtwin_model::vsphere::vm::CryptoKeyId;

use super::{Problem, Reasons};

/// Whom the VM's spec asks for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// An EncryptionClass: its provider, and its key or none.
    Class(CryptoKeyId),
    /// The default key provider, if there is one.
    Default(Option<Arc<str>>),
    /// Nobody: the spec names no class and opts out of the default provider.
    Nobody,
}

/// What is to be done to a VM or a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Nothing,
    Encrypt(CryptoKeyId),
    Recrypt(CryptoKeyId),
}

/// The key of a new VM; nothing where it isn't to be encrypted. `qualifies`: it has a vTPM or an encrypted storage class.
pub(crate) fn creating(wanted: &Wanted, qualifies: bool) -> Result<Option<CryptoKeyId>, Problem> {
    match (wanted, qualifies) {
        (Wanted::Class(key), true) => Ok(Some(key.clone())),
        (Wanted::Class(_), false) => Err(Problem::new(Reasons::INVALID_STATE, "must use encrypted StorageClass or have vTPM")),
        (Wanted::Default(Some(provider)), true) => Ok(Some(CryptoKeyId::new(provider.clone(), ""))),
        (Wanted::Default(None) | Wanted::Nobody, true) => {
            Err(Problem::new(Reasons::NO_DEFAULT_KEY_PROVIDER, "vTPM and/or encrypted StorageClass require encryption"))
        }
        (Wanted::Default(_) | Wanted::Nobody, false) => Ok(None),
    }
}

/// What is to be done to an existing VM with this key. It is never decrypted, whatever is taken away from it.
pub(crate) fn existing(wanted: &Wanted, current: Option<&CryptoKeyId>, qualifies: bool) -> Result<Deed, Problem> {
    Ok(match (wanted, current) {
        // Whether it qualifies is for the validation to say.
        (Wanted::Class(key), None) => Deed::Encrypt(key.clone()),
        (Wanted::Class(key), Some(current)) => {
            let same = key.provider() == current.provider()
                && ((key.key_id.is_empty() && !crate::planted::is("rekey-on-empty-key")) || key.key_id == current.key_id);
            if same { Deed::Nothing } else { Deed::Recrypt(key.clone()) }
        }
        (Wanted::Default(Some(provider)), None) if qualifies => Deed::Encrypt(CryptoKeyId::new(provider.clone(), "")),
        (Wanted::Default(_), None) => Deed::Nothing,
        (Wanted::Default(Some(provider)), Some(current)) if provider != current.provider() => {
            Deed::Recrypt(CryptoKeyId::new(provider.clone(), ""))
        }
        (Wanted::Default(Some(_)), Some(_)) | (Wanted::Nobody, _) => Deed::Nothing,
        (Wanted::Default(None), Some(_)) => return Err(no_default()),
    })
}

/// The error of what needs the default key provider and finds none.
pub(crate) fn no_default() -> Problem {
    Problem::new(Reasons::NO_DEFAULT_KEY_PROVIDER, "no default key provider")
}

/// What is to be done to a disk behind a claim.
pub(crate) fn of_disk(wanted: &Wanted, current: Option<&CryptoKeyId>) -> Result<Deed, Problem> {
    match wanted {
        Wanted::Default(None) | Wanted::Nobody => Err(no_default()),
        wanted => existing(wanted, current, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(provider: &str, key: &str) -> CryptoKeyId {
        CryptoKeyId::new(provider, key)
    }

    fn default(provider: &str) -> Wanted {
        Wanted::Default((!provider.is_empty()).then(|| provider.into()))
    }

    #[test]
    fn a_new_vm_is_encrypted_by_its_class_or_by_the_default_if_it_needs_to_be() {
        let class = Wanted::Class(key("p", "k"));
        assert_eq!(creating(&class, true), Ok(Some(key("p", "k"))));
        let problem = creating(&class, false).expect_err("row 5");
        assert_eq!((&*problem.message, problem.reasons), ("must use encrypted StorageClass or have vTPM", Reasons::INVALID_STATE));
        let problem = creating(&default(""), true).expect_err("row 6");
        assert_eq!(&*problem.message, "vTPM and/or encrypted StorageClass require encryption");
        assert_eq!(problem.reasons, Reasons::NO_DEFAULT_KEY_PROVIDER);
        assert_eq!(creating(&default("p"), true), Ok(Some(key("p", ""))));
        assert_eq!(creating(&default("p"), false), Ok(None));
        assert_eq!(creating(&default(""), false), Ok(None));
    }

    #[test]
    fn an_existing_vm_follows_its_class() {
        for (wanted, current, expected) in [
            (key("p", "k"), None, Deed::Encrypt(key("p", "k"))),
            (key("p", "k"), Some(key("q", "k")), Deed::Recrypt(key("p", "k"))),
            (key("p", ""), Some(key("q", "k")), Deed::Recrypt(key("p", ""))),
            (key("p", ""), Some(key("p", "k")), Deed::Nothing),
            (key("p", "k"), Some(key("p", "k")), Deed::Nothing),
            (key("p", "l"), Some(key("p", "k")), Deed::Recrypt(key("p", "l"))),
        ] {
            for qualifies in [true, false] {
                assert_eq!(existing(&Wanted::Class(wanted.clone()), current.as_ref(), qualifies), Ok(expected.clone()));
            }
        }
    }

    #[test]
    fn an_existing_vm_without_a_class_follows_the_default_provider() {
        let there = Some(key("p", "k"));
        assert_eq!(existing(&default("p"), None, true), Ok(Deed::Encrypt(key("p", ""))));
        assert_eq!(existing(&default("p"), None, false), Ok(Deed::Nothing));
        assert_eq!(existing(&default(""), None, true), Ok(Deed::Nothing));
        assert_eq!(existing(&default("q"), there.as_ref(), false), Ok(Deed::Recrypt(key("q", ""))));
        assert_eq!(existing(&default("p"), there.as_ref(), true), Ok(Deed::Nothing));
        assert_eq!(existing(&default(""), there.as_ref(), true), Err(no_default()));
        assert_eq!(existing(&Wanted::Nobody, there.as_ref(), true), Ok(Deed::Nothing));
        assert_eq!(existing(&Wanted::Nobody, None, true), Ok(Deed::Nothing));
    }

    #[test]
    fn a_disk_behind_a_claim_needs_its_class_or_the_default_provider() {
        assert_eq!(of_disk(&default(""), None), Err(no_default()));
        assert_eq!(of_disk(&default("p"), None), Ok(Deed::Encrypt(key("p", ""))));
        assert_eq!(of_disk(&default("p"), Some(&key("p", "any"))), Ok(Deed::Nothing));
        assert_eq!(of_disk(&Wanted::Class(key("p", "k")), Some(&key("p", "l"))), Ok(Deed::Recrypt(key("p", "k"))));
    }
}
