//! What VMs and snapshots take of the storage policies, reported in StoragePolicyUsage objects.
//!
//! Two controllers: one makes the objects that a namespace's StoragePolicyQuotas call for, the other keeps their numbers. Upstream counts
//! all VMs of a class anew after each of their passes; here sums are kept and each change adds its difference, so that the work for one
//! VM doesn't grow with the number of others. Several changes within a second make one report.
//!
//! Source: crypto-storage §7.4. Mirrors: vm-operator `controllers/storagepolicyquota`, `controllers/storagepolicyusage`.

mod objects;
mod sums;

use std::sync::Arc;

use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::storage_policy_quota::{QuotaUsage, StoragePolicyQuota};
use vmtwin_model::kube::storage_policy_usage::StoragePolicyUsage;
use vmtwin_model::kube::{Kind, Object, ObjectKey, Resource};
use vmtwin_model::time::Span;

use crate::draft::Draft;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Stop};
use crate::queue::{Controller, Key};
use crate::verdict::Verdict;

pub(crate) use sums::{Sums, Taken, Whose};

/// Changes of what is taken come due as a report so much later, so that many make one.
pub(crate) const COALESCES: Span = Span::from_secs(1);

/// The controller of a kind, if it is one of these.
pub(crate) fn controller_of(kind: Kind) -> Option<Controller> {
    match kind {
        StoragePolicyQuota::KIND => Some(Controller::StorageQuota),
        StoragePolicyUsage::KIND => Some(Controller::StorageUsage),
        _ => None,
    }
}

/// Whether a change is none of these controllers' business: of a quota or a report its spec alone counts, the rest is their own answer.
pub(crate) fn is_answered(kind: Kind, before: Option<&Object>, after: Option<&Object>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    controller_of(kind).is_some() && before.generation == after.generation && before.is_deleting() == after.is_deleting()
}

/// The report on a class in a namespace, as a key to be woken.
pub(crate) fn report(namespace: &Arc<str>, class: &str, whose: Whose) -> Key {
    let name = format!("{class}-{}", whose.suffix());
    Key { controller: Controller::StorageUsage, object: ObjectKey::of::<StoragePolicyUsage>(namespace.clone(), name) }
}

/// A pass for a quota: makes the reports that it calls for.
pub(crate) fn run_quota(cx: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    let Some(quota) = cx.subject().and_then(Draft::<StoragePolicyQuota>::of) else { return (Ok(Verdict::Done), None) };
    if quota.base().is_deleting() {
        return (Ok(Verdict::Done), None);
    }
    (objects::ensure(cx, &quota), None)
}

/// A pass for a report: writes what is taken.
pub(crate) fn run_usage(cx: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    let Some(mut usage) = cx.subject().and_then(Draft::<StoragePolicyUsage>::of) else { return (Ok(Verdict::Done), None) };
    let result = report_taken(cx, &mut usage);
    let write = if matches!(result, Err(Stop::Suspended)) { None } else { usage.into_write() };
    (result, write)
}

#[expect(clippy::unnecessary_wraps, reason = "every pass has this shape")]
fn report_taken(cx: &Cx<'_>, usage: &mut Draft<StoragePolicyUsage>) -> Flow<Verdict> {
    let spec = usage.spec();
    let Some(whose) = sums::Whose::of(&spec.resource_extension_name, &spec.resource_kind) else { return Ok(Verdict::Done) };
    if whose == Whose::Snapshots && !cx.settings.features.on(Feature::VMSnapshots) {
        return Ok(Verdict::Done);
    }
    let Taken { reserved, used } = cx.taken(usage.namespace(), &spec.storage_class_name, whose);
    let told = QuotaUsage { reserved: Some(reserved), used: Some(used) };
    if usage.status().quota_usage.as_ref() != Some(&told) {
        usage.status_mut().quota_usage = Some(told);
    }
    Ok(Verdict::Done)
}
