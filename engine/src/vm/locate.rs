//! Finding the vSphere VM of an object: by `status.uniqueID`, then by `spec.instanceUUID`, then by `metadata.uid`.
//!
//! Never by name: a VM of the same name may be somebody else's. A VM that carries the object's instance UUID is adopted, so that
//! none is made twice. Source: vm-lifecycle §5.1.

use std::sync::Arc;

use vmtwin_model::id::VmId;
use vmtwin_model::vsphere::{self, Operation, Reply};

use super::{VmDraft, ask, keys, text_of};
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

/// The object's vSphere VM with its properties; nothing if there is none.
pub(super) fn find(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<Option<Arc<vsphere::VirtualMachine>>> {
    note_manager(cx, draft)?;
    let unique_id = draft.status().unique_id.clone();
    if !unique_id.is_empty()
        && let Some(vm) = retrieve(cx, unique_id.into())?
    {
        return Ok(Some(vm));
    }
    let uuids = [draft.spec().instance_uuid.clone(), draft.base().uid().to_owned()];
    for uuid in uuids.into_iter().filter(|uuid| !uuid.is_empty() && !crate::planted::is("create-not-searched")) {
        let operation = Operation::FindAllByUuid { uuid: uuid.as_str().into() };
        let Reply::Found(vms) = ask(cx, operation, "failed to find vm by instance UUID")? else { unreachable!("a search finds") };
        match vms.as_slice() {
            [] => {}
            [vm] => return retrieve(cx, vm.clone()),
            several => return Err(Verdict::failed(format!("found multiple VMs for instance UUID {uuid}: {}", several.len())).into()),
        }
    }
    Ok(None)
}

/// A vSphere VM with its properties, if it is there.
pub(crate) fn retrieve(cx: &mut Cx<'_>, vm: VmId) -> Flow<Option<Arc<vsphere::VirtualMachine>>> {
    let operation = Operation::RetrieveVm { vm };
    match cx.call(operation.clone())? {
        Ok(Reply::Vm(vm)) => Ok(Some(vm)),
        Ok(other) => unreachable!("a retrieval answered {other:?}"),
        Err(failure) if failure.is_a("ManagedObjectNotFound") => Ok(None),
        Err(failure) => Err(Verdict::failed(format!("failed to fetch vm properties: {}", text_of(&operation, &failure))).into()),
    }
}

/// Writes the vCenter's instance UUID on the object, once.
fn note_manager(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<()> {
    if draft.annotation(keys::MANAGER_ID).is_none() {
        let Reply::About { instance_uuid } = ask(cx, Operation::About {}, "failed to identify vCenter")? else {
            unreachable!("vCenter tells about itself")
        };
        draft.annotate(keys::MANAGER_ID, Some(&instance_uuid));
    }
    Ok(())
}
