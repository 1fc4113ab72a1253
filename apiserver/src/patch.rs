//! Patches on JSON: merge, JSON and strategic patches. What the outcome is worth is for others to judge.

use serde_json::{Map, Value};
use vmtwin_model::kube::Kind;
use vmtwin_model::kube::api::{ApiError, Cause, CauseReason, ErrorReason, PatchKind};

use crate::{builtin, errors};

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
    json_patch::patch(object, &operations).map_err(|error| {
        let text = "the server rejected our request due to an error in our request";
        let field = error.path.to_string();
        let cause = Cause { reason: CauseReason::FieldValueInvalid, message: error.to_string(), field };
        ApiError { causes: vec![cause], ..ApiError::new(ErrorReason::Invalid, text) }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{merge, merge_strategically};

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
    fn a_strategic_patch_merges_lists_by_name() {
        let mut target = json!({"list": [{"name": "a", "x": 1}, {"name": "b"}], "plain": [1, 2]});
        let patch = json!({"list": [{"name": "a", "y": 2}, {"name": "b", "$patch": "delete"}, {"name": "c"}], "plain": [3]});
        merge_strategically(&mut target, patch);
        assert_eq!(target, json!({"list": [{"name": "a", "x": 1, "y": 2}, {"name": "c"}], "plain": [3]}));
    }
}
