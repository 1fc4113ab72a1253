//! Values compared as the cases mean it: quantities and instants by value, parts of a whole, references by name or by id.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;
use vmtwin_model::time::Timestamp;
use vmtwin_model::units;

/// Whether two values are equal.
#[must_use]
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b))),
        _ if a == b => true,
        _ => amount(a).zip(amount(b)).is_some_and(|(a, b)| a == b) || instant(a).zip(instant(b)).is_some_and(|(a, b)| a == b),
    }
}

/// Whether two lists have equal items in any order; other values as [`equal`] does.
#[must_use]
pub fn equal_in_any_order(a: &Value, b: &Value) -> bool {
    let (Value::Array(a), Value::Array(b)) = (a, b) else { return equal(a, b) };
    let mut left: Vec<&Value> = b.iter().collect();
    let all = a.iter().all(|item| match left.iter().position(|other| equal(item, other)) {
        Some(at) => {
            left.swap_remove(at);
            true
        }
        None => false,
    });
    all && left.is_empty()
}

/// Whether a value contains another: a mapping that has its keys, a list in which each of its items is contained somewhere.
#[must_use]
pub fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (_, Value::Null) => true,
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, part)| part.is_null() || whole.get(name).is_some_and(|whole| holds(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => part.iter().all(|part| whole.iter().any(|whole| holds(whole, part))),
        _ => equal(whole, part),
    }
}

/// Whether a text, a list or a mapping contains something: text in a text, an item in a list, a part in a mapping.
#[must_use]
pub fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::String(whole), Value::String(part)) => whole.contains(part.as_str()),
        (Value::Array(items), Value::Array(parts)) => parts.iter().all(|part| items.iter().any(|item| holds(item, part))),
        (Value::Array(items), part) => items.iter().any(|item| holds(item, part)),
        (Value::Object(fields), Value::String(key)) => fields.contains_key(key),
        _ => holds(whole, part),
    }
}

/// Whether a part is contained in some mapping within a value.
#[must_use]
pub fn somewhere(value: &Value, part: &Value) -> bool {
    let inside = match value {
        Value::Object(fields) => fields.values().any(|value| somewhere(value, part)),
        Value::Array(items) => items.iter().any(|value| somewhere(value, part)),
        _ => false,
    };
    inside || (value.is_object() && holds(value, part))
}

/// Whether a key has a value anywhere within.
#[must_use]
pub fn has(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| (name == key && !is_nothing(value)) || has(value, key)),
        Value::Array(items) => items.iter().any(|value| has(value, key)),
        _ => false,
    }
}

/// Whether a text occurs anywhere within: in a key or in a value.
#[must_use]
pub fn mentions(value: &Value, text: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains(text) || mentions(value, text)),
        Value::Array(items) => items.iter().any(|value| mentions(value, text)),
        Value::String(there) => there.contains(text),
        other => other.to_string().contains(text),
    }
}

/// Nothing, or something empty.
#[must_use]
pub fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// A number or a quantity, in its smallest whole unit.
#[must_use]
pub fn amount(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-') => {
            units::bytes_of(&Quantity(text.clone())).ok().map(|bytes| bytes.0)
        }
        _ => None,
    }
}

/// Whether a pattern is found in a text. The cases' patterns are Python's: one that begins by forbidding what the text begins with is
/// understood, too (`^(?!2024-).*Z$`).
///
/// # Errors
/// If it is no pattern that is understood.
pub fn matches(pattern: &str, text: &str) -> Result<bool, String> {
    let compiled = |pattern: &str| regex::Regex::new(pattern).map_err(|error| error.to_string());
    let Some((unwanted, rest)) = pattern.strip_prefix("^(?!").and_then(forbidden) else { return Ok(compiled(pattern)?.is_match(text)) };
    Ok(!compiled(&format!("^(?:{unwanted})"))?.is_match(text) && compiled(&format!("^(?:{rest})"))?.is_match(text))
}

/// What stands before the parenthesis that closes, and what follows it.
fn forbidden(text: &str) -> Option<(&str, &str)> {
    let mut open = 0;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => open += 1,
            ')' if open == 0 => return Some((&text[..at], &text[at + 1..])),
            ')' => open -= 1,
            _ => {}
        }
    }
    None
}

/// An instant.
#[must_use]
pub fn instant(value: &Value) -> Option<Timestamp> {
    Timestamp::parse(value.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_and_instants_compare_by_value() {
        assert!(equal(&json!("10Gi"), &json!(10_737_418_240_i64)) && equal(&json!("1024Mi"), &json!("1Gi")));
        assert!(equal(&json!("2026-01-01T00:00:00Z"), &json!("2026-01-01T00:00:00.000Z")));
        assert!(!equal(&json!("10Gi"), &json!("10G")) && !equal(&json!("True"), &json!("False")) && !equal(&json!(""), &json!("0")));
    }

    #[test]
    fn a_pattern_may_forbid_a_beginning() {
        assert_eq!(matches("^(?!2024-).*Z$", "2026-01-01T00:00:00Z"), Ok(true));
        assert_eq!(matches("^(?!2024-).*Z$", "2024-01-01T00:00:00Z"), Ok(false));
        assert_eq!(matches("^(?!(a|b)\\)).$", "c"), Ok(true));
        assert_eq!(matches("b+", "abbc"), Ok(true));
        assert!(matches("a(?=b)", "ab").is_err());
    }

    #[test]
    fn a_part_is_contained_wherever_its_items_are() {
        let whole = json!({"a": [{"name": "x", "n": 1}, {"name": "y", "n": 2}], "b": "text"});
        assert!(holds(&whole, &json!({"a": [{"name": "y"}]})) && holds(&whole, &json!({"b": null})) && holds(&whole, &json!({"c": null})));
        assert!(!holds(&whole, &json!({"a": [{"name": "x", "n": 2}]})));
        assert!(
            contains(&json!("a text"), &json!("text"))
                && contains(&json!(["a", "b"]), &json!("b"))
                && !contains(&json!(["ab"]), &json!("b"))
        );
        assert!(somewhere(&whole, &json!({"n": 2})) && !somewhere(&whole, &json!({"n": 3})));
        assert!(has(&whole, "n") && !has(&json!({"n": ""}), "n") && mentions(&whole, "tex") && !mentions(&whole, "tox"));
        assert!(equal_in_any_order(&json!([1, 2]), &json!([2, 1])) && !equal_in_any_order(&json!([1, 1]), &json!([1, 2])));
    }
}
