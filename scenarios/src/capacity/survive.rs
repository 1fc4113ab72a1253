//! What a failure leaves: all of a set fails at one instant in a fork, and twin and operator act until all is quiet. Source: capacity §3.5.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use vmtwin_model::kube::ObjectKey;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::action::{Fate, HostAction};
use vmtwin_model::vsphere::vm::{ConnectionState, PowerState};
use vmtwin_model::vsphere::{Action, VirtualMachine};
use vmtwin_sim::explain::Subject;
use vmtwin_sim::planning::Constraint;

use super::plan::{Keep, PlanError, Sets, SurviveQuestion};
use super::tell;
use crate::runner::{Simulation, Turn};

/// What came of each failure, the worst first.
#[derive(Clone, Debug)]
pub struct Survival {
    /// The failures.
    pub failures: Vec<Failure>,
}

/// What came of one failure.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What sort of set failed.
    pub kind: Sets,
    /// What failed.
    pub failed: String,
    /// Whether all that is to be kept was.
    pub survived: bool,
    /// How many VMs ran there.
    pub lost: usize,
    /// How many of them are on again.
    pub restarted: usize,
    /// Those that aren't.
    pub down: Vec<String>,
    /// Those of them that nothing protects: HA is off, or their restart is disabled.
    pub not_protected: Vec<String>,
    /// Rules that held before and don't any more.
    pub rules_broken: Vec<String>,
    /// Members that were powered on before one of an earlier boot group.
    pub boot_order_broken: Vec<String>,
    /// Groups with a member on before and none now.
    pub groups_down: Vec<String>,
    /// From the failure until the last restarted VM was back.
    pub recovery: Option<Span>,
    /// How many VMs stay down for each constraint.
    pub stopped: BTreeMap<Constraint, u32>,
    /// How many must stay down whatever is done.
    pub down_at_least: usize,
}

/// The percentile by nearest rank of values in order.
pub(super) fn percentile(sorted: &[Span], percent: usize) -> Option<Span> {
    let rank = (percent * sorted.len()).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

pub(super) fn ask(question: &SurviveQuestion, base: &Simulation, cancelled: &dyn Fn() -> bool) -> Result<Survival, PlanError> {
    let mut failures = Vec::new();
    for kind in &question.of {
        let sets: BTreeSet<String> = match kind {
            Sets::Hosts => base.world().hosts().map(|host| host.name.to_string()).collect(),
            Sets::Zones => base.world().clusters().map(|cluster| cluster.zone.to_string()).collect(),
        };
        for set in sets {
            failures.push(one(question, *kind, set, base, cancelled)?);
        }
    }
    failures.sort_by_cached_key(|failure| {
        let (down, rules) = (std::cmp::Reverse(failure.down.len()), std::cmp::Reverse(failure.rules_broken.len()));
        (down, rules, std::cmp::Reverse(failure.recovery), failure.failed.clone())
    });
    Ok(Survival { failures })
}

fn is_on(vm: &VirtualMachine) -> bool {
    vm.runtime.power_state == PowerState::PoweredOn && vm.runtime.connection_state == ConnectionState::Connected
}

/// How a scenario knows a VM.
fn name_of(vm: &VirtualMachine) -> String {
    vm.extra_config("vmservice.namespacedName").map_or_else(|| vm.name.to_string(), str::to_owned)
}

/// The VMs that run on a set.
fn running_on(base: &Simulation, kind: Sets, set: &str) -> Vec<(String, bool)> {
    let hosts: BTreeSet<&str> = match kind {
        Sets::Hosts => BTreeSet::from([set]),
        Sets::Zones => {
            let clusters: BTreeSet<_> =
                base.world().clusters().filter(|cluster| *cluster.zone == *set).map(|cluster| cluster.id.clone()).collect();
            base.world().hosts().filter(|host| clusters.contains(&host.cluster_id)).map(|host| &*host.name).collect()
        }
    };
    let there = |vm: &&std::sync::Arc<VirtualMachine>| vm.location.host_name.as_deref().is_some_and(|host| hosts.contains(host));
    let vms = base.world().vms().filter(|vm| is_on(vm)).filter(there);
    vms.map(|vm| (name_of(vm), vm.tools_run())).collect()
}

fn one(question: &SurviveQuestion, kind: Sets, set: String, base: &Simulation, cancelled: &dyn Fn() -> bool) -> Result<Failure, PlanError> {
    let lost = running_on(base, kind, &set);
    let rules_before = base.world().broken_rules();
    let groups_before = groups(base);
    let mut fork = base.clone();
    let action = match kind {
        Sets::Hosts => Action::Host(set.as_str().into(), HostAction::Fate(Fate::Fail)),
        Sets::Zones => Action::Zone(set.as_str().into(), Fate::Fail),
    };
    // What is down already fails no more.
    let failed = fork.act(&action).is_ok();
    let began = fork.now();
    let mut watch =
        Watch { began, open: lost.iter().cloned().collect(), started: BTreeMap::new(), back: BTreeMap::new(), seen_down: BTreeSet::new() };
    if failed {
        watch.follow(&mut fork, began + question.within, cancelled)?;
    }
    let world = fork.world();
    let mut failure = Failure {
        kind,
        survived: true,
        lost: lost.len(),
        restarted: 0,
        down: Vec::new(),
        not_protected: Vec::new(),
        rules_broken: world.broken_rules().into_iter().filter(|rule| !rules_before.contains(rule)).map(|rule| rule.to_string()).collect(),
        boot_order_broken: boot_order_broken(&fork, &watch.started),
        groups_down: Vec::new(),
        recovery: watch.back.values().max().map(|at| *at - began),
        stopped: BTreeMap::new(),
        down_at_least: 0,
        failed: set,
    };
    for (name, _) in &lost {
        if world.vm_named(name).is_some_and(|vm| is_on(vm)) {
            failure.restarted += 1;
            continue;
        }
        failure.down.push(name.clone());
        if !is_protected(base, name) {
            failure.not_protected.push(name.clone());
            continue;
        }
        if let Some((hosts, all)) = world.rejections(Subject::Existing(name)) {
            // What alone keeps it off every host that is up.
            let down = hosts.get(&Constraint::Host).copied().unwrap_or(0);
            for (constraint, count) in hosts {
                if constraint != Constraint::Host && count + down >= all && count > 0 {
                    *failure.stopped.entry(constraint).or_default() += 1;
                }
            }
        }
    }
    failure.down_at_least = down_at_least(base, &fork, &failure, &lost);
    failure.groups_down = groups_down(&fork, &groups_before, &failure);
    let own: BTreeSet<Keep> = match kind {
        Sets::Hosts => [Keep::Restart, Keep::Rules, Keep::BootOrder].into(),
        Sets::Zones => [Keep::Groups].into(),
    };
    failure.survived = question.keep.as_ref().unwrap_or(&own).iter().all(|keep| failure.kept(base, *keep));
    Ok(failure)
}

/// What becomes of the lost VMs.
struct Watch {
    began: Timestamp,
    /// Those that aren't back, each with whether its tools ran.
    open: BTreeMap<String, bool>,
    /// When each was switched on again.
    started: BTreeMap<String, Timestamp>,
    /// When each was back: on, and its tools running if they did before.
    back: BTreeMap<String, Timestamp>,
    /// Those that were seen off or out of reach since the failure: until then nobody knows that they are lost.
    seen_down: BTreeSet<String>,
}

impl Watch {
    fn follow(&mut self, fork: &mut Simulation, limit: Timestamp, cancelled: &dyn Fn() -> bool) -> Result<(), PlanError> {
        const LOOK_EVERY: u32 = 1024;

        let mut turns: u32 = 0;
        loop {
            self.look(fork);
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(LOOK_EVERY) && cancelled() {
                return Err(PlanError::Interrupted);
            }
            let quiet = fork.next_pending().is_none_or(|at| at > limit);
            if quiet || matches!(fork.turn(limit), Turn::Idle) {
                return Ok(());
            }
        }
    }

    fn look(&mut self, fork: &Simulation) {
        let now = fork.now();
        let mut back = Vec::new();
        for (name, had_tools) in &self.open {
            let Some(vm) = fork.world().vm_named(name) else { continue };
            if !is_on(vm) {
                self.seen_down.insert(name.clone());
            } else if self.seen_down.contains(name) {
                self.started.entry(name.clone()).or_insert(now);
                if !had_tools || vm.tools_run() {
                    back.push(name.clone());
                }
            }
        }
        for name in back {
            self.open.remove(&name);
            self.back.insert(name, now);
        }
        debug_assert!(now >= self.began, "time goes on");
    }
}

/// Whether HA is there for a VM.
fn is_protected(base: &Simulation, name: &str) -> bool {
    let Some(vm) = base.world().vm_named(name) else { return false };
    let of_vm = vm.location.cluster.as_ref();
    let cluster = base.world().clusters().find(|cluster| Some(&cluster.id) == of_vm);
    cluster.is_some_and(|cluster| cluster.ha.enabled && cluster.ha.restart_priority.get(name).is_none_or(|word| &**word != "disabled"))
}

/// The groups with the VMs of each that are on, those of groups below it too.
fn groups(simulation: &Simulation) -> BTreeMap<String, Vec<String>> {
    let objects = simulation.api().list(<VirtualMachineGroup as vmtwin_model::kube::Resource>::KIND, None);
    let mut groups = BTreeMap::new();
    for object in objects {
        let on: Vec<String> = members(simulation, &object.key).into_iter().map(|(vm, _)| vm).collect();
        let on = on.into_iter().filter(|vm| simulation.world().vm_named(vm).is_some_and(|vm| is_on(vm))).collect();
        groups.insert(object.key.namespaced_name(), on);
    }
    groups
}

/// The VMs that a group lists, each with its boot group.
fn members(simulation: &Simulation, key: &ObjectKey) -> Vec<(String, usize)> {
    let Some(group) = simulation.api().get(key).and_then(|group| group.view::<VirtualMachineGroup>()) else { return Vec::new() };
    let boot_groups = group.spec.boot_order.iter().enumerate();
    let listed = boot_groups.flat_map(|(nth, boot_group)| boot_group.members.iter().map(move |member| (member, nth)));
    listed
        .filter(|(member, _)| member.kind.unwrap_or_default() == MemberKind::VirtualMachine)
        .map(|(member, nth)| (format!("{}/{}", key.namespace, member.name), nth))
        .collect()
}

/// Groups that had a member on and have none; a VM outside of groups counts as one of its own.
fn groups_down(fork: &Simulation, before: &BTreeMap<String, Vec<String>>, failure: &Failure) -> Vec<String> {
    let is_up = |vm: &String| fork.world().vm_named(vm).is_some_and(|vm| is_on(vm));
    let down = before.iter().filter(|(_, on)| !on.is_empty() && !on.iter().any(is_up)).map(|(group, _)| group.clone());
    let grouped: BTreeSet<&String> = before.values().flatten().collect();
    let alone = failure.down.iter().filter(|vm| !grouped.contains(vm)).cloned();
    down.chain(alone).collect()
}

/// The restarted members that were powered on before one of an earlier boot group of their group.
fn boot_order_broken(fork: &Simulation, started: &BTreeMap<String, Timestamp>) -> Vec<String> {
    let mut broken = BTreeSet::new();
    for object in fork.api().list(<VirtualMachineGroup as vmtwin_model::kube::Resource>::KIND, None) {
        let restarted: Vec<(String, usize, Timestamp)> =
            members(fork, &object.key).into_iter().filter_map(|(vm, nth)| Some((vm.clone(), nth, *started.get(&vm)?))).collect();
        for (vm, nth, at) in &restarted {
            if restarted.iter().any(|(_, other, earlier)| other < nth && earlier > at) {
                broken.insert(vm.clone());
            }
        }
    }
    broken.into_iter().collect()
}

/// How many can't be on again whatever is done: those that what is left of all memory and CPU doesn't hold, the smallest first.
fn down_at_least(base: &Simulation, fork: &Simulation, failure: &Failure, lost: &[(String, bool)]) -> usize {
    let (mut memory, mut cpu) = (0, 0);
    let restarted: BTreeSet<&str> =
        lost.iter().map(|(name, _)| name.as_str()).filter(|name| !failure.down.iter().any(|down| down == name)).collect();
    for budget in fork.world().budgets() {
        memory += budget.usable.memory - budget.reserved.memory;
        cpu += budget.usable.cpu - budget.reserved.cpu;
    }
    let needs = |name: &str| base.world().need_of(name).map(|(reserved, ..)| reserved);
    for name in &restarted {
        if let Some(need) = needs(name) {
            memory += need.memory;
            cpu += need.cpu;
        }
    }
    let fit = |mut needs: Vec<i64>, mut room: i64| {
        needs.sort_unstable();
        needs
            .into_iter()
            .take_while(|need| {
                room -= need;
                room >= 0
            })
            .count()
    };
    let all: Vec<_> = lost.iter().filter_map(|(name, _)| needs(name)).collect();
    let by_memory = fit(all.iter().map(|need| need.memory).collect(), memory);
    let by_cpu = fit(all.iter().map(|need| need.cpu).collect(), cpu);
    all.len() - by_memory.min(by_cpu)
}

impl Failure {
    fn kept(&self, base: &Simulation, keep: Keep) -> bool {
        match keep {
            Keep::Restart => {
                let disabled = |name: &String| {
                    let priority = base.world().clusters().find_map(|cluster| cluster.ha.restart_priority.get(name.as_str()));
                    priority.is_some_and(|word| &**word == "disabled")
                };
                self.down.iter().all(disabled)
            }
            Keep::Rules => self.rules_broken.is_empty(),
            Keep::BootOrder => self.boot_order_broken.is_empty(),
            Keep::Groups => self.groups_down.is_empty(),
        }
    }

    fn word(&self) -> &'static str {
        match self.kind {
            Sets::Hosts => "host",
            Sets::Zones => "zone",
        }
    }

    fn to_json(&self) -> Value {
        let stopped: serde_json::Map<String, Value> =
            self.stopped.iter().map(|(constraint, count)| (constraint.to_string(), json!(count))).collect();
        // One failure of a run without chance has one recovery.
        let recovery = self.recovery.map(tell::seconds);
        json!({
            "kind": self.word(), "failed": [self.failed], "survived": self.survived, "lost": self.lost, "restarted": self.restarted,
            "down": self.down, "downCount": self.down.len(), "downAtLeast": self.down_at_least, "notProtected": self.not_protected,
            "rulesBroken": self.rules_broken, "bootOrderBroken": self.boot_order_broken, "groupsDown": self.groups_down,
            "recoverySeconds": {"p50": recovery, "p95": recovery, "max": recovery}, "stopped": stopped,
            "recreated": null, "notRecreated": [],
        })
    }

    fn line(&self) -> String {
        let word = if self.survived { "survived" } else { "not survived" };
        let kept = |broken: &[String]| if broken.is_empty() { "kept" } else { "broken" };
        let recovery = self.recovery.map(crate::timeline::duration).unwrap_or_default();
        let because: Vec<String> = self.stopped.iter().map(|(constraint, count)| format!("{constraint} ({count})")).collect();
        let because = if because.is_empty() && !self.not_protected.is_empty() { "not protected".to_owned() } else { because.join(", ") };
        format!(
            "{word:<13} {:<20} {:>5} {:>5} {:>5}  {:<7} {:<10} {:>9}  {because}",
            self.failed,
            self.lost,
            self.restarted,
            self.down.len(),
            kept(&self.rules_broken),
            kept(&self.boot_order_broken),
            recovery
        )
        .trim_end()
        .to_owned()
    }
}

impl Survival {
    fn of(&self, kind: Sets) -> Vec<&Failure> {
        self.failures.iter().filter(|failure| failure.kind == kind).collect()
    }

    pub(super) fn to_json(&self) -> Value {
        let (mut tried, mut survived) = (serde_json::Map::new(), serde_json::Map::new());
        for (kind, word) in [(Sets::Hosts, "hosts"), (Sets::Zones, "zones")] {
            let failures = self.of(kind);
            if !failures.is_empty() {
                tried.insert(word.to_owned(), json!(failures.len()));
                survived.insert(word.to_owned(), json!(failures.iter().filter(|failure| failure.survived).count()));
            }
        }
        let fatal = self.of(Sets::Hosts).into_iter().find(|failure| !failure.survived);
        let smallest = fatal.map(|failure| json!({"size": 1, "failed": [failure.failed], "proven": true}));
        json!({
            "tried": tried, "survived": survived, "smallestFatal": smallest,
            "failures": self.failures.iter().map(Failure::to_json).collect::<Vec<_>>(),
        })
    }

    /// The answer for people: the worst ten, and how many are like them.
    pub(super) fn lines(&self) -> Vec<String> {
        const SHOWN: usize = 10;

        let mut lines = vec![format!(
            "{:<13} {:<20} {:>5} {:>5} {:>5}  {:<7} {:<10} {:>9}  BECAUSE",
            "SURVIVAL", "FAILED", "LOST", "BACK", "DOWN", "RULES", "BOOT ORDER", "RECOVERY"
        )];
        lines.extend(self.failures.iter().take(SHOWN).map(Failure::line));
        let told = |kind, word: &str| {
            let failures = self.of(kind);
            let survived = failures.iter().filter(|failure| failure.survived).count();
            (!failures.is_empty()).then(|| format!("{survived} of {} {word}", failures.len()))
        };
        let counts: Vec<String> = [told(Sets::Hosts, "hosts"), told(Sets::Zones, "zones")].into_iter().flatten().collect();
        let more = self.failures.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!("… {more} more. ") } else { String::new() };
        lines.push(format!("{more}Survived: {}.", counts.join(", ")));
        lines
    }
}
