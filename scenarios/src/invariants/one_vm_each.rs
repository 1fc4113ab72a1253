//! An object has one VM at the most, and a managed VM has its object. Source: lifecycle §5, §22.

use vmtwin_model::id::VmId;
use vmtwin_model::kube::ObjectKey;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use super::{Check, Invariant, View, When};
use crate::log::{Event, Record};

pub(super) const RULE: Invariant = Invariant {
    name: "one-vm-each",
    guards: "lifecycle §5, §22",
    holds: "at most one VM per instance UUID of an object and per namespaced name; at rest each managed VM has its object",
    of_twin: false,
    when: When::Both(check, at_rest),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    if record.event != Event::Change || !record.message.contains("enter") {
        return;
    }
    let Some(id) = record.vsphere.as_deref().map(VmId::from) else { return };
    out.premise();
    let same = view.namesakes(&id);
    if same.len() > 1 {
        let names: Vec<String> = same.iter().map(ToString::to_string).collect();
        out.violated(&[&id], "several VMs stand for one object", "one", names.join(", "));
    }
}

fn at_rest(view: &View<'_>, out: &mut Check) {
    let touched = view.touched();
    let named = touched.objects.iter().flat_map(|key| view.named(key));
    for vm in touched.vms.iter().filter_map(|id| view.vm(id)).chain(named) {
        let ours = vm
            .config
            .as_ref()
            .and_then(|config| config.managed_by.as_ref())
            .is_some_and(|by| &*by.extension_key == "com.vmware.vcenter.wcp");
        let Some((namespace, name)) = vm.extra_config("vmservice.namespacedName").and_then(|name| name.split_once('/')).filter(|_| ours)
        else {
            continue;
        };
        out.premise();
        let key = ObjectKey::of::<VirtualMachine>(namespace, name);
        if view.object(&key).is_none() {
            out.violated(&[&vm.id], format!("{} is managed, and its object {key} isn't there", vm.id), "an object", "none");
        }
    }
}
