//! Nothing of a deletion happens while a delete check or a pause is on the object. Source: seed "Delete Check".

use vmtwin_model::kube::Object;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::vsphere::Operation;

use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record, Source};

const FINALIZER: &str = "vmoperator.vmware.com/virtualmachine";

pub(super) const RULE: Invariant = Invariant {
    name: "delete-held",
    guards: "seed: Delete Check",
    holds: "while the known object has a delete.check key or is paused: no power call for deletion, no Destroy, the finalizer stays",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    match (&record.event, &record.data) {
        (Event::Pass, _) => called(view, record, out),
        (Event::Write, Data::Change(change)) if record.source == Source::Operator => {
            let Some(before) = change.before.as_deref().filter(|before| before.is_deleting()) else { return };
            let stays = change.after.as_deref().is_some_and(has_finalizer);
            if let Some(key) = holds(before).filter(|_| has_finalizer(before) && !stays) {
                out.violated(&[&before.key], format!("the finalizer went while `{key}` is on the object"), "the finalizer stays", "gone");
            }
        }
        _ => {}
    }
}

fn called(view: &View<'_>, record: &Record, out: &mut Check) {
    let Some(known) = view.known(record).filter(|known| known.is_deleting()) else { return };
    let Some(key) = holds(known) else { return };
    out.premise();
    for call in view.calls_of(record) {
        let for_deletion = matches!(
            call.operation,
            Operation::DestroyVm { .. } | Operation::PowerOffVm { .. } | Operation::ShutdownGuest { .. } | Operation::SuspendVm { .. }
        );
        if for_deletion {
            let message = format!("{} was called while `{key}` is on the object", call.operation.method());
            out.violated(&[&known.key], message, "no call for the deletion", call.operation.to_string());
        }
    }
}

/// The key that holds the deletion.
fn holds(object: &Object) -> Option<&str> {
    object.view::<VirtualMachine>()?;
    let keys = object.meta.annotations.iter().flatten().map(|(key, _)| key.as_str());
    keys.into_iter().find(|key| key.starts_with("delete.check.vmoperator.vmware.com/") || *key == "vmoperator.vmware.com/paused")
}

fn has_finalizer(object: &Object) -> bool {
    object.meta.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}
