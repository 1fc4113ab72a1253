//! What a rule may look at: the API server's objects and their history, the twin's VMs and hosts, the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::id::VmId;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Object, ObjectKey, Resource, View as Typed};
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::inventory::{Cluster, Host, HostState, Name};
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{self, Inventory};

use super::history::History;
use super::ledger::{Began, Call, Ledger, Touched, vm_of};
use crate::log::{Data, Event, Outcome, Record};
use crate::runner::{CallRecord, Simulation};

/// What a rule looks at.
#[derive(Debug)]
pub struct View<'a> {
    simulation: &'a Simulation,
    described: &'a Described,
    ledger: &'a Ledger,
}

/// The infrastructure as it was described, with the places of its hosts by name.
#[derive(Debug)]
pub(super) struct Described {
    inventory: Inventory,
    /// Zone, cluster and host by their places in the description.
    hosts: BTreeMap<Name, (usize, usize, usize)>,
}

impl Described {
    pub(super) fn new(inventory: &Inventory) -> Self {
        let clusters =
            inventory.zones.iter().enumerate().flat_map(|(z, zone)| zone.clusters.iter().enumerate().map(move |(c, of)| (z, c, of)));
        let hosts = clusters.flat_map(|(z, c, of)| of.hosts.iter().enumerate().map(move |(h, host)| (host.name.clone(), (z, c, h))));
        Self { hosts: hosts.collect(), inventory: inventory.clone() }
    }
}

impl<'a> View<'a> {
    pub(super) fn new(simulation: &'a Simulation, described: &'a Described, ledger: &'a Ledger) -> Self {
        Self { simulation, described, ledger }
    }

    /// A host and its cluster as they were described.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<(&'a Cluster, &'a Host)> {
        let (zone, cluster, host) = *self.described.hosts.get(name)?;
        let cluster = &self.described.inventory.zones[zone].clusters[cluster];
        Some((cluster, &cluster.hosts[host]))
    }

    /// The instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.simulation.now()
    }

    /// The object of this key, as the API server has it.
    #[must_use]
    pub fn object(&self, key: &ObjectKey) -> Option<&'a Arc<Object>> {
        self.simulation.api().get(key)
    }

    /// All objects of kind `K`, by namespace and name.
    pub fn objects<K: Resource>(&self) -> impl Iterator<Item = Typed<'a, K>> {
        self.simulation.api().list(K::KIND, None).filter_map(|object| object.view())
    }

    /// The vSphere VM of an object.
    #[must_use]
    pub fn vm_of(&self, key: &ObjectKey) -> Option<&'a Arc<vsphere::VirtualMachine>> {
        vm_of(self.simulation, key)
    }

    /// The VM of this id.
    #[must_use]
    pub fn vm(&self, id: &VmId) -> Option<&'a Arc<vsphere::VirtualMachine>> {
        self.simulation.world().vm(id)
    }

    /// The VMs on a host, by the host's name.
    pub fn on_host(&self, name: &str) -> impl Iterator<Item = &'a Arc<vsphere::VirtualMachine>> {
        self.ledger.on_host.get(name).into_iter().flatten().filter_map(|id| self.vm(id))
    }

    /// The VMs with an instance UUID.
    pub fn with_uuid(&self, uuid: &str) -> impl Iterator<Item = &'a Arc<vsphere::VirtualMachine>> {
        self.ledger.by_uuid.get(uuid).into_iter().flatten().filter_map(|id| self.vm(id))
    }

    /// The VirtualMachine objects whose instance UUID, or whose uid, is this text.
    pub fn owners(&self, uuid: &str) -> impl Iterator<Item = &'a Arc<Object>> {
        self.ledger.owners.get(uuid).into_iter().flatten().filter_map(|key| self.object(key))
    }

    /// The VMs that carry an object's namespaced name.
    pub fn named(&self, key: &ObjectKey) -> impl Iterator<Item = &'a Arc<vsphere::VirtualMachine>> {
        let name = key.namespaced_name();
        self.ledger.by_name.get(&*name).into_iter().flatten().filter_map(|id| self.vm(id))
    }

    /// What changed since nothing was due last: what a rule of rest has to look at.
    pub(super) fn touched(&self) -> &'a Touched {
        &self.ledger.touched
    }

    /// The objects of kind `K` among what changed, as they are.
    pub fn touched_objects<K: Resource>(&self) -> impl Iterator<Item = Typed<'a, K>> {
        self.touched().objects.iter().filter(|key| key.kind == K::KIND).filter_map(|key| self.object(key)?.view())
    }

    /// Everything that the operator called so far, reads excepted.
    #[must_use]
    pub fn calls(&self) -> &'a [CallRecord] {
        self.simulation.calls()
    }

    /// The object that a pass was for, in the version that it had; nothing if the record isn't a pass's end.
    #[must_use]
    pub fn known(&self, record: &Record) -> Option<&'a Arc<Object>> {
        self.ledger.known(self.simulation, record)
    }

    /// Another object that a pass saw, in the version that it had.
    #[must_use]
    pub fn known_other(&self, record: &Record, key: &ObjectKey) -> Option<&'a Arc<Object>> {
        let Data::Passed(passed) = &record.data else { return None };
        let (_, version) = passed.saw.iter().find(|(seen, _)| seen == key)?;
        let kept = self.ledger.versions.get(key).and_then(|versions| versions.get(version));
        kept.or_else(|| self.object(key).filter(|object| object.resource_version == *version))
    }

    /// How the pass that a record ends found its VM.
    pub(super) fn began(&self, record: &Record) -> Option<Began> {
        self.ledger.began.get(&record.cause.0).copied()
    }

    /// What happened over the whole run.
    pub(super) fn history(&self) -> &'a History {
        &self.ledger.history
    }

    /// The operator's call of this number.
    #[must_use]
    pub fn call(&self, seq: u64) -> Option<&'a CallRecord> {
        let calls = self.simulation.calls();
        calls.binary_search_by_key(&seq, |call| call.seq).ok().map(|at| &calls[at])
    }

    /// Whether the operator heard that its call was done.
    #[must_use]
    pub fn succeeded(&self, seq: u64) -> bool {
        self.call(seq).is_some_and(|call| call.ended == Some(Outcome::Success))
    }

    /// Whether a gate of this name is on.
    #[must_use]
    pub fn gate_is_on(&self, name: &str) -> bool {
        self.simulation.gate_is_on(name)
    }

    /// Whether something is still due that a settled system hasn't ahead, though no fault may end any more.
    #[must_use]
    pub fn is_restless(&self) -> bool {
        self.simulation.next_pending().is_some_and(|at| at <= self.now()) && !self.simulation.world().faults_may_end()
    }

    /// A host as vCenter shows it.
    #[must_use]
    pub fn host_state(&self, name: &str) -> Option<(HostState, bool)> {
        self.simulation.world().host_named(name).map(|host| (host.state, host.evacuating))
    }

    /// The zone of a host.
    #[must_use]
    pub fn zone_of_host(&self, name: &str) -> Option<&'a str> {
        let (zone, ..) = *self.described.hosts.get(name)?;
        Some(&self.described.inventory.zones[zone].name)
    }

    /// The objects that were touched by a record or hang on it: the last one that was worked on.
    #[must_use]
    pub fn last_woken(&self) -> Option<&'a ObjectKey> {
        self.ledger.history.last_woken.as_ref()
    }

    /// Whether a group is its own ancestor, or would be if its ancestors listed it.
    #[must_use]
    pub fn in_ring(&self, key: &ObjectKey) -> bool {
        let mut above = key.clone();
        let mut met = BTreeSet::from([key.clone()]);
        while let Some(group) = self.object(&above).and_then(|object| object.view::<VirtualMachineGroup>()) {
            if group.spec.group_name.is_empty() {
                return false;
            }
            above = ObjectKey::of::<VirtualMachineGroup>(key.namespace.clone(), group.spec.group_name.as_str());
            if !met.insert(above.clone()) {
                return true;
            }
        }
        false
    }

    /// Whether a group names no parent, or one that lists it; and so on upwards.
    #[must_use]
    pub fn is_linked_up(&self, group: Typed<'_, VirtualMachineGroup>) -> bool {
        let (key, parent) = (&group.object.key, &group.spec.group_name);
        if parent.is_empty() {
            return true;
        }
        let parent = ObjectKey::of::<VirtualMachineGroup>(key.namespace.clone(), parent.as_str());
        let Some(parent) = self.object(&parent).and_then(|object| object.view::<VirtualMachineGroup>()) else { return false };
        let members = parent.spec.boot_order.iter().flat_map(|boot_group| &boot_group.members);
        let mut listed = members.filter(|member| member.kind == Some(MemberKind::VirtualMachineGroup));
        !parent.object.is_deleting() && listed.any(|member| *member.name == *key.name) && !self.in_ring(key) && self.is_linked_up(parent)
    }

    /// All VMs of the infrastructure.
    pub fn vms(&self) -> impl Iterator<Item = &'a Arc<vsphere::VirtualMachine>> {
        self.simulation.world().vms()
    }

    /// The calls of the pass that a record ends.
    pub(super) fn calls_of(&self, record: &Record) -> &'a [Call] {
        if record.event != Event::Pass {
            return &[];
        }
        self.ledger.open.get(&record.cause.0).map(Vec::as_slice).unwrap_or_default()
    }

    /// The power states that the VM had while the pass that a record ends was open.
    #[must_use]
    pub fn states_during(&self, record: &Record) -> BTreeSet<PowerState> {
        self.ledger.states.get(&record.cause.0).cloned().unwrap_or_default()
    }

    /// The VMs that carry the same instance UUID, or the same namespaced name, as this one.
    #[must_use]
    pub fn namesakes(&self, id: &VmId) -> BTreeSet<VmId> {
        let Some(vm) = self.vm(id) else { return BTreeSet::new() };
        let uuid = vm.config.as_ref().map(|config| config.instance_uuid.clone()).unwrap_or_default();
        let name: Arc<str> = vm.extra_config("vmservice.namespacedName").unwrap_or_default().into();
        let alive = |ids: Option<&BTreeSet<VmId>>, is: &dyn Fn(&vsphere::VirtualMachine) -> bool| -> BTreeSet<VmId> {
            ids.into_iter().flatten().filter(|id| self.vm(id).is_some_and(|vm| is(vm))).cloned().collect()
        };
        let by_uuid = |vm: &vsphere::VirtualMachine| vm.config.as_ref().is_some_and(|config| config.instance_uuid == uuid);
        let by_name = |vm: &vsphere::VirtualMachine| vm.extra_config("vmservice.namespacedName") == Some(&*name);
        let mut same = if uuid.is_empty() { BTreeSet::new() } else { alive(self.ledger.by_uuid.get(&uuid), &by_uuid) };
        if !name.is_empty() {
            same.extend(alive(self.ledger.by_name.get(&name), &by_name));
        }
        same
    }
}
