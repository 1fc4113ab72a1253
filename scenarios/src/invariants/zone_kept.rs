//! A VM is made in the zone that its label names, and stays there. Source: seed "VM Placement"; placement §4, §10.6.

use vmtwin_model::id::PoolId;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::zone::Zone;
use vmtwin_model::vsphere::Operation;

use super::{Check, Invariant, View, When};
use crate::log::{Event, Record};

const ZONE: &str = "topology.kubernetes.io/zone";

pub(super) const RULE: Invariant = Invariant {
    name: "zone-kept",
    guards: "seed: VM Placement; placement §4, §10.6",
    holds: "a VM with a zone label is created in that zone; later its zone changes by an out-of-band relocate alone",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    match record.event {
        Event::Pass => created(view, record, out),
        Event::Change if record.message.contains("runtime.host") => moved(view, record, out),
        _ => {}
    }
}

fn created(view: &View<'_>, record: &Record, out: &mut Check) {
    for call in view.calls_of(record) {
        let pool = match &call.operation {
            Operation::CreateVm { pool, .. } => pool,
            Operation::DeployLibraryItem(deploy) => &deploy.resource_pool_id,
            _ => continue,
        };
        let Some(known) = view.known(record).filter(|known| known.view::<VirtualMachine>().is_some()) else { continue };
        let (Some(label), Some(zone)) = (known.label(ZONE).filter(|label| !label.is_empty()), zone_of(view, &known.key.namespace, pool))
        else {
            continue;
        };
        out.premise();
        if label != zone {
            out.violated(&[&known.key], "the VM is created in another zone than its label names", label, zone);
        }
    }
}

/// The zone of a namespace to which a pool belongs.
fn zone_of<'a>(view: &View<'a>, namespace: &str, pool: &PoolId) -> Option<&'a str> {
    let has = |zone: &vmtwin_model::kube::View<'_, Zone>| {
        let vms = zone.spec.managed_vms.as_ref();
        *zone.object.key.namespace == *namespace && vms.is_some_and(|vms| vms.pool_mo_ids.iter().any(|id| **id == *pool.as_str()))
    };
    view.objects::<Zone>().find(has).map(|zone| &*zone.object.key.name)
}

fn moved(view: &View<'_>, record: &Record, out: &mut Check) {
    let Some(vm) = record.vsphere.as_deref().and_then(|id| view.vm(&id.into())) else { return };
    let Some(key) = &record.object else { return };
    let first = view.history().first_hosts.get(&vm.id).and_then(|host| view.zone_of_host(host));
    let current = vm.location.host_name.as_deref().and_then(|host| view.zone_of_host(host));
    let (Some(first), Some(current)) = (first, current) else { return };
    if view.history().was_meddled(&key.namespaced_name(), &["relocate", "migrate"]) {
        return;
    }
    out.premise();
    if first != current {
        out.violated(&[key, &vm.id], "the VM is in another zone than it was made in", first, current);
    }
}
