//! Running scenarios side by side: each whole, on one thread; what comes of them is handed over in whatever order they end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use vmtwin_scenarios::format::Scenario;
use vmtwin_scenarios::log::Keep;
use vmtwin_scenarios::runner::{self, Options, Report};

use crate::bug::{self, Running};
use crate::interrupt;
use crate::report::keep;

/// The stack of a thread that runs scenarios: more than the default of threads, as much as that of the main one.
const STACK: usize = 16 << 20;

/// A scenario to be run.
pub struct Job<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Its seed.
    pub seed: u64,
    /// The command that repeats it.
    pub repeat: String,
    /// Where its timeline and its objects are kept, without the files' endings.
    pub keep: Option<PathBuf>,
}

/// What came of a job.
pub struct Done {
    /// The report.
    pub report: Report,
    /// How long it took.
    pub took: Duration,
    /// Why what it should have kept isn't.
    pub not_kept: Option<anyhow::Error>,
}

/// Runs the jobs on so many threads, and hands over what came of each with its place in the list. After an interrupt no job begins.
pub fn run(jobs: &[Job<'_>], threads: usize, mut hand_over: impl FnMut(usize, Done) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.min(jobs.len()) {
            let (sender, next) = (sender.clone(), &next);
            let work = move || {
                while let Some((at, job)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, jobs.get(at)?)))
                    && !interrupt::happened()
                    && sender.send((at, run_one(job))).is_ok()
                {}
            };
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).context("a thread can't be started")?;
        }
        drop(sender);
        receiver.into_iter().try_for_each(|(at, done)| hand_over(at, done))
    })
}

fn run_one(job: &Job<'_>) -> Done {
    let start = Instant::now();
    let options = Options { seed: Some(job.seed), keep: if job.keep.is_some() { Keep::All } else { Keep::Tail }, ..Options::default() };
    let running = Running {
        scenario: job.scenario.name.clone(),
        file: job.scenario.file.name().to_owned(),
        seed: job.seed,
        repeat: job.repeat.clone(),
    };
    let ran = bug::while_running(running, || runner::run(job.scenario, &options, &interrupt::happened));
    let took = start.elapsed();
    let not_kept = job.keep.as_ref().and_then(|stem| keep::write(stem, &ran).err());
    Done { report: ran.report, took, not_kept }
}
