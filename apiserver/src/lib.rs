//! The Kubernetes API server as a pure machine: what a Supervisor's API server does with any object, and nothing of VM
//! Operator.
//!
//! [`ApiServer`] is a value. Time is an argument, a clone is a fork that shares all objects until one is written, and
//! what a request changes comes back with its answer. Admission is a hook that whoever calls [`ApiServer::request`]
//! plugs in. There are no users to authenticate and no roles: who may do what is admission's business.

mod builtin;
mod collect;
mod convert;
mod decode;
mod errors;
pub mod expression;
mod faults;
mod install;
mod meta;
mod patch;
mod request;
mod review;
mod rules;
mod schema;
pub mod select;
mod store;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Answer, WatchEvent};
use vmtwin_model::kube::{Kind, Object, ObjectKey};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::Timestamp;

pub use convert::in_stored_version;
pub use faults::{KubeFault, Target};
pub use install::Installed;
pub use review::{Asked, Reviewed};
pub use watch::{Delivery, WatcherId};

use faults::Faults;
use store::Store;
use watch::{History, Watches};

/// What an API server is made of.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The source of uids and generated names.
    pub rng: Rng,
    /// In which order inner row numbers are given out.
    pub id_order: IdOrder,
}

/// In which order inner row numbers are given out. A switch for tests: nothing that can be observed hangs on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdOrder {
    /// From 0 upwards, freed numbers again.
    #[default]
    Dense,
    /// In another order, each once.
    Scrambled,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub struct Response {
    /// The object as it is afterwards (at a deletion: as it was last), or why not.
    pub result: Answer,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// All that changed, in order, cascaded deletions included.
    pub changes: Vec<WatchEvent>,
}

/// The API server: objects, watchers, and what goes wrong on purpose.
#[derive(Clone, Debug)]
pub struct ApiServer {
    settings: Settings,
    store: Store,
    watches: Watches,
    faults: Faults,
    history: History,
    /// The last instant that it was told of.
    clock: Timestamp,
}

impl ApiServer {
    /// An API server without an object.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            store: Store::new(settings.id_order),
            watches: Watches::default(),
            faults: Faults::default(),
            history: History::default(),
            clock: Timestamp::from_nanos(0),
        }
    }

    /// The object of this key.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.store.get(key)
    }

    /// The objects of a kind in the order of their keys; of one namespace if it is given.
    pub fn list(&self, kind: Kind, namespace: Option<&str>) -> impl Iterator<Item = &Arc<Object>> {
        self.store.list(kind, namespace)
    }

    /// All objects in the order of their keys.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.store.objects()
    }

    /// Something goes wrong from now on.
    pub fn fault(&mut self, now: Timestamp, fault: KubeFault) {
        self.clock = now;
        self.faults.add(now, fault);
    }
}

/// One request under way: when, and what it has changed so far.
struct Turn {
    now: Timestamp,
    first: Cause,
    changes: Vec<WatchEvent>,
}

impl ApiServer {
    /// Stores an object, and tells of it.
    fn commit(&mut self, turn: &mut Turn, object: Object) -> Arc<Object> {
        let (before, after) = self.store.put(object);
        self.tell(turn, WatchEvent { key: after.key.clone(), before, after: Some(after.clone()) });
        after
    }

    /// Takes an object out, and tells of it.
    fn erase(&mut self, turn: &mut Turn, key: &ObjectKey) -> Arc<Object> {
        let before = self.store.remove(key).expect("whoever erases an object has just looked it up");
        self.tell(turn, WatchEvent { key: key.clone(), before: Some(before.clone()), after: None });
        before
    }

    fn tell(&mut self, turn: &mut Turn, event: WatchEvent) {
        let nth = u64::try_from(turn.changes.len()).expect("a request changes fewer than 2^64 objects");
        let cause = Cause(turn.first.0 + nth);
        let stretch = self.faults.on_event(turn.now, &event.key);
        self.watches.tell(turn.now, cause, &event, &stretch);
        self.history.push(turn.now, cause, event.clone());
        turn.changes.push(event);
    }
}
