//! What comes back from the hypervisor for an operation.

use std::fmt;
use std::sync::Arc;

use super::fault::Fault;
use super::vm::{Config, VirtualMachine};
use crate::id::{ClusterId, DatastoreId, HostId, PoolId, TaskId, VmId};
use crate::units::MHz;

/// The answer to one call: when a call starts a task, the task's end.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The task that the call started, if it started one.
    pub task: Option<TaskId>,
    /// How it ended.
    pub result: Result<Reply, Failure>,
}

/// What an operation that succeeded gives back.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Nothing but the success.
    Done,
    /// The vCenter's instance UUID.
    About {
        /// `about.instanceUuid`.
        instance_uuid: Arc<str>,
    },
    /// The VMs that were found.
    Found(Vec<VmId>),
    /// A VM's properties.
    Vm(Arc<VirtualMachine>),
    /// The VM that was made.
    Created(VmId),
    /// A clock rate.
    Clock(MHz),
    /// A child of a pool or folder by its id, if it is there.
    Child(Option<Arc<str>>),
    /// The key providers, in the order in which vCenter has them.
    KeyProviders(Vec<KmipCluster>),
    /// The default key provider's id, if there is one.
    DefaultKeyProvider(Option<Arc<str>>),
    /// Whether a key can be used.
    KeyStatus {
        /// `keyAvailable`.
        available: bool,
        /// Why not: `KeyStateMissingInKMS` and its like.
        reason: Arc<str>,
    },
    /// Where VMs are to go, and why pools take none.
    Placements(Placements),
    /// A name.
    Name(Arc<str>),
    /// What a datastore is known by.
    Datastore(Arc<DatastoreInfo>),
    /// A cluster module.
    Module(Arc<str>),
    /// The snapshot that was made, by its id.
    Snapshot(Arc<str>),
    /// How a VM was configured when a snapshot of it was taken.
    SnapshotConfig(Arc<Config>),
    /// The cluster modules that there are, with their clusters.
    Modules(Vec<(Arc<str>, ClusterId)>),
}

/// What comes of looking for places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placements {
    /// Where VMs are to go, in the order of the request; those that find no place aren't in it.
    pub placements: Vec<Placement>,
    /// What speaks against the pools that were offered.
    pub faults: Vec<PoolFaults>,
}

/// What speaks against a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolFaults {
    /// The pool.
    pub resource_pool: PoolId,
    /// Why a VM of the request can't go there.
    pub faults: Vec<Fault>,
}

/// What a datastore is known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatastoreInfo {
    /// `summary.name`.
    pub name: Arc<str>,
    /// The datacenter that it lies in, by its id.
    pub datacenter: Arc<str>,
    /// `info.url`.
    pub url: Arc<str>,
    /// `info.supportedVDiskFormats`.
    pub supported_disk_formats: Vec<Arc<str>>,
    /// `capability.topLevelDirectoryCreateSupported`.
    pub top_level_directory_create_supported: bool,
}

/// `KmipClusterInfo`: a key provider.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KmipCluster {
    /// The id.
    pub id: Arc<str>,
    /// Whether vCenter makes the keys itself (`managementType` `nativeProvider`).
    pub native: bool,
}

/// A recommendation of DRS for one VM.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The VM's name in the request.
    pub vm_name: Arc<str>,
    /// The pool that was chosen among those offered.
    pub pool: PoolId,
    /// The host, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// The datastores, if they were asked for: the home, then one for each disk key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub datastores: Vec<(Option<i32>, DatastoreId)>,
}

/// Why an operation gave nothing back.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// vSphere said no.
    Fault(Fault),
    /// The connection broke: nobody knows whether it was done.
    Lost(Arc<str>),
}

impl Failure {
    /// The fault, unless the connection broke.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Lost(_) => None,
        }
    }

    /// Whether it is a fault of this name or a sort of it.
    #[must_use]
    pub fn is_a(&self, name: &str) -> bool {
        self.fault().is_some_and(|fault| fault.name.is_a(name))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Lost(why) => write!(f, "the connection to vCenter was lost: {why}"),
        }
    }
}
