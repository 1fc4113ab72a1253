//! What the watches have told the operator so far.
//!
//! The cache may lag behind the API server, as informers do; it is never the truth, only what the operator knows. It keeps
//! objects by key and the look-ups that controllers need by index, so that the work for one object doesn't grow with the
//! number of others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::kube::{Kind, Object, ObjectKey, Resource, View};

use crate::groups::Groups;

/// Objects of one kind in one namespace, by name.
type Names = Arc<BTreeMap<Arc<str>, Arc<Object>>>;

/// The operator's copy of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    objects: BTreeMap<Kind, BTreeMap<Arc<str>, Names>>,
    referrers: Index,
    groups: Groups,
}

/// Who names whom: from the object that is named to the objects that name it.
#[derive(Clone, Debug, Default)]
struct Index {
    by_target: BTreeMap<ObjectKey, Arc<BTreeSet<ObjectKey>>>,
}

impl Cache {
    /// The object of this key.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.objects.get(&key.kind)?.get(&key.namespace)?.get(&key.name)
    }

    /// The object of kind `K` with this namespace (empty for cluster scope) and name.
    #[must_use]
    pub fn view<K: Resource>(&self, namespace: &str, name: &str) -> Option<View<'_, K>> {
        self.objects.get(&K::KIND)?.get(namespace)?.get(name)?.view()
    }

    /// All objects of a kind, in one namespace or in all, in the order of namespace and name.
    pub fn list<'a>(&'a self, kind: Kind, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Object>> {
        let namespaces = self.objects.get(&kind).into_iter().flatten();
        namespaces.filter(move |(name, _)| namespace.is_none_or(|wanted| wanted == &***name)).flat_map(|(_, names)| names.values())
    }

    /// Takes a change in, and gives back the object as the cache had it before.
    pub(crate) fn apply(&mut self, key: &ObjectKey, after: Option<Arc<Object>>) -> Option<Arc<Object>> {
        if key.kind == VirtualMachineGroup::KIND {
            self.groups.apply(key, after.as_deref());
        }
        let names = self.objects.entry(key.kind).or_default().entry(key.namespace.clone()).or_default();
        match after {
            Some(object) => Arc::make_mut(names).insert(key.name.clone(), object),
            None => Arc::make_mut(names).remove(&key.name),
        }
    }

    /// What is known of the groups' lists and rings.
    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Notes that `referrer` names exactly these objects.
    pub(crate) fn refer(&mut self, referrer: &ObjectKey, before: &[ObjectKey], after: &[ObjectKey]) {
        for gone in before.iter().filter(|target| !after.contains(target)) {
            if let Some(referrers) = self.referrers.by_target.get_mut(gone) {
                Arc::make_mut(referrers).remove(referrer);
                if referrers.is_empty() {
                    self.referrers.by_target.remove(gone);
                }
            }
        }
        for new in after.iter().filter(|target| !before.contains(target)) {
            Arc::make_mut(self.referrers.by_target.entry(new.clone()).or_default()).insert(referrer.clone());
        }
    }

    /// The objects that name this one, in the order of their keys.
    pub fn referrers(&self, target: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        self.referrers.by_target.get(target).into_iter().flat_map(|set| set.iter())
    }
}
