//! CnsRegisterVolume: the wish that a disk that is there already become a claim's volume.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which disk, and as what claim.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cns.vmware.com",
    version = "v1alpha1",
    kind = "CnsRegisterVolume",
    plural = "cnsregistervolumes",
    namespaced,
    status = "CnsRegisterVolumeStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct CnsRegisterVolumeSpec {
    /// The claim's access mode.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub access_mode: String,
    /// How a disk by path is backed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub backing_type: String,
    /// The disk by its path, as a URL.
    #[serde(rename = "diskURLPath", default, skip_serializing_if = "String::is_empty")]
    pub disk_url_path: String,
    /// The name of the claim to make.
    #[serde(default)]
    #[schemars(!default)]
    pub pvc_name: String,
    /// The disk by its id in CNS.
    #[serde(rename = "volumeID", default, skip_serializing_if = "String::is_empty")]
    pub volume_id: String,
    /// The claim's volume mode.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub volume_mode: String,
}

/// How far it has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CnsRegisterVolumeStatus {
    /// Why it did not work.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// Whether it is done.
    #[serde(default)]
    #[schemars(!default)]
    pub registered: bool,
}
