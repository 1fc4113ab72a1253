//! A claim's disk hangs on one VM, and on none that doesn't list it. Source: seed "Volume Type"; crypto-storage §5.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use vmtwin_model::id::VmId;
use vmtwin_model::kube::ObjectKey;
use vmtwin_model::vsphere::Operation;

use super::ledger::disks_of;
use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record};

pub(super) const RULE: Invariant = Invariant {
    name: "claims-safe",
    guards: "seed: Volume Type; crypto-storage §5",
    holds: "a claim's disk is attached to one VM at most; no call destroys the disk of a claim that exists",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    match (record.event, &record.data) {
        (Event::Change, _) if record.message.contains("config") => attached(view, record, out),
        (Event::Operation, Data::Call(Operation::DestroyVm { vm })) => destroyed(view, vm, out),
        _ => {}
    }
}

fn attached(view: &View<'_>, record: &Record, out: &mut Check) {
    let Some(vm) = record.vsphere.as_deref().and_then(|id| view.vm(&id.into())) else { return };
    let mine: Vec<Arc<str>> = disks_of(vm).collect();
    if mine.is_empty() {
        return;
    }
    out.premise();
    for other in view.vms().filter(|other| other.id != vm.id) {
        if let Some(disk) = disks_of(other).find(|disk| mine.contains(disk)) {
            out.violated(
                &[&vm.id, &other.id],
                format!("disk {disk} is attached to two VMs"),
                "one VM",
                format!("{} and {}", vm.id, other.id),
            );
        }
    }
}

/// A VM is destroyed with its disks: none of them may be that of a claim that stays.
fn destroyed(view: &View<'_>, id: &VmId, out: &mut Check) {
    let Some(vm) = view.vm(id) else { return };
    let claims = view.objects::<PersistentVolumeClaim>().filter(|claim| !claim.object.is_deleting());
    let claims = claims.filter_map(|claim| Some((claim.spec.volume_name.as_deref()?.strip_prefix("pvc-")?, &claim.object.key)));
    let claims: BTreeMap<&str, &ObjectKey> = claims.collect();
    if claims.is_empty() {
        return;
    }
    out.premise();
    // First class disks outlive their VM unless the call says otherwise, which no call of the port can; a disk that is no first
    // class disk any more would go with it.
    let plain = vm.config.iter().flat_map(|config| &config.hardware.device).filter(|device| !device.rest.contains_key("vDiskId"));
    for path in plain.filter_map(|device| device.backing.as_ref()?.file_name.as_deref()) {
        if let Some((disk, claim)) = claims.iter().find(|(disk, _)| path.contains(**disk)) {
            out.violated(&[id, *claim], format!("disk {disk} of a claim goes with the VM"), "it stays", path);
        }
    }
}
