//! Readiness: what a probe found becomes the VM's condition `Ready`, with an event at each change. Source: vm-lifecycle §14.

use vmtwin_model::kube::api::Notice;
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Conditions};

use super::VmDraft;
use crate::pass::Cx;

/// Puts what a probe found, and tells of it if that is another status than before.
pub(super) fn record(cx: &mut Cx<'_>, draft: &mut VmDraft, condition: Condition) {
    let before = draft.status().conditions.condition(&ConditionType::Ready).map(|ready| ready.status);
    if before != Some(condition.status) {
        let reason = match condition.status {
            ConditionStatus::True => "Ready",
            ConditionStatus::False => "NotReady",
            ConditionStatus::Unknown => "Unknown",
        };
        let message = if condition.message.is_empty() { "the readiness probe succeeded".into() } else { condition.message.clone() };
        cx.notice(Notice { object: draft.base().key.clone(), warning: false, reason: reason.into(), message });
    }
    let now = cx.now();
    draft.status_mut().conditions.put(condition, now);
}
