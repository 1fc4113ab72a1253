//! `vmtwin explore`: random worlds, operations and faults against the invariants; what fails is made small and kept.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use vmtwin_scenarios::explore::report::{Found, Kept, Stopped};
use vmtwin_scenarios::explore::shrink::{self, Limits, Target};
use vmtwin_scenarios::explore::{self, AREAS, Exploration, NotAScenario, One};
use vmtwin_scenarios::format::profile::{self, Profile};
use vmtwin_scenarios::format::{Loaded, Root, load};
use vmtwin_scenarios::invariants;
use vmtwin_scenarios::runner::{Options, run as run_scenario};
use vmtwin_scenarios::timeline::{Style, Text};

use crate::arguments::Format;
use crate::console::Console;
use crate::interrupt;
use crate::output::Out;
use crate::status::{Misuse, Status};

/// The stack of a thread that runs scenarios.
const STACK: usize = 16 << 20;

/// What can be typed after `vmtwin explore`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A built-in profile or a file with `kind: ExploreProfile`; several are explored one after the other
    #[arg(long = "profile", value_name = "NAME|FILE", default_value = "default")]
    profiles: Vec<String>,
    /// So many runs of each profile
    #[arg(long, value_name = "N", default_value = "1000")]
    runs: u64,
    /// So long at the most for each profile, such as 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "none")]
    time: String,
    /// The seed of what is drawn
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// This run alone
    #[arg(long, value_name = "I")]
    run: Option<u64>,
    /// Print the run's scenario instead of running it
    #[arg(long, requires = "run")]
    print: bool,
    /// So many runs at once [default: as many as there are processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Stop at the N-th run that fails
    #[arg(long, value_name = "N", default_value = "1")]
    stop_after: NonZeroU64,
    /// So many candidates at the most when a find is made small
    #[arg(long, value_name = "N", default_value = "5000")]
    shrink_tries: u64,
    /// The folder for what is found, a file a bug; all of it is run again first
    #[arg(long, value_name = "DIR", default_value = "found")]
    found: PathBuf,
    /// A file with the runs that first reached something: they are tried first, and new ones are added
    #[arg(long, value_name = "FILE")]
    corpus: Option<PathBuf>,
    /// Print a list instead of exploring
    #[arg(long, value_name = "WHAT")]
    list: Option<List>,
    /// Print everything that was never reached
    #[arg(long)]
    uncovered: bool,
    /// Plant this mistake first
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "ID")]
    plant: Option<String>,
    /// How to print the report
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum List {
    /// The invariants: what each holds, and what it guards.
    Invariants,
    /// The built-in profiles.
    Profiles,
    /// The areas of coverage.
    Coverage,
}

/// Runs the command.
pub fn run(arguments: &Arguments, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    if let Some(list) = arguments.list {
        return print_list(list, arguments.output, out);
    }
    #[cfg(feature = "planted")]
    if !explore::plant(arguments.plant.as_deref()) {
        return Err(Misuse::because("no mistake of this name can be planted"));
    }
    let time = duration(&arguments.time)?;
    let Some(profiles) = read_profiles(&arguments.profiles, console)? else { return Ok(Status::Invalid) };
    if arguments.print {
        for profile in &profiles {
            let document = explore::draw(profile, arguments.seed, arguments.run.unwrap_or_default());
            out.line(explore::to_yaml(&document).trim_end())?;
        }
        return Ok(Status::Held);
    }
    interrupt::note()?;
    let again = run_again(&arguments.found, console)?;
    let mut reports = Vec::new();
    let mut status = if again.still.is_empty() { Status::Held } else { Status::Failed };
    for profile in &profiles {
        let begun = Instant::now();
        let mut explored = explore_profile(arguments, profile, time, console)?;
        let took = begun.elapsed();
        shrink_found(arguments, profile, &mut explored.exploration, console)?;
        if !explored.exploration.found.is_empty() {
            status = status.max(Status::Failed);
        }
        match arguments.output {
            Format::Text => print_text(arguments, profile, &explored, took, console, out)?,
            _ => {
                let mut report = explored.exploration.to_json(&profile.name, &profile.digest(), arguments.seed, explored.stopped);
                report["wallSeconds"] = json!(took.as_secs_f64());
                report["found"] = json!({"still": again.still, "gone": again.gone});
                reports.push(report);
            }
        }
        if explored.stopped == Stopped::Interrupted {
            status = Status::Interrupted;
            break;
        }
    }
    if arguments.output == Format::Text {
        for (list, word) in
            [(&again.still, "still fails"), (&again.gone, "is gone: move it to scenarios/library/regressions/ under a telling name")]
        {
            for file in list {
                out.line(&format!("{file} {word}"))?;
            }
        }
    } else {
        let document = if reports.len() == 1 { reports.remove(0) } else { Value::Array(reports) };
        out.document(arguments.output, &document)?;
    }
    Ok(status)
}

/// A duration of the command line; nothing for `none`.
pub fn duration(text: &str) -> anyhow::Result<Option<Duration>> {
    if text == "none" {
        return Ok(None);
    }
    let span: Result<vmtwin_model::time::Span, _> = text.parse();
    let nanos = span.ok().and_then(|span| u64::try_from(span.as_nanos()).ok());
    let nanos = nanos.ok_or_else(|| Misuse::because(format!("`{text}` is no duration such as `30s` or `5m`")))?;
    Ok(Some(Duration::from_nanos(nanos)))
}

/// The profiles that are named; nothing, and told, if one of them is wrong.
fn read_profiles(names: &[String], console: &Console) -> anyhow::Result<Option<Vec<Profile>>> {
    let mut profiles = Vec::new();
    let mut whole = true;
    for name in names {
        let path = Path::new(name);
        if let Some(profile) = Profile::built_in(name) {
            profiles.push(profile);
        } else if path.is_file() {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
            match profile::load(path, &Root { folder, allow_outside: console.allow_outside }) {
                Ok(profile) => profiles.push(profile),
                Err(told) => {
                    console.show(&told);
                    whole = false;
                }
            }
        } else {
            let known: Vec<&str> = Profile::names().collect();
            return Err(Misuse::because(format!("there is no profile `{name}`: the built-in ones are {}", known.join(", "))));
        }
    }
    Ok(whole.then_some(profiles))
}

/// What came of a profile.
struct Explored {
    exploration: Exploration,
    stopped: Stopped,
}

/// Deals the runs out to threads, and adds what comes of them in the order of their numbers.
fn explore_profile(arguments: &Arguments, profile: &Profile, time: Option<Duration>, console: &Console) -> anyhow::Result<Explored> {
    let (first, last) = arguments.run.map_or((0, arguments.runs), |run| (run, run + 1));
    let mut exploration = Exploration::default();
    let mut stopped = Stopped::Runs;
    let begun = Instant::now();
    for run in corpus(arguments, profile)? {
        if !interrupt::happened() {
            let one = explore::run(profile, arguments.seed, run, &interrupt::happened).map_err(bug)?;
            exploration.note(&one);
        }
    }
    let threads = arguments.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let bar = progress(last - first, console);
    let (next, enough) = (AtomicU64::new(first), AtomicBool::new(false));
    let over = || enough.load(Ordering::Relaxed) || interrupt::happened() || time.is_some_and(|time| begun.elapsed() >= time);
    thread::scope(|scope| -> anyhow::Result<()> {
        let (sender, receiver) = mpsc::channel::<Result<One, NotAScenario>>();
        for _ in 0..threads {
            let (sender, next, over) = (sender.clone(), &next, &over);
            let work = move || {
                while !over() {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    if run >= last || sender.send(explore::run(profile, arguments.seed, run, &interrupt::happened)).is_err() {
                        break;
                    }
                }
            };
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).context("a thread can't be started")?;
        }
        drop(sender);
        let mut waiting: BTreeMap<u64, One> = BTreeMap::new();
        let mut due = first;
        for one in receiver {
            let one = one.map_err(bug)?;
            waiting.insert(one.run, one);
            while let Some(one) = waiting.remove(&due).filter(|_| !enough.load(Ordering::Relaxed)) {
                due += 1;
                if one.interrupted {
                    continue;
                }
                exploration.add(one);
                bar.inc(1);
                if exploration.failed >= arguments.stop_after.get() {
                    stopped = Stopped::Violations;
                    enough.store(true, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    if stopped == Stopped::Runs && interrupt::happened() {
        stopped = Stopped::Interrupted;
    } else if stopped == Stopped::Runs && exploration.runs < last - first {
        stopped = Stopped::Time;
    }
    keep_corpus(arguments, profile, &exploration)?;
    Ok(Explored { exploration, stopped })
}

/// What was drawn is always a scenario; if it isn't, that is a mistake of ours.
fn bug(error: NotAScenario) -> anyhow::Error {
    anyhow::anyhow!("a bug in vmtwin: {error}")
}

fn progress(runs: u64, console: &Console) -> ProgressBar {
    let target = if console.watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(runs), target);
    let look = ProgressStyle::with_template("{bar:30} {pos}/{len} runs {elapsed} {per_sec}").expect("the template is well formed");
    bar.set_style(look.progress_chars("━╸ "));
    bar
}

/// The runs of the corpus that are this profile's and seed's.
fn corpus(arguments: &Arguments, profile: &Profile) -> anyhow::Result<Vec<u64>> {
    let Some(path) = arguments.corpus.as_ref().filter(|path| path.exists()) else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("`{}` can't be read", path.display()))?;
    let mut runs = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let entry: Value = serde_json::from_str(line)
            .map_err(|error| Misuse::because(format!("{}:{}: no line of a corpus: {error}", path.display(), at + 1)))?;
        if entry["profile"] == profile.name.as_str() && entry["seed"] == arguments.seed {
            runs.extend(entry["run"].as_u64());
        }
    }
    Ok(runs)
}

fn keep_corpus(arguments: &Arguments, profile: &Profile, exploration: &Exploration) -> anyhow::Result<()> {
    let Some(path) = arguments.corpus.as_ref().filter(|_| !exploration.corpus.is_empty()) else { return Ok(()) };
    let cannot = || format!("`{}` can't be written", path.display());
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).with_context(cannot)?;
    for run in &exploration.corpus {
        writeln!(file, "{}", json!({"profile": profile.name, "seed": arguments.seed, "run": run})).with_context(cannot)?;
    }
    Ok(())
}

/// Makes each find small and writes it, unless its file is there already.
fn shrink_found(arguments: &Arguments, profile: &Profile, exploration: &mut Exploration, console: &Console) -> anyhow::Result<()> {
    for found in &mut exploration.found {
        let name = found.signature.clone();
        let path = arguments.found.join(format!("{name}.yaml"));
        let document = explore::draw(profile, arguments.seed, found.run);
        let from = explore::to_yaml(&document).lines().count();
        let limits = Limits { tries: arguments.shrink_tries, stop: &interrupt::happened };
        let (small, tries, complete) = match shrink::shrink(&document, &Target::of(&found.violation), &limits) {
            Ok(shrunk) => (shrunk.document, shrunk.tries, shrunk.complete),
            Err(_) => {
                console.say(&format!("{name}: it doesn't fail as a scenario of its own; it is kept as it was drawn"));
                (document, 0, false)
            }
        };
        let found_by = format!("explore {} seed {} run {}", profile.name, arguments.seed, found.run);
        let text = shrink::file(&small, &name, &found.violation, &found_by);
        let cannot = || format!("`{}` can't be written", path.display());
        std::fs::create_dir_all(&arguments.found).with_context(cannot)?;
        if !path.exists() {
            std::fs::write(&path, &text).with_context(cannot)?;
        }
        found.shrunk = Some(Kept { file: path.display().to_string(), lines: text.lines().count(), from, tries, complete });
    }
    Ok(())
}

/// The bugs that were found before: those that still fail, and those that don't.
struct Again {
    still: Vec<String>,
    gone: Vec<String>,
}

fn run_again(folder: &Path, console: &Console) -> anyhow::Result<Again> {
    let mut again = Again { still: Vec::new(), gone: Vec::new() };
    if !folder.is_dir() {
        return Ok(again);
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("folder `{}` can't be read", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    for path in files {
        let Loaded { scenarios, diagnostics } = load(&path, &Root { folder: folder.to_owned(), allow_outside: console.allow_outside });
        if scenarios.is_empty() {
            console.show(&diagnostics);
            continue;
        }
        let fails = |scenario| run_scenario(scenario, &Options::default(), &interrupt::happened).report.result.word() != "passed";
        let list = if scenarios.iter().any(fails) { &mut again.still } else { &mut again.gone };
        list.push(path.display().to_string());
    }
    Ok(again)
}

fn print_text(
    arguments: &Arguments,
    profile: &Profile,
    explored: &Explored,
    took: Duration,
    console: &Console,
    out: &mut Out,
) -> anyhow::Result<()> {
    let exploration = &explored.exploration;
    let seconds = took.as_secs_f64().max(0.001);
    let threads = arguments.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    #[expect(clippy::float_arithmetic, reason = "a figure for people")]
    let per_second = |count: f64| count / seconds;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let (runs, virtual_time) = (per_second(exploration.runs as f64), per_second(exploration.virtual_seconds() as f64));
    let stopped = if explored.stopped == Stopped::Interrupted { " · interrupted" } else { "" };
    out.line(&format!(
        "explore {} · seed {} · {} runs in {seconds:.1} s on {threads} threads · {runs:.0} runs/s · {virtual_time:.1e} virtual s per s · {} violations{stopped} · digest {}",
        profile.name,
        arguments.seed,
        exploration.runs,
        exploration.found.len(),
        &exploration.digest()[..8],
    ))?;
    out.line(&exploration.coverage_lines(arguments.uncovered))?;
    if explored.stopped == Stopped::Time {
        out.line(&format!("  repeat     vmtwin explore --profile {} --seed {} --runs {}", profile.name, arguments.seed, exploration.runs))?;
    }
    for found in &exploration.found {
        print_found(arguments, profile, found, console, out)?;
    }
    Ok(())
}

fn print_found(arguments: &Arguments, profile: &Profile, found: &Found, console: &Console, out: &mut Out) -> anyhow::Result<()> {
    let violation = &found.violation;
    let kind = invariants::kind_of(violation.invariant);
    out.line(&format!(
        "VIOLATION {} ({kind}) · run {} · at {} · {}",
        violation.invariant,
        found.run,
        violation.at,
        violation.objects.join(" ")
    ))?;
    out.line(&format!("  {}", violation.message))?;
    out.line(&format!("  expected {} · observed {}", violation.expected, violation.observed))?;
    let style = Style { width: console.style.width.map(|width| width.saturating_sub(4)), ..console.style };
    let text = Text::of(&violation.records, style);
    for record in &violation.records {
        out.line(&format!("    {}", text.line(record)))?;
    }
    let unshrunk = format!("vmtwin explore --profile {} --seed {} --run {}", profile.name, arguments.seed, found.run);
    if let Some(kept) = &found.shrunk {
        let complete = if kept.complete { ", complete" } else { "" };
        out.line(&format!("  {}: {} lines (of {}; {} tries{complete})", kept.file, kept.lines, kept.from, kept.tries))?;
        out.line(&format!("  repeat: vmtwin run {}    unshrunk: {unshrunk}", kept.file))?;
    } else {
        out.line(&format!("  unshrunk: {unshrunk}"))?;
    }
    Ok(())
}

fn print_list(list: List, format: Format, out: &mut Out) -> anyhow::Result<Status> {
    let rows: Vec<Value> = match list {
        List::Invariants => {
            let checked = invariants::all().iter().map(|rule| {
                json!({"name": rule.name, "kind": rule.kind(), "ofTwin": rule.of_twin, "holds": rule.holds, "guards": rule.guards, "checked": true})
            });
            let unchecked = invariants::UNCHECKED.iter().map(|(name, why)| json!({"name": name, "checked": false, "why": why}));
            checked.chain(unchecked).collect()
        }
        List::Profiles => Profile::names().map(|name| json!({"name": name})).collect(),
        List::Coverage => AREAS.iter().map(|name| json!({"name": name})).collect(),
    };
    if format != Format::Text {
        out.document(format, &rows)?;
        return Ok(Status::Held);
    }
    for row in &rows {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let twin = if row["ofTwin"] == true { " [T]" } else { "" };
        match (list, &row["checked"]) {
            (List::Invariants, Value::Bool(true)) => {
                out.line(&format!(
                    "{:<24} {:<9} {}{twin}\n{:<34} guards {}",
                    text("name"),
                    text("kind"),
                    text("holds"),
                    "",
                    text("guards")
                ))?;
            }
            (List::Invariants, _) => out.line(&format!("{:<24} not checked: {}", text("name"), text("why")))?,
            _ => out.line(&text("name"))?,
        }
    }
    Ok(Status::Held)
}
