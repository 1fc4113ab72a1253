//! Whether a storage class encrypts: what the operator's StoragePolicy objects say of the class' policy.
//!
//! Page: admission §11, crypto-storage §3.
//!
//! Mirrors: vm-operator `pkg/util/kube`, `IsEncryptedStorageClass`.

use k8s_openapi::api::storage::v1::StorageClass;
use vmtwin_model::kube::storage_policy::StoragePolicy;

use super::request::AdmissionCx;

/// What is known of a storage class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Its policy encrypts.
    Encrypted,
    /// Its policy doesn't encrypt; or there is no such class, or it names no policy.
    Plain,
    /// It names a policy of which nothing is known, and why.
    Unknown(String),
}

/// What is known of the storage class of this name.
pub(super) fn of(cx: &AdmissionCx<'_>, storage_class: &str) -> Encryption {
    let Some(id) = policy_id(cx, storage_class) else { return Encryption::Plain };
    let Some(name) = policy_name(id) else { return Encryption::Unknown(format!("invalid UUID length: {}", id.len())) };
    match cx.cache.view::<StoragePolicy>(&cx.settings.pod_namespace, &name) {
        Some(policy) if policy.status.encrypted => Encryption::Encrypted,
        Some(_) => Encryption::Plain,
        None => Encryption::Unknown(format!("storagepolicies.infra.vmware.com \"{name}\" not found")),
    }
}

/// The id of the policy that a storage class names.
pub(super) fn policy_id<'a>(cx: &AdmissionCx<'a>, storage_class: &str) -> Option<&'a str> {
    let class = cx.cache.view::<StorageClass>("", storage_class)?;
    class.spec.parameters.as_ref()?.get("storagePolicyID").map(String::as_str).filter(|id| !id.is_empty())
}

/// The name of the StoragePolicy object of a policy: `pol-`, then the first 8 and the last 16 hexadecimal digits of its id.
pub(crate) fn policy_name(id: &str) -> Option<String> {
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    if digits.len() != 32 || id.len() != 36 {
        return None;
    }
    let digits = digits.to_ascii_lowercase();
    Some(format!("pol-{}-{}", &digits[..8], &digits[16..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_object_is_named_after_its_id() {
        let name = policy_name("a7e2b3c4-1111-4222-8333-944445555666");
        assert_eq!(name.as_deref(), Some("pol-a7e2b3c4-8333944445555666"));
        assert_eq!(policy_name("gold"), None);
    }
}
