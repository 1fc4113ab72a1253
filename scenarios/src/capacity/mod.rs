//! Capacity planning: how many more VMs fit and what stops them, and what a failure of a host or a zone leaves. Every number comes from the
//! operator and the twin that would do the work, on a fork of a settled world; a bound that is worked out without them stands beside it.
//! Source: capacity §1–§5.
//!
//! Of the questions of a plan `headroom` and `survive` of single hosts and zones are answered here.

mod bounds;
mod headroom;
mod plan;
mod survive;
mod tell;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_sim::planning::Overcommit;

pub use headroom::Headroom;
pub use plan::{Apart, HeadroomQuestion, Keep, Plan, PlanError, Requirement, Sets, SurviveQuestion};
pub use survive::{Failure, Survival};

use crate::explain::Unanswered;
use crate::log::Keep as KeepLog;
use crate::runner::{Simulation, Turn, run_to};

/// What came of a plan.
#[derive(Clone, Debug)]
pub struct Outcome {
    name: String,
    file: String,
    seed: u64,
    overcommit: Overcommit,
    settled_after: Span,
    hosts: usize,
    clusters: usize,
    vms_on: usize,
    warnings: Vec<(&'static str, String)>,
    usable: Vec<bounds::Usable>,
    headroom: Vec<Headroom>,
    survive: Option<Survival>,
    requirements: Vec<Judged>,
}

/// A requirement, judged.
#[derive(Clone, Debug)]
struct Judged {
    text: String,
    held: bool,
    value: Value,
    message: String,
}

/// Answers a plan's questions. `cancelled` is asked now and then whether to stop.
///
/// # Errors
/// If the plan names what isn't there, or its baseline can't be asked.
pub fn run(plan: &Plan, cancelled: &dyn Fn() -> bool) -> Result<Outcome, PlanError> {
    plan.check()?;
    let baseline = &plan.baseline;
    let base = run_to(baseline, plan.seed, None, KeepLog::Tail, cancelled).map_err(|error| match error {
        Unanswered::Interrupted => PlanError::Interrupted,
        other => PlanError::Baseline(other.to_string()),
    })?;
    let mut base = base;
    // Steps may end long before anything is quiet.
    let began = base.now();
    let mut warnings = Vec::new();
    if !run_until(&mut base, began + plan.settle, |_| false, cancelled)? && base.next_pending().is_some() {
        let text = format!("the baseline doesn't settle within {}", crate::timeline::duration(plan.settle));
        if !plan.allow.contains("unsettled") {
            return Err(PlanError::Unsettled(text));
        }
        warnings.push(("CAP010", text));
    }
    let settled_after = base.now() - began;
    let broken: Vec<String> = base.world().broken_rules().iter().map(|rule| format!("the rule {rule} is broken")).collect();
    if !broken.is_empty() {
        if !plan.allow.contains("infeasible") {
            return Err(PlanError::Infeasible(broken.join("; ")));
        }
        warnings.push(("CAP011", broken.join("; ")));
    }
    let mut asked = plan.headroom.clone();
    if asked.is_empty() && plan.survive.is_none() {
        asked = plan.every_class(&base);
    }
    if asked.iter().any(|question| plan.reserves_nothing(&base, question)) && plan.overcommit == Overcommit::default() {
        warnings.push(("CAP020", "a class reserves nothing and there is no limit of the planner's: hosts fill without end".to_owned()));
    }
    let usable = bounds::usable(base.world(), plan.overcommit);
    let mut headroom = Vec::new();
    for question in &asked {
        headroom.push(headroom::ask(plan, question, &base, cancelled)?);
    }
    let survive = match &plan.survive {
        Some(question) => Some(survive::ask(question, &base, cancelled)?),
        None => None,
    };
    let requirements = plan.requirements.iter().map(|requirement| requirement.judge(&headroom, survive.as_ref())).collect();
    let clusters = &baseline.inventory.zones;
    Ok(Outcome {
        name: plan.name.clone(),
        file: baseline.file.name().to_owned(),
        seed: plan.seed.unwrap_or(baseline.seed),
        overcommit: plan.overcommit,
        settled_after,
        hosts: base.world().hosts().count(),
        clusters: clusters.iter().map(|zone| zone.clusters.len()).sum(),
        vms_on: base.world().vms().filter(|vm| vm.runtime.power_state == vmtwin_model::vsphere::vm::PowerState::PoweredOn).count(),
        warnings,
        usable,
        headroom,
        survive,
        requirements,
    })
}

/// Lets time pass until something holds; tells whether it does. It ends where nothing is pending any more, or at the limit.
fn run_until(
    simulation: &mut Simulation,
    limit: Timestamp,
    holds: impl Fn(&Simulation) -> bool,
    cancelled: &dyn Fn() -> bool,
) -> Result<bool, PlanError> {
    const LOOK_EVERY: u32 = 1024;

    let mut turns: u32 = 0;
    loop {
        if holds(simulation) {
            return Ok(true);
        }
        turns = turns.wrapping_add(1);
        if turns.is_multiple_of(LOOK_EVERY) && cancelled() {
            return Err(PlanError::Interrupted);
        }
        match simulation.next_pending() {
            Some(at) if at <= limit => {}
            _ => return Ok(false),
        }
        if matches!(simulation.turn(limit), Turn::Idle) {
            return Ok(holds(simulation));
        }
    }
}

impl Outcome {
    /// Whether every requirement held.
    #[must_use]
    pub fn held(&self) -> bool {
        self.requirements.iter().all(|judged| judged.held)
    }

    /// The answers as a document. Source: capacity §5.1.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let ratio = |hundredths: Option<i64>| hundredths.map(tell::hundredths);
        let mut result = json!({
            "run": 0, "parameters": {}, "variant": "baseline", "hosts": self.hosts, "clusters": self.clusters, "vmsOn": self.vms_on,
            "settledAfterSeconds": tell::seconds(self.settled_after), "error": null,
            "usable": self.usable.iter().map(bounds::Usable::to_json).collect::<Vec<_>>(),
        });
        if !self.headroom.is_empty() {
            result["headroom"] = self.headroom.iter().map(Headroom::to_json).collect();
        }
        if let Some(survive) = &self.survive {
            result["survive"] = survive.to_json();
        }
        let judged = |judged: &Judged| {
            json!({"name": null, "requirement": judged.text, "run": 0, "variant": "baseline", "held": judged.held, "value": judged.value,
                   "message": judged.message})
        };
        let warning = |(code, message): &(&str, String)| json!({"code": code, "message": message, "file": self.file, "line": null});
        json!({
            "apiVersion": crate::format::API_VERSION, "kind": "CapacityResult", "version": env!("CARGO_PKG_VERSION"), "seed": self.seed,
            "plan": {"name": self.name, "file": self.file}, "baseline": {"file": self.file},
            "model": {"overcommit": {"cpu": ratio(self.overcommit.cpu), "memory": ratio(self.overcommit.memory), "storage": null}},
            "warnings": self.warnings.iter().map(warning).collect::<Vec<_>>(),
            "results": [result],
            "requirements": self.requirements.iter().map(judged).collect::<Vec<_>>(),
            "held": self.held(),
        })
    }
}
