//! What only privileged users may write, no other user wrote. Source: seed "Delete Check", "Power On Check", "BIOS UUID".

use std::collections::BTreeMap;

use vmtwin_model::kube::Object;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record, Source};

const RESERVED: &[&str] =
    &["delete.check.vmoperator.vmware.com/", "poweron.check.vmoperator.vmware.com/", "vmoperator.vmware.com.protected/"];

pub(super) const RULE: Invariant = Invariant {
    name: "privilege-kept",
    guards: "seed: Delete and Power On Check, BIOS UUID",
    holds: "no admitted request of an ordinary user adds, changes or removes what is reserved to privileged ones",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    let (Event::Write, Source::User, Data::Change(change)) = (record.event, record.source, &record.data) else { return };
    let Some(after) = change.after.as_deref().filter(|after| after.view::<VirtualMachine>().is_some()) else { return };
    let Some(asker) = view.history().asker(record).filter(|asker| is_ordinary(asker)) else { return };
    out.premise();
    // Whoever creates a VM may hold its first power-on.
    let may = |key: &str| change.before.is_none() && key.starts_with("poweron.check.");
    let before = change.before.as_deref().map(reserved).unwrap_or_default();
    let after_has: BTreeMap<&str, &str> = reserved(after).into_iter().filter(|(key, _)| !may(key)).collect();
    if before != after_has {
        out.violated(&[&after.key], format!("{asker} changed reserved annotations"), format!("{before:?}"), format!("{after_has:?}"));
    }
}

/// The namespace users of the scenario format.
fn is_ordinary(user: &str) -> bool {
    user.ends_with("@vsphere.local")
}

/// The reserved annotations that nobody but their owners writes; what admission itself takes away or adds is its own.
fn reserved(object: &Object) -> BTreeMap<&str, &str> {
    let annotations = object.meta.annotations.iter().flatten();
    let of_admission = |key: &str| key.ends_with("-power-state-time");
    let reserved = annotations.filter(|(key, _)| RESERVED.iter().any(|prefix| key.starts_with(prefix)) && !of_admission(key));
    reserved.map(|(key, value)| (key.as_str(), value.as_str())).collect()
}
