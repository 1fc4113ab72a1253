//! What a rule may look at: the API server's objects and their history, the twin's VMs and hosts, the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::id::VmId;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{Kind, Object, ObjectKey, Resource, View as Typed};
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{self, Inventory, Operation};

use crate::log::{Data, Event, Record, Source};
use crate::runner::{CallRecord, Simulation};

/// What the log told so far, as far as rules need it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// The versions of VMs and groups that an open pass may still have seen.
    versions: BTreeMap<ObjectKey, BTreeMap<u64, Arc<Object>>>,
    /// The calls of each open pass, by the number of its wake record.
    open: BTreeMap<u64, Vec<Call>>,
    /// The power states that a VM had while a pass of it was open.
    states: BTreeMap<u64, BTreeSet<PowerState>>,
    /// Which wake records belong to an object's open passes.
    passes: BTreeMap<ObjectKey, BTreeSet<u64>>,
    /// Which VMs carry an instance UUID, and which a namespaced name.
    by_uuid: BTreeMap<Arc<str>, BTreeSet<VmId>>,
    by_name: BTreeMap<Arc<str>, BTreeSet<VmId>>,
}

/// A call of a pass.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The call.
    pub(super) operation: Operation,
    /// When.
    pub(super) at: Timestamp,
    /// The VM's power state just then.
    pub(super) state: Option<PowerState>,
}

impl Ledger {
    /// Takes a record in, before the rules look.
    pub(super) fn take(&mut self, simulation: &Simulation, record: &Record) {
        match (&record.event, &record.data) {
            (Event::Write, Data::Change(change)) => {
                if let Some(after) = change.after.as_ref().filter(|after| is_followed(after.key.kind)) {
                    self.versions.entry(after.key.clone()).or_default().insert(after.resource_version, after.clone());
                }
            }
            (Event::Wake, _) => self.wake(simulation, record),
            (Event::Operation, Data::Call(operation)) => {
                let state = operation.vm().and_then(|vm| simulation.world().vm(vm)).map(|vm| vm.runtime.power_state);
                let call = Call { operation: operation.clone(), at: record.at, state };
                self.open.entry(record.cause.0).or_default().push(call);
            }
            (Event::Change, _) if matches!(record.source, Source::Vsphere | Source::Guest | Source::Operator) => {
                self.change(simulation, record)
            }
            _ => {}
        }
    }

    fn wake(&mut self, simulation: &Simulation, record: &Record) {
        let Some(key) = record.object.clone() else { return };
        let states = vm_of(simulation, &key).map(|vm| vm.runtime.power_state);
        self.states.insert(record.seq, states.into_iter().collect());
        self.passes.entry(key).or_default().insert(record.seq);
    }

    fn change(&mut self, simulation: &Simulation, record: &Record) {
        let Some(id) = record.vsphere.as_deref().map(VmId::from) else { return };
        let Some(vm) = simulation.world().vm(&id) else {
            for index in [&mut self.by_uuid, &mut self.by_name] {
                index.retain(|_, vms| {
                    vms.remove(&id);
                    !vms.is_empty()
                });
            }
            return;
        };
        if let Some(config) = &vm.config {
            self.by_uuid.entry(config.instance_uuid.clone()).or_default().insert(id.clone());
        }
        if let Some(name) = vm.extra_config("vmservice.namespacedName") {
            self.by_name.entry(name.into()).or_default().insert(id);
        }
        if let Some(key) = &record.object {
            for wake in self.passes.get(key).into_iter().flatten() {
                self.states.entry(*wake).or_default().insert(vm.runtime.power_state);
            }
        }
    }

    /// Forgets, after the rules looked, what no open pass can have seen.
    pub(super) fn forget(&mut self, record: &Record) {
        let (Event::Pass, Some(key)) = (record.event, &record.object) else { return };
        let wake = record.cause.0;
        self.open.remove(&wake);
        self.states.remove(&wake);
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

fn is_followed(kind: Kind) -> bool {
    matches!(kind.info().kind, "VirtualMachine" | "VirtualMachineGroup")
}

fn vm_of<'a>(simulation: &'a Simulation, key: &ObjectKey) -> Option<&'a Arc<vsphere::VirtualMachine>> {
    if key.kind != VirtualMachine::KIND {
        return None;
    }
    let object = simulation.api().get(key)?;
    let id = &object.view::<VirtualMachine>()?.status.unique_id;
    simulation.world().vm(&VmId::from(id.as_str())).or_else(|| simulation.world().vm_named(&key.namespaced_name()))
}

/// What a rule looks at.
#[derive(Debug)]
pub struct View<'a> {
    simulation: &'a Simulation,
    /// The infrastructure as it was described.
    pub inventory: &'a Inventory,
    ledger: &'a Ledger,
}

impl<'a> View<'a> {
    pub(super) fn new(simulation: &'a Simulation, inventory: &'a Inventory, ledger: &'a Ledger) -> Self {
        Self { simulation, inventory, ledger }
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

    /// All VMs.
    pub fn vms(&self) -> impl Iterator<Item = &'a Arc<vsphere::VirtualMachine>> {
        self.simulation.world().vms()
    }

    /// Everything that the operator called so far, reads excepted.
    #[must_use]
    pub fn calls(&self) -> &'a [CallRecord] {
        self.simulation.calls()
    }

    /// The object that a pass was for, in the version that it had; nothing if the record isn't a pass's end.
    #[must_use]
    pub fn known(&self, record: &Record) -> Option<&'a Arc<Object>> {
        let Data::Passed(passed) = &record.data else { return None };
        let (key, version) = passed.saw.iter().find(|(key, _)| *key == passed.key.object)?;
        self.ledger.versions.get(key)?.get(version).or_else(|| self.object(key).filter(|object| object.resource_version == *version))
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
