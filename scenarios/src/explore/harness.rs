//! A world with what happens in it, run and asked: for tests of others, with or without proptest. Source: reproduce §7.
//!
//! Users, administrators and faults are choices: a gap in time and a number each. What a choice comes to is told by the drawer of
//! `vmtwin explore` from the number and from what is there by then, so a list of choices without one of them is a list of choices.

use serde_json::{Value, json};

use super::dice::Dice;
use super::shrink::{self, Limits, Shrunk};
use super::users::{Users, Vm};
use super::{plan, trouble, world};
use crate::diagnostics::Diagnostic;
use crate::format::profile::Profile;
use crate::format::{API_VERSION, Scenario};
use crate::invariants::Invariant;
use crate::log::Keep;
use crate::runner::{Failing, Options, Ran, VSPHERE, Violation, run};

/// A world: an infrastructure, and the objects that are there from the start.
#[derive(Clone, Debug)]
pub struct World {
    profile: Profile,
    vsphere: Value,
    objects: Vec<Value>,
    facts: world::World,
}

impl World {
    /// Draws one of a profile; `vms` is how many VMs are to find room in it.
    #[must_use]
    pub fn draw(profile: &Profile, seed: u64, vms: u64) -> Self {
        let (facts, vsphere, objects) = world::draw(&mut Dice::of(profile, seed, 0, "world"), vms);
        Self { profile: profile.clone(), vsphere, objects, facts }
    }

    /// Its namespaces.
    #[must_use]
    pub fn namespaces(&self) -> &[String] {
        &self.facts.namespaces
    }

    /// Its hosts.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.facts.hosts
    }

    /// Its zones.
    #[must_use]
    pub fn zones(&self) -> &[String] {
        &self.facts.zones
    }

    /// A manifest of a VM that fits the world.
    #[must_use]
    pub fn vm(&self, choice: u64) -> Value {
        let asked = Users::default().create(&mut self.dice(choice, "vm"), &self.facts);
        asked.into_iter().next().map(|asked| asked.value).unwrap_or_default()
    }

    fn dice(&self, choice: u64, part: &str) -> Dice<'_> {
        Dice::of(&self.profile, choice, 0, part)
    }
}

/// One thing that happens: how long after the one before, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Seconds since the choice before.
    pub gap: u64,
    /// Which it is.
    pub pick: u64,
}

/// A profile's kind of happening, choice by choice.
#[derive(Clone, Debug)]
pub struct Happenings {
    /// Whose weights tell what a choice comes to.
    pub profile: Profile,
    /// The choices.
    pub choices: Vec<Choice>,
}

/// A world, what is applied to it, what happens in it, and what must hold.
#[derive(Clone, Debug)]
pub struct Harness {
    world: World,
    objects: Vec<Value>,
    steps: Vec<(u64, Value)>,
    made: Vec<(u64, Vm)>,
    end: u64,
    seed: u64,
    only: Vec<&'static str>,
}

/// What is given to the harness is no scenario.
#[derive(Debug, thiserror::Error)]
#[error("what was put together is no scenario: {}", told.iter().map(|one| one.message.as_str()).collect::<Vec<_>>().join("; "))]
pub struct Refused {
    /// All that is wrong with it.
    pub told: Vec<Diagnostic>,
}

impl Harness {
    /// A harness about a world in which nothing happens.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self { world, objects: Vec::new(), steps: Vec::new(), made: Vec::new(), end: 1, seed: 0, only: Vec::new() }
    }

    /// Applies manifests at the start, written as YAML documents.
    ///
    /// # Panics
    /// If they are no YAML.
    #[must_use]
    pub fn apply(mut self, manifests: &str) -> Self {
        let documents: Vec<Value> = serde_saphyr::from_multiple(manifests).expect("manifests are YAML documents");
        self.objects.extend(documents.into_iter().filter(|document| !document.is_null()));
        self
    }

    /// Applies a manifest at the start.
    #[must_use]
    pub fn object(mut self, manifest: Value) -> Self {
        self.objects.push(manifest);
        self
    }

    /// Takes a step of the scenario format, so many seconds after the start.
    #[must_use]
    pub fn step(mut self, at: u64, step: Value) -> Self {
        self.end = self.end.max(at);
        self.steps.push((at, step));
        self
    }

    /// Lets users ask for things.
    #[must_use]
    pub fn play(mut self, operations: &Happenings) -> Self {
        let mut users = Users::default();
        let groups = users.begin(&mut self.world.dice(self.seed, "users"), &self.world.facts);
        self.objects.extend(groups);
        let mut at = 1;
        for choice in &operations.choices {
            at += choice.gap;
            let mut dice = Dice::of(&operations.profile, choice.pick, 0, "operation");
            let weights = dice.swarm("users.operations", true);
            let before = users.vms.len();
            for asked in users.ask(&mut dice, &self.world.facts, &weights) {
                self.steps.push((at, plan::step_of(&asked, false)));
            }
            self.made.extend(users.vms[before..].iter().map(|vm| (at, vm.clone())));
        }
        self.end = self.end.max(at);
        self
    }

    /// Lets administrators change things behind the operator's back.
    #[must_use]
    pub fn out_of_band(mut self, changes: &Happenings) -> Self {
        let mut at = 1;
        for choice in &changes.choices {
            at += choice.gap;
            let mut dice = Dice::of(&changes.profile, choice.pick, 0, "out of band");
            let kinds = dice.swarm("outOfBand.kinds", true);
            self.steps.extend(trouble::change(&mut dice, &self.world.facts, &self.made, &kinds, at));
        }
        self.end = self.end.max(at);
        self
    }

    /// Lets things go wrong.
    #[must_use]
    pub fn faults(mut self, faults: &Happenings) -> Self {
        let mut at = 1;
        for choice in &faults.choices {
            at += choice.gap;
            let mut dice = Dice::of(&faults.profile, choice.pick, 0, "fault");
            let kinds = dice.swarm("faults.kinds", true);
            self.steps.extend(trouble::one(&mut dice, &self.world.facts, at, &kinds));
        }
        self.end = self.end.max(at);
        self
    }

    /// Watches by these invariants alone.
    #[must_use]
    pub fn invariants<'i>(mut self, invariants: impl IntoIterator<Item = &'i Invariant>) -> Self {
        self.only = invariants.into_iter().map(|rule| rule.name).collect();
        self
    }

    /// The seed of all that is random in the run.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// All of it as the document of a scenario.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut steps = self.steps.clone();
        steps.sort_by_key(|(at, _)| *at);
        let mut steps: Vec<Value> = steps.into_iter().map(plan::timed).collect();
        steps.push(json!({"sleep": "1h"}));
        let objects: Vec<&Value> = self.world.objects.iter().chain(&self.objects).collect();
        json!({"apiVersion": API_VERSION, "kind": "Scenario", "metadata": {"name": "property"},
            "spec": {"seed": self.seed, "vsphere": self.world.vsphere, "invariants": {"only": self.only}, "objects": objects, "steps": steps}})
    }

    /// Runs it.
    ///
    /// # Errors
    /// If what was put together is no scenario: a manifest with a field that doesn't exist, say.
    pub fn try_run(&self) -> Result<Played, Refused> {
        let document = self.document();
        let scenario = super::load(&document).map_err(|told| Refused { told })?;
        let options = Options { keep: Keep::All, failing: Failing::GoesOn, ..Options::default() };
        Ok(Played { ran: run(&scenario, &options, &|| false), document })
    }

    /// Runs it.
    ///
    /// # Panics
    /// If what was put together is no scenario; [`Harness::try_run`] says so instead.
    #[must_use]
    pub fn run(&self) -> Played {
        match self.try_run() {
            Ok(played) => played,
            Err(refused) => panic!("{refused}"),
        }
    }
}

/// A run that is over.
#[derive(Debug)]
pub struct Played {
    document: Value,
    ran: Ran,
}

impl Played {
    /// What was violated.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.ran.report.violations
    }

    /// The run itself: report, log, final objects.
    #[must_use]
    pub fn ran(&self) -> &Ran {
        &self.ran
    }

    /// How all is after the last step.
    #[must_use]
    pub fn at_end(&self) -> End<'_> {
        End { objects: &self.ran.final_objects }
    }

    /// What happened, for the message of an assertion that fails: what was violated, and the scenario that repeats it.
    #[must_use]
    pub fn story(&self) -> String {
        let violated = self.violations().iter().map(|violation| format!("{}: {}\n", violation.invariant, violation.message));
        format!("{}{}", violated.collect::<String>(), super::to_yaml(&self.document))
    }

    /// The scenario made small, as long as a run of it fails by this test.
    ///
    /// # Errors
    /// If it doesn't.
    pub fn shrink(&self, tries: u64, fails: &dyn Fn(&Self) -> bool) -> Result<Shrunk, shrink::ShrinkError> {
        let failing = |scenario: &Scenario, document: &Value| {
            let options = Options { keep: Keep::All, failing: Failing::GoesOn, ..Options::default() };
            fails(&Self { document: document.clone(), ran: run(scenario, &options, &|| false) })
        };
        shrink::shrink_by(&self.document, &failing, &Limits { tries, stop: &|| false })
    }
}

/// The world after a run.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    objects: &'a [Value],
}

impl<'a> End<'a> {
    /// All VMs that have an object.
    #[must_use]
    pub fn vms(&self) -> Vms<'a> {
        let text = |value: &'a Value, path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let of = |vsphere: bool| {
            let kind =
                move |object: &&'a Value| text(object, "/kind") == "VirtualMachine" && (text(object, "/apiVersion") == VSPHERE) == vsphere;
            self.objects.iter().filter(kind)
        };
        let power = |object: &Value| {
            let name = format!("{}/{}", text_of(object, "/metadata/namespace"), text_of(object, "/metadata/name"));
            let there = of(true).find(|vm| text(vm, "/metadata/name") == name);
            there.map(|vm| text(vm, "/runtime/powerState")).unwrap_or_default()
        };
        Vms { vms: of(false).map(|object| (object, power(object))).collect() }
    }

    /// All objects, Kubernetes' and the infrastructure's.
    #[must_use]
    pub fn objects(&self) -> &'a [Value] {
        self.objects
    }
}

fn text_of<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Some of the VMs after a run: their objects, and the power states that vSphere has.
#[derive(Clone, Debug)]
pub struct Vms<'a> {
    vms: Vec<(&'a Value, &'a str)>,
}

impl<'a> Vms<'a> {
    /// Those with a label.
    #[must_use]
    pub fn labelled(mut self, key: &str, value: &str) -> Self {
        self.vms.retain(|(object, _)| object["metadata"]["labels"][key] == value);
        self
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.vms.len()
    }

    /// How many of them run.
    #[must_use]
    pub fn powered_on(&self) -> usize {
        self.vms.iter().filter(|(_, power)| *power == "poweredOn").count()
    }

    /// Their objects.
    pub fn objects(&self) -> impl Iterator<Item = &'a Value> {
        self.vms.iter().map(|(object, _)| *object)
    }
}
