//! What an object may rightly wait for. Source: reproduce §2 ("Excused").

use vmtwin_model::kube::power::PowerOpMode;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{ConditionType, Conditions, Object, View as Typed};
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere;
use vmtwin_model::vsphere::vm::ConnectionState;

use super::View;

/// Whether an object is paused: rules of rest and of liveness pass it over.
pub(super) fn is_paused(object: &Object) -> bool {
    let key = "vmoperator.vmware.com/paused";
    object.annotation(key).is_some() || object.label(key).is_some()
}

/// Whether a VM may rightly not have what is desired of it yet.
pub(super) fn excused(view: &View<'_>, object: Typed<'_, VirtualMachine>, vm: &vsphere::VirtualMachine) -> bool {
    let has = |prefix: &str| object.meta.annotations.iter().flatten().any(|(key, _)| key.starts_with(prefix));
    let paused = is_paused(object.object) || vm.extra_config("vmservice.virtualmachine.pause").is_some();
    let held = has("poweron.check.vmoperator.vmware.com/") || object.object.is_deleting();
    let delayed = object
        .object
        .annotation("vmoperator.vmware.com.protected/apply-power-state-time")
        .is_some_and(|at| Timestamp::parse(at).is_ok_and(|at| at > view.now()));
    let soft = [object.spec.power_off_mode, object.spec.suspend_mode].contains(&Some(PowerOpMode::Soft));
    let unreachable = vm.runtime.connection_state != ConnectionState::Connected || vm.resource_pool.is_none();
    let fails = |kind: ConditionType| object.status.conditions.condition(&kind).is_some_and(|condition| !condition.is_true());
    let missing = [
        ConditionType::LocationValid,
        ConditionType::ClassReady,
        ConditionType::EncryptionSynced,
        ConditionType::BootstrapReady,
        ConditionType::NetworkReady,
        ConditionType::ResourcePolicyReady,
    ];
    let unattached = object.spec.volumes.iter().any(|volume| {
        let entry = object.status.volumes.iter().find(|entry| entry.name == volume.name);
        volume.persistent_volume_claim.is_some() && !entry.is_some_and(|entry| entry.attached)
    });
    paused || held || delayed || soft || unreachable || unattached || missing.into_iter().any(fails)
}
