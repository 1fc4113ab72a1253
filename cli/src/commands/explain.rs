//! `vmtwin explain`: why a VM is where it is, or why it isn't on.

use std::path::PathBuf;

use vmtwin_model::time::Span;
use vmtwin_scenarios::explain::{Question, Unanswered, explain};
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
    #[arg(long, value_name = "NS/NAME")]
    vm: String,
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
    let wrong = || Misuse::because(format!("`{}` is no VM: write it NS/NAME", arguments.vm));
    let (namespace, name) =
        arguments.vm.split_once('/').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty()).ok_or_else(wrong)?;
    interrupt::note()?;
    let files = files::load(std::slice::from_ref(&arguments.path), console.allow_outside)?;
    for file in &files {
        console.show(&file.loaded.diagnostics);
    }
    if files.iter().any(|file| !file.loaded.is_valid()) {
        return Ok(Status::Invalid);
    }
    let scenario = choose(&files, arguments.name.as_deref())?;
    let question = Question { namespace, name, at: arguments.at, seed: arguments.seed };
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
        Err(error @ (Unanswered::Setup(_) | Unanswered::NoSuchVm(..))) => Err(Misuse::because(error.to_string())),
    }
}

fn ask(scenario: &Scenario, question: &Question<'_>, console: &Console) -> Result<vmtwin_scenarios::explain::Answer, Unanswered> {
    let (file, seed) = (scenario.file.name().to_owned(), question.seed.unwrap_or(scenario.seed));
    let repeat = repeat(&file, seed, console);
    bug::while_running(Running { scenario: scenario.name.clone(), file, seed, repeat }, || {
        explain(scenario, question, &interrupt::happened)
    })
}
