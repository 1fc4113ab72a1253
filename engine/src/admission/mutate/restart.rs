//! VM-M-020: a restart is asked for with `now`, of a VM that is to be powered on, and becomes an instant.
//!
//! Page: admission §3.2. An empty value puts the last one back, so that applying a manifest again undoes nothing.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetNextRestartTime`.

use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause;
use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

const FIELD: &str = "spec.nextRestartTime";

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let Some(old) = request.old_spec() else { return Ok(()) };
    let asked = &vm.spec().next_restart_time;
    if asked.is_empty() {
        if !old.next_restart_time.is_empty() {
            vm.spec_mut().next_restart_time.clone_from(&old.next_restart_time);
        }
    } else if asked.eq_ignore_ascii_case("now") {
        if old.power_state != Some(PowerState::PoweredOn) {
            return Err(cause::invalid(FIELD, asked, "can only restart powered on vm").into());
        }
        vm.spec_mut().next_restart_time = request.cx.now.to_string();
    } else if *asked != old.next_restart_time {
        return Err(cause::invalid(FIELD, asked, "may only be set to \"now\"").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::{NOW, Sample};

    fn on() -> Sample {
        Sample::vm().spec("powerState", json!("PoweredOn"))
    }

    #[test]
    fn now_becomes_the_instant_of_the_request() {
        for word in ["now", "Now", "NOW"] {
            assert_eq!(on().stored().spec("nextRestartTime", json!(word)).updated()["spec"]["nextRestartTime"], NOW);
        }
    }

    #[test]
    fn the_last_restart_is_kept_and_cannot_be_rewritten() {
        let restarted = on().spec("nextRestartTime", json!("2023-06-01T13:00:00Z")).stored();
        let asking = |word: serde_json::Value| restarted.clone().spec("nextRestartTime", word);
        assert_eq!(asking(json!("")).updated()["spec"]["nextRestartTime"], "2023-06-01T13:00:00Z");
        assert_eq!(asking(json!("2023-06-01T13:00:00Z")).updated()["spec"]["nextRestartTime"], "2023-06-01T13:00:00Z");
        let text = "spec.nextRestartTime: Invalid value: \"5m\": may only be set to \"now\"";
        assert_eq!(asking(json!("5m")).denied_by_mutation(), text);
    }

    #[test]
    fn a_vm_that_is_not_to_be_powered_on_cannot_be_restarted() {
        for state in ["PoweredOff", "Suspended"] {
            let sample = on().spec("powerState", json!(state)).stored().spec("nextRestartTime", json!("now"));
            let text = "spec.nextRestartTime: Invalid value: \"now\": can only restart powered on vm";
            assert_eq!(sample.denied_by_mutation(), text);
        }
    }
}
