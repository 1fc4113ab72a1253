//! Conversion between the versions of a kind, by the tables of [`Version`].
//!
//! What a version lacks is an unknown field there. What has moved is put in its place. What the stored version can't hold
//! is refused in a spec, since it would be lost without a word; in a status it is dropped with a warning, as nothing is
//! decided by it.

use serde_json::{Map, Value};
use vmtwin_model::kube::api::{ApiError, Cause};
use vmtwin_model::kube::{Kind, Version};

use crate::errors;

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'a> {
    Field(&'a str),
    EveryItem,
}

/// A manifest of any served version in the stored one; one of a kind that isn't served stays as it is.
///
/// # Errors
/// If a field can't be held, or its version doesn't have it.
pub fn in_stored_version(mut manifest: Value) -> Result<Value, ApiError> {
    let text = |field: &str| manifest.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let Some(kind) = Kind::find(&api_version, &kind) else { return Ok(manifest) };
    let version = api_version.rsplit('/').next().unwrap_or_default();
    let unknown = to_stored(kind, version, &mut manifest)?;
    if unknown.is_empty() { Ok(manifest) } else { Err(errors::strictly(kind, version, unknown)) }
}

/// Rewrites a manifest of this version to the stored one, and tells which fields were dropped: its version doesn't have them.
pub(crate) fn to_stored(kind: Kind, name: &str, manifest: &mut Value) -> Result<Vec<Cause>, ApiError> {
    manifest["apiVersion"] = kind.info().api_version().into();
    let Some(version) = Version::of(kind, name) else { return Ok(Vec::new()) };
    let stored = kind.info().version;
    let mut unknown = Vec::new();
    for path in version.lacks {
        take_all(manifest, &steps(path), "", &mut |place, _| {
            unknown.push(errors::unknown_field(place, format!("unknown field \"{place}\" ({stored} has it, {name} doesn't)")));
        });
    }
    let mut lost = Vec::new();
    for path in version.loses {
        take_all(manifest, &steps(path), "", &mut |place, value| {
            if place.starts_with("status") {
                unknown.push(errors::unknown_field(place, format!("unknown field \"{place}\" ({name} has it, {stored} doesn't)")));
            } else if !value.is_null() {
                lost.push(errors::field_forbidden(place, format_args!("{name} has this field; {stored}, which is stored, can't hold it")));
            }
        });
    }
    if !lost.is_empty() {
        let object = manifest.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        return Err(errors::invalid(kind, object, lost));
    }
    let exists = manifest.pointer("/metadata/generation").and_then(Value::as_i64).is_some_and(|generation| generation > 0);
    for (from, to) in version.moves {
        // A status says what is true of an object that exists; of a new one it says nothing.
        if exists || !(from.starts_with("status") && to.starts_with("spec")) {
            shift(manifest, &steps(from), &steps(to));
        }
    }
    for (path, word) in version.fills {
        fill(manifest, &steps(path), word);
    }
    Ok(unknown)
}

/// Rewrites a manifest of the stored version to this one, and tells which fields of the spec it can't hold.
pub(crate) fn from_stored(kind: Kind, name: &str, manifest: &mut Value) -> Vec<String> {
    let Some(version) = Version::of(kind, name) else { return Vec::new() };
    for (from, to) in version.moves {
        if !(from.starts_with("status") && to.starts_with("spec")) {
            shift(manifest, &steps(to), &steps(from));
        }
    }
    let mut lost = Vec::new();
    for path in version.lacks {
        take_all(manifest, &steps(path), "", &mut |place, value| {
            if !is_empty(&value) {
                lost.push(place.to_owned());
            }
        });
    }
    lost
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}

/// The steps of `spec.volumes[].name` or `metadata.annotations[a.b/c]`.
fn steps(path: &str) -> Vec<Step<'_>> {
    let mut out = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (word, after) = inner.split_once(']').expect("brackets are closed in the tables");
            out.push(if word.is_empty() { Step::EveryItem } else { Step::Field(word) });
            rest = after.strip_prefix('.').unwrap_or(after);
        } else {
            let (word, after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            out.push(Step::Field(word));
            rest = after.strip_prefix('.').unwrap_or(after);
        }
    }
    out
}

/// Takes out whatever stands at the path, and hands it over with its place.
fn take_all(value: &mut Value, path: &[Step<'_>], place: &str, take: &mut dyn FnMut(&str, Value)) {
    match (path, value) {
        ([Step::Field(name)], Value::Object(fields)) => {
            if let Some(taken) = fields.shift_remove(*name) {
                take(&crate::schema::join(place, name), taken);
            }
        }
        ([Step::Field(name), rest @ ..], Value::Object(fields)) => {
            if let Some(field) = fields.get_mut(*name) {
                take_all(field, rest, &crate::schema::join(place, name), take);
            }
        }
        ([Step::EveryItem, rest @ ..], Value::Array(items)) => {
            for (index, item) in items.iter_mut().enumerate() {
                take_all(item, rest, &format!("{place}[{index}]"), take);
            }
        }
        _ => {}
    }
}

/// Moves what stands at `from` to `to`; both lie in the same items of the same lists.
fn shift(value: &mut Value, from: &[Step<'_>], to: &[Step<'_>]) {
    let Some(list) = from.iter().position(|step| *step == Step::EveryItem) else {
        let mut taken = Value::Null;
        take_all(value, from, "", &mut |_, value| taken = value);
        if !taken.is_null() && taken.as_str() != Some("") {
            put(value, to, taken);
        }
        return;
    };
    let items = from[..list].iter().try_fold(value, |value, step| match step {
        Step::Field(name) => value.get_mut(*name),
        Step::EveryItem => None,
    });
    for item in items.and_then(Value::as_array_mut).into_iter().flatten() {
        shift(item, &from[list + 1..], &to[list + 1..]);
    }
}

/// Puts a value at a path of fields, with the mappings that lead there. A value on the way that is no mapping stays, and
/// is told of where types are checked.
fn put(value: &mut Value, path: &[Step<'_>], new: Value) {
    let [Step::Field(name), rest @ ..] = path else { return };
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    let Some(fields) = value.as_object_mut() else { return };
    if rest.is_empty() {
        fields.insert((*name).to_owned(), new);
    } else {
        put(fields.entry(*name).or_insert(Value::Null), rest, new);
    }
}

/// Fills a word in where an item lacks it.
fn fill(value: &mut Value, path: &[Step<'_>], word: &str) {
    match (path, value) {
        ([Step::Field(name)], Value::Object(fields)) => {
            fields.entry(*name).or_insert_with(|| word.into());
        }
        ([Step::Field(name), rest @ ..], Value::Object(fields)) => {
            if let Some(field) = fields.get_mut(*name) {
                fill(field, rest, word);
            }
        }
        ([Step::EveryItem, rest @ ..], Value::Array(items)) => items.iter_mut().for_each(|item| fill(item, rest, word)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use vmtwin_model::kube::Kind;

    use super::{from_stored, to_stored};

    fn kind(name: &str) -> Kind {
        Kind::named(name).expect("the table has it")
    }

    /// The object in the stored version, and what was unknown.
    fn stored(name: &str, version: &str, object: &Value) -> (Value, Vec<String>) {
        let mut object = object.clone();
        let unknown = to_stored(kind(name), version, &mut object).expect("it can be held");
        (object, unknown.into_iter().map(|cause| cause.message).collect())
    }

    #[test]
    fn every_move_of_every_version_goes_there_and_back() {
        for kind in Kind::all() {
            for version in vmtwin_model::kube::Version::all(kind) {
                for (from, to) in version.moves {
                    let there = super::steps(from);
                    let mut object = json!({"metadata": {"generation": 1}});
                    plant(&mut object, &there, json!("value"));
                    let before = object.clone();
                    to_stored(kind, version.name, &mut object).expect("it can be held");
                    assert_eq!(find(&object, &super::steps(to)), Some(&json!("value")), "{kind} {} {from}", version.name);
                    assert_eq!(find(&object, &there), None, "{kind} {} {from}", version.name);
                    if !(from.starts_with("status") && to.starts_with("spec")) {
                        from_stored(kind, version.name, &mut object);
                        assert_eq!(find(&object, &there), find(&before, &there), "{kind} {} {from}", version.name);
                    }
                }
            }
        }
    }

    fn plant(value: &mut Value, path: &[super::Step<'_>], leaf: Value) {
        match path {
            [] => *value = leaf,
            [super::Step::Field(name), rest @ ..] => plant(&mut value[*name], rest, leaf),
            [super::Step::EveryItem, rest @ ..] => {
                *value = json!([null]);
                plant(&mut value[0], rest, leaf);
            }
        }
    }

    fn find<'a>(value: &'a Value, path: &[super::Step<'_>]) -> Option<&'a Value> {
        path.iter().try_fold(value, |value, step| match step {
            super::Step::Field(name) => value.get(*name),
            super::Step::EveryItem => value.get(0),
        })
    }

    #[test]
    fn a_drive_of_v1alpha4_becomes_hardware() {
        let (vm, unknown) = stored("VirtualMachine", "v1alpha4", &json!({"spec": {"cdrom": [{"name": "cd1"}], "className": "small"}}));
        assert_eq!(vm["spec"], json!({"className": "small", "hardware": {"cdrom": [{"name": "cd1"}]}}));
        assert!(unknown.is_empty());
    }

    #[test]
    fn a_field_that_came_later_is_unknown_in_the_earlier_version() {
        let (vm, unknown) =
            stored("VirtualMachine", "v1alpha3", &json!({"spec": {"hardware": {"cdrom": []}, "volumes": [{}, {"removable": true}]}}));
        assert_eq!(vm["spec"], json!({"volumes": [{}, {}]}));
        let texts = [
            "unknown field \"spec.hardware\" (v1alpha5 has it, v1alpha3 doesn't)",
            "unknown field \"spec.volumes[1].removable\" (v1alpha5 has it, v1alpha3 doesn't)",
        ];
        assert_eq!(unknown, texts);
    }

    #[test]
    fn a_field_that_would_be_lost_is_refused_by_its_name_and_version() {
        let mut vm = json!({"metadata": {"name": "a"}, "spec": {"network": {"interfaces": [{}, {"type": "VMXNet3"}]}}, "status": {"extraConfig": []}});
        let error = to_stored(kind("VirtualMachine"), "v1alpha6", &mut vm).expect_err("it would be lost");
        assert_eq!(error.code, 422);
        let text = "spec.network.interfaces[1].type: Forbidden: v1alpha6 has this field; v1alpha5, which is stored, can't hold it";
        assert_eq!(error.causes.iter().map(|cause| cause.message.as_str()).collect::<Vec<_>>(), [text]);
    }

    #[test]
    fn a_status_that_is_lost_is_dropped_and_told() {
        let (vm, unknown) = stored("VirtualMachine", "v1alpha6", &json!({"status": {"extraConfig": [], "powerState": "PoweredOn"}}));
        assert_eq!(vm["status"], json!({"powerState": "PoweredOn"}));
        assert_eq!(unknown, ["unknown field \"status.extraConfig\" (v1alpha6 has it, v1alpha5 doesn't)"]);
    }

    #[test]
    fn the_resolved_image_counts_only_of_a_vm_that_exists() {
        let vm = |generation: i64| json!({"metadata": {"generation": generation}, "status": {"image": {"kind": "VirtualMachineImage", "name": "vmi-1"}}});
        assert_eq!(stored("VirtualMachine", "v1alpha2", &vm(0)).0.pointer("/spec/image"), None);
        assert_eq!(stored("VirtualMachine", "v1alpha2", &vm(3)).0["spec"]["image"]["name"], "vmi-1");
    }

    #[test]
    fn what_an_earlier_version_cannot_hold_is_named_on_the_way_back() {
        let mut vm = json!({"spec": {"instanceUUID": "x", "className": "small", "hardware": {}}});
        assert_eq!(from_stored(kind("VirtualMachine"), "v1alpha2", &mut vm), ["spec.instanceUUID"]);
        assert_eq!(vm["spec"], json!({"className": "small"}));
    }
}
