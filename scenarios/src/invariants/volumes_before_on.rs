//! A VM is switched on when its claims are attached. Source: lifecycle §22.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use vmtwin_model::kube::ObjectKey;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::vsphere::Operation;
use vmtwin_model::vsphere::vm::PowerState;

use super::{Check, Invariant, View, When};
use crate::log::Record;

pub(super) const RULE: Invariant = Invariant {
    name: "volumes-before-on",
    guards: "lifecycle §22",
    holds: "no power-on of a VM that is off while a claim of the known spec.volumes isn't attached to it",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    for call in view.calls_of(record) {
        let Operation::PowerOnVm { vm, .. } = &call.operation else { continue };
        let Some(known) = view.known(record).filter(|_| call.state == Some(PowerState::PoweredOff)) else { continue };
        let Some(object) = known.view::<VirtualMachine>() else { continue };
        for claim in object.spec.volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref()) {
            let key = ObjectKey::of::<PersistentVolumeClaim>(known.key.namespace.clone(), claim.claim_name.as_str());
            let disk = view.object(&key).and_then(|object| object.view::<PersistentVolumeClaim>()?.spec.volume_name.clone());
            // The claim of a removed object can't be looked at any more.
            if view.object(&key).is_none() {
                continue;
            }
            out.premise();
            let id = disk.as_deref().and_then(|name| name.strip_prefix("pvc-")).unwrap_or_default();
            if !call.disks.contains(id) {
                out.violated(
                    &[&known.key, vm],
                    format!("switched on before claim {} is attached", claim.claim_name),
                    "attached",
                    "not attached",
                );
            }
        }
    }
}
