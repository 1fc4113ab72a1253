//! From a manifest to the parts of an object: which kind it is, strict fields, defaults, Rust types. It looks at the
//! manifest alone, never at what is stored.

use std::sync::{Arc, LazyLock};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use vmtwin_model::kube::api::{ApiError, Cause, CauseReason};
use vmtwin_model::kube::{Body, Kind, Layout, ObjectKey};

use crate::schema::{self, Findings};
use crate::{builtin, convert, errors};

/// What becomes of fields that the kind doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// They are an error.
    Strict,
    /// They are dropped, with a warning.
    Warn,
}

/// Which parts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// All but the status.
    Main,
    /// The status.
    Status,
    /// All.
    Both,
}

/// A manifest that was read.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) key: ObjectKey,
    /// Without resourceVersion and generation, which stand beside it.
    pub(crate) meta: ObjectMeta,
    /// The version that it was written for.
    pub(crate) resource_version: Option<u64>,
    pub(crate) generation: Option<i64>,
    pub(crate) spec: Part,
    pub(crate) status: Part,
    /// Fields that were dropped.
    pub(crate) warnings: Vec<String>,
}

/// A part as it came, defaults filled in, and as the kind's type.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) json: Value,
    pub(crate) body: Arc<dyn Body>,
}

/// The kind that a manifest says it is of, and its `apiVersion`.
pub(crate) fn head(manifest: &Value) -> Result<(Option<Kind>, String, String), ApiError> {
    if !manifest.is_object() {
        return Err(errors::bad_request("couldn't get version/kind; json parse error: a mapping is expected"));
    }
    let text = |name: &str| manifest.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if kind.is_empty() {
        return Err(errors::bad_request("Object 'Kind' is missing"));
    }
    if api_version.is_empty() {
        return Err(errors::bad_request("Object 'apiVersion' is missing"));
    }
    Ok((Kind::find(&api_version, &kind), api_version, kind))
}

/// Reads a manifest of a kind that is served.
pub(crate) fn read(mut manifest: Value, parts: Parts, strictness: Strictness) -> Result<Manifest, ApiError> {
    let (kind, api_version, kind_name) = head(&manifest)?;
    let kind = kind.ok_or_else(|| errors::no_match(&api_version, &kind_name))?;
    let version = api_version.rsplit('/').next().unwrap_or_default();
    let of_other_versions = convert::to_stored(kind, version, &mut manifest)?;
    let undecodable = |why: &str, causes: Vec<Cause>| errors::undecodable(kind, version, why, causes);

    let fields = manifest.as_object_mut().expect("only a mapping has a head");
    for name in ["apiVersion", "kind"] {
        fields.shift_remove(name);
    }
    let mut found = Findings { unknown: of_other_versions, ..Findings::default() };
    let mut metadata = fields.shift_remove("metadata").unwrap_or(Value::Null);
    if !metadata.is_null() {
        // Who manages which field is spelled in names of fields: nothing to be strict about.
        let managed = metadata.as_object_mut().and_then(|fields| fields.shift_remove("managedFields"));
        schema::clean(&METADATA, &mut metadata, "metadata", &mut found);
        if let (Some(managed), Some(fields)) = (managed, metadata.as_object_mut()) {
            fields.insert("managedFields".to_owned(), managed);
        }
    }
    let (spec_path, mut spec, mut status) = match kind.info().layout {
        Layout::Whole => ("", std::mem::take(&mut manifest), Value::Null),
        Layout::SpecStatus => {
            let parts = ["spec", "status"].map(|name| fields.shift_remove(name).unwrap_or(Value::Null));
            let known = ["apiVersion", "kind", "metadata", "spec", "status"];
            found.unknown.extend(fields.keys().map(|name| schema::unknown_field("", name, known.into_iter())));
            let [spec, status] = parts;
            ("spec", spec, status)
        }
    };
    clean_part(kind, spec_path, &mut spec, parts != Parts::Status, &mut found);
    clean_part(kind, "status", &mut status, parts != Parts::Main, &mut found);
    if parts == Parts::Main {
        status = Value::Null;
    }

    let mut unreadable = None;
    let mut read = |decode: fn(Value) -> Result<Arc<dyn Body>, serde_json::Error>, json: &Value| {
        decode(json.clone()).map_err(|error| unreadable = Some(error.to_string())).ok()
    };
    let bodies = if found.wrong.is_empty() {
        let info = kind.info();
        let wanted = if parts == Parts::Status { Value::Null } else { spec.clone() };
        (read(info.decode_spec, &wanted), read(info.decode_status, &status))
    } else {
        (None, None)
    };
    if builtin::is_builtin(kind) {
        let lost = [(&spec, &bodies.0, spec_path), (&status, &bodies.1, "status")];
        for (json, body, path) in lost {
            if let Some(body) = body.as_ref().filter(|_| path != "spec" || parts != Parts::Status) {
                schema::lost(json, &body.to_value(), path, &mut found.unknown);
            }
        }
    }
    refuse(kind, version, &metadata, &mut found, strictness, || {
        let counted = if parts == Parts::Status { Vec::new() } else { early_causes(kind, spec_path, &spec) };
        counted.into_iter().chain(early_causes(kind, "status", &status)).collect()
    })?;
    let warnings = found.unknown.into_iter().map(|cause| cause.message).collect();
    let (Some(spec_body), Some(status_body)) = bodies else {
        return Err(undecodable(&unreadable.unwrap_or_default(), Vec::new()));
    };
    let mut meta = match metadata {
        Value::Null => ObjectMeta::default(),
        metadata => serde_json::from_value(metadata).map_err(|error| undecodable(&error.to_string(), Vec::new()))?,
    };
    let resource_version = meta.resource_version.take().filter(|text| !text.is_empty());
    let key = ObjectKey::new(kind, meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    Ok(Manifest {
        key,
        // What isn't a number was never given out: it meets a conflict.
        resource_version: resource_version.map(|text| text.parse().unwrap_or_default()),
        generation: meta.generation.take(),
        meta,
        spec: Part { json: spec, body: builtin::settle(spec_body) },
        status: Part { json: status, body: status_body },
        warnings,
    })
}

/// Cleans a part, and fills its defaults in. A part that doesn't count may hold any values, but of known fields.
fn clean_part(kind: Kind, path: &str, part: &mut Value, counts: bool, found: &mut Findings) {
    if part.is_null() {
        return;
    }
    let Some(schema) = schema::of_part(kind, path) else { return };
    let mut own = Findings::default();
    schema::clean(schema, part, path, &mut own);
    found.unknown.extend(own.unknown);
    if counts {
        found.wrong.extend(own.wrong);
        schema::fill(schema, part);
    }
}

/// Answers with all that is wrong at once, if anything is.
fn refuse(
    kind: Kind,
    version: &str,
    metadata: &Value,
    found: &mut Findings,
    strictness: Strictness,
    early: impl FnOnce() -> Vec<Cause>,
) -> Result<(), ApiError> {
    if strictness == Strictness::Strict && !found.unknown.is_empty() {
        let causes: Vec<Cause> = found.unknown.drain(..).chain(found.wrong.drain(..)).collect();
        return Err(errors::strictly(kind, version, causes));
    }
    if found.wrong.is_empty() {
        return Ok(());
    }
    let name = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
    let of_metadata = found.wrong.iter().filter(|cause| cause.field.starts_with("metadata")).cloned();
    Err(errors::invalid(kind, name, of_metadata.chain(early()).collect()))
}

/// The rules that a part breaks whatever admission will fill in.
pub(crate) fn early_causes(kind: Kind, path: &str, part: &Value) -> Vec<Cause> {
    let Some(schema) = schema::of_part(kind, path).filter(|_| !part.is_null()) else { return Vec::new() };
    let mut causes = schema::validate(kind, schema, part, path);
    causes.retain(|cause| cause.reason != CauseReason::FieldValueRequired);
    causes
}

/// The schema of metadata, the same for all kinds.
static METADATA: LazyLock<Value> = LazyLock::new(vmtwin_model::kube::schema::structural_schema::<ObjectMeta>);
