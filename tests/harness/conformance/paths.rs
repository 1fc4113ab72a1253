//! Paths into objects: `a.b[0].c`, `["a.b/c"]`, `[name=x]`, `[name~regex]`, `[*]`.

use regex::Regex;
use serde_json::{Map, Value};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A value, or nothing.
    One(Option<Value>),
    /// The items that a filter lets through: with `length` their number, with an index one of them, else the first.
    Filtered(Vec<Value>),
    /// All items of a list.
    All(Vec<Value>),
}

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
    All,
    Equal(String, String),
    Like(String, Regex),
}

impl Found {
    /// The value for an operator: the first item that a filter lets through, all items as a list.
    #[must_use]
    pub fn value(self) -> Option<Value> {
        match self {
            Self::One(value) => value.filter(|value| !value.is_null()),
            Self::Filtered(items) => items.into_iter().next(),
            Self::All(items) => Some(items.into()),
        }
    }

    /// How many there are; nothing counts as 0.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::Filtered(items) | Self::All(items) => items.len(),
            Self::One(Some(Value::Array(items))) => items.len(),
            Self::One(Some(Value::Object(fields))) => fields.len(),
            Self::One(Some(Value::String(text))) => text.chars().count(),
            Self::One(_) => 0,
        }
    }
}

/// Follows a path.
///
/// # Errors
/// If it is no path.
pub fn at(object: &Value, path: &str) -> Result<Found, String> {
    let mut found = Found::One(Some(object.clone()));
    for step in parse(path)? {
        found = match found {
            Found::One(value) => value.map_or(Found::One(None), |value| take(value, &step)),
            Found::Filtered(items) => match step {
                Step::Index(n) => Found::One(items.into_iter().nth(n)),
                step => items.into_iter().next().map_or(Found::One(None), |first| take(first, &step)),
            },
            Found::All(items) => Found::All(items.into_iter().filter_map(|item| take(item, &step).value()).collect()),
        };
    }
    Ok(found)
}

fn take(value: Value, step: &Step) -> Found {
    let scalar = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let inner = |item: &Value, path: &str| at(item, path).ok().and_then(Found::value).map(|value| scalar(&value));
    let items = |value: Value| match value {
        Value::Array(items) => items,
        Value::Object(fields) => fields.into_iter().map(|(_, item)| item).collect(),
        _ => Vec::new(),
    };
    match step {
        Step::Key(key) => Found::One(field(value, key)),
        Step::Index(n) => Found::One(items(value).into_iter().nth(*n)),
        Step::All => Found::All(items(value)),
        Step::Equal(path, wanted) => {
            Found::Filtered(items(value).into_iter().filter(|item| inner(item, path).as_ref() == Some(wanted)).collect())
        }
        Step::Like(path, regex) => {
            Found::Filtered(items(value).into_iter().filter(|item| inner(item, path).is_some_and(|text| regex.is_match(&text))).collect())
        }
    }
}

/// A field; a list of `{key, value}` (ExtraConfig) reads as a mapping.
fn field(value: Value, key: &str) -> Option<Value> {
    match value {
        Value::Object(mut fields) => fields.remove(key),
        Value::Array(items) => as_mapping(&items)?.remove(key),
        _ => None,
    }
}

fn as_mapping(items: &[Value]) -> Option<Map<String, Value>> {
    items.iter().map(|item| Some((item.get("key")?.as_str()?.to_owned(), item.get("value")?.clone()))).collect()
}

fn parse(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (step, after) = bracket(inside).ok_or_else(|| format!("`{path}` is no path"))?;
            steps.push(step);
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 && !rest.starts_with('[') {
                return Err(format!("`{path}` is no path"));
            }
            if end > 0 {
                steps.push(Step::Key(rest[..end].to_owned()));
            }
            rest = &rest[end..];
        }
    }
    Ok(steps)
}

/// What stands in brackets, and what follows them.
fn bracket(inside: &str) -> Option<(Step, &str)> {
    if let Some(quoted) = inside.strip_prefix('"') {
        let (key, rest) = quoted.split_once("\"]")?;
        return Some((Step::Key(key.to_owned()), rest));
    }
    let end = closing(inside)?;
    let (body, rest) = (&inside[..end], &inside[end + 1..]);
    let operator = body.find(['=', '~']);
    let step = match operator {
        _ if body == "*" => Step::All,
        None => body.parse().map_or_else(|_| Step::Key(body.to_owned()), Step::Index),
        Some(at) if body.as_bytes()[at] == b'=' => Step::Equal(body[..at].to_owned(), body[at + 1..].to_owned()),
        Some(at) => Step::Like(body[..at].to_owned(), Regex::new(&body[at + 1..]).ok()?),
    };
    Some((step, rest))
}

/// Where the bracket closes; a path or a regular expression inside may have brackets of its own.
fn closing(inside: &str) -> Option<usize> {
    let mut open = 0;
    for (at, letter) in inside.char_indices() {
        match letter {
            '[' => open += 1,
            ']' if open == 0 => return Some(at),
            ']' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_form_of_a_path_leads_where_it_says() {
        let object = json!({"a": {"b.c/d": 1, "list": [{"name": "x", "n": {"k": 1}}, {"name": "y", "n": {"k": 2}}, {"name": "xy"}]},
            "config": {"extraConfig": [{"key": "a.b", "value": "c"}]}});
        let value = |path: &str| at(&object, path).expect("a path").value();
        assert_eq!(value("a[\"b.c/d\"]"), Some(json!(1)));
        assert_eq!(value("a.list[1].name"), Some(json!("y")));
        assert_eq!(value("a.list[name=y].n.k"), Some(json!(2)));
        assert_eq!(value("a.list[n.k=2].name"), Some(json!("y")));
        assert_eq!(value("a.list[name~^x][1].name"), Some(json!("xy")));
        assert_eq!(value("a.list[*].name"), Some(json!(["x", "y", "xy"])));
        assert_eq!(value("config.extraConfig[\"a.b\"]"), Some(json!("c")));
        assert_eq!(value("a.none.deeper[0]"), None);
        assert_eq!(at(&object, "a.list[name~^x]").expect("a path").length(), 2);
        assert_eq!(at(&object, "a.none").expect("a path").length(), 0);
        assert!(at(&object, "a[").is_err() && at(&object, "a..b").is_err());
    }
}
