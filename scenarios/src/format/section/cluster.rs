//! Zones, clusters and hosts (scenario-format §3, capacity §2.4).

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::{Percentage, Quantity, Text};
use crate::format::spanned::{Named, Spanned};

/// An availability zone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Zone {
    /// The name.
    pub(in crate::format) name: Text,
    /// Its clusters.
    #[serde(default)]
    pub(in crate::format) clusters: Vec<Cluster>,
}

/// A cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Cluster {
    /// The name.
    pub(in crate::format) name: Text,
    /// Its hosts; an entry with `count` stands for many.
    #[serde(default)]
    pub(in crate::format) hosts: Vec<Host>,
    /// DRS; on, fully automated, threshold 3 unless told.
    pub(in crate::format) drs: Option<Drs>,
    /// HA; off unless told.
    pub(in crate::format) ha: Option<Ha>,
    /// VM-VM and VM-host rules.
    #[serde(default)]
    pub(in crate::format) rules: Vec<Rule>,
    /// The share of the physical that VMs may reserve.
    pub(in crate::format) reservable: Option<Reservable>,
    /// Resource pools besides the namespaces' own.
    #[serde(default)]
    pub(in crate::format) resource_pools: Vec<ResourcePool>,
    /// DRS automation of single VMs.
    #[serde(default)]
    pub(in crate::format) overrides: Vec<Override>,
}

/// What `set` changes in a cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "changes of clusters are checked and not carried out yet")]
pub(in crate::format) struct ClusterSettings {
    /// DRS.
    pub(in crate::format) drs: Option<Drs>,
    /// HA.
    pub(in crate::format) ha: Option<Ha>,
    /// VM-VM and VM-host rules.
    pub(in crate::format) rules: Option<Vec<Rule>>,
    /// The share of the physical that VMs may reserve.
    pub(in crate::format) reservable: Option<Reservable>,
    /// Resource pools besides the namespaces' own.
    pub(in crate::format) resource_pools: Option<Vec<ResourcePool>>,
    /// DRS automation of single VMs.
    pub(in crate::format) overrides: Option<Vec<Override>>,
}

/// A host, or many of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Host {
    /// The name; with `count`, what the index is appended to.
    pub(in crate::format) name: Text,
    /// How many hosts the entry stands for.
    pub(in crate::format) count: Option<Spanned<u64>>,
    /// The managed object id.
    #[serde(rename = "moID")]
    pub(in crate::format) mo_id: Option<Text>,
    /// Its processors; 2 sockets of 16 cores at 2600 MHz unless told.
    pub(in crate::format) cpu: Option<Cpu>,
    /// Its memory; 256Gi unless told.
    pub(in crate::format) memory: Option<Quantity>,
    /// The datastores that it mounts; all unless told.
    pub(in crate::format) datastores: Option<Vec<Text>>,
    /// Its vGPUs.
    #[serde(default)]
    pub(in crate::format) vgpus: Vec<Vgpu>,
    /// Room for instance storage; none unless told.
    pub(in crate::format) instance_storage: Option<Quantity>,
    /// Its state at the start; connected unless told.
    pub(in crate::format) state: Option<HostState>,
}

/// What `host: NAME, add:` adds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "added hosts are checked and not carried out yet")]
pub(in crate::format) struct AddedHost {
    /// The cluster that it joins.
    pub(in crate::format) cluster: Text,
    /// The managed object id.
    #[serde(rename = "moID")]
    pub(in crate::format) mo_id: Option<Text>,
    /// Its processors.
    pub(in crate::format) cpu: Option<Cpu>,
    /// Its memory.
    pub(in crate::format) memory: Option<Quantity>,
    /// The datastores that it mounts.
    pub(in crate::format) datastores: Option<Vec<Text>>,
    /// Its vGPUs.
    #[serde(default)]
    pub(in crate::format) vgpus: Vec<Vgpu>,
    /// Room for instance storage.
    pub(in crate::format) instance_storage: Option<Quantity>,
    /// Its state.
    pub(in crate::format) state: Option<HostState>,
}

/// Processors of a host.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Cpu {
    /// Sockets; 2 unless told.
    pub(in crate::format) sockets: Option<Spanned<u64>>,
    /// Cores of one socket; 16 unless told.
    pub(in crate::format) cores: Option<Spanned<u64>>,
    /// The clock; 2600 unless told.
    pub(in crate::format) mhz: Option<Spanned<u64>>,
}

/// vGPUs of one profile.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Vgpu {
    /// The profile, `grid_p40-1q`.
    pub(in crate::format) profile: Text,
    /// How many; 1 unless told.
    pub(in crate::format) count: Option<Spanned<u64>>,
}

/// The state of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::format) enum HostState {
    /// vCenter reaches it.
    Connected,
    /// An administrator disconnected it.
    Disconnected,
    /// It failed and doesn't answer.
    NotResponding,
    /// It is in maintenance mode.
    Maintenance,
}

/// DRS of a cluster; on, fully automated, threshold 3 unless told.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Drs {
    /// Whether it is on.
    pub(in crate::format) enabled: Option<bool>,
    /// How much it does by itself.
    pub(in crate::format) automation: Option<Automation>,
    /// 1 (only what must be) to 5 (every gain).
    pub(in crate::format) migration_threshold: Option<Spanned<u64>>,
}

/// How much DRS does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::format) enum Automation {
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
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Ha {
    /// Whether it is on.
    pub(in crate::format) enabled: Option<bool>,
    /// What it keeps free; where HA is on, a percentage for one host unless told.
    pub(in crate::format) admission_control: Option<Spanned<AdmissionControl>>,
    /// Restart priority by VM.
    #[serde(default)]
    pub(in crate::format) restart_priority: Named<RestartPriority>,
}

/// What HA keeps free.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct AdmissionControl {
    /// By which rule; `clusterResourcePercentage` unless told.
    pub(in crate::format) policy: Option<AdmissionPolicy>,
    /// How many hosts may fail; 1 unless told.
    pub(in crate::format) host_failures_to_tolerate: Option<Spanned<u64>>,
    /// The share of CPU, for a percentage that doesn't follow from the hosts.
    pub(in crate::format) cpu: Option<Percentage>,
    /// The share of memory, for a percentage that doesn't follow from the hosts.
    pub(in crate::format) memory: Option<Percentage>,
    /// A slot of a fixed size.
    pub(in crate::format) slot: Option<Slot>,
    /// The hosts that are kept empty.
    pub(in crate::format) hosts: Option<Vec<Text>>,
}

/// By which rule HA keeps room free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::format) enum AdmissionPolicy {
    /// A share of the cluster's resources.
    #[default]
    ClusterResourcePercentage,
    /// Slots.
    SlotPolicy,
    /// Hosts that are kept empty.
    DedicatedFailoverHosts,
    /// Nothing.
    Disabled,
}

/// A slot of a fixed size.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Slot {
    /// CPU in MHz.
    pub(in crate::format) cpu: Option<Spanned<u64>>,
    /// Memory.
    pub(in crate::format) memory: Option<Quantity>,
}

/// In which order HA restarts VMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum RestartPriority {
    /// First.
    Highest,
    /// Second.
    High,
    /// Third; the default.
    Medium,
    /// Fourth.
    Low,
    /// Last.
    Lowest,
    /// Not at all.
    Disabled,
}

/// A VM-VM or VM-host rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Rule {
    /// The name.
    pub(in crate::format) name: Text,
    /// What it says.
    #[serde(rename = "type")]
    pub(in crate::format) type_: RuleType,
    /// The VMs.
    #[serde(default)]
    pub(in crate::format) vms: Vec<Text>,
    /// The hosts of a `vmHost` rule.
    #[serde(default)]
    pub(in crate::format) hosts: Vec<Text>,
    /// For a `vmHost` rule: whether the VMs run on the hosts (the default) or not on them.
    pub(in crate::format) run: Option<Spanned<bool>>,
    /// Whether it must be kept (the default), or should be.
    pub(in crate::format) must: Option<bool>,
    /// Whether it is in force, as it is unless told.
    pub(in crate::format) enabled: Option<bool>,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::format) enum RuleType {
    /// The VMs stay together.
    Affinity,
    /// The VMs stay apart.
    AntiAffinity,
    /// The VMs run, or don't run, on these hosts.
    VmHost,
}

/// The share of the physical that VMs may reserve.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Reservable {
    /// Of the CPU.
    pub(in crate::format) cpu: Option<Percentage>,
    /// Of the memory.
    pub(in crate::format) memory: Option<Percentage>,
}

/// A resource pool besides the namespaces' own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct ResourcePool {
    /// The name.
    pub(in crate::format) name: Text,
    /// The pool above it: another entry, or `namespace/NAME`; the cluster's root pool unless told.
    pub(in crate::format) parent: Option<Text>,
    /// CPU in MHz.
    pub(in crate::format) cpu: Option<PoolAllocation>,
    /// Memory in MB.
    pub(in crate::format) memory: Option<PoolAllocation>,
}

/// A pool's share of one resource.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct PoolAllocation {
    /// What is guaranteed; 0 unless told.
    pub(in crate::format) reservation: Option<Spanned<i64>>,
    /// What may be used at most; -1, the default, is no limit.
    pub(in crate::format) limit: Option<Spanned<i64>>,
    /// Whether what is missing may be borrowed from above, as it may unless told.
    pub(in crate::format) expandable: Option<bool>,
}

/// DRS automation of one VM.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Override {
    /// The VM.
    pub(in crate::format) vm: Text,
    /// How much DRS does with it by itself.
    pub(in crate::format) drs: Automation,
}
