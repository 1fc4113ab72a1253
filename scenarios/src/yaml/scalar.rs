//! What a plain scalar means: YAML 1.2's core schema, with octal numbers as Kubernetes reads them.

use serde_json::Number;

use super::node::Data;

/// Why a plain scalar means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScalarError {
    /// A number that doesn't fit in 64 bits.
    Range,
    /// Infinity, or not a number.
    NotFinite,
}

/// The meaning of a plain scalar.
pub(super) fn resolve(text: &str) -> Result<Data, ScalarError> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        "true" | "True" | "TRUE" => return Ok(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Data::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Err(ScalarError::NotFinite),
        ".nan" | ".NaN" | ".NAN" if unsigned == text => return Err(ScalarError::NotFinite),
        _ => {}
    }
    match integer(text, unsigned) {
        Some(number) => number.map(Data::Number),
        None if is_float(unsigned) => float(text).map(Data::Number),
        None => Ok(Data::String(text.into())),
    }
}

/// The integer that the text spells, or nothing if it spells none.
fn integer(text: &str, unsigned: &str) -> Option<Result<Number, ScalarError>> {
    let digits = |text: &str, valid: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|byte| valid(&byte));
    let octal = |byte: &u8| matches!(byte, b'0'..=b'7');
    let (radix, digits) = if let Some(hex) = unsigned.strip_prefix("0x").filter(|hex| digits(hex, u8::is_ascii_hexdigit)) {
        (16, hex)
    } else if let Some(number) = unsigned.strip_prefix("0o").filter(|number| digits(number, octal)) {
        (8, number)
    } else if unsigned.len() > 1 && unsigned.starts_with('0') && digits(unsigned, octal) {
        (8, unsigned)
    } else if digits(unsigned, u8::is_ascii_digit) {
        (10, unsigned)
    } else {
        return None;
    };
    let Ok(magnitude) = u64::from_str_radix(digits, radix) else { return Some(Err(ScalarError::Range)) };
    Some(if text.starts_with('-') {
        0i64.checked_sub_unsigned(magnitude).map(Number::from).ok_or(ScalarError::Range)
    } else {
        Ok(Number::from(magnitude))
    })
}

/// `[0-9]*(.[0-9]*)?([eE][-+]?[0-9]+)?` with at least one digit in front of the exponent.
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction) && exponent
}

fn float(text: &str) -> Result<Number, ScalarError> {
    text.parse().ok().and_then(Number::from_f64).ok_or(ScalarError::Range)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnostics::Region;
    use crate::yaml::Node;

    #[test]
    fn scalars_mean_what_kubernetes_takes_them_for() {
        for (text, value) in [
            ("010", json!(8)),
            ("0o10", json!(8)),
            ("0x1F", json!(31)),
            ("08", json!(8)),
            ("-5", json!(-5)),
            ("+5", json!(5)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("True", json!(true)),
            ("~", json!(null)),
            ("1_000", json!("1_000")),
            ("2026-01-01", json!("2026-01-01")),
            ("1h30m", json!("1h30m")),
            ("0b1", json!("0b1")),
            (".", json!(".")),
            ("e5", json!("e5")),
            ("1.2.3", json!("1.2.3")),
            ("-", json!("-")),
        ] {
            let data = resolve(text).expect(text);
            assert_eq!(Node::new(Region::default(), data).to_value(), value, "{text}");
        }
    }

    #[test]
    fn numbers_that_fit_nowhere_are_refused() {
        for text in ["18446744073709551616", "-9223372036854775809", "99999999999999999999", "1e999"] {
            assert_eq!(resolve(text), Err(ScalarError::Range), "{text}");
        }
        for text in [".inf", "-.Inf", ".nan"] {
            assert_eq!(resolve(text), Err(ScalarError::NotFinite), "{text}");
        }
    }
}
