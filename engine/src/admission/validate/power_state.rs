//! VM-V-001, VM-V-002, VM-V-003, VM-V-005: the power state that a request asks for follows the table of transitions.
//!
//! Page: admission §4; the table is in `admission::transitions`. The operator's own writes, such as a group's power state on its
//! members, aren't judged by it. A suspended VM may be powered off only hard, since its guest can't be asked; without the gate
//! `StrictPowerTransitions` in any mode, as upstream.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validatePowerStateOnCreate`, `validatePowerStateOnUpdate`.

use vmtwin_model::kube::power::PowerOpMode;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;
use crate::admission::transitions::{self, Ruling};
use crate::admission::user::Standing;
use crate::features::Feature;

const FIELD: &str = "spec.powerState";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if request.user == Standing::Operator {
        return;
    }
    let new = request.new.spec;
    let Some(to) = new.power_state else {
        causes.push(cause::invalid(FIELD, "", "cannot set power state to empty string"));
        return;
    };
    let from = match request.old_spec() {
        None => None,
        Some(old) if old.power_state.is_none() => return,
        Some(old) => old.power_state,
    };
    let hard = new.power_off_mode == Some(PowerOpMode::Hard) || !request.cx.on(Feature::StrictPowerTransitions);
    match transitions::ruling(from, to) {
        Ruling::Allowed => {}
        Ruling::OnlyHard { .. } if hard => {}
        Ruling::OnlyHard { text, .. } | Ruling::Refused { text, .. } => causes.push(cause::invalid(FIELD, to.as_str(), text)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    const OPERATOR: &str = "system:serviceaccount:vmware-system-vmop:default";

    fn asked(from: &str, to: &str) -> Sample {
        Sample::vm().spec("powerState", json!(from)).stored().spec("powerState", json!(to))
    }

    #[test]
    fn a_new_vm_is_on_or_off() {
        for state in ["PoweredOn", "PoweredOff"] {
            assert!(Sample::vm().spec("powerState", json!(state)).admitted().is_ok());
        }
        let text = "spec.powerState: Invalid value: \"Suspended\": cannot set a new VM's power state to Suspended";
        assert_eq!(Sample::vm().spec("powerState", json!("Suspended")).denied(), [text]);
    }

    #[test]
    fn what_is_off_cannot_be_suspended() {
        for (from, to) in [("PoweredOn", "PoweredOff"), ("PoweredOn", "Suspended"), ("PoweredOff", "PoweredOn"), ("Suspended", "PoweredOn")]
        {
            assert!(asked(from, to).admitted().is_ok(), "{from} to {to}");
        }
        let text = "spec.powerState: Invalid value: \"Suspended\": cannot suspend a VM that is powered off";
        assert_eq!(asked("PoweredOff", "Suspended").denied(), [text]);
        assert!(asked("PoweredOff", "Suspended").asked_by(OPERATOR).admitted().is_ok());
    }

    #[test]
    fn what_is_suspended_is_powered_off_hard() {
        let mut sample = asked("Suspended", "PoweredOff");
        let text =
            "spec.powerState: Invalid value: \"PoweredOff\": cannot power off a VM that is suspended unless spec.powerOffMode is Hard";
        assert_eq!(sample.denied(), [text]);
        assert!(sample.clone().spec("powerOffMode", json!("Hard")).admitted().is_ok());
        assert!(sample.clone().asked_by(OPERATOR).admitted().is_ok());
        sample.settings.features.set(Feature::StrictPowerTransitions, false);
        assert!(sample.admitted().is_ok());
    }

    #[test]
    fn an_emptied_power_state_is_refused_and_freezes_nothing() {
        let sample = Sample::vm().spec("powerState", json!("PoweredOn")).stored().spec("powerState", Value::Null);
        let text = "spec.powerState: Invalid value: \"\": cannot set power state to empty string";
        assert_eq!(sample.clone().spec("guestID", json!("other")).denied(), [text]);
        assert!(sample.asked_by(OPERATOR).admitted().is_ok());
    }
}
