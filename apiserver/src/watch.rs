//! Watches: what changed, on its way to whoever wants to know. Deliveries are due at once unless a fault stretches them;
//! what a fault holds back holds back all later events of the same target, so that the events of an object are never out
//! of order. It tells; it decides nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::kube::api::WatchEvent;
use vmtwin_model::kube::{Kind, Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};

use crate::ApiServer;
use crate::faults::{Stretch, Target};

/// A watcher's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatcherId(pub u8);

/// One event that has arrived.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// At whom.
    pub watcher: WatcherId,
    /// The record of the change that it tells of.
    pub cause: Cause,
    /// The change.
    pub event: WatchEvent,
}

/// How long a client waits at most before it lists again after its watch broke (client-go's reflector).
const RELIST: Span = Span::from_secs(30);

/// How many changes are kept for lists from the past.
const HISTORY_MAX: usize = 4096;

impl ApiServer {
    /// A new watcher of these kinds, or of all: it is told what happens from now on.
    pub fn watch(&mut self, kinds: Option<BTreeSet<Kind>>) -> WatcherId {
        self.watches.add(kinds)
    }

    /// The watcher starts anew: what was on its way to it is dropped. Faults of old lists take hold here.
    pub fn rewatch(&mut self, watcher: WatcherId) {
        let old = self.faults.take_old();
        self.watches.restart(watcher);
        for (kind, by) in old {
            self.watches.set_back(watcher, kind, before(self.clock, by), by, &self.history);
        }
    }

    /// What the watcher gets from its first list: all objects of its kinds in the order of keys.
    ///
    /// Where a fault has the list answered from the past, it goes back as far as it was asked to, but no further than the
    /// last 4096 changes; what happened since then arrives, just as late, in its watch.
    #[must_use]
    pub fn list_for(&self, watcher: WatcherId, now: Timestamp) -> Vec<Arc<Object>> {
        let watcher = self.watches.get(watcher);
        let objects = self.objects().filter(|object| watcher.wants(object.key.kind));
        if watcher.old.is_empty() {
            return objects.cloned().collect();
        }
        let mut objects: BTreeMap<ObjectKey, Arc<Object>> = objects.map(|object| (object.key.clone(), object.clone())).collect();
        for change in self.history.changes.iter().rev() {
            let key = &change.event.key;
            if watcher.wants(key.kind) && watcher.old.get(&key.kind).is_some_and(|since| change.at > *since.min(&now)) {
                match &change.event.before {
                    Some(before) => objects.insert(key.clone(), before.clone()),
                    None => objects.remove(key),
                };
            }
        }
        objects.into_values().collect()
    }

    /// When the next delivery is due.
    #[must_use]
    pub fn next_delivery(&self) -> Option<Timestamp> {
        self.watches.next().map(|due| self.faults.not_before(due))
    }

    /// When an outage ends that lasts at this instant.
    #[must_use]
    pub fn outage_ends(&self, now: Timestamp) -> Option<Timestamp> {
        self.faults.outage_ends(now)
    }

    /// The next delivery, if it is due.
    pub fn deliver(&mut self, now: Timestamp) -> Option<Delivery> {
        self.clock = now;
        if self.faults.is_down(now) { None } else { self.watches.take(now) }
    }
}

/// All watchers, and what is on its way to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watches {
    watchers: Vec<Watcher>,
    /// By instant, then by arrival.
    queue: BTreeMap<(Timestamp, u64), Delivery>,
    arrivals: u64,
}

#[derive(Clone, Debug)]
struct Watcher {
    kinds: Option<BTreeSet<Kind>>,
    /// Until when the events of a target are held back by an earlier one.
    behind: Vec<(Target, Timestamp)>,
    /// What its broken watch has swallowed, folded into one change an object, and when it would list again.
    missed: BTreeMap<ObjectKey, (Timestamp, Delivery)>,
    /// From when its lists of these kinds are.
    old: BTreeMap<Kind, Timestamp>,
}

impl Watcher {
    fn wants(&self, kind: Kind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    /// When an event is due that would by itself be due then.
    fn not_before(&self, key: &ObjectKey, due: Timestamp) -> Timestamp {
        self.behind.iter().filter(|(target, _)| target.matches(key)).map(|(_, until)| *until).fold(due, Timestamp::max)
    }
}

impl Watches {
    fn add(&mut self, kinds: Option<BTreeSet<Kind>>) -> WatcherId {
        let id = u8::try_from(self.watchers.len()).expect("there are fewer than 256 watchers");
        self.watchers.push(Watcher { kinds, behind: Vec::new(), missed: BTreeMap::new(), old: BTreeMap::new() });
        WatcherId(id)
    }

    fn get(&self, watcher: WatcherId) -> &Watcher {
        &self.watchers[usize::from(watcher.0)]
    }

    fn get_mut(&mut self, watcher: WatcherId) -> &mut Watcher {
        &mut self.watchers[usize::from(watcher.0)]
    }

    fn restart(&mut self, watcher: WatcherId) {
        self.queue.retain(|_, delivery| delivery.watcher != watcher);
        let watcher = self.get_mut(watcher);
        watcher.behind.clear();
        watcher.missed.clear();
        watcher.old.clear();
    }

    /// The watcher's view of a kind is from then on as old as that.
    fn set_back(&mut self, id: WatcherId, kind: Kind, since: Timestamp, by: Span, history: &History) {
        if !self.get(id).wants(kind) {
            return;
        }
        self.get_mut(id).old.insert(kind, since);
        for change in history.changes.iter().filter(|change| change.at > since && change.event.key.kind == kind) {
            let stretch = Stretch::Late(Target::Kind(kind), by);
            self.send(change.at, Delivery { watcher: id, cause: change.cause, event: change.event.clone() }, &stretch);
        }
    }

    pub(crate) fn tell(&mut self, now: Timestamp, cause: Cause, event: &WatchEvent, stretch: &Stretch) {
        for number in 0..self.watchers.len() {
            let id = WatcherId(u8::try_from(number).expect("there are fewer than 256 watchers"));
            if !self.watchers[number].wants(event.key.kind) {
                continue;
            }
            let delivery = Delivery { watcher: id, cause, event: event.clone() };
            if *stretch == Stretch::Swallowed {
                self.miss(now, delivery);
            } else {
                self.resume(now, id, &event.key, stretch);
                let delivery = self.fold(id, delivery);
                self.send(now, delivery, stretch);
            }
        }
    }

    /// Swallows an event.
    fn miss(&mut self, now: Timestamp, delivery: Delivery) {
        let (id, key) = (delivery.watcher, delivery.event.key.clone());
        let due = self.get(id).missed.get(&key).map_or(now + RELIST, |(due, _)| *due);
        let delivery = self.fold(id, delivery);
        if delivery.event.before.is_some() || delivery.event.after.is_some() {
            self.get_mut(id).missed.insert(key, (due, delivery));
        }
    }

    /// Takes what was missed of the object into this event.
    fn fold(&mut self, id: WatcherId, mut delivery: Delivery) -> Delivery {
        if let Some((_, missed)) = self.get_mut(id).missed.remove(&delivery.event.key) {
            delivery.event.before = missed.event.before;
        }
        delivery
    }

    /// The watch works again: what else it missed of the kind is on its way.
    fn resume(&mut self, now: Timestamp, id: WatcherId, but: &ObjectKey, stretch: &Stretch) {
        let missed = &mut self.get_mut(id).missed;
        if missed.is_empty() {
            return;
        }
        let (seen, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(missed).into_iter().partition(|(key, _)| key.kind == but.kind && key != but);
        *missed = kept;
        for (_, delivery) in seen.into_values() {
            self.send(now, delivery, stretch);
        }
    }

    fn send(&mut self, now: Timestamp, delivery: Delivery, stretch: &Stretch) {
        if delivery.event.before.is_none() && delivery.event.after.is_none() {
            return;
        }
        let watcher = self.get_mut(delivery.watcher);
        watcher.behind.retain(|(_, until)| *until > now);
        let mut due = watcher.not_before(&delivery.event.key, now);
        if let Stretch::Late(target, by) = stretch {
            due = due.max(now + *by);
            watcher.behind.retain(|(other, _)| other != target);
            watcher.behind.push((target.clone(), due));
        }
        self.arrivals += 1;
        self.queue.insert((due, self.arrivals), delivery);
    }

    fn next(&self) -> Option<Timestamp> {
        let queued = self.queue.keys().next().map(|(due, _)| *due);
        let missed = self.watchers.iter().flat_map(|watcher| watcher.missed.values()).map(|(due, _)| *due);
        queued.into_iter().chain(missed).min()
    }

    fn take(&mut self, now: Timestamp) -> Option<Delivery> {
        let next = self.next().filter(|due| *due <= now)?;
        if self.queue.first_key_value().is_some_and(|((due, _), _)| *due == next) {
            return self.queue.pop_first().map(|(_, delivery)| delivery);
        }
        let missed = self.watchers.iter_mut().find_map(|watcher| {
            let key = watcher.missed.iter().find(|(_, (due, _))| *due == next).map(|(key, _)| key.clone())?;
            watcher.missed.remove(&key)
        });
        missed.map(|(_, delivery)| delivery)
    }
}

/// The last changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    changes: Arc<VecDeque<Arc<Past>>>,
}

#[derive(Clone, Debug)]
struct Past {
    at: Timestamp,
    cause: Cause,
    event: WatchEvent,
}

impl History {
    pub(crate) fn push(&mut self, at: Timestamp, cause: Cause, event: WatchEvent) {
        let changes = Arc::make_mut(&mut self.changes);
        if changes.len() == HISTORY_MAX {
            changes.pop_front();
        }
        changes.push_back(Arc::new(Past { at, cause, event }));
    }
}

/// The instant so long before.
fn before(at: Timestamp, by: Span) -> Timestamp {
    Timestamp::from_nanos(at.as_nanos().saturating_sub(by.as_nanos()))
}
