//! `vmtwin explain`: why a VM is where it is, or why it isn't on, and what a group waits for.

use std::path::PathBuf;

use vmtwin_model::time::Span;
use vmtwin_scenarios::explain::{About, Question, Unanswered, Why, explain};
use vmtwin_scenarios::format::Scenario;

use super::run::repeat;
use super::timeline::choose;
use crate::arguments::Format;
use crate::bug::{self, Running};
use crate::console::Console;
use crate::files;
use crate::interrupt;
use crate::output::Out;
use crate::status::{Misuse, Status};

/// What can be typed after `vmtwin explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The scenario's file
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The VM
    #[arg(long, value_name = "NS/NAME", required_unless_present = "group", conflicts_with = "group")]
    vm: Option<String>,
    /// The group
    #[arg(long, value_name = "NS/NAME")]
    group: Option<String>,
    /// What of it: `power`, `placement`, or the type of a condition; everything unless given
    #[arg(long, value_name = "WHAT")]
    why: Option<Why>,
    /// The instant, from the start; the end of the run unless given
    #[arg(long, value_name = "DURATION", value_parser = span)]
    at: Option<Span>,
    /// Which scenario, if the file has a matrix
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Use this seed instead of the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How to print the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

fn span(text: &str) -> Result<Span, String> {
    text.parse().map_err(|error: vmtwin_model::time::SpanError| error.to_string())
}

/// Runs the command.
pub fn run(arguments: &Arguments, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    let (about, given) = match (&arguments.vm, &arguments.group) {
        (Some(vm), _) => (About::Vm, vm),
        (None, Some(group)) => (About::Group, group),
        (None, None) => return Err(Misuse::because("say which: --vm NS/NAME or --group NS/NAME")),
    };
    let what = if about == About::Vm { "VM" } else { "group" };
    let wrong = || Misuse::because(format!("`{given}` is no {what}: write it NS/NAME"));
    let is_name = |(namespace, name): &(&str, &str)| !namespace.is_empty() && !name.is_empty() && !name.contains('/');
    let (namespace, name) = given.split_once('/').filter(is_name).ok_or_else(wrong)?;
    interrupt::note()?;
    let files = files::load(std::slice::from_ref(&arguments.path), console.allow_outside)?;
    for file in &files {
        console.show(&file.loaded.diagnostics);
    }
    if files.iter().any(|file| !file.loaded.is_valid()) {
        return Ok(Status::Invalid);
    }
    let scenario = choose(&files, arguments.name.as_deref())?;
    let question = Question { about, namespace, name, why: arguments.why.clone(), at: arguments.at, seed: arguments.seed };
    match ask(scenario, &question, console) {
        Ok(answer) => {
            match arguments.output {
                Format::Text => {
                    for line in answer.lines() {
                        out.line(&line)?;
                    }
                }
                format => out.document(format, &answer.to_json())?,
            }
            Ok(Status::Held)
        }
        Err(Unanswered::Interrupted) => {
            console.say("interrupted");
            Ok(Status::Interrupted)
        }
        Err(error @ (Unanswered::Setup(_) | Unanswered::NoSuchObject(..) | Unanswered::NoSuchCondition { .. })) => {
            Err(Misuse::because(error.to_string()))
        }
    }
}

fn ask(scenario: &Scenario, question: &Question<'_>, console: &Console) -> Result<vmtwin_scenarios::explain::Answer, Unanswered> {
    let (file, seed) = (scenario.file.name().to_owned(), question.seed.unwrap_or(scenario.seed));
    let repeat = repeat(&file, seed, console);
    bug::while_running(Running { scenario: scenario.name.clone(), file, seed, repeat }, || {
        explain(scenario, question, &interrupt::happened)
    })
}
