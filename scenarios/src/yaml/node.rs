//! The nodes of a tree, and their way to JSON.

use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::path::{Path, Segment};
use crate::diagnostics::Region;

/// A value in a document, with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands; an alias's is where its anchor stands.
    pub region: Region,
    /// What it is.
    pub data: Data,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that fits in 64 bits.
    Number(Number),
    /// A text.
    String(Arc<str>),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the file's order; keys are unique.
    Mapping(Vec<Entry>),
    /// Something that was wrong and has been told; it stands for any value.
    Broken,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// Where the key stands.
    pub key_region: Region,
    /// The value.
    pub value: Node,
}

impl Node {
    /// A node of these.
    #[must_use]
    pub fn new(region: Region, data: Data) -> Self {
        Self { region, data }
    }

    /// The entry of this key, in a mapping that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| &*entry.key == key)
    }

    /// The value of this key, in a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entries of a mapping; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.data {
            Data::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// What sort of value it is, for messages: `a number`.
    #[must_use]
    pub fn sort(&self) -> &'static str {
        match &self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a boolean",
            Data::Number(number) if number.is_f64() => "a fraction",
            Data::Number(_) => "an integer",
            Data::String(_) => "a string",
            Data::Sequence(_) => "a list",
            Data::Mapping(_) => "a mapping",
            Data::Broken => "an unreadable value",
        }
    }

    /// The node at a path, if there is one.
    #[must_use]
    pub fn node_at(&self, path: &Path) -> Option<&Self> {
        let mut node = self;
        for segment in path.segments() {
            node = node.child(segment)?;
        }
        Some(node)
    }

    /// The place of a path, or of its nearest ancestor that exists.
    #[must_use]
    pub fn nearest(&self, path: &Path) -> Region {
        let mut node = self;
        let mut region = self.region;
        for segment in path.segments() {
            let Some(child) = node.child(segment) else { break };
            node = child;
            region = child.region;
        }
        region
    }

    fn child(&self, segment: &Segment) -> Option<&Self> {
        match segment {
            Segment::Key(key) => self.get(key),
            Segment::Index(index) => self.items().get(*index),
        }
    }

    /// How many nodes there are from here down, this one included.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.data {
            Data::Sequence(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Data::Mapping(entries) => 1 + entries.iter().map(|entry| entry.value.count()).sum::<usize>(),
            _ => 1,
        }
    }

    /// The node as JSON. What is broken becomes `null`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.data {
            Data::Null | Data::Broken => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(number) => Value::Number(number.clone()),
            Data::String(text) => Value::String(text.to_string()),
            Data::Sequence(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Data::Mapping(entries) => {
                let fields = entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }
}
