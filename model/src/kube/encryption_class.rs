//! EncryptionClass: a key provider and, if wanted, one of its keys, under a name.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A key provider and a key.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "encryption.vmware.com",
    version = "v1alpha1",
    kind = "EncryptionClass",
    plural = "encryptionclasses",
    namespaced,
    status = "EncryptionClassStatus",
    shortname = "encclass",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "KeyProvider", "type": "string", "jsonPath": ".spec.keyProvider"}"#,
    printcolumn = r#"{"name": "KeyID", "type": "string", "jsonPath": ".spec.keyID"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct EncryptionClassSpec {
    /// The key; empty leaves it to the provider to make one.
    #[serde(rename = "keyID", default, skip_serializing_if = "String::is_empty")]
    pub key_id: String,
    /// The provider.
    #[serde(default)]
    #[schemars(!default)]
    pub key_provider: String,
}

/// Nothing is seen of a class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EncryptionClassStatus {}
