//! What a record tells, in words, each piece with its ink.

use serde_json::Value;

use super::changes::{MOST_SHOWN, changes};
use super::style::{Ink, plain};
use crate::log::{Data, Event, Outcome, Record};

/// A piece of a line.
pub(super) type Piece = (Ink, String);

/// What happened.
pub(super) fn what(record: &Record) -> Vec<Piece> {
    let message = plain(&record.message);
    match record.event {
        Event::Request => vec![(told(record, Ink::Text), message)],
        Event::Write => write(record, message),
        Event::Operation => operation(record),
        Event::Task => task(record, &message),
        Event::Change => vec![(told(record, Ink::Text), message)],
        Event::Event => {
            let ink = if record.result.is_some() { Ink::Warning } else { Ink::Text };
            vec![(Ink::Faint, "event".to_owned()), (ink, message)]
        }
        Event::Wake => vec![(Ink::Faint, format!("wake: {message}"))],
        Event::Pass => vec![(Ink::Faint, "pass:".to_owned()), (told(record, Ink::Faint), message)],
        Event::Violation => vec![(Ink::Bad, format!("violated: {message}"))],
    }
}

/// The ink of a text that is bad if the record is.
fn told(record: &Record, otherwise: Ink) -> Ink {
    if matches!(record.result, Some(Outcome::Error(_))) { Ink::Bad } else { otherwise }
}

fn write(record: &Record, message: String) -> Vec<Piece> {
    let Data::Change(event) = &record.data else { return vec![(Ink::Text, message)] };
    let changes = changes(event);
    let more = changes.len().saturating_sub(MOST_SHOWN);
    let mut told: Vec<String> = changes.into_iter().take(MOST_SHOWN).collect();
    if event.before.is_none() || event.after.is_none() || told.is_empty() || message != "changed" {
        told.insert(0, message);
    }
    let mut pieces = vec![(Ink::Text, told.join(", "))];
    if more > 0 {
        pieces.push((Ink::Faint, format!("… and {more} more")));
    }
    pieces
}

fn operation(record: &Record) -> Vec<Piece> {
    let mut pieces = vec![(Ink::Strong, record.operation.unwrap_or("operation").to_owned())];
    if let Some(vm) = &record.vsphere {
        pieces.push((Ink::Text, plain(vm)));
    }
    if let Data::Call(operation) = &record.data {
        let call = operation.arguments();
        // A placement has nothing but its specification to tell.
        let arguments = arguments(call.get("placementSpec").unwrap_or(&call));
        if !arguments.is_empty() {
            pieces.push((Ink::Faint, plain(&arguments)));
        }
    }
    pieces
}

/// A call's arguments besides the VM: values where they are short, else the names of what they hold.
fn arguments(call: &Value) -> String {
    let fields = call.as_object().into_iter().flatten();
    let told = fields.filter(|(name, _)| name.as_str() != "vm").filter_map(|(name, value)| match value {
        Value::Object(inner) if inner.is_empty() => None,
        Value::Object(inner) => {
            let names: Vec<&str> = inner.keys().take(MOST_SHOWN).map(String::as_str).collect();
            let more = if inner.len() > MOST_SHOWN { ", …" } else { "" };
            Some(format!("{name} {{{}{more}}}", names.join(", ")))
        }
        Value::Array(items) => Some(format!("{name} [{}]", items.len())),
        Value::String(text) => Some(format!("{name} {text}")),
        Value::Null => None,
        other => Some(format!("{name} {other}")),
    });
    let told: Vec<String> = told.collect();
    let more = if told.len() > MOST_SHOWN { ", …" } else { "" };
    told[..told.len().min(MOST_SHOWN)].join(", ") + more
}

fn task(record: &Record, message: &str) -> Vec<Piece> {
    let mut pieces = vec![(Ink::Text, record.operation.unwrap_or("task").to_owned())];
    if let Some(task) = &record.task {
        pieces.push((Ink::Faint, task.to_string()));
    }
    match &record.result {
        Some(Outcome::Success) => pieces.push((Ink::Good, "success".to_owned())),
        Some(Outcome::Error(Some(fault))) => pieces.push((Ink::Bad, format!("error {}", plain(fault.as_str())))),
        Some(Outcome::Error(None)) => pieces.push((Ink::Bad, "error".to_owned())),
        None => {}
    }
    if !message.is_empty() {
        pieces.push((told(record, Ink::Text), message.to_owned()));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::log::Source;
    use crate::timeline::samples::{Sample, change, object};

    fn text(record: &Record) -> String {
        what(record).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_write_tells_three_changes_and_counts_the_rest() {
        let after = json!({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7});
        let data = Data::Change(change(Some(object(json!({}), json!({}))), Some(object(json!({}), after))));
        let record = Sample::new(Source::Operator, Event::Write, "changed").data(data).build();
        assert_eq!(text(&record), "status.a 1, status.b 2, status.c 3 … and 4 more");
    }

    #[test]
    fn a_write_without_a_telling_change_says_that_something_changed() {
        let same = || Some(object(json!({}), json!({})));
        let record = Sample::new(Source::Operator, Event::Write, "changed").data(Data::Change(change(same(), same()))).build();
        assert_eq!(text(&record), "changed");
    }

    #[test]
    fn a_deletion_tells_what_changed_with_it() {
        let data = Data::Change(change(Some(object(json!({"a": 1}), json!({}))), Some(object(json!({"a": 2}), json!({})))));
        let record = Sample::new(Source::User, Event::Write, "deletion asked for").data(data).build();
        assert_eq!(text(&record), "deletion asked for, spec.a 1 → 2");
    }

    #[test]
    fn a_task_tells_how_it_ended() {
        let failed = Outcome::Error(Some("InsufficientResourcesFault".into()));
        let record = Sample::new(Source::Vsphere, Event::Task, "no host fits").operation("PowerOnVM_Task").result(failed).build();
        assert_eq!(text(&record), "PowerOnVM_Task error InsufficientResourcesFault no host fits");
        let record = Sample::new(Source::Vsphere, Event::Task, "").operation("PowerOnVM_Task").result(Outcome::Success).build();
        assert_eq!(text(&record), "PowerOnVM_Task success");
    }

    #[test]
    fn arguments_are_told_by_value_or_by_what_they_hold() {
        assert_eq!(arguments(&json!({"vm": "vm-1", "host": "host-3"})), "host host-3");
        let spec = json!({"vm": "vm-1", "spec": {"numCPUs": 2, "memoryMB": 1, "name": "x", "files": {}}});
        assert_eq!(arguments(&spec), "spec {numCPUs, memoryMB, name, …}");
        assert_eq!(arguments(&json!({"a": 1, "b": 2, "c": [3], "d": 4})), "a 1, b 2, c [1], …");
        assert_eq!(arguments(&json!({"vm": "vm-1"})), "");
    }
}
