//! How a step, and with it a pass, can end. Upstream spells these six as error values; here the compiler knows them.

use std::fmt;
use std::sync::Arc;

use vmtwin_model::time::Span;

/// The end of a pass. Source: vm-lifecycle §2.3; the table in `docs/ARCHITECTURE.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well; nothing is scheduled.
    Done,
    /// Something was done, and what it changed will wake the object. Upstream: `NoRequeueNoErr`.
    Progress(&'static str),
    /// Look again after so long. Upstream: `RequeueError`.
    Again {
        /// How long.
        after: Span,
        /// Why.
        why: Wait,
    },
    /// An error that is tried again with exponential back-off. Upstream: a plain error.
    Failed(Arc<str>),
    /// An error that only a new wake-up tries again. Upstream: `NoRequeueError`.
    Terminal(Arc<str>),
    /// The object sleeps until a create slot is free.
    Parked,
}

/// What a timer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A rule prescribes this very instant: a group's boot delay.
    Prescribed(&'static str),
    /// A look now and then, in case something changed.
    Poll(&'static str),
}

impl Verdict {
    /// An error to be tried again.
    #[must_use]
    pub fn failed(text: impl Into<Arc<str>>) -> Self {
        Self::Failed(text.into())
    }

    /// An error that only a new wake-up tries again.
    #[must_use]
    pub fn terminal(text: impl Into<Arc<str>>) -> Self {
        Self::Terminal(text.into())
    }

    /// The verdict's name, as logs and coverage have it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Progress(_) => "progress",
            Self::Again { .. } => "again",
            Self::Failed(_) => "failed",
            Self::Terminal(_) => "terminal",
            Self::Parked => "parked",
        }
    }

    /// The error's text, if it is one.
    #[must_use]
    pub fn error(&self) -> Option<&Arc<str>> {
        match self {
            Self::Failed(text) | Self::Terminal(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Progress(what) => f.write_str(what),
            Self::Again { after, why: Wait::Prescribed(what) | Wait::Poll(what) } => write!(f, "{what}: again in {after}"),
            Self::Failed(text) => write!(f, "error: {text}"),
            Self::Terminal(text) => write!(f, "terminal error: {text}"),
            Self::Parked => f.write_str("waits for a create slot"),
        }
    }
}
