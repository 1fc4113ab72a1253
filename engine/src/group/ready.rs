//! The last step, whatever came before: tells whether the group and all its members are as they should be.
//!
//! Mirrors: vm-operator `virtualmachinegroup_controller.go`, `setReadyCondition`, `isMemberReady`.

use vmtwin_model::kube::api::Notice;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};

use super::hierarchy;
use super::tally::Tally;
use crate::draft::Draft;
use crate::pass::Cx;
use crate::verdict::Verdict;

pub(super) fn reconcile(cx: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>, tally: &Tally, error: Option<Verdict>) -> Verdict {
    let cycle = hierarchy::cycle(cx, group);
    let condition = match &cycle {
        Some(cycle) => Condition::fails(ConditionType::Ready, Reason::Error, cycle.clone()),
        None => decide(tally, error.as_ref()),
    };
    let told = group.status().conditions.condition(&ConditionType::Ready);
    if cycle.is_some() && told.is_none_or(|told| told.message != condition.message) {
        cx.notice(Notice {
            object: group.base().key.clone(),
            warning: true,
            reason: "GroupCycle".into(),
            message: condition.message.clone(),
        });
    }
    if told.is_none_or(|told| (told.status, &told.reason, &told.message) != (condition.status, &condition.reason, &condition.message)) {
        group.status_mut().conditions.put(condition, cx.now());
    }
    match (error, cycle) {
        (Some(error), _) => error,
        (None, Some(cycle)) => Verdict::terminal(cycle),
        (None, None) => Verdict::Done,
    }
}

fn decide(tally: &Tally, error: Option<&Verdict>) -> Condition {
    if let Some(unready) = tally.unready() {
        return Condition::fails(ConditionType::Ready, Reason::MembersNotReady, unready.clone());
    }
    match error.and_then(Verdict::error) {
        Some(error) => Condition::fails(ConditionType::Ready, Reason::Error, error.clone()),
        None => Condition::holds(ConditionType::Ready),
    }
}

#[cfg(test)]
mod tests {
    use vmtwin_model::kube::virtual_machine_group::GroupMemberStatus;

    use super::*;

    #[test]
    fn a_group_without_members_is_ready_unless_something_failed() {
        assert!(decide(&Tally::default(), None).is_true());
        let failed = decide(&Tally::default(), Some(&Verdict::failed("no way")));
        assert_eq!((failed.reason, &*failed.message), (Reason::Error, "no way"));
    }

    #[test]
    fn an_unready_member_comes_before_an_error() {
        let tally = Tally::of(&[GroupMemberStatus::default()].into_iter().collect(), None);
        assert_eq!(decide(&tally, Some(&Verdict::failed("shadowed"))).reason, Reason::MembersNotReady);
    }
}
