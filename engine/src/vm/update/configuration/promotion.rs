//! Disks of a fast deploy that are linked to cached ones become full ones. Source: vm-lifecycle §16.3; gates `FastDeploy` and `DiskPromotion`. The second
//! is ours and off: by upstream's own tests a VM whose deploy was linked has linked disks when it runs.
//!
//! The task is started and not waited for: the VM's recent tasks tell how it goes. While it runs the VM has a task, so power and configuration wait.
//! A promotion that failed is begun again once vCenter has forgotten the failed task; one that failed for a reason that passes, sooner.
//!
//! Mirrors: vm-operator `pkg/vmconfig/diskpromo/diskpromo_reconciler.go`.

use std::sync::Arc;

use vmtwin_model::kube::virtual_machine::PromoteDisksMode;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::spec::{Device, DeviceType};
use vmtwin_model::vsphere::vm::{Config, PowerState, Task, TaskState};
use vmtwin_model::vsphere::{self, Fault, FaultName, Operation};

use crate::features::Feature;
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::update::has_running_task;
use crate::vm::{VmDraft, ask};

/// The task's `descriptionId`.
const TASK: &str = "VirtualMachine.promoteDisks";
/// How long a promotion that failed for a reason that passes isn't begun again.
const REST: Span = Span::from_mins(1);

/// How the VM's disks stand.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// All of them stand alone.
    Full,
    /// Something must happen first.
    Pending(&'static str),
    /// It is under way.
    Running,
    /// It failed; whether that may pass by itself, and why.
    Failed(bool, Arc<str>),
    /// Nothing speaks against it.
    Due,
}

/// Begins the promotion where it is due, and tells how it stands.
pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine, config: &Config) -> Flow<()> {
    const TYPE: ConditionType = ConditionType::DiskPromotionSynced;
    if !is_on(cx) {
        return Ok(());
    }
    let mode = draft.spec().promote_disks_mode.unwrap_or(PromoteDisksMode::Online);
    if mode == PromoteDisksMode::Disabled {
        if draft.status().conditions.condition(&TYPE).is_some() {
            draft.status_mut().conditions.take(&TYPE);
        }
        return Ok(());
    }
    let linked: Vec<Device> = config.hardware.device.iter().filter(|device| is_linked(device)).cloned().collect();
    let standing = standing(vm, mode, !linked.is_empty(), cx.now());
    if standing == Standing::Due {
        let operation = Operation::PromoteDisks { vm: vm.id.clone(), unlink: true, disks: linked };
        ask(cx, operation, "failed to call promote disks task")?;
        let now = cx.now();
        let conditions = &mut draft.status_mut().conditions;
        conditions.put(Condition::holds(ConditionType::DiskPromotionStarted), now);
        conditions.put(condition(TYPE, &Standing::Running), now);
        return Err(Verdict::Progress("promoting disks").into());
    }
    let now = cx.now();
    draft.status_mut().conditions.put(condition(TYPE, &standing), now);
    Ok(())
}

/// Whether disks are promoted at all.
pub(crate) fn is_on(cx: &Cx<'_>) -> bool {
    cx.settings.features.on(Feature::FastDeploy) && cx.settings.features.on(Feature::DiskPromotion)
}

/// The tasks of this sort that haven't ended.
pub(crate) fn running(vm: &vsphere::VirtualMachine) -> impl Iterator<Item = &Task> {
    vm.recent_task.iter().filter(|task| task.state.is_open() && &*task.description_id == TASK)
}

/// A disk of the VM's own that is the child of another. Disks that are managed by themselves have an id, and aren't touched.
fn is_linked(device: &Device) -> bool {
    let is_own = device.type_ == DeviceType::VirtualDisk && !device.rest.contains_key("vDiskId");
    is_own && device.backing.as_ref().is_some_and(|backing| backing.rest.get("parent").is_some_and(|parent| !parent.is_null()))
}

fn standing(vm: &vsphere::VirtualMachine, mode: PromoteDisksMode, is_linked: bool, now: Timestamp) -> Standing {
    if !is_linked {
        return Standing::Full;
    }
    if running(vm).next().is_some() {
        return Standing::Running;
    }
    if has_running_task(vm) {
        return Standing::Pending("Cannot promote disks when VM has running task");
    }
    let last = vm.recent_task.iter().rfind(|task| &*task.description_id == TASK && task.state == TaskState::Error);
    if let Some((task, fault)) = last.and_then(|task| Some((task, task.error.as_ref()?))) {
        let passes = passes(fault);
        let rests = task.complete_time.is_none_or(|end| now < end + REST);
        if !passes || rests {
            let message = if fault.localized_message.is_empty() { fault.name.as_str().into() } else { fault.localized_message.clone() };
            return Standing::Failed(passes, message);
        }
    }
    match (mode, vm.runtime.power_state) {
        (PromoteDisksMode::Online, _) if vm.snapshot.is_some() => Standing::Pending("Cannot online promote disks when VM has snapshot"),
        (PromoteDisksMode::Online, PowerState::PoweredOff | PowerState::Suspended) => Standing::Pending("Pending VM powered on"),
        (PromoteDisksMode::Online, PowerState::PoweredOn) if is_customizing(vm) => Standing::Pending("Pending guest customization"),
        (PromoteDisksMode::Offline, PowerState::PoweredOn | PowerState::Suspended) => Standing::Pending("Pending VM powered off"),
        _ => Standing::Due,
    }
}

/// Whether a fault tells of something that may be otherwise a little later.
fn passes(fault: &Fault) -> bool {
    matches!(
        fault.name,
        FaultName::TaskInProgress
            | FaultName::ConcurrentAccess
            | FaultName::FileLocked
            | FaultName::HostNotConnected
            | FaultName::HostNotReachable
            | FaultName::HostCommunication
            | FaultName::RequestCanceled
            | FaultName::Timedout
    )
}

fn is_customizing(vm: &vsphere::VirtualMachine) -> bool {
    let info = vm.guest.as_ref().and_then(|guest| guest.customization_info.as_ref());
    info.is_some_and(|info| matches!(&*info.customization_status, "TOOLSDEPLOYPKG_PENDING" | "TOOLSDEPLOYPKG_RUNNING"))
}

fn condition(type_: ConditionType, standing: &Standing) -> Condition {
    match standing {
        Standing::Full => Condition::holds(type_),
        Standing::Pending(why) => Condition::fails(type_, Reason::DiskPromotionPending, *why),
        Standing::Running | Standing::Due => Condition::fails(type_, Reason::DiskPromotionRunning, "Promotion is running"),
        Standing::Failed(false, why) => Condition::fails(type_, Reason::DiskPromotionTaskError, why.clone()),
        Standing::Failed(true, why) => Condition::fails(type_, Reason::DiskPromotionTaskTransientError, why.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at(secs: i64) -> Timestamp {
        Timestamp::default() + Span::from_secs(secs)
    }

    fn told(mode: PromoteDisksMode, vm: Value) -> Standing {
        let mut whole = json!({"moID": "vm-1", "name": "vm", "runtime": {"powerState": "poweredOn"}});
        whole.as_object_mut().expect("a VM").extend(vm.as_object().cloned().unwrap_or_default());
        standing(&serde_json::from_value(whole).expect("a VM"), mode, true, at(100))
    }

    fn task(id: &str, state: &str, fault: Value) -> Value {
        json!({"recentTask": [{"key": "task-1", "descriptionId": id, "state": state, "error": fault,
            "queueTime": at(60).to_string(), "completeTime": at(70).to_string()}]})
    }

    #[test]
    fn each_mode_waits_for_its_power_state() {
        use PromoteDisksMode::{Offline, Online};

        let on = || json!({});
        let off = || json!({"runtime": {"powerState": "poweredOff"}});
        let asleep = || json!({"runtime": {"powerState": "suspended"}});
        assert_eq!(told(Online, on()), Standing::Due);
        assert_eq!(told(Online, off()), Standing::Pending("Pending VM powered on"));
        assert_eq!(told(Online, asleep()), Standing::Pending("Pending VM powered on"));
        assert_eq!(told(Offline, off()), Standing::Due);
        assert_eq!(told(Offline, on()), Standing::Pending("Pending VM powered off"));
        assert_eq!(told(Offline, asleep()), Standing::Pending("Pending VM powered off"));
        let customizing = json!({"guest": {"customizationInfo": {"customizationStatus": "TOOLSDEPLOYPKG_RUNNING"}}});
        assert_eq!(told(Online, customizing), Standing::Pending("Pending guest customization"));
    }

    #[test]
    fn tasks_tell_how_it_goes() {
        use PromoteDisksMode::Online;

        assert_eq!(told(Online, task(TASK, "running", Value::Null)), Standing::Running);
        assert_eq!(told(Online, task(TASK, "queued", Value::Null)), Standing::Running);
        let other = "Cannot promote disks when VM has running task";
        assert_eq!(told(Online, task("VirtualMachine.reconfigure", "running", Value::Null)), Standing::Pending(other));
        let fault = |name: &str| json!({"_typeName": name, "localizedMessage": "no luck"});
        assert_eq!(told(Online, task(TASK, "error", fault("NoDiskSpace"))), Standing::Failed(false, "no luck".into()));
        assert_eq!(told(Online, task(TASK, "error", fault("HostNotConnected"))), Standing::Failed(true, "no luck".into()));
        assert_eq!(told(Online, task(TASK, "success", Value::Null)), Standing::Due, "a disk that is linked since then");
    }

    #[test]
    fn a_disk_that_is_managed_by_itself_stays_linked() {
        let disk = |more: Value| {
            let mut disk = json!({"_typeName": "VirtualDisk", "key": 2000, "backing": {"parent": {"fileName": "[ds] a.vmdk"}}});
            disk.as_object_mut().expect("a disk").extend(more.as_object().cloned().unwrap_or_default());
            is_linked(&serde_json::from_value(disk).expect("a disk"))
        };
        assert!(disk(json!({})));
        assert!(!disk(json!({"vDiskId": {"id": "fcd"}})));
        assert!(!disk(json!({"backing": {"fileName": "[ds] a.vmdk"}})));
    }
}
