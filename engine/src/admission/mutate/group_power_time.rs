//! GR-M-01, GR-M-02, GR-M-03: a group's power state, or a sync of it that is asked for with `now`, gets the instant of the request.
//!
//! Page: admission §16.1. Unlike a VM's restart, a sync may be asked for at the creation, in any power state. An apply time that
//! came with the request is the parent's order and stays; an older one is void.
//!
//! Mirrors: vm-operator `webhooks/virtualmachinegroup/mutation`, `ProcessPowerState`.

use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;

use crate::admission::cause;
use crate::admission::keys::{APPLY_POWER_STATE_TIME, LAST_UPDATED_POWER_STATE_TIME};
use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

const FIELD: &str = "spec.nextForcePowerStateSyncTime";

pub(in crate::admission) fn default(
    request: &Request<'_, VirtualMachineGroup>,
    group: &mut Draft<VirtualMachineGroup>,
) -> Result<(), Denial> {
    let now = request.cx.now.to_string();
    let forced = force(request, group, &now)?;
    let changed = request.old.and_then(|old| old.spec.power_state) != group.spec().power_state;
    if forced == Sync::Forced || changed {
        group.annotate(LAST_UPDATED_POWER_STATE_TIME, Some(&now));
        let old = request.old.and_then(|old| old.object.annotation(APPLY_POWER_STATE_TIME));
        if old == group.annotation(APPLY_POWER_STATE_TIME) {
            group.annotate(APPLY_POWER_STATE_TIME, None);
        }
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Sync {
    Forced,
    AsBefore,
}

fn force(request: &Request<'_, VirtualMachineGroup>, group: &mut Draft<VirtualMachineGroup>, now: &str) -> Result<Sync, Denial> {
    let old = request.old.map(|old| old.spec.next_force_power_state_sync_time.as_str()).unwrap_or_default();
    let asked = &group.spec().next_force_power_state_sync_time;
    if asked == old {
        return Ok(Sync::AsBefore);
    }
    if asked.is_empty() {
        old.clone_into(&mut group.spec_mut().next_force_power_state_sync_time);
        return Ok(Sync::AsBefore);
    }
    if !asked.eq_ignore_ascii_case("now") {
        return Err(cause::invalid(FIELD, asked, "may only be set to \"now\"").into());
    }
    now.clone_into(&mut group.spec_mut().next_force_power_state_sync_time);
    Ok(Sync::Forced)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::{NOW, Sample};

    const UPDATED: &str = "vmoperator.vmware.com.protected/last-updated-power-state-time";
    const APPLY: &str = "vmoperator.vmware.com.protected/apply-power-state-time";

    #[test]
    fn a_power_state_is_stamped_when_it_changes() {
        let on = Sample::group().spec("powerState", json!("PoweredOn"));
        assert_eq!(on.created()["metadata"]["annotations"][UPDATED], NOW);
        let stored = on.imported();
        assert_eq!(stored.clone().updated()["metadata"]["annotations"], json!(null));
        let off = stored.spec("powerState", json!("PoweredOff")).updated();
        assert_eq!(off["metadata"]["annotations"][UPDATED], NOW);
    }

    #[test]
    fn a_forced_sync_is_stamped_and_voids_the_apply_time() {
        let stored = Sample::group().annotation(APPLY, "2026-01-01T01:00:00Z").stored();
        let group = stored.spec("nextForcePowerStateSyncTime", json!("Now")).updated();
        assert_eq!(group["spec"]["nextForcePowerStateSyncTime"], NOW);
        assert_eq!(group["metadata"]["annotations"], json!({UPDATED: NOW}));
    }

    #[test]
    fn the_parents_new_apply_time_stays() {
        let stored = Sample::group().stored();
        let group = stored.privileged().spec("powerState", json!("PoweredOn")).annotation(APPLY, "2026-01-01T01:00:00Z").updated();
        assert_eq!(group["metadata"]["annotations"][APPLY], "2026-01-01T01:00:00Z");
    }

    #[test]
    fn a_sync_cannot_be_scheduled() {
        let sample = Sample::group().spec("nextForcePowerStateSyncTime", json!("5m"));
        let text = "spec.nextForcePowerStateSyncTime: Invalid value: \"5m\": may only be set to \"now\"";
        assert_eq!(sample.denied_by_mutation(), text);
    }
}
