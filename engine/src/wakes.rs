//! Who is woken by what. Source: vm-lifecycle §2.1, placement-groups §6.3.

use vmtwin_model::kube::network_interface::NetworkInterface;
use vmtwin_model::kube::subnet_port::SubnetPort;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::virtual_machine_image_cache::VirtualMachineImageCache;
use vmtwin_model::kube::virtual_network_interface::VirtualNetworkInterface;
use vmtwin_model::kube::{ConditionType, Conditions, Kind, Object, ObjectKey, Resource};
use vmtwin_model::time::Span;

use crate::cache::Cache;
use crate::features::Feature;
use crate::queue::{Controller, Key};
use crate::settings::Settings;
use crate::vm::{keys, probe};

/// Wake-ups of a group by its members come due so much later, so that a hundred of them make one pass.
const GROUP_COALESCES: Span = Span::from_millis(100);

/// A key to be woken, and how long the wake-up may wait for others.
pub(crate) type Woken = (Key, Span);

/// The objects that this one names: those by whose change it is woken, besides its own. Where interfaces may change, an interface object names
/// its VM, which then finds those that it has no use for any more.
pub(crate) fn references(object: &Object, settings: &Settings) -> Vec<ObjectKey> {
    let namespace = &object.key.namespace;
    let Some(vm) = object.view::<VirtualMachine>() else {
        let is_interface = matches!(object.key.kind, SubnetPort::KIND | VirtualNetworkInterface::KIND | NetworkInterface::KIND);
        return if is_interface && settings.features.on(Feature::MutableNetworks) {
            owner(object).into_iter().collect()
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
    references
}

/// Who is woken by an object's change.
pub(crate) fn woken(cache: &Cache, key: &ObjectKey, before: Option<&Object>, after: Option<&Object>) -> Vec<Woken> {
    let mut woken = Vec::new();
    if let Some(controller) = controller_of(key.kind) {
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
        woken.extend(waiting_members(cache, group.object));
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
    Some((Key { controller: Controller::Vm, object: owner(object)? }, Span::ZERO))
}

fn owner(object: &Object) -> Option<ObjectKey> {
    let owners = object.meta.owner_references.as_ref()?;
    let owner = owners.iter().find(|owner| owner.kind == VirtualMachine::KIND.info().kind)?;
    Some(ObjectKey::of::<VirtualMachine>(object.key.namespace.clone(), owner.name.as_str()))
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
