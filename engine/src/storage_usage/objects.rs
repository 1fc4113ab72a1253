//! The reports that a quota calls for: one for each storage class of its policy, and with snapshots another one.

use std::sync::Arc;

use base64::Engine as _;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::storage_policy_quota::StoragePolicyQuota;
use vmtwin_model::kube::storage_policy_usage::{StoragePolicyUsage, StoragePolicyUsageSpec, StoragePolicyUsageStatus};
use vmtwin_model::kube::{Object, ObjectKey};

use super::sums::Whose;
use crate::draft::Draft;
use crate::features::Feature;
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

pub(super) fn ensure(cx: &mut Cx<'_>, quota: &Draft<StoragePolicyQuota>) -> Flow<Verdict> {
    let policy = quota.spec().storage_policy_id.clone();
    let of_policy = |class: &crate::pass::Known<StorageClass>| {
        class.spec().parameters.as_ref().and_then(|parameters| parameters.get("storagePolicyID")).is_some_and(|id| *id == policy)
    };
    let classes: Vec<String> = cx.list::<StorageClass>("").iter().filter(|class| of_policy(class)).map(|c| c.name().to_owned()).collect();
    let mut errors = Vec::new();
    for class in &classes {
        for whose in [Whose::Vms, Whose::Snapshots] {
            if whose == Whose::Snapshots && !cx.settings.features.on(Feature::VMSnapshots) {
                continue;
            }
            errors.extend(ensure_one(cx, quota, class, whose)?);
        }
    }
    Ok(if errors.is_empty() { Verdict::Done } else { Verdict::failed(errors.join("\n")) })
}

/// By which certificates the webhook is known that computes what is needed: those of the operator's validating one.
fn ca_bundle(cx: &mut Cx<'_>) -> String {
    const WEBHOOKS: &str = "vmware-system-vmop-validating-webhook-configuration";
    let webhooks = cx.find::<ValidatingWebhookConfiguration>("", WEBHOOKS);
    let mut bundles = webhooks.iter().flat_map(|all| all.spec().webhooks.iter().flatten()).map(|one| &one.client_config.ca_bundle);
    let bundle = bundles.find_map(Option::as_ref);
    bundle.map(|bundle| base64::engine::general_purpose::STANDARD.encode(&bundle.0)).unwrap_or_default()
}

/// Makes a report that isn't there; what is wrong with one that is.
fn ensure_one(cx: &mut Cx<'_>, quota: &Draft<StoragePolicyQuota>, class: &str, whose: Whose) -> Flow<Option<String>> {
    let name = format!("{class}-{}", whose.suffix());
    let key = ObjectKey::of::<StoragePolicyUsage>(quota.namespace().clone(), name.as_str());
    if let Some(there) = cx.find::<StoragePolicyUsage>(&quota.namespace().clone(), &name) {
        let owners = there.object.meta.owner_references.iter().flatten();
        let other = owners.clone().find(|owner| owner.controller == Some(true) && owner.uid != quota.base().uid());
        if let Some(other) = other {
            return Ok(Some(format!(
                "Object {}/{name} is already owned by another {} controller {}",
                key.namespace, other.kind, other.name
            )));
        }
        let stale = whose == Whose::Snapshots && there.spec().resource_extension_name != whose.extension();
        if !stale {
            return Ok(None);
        }
        if let Err(error) = cx.write(Write::Delete(key))? {
            return Ok(Some(error.to_string()));
        }
    }
    let meta = ObjectMeta {
        name: Some(name),
        namespace: Some(quota.namespace().to_string()),
        owner_references: Some(vec![quota.as_owner()]),
        ..ObjectMeta::default()
    };
    let spec = StoragePolicyUsageSpec {
        ca_bundle: ca_bundle(cx),
        resource_api_group: "vmoperator.vmware.com".to_owned(),
        resource_extension_name: whose.extension().to_owned(),
        resource_extension_namespace: cx.settings.pod_namespace.to_string(),
        resource_kind: whose.kind().to_owned(),
        storage_class_name: class.to_owned(),
        storage_policy_id: quota.spec().storage_policy_id.clone(),
    };
    let object = Object::new::<StoragePolicyUsage>(meta, spec, StoragePolicyUsageStatus::default());
    match cx.write(Write::Create(Arc::new(object)))? {
        Ok(_) => Ok(None),
        Err(error) if error.code == 409 => Ok(None),
        Err(error) => Ok(Some(error.to_string())),
    }
}
