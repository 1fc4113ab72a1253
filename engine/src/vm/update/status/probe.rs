//! The readiness probes that a pass can answer by what it read: the heartbeat, and values that the guest publishes. Source: vm-lifecycle §14.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmlifecycle/update_status.go`, `reconcileStatusProbe`. A probe by TCP is the probe controller's.

use regex::Regex;
use vmtwin_model::kube::virtual_machine::{GuestHeartbeatAction, GuestHeartbeatStatus, GuestInfoAction};
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Reason};
use vmtwin_model::vsphere::{self, vm::Heartbeat};

use crate::pass::Cx;
use crate::vm::{VmDraft, probe};

pub(super) fn write(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) {
    let Some(spec) = &draft.spec().readiness_probe else { return };
    let condition = if let Some(action) = &spec.guest_heartbeat {
        heartbeat(action, vm.guest_heartbeat_status)
    } else if !spec.guest_info.is_empty() {
        guest_info(&spec.guest_info, vm)
    } else {
        return;
    };
    probe::record(cx, draft, condition);
}

fn heartbeat(action: &GuestHeartbeatAction, beat: Heartbeat) -> Condition {
    const TYPE: ConditionType = ConditionType::Ready;
    let threshold = match action.threshold_status {
        Some(GuestHeartbeatStatus::Yellow) => Heartbeat::Yellow,
        Some(GuestHeartbeatStatus::Green) | None => Heartbeat::Green,
    };
    if beat == Heartbeat::Unknown {
        Condition::new(TYPE, ConditionStatus::Unknown, Reason::Unknown, "unknown guest heartbeat status")
    } else if beat >= threshold {
        Condition::holds(TYPE)
    } else {
        Condition::fails(TYPE, Reason::NotReady, format!("heartbeat status {:?} is below threshold", beat.to_string()))
    }
}

/// Every key must be there, with a value that matches; an empty or invalid pattern matches anything.
fn guest_info(actions: &[GuestInfoAction], vm: &vsphere::VirtualMachine) -> Condition {
    const TYPE: ConditionType = ConditionType::Ready;
    let published = |key: &str| vm.config.as_ref()?.extra_config.get(format!("guestinfo.{key}").as_str());
    let matches = |pattern: &str, value: &str| Regex::new(pattern).map_or(true, |pattern| pattern.is_match(value));
    let holds = |action: &&GuestInfoAction| published(&action.key).is_some_and(|value| matches(&action.value, value));
    match actions.iter().find(|action| !holds(action)) {
        None => Condition::holds(TYPE),
        Some(action) => Condition::fails(TYPE, Reason::NotReady, format!("guest info {:?} is not as wanted", action.key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vm(extra_config: serde_json::Value) -> vsphere::VirtualMachine {
        let whole = json!({"moID": "vm-1", "name": "vm", "runtime": {}, "config": {"extraConfig": extra_config}});
        serde_json::from_value(whole).expect("a VM")
    }

    fn info(key: &str, value: &str) -> GuestInfoAction {
        GuestInfoAction { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn the_heartbeat_is_held_against_its_threshold() {
        let told = |threshold, beat| heartbeat(&GuestHeartbeatAction { threshold_status: threshold }, beat);
        let status = |threshold, beat| told(threshold, beat).status;
        assert_eq!(status(None, Heartbeat::Green), ConditionStatus::True);
        assert_eq!(status(None, Heartbeat::Yellow), ConditionStatus::False, "green is the default");
        assert_eq!(status(Some(GuestHeartbeatStatus::Yellow), Heartbeat::Yellow), ConditionStatus::True);
        let red = told(None, Heartbeat::Red);
        assert_eq!((red.reason, &*red.message), (Reason::NotReady, "heartbeat status \"red\" is below threshold"));
        assert_eq!(status(None, Heartbeat::Gray), ConditionStatus::False);
        assert_eq!(status(None, Heartbeat::Unknown), ConditionStatus::Unknown);
    }

    #[test]
    fn every_published_value_must_match_and_a_broken_pattern_matches_anything() {
        let status =
            |actions: &[GuestInfoAction]| guest_info(actions, &vm(json!({"guestinfo.hello": "there", "guestinfo.empty": ""}))).status;
        assert_eq!(status(&[info("hello", "")]), ConditionStatus::True);
        assert_eq!(status(&[info("hello", "world|there")]), ConditionStatus::True);
        assert_eq!(status(&[info("hello", "her")]), ConditionStatus::True, "patterns aren't anchored");
        assert_eq!(status(&[info("hello", "^world$")]), ConditionStatus::False);
        assert_eq!(status(&[info("hello", "(")]), ConditionStatus::True);
        assert_eq!(status(&[info("hello", "there"), info("fu", "bar")]), ConditionStatus::False);
        assert_eq!(status(&[info("empty", "")]), ConditionStatus::True);
    }
}
