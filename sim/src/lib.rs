//! The twin: vSphere, the guests in its VMs, and the operator's neighbours on the Kubernetes side, as one pure machine.
//!
//! A [`World`] is a value. It is asked ([`World::call`]), acted upon ([`World::act`]) and shown what the API server
//! tells its watchers ([`World::observe`]); whatever comes of that comes out of [`World::step`] at its instant, one entry of
//! the agenda at a time. Nothing here knows the operator, and no arithmetic is shared with it: a twin that reckoned like the
//! operator would agree with its mistakes.

mod actions;
mod agenda;
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
mod devices;
mod drs;
mod existing;
mod faults;
mod files;
mod guest;
mod ha;
mod host;
mod image;
mod latency;
mod neighbours;
mod network;
mod placement;
mod pool;
mod power;
mod refusals;
mod shards;
mod task;
mod topology;
#[cfg(test)]
mod trial;
mod views;
mod vm;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::Cause;
use vmtwin_model::id::{CallId, ClusterId, DatastoreId, FolderId, HostId, NetworkId, PoolId, VmId};
use vmtwin_model::kube::api::{Request, User};
use vmtwin_model::rng::Rng;
use vmtwin_model::table::Table;
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::inventory::{self, Name};
use vmtwin_model::vsphere::vm::Task;
use vmtwin_model::vsphere::{Answer, Change, Changed};

pub use crate::actions::ActionError;
pub use crate::build::BuildError;
pub use crate::capacity::Need;
pub use crate::cluster::Cluster;
pub use crate::datastore::Datastore;
pub use crate::host::Host;
pub use crate::network::Network;
pub use crate::pool::{Folder, Pool};
pub use crate::topology::Topology;

use crate::agenda::{Agenda, Entry};
use crate::call::Call;
use crate::latency::Durations;
use crate::neighbours::Ports;
use crate::shards::Shards;
use crate::task::Tasks;
use crate::vm::Vms;

/// What a world is run with besides its inventory.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The source of all chance.
    pub rng: Rng,
    /// Who provides networks.
    pub network_provider: NetworkProvider,
}

/// Who provides networks to the Supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkProvider {
    /// NSX with VPCs.
    Vpc,
    /// NSX-T.
    NsxT,
    /// Distributed switches.
    Vds,
    /// Nobody: networks are addressed by their vSphere name.
    Named,
}

/// Who brought something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// vSphere.
    Vsphere,
    /// A guest.
    Guest,
    /// A neighbour of the operator on the Kubernetes side.
    Supervisor,
}

/// The number of a neighbour's request to the API server, unique in a run; its answer carries the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Something that comes out of the world.
#[derive(Clone, Debug)]
pub struct Happening {
    /// What brought it about.
    pub cause: Cause,
    /// Who did it.
    pub source: Source,
    /// What it is.
    pub what: What,
}

/// What comes out of the world.
#[derive(Clone, Debug)]
pub enum What {
    /// The answer to a call.
    Answer {
        /// The call.
        id: CallId,
        /// The API's method name.
        method: &'static str,
        /// The VM that it was about, or that it made.
        vm: Option<VmId>,
        /// The answer.
        answer: Answer,
    },
    /// A change, for the watcher of the inventory.
    Changed(Change),
    /// A task has come to another state.
    Task {
        /// The task.
        task: Task,
        /// The VM that it is about.
        vm: Option<VmId>,
        /// The API's method name.
        method: &'static str,
    },
    /// Something worth telling, for people.
    Event {
        /// What it is about: `VirtualMachine/vm-101`, `HostSystem/esx-1`.
        object: String,
        /// A sentence.
        message: String,
    },
    /// A neighbour asks the API server.
    Request {
        /// The number that its answer has to carry.
        id: RequestId,
        /// As whom.
        user: User,
        /// For what.
        request: Request,
    },
}

/// vSphere, its guests and the operator's neighbours. Cloning it is a fork: what isn't written afterwards stays shared.
#[derive(Clone, Debug)]
pub struct World {
    rng: Rng,
    provider: NetworkProvider,
    agenda: Agenda,
    instance_uuid: Arc<str>,
    /// The virtual hardware that new VMs get by default.
    hardware_version: Arc<str>,
    vcenter_up: bool,

    zones: Arc<Vec<inventory::Zone>>,
    namespaces: Arc<Vec<inventory::Namespace>>,
    key_providers: Arc<Vec<inventory::KeyProvider>>,
    clusters: Table<Cluster>,
    hosts: Table<Host>,
    pools: Table<Pool>,
    folders: Table<Folder>,
    vm_folder: u32,
    datastores: Table<Datastore>,
    policies: Arc<Vec<datastore::Policy>>,
    networks: Table<Network>,
    images: Arc<Vec<image::Image>>,
    names: Arc<Names>,

    vms: Vms,
    tasks: Tasks,
    calls: BTreeMap<CallId, Call>,
    ports: Ports,
    rules: Vec<faults::Rule>,
    durations: Durations,
    /// How often things of a sort have happened to an object, for draws.
    counts: Shards<Vec<(&'static str, u32)>>,
    /// What changed while vCenter was out of reach.
    missed: BTreeMap<u32, BTreeSet<Changed>>,
    missed_left: Vec<Change>,

    // What is at work; between two entries of the agenda the lists are empty.
    now: Timestamp,
    cause: Cause,
    source: Source,
    touched: BTreeMap<u32, BTreeSet<Changed>>,
    left: Vec<Change>,
    told: Vec<Happening>,
}

/// Rows by name and by id. Both change only when something is added.
#[derive(Clone, Debug, Default)]
struct Names {
    hosts: BTreeMap<Name, u32>,
    host_ids: BTreeMap<HostId, u32>,
    clusters: BTreeMap<Name, u32>,
    cluster_ids: BTreeMap<ClusterId, u32>,
    pool_ids: BTreeMap<PoolId, u32>,
    folder_ids: BTreeMap<FolderId, u32>,
    datastores: BTreeMap<Name, u32>,
    datastore_ids: BTreeMap<DatastoreId, u32>,
    networks: BTreeMap<Name, u32>,
    network_ids: BTreeMap<NetworkId, u32>,
}

impl World {
    /// When something is due next.
    #[must_use]
    pub fn next_event(&self) -> Option<Timestamp> {
        self.agenda.next()
    }

    /// When something is due next that isn't periodic.
    #[must_use]
    pub fn next_pending(&self) -> Option<Timestamp> {
        self.agenda.next_pending()
    }

    /// Handles the first entry of the agenda, if it is due: what came of it, changes before everything else.
    pub fn step(&mut self, now: Timestamp) -> Vec<Happening> {
        let Some((cause, entry)) = self.agenda.take(now) else { return Vec::new() };
        self.begin(now, cause);
        match entry {
            Entry::Tell(told) => self.told = told,
            Entry::Arrive(id) => self.arrive(id),
            Entry::Complete(id) => self.complete(id),
            Entry::Lose(id) => self.lose(id),
            Entry::Admit => self.admit_tasks(),
            Entry::TaskEnds(number) => self.task_ends(number),
            Entry::Guest { vm, epoch, step } => self.guest_step(vm, epoch, step),
            Entry::HostLost { host, epoch } => self.host_lost(host, epoch),
            Entry::Restart { vm, host, epoch, attempt } => self.restart(vm, host, epoch, attempt),
            Entry::Restarted { vm, epoch } => self.restarted(vm, epoch),
            Entry::Evacuate { host, epoch } => self.evacuate(host, epoch),
            Entry::Moved { vm, from, to } => self.moved(vm, from, to),
            Entry::Attend(key) => self.attend(&key),
            Entry::RuleEnds => {}
        }
        self.flush()
    }

    fn begin(&mut self, now: Timestamp, cause: Cause) {
        self.now = now;
        self.cause = cause;
        self.source = Source::Vsphere;
    }

    /// What has come about since the beginning: one change for each VM, then the rest in its order. While vCenter is out of
    /// reach nobody hears of changes; they are kept until it is back.
    fn flush(&mut self) -> Vec<Happening> {
        let touched = std::mem::take(&mut self.touched);
        let left = std::mem::take(&mut self.left);
        let told = std::mem::take(&mut self.told);
        if !self.vcenter_up {
            for (vm, changed) in touched {
                self.missed.entry(vm).or_default().extend(changed);
            }
            self.missed_left.extend(left);
            return told.into_iter().filter(|happening| !matches!(happening.what, What::Task { .. })).collect();
        }
        let changes = touched.into_iter().filter_map(|(vm, changed)| self.change_of(vm, changed)).chain(left);
        let (cause, source) = (self.cause, self.source);
        changes.map(|change| Happening { cause, source, what: What::Changed(change) }).chain(told).collect()
    }
}
