//! A document as YAML that a person reads: what fits on a line stands on one, the rest is nested.

use serde_json::Value;

/// How wide a line may be.
const WIDTH: usize = 160;

/// The document as YAML.
#[must_use]
pub fn to_yaml(document: &Value) -> String {
    let mut out = String::new();
    block(document, 0, true, &mut out);
    out
}

fn block(value: &Value, indent: usize, top: bool, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (at, (name, value)) in fields.iter().enumerate() {
                if at > 0 || !top {
                    pad(indent, at > 0 || top, out);
                }
                entry(&format!("{}:", plain(name)), value, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                pad(indent, true, out);
                let text = flow(item);
                if indent + 2 + text.len() <= WIDTH {
                    out.push_str("- ");
                    out.push_str(&text);
                    out.push('\n');
                } else {
                    out.push_str("- ");
                    block(item, indent + 2, true, out);
                }
            }
        }
        other => {
            out.push_str(&flow(other));
            out.push('\n');
        }
    }
}

fn pad(indent: usize, really: bool, out: &mut String) {
    if really {
        out.extend(std::iter::repeat_n(' ', indent));
    }
}

fn entry(name: &str, value: &Value, indent: usize, out: &mut String) {
    let text = flow(value);
    let nested = matches!(value, Value::Object(fields) if !fields.is_empty()) || matches!(value, Value::Array(items) if !items.is_empty());
    if !nested || indent + name.len() + 1 + text.len() <= WIDTH && !is_list_of_steps(name) && name != "spec:" {
        out.push_str(&format!("{name} {text}\n"));
    } else {
        out.push_str(name);
        out.push('\n');
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    pad(indent + 2, true, out);
                    entry(&format!("{}:", plain(name)), value, indent + 2, out);
                }
            }
            other => block(other, indent, true, out),
        }
    }
}

/// Lists that are read item by item, short or not.
fn is_list_of_steps(name: &str) -> bool {
    matches!(name, "steps:" | "objects:")
}

/// On one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{}: {}", plain(name), flow(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

/// A text without quotes where YAML reads it as a text all the same.
fn plain(text: &str) -> String {
    const WORDS: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"];
    let simple = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./@%".contains(c));
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    // A duration or a size: digits and then letters, as no number has them.
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let measured = digits.len() < text.len() && matches!(digits, "s" | "m" | "h" | "ms" | "Gi" | "Ti" | "Mi");
    let is_word = WORDS.contains(&text.to_lowercase().as_str()) && text != "none";
    if simple && !is_word && (begins || measured) { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_as_it_was() {
        for run in 0..20 {
            let profile = crate::format::profile::Profile::built_in("default").expect("a profile");
            let document = super::super::draw(&profile, 3, run);
            let text = to_yaml(&document);
            let again: Value = serde_saphyr::from_str(&text).expect("YAML");
            assert_eq!(again, document, "{text}");
        }
    }

    #[test]
    fn texts_that_look_like_other_values_are_quoted() {
        for (text, written) in [
            ("true", "\"true\""),
            ("8", "\"8\""),
            ("90s", "90s"),
            ("1e3", "\"1e3\""),
            ("a b", "\"a b\""),
            ("", "\"\""),
            ("x: y", "\"x: y\""),
        ] {
            assert_eq!(plain(text), written);
        }
        assert_eq!(to_yaml(&json!({"a": [1, "b"], "spec": {"x": null}})), "a: [1, b]\nspec:\n  x: null\n");
    }
}
