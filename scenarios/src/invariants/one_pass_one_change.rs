//! A VM's pass changes one thing, and everything that is asked is answered once. Source: lifecycle §1, §2.1.

use vmtwin_model::kube::Resource;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::vsphere::Operation;

use super::{Check, Invariant, View, When};
use crate::log::{Event, Record};

pub(super) const RULE: Invariant = Invariant {
    name: "one-pass-one-change",
    guards: "lifecycle §1, §2.1",
    holds: "a VM's pass has one mutating call, but for restart and its record, soft and then hard, off and then destroy, bootstrap and customization, and \
            what a create consists of; each task has one end",
    of_twin: false,
    when: When::Each(check),
};

/// What may follow what in a pass.
const MAY_FOLLOW: &[(&str, &[&str])] = &[
    ("ShutdownGuest", &["PowerOffVM_Task", "Destroy_Task"]),
    ("StandbyGuest", &["SuspendVM_Task"]),
    ("RebootGuest", &["ResetVM_Task", "ReconfigVM_Task"]),
    ("ResetVM_Task", &["ReconfigVM_Task"]),
    ("PowerOffVM_Task", &["Destroy_Task"]),
    ("ReconfigVM_Task", &["CustomizeVM_Task"]),
];

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    if record.event == Event::Task {
        if let Some(task) = &view.history().ended_twice {
            out.violated(&[task], "a task ended twice", "one end", "two");
        }
        return;
    }
    let calls = view.calls_of(record);
    let mutating: Vec<&Operation> = calls.iter().map(|call| &call.operation).filter(|operation| operation.mutates()).collect();
    // A create is a chain of its own: folders, files, the VM.
    let creates = |operation: &&Operation| {
        matches!(
            operation,
            Operation::CreateVm { .. }
                | Operation::DeployLibraryItem(_)
                | Operation::MakeDirectory { .. }
                | Operation::CopyVirtualDisk { .. }
                | Operation::DeleteDatastoreFile { .. }
                | Operation::SyncLibraryItem { .. }
        )
    };
    let Some(key) = record.object.as_ref().filter(|key| key.kind == VirtualMachine::KIND) else { return };
    if mutating.is_empty() || mutating.iter().any(creates) {
        return;
    }
    out.premise();
    for pair in mutating.windows(2) {
        let (before, after) = (pair[0].method(), pair[1].method());
        let fine = MAY_FOLLOW.iter().any(|(first, next)| *first == before && next.contains(&after));
        if !fine {
            out.violated(&[key], format!("{after} follows {before} in one pass"), "one mutating call", format!("{before}, {after}"));
        }
    }
}
