//! What a user wrote, the operator leaves alone. Mirrors: vm-operator's patch helper, which writes what it changed and nothing else.

use std::collections::BTreeMap;

use serde_json::Value;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;

use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record, Source};

pub(super) const RULE: Invariant = Invariant {
    name: "user-fields-kept",
    guards: "vm-operator: patch helper",
    holds: "a write of the operator differs from the version that it replaces in the operator's own fields alone",
    of_twin: false,
    when: When::Each(check),
};

/// What is a user's alone in a VM's spec; the power fields are a group's, too, where the VM names one.
const OF_VM: &[&str] =
    &["affinity", "className", "crypto", "groupName", "imageName", "nextRestartTime", "readinessProbe", "restartMode", "storageClass"];
/// What is a user's alone in a group's spec.
const OF_GROUP: &[&str] = &["bootOrder", "groupName", "nextForcePowerStateSyncTime"];
/// What a user asks for by an annotation that the operator takes away when it is done. Source: lifecycle §11.7.3.
const ASKED_ONCE: &[&str] = &["nsx/reconfigure-nic"];
/// While it is there, the operator brings back the object that a snapshot kept. Source: crypto-storage §8.4.
const REVERTS: &str = "vmoperator.vmware.com/snapshot-revert-in-progress";
/// What is a user's where there is no group above.
const POWER: &[&str] = &["powerState", "powerOffMode", "suspendMode"];

fn check(_: &View<'_>, record: &Record, out: &mut Check) {
    let (Event::Write, Source::Operator, Data::Change(change)) = (record.event, record.source, &record.data) else { return };
    let (Some(before), Some(after)) = (change.before.as_deref(), change.after.as_deref()) else { return };
    if before.annotation(REVERTS).is_some() {
        return;
    }
    let (fields, group) = if let Some(vm) = before.view::<VirtualMachine>() {
        (OF_VM, &vm.spec.group_name)
    } else if let Some(group) = before.view::<VirtualMachineGroup>() {
        (OF_GROUP, &group.spec.group_name)
    } else {
        return;
    };
    out.premise();
    if !std::sync::Arc::ptr_eq(&before.meta, &after.meta) {
        let labels = (own(before.meta.labels.as_ref()), own(after.meta.labels.as_ref()));
        let annotations = (own(before.meta.annotations.as_ref()), own(after.meta.annotations.as_ref()));
        for (what, (before_has, after_has)) in [("labels", labels), ("annotations", annotations)] {
            if before_has != after_has {
                let text = |map: &BTreeMap<&str, &str>| format!("{map:?}");
                out.violated(&[&after.key], format!("the operator changed a user's {what}"), text(&before_has), text(&after_has));
            }
        }
    }
    if std::sync::Arc::ptr_eq(&before.spec, &after.spec) {
        return;
    }
    let power: &[&str] = if group.is_empty() { POWER } else { &[] };
    let (old, new) = (before.spec.to_value(), after.spec.to_value());
    for field in fields.iter().chain(power) {
        let (old, new) = (old.get(field), new.get(field));
        if old != new {
            let text = |value: Option<&Value>| value.map(ToString::to_string).unwrap_or_default();
            out.violated(&[&after.key], format!("the operator changed spec.{field}"), text(old), text(new));
        }
    }
}

/// The keys that aren't of the operator's domains, nor the zone that it notes.
fn own(map: Option<&BTreeMap<String, String>>) -> BTreeMap<&str, &str> {
    let ours = |key: &str| {
        ASKED_ONCE.contains(&key)
            || ["vmoperator.vmware.com", "topology.kubernetes.io", "vmtwin.dev", "kubernetes.io"].iter().any(|domain| key.contains(domain))
    };
    map.into_iter().flatten().filter(|(key, _)| !ours(key)).map(|(key, value)| (key.as_str(), value.as_str())).collect()
}
