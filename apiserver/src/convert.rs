//! Conversion between the versions of a kind. All versions that are read have the stored one's fields, so that a
//! manifest is converted by its `apiVersion` alone; a version with other fields gets its rewriting here.

use serde_json::Value;
use vmtwin_model::kube::Kind;

/// The manifest in the version that is stored.
pub(crate) fn to_stored(kind: Kind, _version: &str, manifest: &mut Value) {
    manifest["apiVersion"] = kind.info().api_version().into();
}
