//! Placement policies: what VMs state of the places of others, read, and held against hosts. Source: placement-groups §5.3, §10.3.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::inventory::Name;
use vmtwin_model::vsphere::spec::ConfigSpec;

use crate::host::Host;
use crate::placement::{Besides, Wish};
use crate::planning::Constraint;
use crate::vm::Vm;
use crate::{World, deploy, refusals};

/// A placement policy as it is stated.
#[derive(Clone, Debug)]
pub(crate) struct Stated {
    pub(crate) apart: bool,
    pub(crate) required: bool,
    pub(crate) topology: Topology,
    pub(crate) tags: Vec<Arc<str>>,
    /// Whether it is about this VM and groups of others, instead of all that have the tag.
    pub(crate) to_groups: bool,
}

impl Stated {
    /// Reads a policy; nothing if it isn't one of those that are known.
    pub(crate) fn read(policy: &Value) -> Option<Self> {
        let (apart, to_groups, tags) = match policy.get("_typeName").and_then(Value::as_str)? {
            "VmVmAffinity" => (false, false, vec![tag_key(policy.get("affinedVmsTag")?)?]),
            "VmVmAntiAffinity" => (true, false, vec![tag_key(policy.get("antiAffinedVmsTag")?)?]),
            "VmToVmGroupsAntiAffinity" => {
                let own = policy.get("selfTag").and_then(tag_key);
                let tags = policy.get("antiAffinedVmGroupTags")?.as_array()?.iter().filter_map(tag_key);
                (true, true, tags.filter(|tag| Some(tag) != own.as_ref()).collect())
            }
            _ => return None,
        };
        let strictness = policy.get("policyStrictness").and_then(Value::as_str).unwrap_or_default();
        let topology = match policy.get("policyTopology").and_then(Value::as_str) {
            Some("VSphereZone") => Topology::Zone,
            Some("ClusterComputeResource") => Topology::Cluster,
            _ => Topology::Host,
        };
        Some(Self { apart, required: strictness.starts_with("Required"), topology, tags, to_groups })
    }
}

/// A placement policy, read, with the places where its tags are.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) apart: bool,
    pub(crate) required: bool,
    topology: Topology,
    pub(crate) text: String,
    tags: Vec<Arc<str>>,
    hosts: BTreeSet<u32>,
    clusters: BTreeSet<u32>,
    zones: BTreeSet<Name>,
}

impl Policy {
    /// Whether it speaks of one of these tags.
    pub(crate) fn mentions(&self, tags: &[Arc<str>]) -> bool {
        self.tags.iter().any(|tag| tags.contains(tag))
    }

    /// Whether VMs are to be apart by it.
    pub(crate) fn is_apart(&self) -> bool {
        self.apart
    }

    /// Notes that a VM with one of its tags is there; whether that is new to it, as far as its topology goes.
    pub(crate) fn note(&mut self, (host, cluster): (u32, u32), zone: Option<&Name>) -> bool {
        let of_host = self.hosts.insert(host);
        let of_cluster = self.clusters.insert(cluster);
        let of_zone = zone.is_some_and(|zone| self.zones.insert(zone.clone()));
        match self.topology {
            Topology::Host => of_host,
            Topology::Cluster => of_cluster,
            Topology::Zone => of_zone,
        }
    }

    /// The same of one host, for VMs that are to be apart from it, or with it.
    pub(crate) fn with(self, apart: bool, host: u32) -> Self {
        Self { apart, hosts: BTreeSet::from([host]), ..self }
    }

    /// Whether it wants VMs apart.
    pub(crate) fn keeps_apart(&self) -> bool {
        self.apart && !self.hosts.is_empty()
    }
}

/// What VMs are to share, or not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topology {
    Host,
    Cluster,
    Zone,
}

impl World {
    /// What the required policies of a VM that is to be made say against a host: all of them, so that those that contradict each other are
    /// named.
    pub(crate) fn policies_say(&self, host: &Host, row: u32, wish: &Wish<'_>) -> Result<(), Fault> {
        let lifted = |policy: &Policy| self.is_lifted(if policy.apart { Constraint::AntiAffinity } else { Constraint::Affinity });
        let is_broken = |policy: &&Policy| policy.required && !self.keeps(policy, host, row) && !lifted(policy);
        let mut broken = wish.policies.iter().filter(|_| wish.creating).filter(is_broken);
        let Some(first) = broken.next() else { return Ok(()) };
        let others: String = broken.map(|policy| format!("; {}", policy.text)).collect();
        let policies = if others.is_empty() { "A required placement policy" } else { "Required placement policies" };
        Err(refusals::invalid_state(&format!("{policies} would be broken: {}{others}.", first.text)))
    }

    /// Whether a policy is kept if the VM is on this host.
    pub(crate) fn keeps(&self, policy: &Policy, host: &Host, row: u32) -> bool {
        let zone = self.clusters.get(host.cluster).map(|cluster| &cluster.zone);
        let (there, any) = match policy.topology {
            Topology::Host => (policy.hosts.contains(&row), !policy.hosts.is_empty()),
            Topology::Cluster => (policy.clusters.contains(&host.cluster), !policy.clusters.is_empty()),
            Topology::Zone => (zone.is_some_and(|zone| policy.zones.contains(zone)), !policy.zones.is_empty()),
        };
        if policy.apart { !there } else { there || !any }
    }

    /// What a VM that exists keeps to where it can: its placement policies, and its cluster modules' other members.
    pub(crate) fn policies_of_running(&self, vm: u32, row: &Vm) -> Vec<Policy> {
        let mut policies = self.read_policies(&row.policies, Some(vm), &Besides::default());
        let asked = self.asked_by_others(&row.tags, &row.policies, Some(vm), &Besides::default());
        // It stays in its cluster whatever it may be asked about that.
        policies.extend(asked.into_iter().filter(|policy| policy.topology == Topology::Host));
        let peers: BTreeSet<u32> = self.modules.peers(vm).filter_map(|peer| Some(self.vms.get(peer)?.booked?.host)).collect();
        if !peers.is_empty() {
            policies.push(Policy {
                apart: true,
                required: false,
                topology: Topology::Host,
                text: "cluster module".to_owned(),
                tags: Vec::new(),
                hosts: peers,
                clusters: BTreeSet::new(),
                zones: BTreeSet::new(),
            });
        }
        policies
    }

    /// What a VM that is to be made states, and what others ask of it.
    pub(crate) fn policies_of_new(&self, spec: &ConfigSpec, besides: &Besides) -> Vec<Policy> {
        let own = deploy::policies_of(spec);
        let mut policies = self.read_policies(&own, None, besides);
        policies.extend(self.asked_by_others(&tags_of(spec), &own, None, besides));
        policies
    }

    /// Placement policies with the places that their tags have.
    fn read_policies(&self, policies: &[Value], vm: Option<u32>, besides: &Besides) -> Vec<Policy> {
        policies.iter().filter_map(|policy| self.read_policy(policy, vm, besides)).collect()
    }

    fn read_policy(&self, policy: &Value, vm: Option<u32>, besides: &Besides) -> Option<Policy> {
        let stated = Stated::read(policy)?;
        let text = format!("{} with {}", policy.get("_typeName").and_then(Value::as_str).unwrap_or_default(), stated.tags.join(", "));
        Some(self.policy_over(stated, text, vm, besides))
    }

    /// A policy with the places where its tags are.
    pub(crate) fn policy_over(&self, stated: Stated, text: String, vm: Option<u32>, besides: &Besides) -> Policy {
        let Stated { apart, required, topology, tags, .. } = stated;
        let mut places: Vec<(u32, u32)> = Vec::new();
        for tag in &tags {
            let rows = self.vms.tagged(tag).iter().filter(|row| Some(**row) != vm).filter_map(|row| self.vms.get(*row));
            places.extend(rows.filter_map(|row| Some((row.host, self.hosts.get(row.host)?.cluster))));
            places.extend(besides.tags.get(tag).into_iter().flatten());
        }
        let clusters = places.iter().map(|(_, cluster)| *cluster).collect();
        let hosts = places.iter().map(|(host, _)| *host).collect();
        Policy { tags, hosts, apart, required, ..self.policy_against(required, topology, text, clusters) }
    }

    /// A policy that keeps a VM out of these clusters, or of their zones.
    pub(crate) fn policy_against(&self, required: bool, topology: Topology, text: String, clusters: BTreeSet<u32>) -> Policy {
        let zones = clusters.iter().filter_map(|cluster| Some(self.clusters.get(*cluster)?.zone.clone())).collect();
        Policy { apart: true, required, topology, text, tags: Vec::new(), hosts: BTreeSet::new(), clusters, zones }
    }
}

/// A tag reference as `category/name`.
pub(crate) fn tag_key(tag: &Value) -> Option<Arc<str>> {
    if let Some(name) = tag.as_str() {
        return Some(format!("/{name}").into());
    }
    let id = tag.get("id").unwrap_or(tag);
    match id.get("nameId") {
        Some(named) => {
            let category = named.get("category").and_then(Value::as_str).unwrap_or_default();
            Some(format!("{category}/{}", named.get("tag")?.as_str()?).into())
        }
        None => Some(format!("/{}", id.get("uuid")?.as_str()?).into()),
    }
}

/// The tags that a spec attaches.
pub(crate) fn tags_of(spec: &ConfigSpec) -> Vec<Arc<str>> {
    let specs = spec.rest.get("tagSpecs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    specs.iter().filter(|tag| tag.get("operation").and_then(Value::as_str) != Some("remove")).filter_map(tag_key).collect()
}
