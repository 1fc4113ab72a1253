//! Nothing is admitted that the quota has no room for. Source: seed "Storage Quota"; crypto-storage §7.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::Value;
use vmtwin_model::kube::cluster_virtual_machine_image::ClusterVirtualMachineImage;
use vmtwin_model::kube::storage_policy_quota::StoragePolicyQuota;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::virtual_machine_image::{VirtualMachineImage, VirtualMachineImageStatus};
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::units::{Bytes, MiB, bytes_of};

use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record, Source};

pub(super) const RULE: Invariant = Invariant {
    name: "quota-respected",
    guards: "seed: Storage Quota; crypto-storage §7",
    holds: "at each admitted VM and claim: what it needs is at most the limit less what is taken",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    let (Event::Write, Source::User, Data::Change(change)) = (record.event, record.source, &record.data) else { return };
    let (None, Some(after)) = (change.before.as_ref(), change.after.as_deref()) else { return };
    let Some((class, needs)) = needed(view, after) else { return };
    let Some(policy) = policy(view, class) else { return };
    let namespace = &*after.key.namespace;
    let quotas = view.objects::<StoragePolicyQuota>();
    let quotas = quotas.filter(|quota| *quota.object.key.namespace == *namespace && quota.spec.storage_policy_id == policy);
    let Some(limit) = quotas.filter_map(|quota| bytes_of(quota.spec.limit.as_ref()?).ok()).min() else { return };
    if needs == Bytes::ZERO {
        return;
    }
    out.premise();
    let others: Bytes = taken(view, namespace, &policy, &after.key);
    if needs + others > limit {
        let observed = format!("{needs} with {others} taken");
        out.violated(&[&after.key], format!("admitted though the quota of {class} has no room"), format!("at most {limit}"), observed);
    }
}

/// What a new object needs, and of which storage class.
fn needed<'a>(view: &View<'_>, object: &'a Object) -> Option<(&'a str, Bytes)> {
    if let Some(vm) = object.view::<VirtualMachine>() {
        let image = image(view, object)?;
        if image.type_ == "ISO" {
            return None;
        }
        let disks: Bytes = image.disks.iter().filter_map(|disk| disk.limit).sum();
        return Some((&vm.spec.storage_class, disks + swap(view, object)));
    }
    let claim = object.view::<PersistentVolumeClaim>()?;
    let size = claim.spec.resources.as_ref()?.requests.as_ref()?.get("storage")?;
    Some((claim.spec.storage_class_name.as_deref()?, bytes_of(size).ok()?))
}

fn image<'a>(view: &View<'a>, object: &Object) -> Option<&'a VirtualMachineImageStatus> {
    let image = object.view::<VirtualMachine>()?.spec.image.as_ref()?;
    let namespaced = ObjectKey::of::<VirtualMachineImage>(object.key.namespace.clone(), image.name.as_str());
    let of_cluster = ObjectKey::of::<ClusterVirtualMachineImage>("", image.name.as_str());
    if image.kind == "VirtualMachineImage" {
        return view.object(&namespaced)?.view::<VirtualMachineImage>().map(|image| image.status);
    }
    view.object(&of_cluster)?.view::<ClusterVirtualMachineImage>().map(|image| image.status)
}

/// Room for swapping what the class's configSpec reserves in part.
fn swap(view: &View<'_>, object: &Object) -> Bytes {
    let number = |config: &Value, path: &str| config.pointer(path).and_then(Value::as_i64);
    let class = object.view::<VirtualMachine>().map(|vm| vm.spec.class_name.as_str()).unwrap_or_default();
    let class = view.object(&ObjectKey::of::<VirtualMachineClass>(object.key.namespace.clone(), class));
    let config = class.and_then(|class| class.view::<VirtualMachineClass>()?.spec.config_spec.as_ref());
    let Some((config, reserved)) = config.and_then(|config| Some((config, number(config, "/memoryAllocation/reservation")?))) else {
        return Bytes::ZERO;
    };
    let memory = number(config, "/memoryMB").unwrap_or_default();
    if memory > reserved { (MiB(memory) - MiB(reserved)).to_bytes() } else { Bytes::ZERO }
}

fn policy(view: &View<'_>, class: &str) -> Option<String> {
    let class = view.object(&ObjectKey::of::<StorageClass>("", class))?.view::<StorageClass>()?;
    class.spec.parameters.as_ref()?.get("storagePolicyID").cloned()
}

/// What VMs and claims take: a VM that reports its storage that, another one what it was asked for; a claim its size.
fn taken(view: &View<'_>, namespace: &str, of_policy: &str, but: &ObjectKey) -> Bytes {
    let counts = |object: &Object| *object.key.namespace == *namespace && !object.is_deleting() && object.key != *but;
    let mut sum = Bytes::ZERO;
    for vm in view.objects::<VirtualMachine>().filter(|vm| counts(vm.object)) {
        if policy(view, &vm.spec.storage_class).as_deref() == Some(of_policy) {
            let reported = vm.status.storage.as_ref().and_then(|storage| storage.total);
            sum += reported.or_else(|| Some(needed(view, vm.object)?.1)).unwrap_or_default();
        }
    }
    for claim in view.objects::<PersistentVolumeClaim>().filter(|claim| counts(claim.object)) {
        if let Some((class, size)) = needed(view, claim.object)
            && policy(view, class).as_deref() == Some(of_policy)
        {
            sum += size;
        }
    }
    sum
}
