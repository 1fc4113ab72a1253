//! From a Rust type to the structural schema that a CustomResourceDefinition would carry: references written out,
//! optional fields without `null`, enums of words and quantities as Kubernetes has them. It only rewrites;
//! validating, defaulting and pruning by the schema are the API server's.
//!
//! A field that the definition requires has `#[serde(default)] #[schemars(!default)]`: the schema asks for it, while
//! reading takes its absence for the empty value, as Go does. So an object that went past the schema is still judged
//! by admission rather than by serde.

use kube::Resource;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::units::Bytes;

const INT_OR_STRING: &str = "x-kubernetes-int-or-string";

/// The formats that Kubernetes gives a meaning; others that schemars writes are left out.
const FORMATS: &[&str] = &["int32", "int64", "float", "double", "byte", "date-time", "date", "uuid", "ipv4", "ipv6"];

/// The structural schema of a whole object of kind `K`: that of its fields, with `apiVersion`, `kind` and `metadata`. As in upstream's definitions `spec` may
/// be left out, which means an empty one.
#[must_use]
pub fn object_schema<K>() -> Value
where
    K: JsonSchema + Resource<DynamicType = ()>,
{
    let Value::Object(mut schema) = structural_schema::<K>() else {
        unreachable!("a kind is a struct, so its schema is an object");
    };
    let fields = match schema.remove("properties") {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let mut properties = Map::new();
    properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
    properties.insert("kind".to_owned(), json!({"type": "string"}));
    properties.insert("metadata".to_owned(), json!({"type": "object"}));
    properties.extend(fields);
    schema.insert("properties".to_owned(), Value::Object(properties));
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| name != "spec");
        if required.is_empty() {
            schema.remove("required");
        }
    }
    Value::Object(schema)
}

/// The structural schema of the type `K`, which may be a kind or any part of one.
///
/// # Panics
/// When `K` contains itself: a structural schema cannot say that, and no kind does.
#[must_use]
pub fn structural_schema<K: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut root = generator.into_root_schema_for::<K>().to_value();
    let definitions = match root.as_object_mut().and_then(|root| root.remove("$defs")) {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    rewrite(&root, &definitions, &mut Vec::new())
}

/// Writes one schema out, with everything below it. `open` holds the names of the definitions it is inside of.
fn rewrite(schema: &Value, definitions: &Map<String, Value>, open: &mut Vec<String>) -> Value {
    let Value::Object(schema) = schema else {
        // `true`: anything goes.
        return Value::Object(Map::new());
    };
    let mut out = Map::new();
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.trim_start_matches("#/$defs/");
        extend(&mut out, rewrite_definition(name, definitions, open));
    }
    if let Some(Value::Array(alternatives)) = schema.get("anyOf") {
        for alternative in alternatives.iter().filter(|alternative| !is_null(alternative)) {
            if !schema.contains_key(INT_OR_STRING) {
                extend(&mut out, rewrite(alternative, definitions, open));
            }
        }
    }
    if let Some(Value::Array(alternatives)) = schema.get("oneOf") {
        let words = alternatives.iter().flat_map(words).collect::<Vec<_>>();
        out.insert("type".to_owned(), json!("string"));
        out.insert("enum".to_owned(), Value::Array(words));
    }
    for (key, value) in schema {
        match key.as_str() {
            "$ref" | "$schema" | "$defs" | "title" | "nullable" | "anyOf" | "oneOf" => {}
            "type" => {
                out.insert(key.clone(), without_null(value));
            }
            "const" => {
                out.insert("enum".to_owned(), json!([value]));
            }
            "enum" => {
                let words = value.as_array().into_iter().flatten().filter(|word| !word.is_null());
                out.insert(key.clone(), Value::Array(words.cloned().collect()));
            }
            "format" => {
                if value.as_str().is_some_and(|format| FORMATS.contains(&format)) {
                    out.insert(key.clone(), value.clone());
                }
            }
            "properties" => {
                let fields = value.as_object().into_iter().flatten();
                let fields = fields.map(|(name, field)| (name.clone(), rewrite(field, definitions, open)));
                out.insert(key.clone(), Value::Object(fields.collect()));
            }
            "items" => {
                out.insert(key.clone(), rewrite(value, definitions, open));
            }
            "additionalProperties" => {
                if value.is_object() {
                    out.insert(key.clone(), rewrite(value, definitions, open));
                }
            }
            "default" if value.is_null() => {}
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    if out.contains_key(INT_OR_STRING) {
        out.remove("type");
        out.remove("format");
        out.insert("anyOf".to_owned(), json!([{"type": "integer"}, {"type": "string"}]));
    }
    Value::Object(out)
}

/// Writes a definition out, with what Kubernetes' own types lack in schemars' form.
fn rewrite_definition(name: &str, definitions: &Map<String, Value>, open: &mut Vec<String>) -> Value {
    assert!(!open.iter().any(|other| other == name), "`{name}` contains itself: no structural schema can say that");
    let Some(definition) = definitions.get(name) else {
        unreachable!("schemars defines `{name}`, which it refers to");
    };
    open.push(name.to_owned());
    let mut schema = rewrite(definition, definitions, open);
    open.pop();
    match name.rsplit('.').next() {
        Some("Quantity") => schema = Bytes::json_schema(&mut SchemaGenerator::default()).to_value(),
        Some("Condition") => tighten_condition(&mut schema),
        Some("LabelSelector") => {
            schema["x-kubernetes-map-type"] = json!("atomic");
            schema["properties"]["matchExpressions"]["x-kubernetes-list-type"] = json!("atomic");
        }
        Some("LabelSelectorRequirement") => schema["properties"]["values"]["x-kubernetes-list-type"] = json!("atomic"),
        _ => {}
    }
    schema
}

/// Gives a condition the bounds that Kubernetes' own type has. Reading one is laxer: foreign components leave parts out.
fn tighten_condition(schema: &mut Value) {
    schema["required"] = json!(["lastTransitionTime", "message", "reason", "status", "type"]);
    let bounds = json!({
        "message": {"maxLength": 32768},
        "observedGeneration": {"minimum": 0},
        "reason": {"maxLength": 1024, "minLength": 1, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
        "type": {
            "maxLength": 316,
            "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        },
    });
    for (field, bounds) in bounds.as_object().into_iter().flatten() {
        for (keyword, bound) in bounds.as_object().into_iter().flatten() {
            schema["properties"][field][keyword] = bound.clone();
        }
    }
    for field in ["reason", "message", "lastTransitionTime"] {
        if let Some(field) = schema["properties"][field].as_object_mut() {
            field.remove("default");
        }
    }
}

/// The conditions of the providers' kinds, which need say no more than type and status.
pub(crate) fn provider_conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "status": {"type": "string"},
                "reason": {"type": "string"},
                "message": {"type": "string"},
                "lastTransitionTime": {"type": "string", "format": "date-time"},
            },
            "required": ["status", "type"],
        },
    })
}

/// Adds a schema's keywords to `out`.
fn extend(out: &mut Map<String, Value>, schema: Value) {
    if let Value::Object(schema) = schema {
        out.extend(schema);
    }
}

/// Whether a schema means `null` alone, the other half of an optional field.
fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// The words of one alternative of an enum: schemars writes a documented variant as a constant and the others as a list.
fn words(alternative: &Value) -> Vec<Value> {
    match (alternative.get("const"), alternative.get("enum").and_then(Value::as_array)) {
        (Some(word), _) => vec![word.clone()],
        (None, Some(words)) => words.clone(),
        (None, None) => unreachable!("the kinds have no enums but those of words"),
    }
}

/// A `type` without its `null`.
fn without_null(value: &Value) -> Value {
    let Value::Array(types) = value else { return value.clone() };
    let types = types.iter().filter(|name| name.as_str() != Some("null")).collect::<Vec<_>>();
    match types.as_slice() {
        [one] => (*one).clone(),
        _ => value.clone(),
    }
}

/// Whether a number or a switch has the value that Go leaves out of the JSON.
pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::{object_schema, structural_schema};
    use crate::kube::virtual_machine::{BootOptions, CdromSpec, NvmeControllerSpec, VirtualMachine, VolumeStatus};
    use serde_json::{Value, json};

    /// A schema without its descriptions.
    fn bare<T: schemars::JsonSchema>(field: &str) -> Value {
        let mut schema = structural_schema::<T>()["properties"][field].clone();
        schema.as_object_mut().expect("a field's schema is an object").remove("description");
        schema
    }

    #[test]
    fn an_optional_choice_is_a_string_of_its_words_with_the_default() {
        assert_eq!(bare::<BootOptions>("networkBootProtocol"), json!({"type": "string", "enum": ["IP4", "IP6"], "default": "IP4"}));
    }

    #[test]
    fn a_field_may_offer_fewer_words_than_its_type() {
        assert_eq!(bare::<NvmeControllerSpec>("sharingMode")["enum"], json!(["None", "Physical"]));
    }

    #[test]
    fn a_quantity_is_a_number_or_a_string() {
        let schema = bare::<VolumeStatus>("limit");
        assert_eq!(schema["anyOf"], json!([{"type": "integer"}, {"type": "string"}]));
        assert_eq!(schema["x-kubernetes-int-or-string"], json!(true));
        assert!(schema["pattern"].is_string() && schema.get("type").is_none());
    }

    #[test]
    fn what_the_schema_requires_may_be_absent_when_read() {
        assert_eq!(structural_schema::<CdromSpec>()["required"], json!(["image", "name"]));
        let drive: CdromSpec = serde_json::from_value(json!({"name": "cd1"})).expect("an absent image is an empty one");
        assert_eq!(drive.image.kind, "");
    }

    #[test]
    fn a_whole_object_has_its_head_and_needs_no_spec() {
        let schema = object_schema::<VirtualMachine>();
        let fields = schema["properties"].as_object().expect("a kind has fields");
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["apiVersion", "kind", "metadata", "spec", "status"]);
        assert_eq!(schema.get("required"), None);
    }

    #[test]
    fn no_trace_of_json_schema_is_left_that_kubernetes_refuses() {
        fn walk(path: &str, schema: &Value) {
            for keyword in ["$ref", "$defs", "$schema", "title", "nullable", "oneOf", "const"] {
                assert!(schema.get(keyword).is_none(), "{path}: `{keyword}`");
            }
            assert!(!schema["type"].is_array(), "{path}: several types");
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                walk(&format!("{path}.{name}"), field);
            }
            for below in ["items", "additionalProperties"] {
                if let Some(schema) = schema.get(below) {
                    walk(&format!("{path}.{below}"), schema);
                }
            }
        }
        for kind in crate::kube::Kind::all() {
            let info = kind.info();
            if let Some(schema) = info.schema.map(|schema| schema()) {
                walk(info.kind, schema);
            }
        }
    }
}
