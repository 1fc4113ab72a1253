//! Runs one scenario from its first instant to its last step, and says what came of it.

use std::sync::Arc;

use serde_json::Value;
use vmtwin_apiserver::IdOrder;
use vmtwin_engine::features::UnknownGate;
use vmtwin_engine::{Controllers, FastDeployMode, Feature, Features, NetworkProvider, Settings};
use vmtwin_model::kube::api::User;
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_sim::Csi;

use super::live;
use super::objects;
use super::report::{Report, RunResult, StepReport, StepResult, Violation};
use super::simulation::{Setup, Simulation, Turn};
use super::steps::{self, Ended};
use crate::explain::Unanswered;
use crate::format::{self, Manifest, Scenario};
use crate::invariants::Monitor;
use crate::log::{Keep, Record};

/// How a run is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A seed in place of the scenario's own.
    pub seed: Option<u64>,
    /// How much of the log is kept.
    pub keep: Keep,
    /// In which order the API server gives out its inner ids; for tests of determinism.
    pub id_order: IdOrder,
    /// Whether a step that fails ends the run.
    pub failing: Failing,
    /// Which of the operator's controllers run, for tests of a part.
    pub controllers: Controllers,
    /// Whether CSI and CNS do anything by themselves, for tests of a part.
    pub csi: Csi,
}

/// What a step that fails does to its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// It ends the run, and the rest is skipped.
    Ends,
    /// The run goes on: a drawn step may meet what its drawer couldn't foresee.
    GoesOn,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: None,
            keep: Keep::Tail,
            id_order: IdOrder::Dense,
            failing: Failing::Ends,
            controllers: Controllers::ALL,
            csi: Csi::Acts,
        }
    }
}

/// A run that ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What came of it.
    pub report: Report,
    /// All records, if they were to be kept.
    pub records: Vec<Arc<Record>>,
    /// The objects at the end, Kubernetes' and then vSphere's, if all records were to be kept.
    pub final_objects: Vec<Value>,
    /// How much the operator did.
    pub work: vmtwin_engine::Work,
    /// How often each invariant could have failed.
    pub premises: std::collections::BTreeMap<&'static str, u64>,
}

/// Sees every record of a run, in order.
pub type Observer<'a> = dyn FnMut(&Simulation, &[Arc<Record>]) + 'a;

/// A run under way: the simulation and what watches it.
pub(super) struct Run<'a> {
    pub(super) simulation: Simulation,
    pub(super) monitor: Monitor,
    pub(super) violations: Vec<Violation>,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// What was applied last to each object, as it stands in the scenario.
    pub(super) applied: std::collections::BTreeMap<vmtwin_model::kube::ObjectKey, &'a Value>,
    pub(super) step_began: Vec<u64>,
    patience: Patience<'a>,
    observer: &'a mut Observer<'a>,
}

/// Whether to go on. Asking costs, so it is asked once in many turns.
struct Patience<'a> {
    cancelled: &'a dyn Fn() -> bool,
    turns: u32,
}

impl Patience<'_> {
    fn is_over(&mut self) -> bool {
        const LOOK_EVERY: u32 = 1024;
        self.turns = self.turns.wrapping_add(1);
        self.turns.is_multiple_of(LOOK_EVERY) && (self.cancelled)()
    }
}

/// Why a run goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// Somebody interrupted it.
    Interrupted,
}

impl Run<'_> {
    /// The instant, from the start.
    pub(super) fn elapsed(&self) -> Span {
        self.simulation.now() - self.start
    }

    /// One turn of the loop, with all that watches it. Gives the records that were written; nothing if nothing happens up to the limit.
    pub(super) fn turn(&mut self, limit: Timestamp) -> Result<Option<Vec<Arc<Record>>>, Halt> {
        if self.patience.is_over() {
            return Err(Halt::Interrupted);
        }
        match self.simulation.turn(limit.min(self.end)) {
            Turn::Idle => Ok(None),
            Turn::Event(records) => {
                self.watch(&records);
                Ok(Some(records))
            }
        }
    }

    /// Lets the invariants see what was just written.
    pub(super) fn watch(&mut self, records: &[Arc<Record>]) {
        (self.observer)(&self.simulation, records);
        let found = self.monitor.after(&self.simulation, records);
        self.violations.extend(found);
    }

    /// Lets the invariants see what a step itself wrote.
    pub(super) fn watch_fresh(&mut self) -> Vec<Arc<Record>> {
        let records = self.simulation.take_fresh();
        self.watch(&records);
        records
    }

    /// Handles everything that is due at this very instant.
    pub(super) fn drain(&mut self) -> Result<(), Halt> {
        let now = self.simulation.now();
        while self.turn(now)?.is_some() {}
        Ok(())
    }

    /// Advances to an instant.
    pub(super) fn advance(&mut self, to: Timestamp) -> Result<(), Halt> {
        while self.turn(to)?.is_some() {}
        Ok(())
    }
}

/// Runs a scenario. `cancelled` is asked now and then whether to stop.
#[must_use]
pub fn run(scenario: &Scenario, options: &Options, cancelled: &dyn Fn() -> bool) -> Ran {
    run_observed(scenario, options, cancelled, &mut |_, _| {})
}

/// Runs a scenario, and shows every record to an observer.
#[must_use]
pub fn run_observed<'a>(scenario: &'a Scenario, options: &Options, cancelled: &'a dyn Fn() -> bool, observer: &'a mut Observer<'a>) -> Ran {
    let seed = options.seed.unwrap_or(scenario.seed);
    let blank = |result| Report {
        name: scenario.name.clone(),
        file: scenario.file.name().to_owned(),
        seed,
        result,
        virtual_time: Span::ZERO,
        events: 0,
        digest: String::new(),
        steps: Vec::new(),
        violations: Vec::new(),
        warnings: Vec::new(),
    };
    let simulation = match set_up(scenario, options) {
        Ok(simulation) => simulation,
        Err(error) => {
            let mut report = blank(RunResult::Invalid);
            report.steps.push(failed_setup("setup", error, None));
            return Ran {
                report,
                records: Vec::new(),
                final_objects: Vec::new(),
                work: vmtwin_engine::Work::default(),
                premises: Default::default(),
            };
        }
    };
    let mut run = Run {
        monitor: Monitor::new(&scenario.invariants, &scenario.inventory, &simulation),
        violations: Vec::new(),
        start: scenario.start,
        end: scenario.start + scenario.horizon,
        applied: std::collections::BTreeMap::new(),
        step_began: Vec::new(),
        patience: Patience { cancelled, turns: 0 },
        observer,
        simulation,
    };
    run.watch_fresh();
    let (steps, halted) = play(&mut run, scenario, options.failing);
    finish(run, blank(RunResult::Passed), steps, halted, options)
}

/// A scenario's world before anything is applied to it: for those who drive it themselves.
///
/// # Errors
/// If the infrastructure or an object of the state doesn't hold together.
pub fn set_up(scenario: &Scenario, options: &Options) -> Result<Simulation, String> {
    let seed = options.seed.unwrap_or(scenario.seed);
    let settings = settings(scenario).map_err(|error| error.to_string())?;
    Simulation::new(&setup(scenario, options, seed, settings)).map_err(|error| error.to_string())
}

/// The simulation of a scenario at an instant from the start, or at its end. Steps that fail on the way end nothing but the steps.
pub(crate) fn run_to(
    scenario: &Scenario,
    seed: Option<u64>,
    at: Option<Span>,
    keep: Keep,
    cancelled: &dyn Fn() -> bool,
) -> Result<Simulation, Unanswered> {
    let setup_failed = |error: &dyn std::fmt::Display| Unanswered::Setup(error.to_string());
    let settings = settings(scenario).map_err(|error| setup_failed(&error))?;
    let options = Options { seed, keep, ..Options::default() };
    let setup = setup(scenario, &options, seed.unwrap_or(scenario.seed), settings);
    let simulation = Simulation::new(&setup).map_err(|error| setup_failed(&error))?;
    let end = scenario.start + at.unwrap_or(scenario.horizon);
    let mut nobody = |_: &Simulation, _: &[Arc<Record>]| {};
    let mut run = Run {
        monitor: Monitor::new(&scenario.invariants, &scenario.inventory, &simulation),
        violations: Vec::new(),
        start: scenario.start,
        end,
        applied: std::collections::BTreeMap::new(),
        step_began: Vec::new(),
        patience: Patience { cancelled, turns: 0 },
        observer: &mut nobody,
        simulation,
    };
    run.watch_fresh();
    let (_, halted) = play(&mut run, scenario, Failing::Ends);
    let reached = match (halted, at) {
        (Some(halt), _) => Err(halt),
        (None, Some(_)) => run.advance(end),
        (None, None) => Ok(()),
    };
    match reached {
        Err(Halt::Interrupted) => Err(Unanswered::Interrupted),
        Ok(()) => Ok(run.simulation),
    }
}

/// Applies the objects, then takes one step after the other; the first that fails ends the scenario.
fn play<'a>(run: &mut Run<'a>, scenario: &'a Scenario, failing: Failing) -> (Vec<StepReport>, Option<Halt>) {
    let mut reports = Vec::new();
    let mut halted = run.drain().err();
    let mut failed = false;
    for manifest in in_order(&scenario.objects) {
        if failed || halted.is_some() {
            break;
        }
        let administrator = User::named("kubernetes-admin");
        if let Err(failure) = steps::apply_one(run, &administrator, manifest) {
            let place = manifest.origin.place();
            reports.push(steps::report_of_failure(run, "objects", "apply", &place, failure));
            failed = failing == Failing::Ends;
        }
        run.watch_fresh();
        halted = halted.or(run.drain().err());
    }
    for step in &scenario.steps {
        let place = step.origin.place();
        let name = step.name.clone().unwrap_or_else(|| format!("step {} ({})", step.index + 1, step.verb.word()));
        if failed || halted.is_some() {
            reports.push(StepReport {
                name,
                verb: step.verb.word(),
                result: StepResult::Skipped,
                at: run.elapsed(),
                message: None,
                place: Some(steps::coordinates(&place)),
                failure: None,
            });
            continue;
        }
        run.step_began.push(run.simulation.log().next().0);
        match steps::take(run, step) {
            Ended::Passed => reports.push(StepReport {
                name,
                verb: step.verb.word(),
                result: StepResult::Passed,
                at: run.elapsed(),
                message: None,
                place: Some(steps::coordinates(&place)),
                failure: None,
            }),
            Ended::Failed(failure) => {
                failed = failing == Failing::Ends;
                reports.push(steps::report_of_failure(run, &name, step.verb.word(), &place, *failure));
            }
            Ended::Halted(halt) => halted = Some(halt),
        }
    }
    (reports, halted)
}

fn finish(mut run: Run<'_>, blank: Report, steps: Vec<StepReport>, mut halted: Option<Halt>, options: &Options) -> Ran {
    let keep = options.keep;
    let virtual_time = run.elapsed();
    let (events, digest) = (run.simulation.log().len(), run.simulation.log().digest());
    let records = run.simulation.log().kept().to_vec();
    let final_objects = if keep == Keep::All { live::everything(&run.simulation) } else { Vec::new() };
    let work = run.simulation.work();
    let failed = steps.iter().any(|step| step.result == StepResult::Failed);
    if halted.is_none() && (!failed || options.failing == Failing::GoesOn) {
        match run.monitor.follow(run.simulation.clone(), &mut || run.patience.is_over()) {
            Some(found) => run.violations.extend(found),
            None => halted = Some(Halt::Interrupted),
        }
    }
    let result = if halted.is_some() {
        RunResult::Interrupted
    } else if failed || !run.violations.is_empty() {
        RunResult::Failed
    } else {
        RunResult::Passed
    };
    let warnings = run.simulation.warnings().to_vec();
    let report = Report { result, virtual_time, events, digest, steps, violations: run.violations, warnings, ..blank };
    Ran { report, records, final_objects, work, premises: run.monitor.premises().clone() }
}

fn failed_setup(name: &str, message: String, place: Option<(String, usize, usize)>) -> StepReport {
    StepReport {
        name: name.to_owned(),
        verb: "setup",
        result: StepResult::Failed,
        at: Span::ZERO,
        message: Some(message),
        place,
        failure: None,
    }
}

/// A set of manifests in the order in which it goes, whatever the file's.
fn in_order(manifests: &[Manifest]) -> Vec<&Manifest> {
    let mut ordered: Vec<_> = manifests.iter().map(|manifest| (objects::order_of(&manifest.value), manifest)).collect();
    ordered.sort_by_key(|(order, _)| *order);
    ordered.into_iter().map(|(_, manifest)| manifest).collect()
}

pub(crate) fn setup(scenario: &Scenario, options: &Options, seed: u64, settings: Settings) -> Setup {
    let mut state: Vec<Value> = scenario.state.iter().map(|manifest| manifest.value.clone()).collect();
    state.extend(scenario.classes.iter().map(|manifest| manifest.value.clone()));
    Setup {
        start: scenario.start,
        seed,
        settings: Arc::new(Settings { controllers: options.controllers, ..settings }),
        csi: options.csi,
        inventory: Arc::new(scenario.inventory.clone()),
        state,
        claimed: scenario.objects.iter().filter_map(|manifest| objects::key_of_manifest(&manifest.value)).collect(),
        keep: options.keep,
        id_order: options.id_order,
    }
}

/// The engine's settings of a scenario's `operator` section.
pub(crate) fn settings(scenario: &Scenario) -> Result<Settings, UnknownGate> {
    let section = &scenario.operator;
    let mut features = Features::default();
    for (name, on) in &section.features {
        features.set(Feature::named(name)?, *on);
    }
    let shared = |list: &[String]| list.iter().map(|text| text.as_str().into()).collect();
    Ok(Settings {
        network_provider: match section.network_provider {
            format::NetworkProvider::Vpc => NetworkProvider::Vpc,
            format::NetworkProvider::NsxT => NetworkProvider::NsxT,
            format::NetworkProvider::Vds => NetworkProvider::Vds,
            format::NetworkProvider::Named => NetworkProvider::Named,
        },
        nameservers: shared(&section.nameservers),
        search_domains: shared(&section.search_domains),
        features,
        privileged_users: shared(&section.privileged_users),
        resync_period: section.resync_period,
        create_vm_requeue_delay: section.create_vm_requeue_delay,
        max_concurrent_reconciles: section.max_concurrent_reconciles,
        max_create_vms_on_provider: section.max_create_vms_on_provider,
        max_deploy_threads_on_provider: section.max_deploy_threads_on_provider,
        fast_deploy_mode: if section.fast_deploy_mode == "direct" { FastDeployMode::Direct } else { FastDeployMode::Linked },
        ..Settings::default()
    })
}
