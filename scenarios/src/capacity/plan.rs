//! What is asked: a plan, made of flags or of a document, and what can be wrong with it. Source: capacity §2, §6.

use std::collections::BTreeSet;

use serde_json::json;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::{Kind, Resource};
use vmtwin_model::time::Span;
use vmtwin_sim::planning::Overcommit;

use super::{Headroom, Judged, Survival};
use crate::format::{Scenario, nearest};
use crate::runner::Simulation;

/// A plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// The world that is asked.
    pub baseline: Scenario,
    /// A seed in place of the baseline's own.
    pub seed: Option<u64>,
    /// How long the baseline may take to settle.
    pub settle: Span,
    /// What a baseline is allowed to be: `unsettled`, `infeasible`.
    pub allow: BTreeSet<String>,
    /// The planner's own limit.
    pub overcommit: Overcommit,
    /// How many more fit.
    pub headroom: Vec<HeadroomQuestion>,
    /// What a failure leaves.
    pub survive: Option<SurviveQuestion>,
    /// What must hold.
    pub requirements: Vec<Requirement>,
}

/// How many more VMs of a class fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadroomQuestion {
    /// How requirements and output call it.
    pub name: String,
    /// The class.
    pub class: String,
    /// The namespace, image and storage class of the new VMs: the baseline's only ones unless told.
    pub namespace: Option<String>,
    /// See `namespace`.
    pub image: Option<String>,
    /// See `namespace`.
    pub storage_class: Option<String>,
    /// The zone label of the new VMs.
    pub zone: Option<String>,
    /// Also with each zone alone.
    pub per_zone: bool,
    /// What no two of the new VMs may share.
    pub apart: Option<Apart>,
    /// Where the count ends.
    pub limit: u32,
}

/// What VMs that repel each other don't share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// A host.
    Host,
    /// A zone.
    Zone,
}

/// What fails, each in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sets {
    /// Single hosts.
    Hosts,
    /// Zones.
    Zones,
}

impl std::str::FromStr for Sets {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "hosts" => Ok(Self::Hosts),
            "zones" => Ok(Self::Zones),
            "pairs" | "clusters" => Err(format!("`{word}` isn't answered by this version of vmtwin; `hosts` and `zones` are")),
            _ => Err(format!("`{word}` is neither `hosts` nor `zones`")),
        }
    }
}

/// What must hold for a failure to count as survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Nothing is down that isn't to be.
    Restart,
    /// No rule is broken that held before.
    Rules,
    /// No member of a group was powered on before one of an earlier boot group.
    BootOrder,
    /// Each group with a member on has one on.
    Groups,
}

impl std::str::FromStr for Keep {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word {
            "restart" => Self::Restart,
            "rules" => Self::Rules,
            "bootOrder" => Self::BootOrder,
            "groups" => Self::Groups,
            _ => return Err(format!("`{word}` is none of restart, rules, bootOrder, groups")),
        })
    }
}

/// What a failure leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurviveQuestion {
    /// What fails.
    pub of: BTreeSet<Sets>,
    /// How long after the failure the result is taken.
    pub within: Span,
    /// What must hold; the kind's own unless told.
    pub keep: Option<BTreeSet<Keep>>,
}

/// What must hold of the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// So many fit.
    AtLeast {
        /// The question.
        headroom: String,
        /// How many.
        at_least: u32,
    },
    /// All of these failures are survived.
    Survive {
        /// Which.
        of: Sets,
        /// And the 95th percentile of the recovery is within this time.
        within: Option<Span>,
    },
}

/// Why a plan isn't answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It names what isn't there.
    #[error("CAP002: no {kind} is named `{name}`{near}")]
    Unknown {
        /// What.
        kind: &'static str,
        /// Which.
        name: String,
        /// A name that is near.
        near: String,
    },
    /// A baseline without hosts.
    #[error("CAP003: {0} has no host")]
    NoHosts(String),
    /// What new VMs are made of isn't clear.
    #[error("CAP004: which {kind} new VMs are to have isn't clear: {candidates}")]
    Unclear {
        /// What.
        kind: &'static str,
        /// Which there are.
        candidates: String,
    },
    /// A value that makes no sense.
    #[error("CAP005: {0}")]
    Value(String),
    /// The baseline can't be set up.
    #[error("{0}")]
    Baseline(String),
    /// It doesn't settle.
    #[error("CAP010: {0}")]
    Unsettled(String),
    /// It breaks rules of its own.
    #[error("CAP011: {0}")]
    Infeasible(String),
    /// Somebody interrupted it.
    #[error("interrupted")]
    Interrupted,
}

/// What new VMs are made of.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) namespace: String,
    pub(super) image: String,
    pub(super) storage_class: String,
}

impl Plan {
    /// A plan that asks nothing yet, with every default.
    #[must_use]
    pub fn of(baseline: Scenario) -> Self {
        Self {
            name: baseline.name.clone(),
            baseline,
            seed: None,
            settle: Span::from_hours(1),
            allow: BTreeSet::new(),
            overcommit: Overcommit { cpu: Some(400), memory: Some(100) },
            headroom: Vec::new(),
            survive: None,
            requirements: Vec::new(),
        }
    }

    /// Holds the plan against its baseline.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        let clusters = self.baseline.inventory.zones.iter().flat_map(|zone| &zone.clusters);
        if clusters.clone().next().is_none() {
            return Err(PlanError::NoHosts("the baseline".to_owned()));
        }
        if let Some(empty) = clusters.into_iter().find(|cluster| cluster.hosts.is_empty()) {
            return Err(PlanError::NoHosts(empty.name.to_string()));
        }
        let mut names = BTreeSet::new();
        for question in &self.headroom {
            if !names.insert(&question.name) {
                return Err(PlanError::Value(format!("two questions are called `{}`", question.name)));
            }
            if question.limit == 0 {
                return Err(PlanError::Value(format!("the limit of `{}` isn't positive", question.name)));
            }
            self.made_of(question)?;
            if let Some(zone) = &question.zone {
                let zones = self.baseline.inventory.zones.iter().map(|zone| &*zone.name);
                known("zone", zone, zones)?;
            }
        }
        for requirement in &self.requirements {
            match requirement {
                Requirement::AtLeast { headroom, .. } => known("question", headroom, names.iter().map(|name| name.as_str()))?,
                Requirement::Survive { of, .. } if !self.survive.as_ref().is_some_and(|asked| asked.of.contains(of)) => {
                    return Err(PlanError::Value("a requirement is on a failure that isn't asked about".to_owned()));
                }
                Requirement::Survive { .. } => {}
            }
        }
        Ok(())
    }

    /// Namespace, image and storage class of a question's VMs.
    pub(super) fn made_of(&self, question: &HeadroomQuestion) -> Result<Made, PlanError> {
        let inventory = &self.baseline.inventory;
        let namespaces: Vec<&str> = inventory.namespaces.iter().map(|namespace| &*namespace.name).collect();
        let images: Vec<&str> = inventory.images.iter().map(|image| &*image.name).collect();
        let classes: Vec<&str> = inventory.storage_policies.iter().map(|policy| &*policy.name).collect();
        Ok(Made {
            namespace: only("namespace", question.namespace.as_ref(), &namespaces)?,
            image: only("image", question.image.as_ref(), &images)?,
            storage_class: only("storage class", question.storage_class.as_ref(), &classes)?,
        })
    }

    /// A question for every class of the baseline.
    pub(super) fn every_class(&self, base: &Simulation) -> Vec<HeadroomQuestion> {
        let classes = base.api().list(VirtualMachineClass::KIND, None).map(|class| class.key.clone());
        let mut questions: Vec<HeadroomQuestion> = Vec::new();
        for class in classes {
            let question = HeadroomQuestion { namespace: Some(class.namespace.to_string()), ..HeadroomQuestion::of(&class.name) };
            if !questions.iter().any(|there| there.name == question.name) {
                questions.push(question);
            }
        }
        questions
    }

    /// Whether a class reserves nothing.
    pub(super) fn reserves_nothing(&self, base: &Simulation, question: &HeadroomQuestion) -> bool {
        let mut classes = base.api().list(VirtualMachineClass::KIND, None).filter(|class| *class.key.name == *question.class);
        classes.next().and_then(|class| class.view::<VirtualMachineClass>()).is_some_and(|class| {
            let requests = class.spec.policies.as_ref().and_then(|policies| policies.resources.as_ref()?.requests.as_ref());
            requests.is_none_or(|requests| requests.cpu.is_none() && requests.memory.is_none())
        })
    }
}

impl HeadroomQuestion {
    /// The question after a class, with every default.
    #[must_use]
    pub fn of(class: &str) -> Self {
        Self {
            name: class.to_owned(),
            class: class.to_owned(),
            namespace: None,
            image: None,
            storage_class: None,
            zone: None,
            per_zone: false,
            apart: None,
            limit: 10_000,
        }
    }
}

fn only(kind: &'static str, given: Option<&String>, there: &[&str]) -> Result<String, PlanError> {
    match (given, there) {
        (Some(name), there) => {
            known(kind, name, there.iter().copied())?;
            Ok(name.clone())
        }
        (None, [one]) => Ok((*one).to_owned()),
        (None, []) => Err(PlanError::Unclear { kind, candidates: "the baseline has none".to_owned() }),
        (None, several) => Err(PlanError::Unclear { kind, candidates: several.join(", ") }),
    }
}

/// Whether a name is known.
pub(super) fn known<'a>(kind: &'static str, name: &str, there: impl Iterator<Item = &'a str> + Clone) -> Result<(), PlanError> {
    if there.clone().any(|known| known == name) {
        return Ok(());
    }
    let mut effort = 100_000;
    let near = nearest(name, there, &mut effort).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(PlanError::Unknown { kind, name: name.to_owned(), near })
}

impl Requirement {
    pub(super) fn judge(&self, headroom: &[Headroom], survive: Option<&Survival>) -> Judged {
        match self {
            Self::AtLeast { headroom: name, at_least } => {
                let fits = headroom.iter().find(|answer| answer.name == *name).map_or(0, |answer| answer.fits);
                Judged {
                    text: format!("{{headroom: {name}, atLeast: {at_least}}}"),
                    held: fits >= *at_least,
                    value: json!(fits),
                    message: format!("{name} at least {at_least}, {fits} fit"),
                }
            }
            Self::Survive { of, within } => {
                let failures: Vec<_> =
                    survive.iter().flat_map(|survival| &survival.failures).filter(|failure| failure.kind == *of).collect();
                let survived = failures.iter().filter(|failure| failure.survived).count();
                let word = if *of == Sets::Hosts { "hosts" } else { "zones" };
                let mut recoveries: Vec<Span> = failures.iter().filter_map(|failure| failure.recovery).collect();
                recoveries.sort_unstable();
                let p95 = super::survive::percentile(&recoveries, 95);
                let in_time = within.is_none_or(|within| p95.is_none_or(|p95| p95 <= within));
                let late = if in_time {
                    String::new()
                } else {
                    format!(", the recovery takes {}", p95.map(crate::timeline::duration).unwrap_or_default())
                };
                Judged {
                    text: format!("{{survive: {word}}}"),
                    held: survived == failures.len() && in_time,
                    value: json!(survived),
                    message: format!("{survived} of {} {word} survived{late}", failures.len()),
                }
            }
        }
    }
}

/// The kind of the objects that questions name.
pub(super) const CLASS: Kind = VirtualMachineClass::KIND;
