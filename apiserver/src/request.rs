//! Requests: from what is asked for to what is stored. Manifests are decoded, defaulted, judged by admission and checked
//! by their schema; typed writes skip all that is about JSON. Only the last step of each changes anything, so that a
//! refusal leaves no trace.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{
    Admitted, ApiError, CauseReason, ErrorReason, PatchKind, Request, Review, ReviewVerb, Subresource, User, Write,
};
use vmtwin_model::kube::object::same_part;
use vmtwin_model::kube::{Body, Kind, Layout, Object, ObjectKey, Scope};
use vmtwin_model::time::Timestamp;

use crate::collect::NAMESPACE;
use crate::decode::{self, Manifest, Part, Parts, Strictness};
use crate::{ApiServer, Response, Turn, builtin, errors, meta, patch, rules, schema};

/// Whoever judges a review.
pub(crate) type Hook<'a> = dyn FnMut(&ApiServer, Review) -> Admitted + 'a;

/// Who asks, and who judges.
pub(crate) struct Asking<'a, 'b> {
    pub(crate) user: &'a User,
    pub(crate) admission: &'a mut Hook<'b>,
    pub(crate) warnings: Vec<String>,
}

impl ApiServer {
    /// Does what a request asks for, if admission lets it. `first` is the number of the record that its first change will
    /// get; the next one gets the next, and deliveries to watchers carry them.
    pub fn request(
        &mut self,
        now: Timestamp,
        first: Cause,
        user: &User,
        request: Request,
        admission: &mut dyn FnMut(&ApiServer, Review) -> Admitted,
    ) -> Response {
        self.clock = now;
        if self.faults.is_down(now) {
            return Response { result: Err(errors::unavailable()), warnings: Vec::new(), changes: Vec::new() };
        }
        let mut turn = Turn { now, first, changes: Vec::new() };
        let mut asking = Asking { user, admission, warnings: Vec::new() };
        let result = match request {
            Request::Create { manifest } => self.create(&mut turn, &mut asking, manifest),
            Request::Update { manifest, part } => self.update(&mut turn, &mut asking, manifest, part),
            Request::Patch { key, kind, patch, part } => self.patch(&mut turn, &mut asking, &key, kind, patch, part),
            Request::Delete { key } | Request::Write(Write::Delete(key)) => self.delete(&mut turn, &mut asking, &key),
            Request::Write(Write::Create(object)) => self.insert(&mut turn, &mut asking, (*object).clone(), None),
            Request::Write(Write::Update { base, meta, spec, status }) => {
                self.write(&mut turn, &mut asking, &base, Parted { meta, spec, status })
            }
        };
        Response { result, warnings: asking.warnings, changes: turn.changes }
    }

    fn create(&mut self, turn: &mut Turn, asking: &mut Asking<'_, '_>, manifest: Value) -> Result<Arc<Object>, ApiError> {
        let manifest = decode::read(manifest, Parts::Main, Strictness::Strict)?;
        if manifest.resource_version.is_some() {
            return Err(ApiError::new(ErrorReason::InternalError, "resourceVersion should not be set on objects to be created"));
        }
        let Manifest { key, meta, spec, status, .. } = manifest;
        let object = Object { key, meta: Arc::new(meta), spec: spec.body.clone(), status: status.body, resource_version: 0, generation: 0 };
        self.insert(turn, asking, object, Some(spec))
    }

    /// Stores a new object, without a status: that takes a request of its own. `written` is its spec as the user wrote it.
    fn insert(
        &mut self,
        turn: &mut Turn,
        asking: &mut Asking<'_, '_>,
        mut object: Object,
        written: Option<Part>,
    ) -> Result<Arc<Object>, ApiError> {
        let kind = object.key.kind;
        served(&object.key)?;
        self.check_namespace(&object.key)?;
        if object.key.name.is_empty()
            && let Some(prefix) = object.meta.generate_name.clone().filter(|prefix| !prefix.is_empty())
        {
            object.key.name = self.generate_name(&object.key, &prefix).into();
        }
        let fresh = ObjectMeta {
            name: Some(object.key.name.to_string()),
            namespace: (!object.key.namespace.is_empty()).then(|| object.key.namespace.to_string()),
            generate_name: object.meta.generate_name.clone(),
            uid: Some(self.draw_uid(&object.key)),
            creation_timestamp: Some(meta::time(turn.now)),
            ..ObjectMeta::default()
        };
        meta::keep_own(&fresh, Arc::make_mut(&mut object.meta));
        object.status = (kind.info().decode_status)(Value::Null).expect("an absent status is an empty one");
        object.spec = builtin::settle(object.spec);
        object.resource_version = 0;
        object.generation = 1;
        check_meta(&object.key, &object.meta)?;

        let mut object = self.judge(asking, ReviewVerb::Create, None, object, written.as_ref())?;
        if !fresh_is_kept(&fresh, &object.meta) {
            meta::keep_own(&fresh, Arc::make_mut(&mut object.meta));
        }
        check_meta(&object.key, &object.meta)?;
        if self.get(&object.key).is_some() {
            return Err(errors::already_exists(&object.key));
        }
        builtin::begin(&mut object);
        let object = self.commit(turn, object);
        if self.is_orphan(&object) {
            self.delete_object(turn, &object.key);
        }
        Ok(object)
    }

    fn update(
        &mut self,
        turn: &mut Turn,
        asking: &mut Asking<'_, '_>,
        manifest: Value,
        part: Subresource,
    ) -> Result<Arc<Object>, ApiError> {
        let manifest = read_for(manifest, part)?;
        if manifest.key.name.is_empty() {
            check_meta(&manifest.key, &manifest.meta)?;
        }
        let current = self.find(&manifest.key)?;
        if self.faults.conflicts(&manifest.key) {
            return Err(errors::conflict(&manifest.key));
        }
        self.replace(turn, asking, current, manifest, part)
    }

    fn patch(
        &mut self,
        turn: &mut Turn,
        asking: &mut Asking<'_, '_>,
        key: &ObjectKey,
        how: PatchKind,
        patch: Value,
        part: Subresource,
    ) -> Result<Arc<Object>, ApiError> {
        let current = self.find(key)?;
        let mut object = patch::apply(key.kind, how, current.to_value(), patch)?;
        let (kind, api_version, kind_name) = decode::head(&object)?;
        if kind != Some(key.kind) {
            let info = key.kind.info();
            let text = format!("the object is a {} of {}, not a {kind_name} of {api_version}", info.kind, info.api_version());
            return Err(errors::bad_request(text));
        }
        object["apiVersion"] = key.kind.info().api_version().into();
        let manifest = read_for(object, part)?;
        if manifest.key.name != key.name {
            let text = format!("the name of the object ({}) does not match the name on the URL ({})", manifest.key.name, key.name);
            return Err(errors::bad_request(text));
        }
        if manifest.key.namespace != key.namespace {
            let text = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(errors::bad_request(text));
        }
        self.replace(turn, asking, current, manifest, part)
    }

    /// Puts what a manifest says in the place of what is there.
    fn replace(
        &mut self,
        turn: &mut Turn,
        asking: &mut Asking<'_, '_>,
        current: Arc<Object>,
        manifest: Manifest,
        part: Subresource,
    ) -> Result<Arc<Object>, ApiError> {
        let key = &current.key;
        if manifest.resource_version.is_some_and(|version| version != current.resource_version) {
            return Err(errors::conflict(key));
        }
        if manifest.meta.uid.as_deref().is_some_and(|uid| !uid.is_empty() && uid != current.uid()) {
            return Err(errors::conflict(key));
        }
        match part {
            Subresource::Main => {
                let mut next = (*current).clone();
                next.meta = meta::kept(&current, &Arc::new(manifest.meta));
                next.spec = shared(&current.spec, manifest.spec.body.clone());
                check_meta(key, &next.meta)?;
                let next = self.judge(asking, ReviewVerb::Update, Some(&current), next, Some(&manifest.spec))?;
                self.settle_update(turn, &current, next)
            }
            Subresource::Status => {
                check_part(key, "status", &manifest.status.json, Some(&current.status))?;
                let mut next = (*current).clone();
                next.status = shared(&current.status, manifest.status.body);
                self.settle_update(turn, &current, next)
            }
        }
    }

    fn write(&mut self, turn: &mut Turn, asking: &mut Asking<'_, '_>, base: &Object, parted: Parted) -> Result<Arc<Object>, ApiError> {
        let current = self.find(&base.key)?;
        if base.resource_version != current.resource_version || self.faults.conflicts(&base.key) {
            return Err(errors::conflict(&base.key));
        }
        let Parted { meta, spec, status } = parted;
        let reviewed = meta.is_some() || spec.is_some();
        let mut next = (*current).clone();
        if let Some(meta) = meta {
            next.meta = meta::kept(&current, &meta);
            if !Arc::ptr_eq(&next.meta, &current.meta) {
                check_meta(&next.key, &next.meta)?;
            }
        }
        if let Some(spec) = spec {
            next.spec = shared(&current.spec, builtin::settle(spec));
        }
        if reviewed {
            next = self.judge(asking, ReviewVerb::Update, Some(&current), next, None)?;
        }
        if let Some(status) = status {
            next.status = shared(&current.status, status);
        }
        self.settle_update(turn, &current, next)
    }

    fn delete(&mut self, turn: &mut Turn, asking: &mut Asking<'_, '_>, key: &ObjectKey) -> Result<Arc<Object>, ApiError> {
        let current = self.find(key)?;
        let review = Review { user: asking.user.clone(), verb: ReviewVerb::Delete, key: key.clone(), old: Some(current), new: None };
        asking.warnings.extend((asking.admission)(self, review)?.warnings);
        Ok(self.delete_object(turn, key))
    }

    /// Stores a changed object, unless nothing changed; takes it out if that was the last that held it.
    fn settle_update(&mut self, turn: &mut Turn, current: &Arc<Object>, mut next: Object) -> Result<Arc<Object>, ApiError> {
        let same_meta = Arc::ptr_eq(&current.meta, &next.meta) || current.meta == next.meta;
        let same_spec = same_part(&current.spec, &next.spec);
        if same_meta && same_spec && same_part(&current.status, &next.status) {
            return Ok(current.clone());
        }
        if let Some(error) = meta::late_finalizers(&next.key, &current.meta, &next.meta) {
            return Err(error);
        }
        if !same_spec && next.key.kind.info().layout == Layout::SpecStatus {
            next.generation += 1;
        }
        if next.is_deleting() && !self.is_held(&next) {
            self.remove_object(turn, &next.key);
            return Ok(Arc::new(next));
        }
        let next = self.commit(turn, next);
        if current.meta.owner_references != next.meta.owner_references && self.is_orphan(&next) {
            self.delete_object(turn, &next.key);
        }
        Ok(next)
    }

    /// Asks admission, then the schema. Kubernetes asks the schema between mutation and validation: so what a value of the
    /// user's breaks comes before any other denial but a mutator's.
    pub(crate) fn judge(
        &self,
        asking: &mut Asking<'_, '_>,
        verb: ReviewVerb,
        current: Option<&Arc<Object>>,
        object: Object,
        written: Option<&Part>,
    ) -> Result<Object, ApiError> {
        let path = spec_path(object.key.kind);
        let review = Review { user: asking.user.clone(), verb, key: object.key.clone(), old: current.cloned(), new: Some(object.clone()) };
        let admission = (asking.admission)(self, review).map_err(|denial| {
            let mut early = written.map(|written| decode::early_causes(object.key.kind, path, &written.json)).unwrap_or_default();
            if let Some(current) = current.filter(|_| !early.is_empty()) {
                ratchet(object.key.kind, path, &current.spec, &mut early);
            }
            if is_by_mutator(&denial) || early.is_empty() { denial } else { errors::invalid(object.key.kind, &object.key.name, early) }
        })?;
        asking.warnings.extend(admission.warnings);
        let mut admitted = object;
        let mut json = written.map(|written| written.json.clone());
        if let Some(mutated) = admission.object {
            if let (Some(json), Some(written)) = (&mut json, written)
                && !same_part(&written.body, &mutated.spec)
            {
                overlay(json, &written.body.to_value(), &mutated.spec.to_value());
            }
            admitted.meta = match current {
                Some(current) => meta::kept(current, &mutated.meta),
                None => mutated.meta,
            };
            admitted.spec = mutated.spec;
            check_meta(&admitted.key, &admitted.meta)?;
            if let Some(json) = &mut json {
                refill(&mut admitted, path, json)?;
            }
        }
        if let Some(json) = &json {
            check_part(&admitted.key, path, json, current.map(|current| &current.spec))?;
        }
        if let Some(current) = current {
            admitted.spec = shared(&current.spec, admitted.spec);
        } else {
            let causes = builtin::validate(&admitted);
            if !causes.is_empty() {
                return Err(errors::invalid(admitted.key.kind, &admitted.key.name, causes));
            }
        }
        Ok(admitted)
    }

    fn find(&self, key: &ObjectKey) -> Result<Arc<Object>, ApiError> {
        served(key)?;
        self.get(key).cloned().ok_or_else(|| errors::not_found(key))
    }

    /// A new object's namespace must be there, and stay.
    fn check_namespace(&self, key: &ObjectKey) -> Result<(), ApiError> {
        if key.kind.info().scope == Scope::Cluster || key.namespace.is_empty() {
            return Ok(());
        }
        let namespace = ObjectKey::new(NAMESPACE, "", key.namespace.clone());
        match self.get(&namespace) {
            None => Err(errors::not_found(&namespace)),
            Some(found) if found.is_deleting() => {
                let text = format!("unable to create new content in namespace {} because it is being terminated", key.namespace);
                Err(errors::forbidden(key, &text))
            }
            Some(_) => Ok(()),
        }
    }

    /// A free name that begins so.
    fn generate_name(&mut self, key: &ObjectKey, prefix: &str) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        // A name has room for 63 characters, five of them drawn.
        let prefix: String = prefix.chars().take(58).collect();
        loop {
            let base = ObjectKey::new(key.kind, key.namespace.clone(), prefix.as_str());
            let nth = self.store.next_generated(&base);
            let mut draw = self.settings.rng.draw("apiserver/generateName", (errors::resource(key.kind), base.namespaced_name(), nth));
            let letter = |_| {
                let place = draw.below(u64::try_from(LETTERS.len()).expect("there are few letters"));
                char::from(LETTERS[usize::try_from(place).expect("a number below the count of letters")])
            };
            let name = format!("{prefix}{}", (0..5).map(letter).collect::<String>());
            if self.get(&ObjectKey::new(key.kind, key.namespace.clone(), name.as_str())).is_none() {
                return name;
            }
        }
    }
}

/// The changed parts of a typed write.
struct Parted {
    meta: Option<Arc<ObjectMeta>>,
    spec: Option<Arc<dyn Body>>,
    status: Option<Arc<dyn Body>>,
}

fn read_for(manifest: Value, part: Subresource) -> Result<Manifest, ApiError> {
    let parts = match part {
        Subresource::Main => Parts::Main,
        Subresource::Status => Parts::Status,
    };
    let (kind, ..) = decode::head(&manifest)?;
    if part == Subresource::Status && kind.is_some_and(|kind| kind.info().layout == Layout::Whole) {
        return Err(errors::no_subresource());
    }
    decode::read(manifest, parts, Strictness::Strict)
}

/// Objects of kinds that aren't served can be there, but not be asked for.
fn served(key: &ObjectKey) -> Result<(), ApiError> {
    if key.kind != Kind::FOREIGN {
        return Ok(());
    }
    let (head, _) = key.name.rsplit_once(':').unwrap_or((&key.name, ""));
    let (api_version, kind) = head.rsplit_once('/').unwrap_or(("", head));
    Err(errors::no_match(api_version, kind))
}

pub(crate) fn check_meta(key: &ObjectKey, meta: &ObjectMeta) -> Result<(), ApiError> {
    let causes = meta::validate(key, meta);
    if causes.is_empty() { Ok(()) } else { Err(errors::invalid(key.kind, &key.name, causes)) }
}

/// Whether a denial came before the schema was asked: mutating webhooks come before it, validating ones and the quota after it. A
/// `Status` names no stage; the webhook's name does.
fn is_by_mutator(denial: &ApiError) -> bool {
    denial.message.starts_with("admission webhook \"default.mutating.")
}

/// Checks a part by its schema. What was broken before may stay so.
fn check_part(key: &ObjectKey, path: &str, json: &Value, before: Option<&Arc<dyn Body>>) -> Result<(), ApiError> {
    let Some(schema) = schema::of_part(key.kind, path).filter(|_| !json.is_null()) else { return Ok(()) };
    let mut causes = schema::validate(key.kind, schema, json, path);
    if causes.is_empty() {
        causes = rules::broken(key.kind, schema, json, before.map(|before| &**before), path);
        if path == "spec" {
            causes.extend(rules::broken_by_whole(key.kind, &key.name, json));
        }
    } else if let Some(before) = before {
        ratchet(key.kind, path, before, &mut causes);
    }
    if causes.is_empty() { Ok(()) } else { Err(errors::invalid(key.kind, &key.name, causes)) }
}

/// Leaves out what the part as it was broke in the same way.
fn ratchet(kind: Kind, path: &str, before: &Arc<dyn Body>, causes: &mut Vec<vmtwin_model::kube::api::Cause>) {
    let Some(schema) = schema::of_part(kind, path) else { return };
    let before = schema::validate(kind, schema, &before.to_value(), path);
    causes.retain(|cause| cause.reason == CauseReason::FieldValueRequired || !before.contains(cause));
}

/// Fills in the defaults that a mutated spec lacks.
fn refill(object: &mut Object, path: &str, json: &mut Value) -> Result<(), ApiError> {
    let Some(schema) = schema::of_part(object.key.kind, path) else { return Ok(()) };
    let before = json.clone();
    schema::fill(schema, json);
    if *json != before {
        let info = object.key.kind.info();
        object.spec = (info.decode_spec)(json.clone())
            .map_err(|error| errors::undecodable(object.key.kind, info.version, &error.to_string(), Vec::new()))?;
    }
    Ok(())
}

/// Brings what was changed between two readings into the JSON that the first was read from: so a field that was absent,
/// and that reading fills with an empty value, stays absent.
pub(crate) fn overlay(json: &mut Value, before: &Value, after: &Value) {
    if before == after {
        return;
    }
    match (json, before, after) {
        (Value::Object(json), Value::Object(before), Value::Object(after)) => {
            for (name, value) in after {
                match (json.get_mut(name), before.get(name)) {
                    (Some(json), Some(before)) => overlay(json, before, value),
                    (None, Some(before)) if before == value => {}
                    _ => {
                        json.insert(name.clone(), value.clone());
                    }
                }
            }
            for name in before.keys().filter(|name| !after.contains_key(*name)) {
                json.shift_remove(name);
            }
        }
        (Value::Array(json), Value::Array(before), Value::Array(after)) if json.len() == before.len() && before.len() == after.len() => {
            for (json, (before, after)) in json.iter_mut().zip(before.iter().zip(after)) {
                overlay(json, before, after);
            }
        }
        (json, _, after) => *json = after.clone(),
    }
}

/// The part as it was, if it is the same: so that whoever compares finds one pointer.
fn shared(before: &Arc<dyn Body>, after: Arc<dyn Body>) -> Arc<dyn Body> {
    if same_part(before, &after) { before.clone() } else { after }
}

fn fresh_is_kept(fresh: &ObjectMeta, meta: &ObjectMeta) -> bool {
    let mut own = meta.clone();
    meta::keep_own(fresh, &mut own);
    own == *meta
}

pub(crate) fn spec_path(kind: Kind) -> &'static str {
    match kind.info().layout {
        Layout::Whole => "",
        Layout::SpecStatus => "spec",
    }
}
