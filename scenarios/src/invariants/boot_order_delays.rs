//! A member is switched on when its boot group's turn has come, and not before. Source: seed "Boot Ordering"; placement §6.4.

use vmtwin_model::kube::power::PowerState;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup, VirtualMachineGroupSpec};
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::Operation;

use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record, Source};

const APPLY: &str = "vmoperator.vmware.com.protected/apply-power-state-time";
const LAST_UPDATED: &str = "vmoperator.vmware.com.protected/last-updated-power-state-time";

pub(super) const RULE: Invariant = Invariant {
    name: "boot-order-delays",
    guards: "seed: Boot Ordering; placement §6.4",
    holds: "the apply time that a group writes is the instant of the change or of joining with all delays up to and with its boot group's; no power-on before it",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    match (&record.event, &record.data) {
        (Event::Write, Data::Change(change)) if record.source == Source::Operator => {
            if let Some(after) = &change.after {
                written(view, change.before.as_deref(), after, out);
            }
        }
        (Event::Pass, _) => called(view, record, out),
        _ => {}
    }
}

fn instant(object: &Object, key: &str) -> Option<Timestamp> {
    Timestamp::parse(object.annotation(key)?).ok()
}

/// A group wrote an apply time on a member.
fn written(view: &View<'_>, before: Option<&Object>, after: &Object, out: &mut Check) {
    let Some(at) = instant(after, APPLY) else { return };
    if before.and_then(|before| instant(before, APPLY)) == Some(at) {
        return;
    }
    let Some((group_name, kind, desired)) = membership(after) else { return };
    let group_key = ObjectKey::of::<VirtualMachineGroup>(after.key.namespace.clone(), group_name);
    let Some(group) = view.object(&group_key) else { return };
    let Some(spec) = group.view::<VirtualMachineGroup>().map(|group| group.spec) else { return };
    let Some(delay) = delay_of(spec, kind, &after.key.name) else { return };
    out.premise();
    let delay = if desired == Some(PowerState::PoweredOff) { Span::ZERO } else { delay };
    let base = instant(group, APPLY).or_else(|| instant(group, LAST_UPDATED));
    let of_change = base.is_some_and(|base| base + delay == at);
    let of_joining = at <= view.now() + delay && base.is_none_or(|base| at >= base + delay);
    if !of_change && !of_joining {
        let expected = base.map_or_else(|| "no apply time".to_owned(), |base| (base + delay).to_string());
        out.violated(&[&after.key, &group_key], "the apply time isn't the change's instant with the delays", expected, at.to_string());
    }
}

/// The group, the member's kind, and the state that it is to have.
fn membership(member: &Object) -> Option<(&str, MemberKind, Option<PowerState>)> {
    if let Some(vm) = member.view::<VirtualMachine>() {
        return Some((vm.spec.group_name.as_str(), MemberKind::VirtualMachine, vm.spec.power_state));
    }
    let group = member.view::<VirtualMachineGroup>()?;
    Some((group.spec.group_name.as_str(), MemberKind::VirtualMachineGroup, group.spec.power_state))
}

/// All delays up to and with the member's boot group's.
fn delay_of(spec: &VirtualMachineGroupSpec, kind: MemberKind, name: &str) -> Option<Span> {
    let mut sum = Span::ZERO;
    for boot_group in &spec.boot_order {
        sum += boot_group.power_on_delay.unwrap_or_default();
        if boot_group.members.iter().any(|member| member.name == name && member.kind.unwrap_or(MemberKind::VirtualMachine) == kind) {
            return Some(sum);
        }
    }
    None
}

/// A pass switched a VM on: not before the apply time of the object that it knew.
fn called(view: &View<'_>, record: &Record, out: &mut Check) {
    let Some(known) = view.known(record) else { return };
    let Some(apply) = instant(known, APPLY) else { return };
    out.premise();
    for call in view.calls_of(record) {
        if matches!(call.operation, Operation::PowerOnVm { .. }) && call.at < apply {
            out.violated(&[&known.key], "switched on before its boot group's turn", format!("not before {apply}"), call.at.to_string());
        }
    }
}
