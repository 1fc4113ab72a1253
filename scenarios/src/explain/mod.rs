//! Why a VM is where it is, or why it isn't on, and what a group waits for: runs a scenario up to an instant and reads the objects, the calls
//! and the twin as they are then. Nothing is decided here: what speaks against a host is the twin's own word. Source: reproduce §5.

mod history;
mod holds;
mod render;

use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::Operation;
use vmtwin_sim::explain::{Candidate, Explanation, Subject, Verdict};

use crate::format::Scenario;
use crate::log::{Data, Keep};
use crate::runner::{Simulation, run_to};
use history::History;

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A VirtualMachine.
    Vm,
    /// A VirtualMachineGroup, with its members.
    Group,
}

/// What of it, if not all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// What holds its power state.
    Power,
    /// Where it goes.
    Placement,
    /// One condition, whatever its status.
    Condition(String),
}

impl std::str::FromStr for Why {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "" => Err("`power`, `placement` or a condition's type is expected".to_owned()),
            "power" => Ok(Self::Power),
            "placement" => Ok(Self::Placement),
            condition => Ok(Self::Condition(condition.to_owned())),
        }
    }
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// About what.
    pub about: About,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What of it; absent: everything that holds it.
    pub why: Option<Why>,
    /// The instant, from the start; absent: the end.
    pub at: Option<Span>,
    /// A seed in place of the scenario's own.
    pub seed: Option<u64>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The run can't begin.
    #[error("{0}")]
    Setup(String),
    /// Somebody interrupted it.
    #[error("interrupted")]
    Interrupted,
    /// There is no such object then.
    #[error("there is no {0} at {1}")]
    NoSuchObject(String, String),
    /// It has no such condition then.
    #[error("{object} has no condition `{condition}` at {at}; it has {there}")]
    NoSuchCondition {
        /// The object.
        object: String,
        /// What was asked for.
        condition: String,
        /// The instant.
        at: String,
        /// Those that it has.
        there: String,
    },
}

/// Something that holds an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What it is: a condition, a fault of vSphere, an annotation.
    pub rule: String,
    /// Where it is described.
    pub page: &'static str,
    /// What it says.
    pub message: String,
    /// Since when, from the start.
    pub since: Option<Span>,
    /// The record that brought it about.
    pub seq: Option<u64>,
    /// What it is about.
    topic: Topic,
}

/// What a hold is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
    Power,
    Placement,
    Both,
    Other,
}

/// The last time that a place was looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The call's record.
    pub seq: Option<u64>,
    /// How: `crossCluster`, `singleCluster`, `powerOn`.
    pub strategy: &'static str,
    /// The VM of a request for several that it is about.
    pub of: Option<String>,
    /// What was considered.
    pub told: Explanation,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// `NS/NAME`.
    pub object: String,
    /// The instant, from the start.
    pub at: Span,
    /// The power state that is wanted.
    pub desired: String,
    /// The power state that was seen; of a group, how many members have it.
    pub observed: String,
    /// Since when it is wanted, and the record that says so.
    pub since: Option<(Span, u64, String)>,
    /// How many passes ended in an error since then.
    pub tries: usize,
    /// When the operator looks at it again, and why.
    pub next: Option<(Span, String)>,
    /// Zone and host, as far as the VM has them.
    pub place: Vec<(&'static str, String)>,
    /// What holds it, the most telling first.
    pub held_by: Vec<Hold>,
    /// Its place.
    pub placement: Option<Placement>,
    /// Whether the question was about the place, too.
    asked_for_place: bool,
}

/// Answers. `cancelled` is asked now and then whether to stop.
///
/// # Errors
/// If the run can't begin, was interrupted, or there is no such object or condition.
pub fn explain(scenario: &Scenario, question: &Question<'_>, cancelled: &dyn Fn() -> bool) -> Result<Answer, Unanswered> {
    let simulation = run_to(scenario, question.seed, question.at, Keep::All, cancelled)?;
    answer(&simulation, scenario.start, question)
}

fn answer(simulation: &Simulation, start: Timestamp, question: &Question<'_>) -> Result<Answer, Unanswered> {
    let at = simulation.now() - start;
    let object = format!("{}/{}", question.namespace, question.name);
    let (kind, key) = match question.about {
        About::Vm => ("VirtualMachine", ObjectKey::of::<VirtualMachine>(question.namespace, question.name)),
        About::Group => ("VirtualMachineGroup", ObjectKey::of::<VirtualMachineGroup>(question.namespace, question.name)),
    };
    let stored = simulation.api().get(&key).cloned();
    let stored = stored.ok_or_else(|| Unanswered::NoSuchObject(format!("{kind} {object}"), crate::timeline::duration(at)))?;
    let history = History::of(simulation, &stored);
    let (held_by, placement) = match &question.why {
        Some(Why::Condition(type_)) => {
            let found = holds::condition(&history, &stored, type_).ok_or_else(|| Unanswered::NoSuchCondition {
                object: object.clone(),
                condition: type_.clone(),
                at: crate::timeline::duration(at),
                there: holds::conditions_of(&stored).join(", "),
            })?;
            (vec![found], None)
        }
        why => {
            let mut held_by = holds::all(simulation, &history, &stored);
            let about = |hold: &Hold, topic| hold.topic == topic || hold.topic == Topic::Both;
            match why {
                Some(Why::Power) => held_by.retain(|hold| about(hold, Topic::Power)),
                Some(Why::Placement) => held_by.retain(|hold| about(hold, Topic::Placement)),
                _ => {}
            }
            (held_by, if *why == Some(Why::Power) { None } else { placement(simulation, &stored) })
        }
    };
    let (desired, observed) = power(simulation, &stored);
    Ok(Answer {
        at,
        since: history.desired_since(),
        tries: history.tries(),
        next: simulation.next_look(&key).map(|(at, why)| (at - start, why.to_string())),
        desired,
        observed,
        place: place(&stored),
        asked_for_place: matches!(question.why, None | Some(Why::Placement)),
        held_by,
        placement,
        object,
    })
}

/// The power state that is wanted, and the one that is seen.
fn power(simulation: &Simulation, stored: &Object) -> (String, String) {
    let word = |state: Option<PowerState>| state.map(|state| state.to_string()).unwrap_or_default();
    if let Some(vm) = stored.view::<VirtualMachine>() {
        return (word(vm.spec.power_state), word(vm.status.power_state));
    }
    let Some(group) = stored.view::<VirtualMachineGroup>() else { return Default::default() };
    let state = |name: &String| {
        let key = ObjectKey::of::<VirtualMachine>(stored.key.namespace.clone(), name.as_str());
        simulation.api().get(&key).and_then(|vm| vm.view::<VirtualMachine>()?.status.power_state)
    };
    let states: Vec<Option<PowerState>> = members(simulation, stored, group.spec).iter().map(state).collect();
    let wanted = group.spec.power_state.unwrap_or(PowerState::PoweredOn);
    let those = states.iter().filter(|state| **state == Some(wanted)).count();
    (word(group.spec.power_state), format!("{those} of {} VMs {wanted}", states.len()))
}

fn place(stored: &Object) -> Vec<(&'static str, String)> {
    let Some(vm) = stored.view::<VirtualMachine>() else { return Vec::new() };
    let place = [("zone", &vm.status.zone), ("host", &vm.status.node_name), ("moID", &vm.status.unique_id)];
    place.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.clone())).collect()
}

/// The VM's place in vSphere; of one that isn't there, and of a group, the last request for one, judged as the world is.
fn placement(simulation: &Simulation, stored: &Arc<Object>) -> Option<Placement> {
    let world = simulation.world();
    let group = stored.view::<VirtualMachineGroup>().map(|group| members(simulation, stored, group.spec));
    if group.is_none()
        && let Some(told) = world.explain(Subject::Existing(&stored.key.namespaced_name()))
    {
        return Some(Placement { seq: None, strategy: "powerOn", of: None, told });
    }
    let names = group.unwrap_or_else(|| vec![stored.key.name.to_string()]);
    let is_asked_for = |name: &Option<Arc<str>>| name.as_ref().is_some_and(|name| names.iter().any(|own| **own == **name));
    simulation.log().kept().iter().rev().find_map(|record| {
        if record.object.as_ref().is_none_or(|object| object.namespace != stored.key.namespace) {
            return None;
        }
        let Data::Call(operation) = &record.data else { return None };
        match operation {
            Operation::PlaceVmsXCluster(request) => {
                let (pools, specs) = (&request.resource_pools, &request.vm_placement_specs);
                let first = specs.iter().position(|spec| is_asked_for(&spec.name))?;
                // Of a group, the VM that finds no place tells why all wait.
                let nth = if names.len() > 1 { world.first_without_place(pools, specs).unwrap_or(first) } else { first };
                let told = world.explain(Subject::Requested { pools, before: &specs[..nth], spec: &specs[nth] })?;
                let of = (specs.len() > 1).then(|| specs[nth].name.as_deref().unwrap_or_default().to_owned());
                Some(Placement { seq: Some(record.seq), strategy: "crossCluster", of, told })
            }
            Operation::PlaceVm { cluster, config_spec } if is_asked_for(&config_spec.name) => {
                let root = world.root_pool(cluster)?;
                let told = world.explain(Subject::Requested { pools: std::slice::from_ref(&root), before: &[], spec: config_spec })?;
                Some(Placement { seq: Some(record.seq), strategy: "singleCluster", of: None, told })
            }
            _ => None,
        }
    })
}

/// The names of all VMs of a group and of the groups below it.
fn members(
    simulation: &Simulation,
    stored: &Object,
    spec: &vmtwin_model::kube::virtual_machine_group::VirtualMachineGroupSpec,
) -> Vec<String> {
    let namespace = &stored.key.namespace;
    let mut names = Vec::new();
    let mut met = vec![stored.key.name.to_string()];
    let mut open = vec![spec.clone()];
    while let Some(spec) = open.pop() {
        for member in spec.boot_order.iter().flat_map(|group| &group.members) {
            match member.kind.unwrap_or_default() {
                MemberKind::VirtualMachine => names.push(member.name.clone()),
                MemberKind::VirtualMachineGroup if met.contains(&member.name) => {}
                MemberKind::VirtualMachineGroup => {
                    met.push(member.name.clone());
                    let key = ObjectKey::of::<VirtualMachineGroup>(namespace.clone(), member.name.as_str());
                    let child = simulation.api().get(&key).and_then(|child| Some(child.view::<VirtualMachineGroup>()?.spec.clone()));
                    open.extend(child);
                }
            }
        }
    }
    names
}

impl Answer {
    /// The answer as a document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let seconds = |span: Span| crate::timeline::duration(span);
        let held = |hold: &Hold| json!({"rule": hold.rule, "page": hold.page, "message": hold.message, "since": hold.since.map(seconds), "seq": hold.seq});
        let placement = self.placement.as_ref().map(|placement| {
            let told = &placement.told;
            let chosen = told.candidates.iter().find(|one| one.kind == "HostSystem" && matches!(one.verdict, Verdict::Chosen(_)));
            json!({
                "seq": placement.seq, "strategy": placement.strategy, "vm": placement.of, "chosen": chosen.map(|host| &host.name),
                "candidates": told.candidates.iter().map(candidate).collect::<Vec<_>>(),
            })
        });
        let remedies = self.placement.iter().flat_map(|placement| &placement.told.remedies);
        json!({
            "object": self.object, "at": seconds(self.at), "desired": self.desired, "observed": self.observed,
            "since": self.since.as_ref().map(|(since, ..)| seconds(*since)), "tries": self.tries,
            "next": self.next.as_ref().map(|(next, _)| seconds(*next)),
            "heldBy": self.held_by.iter().map(held).collect::<Vec<_>>(),
            "placement": placement,
            "wouldChange": remedies.map(|text| json!({"text": text})).collect::<Vec<_>>(),
        })
    }
}

fn candidate(candidate: &Candidate) -> Value {
    let (verdict, rule, message, score) = match &candidate.verdict {
        Verdict::Chosen(shown) => ("chosen", None, None, Some(shown)),
        Verdict::Outranked(shown) => ("outranked", None, None, Some(shown)),
        Verdict::Rejected { rule, message } => ("rejected", Some(rule.to_string()), Some(message.to_string()), None),
    };
    let score = score.map(|shown| json!({"score": shown.score, "headroom": shown.headroom, "broken": shown.broken}));
    json!({"name": candidate.name, "kind": candidate.kind, "verdict": verdict, "rule": rule, "message": message, "score": score})
}
