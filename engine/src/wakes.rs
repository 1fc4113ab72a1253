//! Who is woken by what. Source: vm-lifecycle §2.1, placement-groups §6.3.

use vmtwin_model::kube::compute_policy::ComputePolicy;
use vmtwin_model::kube::policy_evaluation::PolicyEvaluation;
use vmtwin_model::kube::tag_policy::TagPolicy;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::virtual_machine_set_resource_policy::VirtualMachineSetResourcePolicy;
use vmtwin_model::kube::{ConditionType, Conditions, Kind, Object, ObjectKey, Resource};
use vmtwin_model::time::Span;

use crate::cache::Cache;
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
    if let Some(reserved) = vm.spec.reserved.as_ref().filter(|reserved| !reserved.resource_policy_name.is_empty()) {
        references.push(ObjectKey::of::<VirtualMachineSetResourcePolicy>(namespace.clone(), reserved.resource_policy_name.as_str()));
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
        woken.extend(waiting_members(cache, group.object));
    }
    if matches!(key.kind, ComputePolicy::KIND | TagPolicy::KIND) {
        woken.extend(evaluations(cache, &key.namespace));
    }
    if let Some(evaluation) = after.filter(|object| object.key.kind == PolicyEvaluation::KIND) {
        woken.extend(group_of_workload(cache, evaluation));
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
        VirtualMachineSetResourcePolicy::KIND => Some(Controller::SetPolicy),
        PolicyEvaluation::KIND => Some(Controller::PolicyEvaluation),
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

/// The members of a group that name it and still wait to be linked or placed.
fn waiting_members(cache: &Cache, group: &Object) -> Vec<Woken> {
    let Some(view) = group.view::<VirtualMachineGroup>() else { return Vec::new() };
    let members = view.spec.boot_order.iter().flat_map(|boot_group| &boot_group.members);
    let keys = members.filter_map(|member| {
        let namespace = group.key.namespace.clone();
        match member.kind.unwrap_or(MemberKind::VirtualMachine) {
            MemberKind::VirtualMachine => {
                let vm = cache.view::<VirtualMachine>(&namespace, &member.name)?;
                let waits = !vm.status.conditions.is_true(&ConditionType::GroupLinked) || vm.status.unique_id.is_empty();
                (waits && *vm.spec.group_name == *group.key.name).then(|| Key { controller: Controller::Vm, object: vm.object.key.clone() })
            }
            MemberKind::VirtualMachineGroup => {
                let child = cache.view::<VirtualMachineGroup>(&namespace, &member.name)?;
                let waits = !child.status.conditions.is_true(&ConditionType::GroupLinked);
                (waits && *child.spec.group_name == *group.key.name)
                    .then(|| Key { controller: Controller::Group, object: child.object.key.clone() })
            }
        }
    });
    keys.map(|key| (key, Span::ZERO)).collect()
}
