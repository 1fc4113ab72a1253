//! The event queue: what is due, ordered by (instant, class, arrival).
//!
//! An entry is never searched or taken back. Whoever puts in a timer that may be overtaken gives it the epoch of what it
//! belongs to, and the handler passes over an entry whose epoch is over.

use std::collections::BTreeMap;

use vmtwin_model::Cause;
use vmtwin_model::id::CallId;
use vmtwin_model::kube::object::ObjectKey;
use vmtwin_model::time::Timestamp;

use crate::Happening;
use crate::guest;

/// One thing that is due.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// What an action brought about at once is told.
    Tell(Vec<Happening>),
    /// A call reaches vCenter.
    Arrive(CallId),
    /// A call that is no task is done.
    Complete(CallId),
    /// A caller gives up waiting.
    Lose(CallId),
    /// The rate of vCenter lets the next task in.
    Admit,
    /// A task is over.
    TaskEnds(u32),
    /// A guest goes on.
    Guest {
        /// The VM's row.
        vm: u32,
        /// The life of the guest that it belongs to.
        epoch: u32,
        /// What happens to it.
        step: guest::Step,
    },
    /// Nobody has heard of a host for long enough.
    HostLost {
        /// The host's row.
        host: u32,
        /// The host's life that it belongs to.
        epoch: u32,
    },
    /// HA tries to start a VM again elsewhere.
    Restart {
        /// The VM's row.
        vm: u32,
        /// The failed host's row.
        host: u32,
        /// The host's life that it belongs to.
        epoch: u32,
        /// How often it was tried before.
        attempt: usize,
    },
    /// HA has waited long enough for a class of VMs.
    NextClass {
        /// The failed host's row.
        host: u32,
        /// The host's life that it belongs to.
        epoch: u32,
        /// How many classes had begun.
        begun: u32,
    },
    /// A VM that HA started runs.
    Restarted {
        /// The VM's row.
        vm: u32,
        /// The host that starts it.
        host: u32,
        /// The guest's life that it belongs to.
        epoch: u32,
    },
    /// A host that enters maintenance mode looks for the next VM to move.
    Evacuate {
        /// The host's row.
        host: u32,
        /// The host's life that it belongs to.
        epoch: u32,
    },
    /// A VM has arrived on another host.
    Moved {
        /// The VM's row.
        vm: u32,
        /// The host that it left.
        from: u32,
        /// The host that it came to.
        to: u32,
    },
    /// DRS looks at a cluster.
    Balance {
        /// The cluster's row.
        cluster: u32,
    },
    /// A neighbour turns to an object.
    Attend(ObjectKey),
    /// A neighbour looks again at an object to which it could do nothing.
    Again(ObjectKey),
    /// The time of a fault rule or a slow spell is over.
    RuleEnds,
}

impl Entry {
    fn class(&self) -> u8 {
        match self {
            Self::Tell(_) => 0,
            Self::HostLost { .. } | Self::RuleEnds => 1,
            Self::TaskEnds(_) | Self::Moved { .. } | Self::Restart { .. } | Self::NextClass { .. } | Self::Restarted { .. } => 2,
            Self::Evacuate { .. } | Self::Balance { .. } | Self::Admit => 3,
            Self::Guest { .. } => 4,
            Self::Attend(_) | Self::Again(_) => 5,
            Self::Arrive(_) | Self::Complete(_) | Self::Lose(_) => 6,
        }
    }

    /// Whether nothing is under way that would end by itself: a look again, a retry without end.
    fn is_periodic(&self) -> bool {
        match self {
            // While a class waits, the restarts that it waits for are under way.
            Self::Evacuate { .. } | Self::Balance { .. } | Self::NextClass { .. } | Self::Again(_) => true,
            Self::Restart { attempt, .. } => *attempt > crate::failover::ATTEMPTS.len(),
            _ => false,
        }
    }
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<(Timestamp, u8, u64), (Cause, Entry)>,
    arrivals: u64,
}

impl Agenda {
    pub(crate) fn put(&mut self, at: Timestamp, cause: Cause, entry: Entry) {
        self.arrivals += 1;
        self.entries.insert((at, entry.class(), self.arrivals), (cause, entry));
    }

    /// The first entry, if it is due.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<(Cause, Entry)> {
        let first = self.entries.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.entries.first_key_value().map(|(key, _)| key.0)
    }

    pub(crate) fn next_pending(&self) -> Option<Timestamp> {
        self.entries.iter().find(|(_, (_, entry))| !entry.is_periodic()).map(|(key, _)| key.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmtwin_model::time::Span;

    #[test]
    fn entries_come_by_instant_then_class_then_arrival() {
        let mut agenda = Agenda::default();
        let (now, later) = (Timestamp::default(), Timestamp::default() + Span::from_secs(1));
        agenda.put(later, Cause(1), Entry::Admit);
        agenda.put(now, Cause(2), Entry::Arrive(CallId(1)));
        agenda.put(now, Cause(3), Entry::TaskEnds(1));
        agenda.put(now, Cause(4), Entry::TaskEnds(2));
        let order: Vec<u64> = std::iter::from_fn(|| agenda.take(now)).map(|(cause, _)| cause.0).collect();
        assert_eq!(order, [3, 4, 2], "what is due later stays");
        assert_eq!(agenda.next(), Some(later));
    }
}
