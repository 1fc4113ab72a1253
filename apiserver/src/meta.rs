//! Metadata: what users may say in it, and what is the server's own.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff;
use serde_json::json;
use vmtwin_model::kube::api::Cause;
use vmtwin_model::kube::labels;
use vmtwin_model::kube::{Object, ObjectKey, Scope};
use vmtwin_model::time::Timestamp;

use crate::collect::NAMESPACE;
use crate::errors;

/// An instant as Kubernetes writes it: in whole seconds.
pub(crate) fn time(at: Timestamp) -> Time {
    let nanos = i128::from(at.to_second().as_nanos());
    Time(jiff::Timestamp::from_nanosecond(nanos).expect("every i64 of nanoseconds is an instant"))
}

/// New metadata of an object that is there, with what is the server's own as it is.
pub(crate) fn kept(current: &Object, meta: &Arc<ObjectMeta>) -> Arc<ObjectMeta> {
    if Arc::ptr_eq(&current.meta, meta) {
        return meta.clone();
    }
    let mut own = (**meta).clone();
    keep_own(&current.meta, &mut own);
    if own == *current.meta {
        current.meta.clone()
    } else if own == **meta {
        meta.clone()
    } else {
        Arc::new(own)
    }
}

/// Puts what is the server's own back to what it was.
pub(crate) fn keep_own(current: &ObjectMeta, meta: &mut ObjectMeta) {
    meta.name.clone_from(&current.name);
    meta.namespace.clone_from(&current.namespace);
    meta.generate_name.clone_from(&current.generate_name);
    meta.uid.clone_from(&current.uid);
    meta.creation_timestamp.clone_from(&current.creation_timestamp);
    meta.deletion_timestamp.clone_from(&current.deletion_timestamp);
    meta.deletion_grace_period_seconds = current.deletion_grace_period_seconds;
    meta.self_link.clone_from(&current.self_link);
    meta.managed_fields.clone_from(&current.managed_fields);
    meta.resource_version = None;
    meta.generation = None;
    // An empty mapping or list is as good as none.
    meta.labels.take_if(|labels| labels.is_empty());
    meta.annotations.take_if(|annotations| annotations.is_empty());
    meta.finalizers.take_if(|finalizers| finalizers.is_empty());
    meta.owner_references.take_if(|owners| owners.is_empty());
}

/// The rules that metadata break.
pub(crate) fn validate(key: &ObjectKey, meta: &ObjectMeta) -> Vec<Cause> {
    let mut causes = Vec::new();
    validate_name(key, meta, &mut causes);
    for (name, value) in meta.labels.iter().flatten() {
        invalid("metadata.labels", name, labels::key_errors(name), &mut causes);
        invalid("metadata.labels", value, labels::value_errors(value), &mut causes);
    }
    for name in meta.annotations.iter().flatten().map(|(name, _)| name) {
        // Unlike labels, annotations may be spelled in any case.
        invalid("metadata.annotations", name, labels::key_errors(&name.to_lowercase()), &mut causes);
    }
    validate_owners(meta, &mut causes);
    causes
}

/// Finalizers that an object gets although its deletion was asked for.
pub(crate) fn late_finalizers(key: &ObjectKey, before: &ObjectMeta, meta: &ObjectMeta) -> Option<vmtwin_model::kube::api::ApiError> {
    before.deletion_timestamp.as_ref()?;
    let old = before.finalizers.as_deref().unwrap_or_default();
    let new: Vec<String> = meta.finalizers.iter().flatten().filter(|name| !old.contains(name)).map(|name| format!("{name:?}")).collect();
    (!new.is_empty()).then(|| {
        let text =
            format!("no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}", new.join(", "));
        errors::invalid(key.kind, &key.name, vec![errors::field_forbidden("metadata.finalizers", text)])
    })
}

fn validate_name(key: &ObjectKey, meta: &ObjectMeta, causes: &mut Vec<Cause>) {
    let name = meta.name.as_deref().unwrap_or_default();
    let field = "metadata.name";
    if name.is_empty() {
        causes.push(errors::required(field, "name or generateName is required"));
    } else if key.kind == NAMESPACE {
        invalid(field, name, labels::dns_label_errors(name), causes);
    } else {
        invalid(field, name, labels::subdomain_errors(name), causes);
    }
    match key.kind.info().scope {
        Scope::Namespaced if key.namespace.is_empty() => causes.push(errors::required("metadata.namespace", "")),
        Scope::Cluster if !key.namespace.is_empty() => {
            causes.push(errors::field_forbidden("metadata.namespace", "not allowed on this type"));
        }
        Scope::Namespaced | Scope::Cluster => {}
    }
}

fn invalid(field: &str, value: &str, errors: Vec<String>, causes: &mut Vec<Cause>) {
    causes.extend(errors.into_iter().map(|error| errors::invalid_value(field, &json!(value), error)));
}

fn validate_owners(meta: &ObjectMeta, causes: &mut Vec<Cause>) {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    for owner in owners {
        let parts = [
            ("apiVersion", "version", &owner.api_version),
            ("kind", "kind", &owner.kind),
            ("name", "name", &owner.name),
            ("uid", "uid", &owner.uid),
        ];
        for (field, word, _) in parts.into_iter().filter(|(_, _, text)| text.is_empty()) {
            let field = format!("metadata.ownerReferences.{field}");
            causes.push(errors::invalid_value(&field, &json!(""), format_args!("{word} must not be empty")));
        }
    }
    let controllers: Vec<&str> = owners.iter().filter(|owner| owner.controller == Some(true)).map(|owner| owner.name.as_str()).collect();
    if let [first, second, ..] = controllers.as_slice() {
        let text = format!("Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}");
        causes.push(errors::invalid_value("metadata.ownerReferences", &json!(controllers), text));
    }
}
