//! The API server's refusals, in Kubernetes' own words. It makes texts; who refuses, and why, is decided elsewhere.

use std::collections::BTreeSet;

use serde_json::Value;
use vmtwin_model::kube::api::{ApiError, Cause, CauseReason, ErrorReason};
use vmtwin_model::kube::{Kind, ObjectKey};

/// `virtualmachines.vmoperator.vmware.com`, or `configmaps` in the core group.
pub(crate) fn resource(kind: Kind) -> String {
    let info = kind.info();
    if info.group.is_empty() { info.plural.to_owned() } else { format!("{}.{}", info.plural, info.group) }
}

/// `VirtualMachine.vmoperator.vmware.com`, or `ConfigMap` in the core group.
fn qualified_kind(kind: Kind) -> String {
    let info = kind.info();
    if info.group.is_empty() { info.kind.to_owned() } else { format!("{}.{}", info.kind, info.group) }
}

pub(crate) fn not_found(key: &ObjectKey) -> ApiError {
    ApiError::new(ErrorReason::NotFound, format!("{} \"{}\" not found", resource(key.kind), key.name))
}

pub(crate) fn already_exists(key: &ObjectKey) -> ApiError {
    ApiError::new(ErrorReason::AlreadyExists, format!("{} \"{}\" already exists", resource(key.kind), key.name))
}

pub(crate) fn conflict(key: &ObjectKey) -> ApiError {
    ApiError::new(
        ErrorReason::Conflict,
        format!(
            "Operation cannot be fulfilled on {} \"{}\": the object has been modified; please apply your changes to the latest version and try again",
            resource(key.kind),
            key.name
        ),
    )
}

pub(crate) fn forbidden(key: &ObjectKey, why: &str) -> ApiError {
    ApiError::new(ErrorReason::Forbidden, format!("{} \"{}\" is forbidden: {why}", resource(key.kind), key.name))
}

pub(crate) fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorReason::BadRequest, message)
}

pub(crate) fn no_match(api_version: &str, kind: &str) -> ApiError {
    ApiError::new(ErrorReason::NotFound, format!("no matches for kind \"{kind}\" in version \"{api_version}\""))
}

pub(crate) fn no_subresource() -> ApiError {
    ApiError::new(ErrorReason::NotFound, "the server could not find the requested resource")
}

pub(crate) fn unavailable() -> ApiError {
    ApiError::new(ErrorReason::ServiceUnavailable, "the server is currently unable to handle the request")
}

/// A patch in a format that this kind isn't patched with.
pub(crate) fn unsupported_patch() -> ApiError {
    ApiError {
        code: 415,
        reason: ErrorReason::from("UnsupportedMediaType"),
        message: "the body of the request was in an unknown format - accepted media types include: \
                  application/json-patch+json, application/merge-patch+json"
            .to_owned(),
        causes: Vec::new(),
    }
}

/// A manifest that can't be read as its kind.
pub(crate) fn undecodable(kind: Kind, version: &str, why: &str, causes: Vec<Cause>) -> ApiError {
    let name = kind.info().kind;
    let message = format!("{name} in version \"{version}\" cannot be handled as a {name}: {why}");
    ApiError { causes, ..bad_request(message) }
}

/// A manifest with fields that its kind doesn't have, and what else is wrong with it.
pub(crate) fn strictly(kind: Kind, version: &str, causes: Vec<Cause>) -> ApiError {
    let texts: Vec<&str> = causes.iter().map(|cause| cause.message.as_str()).collect();
    undecodable(kind, version, &format!("strict decoding error: {}", texts.join(", ")), causes)
}

/// An object that breaks these rules; there is one at the least.
pub(crate) fn invalid(kind: Kind, name: &str, causes: Vec<Cause>) -> ApiError {
    let mut seen = BTreeSet::new();
    let texts: Vec<&str> = causes.iter().map(|cause| cause.message.as_str()).filter(|text| seen.insert(*text)).collect();
    let list = match texts.as_slice() {
        [one] => (*one).to_owned(),
        many => format!("[{}]", many.join(", ")),
    };
    let message = format!("{} \"{name}\" is invalid: {list}", qualified_kind(kind));
    ApiError { causes, ..ApiError::new(ErrorReason::Invalid, message) }
}

fn cause(reason: CauseReason, field: &str, text: impl std::fmt::Display) -> Cause {
    Cause { reason, field: field.to_owned(), message: format!("{field}: {text}") }
}

pub(crate) fn required(field: &str, detail: &str) -> Cause {
    let text = if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
    cause(CauseReason::FieldValueRequired, field, text)
}

pub(crate) fn invalid_value(field: &str, value: &Value, detail: impl std::fmt::Display) -> Cause {
    cause(CauseReason::FieldValueInvalid, field, format_args!("Invalid value: {value}: {detail}"))
}

pub(crate) fn type_invalid(field: &str, value: &Value, detail: impl std::fmt::Display) -> Cause {
    cause(CauseReason::FieldValueTypeInvalid, field, format_args!("Invalid value: {value}: {detail}"))
}

pub(crate) fn field_forbidden(field: &str, detail: impl std::fmt::Display) -> Cause {
    cause(CauseReason::FieldValueForbidden, field, format_args!("Forbidden: {detail}"))
}

pub(crate) fn not_supported(field: &str, value: &Value, supported: &[Value]) -> Cause {
    let list: Vec<String> = supported.iter().map(ToString::to_string).collect();
    cause(CauseReason::FieldValueNotSupported, field, format_args!("Unsupported value: {value}: supported values: {}", list.join(", ")))
}

pub(crate) fn duplicate(field: &str, value: &Value) -> Cause {
    cause(CauseReason::FieldValueDuplicate, field, format_args!("Duplicate value: {value}"))
}

pub(crate) fn too_long(field: &str, max: u64) -> Cause {
    cause("FieldValueTooLong".into(), field, format_args!("Too long: may not be more than {max} bytes"))
}

pub(crate) fn too_many(field: &str, found: usize, max: u64) -> Cause {
    let noun = if max == 1 { "item" } else { "items" };
    cause("FieldValueTooMany".into(), field, format_args!("Too many: {found}: must have at most {max} {noun}"))
}

/// A field that the kind doesn't have.
pub(crate) fn unknown_field(field: &str, message: String) -> Cause {
    Cause { reason: CauseReason::FieldValueInvalid, field: field.to_owned(), message }
}
