//! The VM's own side of its membership in a group: condition `GroupLinked`. Source: placement-groups §1.3, §7 ("The VM's side").

use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};

use super::VmDraft;
use crate::features::Feature;
use crate::pass::{Cx, Known};

/// Sets the condition, and gives back the group if the VM is linked to it.
pub(super) fn update(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Option<Known<VirtualMachineGroup>> {
    let group_name = draft.spec().group_name.clone();
    if group_name.is_empty() || !cx.settings.features.on(Feature::VMGroups) {
        if draft.status().conditions.condition(&ConditionType::GroupLinked).is_some() {
            draft.status_mut().conditions.take(&ConditionType::GroupLinked);
        }
        return None;
    }
    let group = cx.find::<VirtualMachineGroup>(&draft.namespace().clone(), &group_name);
    let listed = group.as_ref().is_some_and(|group| cx.place_in(&group.object, &draft.base().key).is_some());
    let condition = match (&group, listed) {
        (None, _) => Condition::fails(ConditionType::GroupLinked, Reason::NotFound, ""),
        (Some(_), false) => Condition::fails(ConditionType::GroupLinked, Reason::NotMember, ""),
        (Some(_), true) => Condition::holds(ConditionType::GroupLinked),
    };
    let now = cx.now();
    draft.status_mut().conditions.put(condition, now);
    group.filter(|_| listed)
}
