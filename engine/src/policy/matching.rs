//! Whether a policy applies to a workload: a function of the two. Source: placement-groups §9.
//!
//! `workload.kind` isn't looked at, as upstream doesn't.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;
use regex::Regex;
use serde_json::Value;
use vmtwin_model::kube::compute_policy::{
    ComputePolicySpec, GuestFamilyMatch, MatchBoolean, MatchImage, MatchSpec, MatchWorkload, StringMatch, ValueOperator,
};
use vmtwin_model::kube::policy_evaluation::PolicyEvaluationSpec;

/// Whether a policy applies; one without a match applies to anything.
pub(super) fn applies(policy: &ComputePolicySpec, workload: &PolicyEvaluationSpec) -> bool {
    policy.match_.as_ref().is_none_or(|spec| holds(spec, workload))
}

/// The spec's own criteria all hold, and of the nested ones all or any, as the operator says.
fn holds(spec: &MatchSpec, workload: &PolicyEvaluationSpec) -> bool {
    spec.workload.as_ref().is_none_or(|wanted| workload_holds(wanted, workload))
        && spec.image.as_ref().is_none_or(|wanted| image_holds(wanted, workload))
        && spec.match_.as_ref().is_none_or(|nested| nested_hold(nested, spec.op, workload))
}

/// A list that can't be read holds for nothing.
fn nested_hold(nested: &Value, op: Option<MatchBoolean>, workload: &PolicyEvaluationSpec) -> bool {
    let Ok(nested) = serde_json::from_value::<Vec<MatchSpec>>(nested.clone()) else { return false };
    match op {
        _ if nested.is_empty() => true,
        Some(MatchBoolean::And) => nested.iter().all(|spec| holds(spec, workload)),
        Some(MatchBoolean::Or) | None => nested.iter().any(|spec| holds(spec, workload)),
    }
}

fn workload_holds(wanted: &MatchWorkload, workload: &PolicyEvaluationSpec) -> bool {
    let (none, found) = (BTreeMap::new(), workload.workload.as_ref());
    let labels = found.map_or(&none, |found| &found.labels);
    let guest = found.and_then(|found| found.guest.as_ref());
    let id = guest.map(|guest| guest.guest_id.as_str()).unwrap_or_default();
    let family = guest.and_then(|guest| guest.guest_family).map(|family| family.to_string()).unwrap_or_default();
    let guest_holds = wanted.guest.as_ref().is_none_or(|wanted| {
        wanted.guest_id.as_ref().is_none_or(|wanted| text_holds(wanted, id))
            && wanted.guest_family.as_ref().is_none_or(|wanted| family_holds(wanted, &family))
    });
    guest_holds && wanted.labels.iter().all(|requirement| label_holds(requirement, labels))
}

fn image_holds(wanted: &MatchImage, workload: &PolicyEvaluationSpec) -> bool {
    let (none, found) = (BTreeMap::new(), workload.image.as_ref());
    let labels = found.map_or(&none, |found| &found.labels);
    let name = found.map(|found| found.name.as_str()).unwrap_or_default();
    wanted.name.as_ref().is_none_or(|wanted| text_holds(wanted, name))
        && wanted.labels.iter().all(|requirement| label_holds(requirement, labels))
}

fn family_holds(wanted: &GuestFamilyMatch, family: &str) -> bool {
    let value = wanted.value.map(|value| value.to_string()).unwrap_or_default();
    compares(wanted.op, family, &value)
}

fn text_holds(wanted: &StringMatch, text: &str) -> bool {
    compares(wanted.op, text, &wanted.value)
}

fn compares(op: Option<ValueOperator>, text: &str, value: &str) -> bool {
    use ValueOperator as Op;

    let pattern = || Regex::new(value).ok();
    match op.unwrap_or(Op::Equal) {
        Op::Equal => text == value,
        Op::NotEqual => text != value,
        Op::Contains => text.contains(value),
        Op::NotContains => !text.contains(value),
        Op::HasPrefix => text.starts_with(value),
        Op::NotHasPrefix => !text.starts_with(value),
        Op::HasSuffix => text.ends_with(value),
        Op::NotHasSuffix => !text.ends_with(value),
        // An expression that can't be read matches nothing, whichever way it is asked.
        Op::Match => pattern().is_some_and(|pattern| pattern.is_match(text)),
        Op::NotMatch => pattern().is_some_and(|pattern| !pattern.is_match(text)),
    }
}

fn label_holds(requirement: &LabelSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&requirement.key);
    let listed = value.is_some_and(|value| requirement.values.iter().flatten().any(|wanted| wanted == value));
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matches(spec: Value, workload: Value) -> bool {
        let policy = ComputePolicySpec { match_: serde_json::from_value(spec).expect("a match"), ..ComputePolicySpec::default() };
        applies(&policy, &serde_json::from_value(workload).expect("a workload"))
    }

    fn nginx() -> Value {
        json!({"image": {"name": "ubuntu-24", "labels": {"arch": "amd64"}},
               "workload": {"guest": {"guestID": "ubuntu64Guest", "guestFamily": "Linux"}, "labels": {"app": "nginx", "tier": "web"}}})
    }

    #[test]
    fn without_a_match_a_policy_applies_to_anything() {
        assert!(matches(Value::Null, json!({})) && matches(json!({}), nginx()));
    }

    #[test]
    fn own_criteria_must_all_hold() {
        let guest = |id: &str, family: &str| json!({"workload": {"guest": {"guestID": {"value": id}, "guestFamily": {"value": family}}}});
        assert!(matches(guest("ubuntu64Guest", "Linux"), nginx()));
        assert!(!matches(guest("ubuntu64Guest", "Windows"), nginx()));
        assert!(!matches(guest("ubuntu64Guest", "Linux"), json!({})));
        let label = |key: &str, value: &str| json!({"key": key, "operator": "In", "values": [value]});
        assert!(matches(json!({"workload": {"labels": [label("app", "nginx"), label("tier", "web")]}}), nginx()));
        assert!(!matches(json!({"workload": {"labels": [label("app", "nginx"), label("tier", "db")]}}), nginx()));
        assert!(!matches(json!({"workload": {"labels": [label("app", "nginx")]}, "image": {"name": {"value": "x"}}}), nginx()));
    }

    #[test]
    fn nested_criteria_are_alternatives_unless_all_are_asked_for() {
        let of = |id: &str| json!({"workload": {"guest": {"guestID": {"value": id}}}});
        assert!(matches(json!({"match": [of("other"), of("ubuntu64Guest")]}), nginx()));
        assert!(matches(json!({"op": "Or", "match": [of("other"), of("ubuntu64Guest")]}), nginx()));
        assert!(!matches(json!({"op": "And", "match": [of("other"), of("ubuntu64Guest")]}), nginx()));
        assert!(!matches(json!({"match": "nonsense"}), nginx()));
    }

    #[test]
    fn strings_compare_in_every_way_and_a_bad_expression_matches_nothing() {
        for (op, value, expected) in [
            ("Equal", "ubuntu-24", true),
            ("NotEqual", "ubuntu-24", false),
            ("HasPrefix", "ubuntu", true),
            ("NotHasPrefix", "ubuntu", false),
            ("HasSuffix", "-24", true),
            ("NotHasSuffix", "-24", false),
            ("Contains", "untu", true),
            ("NotContains", "untu", false),
            ("Match", "^ubuntu-[0-9]+$", true),
            ("NotMatch", "^ubuntu-[0-9]+$", false),
            ("Match", "(", false),
            ("NotMatch", "(", false),
        ] {
            assert_eq!(matches(json!({"image": {"name": {"op": op, "value": value}}}), nginx()), expected, "{op} {value}");
        }
    }

    #[test]
    fn labels_are_requirements() {
        for (operator, values, expected) in [
            ("In", json!(["arm64", "amd64"]), true),
            ("NotIn", json!(["arm64"]), true),
            ("NotIn", json!(["amd64"]), false),
            ("Exists", json!([]), true),
            ("DoesNotExist", json!([]), false),
        ] {
            let requirement = json!({"key": "arch", "operator": operator, "values": values});
            assert_eq!(matches(json!({"image": {"labels": [requirement]}}), nginx()), expected, "{operator}");
        }
    }
}
