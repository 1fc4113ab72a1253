//! VM-V-120 to VM-V-123: a new VM's storage class exists, names a policy, and is its namespace's to use.
//!
//! Page: admission §12. The association is by policy, so the late-binding twin of a class passes with its sibling's quota. That a
//! class must be named at all is said here rather than by the quota, which would look for a class without a name (§21).
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateStorageClass`.

use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::api::storage::v1::StorageClass;
use vmtwin_model::kube::Resource;
use vmtwin_model::kube::storage_policy_quota::StoragePolicyQuota;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::encryption;
use crate::admission::request::{AdmissionCx, Request};
use crate::features::Feature;

const FIELD: &str = "spec.storageClass";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let (cx, name, namespace) = (&request.cx, request.new.spec.storage_class.as_str(), request.namespace());
    if name.is_empty() {
        causes.push(cause::required(FIELD));
        return;
    }
    if cx.cache.view::<StorageClass>("", name).is_none() {
        causes.push(cause::invalid(FIELD, name, &format!("storageclasses.storage.k8s.io \"{name}\" not found")));
        return;
    }
    let Some(policy) = encryption::policy_id(cx, name) else {
        let text = format!("StorageClass \"{name}\" does not have \"storagePolicyID\" parameter");
        causes.push(cause::invalid(FIELD, name, &text));
        return;
    };
    let associated = if cx.on(Feature::PodVMOnStretchedSupervisor) {
        has_policy_quota(cx, namespace, policy)
    } else {
        has_resource_quota(cx, namespace, name)
    };
    if !associated {
        let text = format!("Storage policy is not associated with the namespace {namespace} by object {name}");
        causes.push(cause::invalid(FIELD, name, &text));
    }
}

fn has_policy_quota(cx: &AdmissionCx<'_>, namespace: &str, policy: &str) -> bool {
    let mut quotas = cx.cache.list(StoragePolicyQuota::KIND, Some(namespace));
    quotas.any(|quota| quota.view::<StoragePolicyQuota>().is_some_and(|quota| quota.spec.storage_policy_id == policy))
}

fn has_resource_quota(cx: &AdmissionCx<'_>, namespace: &str, class: &str) -> bool {
    let prefix = format!("{class}.storageclass.storage.k8s.io/");
    let quotas = cx.cache.list(ResourceQuota::KIND, Some(namespace)).filter_map(|quota| quota.view::<ResourceQuota>());
    quotas.flat_map(|quota| quota.spec.hard.iter().flatten()).any(|(key, _)| key.starts_with(&prefix))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn class(name: &str, parameters: Value) -> Value {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}, "provisioner": "p",
            "parameters": parameters})
    }

    #[test]
    fn the_class_exists_and_names_a_policy() {
        let with = |name: &str| Sample::vm().given(class("plain", json!({}))).spec("storageClass", json!(name));
        assert!(with("gold").admitted().is_ok());
        let missing = "spec.storageClass: Invalid value: \"iron\": storageclasses.storage.k8s.io \"iron\" not found";
        assert_eq!(with("iron").denied(), [missing]);
        let plain = "spec.storageClass: Invalid value: \"plain\": StorageClass \"plain\" does not have \"storagePolicyID\" parameter";
        assert_eq!(with("plain").denied(), [plain]);
        assert_eq!(with("").denied(), ["spec.storageClass: Required value"]);
    }

    #[test]
    fn the_namespace_has_a_quota_for_its_policy() {
        let refused = "spec.storageClass: Invalid value: \"tin\": Storage policy is not associated with the namespace my-namespace by \
                       object tin";
        let with = |policy: &str| {
            let mut sample = Sample::vm().given(class("tin", json!({"storagePolicyID": policy})));
            sample.settings.features.set(Feature::BringYourOwnEncryptionKey, false);
            sample.spec("storageClass", json!("tin"))
        };
        assert_eq!(with("00000000-0000-4000-8000-000000000009").denied(), [refused]);
        assert!(with("00000000-0000-4000-8000-000000000001").admitted().is_ok());
    }

    #[test]
    fn without_the_gate_a_resource_quota_counts() {
        let mut sample = Sample::vm();
        sample.settings.features.set(Feature::PodVMOnStretchedSupervisor, false);
        assert_eq!(sample.denied().len(), 1);
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "my-namespace"},
            "spec": {"hard": {"gold.storageclass.storage.k8s.io/requests.storage": "10Gi"}}});
        assert!(sample.given(quota).admitted().is_ok());
    }
}
