//! The API server's objects, as the storage quota looks at them.

use std::sync::Arc;

use vmtwin_apiserver::ApiServer;
use vmtwin_engine::storage_quota::Objects;
use vmtwin_model::kube::{Kind, Object, ObjectKey};

/// What an API server holds at the moment.
pub(crate) struct Stored<'a>(pub(crate) &'a ApiServer);

impl Objects for Stored<'_> {
    fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.0.get(key)
    }

    fn list<'a>(&'a self, kind: Kind, namespace: &'a str) -> Box<dyn Iterator<Item = &'a Arc<Object>> + 'a> {
        Box::new(self.0.list(kind, Some(namespace)))
    }
}
