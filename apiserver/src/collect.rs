//! How objects go: deletion with and without finalizers, what a namespace takes with it, and the garbage collection by
//! owner references. All of it happens within the request that began it; Kubernetes' controllers do the same a little
//! later. Admission isn't asked about what goes along.

use std::collections::VecDeque;
use std::sync::Arc;

use vmtwin_model::kube::{Kind, Object, ObjectKey, Resource};

use crate::{ApiServer, Turn, builtin, meta};

/// The kind of namespaces.
pub(crate) const NAMESPACE: Kind = <k8s_openapi::api::core::v1::Namespace as Resource>::KIND;

impl ApiServer {
    /// Deletes an object that is there, and all that goes with it. Gives back the object as it is or was last.
    pub(crate) fn delete_object(&mut self, turn: &mut Turn, key: &ObjectKey) -> Arc<Object> {
        let mut gone = VecDeque::new();
        let object = self.delete_one(turn, key, &mut gone);
        self.collect(turn, gone);
        self.get(key).cloned().unwrap_or(object)
    }

    /// Takes an object out that nothing holds any more, and all that goes with it.
    pub(crate) fn remove_object(&mut self, turn: &mut Turn, key: &ObjectKey) {
        let gone = self.erase(turn, key);
        self.collect(turn, VecDeque::from([gone]));
    }

    /// Whether a deleted object has to stay for a while.
    pub(crate) fn is_held(&self, object: &Object) -> bool {
        let finalizers = object.meta.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty());
        finalizers || (object.key.kind == NAMESPACE && self.store.has_content(&object.key.name))
    }

    /// Whether the object names owners, none of which is there.
    pub(crate) fn is_orphan(&self, object: &Object) -> bool {
        let owners = object.meta.owner_references.as_deref().unwrap_or_default();
        !owners.is_empty()
            && !owners.iter().any(|owner| {
                // An owner in another namespace counts as absent.
                let found = self.store.by_uid(&owner.uid);
                found.is_some_and(|found| found.key.namespace.is_empty() || found.key.namespace == object.key.namespace)
            })
    }

    fn delete_one(&mut self, turn: &mut Turn, key: &ObjectKey, gone: &mut VecDeque<Arc<Object>>) -> Arc<Object> {
        let object = self.get(key).expect("whoever deletes an object has just looked it up").clone();
        if !self.is_held(&object) {
            let object = self.erase(turn, key);
            gone.push_back(object.clone());
            return object;
        }
        if object.is_deleting() {
            return object;
        }
        let mut dying = (*object).clone();
        let fields = Arc::make_mut(&mut dying.meta);
        fields.deletion_timestamp = Some(meta::time(turn.now));
        fields.deletion_grace_period_seconds = Some(0);
        dying.generation += 1;
        builtin::terminate(&mut dying);
        let object = self.commit(turn, dying);
        if key.kind == NAMESPACE {
            for key in self.store.content(&key.name) {
                // One may have gone with another already.
                if self.get(&key).is_some() {
                    self.delete_one(turn, &key, gone);
                }
            }
        }
        object
    }

    /// Follows what is gone to what goes with it.
    fn collect(&mut self, turn: &mut Turn, mut gone: VecDeque<Arc<Object>>) {
        while let Some(object) = gone.pop_front() {
            for key in self.store.dependents(object.uid()).iter() {
                if self.get(key).is_some_and(|dependent| self.is_orphan(dependent)) {
                    self.delete_one(turn, key, &mut gone);
                }
            }
            if object.key.namespace.is_empty() {
                continue;
            }
            let namespace = ObjectKey::new(NAMESPACE, "", object.key.namespace.clone());
            if self.get(&namespace).is_some_and(|namespace| namespace.is_deleting() && !self.is_held(namespace)) {
                let namespace = self.erase(turn, &namespace);
                gone.push_back(namespace);
            }
        }
    }
}
