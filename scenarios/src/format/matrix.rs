//! The matrix: one scenario for each combination of its values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::near::nearest;
use super::shape::shorten;
use super::sink::Sink;
use crate::diagnostics::{Code, Region};
use crate::yaml::{Data, Entry, Node};

/// The most combinations.
const MOST_POINTS: usize = 10_000;
/// The most values of all combinations' scenarios together.
const MOST_NODES: usize = 4_000_000;

/// One combination.
pub(super) struct Point {
    /// What the name gets: `[mode=Hard,tools=running]`, or nothing.
    pub(super) suffix: String,
    /// The axes' values.
    pub(super) values: BTreeMap<String, Value>,
    /// The scenario with the values in place.
    pub(super) root: Node,
}

/// The combinations in order, the last axis fastest; none if the matrix is wrong.
pub(super) fn expand(root: Node, sink: &mut Sink) -> Vec<Point> {
    let axes = root.get("spec").and_then(|spec| spec.get("matrix")).cloned();
    let axes: Vec<Entry> = match axes.map(|axes| axes.data) {
        Some(Data::Mapping(axes)) if !axes.is_empty() => axes,
        // A matrix of the wrong type is told by the shape check.
        _ => return vec![Point { suffix: String::new(), values: BTreeMap::new(), root }],
    };
    if axes.iter().any(|axis| !matches!(axis.value.data, Data::Sequence(_))) {
        return vec![Point { suffix: String::new(), values: BTreeMap::new(), root }];
    }
    let Some(count) = count(&axes, &root, sink) else { return Vec::new() };
    let mut told = Vec::new();
    let points = (0..count).map(|number| point(&root, &axes, number, &mut told)).collect();
    for (code, region, message, help) in told {
        sink.tell_help(code, region, message, help);
    }
    points
}

/// How many combinations there are; nothing if there are none or too many.
fn count(axes: &[Entry], root: &Node, sink: &mut Sink) -> Option<usize> {
    let mut count = 1usize;
    for axis in axes {
        let values = axis.value.items();
        if values.is_empty() {
            sink.tell(Code::Bounds, axis.key_region, format!("the axis `{}` has no values", shorten(&axis.key)));
            return None;
        }
        let mut seen = BTreeMap::new();
        for value in values {
            if seen.insert(text_of(value), ()).is_some() {
                let message = format!("the axis `{}` has the value `{}` twice", shorten(&axis.key), shorten(&text_of(value)));
                sink.tell(Code::DuplicateName, value.region, message);
                return None;
            }
        }
        count = count.saturating_mul(values.len());
    }
    let region = axes.first().map_or(root.region, |axis| axis.key_region);
    if count > MOST_POINTS {
        sink.tell(Code::MatrixTooLarge, region, format!("the matrix has more than {MOST_POINTS} combinations"));
        return None;
    }
    let nodes = count.saturating_mul(root.count());
    if nodes > MOST_NODES {
        let message = format!("{count} combinations of a scenario of this size have more than {MOST_NODES} values");
        sink.tell(Code::MatrixTooLarge, region, message);
        return None;
    }
    Some(count)
}

type Told = Vec<(Code, Region, String, Option<String>)>;

fn point(root: &Node, axes: &[Entry], number: usize, told: &mut Told) -> Point {
    let mut chosen: Vec<(&str, &Node)> = Vec::new();
    let mut rest = number;
    for axis in axes.iter().rev() {
        let values = axis.value.items();
        chosen.push((&axis.key, &values[rest % values.len()]));
        rest /= values.len();
    }
    chosen.reverse();
    let words: Vec<String> = chosen.iter().map(|(axis, value)| format!("{axis}={}", text_of(value))).collect();
    let values = chosen.iter().map(|(axis, value)| ((*axis).to_owned(), value.to_value())).collect();
    let mut root = root.clone();
    if let Data::Mapping(fields) = &mut root.data {
        for field in fields.iter_mut().filter(|field| &*field.key == "spec") {
            if let Data::Mapping(fields) = &mut field.value.data {
                for field in fields.iter_mut().filter(|field| &*field.key != "matrix") {
                    replace(&mut field.value, &chosen, told, number == 0);
                }
            }
        }
    }
    Point { suffix: format!("[{}]", words.join(",")), values, root }
}

/// Puts the values in their places. What is wrong is told of the first combination alone: it is the same in all.
fn replace(node: &mut Node, chosen: &[(&str, &Node)], told: &mut Told, tell: bool) {
    match &mut node.data {
        Data::Sequence(items) => items.iter_mut().for_each(|item| replace(item, chosen, told, tell)),
        Data::Mapping(entries) => entries.iter_mut().for_each(|entry| replace(&mut entry.value, chosen, told, tell)),
        Data::String(text) if text.contains("${") => {
            let text = text.clone();
            node.data = replaced(&text, node.region, chosen, told, tell);
        }
        _ => {}
    }
}

fn replaced(text: &str, region: Region, chosen: &[(&str, &Node)], told: &mut Told, tell: bool) -> Data {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let Some(length) = rest[at + 2..].find('}') else { break };
        let axis = &rest[at + 2..at + 2 + length];
        let after = &rest[at + 2 + length + 1..];
        let value = chosen.iter().find(|(name, _)| *name == axis).map(|(_, value)| *value);
        if rest[..at].ends_with('$') {
            // `$${name}` is the text `${name}`.
            out.push_str(&rest[..at - 1]);
            out.push_str(&rest[at..at + 2 + length + 1]);
        } else {
            out.push_str(&rest[..at]);
            match value {
                Some(value) if at == 0 && out.is_empty() && after.is_empty() => return value.data.clone(),
                Some(Node { data: Data::Sequence(_) | Data::Mapping(_), .. }) => {
                    if tell {
                        let message = format!("a value of `{}` is no scalar, and can't stand inside of a text", shorten(axis));
                        told.push((Code::WrongType, region, message, None));
                    }
                    return Data::Broken;
                }
                Some(value) => out.push_str(&text_of(value)),
                None => {
                    if tell {
                        let near = nearest(axis, chosen.iter().map(|(name, _)| *name), &mut 100_000);
                        let help = near.map(|near| format!("did you mean `{near}`?"));
                        told.push((Code::UnknownAxis, region, format!("the matrix has no axis `{}`", shorten(axis)), help));
                    }
                    return Data::Broken;
                }
            }
        }
        rest = after;
    }
    out.push_str(rest);
    Data::String(out.into())
}

/// A value as it stands in names and texts.
fn text_of(value: &Node) -> String {
    match &value.data {
        Data::String(text) => text.to_string(),
        Data::Null => "null".to_owned(),
        _ => value.to_value().to_string(),
    }
}
