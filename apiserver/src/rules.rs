//! The rules that a schema states as expressions (`x-kubernetes-validations`). They are asked once all else about the object is
//! in order, since an expression takes values to be of their types.
//!
//! A rule that speaks of `oldSelf` is about a change, so that it is asked where the value was there before: in mappings by the field's
//! name, in keyed lists by the item's key; items of other lists have no past.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use vmtwin_model::kube::api::Cause;
use vmtwin_model::kube::{Body, Kind};

use crate::errors;
use crate::expression::Rule;
use crate::schema::{Place, field, keyword, list_key};

const KEYWORD: &str = "x-kubernetes-validations";

/// How Kubernetes spells the path of the object itself.
const WHOLE: &str = "<nil>";

/// The rules of a part that the value breaks.
pub(crate) fn broken(kind: Kind, schema: &Value, value: &Value, old: Option<&dyn Body>, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if RULED.contains(&kind) {
        walk(schema, value, old.map(Body::to_value).as_ref(), Place::At(path), &mut causes);
    }
    causes
}

/// The rules of an object as a whole that it breaks: they see its name and its spec.
pub(crate) fn broken_by_whole(kind: Kind, name: &str, spec: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Some(schema) = kind.info().schema.filter(|_| RULED.contains(&kind)) {
        let whole = json!({"metadata": {"name": name}, "spec": spec});
        ask(schema(), &whole, None, Place::At(WHOLE), &mut causes);
    }
    causes
}

fn ask(schema: &Value, value: &Value, old: Option<&Value>, path: Place<'_>, causes: &mut Vec<Cause>) {
    for entry in keyword(schema, KEYWORD).and_then(Value::as_array).into_iter().flatten() {
        let rule = &RULES[entry["rule"].as_str().unwrap_or_default()];
        if (!rule.is_transition || old.is_some()) && !rule.holds(value, old) {
            // Kubernetes shows the type in the place of the value.
            let sort = keyword(schema, "type").cloned().unwrap_or_default();
            let path = path.to_string();
            causes.push(errors::invalid_value(if path.is_empty() { WHOLE } else { &path }, &sort, &rule.message));
        }
    }
}

fn walk(schema: &Value, value: &Value, old: Option<&Value>, path: Place<'_>, causes: &mut Vec<Cause>) {
    ask(schema, value, old, path, causes);
    match value {
        Value::Object(fields) => walk_fields(schema, fields, old, path, causes),
        Value::Array(items) => {
            let Some(item_schema) = keyword(schema, "items") else { return };
            let keyed = keyword(schema, "x-kubernetes-list-type").and_then(Value::as_str) == Some("map");
            let before = old.and_then(Value::as_array).filter(|_| keyed);
            for (index, item) in items.iter().enumerate() {
                let old = before.and_then(|before| {
                    let key = list_key(schema, item);
                    before.iter().find(|old| list_key(schema, old) == key)
                });
                walk(item_schema, item, old, Place::Item(&path, index), causes);
            }
        }
        _ => {}
    }
}

fn walk_fields(schema: &Value, fields: &Map<String, Value>, old: Option<&Value>, path: Place<'_>, causes: &mut Vec<Cause>) {
    let properties = keyword(schema, "properties").and_then(Value::as_object);
    for (name, value) in fields {
        let below = properties.and_then(|known| field(known, name)).or_else(|| keyword(schema, "additionalProperties"));
        if let Some(below) = below {
            walk(below, value, old.and_then(|old| old.get(name)), Place::Field(&path, name), causes);
        }
    }
}

/// The kinds that have rules.
static RULED: LazyLock<BTreeSet<Kind>> =
    LazyLock::new(|| Kind::all().filter(|kind| kind.info().schema.is_some_and(|schema| schema().to_string().contains(KEYWORD))).collect());

/// All rules, by their text.
static RULES: LazyLock<BTreeMap<String, Rule>> = LazyLock::new(|| {
    let mut out = BTreeMap::new();
    for schema in Kind::all().filter_map(|kind| kind.info().schema) {
        collect(schema(), &mut out);
    }
    out
});

fn collect(schema: &Value, out: &mut BTreeMap<String, Rule>) {
    for entry in schema.get(KEYWORD).and_then(Value::as_array).into_iter().flatten() {
        out.insert(entry["rule"].as_str().unwrap_or_default().to_owned(), Rule::compile(entry));
    }
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(_, schema)| schema);
    let below = ["items", "additionalProperties"].into_iter().filter_map(|name| schema.get(name));
    for schema in properties.chain(below) {
        collect(schema, out);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use vmtwin_model::kube::Kind;

    use super::{broken, broken_by_whole};

    fn told(kind: &str, value: &Value, old: Option<&Value>) -> Vec<String> {
        let kind = Kind::named(kind).expect("the table has it");
        let path = if kind.info().layout == vmtwin_model::kube::Layout::Whole { "" } else { "spec" };
        let schema = crate::schema::of_part(kind, path).expect("it has a schema");
        // A part in its JSON form is a part like any other.
        broken(kind, schema, value, old.map(|old| old as &dyn vmtwin_model::kube::Body), path)
            .into_iter()
            .map(|cause| cause.message)
            .collect()
    }

    #[test]
    fn every_rule_of_every_kind_is_an_expression() {
        assert!(super::RULES.len() > 15, "{}", super::RULES.len());
    }

    #[test]
    fn what_is_immutable_may_be_set_and_not_changed() {
        let spec = |id: &str| json!({"storagePolicyId": id});
        assert!(
            told("StoragePolicyQuota", &spec("a"), None).is_empty() && told("StoragePolicyQuota", &spec("a"), Some(&spec("a"))).is_empty()
        );
        let text = "spec.storagePolicyId: Invalid value: \"string\": StoragePolicyId is immutable";
        assert_eq!(told("StoragePolicyQuota", &spec("b"), Some(&spec("a"))), [text]);
        assert!(told("StoragePolicyQuota", &spec("b"), Some(&json!({}))).is_empty(), "what was absent may be set");
    }

    #[test]
    fn a_rule_of_the_whole_object_sees_its_name() {
        let kind = Kind::named("WorkloadNetworkConfiguration").expect("the table has it");
        assert!(broken_by_whole(kind, "default", &json!({})).is_empty());
        let causes = broken_by_whole(kind, "other", &json!({}));
        assert_eq!(causes[0].message, "<nil>: Invalid value: \"object\": WorkloadNetworkConfiguration must be named 'default'");
    }

    #[test]
    fn an_item_of_a_keyed_list_is_compared_with_the_item_of_its_key() {
        let vds = |default: &str, networks: &[&str]| {
            let networks: Vec<Value> = networks.iter().map(|name| json!({"name": name})).collect();
            json!({"type": "vsphere-distributed", "systemConfiguration": {"vsphereDistributedConfig": {"defaultNetwork": default, "networks": networks}}})
        };
        let spec = |provider: Value| json!({"activeSystemProvider": "vsphere-distributed", "providers": [provider]});
        let old = spec(vds("a", &["a", "b"]));
        assert!(told("WorkloadNetworkConfiguration", &old, Some(&old)).is_empty());
        let changed = told("WorkloadNetworkConfiguration", &spec(vds("b", &["a", "b"])), Some(&old));
        assert!(changed.iter().any(|text| text.ends_with("defaultNetwork is immutable once set")), "{changed:?}");
        let unknown = told("WorkloadNetworkConfiguration", &spec(vds("c", &["a"])), None);
        assert!(
            unknown.iter().any(|text| text.ends_with("defaultNetwork must match the name of one of the entries in networks")),
            "{unknown:?}"
        );
    }
}
