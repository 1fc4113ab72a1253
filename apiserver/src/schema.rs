//! What a structural schema says of a manifest: fields that it doesn't know, values that can't be read, defaults, and the
//! rules that a value breaks. Texts and reasons are Kubernetes' own. Rules in CEL are
//! another module's.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{LazyLock, OnceLock};

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};
use vmtwin_model::kube::Kind;
use vmtwin_model::kube::api::Cause;

use crate::errors;

/// The schema of a part of the kind's objects, and the path of that part; nothing for Kubernetes' own kinds.
pub(crate) fn of_part(kind: Kind, part: &str) -> Option<&'static Value> {
    let schema = kind.info().schema?();
    if part.is_empty() { Some(schema) } else { schema["properties"].get(part) }
}

/// What is wrong with a manifest before it can be read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Fields that there are none of.
    pub(crate) unknown: Vec<Cause>,
    /// Values of a wrong type, and words that aren't on offer.
    pub(crate) wrong: Vec<Cause>,
}

/// What a mapping says under a name. In a small one, as a schema and most values are, names are found faster by looking than by hashing.
pub(crate) fn field<'a>(mapping: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    const SMALL: usize = 12;
    if mapping.len() > SMALL {
        return mapping.get(name);
    }
    mapping.iter().find(|(there, _)| *there == name).map(|(_, value)| value)
}

/// What a schema says under a keyword.
pub(crate) fn keyword<'a>(schema: &'a Value, keyword: &str) -> Option<&'a Value> {
    field(schema.as_object()?, keyword)
}

/// Where a value stands. Most values are in order, so the text is made only where something is to be said of one.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// At this path.
    At(&'a str),
    /// In a field of a mapping.
    Field(&'a Self, &'a str),
    /// In a list.
    Item(&'a Self, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(path) => f.write_str(path),
            Self::Field(Self::At(""), name) => f.write_str(name),
            Self::Field(above, name) => write!(f, "{above}.{name}"),
            Self::Item(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}

/// Takes out what the schema doesn't know, and notes it. `null` counts as absent, and so does an empty word of a choice.
pub(crate) fn clean(schema: &Value, value: &mut Value, path: &str, found: &mut Findings) {
    clean_at(schema, value, Place::At(path), found);
}

fn clean_at(schema: &Value, value: &mut Value, path: Place<'_>, found: &mut Findings) {
    if let Some(cause) = type_cause(schema, value, path).or_else(|| enum_cause(schema, value, path)) {
        found.wrong.push(cause);
        return;
    }
    match value {
        Value::Object(fields) => clean_fields(schema, fields, path, found),
        Value::Array(items) => {
            if let Some(schema) = keyword(schema, "items") {
                for (index, item) in items.iter_mut().enumerate() {
                    clean_at(schema, item, Place::Item(&path, index), found);
                }
            }
        }
        _ => {}
    }
}

fn clean_fields(schema: &Value, fields: &mut Map<String, Value>, path: Place<'_>, found: &mut Findings) {
    let properties = keyword(schema, "properties").and_then(Value::as_object);
    let additional = keyword(schema, "additionalProperties");
    fields.retain(|name, value| {
        if let Some(schema) = properties.and_then(|properties| field(properties, name)) {
            let empty_word = value.as_str() == Some("") && keyword(schema, "enum").is_some();
            let stays = !value.is_null() && !empty_word;
            if stays {
                clean_at(schema, value, Place::Field(&path, name), found);
            }
            return stays;
        }
        if let Some(schema) = additional {
            clean_at(schema, value, Place::Field(&path, name), found);
        } else if !keeps_unknown(schema) {
            let known = properties.into_iter().flat_map(Map::keys).map(String::as_str);
            found.unknown.push(unknown_field(&path.to_string(), name, known));
            return false;
        }
        true
    });
}

fn keeps_unknown(schema: &Value) -> bool {
    // A schema without a type says nothing at all.
    keyword(schema, "type").is_none() || keyword(schema, "x-kubernetes-preserve-unknown-fields").and_then(Value::as_bool) == Some(true)
}

/// `unknown field "spec.powerstate"`, and the name that is nearest to it.
pub(crate) fn unknown_field<'a>(path: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Cause {
    let field = join(path, name);
    let lower = name.to_lowercase();
    // A quarter of the letters may differ, and one in any case.
    let far = 1 + name.len() / 4;
    let near = known.map(|known| (strsim::osa_distance(&known.to_lowercase(), &lower), known)).min();
    let message = match near {
        Some((distance, known)) if distance <= far => {
            format!("unknown field \"{field}\" (did you mean \"{}\"?)", join(path, known))
        }
        _ => format!("unknown field \"{field}\""),
    };
    errors::unknown_field(&field, message)
}

/// The fields of `given` that are absent from what was read of it.
pub(crate) fn lost(given: &Value, read: &Value, path: &str, found: &mut Vec<Cause>) {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => {
            for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                match read.get(name) {
                    Some(read) => lost(value, read, &join(path, name), found),
                    None => found.push(unknown_field(path, name, read.keys().map(String::as_str))),
                }
            }
        }
        (Value::Array(given), Value::Array(read)) => {
            for (index, (given, read)) in given.iter().zip(read).enumerate() {
                lost(given, read, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

/// Fills in the defaults of absent fields; tells whether there were any.
pub(crate) fn fill(schema: &Value, value: &mut Value) -> bool {
    let mut filled = false;
    match value {
        Value::Object(fields) => {
            let properties = keyword(schema, "properties").and_then(Value::as_object);
            for (name, schema) in properties.into_iter().flatten() {
                if let Some(default) = keyword(schema, "default")
                    && field(fields, name).is_none()
                {
                    fields.insert(name.clone(), default.clone());
                    filled = true;
                }
            }
            let additional = keyword(schema, "additionalProperties");
            for (name, value) in fields {
                let known = properties.and_then(|properties| field(properties, name));
                for schema in known.into_iter().chain(additional) {
                    filled |= fill(schema, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = keyword(schema, "items") {
                for item in items {
                    filled |= fill(schema, item);
                }
            }
        }
        _ => {}
    }
    filled
}

/// The rules that a part of an object breaks, in the order of the schema.
pub(crate) fn validate(kind: Kind, schema: &Value, value: &Value, path: &str) -> Vec<Cause> {
    let mut check = Check { patterns: patterns(kind), causes: Vec::new() };
    check.value(schema, value, Place::At(path));
    check.causes
}

struct Check {
    patterns: &'static BTreeMap<String, Regex>,
    causes: Vec<Cause>,
}

impl Check {
    fn value(&mut self, schema: &Value, value: &Value, path: Place<'_>) {
        if let Some(cause) = type_cause(schema, value, path) {
            self.causes.push(cause);
            return;
        }
        self.causes.extend(enum_cause(schema, value, path));
        match value {
            Value::String(text) => self.text(schema, text, path),
            Value::Number(_) => self.number(schema, value, path),
            Value::Array(items) => self.list(schema, items, path),
            Value::Object(fields) => self.mapping(schema, fields, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn invalid(&mut self, path: Place<'_>, value: &Value, detail: impl fmt::Display) {
        self.causes.push(errors::invalid_value(&path.to_string(), value, format_args!("{path} in body {detail}")));
    }

    fn text(&mut self, schema: &Value, text: &str, path: Place<'_>) {
        let length = u64::try_from(text.chars().count()).expect("a text has fewer than 2^64 characters");
        if let Some(max) = bound(schema, "maxLength").filter(|max| length > *max) {
            self.causes.push(errors::too_long(&path.to_string(), max));
        }
        if let Some(min) = bound(schema, "minLength").filter(|min| length < *min) {
            self.invalid(path, &text.into(), format_args!("should be at least {min} chars long"));
        }
        if let Some(pattern) = keyword(schema, "pattern").and_then(Value::as_str)
            && !self.patterns.get(pattern).is_some_and(|regex| regex.is_match(text))
        {
            self.invalid(path, &text.into(), format_args!("should match '{pattern}'"));
        }
        if let Some(format) = keyword(schema, "format").and_then(Value::as_str)
            && !has_format(format, text)
        {
            self.invalid(path, &text.into(), format_args!("must be of type {format}: {}", Value::from(text)));
        }
    }

    fn number(&mut self, schema: &Value, value: &Value, path: Place<'_>) {
        if let Some(min) = keyword(schema, "minimum")
            && compare(value, min) == Some(Ordering::Less)
        {
            self.invalid(path, value, format_args!("should be greater than or equal to {min}"));
        }
        if let Some(max) = keyword(schema, "maximum")
            && compare(value, max) == Some(Ordering::Greater)
        {
            self.invalid(path, value, format_args!("should be less than or equal to {max}"));
        }
        let range = match keyword(schema, "format").and_then(Value::as_str) {
            Some("int32") => i128::from(i32::MIN)..=i128::from(i32::MAX),
            Some("int64") => i128::from(i64::MIN)..=i128::from(i64::MAX),
            _ => return,
        };
        if integer(value).is_some_and(|value| !range.contains(&value)) {
            self.invalid(path, value, format_args!("must be of type {}: {value}", schema["format"].as_str().unwrap_or_default()));
        }
    }

    fn list(&mut self, schema: &Value, items: &[Value], path: Place<'_>) {
        let length = u64::try_from(items.len()).expect("a list has fewer than 2^64 items");
        if let Some(max) = bound(schema, "maxItems").filter(|max| length > *max) {
            self.causes.push(errors::too_many(&path.to_string(), items.len(), max));
        }
        if let Some(min) = bound(schema, "minItems").filter(|min| length < *min) {
            let items = Value::Array(items.to_vec());
            self.invalid(path, &items, format_args!("should have at least {min} items"));
        }
        if let Some(schema) = keyword(schema, "items") {
            for (index, item) in items.iter().enumerate() {
                self.value(schema, item, Place::Item(&path, index));
            }
        }
        self.duplicates(schema, items, path);
    }

    /// Two items of a keyed list with one key, or two equal items of a set.
    fn duplicates(&mut self, schema: &Value, items: &[Value], path: Place<'_>) {
        let identity: Vec<Value> = match keyword(schema, "x-kubernetes-list-type").and_then(Value::as_str) {
            Some("map") => items.iter().map(|item| list_key(schema, item)).collect(),
            Some("set") => items.to_vec(),
            _ => return,
        };
        for (index, key) in identity.iter().enumerate() {
            if identity[..index].contains(key) {
                self.causes.push(errors::duplicate(&format!("{path}[{index}]"), key));
            }
        }
    }

    fn mapping(&mut self, schema: &Value, fields: &Map<String, Value>, path: Place<'_>) {
        for name in keyword(schema, "required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if field(fields, name).is_none() {
                self.causes.push(errors::required(&Place::Field(&path, name).to_string(), ""));
            }
        }
        let properties = keyword(schema, "properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            if let Some(value) = field(fields, name) {
                self.value(schema, value, Place::Field(&path, name));
            }
        }
        if let Some(schema) = keyword(schema, "additionalProperties") {
            for (name, value) in fields.iter().filter(|(name, _)| properties.is_none_or(|known| field(known, name).is_none())) {
                self.value(schema, value, Place::Field(&path, name));
            }
        }
    }
}

/// What a list keyed by fields knows an item by; absent fields have their defaults.
pub(crate) fn list_key(schema: &Value, item: &Value) -> Value {
    let names = keyword(schema, "x-kubernetes-list-map-keys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let default = |name: &str| schema.pointer(&format!("/items/properties/{name}/default"));
    Value::Object(names.filter_map(|name| Some((name.to_owned(), item.get(name).or_else(|| default(name))?.clone()))).collect())
}

fn type_cause(schema: &Value, value: &Value, path: Place<'_>) -> Option<Cause> {
    let int_or_string = keyword(schema, "x-kubernetes-int-or-string").is_some();
    let wanted = if int_or_string { "integer,string" } else { keyword(schema, "type")?.as_str()? };
    let fits = match wanted {
        "integer,string" => value.is_string() || integer(value).is_some(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => integer(value).is_some(),
        "number" => value.is_number(),
        _ => true,
    };
    (!fits).then(|| {
        let found = Value::from(type_name(value));
        errors::type_invalid(&path.to_string(), &found, format_args!("{path} in body must be of type {wanted}: {found}"))
    })
}

fn enum_cause(schema: &Value, value: &Value, path: Place<'_>) -> Option<Cause> {
    let supported = keyword(schema, "enum")?.as_array()?;
    (!supported.contains(value)).then(|| errors::not_supported(&path.to_string(), value, supported))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if integer(value).is_some() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn integer(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn bound(schema: &Value, keyword: &str) -> Option<u64> {
    self::keyword(schema, keyword)?.as_u64()
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => vmtwin_model::time::Timestamp::parse(text).is_ok() || text.parse::<k8s_openapi::jiff::Timestamp>().is_ok(),
        "date" => text.parse::<k8s_openapi::jiff::civil::Date>().is_ok(),
        "uuid" => UUID.is_match(text),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        _ => true,
    }
}

static UUID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$").expect("the pattern is a regular expression")
});

/// The patterns of a kind's schema, ready to match.
pub(crate) fn patterns(kind: Kind) -> &'static BTreeMap<String, Regex> {
    static PATTERNS: LazyLock<BTreeMap<Kind, OnceLock<BTreeMap<String, Regex>>>> =
        LazyLock::new(|| Kind::all().map(|kind| (kind, OnceLock::new())).collect());
    static NONE: BTreeMap<String, Regex> = BTreeMap::new();
    PATTERNS.get(&kind).map_or(&NONE, |patterns| {
        patterns.get_or_init(|| {
            let mut out = BTreeMap::new();
            if let Some(schema) = kind.info().schema {
                compile(schema(), &mut out);
            }
            out
        })
    })
}

fn compile(schema: &Value, out: &mut BTreeMap<String, Regex>) {
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && !out.contains_key(pattern)
    {
        // Go's classes are those of ASCII.
        let ascii = RegexBuilder::new(pattern).unicode(false).build();
        let regex = ascii.or_else(|_| Regex::new(pattern)).expect("a pattern of a schema is a regular expression");
        out.insert(pattern.to_owned(), regex);
    }
    for (_, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        compile(schema, out);
    }
    for below in ["items", "additionalProperties"] {
        if let Some(schema) = schema.get(below) {
            compile(schema, out);
        }
    }
}

/// The path of a field below another.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
