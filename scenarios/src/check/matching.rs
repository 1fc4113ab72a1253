//! The comparison of a prepared partial object with a live one.
//!
//! A mapping holds when each of its keys does; further keys are free. A list whose items have a merge key holds when each of
//! its items finds a live item of the same key that holds; further items are free. Any other list holds when it has as
//! many items, and each holds at its position. An empty list asks for an empty list or none, and `null` for `null` or nothing.

use serde_json::{Map, Value};

use super::cel::{Evaluation, Expression};
use super::mismatch::{Mismatch, Segment, render};
use super::scalar;

/// A part of what is expected.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Nothing is to be there.
    Nothing,
    /// This value, by value.
    Scalar(Value),
    /// These keys, and these expressions.
    Mapping(Vec<(String, Node)>, Vec<Computed>),
    /// These items.
    List(Vec<Node>, Order),
}

/// A key in parentheses.
#[derive(Clone, Debug)]
pub(super) struct Computed {
    pub(super) expression: Expression,
    pub(super) expected: Value,
}

/// How the items of a list find their live ones.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// By this key, which has these values.
    Merge(&'static str, Vec<Value>),
    /// By position.
    Position,
}

/// The merge keys of lists that aren't keyed by `name`, as the kinds' schemas and the vSphere API have them.
const MERGE_KEYS: [(&str, &str); 20] = [
    ("advancedProperties", "key"),
    ("conditions", "type"),
    ("config", "key"),
    ("controllers", "busNumber"),
    ("device", "key"),
    ("devices", "unitNumber"),
    ("extraConfig", "key"),
    ("files", "id"),
    ("guestInfo", "key"),
    ("ideControllers", "busNumber"),
    ("kernelConfig", "key"),
    ("nvmeControllers", "busNumber"),
    ("ovfProperties", "key"),
    ("properties", "key"),
    ("providers", "type"),
    ("sataControllers", "busNumber"),
    ("scsiControllers", "busNumber"),
    ("services", "serviceID"),
    ("vgpuDevices", "profileName"),
    ("write_files", "path"),
];

/// Lists whose order means something, though their items have names.
const ORDERED: [&str; 1] = ["bootOrder"];

/// How the items of the list at this key find their live ones.
pub(super) fn order_of(field: &str, items: &[Value]) -> Order {
    if ORDERED.contains(&field) {
        return Order::Position;
    }
    let of_field = MERGE_KEYS.iter().find(|(name, _)| *name == field).map(|(_, key)| *key);
    for key in of_field.into_iter().chain(["name"]) {
        let values: Option<Vec<Value>> = items.iter().map(|item| key_value(item, key).cloned()).collect();
        if let Some(values) = values
            && !values.is_empty()
        {
            return Order::Merge(key, values);
        }
    }
    Order::Position
}

/// The merge key's value of an item, if it has a plain one.
fn key_value<'v>(item: &'v Value, key: &str) -> Option<&'v Value> {
    item.get(key).filter(|value| matches!(value, Value::String(_) | Value::Number(_)))
}

impl Node {
    /// The part as it stood in the file.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Scalar(value) => value.clone(),
            Self::Mapping(fields, computed) => {
                let fields = fields.iter().map(|(key, node)| (key.clone(), node.to_value()));
                let computed = computed.iter().map(|part| (part.expression.source().to_owned(), part.expected.clone()));
                Value::Object(fields.chain(computed).collect::<Map<_, _>>())
            }
            Self::List(items, _) => Value::Array(items.iter().map(Self::to_value).collect()),
        }
    }
}

/// One comparison under way.
pub(super) struct Comparison<'a> {
    /// What the mismatches call the object.
    pub(super) object: &'a str,
    /// What evaluates the expressions; nothing, if there are none.
    pub(super) evaluation: Option<&'a Evaluation<'a>>,
    path: Vec<Segment<'a>>,
    mismatches: Vec<Mismatch>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(object: &'a str, evaluation: Option<&'a Evaluation<'a>>) -> Self {
        Self { object, evaluation, path: Vec::new(), mismatches: Vec::new() }
    }

    /// Where the object isn't as expected, in the order of the file.
    pub(super) fn run(mut self, expected: &'a Node, found: &'a Value) -> Vec<Mismatch> {
        self.compare(expected, Some(found));
        self.mismatches
    }

    fn compare(&mut self, expected: &'a Node, found: Option<&'a Value>) {
        match (expected, found) {
            (Node::Nothing, None | Some(Value::Null)) => {}
            (Node::Scalar(value), Some(found)) if scalar::same(value, found) => {}
            (Node::Mapping(fields, computed), Some(Value::Object(map))) => {
                for (key, node) in fields {
                    self.within(Segment::Key(key), |inner| inner.compare(node, map.get(key)));
                }
                for part in computed {
                    self.within(Segment::Expression(part.expression.source()), |inner| inner.evaluate(part, found));
                }
            }
            (Node::List(items, _), None | Some(Value::Null)) if items.is_empty() => {}
            (Node::List(items, Order::Position), Some(Value::Array(live))) => self.by_position(items, live),
            (Node::List(items, Order::Merge(key, values)), Some(Value::Array(live))) => {
                for (item, value) in items.iter().zip(values) {
                    self.within(Segment::Item(key, value), |inner| inner.by_key(item, key, value, live));
                }
            }
            _ => self.differs(expected.to_value(), found.cloned()),
        }
    }

    fn by_position(&mut self, items: &'a [Node], live: &'a [Value]) {
        if items.is_empty() && !live.is_empty() {
            self.differs(Value::Array(Vec::new()), Some(Value::Array(live.to_vec())));
            return;
        }
        for (at, item) in items.iter().enumerate() {
            self.within(Segment::Position(at), |inner| inner.compare(item, live.get(at)));
        }
        for (at, surplus) in live.iter().enumerate().skip(items.len()) {
            self.within(Segment::Position(at), |inner| inner.differs(Value::Null, Some(surplus.clone())));
        }
    }

    /// Holds when one of the live items with this key does: names may repeat where kinds differ.
    fn by_key(&mut self, item: &'a Node, key: &str, value: &Value, live: &'a [Value]) {
        let before = self.mismatches.len();
        let mut closest: Option<Vec<Mismatch>> = None;
        for candidate in live.iter().filter(|candidate| key_value(candidate, key).is_some_and(|found| scalar::same(value, found))) {
            self.compare(item, Some(candidate));
            let found = self.mismatches.split_off(before);
            if found.is_empty() {
                return;
            }
            if closest.as_ref().is_none_or(|closest| found.len() < closest.len()) {
                closest = Some(found);
            }
        }
        match closest {
            Some(closest) => self.mismatches.extend(closest),
            None => self.differs(item.to_value(), None),
        }
    }

    fn evaluate(&mut self, part: &Computed, place: Option<&'a Value>) {
        let Some(evaluation) = self.evaluation else { return };
        match evaluation.value_of(&part.expression, place) {
            Ok(value) if scalar::equal(&part.expected, &value) => {}
            Ok(value) => self.differs(part.expected.clone(), Some(value)),
            Err(error) => self.differs(part.expected.clone(), Some(Value::String(error))),
        }
    }

    fn within(&mut self, segment: Segment<'a>, compare: impl FnOnce(&mut Self)) {
        self.path.push(segment);
        compare(self);
        self.path.pop();
    }

    fn differs(&mut self, expected: Value, found: Option<Value>) {
        self.mismatches.push(Mismatch { object: self.object.to_owned(), path: render(&self.path), expected, found });
    }
}
