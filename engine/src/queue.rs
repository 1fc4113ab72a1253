//! Keys that are due for a pass: coalescing, priority, back-off.
//!
//! A key stands in the queue at most once. A wake-up that comes while a pass of the key is open is remembered and comes
//! due when the pass ends; so two passes of one key never overlap. Among keys that are due the highest priority goes first,
//! then the earliest arrival. Source: vm-lifecycle §2.1–2.6.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::kube::ObjectKey;
use vmtwin_model::shards::{Shards, Spread};
use vmtwin_model::time::{Span, Timestamp};

/// What is reconciled: an object by one of the controllers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Which controller.
    pub controller: Controller,
    /// Which object.
    pub object: ObjectKey,
}

/// The controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// VirtualMachine.
    Vm,
    /// The background part of a VM's creation.
    VmCreate,
    /// VirtualMachineGroup.
    Group,
    /// A VM's readiness by TCP.
    Probe,
    /// A VirtualMachine's volumes.
    Volumes,
    /// StoragePolicyQuota.
    StorageQuota,
    /// StoragePolicyUsage.
    StorageUsage,
    /// VirtualMachineSetResourcePolicy.
    SetPolicy,
    /// PolicyEvaluation.
    PolicyEvaluation,
    /// VirtualMachineSnapshot.
    Snapshot,
}

impl Controller {
    /// The controller's name, as logs and coverage have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Vm => "vm",
            Self::VmCreate => "vm/create",
            Self::Group => "group",
            Self::Probe => "vm/probe",
            Self::Volumes => "volumes",
            Self::StorageQuota => "storage/quota",
            Self::StorageUsage => "storage/usage",
            Self::SetPolicy => "setpolicy",
            Self::PolicyEvaluation => "policyevaluation",
            Self::Snapshot => "snapshot",
        }
    }
}

/// A set of controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controllers(u32);

impl Controllers {
    /// All of them.
    pub const ALL: Self = Self(u32::MAX);
    /// None of them.
    pub const NONE: Self = Self(0);

    /// These, and one more.
    #[must_use]
    pub const fn with(self, controller: Controller) -> Self {
        Self(self.0 | 1 << controller as u32)
    }

    /// Whether a controller is among them.
    #[must_use]
    pub const fn has(self, controller: Controller) -> bool {
        self.0 & 1 << controller as u32 != 0
    }
}

impl Spread for Key {
    fn text(&self) -> &str {
        self.object.text()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(f)
    }
}

/// Why a key is woken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The record of what brought it about.
    pub cause: Cause,
    /// In words.
    pub why: Arc<str>,
    /// Whether anything depends on it.
    pub idle: Idle,
}

/// Whether a wake-up is something that a settled system still has ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Idle {
    /// It is: something happened, or a rule prescribes the instant.
    Busy,
    /// It is a retry of what ended alike before and changed nothing.
    Retry,
    /// It is the periodic resync.
    Periodic,
}

#[derive(Clone, Debug)]
struct Entry {
    at: Timestamp,
    arrival: u64,
    priority: i32,
    wake: Wake,
}

/// Whether an idle retry keeps a system from being settled: it does while a fault that may end is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// It does.
    Count,
    /// It doesn't.
    Rest,
}

/// The queue. A key whose instant has come moves from `later` to `ready`, so that each take-out costs a logarithm. Every entry has an
/// arrival of its own, which stands for the key in the orders: numbers compare faster than names.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    entries: Shards<Key, Entry>,
    later: BTreeMap<(Timestamp, u64), Key>,
    ready: BTreeMap<(Reverse<i32>, u64), Key>,
    pending: BTreeSet<(Timestamp, u64)>,
    retries: BTreeSet<(Timestamp, u64)>,
    failures: Shards<Key, u32>,
    parked: BTreeMap<(Reverse<i32>, u64), Key>,
    asleep: BTreeSet<Key>,
    arrivals: u64,
}

impl Queue {
    /// Makes a key due at an instant. If it is in the queue already the earlier instant and the higher priority stay.
    pub fn add(&mut self, key: Key, at: Timestamp, priority: i32, wake: Wake) {
        let mut entry = Entry { at, arrival: self.arrivals, priority, wake };
        match self.take(&key) {
            Some(there) => {
                entry.priority = priority.max(there.priority);
                entry.arrival = there.arrival;
                let idle = entry.wake.idle.min(there.wake.idle);
                if there.at <= at {
                    (entry.at, entry.wake) = (there.at, there.wake);
                }
                entry.wake.idle = idle;
            }
            None => self.arrivals += 1,
        }
        let instant = (entry.at, entry.arrival);
        match entry.wake.idle {
            Idle::Busy => self.pending.insert(instant),
            Idle::Retry => self.retries.insert(instant),
            Idle::Periodic => false,
        };
        self.later.insert(instant, key.clone());
        self.entries.insert(key, entry);
    }

    /// When a key is due, and why, if it is in the queue.
    #[must_use]
    pub fn due(&self, key: &Key) -> Option<(Timestamp, &Arc<str>)> {
        self.entries.get(key).map(|entry| (entry.at, &entry.wake.why))
    }

    /// Takes out the key that is to be worked on now, if one is due.
    pub fn pop(&mut self, now: Timestamp) -> Option<(Key, Wake)> {
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            let key = first.remove();
            let entry = self.entries.get(&key).expect("later keys have entries");
            self.ready.insert((Reverse(entry.priority), entry.arrival), key);
        }
        let key = self.ready.first_key_value()?.1.clone();
        let entry = self.take(&key).expect("ready keys have entries");
        Some((key, entry.wake))
    }

    fn take(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        let instant = (entry.at, entry.arrival);
        match entry.wake.idle {
            Idle::Busy => self.pending.remove(&instant),
            Idle::Retry => self.retries.remove(&instant),
            Idle::Periodic => false,
        };
        if self.later.remove(&instant).is_none() {
            self.ready.remove(&(Reverse(entry.priority), entry.arrival));
        }
        Some(entry)
    }

    /// When the next key is due.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let ready = self.ready.first_key_value().map(|(_, key)| self.entries.get(key).expect("ready keys have entries").at);
        ready.or_else(|| self.later.first_key_value().map(|((at, _), _)| *at))
    }

    /// When the next key is due for a reason that a settled system hasn't; idle retries count if `retries` says so.
    #[must_use]
    pub fn next_pending(&self, retries: Retries) -> Option<Timestamp> {
        let first = |set: &BTreeSet<(Timestamp, u64)>| set.first().map(|(at, _)| *at);
        match retries {
            Retries::Rest => first(&self.pending),
            Retries::Count => first(&self.pending).into_iter().chain(first(&self.retries)).min(),
        }
    }

    /// How long to wait after one more failure in a row: 5 ms · 2ⁿ, at most 1000 s (client-go's default limiter).
    pub fn back_off(&mut self, key: &Key) -> Span {
        let failures = self.failures.entry(key.clone());
        let delay = Span::from_millis(5 << (*failures).min(20));
        *failures += 1;
        delay.min(Span::from_secs(1000))
    }

    /// Forgets a key's failures.
    pub fn forget(&mut self, key: &Key) {
        self.failures.remove(key);
    }

    /// Lets a key sleep until a create slot is free; the highest priority, then the earliest, is woken first.
    pub fn park(&mut self, key: Key, priority: i32) {
        if self.asleep.insert(key.clone()) {
            self.parked.insert((Reverse(priority), self.arrivals), key);
            self.arrivals += 1;
        }
    }

    /// Takes out the key that is to have the next free slot.
    pub fn unpark(&mut self) -> Option<Key> {
        let (_, key) = self.parked.pop_first()?;
        self.asleep.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    fn key(name: &str) -> Key {
        Key { controller: Controller::Vm, object: ObjectKey::of::<ConfigMap>("ns", name) }
    }

    fn wake(idle: Idle) -> Wake {
        Wake { cause: Cause(1), why: "test".into(), idle }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::default() + Span::from_secs(secs)
    }

    #[test]
    fn the_highest_priority_that_is_due_goes_first_and_then_the_earliest_arrival() {
        let mut queue = Queue::default();
        queue.add(key("low"), at(1), 0, wake(Idle::Busy));
        queue.add(key("later"), at(2), 0, wake(Idle::Busy));
        queue.add(key("high"), at(2), 100, wake(Idle::Busy));
        queue.add(key("future"), at(9), 200, wake(Idle::Busy));
        let order: Vec<String> = std::iter::from_fn(|| queue.pop(at(2))).map(|(key, _)| key.object.name.to_string()).collect();
        assert_eq!(order, ["high", "low", "later"]);
        assert_eq!(queue.next(), Some(at(9)));
    }

    #[test]
    fn wake_ups_of_one_key_coalesce_to_the_earliest() {
        let mut queue = Queue::default();
        queue.add(key("a"), at(10), 0, wake(Idle::Retry));
        assert_eq!((queue.next(), queue.next_pending(Retries::Rest)), (Some(at(10)), None), "an idle retry isn't pending");
        queue.add(key("a"), at(3), 0, wake(Idle::Busy));
        queue.add(key("a"), at(20), 0, wake(Idle::Busy));
        assert_eq!((queue.next(), queue.next_pending(Retries::Rest)), (Some(at(3)), Some(at(3))));
        assert!(queue.pop(at(3)).is_some() && queue.pop(at(100)).is_none(), "it stands in the queue once");
    }

    #[test]
    fn back_off_doubles_from_five_milliseconds_to_a_thousand_seconds() {
        let mut queue = Queue::default();
        let delays: Vec<Span> = (0..20).map(|_| queue.back_off(&key("a"))).collect();
        assert_eq!(delays[..4], [5, 10, 20, 40].map(Span::from_millis));
        assert_eq!(delays[19], Span::from_secs(1000));
        queue.forget(&key("a"));
        assert_eq!(queue.back_off(&key("a")), Span::from_millis(5));
    }

    #[test]
    fn a_free_slot_goes_to_the_highest_priority_that_waits() {
        let mut queue = Queue::default();
        for (name, priority) in [("first", 0), ("urgent", 5), ("second", 0)] {
            queue.park(key(name), priority);
        }
        let order: Vec<String> = std::iter::from_fn(|| queue.unpark()).map(|key| key.object.name.to_string()).collect();
        assert_eq!(order, ["urgent", "first", "second"]);
    }
}
