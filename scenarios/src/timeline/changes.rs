//! What a write changed, in words: fields with their old and new values, conditions with their status.

use serde_json::Value;
use vmtwin_model::kube::api::WatchEvent;

use super::style::plain;

/// How many changes of one write a line tells.
pub const MOST_SHOWN: usize = 3;

/// The longest value that is told in full.
const LONGEST_VALUE: usize = 48;

/// Fields that change with every write, or that the line tells anyhow.
const NOISE: &[&str] = &[
    "metadata.resourceVersion",
    "metadata.generation",
    "metadata.managedFields",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "metadata.deletionGracePeriodSeconds",
    "metadata.uid",
];

/// What people look for first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    PowerState,
    Spec,
    Condition,
    Status,
    Metadata,
}

/// What an object's change comes to, the most telling first; nothing for an object that is new or gone.
#[must_use]
pub fn changes(event: &WatchEvent) -> Vec<String> {
    let (Some(before), Some(after)) = (&event.before, &event.after) else { return Vec::new() };
    let mut found = Found::default();
    found.compare("", Some(&before.to_value()), Some(&after.to_value()));
    found.0.sort_by_key(|(rank, _)| *rank);
    found.0.into_iter().map(|(_, text)| text).collect()
}

#[derive(Default)]
struct Found(Vec<(Rank, String)>);

impl Found {
    fn compare(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        if before == after || NOISE.contains(&path) || path.ends_with(".observedGeneration") {
            return;
        }
        match (before, after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => {
                let gone = before.keys().filter(|name| !after.contains_key(*name));
                for name in after.keys().chain(gone) {
                    self.compare(&below(path, name), before.get(name), after.get(name));
                }
            }
            (None, Some(Value::Object(after))) if !after.is_empty() => {
                for (name, value) in after {
                    self.compare(&below(path, name), None, Some(value));
                }
            }
            (Some(Value::Object(before)), None) if path == "status" => {
                for (name, value) in before {
                    self.compare(&below(path, name), Some(value), None);
                }
            }
            (Some(Value::Array(_)) | None, Some(Value::Array(_))) | (Some(Value::Array(_)), None) => {
                self.compare_lists(path, items(before), items(after));
            }
            _ => self.tell(path, &between(before, after)),
        }
    }

    fn compare_lists(&mut self, path: &str, before: &[Value], after: &[Value]) {
        let conditions = path == "conditions" || path.ends_with(".conditions");
        let field = if conditions { "type" } else { "name" };
        let (old, new) = (keyed(before, field), keyed(after, field));
        if let (Some(old), Some(new)) = (old, new) {
            let of = |list: &[(&str, &Value)], key: &str| list.iter().position(|(name, _)| *name == key);
            let gone = old.iter().filter(|(name, _)| of(&new, name).is_none());
            for (name, _) in new.iter().chain(gone) {
                let (before, after) = (of(&old, name).map(|at| old[at].1), of(&new, name).map(|at| new[at].1));
                if conditions {
                    self.compare_conditions(path, name, before, after);
                } else {
                    self.compare_items(&format!("{path}[{name}]"), before, after);
                }
            }
        } else if before.iter().chain(after).all(|item| !item.is_object() && !item.is_array()) {
            for (sign, list, other) in [("+", after, before), ("-", before, after)] {
                for item in list.iter().filter(|item| !other.contains(item)) {
                    self.tell(path, &format!("{sign}{}", shown(item)));
                }
            }
        } else if before.len() == after.len() {
            for (at, (before, after)) in before.iter().zip(after).enumerate() {
                self.compare(&format!("{path}[{at}]"), Some(before), Some(after));
            }
        } else {
            self.tell(path, &format!("{} → {} entries", before.len(), after.len()));
        }
    }

    fn compare_items(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (None, Some(_)) => self.tell(path, "added"),
            (Some(_), None) => self.tell(path, "removed"),
            _ => self.compare(path, before, after),
        }
    }

    fn compare_conditions(&mut self, path: &str, name: &str, before: Option<&Value>, after: Option<&Value>) {
        let field = |value: Option<&Value>, name: &str| {
            value.and_then(|value| value.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (status, reason, message) = (field(after, "status"), field(after, "reason"), field(after, "message"));
        let told = if after.is_none() {
            "removed".to_owned()
        } else if (&field(before, "status"), &field(before, "reason")) != (&status, &reason) {
            if status == "True" || reason.is_empty() { status } else { format!("{status} ({reason})") }
        } else if field(before, "message") != message {
            format!("{status}: {}", cut(&message))
        } else {
            return;
        };
        let owner = path.strip_suffix("conditions").unwrap_or_default().trim_end_matches('.');
        let owner = if owner == "status" { String::new() } else { format!("{owner} ") };
        self.0.push((Rank::Condition, plain(&format!("{owner}condition {name} {told}"))));
    }

    fn tell(&mut self, path: &str, what: &str) {
        let rank = match path.split(['.', '[']).next() {
            _ if path == "status.powerState" => Rank::PowerState,
            Some("status") => Rank::Status,
            Some("metadata") => Rank::Metadata,
            _ => Rank::Spec,
        };
        self.0.push((rank, plain(&format!("{path} {what}"))));
    }
}

fn below(path: &str, name: &str) -> String {
    match (path.is_empty(), name.contains(['.', '/'])) {
        (true, _) => name.to_owned(),
        (false, false) => format!("{path}.{name}"),
        (false, true) => format!("{path}[{name}]"),
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The items by their key, if each has one.
fn keyed<'a>(list: &'a [Value], field: &str) -> Option<Vec<(&'a str, &'a Value)>> {
    list.iter().map(|item| Some((item.get(field)?.as_str()?, item))).collect()
}

fn between(before: Option<&Value>, after: Option<&Value>) -> String {
    match (before, after) {
        (None, Some(after)) => shown(after),
        (_, None) => "removed".to_owned(),
        (Some(before), Some(after)) => format!("{} → {}", shown(before), shown(after)),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => cut(text),
        Value::Object(fields) if !fields.is_empty() => "{…}".to_owned(),
        Value::Array(items) if !items.is_empty() => format!("{} entries", items.len()),
        other => other.to_string(),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST_VALUE {
        return text.to_owned();
    }
    let start: String = text.chars().take(LONGEST_VALUE).collect();
    format!("{}…", start.trim_end())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::timeline::samples::{change, object};

    fn between_statuses(before: Value, after: Value) -> Vec<String> {
        changes(&change(Some(object(json!({}), before)), Some(object(json!({}), after))))
    }

    #[test]
    fn a_changed_field_is_told_with_both_values_and_a_new_one_with_its_own() {
        let told = between_statuses(
            json!({"powerState": "PoweredOff"}),
            json!({"zone": "zone-a", "powerState": "PoweredOn", "network": {"primaryIP4": "10.0.0.2"}}),
        );
        assert_eq!(told, ["status.powerState PoweredOff → PoweredOn", "status.zone zone-a", "status.network.primaryIP4 10.0.0.2"]);
    }

    #[test]
    fn a_condition_is_told_by_its_status_and_by_its_reason_unless_it_is_true() {
        let conditions = |status: &str, reason: &str| json!({"conditions": [{"type": "Ready", "status": status, "reason": reason, "lastTransitionTime": "x"}]});
        assert_eq!(between_statuses(json!({}), conditions("True", "True")), ["condition Ready True"]);
        assert_eq!(between_statuses(conditions("True", "True"), conditions("False", "NoHost")), ["condition Ready False (NoHost)"]);
        assert_eq!(between_statuses(conditions("False", "NoHost"), conditions("False", "NoZone")), ["condition Ready False (NoZone)"]);
        assert_eq!(between_statuses(conditions("False", "NoHost"), json!({})), ["condition Ready removed"]);
    }

    #[test]
    fn the_instant_of_a_condition_alone_is_not_told() {
        let at =
            |at: &str| json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at}], "observedGeneration": at});
        assert_eq!(between_statuses(at("x"), at("y")), Vec::<String>::new());
    }

    #[test]
    fn items_of_lists_are_told_by_their_names() {
        let volumes = |volumes: Value| json!({"volumes": volumes});
        let told = between_statuses(
            volumes(json!([{"name": "a", "attached": false}, {"name": "b"}])),
            volumes(json!([{"name": "a", "attached": true}, {"name": "c"}])),
        );
        assert_eq!(told, ["status.volumes[a].attached false → true", "status.volumes[c] added", "status.volumes[b] removed"]);
        assert_eq!(between_statuses(json!({"ips": ["1", "2"]}), json!({"ips": ["2", "3"]})), ["status.ips +3", "status.ips -1"]);
    }

    #[test]
    fn the_spec_comes_before_the_status_and_long_values_are_cut() {
        let long = "x".repeat(60);
        let told = changes(&change(Some(object(json!({"a": 1}), json!({"b": 1}))), Some(object(json!({"a": long}), json!({"b": 2})))));
        assert_eq!(told, [format!("spec.a 1 → {}…", "x".repeat(48)), "status.b 1 → 2".to_owned()]);
    }

    #[test]
    fn nothing_is_told_of_what_is_new_or_gone() {
        assert_eq!(changes(&change(None, Some(object(json!({"a": 1}), json!({}))))), Vec::<String>::new());
        assert_eq!(changes(&change(Some(object(json!({}), json!({}))), None)), Vec::<String>::new());
    }
}
