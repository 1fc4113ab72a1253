//! Encryption as tables: what a VM is to be encrypted with, what forbids it, and what a refusal of vSphere means.
//!
//! Functions of facts alone; `vm::encryption` collects the facts and does what comes out. Source: crypto-storage §1.

mod decide;
mod refusal;
mod validate;

use std::fmt;
use std::sync::Arc;

use vmtwin_model::kube::{Condition, ConditionType, Reason};

pub(crate) use decide::{Deed, Wanted, creating, existing, of_disk};
pub(crate) use refusal::parts_of;
pub(crate) use validate::{Facts, first_tpm, validate, writes_encrypted};

/// The reasons of `VirtualMachineEncryptionSynced`, which may come together. Source: crypto-storage §1.8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reasons(u8);

impl Reasons {
    pub(crate) const INTERNAL_ERROR: Self = Self(1);
    pub(crate) const CLASS_NOT_FOUND: Self = Self(2);
    pub(crate) const CLASS_INVALID: Self = Self(4);
    pub(crate) const NO_DEFAULT_KEY_PROVIDER: Self = Self(8);
    pub(crate) const INVALID_STATE: Self = Self(16);
    pub(crate) const INVALID_CHANGES: Self = Self(32);
    pub(crate) const RECONFIGURE_ERROR: Self = Self(64);

    const WORDS: [&'static str; 7] = [
        "InternalError",
        "EncryptionClassNotFound",
        "EncryptionClassInvalid",
        "NoDefaultKeyProvider",
        "InvalidState",
        "InvalidChanges",
        "ReconfigureError",
    ];

    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// The words of all that hold, joined with `And`.
impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Self::WORDS.iter().enumerate().filter(|(bit, _)| self.0 & (1 << bit) != 0).map(|(_, word)| word);
        f.write_str(words.next().copied().unwrap_or_default())?;
        words.try_for_each(|word| write!(f, "And{word}"))
    }
}

/// Why a VM's encryption isn't what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) reasons: Reasons,
    pub(crate) message: Arc<str>,
}

impl Problem {
    pub(crate) fn new(reasons: Reasons, message: impl Into<Arc<str>>) -> Self {
        Self { reasons, message: message.into() }
    }

    /// The condition that tells of it.
    pub(crate) fn condition(&self) -> Condition {
        Condition::fails(ConditionType::EncryptionSynced, Reason::from(self.reasons.to_string().as_str()), self.message.clone())
    }
}

/// What is being done to a VM's encryption, as messages put it. Source: crypto-storage §1.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// A plain VM is encrypted.
    Encrypting,
    /// An encrypted VM gets another key.
    Recrypting,
    /// An encrypted VM keeps its key.
    Updating,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypting => "encrypting",
            Self::Recrypting => "recrypting",
            Self::Updating => "updating encrypted",
        })
    }
}

/// `Must … when … vm`; nothing where no part is given. Upstream leaves the gap of an operation that isn't known. Source: crypto-storage §1.8.
pub(crate) fn message(parts: &[&str], doing: Option<Doing>) -> String {
    let all = match parts {
        [] => return String::new(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    };
    let doing = doing.map(|doing| doing.to_string()).unwrap_or_default();
    format!("Must {all} when {doing} vm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_joined_in_the_order_of_their_bits() {
        let mut reasons = Reasons::INVALID_CHANGES;
        assert_eq!(reasons.to_string(), "InvalidChanges");
        reasons.add(Reasons::INVALID_STATE);
        assert_eq!(reasons.to_string(), "InvalidStateAndInvalidChanges");
        assert_eq!(Reasons(127).to_string().matches("And").count(), 6);
    }

    #[test]
    fn parts_make_a_sentence() {
        let three = ["use encryption storage class or have vTPM", "be powered off", "not have snapshots"];
        let doing = Some(Doing::Encrypting);
        assert_eq!(message(&[], doing), "");
        assert_eq!(message(&three[1..2], doing), "Must be powered off when encrypting vm");
        assert_eq!(message(&three[1..], doing), "Must be powered off and not have snapshots when encrypting vm");
        assert_eq!(
            message(&three, doing),
            "Must use encryption storage class or have vTPM, be powered off, and not have snapshots when encrypting vm"
        );
        assert_eq!(message(&["not remove vTPM"], Some(Doing::Updating)), "Must not remove vTPM when updating encrypted vm");
        assert_eq!(message(&["be encrypted"], None), "Must be encrypted when  vm");
    }
}
