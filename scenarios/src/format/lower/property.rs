//! Values of the vSphere API's own types, as users write them in JSON's terms.
//!
//! The model's types read themselves from JSON and say nothing of places. Where one refuses, the culprit is found by leaving
//! parts out until it is content.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Cx;
use crate::diagnostics::{Code, Region};
use crate::yaml::{Data, Node};

/// How often a culprit is narrowed down; deeper than the API nests.
const STEPS: usize = 32;

/// Reads a node as a type of the API. What the type refuses is told, at its place.
pub(in crate::format) fn read<T: DeserializeOwned>(cx: &mut Cx<'_>, node: &Node, what: &str) -> Option<T> {
    let message = match serde_json::from_value(node.to_value()) {
        Ok(value) => return Some(value),
        Err(error) => error.to_string(),
    };
    let culprit = culprit::<T>(cx, node);
    cx.sink.tell(Code::Property, culprit, format!("not a value of {what}: {message}"));
    None
}

/// The smallest part without which the type reads.
fn culprit<T: DeserializeOwned>(cx: &mut Cx<'_>, node: &Node) -> Region {
    let mut path: Vec<usize> = Vec::new();
    let mut region = node.region;
    let size = node.count();
    for _ in 0..STEPS {
        let here = walk(node, &path);
        let children = match &here.data {
            Data::Mapping(entries) => entries.len(),
            Data::Sequence(items) => items.len(),
            _ => 0,
        };
        let next = (0..children).find(|child| {
            let mut without = path.clone();
            without.push(*child);
            cx.sink.afford(size) && serde_json::from_value::<T>(leave_out(node, &without)).is_ok()
        });
        let Some(child) = next else { break };
        path.push(child);
        region = walk(node, &path).region;
    }
    region
}

fn walk<'n>(node: &'n Node, path: &[usize]) -> &'n Node {
    path.iter().fold(node, |node, &at| match &node.data {
        Data::Mapping(entries) => &entries[at].value,
        Data::Sequence(items) => &items[at],
        _ => node,
    })
}

/// The node as JSON, without the part at the path.
fn leave_out(node: &Node, path: &[usize]) -> Value {
    let (Some(&at), rest) = (path.first(), path.get(1..).unwrap_or_default()) else { return node.to_value() };
    match &node.data {
        Data::Mapping(entries) => {
            let kept = entries.iter().enumerate().filter(|(place, _)| *place != at || !rest.is_empty());
            kept.map(|(place, entry)| {
                let value = if place == at { leave_out(&entry.value, rest) } else { entry.value.to_value() };
                (entry.key.to_string(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
        }
        Data::Sequence(items) => {
            let kept = items.iter().enumerate().filter(|(place, _)| *place != at || !rest.is_empty());
            kept.map(|(place, item)| if place == at { leave_out(item, rest) } else { item.to_value() }).collect()
        }
        _ => node.to_value(),
    }
}

/// Tells of properties that the twin doesn't look at: nearly a known name is a mistake, any other is the API's.
pub(in crate::format) fn check_known(cx: &mut Cx<'_>, node: &Node, known: &[&str], what: &str) {
    for entry in node.entries() {
        let key = &*entry.key;
        if known.contains(&key) || key == "_typeName" {
            continue;
        }
        match cx.sink.near(key, known.iter().copied()) {
            Some(help) => {
                cx.sink.tell_help(Code::UnknownField, entry.key_region, format!("unknown property `{key}` of {what}"), Some(help))
            }
            None => cx.sink.tell(Code::NotModelled, entry.key_region, format!("the twin does not look at `{key}` of {what}")),
        }
    }
}
