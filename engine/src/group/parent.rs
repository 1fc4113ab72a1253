//! Step 3: tells whether the group that this one names lists it. A group that isn't linked goes no further: its members keep
//! what they had.
//!
//! Mirrors: vm-operator `pkg/util/vmopv1/vmgroup.go`, `UpdateGroupLinkedCondition`.

use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};

use crate::draft::Draft;
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

pub(super) fn reconcile(cx: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>) -> Flow<()> {
    let linked = ConditionType::GroupLinked;
    if group.spec().group_name.is_empty() {
        if group.status().conditions.condition(&linked).is_some() {
            group.status_mut().conditions.take(&linked);
        }
        return Ok(());
    }
    let parent = cx.find::<VirtualMachineGroup>(group.namespace(), &group.spec().group_name);
    let condition = match parent {
        None => Condition::fails(linked, Reason::NotFound, ""),
        Some(parent) if cx.place_in(&parent.object, &group.base().key).is_some() => Condition::holds(linked),
        Some(_) => Condition::fails(linked, Reason::NotMember, ""),
    };
    let holds = condition.is_true();
    group.status_mut().conditions.put(condition, cx.now());
    if holds { Ok(()) } else { Err(Verdict::failed("failed to reconcile group name: group is not linked to its parent group").into()) }
}
