//! What must be there before a VM can be made: class, image, bootstrap data, storage. Source: vm-lifecycle §6.1-2.
//!
//! All are looked at even if an earlier one fails, so that each has its condition; the errors are joined.

use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use vmtwin_model::kube::cluster_virtual_machine_image::ClusterVirtualMachineImage;
use vmtwin_model::kube::virtual_machine_class::{VirtualMachineClass, VirtualMachineClassSpec};
use vmtwin_model::kube::virtual_machine_image::{VirtualMachineImage, VirtualMachineImageStatus};
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Conditions, Kind, Reason, Resource};

use crate::pass::{Cx, Flow, Known};
use crate::placement::set_policy;
use crate::policy::workload::{self, Applied, Stage};
use crate::verdict::Verdict;
use crate::vm::create::spec;
use crate::vm::{VmDraft, secrets};

/// What a VM is made of.
#[derive(Clone, Debug)]
pub(crate) struct Needs {
    /// The class.
    pub(crate) class: Known<VirtualMachineClass>,
    /// What is known of the image.
    pub(crate) image: VirtualMachineImageStatus,
    /// The storage policy's id.
    pub(crate) storage_policy: Arc<str>,
    /// The set resource policy, if the VM names one.
    pub(crate) set_policy: Option<set_policy::Policy>,
    /// The compute policies that apply, once they are known.
    pub(crate) applied: Option<Applied>,
}

impl Needs {
    /// Finds out which compute policies apply to a VM that isn't made yet.
    pub(crate) fn find_policies(&mut self, cx: &mut Cx<'_>, draft: &VmDraft) -> Flow<()> {
        let guest_id = spec::guest_of(draft, self)?;
        self.applied = workload::applied(cx, draft, &guest_id, Stage::New)?;
        Ok(())
    }

    /// The class's spec.
    pub(crate) fn class(&self) -> &VirtualMachineClassSpec {
        self.class.spec()
    }
}

/// A prerequisite that is missing.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    pub(crate) reason: Reason,
    pub(crate) message: Arc<str>,
}

impl Missing {
    pub(crate) fn new(reason: Reason, message: impl Into<Arc<str>>) -> Self {
        Self { reason, message: message.into() }
    }
}

pub(super) fn check(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Flow<Needs> {
    let class = find_class(cx, draft);
    let class = note(cx, draft, ConditionType::ClassReady, class, |_| "".into());
    let image = find_image(cx, draft);
    let since = cx.now().to_second();
    let image = note(cx, draft, ConditionType::ImageReady, image, |_| format!("VirtualMachineImage was ready at {since}").into());
    let bootstrap = check_bootstrap(cx, draft);
    let set_policy = match find_set_policy(cx, draft) {
        Some(found) => note(cx, draft, ConditionType::ResourcePolicyReady, found, |_| "".into()).map(Some),
        None => {
            if draft.status().conditions.condition(&ConditionType::ResourcePolicyReady).is_some() {
                draft.status_mut().conditions.take(&ConditionType::ResourcePolicyReady);
            }
            Ok(None)
        }
    };
    let storage = find_storage(cx, draft);
    let storage = note(cx, draft, ConditionType::StorageReady, storage, |_| "".into());
    match (class, image, set_policy, bootstrap, storage) {
        (Ok(class), Ok(image), Ok(set_policy), Ok(()), Ok(storage_policy)) => {
            Ok(Needs { class, image, storage_policy, set_policy, applied: None })
        }
        (class, image, set_policy, bootstrap, storage) => {
            let errors = [class.err(), image.err(), set_policy.err(), bootstrap.err(), storage.err()];
            let errors: Vec<Arc<str>> = errors.into_iter().flatten().collect();
            Err(Verdict::failed(errors.join("\n")).into())
        }
    }
}

/// What the place of a VM is looked for with: class, image, set resource policy and storage, without a word in the VM's conditions. The errors are joined.
pub(crate) fn for_placement(cx: &mut Cx<'_>, draft: &VmDraft) -> Result<Needs, String> {
    let set_policy = find_set_policy(cx, draft).transpose();
    match (find_class(cx, draft), find_image(cx, draft), set_policy, find_storage(cx, draft)) {
        (Ok(class), Ok(image), Ok(set_policy), Ok(storage_policy)) => Ok(Needs { class, image, storage_policy, set_policy, applied: None }),
        (class, image, set_policy, storage) => {
            let errors = [class.err(), image.err(), set_policy.err(), storage.err()].into_iter().flatten();
            Err(errors.map(|missing| missing.message.to_string()).collect::<Vec<_>>().join("\n"))
        }
    }
}

/// Puts the outcome of one look-up into its condition, and keeps the error's text alone.
fn note<T>(
    cx: &Cx<'_>,
    draft: &mut VmDraft,
    type_: ConditionType,
    found: Result<T, Missing>,
    message: impl FnOnce(&T) -> Arc<str>,
) -> Result<T, Arc<str>> {
    let now = cx.now();
    match found {
        Ok(value) => {
            if !draft.status().conditions.is_true(&type_) {
                let condition = Condition::new(type_, ConditionStatus::True, Reason::True, message(&value));
                draft.status_mut().conditions.put(condition, now);
            }
            Ok(value)
        }
        Err(Missing { reason, message }) => {
            draft.status_mut().conditions.put(Condition::fails(type_, reason, message.clone()), now);
            Err(message)
        }
    }
}

/// Kubernetes' text for an object that isn't there.
pub(crate) fn not_found(kind: Kind, name: &str) -> String {
    let info = kind.info();
    let group = if info.group.is_empty() { String::new() } else { format!(".{}", info.group) };
    format!("{}{group} {name:?} not found", info.plural)
}

fn find_class(cx: &mut Cx<'_>, draft: &VmDraft) -> Result<Known<VirtualMachineClass>, Missing> {
    let name = draft.spec().class_name.clone();
    if name.is_empty() {
        return Err(Missing::new(Reason::Invalid, "spec.className is empty: a VM without a class can't be created"));
    }
    let found = cx.find::<VirtualMachineClass>(&draft.namespace().clone(), &name);
    found.ok_or_else(|| Missing::new(Reason::NotFound, not_found(VirtualMachineClass::KIND, &name)))
}

fn find_image(cx: &mut Cx<'_>, draft: &VmDraft) -> Result<VirtualMachineImageStatus, Missing> {
    let Some(image) = draft.spec().image.clone() else {
        return Err(Missing::new(Reason::NotSet, "spec.image is not set"));
    };
    let namespace = draft.namespace().clone();
    let own = |cx: &mut Cx<'_>| {
        let found = cx.find::<VirtualMachineImage>(&namespace, &image.name)?;
        Some((found.spec().provider_ref.clone(), found.status().clone()))
    };
    let shared = |cx: &mut Cx<'_>| {
        let found = cx.find::<ClusterVirtualMachineImage>("", &image.name)?;
        Some((found.spec().provider_ref.clone(), found.status().clone()))
    };
    let missing = |text: String| Missing::new(Reason::NotFound, text);
    let (provider, status) = match image.kind.as_str() {
        "VirtualMachineImage" => own(cx).ok_or_else(|| missing(not_found(VirtualMachineImage::KIND, &image.name)))?,
        "ClusterVirtualMachineImage" => shared(cx).ok_or_else(|| missing(not_found(ClusterVirtualMachineImage::KIND, &image.name)))?,
        "" => own(cx)
            .or_else(|| shared(cx))
            .ok_or_else(|| missing(format!("no VM image exists for {:?} in namespace or cluster scope", image.name)))?,
        other => return Err(Missing::new(Reason::UnknownKind, other)),
    };
    match status.conditions.condition(&ConditionType::Ready) {
        Some(ready) if ready.status == ConditionStatus::True => {}
        Some(ready) if ready.status == ConditionStatus::False => return Err(Missing::new(ready.reason.clone(), ready.message.clone())),
        _ => return Err(Missing::new(Reason::NotReady, "VirtualMachineImage is not ready")),
    }
    match provider.map(|provider| provider.kind).as_deref() {
        None | Some("" | "ContentLibraryItem" | "ClusterContentLibraryItem") => Ok(status),
        Some(other) => Err(Missing::new(Reason::NotSupported, format!("unsupported image provider kind: {other}"))),
    }
}

/// The set resource policy; nothing where none is named.
fn find_set_policy(cx: &mut Cx<'_>, draft: &VmDraft) -> Option<Result<set_policy::Policy, Missing>> {
    Some(set_policy::find(cx, draft)?.map_err(|(reason, message)| Missing::new(reason, message)))
}

/// The secrets that the bootstrap providers name; without a bootstrap there is no condition.
pub(crate) fn check_bootstrap(cx: &mut Cx<'_>, draft: &mut VmDraft) -> Result<(), Arc<str>> {
    const TYPE: ConditionType = ConditionType::BootstrapReady;
    let Some(bootstrap) = draft.spec().bootstrap.clone() else {
        if draft.status().conditions.condition(&TYPE).is_some() {
            draft.status_mut().conditions.take(&TYPE);
        }
        return Ok(());
    };
    let found = secrets::check(cx, draft, &bootstrap);
    note(cx, draft, TYPE, found, |()| "".into())
}

fn find_storage(cx: &mut Cx<'_>, draft: &VmDraft) -> Result<Arc<str>, Missing> {
    let name = draft.spec().storage_class.clone();
    if name.is_empty() {
        return Err(Missing::new(Reason::StorageClassRequired, "StorageClass is required but not specified"));
    }
    let of_claims = classes_of_claims(cx, draft)?;
    let own = policy_of(cx, &name)?;
    for class in of_claims.iter().filter(|class| **class != name) {
        policy_of(cx, class)?;
    }
    Ok(own)
}

/// The storage classes of the claims that the VM names, each of which must be there; claims of instance storage are made later, and say theirs.
fn classes_of_claims(cx: &mut Cx<'_>, draft: &VmDraft) -> Result<Vec<String>, Missing> {
    let namespace = draft.namespace().clone();
    let claims = draft.spec().volumes.iter().filter_map(|volume| volume.persistent_volume_claim.clone());
    let mut classes = Vec::new();
    for claim in claims {
        let class = match claim.instance_volume_claim {
            Some(instance) => Some(instance.storage_class),
            None => {
                let found = cx.find::<PersistentVolumeClaim>(&namespace, &claim.claim_name);
                let missing = || Missing::new(Reason::NotFound, not_found(PersistentVolumeClaim::KIND, &claim.claim_name));
                found.ok_or_else(missing)?.spec().storage_class_name.clone()
            }
        };
        classes.extend(class.filter(|class| !class.is_empty() && !classes.contains(class)));
    }
    Ok(classes)
}

/// The id of a storage class's policy.
fn policy_of(cx: &mut Cx<'_>, name: &str) -> Result<Arc<str>, Missing> {
    let class = cx.find::<StorageClass>("", name).ok_or_else(|| Missing::new(Reason::NotFound, not_found(StorageClass::KIND, name)))?;
    let policy = class.spec().parameters.as_ref().and_then(|parameters| parameters.get("storagePolicyID"));
    let text = || Missing::new(Reason::Invalid, format!("StorageClass {name:?} does not have \"storagePolicyID\" parameter"));
    policy.map(|id| id.as_str().into()).ok_or_else(text)
}
