//! The JSON Schema of the format, for editors and for the check of every file.

use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::section::scenario::{Inventory, Scenario};

/// The kinds that have a schema.
pub const KINDS: &[&str] = &["Scenario", "Inventory", "ExploreProfile"];

/// The schema (draft 2020-12) of a kind, or of any document of the format.
#[must_use]
pub fn schema(kind: Option<&str>) -> Option<Value> {
    match kind {
        Some("Scenario") => Some(scenario().clone()),
        Some("Inventory") => Some(inventory().clone()),
        Some("ExploreProfile") => Some(super::profile::schema()),
        Some(_) => None,
        None => Some(any()),
    }
}

/// The schema of `kind: Scenario`.
pub(super) fn scenario() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| root::<Scenario>("Scenario"));
    &SCHEMA
}

/// The schema of `kind: Inventory`.
pub(super) fn inventory() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| root::<Inventory>("Inventory"));
    &SCHEMA
}

fn root<T: JsonSchema>(kind: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    schema["properties"]["apiVersion"] = json!({"const": super::API_VERSION});
    schema["properties"]["kind"] = json!({"const": kind});
    schema
}

/// A document of any kind of the format: chosen by `kind`, so that an editor's messages are about the right one.
fn any() -> Value {
    let mut definitions = serde_json::Map::new();
    let mut cases = Vec::new();
    for (kind, schema) in [("Scenario", scenario()), ("Inventory", inventory())] {
        let mut schema = schema.clone();
        if let Some(more) = schema.as_object_mut().and_then(|schema| schema.remove("$defs")) {
            definitions.extend(more.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        }
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("$schema");
        }
        definitions.insert(format!("kind{kind}"), schema);
        cases.push(json!({
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": format!("#/$defs/kind{kind}")},
        }));
    }
    json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "allOf": cases, "$defs": definitions})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_documented() {
        fn walk(schema: &Value, at: &str, bare: &mut Vec<String>) {
            for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if field.get("description").is_none() && field.get("const").is_none() {
                    bare.push(format!("{at}.{name}"));
                }
            }
        }
        let mut bare = Vec::new();
        for kind in KINDS {
            let schema = schema(Some(kind)).expect("the kind has a schema");
            walk(&schema, kind, &mut bare);
            for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
                walk(definition, name, &mut bare);
            }
        }
        assert_eq!(bare, Vec::<String>::new());
        assert!(schema(None).expect("any document")["$defs"]["kindScenario"].is_object());
        assert!(schema(Some("Pod")).is_none());
    }
}
