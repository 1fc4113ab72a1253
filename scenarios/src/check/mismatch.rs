//! One place where an object isn't as expected, and how it is told.

use std::fmt::Write;

use serde_json::Value;

/// How many characters of a value are shown.
const SHOWN: usize = 300;

/// A value that isn't as expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The object, `VirtualMachine/my-namespace/my-vm`.
    pub object: String,
    /// Where in the object, `status.conditions[type=Ready].status`; a key in parentheses is the expression itself.
    pub path: String,
    /// What should be there; `null` is nothing.
    pub expected: Value,
    /// What is there, if anything; of an expression that can't be evaluated, why.
    pub found: Option<Value>,
}

/// The mismatch in words: `status.powerState: expected "PoweredOn", found "PoweredOff"`.
#[must_use]
pub fn explain(m: &Mismatch) -> String {
    let found = m.found.as_ref().map_or_else(|| "nothing".to_owned(), shown);
    let expected = if m.expected.is_null() { "nothing".to_owned() } else { shown(&m.expected) };
    format!("{}: expected {expected}, found {found}", m.path)
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A step down into a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segment<'a> {
    /// The value of a key.
    Key(&'a str),
    /// The value of an expression in parentheses.
    Expression(&'a str),
    /// The item at this position.
    Position(usize),
    /// The item whose merge key has this value.
    Item(&'a str, &'a Value),
}

/// The segments as one path, which is the object itself (`.`) where there are none.
pub(super) fn render(segments: &[Segment<'_>]) -> String {
    let mut path = String::new();
    for segment in segments {
        // Writing to a string doesn't fail.
        let _ = match *segment {
            Segment::Key(key) if key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$')) => {
                write!(path, "{}{key}", if path.is_empty() { "" } else { "." })
            }
            Segment::Key(key) => write!(path, "[{}]", Value::from(key)),
            Segment::Expression(source) => write!(path, "{}{source}", if path.is_empty() { "" } else { "." }),
            Segment::Position(at) => write!(path, "[{at}]"),
            Segment::Item(key, Value::String(value)) => write!(path, "[{key}={value}]"),
            Segment::Item(key, value) => write!(path, "[{key}={value}]"),
        };
    }
    if path.is_empty() { ".".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mismatch(path: &str, expected: Value, found: Option<Value>) -> Mismatch {
        Mismatch { object: "VirtualMachine/ns/vm".into(), path: path.into(), expected, found }
    }

    #[test]
    fn a_mismatch_tells_path_expectation_and_finding() {
        let told = explain(&mismatch("status.powerState", json!("PoweredOn"), Some(json!("PoweredOff"))));
        assert_eq!(told, r#"status.powerState: expected "PoweredOn", found "PoweredOff""#);
    }

    #[test]
    fn absence_is_told_as_nothing() {
        assert_eq!(explain(&mismatch("status.zone", json!("zone-a"), None)), r#"status.zone: expected "zone-a", found nothing"#);
        assert_eq!(explain(&mismatch("status.zone", json!(null), Some(json!("a")))), r#"status.zone: expected nothing, found "a""#);
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let told = explain(&mismatch("data", json!("ä".repeat(10_000)), Some(json!(1))));
        assert!(told.chars().count() < 400 && told.contains("…, found 1"), "{told}");
    }

    #[test]
    fn paths_name_merge_keys_and_quote_odd_keys() {
        let ready = json!("Ready");
        let bus = json!(0);
        assert_eq!(
            render(&[Segment::Key("status"), Segment::Key("conditions"), Segment::Item("type", &ready), Segment::Key("status")]),
            "status.conditions[type=Ready].status"
        );
        assert_eq!(render(&[Segment::Key("metadata"), Segment::Key("labels"), Segment::Key("a.b/c")]), r#"metadata.labels["a.b/c"]"#);
        assert_eq!(
            render(&[Segment::Key("controllers"), Segment::Item("busNumber", &bus), Segment::Key("devices"), Segment::Position(2)]),
            "controllers[busNumber=0].devices[2]"
        );
        assert_eq!(render(&[Segment::Key("status"), Segment::Expression("(self.a)")]), "status.(self.a)");
        assert_eq!(render(&[]), ".");
    }
}
