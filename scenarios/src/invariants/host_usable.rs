//! Nothing starts or arrives where nothing may. Source: placement §11.3. Checks the twin.

use vmtwin_model::vsphere::inventory::HostState;
use vmtwin_model::vsphere::vm::PowerState;

use super::{Check, Invariant, View, When};
use crate::log::{Event, Record};

pub(super) const RULE: Invariant = Invariant {
    name: "host-usable",
    guards: "placement §11.3",
    holds: "no VM starts, resumes or arrives on a host that is down, disconnected or in maintenance; a host in maintenance runs none",
    of_twin: true,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    let starts = record.event == Event::Change && record.message.contains("powerState=poweredOn");
    let arrives = record.event == Event::Change && record.message.contains("runtime.host");
    if !starts && !arrives {
        return;
    }
    let Some(vm) = record.vsphere.as_deref().and_then(|id| view.vm(&id.into())) else { return };
    let Some(host) = vm.location.host_name.as_deref().filter(|_| vm.runtime.power_state == PowerState::PoweredOn) else { return };
    let Some((state, _)) = view.host_state(host) else { return };
    out.premise();
    if state != HostState::Connected {
        out.violated(&[&vm.id, &host], format!("the VM runs on {host}, which can't be used"), "a connected host", format!("{state:?}"));
    }
}
