//! CnsNodeVmAttachment: the wish that a claim's disk hang on a VM, fulfilled by the storage neighbours.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which disk on which VM.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cns.vmware.com",
    version = "v1alpha1",
    kind = "CnsNodeVmAttachment",
    plural = "cnsnodevmattachments",
    namespaced,
    status = "CnsNodeVmAttachmentStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct CnsNodeVmAttachmentSpec {
    /// The VM's BIOS UUID.
    #[serde(default)]
    #[schemars(!default)]
    pub nodeuuid: String,
    /// The PersistentVolumeClaim's name.
    #[serde(default)]
    #[schemars(!default)]
    pub volumename: String,
}

/// The attachment as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CnsNodeVmAttachmentStatus {
    /// Whether the disk hangs on the VM.
    #[serde(default)]
    #[schemars(!default)]
    pub attached: bool,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// More about it; `diskUUID` once attached.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}
