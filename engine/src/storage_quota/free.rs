//! How much of a storage policy is free in a namespace: its quota, less what is taken.
//!
//! Page: admission §20.4 (QU-31, QU-32), crypto-storage §7.3.

use vmtwin_model::kube::storage_policy_quota::{QuotaUsage, StoragePolicyQuota};
use vmtwin_model::kube::storage_policy_usage::StoragePolicyUsage;
use vmtwin_model::kube::storage_quota::StorageQuota;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;
use vmtwin_model::kube::{Object, Resource, View};
use vmtwin_model::units::{Bytes, bytes_of};

use super::{Granted, Objects, asked, claim};

/// What is free of a policy; nothing if there is no limit.
pub(super) fn of(objects: &dyn Objects, granted: &Granted, namespace: &str, policy: &str) -> Option<Bytes> {
    let of_policy = limit(objects, namespace, policy).map(|limit| limit - taken(objects, granted, namespace, policy));
    [of_policy, of_namespace(objects, granted, namespace)].into_iter().flatten().min()
}

/// The lowest limit of a policy.
fn limit(objects: &dyn Objects, namespace: &str, policy: &str) -> Option<Bytes> {
    let own =
        quotas(objects, namespace).filter(|quota| quota.spec.storage_policy_id == policy).filter_map(|quota| quota.spec.limit.as_ref());
    let levels = views::<StorageQuota>(objects, namespace).filter_map(|quota| quota.spec.storage_policy_level_limits.get(policy));
    // A limit that can't be read is the schema's to refuse.
    own.chain(levels).filter_map(|limit| bytes_of(limit).ok()).min()
}

/// What is free of the namespace as a whole; nothing if there is no limit.
fn of_namespace(objects: &dyn Objects, granted: &Granted, namespace: &str) -> Option<Bytes> {
    let limits = views::<StorageQuota>(objects, namespace).filter_map(|quota| bytes_of(quota.spec.limit.as_ref()?).ok());
    let limit = limits.min()?;
    let policies: std::collections::BTreeSet<&str> = quotas(objects, namespace)
        .map(|quota| quota.spec.storage_policy_id.as_str())
        .chain(views::<StoragePolicyUsage>(objects, namespace).map(|usage| usage.spec.storage_policy_id.as_str()))
        .chain(granted.policies(namespace))
        .collect();
    Some(limit - policies.into_iter().map(|policy| taken(objects, granted, namespace, policy)).sum())
}

/// What is taken of a policy: as it is reported, and what was granted and isn't reported yet.
///
/// Where usages are reported kind by kind, VMs, snapshots and claims are counted twice, by the report and by looking at them, and the
/// higher count stands: a report that is behind can't give anything away. Where totals alone are there, who makes them is unknown;
/// what was granted comes on top.
fn taken(objects: &dyn Objects, granted: &Granted, namespace: &str, policy: &str) -> Bytes {
    let mut usages = views::<StoragePolicyUsage>(objects, namespace).filter(|usage| usage.spec.storage_policy_id == policy).peekable();
    if usages.peek().is_none() {
        let totals =
            quotas(objects, namespace).filter(|quota| quota.spec.storage_policy_id == policy).flat_map(|quota| &quota.status.total);
        let reported = totals.map(|total| amount(total.sc_quota_usage.as_ref())).sum::<Bytes>();
        return reported + granted.of_policy(objects, namespace, policy);
    }
    let (mut vms, mut snapshots, mut claims, mut others) = (Bytes::ZERO, Bytes::ZERO, Bytes::ZERO, Bytes::ZERO);
    for usage in usages {
        let sum = match usage.spec.resource_kind.as_str() {
            "VirtualMachine" => &mut vms,
            "VirtualMachineSnapshot" => &mut snapshots,
            "PersistentVolumeClaim" => &mut claims,
            _ => &mut others,
        };
        *sum += amount(usage.status.quota_usage.as_ref());
    }
    let counted_vms = views::<VirtualMachine>(objects, namespace)
        .filter(|vm| !vm.object.is_deleting() && asked::policy(objects, &vm.spec.storage_class).is_ok_and(|id| id == policy))
        .map(|vm| granted.of_vm(objects, vm))
        .filter(|_| !crate::planted::is("quota-forgets-granted"))
        .sum();
    let counted_snapshots = views::<VirtualMachineSnapshot>(objects, namespace)
        .filter(|snapshot| !snapshot.object.is_deleting())
        .map(|snapshot| granted.of_snapshot(snapshot.object, policy))
        .sum();
    let counted_claims = claim::taken(objects, namespace, policy);
    others + vms.at_least(counted_vms) + snapshots.at_least(counted_snapshots) + claims.at_least(counted_claims)
}

fn amount(usage: Option<&QuotaUsage>) -> Bytes {
    usage.map_or(Bytes::ZERO, |usage| usage.used.unwrap_or_default() + usage.reserved.unwrap_or_default())
}

fn quotas<'a>(objects: &'a dyn Objects, namespace: &'a str) -> impl Iterator<Item = View<'a, StoragePolicyQuota>> {
    views(objects, namespace)
}

fn views<'a, K: Resource>(objects: &'a dyn Objects, namespace: &'a str) -> impl Iterator<Item = View<'a, K>> {
    objects.list(K::KIND, namespace).filter_map(|object| Object::view::<K>(object))
}
