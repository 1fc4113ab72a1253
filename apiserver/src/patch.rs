//! Patches on JSON: merge, JSON and strategic patches. What the outcome is worth is for others to judge.

use json_patch::PatchOperation;
use serde_json::{Map, Value};
use vmtwin_model::kube::Kind;
use vmtwin_model::kube::api::{ApiError, Cause, CauseReason, ErrorReason, PatchKind};

use crate::{builtin, errors};

/// How many bytes the copies of a JSON patch may have all together: as much as a request. A few copies of copies fill any memory.
///
/// Mirrors: Kubernetes' `apiserver` `endpoints/handlers/patch.go`, whose limit on copies is that of a request's body.
const MOST_COPIED: usize = 3 << 20;

/// The object with the patch applied.
pub(crate) fn apply(kind: Kind, how: PatchKind, mut object: Value, patch: Value) -> Result<Value, ApiError> {
    match how {
        PatchKind::Merge | PatchKind::Strategic if !patch.is_object() => {
            return Err(errors::bad_request("error decoding patch: a mapping is expected"));
        }
        PatchKind::Merge => merge(&mut object, patch),
        PatchKind::Strategic if !builtin::is_builtin(kind) => return Err(errors::unsupported_patch()),
        PatchKind::Strategic => merge_strategically(&mut object, patch),
        PatchKind::Json => apply_json(&mut object, patch)?,
    }
    Ok(object)
}

/// RFC 7396: mappings merge, `null` removes, all else replaces.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(fields) = patch else {
        *target = patch;
        return;
    };
    let target = as_mapping(target);
    for (name, field) in fields {
        if field.is_null() {
            target.shift_remove(&name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), field);
        }
    }
}

/// As a merge, but a list whose items all have names is merged by them, and `$patch: delete` takes an item out.
fn merge_strategically(target: &mut Value, patch: Value) {
    match patch {
        Value::Object(fields) if fields.get("$patch").and_then(Value::as_str) == Some("replace") => {
            *target = Value::Object(fields.into_iter().filter(|(name, _)| name != "$patch").collect());
        }
        Value::Object(fields) => {
            let target = as_mapping(target);
            for (name, field) in fields {
                let deleted = field.get("$patch").and_then(Value::as_str) == Some("delete");
                if field.is_null() || deleted {
                    target.shift_remove(&name);
                } else {
                    merge_strategically(target.entry(name).or_insert(Value::Null), field);
                }
            }
        }
        Value::Array(items) if !items.is_empty() && items.iter().all(|item| item_name(item).is_some()) => {
            if !target.is_array() {
                *target = Value::Array(Vec::new());
            }
            for item in items {
                merge_item(target.as_array_mut().expect("it was made a list above"), item);
            }
        }
        other => *target = other,
    }
}

fn merge_item(list: &mut Vec<Value>, item: Value) {
    let place = list.iter().position(|other| item_name(other) == item_name(&item));
    let deleted = item.get("$patch").and_then(Value::as_str) == Some("delete");
    match place {
        Some(place) if deleted => {
            list.remove(place);
        }
        Some(place) => merge_strategically(&mut list[place], item),
        None if deleted => {}
        None => list.push(item),
    }
}

fn item_name(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

fn as_mapping(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made a mapping above")
}

/// RFC 6902: a list of operations.
fn apply_json(object: &mut Value, patch: Value) -> Result<(), ApiError> {
    let operations: json_patch::Patch =
        serde_json::from_value(patch).map_err(|error| errors::bad_request(format!("error decoding patch: {error}")))?;
    let mut copied = 0;
    for (nth, operation) in operations.iter().enumerate() {
        if let PatchOperation::Copy(copy) = operation {
            copied += object.pointer(copy.from.as_str()).map_or(0, |value| value.to_string().len());
            if copied > MOST_COPIED {
                let text = format!("Unable to complete json patch: the copies have more than {MOST_COPIED} bytes");
                return Err(errors::bad_request(text));
            }
        }
        // A patch that fails leaves a spoilt object behind, which nobody sees. Undoing it is what the library does otherwise, and can't always.
        json_patch::patch_unsafe(object, std::slice::from_ref(operation)).map_err(|mut error| {
            error.operation = nth;
            refused(&error)
        })?;
    }
    Ok(())
}

fn refused(error: &json_patch::PatchError) -> ApiError {
    let text = "the server rejected our request due to an error in our request";
    let field = error.path.to_string();
    let cause = Cause { reason: CauseReason::FieldValueInvalid, message: error.to_string(), field };
    ApiError { causes: vec![cause], ..ApiError::new(ErrorReason::Invalid, text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{apply_json, merge, merge_strategically};

    #[test]
    fn a_merge_patch_does_what_the_appendix_of_rfc_7396_shows() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (mut target, patch, expected) in cases {
            merge(&mut target, patch.clone());
            assert_eq!(target, expected, "{patch}");
        }
    }

    #[test]
    fn a_json_patch_that_cannot_be_undone_is_refused_with_its_operation() {
        let patch = json!([{"op": "move", "from": "/b", "path": ""}, {"op": "move", "from": "/a", "path": "/a/x"}]);
        let refused = apply_json(&mut json!({"a": {"x": 1}, "b": {"a": {}}}), patch).expect_err("a value can't move into itself");
        assert!(refused.causes[0].message.starts_with("operation '/1' failed"), "{refused:?}");
    }

    #[test]
    fn copies_of_copies_end_early() {
        let copies: Vec<_> = (0..40).map(|nth| json!({"op": "copy", "from": "", "path": format!("/copy{nth}")})).collect();
        let refused = apply_json(&mut json!({"a": "x".repeat(100)}), copies.into()).expect_err("it would double forty times");
        assert!(refused.message.contains("3145728 bytes"), "{refused}");
    }

    #[test]
    fn a_strategic_patch_merges_lists_by_name() {
        let mut target = json!({"list": [{"name": "a", "x": 1}, {"name": "b"}], "plain": [1, 2]});
        let patch = json!({"list": [{"name": "a", "y": 2}, {"name": "b", "$patch": "delete"}, {"name": "c"}], "plain": [3]});
        merge_strategically(&mut target, patch);
        assert_eq!(target, json!({"list": [{"name": "a", "x": 1, "y": 2}, {"name": "c"}], "plain": [3]}));
    }
}
