//! VM-V-084 to VM-V-087, VM-V-096: the CD-ROMs of a running VM stay, and so does what is in them.
//!
//! Page: admission §9. CD-ROMs are paired by name; their order is free. To connect one, or to let the console do it, is free too.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateCdromWhenPoweredOn`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use super::FROZEN_WHILE_ON;
use super::upgrade::is_upgraded;
use crate::admission::cause::{self, Causes};
use crate::admission::changes::{self, May};
use crate::admission::request::Request;
use crate::features::Feature;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(old) = request.old_spec() else { return };
    let (old, new) = (super::cdroms(old), super::cdroms(request.new.spec));
    if changes::CDROM.may(changes::power(request)) != May::Stay {
        return;
    }
    let path = changes::CDROM.path;
    if old.len() != new.len() {
        causes.push(cause::forbidden(path, FROZEN_WHILE_ON));
        return;
    }
    for (index, cdrom) in new.iter().enumerate() {
        match old.iter().find(|old| old.name == cdrom.name) {
            None => {
                let text = "adding new CD-ROMs is not allowed when VM is powered on";
                causes.push(cause::forbidden(format!("{path}[{index}].name"), text));
            }
            Some(old) if old.image != cdrom.image => {
                causes.push(cause::forbidden(format!("{path}[{index}].image"), FROZEN_WHILE_ON));
            }
            Some(_) => {}
        }
    }
    for _ in old.iter().filter(|old| new.iter().all(|new| new.name != old.name)) {
        causes.push(cause::forbidden(format!("{path}.name"), "removing CD-ROMs is not allowed when VM is powered on"));
    }
}

/// VM-V-096: where the CD-ROMs of a running VM hang. The one rule for which the observed power state counts: it must be known.
pub(in crate::admission) fn validate_places(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(old) = request.old.filter(|old| old.status.power_state.is_some() && is_upgraded(*old)) else { return };
    if !request.cx.on(Feature::VMSharedDisks) || changes::CDROM.may(changes::power(request)) != May::Stay {
        return;
    }
    for (index, cdrom) in super::cdroms(request.new.spec).iter().enumerate() {
        let Some(old) = super::cdroms(old.spec).iter().find(|old| old.name == cdrom.name) else { continue };
        let parts = [
            ("controllerType", old.controller_type != cdrom.controller_type),
            ("controllerBusNumber", old.controller_bus_number != cdrom.controller_bus_number),
            ("unitNumber", old.unit_number != cdrom.unit_number),
        ];
        for (part, _) in parts.iter().filter(|(_, changed)| *changed) {
            causes.push(cause::forbidden(format!("{}[{index}].{part}", changes::CDROM.path), FROZEN_WHILE_ON));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn cdrom(name: &str, image: &str) -> Value {
        json!({"name": name, "image": {"kind": "VirtualMachineImage", "name": image}})
    }

    fn vm(state: &str) -> Sample {
        let hardware = json!({"cdrom": [cdrom("cd1", "vmi-1"), cdrom("cd2", "vmi-2")]});
        Sample::vm().spec("guestID", json!("ubuntu64Guest")).spec("powerState", json!(state)).spec("hardware", hardware).stored()
    }

    fn with(vm: Sample, cdroms: Value) -> Sample {
        vm.spec("hardware", json!({"cdrom": cdroms}))
    }

    #[test]
    fn a_running_vm_keeps_its_drives_and_their_images() {
        let swapped = json!([cdrom("cd2", "vmi-2"), cdrom("cd1", "vmi-1")]);
        assert!(with(vm("PoweredOn"), swapped).admitted().is_ok());
        let fewer = with(vm("PoweredOn"), json!([cdrom("cd1", "vmi-9")]));
        assert_eq!(fewer.denied(), ["spec.hardware.cdrom: Forbidden: updates to this field is not allowed when VM power is on"]);
        let other = with(vm("PoweredOn"), json!([cdrom("cd1", "vmi-9"), cdrom("cd2", "vmi-2")]));
        assert_eq!(other.denied(), ["spec.hardware.cdrom[0].image: Forbidden: updates to this field is not allowed when VM power is on"]);
        let renamed = with(vm("PoweredOn"), json!([cdrom("cd1", "vmi-1"), cdrom("cd3", "vmi-2")]));
        assert_eq!(
            renamed.denied(),
            [
                "spec.hardware.cdrom[1].name: Forbidden: adding new CD-ROMs is not allowed when VM is powered on",
                "spec.hardware.cdrom.name: Forbidden: removing CD-ROMs is not allowed when VM is powered on",
            ]
        );
    }

    #[test]
    fn a_vm_that_is_off_or_held_off_may_change_them() {
        for vm in [vm("PoweredOff"), vm("PoweredOn").spec("powerState", json!("PoweredOff"))] {
            assert!(with(vm, json!([cdrom("cd3", "vmi-3")])).admitted().is_ok());
        }
        let held = Sample::vm().spec("guestID", json!("x")).annotation("poweron.check.vmoperator.vmware.com/app", "wait").stored();
        assert!(with(held, json!([cdrom("cd3", "vmi-3")])).admitted().is_ok());
    }
}
