//! What people and fate do to the infrastructure, outside of the operator. Source: scenario-format §4.1, reproduce §1.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::fault::Fault;
use super::inventory::Name;
use super::spec::ConfigSpec;
use crate::time::Span;

/// One thing that happens to the infrastructure.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// To a host.
    Host(Name, HostAction),
    /// To all hosts of a zone at once.
    Zone(Name, Fate),
    /// To a datastore.
    Datastore(Name, DatastoreAction),
    /// To a key provider.
    KeyProvider(Name, KeyProviderAction),
    /// To a network.
    Network(Name, NetworkAction),
    /// To a VM (`namespace/name`, or an unmanaged one's name), as an administrator at the vSphere Client would.
    Vm(Name, VmAction),
    /// vCenter stops or starts answering.
    Vcenter(Reach),
    /// A fault rule comes into force.
    Fault(Box<FaultRule>),
    /// Operations of this method take so many times as long, in thousandths.
    Slow {
        /// The API's method name.
        operation: Name,
        /// The factor in thousandths.
        factor_milli: u32,
    },
}

/// Down or up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Out of reach.
    Down,
    /// Within reach.
    Up,
}

/// Failing or recovering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It fails.
    Fail,
    /// It comes back.
    Recover,
}

/// What can happen to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostAction {
    /// It fails or comes back.
    Fate(Fate),
    /// An administrator disconnects it.
    Disconnect,
    /// An administrator connects it again.
    Reconnect,
    /// It is asked to enter maintenance mode.
    EnterMaintenance,
    /// It leaves maintenance mode.
    ExitMaintenance,
}

/// What can happen to a datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatastoreAction {
    /// So much of it, in basis points, is used from now on; upwards or downwards.
    Fill(u32),
    /// It is out of reach, or back.
    Reach(Reach),
    /// It enters maintenance mode.
    Maintenance,
}

/// What can happen to a key provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyProviderAction {
    /// It is out of reach, or back.
    Reach(Reach),
    /// A key of this id is gone.
    RemoveKey(Name),
}

/// What can happen to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkAction {
    /// No address is left.
    Exhaust,
    /// There are addresses again.
    Restore,
}

/// What can happen to a VM, behind the operator's back.
#[derive(Clone, Debug, PartialEq)]
pub enum VmAction {
    /// Switched off.
    PowerOff,
    /// Switched on.
    PowerOn,
    /// Suspended.
    Suspend,
    /// Reset.
    Reset,
    /// VM Tools stop.
    ToolsStop,
    /// VM Tools start.
    ToolsStart,
    /// The guest hangs.
    GuestHang,
    /// The guest crashes: it runs, and does nothing.
    GuestCrash,
    /// The guest shuts itself down.
    GuestShutdown,
    /// Moved to this host.
    Migrate(Name),
    /// Reconfigured.
    Reconfigure(Box<ConfigSpec>),
    /// Destroyed.
    Destroy,
    /// Moved to another pool or folder: `root`, `namespace` or `namespace/CHILD`.
    Relocate {
        /// The pool.
        pool: Option<Name>,
        /// The folder.
        folder: Option<Name>,
    },
}

/// A fault rule: calls that match fail, are lost, or give another result.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    /// The API's method name.
    pub operation: Name,
    /// What a call's VM or arguments must contain.
    pub matching: Option<Arc<Value>>,
    /// How matching calls end.
    pub ends: FaultEnd,
    /// So many matching calls; absent: all.
    pub times: Option<u32>,
    /// So many matching calls pass first.
    pub skip: u32,
    /// So long after it came into force; absent: for ever.
    pub lasts: Option<Span>,
    /// The chance of each matching call, in millionths.
    pub probability: u32,
}

/// How a call that a fault rule catches ends.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultEnd {
    /// With a fault.
    Fault(Fault),
    /// It never arrives; the connection breaks.
    LoseCall,
    /// It is done, but the answer is lost.
    LoseAnswer,
    /// It succeeds, with this in its result.
    Result(Arc<Value>),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name, action) => write!(f, "host {name}: {}", host_word(*action)),
            Self::Zone(name, fate) => write!(f, "zone {name}: {}", fate_word(*fate)),
            Self::Datastore(name, action) => match action {
                DatastoreAction::Fill(basis_points) => {
                    write!(f, "datastore {name}: filled to {}.{:02} %", basis_points / 100, basis_points % 100)
                }
                DatastoreAction::Reach(Reach::Down) => write!(f, "datastore {name}: inaccessible"),
                DatastoreAction::Reach(Reach::Up) => write!(f, "datastore {name}: accessible"),
                DatastoreAction::Maintenance => write!(f, "datastore {name}: maintenance"),
            },
            Self::KeyProvider(name, action) => match action {
                KeyProviderAction::Reach(Reach::Down) => write!(f, "keyProvider {name}: unavailable"),
                KeyProviderAction::Reach(Reach::Up) => write!(f, "keyProvider {name}: available"),
                KeyProviderAction::RemoveKey(key) => write!(f, "keyProvider {name}: removeKey {key:?}"),
            },
            Self::Network(name, NetworkAction::Exhaust) => write!(f, "network {name}: exhaust"),
            Self::Network(name, NetworkAction::Restore) => write!(f, "network {name}: restore"),
            Self::Vm(name, action) => write!(f, "vm {name}: {}", action.word()),
            Self::Vcenter(Reach::Down) => f.write_str("vcenter: down"),
            Self::Vcenter(Reach::Up) => f.write_str("vcenter: up"),
            Self::Fault(rule) => write!(f, "fault rule on {}", rule.operation),
            Self::Slow { operation, factor_milli } => {
                write!(f, "{operation} takes {}.{:03} times as long", factor_milli / 1000, factor_milli % 1000)
            }
        }
    }
}

fn host_word(action: HostAction) -> &'static str {
    match action {
        HostAction::Fate(fate) => fate_word(fate),
        HostAction::Disconnect => "disconnect",
        HostAction::Reconnect => "reconnect",
        HostAction::EnterMaintenance => "enterMaintenance",
        HostAction::ExitMaintenance => "exitMaintenance",
    }
}

fn fate_word(fate: Fate) -> &'static str {
    match fate {
        Fate::Fail => "fail",
        Fate::Recover => "recover",
    }
}

impl VmAction {
    /// The word of the scenario format.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::PowerOff => "powerOff",
            Self::PowerOn => "powerOn",
            Self::Suspend => "suspend",
            Self::Reset => "reset",
            Self::ToolsStop => "toolsStop",
            Self::ToolsStart => "toolsStart",
            Self::GuestHang => "guestHang",
            Self::GuestCrash => "guestCrash",
            Self::GuestShutdown => "guestShutdown",
            Self::Migrate(_) => "migrate",
            Self::Reconfigure(_) => "reconfigure",
            Self::Destroy => "destroy",
            Self::Relocate { .. } => "relocate",
        }
    }
}
