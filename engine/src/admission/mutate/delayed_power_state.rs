//! VM-M-024: a direct change of a VM's power state cancels the delay that a group had ordered.
//!
//! Page: admission §3.2.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `CleanupApplyPowerStateChangeTimeAnno`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::keys::APPLY_POWER_STATE_TIME;
use crate::admission::request::{Denial, Request};
use crate::draft::Draft;
use crate::features::Feature;

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let Some(old) = request.old else { return Ok(()) };
    let changed = old.spec.power_state != vm.spec().power_state;
    let stale = old.object.annotation(APPLY_POWER_STATE_TIME) == vm.annotation(APPLY_POWER_STATE_TIME);
    if request.cx.on(Feature::VMGroups) && changed && stale {
        vm.annotate(APPLY_POWER_STATE_TIME, None);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    const KEY: &str = "vmoperator.vmware.com.protected/apply-power-state-time";
    const LATER: &str = "2026-01-01T01:00:00Z";

    #[test]
    fn a_stale_time_goes_and_a_new_one_stays() {
        let delayed = Sample::vm().spec("powerState", json!("PoweredOff")).annotation(KEY, LATER).stored();
        assert_eq!(delayed.clone().updated()["metadata"]["annotations"][KEY], LATER);
        let on = delayed.spec("powerState", json!("PoweredOn"));
        assert_eq!(on.clone().updated()["metadata"]["annotations"][KEY], json!(null));
        let again = on.annotation(KEY, "2026-01-01T02:00:00Z").updated();
        assert_eq!(again["metadata"]["annotations"][KEY], "2026-01-01T02:00:00Z");
    }
}
