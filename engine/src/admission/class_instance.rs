//! Instances of a class: which is the active one, and of which class.
//!
//! Page: admission §3.1 (VM-M-011), §7 (VM-V-064 to VM-V-066).

use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::{Object, Resource};

use super::keys::ACTIVE;

/// Whether an instance is the one that new VMs get.
pub(super) fn is_active(instance: &Object) -> bool {
    instance.label(ACTIVE).is_some()
}

/// The class of which this is an instance.
pub(super) fn owning_class(instance: &Object) -> Option<&str> {
    let mut owners = instance.meta.owner_references.iter().flatten();
    owners.find(|owner| owner.kind == VirtualMachineClass::KIND.info().kind).map(|owner| owner.name.as_str())
}
