//! Who is woken by what. Source: vm-lifecycle §2.1, placement-groups §6.3.

use std::sync::Arc;

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::virtual_machine_group::{GroupMemberStatus, GroupPlacementStatus, MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{ConditionType, Conditions, Kind, Object, ObjectKey, Resource, View};
use vmtwin_model::time::Span;

use crate::cache::Cache;
use crate::groups::{self, Listed};
use crate::queue::{Controller, Key};

/// Wake-ups of a group by its members come due so much later, so that a hundred of them make one pass.
const GROUP_COALESCES: Span = Span::from_millis(100);

/// A key to be woken, and how long the wake-up may wait for others.
pub(crate) type Woken = (Key, Span);

/// The objects by whose change this one is woken, besides its own.
pub(crate) fn references(object: &Object) -> Vec<ObjectKey> {
    let namespace = &object.key.namespace;
    let Some(vm) = object.view::<VirtualMachine>() else { return Vec::new() };
    let mut references = Vec::new();
    if !vm.spec.class_name.is_empty() {
        references.push(ObjectKey::of::<VirtualMachineClass>(namespace.clone(), vm.spec.class_name.as_str()));
    }
    references
}

/// Who is woken by an object's change.
pub(crate) fn woken(cache: &Cache, key: &ObjectKey, before: Option<&Object>, after: Option<&Object>) -> Vec<Woken> {
    let mut woken = Vec::new();
    if let Some(controller) = controller_of(key.kind) {
        woken.push((Key { controller, object: key.clone() }, Span::ZERO));
    }
    for object in [before, after].into_iter().flatten() {
        woken.extend(groups_of(object));
        woken.extend(owner_of(object));
    }
    if let Some(group) = after.and_then(Object::view::<VirtualMachineGroup>) {
        woken.extend(waiting_members(cache, before, group));
    }
    woken.extend(
        cache
            .referrers(key)
            .filter_map(|referrer| Some((Key { controller: controller_of(referrer.kind)?, object: referrer.clone() }, Span::ZERO))),
    );
    woken.dedup();
    woken
}

/// The controller of a kind that has one.
pub(crate) fn controller_of(kind: Kind) -> Option<Controller> {
    match kind {
        VirtualMachine::KIND => Some(Controller::Vm),
        VirtualMachineGroup::KIND => Some(Controller::Group),
        _ => None,
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

/// The VM that owns an object: its interfaces, its policy evaluation.
fn owner_of(object: &Object) -> Option<Woken> {
    let owners = object.meta.owner_references.as_ref()?;
    let owner = owners.iter().find(|owner| owner.kind == VirtualMachine::KIND.info().kind)?;
    let vm = ObjectKey::of::<VirtualMachine>(object.key.namespace.clone(), owner.name.as_str());
    Some((Key { controller: Controller::Vm, object: vm }, Span::ZERO))
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
