//! The encryption that a VM asks for. Keys and providers are chosen by the operator.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;

/// The encryption asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CryptoSpec {
    /// The EncryptionClass that gives provider and key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub encryption_class_name: String,
    /// Whether the default provider steps in where a key is needed and no class is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub use_default_key_provider: Option<bool>,
    /// Whether the image's vTPM is copied or made anew.
    #[serde(rename = "vTPMMode", default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "New"))]
    pub vtpm_mode: Option<VtpmMode>,
}

choice! {
    /// What becomes of the image's vTPM.
    pub enum VtpmMode {
        /// The image's vTPM with its secrets.
        Clone = "Clone",
        /// A fresh vTPM.
        New = "New",
    }
}
