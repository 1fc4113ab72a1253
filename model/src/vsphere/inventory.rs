//! An infrastructure at rest: what a twin is built from. All counts are expanded and all defaults filled in.
//!
//! The scenario format's `vsphere` section (scenario-format §3) is read into this; so is a dump of a live system. References are by
//! name; ids are given out when the world is built.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::action::FaultRule;
use super::vm::VirtualMachine;
use crate::id::HostId;
use crate::time::Span;
use crate::units::{Bytes, MHz, VCpus};

/// A name of something in the inventory.
pub type Name = Arc<str>;

/// A whole infrastructure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// The vCenter's version, `9.0`.
    pub vcenter_version: Name,
    /// Availability zones with their clusters.
    pub zones: Vec<Zone>,
    /// Datastores.
    pub datastores: Vec<Datastore>,
    /// Storage policies.
    pub storage_policies: Vec<StoragePolicy>,
    /// Key providers.
    pub key_providers: Vec<KeyProvider>,
    /// Networks; the first is every namespace's default.
    pub networks: Vec<Network>,
    /// Images of the content library.
    pub images: Vec<Image>,
    /// Guests' behaviour by profile.
    pub guests: BTreeMap<Name, GuestProfile>,
    /// Durations of operations by the API's method name; `*` stands for all that aren't named.
    pub timings: BTreeMap<Name, Timing>,
    /// VMs that exist already.
    pub virtual_machines: Vec<ExistingVm>,
    /// Fault rules in force from the start.
    pub faults: Vec<FaultRule>,
    /// Supervisor namespaces.
    pub namespaces: Vec<Namespace>,
}

/// An availability zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// The name.
    pub name: Name,
    /// Its clusters.
    pub clusters: Vec<Cluster>,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// The name.
    pub name: Name,
    /// Its hosts.
    pub hosts: Vec<Host>,
    /// DRS's settings.
    pub drs: Drs,
    /// HA's settings.
    pub ha: Ha,
    /// VM-VM and VM-host rules.
    pub rules: Vec<Rule>,
    /// Share of the physical CPU that VMs may reserve, in basis points; absent: placement-groups §10.1.
    pub reservable_cpu: Option<u32>,
    /// Share of the physical memory that VMs may reserve, in basis points; absent: placement-groups §10.1.
    pub reservable_memory: Option<u32>,
    /// Resource pools besides the namespaces' own.
    pub resource_pools: Vec<ResourcePool>,
    /// DRS automation by VM (`namespace/name`).
    pub overrides: BTreeMap<Name, DrsAutomation>,
}

/// A host.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// The name.
    pub name: Name,
    /// The managed object id, if it is given.
    pub id: Option<HostId>,
    /// CPU sockets.
    pub sockets: u32,
    /// Cores of one socket.
    pub cores: u32,
    /// Clock of one core.
    pub clock: MHz,
    /// Physical memory.
    pub memory: Bytes,
    /// The datastores that it mounts.
    pub datastores: Vec<Name>,
    /// vGPU profiles and how many of each.
    pub vgpus: Vec<(Name, u32)>,
    /// Room for instance storage.
    pub instance_storage: Bytes,
    /// Its state at the start.
    pub state: HostState,
}

impl Host {
    /// The cores of all sockets.
    #[must_use]
    pub fn cpus(&self) -> VCpus {
        VCpus(self.sockets.saturating_mul(self.cores))
    }

    /// The whole CPU bandwidth.
    #[must_use]
    pub fn cpu(&self) -> MHz {
        MHz(self.clock.0.saturating_mul(i64::from(self.cpus().0)))
    }
}

/// The state of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostState {
    /// vCenter reaches it.
    #[default]
    Connected,
    /// An administrator disconnected it.
    Disconnected,
    /// It failed and doesn't answer.
    NotResponding,
    /// It is in maintenance mode.
    Maintenance,
}

/// DRS of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drs {
    /// Whether it is on.
    pub enabled: bool,
    /// How much it does by itself.
    pub automation: DrsAutomation,
    /// 1 (only what must be) to 5 (every gain).
    pub migration_threshold: u8,
}

impl Default for Drs {
    fn default() -> Self {
        Self { enabled: true, automation: DrsAutomation::FullyAutomated, migration_threshold: 3 }
    }
}

/// How much DRS does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DrsAutomation {
    /// It proposes.
    Manual,
    /// It places at power-on and proposes moves.
    PartiallyAutomated,
    /// It places and moves.
    FullyAutomated,
    /// It leaves the VM alone.
    Disabled,
}

/// HA of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ha {
    /// Whether it is on.
    pub enabled: bool,
    /// What it keeps free.
    pub admission_control: AdmissionControl,
    /// Restart priority by VM (`namespace/name`): `highest` … `lowest`, `disabled`.
    pub restart_priority: BTreeMap<Name, Name>,
}

/// HA's admission control. Source: placement-groups §10.6, capacity §2.4.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AdmissionControl {
    /// Nothing is kept free.
    #[default]
    Disabled,
    /// A share of the cluster's resources.
    Percentage {
        /// How many hosts may fail; the share follows from it unless it is given.
        host_failures: u32,
        /// The share of CPU in basis points.
        cpu: Option<u32>,
        /// The share of memory in basis points.
        memory: Option<u32>,
    },
    /// Slots.
    Slots {
        /// How many hosts may fail.
        host_failures: u32,
        /// A fixed slot's CPU.
        cpu: Option<MHz>,
        /// A fixed slot's memory.
        memory: Option<Bytes>,
    },
    /// Hosts that are kept empty.
    FailoverHosts(Vec<Name>),
}

/// A rule of DRS.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The name.
    pub name: Name,
    /// Whether it is in force.
    pub enabled: bool,
    /// Whether it must be kept, or only should be.
    pub must: bool,
    /// The VMs (`namespace/name`).
    pub vms: Vec<Name>,
    /// What it says.
    pub kind: RuleKind,
}

/// What a rule of DRS says.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// The VMs stay together.
    Affinity,
    /// The VMs stay apart.
    AntiAffinity,
    /// The VMs run on these hosts.
    RunOn(Vec<Name>),
    /// The VMs don't run on these hosts.
    NotRunOn(Vec<Name>),
}

/// A resource pool besides the namespaces' own.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourcePool {
    /// The name.
    pub name: Name,
    /// The pool above it: `namespace/NAME`, another pool's name, or absent for the cluster's root pool.
    pub parent: Option<Name>,
    /// CPU in MHz.
    pub cpu: PoolAllocation,
    /// Memory in MB.
    pub memory: PoolAllocation,
}

/// A pool's share of one resource, in MHz or MB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolAllocation {
    /// What is guaranteed.
    pub reservation: i64,
    /// What may be used at most; −1 is no limit.
    pub limit: i64,
    /// Whether what is missing may be borrowed from above.
    pub expandable: bool,
}

impl Default for PoolAllocation {
    fn default() -> Self {
        Self { reservation: 0, limit: -1, expandable: true }
    }
}

/// A datastore.
#[derive(Clone, Debug, PartialEq)]
pub struct Datastore {
    /// The name.
    pub name: Name,
    /// `vmfs`, `vsan`, `nfs`, `vvol`.
    pub type_: Name,
    /// The capacity.
    pub capacity: Bytes,
    /// What others use of it.
    pub used: Bytes,
    /// Whether it is in maintenance mode.
    pub maintenance: bool,
    /// Another datastore whose space it really is.
    pub shares_space_with: Option<Name>,
}

/// A storage policy.
#[derive(Clone, Debug, PartialEq)]
pub struct StoragePolicy {
    /// The name; also the storage class's.
    pub name: Name,
    /// The policy's id.
    pub id: Name,
    /// The datastores that comply.
    pub datastores: Vec<Name>,
    /// Whether it encrypts.
    pub encrypted: bool,
    /// Whether space is taken as it is used.
    pub thin: bool,
}

/// A key provider.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyProvider {
    /// The name.
    pub name: Name,
    /// Whether it is vCenter's own (else a KMIP server).
    pub native: bool,
    /// Whether it is the default.
    pub default: bool,
    /// The ids of its keys.
    pub keys: Vec<Name>,
    /// Whether it answers.
    pub available: bool,
}

/// A network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// The name.
    pub name: Name,
    /// `standard`, `distributed` or `opaque`.
    pub type_: Name,
    /// The address of the network.
    pub cidr: Name,
    /// The gateway's address.
    pub gateway: Name,
    /// How interfaces get their addresses.
    pub ipam: Ipam,
}

/// How a network's interfaces get their addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ipam {
    /// Handed out from the network, in order.
    Pool,
    /// Exactly these, with prefix and gateway, to each interface.
    Fixed(Vec<(Name, Name)>),
    /// The guest asks by DHCP.
    Dhcp,
    /// Nobody hands out anything.
    None,
}

/// An image of the content library.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// What a user calls it: the object's name if it begins with `vmi-`, else the display name.
    pub name: Name,
    /// The display name, where `name` is the object's.
    pub display_name: Option<Name>,
    /// The namespace, for an image of a namespace.
    pub namespace: Option<Name>,
    /// The library item's id.
    pub id: Name,
    /// `OVF`, `ISO`, `VMTX`.
    pub type_: Name,
    /// Its disks.
    pub disks: Vec<ImageDisk>,
    /// The guest operating system's identifier.
    pub guest_id: Name,
    /// Whether VM Tools are installed.
    pub tools: bool,
    /// The virtual hardware's version; absent: the platform's.
    pub hardware_version: Option<u32>,
    /// The firmware, if it is said.
    pub firmware: Option<Name>,
    /// What its OVF lets a VM's user set.
    pub ovf_properties: Vec<OvfProperty>,
    /// The guest's behaviour: a profile's name.
    pub guest: Option<Name>,
}

/// A property of an OVF that a VM's user may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OvfProperty {
    /// Its name.
    pub key: Name,
    /// What it takes: `string`, `int(0..255)` and so on.
    pub type_: Name,
    /// Its value when nobody sets one.
    pub default: Name,
}

/// A disk of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDisk {
    /// The file's name.
    pub file: Option<Name>,
    /// The space that it takes.
    pub size: Bytes,
    /// The size to which it may grow.
    pub capacity: Bytes,
}

/// How a guest behaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GuestProfile {
    /// From power-on to the running operating system.
    pub boot: Option<Timing>,
    /// From there to running VM Tools.
    pub tools_start: Option<Timing>,
    /// From there to an address.
    pub dhcp: Option<Timing>,
    /// From the request to shut down to power-off.
    pub shutdown: Option<Patience>,
    /// From the request to stand by to suspension.
    pub standby: Option<Patience>,
    /// Customization, and one more boot.
    pub customization: Option<Timing>,
}

/// How long a guest takes to do as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// So long.
    After(Timing),
    /// It hangs.
    Never,
}

/// A duration: fixed, or drawn from a log-normal distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Always so long.
    Fixed(Span),
    /// Half of the draws are below the median, 99 of 100 below `p99`.
    Drawn {
        /// The median.
        median: Span,
        /// The 99th percentile.
        p99: Span,
    },
}

/// A VM that exists already.
#[derive(Clone, Debug, PartialEq)]
pub struct ExistingVm {
    /// `namespace/name` of a managed VM; the plain name of another.
    pub name: Name,
    /// Its properties; id, host, pool and folder are resolved when the world is built, from the fields beside it.
    pub properties: VirtualMachine,
    /// Whether the id in the properties was given.
    pub has_id: bool,
    /// The host's name.
    pub host: Option<Name>,
    /// The datastores of its files.
    pub datastores: Vec<Name>,
    /// The guest's behaviour: a profile's name.
    pub guest_profile: Option<Name>,
    /// The object that manages it, `namespace/name`.
    pub managed_by: Option<Name>,
}

/// A Supervisor namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Namespace {
    /// The name.
    pub name: Name,
    /// The zones that it was given.
    pub zones: Vec<Name>,
    /// Limits by storage class; absent: none.
    pub storage_quota: BTreeMap<Name, Bytes>,
    /// CPU limit of its pools.
    pub cpu_limit: Option<MHz>,
    /// Memory limit of its pools.
    pub memory_limit: Option<Bytes>,
}
