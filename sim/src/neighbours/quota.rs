//! The totals of a namespace's StoragePolicyQuotas: what the StoragePolicyUsages of their policies report, class by class.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Answer, ErrorReason, PatchKind, Request, Subresource, User, WatchEvent};
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::units::{Bytes, bytes_of};

use crate::agenda::Entry;
use crate::{RequestId, What, World};

const QUOTA: &str = "StoragePolicyQuota";
const USAGE: &str = "StoragePolicyUsage";
/// Many reports within so long make one total.
const COALESCES: Span = Span::from_secs(1);
const TRY_AGAIN: Span = Span::from_secs(5);

/// The quotas and usages of a namespace, by their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quotas {
    by_namespace: BTreeMap<Arc<str>, Arc<BTreeMap<ObjectKey, Arc<Object>>>>,
    /// The quotas that are looked at soon.
    due: std::collections::BTreeSet<ObjectKey>,
    asked: BTreeMap<RequestId, ObjectKey>,
}

/// Whether this neighbour looks at objects of a kind.
pub(super) fn is_ours(kind: &str) -> bool {
    matches!(kind, QUOTA | USAGE)
}

fn policy(object: &Object) -> Option<String> {
    Some(object.spec.to_value().get("storagePolicyId")?.as_str()?.to_owned())
}

fn amount(usage: &Value, part: &str) -> Bytes {
    let quantity = usage.pointer(&format!("/quotaUsage/{part}")).cloned();
    quantity.and_then(|quantity| serde_json::from_value(quantity).ok()).and_then(|quantity| bytes_of(&quantity).ok()).unwrap_or_default()
}

impl World {
    /// The API server tells of a quota or a usage.
    pub(super) fn observe_quota(&mut self, event: &WatchEvent) {
        let objects = Arc::make_mut(self.quotas.by_namespace.entry(event.key.namespace.clone()).or_default());
        let before = match &event.after {
            Some(object) => objects.insert(event.key.clone(), object.clone()),
            None => objects.remove(&event.key),
        };
        let policies: Vec<String> = [before.as_deref(), event.after.as_deref()].into_iter().flatten().filter_map(policy).collect();
        let is_quota = |key: &ObjectKey| key.kind.info().kind == QUOTA;
        let same = before
            .zip(event.after.clone())
            .is_some_and(|(before, after)| Arc::ptr_eq(&before.status, &after.status) && Arc::ptr_eq(&before.spec, &after.spec));
        if same || is_quota(&event.key) {
            return;
        }
        let due: Vec<ObjectKey> = objects
            .iter()
            .filter(|(key, object)| is_quota(key) && policy(object).is_some_and(|id| policies.contains(&id)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            if self.quotas.due.insert(key.clone()) {
                self.agenda.put(self.now + COALESCES, self.cause, Entry::Attend(key));
            }
        }
    }

    /// The totals of a quota are written anew, if they changed.
    pub(super) fn attend_quota(&mut self, key: &ObjectKey) {
        self.quotas.due.remove(key);
        let Some(objects) = self.quotas.by_namespace.get(&key.namespace) else { return };
        let Some(quota) = objects.get(key).filter(|quota| !quota.is_deleting()) else { return };
        let own = policy(quota);
        let mut totals: BTreeMap<String, (Bytes, Bytes)> = BTreeMap::new();
        for usage in objects.values().filter(|object| object.key.kind.info().kind == USAGE && policy(object) == own) {
            let class = usage.spec.to_value().get("storageClassName").and_then(Value::as_str).unwrap_or_default().to_owned();
            let status = usage.status.to_value();
            let total = totals.entry(class).or_default();
            *total = (total.0 + amount(&status, "reserved"), total.1 + amount(&status, "used"));
        }
        let total = |(class, (reserved, used)): (String, (Bytes, Bytes))| {
            let amounts = json!({"reserved": reserved.to_string(), "used": used.to_string()});
            json!({"storageClassName": class, "scQuotaUsage": amounts})
        };
        let totals = Value::from(totals.into_iter().map(total).collect::<Vec<_>>());
        if quota.status.to_value().get("total") == Some(&totals) {
            return;
        }
        let id = self.next_request();
        self.quotas.asked.insert(id, key.clone());
        let patch = json!({"status": {"total": totals}});
        let request = Request::Patch { key: key.clone(), kind: PatchKind::Merge, patch, part: Subresource::Status };
        self.push(What::Request { id, user: User::named("system:serviceaccount:kube-system:storage-quota-controller"), request });
    }

    /// The API server answers a request for totals; tells whether it was one.
    pub(super) fn quota_answered(&mut self, now: Timestamp, id: RequestId, result: &Answer) -> bool {
        let Some(key) = self.quotas.asked.remove(&id) else { return false };
        if let Err(error) = result
            && error.reason != ErrorReason::NotFound
        {
            self.agenda.put(now + TRY_AGAIN, Cause::default(), Entry::Attend(key));
        }
        true
    }
}
