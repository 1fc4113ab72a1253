//! What Kubernetes takes for a label, and for a selector of labels.
//!
//! Where each text is found, and how it is told, is the callers' business; here is what is wrong, in Kubernetes' words.
//!
//! Mirrors: k8s.io/apimachinery `pkg/util/validation`, `IsDNS1123Subdomain`, `IsDNS1123Label`, `IsQualifiedName`,
//! `IsValidLabelValue`; `pkg/apis/meta/v1/validation`, `ValidateLabelSelector`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and \
     end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
     alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const NAME_PART: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
     character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const QUALIFIED: &str = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
     alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end \
     with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
     '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// The longest DNS subdomain, in bytes.
pub const SUBDOMAIN_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Why a text is no DNS subdomain; nothing if it is one.
#[must_use]
pub fn subdomain_errors(text: &str) -> Vec<String> {
    let fits = text.split('.').all(is_lower_label);
    errors(text, SUBDOMAIN_BYTES_MAX, fits, SUBDOMAIN)
}

/// Why a text is no DNS label; nothing if it is one.
#[must_use]
pub fn dns_label_errors(text: &str) -> Vec<String> {
    errors(text, LABEL_BYTES_MAX, is_lower_label(text), LABEL)
}

/// Why a text is no key of a label or an annotation; nothing if it is one.
#[must_use]
pub fn key_errors(key: &str) -> Vec<String> {
    let (prefix, name) = match key.split('/').collect::<Vec<_>>()[..] {
        [name] => (None, name),
        [prefix, name] => (Some(prefix), name),
        _ => return vec![QUALIFIED.to_owned()],
    };
    let of_prefix = match prefix {
        None => Vec::new(),
        Some("") => vec!["prefix part must be non-empty".to_owned()],
        Some(prefix) => subdomain_errors(prefix).into_iter().map(|error| format!("prefix part {error}")).collect(),
    };
    let empty = name.is_empty().then(|| "name part must be non-empty".to_owned());
    let long = (name.len() > LABEL_BYTES_MAX).then(|| format!("name part must be no more than {LABEL_BYTES_MAX} bytes"));
    let odd = (!is_plain(name)).then(|| NAME_PART.to_owned());
    of_prefix.into_iter().chain(empty).chain(long).chain(odd).collect()
}

/// Why a text is no value of a label; nothing if it is one.
#[must_use]
pub fn value_errors(value: &str) -> Vec<String> {
    errors(value, LABEL_BYTES_MAX, value.is_empty() || is_plain(value), VALUE)
}

fn errors(text: &str, bytes_max: usize, fits: bool, otherwise: &str) -> Vec<String> {
    let long = (text.len() > bytes_max).then(|| format!("must be no more than {bytes_max} bytes"));
    long.into_iter().chain((!fits).then(|| otherwise.to_owned())).collect()
}

fn is_lower_label(text: &str) -> bool {
    let end = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    has_ends(text, end) && text.bytes().all(|byte| end(byte) || byte == b'-')
}

fn is_plain(text: &str) -> bool {
    has_ends(text, |byte| byte.is_ascii_alphanumeric()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn has_ends(text: &str, end: impl Fn(u8) -> bool) -> bool {
    matches!((text.bytes().next(), text.bytes().last()), (Some(first), Some(last)) if end(first) && end(last))
}

/// What is wrong with one field of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorError {
    /// The field, from the selector on, such as `matchExpressions[0].values`.
    pub field: String,
    /// What is wrong with it.
    pub fault: SelectorFault,
}

/// The kinds of what can be wrong in a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorFault {
    /// Something is missing, and why it is needed.
    Required(&'static str),
    /// Something mustn't be there, and why not.
    Forbidden(&'static str),
    /// This value is wrong, and why.
    Invalid(String, String),
}

/// All that is wrong with a selector.
#[must_use]
pub fn selector_errors(selector: &LabelSelector) -> Vec<SelectorError> {
    let mut found = Vec::new();
    for (key, value) in selector.match_labels.iter().flatten() {
        invalid(&mut found, "matchLabels", key, key_errors(key));
        invalid(&mut found, "matchLabels", value, value_errors(value));
    }
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        expression_errors(&format!("matchExpressions[{index}]"), expression, &mut found);
    }
    found
}

fn expression_errors(path: &str, expression: &LabelSelectorRequirement, found: &mut Vec<SelectorError>) {
    let values = expression.values.as_deref().unwrap_or_default();
    let fault = match expression.operator.as_str() {
        "In" | "NotIn" => {
            values.is_empty().then_some(("values", SelectorFault::Required("must be specified when `operator` is 'In' or 'NotIn'")))
        }
        "Exists" | "DoesNotExist" => (!values.is_empty())
            .then_some(("values", SelectorFault::Forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))),
        other => Some(("operator", SelectorFault::Invalid(other.to_owned(), "not a valid selector operator".to_owned()))),
    };
    found.extend(fault.map(|(field, fault)| SelectorError { field: format!("{path}.{field}"), fault }));
    invalid(found, &format!("{path}.key"), &expression.key, key_errors(&expression.key));
    for (index, value) in values.iter().enumerate() {
        invalid(found, &format!("{path}.values[{index}]"), value, value_errors(value));
    }
}

fn invalid(found: &mut Vec<SelectorError>, field: &str, value: &str, errors: Vec<String>) {
    let wrong = |error| SelectorError { field: field.to_owned(), fault: SelectorFault::Invalid(value.to_owned(), error) };
    found.extend(errors.into_iter().map(wrong));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_subdomain_is_made_of_lower_case_labels() {
        for good in ["a", "my-vm", "a.b-c.d1", "1"] {
            assert_eq!(subdomain_errors(good), Vec::<String>::new(), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", "a_b", "é"] {
            assert_eq!(subdomain_errors(bad), [SUBDOMAIN], "{bad}");
        }
        assert_eq!(subdomain_errors(&"a".repeat(254)), ["must be no more than 253 bytes"]);
        assert_eq!(dns_label_errors("a.b"), [LABEL]);
    }

    #[test]
    fn a_key_has_a_name_and_perhaps_one_prefix() {
        for good in ["app", "App_1.x", "example.com/app", "topology.kubernetes.io/zone"] {
            assert_eq!(key_errors(good), Vec::<String>::new(), "{good}");
        }
        assert_eq!(key_errors("a/b/c"), [QUALIFIED]);
        assert_eq!(key_errors("/a"), ["prefix part must be non-empty"]);
        assert_eq!(key_errors("a/"), ["name part must be non-empty", NAME_PART]);
        assert_eq!(key_errors("Example/a"), [format!("prefix part {SUBDOMAIN}")]);
        assert_eq!(key_errors(&"a".repeat(64)), ["name part must be no more than 63 bytes"]);
    }

    #[test]
    fn a_value_may_be_empty_but_not_odd() {
        assert_eq!((value_errors(""), value_errors("a_b.C-1")), (Vec::new(), Vec::new()));
        assert_eq!(value_errors("a b"), [VALUE]);
        assert_eq!(value_errors(&"a".repeat(64)), ["must be no more than 63 bytes"]);
    }

    #[test]
    fn a_selectors_expressions_have_the_values_that_their_operator_needs() {
        let expression = |key: &str, operator: &str, values: &[&str]| LabelSelectorRequirement {
            key: key.to_owned(),
            operator: operator.to_owned(),
            values: Some(values.iter().map(ToString::to_string).collect()),
        };
        let selector = LabelSelector {
            match_labels: Some(BTreeMap::from([("a b".to_owned(), "ok".to_owned())])),
            match_expressions: Some(vec![
                expression("app", "In", &[]),
                expression("app", "Exists", &["x"]),
                expression("app", "Near", &["x"]),
                expression("", "In", &["x", "-"]),
            ]),
        };
        let fields: Vec<String> = selector_errors(&selector).into_iter().map(|error| error.field).collect();
        assert_eq!(
            fields,
            [
                "matchLabels",
                "matchExpressions[0].values",
                "matchExpressions[1].values",
                "matchExpressions[2].operator",
                "matchExpressions[3].key",
                "matchExpressions[3].key",
                "matchExpressions[3].values[1]"
            ]
        );
        assert_eq!(selector_errors(&LabelSelector::default()), []);
    }
}
