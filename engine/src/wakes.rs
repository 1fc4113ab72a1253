//! Who is woken by what. Source: vm-lifecycle §2.1, placement-groups §6.3.

use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use vmtwin_model::kube::compute_policy::ComputePolicy;
use vmtwin_model::kube::encryption_class::EncryptionClass;
use vmtwin_model::kube::network_interface::NetworkInterface;
use vmtwin_model::kube::policy_evaluation::PolicyEvaluation;
use vmtwin_model::kube::subnet_port::SubnetPort;
use vmtwin_model::kube::tag_policy::TagPolicy;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::virtual_machine_group::{GroupMemberStatus, GroupPlacementStatus, MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::virtual_machine_image_cache::VirtualMachineImageCache;
use vmtwin_model::kube::virtual_machine_set_resource_policy::VirtualMachineSetResourcePolicy;
use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;
use vmtwin_model::kube::virtual_network_interface::VirtualNetworkInterface;
use vmtwin_model::kube::{ConditionType, Conditions, Kind, Object, ObjectKey, Resource, View};
use vmtwin_model::time::Span;

use crate::cache::Cache;
use crate::features::Feature;
use crate::groups::{self, Listed};
use crate::queue::{Controller, Key};
use crate::settings::Settings;
use crate::vm::{keys, probe};
use crate::{snapshot, storage_usage, volumes};

/// Wake-ups of a group by its members come due so much later, so that a hundred of them make one pass.
const GROUP_COALESCES: Span = Span::from_millis(100);

/// A key to be woken, and how long the wake-up may wait for others.
pub(crate) type Woken = (Key, Span);

/// The objects that this one names: those by whose change it is woken, besides its own. Where interfaces may change, an interface object names
/// its VM, which then finds those that it has no use for any more.
pub(crate) fn references(object: &Object, settings: &Settings) -> Vec<ObjectKey> {
    let namespace = &object.key.namespace;
    if volumes::watches(object.key.kind) {
        return owning_vm(object).into_iter().collect();
    }
    if let Some(vm) = snapshot::vm_of(object) {
        return vec![vm];
    }
    let Some(vm) = object.view::<VirtualMachine>() else {
        let is_interface = matches!(object.key.kind, SubnetPort::KIND | VirtualNetworkInterface::KIND | NetworkInterface::KIND);
        return if is_interface && settings.features.on(Feature::MutableNetworks) {
            owning_vm(object).into_iter().collect()
        } else {
            Vec::new()
        };
    };
    let mut references = Vec::new();
    if !vm.spec.class_name.is_empty() {
        references.push(ObjectKey::of::<VirtualMachineClass>(namespace.clone(), vm.spec.class_name.as_str()));
    }
    if let Some(cache) = object.meta.labels.as_ref().and_then(|labels| labels.get(keys::IMAGE_CACHE)).filter(|cache| !cache.is_empty()) {
        references.push(ObjectKey::of::<VirtualMachineImageCache>(settings.pod_namespace.clone(), cache.as_str()));
    }
    for claim in vm.spec.volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref()) {
        references.push(ObjectKey::of::<PersistentVolumeClaim>(namespace.clone(), claim.claim_name.as_str()));
    }
    if let Some(crypto) = vm.spec.crypto.as_ref().filter(|crypto| !crypto.encryption_class_name.is_empty()) {
        references.push(ObjectKey::of::<EncryptionClass>(namespace.clone(), crypto.encryption_class_name.as_str()));
    }
    if let Some(reserved) = vm.spec.reserved.as_ref().filter(|reserved| !reserved.resource_policy_name.is_empty()) {
        references.push(ObjectKey::of::<VirtualMachineSetResourcePolicy>(namespace.clone(), reserved.resource_policy_name.as_str()));
    }
    references
}

/// Who is woken by an object's change.
pub(crate) fn woken(cache: &Cache, key: &ObjectKey, before: Option<&Object>, after: Option<&Object>) -> Vec<Woken> {
    let mut woken = Vec::new();
    let is_idle = storage_usage::is_answered(key.kind, before, after);
    if let Some(controller) = controller_of(key.kind).filter(|_| !is_idle) {
        woken.push((Key { controller, object: key.clone() }, Span::ZERO));
    }
    if key.kind == VirtualMachine::KIND && probe::concerns(before, after) {
        woken.push((Key { controller: Controller::Probe, object: key.clone() }, Span::ZERO));
    }
    for object in [before, after].into_iter().flatten() {
        woken.extend(groups_of(object));
        woken.extend(owner_of(object));
    }
    if let Some(group) = after.and_then(Object::view::<VirtualMachineGroup>) {
        woken.extend(waiting_members(cache, before, group));
    }
    for vm in [before, after].into_iter().flatten().filter_map(Object::view::<VirtualMachine>) {
        woken.extend(volumes::concerns(vm).then(|| (Key { controller: Controller::Volumes, object: key.clone() }, Span::ZERO)));
    }
    if matches!(key.kind, ComputePolicy::KIND | TagPolicy::KIND) {
        woken.extend(evaluations(cache, &key.namespace));
    }
    if let Some(evaluation) = after.filter(|object| object.key.kind == PolicyEvaluation::KIND) {
        woken.extend(group_of_workload(cache, evaluation));
    }
    // A claim tells the volume controller something; the VM's own looks when that has told of it in the VM's status.
    let to = |kind: Kind| if key.kind == PersistentVolumeClaim::KIND { Some(Controller::Volumes) } else { controller_of(kind) };
    // Of what happens to its VM a snapshot hears little; each of them would look at vSphere.
    let hears = |referrer: &&ObjectKey| referrer.kind != VirtualMachineSnapshot::KIND || snapshot::concerns(before, after);
    woken.extend(
        cache
            .referrers(key)
            .filter(hears)
            .filter_map(|referrer| Some((Key { controller: to(referrer.kind)?, object: referrer.clone() }, Span::ZERO))),
    );
    if key.kind == PersistentVolumeClaim::KIND && before.is_none() {
        woken.extend(waiting_for_claim(cache, key));
    }
    woken.dedup();
    woken
}

/// The VMs that name a new claim and aren't made yet: they can't be before it is there.
fn waiting_for_claim(cache: &Cache, claim: &ObjectKey) -> Vec<Woken> {
    let waits = |key: &&ObjectKey| cache.view::<VirtualMachine>(&key.namespace, &key.name).is_some_and(|vm| vm.status.unique_id.is_empty());
    let vms = cache.referrers(claim).filter(|key| key.kind == VirtualMachine::KIND).filter(waits);
    vms.map(|key| (Key { controller: Controller::Vm, object: key.clone() }, Span::ZERO)).collect()
}

/// The controller of a kind that has one.
pub(crate) fn controller_of(kind: Kind) -> Option<Controller> {
    match kind {
        VirtualMachine::KIND => Some(Controller::Vm),
        VirtualMachineGroup::KIND => Some(Controller::Group),
        VirtualMachineSetResourcePolicy::KIND => Some(Controller::SetPolicy),
        PolicyEvaluation::KIND => Some(Controller::PolicyEvaluation),
        VirtualMachineSnapshot::KIND => Some(Controller::Snapshot),
        other => storage_usage::controller_of(other),
    }
}

/// The group that a VM or group names.
fn groups_of(object: &Object) -> Option<Woken> {
    let name = match object.view::<VirtualMachine>() {
        Some(vm) => &vm.spec.group_name,
        None => &object.view::<VirtualMachineGroup>()?.spec.group_name,
    };
    if name.is_empty() {
        return None;
    }
    let group = ObjectKey::of::<VirtualMachineGroup>(object.key.namespace.clone(), name.as_str());
    Some((Key { controller: Controller::Group, object: group }, GROUP_COALESCES))
}

/// The VM that owns an object: its interfaces, its policy evaluation, its attachments.
fn owner_of(object: &Object) -> Option<Woken> {
    let controller = if volumes::watches(object.key.kind) { Controller::Volumes } else { Controller::Vm };
    Some((Key { controller, object: owning_vm(object)? }, Span::ZERO))
}

/// The evaluations of a namespace: any of them may fall under a policy that changed.
fn evaluations(cache: &Cache, namespace: &str) -> Vec<Woken> {
    let all = cache.list(PolicyEvaluation::KIND, Some(namespace));
    all.map(|object| (Key { controller: Controller::PolicyEvaluation, object: object.key.clone() }, Span::ZERO)).collect()
}

/// The group of the VM whose evaluation this is, while the VM isn't placed.
fn group_of_workload(cache: &Cache, evaluation: &Object) -> Option<Woken> {
    let (Key { object, .. }, _) = owner_of(evaluation)?;
    let vm = cache.view::<VirtualMachine>(&object.namespace, &object.name)?;
    if vm.status.conditions.is_true(&ConditionType::PlacementReady) { None } else { groups_of(vm.object) }
}

fn owning_vm(object: &Object) -> Option<ObjectKey> {
    let owners = object.meta.owner_references.as_ref()?;
    let owner = owners.iter().find(|owner| owner.kind == VirtualMachine::KIND.info().kind)?;
    Some(ObjectKey::of::<VirtualMachine>(object.key.namespace.clone(), owner.name.as_str()))
}

/// The members of a changed group that name it, still wait to be linked or placed, and find there something else than before: they
/// weren't listed, or their entries told something else of their placement. Whoever waits isn't woken by what comes to others.
fn waiting_members(cache: &Cache, before: Option<&Object>, group: View<'_, VirtualMachineGroup>) -> Vec<Woken> {
    let before = before.and_then(Object::view::<VirtualMachineGroup>);
    let same_list = before.is_some_and(|before| Arc::ptr_eq(&before.object.spec, &group.object.spec));
    let mut keys: Vec<ObjectKey> = Vec::new();
    if let Some(listing) = cache.groups().listing(group.object).filter(|_| !same_list) {
        let known = before.and_then(|before| cache.groups().listing(before.object));
        let is_new = |listed: &&Listed| known.as_ref().is_none_or(|known| known.place(&listed.key).is_none());
        keys.extend(listing.members().iter().filter(is_new).map(|listed| listed.key.clone()));
    }
    if let Some(before) = before {
        let (earlier, members) = (&before.status.members, &group.status.members);
        let anew = members.apart(earlier).filter(|place| earlier.get(*place).map(told) != members.get(*place).map(told));
        keys.extend(
            anew.filter_map(|place| members.get(place)).map(|entry| groups::key_of(&group.object.key.namespace, entry.kind, &entry.name)),
        );
    }
    keys.retain(|key| waits(cache, group.object, key));
    keys.into_iter().filter_map(|object| Some((Key { controller: controller_of(object.kind)?, object }, Span::ZERO))).collect()
}

/// What a member reads in its entry.
fn told(entry: &GroupMemberStatus) -> (MemberKind, &str, &str, Option<&GroupPlacementStatus>, bool) {
    let placed = entry.conditions.is_true(&ConditionType::MemberPlacementReady);
    (entry.kind, &entry.name, &entry.uid, entry.placement.as_ref(), placed)
}

/// Whether a member names this group, and still waits for it.
fn waits(cache: &Cache, group: &Object, member: &ObjectKey) -> bool {
    let Some(member) = cache.get(member) else { return false };
    if let Some(vm) = member.view::<VirtualMachine>() {
        let waits = !vm.status.conditions.is_true(&ConditionType::GroupLinked) || vm.status.unique_id.is_empty();
        return waits && *vm.spec.group_name == *group.key.name;
    }
    let Some(child) = member.view::<VirtualMachineGroup>() else { return false };
    !child.status.conditions.is_true(&ConditionType::GroupLinked) && *child.spec.group_name == *group.key.name
}
