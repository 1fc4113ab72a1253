//! `vmtwin run`: runs scenarios and reports what held.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vmtwin_scenarios::format::Scenario;
use vmtwin_scenarios::runner::RunResult;

use crate::arguments::Format;
use crate::console::Console;
use crate::files::{self, File};
use crate::interrupt;
use crate::jobs::{self, Done, Job};
use crate::output::Out;
use crate::report::{Group, Run, Tally, Unit, document, junit, keep, text};
use crate::selector::Selector;
use crate::status::{Misuse, Status};

/// What can be typed after `vmtwin run`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Files, folders (their .yaml and .yml files that hold a Scenario) or patterns
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Run only scenarios with these labels, such as area=power,kind!=bug
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<Selector>,
    /// Use this seed instead of the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Run each scenario under N seeds, from its own (or --seed) upwards
    #[arg(long, value_name = "N")]
    seeds: Option<NonZeroU64>,
    /// Run so many scenarios at once [default: as many as there are processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Write a JUnit report, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write each run's timeline (JSON lines) and last objects (YAML) into this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// How to print the report
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// Runs the command.
pub fn run(arguments: &Arguments, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    let start = Instant::now();
    interrupt::note()?;
    if let Some(folder) = &arguments.keep {
        std::fs::create_dir_all(folder).with_context(|| format!("folder `{}` can't be made", folder.display()))?;
    }
    let files = files::load(&arguments.paths, console.allow_outside)?;
    for file in &files {
        console.show(&file.loaded.diagnostics);
    }
    let mut units = plan(arguments, console, &files)?;
    let jobs = jobs(arguments, &units);
    let threads = arguments.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);

    let mut printer = Printer::new(arguments.output, console, &units, jobs.len());
    let places = places(&units);
    printer.print_complete(&units, out)?;
    jobs::run(&jobs, threads, |at, mut done| {
        let not_kept = done.not_kept.take();
        put(&mut units, places[at], done);
        printer.advance(not_kept);
        printer.print_complete(&units, out)
    })?;
    printer.print_rest(&units, start.elapsed(), out)?;

    if let Some(path) = &arguments.junit {
        junit::write(path, &units)?;
    }
    let tally = Tally::of(&units);
    let interrupted = if interrupt::happened() { Status::Interrupted } else { Status::Held };
    Ok(tally.status().max(printer.status).max(interrupted))
}

/// The units that the files come to, with nothing done yet.
fn plan<'f>(arguments: &Arguments, console: &Console, files: &'f [File]) -> anyhow::Result<Vec<Unit<'f>>> {
    let mut units = Vec::new();
    let mut looked_at = 0;
    for file in files {
        if !file.loaded.is_valid() {
            units.push(Unit::Invalid { file: file.path.display().to_string(), diagnostics: &file.loaded.diagnostics });
            continue;
        }
        looked_at += file.loaded.scenarios.len();
        let chosen = |scenario: &&Scenario| arguments.selector.as_ref().is_none_or(|selector| selector.matches(&scenario.labels));
        for (nth, scenario) in file.loaded.scenarios.iter().filter(chosen).enumerate() {
            let base = arguments.seed.unwrap_or(scenario.seed);
            let last = base.checked_add(arguments.seeds.map_or(0, |seeds| seeds.get() - 1));
            let last = last.ok_or_else(|| Misuse::because(format!("there are not so many seeds from {base} upwards")))?;
            let run = |seed| Run { seed, repeat: repeat(scenario.file.name(), seed, console), done: None };
            let diagnostics = if nth == 0 { &file.loaded.diagnostics[..] } else { &[] };
            units.push(Unit::Scenario(Group { scenario, diagnostics, runs: (base..=last).map(run).collect() }));
        }
    }
    if units.is_empty() && !interrupt::happened() {
        return Err(Misuse::because(format!("no scenario has these labels; {looked_at} were looked at")));
    }
    Ok(units)
}

/// The command that repeats a run.
pub fn repeat(file: &str, seed: u64, console: &Console) -> String {
    let bare = file.chars().all(|c| c.is_alphanumeric() || "-_./=,@+%:".contains(c)) && !file.starts_with('-');
    let file = if bare { file.to_owned() } else { format!("'{}'", file.replace('\'', r"'\''")) };
    let outside = if console.allow_outside { " --allow-outside" } else { "" };
    format!("vmtwin run {file} --seed {seed}{outside}")
}

fn jobs<'f>(arguments: &Arguments, units: &[Unit<'f>]) -> Vec<Job<'f>> {
    let mut names = keep::Names::default();
    let mut jobs = Vec::new();
    for unit in units {
        let Unit::Scenario(group) = unit else { continue };
        for run in &group.runs {
            let stem = |folder: &PathBuf| folder.join(names.give(&group.scenario.name, arguments.seeds.map(|_| run.seed)));
            let keep = arguments.keep.as_ref().map(stem);
            jobs.push(Job { scenario: group.scenario, seed: run.seed, repeat: run.repeat.clone(), keep });
        }
    }
    jobs
}

/// Each job's unit and its place there, in the order of the jobs.
fn places(units: &[Unit<'_>]) -> Vec<(usize, usize)> {
    let runs = |unit: &Unit<'_>| match unit {
        Unit::Invalid { .. } => 0,
        Unit::Scenario(group) => group.runs.len(),
    };
    units.iter().enumerate().flat_map(|(at, unit)| (0..runs(unit)).map(move |run| (at, run))).collect()
}

fn put(units: &mut [Unit<'_>], (unit, run): (usize, usize), done: Done) {
    if let Unit::Scenario(group) = &mut units[unit] {
        group.runs[run].done = Some(done);
    }
}

/// Prints units in their order, each as soon as it and all before it are complete.
struct Printer<'c> {
    format: Format,
    console: &'c Console,
    text: text::Text,
    bar: ProgressBar,
    printed: usize,
    status: Status,
}

impl<'c> Printer<'c> {
    fn new(format: Format, console: &'c Console, units: &[Unit<'_>], jobs: usize) -> Self {
        let names = units.iter().map(|unit| match unit {
            Unit::Invalid { file, .. } => file.as_str(),
            Unit::Scenario(group) => group.scenario.name.as_str(),
        });
        let text = text::Text::of(names, console.style);
        let target = if console.watched && jobs > 1 { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(u64::try_from(jobs).ok(), target);
        let look = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}{msg}").expect("the template is well formed");
        bar.set_style(look.progress_chars("━╸ "));
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { format, console, text, bar, printed: 0, status: Status::Held }
    }

    fn advance(&mut self, not_kept: Option<anyhow::Error>) {
        self.bar.inc(1);
        if let Some(error) = not_kept {
            self.status = Status::Outside;
            self.bar.suspend(|| self.console.complain(&error));
        }
    }

    fn print_complete(&mut self, units: &[Unit<'_>], out: &mut Out) -> anyhow::Result<()> {
        let complete = |unit: &&Unit<'_>| match unit {
            Unit::Invalid { .. } => true,
            Unit::Scenario(group) => group.runs.iter().all(|run| run.done.is_some()),
        };
        let ready: Vec<&Unit<'_>> = units[self.printed..].iter().take_while(complete).collect();
        self.print(&ready, out)
    }

    fn print(&mut self, units: &[&Unit<'_>], out: &mut Out) -> anyhow::Result<()> {
        self.printed += units.len();
        if self.format != Format::Text || units.is_empty() {
            return Ok(());
        }
        let text = &self.text;
        self.bar.suspend(|| {
            units.iter().try_for_each(|unit| out.line(&text.unit(unit)))?;
            out.finish()
        })
    }

    fn print_rest(&mut self, units: &[Unit<'_>], took: Duration, out: &mut Out) -> anyhow::Result<()> {
        // Of an interrupted run only what began is worth a line; the summary and the document count the rest.
        let began = |unit: &&Unit<'_>| match unit {
            Unit::Invalid { .. } => true,
            Unit::Scenario(group) => group.runs.iter().any(|run| run.done.is_some()),
        };
        let rest: Vec<&Unit<'_>> = units[self.printed..].iter().filter(began).collect();
        self.print(&rest, out)?;
        self.bar.finish_and_clear();
        match self.format {
            Format::Text => {
                let tally = Tally::of(units);
                // A failure ends with a blank line of its own.
                let failed = |group: &Group<'_>| group.runs.iter().any(|run| run.result() == RunResult::Failed);
                let closed = matches!(units.last(), Some(Unit::Scenario(group)) if failed(group));
                if units.len() > 1 && !closed {
                    out.line("")?;
                }
                out.line(&text::summary(&tally, took, self.console.style.colour))
            }
            format => out.document(format, &document::document(units)),
        }
    }
}
