//! Properties that hold in every run, whatever the scenario. Source: reproduce §2.
//!
//! The oracle is apart from the mechanism: a rule reads the API server's history, the twin's objects and the log, never the engine's
//! memory or verdicts; it restates its page naively. Safety rules look after every record, rest rules whenever nothing is due, liveness
//! rules after the last step, on a fork that runs on. Each counts its premise: the situations in which it could have failed.

mod affinity_required;
mod boot_order_delays;
mod claims_safe;
mod crypto_legal;
mod delete_held;
mod destroy_in_order;
mod excused;
mod group_power_reached;
mod hard_after_soft;
mod history;
mod host_usable;
mod identity_fixed;
mod keys_agree;
mod ledger;
mod member_waits_placement;
mod members_exact;
mod one_pass_one_change;
mod one_vm_each;
mod owner_iff_linked;
mod power_call_wanted;
mod power_on_held;
mod power_reached;
mod power_transition_legal;
mod privilege_kept;
mod quota_respected;
mod rekey_needed;
mod reservations_fit;
mod resize_due_only;
mod resize_marks_true;
mod resize_off_only;
mod rest_is_rest;
mod restart_happens;
mod restart_once;
mod settles;
mod status_true;
mod user_fields_kept;
mod view;
mod volumes_before_on;
mod zone_kept;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::time::Span;
use vmtwin_model::vsphere::Inventory;

use ledger::{Ledger, Touched};
use view::Described;
pub use view::View;

use crate::format::InvariantSelection;
use crate::log::{Entry, Event, Record, Source};
use crate::runner::{Simulation, Turn, Violation};

/// How long liveness rules let a run go on.
const FOLLOWED: Span = Span::from_hours(2);

/// A rule that holds in every run.
#[derive(Debug)]
pub struct Invariant {
    /// Its name.
    pub name: &'static str,
    /// The rule that it guards: page and section.
    pub guards: &'static str,
    /// What it says, in a sentence.
    pub holds: &'static str,
    /// Whether it checks the twin rather than the operator.
    pub of_twin: bool,
    /// When it is looked at, and how.
    pub(crate) when: When,
}

/// When a rule is looked at, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// After every record.
    Each(fn(&View<'_>, &Record, &mut Check)),
    /// Whenever nothing is due, at what changed since.
    AtRest(fn(&View<'_>, &mut Check)),
    /// After every record, and whenever nothing is due at what changed since.
    Both(fn(&View<'_>, &Record, &mut Check), fn(&View<'_>, &mut Check)),
    /// After the last step, when the run has gone on long enough.
    AtLast(fn(&View<'_>, &mut Check)),
    /// At last, on a fork of its own.
    OnFork(fn(&mut Simulation, &mut Check)),
}

impl Invariant {
    /// `safety`, `rest` or `liveness`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.when {
            When::Each(_) | When::Both(..) => "safety",
            When::AtRest(_) | When::OnFork(_) => "rest",
            When::AtLast(_) => "liveness",
        }
    }
}

/// All rules, in the order of the page.
#[must_use]
pub fn all() -> &'static [Invariant] {
    ALL
}

/// `safety`, `rest` or `liveness`, by an invariant's name.
#[must_use]
pub fn kind_of(name: &str) -> &'static str {
    ALL.iter().find(|rule| rule.name == name).map_or("safety", Invariant::kind)
}

/// The rules of these names.
#[must_use]
pub fn named(names: &[&str]) -> Vec<&'static Invariant> {
    ALL.iter().filter(|rule| names.contains(&rule.name)).collect()
}

/// Rules of the page that no run checks yet, and why: a scenario that asks for one of them alone is refused.
pub const UNCHECKED: &[(&str, &str)] = &[
    ("crash-changes-nothing", "a property of two runs, and nothing compares two runs yet"),
    ("datastore-allowed", "the twin tells no disk's policy"),
    ("group-ready-true", "conditions of groups are held against objects by members-exact and owner-iff-linked alone"),
    ("invalid-denied", "a property of drawn requests: `vmtwin explore` holds them against their denial, a step says `expect: {denied: …}`"),
    ("must-rules-kept", "the twin doesn't tell the rules as they are after a cluster was changed"),
    ("network-config-true", "no second reading of the network configuration's sources is written"),
    ("placed-when-possible", "the search over all places isn't written"),
    ("usage-exact", "no ledger of files is written"),
    ("volumes-true", "no second reading of a VM's disks is written"),
];

const ALL: &[Invariant] = &[
    power_on_held::RULE,
    power_call_wanted::RULE,
    power_transition_legal::RULE,
    hard_after_soft::RULE,
    restart_once::RULE,
    restart_happens::RULE,
    status_true::RULE,
    power_reached::RULE,
    host_usable::RULE,
    reservations_fit::RULE,
    affinity_required::RULE,
    zone_kept::RULE,
    boot_order_delays::RULE,
    group_power_reached::RULE,
    member_waits_placement::RULE,
    members_exact::RULE,
    owner_iff_linked::RULE,
    resize_off_only::RULE,
    resize_due_only::RULE,
    resize_marks_true::RULE,
    crypto_legal::RULE,
    rekey_needed::RULE,
    keys_agree::RULE,
    quota_respected::RULE,
    claims_safe::RULE,
    volumes_before_on::RULE,
    delete_held::RULE,
    destroy_in_order::RULE,
    one_vm_each::RULE,
    identity_fixed::RULE,
    privilege_kept::RULE,
    user_fields_kept::RULE,
    one_pass_one_change::RULE,
    rest_is_rest::RULE,
    settles::RULE,
];

/// What a look of a rule came to.
#[derive(Clone, Debug, Default)]
pub struct Check {
    premises: u64,
    findings: Vec<Finding>,
}

#[derive(Clone, Debug)]
struct Finding {
    objects: Vec<String>,
    message: String,
    expected: String,
    observed: String,
}

impl Check {
    /// One situation in which the rule could have failed.
    pub fn premise(&mut self) {
        self.premises += 1;
    }

    /// The rule failed on these objects.
    pub fn violated(
        &mut self,
        objects: &[&dyn std::fmt::Display],
        message: impl Into<String>,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) {
        self.findings.push(Finding {
            objects: objects.iter().map(ToString::to_string).collect(),
            message: message.into(),
            expected: expected.into(),
            observed: observed.into(),
        });
    }
}

/// Watches a run by all rules that are switched on.
#[derive(Clone, Debug)]
pub struct Monitor {
    rules: Vec<&'static Invariant>,
    described: Arc<Described>,
    ledger: Ledger,
    told: BTreeSet<(&'static str, Vec<String>)>,
    premises: BTreeMap<&'static str, u64>,
}

impl Monitor {
    /// A monitor of the rules that a scenario selects, over a run that is about to begin.
    #[must_use]
    pub fn new(selection: &InvariantSelection, inventory: &Inventory, simulation: &Simulation) -> Self {
        let on = |rule: &&'static Invariant| {
            let named = |list: &[String]| list.iter().any(|name| name == rule.name);
            (selection.only.is_empty() || named(&selection.only)) && !named(&selection.disable)
        };
        Self {
            rules: ALL.iter().filter(on).collect(),
            described: Arc::new(Described::new(inventory)),
            ledger: Ledger::begin(simulation),
            told: BTreeSet::new(),
            premises: BTreeMap::new(),
        }
    }

    /// How often each rule could have failed so far.
    #[must_use]
    pub fn premises(&self) -> &BTreeMap<&'static str, u64> {
        &self.premises
    }

    /// Looks at what was just written, and gives what is violated by it.
    pub fn after(&mut self, simulation: &Simulation, records: &[Arc<Record>]) -> Vec<Violation> {
        let mut violations = Vec::new();
        for record in records {
            self.ledger.take(simulation, record);
            for at in 0..self.rules.len() {
                let rule = self.rules[at];
                if let When::Each(check) | When::Both(check, _) = rule.when {
                    let found = self.look(simulation, |view, out| check(view, record, out));
                    violations.extend(self.tell(rule, found, simulation));
                }
            }
            self.ledger.forget(record);
        }
        // While vCenter is out of reach nothing can be true of it; what changed meanwhile is looked at when it answers again.
        if !self.ledger.touched.is_empty() && simulation.world().vcenter_is_up() && simulation.next_pending().is_none() {
            violations.extend(self.at_rest(simulation));
            self.ledger.touched = Touched::default();
        }
        violations
    }

    fn at_rest(&mut self, simulation: &Simulation) -> Vec<Violation> {
        let mut violations = Vec::new();
        for rule in self.rules.clone() {
            if let When::AtRest(check) | When::Both(_, check) = rule.when {
                let found = self.look(simulation, check);
                violations.extend(self.tell(rule, found, simulation));
            }
        }
        violations
    }

    /// Lets a fork of the run go on until it settles, two hours at most, and looks by the liveness rules; nothing if it was told to stop before.
    /// `cancelled` is asked after each turn.
    pub fn follow(&mut self, mut fork: Simulation, cancelled: &mut dyn FnMut() -> bool) -> Option<Vec<Violation>> {
        let wanted = self.rules.iter().any(|rule| matches!(rule.when, When::AtLast(_) | When::OnFork(_)));
        if !wanted {
            return Some(Vec::new());
        }
        let deadline = fork.now() + FOLLOWED;
        let mut monitor = self.clone();
        while fork.next_pending().is_some_and(|at| at <= deadline) {
            if cancelled() {
                return None;
            }
            match fork.turn(deadline) {
                Turn::Idle => break,
                Turn::Event(records) => records.iter().for_each(|record| {
                    monitor.ledger.take(&fork, record);
                    monitor.ledger.forget(record);
                }),
            }
        }
        let mut violations = Vec::new();
        for rule in monitor.rules.clone() {
            match rule.when {
                When::AtLast(check) => {
                    let found = monitor.look(&fork, check);
                    violations.extend(monitor.tell(rule, found, &fork));
                }
                When::OnFork(check) => {
                    let (mut other, mut found) = (fork.clone(), Check::default());
                    check(&mut other, &mut found);
                    violations.extend(monitor.tell(rule, found, &other));
                }
                When::Each(_) | When::AtRest(_) | When::Both(..) => {}
            }
        }
        self.premises = monitor.premises;
        Some(violations)
    }

    fn look(&self, simulation: &Simulation, check: impl FnOnce(&View<'_>, &mut Check)) -> Check {
        let mut out = Check::default();
        check(&View::new(simulation, &self.described, &self.ledger), &mut out);
        out
    }

    /// Turns findings into violations, each set of objects once.
    fn tell(&mut self, rule: &'static Invariant, found: Check, simulation: &Simulation) -> Vec<Violation> {
        const LINES: usize = 6;
        if found.premises > 0 {
            *self.premises.entry(rule.name).or_default() += found.premises;
        }
        if found.findings.is_empty() {
            return Vec::new();
        }
        let fresh = found.findings.into_iter().filter(|finding| self.told.insert((rule.name, finding.objects.clone()))).collect::<Vec<_>>();
        let one = |finding: Finding| Violation {
            invariant: rule.name,
            at: simulation.now() - simulation.log().start(),
            records: simulation.log().touching(&finding.objects, LINES),
            objects: finding.objects,
            message: finding.message,
            expected: finding.expected,
            observed: finding.observed,
        };
        fresh.into_iter().map(one).collect()
    }
}

/// A violation as an entry of the log.
#[must_use]
pub fn entry_of(violation: &Violation) -> Entry {
    Entry::new(Source::Scenario, Event::Violation, Cause::default(), format!("{}: {}", violation.invariant, violation.message))
}
