//! Why a VM is where it is, or why it isn't on: runs a scenario up to an instant and reads the objects, the calls and the twin as they are
//! then. Nothing is decided here: what speaks against a host is the twin's own word. Source: reproduce §5.

mod render;

use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::Operation;
use vmtwin_sim::explain::{Candidate, Explanation, Subject, Verdict};

use crate::format::Scenario;
use crate::log::Data;
use crate::runner::{Simulation, run_to};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The VM's namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
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
    /// There is no such VM then.
    #[error("there is no VirtualMachine {0} at {1}")]
    NoSuchVm(String, String),
}

/// Something that holds a VM.
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
}

/// The last time that a place was looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The call's record.
    pub seq: Option<u64>,
    /// How: `crossCluster`, `singleCluster`, `powerOn`.
    pub strategy: &'static str,
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
    /// The power state that was seen.
    pub observed: String,
    /// Zone and host, as far as the VM has them.
    pub place: Vec<(&'static str, String)>,
    /// What holds it, the most telling first.
    pub held_by: Vec<Hold>,
    /// Its place.
    pub placement: Option<Placement>,
}

/// Answers. `cancelled` is asked now and then whether to stop.
///
/// # Errors
/// If the run can't begin, was interrupted, or there is no such VM.
pub fn explain(scenario: &Scenario, question: &Question<'_>, cancelled: &dyn Fn() -> bool) -> Result<Answer, Unanswered> {
    let simulation = run_to(scenario, question.seed, question.at, cancelled)?;
    answer(&simulation, scenario.start, question)
}

fn answer(simulation: &Simulation, start: Timestamp, question: &Question<'_>) -> Result<Answer, Unanswered> {
    let at = simulation.now() - start;
    let object = format!("{}/{}", question.namespace, question.name);
    let missing = || Unanswered::NoSuchVm(object.clone(), crate::timeline::duration(at));
    let key = ObjectKey::of::<VirtualMachine>(question.namespace, question.name);
    let stored = simulation.api().get(&key).ok_or_else(missing)?.clone();
    let vm = stored.view::<VirtualMachine>().ok_or_else(missing)?;
    let word = |state: Option<vmtwin_model::kube::power::PowerState>| state.map(|state| state.to_string()).unwrap_or_default();
    let place = [("zone", &vm.status.zone), ("host", &vm.status.node_name), ("moID", &vm.status.unique_id)];
    Ok(Answer {
        at,
        desired: word(vm.spec.power_state),
        observed: word(vm.status.power_state),
        place: place.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.clone())).collect(),
        held_by: holds(simulation, start, &stored),
        placement: placement(simulation, &stored),
        object,
    })
}

/// What holds a VM: annotations, conditions that aren't true, its group's word, the last fault of a task.
fn holds(simulation: &Simulation, start: Timestamp, stored: &Arc<Object>) -> Vec<Hold> {
    let Some(vm) = stored.view::<VirtualMachine>() else { return Vec::new() };
    let mut holds = Vec::new();
    let annotations = stored.meta.annotations.iter().flatten();
    for (key, value) in annotations.filter(|(key, _)| HOLDING.iter().any(|holding| key.starts_with(holding))) {
        holds.push(Hold { rule: key.clone(), page: "vm-lifecycle §12", message: value.clone(), since: None });
    }
    let since = |condition: &Condition| Some(condition.last_transition_time - start).filter(|since| *since >= Span::ZERO);
    let hold = |rule: String, condition: &Condition, page: &'static str| {
        let message = if condition.message.is_empty() {
            condition.reason.to_string()
        } else {
            format!("{}: {}", condition.reason, condition.message)
        };
        Hold { rule, page, message, since: since(condition) }
    };
    let broken = |condition: &&Condition| condition.status == ConditionStatus::False;
    let own = vm.status.conditions.iter().filter(broken);
    holds.extend(own.map(|condition| hold(condition.type_.to_string(), condition, page_of(&condition.type_))));
    if !vm.spec.group_name.is_empty() {
        let key = ObjectKey::of::<VirtualMachineGroup>(stored.key.namespace.clone(), vm.spec.group_name.as_str());
        let group = simulation.api().get(&key);
        let members = group.and_then(|group| group.view::<VirtualMachineGroup>()).map(|group| &group.status.members);
        let entry = members.into_iter().flatten().find(|entry| entry.kind == MemberKind::VirtualMachine && *entry.name == *stored.key.name);
        for condition in entry.iter().flat_map(|entry| &entry.conditions).filter(broken) {
            let rule = format!("{} of group {}", condition.type_, vm.spec.group_name);
            holds.push(hold(rule, condition, "placement-groups §7"));
        }
    }
    let world = simulation.world().vm_named(&stored.key.namespaced_name());
    if let Some(fault) = world.and_then(|vm| vm.recent_task.last()?.error.as_ref()) {
        holds.push(Hold {
            rule: fault.name.to_string(),
            page: "placement-groups §10",
            message: fault.localized_message.to_string(),
            since: None,
        });
    }
    holds
}

/// Annotations that hold a VM.
const HOLDING: [&str; 3] =
    ["vmoperator.vmware.com/paused", "poweron.check.vmoperator.vmware.com/", "vmoperator.vmware.com.protected/apply-power-state-time"];

fn page_of(condition: &ConditionType) -> &'static str {
    match condition {
        ConditionType::PlacementReady => "placement-groups §3",
        ConditionType::GroupLinked => "placement-groups §6.3",
        ConditionType::LocationValid => "placement-groups §3.7",
        _ => "vm-lifecycle §17",
    }
}

/// The VM's place in vSphere; of one that isn't there, the last request for one, judged as the world is.
fn placement(simulation: &Simulation, stored: &Arc<Object>) -> Option<Placement> {
    let label = stored.key.namespaced_name();
    if let Some(told) = simulation.world().explain(Subject::Existing(&label)) {
        return Some(Placement { seq: None, strategy: "powerOn", told });
    }
    simulation.log().kept().iter().rev().find_map(|record| {
        if record.object.as_ref().is_none_or(|object| object.namespace != stored.key.namespace) {
            return None;
        }
        let Data::Call(operation) = &record.data else { return None };
        match operation {
            Operation::PlaceVmsXCluster(place) => {
                let specs = &place.vm_placement_specs;
                let nth = specs.iter().position(|spec| spec.name.as_deref() == Some(&*stored.key.name))?;
                let subject = Subject::Requested { pools: &place.resource_pools, before: &specs[..nth], spec: &specs[nth] };
                let told = simulation.world().explain(subject)?;
                Some(Placement { seq: Some(record.seq), strategy: "crossCluster", told })
            }
            Operation::PlaceVm { cluster, config_spec } if config_spec.name.as_deref() == Some(&*stored.key.name) => {
                let root = simulation.world().root_pool(cluster)?;
                let subject = Subject::Requested { pools: std::slice::from_ref(&root), before: &[], spec: config_spec };
                let told = simulation.world().explain(subject)?;
                Some(Placement { seq: Some(record.seq), strategy: "singleCluster", told })
            }
            _ => None,
        }
    })
}

impl Answer {
    /// The answer as a document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let seconds = |span: Span| crate::timeline::duration(span);
        let held = |hold: &Hold| json!({"rule": hold.rule, "page": hold.page, "message": hold.message, "since": hold.since.map(seconds)});
        let placement = self.placement.as_ref().map(|placement| {
            let told = &placement.told;
            let chosen = told.candidates.iter().find(|one| one.kind == "HostSystem" && matches!(one.verdict, Verdict::Chosen(_)));
            json!({
                "seq": placement.seq, "strategy": placement.strategy, "chosen": chosen.map(|host| &host.name),
                "candidates": told.candidates.iter().map(candidate).collect::<Vec<_>>(),
            })
        });
        let remedies = self.placement.iter().flat_map(|placement| &placement.told.remedies);
        json!({
            "object": self.object, "at": seconds(self.at), "desired": self.desired, "observed": self.observed,
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
