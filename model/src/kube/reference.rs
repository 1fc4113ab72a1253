//! How the kinds point at other objects: references by name, selectors of a Secret's key, and key/value pairs that
//! may come from one. Nothing here resolves a reference; that is the reader's work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An object of the same namespace (or of cluster scope), named in full.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalObjectRef {
    /// Group and version of the object, e.g. `vmoperator.vmware.com/v1alpha5`.
    #[serde(default)]
    #[schemars(!default)]
    pub api_version: String,
    /// The object's kind.
    #[serde(default)]
    #[schemars(!default)]
    pub kind: String,
    /// The object's name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}

/// An object whose kind may be left to the reader's default, as a network reference may.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartialObjectRef {
    /// Group and version of the object; empty until defaulted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// The object's kind; empty until defaulted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The object's name; empty stands for the namespace's default object of that kind.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}

/// One key of a Secret in the VM's namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeySelector {
    /// The key whose value is wanted.
    #[serde(default)]
    #[schemars(!default)]
    pub key: String,
    /// The Secret's name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}

/// A value written out, or taken from a Secret; never both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueOrSecretKeySelector {
    /// Where the value is kept, if it is not written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SecretKeySelector>,
    /// The value itself, if it is written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A key with a value that may come from a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyValueOrSecretKeySelectorPair {
    /// The key, unique in its list.
    #[serde(default)]
    #[schemars(!default)]
    pub key: String,
    /// The value; absent means the key alone is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueOrSecretKeySelector>,
}

/// A key with a value of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyValuePair {
    /// The key.
    #[serde(default)]
    #[schemars(!default)]
    pub key: String,
    /// The value; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
}
