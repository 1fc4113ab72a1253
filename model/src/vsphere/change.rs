//! What a watcher of the inventory hears: which VM changed, in which of the watched properties.
//!
//! A change says what is to be looked at again, never what to do. Which paths are watched is vm-lifecycle §15.3.

use std::fmt;
use std::sync::Arc;

use super::vm::PowerState;
use crate::id::VmId;

/// A change of one VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The VM.
    pub vm: VmId,
    /// `vmservice.namespacedName` of its ExtraConfig, by which its object is found.
    pub namespaced_name: Option<Arc<str>>,
    /// The power state that it has.
    pub power_state: PowerState,
    /// What changed.
    pub changed: Vec<Changed>,
}

/// A watched property of a VM, or its coming and going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// The VM is new in the inventory.
    Entered,
    /// The VM left the inventory.
    Left,
    /// `config`: hardware, allocations, ExtraConfig, annotation and the rest of what is watched of it.
    Config,
    /// `summary.guest`: tools, address, host name.
    Guest,
    /// `guestHeartbeatStatus`.
    Heartbeat,
    /// `summary.runtime.connectionState`.
    Connection,
    /// `summary.runtime.host`.
    Host,
    /// `summary.runtime.powerState`.
    PowerState,
    /// `snapshot`.
    Snapshot,
    /// `resourcePool` or `parent`.
    Location,
    /// `recentTask`: a task of the VM ended. Not watched upstream; vm-lifecycle §12.1 asks for it.
    Task,
}

impl Changed {
    /// The property's path in the vSphere API.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Entered => "enter",
            Self::Left => "leave",
            Self::Config => "config",
            Self::Guest => "summary.guest",
            Self::Heartbeat => "guestHeartbeatStatus",
            Self::Connection => "summary.runtime.connectionState",
            Self::Host => "summary.runtime.host",
            Self::PowerState => "summary.runtime.powerState",
            Self::Snapshot => "snapshot",
            Self::Location => "resourcePool",
            Self::Task => "recentTask",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, changed) in self.changed.iter().enumerate() {
            if nth > 0 {
                f.write_str(", ")?;
            }
            f.write_str(changed.path())?;
            if *changed == Changed::PowerState {
                write!(f, "={}", self.power_state)?;
            }
        }
        Ok(())
    }
}
