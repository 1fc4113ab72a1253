//! What holds an object: annotations, conditions that aren't true, its group's or its members' words, the last fault of a task.

use std::sync::Arc;

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Object, ObjectKey};

use super::history::History;
use super::{Hold, Topic};
use crate::runner::Simulation;

/// Annotations that hold an object.
const HOLDING: [&str; 3] =
    ["vmoperator.vmware.com/paused", "poweron.check.vmoperator.vmware.com/", "vmoperator.vmware.com.protected/apply-power-state-time"];

/// Everything that holds an object.
pub(super) fn all(simulation: &Simulation, history: &History<'_>, stored: &Arc<Object>) -> Vec<Hold> {
    let mut holds = annotations(stored, None);
    let broken = |condition: &&Condition| condition.status == ConditionStatus::False;
    holds.extend(conditions(stored).iter().filter(broken).map(|condition| hold(history, condition, condition.type_.to_string())));
    if let Some(group) = stored.view::<VirtualMachineGroup>() {
        for member in &group.status.members {
            let (kind, name) = (member.kind, &member.name);
            let rule = |condition: &Condition| format!("{} of {kind}/{name}", condition.type_);
            holds.extend(member.conditions.iter().filter(broken).map(|condition| hold(history, condition, rule(condition))));
            let key = match kind {
                MemberKind::VirtualMachine => ObjectKey::of::<VirtualMachine>(stored.key.namespace.clone(), name.as_str()),
                MemberKind::VirtualMachineGroup => ObjectKey::of::<VirtualMachineGroup>(stored.key.namespace.clone(), name.as_str()),
            };
            let whose = format!("{kind}/{name}");
            holds.extend(simulation.api().get(&key).into_iter().flat_map(|member| annotations(member, Some(&whose))));
        }
    }
    if let Some(vm) = stored.view::<VirtualMachine>() {
        holds.extend(of_group(simulation, history, stored, &vm.spec.group_name));
        holds.extend(fault(simulation, history, stored));
    }
    holds
}

/// One condition of an object, whatever its status.
pub(super) fn condition(history: &History<'_>, stored: &Object, type_: &str) -> Option<Hold> {
    let found = conditions(stored).iter().find(|condition| condition.type_.to_string() == type_)?;
    let told = hold(history, found, found.type_.to_string());
    Some(Hold { message: format!("{} {}", found.status, told.message), ..told })
}

/// The types of an object's conditions.
pub(super) fn conditions_of(stored: &Object) -> Vec<String> {
    let types: Vec<String> = conditions(stored).iter().map(|condition| condition.type_.to_string()).collect();
    if types.is_empty() { vec!["none".to_owned()] } else { types }
}

/// The conditions of a VM or a group.
pub(super) fn conditions(stored: &Object) -> &[Condition] {
    let of_vm = stored.view::<VirtualMachine>().map(|vm| vm.status.conditions.as_slice());
    of_vm.or_else(|| Some(stored.view::<VirtualMachineGroup>()?.status.conditions.as_slice())).unwrap_or_default()
}

fn annotations(stored: &Object, whose: Option<&str>) -> Vec<Hold> {
    let annotations = stored.meta.annotations.iter().flatten();
    let holding = annotations.filter(|(key, _)| HOLDING.iter().any(|holding| key.starts_with(holding)));
    let of = |key: &String| whose.map_or_else(|| key.clone(), |whose| format!("{key} of {whose}"));
    let hold = |(key, value): (&String, &String)| Hold {
        rule: of(key),
        page: "vm-lifecycle §12",
        message: value.clone(),
        since: None,
        seq: None,
        topic: Topic::Power,
    };
    holding.map(hold).collect()
}

fn hold(history: &History<'_>, condition: &Condition, rule: String) -> Hold {
    let message = match (&*condition.message, condition.status) {
        ("", ConditionStatus::True) => String::new(),
        ("", _) => condition.reason.to_string(),
        (message, _) => format!("{}: {message}", condition.reason),
    };
    let (page, topic) = subject_of(&condition.type_);
    Hold { rule, page, message, since: history.since(condition), seq: history.told(condition), topic }
}

/// Where a condition is described, and what it is about.
fn subject_of(condition: &ConditionType) -> (&'static str, Topic) {
    match condition {
        ConditionType::PlacementReady => ("placement-groups §3", Topic::Placement),
        ConditionType::MemberPlacementReady => ("placement-groups §7", Topic::Placement),
        ConditionType::GroupLinked => ("placement-groups §6.3", Topic::Both),
        ConditionType::Ready => ("placement-groups §6.2", Topic::Both),
        ConditionType::LocationValid => ("placement-groups §3.7", Topic::Both),
        ConditionType::PowerStateSynced => ("vm-lifecycle §17", Topic::Power),
        ConditionType::MemberPowerStateSynced => ("placement-groups §6.4", Topic::Power),
        _ => ("vm-lifecycle §17", Topic::Other),
    }
}

/// What the VM's group says of it.
fn of_group(simulation: &Simulation, history: &History<'_>, stored: &Object, group_name: &str) -> Vec<Hold> {
    let key = ObjectKey::of::<VirtualMachineGroup>(stored.key.namespace.clone(), group_name);
    let Some(group) = simulation.api().get(&key).and_then(|group| group.view::<VirtualMachineGroup>()) else { return Vec::new() };
    let is_own = |kind, name: &str| kind == MemberKind::VirtualMachine && *name == *stored.key.name;
    let entry = group.status.members.iter().find(|entry| is_own(entry.kind, &entry.name));
    let broken = entry.into_iter().flat_map(|entry| &entry.conditions).filter(|condition| condition.status == ConditionStatus::False);
    broken.map(|condition| Hold { seq: None, ..hold(history, condition, format!("{} of group {group_name}", condition.type_)) }).collect()
}

/// The fault in which the VM's last task ended.
fn fault(simulation: &Simulation, history: &History<'_>, stored: &Object) -> Option<Hold> {
    let vm = simulation.world().vm_named(&stored.key.namespaced_name())?;
    let task = vm.recent_task.last()?;
    let fault = task.error.as_ref()?;
    let since = task.complete_time.map(|at| at - history.start());
    let message = fault.localized_message.to_string();
    let seq = history.ended(&task.key);
    Some(Hold { rule: fault.name.to_string(), page: "placement-groups §10", message, since, seq, topic: Topic::Both })
}
