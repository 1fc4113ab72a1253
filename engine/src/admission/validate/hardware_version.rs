//! VM-V-190, VM-V-191, VM-V-195: the least hardware version only rises, while the VM is off, and not beyond the newest.
//!
//! Page: admission §15. A power-on check doesn't count as off here.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateMinHardwareVersion`.

use std::cmp::Ordering;

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::changes::{self, May};
use crate::admission::request::Request;

const FIELD: &str = "spec.minHardwareVersion";
const NEWEST: i32 = 22;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let new = request.new.spec.min_hardware_version;
    if new > NEWEST {
        causes.push(cause::invalid(FIELD, new, &format!("should be less than or equal to {NEWEST}")));
    }
    let Some(old) = request.old_spec() else { return };
    match new.cmp(&old.min_hardware_version) {
        Ordering::Equal => {}
        Ordering::Less if changes::HARDWARE_VERSION_DOWN.may(changes::power_as_asked(request)) != May::Stay => {}
        Ordering::Less => causes.push(cause::invalid(FIELD, new, "cannot downgrade hardware version")),
        Ordering::Greater if changes::HARDWARE_VERSION_UP.may(changes::power_as_asked(request)) == May::Stay => {
            causes.push(cause::invalid(FIELD, new, "cannot upgrade hardware version unless powered off"));
        }
        Ordering::Greater => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn vm(state: &str) -> Sample {
        Sample::vm().spec("powerState", json!(state)).spec("minHardwareVersion", json!(17)).stored()
    }

    #[test]
    fn the_version_rises_while_the_vm_is_off() {
        assert!(vm("PoweredOff").spec("minHardwareVersion", json!(20)).admitted().is_ok());
        for state in ["PoweredOn", "Suspended"] {
            let raised = vm(state).spec("minHardwareVersion", json!(20));
            assert_eq!(raised.denied(), ["spec.minHardwareVersion: Invalid value: 20: cannot upgrade hardware version unless powered off"]);
        }
        let held = vm("PoweredOn").annotation("poweron.check.vmoperator.vmware.com/app", "x").imported();
        assert_eq!(held.spec("minHardwareVersion", json!(20)).denied().len(), 1);
    }

    #[test]
    fn the_version_never_falls() {
        let lowered = vm("PoweredOff").spec("minHardwareVersion", Value::Null);
        assert_eq!(lowered.denied(), ["spec.minHardwareVersion: Invalid value: 0: cannot downgrade hardware version"]);
    }

    #[test]
    fn there_is_a_newest_version() {
        assert!(Sample::vm().spec("minHardwareVersion", json!(22)).admitted().is_ok());
        let text = "spec.minHardwareVersion: Invalid value: 23: should be less than or equal to 22";
        assert_eq!(Sample::vm().spec("minHardwareVersion", json!(23)).denied(), [text]);
    }
}
