//! VM-M-002: a new VM is powered on unless it says otherwise.
//!
//! Page: admission §3.1.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetDefaultPowerState`.

use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

pub(in crate::admission) fn default(_: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    vm.spec_mut().power_state.get_or_insert(PowerState::PoweredOn);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    #[test]
    fn an_absent_power_state_becomes_powered_on_and_a_given_one_stays() {
        assert_eq!(Sample::vm().created()["spec"]["powerState"], "PoweredOn");
        assert_eq!(Sample::vm().spec("powerState", json!("PoweredOff")).created()["spec"]["powerState"], "PoweredOff");
    }
}
