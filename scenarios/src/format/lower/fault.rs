//! Fault rules.

use std::sync::Arc;

use vmtwin_model::vsphere::action::{FaultEnd, FaultRule};
use vmtwin_model::vsphere::fault::{Fault, FaultName};

use super::Cx;
use super::image::check_operation;
use crate::diagnostics::{Code, Region};
use crate::format::section::step::{self, Lose};
use crate::format::shape::shorten;
use crate::format::spanned::{Spanned, Tree};
use crate::yaml::{Data, Node};

/// A fault rule; nothing if it was wrong.
pub(in crate::format) fn rule(cx: &mut Cx<'_>, section: &Spanned<step::FaultRule>) -> Option<FaultRule> {
    let operation = check_operation(cx, &section.operation);
    let times = section.times.as_ref().and_then(|times| cx.sink.within(times, 1, 1_000_000_000, "the number of times"));
    let skip = cx.sink.within_or(section.skip.as_ref(), 0, 1_000_000_000, "the number of calls that pass", 0);
    let lasts = section.span.as_ref().and_then(|span| cx.sink.duration(span));
    let probability = match &section.probability {
        Some(probability) => cx.sink.scaled(probability, 6, 0, 1_000_000, "a chance from 0 to 1, with six decimals at most")?,
        None => 1_000_000,
    };
    let mut ends = Vec::new();
    if let Some(fault) = &section.fault {
        ends.push(FaultEnd::Fault(self::fault(cx, &fault.0)?));
    }
    if let Some(lose) = section.lose {
        ends.push(match lose {
            Lose::Call => FaultEnd::LoseCall,
            Lose::Answer => FaultEnd::LoseAnswer,
        });
    }
    if let Some(result) = &section.result {
        ends.push(FaultEnd::Result(Arc::new(cx.node(&result.0).to_value())));
    }
    let (Some(end), None) = (ends.pop(), ends.pop()) else {
        if !cx.cut.contains(&section.region) {
            cx.sink.tell(Code::OneThing, section.region, "a fault rule has exactly one of `fault`, `lose`, `result`");
        }
        return None;
    };
    let matching = section.matching.as_ref().map(|matching| Arc::new(cx.node(&matching.0).to_value()));
    Some(FaultRule { operation, matching, ends: end, times, skip, lasts, probability })
}

/// A fault: its name, or its properties.
fn fault(cx: &mut Cx<'_>, tree: &Tree) -> Option<Fault> {
    let node = cx.node(tree);
    let Data::Mapping(_) = &node.data else {
        let name = node.as_str()?;
        return Some(Fault::new(check_fault(cx, name, node.region), ""));
    };
    let Some(name) = node.get("_typeName").and_then(Node::as_str) else {
        cx.sink.tell(Code::MissingField, node.region, "a fault lacks `_typeName`");
        return None;
    };
    let region = node.get("_typeName").map_or(node.region, |name| name.region);
    let name = check_fault(cx, name, region);
    let text = node.get("localizedMessage").and_then(Node::as_str).unwrap_or_default();
    let mut fault = Fault::new(name, text);
    for entry in node.entries() {
        if !matches!(&*entry.key, "_typeName" | "localizedMessage") {
            fault = fault.with(&entry.key, entry.value.to_value());
        }
    }
    Some(fault)
}

fn check_fault(cx: &mut Cx<'_>, name: &str, region: Region) -> FaultName {
    let known = FaultName::from(name);
    if matches!(known, FaultName::Other(_)) {
        let message = format!("no fault that vmtwin knows is named `{}`", shorten(name));
        let help = cx.sink.near(name, FaultName::KNOWN.iter().map(FaultName::as_str));
        cx.sink.tell_help(Code::UnknownFault, region, message, help);
    }
    known
}
