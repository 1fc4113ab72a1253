//! The twin: vSphere with its guests, and the operator's Kubernetes neighbours, as a pure machine.
//!
//! [`World::call`] takes the operator's calls, [`World::act`] what people and fate do, [`World::observe`] what the API server tells the
//! neighbours; all that comes of it comes out of [`World::step`], at its time. A world is a value: cloning it is a fork.

mod actions;
mod agenda;
mod balance;
mod bindings;
#[cfg(test)]
mod books;
mod build;
mod call;
mod capacity;
mod cluster;
mod configure;
mod customize;
mod datastore;
mod deploy;
mod destroy;
mod devices;
mod drs;
mod existing;
pub mod explain;
mod failover;
mod faults;
mod files;
mod graphics;
mod guest;
mod ha;
mod host;
mod image;
mod instance;
mod key_provider;
mod latency;
mod library;
mod memo;
mod module;
mod neighbours;
mod network;
mod placement;
pub mod planning;
mod policies;
mod pool;
mod power;
mod promotion;
#[cfg(test)]
mod properties;
mod ranks;
mod refusals;
mod search;
mod shards;
mod slots;
mod snapshot;
mod task;
mod topology;
#[cfg(test)]
mod trial;
mod views;
mod vm;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::id::{CallId, ClusterId, DatastoreId, FolderId, HostId, PoolId, VmId};
use vmtwin_model::kube::api::{Request, User};
use vmtwin_model::rng::Rng;
use vmtwin_model::table::Table;
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::inventory::{KeyProvider, Name};
use vmtwin_model::vsphere::vm::Task;
use vmtwin_model::vsphere::{Answer, Change, Changed};

pub use actions::ActionError;
use agenda::{Agenda, Entry};
use bindings::Bindings;
pub use build::BuildError;
use call::Call;
pub use capacity::Need;
pub use cluster::Cluster;
pub use datastore::Datastore;
use datastore::Policy;
use faults::Rule;
pub use host::Host;
use image::Image;
use latency::Durations;
use library::Library;
use module::Modules;
use neighbours::{Ports, Quotas, Volumes};
pub use network::Network;
use planning::Planning;
pub use pool::{Folder, Pool};
use shards::Shards;
use task::Tasks;
pub use topology::Topology;
use vm::Vms;

/// What a twin is told besides its infrastructure.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The source of all chance.
    pub rng: Rng,
    /// Whose network objects the neighbours answer.
    pub network_provider: NetworkProvider,
    /// Whether CSI and CNS do anything by themselves.
    pub csi: Csi,
}

/// Whether CSI and CNS do anything by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Csi {
    /// They make volumes, attach them, and look at those of snapshots.
    #[default]
    Acts,
    /// Somebody else says what they would answer.
    Silent,
}

/// The Supervisor's network provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkProvider {
    /// NSX with VPCs: `SubnetPort`.
    #[default]
    Vpc,
    /// NSX-T by NCP: `VirtualNetworkInterface`.
    NsxT,
    /// Distributed switches by Net Operator: `NetworkInterface`.
    Vds,
    /// Nobody: networks are addressed by their vSphere name.
    Named,
}

/// The number of a neighbour's request to the API server, by which its answer comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Who brings something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// vCenter and its hosts.
    Vsphere,
    /// A guest.
    Guest,
    /// A neighbour of the operator.
    Supervisor,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub struct Happening {
    /// The record of what brought it about.
    pub cause: Cause,
    /// Who brings it about.
    pub source: Source,
    /// What.
    pub what: What,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum What {
    /// A call is answered.
    Answer {
        /// The call.
        id: CallId,
        /// Its method in the vSphere API.
        method: &'static str,
        /// The VM that it is about.
        vm: Option<VmId>,
        /// The answer.
        answer: Answer,
    },
    /// A watched property of a VM changed.
    Changed(Change),
    /// A task is queued, runs, or has ended.
    Task {
        /// The task as it is.
        task: Task,
        /// The VM that it is about.
        vm: Option<VmId>,
        /// Its method in the vSphere API.
        method: &'static str,
    },
    /// Something that people want to know of.
    Event {
        /// `VirtualMachine/vm-101`, `HostSystem/esx-1`.
        object: String,
        /// What happened.
        message: String,
    },
    /// A neighbour asks the API server for something.
    Request {
        /// By which the answer comes back.
        id: RequestId,
        /// As whom.
        user: User,
        /// For what.
        request: Request,
    },
}

/// A zone.
#[derive(Clone, Debug)]
struct Zone {
    name: Name,
}

/// What is found by its name or its id.
#[derive(Clone, Debug, Default)]
struct Names {
    hosts: BTreeMap<Name, u32>,
    datastores: BTreeMap<Name, u32>,
    networks: BTreeMap<Name, u32>,
    host_ids: BTreeMap<HostId, u32>,
    cluster_ids: BTreeMap<ClusterId, u32>,
    pool_ids: BTreeMap<PoolId, u32>,
    folder_ids: BTreeMap<FolderId, u32>,
    datastore_ids: BTreeMap<DatastoreId, u32>,
}

/// The world.
#[derive(Clone, Debug)]
pub struct World {
    now: Timestamp,
    cause: Cause,
    source: Source,
    settings: Settings,
    rng: Rng,
    durations: Durations,
    agenda: Agenda,
    zones: Arc<Vec<Zone>>,
    hosts: Table<Host>,
    clusters: Table<Cluster>,
    pools: Table<Pool>,
    folders: Table<Folder>,
    /// How many pools and folders are gone: their ids aren't given out again.
    destroyed: usize,
    vm_folder: u32,
    datastores: Table<Datastore>,
    networks: Table<Network>,
    policies: Arc<Vec<Policy>>,
    images: Arc<Vec<Image>>,
    namespaces: Arc<Vec<(Name, Vec<Name>)>>,
    names: Arc<Names>,
    key_providers: Arc<Vec<KeyProvider>>,
    /// The VMs that are locked for want of a key.
    locked: BTreeSet<u32>,
    rules: Vec<Rule>,
    vms: Vms,
    tasks: Tasks,
    calls: BTreeMap<CallId, Call>,
    counts: Shards<Vec<(&'static str, u32)>>,
    instance_uuid: Arc<str>,
    /// The newest virtual hardware of the platform.
    hardware_version: Arc<str>,
    vcenter_up: bool,
    touched: BTreeMap<u32, BTreeSet<Changed>>,
    left: Vec<Change>,
    missed: BTreeMap<u32, BTreeSet<Changed>>,
    missed_left: Vec<Change>,
    told: Vec<Happening>,
    ports: Ports,
    library: Library,
    volumes: Volumes,
    quotas: Quotas,
    /// How many requests neighbours have made.
    requests: u64,
    modules: Modules,
    /// How many snapshots were taken.
    snapshots: u32,
    bindings: Bindings,
    /// What a planner has in force.
    planning: Option<Arc<Planning>>,
}

impl World {
    /// Whether vCenter can be reached.
    #[must_use]
    pub fn vcenter_is_up(&self) -> bool {
        self.vcenter_up
    }

    /// When the next thing happens by itself.
    #[must_use]
    pub fn next_event(&self) -> Option<Timestamp> {
        self.agenda.next()
    }

    /// When the next thing happens that isn't periodic.
    #[must_use]
    pub fn next_pending(&self) -> Option<Timestamp> {
        self.agenda.next_pending()
    }

    /// Handles one thing that is due, and tells what came of it.
    pub fn step(&mut self, now: Timestamp) -> Vec<Happening> {
        let Some((cause, entry)) = self.agenda.take(now) else { return Vec::new() };
        self.begin(now, cause);
        match entry {
            Entry::Tell(told) => self.told.extend(told),
            Entry::Arrive(id) => self.arrive(id),
            Entry::Complete(id) => self.complete(id),
            Entry::Lose(id) => self.lose(id),
            Entry::Admit => self.admit_tasks(),
            Entry::TaskEnds(number) => self.task_ends(number),
            Entry::Guest { vm, epoch, step } => self.guest_step(vm, epoch, step),
            Entry::HostLost { host, epoch } => self.host_lost(host, epoch),
            Entry::Restart { vm, host, epoch, attempt } => self.restart(vm, host, epoch, attempt),
            Entry::NextClass { host, epoch, begun } => self.class_timeout(host, epoch, begun),
            Entry::Restarted { vm, host, epoch } => self.restarted(vm, host, epoch),
            Entry::Evacuate { host, epoch } => self.evacuate(host, epoch),
            Entry::Moved { vm, from, to } => self.moved(vm, from, to),
            Entry::Balance { cluster } => self.balance(cluster),
            Entry::Attend(key) | Entry::Again(key) => self.attend(&key),
            Entry::RuleEnds => {}
        }
        self.flush()
    }

    /// Something is about to happen at this instant, because of that.
    fn begin(&mut self, now: Timestamp, cause: Cause) {
        self.now = now;
        self.cause = cause;
        self.source = Source::Vsphere;
    }

    /// All that happened, in order: what people see, then what the watcher hears, then tasks and answers.
    fn flush(&mut self) -> Vec<Happening> {
        let touched = std::mem::take(&mut self.touched);
        let left = std::mem::take(&mut self.left);
        let told = std::mem::take(&mut self.told);
        let is_late = |happening: &Happening| matches!(happening.what, What::Answer { .. } | What::Task { .. });
        let (late, mut out): (Vec<_>, Vec<_>) = told.into_iter().partition(is_late);
        if self.vcenter_up {
            let (cause, source) = (self.cause, self.source);
            let changes: Vec<Change> = touched.into_iter().filter_map(|(vm, changed)| self.change_of(vm, changed)).chain(left).collect();
            out.extend(changes.into_iter().map(|change| Happening { cause, source, what: What::Changed(change) }));
        } else {
            for (vm, changed) in touched {
                self.missed.entry(vm).or_default().extend(changed);
            }
            self.missed_left.extend(left);
        }
        out.extend(late);
        out
    }
}
