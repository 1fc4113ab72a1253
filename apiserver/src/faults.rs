//! What goes wrong on purpose: late and swallowed watch events, old lists, conflicts, outages. It keeps count of what is
//! in force; watches and requests ask it. Source: reproduce §1.
//!
//! The API server knows no watcher from another, so a fault of the watches meets all of them alike.

use std::fmt;

use vmtwin_model::kube::{Kind, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};

/// Which objects a fault is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// All of a kind.
    Kind(Kind),
    /// One.
    Object(ObjectKey),
}

impl Target {
    pub(crate) fn matches(&self, key: &ObjectKey) -> bool {
        match self {
            Self::Kind(kind) => key.kind == *kind,
            Self::Object(object) => key == object,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::Object(key) => key.fmt(f),
        }
    }
}

/// One fault of the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeFault {
    /// Watch events arrive late.
    Late {
        /// Of which objects.
        what: Target,
        /// How late.
        by: Span,
        /// How long that goes on.
        lasts: Span,
    },
    /// Watch events are swallowed: the state after them is told with the next event of the kind, or half a minute later, when
    /// the watch is set up anew.
    Unseen {
        /// Of which objects.
        what: Target,
        /// How many.
        times: u32,
    },
    /// The next list of whoever watches anew is answered from the past, and its watch goes on from there.
    Old {
        /// Of which kind.
        kind: Kind,
        /// From how long ago; no further back than the changes that are kept, see [`crate::ApiServer::list_for`].
        by: Span,
    },
    /// Updates meet a conflict. A patch carries no version, and meets none.
    Conflict {
        /// Of which objects.
        what: Target,
        /// How many.
        times: u32,
    },
    /// Requests are refused, and watches say nothing. Lists are answered all the same: whoever asks would ask again.
    Down {
        /// For how long.
        lasts: Span,
    },
}

impl fmt::Display for KubeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late { what, by, lasts } => write!(f, "watch events of {what} arrive {by} late for {lasts}"),
            Self::Unseen { what, times: 1 } => write!(f, "the next watch event of {what} is swallowed"),
            Self::Unseen { what, times } => write!(f, "the next {times} watch events of {what} are swallowed"),
            Self::Old { kind, by } => write!(f, "the next list of {kind} is answered from {by} ago"),
            Self::Conflict { what, times: 1 } => write!(f, "the next update of {what} meets a conflict"),
            Self::Conflict { what, times } => write!(f, "the next {times} updates of {what} meet a conflict"),
            Self::Down { lasts } => write!(f, "away for {lasts}"),
        }
    }
}

/// What is in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    late: Vec<Late>,
    unseen: Vec<Counted>,
    conflicts: Vec<Counted>,
    old: Vec<(Kind, Span)>,
    down_until: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Late {
    what: Target,
    by: Span,
    until: Timestamp,
}

#[derive(Clone, Debug)]
struct Counted {
    what: Target,
    left: u32,
}

/// What becomes of one watch event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// It goes out at once.
    None,
    /// It goes out late, and what follows it of the same target doesn't overtake it.
    Late(Target, Span),
    /// It doesn't go out.
    Swallowed,
}

impl Faults {
    pub(crate) fn add(&mut self, now: Timestamp, fault: KubeFault) {
        match fault {
            KubeFault::Late { what, by, lasts } => self.late.push(Late { what, by, until: now + lasts }),
            KubeFault::Unseen { what, times } => self.unseen.push(Counted { what, left: times }),
            KubeFault::Old { kind, by } => self.old.push((kind, by)),
            KubeFault::Conflict { what, times } => self.conflicts.push(Counted { what, left: times }),
            KubeFault::Down { lasts } => self.down_until = self.down_until.max(Some(now + lasts)),
        }
    }

    /// What becomes of an event of this object.
    pub(crate) fn on_event(&mut self, now: Timestamp, key: &ObjectKey) -> Stretch {
        if count_down(&mut self.unseen, key) {
            return Stretch::Swallowed;
        }
        self.late.retain(|late| late.until > now);
        let latest = self.late.iter().filter(|late| late.what.matches(key)).max_by_key(|late| late.by);
        latest.map_or(Stretch::None, |late| Stretch::Late(late.what.clone(), late.by))
    }

    /// Whether an update of this object meets a conflict.
    pub(crate) fn conflicts(&mut self, key: &ObjectKey) -> bool {
        count_down(&mut self.conflicts, key)
    }

    /// When something arrives that would by itself arrive then.
    pub(crate) fn not_before(&self, due: Timestamp) -> Timestamp {
        self.down_until.map_or(due, |until| due.max(until))
    }

    /// When an outage ends that lasts at this instant.
    pub(crate) fn outage_ends(&self, now: Timestamp) -> Option<Timestamp> {
        self.down_until.filter(|until| now < *until)
    }

    pub(crate) fn is_down(&self, now: Timestamp) -> bool {
        self.down_until.is_some_and(|until| now < until)
    }

    /// The lists that the next watcher gets from the past.
    pub(crate) fn take_old(&mut self) -> Vec<(Kind, Span)> {
        std::mem::take(&mut self.old)
    }
}

/// Whether one of these meets the object; each meets so many.
fn count_down(faults: &mut Vec<Counted>, key: &ObjectKey) -> bool {
    faults.retain(|fault| fault.left > 0);
    match faults.iter_mut().find(|fault| fault.what.matches(key)) {
        Some(fault) => {
            fault.left -= 1;
            true
        }
        None => false,
    }
}
