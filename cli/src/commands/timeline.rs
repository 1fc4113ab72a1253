//! `vmtwin timeline`: runs one scenario and tells what happened, an event a line.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use vmtwin_scenarios::format::Scenario;
use vmtwin_scenarios::log::{Event, Keep, Record, Source};
use vmtwin_scenarios::runner::{self, Options, Ran, Report, RunResult};

use vmtwin_scenarios::timeline::{Causes, Filter, Ink, Namespaces, Text, duration, plain};

use super::run::repeat;
use crate::arguments::Format;
use crate::bug::{self, Running};
use crate::console::Console;
use crate::files::{self, File};
use crate::interrupt;
use crate::output::{Out, yaml};
use crate::report::{counted, failure};
use crate::status::{Misuse, Status};

const SOURCES: [(&str, Source); 6] = [
    ("user", Source::User),
    ("operator", Source::Operator),
    ("supervisor", Source::Supervisor),
    ("vsphere", Source::Vsphere),
    ("guest", Source::Guest),
    ("scenario", Source::Scenario),
];
const EVENTS: [(&str, Event); 9] = [
    ("request", Event::Request),
    ("write", Event::Write),
    ("operation", Event::Operation),
    ("task", Event::Task),
    ("change", Event::Change),
    ("event", Event::Event),
    ("wake", Event::Wake),
    ("pass", Event::Pass),
    ("violation", Event::Violation),
];

/// What can be typed after `vmtwin timeline`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The scenario's file
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Which scenario, if the file has a matrix
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Use this seed instead of the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Only what is about this object: Kind/NS/NAME, NS/NAME, NAME, a kind, or vSphere's id; may be repeated
    #[arg(long = "object", value_name = "OBJECT")]
    objects: Vec<String>,
    /// Only events of these sorts
    #[arg(long = "event", value_name = "EVENT", value_delimiter = ',', value_parser = words(EVENTS))]
    events: Vec<Event>,
    /// Only what these brought about
    #[arg(long = "source", value_name = "SOURCE", value_delimiter = ',', value_parser = words(SOURCES))]
    sources: Vec<Source>,
    /// With each event also what brought it about, back to the beginning
    #[arg(long)]
    follow_cause: bool,
    /// How to print the events: text, JSON lines, or a YAML list
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// Runs the command.
pub fn run(arguments: &Arguments, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    interrupt::note()?;
    let files = files::load(std::slice::from_ref(&arguments.path), console.allow_outside)?;
    for file in &files {
        console.show(&file.loaded.diagnostics);
    }
    if files.iter().any(|file| !file.loaded.is_valid()) {
        return Ok(Status::Invalid);
    }
    let scenario = choose(&files, arguments.name.as_deref())?;
    let Ran { report, records, .. } = run_scenario(scenario, arguments.seed.unwrap_or(scenario.seed), console);
    let causes = if arguments.follow_cause { Causes::Follow } else { Causes::Leave };
    let filter =
        Filter { objects: arguments.objects.clone(), events: arguments.events.clone(), sources: arguments.sources.clone(), causes };
    let chosen = filter.choose(&records);
    match arguments.output {
        Format::Text => print(&chosen, &report, console, out)?,
        Format::Json => lines(&chosen, out, |record| Ok(record.to_json().to_string()))?,
        Format::Yaml => lines(&chosen, out, |record| Ok(yaml(&[record.to_json()])?.trim_end().to_owned()))?,
    }
    out.finish()?;
    for warning in &report.warnings {
        console.say(&format!("{} {}", console.errors.paint(Ink::Warning, "warning:"), plain(warning)));
    }
    Ok(match report.result {
        RunResult::Passed => Status::Held,
        RunResult::Failed => {
            let word = console.errors.paint(Ink::Bad, "failed:");
            let repeat = repeat(&report.file, report.seed, console);
            console.say(&format!("{word} {}; see {repeat}", failure::headline(&report)));
            Status::Failed
        }
        RunResult::Invalid => Status::Invalid,
        RunResult::Interrupted => {
            console.say("interrupted");
            Status::Interrupted
        }
    })
}

pub(super) fn choose<'f>(files: &'f [File], name: Option<&str>) -> anyhow::Result<&'f Scenario> {
    let all: Vec<&Scenario> = files.iter().flat_map(|file| &file.loaded.scenarios).collect();
    let chosen: Vec<&Scenario> = all.iter().copied().filter(|scenario| name.is_none_or(|name| scenario.name == name)).collect();
    match chosen[..] {
        [scenario] => Ok(scenario),
        [] | [_, _, ..] => {
            let names: Vec<String> = all.iter().take(20).map(|scenario| format!("\n  {}", plain(&scenario.name))).collect();
            Err(Misuse::because(format!("choose one of {} with --name:{}", counted(all.len(), "scenario"), names.concat())))
        }
    }
}

fn run_scenario(scenario: &Scenario, seed: u64, console: &Console) -> Ran {
    let file = scenario.file.name().to_owned();
    let repeat = repeat(&file, seed, console);
    let options = Options { seed: Some(seed), keep: Keep::All, ..Options::default() };
    bug::while_running(Running { scenario: scenario.name.clone(), file, seed, repeat }, || {
        runner::run(scenario, &options, &interrupt::happened)
    })
}

fn print(chosen: &[Arc<Record>], report: &Report, console: &Console, out: &mut Out) -> anyhow::Result<()> {
    let count = if chosen.len() as u64 == report.events {
        format!("{} events", report.events)
    } else {
        format!("{} of {} events", chosen.len(), report.events)
    };
    let paint = |ink, text: &str| console.style.colour.paint(ink, text);
    let name = paint(Ink::Strong, &plain(&report.name));
    out.line(&format!("{name}  seed {}  {} virtual  {count}{}", report.seed, duration(report.virtual_time), namespace(chosen)))?;
    let text = Text::of(chosen, console.style);
    lines(chosen, out, |record| Ok(text.line(record)))
}

/// The namespace that the lines leave out.
fn namespace(records: &[Arc<Record>]) -> String {
    let mut named = records.iter().filter_map(|record| record.object.as_ref()).filter(|key| !key.namespace.is_empty());
    match (Namespaces::of(records.iter().map(|record| &**record)), named.next()) {
        (Namespaces::One, Some(key)) => format!("  namespace {}", key.namespace),
        _ => String::new(),
    }
}

fn lines(records: &[Arc<Record>], out: &mut Out, line: impl Fn(&Record) -> anyhow::Result<String>) -> anyhow::Result<()> {
    for record in records {
        if out.is_closed() {
            break;
        }
        writeln!(out, "{}", line(record)?).context("standard output can't be written")?;
    }
    Ok(())
}

/// Takes the words of a table and gives what they stand for.
fn words<T: Clone + Send + Sync + 'static, const N: usize>(table: [(&'static str, T); N]) -> impl TypedValueParser<Value = T> {
    let words = table.each_ref().map(|(word, _)| *word);
    PossibleValuesParser::new(words).map(move |typed| {
        let row = table.iter().find(|(word, _)| *word == typed);
        row.expect("clap takes no other words").1.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_timelines_print() {
        assert!(SOURCES.iter().all(|(word, source)| source.to_string() == *word));
        assert!(EVENTS.iter().all(|(word, event)| event.to_string() == *word));
    }
}
