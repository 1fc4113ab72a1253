//! The power state that a group hands down: whether it is still to be applied, from which instant on, and what that
//! means for one member.
//!
//! The clock of the boot delays starts at the admission of the change, not when the boot group before is up; each boot group's own
//! delay comes before it, and delays add up, down the tree too. Source: placement-groups §6.4.
//!
//! Mirrors: vm-operator `virtualmachinegroup_controller.go`, `shouldUpdatePowerState`, `reconcileVMMember`, `updateMemberPowerState`.

use vmtwin_model::kube::power::{PowerOpMode, PowerState};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{GroupMemberStatus, VirtualMachineGroup};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason, Resource};
use vmtwin_model::time::{Span, Timestamp};

use super::owner::Membership;
use crate::draft::Draft;
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::keys;

/// On members, written by their group: the instant before which the power state isn't to be applied.
pub(super) const APPLY_TIME: &str = keys::APPLY_POWER_STATE_TIME;

/// On groups, written by admission: when the power state last changed or a sync was asked for.
pub(super) const LAST_UPDATED: &str = "vmoperator.vmware.com.protected/last-updated-power-state-time";

/// On groups, written here: the value of [`LAST_UPDATED`] that was applied to all members. The instant in the status has whole
/// seconds: by that alone a change couldn't be told from another one in the same second.
pub(super) const APPLIED: &str = "vmtwin.dev/applied-power-state-time";

/// What a group orders of its members in this pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    state: PowerState,
    power_off_mode: Option<PowerOpMode>,
    suspend_mode: Option<PowerOpMode>,
    now: Timestamp,
    /// From when the delays of all members count, if the state is still to be applied.
    update_from: Option<Timestamp>,
    /// From when the delays of one that joins count otherwise.
    joins_from: Timestamp,
}

/// The group's order; none if it has no power state.
pub(super) fn order(cx: &Cx<'_>, group: &Draft<VirtualMachineGroup>) -> Flow<Option<Order>> {
    let Some(state) = group.spec().power_state else { return Ok(None) };
    let now = cx.now();
    let last_updated = instant(group, LAST_UPDATED)?;
    let inherited = match state {
        PowerState::PoweredOn | PowerState::PoweredOff => instant(group, APPLY_TIME)?,
        PowerState::Suspended => None,
    };
    let from = inherited.or(last_updated).unwrap_or(now);
    Ok(Some(Order {
        state,
        power_off_mode: group.spec().power_off_mode,
        suspend_mode: group.spec().suspend_mode,
        now,
        update_from: is_open(group, last_updated).then_some(from),
        // Who joins while the boot groups above still wait isn't switched on before them.
        joins_from: now.max(from),
    }))
}

fn instant(group: &Draft<VirtualMachineGroup>, annotation: &str) -> Flow<Option<Timestamp>> {
    let Some(text) = group.annotation(annotation).filter(|text| !text.is_empty()) else { return Ok(None) };
    match Timestamp::parse(text) {
        Ok(instant) => Ok(Some(instant)),
        Err(error) => Err(Verdict::failed(format!("annotation {annotation}: {error}")).into()),
    }
}

/// Whether the last change or request wasn't applied to all members yet. A group that was looked after by an operator that
/// doesn't leave the mark is judged by its status alone.
fn is_open(group: &Draft<VirtualMachineGroup>, last_updated: Option<Timestamp>) -> bool {
    match (group.annotation(APPLIED), last_updated) {
        (Some(applied), Some(_)) => group.annotation(LAST_UPDATED) != Some(applied),
        (_, last_updated) => {
            group.status().last_updated_power_state_time.is_none_or(|applied| last_updated.is_some_and(|last| last >= applied))
        }
    }
}

/// Notes that all members were given the power state.
pub(super) fn close(group: &mut Draft<VirtualMachineGroup>, order: &Order) {
    if order.update_from.is_some() {
        group.status_mut().last_updated_power_state_time = Some(order.now.to_second());
        let last_updated = group.annotation(LAST_UPDATED).map(str::to_owned);
        group.annotate(APPLIED, last_updated.as_deref());
    }
}

impl Order {
    /// Whether a member that is given this order is left as it is by the other one, which it was given before.
    pub(super) fn asks_the_same(&self, other: &Self) -> bool {
        let asks = |order: &Self| (order.state, order.power_off_mode, order.suspend_mode, order.update_from);
        asks(self) == asks(other)
    }

    /// How much later one is started whose boot groups' delays come to this.
    pub(super) fn delay(&self, power_on_delays: Span) -> Span {
        match self.state {
            PowerState::PoweredOn => power_on_delays,
            PowerState::PoweredOff | PowerState::Suspended => Span::ZERO,
        }
    }

    /// When a member is to have the state, if that is to be written now: at an update all members, else one that joins.
    fn instant(&self, delay: Span, membership: Membership) -> Option<Timestamp> {
        let from = match (self.update_from, membership) {
            (Some(from), _) => from,
            (None, Membership::New) => self.joins_from,
            (None, Membership::Old) => return None,
        };
        Some(from + delay)
    }
}

/// What is to be written into a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Nothing.
    Nothing,
    /// The state, which the VM has already: whatever was pending is dropped.
    AtOnce,
    /// The state, and when it is to be applied.
    At(Timestamp),
}

/// The condition of a VM with these states, and what is to be written; `instant` is when, if the group's state is applied now.
fn decide(
    group: PowerState,
    desired: Option<PowerState>,
    observed: Option<PowerState>,
    instant: Option<Timestamp>,
) -> (Option<Reason>, Change) {
    match (observed == Some(group), desired == Some(group), instant) {
        (true, false, Some(_)) => (None, Change::AtOnce),
        (true, ..) => (None, Change::Nothing),
        (false, _, Some(instant)) => (Some(Reason::Pending), Change::At(instant)),
        (false, true, None) => (Some(Reason::Pending), Change::Nothing),
        (false, false, None) => (Some(Reason::NotSynced), Change::Nothing),
    }
}

/// A kind whose objects can be members of a group.
pub(super) trait Member: Resource {
    /// The group that the member names.
    fn group_name(spec: &Self::Spec) -> &str;

    /// Notes in the member's entry what is to be seen there of its power, and writes the group's order, if there is one.
    fn apply(member: &mut Draft<Self>, entry: &mut GroupMemberStatus, order: Option<&Order>, delay: Span, membership: Membership)
    where
        Self: Sized;
}

impl Member for VirtualMachine {
    fn group_name(spec: &Self::Spec) -> &str {
        &spec.group_name
    }

    fn apply(vm: &mut Draft<Self>, entry: &mut GroupMemberStatus, order: Option<&Order>, delay: Span, membership: Membership) {
        let observed = vm.status().power_state;
        entry.power_state = observed;
        let Some(order) = order else {
            entry.conditions.take(&ConditionType::MemberPowerStateSynced);
            return;
        };
        let (reason, change) = decide(order.state, vm.spec().power_state, observed, order.instant(delay, membership));
        let condition = match reason {
            None => Condition::holds(ConditionType::MemberPowerStateSynced),
            Some(reason) => Condition::fails(ConditionType::MemberPowerStateSynced, reason, ""),
        };
        entry.conditions.put(condition, order.now);
        let apply_time = match (change, order.state) {
            (Change::Nothing, _) => return,
            (Change::AtOnce, _) | (Change::At(_), PowerState::Suspended) => None,
            (Change::At(instant), PowerState::PoweredOn | PowerState::PoweredOff) => Some(instant),
        };
        // An instant that is past says "at once", as does none: a VM that took it off while it was working towards the
        // state isn't given it again, or the two would write by turns for as long as that takes.
        let taken = vm.spec().power_state == Some(order.state) && vm.annotation(APPLY_TIME).is_none();
        let apply_time = apply_time.filter(|instant| !taken || *instant > order.now);
        vm.annotate(APPLY_TIME, apply_time.map(|instant| instant.to_string()).as_deref());
        // A group without modes resets its members' to the default.
        let spec = vm.spec_mut();
        spec.power_state = Some(order.state);
        spec.power_off_mode = order.power_off_mode.or(Some(PowerOpMode::TrySoft));
        spec.suspend_mode = order.suspend_mode.or(Some(PowerOpMode::TrySoft));
    }
}

impl Member for VirtualMachineGroup {
    fn group_name(spec: &Self::Spec) -> &str {
        &spec.group_name
    }

    fn apply(child: &mut Draft<Self>, entry: &mut GroupMemberStatus, order: Option<&Order>, delay: Span, membership: Membership) {
        match child.status().conditions.condition(&ConditionType::Ready) {
            Some(ready) => {
                let copy = Condition::new(ConditionType::Ready, ready.status, ready.reason.clone(), ready.message.clone());
                entry.conditions.put(copy, ready.last_transition_time);
            }
            None => {
                entry.conditions.take(&ConditionType::Ready);
            }
        }
        let Some((order, instant)) = order.and_then(|order| Some((order, order.instant(delay, membership)?))) else { return };
        if crate::planted::is("off-stops-at-first-level") && order.state == PowerState::PoweredOff {
            return;
        }
        let apply_time = match order.state {
            PowerState::PoweredOn | PowerState::PoweredOff => Some(instant.to_string()),
            PowerState::Suspended => None,
        };
        child.annotate(APPLY_TIME, apply_time.as_deref());
        let spec = child.spec_mut();
        spec.power_state = Some(order.state);
        spec.power_off_mode = order.power_off_mode;
        spec.suspend_mode = order.suspend_mode;
    }
}

#[cfg(test)]
mod tests {
    use PowerState::{PoweredOff, PoweredOn, Suspended};

    use super::*;

    #[test]
    fn each_case_of_a_vm_has_its_condition_and_its_change() {
        let at = Timestamp::from_nanos(7);
        let now = Some(at);
        for (group, desired, observed, instant, reason, change) in [
            (PoweredOn, Some(PoweredOn), Some(PoweredOn), now, None, Change::Nothing),
            (PoweredOn, Some(PoweredOff), Some(PoweredOn), now, None, Change::AtOnce),
            (PoweredOff, Some(PoweredOn), Some(PoweredOff), now, None, Change::AtOnce),
            (PoweredOff, Some(PoweredOn), Some(PoweredOff), None, None, Change::Nothing),
            (PoweredOn, Some(PoweredOff), Some(PoweredOff), now, Some(Reason::Pending), Change::At(at)),
            (PoweredOn, Some(PoweredOn), None, now, Some(Reason::Pending), Change::At(at)),
            (PoweredOn, Some(PoweredOn), Some(PoweredOff), None, Some(Reason::Pending), Change::Nothing),
            (PoweredOn, Some(PoweredOff), Some(PoweredOff), None, Some(Reason::NotSynced), Change::Nothing),
            (Suspended, Some(PoweredOn), Some(PoweredOn), None, Some(Reason::NotSynced), Change::Nothing),
        ] {
            assert_eq!(decide(group, desired, observed, instant), (reason, change), "{group} {desired:?} {observed:?} {instant:?}");
        }
    }

    #[test]
    fn one_that_joins_counts_from_joining_unless_the_change_is_still_open() {
        let at = |secs| Timestamp::default() + Span::from_secs(secs);
        let (state, delay) = (PoweredOn, Span::from_secs(5));
        let order = Order { state, power_off_mode: None, suspend_mode: None, now: at(70), update_from: None, joins_from: at(70) };
        assert_eq!(order.instant(delay, Membership::New), Some(at(75)));
        assert_eq!(order.instant(delay, Membership::Old), None);
        let open = Order { update_from: Some(at(10)), ..order };
        assert_eq!(open.instant(delay, Membership::New), Some(at(15)));
        assert_eq!(open.instant(delay, Membership::Old), Some(at(15)));
    }
}
