//! VM-V-013: the time at which a group's power state is to be applied is an instant.
//!
//! Page: admission §4.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateNextPowerStateChangeTimeFormat`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::time::Timestamp;

use crate::admission::cause::{self, Causes};
use crate::admission::keys::{self, APPLY_POWER_STATE_TIME};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if let Some(time) = request.new.object.annotation(APPLY_POWER_STATE_TIME)
        && Timestamp::parse(time).is_err()
    {
        causes.push(cause::invalid(keys::annotation_path(APPLY_POWER_STATE_TIME), time, "must be formatted as RFC3339Nano"));
    }
}

#[cfg(test)]
mod tests {
    use crate::admission::samples::Sample;

    const KEY: &str = "vmoperator.vmware.com.protected/apply-power-state-time";

    #[test]
    fn the_time_is_an_instant() {
        assert!(Sample::vm().annotation(KEY, "2026-01-01T00:00:00.123+02:00").admitted().is_ok());
        for time in ["", "soon"] {
            let text = format!("metadata.annotations[{KEY}]: Invalid value: \"{time}\": must be formatted as RFC3339Nano");
            assert_eq!(Sample::vm().annotation(KEY, time).denied(), [text]);
        }
    }
}
