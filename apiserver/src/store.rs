//! Objects at rest: rows by dense number, an index of their names, and who owns whom. It keeps versions and identities
//! consistent; what may be written is decided by its callers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::kube::{Kind, Object, ObjectKey};
use vmtwin_model::shards::Shards;
use vmtwin_model::table::Table;

use crate::IdOrder;

type Names = Arc<BTreeMap<Arc<str>, u32>>;

/// All objects of the API server.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    rows: Table<Object>,
    index: BTreeMap<Kind, Arc<BTreeMap<Arc<str>, Names>>>,
    identities: Shards<Arc<str>, Identity>,
    /// How many objects of a key there were that are gone.
    lives: Shards<ObjectKey, u32>,
    /// How many names were generated of a prefix.
    generated: Shards<ObjectKey, u32>,
    version: u64,
    id_order: IdOrder,
    given_out: u32,
}

/// What is known of a uid: the object that has it, and those that name it as their owner.
#[derive(Clone, Debug, Default)]
struct Identity {
    row: Option<u32>,
    dependents: Arc<BTreeSet<ObjectKey>>,
}

impl Store {
    pub(crate) fn new(id_order: IdOrder) -> Self {
        Self {
            rows: Table::new(),
            index: BTreeMap::new(),
            identities: Shards::new(),
            lives: Shards::new(),
            generated: Shards::new(),
            version: 0,
            id_order,
            given_out: 0,
        }
    }

    fn row(&self, key: &ObjectKey) -> Option<u32> {
        self.index.get(&key.kind)?.get(&key.namespace)?.get(&key.name).copied()
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.rows.get(self.row(key)?)
    }

    /// The objects of a kind, by namespace and name; of one namespace if it is given.
    pub(crate) fn list(&self, kind: Kind, namespace: Option<&str>) -> impl Iterator<Item = &Arc<Object>> {
        let namespaces = self.index.get(&kind).into_iter().flat_map(move |namespaces| {
            let (one, all) = match namespace {
                Some(namespace) => (namespaces.get(namespace), None),
                None => (None, Some(namespaces.values())),
            };
            one.into_iter().chain(all.into_iter().flatten())
        });
        namespaces.flat_map(|names| self.rows_of(names))
    }

    /// Everything, in the order of keys.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.index.values().flat_map(|namespaces| namespaces.values()).flat_map(|names| self.rows_of(names))
    }

    fn rows_of<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = &'a Arc<Object>> {
        names.values().map(|row| self.rows.get(*row).expect("the index names rows that are there"))
    }

    /// The keys of all that lives in a namespace, in order.
    pub(crate) fn content(&self, namespace: &str) -> Vec<ObjectKey> {
        self.index
            .values()
            .filter_map(|namespaces| namespaces.get(namespace))
            .flat_map(|names| self.rows_of(names))
            .map(|object| object.key.clone())
            .collect()
    }

    pub(crate) fn has_content(&self, namespace: &str) -> bool {
        self.index.values().any(|namespaces| namespaces.contains_key(namespace))
    }

    /// The how-many-th object of this key the next one would be, counted from 0.
    pub(crate) fn lives(&self, key: &ObjectKey) -> u32 {
        self.lives.get(key).copied().unwrap_or_default()
    }

    /// The how-many-th name the next one of this prefix is, counted from 0.
    pub(crate) fn next_generated(&mut self, prefix: &ObjectKey) -> u32 {
        let count = self.generated.entry(prefix.clone());
        *count += 1;
        *count - 1
    }

    /// The object that has this uid.
    pub(crate) fn by_uid(&self, uid: &str) -> Option<&Arc<Object>> {
        self.rows.get(self.identities.get(uid)?.row?)
    }

    /// The objects that name this uid as an owner, in the order of keys.
    pub(crate) fn dependents(&self, uid: &str) -> Arc<BTreeSet<ObjectKey>> {
        self.identities.get(uid).map(|identity| identity.dependents.clone()).unwrap_or_default()
    }

    /// Stores an object under the next version. Gives back what was there, and what is.
    pub(crate) fn put(&mut self, mut object: Object) -> (Option<Arc<Object>>, Arc<Object>) {
        self.version += 1;
        object.resource_version = self.version;
        let object = Arc::new(object);
        let Some(row) = self.row(&object.key) else {
            let row = self.insert(object.clone());
            self.identities.entry(object.uid().into()).row = Some(row);
            self.link(&object);
            return (None, object);
        };
        let before = self.rows.set(row, object.clone()).expect("the index names rows that are there");
        if !Arc::ptr_eq(&before.meta, &object.meta) && before.meta.owner_references != object.meta.owner_references {
            self.unlink(&before);
            self.link(&object);
        }
        (Some(before), object)
    }

    fn insert(&mut self, object: Arc<Object>) -> u32 {
        let key = object.key.clone();
        let row = match self.id_order {
            IdOrder::Dense => self.rows.insert(object),
            IdOrder::Scrambled => {
                let row = self.given_out ^ 0xff;
                self.given_out += 1;
                self.rows.set(row, object);
                row
            }
        };
        let namespaces = Arc::make_mut(self.index.entry(key.kind).or_default());
        Arc::make_mut(namespaces.entry(key.namespace).or_default()).insert(key.name, row);
        row
    }

    /// Takes an object out.
    pub(crate) fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Object>> {
        let row = self.row(key)?;
        self.version += 1;
        let namespaces = Arc::make_mut(self.index.get_mut(&key.kind)?);
        let names = Arc::make_mut(namespaces.get_mut(&key.namespace)?);
        names.remove(&key.name);
        if names.is_empty() {
            namespaces.remove(&key.namespace);
            if namespaces.is_empty() {
                self.index.remove(&key.kind);
            }
        }
        let object = self.rows.remove(row).expect("the index names rows that are there");
        *self.lives.entry(key.clone()) += 1;
        self.unlink(&object);
        let identity = self.identities.entry(object.uid().into());
        identity.row = None;
        self.forget_if_unused(object.uid());
        Some(object)
    }

    fn link(&mut self, object: &Object) {
        for owner in object.meta.owner_references.iter().flatten() {
            Arc::make_mut(&mut self.identities.entry(owner.uid.as_str().into()).dependents).insert(object.key.clone());
        }
    }

    fn unlink(&mut self, object: &Object) {
        for owner in object.meta.owner_references.iter().flatten() {
            Arc::make_mut(&mut self.identities.entry(owner.uid.as_str().into()).dependents).remove(&object.key);
            self.forget_if_unused(&owner.uid);
        }
    }

    fn forget_if_unused(&mut self, uid: &str) {
        if self.identities.get(uid).is_some_and(|identity| identity.row.is_none() && identity.dependents.is_empty()) {
            self.identities.remove(uid);
        }
    }
}
