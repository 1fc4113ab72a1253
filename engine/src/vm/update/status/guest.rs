//! What VM Tools say: conditions `VirtualMachineTools`, `GuestCustomization`, `GuestBootstrap`, and `status.guest`. Source: vm-lifecycle §8.2.

use vmtwin_model::kube::virtual_machine::GuestStatus;
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Conditions, Reason};
use vmtwin_model::vsphere::{self, vm::ToolsRunningStatus};

use super::put;
use crate::pass::Cx;
use crate::vm::{VmDraft, keys};

pub(super) fn write(cx: &Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) {
    put(cx, draft, tools(vm));
    put(cx, draft, customization(vm));
    match bootstrap(vm) {
        Some(condition) => put(cx, draft, condition),
        None => {
            draft.status_mut().conditions.take(&ConditionType::GuestBootstrap);
        }
    }
    if let Some(config) = &vm.config {
        let guest = GuestStatus { guest_id: config.guest_id.to_string(), guest_full_name: config.guest_full_name.to_string() };
        draft.status_mut().guest = (guest != GuestStatus::default()).then_some(guest);
    }
}

fn tools(vm: &vsphere::VirtualMachine) -> Condition {
    const TYPE: ConditionType = ConditionType::Tools;
    match vm.guest.as_ref().and_then(|guest| guest.tools_running_status.as_ref()) {
        None => Condition::new(TYPE, ConditionStatus::Unknown, Reason::NoGuestInfo, ""),
        Some(ToolsRunningStatus::NotRunning) => Condition::fails(TYPE, Reason::ToolsNotRunning, "VMware Tools is not running"),
        Some(ToolsRunningStatus::Running | ToolsRunningStatus::ExecutingScripts) => Condition::holds(TYPE),
        Some(ToolsRunningStatus::Other(word)) if word.is_empty() => Condition::new(TYPE, ConditionStatus::Unknown, Reason::NoGuestInfo, ""),
        Some(ToolsRunningStatus::Other(_)) => {
            Condition::new(TYPE, ConditionStatus::Unknown, Reason::Unknown, "Unexpected VMware Tools running status")
        }
    }
}

fn customization(vm: &vsphere::VirtualMachine) -> Condition {
    const TYPE: ConditionType = ConditionType::GuestCustomization;
    let Some(info) = vm.guest.as_ref().and_then(|guest| guest.customization_info.as_ref()) else {
        return Condition::new(TYPE, ConditionStatus::Unknown, Reason::NoGuestInfo, "");
    };
    let word = info.error_msg.as_deref().filter(|message| !message.is_empty());
    match &*info.customization_status {
        "" | "TOOLSDEPLOYPKG_IDLE" | "TOOLSDEPLOYPKG_SUCCEEDED" => Condition::holds(TYPE),
        "TOOLSDEPLOYPKG_PENDING" => Condition::fails(TYPE, Reason::GuestCustomizationPending, ""),
        "TOOLSDEPLOYPKG_RUNNING" => Condition::fails(TYPE, Reason::GuestCustomizationRunning, ""),
        "TOOLSDEPLOYPKG_FAILED" => {
            let message = word.unwrap_or("vSphere VM Customization failed due to an unknown error.");
            Condition::fails(TYPE, Reason::GuestCustomizationFailed, message)
        }
        _ => Condition::fails(TYPE, Reason::Unknown, word.unwrap_or("Unexpected VM Customization status")),
    }
}

/// `<bool>[,<reason>[,<message>]]` in ExtraConfig.
fn bootstrap(vm: &vsphere::VirtualMachine) -> Option<Condition> {
    const TYPE: ConditionType = ConditionType::GuestBootstrap;
    let mut parts = vm.extra_config(keys::BOOTSTRAP_CONDITION)?.splitn(3, ',').map(str::trim);
    let holds = matches!(parts.next(), Some("1" | "t" | "T" | "TRUE" | "true" | "True"));
    let (status, fallback) = if holds { (ConditionStatus::True, Reason::True) } else { (ConditionStatus::False, Reason::False) };
    let reason = parts.next().filter(|reason| !reason.is_empty()).map_or(fallback, Reason::from);
    Some(Condition::new(TYPE, status, reason, parts.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm(json: serde_json::Value) -> vsphere::VirtualMachine {
        let mut whole = serde_json::json!({"moID": "vm-1", "name": "vm", "runtime": {}});
        whole.as_object_mut().expect("an object").extend(json.as_object().expect("an object").clone());
        serde_json::from_value(whole).expect("a VM")
    }

    #[test]
    fn tools_are_unknown_until_the_guest_reports() {
        let status = |json| {
            let condition = tools(&vm(json));
            (condition.status, condition.reason)
        };
        assert_eq!(status(serde_json::json!({})), (ConditionStatus::Unknown, Reason::NoGuestInfo));
        assert_eq!(
            status(serde_json::json!({"guest": {"toolsRunningStatus": "guestToolsRunning"}})),
            (ConditionStatus::True, Reason::True)
        );
        let off = serde_json::json!({"guest": {"toolsRunningStatus": "guestToolsNotRunning"}});
        assert_eq!(status(off), (ConditionStatus::False, Reason::ToolsNotRunning));
        let odd = serde_json::json!({"guest": {"toolsRunningStatus": "odd"}});
        assert_eq!(status(odd), (ConditionStatus::Unknown, Reason::Unknown));
    }

    #[test]
    fn the_bootstrap_message_may_contain_commas() {
        let said = serde_json::json!({"config": {"extraConfig": {"guestinfo.vmservice.bootstrap.condition": "false, Failed , a, b"}}});
        let condition = bootstrap(&vm(said)).expect("a condition");
        assert_eq!((condition.status, condition.reason, &*condition.message), (ConditionStatus::False, Reason::from("Failed"), "a, b"));
        assert!(bootstrap(&vm(serde_json::json!({}))).is_none());
    }
}
