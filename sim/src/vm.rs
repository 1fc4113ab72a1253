//! Virtual machines: the rows of the world, how they are found, and how what changes in them is told.
//!
//! A row holds the VM as the property collector shows it, behind a shared pointer that readers are given, and beside it what
//! vSphere knows and doesn't show: what is booked, how the guest is, what waits for the next power-on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::id::VmId;
use vmtwin_model::table::Table;
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::vm::{Config, ConnectionState, LayoutEx, Location, PowerState};
use vmtwin_model::vsphere::{Change, Changed, Fault, VirtualMachine};

use crate::capacity::{Booked, Size};
use crate::guest::GuestLife;
use crate::image::Behaviour;
use crate::shards::Index;
use crate::snapshot::Snapshots;
use crate::{World, files, refusals};

/// The ExtraConfig key by which a VM names the object that manages it.
pub(crate) const NAMESPACED_NAME: &str = "vmservice.namespacedName";

/// How long vCenter remembers a task that has ended.
pub(crate) const TASK_MEMORY: Span = Span::from_mins(10);

/// A VM.
#[derive(Clone, Debug)]
pub(crate) struct Vm {
    pub(crate) seen: Arc<VirtualMachine>,
    /// The name that a scenario gave it, where ExtraConfig names no object.
    pub(crate) given_name: Option<Arc<str>>,
    pub(crate) host: u32,
    pub(crate) pool: u32,
    pub(crate) folder: u32,
    /// Where its home is.
    pub(crate) home: u32,
    /// What its files take, by datastore.
    pub(crate) space: Vec<(u32, i64)>,
    /// What its thin disks have written, by device key.
    pub(crate) written: BTreeMap<i32, Bytes>,
    pub(crate) snapshots: Snapshots,
    /// How often it was switched on.
    pub(crate) boots: u32,
    /// The files that a scenario stated instead of having them worked out.
    pub(crate) stated_files: bool,
    pub(crate) booked: Option<Booked>,
    /// When DRS moved it last.
    pub(crate) moved_at: Option<Timestamp>,
    pub(crate) task: Option<u32>,
    pub(crate) guest: GuestLife,
    pub(crate) behaviour: Arc<Behaviour>,
    /// The customization that waits for the next power-on.
    pub(crate) customization: Option<Arc<Value>>,
    /// The addresses that a customization set, by MAC address.
    pub(crate) addresses: BTreeMap<Arc<str>, Arc<str>>,
    /// Its tags as `category/name`.
    pub(crate) tags: Vec<Arc<str>>,
    /// The placement policies that it was made with.
    pub(crate) policies: Arc<Vec<Value>>,
    /// Those that were stated when a place was looked for, and that it was made without.
    pub(crate) announced: Arc<Vec<Value>>,
    /// The hosts that its instance storage is on, by device key.
    pub(crate) instance: Vec<(i32, u32)>,
}

impl Vm {
    /// The name by which scenarios know it: `namespace/name` if an object manages it, else the plain name.
    pub(crate) fn label(&self) -> &str {
        self.seen.extra_config(NAMESPACED_NAME).or(self.given_name.as_deref()).unwrap_or(&self.seen.name)
    }

    pub(crate) fn power(&self) -> PowerState {
        self.seen.runtime.power_state
    }

    pub(crate) fn config(&self) -> &Config {
        static NONE: std::sync::LazyLock<Config> = std::sync::LazyLock::new(Config::default);
        self.seen.config.as_ref().unwrap_or(&NONE)
    }

    pub(crate) fn size(&self) -> Size {
        Size::of(self.config())
    }

    fn place(&self) -> String {
        place(self.folder, &self.seen.name)
    }

    /// The datastores that it has files on.
    pub(crate) fn datastores(&self) -> impl Iterator<Item = u32> {
        let home = self.space.iter().all(|(row, _)| *row != self.home).then_some(self.home);
        home.into_iter().chain(self.space.iter().map(|(row, _)| *row))
    }
}

/// All VMs. A row's number is the number of its id, so that walking the rows is walking the ids in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vms {
    rows: Table<Vm>,
    /// Ids that aren't `vm-` and a number.
    odd: Arc<BTreeMap<VmId, u32>>,
    by_label: Index,
    by_instance: Index,
    /// By folder and name, which is unique there.
    by_place: Index,
    by_tag: Index,
    next: u32,
}

/// The first number that is given out.
const FIRST: u32 = 101;
/// Numbers beyond are taken as names: rows aren't kept for all the numbers below.
const NUMBERS: u32 = 1 << 22;

impl Vms {
    pub(crate) fn get(&self, row: u32) -> Option<&Arc<Vm>> {
        self.rows.get(row)
    }

    pub(crate) fn get_mut(&mut self, row: u32) -> Option<&mut Vm> {
        self.rows.get_mut(row)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Arc<Vm>)> {
        self.rows.iter()
    }

    pub(crate) fn find(&self, id: &VmId) -> Option<u32> {
        let row = number(id).or_else(|| self.odd.get(id).copied())?;
        self.rows.get(row).map(|_| row)
    }

    pub(crate) fn labelled(&self, label: &str) -> Option<u32> {
        self.by_label.rows(label).first().copied()
    }

    pub(crate) fn with_instance(&self, uuid: &str) -> &[u32] {
        self.by_instance.rows(uuid)
    }

    /// The VM of this name in a folder.
    pub(crate) fn in_folder(&self, folder: u32, name: &str) -> Option<u32> {
        self.by_place.rows(&place(folder, name)).first().copied()
    }

    /// The VMs with this tag, `category/name`.
    pub(crate) fn tagged(&self, tag: &str) -> &[u32] {
        self.by_tag.rows(tag)
    }

    /// The next number that nothing has.
    pub(crate) fn next_number(&mut self) -> u32 {
        self.next = self.next.max(FIRST);
        while self.rows.get(self.next).is_some() {
            self.next += 1;
        }
        let number = self.next;
        self.next += 1;
        number
    }

    /// The row for an id that a scenario gave, unless another VM has it.
    pub(crate) fn reserve(&mut self, id: &VmId) -> Option<u32> {
        if self.find(id).is_some() {
            return None;
        }
        match number(id) {
            Some(number) => Some(number),
            None => {
                // Taken from far above, out of the way of the ids that are counted.
                let row = NUMBERS + u32::try_from(self.odd.len()).expect("ids are few");
                Arc::make_mut(&mut self.odd).insert(id.clone(), row);
                Some(row)
            }
        }
    }

    pub(crate) fn insert(&mut self, row: u32, vm: Vm) {
        self.index(row, &Keys::of(&vm), Index::add);
        self.rows.set(row, Arc::new(vm));
    }

    pub(crate) fn remove(&mut self, row: u32) -> Option<Arc<Vm>> {
        let vm = self.rows.remove(row)?;
        self.index(row, &Keys::of(&vm), Index::drop_row);
        Some(vm)
    }

    /// Changes a VM, and keeps the indexes true where what it is found by changes.
    pub(crate) fn change(&mut self, row: u32, change: impl FnOnce(&mut Vm)) {
        let Some(vm) = self.rows.get_mut(row) else { return };
        let before = Keys::of(vm);
        change(vm);
        let after = Keys::of(vm);
        if before != after {
            self.index(row, &before, Index::drop_row);
            self.index(row, &after, Index::add);
        }
    }

    fn index(&mut self, row: u32, keys: &Keys, each: fn(&mut Index, &str, u32)) {
        each(&mut self.by_label, &keys.label, row);
        each(&mut self.by_instance, &keys.instance, row);
        each(&mut self.by_place, &keys.place, row);
        for tag in &keys.tags {
            each(&mut self.by_tag, tag, row);
        }
    }
}

/// What a VM is found by.
#[derive(PartialEq, Eq)]
struct Keys {
    label: String,
    instance: Arc<str>,
    place: String,
    tags: Vec<Arc<str>>,
}

impl Keys {
    fn of(vm: &Vm) -> Self {
        let instance = vm.config().instance_uuid.clone();
        Self { label: vm.label().to_owned(), instance, place: vm.place(), tags: vm.tags.clone() }
    }
}

fn place(folder: u32, name: &str) -> String {
    format!("{folder}/{name}")
}

fn number(id: &VmId) -> Option<u32> {
    let digits = id.as_str().strip_prefix("vm-")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !(digits.len() > 1 && digits.starts_with('0'));
    digits.parse().ok().filter(|number| plain && *number < NUMBERS)
}

impl World {
    /// What the property collector shows of a VM, for writing. The row is there: the caller has looked it up.
    pub(crate) fn seen_mut(&mut self, vm: u32) -> Option<&mut VirtualMachine> {
        self.vms.get_mut(vm).map(|row| Arc::make_mut(&mut row.seen))
    }

    /// The row of a VM that a call names.
    pub(crate) fn find_vm(&self, id: &VmId) -> Result<u32, Fault> {
        self.vms.find(id).ok_or_else(|| refusals::not_found(VmId::TYPE, id.as_str()))
    }

    /// Notes that a watched property of a VM changed; it is told at the end of what is happening.
    pub(crate) fn touch(&mut self, vm: u32, changed: Changed) {
        self.touched.entry(vm).or_default().insert(changed);
    }

    /// The change of a VM, as its watcher hears it.
    pub(crate) fn change_of(&self, vm: u32, changed: BTreeSet<Changed>) -> Option<Change> {
        let row = self.vms.get(vm)?;
        Some(Change {
            vm: row.seen.id.clone(),
            namespaced_name: row.seen.extra_config(NAMESPACED_NAME).map(Into::into),
            power_state: row.power(),
            changed: changed.into_iter().collect(),
        })
    }

    /// Puts a VM into the inventory.
    pub(crate) fn enter_vm(&mut self, row: u32, vm: Vm) {
        let host = vm.host;
        let announced = self.announced(vm.label());
        self.vms.insert(row, Vm { announced, ..vm });
        self.bind_others(row);
        if let Some(host) = self.hosts.get_mut(host) {
            host.vms.insert(row);
        }
        self.locate(row);
        self.lay_out(row);
        self.keep_keys(row);
    }

    /// Takes a VM out of the inventory, and its files off their datastores.
    pub(crate) fn remove_vm(&mut self, vm: u32) {
        self.unbook(vm);
        let mut changed = self.touched.remove(&vm).unwrap_or_default();
        changed.insert(Changed::Left);
        if let Some(change) = self.change_of(vm, changed) {
            self.left.push(change);
        }
        let Some(row) = self.vms.remove(vm) else { return };
        self.unbind_others(&row);
        self.locked.remove(&vm);
        self.free_disks(&row);
        self.modules.leave(vm);
        for (datastore, bytes) in &row.space {
            self.charge_space(*datastore, -bytes);
        }
        if let Some(host) = self.hosts.get_mut(row.host) {
            host.vms.remove(&vm);
        }
    }

    /// Moves a VM to another host: where it is registered, and what it has booked.
    pub(crate) fn move_vm(&mut self, vm: u32, to: u32) {
        let Some(row) = self.vms.get_mut(vm) else { return };
        let from = row.host;
        row.host = to;
        let booked = row.booked.is_some();
        if from != to {
            if let Some(host) = self.hosts.get_mut(from) {
                host.vms.remove(&vm);
            }
            if let Some(host) = self.hosts.get_mut(to) {
                host.vms.insert(vm);
            }
            self.locate(vm);
            self.touch(vm, Changed::Host);
            self.reach(vm);
        }
        if booked {
            self.book(vm, to);
        }
    }

    /// Writes where a VM lies into what the property collector shows of it.
    pub(crate) fn locate(&mut self, vm: u32) {
        let Some(row) = self.vms.get(vm) else { return };
        let host = self.hosts.get(row.host);
        let pool = self.pools.get(row.pool);
        let folder = self.folders.get(row.folder);
        let location = Location {
            host_name: host.map(|host| host.name.clone()),
            cluster: pool.map(|pool| pool.cluster_id.clone()),
            pool_parent: pool.and_then(|pool| self.pools.get(pool.parent?)).map(|parent| parent.id.clone()),
            folder_parent: folder.and_then(|folder| self.folders.get(folder.parent?)).map(|parent| parent.id.clone()),
        };
        let (host, pool, folder) =
            (host.map(|host| host.id.clone()), pool.map(|pool| pool.id.clone()), folder.map(|folder| folder.id.clone()));
        if let Some(seen) = self.seen_mut(vm) {
            seen.runtime.host = host;
            seen.resource_pool = pool;
            seen.parent = folder;
            seen.location = location;
        }
    }

    /// Works out a VM's files anew and books their space.
    pub(crate) fn lay_out(&mut self, vm: u32) {
        let Some(row) = self.vms.get(vm) else { return };
        let layout = if row.stated_files { row.seen.layout_ex.clone() } else { files::layout(self, row) };
        let space = self.space_of(row.home, &layout);
        let before = row.space.clone();
        for (datastore, bytes) in before {
            self.charge_space(datastore, -bytes);
        }
        for (datastore, bytes) in &space {
            self.charge_space(*datastore, *bytes);
        }
        if let Some(row) = self.vms.get_mut(vm) {
            row.space = space;
            if row.seen.layout_ex != layout {
                Arc::make_mut(&mut row.seen).layout_ex = layout;
            }
        }
    }

    /// What files take, by datastore; a path that names no datastore counts at home.
    fn space_of(&self, home: u32, layout: &LayoutEx) -> Vec<(u32, i64)> {
        let mut space: BTreeMap<u32, i64> = BTreeMap::new();
        for file in &layout.file {
            let at = self.datastore_of_path(&file.name).unwrap_or(home);
            let size = if file.unique_size == Bytes::ZERO { file.size } else { file.unique_size };
            *space.entry(at).or_default() += size.0;
        }
        space.into_iter().collect()
    }

    /// Works out whether a VM can be reached, after its host or a datastore changed.
    pub(crate) fn reach(&mut self, vm: u32) {
        let Some(row) = self.vms.get(vm) else { return };
        let host = self.hosts.get(row.host).is_some_and(|host| host.is_reachable());
        let files = row.datastores().all(|ds| self.datastores.get(ds).is_none_or(|ds| ds.accessible));
        let before = row.seen.runtime.connection_state;
        let was_locked = self.locked.contains(&vm);
        if host && files {
            self.unlock(vm);
        }
        let state = match (host, files) {
            (false, _) => ConnectionState::Disconnected,
            (true, false) => ConnectionState::Inaccessible,
            (true, true) if self.locked.contains(&vm) => ConnectionState::Invalid,
            (true, true) => ConnectionState::Connected,
        };
        let unset = matches!(before, ConnectionState::Invalid | ConnectionState::Orphaned) && !was_locked;
        if before != state && !unset {
            if let Some(seen) = self.seen_mut(vm) {
                seen.runtime.connection_state = state;
            }
            self.touch(vm, Changed::Connection);
        }
    }

    /// What forbids any operation on a VM: its host or its files can't be reached.
    pub(crate) fn check_reach(&self, vm: u32) -> Result<(), Fault> {
        let Some(row) = self.vms.get(vm) else { return Ok(()) };
        if let Some(host) = self.hosts.get(row.host).filter(|host| !host.is_reachable()) {
            return Err(refusals::host_not_connected(&host.name));
        }
        let lost = row.datastores().filter_map(|ds| self.datastores.get(ds)).find(|ds| !ds.accessible);
        match (lost, row.seen.runtime.connection_state) {
            (Some(ds), _) => Err(refusals::inaccessible_datastore(&ds.id, &ds.name)),
            (None, ConnectionState::Connected) => Ok(()),
            (None, state) => Err(refusals::invalid_state(&format!(
                "The operation is not allowed in the current connection state of the virtual machine ({state})."
            ))),
        }
    }

    /// Forgets the tasks of a VM that ended long ago.
    pub(crate) fn forget_tasks(&mut self, vm: u32, now: Timestamp) {
        let old = |task: &vmtwin_model::vsphere::vm::Task| task.complete_time.is_some_and(|end| now >= end + TASK_MEMORY);
        if self.vms.get(vm).is_some_and(|row| row.seen.recent_task.iter().any(old))
            && let Some(seen) = self.seen_mut(vm)
        {
            seen.recent_task.retain(|task| !old(task));
        }
    }
}
