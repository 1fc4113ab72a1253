//! The attachment objects: how they are named, made and taken away.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use vmtwin_model::kube::Object;
use vmtwin_model::kube::api::{ErrorReason, Write};
use vmtwin_model::kube::cns_node_vm_attachment::{CnsNodeVmAttachment, CnsNodeVmAttachmentSpec, CnsNodeVmAttachmentStatus};
use vmtwin_model::kube::virtual_machine::VolumeSpec;

use super::{Existing, VmDraft};
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

/// Where CNS writes the disk's UUID.
pub(super) const DISK_UUID: &str = "diskUUID";

/// What became of an attempt to make an attachment.
#[derive(Debug)]
pub(super) enum Made {
    Yes,
    /// One of its name is still on its way out.
    Later,
    No(Arc<str>),
}

/// The name of a volume's attachment.
pub(super) fn name(draft: &VmDraft, volume: &VolumeSpec) -> String {
    format!("{}-{}", draft.name(), volume.name)
}

pub(super) fn create(cx: &mut Cx<'_>, draft: &VmDraft, name: &str, claim: &str) -> Flow<Made> {
    let meta = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(draft.namespace().to_string()),
        owner_references: Some(vec![draft.as_owner()]),
        ..ObjectMeta::default()
    };
    let spec = CnsNodeVmAttachmentSpec { nodeuuid: draft.status().bios_uuid.clone(), volumename: claim.to_owned() };
    let object = Object::new::<CnsNodeVmAttachment>(meta, spec, CnsNodeVmAttachmentStatus::default());
    Ok(match cx.write(Write::Create(Arc::new(object)))? {
        Ok(_) => Made::Yes,
        Err(error) if error.code == 409 => Made::Later,
        Err(error) => Made::No(format!("failed to create CnsNodeVmAttachment {name}: {error}").into()),
    })
}

pub(super) fn delete(cx: &mut Cx<'_>, attachment: &Existing) -> Flow<()> {
    match cx.write(Write::Delete(attachment.object.key.clone()))? {
        Ok(_) => Ok(()),
        Err(error) if error.reason == ErrorReason::NotFound => Ok(()),
        Err(error) => Err(Verdict::failed(format!("failed to delete CnsNodeVmAttachment {}: {error}", attachment.name())).into()),
    }
}
