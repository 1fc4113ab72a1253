//! The manifest that is kept with a snapshot: what the VM's object said when the snapshot was taken.
//!
//! It lies in the VM's ExtraConfig, compressed, under the key of upstream's backup record: so whatever copies the VM's configuration at an
//! instant keeps it. Source: crypto-storage §8.3, §8.4.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vmtwin_model::kube::Resource as _;
use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineSpec};

use crate::vm::VmDraft;
use crate::vm::update::configuration::{gzip_base64, plain_text};

/// ExtraConfig: the manifest.
pub(super) const KEY: &str = "vmservice.virtualmachine.resource.yaml";

/// What is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) spec: VirtualMachineSpec,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

/// The VM's manifest as it is kept. What a revert asks for isn't part of what it goes back to.
pub(super) fn encode(draft: &VmDraft) -> String {
    let mut spec = draft.spec().clone();
    spec.current_snapshot_name.clear();
    let (meta, info) = (draft.meta(), VirtualMachine::KIND.info());
    let mut metadata = json!({"name": &**draft.name(), "namespace": &**draft.namespace()});
    for (field, map) in [("labels", &meta.labels), ("annotations", &meta.annotations)] {
        if let Some(map) = map {
            metadata[field] = json!(map);
        }
    }
    let text = json!({"apiVersion": info.api_version(), "kind": info.kind, "metadata": metadata, "spec": spec}).to_string();
    gzip_base64(&text)
}

/// Reads a manifest.
///
/// # Errors
/// If it isn't one.
pub(super) fn decode(text: &str) -> Result<Kept, String> {
    let mut manifest: Value = serde_json::from_str(&plain_text(text)).map_err(|error| error.to_string())?;
    let spec = serde_json::from_value(manifest["spec"].take()).map_err(|error| error.to_string())?;
    let mut map = |field: &str| -> Result<Option<BTreeMap<String, String>>, String> {
        serde_json::from_value(manifest["metadata"][field].take()).map_err(|error| error.to_string())
    };
    Ok(Kept { spec, labels: map("labels")?, annotations: map("annotations")? })
}
