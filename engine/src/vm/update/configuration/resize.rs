//! Following the class: when a resize is due, what it changes, and what is noted of it. Source: vm-lifecycle §11.3.

use std::fmt;

use serde::{Deserialize, Serialize};
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};
use vmtwin_model::vsphere::spec::{Allocation, ConfigSpec, SharesLevel};
use vmtwin_model::vsphere::{self, vm::Config};

use crate::features::Feature;
use crate::pass::{Cx, Flow, Known};
use crate::settings::Settings;
use crate::vm::create::{deploy, spec};
use crate::vm::{VmDraft, keys};

/// The class that the hardware was last made of: the value of the last-resized annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastResized {
    #[serde(default)]
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    uid: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    generation: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl LastResized {
    /// The record of this very class.
    pub(crate) fn of(class: &Known<VirtualMachineClass>) -> Self {
        let object = &class.object;
        Self { name: class.name().to_owned(), uid: object.uid().to_owned(), generation: object.generation }
    }

    /// What the object's annotation says; nothing where it is absent or unreadable. A VM that had no class before has one without a name.
    fn on(draft: &VmDraft) -> Option<Self> {
        serde_json::from_str(draft.annotation(keys::LAST_RESIZED)?).ok()
    }
}

impl fmt::Display for LastResized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).expect("a record of strings and a number is JSON"))
    }
}

/// Whether hardware follows the class at all.
pub(crate) fn gate_is_on(settings: &Settings) -> bool {
    settings.features.on(Feature::VMResize) || settings.features.on(Feature::VMResizeCPUMemory)
}

/// How the VM's hardware stands to its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is what the class says, or isn't to follow it.
    Synced,
    /// The VM was given another class.
    NameChanged,
    /// The class itself changed, and the VM is to follow.
    ClassChanged,
    /// The class itself changed, and the VM isn't to follow.
    ClassChangedUnasked,
}

fn standing(draft: &VmDraft, class: &Known<VirtualMachineClass>) -> Standing {
    let follows = draft.annotation(keys::SAME_CLASS_RESIZE).is_some();
    match LastResized::on(draft) {
        None if follows => Standing::ClassChanged,
        None => Standing::Synced,
        Some(last) if last.name != class.name() => Standing::NameChanged,
        Some(last) if last == LastResized::of(class) => Standing::Synced,
        Some(_) if follows => Standing::ClassChanged,
        Some(_) => Standing::ClassChangedUnasked,
    }
}

fn is_due(draft: &VmDraft, class: &Known<VirtualMachineClass>) -> bool {
    matches!(standing(draft, class), Standing::NameChanged | Standing::ClassChanged)
}

/// Puts what differs from the class into the change.
pub(super) fn collect(
    cx: &mut Cx<'_>,
    draft: &VmDraft,
    vm: &vsphere::VirtualMachine,
    config: &Config,
    class: &Known<VirtualMachineClass>,
    change: &mut ConfigSpec,
) -> Flow<()> {
    if !gate_is_on(cx.settings) || !is_due(draft, class) {
        return Ok(());
    }
    let class_config = spec::class_config(class.spec())?;
    let clock = spec::clock_if_needed(cx, class.spec(), vm.location.cluster.as_ref())?;
    let wanted = spec::compute(class.spec(), &class_config, clock)?;
    if wanted.cpus != config.hardware.num_cpu {
        change.num_cpus = Some(wanted.cpus);
    }
    if wanted.memory != config.hardware.memory_mb {
        change.memory_mb = Some(wanted.memory);
    }
    if differs(&wanted.cpu, &config.cpu_allocation) {
        change.cpu_allocation = Some(wanted.cpu);
    }
    if differs(&wanted.memory_allocation, &config.memory_allocation) {
        change.memory_allocation = Some(wanted.memory_allocation);
    }
    Ok(())
}

/// Whether an allocation differs in what counts; the number of shares counts only with level `custom`.
fn differs(wanted: &Allocation, there: &Allocation) -> bool {
    let shares = |allocation: &Allocation| {
        let shares = allocation.shares.unwrap_or_default();
        (shares.level, if shares.level == SharesLevel::Custom { shares.shares } else { 0 })
    };
    let plain = |allocation: &Allocation| (allocation.reservation.unwrap_or(0), allocation.limit.unwrap_or(Allocation::UNLIMITED));
    plain(wanted) != plain(there) || shares(wanted) != shares(there)
}

/// Notes the class that was applied, when nothing differed.
pub(super) fn note(cx: &Cx<'_>, draft: &mut VmDraft, class: &Known<VirtualMachineClass>) {
    if gate_is_on(cx.settings) && is_due(draft, class) {
        record(draft, class);
    }
}

/// Notes the class that was applied, after the reconfigure.
pub(super) fn note_applied(cx: &mut Cx<'_>, draft: &mut VmDraft) {
    let name = draft.spec().class_name.clone();
    if let Some(class) = cx.find::<VirtualMachineClass>(&draft.namespace().clone(), &name) {
        record(draft, &class);
    }
}

fn record(draft: &mut VmDraft, class: &Known<VirtualMachineClass>) {
    draft.annotate(keys::LAST_RESIZED, Some(&LastResized::of(class).to_string()));
    draft.status_mut().class = Some(deploy::class_reference(class.name()));
}

/// `VirtualMachineClassConfigurationSynced`; written by the status step, so it turns True one pass after the resize.
pub(crate) fn write_condition(cx: &mut Cx<'_>, draft: &mut VmDraft) {
    const TYPE: ConditionType = ConditionType::ClassConfigurationSynced;
    let name = draft.spec().class_name.clone();
    if !gate_is_on(cx.settings) || name.is_empty() {
        if draft.status().conditions.condition(&TYPE).is_some() {
            draft.status_mut().conditions.take(&TYPE);
        }
        return;
    }
    let class = cx.find::<VirtualMachineClass>(&draft.namespace().clone(), &name);
    let follows = draft.annotation(keys::SAME_CLASS_RESIZE).is_some();
    let condition = match (LastResized::on(draft).filter(|last| !last.name.is_empty()), class) {
        (None, _) if follows => Condition::fails(TYPE, Reason::SameClassResize, ""),
        (None, _) => Condition::holds(TYPE),
        (Some(last), _) if last.name != name => Condition::fails(TYPE, Reason::ClassNameChanged, ""),
        (Some(_), None) => Condition::fails(TYPE, Reason::ClassNotFound, ""),
        (Some(_), Some(class)) => match standing(draft, &class) {
            Standing::Synced => Condition::holds(TYPE),
            Standing::NameChanged => Condition::fails(TYPE, Reason::ClassNameChanged, ""),
            Standing::ClassChanged => Condition::fails(TYPE, Reason::SameClassResize, ""),
            Standing::ClassChangedUnasked if cx.settings.features.on(Feature::ReportClassUpdated) => {
                Condition::fails(TYPE, Reason::ClassUpdated, "")
            }
            Standing::ClassChangedUnasked => Condition::holds(TYPE),
        },
    };
    let now = cx.now();
    draft.status_mut().conditions.put(condition, now);
}
