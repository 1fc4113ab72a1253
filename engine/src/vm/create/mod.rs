//! Bringing a VM into being: prerequisites, interfaces, the create spec, a place, and the deploy in the background.
//!
//! Source: vm-lifecycle §6. Everything up to the deploy happens inside the pass; the deploy runs beside, and its end writes the
//! status in a pass of its own (`deploy::finish`).

pub(super) mod deploy;
mod fast_deploy;
pub(crate) mod interfaces;
mod place;
pub(crate) mod prerequisites;
pub(crate) mod spec;

use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};

use super::{CREATE_UNDER_WAY, VmDraft, notice, unsupported};
use crate::pass::{Cx, Flow, Stop};
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
    if let Some(refusal) = unsupported::refusal(draft.spec()) {
        return Err(Verdict::terminal(refusal).into());
    }
    let needs = prerequisites::check(cx, draft)?;
    let interfaces = create_interfaces(cx, draft)?;
    refuse_templates(cx, draft, &needs)?;
    let mode = fast_deploy::mode(cx, draft, &needs);
    let place = placed(cx, draft, &needs, place::Wants { datastore: mode.is_some() })?;
    let mut config = spec::build(cx, draft, &needs, &interfaces, &place)?;
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

fn placed(cx: &mut Cx<'_>, draft: &mut VmDraft, needs: &prerequisites::Needs, wants: place::Wants) -> Flow<place::Place> {
    let result = place::decide(cx, draft, needs, wants);
    let now = cx.now();
    let condition = match &result {
        Err(Stop::Suspended) => return result,
        Ok(_) => Condition::holds(ConditionType::PlacementReady),
        Err(Stop::End(verdict)) => {
            Condition::fails(ConditionType::PlacementReady, Reason::NotReady, verdict.error().cloned().unwrap_or_default())
        }
    };
    draft.status_mut().conditions.put(condition, now);
    result
}
