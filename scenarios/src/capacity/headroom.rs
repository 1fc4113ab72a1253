//! How many more VMs fit: made one after the other by a namespace's user in a fork, until one doesn't; and what stopped it. Source: capacity
//! §3.1, §3.3.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vmtwin_model::kube::api::{Request, User};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{ConditionStatus, ConditionType, Conditions, ObjectKey};
use vmtwin_model::time::Span;
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_sim::explain::Subject;
use vmtwin_sim::planning::Constraint;

use super::bounds::{self, Bounds, Tight};
use super::plan::{Apart, HeadroomQuestion, Made, Plan, PlanError, known};
use super::run_until;
use crate::runner::Simulation;

/// How long a VM may take to be on: past every delay of a creation.
const PATIENCE: Span = Span::from_hours(2);
/// The user who makes the VMs.
const USER: &str = "devops@vsphere.local";
/// The group of VMs that repel each other.
const GROUP: &str = "headroom";

/// How many fit, and why no more.
#[derive(Clone, Debug)]
pub struct Headroom {
    /// How the question is called.
    pub name: String,
    /// The class.
    pub class: String,
    /// How many fit.
    pub fits: u32,
    /// What stopped the first that doesn't.
    pub stopped: Option<Stopped>,
    /// The constraints without which more fit, and how many; most gained first.
    pub binding: Vec<(Constraint, u32)>,
    /// If none binds alone: the smallest set whose lifting gains.
    pub together: Vec<Constraint>,
    bounds: Option<Bounds>,
    tightest: Vec<Tight>,
    placements: BTreeMap<String, u32>,
    per: Vec<(String, Headroom)>,
    need: Option<String>,
}

/// What stopped a VM.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// The constraint, as it is called: the first that binds, else the one that rejects most hosts.
    pub constraint: String,
    /// Where it came no further: `admission`, `placement`, `create`, `powerOn`, `addresses`.
    pub stage: &'static str,
    /// What was said.
    pub message: String,
    /// How many hosts each constraint rejects.
    pub hosts: BTreeMap<Constraint, u32>,
    /// How many there are.
    pub hosts_total: u32,
}

pub(super) fn ask(
    plan: &Plan,
    question: &HeadroomQuestion,
    base: &Simulation,
    cancelled: &dyn Fn() -> bool,
) -> Result<Headroom, PlanError> {
    let made = plan.made_of(question)?;
    let classes: Vec<String> = base
        .api()
        .list(super::plan::CLASS, None)
        .filter(|class| *class.key.namespace == *made.namespace)
        .map(|class| class.key.name.to_string())
        .collect();
    known("class", &question.class, classes.iter().map(String::as_str))?;
    let mut answer = count(plan, question, &made, base, cancelled)?;
    if question.per_zone {
        for zone in &plan.baseline.inventory.zones {
            let of_zone = HeadroomQuestion { zone: Some(zone.name.to_string()), per_zone: false, ..question.clone() };
            answer.per.push((zone.name.to_string(), count(plan, &of_zone, &made, base, cancelled)?));
        }
    }
    Ok(answer)
}

/// A fork that is filled.
struct Filling<'a> {
    question: &'a HeadroomQuestion,
    made: &'a Made,
    simulation: Simulation,
    /// How many were made, those that didn't fit among them.
    number: u32,
    cancelled: &'a dyn Fn() -> bool,
}

/// Why a VM doesn't fit.
enum Refusal {
    Denied(String),
    Stuck,
}

fn count(
    plan: &Plan,
    question: &HeadroomQuestion,
    made: &Made,
    base: &Simulation,
    cancelled: &dyn Fn() -> bool,
) -> Result<Headroom, PlanError> {
    let mut simulation = base.clone();
    simulation.plan(plan.overcommit);
    let mut filling = Filling { question, made, simulation, number: 0, cancelled };
    filling.open_group()?;
    let (fits, refusal) = filling.fill(question.limit)?;
    // Each is as large as the first, which is there even if it isn't on.
    let label = filling.label(0);
    let need = filling.simulation.world().need_of(&label);
    let zone = question.zone.as_deref();
    let bounds = need.map(|need| bounds::bounds(base.world(), plan.overcommit, need, zone, question.apart));
    let tightest = need.map(|need| bounds::tightest(base.world(), plan.overcommit, need, zone)).unwrap_or_default();
    let placements = filling.placements();
    let mut answer = Headroom {
        name: question.name.clone(),
        class: question.class.clone(),
        fits,
        stopped: None,
        binding: Vec::new(),
        together: Vec::new(),
        bounds,
        tightest,
        placements,
        per: Vec::new(),
        need: need.map(|need| bounds::in_words(&need)),
    };
    let Some(refusal) = refusal else {
        answer.stopped = Some(Stopped {
            constraint: "limit".to_owned(),
            stage: "powerOn",
            message: format!("the count ends at {}", question.limit),
            hosts: BTreeMap::new(),
            hosts_total: 0,
        });
        return Ok(answer);
    };
    let mut stopped = filling.why(&refusal);
    filling.take_back()?;
    let mut suspects: Vec<Constraint> = stopped.hosts.keys().copied().filter(|constraint| *constraint != Constraint::Host).collect();
    let by_planner = suspects.iter().any(|suspect| matches!(suspect, Constraint::OvercommitMemory | Constraint::OvercommitCpu));
    // Without HA its part of the planner's limits is there, too.
    if by_planner && !suspects.contains(&Constraint::Ha) && bounds::ha_keeps(base.world()) {
        suspects.push(Constraint::Ha);
    }
    for constraint in &suspects {
        let more = filling.without(&[*constraint], question.limit - fits)?;
        if more > 0 {
            answer.binding.push((*constraint, fits + more));
        }
    }
    answer.binding.sort_by_key(|(constraint, fits)| (std::cmp::Reverse(*fits), *constraint));
    if answer.binding.is_empty() {
        answer.together = filling.smallest_set(&suspects)?;
    }
    let first = answer.binding.first().map(|(constraint, _)| *constraint).or(answer.together.first().copied());
    if let Some(first) = first {
        stopped.constraint = first.to_string();
    }
    answer.stopped = Some(stopped);
    Ok(answer)
}

impl Filling<'_> {
    fn user(&self) -> User {
        User::named(USER)
    }

    fn name(&self, number: u32) -> String {
        format!("{GROUP}-{number}")
    }

    fn label(&self, number: u32) -> String {
        format!("{}/{}", self.made.namespace, self.name(number))
    }

    fn key(&self, number: u32) -> ObjectKey {
        ObjectKey::of::<VirtualMachine>(self.made.namespace.as_str(), self.name(number))
    }

    /// VMs that repel each other are members of a group of their own.
    fn open_group(&mut self) -> Result<(), PlanError> {
        if self.question.apart.is_none() {
            return Ok(());
        }
        let manifest = json!({
            "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineGroup",
            "metadata": {"name": GROUP, "namespace": self.made.namespace}, "spec": {},
        });
        let made = self.simulation.user_request(&self.user(), Request::Create { manifest });
        made.map(|_| ()).map_err(|error| PlanError::Baseline(format!("the group of the new VMs can't be made: {error}")))
    }

    fn manifest(&self, number: u32) -> Value {
        let mut labels = serde_json::Map::new();
        if let Some(zone) = &self.question.zone {
            labels.insert("topology.kubernetes.io/zone".to_owned(), json!(zone));
        }
        let mut spec = json!({
            "className": self.question.class, "imageName": self.made.image, "storageClass": self.made.storage_class, "powerState": "PoweredOn",
        });
        if let Some(apart) = self.question.apart {
            labels.insert("headroom".to_owned(), json!(self.question.name));
            let key = if apart == Apart::Host { "kubernetes.io/hostname" } else { "topology.kubernetes.io/zone" };
            spec["groupName"] = json!(GROUP);
            let term = json!({"labelSelector": {"matchLabels": {"headroom": self.question.name}}, "topologyKey": key});
            spec["affinity"] = json!({"vmAntiAffinity": {"requiredDuringSchedulingPreferredDuringExecution": [term]}});
        }
        json!({
            "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachine",
            "metadata": {"name": self.name(number), "namespace": self.made.namespace, "labels": labels}, "spec": spec,
        })
    }

    /// Makes VMs until one doesn't fit.
    fn fill(&mut self, limit: u32) -> Result<(u32, Option<Refusal>), PlanError> {
        for fits in 0..limit {
            if let Some(refusal) = self.add()? {
                return Ok((fits, Some(refusal)));
            }
        }
        Ok((limit, None))
    }

    /// Makes one VM, and waits until it is on.
    fn add(&mut self) -> Result<Option<Refusal>, PlanError> {
        let number = self.number;
        self.number += 1;
        let (manifest, user) = (self.manifest(number), self.user());
        if self.question.apart.is_some() {
            self.list(number)?;
        }
        if let Err(error) = self.simulation.user_request(&user, Request::Create { manifest }) {
            return Ok(Some(Refusal::Denied(error.to_string())));
        }
        let label = self.label(number);
        let is_on =
            |simulation: &Simulation| simulation.world().vm_named(&label).is_some_and(|vm| vm.runtime.power_state == PowerState::PoweredOn);
        let limit = self.simulation.now() + PATIENCE;
        let on = run_until(&mut self.simulation, limit, is_on, self.cancelled)?;
        Ok((!on).then_some(Refusal::Stuck))
    }

    /// Lists one more member.
    fn list(&mut self, number: u32) -> Result<(), PlanError> {
        let members: Vec<Value> = (0..=number).map(|number| json!({"kind": "VirtualMachine", "name": self.name(number)})).collect();
        let key = ObjectKey::of::<vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup>(self.made.namespace.as_str(), GROUP);
        let patch = json!({"spec": {"bootOrder": [{"members": members}]}});
        let request = Request::Patch {
            key,
            kind: vmtwin_model::kube::api::PatchKind::Merge,
            patch,
            part: vmtwin_model::kube::api::Subresource::Main,
        };
        let user = self.user();
        let done = self.simulation.user_request(&user, request);
        done.map(|_| ()).map_err(|error| PlanError::Baseline(format!("the new VM can't join its group: {error}")))
    }

    /// Deletes the VM that doesn't fit.
    fn take_back(&mut self) -> Result<(), PlanError> {
        let key = self.key(self.number - 1);
        let user = self.user();
        if self.simulation.user_request(&user, Request::Delete { key: key.clone() }).is_err() {
            return Ok(());
        }
        let limit = self.simulation.now() + PATIENCE;
        run_until(&mut self.simulation, limit, |simulation| simulation.api().get(&key).is_none(), self.cancelled)?;
        if self.question.apart.is_some() {
            self.number -= 1;
            if self.number > 0 {
                self.list(self.number - 1)?;
            }
        }
        Ok(())
    }

    /// How many more fit where these constraints are lifted.
    fn without(&self, lifted: &[Constraint], limit: u32) -> Result<u32, PlanError> {
        let mut simulation = self.simulation.clone();
        simulation.lift(lifted);
        let (question, made, cancelled) = (self.question, self.made, self.cancelled);
        let mut fork = Filling { question, made, simulation, number: self.number, cancelled };
        Ok(fork.fill(limit)?.0)
    }

    /// The smallest set of these constraints without which one more fits.
    fn smallest_set(&self, suspects: &[Constraint]) -> Result<Vec<Constraint>, PlanError> {
        let mut sets: Vec<Vec<Constraint>> = (0..1_u32 << suspects.len().min(8))
            .map(|bits| suspects.iter().enumerate().filter(|(nth, _)| bits >> nth & 1 == 1).map(|(_, constraint)| *constraint).collect())
            .filter(|set: &Vec<Constraint>| set.len() > 1)
            .collect();
        sets.sort_by_key(Vec::len);
        for set in sets {
            if self.without(&set, 1)? > 0 {
                return Ok(set);
            }
        }
        Ok(Vec::new())
    }

    /// Asks the VM that doesn't fit why.
    fn why(&self, refusal: &Refusal) -> Stopped {
        let none = |constraint: &str, stage, message: String| Stopped {
            constraint: constraint.to_owned(),
            stage,
            message,
            hosts: BTreeMap::new(),
            hosts_total: 0,
        };
        if let Refusal::Denied(message) = refusal {
            let constraint = if message.contains("quota") { "quota.storage" } else { "admission" };
            return none(constraint, "admission", message.clone());
        }
        let number = self.number - 1;
        let label = self.label(number);
        let world = self.simulation.world();
        if let Some(vm) = world.vm_named(&label) {
            let fault = vm.recent_task.iter().rev().find_map(|task| task.error.as_ref());
            let message = fault.map_or_else(|| "it isn't on".to_owned(), |fault| fault.localized_message.to_string());
            let (hosts, hosts_total) = world.rejections(Subject::Existing(&label)).unwrap_or_default();
            let most = hosts.iter().max_by_key(|(constraint, count)| (**count, std::cmp::Reverse(**constraint)));
            let disk = fault.is_some_and(|fault| fault.name.as_str() == "NoDiskSpace");
            let constraint =
                if disk { "datastore".to_owned() } else { most.map_or_else(|| "host".to_owned(), |(most, _)| most.to_string()) };
            return Stopped { constraint, stage: "powerOn", message, hosts, hosts_total };
        }
        let stored = self.simulation.api().get(&self.key(number)).cloned();
        let conditions =
            stored.as_ref().and_then(|vm| vm.view::<VirtualMachine>()).map(|vm| vm.status.conditions.clone()).unwrap_or_default();
        let failing = |type_: &ConditionType| conditions.condition(type_).filter(|condition| condition.status == ConditionStatus::False);
        if let Some(condition) = failing(&ConditionType::NetworkReady) {
            return none("addresses", "addresses", condition.message.to_string());
        }
        if let Some(condition) = failing(&ConditionType::Created) {
            return none("datastore", "create", condition.message.to_string());
        }
        let placement = failing(&ConditionType::PlacementReady).map(|condition| condition.message.to_string());
        let asked = self.simulation.last_placement(&self.name(number));
        let rejections = asked.as_ref().and_then(|(pools, spec)| world.rejections(Subject::Requested { pools, before: &[], spec }));
        let (hosts, hosts_total) = rejections.unwrap_or_default();
        let most = hosts.iter().max_by_key(|(constraint, count)| (**count, std::cmp::Reverse(**constraint)));
        Stopped {
            constraint: most.map_or_else(|| "zone".to_owned(), |(most, _)| most.to_string()),
            stage: "placement",
            message: placement.unwrap_or_else(|| "no place was found".to_owned()),
            hosts,
            hosts_total,
        }
    }

    /// How many of the new VMs are on each host.
    fn placements(&self) -> BTreeMap<String, u32> {
        let mut placements = BTreeMap::new();
        for number in 0..self.number {
            let Some(vm) = self.simulation.world().vm_named(&self.label(number)) else { continue };
            if vm.runtime.power_state == PowerState::PoweredOn {
                *placements.entry(vm.location.host_name.as_deref().unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
        placements
    }
}

impl Headroom {
    pub(super) fn to_json(&self) -> Value {
        let class = &self.class;
        let stopped = self.stopped.as_ref().map(|stopped| {
            let hosts: serde_json::Map<String, Value> =
                stopped.hosts.iter().map(|(constraint, count)| (constraint.to_string(), json!(count))).collect();
            json!({"constraint": stopped.constraint, "stage": stopped.stage, "class": class, "message": stopped.message, "hosts": hosts,
                   "hostsTotal": stopped.hosts_total})
        });
        let binding: Vec<Value> =
            self.binding.iter().map(|(constraint, fits)| json!({"constraint": constraint.to_string(), "fitsWithout": fits})).collect();
        let together: Vec<String> = self.together.iter().map(Constraint::to_string).collect();
        let per: Vec<Value> = self
            .per
            .iter()
            .map(|(zone, answer)| {
                let of = answer.to_json();
                json!({"zone": zone, "fits": of["fits"], "byClass": of["byClass"], "stopped": of["stopped"], "binding": of["binding"],
                       "bounds": of["bounds"]})
            })
            .collect();
        let mut told = json!({
            "name": self.name, "mix": {class: 1}, "fits": self.fits, "byClass": {class: self.fits}, "stopped": stopped, "binding": binding,
            "together": together, "conflict": [], "bounds": self.bounds.as_ref().map(|bounds| bounds.to_json(self.fits)),
            "tightest": self.tightest.iter().map(Tight::to_json).collect::<Vec<_>>(), "placements": self.placements,
        });
        if !per.is_empty() {
            told["per"] = per.into();
        }
        told
    }

    /// The answer for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let need = self.need.as_ref().map(|need| format!(" ({need})")).unwrap_or_default();
        let proof = match self.bounds.as_ref().map(|bounds| (bounds.upper(), bounds.upper().saturating_sub(i64::from(self.fits)))) {
            Some((_, 0)) => " Proven: no placement fits more.".to_owned(),
            Some((upper, _)) => format!(" No placement fits more than {upper}."),
            None => String::new(),
        };
        let mut lines = vec![format!("{}{need}: {} more fit.{proof}", self.name, self.fits)];
        if let Some(stopped) = &self.stopped {
            let without: Vec<String> = self.binding.iter().map(|(constraint, fits)| format!("without {constraint} {fits}")).collect();
            let together: Vec<String> = self.together.iter().map(Constraint::to_string).collect();
            let more = match (without.is_empty(), together.is_empty()) {
                (false, _) => format!("; {}", without.join(", ")),
                (true, false) => format!("; only without {} together more fit", together.join(" and ")),
                (true, true) => String::new(),
            };
            lines.push(format!(
                "  stopped because: {} ({}): {}{more}",
                stopped.constraint,
                stopped.stage,
                crate::timeline::plain(&stopped.message)
            ));
            for (constraint, count) in &stopped.hosts {
                lines.push(format!("    {constraint} on {count} of {} hosts", stopped.hosts_total));
            }
        }
        if !self.tightest.is_empty() {
            lines.push(format!("  {:<20} {:<20} {:>14} {:>10} {:>6}", "CLUSTER", "RESOURCE", "LEFT", "NEED", "FITS"));
            lines.extend(self.tightest.iter().take(10).map(Tight::line));
        }
        for (zone, answer) in &self.per {
            lines.push(format!("  {zone} alone: {} more fit", answer.fits));
        }
        lines
    }
}
