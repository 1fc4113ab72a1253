//! DRS on running VMs: it repairs what is broken and relieves hosts that are asked for more than they have. Source: placement-groups §10.4.
//!
//! It would look at a cluster every minute. It is woken where something may have become better: a host is there again, a VM came to a host
//! that is crowded, or one left a cluster with such hosts; and goes on while its moves do any good. A cluster where nothing happens costs
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use vmtwin_model::time::Span;
use vmtwin_model::vsphere::inventory::{DrsAutomation, Name, RuleKind};
use vmtwin_model::vsphere::vm::PowerState;

use crate::agenda::Entry;
use crate::placement::{Besides, Score};
use crate::vm::Vm;
use crate::{World, graphics};

/// From one look to the next.
const INTERVAL: Span = Span::from_mins(1);
/// A VM that was moved stays where it is for so long.
const REST: Span = Span::from_mins(10);
/// How many moves a host takes part in at once.
const MOVES_PER_HOST: usize = 2;
/// How many VMs of a crowded host are looked at in one go.
const LOOKS_PER_HOST: usize = 8;
/// What moving a VM costs in points: so many for each GiB that it is likely to have in use, and never more than that.
const POINTS_PER_GIB: i64 = 2;
const MOST_POINTS: i64 = 10;

/// What a cluster's next look is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Rules and policies may be kept better.
    repair: bool,
    /// Hosts are crowded.
    relief: bool,
}

/// What wakes DRS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Repair,
    Relief,
}

/// How urgent a move is, 1 to 5; nothing where it does no good. Priority 1 is for what must be, 3 for preferences, the rest for load.
fn priority(here: &Score<'_>, there: &Score<'_>, cost: i64, must_is_broken: bool) -> Option<u8> {
    if must_is_broken || there.required_broken() < here.required_broken() {
        return Some(1);
    }
    if there.broken() != here.broken() {
        return (there.broken() < here.broken()).then_some(3);
    }
    match there.happiness() - here.happiness() - cost {
        20.. => Some(2),
        10.. => Some(3),
        5.. => Some(4),
        1.. => Some(5),
        _ => None,
    }
}

impl World {
    /// Has DRS look at a cluster, a minute from now.
    pub(crate) fn want_balance(&mut self, cluster: u32, why: Why) {
        // A planner asks what the world holds as it is.
        if self.planning.is_some() {
            return;
        }
        let Some(there) = self.clusters.get(cluster).filter(|there| there.drs.enabled) else { return };
        let wanted = Wanted { repair: there.balance.repair || why == Why::Repair, relief: there.balance.relief || why == Why::Relief };
        let (before, automatic) = (there.balance, there.drs.automation == DrsAutomation::FullyAutomated);
        let some_are = there.overrides.values().any(|automation| *automation == DrsAutomation::FullyAutomated);
        if before == wanted || !(automatic || some_are) {
            return;
        }
        if let Some(there) = self.clusters.get_mut(cluster) {
            there.balance = wanted;
        }
        if before == Wanted::default() {
            self.agenda.put(self.now + INTERVAL, self.cause, Entry::Balance { cluster });
        }
    }

    /// DRS looks at a cluster.
    pub(crate) fn balance(&mut self, cluster: u32) {
        let Some(there) = self.clusters.get_mut(cluster) else { return };
        let wanted = std::mem::take(&mut there.balance);
        let threshold = there.drs.migration_threshold;
        let mut looks = Looks::default();
        for vm in self.to_look_at(cluster, wanted) {
            let Some((from, to)) = self.better_host(cluster, vm, threshold, &mut looks) else { continue };
            *looks.moves.entry(from).or_default() += 1;
            *looks.moves.entry(to).or_default() += 1;
            looks.moved = true;
            self.start_move(vm, from, to);
        }
        if looks.moved || looks.later {
            for (is_wanted, why) in [(wanted.repair, Why::Repair), (wanted.relief, Why::Relief)] {
                if is_wanted {
                    self.want_balance(cluster, why);
                }
            }
        }
    }

    /// The running VMs of a cluster that may do better elsewhere, in the order of hosts and VMs.
    fn to_look_at(&self, cluster: u32, wanted: Wanted) -> Vec<u32> {
        let Some(there) = self.clusters.get(cluster) else { return Vec::new() };
        let ruled: BTreeSet<&Name> = there.rules.iter().filter(|rule| rule.enabled).flat_map(|rule| &rule.vms).collect();
        let mut vms = Vec::new();
        for host in there.hosts.iter().filter_map(|row| self.hosts.get(*row)).filter(|host| host.takes_vms()) {
            let running = || host.vms.iter().filter_map(|vm| Some((*vm, self.vms.get(*vm)?)));
            let is_bound = |vm: u32, row: &Vm| {
                !row.policies.is_empty() || ruled.contains(&Name::from(row.label())) || self.modules.peers(vm).next().is_some()
            };
            if wanted.repair {
                vms.extend(running().filter(|(vm, row)| is_bound(*vm, row)).map(|(vm, _)| vm));
            } else if wanted.relief && host.is_crowded() {
                vms.extend(running().filter(|(_, row)| row.booked.is_some()).take(LOOKS_PER_HOST).map(|(vm, _)| vm));
            }
        }
        vms
    }

    /// Where a VM is and where it would be better, if it may move there now.
    fn better_host(&self, cluster: u32, vm: u32, threshold: u8, looks: &mut Looks) -> Option<(u32, u32)> {
        let row = self.vms.get(vm).filter(|row| row.power() == PowerState::PoweredOn && row.task.is_none())?;
        let from = row.booked.filter(|booked| booked.host == row.host)?.host;
        if graphics::is_tied(row.config()) || self.automation(cluster, row) != DrsAutomation::FullyAutomated {
            return None;
        }
        let (there, host) = (self.clusters.get(cluster)?, self.hosts.get(from)?);
        let wish = self.wish_of(vm, row);
        let (best, to) = self.best_host(cluster, &wish, &Besides::default()).filter(|(_, to)| *to != from)?;
        let here = self.score(host, from, &wish, &Besides::default(), true);
        let must_is_broken = self.rules_say(there, host, from, &wish, true).is_err();
        let gib = row.config().hardware.memory_mb.0 >> 12;
        let cost = (gib * POINTS_PER_GIB).min(MOST_POINTS);
        let urgency = priority(&here, &best, cost, must_is_broken)?;
        if urgency > threshold {
            return None;
        }
        let busy = |host: u32| {
            let leaving = self.hosts.get(host).map_or(0, |host| host.leaving.len());
            leaving.max(looks.moves.get(&host).copied().unwrap_or(0)) >= MOVES_PER_HOST
        };
        let rests = urgency > 1 && row.moved_at.is_some_and(|at| self.now < at + REST);
        if busy(from) || busy(to) || rests {
            looks.later = true;
            return None;
        }
        Some((from, to))
    }

    /// How far DRS may go with a VM by itself.
    pub(crate) fn automation(&self, cluster: u32, row: &Vm) -> DrsAutomation {
        let Some(there) = self.clusters.get(cluster).filter(|there| there.drs.enabled) else { return DrsAutomation::Disabled };
        if there.overrides.is_empty() {
            return there.drs.automation;
        }
        there.overrides.get(row.label()).copied().unwrap_or(there.drs.automation)
    }

    /// Of two rules that contradict each other the older stays in force. Source: placement-groups §10.4.
    pub(crate) fn contradicts(older: &RuleKind, newer: &RuleKind) -> bool {
        match (older, newer) {
            (RuleKind::Affinity, RuleKind::AntiAffinity) | (RuleKind::AntiAffinity, RuleKind::Affinity) => true,
            (RuleKind::RunOn(hosts), RuleKind::NotRunOn(others)) | (RuleKind::NotRunOn(others), RuleKind::RunOn(hosts)) => {
                hosts.iter().all(|host| others.contains(host))
            }
            (RuleKind::RunOn(hosts), RuleKind::RunOn(others)) => !hosts.iter().any(|host| others.contains(host)),
            _ => false,
        }
    }
}

/// What one look has come to so far.
#[derive(Debug, Default)]
struct Looks {
    moves: BTreeMap<u32, usize>,
    moved: bool,
    /// A move would have been good, but not at once.
    later: bool,
}
