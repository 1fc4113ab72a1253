//! The last step, whatever came before: tells whether the group and all its members are as they should be.
//!
//! Mirrors: vm-operator `virtualmachinegroup_controller.go`, `setReadyCondition`, `isMemberReady`.

use vmtwin_model::kube::api::Notice;
use vmtwin_model::kube::virtual_machine_group::{GroupMemberStatus, MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};

use super::hierarchy;
use crate::draft::Draft;
use crate::pass::Cx;
use crate::verdict::Verdict;

pub(super) fn reconcile(cx: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>, error: Option<Verdict>) -> Verdict {
    let cycle = hierarchy::cycle(cx, group);
    let condition = match &cycle {
        Some(cycle) => Condition::fails(ConditionType::Ready, Reason::Error, cycle.clone()),
        None => decide(&group.status().members, error.as_ref()),
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
    group.status_mut().conditions.put(condition, cx.now());
    match (error, cycle) {
        (Some(error), _) => error,
        (None, Some(cycle)) => Verdict::terminal(cycle),
        (None, None) => Verdict::Done,
    }
}

fn decide(members: &[GroupMemberStatus], error: Option<&Verdict>) -> Condition {
    let reasons: Vec<String> = members.iter().filter_map(unready).collect();
    if !reasons.is_empty() {
        let message = format!("{} of {} members not ready: {}", reasons.len(), members.len(), reasons.join("; "));
        return Condition::fails(ConditionType::Ready, Reason::MembersNotReady, message);
    }
    match error.and_then(Verdict::error) {
        Some(error) => Condition::fails(ConditionType::Ready, Reason::Error, error.clone()),
        None => Condition::holds(ConditionType::Ready),
    }
}

/// The first thing that keeps a member from being ready: one of the conditions that it must have, then any other.
fn unready(member: &GroupMemberStatus) -> Option<String> {
    let needed = match member.kind {
        MemberKind::VirtualMachine => [ConditionType::GroupLinked, ConditionType::MemberPlacementReady],
        MemberKind::VirtualMachineGroup => [ConditionType::GroupLinked, ConditionType::Ready],
    };
    let (kind, name) = (member.kind, &member.name);
    let needs = needed.iter().map(|type_| (type_, member.conditions.condition(type_)));
    let rest = member.conditions.iter().map(|condition| (&condition.type_, Some(condition)));
    needs.chain(rest).find_map(|(type_, condition)| match condition {
        None => Some(format!("{kind}/{name} missing condition {type_}")),
        Some(condition) if !condition.is_true() => Some(format!("{kind}/{name} condition {type_} is {}", condition.status)),
        Some(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, conditions: Vec<Condition>) -> GroupMemberStatus {
        GroupMemberStatus { name: name.to_owned(), conditions, ..GroupMemberStatus::default() }
    }

    fn good() -> Vec<Condition> {
        vec![Condition::holds(ConditionType::GroupLinked), Condition::holds(ConditionType::MemberPlacementReady)]
    }

    #[test]
    fn a_group_without_members_is_ready_unless_something_failed() {
        assert!(decide(&[], None).is_true());
        let failed = decide(&[], Some(&Verdict::failed("no way")));
        assert_eq!((failed.reason, &*failed.message), (Reason::Error, "no way"));
    }

    #[test]
    fn each_unready_member_gives_its_first_reason() {
        let unlinked = vec![Condition::fails(ConditionType::GroupLinked, Reason::NotFound, "")];
        let mut unsynced = good();
        unsynced.push(Condition::fails(ConditionType::MemberPowerStateSynced, Reason::NotSynced, ""));
        let members =
            [member("a", good()), member("b", unlinked), member("c", good()[..1].to_vec()), member("d", unsynced), member("e", good())];
        let ready = decide(&members, Some(&Verdict::failed("shadowed")));
        assert_eq!(ready.reason, Reason::MembersNotReady);
        assert_eq!(
            &*ready.message,
            "3 of 5 members not ready: VirtualMachine/b condition GroupLinked is False; \
             VirtualMachine/c missing condition PlacementReady; VirtualMachine/d condition PowerStateSynced is False"
        );
    }
}
