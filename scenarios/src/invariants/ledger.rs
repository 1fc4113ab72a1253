//! What the log told so far, as far as rules need it: kept by object, so that a look costs what the record touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::id::VmId;
use vmtwin_model::kube::object::same_part;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Kind, Object, ObjectKey, Resource};
use vmtwin_model::shards::Shards;
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{self, Operation};

use super::history::History;
use crate::log::{Data, Event, Record, Source};
use crate::runner::Simulation;

/// What the log told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// The versions of VMs and groups that an open pass may still have seen.
    pub(super) versions: Shards<ObjectKey, BTreeMap<u64, Arc<Object>>>,
    /// The calls of each open pass, by the number of its wake record.
    pub(super) open: BTreeMap<u64, Vec<Call>>,
    /// The power states that a VM had while a pass of it was open.
    pub(super) states: BTreeMap<u64, BTreeSet<PowerState>>,
    /// Which wake records belong to an object's open passes.
    passes: Shards<ObjectKey, BTreeSet<u64>>,
    /// What each VM was last seen to carry.
    marks: Shards<VmId, Marks>,
    /// Which VMs carry an instance UUID, a namespaced name, and which are on a host.
    pub(super) by_uuid: Shards<Arc<str>, BTreeSet<VmId>>,
    pub(super) by_name: Shards<Arc<str>, BTreeSet<VmId>>,
    pub(super) on_host: Shards<Arc<str>, BTreeSet<VmId>>,
    /// Which VirtualMachine objects have an instance UUID, or a uid, of this text.
    pub(super) owners: Shards<Arc<str>, BTreeSet<ObjectKey>>,
    /// What changed since nothing was due last.
    pub(super) touched: Touched,
    /// How each open pass found the VM.
    pub(super) began: BTreeMap<u64, Began>,
    /// What happened over the whole run.
    pub(super) history: History,
}

/// How a pass found its VM.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began {
    /// Its power state.
    pub(super) state: PowerState,
    /// Whether VM Tools ran.
    pub(super) tools_run: bool,
}

/// VMs and objects that a rule of rest has to look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    /// VirtualMachines and VirtualMachineGroups.
    pub(super) objects: BTreeSet<ObjectKey>,
    /// The infrastructure's VMs.
    pub(super) vms: BTreeSet<VmId>,
}

impl Touched {
    /// Whether nothing changed.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.vms.is_empty()
    }
}

/// By what a VM is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Marks {
    uuid: Option<Arc<str>>,
    name: Option<Arc<str>>,
    host: Option<Arc<str>>,
}

/// A call of a pass.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The number of its record.
    pub(super) seq: u64,
    /// The call.
    pub(super) operation: Operation,
    /// When.
    pub(super) at: Timestamp,
    /// The VM's power state just then.
    pub(super) state: Option<PowerState>,
    /// At a power-on: the first class disks that the VM had just then.
    pub(super) disks: BTreeSet<Arc<str>>,
}

impl Ledger {
    /// Takes in what is there when a run begins.
    pub(super) fn begin(simulation: &Simulation) -> Self {
        let mut ledger = Self::default();
        for vm in simulation.world().vms() {
            ledger.mark(&vm.id, Some(vm));
        }
        for kind in [VirtualMachine::KIND, VirtualMachineGroup::KIND] {
            for object in simulation.api().list(kind, None) {
                ledger.own(None, Some(object));
                ledger.touched.objects.insert(object.key.clone());
            }
        }
        ledger.history = History::begin(simulation);
        ledger
    }

    /// Takes a record in, before the rules look.
    pub(super) fn take(&mut self, simulation: &Simulation, record: &Record) {
        match (&record.event, &record.data) {
            (Event::Write, Data::Change(change)) => {
                let (before, after) = (change.before.as_ref(), change.after.as_ref());
                if let Some(key) = after.or(before).map(|object| &object.key).filter(|key| is_followed(key.kind)) {
                    self.own(before, after);
                    self.touch(simulation, key, before, after);
                }
                if let Some(after) = after.filter(|after| is_followed(after.key.kind)) {
                    self.versions.entry(after.key.clone()).insert(after.resource_version, after.clone());
                }
            }
            (Event::Wake, _) => self.wake(simulation, record),
            (Event::Operation, Data::Call(operation)) => {
                let vm = operation.vm().and_then(|vm| simulation.world().vm(vm));
                let disks = match operation {
                    Operation::PowerOnVm { .. } => vm.map(|vm| disks_of(vm).collect()).unwrap_or_default(),
                    _ => BTreeSet::new(),
                };
                let state = vm.map(|vm| vm.runtime.power_state);
                let call = Call { seq: record.seq, operation: operation.clone(), at: record.at, state, disks };
                self.open.entry(record.cause.0).or_default().push(call);
            }
            (Event::Change, _) if matches!(record.source, Source::Vsphere | Source::Guest | Source::Operator) => {
                self.change(simulation, record);
            }
            _ => {}
        }
        self.history.take(simulation, record);
        if record.event == Event::Pass {
            let calls = self.open.get(&record.cause.0).map(Vec::as_slice).unwrap_or_default();
            let known = self.known(simulation, record).cloned();
            self.history.passed(simulation, record, calls, known.as_ref());
        }
    }

    /// The object that a pass was for, in the version that it had.
    pub(super) fn known<'a>(&'a self, simulation: &'a Simulation, record: &Record) -> Option<&'a Arc<Object>> {
        let Data::Passed(passed) = &record.data else { return None };
        let (key, version) = passed.saw.iter().find(|(key, _)| *key == passed.key.object)?;
        self.versions.get(key)?.get(version).or_else(|| simulation.api().get(key).filter(|object| object.resource_version == *version))
    }

    fn own(&mut self, before: Option<&Arc<Object>>, after: Option<&Arc<Object>>) {
        let Some(key) = after.or(before).map(|object| &object.key).filter(|key| key.kind == VirtualMachine::KIND) else { return };
        let (old, new) = (names_of(before), names_of(after));
        for gone in old.iter().filter(|name| !name.is_empty() && !new.contains(name)) {
            remove(&mut self.owners, gone, key);
        }
        for name in new.iter().filter(|name| !name.is_empty() && !old.contains(name)) {
            self.owners.entry(Arc::from(*name)).insert(key.clone());
        }
    }

    /// A changed object; and where a group's list of members isn't what it was, whatever hangs on it, before and after.
    fn touch(&mut self, simulation: &Simulation, key: &ObjectKey, before: Option<&Arc<Object>>, after: Option<&Arc<Object>>) {
        self.touched.objects.insert(key.clone());
        let same =
            |before: &Arc<Object>, after: &Arc<Object>| before.is_deleting() == after.is_deleting() && same_part(&before.spec, &after.spec);
        if before.zip(after).is_some_and(|(before, after)| same(before, after)) {
            return;
        }
        let mut groups: Vec<Arc<Object>> = [before, after].into_iter().flatten().cloned().collect();
        let mut met = BTreeSet::from([key.clone()]);
        while let Some(group) = groups.pop() {
            let Some(view) = group.view::<VirtualMachineGroup>() else { continue };
            for member in view.spec.boot_order.iter().flat_map(|boot_group| &boot_group.members) {
                let namespace = key.namespace.clone();
                match member.kind.unwrap_or(MemberKind::VirtualMachine) {
                    MemberKind::VirtualMachine => {
                        self.touched.objects.insert(ObjectKey::of::<VirtualMachine>(namespace, member.name.as_str()));
                    }
                    MemberKind::VirtualMachineGroup => {
                        let below = ObjectKey::of::<VirtualMachineGroup>(namespace, member.name.as_str());
                        self.touched.objects.insert(below.clone());
                        if met.insert(below.clone()) {
                            groups.extend(simulation.api().get(&below).cloned());
                        }
                    }
                }
            }
        }
    }

    fn wake(&mut self, simulation: &Simulation, record: &Record) {
        let Some(key) = record.object.clone() else { return };
        let vm = vm_of(simulation, &key);
        if let Some(vm) = vm {
            self.began.insert(record.seq, Began { state: vm.runtime.power_state, tools_run: vm.tools_run() });
        }
        self.states.insert(record.seq, vm.map(|vm| vm.runtime.power_state).into_iter().collect());
        self.passes.entry(key).insert(record.seq);
    }

    fn change(&mut self, simulation: &Simulation, record: &Record) {
        let Some(id) = record.vsphere.as_deref().map(VmId::from) else { return };
        let vm = simulation.world().vm(&id);
        self.mark(&id, vm);
        if let Some(key) = &record.object {
            self.touched.objects.insert(key.clone());
            if let Some(vm) = vm {
                for wake in self.passes.get(key).into_iter().flatten() {
                    self.states.entry(*wake).or_default().insert(vm.runtime.power_state);
                }
            }
        }
    }

    /// Notes by what a VM is found.
    fn mark(&mut self, id: &VmId, vm: Option<&Arc<vsphere::VirtualMachine>>) {
        self.touched.vms.insert(id.clone());
        let new = vm.map(|vm| Marks {
            uuid: vm.config.as_ref().map(|config| config.instance_uuid.clone()).filter(|uuid| !uuid.is_empty()),
            name: vm.extra_config("vmservice.namespacedName").map(Arc::from),
            host: vm.location.host_name.clone(),
        });
        let old = match &new {
            Some(new) => self.marks.insert(id.clone(), new.clone()),
            None => self.marks.remove(id),
        };
        if old == new {
            return;
        }
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        for (index, old, new) in
            [(&mut self.by_uuid, old.uuid, new.uuid), (&mut self.by_name, old.name, new.name), (&mut self.on_host, old.host, new.host)]
        {
            if old != new {
                if let Some(old) = old {
                    remove(index, &old, id);
                }
                if let Some(new) = new {
                    index.entry(new).insert(id.clone());
                }
            }
        }
    }

    /// Forgets, after the rules looked, what no open pass can have seen.
    pub(super) fn forget(&mut self, record: &Record) {
        let (Event::Pass, Some(key)) = (record.event, &record.object) else { return };
        let wake = record.cause.0;
        self.open.remove(&wake);
        self.states.remove(&wake);
        self.began.remove(&wake);
        if let Some(passes) = self.passes.get_mut(key) {
            passes.remove(&wake);
            if passes.is_empty() {
                self.passes.remove(key);
                if let Some(versions) = self.versions.get_mut(key)
                    && let Some((newest, object)) = versions.pop_last()
                {
                    versions.clear();
                    versions.insert(newest, object);
                }
            }
        }
    }
}

/// The instance UUID and the uid of a VirtualMachine.
fn names_of(object: Option<&Arc<Object>>) -> [&str; 2] {
    let Some(object) = object else { return [""; 2] };
    [object.view::<VirtualMachine>().map_or("", |vm| &vm.spec.instance_uuid), object.uid()]
}

fn is_followed(kind: Kind) -> bool {
    matches!(kind.info().kind, "VirtualMachine" | "VirtualMachineGroup")
}

/// The vSphere VM of an object.
pub(super) fn vm_of<'a>(simulation: &'a Simulation, key: &ObjectKey) -> Option<&'a Arc<vsphere::VirtualMachine>> {
    if key.kind != VirtualMachine::KIND {
        return None;
    }
    let object = simulation.api().get(key)?;
    let id = &object.view::<VirtualMachine>()?.status.unique_id;
    simulation.world().vm(&VmId::from(id.as_str())).or_else(|| simulation.world().vm_named(&key.namespaced_name()))
}

/// The ids of the first class disks that a VM has.
pub(super) fn disks_of(vm: &vsphere::VirtualMachine) -> impl Iterator<Item = Arc<str>> {
    let devices = vm.config.iter().flat_map(|config| &config.hardware.device);
    devices.filter_map(|device| device.rest.get("vDiskId")?.get("id")?.as_str()).map(Arc::from)
}

/// Takes a member out of an index, and the entry with the last one.
fn remove<M: Ord + Clone>(index: &mut Shards<Arc<str>, BTreeSet<M>>, name: &str, member: &M) {
    if let Some(members) = index.get_mut(name) {
        members.remove(member);
        if members.is_empty() {
            index.remove(name);
        }
    }
}
