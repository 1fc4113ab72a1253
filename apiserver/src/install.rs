//! Installation: objects that are there from the start, taken as they are. No admission, no rules, no watch events.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use vmtwin_model::kube::api::ApiError;
use vmtwin_model::kube::{Kind, Object, ObjectKey};
use vmtwin_model::time::Timestamp;

use crate::decode::{self, Parts, Strictness};
use crate::{ApiServer, builtin, errors, meta};

/// An object that was installed.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The object.
    pub object: Arc<Object>,
    /// What had to be left out, or couldn't be understood.
    pub warnings: Vec<String>,
}

impl ApiServer {
    /// Installs an object as it is, status included. Its uid, generation and creationTimestamp are kept or filled in, its
    /// resourceVersion is the store's own, and the schema's defaults are filled in. A kind that isn't served is kept as it
    /// came.
    ///
    /// # Errors
    /// If the manifest can't be read as its kind, or an object of its name or uid is there already.
    pub fn install(&mut self, now: Timestamp, manifest: Value) -> Result<Installed, ApiError> {
        self.clock = self.clock.max(now);
        let (kind, api_version, kind_name) = decode::head(&manifest)?;
        let (mut object, warnings) = match kind {
            Some(_) => known(manifest)?,
            None => (foreign(&api_version, &kind_name, manifest)?, vec![errors::no_match(&api_version, &kind_name).message]),
        };
        if object.key.name.is_empty() {
            let cause = errors::required("metadata.name", "name or generateName is required");
            return Err(errors::invalid(object.key.kind, "", vec![cause]));
        }
        if self.get(&object.key).is_some() {
            return Err(errors::already_exists(&object.key));
        }
        let fields = Arc::make_mut(&mut object.meta);
        fields.creation_timestamp.get_or_insert_with(|| meta::time(now));
        if fields.uid.as_deref().unwrap_or_default().is_empty() {
            fields.uid = Some(self.draw_uid(&object.key));
        } else if self.store.by_uid(object.uid()).is_some() {
            let cause = errors::duplicate("metadata.uid", &object.uid().into());
            return Err(errors::invalid(object.key.kind, &object.key.name, vec![cause]));
        }
        builtin::begin(&mut object);
        let (_, object) = self.store.put(object);
        Ok(Installed { object, warnings })
    }

    /// The uid of the next object of this key.
    pub(crate) fn draw_uid(&self, key: &ObjectKey) -> String {
        let of = (errors::resource(key.kind), key.namespaced_name(), self.store.lives(key));
        self.settings.rng.draw("apiserver/uid", of).uuid().to_string()
    }
}

pub(crate) fn known(manifest: Value) -> Result<(Object, Vec<String>), ApiError> {
    let manifest = decode::read(manifest, Parts::Both, Strictness::Warn)?;
    let object = Object {
        key: manifest.key,
        meta: Arc::new(manifest.meta),
        spec: manifest.spec.body,
        status: manifest.status.body,
        resource_version: 0,
        generation: manifest.generation.filter(|generation| *generation > 0).unwrap_or(1),
    };
    Ok((object, manifest.warnings))
}

/// An object of a kind that isn't served, named after that too: `group/version/Kind:name`.
fn foreign(api_version: &str, kind: &str, mut manifest: Value) -> Result<Object, ApiError> {
    let metadata = manifest.as_object_mut().and_then(|fields| fields.shift_remove("metadata")).unwrap_or(Value::Null);
    let mut meta: ObjectMeta = match metadata {
        Value::Null => ObjectMeta::default(),
        metadata => serde_json::from_value(metadata).map_err(|error| errors::bad_request(format!("metadata: {error}")))?,
    };
    meta.resource_version = None;
    let generation = meta.generation.take().filter(|generation| *generation > 0).unwrap_or(1);
    let name = meta.name.as_deref().filter(|name| !name.is_empty()).map_or_else(String::new, |name| format!("{api_version}/{kind}:{name}"));
    let info = Kind::FOREIGN.info();
    let read = |decode: fn(Value) -> Result<Arc<dyn vmtwin_model::kube::Body>, serde_json::Error>, value| {
        decode(value).map_err(|error| errors::bad_request(error.to_string()))
    };
    Ok(Object {
        key: ObjectKey::new(Kind::FOREIGN, meta.namespace.as_deref().unwrap_or_default(), name),
        spec: read(info.decode_spec, manifest)?,
        status: read(info.decode_status, Value::Null)?,
        meta: Arc::new(meta),
        resource_version: 0,
        generation,
    })
}
