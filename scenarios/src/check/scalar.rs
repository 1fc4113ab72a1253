//! When two scalars are the same value, whatever their spelling.
//!
//! Numbers compare by value, quantities and instants too. Two texts that are plain numbers are texts all the same: a version
//! `1.10` isn't `1.1`. A quantity shows as one by its suffix, or by standing beside a number.

use serde_json::{Number, Value};
use vmtwin_model::time::Timestamp;

use super::quantity::{Quantity, Spelling};

/// Whether two values without parts are the same. Lists and mappings are never the same here.
pub(super) fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => same_numbers(a, b),
        (Value::String(a), Value::String(b)) => a == b || same_quantities(a, b) || same_instants(a, b),
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => is_number(text, number),
        _ => false,
    }
}

/// Whether two values are equal as wholes: scalars as [`same`] has it, lists and mappings part by part.
pub(super) fn equal(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|found| equal(value, found)))
        }
        _ => same(expected, found),
    }
}

fn same_numbers(a: &Number, b: &Number) -> bool {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.as_f64() == b.as_f64(),
        _ => false,
    }
}

/// The number, if it is whole: exactly, also above 2^53.
fn integer(number: &Number) -> Option<i128> {
    if let Some(value) = number.as_i128() {
        return Some(value);
    }
    let value = number.as_f64()?;
    // Every whole number that JSON's numbers reach here fits; the conversion is exact for whole numbers.
    (value.fract() == 0.0 && value.abs() < 1e30).then_some(value as i128)
}

fn same_quantities(a: &str, b: &str) -> bool {
    let (Some(one), Some(other)) = (Spelling::of(a), Spelling::of(b)) else { return false };
    if !one.has_suffix() && !other.has_suffix() {
        return false;
    }
    Quantity::read(&one).is_some_and(|value| Quantity::read(&other) == Some(value))
}

/// Whether a text stands for this number: `"10Gi"` for 10737418240.
fn is_number(text: &str, number: &Number) -> bool {
    let Some(value) = Quantity::parse(text) else { return false };
    let number = match integer(number) {
        Some(whole) => Quantity::from_integer(whole),
        None => Quantity::parse(&number.to_string()),
    };
    number == Some(value)
}

fn same_instants(a: &str, b: &str) -> bool {
    match (Timestamp::parse(a), Timestamp::parse(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_compare_by_value_however_large() {
        assert!(same(&json!(1), &json!(1.0)));
        assert!(same(&json!(0.5), &json!(0.5)));
        assert!(same(&json!(u64::MAX), &json!(u64::MAX)));
        assert!(!same(&json!(u64::MAX), &json!(u64::MAX - 1)));
        assert!(!same(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992.0)), "2^53 + 1 is not rounded");
        assert!(!same(&json!(i64::MIN), &json!(i64::MAX)));
        assert!(!same(&json!(1e300), &json!(1)));
        assert!(same(&json!(1e300), &json!(1e300)));
    }

    #[test]
    fn quantities_compare_by_value() {
        assert!(same(&json!("10Gi"), &json!("10737418240")));
        assert!(same(&json!(10_737_418_240_i64), &json!("10Gi")), "unquoted in the file, a quantity in the object");
        assert!(same(&json!("1500m"), &json!("1.5")));
        assert!(same(&json!(1.5), &json!("1500m")));
        assert!(same(&json!(2), &json!("2")));
        assert!(!same(&json!("10Gi"), &json!("10G")));
        assert!(!same(&json!("10Gi"), &json!("10GiB")));
    }

    #[test]
    fn texts_that_look_like_numbers_stay_texts() {
        assert!(!same(&json!("1.10"), &json!("1.1")), "versions");
        assert!(!same(&json!("019"), &json!("19")), "key ids");
        assert!(!same(&json!("true"), &json!(true)));
        assert!(!same(&json!("True"), &json!("true")));
    }

    #[test]
    fn instants_compare_by_value() {
        assert!(same(&json!("2026-01-01T00:00:00Z"), &json!("2026-01-01T00:00:00.000Z")));
        assert!(same(&json!("2026-01-01T02:00:00+02:00"), &json!("2026-01-01T00:00:00Z")));
        assert!(!same(&json!("2026-01-01T00:00:00Z"), &json!("2026-01-01T00:00:01Z")));
        assert!(!same(&json!("2026-01-01"), &json!("2026-01-01T00:00:00Z")));
    }

    #[test]
    fn equal_values_have_the_same_parts_and_no_others() {
        assert!(equal(&json!({"a": [1, "1Ki"], "b": null}), &json!({"b": null, "a": [1.0, "1024"]})));
        assert!(!equal(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
        assert!(!equal(&json!([1]), &json!([1, 2])));
        assert!(!equal(&json!([]), &json!({})));
        assert!(!equal(&json!([[]]), &json!([null])));
    }
}
