//! GR-V-01, GR-V-02: the time of a group's last power change is the mutation's to write, and is an instant.
//!
//! Page: admission §16.2.
//!
//! Mirrors: vm-operator `webhooks/virtualmachinegroup/validation`, `validateAnnotation`.

use vmtwin_model::kube::virtual_machine_group::{VirtualMachineGroup, VirtualMachineGroupSpec};
use vmtwin_model::time::Timestamp;

use crate::admission::cause::{self, Causes};
use crate::admission::keys::{self, LAST_UPDATED_POWER_STATE_TIME};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachineGroup>, causes: &mut Causes) {
    let path = keys::annotation_path(LAST_UPDATED_POWER_STATE_TIME);
    let (old, new) = (request.old_annotation(LAST_UPDATED_POWER_STATE_TIME), request.new_annotation(LAST_UPDATED_POWER_STATE_TIME));
    let before = VirtualMachineGroupSpec::default();
    let spec = request.old.map_or(&before, |old| old.spec);
    let powered = spec.power_state != request.new.spec.power_state
        || spec.next_force_power_state_sync_time != request.new.spec.next_force_power_state_sync_time;
    if old != new && !powered && !request.user.is_privileged() {
        causes.push(cause::forbidden(path.clone(), "modifying this annotation is not allowed for non-admin users"));
    }
    if !new.is_empty() && Timestamp::parse(new).is_err() {
        causes.push(cause::invalid(path, new, "time must be in RFC3339Nano format"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    const KEY: &str = "vmoperator.vmware.com.protected/last-updated-power-state-time";

    #[test]
    fn privileged_users_alone_write_the_time() {
        let sample = Sample::group().annotation(KEY, "2026-01-01T00:00:00Z");
        let text = format!("metadata.annotations[{KEY}]: Forbidden: modifying this annotation is not allowed for non-admin users");
        assert_eq!(sample.denied(), [text]);
        assert!(sample.clone().privileged().admitted().is_ok());
        assert!(sample.spec("powerState", json!("PoweredOn")).admitted().is_ok());
    }

    #[test]
    fn the_time_is_an_instant() {
        let sample = Sample::group().stored().annotation(KEY, "soon").privileged();
        assert_eq!(sample.denied(), [format!("metadata.annotations[{KEY}]: Invalid value: \"soon\": time must be in RFC3339Nano format")]);
    }
}
