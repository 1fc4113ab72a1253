//! The volume controller: an attachment object for each claim of a VM, and the managed entries of `status.volumes`.
//!
//! CNS does the attaching; this controller asks for it, one object for each attachment, and tells what became of it. The entries of
//! classic disks are the VM controller's: each keeps what the other wrote.
//!
//! Source: crypto-storage §5.3, §6.1. Mirrors: vm-operator `controllers/virtualmachine/volume`.

mod attachment;
mod late;
mod status;

use std::sync::Arc;

use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::cns_node_vm_attachment::CnsNodeVmAttachment;
use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::{VirtualMachine, VolumeSpec, VolumeStatus, VolumeType};
use vmtwin_model::kube::{Kind, Object, Resource, View};

use crate::draft::Draft;
use crate::pass::{Cx, Flow, Known, Stop};
use crate::verdict::Verdict;
use crate::vm::keys;

type VmDraft = Draft<VirtualMachine>;
type Existing = Known<CnsNodeVmAttachment>;

/// The least virtual hardware that claims can be attached to.
const LEAST_HARDWARE: i32 = 15;

/// Whether there is anything to do for a VM.
pub(crate) fn concerns(vm: View<'_, VirtualMachine>) -> bool {
    vm.spec.volumes.iter().any(|volume| volume.persistent_volume_claim.is_some())
        || vm.status.volumes.iter().any(|volume| volume.type_ == VolumeType::Managed)
}

/// Whether an object of this kind tells the controller of its owner something.
pub(crate) fn watches(kind: Kind) -> bool {
    kind == CnsNodeVmAttachment::KIND
}

/// One pass.
pub(crate) fn run(cx: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    let Some(mut draft) = cx.subject().and_then(Draft::of) else { return (Ok(Verdict::Done), None) };
    let result = reconcile(cx, &mut draft);
    let write = if matches!(result, Err(Stop::Suspended)) { None } else { draft.into_write() };
    (result, write)
}

fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<Verdict> {
    let paused = draft.annotation(keys::PAUSED).is_some() || draft.label(keys::PAUSED).is_some();
    if draft.base().is_deleting() || paused || draft.status().bios_uuid.is_empty() {
        return Ok(Verdict::Done);
    }
    let mut owned: Vec<Existing> = cx.naming(&draft.base().key.clone());
    // A VM of this name that is gone may have left some; they are collected with it.
    owned.retain(|attachment| controller(&attachment.object) == Some(draft.base().uid()));
    let wanted: Vec<VolumeSpec> = draft.spec().volumes.iter().filter(|volume| volume.persistent_volume_claim.is_some()).cloned().collect();
    if owned.is_empty() && !wanted.is_empty() {
        let version = draft.status().hardware_version;
        if version > 0 && version < LEAST_HARDWARE {
            let text = format!(
                "vm has an unsupported hardware version {version} for PersistentVolumes. Minimum supported hardware version {LEAST_HARDWARE}"
            );
            return Ok(Verdict::failed(text));
        }
    }
    let mut work = Work { errors: Vec::new(), entries: Vec::new(), waiting: waiting(draft, &owned) };
    for volume in &wanted {
        one(cx, draft, volume, &mut work)?;
    }
    for orphan in owned.iter().filter(|attachment| !wanted.iter().any(|volume| attachment.name() == attachment::name(draft, volume))) {
        detach(cx, draft, orphan, &mut work)?;
    }
    status::write(draft, work.entries);
    Ok(if work.errors.is_empty() { Verdict::Done } else { Verdict::failed(work.errors.join("\n")) })
}

/// What a pass has come to so far.
#[derive(Debug)]
struct Work {
    errors: Vec<Arc<str>>,
    entries: Vec<VolumeStatus>,
    /// Whether no further attachment may be made until one that is under way is done.
    waiting: bool,
}

/// While the VM isn't on, one attachment after the other.
fn waiting(draft: &VmDraft, owned: &[Existing]) -> bool {
    is_serial(draft) && owned.iter().any(|attachment| !attachment.status().attached && !attachment.object.is_deleting())
}

fn is_serial(draft: &VmDraft) -> bool {
    draft.status().power_state != Some(PowerState::PoweredOn)
}

/// Sees to the attachment of one volume.
fn one(cx: &mut Cx<'_>, draft: &VmDraft, volume: &VolumeSpec, work: &mut Work) -> Flow<()> {
    let name = attachment::name(draft, volume);
    let claim = volume.persistent_volume_claim.as_ref().map_or("", |claim| claim.claim_name.as_str());
    let there = cx.find::<CnsNodeVmAttachment>(&draft.namespace().clone(), &name);
    if let Some(there) = there {
        if let Some(owner) = controller(&there.object)
            && owner != draft.base().uid()
        {
            work.errors.push(format!("CnsNodeVmAttachment {name} has a different controlling owner").into());
            return Ok(());
        }
        if there.spec().nodeuuid != draft.status().bios_uuid {
            attachment::delete(cx, &there)?;
            work.errors.push(format!("deleted stale CnsNodeVmAttachment {name}").into());
            return Ok(());
        }
        if there.spec().volumename == claim {
            work.entries.push(status::entry(cx, draft, volume, Some(&there)));
            return Ok(());
        }
        attachment::delete(cx, &there)?;
    }
    if work.waiting {
        return Ok(());
    }
    if let Err(why) = late::prepare(cx, draft, claim)? {
        work.errors.push(why);
        return Ok(());
    }
    match attachment::create(cx, draft, &name, claim)? {
        attachment::Made::Yes => {
            work.waiting = is_serial(draft);
            work.entries.push(status::entry(cx, draft, volume, None));
        }
        attachment::Made::Later => {}
        attachment::Made::No(why) => work.errors.push(why),
    }
    Ok(())
}

/// Takes off what no volume wants any more; until it is gone it stays in the status.
fn detach(cx: &mut Cx<'_>, draft: &VmDraft, orphan: &Existing, work: &mut Work) -> Flow<()> {
    if !orphan.object.is_deleting() {
        attachment::delete(cx, orphan)?;
    }
    if orphan.status().metadata.get(attachment::DISK_UUID).is_some_and(|uuid| !uuid.is_empty())
        && orphan.object.meta.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty())
    {
        work.entries.push(status::detaching(draft, orphan));
    }
    Ok(())
}

/// The UID of the owner that controls an object.
fn controller(object: &Object) -> Option<&str> {
    let owners = object.meta.owner_references.as_ref()?;
    owners.iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
}

/// Why a VM can't be switched on yet: claims that aren't attached. Source: vm-lifecycle §11.8.
pub(crate) fn pending(draft: &VmDraft) -> Option<String> {
    let (mut not_found, mut not_attached) = (Vec::new(), Vec::new());
    for volume in draft.spec().volumes.iter().filter(|volume| volume.persistent_volume_claim.is_some()) {
        match draft.status().volumes.iter().find(|there| there.name == volume.name) {
            None => not_found.push(volume.name.as_str()),
            Some(there) if !there.attached => not_attached.push(volume.name.as_str()),
            Some(_) => {}
        }
    }
    if not_found.is_empty() && not_attached.is_empty() {
        return None;
    }
    let (not_found, not_attached) = (not_found.join(","), not_attached.join(","));
    Some(format!("one or more persistent volumes is pending: notFound={not_found:?}, notAttached={not_attached:?}"))
}
