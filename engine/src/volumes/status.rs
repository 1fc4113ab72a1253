//! The managed entries of `status.volumes`. Source: crypto-storage §6.1, "Volume controller".

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use vmtwin_model::kube::virtual_machine::{VolumeSpec, VolumeStatus, VolumeType};
use vmtwin_model::units::{Bytes, bytes_of};

use super::{Existing, VmDraft, attachment};
use crate::pass::Cx;

/// The entry of a volume, attached or not yet; what the VM controller wrote of it stays.
pub(super) fn entry(cx: &mut Cx<'_>, draft: &VmDraft, volume: &VolumeSpec, attachment: Option<&Existing>) -> VolumeStatus {
    let fresh = || VolumeStatus { name: volume.name.clone(), type_: VolumeType::Managed, ..VolumeStatus::default() };
    let Some(attachment) = attachment else { return fresh() };
    let uuid = disk_uuid(attachment);
    let before = draft.status().volumes.iter().find(|there| there.type_ == VolumeType::Managed && there.name == volume.name);
    let kept = before.filter(|before| before.disk_uuid == uuid || before.disk_uuid.is_empty()).cloned();
    let mut entry = VolumeStatus { disk_uuid: uuid, ..kept.unwrap_or_else(fresh) };
    told(&mut entry, attachment);
    let source = volume.persistent_volume_claim.as_ref();
    if let Some(instance) = source.and_then(|source| source.instance_volume_claim.as_ref()) {
        entry.requested = bytes_of(&instance.size).ok();
        entry.limit = entry.requested;
    } else if let Some(claim) = source.and_then(|source| cx.find::<PersistentVolumeClaim>(&draft.namespace().clone(), &source.claim_name)) {
        let resources = claim.spec().resources.as_ref();
        let storage = |list: Option<&std::collections::BTreeMap<String, Quantity>>| -> Option<Bytes> {
            list.and_then(|list| list.get("storage")).and_then(|quantity| bytes_of(quantity).ok())
        };
        entry.requested = storage(resources.and_then(|resources| resources.requests.as_ref()));
        entry.limit = storage(resources.and_then(|resources| resources.limits.as_ref())).or(entry.requested);
    }
    entry
}

/// The entry of a volume that is being taken off.
pub(super) fn detaching(draft: &VmDraft, orphan: &Existing) -> VolumeStatus {
    let volume = orphan.name().strip_prefix(&format!("{}-", draft.name())).unwrap_or_else(|| orphan.name());
    let uuid = disk_uuid(orphan);
    let before = draft.status().volumes.iter().find(|there| there.type_ == VolumeType::Managed && there.disk_uuid == uuid);
    let mut entry = before.cloned().unwrap_or_default();
    entry.name = format!("{volume}:detaching");
    entry.disk_uuid = uuid;
    told(&mut entry, orphan);
    entry
}

fn disk_uuid(attachment: &Existing) -> String {
    attachment.status().metadata.get(attachment::DISK_UUID).cloned().unwrap_or_default()
}

fn told(entry: &mut VolumeStatus, attachment: &Existing) {
    entry.attached = attachment.status().attached;
    entry.error = sanitized(&attachment.status().error);
}

/// An error with vSphere's internals is cut to what stands before the first colon.
fn sanitized(error: &str) -> String {
    let shown = if error.contains("opId:") { error.split(':').next().unwrap_or_default() } else { error };
    shown.to_owned()
}

/// Puts the managed entries in the place of those before; the order is by the disks' UUIDs.
pub(super) fn write(draft: &mut VmDraft, entries: Vec<VolumeStatus>) {
    let mut volumes: Vec<VolumeStatus> =
        draft.status().volumes.iter().filter(|volume| volume.type_ == VolumeType::Classic).cloned().collect();
    volumes.extend(entries);
    volumes.sort_by(|a, b| a.disk_uuid.cmp(&b.disk_uuid));
    if draft.status().volumes != volumes {
        draft.status_mut().volumes = volumes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_with_internals_are_cut() {
        assert_eq!(sanitized("failed to attach cns volume: \"x\" opId: \"67d69c68\""), "failed to attach cns volume");
        assert_eq!(sanitized("a: b"), "a: b");
        assert_eq!(sanitized(""), "");
    }
}
