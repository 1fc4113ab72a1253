//! Reviews: a request that another API server sends on is judged as admission and the schema judge it, and nothing is
//! stored. The object came decoded, so that fields that the kind doesn't have are dropped, with a warning.

use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::kube::api::{Admitted, ApiError, Review, ReviewVerb, User};
use vmtwin_model::kube::{Layout, Object, ObjectKey};
use vmtwin_model::time::Timestamp;

use crate::decode::{self, Manifest, Part, Parts, Strictness};
use crate::request::{Asking, check_meta, overlay};
use crate::{ApiServer, builtin, convert, errors, install, meta};

/// What is to be judged.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// A new object.
    Create {
        /// The object.
        object: Value,
    },
    /// A changed object.
    Update {
        /// The object as it shall be.
        object: Value,
        /// The object as it is.
        old: Value,
    },
    /// An object that shall go.
    Delete {
        /// The object as it is.
        old: Value,
    },
}

/// The judgement.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// The object as admission leaves it, in the words and the version that it came in, and nothing at a delete; or why not.
    pub result: Result<Option<Value>, ApiError>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl ApiServer {
    /// Judges a request without doing what it asks for.
    pub fn review(&self, now: Timestamp, user: &User, asked: Asked, admission: &mut dyn FnMut(&Self, Review) -> Admitted) -> Reviewed {
        let mut asking = Asking { user, admission, warnings: Vec::new() };
        let result = match asked {
            Asked::Create { object } => self.review_create(now, &mut asking, object).map(Some),
            Asked::Update { object, old } => self.review_update(&mut asking, object, old).map(Some),
            Asked::Delete { old } => self.review_delete(&mut asking, old).map(|()| None),
        };
        Reviewed { result, warnings: asking.warnings }
    }

    fn review_create(&self, now: Timestamp, asking: &mut Asking<'_, '_>, sent: Value) -> Result<Value, ApiError> {
        let mut manifest = read(sent.clone(), asking)?;
        // A generated name is drawn after admission.
        let prefix = manifest.meta.generate_name.clone().filter(|_| manifest.key.name.is_empty());
        if let Some(prefix) = prefix {
            manifest.key.name = format!("{prefix}x").into();
            manifest.meta.name = Some(manifest.key.name.to_string());
        }
        manifest.meta.creation_timestamp.get_or_insert_with(|| meta::time(now));
        if manifest.meta.uid.is_none() {
            manifest.meta.uid = Some(self.draw_uid(&manifest.key));
        }
        let object = object_of(&manifest, 1);
        check_meta(&object.key, &object.meta)?;
        self.judged(asking, ReviewVerb::Create, None, object, &manifest.spec, sent)
    }

    fn review_update(&self, asking: &mut Asking<'_, '_>, sent: Value, old: Value) -> Result<Value, ApiError> {
        let manifest = read(sent.clone(), asking)?;
        let (old, _) = install::known(old)?;
        if old.key != manifest.key {
            let text = format!("the object is {}, but the old object is {}", manifest.key, old.key);
            return Err(errors::bad_request(text));
        }
        let object = object_of(&manifest, old.generation);
        check_meta(&object.key, &object.meta)?;
        self.judged(asking, ReviewVerb::Update, Some(&Arc::new(old)), object, &manifest.spec, sent)
    }

    fn review_delete(&self, asking: &mut Asking<'_, '_>, old: Value) -> Result<(), ApiError> {
        let (old, _) = install::known(old)?;
        let review =
            Review { user: asking.user.clone(), verb: ReviewVerb::Delete, key: old.key.clone(), old: Some(Arc::new(old)), new: None };
        asking.warnings.extend((asking.admission)(self, review)?.warnings);
        Ok(())
    }

    /// Asks admission and the schema, and brings what they filled in into the object as it was sent.
    fn judged(
        &self,
        asking: &mut Asking<'_, '_>,
        verb: ReviewVerb,
        old: Option<&Arc<Object>>,
        object: Object,
        written: &Part,
        mut sent: Value,
    ) -> Result<Value, ApiError> {
        let kind = object.key.kind;
        let (meta, spec) = (object.meta.clone(), object.spec.clone());
        let admitted = self.judge(asking, verb, old, object, Some(written))?;
        if meta == admitted.meta && vmtwin_model::kube::object::same_part(&spec, &admitted.spec) {
            return Ok(sent);
        }
        let api_version = sent["apiVersion"].clone();
        convert::to_stored(kind, version_of(&api_version), &mut sent)?;
        overlay(&mut sent["metadata"], &to_value(&meta), &to_value(&admitted.meta));
        let (before, after) = (spec.to_value(), admitted.spec.to_value());
        match kind.info().layout {
            Layout::Whole => overlay(&mut sent, &before, &after),
            Layout::SpecStatus => {
                if !sent["spec"].is_object() {
                    sent["spec"] = Value::Object(serde_json::Map::new());
                }
                overlay(&mut sent["spec"], &before, &after);
            }
        }
        for lost in convert::from_stored(kind, version_of(&api_version), &mut sent) {
            asking.warnings.push(format!("{lost} was filled in, and can't be told in {}", api_version.as_str().unwrap_or_default()));
        }
        sent["apiVersion"] = api_version;
        Ok(sent)
    }
}

fn read(sent: Value, asking: &mut Asking<'_, '_>) -> Result<Manifest, ApiError> {
    let manifest = decode::read(sent, Parts::Main, Strictness::Warn)?;
    asking.warnings.extend(manifest.warnings.iter().cloned());
    Ok(manifest)
}

fn object_of(manifest: &Manifest, generation: i64) -> Object {
    let key: ObjectKey = manifest.key.clone();
    Object {
        key,
        meta: Arc::new(manifest.meta.clone()),
        spec: builtin::settle(manifest.spec.body.clone()),
        status: manifest.status.body.clone(),
        resource_version: manifest.resource_version.unwrap_or_default(),
        generation: manifest.generation.unwrap_or(generation),
    }
}

fn to_value(meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> Value {
    serde_json::to_value(meta).expect("metadata is JSON")
}

fn version_of(api_version: &Value) -> &str {
    api_version.as_str().and_then(|text| text.rsplit('/').next()).unwrap_or_default()
}
