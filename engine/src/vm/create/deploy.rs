//! The deploy itself, in the background, and what is written when it ended. Source: vm-lifecycle §6.1-9, -10, §6.3.

use std::sync::Arc;

use vmtwin_model::kube::reference::LocalObjectRef;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason, Resource};
use vmtwin_model::vsphere::operation::DeployLibraryItem;
use vmtwin_model::vsphere::{ConfigSpec, Operation, Reply};

use super::fast_deploy::FastDeploy;
use super::place::Place;
use super::prerequisites::Needs;
use crate::features::Feature;
use crate::pass::{Argument, Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::update::configuration::resize;
use crate::vm::{VmDraft, keys, notice, text_of};

/// Starts the deploy.
pub(super) fn start(cx: &mut Cx<'_>, draft: &mut VmDraft, needs: &Needs, place: Place, config: ConfigSpec, fast: Option<&FastDeploy>) {
    note_class(cx, draft, needs);
    let config = Arc::new(config);
    let Place { zone, pool, folder, host, .. } = place;
    let deploy = if needs.image.type_ == "ISO" || fast.is_some() {
        Operation::CreateVm { folder, config, pool, host }
    } else {
        Operation::DeployLibraryItem(DeployLibraryItem {
            item: needs.image.provider_item_id.as_str().into(),
            name: draft.name().clone(),
            resource_pool_id: pool,
            folder_id: folder,
            host_id: host,
            storage_profile_id: Some(needs.storage_policy.clone()),
            default_datastore_id: None,
            vm_config_spec: config,
        })
    };
    let before = fast.map(FastDeploy::before).unwrap_or_default();
    cx.create_in_background(Argument { before, deploy, cleanup: fast.map(FastDeploy::cleanup), zone });
}

/// The VM starts in sync with its class.
fn note_class(cx: &Cx<'_>, draft: &mut VmDraft, needs: &Needs) {
    let class = &needs.class;
    draft.status_mut().class = Some(class_reference(class.name()));
    if resize::gate_is_on(cx.settings) {
        draft.annotate(keys::LAST_RESIZED, Some(&resize::LastResized::of(class).to_string()));
    }
}

pub(crate) fn class_reference(name: &str) -> LocalObjectRef {
    let info = VirtualMachineClass::KIND.info();
    LocalObjectRef { api_version: info.api_version(), kind: info.kind.to_owned(), name: name.to_owned() }
}

/// Does what comes before, makes the VM, and takes everything back if that fails; the error is the failure's text.
fn make(cx: &mut Cx<'_>, argument: &Argument) -> Flow<Result<Reply, Arc<str>>> {
    let mut outcome = Ok(Reply::Done);
    for operation in argument.before.iter().chain([&argument.deploy]) {
        outcome = match cx.call(operation.clone())? {
            Ok(reply) => Ok(reply),
            // What an earlier attempt made is as good.
            Err(failure) if failure.is_a("FileAlreadyExists") && *operation != argument.deploy => Ok(Reply::Done),
            Err(failure) => Err(text_of(operation, &failure)),
        };
        if outcome.is_err() {
            break;
        }
    }
    if let (Err(_), Some(cleanup)) = (&outcome, &argument.cleanup) {
        // A folder that stays behind is no reason for another error.
        let _ = cx.call(cleanup.clone())?;
    }
    Ok(outcome)
}

/// The pass that stands for the background work: makes the VM, and writes how it went.
pub(crate) fn finish(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<Verdict> {
    let Some(argument) = cx.argument() else { return Ok(Verdict::Done) };
    let outcome = make(cx, &argument)?;
    let now = cx.now();
    match outcome {
        Ok(Reply::Created(vm)) => {
            let status = draft.status_mut();
            vm.as_str().clone_into(&mut status.unique_id);
            status.conditions.put(Condition::holds(ConditionType::Created), now);
            draft.set_label(keys::ZONE, Some(&argument.zone));
            notice(cx, draft, "Create", None);
            Ok(Verdict::Progress("created vm"))
        }
        Ok(other) => unreachable!("a create answered {other:?}"),
        Err(text) => {
            let error: Arc<str> = format!("deploy error: {text}").into();
            draft.status_mut().conditions.put(Condition::fails(ConditionType::Created, Reason::Error, error.clone()), now);
            if cx.settings.features.on(Feature::FastDeploy) {
                draft.status_mut().conditions.put(Condition::fails(ConditionType::PlacementReady, Reason::Error, error.clone()), now);
            }
            notice(cx, draft, "Create", Some(&error));
            Ok(Verdict::Terminal(error))
        }
    }
}
