//! A refusal as Kubernetes' `Status` object.

use serde_json::{Map, Value, json};
use vmtwin_model::kube::api::{ApiError, Cause};

/// What the refusal is about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subject<'a> {
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
}

/// The `Status`. A cause's message doesn't repeat its field: whoever prints a Status puts it before.
pub(super) fn status(error: &ApiError, subject: Subject<'_>) -> Value {
    let mut details = Map::new();
    for (name, text) in [("name", subject.name), ("group", subject.group), ("kind", subject.kind)] {
        if !text.is_empty() {
            details.insert(name.to_owned(), text.into());
        }
    }
    if !error.causes.is_empty() {
        details.insert("causes".to_owned(), error.causes.iter().map(cause).collect());
    }
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": error.message, "reason": error.reason.to_string(), "details": details, "code": error.code,
    })
}

fn cause(cause: &Cause) -> Value {
    json!({"reason": cause.reason.to_string(), "field": cause.field, "message": body(cause)})
}

/// The cause's text without its field.
pub(super) fn body(cause: &Cause) -> &str {
    cause.message.strip_prefix(cause.field.as_str()).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&cause.message)
}
