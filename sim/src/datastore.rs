//! Datastores and storage policies: how much room there is, and which of them a policy allows.

use std::collections::BTreeSet;

use vmtwin_model::id::DatastoreId;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::inventory::Name;

use crate::World;
use crate::host::Gate;
use crate::refusals;

/// A datastore.
#[derive(Clone, Debug)]
pub struct Datastore {
    /// The managed object id.
    pub id: DatastoreId,
    /// The name.
    pub name: Name,
    /// `vmfs`, `vsan`, `nfs`, `vvol`.
    pub type_: Name,
    /// The capacity.
    pub capacity: Bytes,
    /// What others use of it.
    pub foreign: Bytes,
    /// What the files of VMs take.
    pub used: Bytes,
    /// Whether it can be reached.
    pub accessible: bool,
    /// Whether it is in maintenance mode.
    pub maintenance: bool,
    /// The datastore whose space it really is.
    pub(crate) space_of: Option<u32>,
    pub(crate) gate: Gate,
}

/// A storage policy.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) id: Name,
    pub(crate) datastores: Vec<u32>,
    pub(crate) thin: bool,
    pub(crate) encrypted: bool,
}

impl World {
    /// What is free on a datastore; negative where it is filled beyond its capacity.
    #[must_use]
    pub(crate) fn free_on(&self, datastore: u32) -> i64 {
        let at = self.space_row(datastore);
        self.datastores.get(at).map_or(0, |ds| ds.capacity.0 - ds.foreign.0 - ds.used.0)
    }

    /// The datastore that keeps the books of this one's space.
    pub(crate) fn space_row(&self, datastore: u32) -> u32 {
        self.datastores.get(datastore).and_then(|ds| ds.space_of).unwrap_or(datastore)
    }

    /// Books so many bytes more, or less, on a datastore.
    pub(crate) fn charge_space(&mut self, datastore: u32, bytes: i64) {
        let at = self.space_row(datastore);
        if let Some(ds) = self.datastores.get_mut(at) {
            ds.used = Bytes(ds.used.0 + bytes);
        }
    }

    /// The policy with this id; a name is taken too.
    pub(crate) fn policy(&self, id: &str) -> Option<&Policy> {
        self.policies.iter().find(|policy| *policy.id == *id)
    }

    /// The datastores that a policy allows, that can be reached and aren't in maintenance, and that have room for so many bytes.
    pub(crate) fn roomy(&self, policy: Option<&str>, bytes: i64) -> Result<BTreeSet<u32>, Fault> {
        let allowed: Vec<u32> = match policy {
            None => self.datastores.iter().map(|(row, _)| row).collect(),
            Some(id) => match self.policy(id) {
                Some(policy) => policy.datastores.clone(),
                None => return Err(refusals::invalid_argument("profile")),
            },
        };
        let fits = |row: &u32| {
            let usable = self.datastores.get(*row).is_some_and(|ds| ds.accessible && !ds.maintenance);
            usable && self.free_on(*row) >= bytes
        };
        Ok(allowed.into_iter().filter(fits).collect())
    }

    /// The datastore on which so many bytes go, among roomy ones that the hosts all see: the one with most room relative to its
    /// capacity afterwards, then most free space, then the first by name.
    pub(crate) fn choose_datastore(&self, roomy: &BTreeSet<u32>, bytes: i64, hosts: &[u32]) -> Result<u32, Fault> {
        let mut best: Option<(i128, i64, &Name, u32)> = None;
        for row in roomy.iter().copied() {
            let Some(ds) = self.datastores.get(row) else { continue };
            let seen = hosts.iter().all(|host| self.hosts.get(*host).is_some_and(|host| host.datastores.contains(&row)));
            if !seen {
                continue;
            }
            let left = self.free_on(row) - bytes;
            let capacity = self.datastores.get(self.space_row(row)).map_or(1, |ds| ds.capacity.0.max(1));
            let share = i128::from(left) * 1_000_000 / i128::from(capacity);
            // Of two that are alike the first by name is the better one.
            if best.is_none_or(|(there, room, name, _)| (share, left, name) > (there, room, &ds.name)) {
                best = Some((share, left, &ds.name, row));
            }
        }
        best.map(|(.., row)| row).ok_or_else(|| {
            refusals::no_storage("No compatible datastore that is accessible has enough free space for the virtual machine.")
        })
    }

    /// The datastore of a path `[name] folder/file`.
    pub(crate) fn datastore_of_path(&self, path: &str) -> Option<u32> {
        let (name, _) = path.strip_prefix('[')?.split_once(']')?;
        self.names.datastores.get(name).copied()
    }
}
