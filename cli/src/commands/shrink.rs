//! `vmtwin shrink`: makes a scenario that fails small.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Value, json};
use vmtwin_scenarios::explore::shrink::{self, Limits, Target};
use vmtwin_scenarios::explore::{self};
use vmtwin_scenarios::format::{Root, resolve};
use vmtwin_scenarios::runner::{Failing, Options, StepResult, Violation, run as run_scenario};

use super::explore::duration;
use crate::arguments::Format;
use crate::console::Console;
use crate::interrupt;
use crate::output::Out;
use crate::status::{Misuse, Status};

/// What can be typed after `vmtwin shrink`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A scenario that fails; of a matrix, its first point that does
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Keep the failure of this invariant [default: the first thing that fails]
    #[arg(long, value_name = "NAME", conflicts_with = "step")]
    invariant: Option<String>,
    /// Keep the failure of this step, counted from 1
    #[arg(long, value_name = "N")]
    step: Option<usize>,
    /// Write the result into this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// So many candidates at the most
    #[arg(long, value_name = "N", default_value = "5000")]
    tries: u64,
    /// So long at the most, such as 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "none")]
    time: String,
    /// Accepted as of every command that runs scenarios; candidates are judged one after the other
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// How to print the report
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// Runs the command.
pub fn run(arguments: &Arguments, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    let time = duration(&arguments.time)?;
    if arguments.out.as_ref().is_some_and(|out| same_file(out, &arguments.file)) {
        return Err(Misuse::because("the original is never overwritten: choose another `--out`"));
    }
    if !arguments.file.is_file() {
        return Err(Misuse::because(format!("there is no file `{}`", arguments.file.display())));
    }
    interrupt::note()?;
    let folder = arguments.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let here = PathBuf::from(".");
    let below = folder.canonicalize().ok().zip(here.canonicalize().ok()).is_some_and(|(given, here)| given.starts_with(here));
    let root = Root { folder: if below { here } else { folder }, allow_outside: console.allow_outside };
    let documents = match resolve(&arguments.file, &root) {
        Ok(documents) => documents,
        Err(told) => {
            console.show(&told);
            return Ok(Status::Invalid);
        }
    };
    let Some((document, target, violation)) = documents.iter().find_map(|document| failure(arguments, document)) else {
        return Err(Misuse::because(format!("`{}` doesn't fail in this way: there is nothing to be made small", arguments.file.display())));
    };
    let begun = Instant::now();
    let stop = || interrupt::happened() || time.is_some_and(|time| begun.elapsed() >= time);
    let shrunk = shrink::shrink(document, &target, &Limits { tries: arguments.tries, stop: &stop })
        .map_err(|error| Misuse::because(format!("`{}`: {error}", arguments.file.display())))?;
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("shrunk");
    let text = shrink::file(&shrunk.document, name, &violation, &format!("shrink {}", arguments.file.display()));
    let lines = text.lines().count();
    let from = explore::to_yaml(document).lines().count();
    if let Some(path) = &arguments.out {
        std::fs::write(path, &text).with_context(|| format!("`{}` can't be written", path.display()))?;
    }
    match arguments.output {
        Format::Text => {
            if arguments.out.is_none() {
                out.line(text.trim_end())?;
            }
            let complete = if shrunk.complete { "complete" } else { "cut short" };
            console.say(&format!("{lines} lines (of {from}; {} tries, {:.1} s, {complete})", shrunk.tries, begun.elapsed().as_secs_f64()));
        }
        format => out.document(
            format,
            &json!({"violates": violation.invariant, "lines": lines, "from": from, "tries": shrunk.tries, "complete": shrunk.complete,
                "file": arguments.out.as_ref().map(|path| path.display().to_string()), "scenario": shrunk.document}),
        )?,
    }
    Ok(if interrupt::happened() { Status::Interrupted } else { Status::Held })
}

fn same_file(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

/// How a document fails in the way that was asked for.
fn failure<'d>(arguments: &Arguments, document: &'d Value) -> Option<(&'d Value, Target, Violation)> {
    let scenario = explore::load(document).ok()?;
    let of_step = |at: usize, verb: &str, message: &str| {
        let text = format!("step {at} ({verb}) fails: {message}");
        Violation {
            invariant: "step",
            at: vmtwin_model::time::Span::ZERO,
            objects: Vec::new(),
            message: text,
            expected: String::new(),
            observed: String::new(),
            records: Vec::new(),
        }
    };
    let ran = run_scenario(&scenario, &Options::default(), &interrupt::happened);
    let failed = ran.report.steps.iter().enumerate().find(|(_, step)| step.result == StepResult::Failed);
    if let Some((at, step)) = failed.filter(|(at, _)| arguments.invariant.is_none() && arguments.step.is_none_or(|wanted| wanted == at + 1))
    {
        let violation = of_step(at + 1, step.verb, step.message.as_deref().unwrap_or_default());
        return Some((document, Target::Step { verb: step.verb.to_owned() }, violation));
    }
    if arguments.step.is_some() {
        return None;
    }
    let one = explore::play(&scenario, 0, Failing::GoesOn, &interrupt::happened);
    let wanted = |violation: &&Violation| arguments.invariant.as_ref().is_none_or(|name| *name == violation.invariant);
    let violation = one.violations.iter().find(wanted)?.clone();
    Some((document, Target::of(&violation), violation))
}
