//! Label selectors, as `kubectl -l` takes them.

use std::collections::BTreeMap;
use std::str::FromStr;

/// A selector: all of its requirements hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selector {
    /// Whether labels meet the selector.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::Absent(key) => !labels.contains_key(key),
        })
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        split(text).into_iter().map(requirement).collect::<Result<_, _>>().map(Self)
    }
}

/// Splits at commas outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let at_comma = |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    };
    text.split(at_comma).map(str::trim).collect()
}

fn requirement(text: &str) -> Result<Requirement, String> {
    let wrong = || format!("`{text}` is no requirement such as `area=power`, `area!=power`, `area in (a, b)`, `area` or `!area`");
    let word = |word: &str| {
        let word = word.trim();
        let plain = word.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c));
        if plain { Ok(word.to_owned()) } else { Err(wrong()) }
    };
    let key = |text: &str| word(text).and_then(|key| if key.is_empty() { Err(wrong()) } else { Ok(key) });
    if let Some((name, value)) = text.split_once("!=") {
        return Ok(Requirement::NotIn(key(name)?, vec![word(value)?]));
    }
    if let Some((name, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Requirement::In(key(name)?, vec![word(value)?]));
    }
    if let Some((head, values)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        let values = values.split(',').map(word).collect::<Result<_, _>>()?;
        return match head.split_whitespace().collect::<Vec<_>>()[..] {
            [name, "in"] => Ok(Requirement::In(key(name)?, values)),
            [name, "notin"] => Ok(Requirement::NotIn(key(name)?, values)),
            _ => Err(wrong()),
        };
    }
    match text.strip_prefix('!') {
        Some(name) => Ok(Requirement::Absent(key(name)?)),
        None => Ok(Requirement::Exists(key(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str) -> bool {
        let labels = [("area", "power"), ("kind", "bug")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        selector.parse::<Selector>().expect("a selector").matches(&labels.into())
    }

    #[test]
    fn a_selector_means_what_kubectls_means() {
        for selector in [
            "area=power",
            "area==power,kind=bug",
            "area!=groups",
            "owner!=me",
            "area in (groups, power)",
            "area notin (groups)",
            "kind",
            "!owner",
        ] {
            assert!(matches(selector), "{selector}");
        }
        for selector in
            ["area=groups", "area=power,kind!=bug", "owner=me", "area in (groups)", "area notin (groups,power)", "owner", "!kind"]
        {
            assert!(!matches(selector), "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for selector in ["", "=a", "a=b=c", "a of (b)", "a,", "a b"] {
            assert!(selector.parse::<Selector>().is_err(), "{selector}");
        }
    }
}
