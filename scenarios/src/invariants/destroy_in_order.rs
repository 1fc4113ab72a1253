//! A VM is destroyed when it is off and its own object is being deleted; the finalizer goes after it. Source: lifecycle §22.

use vmtwin_model::id::VmId;
use vmtwin_model::kube::Object;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::vsphere::Operation;
use vmtwin_model::vsphere::vm::PowerState;

use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record, Source};

const FINALIZER: &str = "vmoperator.vmware.com/virtualmachine";
const SKIP: &str = "vmoperator.vmware.com.protected/skip-delete-platform-resource";

pub(super) const RULE: Invariant = Invariant {
    name: "destroy-in-order",
    guards: "lifecycle §22",
    holds: "Destroy only of a VM that is off and whose own object, by instance UUID, is under deletion; the finalizer goes after the VM",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    match (&record.event, &record.data) {
        (Event::Operation, Data::Call(Operation::DestroyVm { vm })) => destroyed(view, vm, out),
        (Event::Write, Data::Change(change)) if record.source == Source::Operator => {
            if let Some(before) = change.before.as_deref() {
                released(view, before, change.after.as_deref(), out);
            }
        }
        _ => {}
    }
}

fn destroyed(view: &View<'_>, id: &VmId, out: &mut Check) {
    let Some(vm) = view.vm(id) else { return };
    out.premise();
    if vm.runtime.power_state != PowerState::PoweredOff {
        out.violated(&[id], "Destroy_Task of a VM that isn't off", "poweredOff", vm.runtime.power_state.to_string());
    }
    let uuid = vm.config.as_ref().map(|config| &*config.instance_uuid).unwrap_or_default();
    let owner = view.owners(uuid).next();
    if !owner.is_some_and(|object| object.is_deleting()) {
        let observed = owner.map_or_else(|| "no object has its instance UUID".to_owned(), |object| object.key.to_string());
        out.violated(&[id], "Destroy_Task of a VM whose own object isn't under deletion", "an object under deletion", observed);
    }
}

/// The finalizer of an object under deletion went: its VM must be gone.
fn released(view: &View<'_>, before: &Object, after: Option<&Object>, out: &mut Check) {
    let has = |object: &Object| object.meta.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER);
    let Some(object) = before.view::<VirtualMachine>() else { return };
    if !before.is_deleting() || !has(before) || after.is_some_and(has) || before.annotation(SKIP).is_some() {
        return;
    }
    out.premise();
    let left = view.with_uuid(&object.spec.instance_uuid).next();
    if let Some(vm) = left {
        out.violated(
            &[&before.key, &vm.id],
            "the finalizer went before the VM",
            "no VM with the object's instance UUID",
            vm.id.to_string(),
        );
    }
}
