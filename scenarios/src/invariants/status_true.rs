//! At rest the status is what vSphere has. Source: lifecycle §22; placement §11.3.

use vmtwin_model::kube::power::PowerState as Reported;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::vsphere::vm::{ConnectionState, PowerState as Observed};

use super::{Check, Invariant, View, When};

pub(super) const RULE: Invariant = Invariant {
    name: "status-true",
    guards: "lifecycle §22; placement §11.3",
    holds: "status.powerState, nodeName and zone (its label's too) are what the VM has",
    of_twin: false,
    when: When::AtRest(check),
};

fn check(view: &View<'_>, out: &mut Check) {
    for object in view.touched_objects::<VirtualMachine>() {
        let key = &object.object.key;
        let paused = object.object.annotation("vmoperator.vmware.com/paused").is_some() || object.object.is_deleting();
        let Some(vm) = view.vm_of(key).filter(|vm| vm.runtime.connection_state == ConnectionState::Connected && !paused) else { continue };
        out.premise();
        let observed = match vm.runtime.power_state {
            Observed::PoweredOn => Reported::PoweredOn,
            Observed::PoweredOff => Reported::PoweredOff,
            Observed::Suspended => Reported::Suspended,
        };
        let status = object.status;
        if status.power_state != Some(observed) {
            let said = status.power_state.map(|state| state.to_string()).unwrap_or_default();
            out.violated(&[key, &vm.id], "status.powerState isn't what the VM has", observed.to_string(), said);
        }
        let host = vm.location.host_name.as_deref().unwrap_or_default();
        if status.node_name != host {
            out.violated(&[key, &vm.id], "status.nodeName isn't the VM's host", host, status.node_name.as_str());
        }
        let label = object.object.label("topology.kubernetes.io/zone").unwrap_or_default();
        if status.zone != label {
            out.violated(&[key], "status.zone isn't the zone of the label", label, status.zone.as_str());
        }
    }
}
