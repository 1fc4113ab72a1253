//! Selectors of labels and fields, as an object spells them (`LabelSelector`) and as kubectl takes them (`-l`,
//! `--field-selector`).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;
use vmtwin_model::kube::Object;

/// Why a selector can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// A term has no operator where one is wanted, or something after its end.
    #[error("unable to parse requirement: `{0}`")]
    Term(String),
    /// An operator that there is none of.
    #[error("`{0}` is not a valid label selector operator")]
    Operator(String),
    /// `In` and `NotIn` need values, `Exists` and `DoesNotExist` take none.
    #[error("`{key}`: {operator} goes with {wanted}")]
    Values {
        /// The label's key.
        key: String,
        /// The operator.
        operator: String,
        /// What goes with it.
        wanted: &'static str,
    },
}

/// A selector of labels: all of its terms must hold. One without terms selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    terms: Vec<(String, Holds)>,
}

/// What must hold of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Holds {
    In(BTreeSet<String>),
    /// Holds as well where there is no such label.
    NotIn(BTreeSet<String>),
    Exists,
    DoesNotExist,
}

impl Labels {
    /// The selector that an object spells out.
    ///
    /// # Errors
    /// If an operator is unknown, or has not the values that it needs.
    pub fn of(selector: &LabelSelector) -> Result<Self, SelectError> {
        let mut terms = Vec::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            terms.push((key.clone(), Holds::In(BTreeSet::from([value.clone()]))));
        }
        for expression in selector.match_expressions.iter().flatten() {
            let values: BTreeSet<String> = expression.values.iter().flatten().cloned().collect();
            let wrong = |wanted| SelectError::Values { key: expression.key.clone(), operator: expression.operator.clone(), wanted };
            let holds = match (expression.operator.as_str(), values.is_empty()) {
                ("In", false) => Holds::In(values),
                ("NotIn", false) => Holds::NotIn(values),
                ("Exists", true) => Holds::Exists,
                ("DoesNotExist", true) => Holds::DoesNotExist,
                ("In" | "NotIn", true) => return Err(wrong("values")),
                ("Exists" | "DoesNotExist", false) => return Err(wrong("no values")),
                _ => return Err(SelectError::Operator(expression.operator.clone())),
            };
            terms.push((expression.key.clone(), holds));
        }
        Ok(Self { terms })
    }

    /// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    ///
    /// # Errors
    /// If a term isn't of these forms.
    pub fn parse(text: &str) -> Result<Self, SelectError> {
        let terms = split(text).into_iter().map(term).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Whether these labels are selected.
    #[must_use]
    pub fn select(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.terms.iter().all(|(key, holds)| {
            let value = labels.and_then(|labels| labels.get(key));
            match holds {
                Holds::In(values) => value.is_some_and(|value| values.contains(value)),
                Holds::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Holds::Exists => value.is_some(),
                Holds::DoesNotExist => value.is_none(),
            }
        })
    }

    /// Whether the object's labels are selected.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        self.select(object.meta.labels.as_ref())
    }
}

/// The terms of a selector: commas within parentheses part values, not terms.
fn split(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => inside = true,
            ')' => inside = false,
            ',' if !inside => {
                terms.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(text[start..].trim());
    if terms == [""] { Vec::new() } else { terms }
}

fn term(text: &str) -> Result<(String, Holds), SelectError> {
    let wrong = || SelectError::Term(text.to_owned());
    let key = |key: &str| {
        let key = key.trim();
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
        if !key.is_empty() && key.chars().all(fits) { Ok(key.to_owned()) } else { Err(wrong()) }
    };
    let one = |value: &str| BTreeSet::from([value.trim().to_owned()]);
    if let Some((name, value)) = text.split_once("!=") {
        return Ok((key(name)?, Holds::NotIn(one(value))));
    }
    if let Some((name, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok((key(name)?, Holds::In(one(value))));
    }
    if let Some((head, values)) = text.split_once('(') {
        let values = values.strip_suffix(')').ok_or_else(wrong)?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let (name, operator) = head.trim().rsplit_once(char::is_whitespace).ok_or_else(wrong)?;
        return match operator {
            "in" => Ok((key(name)?, Holds::In(values))),
            "notin" => Ok((key(name)?, Holds::NotIn(values))),
            _ => Err(wrong()),
        };
    }
    match text.strip_prefix('!') {
        Some(name) => Ok((key(name)?, Holds::DoesNotExist)),
        None => Ok((key(text)?, Holds::Exists)),
    }
}

/// A selector of fields: all of its terms must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    terms: Vec<(String, Equality, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Equality {
    Equal,
    Different,
}

impl Fields {
    /// Reads `metadata.name=a,status.phase!=Running`.
    ///
    /// # Errors
    /// If a term isn't of these forms.
    pub fn parse(text: &str) -> Result<Self, SelectError> {
        let terms = split(text).into_iter().map(|term| {
            let (field, equality, value) = if let Some((field, value)) = term.split_once("!=") {
                (field, Equality::Different, value)
            } else if let Some((field, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
                (field, Equality::Equal, value)
            } else {
                return Err(SelectError::Term(term.to_owned()));
            };
            Ok((field.trim().to_owned(), equality, value.trim().to_owned()))
        });
        Ok(Self { terms: terms.collect::<Result<_, _>>()? })
    }

    /// Whether the object is selected. A field that it hasn't is empty.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        self.terms.iter().all(|(field, equality, wanted)| {
            let equal = match field.as_str() {
                "metadata.name" => object.meta.name.as_deref().unwrap_or_default() == wanted,
                "metadata.namespace" => *object.key.namespace == **wanted,
                _ => field_of(object, field) == *wanted,
            };
            equal == (*equality == Equality::Equal)
        })
    }
}

fn field_of(object: &Object, path: &str) -> String {
    let value = object.to_value();
    match path.split('.').try_fold(&value, |value, name| value.get(name)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta};
    use vmtwin_model::kube::Object;
    use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineSpec, VirtualMachineStatus};

    use super::{Fields, Labels, SelectError};

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_selector_s_terms_must_all_hold() {
        let set = labels(&[("app", "db"), ("x.y/tier", "1")]);
        let cases = [
            ("", true),
            ("app=db", true),
            ("app == db, x.y/tier=1", true),
            ("app=db,x.y/tier=2", false),
            ("app!=web", true),
            ("other!=web", true),
            ("app in (web, db)", true),
            ("app notin (web,db)", false),
            ("other notin (a)", true),
            ("app,!other", true),
            ("!app", false),
        ];
        for (text, expected) in cases {
            assert_eq!(Labels::parse(text).map(|selector| selector.select(Some(&set))), Ok(expected), "{text}");
        }
        for text in ["a b", "a in b", "a in (b", "=b", "a,,b"] {
            assert!(matches!(Labels::parse(text), Err(SelectError::Term(_))), "{text}");
        }
    }

    #[test]
    fn an_object_s_selector_selects_as_its_text_does() {
        let expression = |operator: &str, values: &[&str]| LabelSelectorRequirement {
            key: "a".to_owned(),
            operator: operator.to_owned(),
            values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
        };
        let selector = |expression| LabelSelector { match_labels: Some(labels(&[("b", "2")])), match_expressions: Some(vec![expression]) };
        assert_eq!(
            Labels::of(&selector(expression("In", &["1", "2"]))).expect("a good selector"),
            Labels::parse("b=2,a in (1,2)").expect("a good text")
        );
        assert_eq!(
            Labels::of(&selector(expression("DoesNotExist", &[]))).expect("a good selector"),
            Labels::parse("b=2,!a").expect("a good text")
        );
        assert!(matches!(Labels::of(&selector(expression("Exists", &["1"]))), Err(SelectError::Values { .. })));
        assert!(matches!(Labels::of(&selector(expression("Near", &["1"]))), Err(SelectError::Operator(_))));
    }

    #[test]
    fn fields_are_compared_as_text_and_an_absent_one_is_empty() {
        let meta = ObjectMeta { name: Some("a".to_owned()), namespace: Some("ns".to_owned()), ..ObjectMeta::default() };
        let spec = VirtualMachineSpec { class_name: "small".to_owned(), ..VirtualMachineSpec::default() };
        let object = Object::new::<VirtualMachine>(meta, spec, VirtualMachineStatus::default());
        let cases = [
            ("metadata.name=a,metadata.namespace=ns", true),
            ("metadata.name!=a", false),
            ("spec.className==small", true),
            ("spec.nothing=", true),
            ("spec.nothing!=x", true),
        ];
        for (text, expected) in cases {
            assert_eq!(Fields::parse(text).map(|selector| selector.matches(&object)), Ok(expected), "{text}");
        }
        assert!(Fields::parse("metadata.name").is_err());
    }
}
