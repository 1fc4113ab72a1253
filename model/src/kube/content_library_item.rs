//! ContentLibraryItem: an item of a vCenter content library that a namespace was given. Images are made from items;
//! the library itself is not modelled here.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;
use crate::time::Timestamp;
use crate::units::Bytes;

/// Which item.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "imageregistry.vmware.com",
    version = "v1alpha1",
    kind = "ContentLibraryItem",
    plural = "contentlibraryitems",
    namespaced,
    status = "ContentLibraryItemStatus",
    shortname = "clitem",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "vSphereName", "type": "string", "jsonPath": ".status.name"}"#,
    printcolumn = r#"{"name": "Type", "type": "string", "jsonPath": ".status.type"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(.type=='Ready')].status"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ContentLibraryItemSpec {
    /// The item's id in vCenter.
    #[serde(default)]
    #[schemars(!default)]
    pub uuid: String,
}

/// The item as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentLibraryItemStatus {
    /// The item's name in vCenter.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The library it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_library_ref: Option<ContentLibraryReference>,
    /// What it is, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Counts changes of name and description.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metadata_version: String,
    /// Counts changes of the files.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content_version: String,
    /// What it holds.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<ContentLibraryItemType>,
    /// What its files take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_in_bytes: Option<Bytes>,
    /// Whether its files are in the library, or only their names.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub cached: bool,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified_time: Option<Timestamp>,
    /// When it was last taken over from another library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Timestamp>,
    /// Its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_info: Vec<ContentLibraryItemFile>,
    /// What is true of the item, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::kube::schema::provider_conditions")]
    pub conditions: Vec<Condition>,
}

/// A content library by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentLibraryReference {
    /// The object's name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// `ContentLibrary` or `ClusterContentLibrary`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// A file of an item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentLibraryItemFile {
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_in_bytes: Option<Bytes>,
    /// Counts its copies.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Whether it is in the library, or only its name.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub cached: bool,
    /// Where it lies.
    #[serde(rename = "storageURI", default, skip_serializing_if = "String::is_empty")]
    pub storage_uri: String,
}

choice! {
    /// What an item holds.
    pub enum ContentLibraryItemType {
        /// A template of a VM.
        Ovf = "OVF",
        /// The image of a CD.
        Iso = "ISO",
    }
}
