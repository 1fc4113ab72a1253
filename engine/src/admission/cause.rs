//! Field errors in Kubernetes' words: what is wrong with which field, as a reason for machines and a text for people.
//!
//! Page: admission §2.2. Which rule is broken is the rules' business; here are only the spellings.
//!
//! Mirrors: k8s.io/apimachinery `pkg/util/validation/field`, `Error.Error`.

use std::fmt::Debug;

use vmtwin_model::kube::api::{Cause, CauseReason};

/// The rules that a request breaks, in the order in which they were found.
pub(super) type Causes = Vec<Cause>;

/// The text of a field that may never change.
pub(super) const IMMUTABLE: &str = "field is immutable";

/// A value is missing.
pub(super) fn required(field: impl Into<String>) -> Cause {
    cause(CauseReason::FieldValueRequired, field.into(), "Required value")
}

/// A value is missing, and why it is needed.
pub(super) fn required_because(field: impl Into<String>, detail: &str) -> Cause {
    cause(CauseReason::FieldValueRequired, field.into(), &format!("Required value: {detail}"))
}

/// A value is wrong.
pub(super) fn invalid(field: impl Into<String>, value: impl Shown, detail: &str) -> Cause {
    cause(CauseReason::FieldValueInvalid, field.into(), &format!("Invalid value: {}: {detail}", value.shown()))
}

/// A value is of a wrong type; people read the same as of a wrong value.
pub(super) fn type_invalid(field: impl Into<String>, value: impl Shown, detail: &str) -> Cause {
    Cause { reason: CauseReason::FieldValueTypeInvalid, ..invalid(field, value, detail) }
}

/// A value isn't allowed here.
pub(super) fn forbidden(field: impl Into<String>, detail: &str) -> Cause {
    cause(CauseReason::FieldValueForbidden, field.into(), &format!("Forbidden: {detail}"))
}

/// A value isn't one of those that are.
pub(super) fn not_supported(field: impl Into<String>, value: impl Shown, supported: &[&str]) -> Cause {
    let supported: Vec<String> = supported.iter().map(|word| quoted(word)).collect();
    let text = format!("Unsupported value: {}: supported values: {}", value.shown(), supported.join(", "));
    cause(CauseReason::FieldValueNotSupported, field.into(), &text)
}

/// A value is there twice.
pub(super) fn duplicate(field: impl Into<String>, value: impl Shown) -> Cause {
    cause(CauseReason::FieldValueDuplicate, field.into(), &format!("Duplicate value: {}", value.shown()))
}

/// A look-up failed.
pub(super) fn internal(field: impl Into<String>, detail: &str) -> Cause {
    cause(CauseReason::InternalError, field.into(), &format!("Internal error: {detail}"))
}

fn cause(reason: CauseReason, field: String, text: &str) -> Cause {
    let message = format!("{field}: {text}");
    Cause { reason, field, message }
}

/// A value as a field error shows it: strings in quotes, numbers and booleans bare.
pub(super) trait Shown {
    /// The value's text.
    fn shown(&self) -> String;
}

impl Shown for &str {
    fn shown(&self) -> String {
        quoted(self)
    }
}

impl Shown for &String {
    fn shown(&self) -> String {
        quoted(self)
    }
}

impl Shown for i32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for i64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

/// A structure; how it is shown is nobody's promise.
pub(super) struct Structure<'a, T>(pub(super) &'a T);

impl<T: Debug> Shown for Structure<'_, T> {
    fn shown(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// A string in Go's quotes.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            control if control.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(control))),
            control if control.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_its_text() {
        let texts = [
            required("spec.image").message,
            required_because("spec.guestID", "when deploying a VM with CD-ROMs").message,
            invalid("spec.minHardwareVersion", 23, "should be less than or equal to 22").message,
            forbidden("spec.affinity", "updating Affinity is not allowed").message,
            not_supported("spec.topologyKey", "", &["a", "b"]).message,
            duplicate("spec.volumes[1].name", "data").message,
            internal("spec.crypto", "gone").message,
        ];
        assert_eq!(
            texts,
            [
                "spec.image: Required value",
                "spec.guestID: Required value: when deploying a VM with CD-ROMs",
                "spec.minHardwareVersion: Invalid value: 23: should be less than or equal to 22",
                "spec.affinity: Forbidden: updating Affinity is not allowed",
                "spec.topologyKey: Unsupported value: \"\": supported values: \"a\", \"b\"",
                "spec.volumes[1].name: Duplicate value: \"data\"",
                "spec.crypto: Internal error: gone",
            ]
        );
    }

    #[test]
    fn a_wrong_type_reads_like_a_wrong_value() {
        let cause = type_invalid("spec.x", true, "no");
        assert_eq!((cause.reason, cause.message.as_str()), (CauseReason::FieldValueTypeInvalid, "spec.x: Invalid value: true: no"));
    }

    #[test]
    fn strings_are_quoted_as_go_does() {
        assert_eq!(quoted("a\"b\\c\n\u{1}\u{85}é"), r#""a\"b\\c\n\x01\u0085é""#);
    }
}
