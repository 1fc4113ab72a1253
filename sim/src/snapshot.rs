//! Snapshots: what vSphere keeps of them, how disks grow chains of links, and how the links are merged again.
//!
//! A snapshot freezes the link that each disk writes to, and the disk goes on in a new one above it. Going back to a snapshot throws the
//! live links away and lays new ones on the frozen ones, so that chains branch. A link that no snapshot holds and only one other link
//! lies on is merged into that one. Disks in independent mode take no part.
//!
//! Source: crypto-storage §4.2, §8.3–§8.8; vsphere §4, §9.1.

mod links;

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::time::Span;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::snapshot::{SnapshotInfo, SnapshotNode};
use vmtwin_model::vsphere::spec::{ConfigSpec, Device, DeviceOperation, DeviceType};
use vmtwin_model::vsphere::vm::{Config, PowerState};
use vmtwin_model::vsphere::{Changed, Fault, FaultName, Operation, Reply};

use links::{Link, Taken, numbered};

pub(crate) use links::Snapshots;

use crate::latency::{drawn, sample, transfer};
use crate::vm::Vm;
use crate::{World, refusals};

/// How many snapshots may stand one on the other.
const LEVELS_MAX: usize = 32;

/// Whether a device is a disk that snapshots keep.
fn takes_part(device: &Device) -> bool {
    let mode = device.backing.as_ref().and_then(|backing| backing.rest.get("diskMode")?.as_str());
    device.type_ == DeviceType::VirtualDisk && !mode.is_some_and(|mode| mode.starts_with("independent"))
}

/// The id of a first class disk.
fn first_class(device: &Device) -> Option<&str> {
    device.rest.get("vDiskId")?.get("id")?.as_str()
}

/// The list in which a node stands.
fn siblings<'a>(list: &'a mut Vec<SnapshotNode>, id: &str) -> Option<&'a mut Vec<SnapshotNode>> {
    if list.iter().any(|node| *node.snapshot == *id) {
        return Some(list);
    }
    list.iter_mut().find_map(|node| siblings(&mut node.child_snapshot_list, id))
}

/// A node of a tree.
fn node_mut<'a>(list: &'a mut [SnapshotNode], id: &str) -> Option<&'a mut SnapshotNode> {
    list.iter_mut().find_map(|node| if *node.snapshot == *id { Some(node) } else { node_mut(&mut node.child_snapshot_list, id) })
}

/// The node on which another one stands.
fn parent_of(list: &[SnapshotNode], id: &str) -> Option<Arc<str>> {
    list.iter().find_map(|node| {
        let is_child = node.child_snapshot_list.iter().any(|child| *child.snapshot == *id);
        if is_child { Some(node.snapshot.clone()) } else { parent_of(&node.child_snapshot_list, id) }
    })
}

/// How many snapshots lie from the root down to this one.
fn depth(list: &[SnapshotNode], id: &str) -> Option<usize> {
    list.iter().find_map(|node| if *node.snapshot == *id { Some(1) } else { depth(&node.child_snapshot_list, id).map(|below| below + 1) })
}

impl World {
    /// The snapshots of a VM that was there before anyone looked: their disks are as empty as they can be.
    pub(crate) fn adopt_snapshots(seen: &mut vmtwin_model::vsphere::VirtualMachine) -> Snapshots {
        let mut snapshots = Snapshots::default();
        let (Some(tree), Some(config)) = (seen.snapshot.clone(), seen.config.clone()) else { return snapshots };
        adopt(&mut snapshots, &tree.root_snapshot_list, None, &config);
        let current = tree.current_snapshot.as_ref().and_then(|id| snapshots.taken.get(id)).cloned();
        snapshots.below_live = current.map(|current| current.disks.clone()).unwrap_or_default();
        snapshots
    }

    /// What the state of things says against a snapshot task.
    pub(crate) fn check_snapshot(&self, row: &Vm, operation: &Operation) -> Result<(), Fault> {
        match operation {
            Operation::CreateSnapshot { memory, quiesce_spec, .. } => {
                let is_on = row.power() == PowerState::PoweredOn;
                // A guest of which nothing is known may have tools.
                if quiesce_spec.is_some() && is_on && row.seen.guest.is_some() && !row.seen.tools_run() {
                    return Err(refusals::tools_unavailable());
                }
                let passes = |device: &Device| device.type_ == DeviceType::VirtualPCIPassthrough;
                if *memory && is_on && row.config().hardware.device.iter().any(passes) {
                    return Err(refusals::invalid_state(
                        "A snapshot with memory can't be taken of a virtual machine with a passthrough device.",
                    ));
                }
                let tree = row.seen.snapshot.as_deref();
                let levels = tree.and_then(|tree| depth(&tree.root_snapshot_list, tree.current_snapshot.as_deref()?)).unwrap_or(0);
                if levels >= LEVELS_MAX {
                    return Err(Fault::new(FaultName::from("TooManySnapshotLevels"), "Snapshot hierarchy is too deep."));
                }
                match self.datastores.get(row.home) {
                    Some(ds) if *memory && is_on && memory_of(row) > self.free_on(row.home) => {
                        Err(refusals::no_disk_space(&ds.id, &ds.name, &row.seen.name))
                    }
                    _ => Ok(()),
                }
            }
            Operation::RevertToSnapshot { snapshot, .. } => self.check_revert(row, snapshot),
            Operation::RemoveSnapshot { snapshot, .. } => taken(row, snapshot).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// First class disks go along: those of the snapshot must be the VM's still, and those that came since must be part of no snapshot.
    fn check_revert(&self, row: &Vm, snapshot: &str) -> Result<(), Fault> {
        let then = taken(row, snapshot)?;
        let volumes = |config: &Config| -> Vec<(Arc<str>, i32)> {
            config.hardware.device.iter().filter_map(|device| Some((first_class(device)?.into(), device.key))).collect()
        };
        let (old, new) = (volumes(row.config()), volumes(&then.config));
        let missing = new.iter().any(|volume| !old.contains(volume));
        let kept = old.iter().any(|volume| !new.contains(volume) && row.snapshots.hold(volume.1));
        if missing || kept {
            let text = "The virtual machine cannot be reverted: its volumes are not those of the snapshot.";
            return Err(refusals::keyed(FaultName::InvalidState, "msg.snapshot.vigor.revert.error", text));
        }
        Ok(())
    }

    /// What a reconfiguration may not do to a disk that is part of a snapshot: take it off or grow it. Source: crypto-storage §8.8.
    pub(crate) fn check_held_disks(row: &Vm, spec: &ConfigSpec) -> Result<(), Fault> {
        for (index, change) in spec.device_change.iter().enumerate() {
            let key = change.device.key;
            if change.device.type_ != DeviceType::VirtualDisk || !row.snapshots.hold(key) {
                continue;
            }
            let there = row.config().hardware.device.iter().find(|device| device.key == key);
            let grows = change
                .device
                .capacity_in_bytes
                .is_some_and(|wanted| there.and_then(|there| there.capacity_in_bytes).is_some_and(|capacity| wanted > capacity));
            let refused = match change.operation {
                Some(DeviceOperation::Remove) => true,
                Some(DeviceOperation::Edit) => grows,
                None | Some(DeviceOperation::Add) => false,
            };
            if refused {
                let text = "The operation is not allowed on a virtual disk that is part of a snapshot.";
                return Err(Fault::new(FaultName::from("InvalidDeviceOperation"), text).with("deviceIndex", index));
            }
        }
        Ok(())
    }

    /// What begins with a snapshot task's work, and how much longer it takes for what it moves. Source: vsphere §9.1.
    pub(crate) fn start_snapshot(&mut self, operation: &Operation) -> Result<Span, Fault> {
        let Some(id) = operation.vm() else { return Ok(Span::ZERO) };
        let vm = self.find_vm(id)?;
        let Some(row) = self.vms.get(vm).cloned() else { return Ok(Span::ZERO) };
        let is_on = row.power() == PowerState::PoweredOn;
        Ok(match operation {
            Operation::CreateSnapshot { memory, quiesce_spec, .. } if is_on => {
                let copied = if *memory { transfer(memory_of(&row), 300_000_000) } else { Span::ZERO };
                let rests = quiesce_spec.is_some();
                let nth = if rests { self.count(row.label(), "quiesced") } else { 0 };
                let rest =
                    if rests { sample(drawn(5_000, 40_000), &mut self.rng.draw("sim/quiesce", (row.label(), nth))) } else { Span::ZERO };
                copied + rest
            }
            Operation::RevertToSnapshot { snapshot, .. } if runs_in(&row, snapshot) => {
                if !is_on {
                    let host = self.admit_power_on(vm, None)?;
                    self.book(vm, host);
                }
                transfer(memory_of(&row), 500_000_000)
            }
            Operation::RemoveSnapshot { snapshot, .. } => {
                let disks = row.snapshots.taken.get(snapshot).map(|taken| taken.disks.values().collect::<Vec<_>>()).unwrap_or_default();
                let bytes: Bytes = disks.into_iter().filter_map(|link| row.snapshots.links.get(link)).map(|link| link.bytes).sum();
                transfer(bytes.0, 200_000_000)
            }
            _ => Span::ZERO,
        })
    }

    /// What a snapshot task has brought about when it ends.
    pub(crate) fn finish_snapshot(&mut self, operation: &Operation) -> Result<Reply, Fault> {
        let result = self.check_operation(operation).and_then(|()| self.do_snapshot(operation));
        if result.is_err()
            && matches!(operation, Operation::RevertToSnapshot { .. })
            && let Some(vm) = operation.vm().and_then(|id| self.vms.find(id))
            && self.vms.get(vm).is_some_and(|row| row.power() != PowerState::PoweredOn)
        {
            self.unbook(vm);
        }
        result
    }

    fn do_snapshot(&mut self, operation: &Operation) -> Result<Reply, Fault> {
        let Some(id) = operation.vm() else { return Ok(Reply::Done) };
        let vm = self.find_vm(id)?;
        let reply = match operation {
            Operation::CreateSnapshot { name, description, memory, quiesce_spec, .. } => {
                let node = SnapshotNode {
                    name: name.clone(),
                    description: description.clone().unwrap_or_default(),
                    quiesced: quiesce_spec.is_some(),
                    ..SnapshotNode::default()
                };
                Reply::Snapshot(self.take_snapshot(vm, node, *memory))
            }
            Operation::RevertToSnapshot { snapshot, .. } => {
                self.revert(vm, snapshot)?;
                Reply::Done
            }
            Operation::RemoveSnapshot { snapshot, .. } => {
                self.remove_snapshot(vm, snapshot);
                Reply::Done
            }
            _ => return Ok(Reply::Done),
        };
        self.touch(vm, Changed::Snapshot);
        self.lay_out(vm);
        Ok(reply)
    }

    /// How a VM was configured in a snapshot.
    pub(crate) fn snapshot_config(&self, operation: &Operation) -> Result<Reply, Fault> {
        let Operation::RetrieveSnapshot { vm, snapshot } = operation else { return Ok(Reply::Done) };
        let row = self.find_vm(vm).ok().and_then(|vm| self.vms.get(vm)).ok_or_else(|| no_snapshot(snapshot))?;
        taken(row, snapshot).map(|taken| Reply::SnapshotConfig(Arc::new(taken.config.clone())))
    }

    fn take_snapshot(&mut self, vm: u32, node: SnapshotNode, memory: bool) -> Arc<str> {
        let id = loop {
            self.snapshots += 1;
            let id: Arc<str> = format!("snapshot-{}", self.snapshots).into();
            if self.vms.get(vm).is_none_or(|row| !row.snapshots.taken.contains_key(&id)) {
                break id;
            }
        };
        let now = self.now;
        let Some(row) = self.vms.get_mut(vm) else { return id };
        let is_on = row.power() == PowerState::PoweredOn;
        let kept = (memory && is_on).then(|| Bytes(memory_of(row)));
        let number = u32::try_from(row.snapshots.taken.len()).unwrap_or(u32::MAX).saturating_add(1);
        let number = (number..).find(|number| row.snapshots.taken.values().all(|taken| taken.number != *number)).unwrap_or(number);
        let seen = Arc::make_mut(&mut row.seen);
        let mut config = seen.config.clone().unwrap_or_default();
        let then = config.clone();
        let mut disks = BTreeMap::new();
        for disk in config.hardware.device.iter_mut().filter(|device| takes_part(device)) {
            disks.extend(row.snapshots.freeze(disk, &mut row.written).map(|link| (disk.key, link)));
        }
        row.snapshots.taken.insert(id.clone(), Arc::new(Taken { number, config: then, memory: kept, disks }));
        let node = SnapshotNode {
            snapshot: id.clone(),
            id: i32::try_from(number).unwrap_or(i32::MAX),
            create_time: Some(now),
            state: if kept.is_some() { PowerState::PoweredOn } else { PowerState::PoweredOff },
            ..node
        };
        let tree = Arc::make_mut(seen.snapshot.get_or_insert_default());
        let current = tree.current_snapshot.replace(id.clone());
        match current.and_then(|current| node_mut(&mut tree.root_snapshot_list, &current)) {
            Some(below) => below.child_snapshot_list.push(node),
            None => tree.root_snapshot_list.push(node),
        }
        seen.config = Some(config);
        id
    }

    fn revert(&mut self, vm: u32, snapshot: &Arc<str>) -> Result<(), Fault> {
        // Somebody may have switched the VM off meanwhile, and given back what it had booked.
        if self.vms.get(vm).is_some_and(|row| row.booked.is_none() && runs_in(row, snapshot)) {
            let host = self.admit_power_on(vm, None)?;
            self.book(vm, host);
        }
        let Some(row) = self.vms.get(vm).cloned() else { return Ok(()) };
        let then = taken(&row, snapshot)?.clone();
        let runs = runs_in(&row, snapshot);
        let host = row.booked.map_or(row.host, |booked| booked.host);
        if runs && self.hosts.get(host).is_some_and(|host| !host.takes_vms()) {
            return Err(refusals::host_not_connected(self.hosts.get(host).map_or("", |host| &host.name)));
        }
        if runs {
            self.check_raise(&row, &then.config)?;
        }
        let now_there = &then.config.hardware.device;
        let left = row.config().hardware.device.iter().filter(|device| first_class(device).is_some());
        for device in left.filter(|device| !now_there.iter().any(|there| first_class(there) == first_class(device))) {
            self.free_disk(&row, device);
        }
        self.vms.change(vm, |row| row.restore(snapshot, &then));
        self.touch(vm, Changed::Config);
        match (row.power(), runs) {
            (PowerState::PoweredOn, true) => {
                self.book(vm, host);
                self.guest_resumes(vm);
            }
            (PowerState::PoweredOff | PowerState::Suspended, true) => {
                if let Some(seen) = self.seen_mut(vm) {
                    seen.runtime.power_state = PowerState::Suspended;
                }
                self.book(vm, host);
                self.switch_on(vm, host);
            }
            (PowerState::PoweredOn | PowerState::Suspended, false) => self.switch_off(vm),
            (PowerState::PoweredOff, false) => {}
        }
        self.keep_keys(vm);
        Ok(())
    }

    fn remove_snapshot(&mut self, vm: u32, snapshot: &Arc<str>) {
        let Some(row) = self.vms.get_mut(vm) else { return };
        row.snapshots.taken.remove(snapshot);
        let seen = Arc::make_mut(&mut row.seen);
        let mut config = seen.config.clone().unwrap_or_default();
        row.snapshots.consolidate(&mut config, &mut row.written);
        seen.config = Some(config);
        let Some(tree) = &mut seen.snapshot else { return };
        let tree = Arc::make_mut(tree);
        let parent = parent_of(&tree.root_snapshot_list, snapshot);
        if let Some(list) = siblings(&mut tree.root_snapshot_list, snapshot)
            && let Some(at) = list.iter().position(|node| node.snapshot == *snapshot)
        {
            let node = list.remove(at);
            list.splice(at..at, node.child_snapshot_list);
        }
        if tree.current_snapshot.as_ref() == Some(snapshot) {
            tree.current_snapshot = parent;
        }
        if tree.root_snapshot_list.is_empty() {
            seen.snapshot = None;
        }
    }
}

impl Vm {
    /// The VM is configured as it was in a snapshot, on new links over the snapshot's. Its name stays.
    fn restore(&mut self, snapshot: &Arc<str>, then: &Taken) {
        let mut config = then.config.clone();
        config.name.clone_from(&self.seen.name);
        self.written.retain(|key, _| config.hardware.device.iter().any(|device| device.key == *key));
        self.snapshots.below_live.clear();
        for disk in &mut config.hardware.device {
            if let Some(link) = then.disks.get(&disk.key) {
                self.snapshots.lay_live(disk, *link, &mut self.written);
            }
        }
        self.snapshots.consolidate(&mut config, &mut self.written);
        let seen = Arc::make_mut(&mut self.seen);
        seen.config = Some(config);
        if let Some(tree) = &mut seen.snapshot {
            Arc::make_mut(tree).current_snapshot = Some(snapshot.clone());
        }
    }
}

fn no_snapshot(id: &str) -> Fault {
    refusals::not_found("VirtualMachineSnapshot", id)
}

fn taken<'a>(row: &'a Vm, snapshot: &str) -> Result<&'a Arc<Taken>, Fault> {
    row.snapshots.taken.get(snapshot).ok_or_else(|| no_snapshot(snapshot))
}

/// Whether the VM runs after it was reverted to a snapshot.
fn runs_in(row: &Vm, snapshot: &str) -> bool {
    let node = row.seen.snapshot.as_deref().and_then(|tree: &SnapshotInfo| tree.node(snapshot));
    node.is_some_and(|node| node.state == PowerState::PoweredOn)
}

fn memory_of(row: &Vm) -> i64 {
    row.config().hardware.memory_mb.to_bytes().0
}

/// What is kept of the snapshots in a list, and of those on top of them.
fn adopt(snapshots: &mut Snapshots, list: &[SnapshotNode], below: Option<&BTreeMap<i32, u32>>, config: &Config) {
    for node in list {
        let mut then = config.clone();
        if let Some(manifest) = &node.stored_manifest {
            then.extra_config.insert(MANIFEST.into(), manifest.to_string().into());
        }
        let mut disks = BTreeMap::new();
        for disk in config.hardware.device.iter().filter(|device| takes_part(device)) {
            let Some(backing) = &disk.backing else { continue };
            let Some(path) = &backing.file_name else { continue };
            let under = below.and_then(|below| below.get(&disk.key)).copied();
            let thin = under.is_some() || backing.thin_provisioned.unwrap_or(false);
            let capacity = disk.capacity_in_bytes.unwrap_or_default();
            let path = numbered(path, snapshots.made + 1).into();
            let bytes = if thin { Bytes::ZERO } else { capacity };
            disks.insert(disk.key, snapshots.add(Link { below: under, key: disk.key, path, bytes, capacity, thin }));
        }
        let number = u32::try_from(snapshots.taken.len()).unwrap_or(u32::MAX).saturating_add(1);
        let memory = (node.state == PowerState::PoweredOn).then(|| config.hardware.memory_mb.to_bytes());
        let kept = Taken { number, config: then, memory, disks };
        adopt(snapshots, &node.child_snapshot_list, Some(&kept.disks), config);
        snapshots.taken.insert(node.snapshot.clone(), Arc::new(kept));
    }
}

/// The ExtraConfig key under which VM Operator keeps a VM's manifest.
const MANIFEST: &str = "vmservice.virtualmachine.resource.yaml";

#[cfg(test)]
mod tests;
