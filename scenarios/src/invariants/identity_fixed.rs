//! Who a VM is never changes. Source: seed "Identifiers", "Updating a VM"; lifecycle §5.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record, Source};

pub(super) const RULE: Invariant = Invariant {
    name: "identity-fixed",
    guards: "seed: Identifiers, Updating a VM; lifecycle §5",
    holds: "a VM's uuid and instanceUuid are the spec's for life; no committed version changes what can't be changed",
    of_twin: false,
    when: When::Both(written, at_rest),
};

fn written(view: &View<'_>, record: &Record, out: &mut Check) {
    let (Event::Write, Data::Change(change)) = (record.event, &record.data) else { return };
    let (Some(before), Some(after)) = (change.before.as_deref(), change.after.as_deref()) else { return };
    let (Some(old), Some(new)) = (before.view::<VirtualMachine>(), after.view::<VirtualMachine>()) else { return };
    if std::sync::Arc::ptr_eq(&before.spec, &after.spec) && std::sync::Arc::ptr_eq(&before.meta, &after.meta) {
        return;
    }
    out.premise();
    let fixed = [
        ("imageName", &old.spec.image_name, &new.spec.image_name),
        ("storageClass", &old.spec.storage_class, &new.spec.storage_class),
        ("instanceUUID", &old.spec.instance_uuid, &new.spec.instance_uuid),
        ("biosUUID", &old.spec.bios_uuid, &new.spec.bios_uuid),
    ];
    for (field, old, new) in fixed.into_iter().filter(|(_, old, new)| old != new && !old.is_empty()) {
        out.violated(&[&after.key], format!("spec.{field} changed"), old.as_str(), new.as_str());
    }
    const ZONE: &str = "topology.kubernetes.io/zone";
    if let Some(zone) = before.label(ZONE).filter(|zone| !zone.is_empty() && record.source == Source::User)
        && after.label(ZONE) != Some(zone)
        && view.history().asker(record).is_some_and(is_ordinary)
    {
        out.violated(&[&after.key], "the zone label changed", zone, after.label(ZONE).unwrap_or_default());
    }
}

/// The namespace users of the scenario format; privileged ones may move a VM.
fn is_ordinary(user: &str) -> bool {
    user.ends_with("@vsphere.local")
}

fn at_rest(view: &View<'_>, out: &mut Check) {
    for object in view.touched_objects::<VirtualMachine>() {
        let Some(config) = view.vm_of(&object.object.key).and_then(|vm| vm.config.as_ref()) else { continue };
        if view.history().was_meddled(&object.object.key.namespaced_name(), &["reconfigure"]) {
            continue;
        }
        out.premise();
        for (what, wanted, has) in
            [("instanceUuid", &object.spec.instance_uuid, &config.instance_uuid), ("uuid", &object.spec.bios_uuid, &config.uuid)]
        {
            if !wanted.is_empty() && **wanted != **has {
                out.violated(&[&object.object.key], format!("the VM's {what} isn't the spec's"), wanted.as_str(), &**has);
            }
        }
    }
}
