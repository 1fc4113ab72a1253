//! Bringing a VM into being: prerequisites, interfaces, the create spec, a place, and the deploy in the background.
//!
//! Source: vm-lifecycle §6. Everything up to the deploy happens inside the pass; the deploy runs beside, and its end writes the
//! status in a pass of its own (`deploy::finish`).

mod class_devices;
pub(super) mod deploy;
mod fast_deploy;
pub(crate) mod instance;
pub(crate) mod interfaces;
pub(crate) mod place;
mod placed_devices;
pub(crate) mod prerequisites;
pub(crate) mod spec;

use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};

use super::{CREATE_UNDER_WAY, VmDraft, encryption, notice};
use crate::pass::{Cx, Flow, Stop};
use crate::placement::set_policy;
use crate::verdict::Verdict;

pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<Verdict> {
    if !cx.create_slot_is_free() {
        return Ok(Verdict::Parked);
    }
    forget_vanished(draft);
    match prepare(cx, draft) {
        Ok(()) => Ok(Verdict::Progress(CREATE_UNDER_WAY)),
        Err(Stop::End(verdict)) => {
            if let Verdict::Failed(error) = &verdict {
                notice(cx, draft, "Create", Some(error));
            }
            Ok(verdict)
        }
        Err(Stop::Suspended) => Err(Stop::Suspended),
    }
}

/// A VM that was there and is gone from vSphere begins anew. Source: vm-lifecycle §15.4.
fn forget_vanished(draft: &mut VmDraft) {
    if !draft.status().unique_id.is_empty() {
        draft.status_mut().unique_id.clear();
        draft.status_mut().conditions.take(&ConditionType::Created);
    }
}

fn prepare(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<()> {
    instance::add_volumes(cx, draft)?;
    let mut needs = prerequisites::check(cx, draft)?;
    let interfaces = create_interfaces(cx, draft)?;
    refuse_templates(cx, draft, &needs)?;
    let crypto = encryption::of_new(cx, draft, &needs)?;
    let mode = fast_deploy::mode(cx, draft, &needs);
    let decision = placed(cx, draft, &mut needs, mode.is_some())?;
    let place = place::home(cx, draft, &needs, decision)?;
    set_policy::module(draft, needs.set_policy.as_ref(), place.cluster.as_ref()).map_err(Verdict::failed)?;
    instance::check_bound(cx, draft)?;
    let mut config = spec::build(cx, draft, &needs, &interfaces, &place)?;
    config.crypto = crypto;
    let fast = fast_deploy::prepare(cx, draft, &needs, &place, mode)?;
    if let Some(fast) = &fast {
        fast.complete(&mut config, draft, &needs);
    }
    deploy::start(cx, draft, &needs, place, config, fast.as_ref());
    Ok(())
}

/// A VM template of the content library can't be deployed. Source: vm-lifecycle §6.3.
fn refuse_templates(cx: &Cx<'_>, draft: &mut VmDraft, needs: &prerequisites::Needs) -> Flow<()> {
    if needs.image.type_ != "VMTX" {
        return Ok(());
    }
    let text = format!("creating VM from VMTX content library type is not supported: {}", needs.image.name);
    let now = cx.now();
    draft.status_mut().conditions.put(Condition::fails(ConditionType::Created, Reason::Error, text.clone()), now);
    Err(Verdict::failed(text).into())
}

fn create_interfaces(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<Vec<interfaces::Interface>> {
    let result = interfaces::ready(cx, draft);
    let now = cx.now();
    let condition = match &result {
        Err(Stop::Suspended) => return result,
        Ok(interfaces) if interfaces.is_empty() => None,
        Ok(_) => Some(Condition::holds(ConditionType::NetworkReady)),
        Err(Stop::End(verdict)) => {
            Some(Condition::fails(ConditionType::NetworkReady, Reason::NotReady, verdict.error().cloned().unwrap_or_default()))
        }
    };
    match condition {
        Some(condition) => draft.status_mut().conditions.put(condition, now),
        None if draft.status().conditions.condition(&ConditionType::NetworkReady).is_some() => {
            draft.status_mut().conditions.take(&ConditionType::NetworkReady);
        }
        None => {}
    }
    result
}

/// `fast`: whether fast deploy makes the VM, for which datastores are looked for too.
fn placed(cx: &mut Cx<'_>, draft: &mut VmDraft, needs: &mut prerequisites::Needs, fast: bool) -> Flow<place::Decision> {
    let found = needs.find_policies(cx, draft).and_then(|()| place::decide(cx, draft, needs, fast));
    let (condition, result) = match found {
        Err(Stop::Suspended) => return Err(Stop::Suspended),
        Ok(decision) => match place::mismatch(cx, draft, &decision) {
            None => (Condition::holds(ConditionType::PlacementReady), Ok(decision)),
            Some((message, error)) => {
                let condition = Condition::fails(ConditionType::PlacementReady, Reason::ZoneMismatch, message);
                (condition, Err(Stop::End(Verdict::terminal(error))))
            }
        },
        Err(Stop::End(verdict)) => {
            let error = verdict.error().cloned().unwrap_or_default();
            (Condition::fails(ConditionType::PlacementReady, Reason::NotReady, error), Err(Stop::End(verdict)))
        }
    };
    let now = cx.now();
    draft.status_mut().conditions.put(condition, now);
    if let Ok(decision) = &result {
        place::keep(draft, decision, fast);
    }
    result
}
