//! What a vCenter has, by kind, name and place: enough to give the engine's objects the ids that they name.

use crate::connection::{Connection, Error};
use crate::properties;
use crate::soap::Reference;

/// The kinds that are read.
const KINDS: &[&str] =
    &["Datacenter", "Folder", "ClusterComputeResource", "HostSystem", "ResourcePool", "Datastore", "Network", "VirtualMachine"];

/// An object of the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The object.
    pub object: Reference,
    /// Its name.
    pub name: String,
    /// The object above it.
    pub parent: Option<Reference>,
}

/// The inventory as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    entries: Vec<Entry>,
}

impl Inventory {
    /// Reads it.
    ///
    /// # Errors
    /// If there is no answer, or a fault.
    pub async fn read(connection: &Connection) -> Result<Self, Error> {
        let found = properties::of_all(connection, KINDS, &["name", "parent"]).await?;
        let entry = |(object, mut properties): (Reference, crate::translate::vm::Properties)| Entry {
            object,
            name: properties.remove("name").map(|name| name.text).unwrap_or_default(),
            parent: properties.get("parent").and_then(Reference::of),
        };
        let mut entries: Vec<Entry> = found.into_iter().map(entry).collect();
        entries.sort_by(|a, b| (&a.object.kind, &a.name, &a.object.id).cmp(&(&b.object.kind, &b.name, &b.object.id)));
        Ok(Self { entries })
    }

    /// The objects of a kind, by name.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.object.kind == kind)
    }

    /// The objects right below another, by kind and name.
    pub fn below<'a>(&'a self, parent: &'a Reference) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.parent.as_ref() == Some(parent))
    }
}
