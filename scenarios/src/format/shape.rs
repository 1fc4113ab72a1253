//! The check of a tree against a schema: unknown fields, wrong types, missing fields, unknown words.
//!
//! It goes on after each mistake. What was wrong is cut out of the tree, so that later checks don't tell of its
//! consequences; the places of mappings from which something was cut are remembered.

use std::collections::BTreeSet;

use serde_json::Value;

use super::sink::Sink;
use crate::diagnostics::{Code, Region};
use crate::yaml::{Data, Entry, Node};

/// How strictly a schema is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// The format's own: what isn't forbidden is allowed, and nothing stands for an absent field.
    Own,
    /// A whole Kubernetes object: fields that the schema doesn't list are unknown.
    Manifest,
    /// A Kubernetes object that is installed as it is: nothing is required, and words may be any.
    Installed,
    /// A part of a Kubernetes object, to merge or to compare: nothing is required, keys in parentheses are left alone.
    Partial,
}

/// A check of one tree.
pub(super) struct Shape<'a> {
    root: &'a Value,
    rules: Rules,
    sink: &'a mut Sink,
    /// The places of mappings and lists from which something was cut.
    pub(super) cut: BTreeSet<Region>,
    /// Those of them that may have lost something with a name.
    pub(super) lost: BTreeSet<Region>,
}

impl<'a> Shape<'a> {
    pub(super) fn new(root: &'a Value, rules: Rules, sink: &'a mut Sink) -> Self {
        Self { root, rules, sink, cut: BTreeSet::new(), lost: BTreeSet::new() }
    }

    /// Checks the tree against the root schema. False: nothing of it can be used.
    pub(super) fn check(&mut self, node: &mut Node) -> bool {
        let head = node.region;
        self.node(node, self.root, head, "this")
    }

    /// Checks a node. `region` is where its absence or wrongness is told, `what` is what it is called.
    fn node(&mut self, node: &mut Node, schema: &'a Value, region: Region, what: &str) -> bool {
        if matches!(node.data, Data::Broken) {
            return false;
        }
        let Some(schema) = self.resolve(schema) else { return true };
        if let Some(alternatives) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
            && schema.get("x-kubernetes-int-or-string").is_none()
        {
            return self.alternatives(node, alternatives, region, what);
        }
        if node.is_null() && self.is_lax() {
            return true;
        }
        if !self.has_type(node, schema) {
            self.wrong_type(node, &[schema], region, what);
            return false;
        }
        if let Some(words) = words(schema)
            && !self.is_lax()
            && !node.is_null()
            && !words.iter().any(|word| node.to_value() == **word)
        {
            self.unknown_word(node, &words, what);
            return false;
        }
        match &node.data {
            Data::Mapping(_) => self.mapping(node, schema, region, what),
            Data::Sequence(_) => {
                self.sequence(node, schema, what);
                true
            }
            Data::Number(_) => self.bounds(node, schema, what),
            _ => true,
        }
    }

    /// Whether only unknown fields and wrong types are told.
    fn is_lax(&self) -> bool {
        matches!(self.rules, Rules::Installed | Rules::Partial)
    }

    fn resolve(&self, schema: &'a Value) -> Option<&'a serde_json::Map<String, Value>> {
        let mut schema = schema;
        for _ in 0..16 {
            let map = schema.as_object()?;
            let Some(name) = map.get("$ref").and_then(Value::as_str) else { return Some(map) };
            schema = self.root.pointer(name.strip_prefix('#')?)?;
        }
        None
    }

    /// Chooses the alternative that the node has the type of.
    fn alternatives(&mut self, node: &mut Node, alternatives: &'a [Value], region: Region, what: &str) -> bool {
        let resolved: Vec<_> = alternatives.iter().filter_map(|alternative| self.resolve(alternative)).collect();
        let all_words: Option<Vec<&Value>> =
            resolved.iter().filter(|schema| !is_null(schema)).map(|schema| words(schema)).collect::<Option<Vec<_>>>().map(|w| w.concat());
        if let Some(words) = all_words.filter(|words| !words.is_empty()) {
            if node.is_null() && resolved.iter().any(|schema| is_null(schema)) {
                return true;
            }
            if node.as_str().is_none() {
                self.wrong_type(node, &resolved, region, what);
                return false;
            }
            let value = node.to_value();
            if words.iter().any(|word| **word == value) {
                return true;
            }
            self.unknown_word(node, &words, what);
            return false;
        }
        let fits = |schema: &&serde_json::Map<String, Value>| {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            self.has_type(node, schema) && required.filter_map(Value::as_str).all(|name| node.get(name).is_some())
        };
        let typed = |schema: &&serde_json::Map<String, Value>| self.has_type(node, schema) || !schema.contains_key("type");
        let best = resolved.iter().rev().find(|schema| fits(schema)).or_else(|| resolved.iter().find(|schema| typed(schema)));
        let Some(best) = best else {
            self.wrong_type(node, &resolved, region, what);
            return false;
        };
        let at = resolved.iter().position(|schema| std::ptr::eq(*schema, *best)).unwrap_or_default();
        match alternatives.iter().filter(|alternative| self.resolve(alternative).is_some()).nth(at) {
            Some(chosen) => self.node(node, chosen, region, what),
            None => true,
        }
    }

    fn has_type(&self, node: &Node, schema: &serde_json::Map<String, Value>) -> bool {
        if schema.contains_key("x-kubernetes-int-or-string") {
            return matches!(&node.data, Data::String(_)) || matches!(&node.data, Data::Number(number) if !number.is_f64());
        }
        let is = |name: &str| match (&node.data, name) {
            (Data::Null, "null")
            | (Data::Bool(_), "boolean")
            | (Data::Number(_), "number")
            | (Data::String(_), "string")
            | (Data::Sequence(_), "array")
            | (Data::Mapping(_), "object") => true,
            (Data::Number(number), "integer") => !number.is_f64(),
            _ => false,
        };
        match schema.get("type") {
            Some(Value::String(name)) => is(name),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is),
            _ => true,
        }
    }

    fn mapping(&mut self, node: &mut Node, schema: &'a serde_json::Map<String, Value>, head: Region, what: &str) -> bool {
        let fields = schema.get("properties").and_then(Value::as_object);
        let more = schema.get("additionalProperties");
        let open = schema.contains_key("x-kubernetes-preserve-unknown-fields") || (self.rules == Rules::Own && more.is_none());
        let closed =
            !open && (fields.is_some() || more == Some(&Value::Bool(false))) && !more.is_some_and(|more| more != &Value::Bool(false));
        let region = node.region;
        let Data::Mapping(entries) = &mut node.data else { return true };
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut whole = true;
        let missing: Vec<&str> =
            required.filter(|name| !entries.iter().any(|entry| &*entry.key == *name && !entry.value.is_null())).collect();
        let mut kept = Vec::with_capacity(entries.len());
        let mut wrong = BTreeSet::new();
        for mut entry in std::mem::take(entries) {
            let expression = self.rules == Rules::Partial && entry.key.starts_with('(');
            let keep = if expression {
                true
            } else if let Some(field) = fields.and_then(|fields| fields.get(&*entry.key)) {
                self.field(&mut entry, field)
            } else if let Some(more) = more.filter(|more| more.is_object()) {
                self.field(&mut entry, more)
            } else if closed {
                self.unknown_field(&entry, fields, what);
                false
            } else {
                true
            };
            if keep {
                kept.push(entry);
            } else {
                self.cut.insert(region);
                if matches!(&*entry.key, "name" | "count" | "id")
                    || !matches!(entry.value.data, Data::Bool(_) | Data::Number(_) | Data::String(_))
                {
                    self.lost.insert(region);
                }
                wrong.insert(entry.key);
            }
        }
        if !self.is_lax() {
            for name in missing {
                whole = false;
                // A field that stands there and is wrong was told as such.
                if !wrong.contains(name) {
                    self.sink.tell(Code::MissingField, head, format!("{what} lacks `{name}`"));
                }
            }
        }
        whole &= !schema
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|required| !self.is_lax() && required.iter().filter_map(Value::as_str).any(|name| wrong.contains(name)));
        if let Data::Mapping(entries) = &mut node.data {
            *entries = kept;
        }
        whole
    }

    /// Checks a field. An absent one may be written as nothing.
    fn field(&mut self, entry: &mut Entry, schema: &'a Value) -> bool {
        if entry.value.is_null() && self.rules == Rules::Own {
            return true;
        }
        let what = format!("`{}`", entry.key);
        self.node(&mut entry.value, schema, entry.key_region, &what)
    }

    fn sequence(&mut self, node: &mut Node, schema: &'a serde_json::Map<String, Value>, what: &str) {
        let region = node.region;
        let Some(items_schema) = schema.get("items") else { return };
        let Data::Sequence(items) = &mut node.data else { return };
        let what = format!("an item of {what}");
        let mut kept = Vec::with_capacity(items.len());
        for mut item in std::mem::take(items) {
            let head = item.region;
            if self.node(&mut item, items_schema, head, &what) {
                kept.push(item);
            } else {
                self.cut.insert(region);
                self.lost.insert(region);
            }
        }
        if let Data::Sequence(items) = &mut node.data {
            *items = kept;
        }
    }

    fn bounds(&mut self, node: &Node, schema: &serde_json::Map<String, Value>, what: &str) -> bool {
        let value = node.to_value();
        let (Some(value), least) = (value.as_f64(), schema.get("minimum").and_then(Value::as_f64)) else { return true };
        let most = schema.get("maximum").and_then(Value::as_f64);
        if let Some(least) = least.filter(|least| value < *least) {
            self.sink.tell(Code::Bounds, node.region, format!("{what} is at least {least}, found {}", node.to_value()));
            return false;
        }
        if let Some(most) = most.filter(|most| value > *most) {
            self.sink.tell(Code::Bounds, node.region, format!("{what} is at most {most}, found {}", node.to_value()));
            return false;
        }
        true
    }

    fn unknown_field(&mut self, entry: &Entry, fields: Option<&serde_json::Map<String, Value>>, what: &str) {
        let names: Vec<&str> = fields.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let help = self
            .sink
            .near(&entry.key, names.iter().copied())
            .or_else(|| (!names.is_empty() && names.len() <= 16).then(|| format!("the fields here are {}", list(names.iter().copied()))));
        let message =
            if what == "this" { format!("unknown field `{}`", entry.key) } else { format!("unknown field `{}` in {what}", entry.key) };
        self.sink.tell_help(Code::UnknownField, entry.key_region, message, help);
    }

    fn unknown_word(&mut self, node: &Node, words: &[&Value], what: &str) {
        let words: Vec<String> = words.iter().map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned)).collect();
        let found = node.as_str().map_or_else(|| node.to_value().to_string(), str::to_owned);
        let help = self.sink.near(&found, words.iter().map(String::as_str));
        let message = format!("`{}` is not a word for {what}: it takes {}", shorten(&found), list(words.iter().map(String::as_str)));
        self.sink.tell_help(Code::UnknownWord, node.region, message, help);
    }

    fn wrong_type(&mut self, node: &Node, schemas: &[&serde_json::Map<String, Value>], region: Region, what: &str) {
        let mut sorts: Vec<String> = Vec::new();
        for schema in schemas {
            for sort in sorts_of(schema) {
                if !sorts.contains(&sort) {
                    sorts.push(sort);
                }
            }
        }
        let wants_string = sorts.iter().any(|sort| sort == "a string" || sort == "a word");
        let help = match &node.data {
            Data::Number(number) if wants_string => Some(format!("write `\"{number}\"`")),
            Data::Bool(value) if wants_string => Some(format!("write `\"{value}\"`")),
            _ => None,
        };
        let region = if node.is_null() { region } else { node.region };
        self.sink.tell_help(Code::WrongType, region, format!("{what} takes {}, found {}", sorts.join(" or "), node.sort()), help);
    }
}

/// What a schema takes, in words.
fn sorts_of(schema: &serde_json::Map<String, Value>) -> Vec<String> {
    let format = schema.get("format").and_then(Value::as_str);
    let own = match format {
        Some("duration") => Some("a duration such as `90s`"),
        Some("quantity") => Some("a quantity such as `512Gi`"),
        Some("percentage") => Some("a percentage such as `85%`"),
        Some("count") => Some("a count such as `2` or `\">=1\"`"),
        Some("decimal") => Some("a number"),
        _ if schema.contains_key("x-kubernetes-int-or-string") => Some("an integer or a string"),
        _ => match words(schema) {
            Some(words) if words == [&Value::Bool(true)] => Some("`true`"),
            Some(_) => Some("a word"),
            None => None,
        },
    };
    if let Some(own) = own {
        return vec![own.to_owned()];
    }
    let names: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let sort = |name: &str| match name {
        "boolean" => Some("a boolean"),
        "integer" => Some("an integer"),
        "number" => Some("a number"),
        "string" => Some("a string"),
        "array" => Some("a list"),
        "object" => Some("a mapping"),
        _ => None,
    };
    names.into_iter().filter_map(sort).map(str::to_owned).collect()
}

/// The words that a schema takes, if it takes only some.
fn words(schema: &serde_json::Map<String, Value>) -> Option<Vec<&Value>> {
    if let Some(word) = schema.get("const") {
        return Some(vec![word]);
    }
    Some(schema.get("enum")?.as_array()?.iter().filter(|word| !word.is_null()).collect())
}

fn is_null(schema: &serde_json::Map<String, Value>) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// Words as a list that people read.
fn list<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let mut words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} or {last}", words.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// A text that is short enough to be quoted.
pub(super) fn shorten(text: &str) -> String {
    shorten_to(text, 60)
}

/// The first characters of a text.
pub(super) fn shorten_to(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
