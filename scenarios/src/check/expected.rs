//! A partial object: what an `assert`, an `error` or an `always` says that an object has.
//!
//! It is prepared once, when the file is read, and compared as often as the run asks.

use std::collections::BTreeSet;

use serde_json::Value;

use super::cel::{Evaluation, Expression, Gathered, Query};
use super::matching::{Comparison, Computed, Node, order_of};
use super::mismatch::{Mismatch, Segment, render};
use super::{Lookup, metadata};

/// How deep a partial object may be nested.
const DEPTH: usize = 64;

/// How many names are proposed where one isn't there.
const PROPOSED: usize = 5;

/// A partial object, ready to be compared.
#[derive(Clone, Debug)]
pub struct Expected {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
    root: Node,
    queries: BTreeSet<Query>,
}

/// Why a mapping is no partial object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ExpectedError {
    /// Where in the partial object, as a mismatch's path.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The object is as expected.
    Holds {
        /// Which object: where none was named, the first that is.
        object: String,
    },
    /// There is no such object.
    Absent {
        /// What isn't there, and what is instead.
        what: String,
    },
    /// The named object isn't as expected, or none is; then these are the mismatches of the closest, the first of the closest.
    Differs(Vec<Mismatch>),
}

impl Outcome {
    /// Whether the object is there and as expected.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }
}

impl Expected {
    /// Prepares a partial object.
    ///
    /// # Errors
    /// If it has no `apiVersion` or `kind`, names its object by something else than text, is nested too deep, or an expression
    /// doesn't compile.
    pub fn new(partial: &Value) -> Result<Self, ExpectedError> {
        let mut reader = Reader { path: Vec::new(), queries: BTreeSet::new() };
        let Value::Object(fields) = partial else {
            return Err(reader.error("a partial object is a mapping"));
        };
        let empty = Value::Null;
        let metadata = fields.get("metadata").unwrap_or(&empty);
        let text = |value: Option<&Value>, path: &str, required: bool| match value {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            None | Some(Value::Null) if !required => Ok(String::new()),
            Some(Value::String(_)) if !required => Ok(String::new()),
            None => Err(ExpectedError { path: path.to_owned(), message: "a partial object says of which kind it is".to_owned() }),
            Some(_) => Err(ExpectedError { path: path.to_owned(), message: "expected a text".to_owned() }),
        };
        let api_version = text(fields.get("apiVersion"), "apiVersion", true)?;
        let kind = text(fields.get("kind"), "kind", true)?;
        let namespace = text(metadata.get("namespace"), "metadata.namespace", false)?;
        let name = text(metadata.get("name"), "metadata.name", false)?;
        let mut root = reader.node("", partial)?;
        drop_identity(&mut root);
        Ok(Self { api_version, kind, namespace, name, root, queries: reader.queries })
    }

    /// The `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The namespace; empty, if none was given.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name; empty for any object of the kind.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The further kinds that expressions list with `objects(…)`: a change of theirs may change the outcome, too.
    pub fn kinds_listed(&self) -> impl Iterator<Item = &str> {
        self.queries.iter().map(|query| query.kind.as_str())
    }

    /// Compares with what is there.
    #[must_use]
    pub fn check(&self, lookup: &dyn Lookup) -> Outcome {
        let candidates = if self.name.is_empty() {
            lookup.objects(Some(&self.api_version), &self.kind, self.namespace_asked())
        } else {
            lookup.object(&self.api_version, &self.kind, &self.namespace, &self.name).into_iter().collect()
        };
        let gathered = Gathered::of(&self.queries, lookup);
        let mut closest: Option<Vec<Mismatch>> = None;
        for candidate in &candidates {
            let object = self.label(candidate);
            let mismatches = self.compare(&object, candidate, &gathered);
            if mismatches.is_empty() {
                return Outcome::Holds { object };
            }
            if closest.as_ref().is_none_or(|closest| mismatches.len() < closest.len()) {
                closest = Some(mismatches);
            }
        }
        closest.map_or_else(|| Outcome::Absent { what: self.absence(lookup) }, Outcome::Differs)
    }

    fn compare(&self, label: &str, object: &Value, gathered: &Gathered) -> Vec<Mismatch> {
        let evaluation = self.root.computes().then(|| Evaluation::new(object, gathered));
        Comparison::new(label, evaluation.as_ref()).run(&self.root, object)
    }

    fn namespace_asked(&self) -> Option<&str> {
        (!self.namespace.is_empty()).then_some(self.namespace.as_str())
    }

    /// `VirtualMachine/my-namespace/my-vm`, by the name that was asked for, or by the object's own.
    fn label(&self, object: &Value) -> String {
        if self.name.is_empty() {
            reference(&self.kind, metadata(object, "namespace"), metadata(object, "name"))
        } else {
            reference(&self.kind, &self.namespace, &self.name)
        }
    }

    /// That there is no such object, and which there are.
    fn absence(&self, lookup: &dyn Lookup) -> String {
        if self.name.is_empty() {
            let place = self.namespace_asked().map(|namespace| format!(" in `{namespace}`")).unwrap_or_default();
            return format!("there is no {}{place}", self.kind);
        }
        let mut names: Vec<String> = lookup
            .objects(Some(&self.api_version), &self.kind, None)
            .iter()
            .map(|object| reference(&self.kind, metadata(object, "namespace"), metadata(object, "name")))
            .collect();
        let wanted = reference(&self.kind, &self.namespace, &self.name);
        if names.is_empty() {
            return format!("{wanted} doesn't exist; there is no {} at all", self.kind);
        }
        names.sort_by_cached_key(|name| (strsim::osa_distance(name, &wanted), name.clone()));
        let more = names.len().saturating_sub(PROPOSED);
        names.truncate(PROPOSED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{wanted} doesn't exist; there are: {}{more}", names.join(", "))
    }
}

fn reference(kind: &str, namespace: &str, name: &str) -> String {
    if namespace.is_empty() { format!("{kind}/{name}") } else { format!("{kind}/{namespace}/{name}") }
}

/// The look-up settles which object it is; the version asked for may be another than the one that the object is printed in.
fn drop_identity(root: &mut Node) {
    let Node::Mapping(fields, _) = root else { return };
    fields.retain(|(key, _)| key != "apiVersion" && key != "kind");
    for (key, node) in fields.iter_mut() {
        if key == "metadata"
            && let Node::Mapping(fields, _) = node
        {
            fields.retain(|(key, _)| key != "name" && key != "namespace");
        }
    }
    fields.retain(|(key, node)| {
        key != "metadata" || !matches!(node, Node::Mapping(fields, computed) if fields.is_empty() && computed.is_empty())
    });
}

impl Node {
    /// Whether an expression stands somewhere in it.
    fn computes(&self) -> bool {
        match self {
            Self::Nothing | Self::Scalar(_) => false,
            Self::Mapping(fields, computed) => !computed.is_empty() || fields.iter().any(|(_, node)| node.computes()),
            Self::List(items, _) => items.iter().any(Self::computes),
        }
    }
}

/// Reads a partial object into nodes.
struct Reader<'a> {
    path: Vec<Segment<'a>>,
    queries: BTreeSet<Query>,
}

impl<'a> Reader<'a> {
    fn node(&mut self, field: &str, value: &'a Value) -> Result<Node, ExpectedError> {
        if self.path.len() > DEPTH {
            return Err(self.error(&format!("nested deeper than {DEPTH} levels")));
        }
        Ok(match value {
            Value::Null => Node::Nothing,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => Node::Scalar(value.clone()),
            Value::Array(items) => {
                let mut nodes = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    nodes.push(self.within(Segment::Position(at), |inner| inner.node("", item))?);
                }
                Node::List(nodes, order_of(field, items))
            }
            Value::Object(map) => {
                let (mut fields, mut computed) = (Vec::new(), Vec::new());
                for (key, value) in map {
                    if key.starts_with('(') {
                        computed.push(self.within(Segment::Expression(key), |inner| inner.computed(key, value))?);
                    } else {
                        fields.push((key.clone(), self.within(Segment::Key(key), |inner| inner.node(key, value))?));
                    }
                }
                Node::Mapping(fields, computed)
            }
        })
    }

    fn computed(&mut self, key: &str, expected: &Value) -> Result<Computed, ExpectedError> {
        if !key.ends_with(')') {
            return Err(self.error("an expression ends with the parenthesis that it begins with"));
        }
        let expression = Expression::compile(key).map_err(|message| self.error(&message))?;
        self.queries.extend(expression.queries().iter().cloned());
        Ok(Computed { expression, expected: expected.clone() })
    }

    fn within<T>(&mut self, segment: Segment<'a>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(segment);
        let result = read(self);
        self.path.pop();
        result
    }

    fn error(&self, message: &str) -> ExpectedError {
        ExpectedError { path: render(&self.path), message: message.to_owned() }
    }
}
