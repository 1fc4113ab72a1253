//! The walk through a root's tree: which VMs take part in the placement, and what the others' entries say. A child group is
//! descended into where it is listed, so the children's VMs come before their parent's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{GroupMemberStatus, MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Conditions, ObjectKey, Reason, Resource};

use crate::affinity;
use crate::draft::Draft;
use crate::features::Feature;
use crate::pass::{Cx, Known};
use crate::vm::create::prerequisites::not_found;

/// A root's tree, without the root itself.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The groups below, to be written.
    pub(super) children: Vec<Draft<VirtualMachineGroup>>,
    /// The VMs that want a place, in the order of the request.
    pub(super) wanted: Vec<Wanted>,
}

/// A VM that wants a place.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its group among the children; none is the root.
    pub(super) group: Option<usize>,
    /// The place of its entry in the group's status.
    pub(super) entry: usize,
    /// The VM.
    pub(super) vm: Known<VirtualMachine>,
}

/// Walks the tree. An error holds everything back.
pub(super) fn walk(cx: &mut Cx<'_>, root: &mut Draft<VirtualMachineGroup>) -> Result<Tree, String> {
    let mut walk = Walk { tree: Tree::default(), met: BTreeSet::from([root.name().clone()]) };
    let own = walk.gather(cx, root)?;
    walk.tree.wanted.extend(own.into_iter().map(|(entry, vm)| Wanted { group: None, entry, vm }));
    Ok(walk.tree)
}

struct Walk {
    tree: Tree,
    met: BTreeSet<Arc<str>>,
}

impl Walk {
    /// The VMs of this group that want a place, each with the place of its entry; those of the groups below are noted on the way.
    fn gather(&mut self, cx: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>) -> Result<Vec<(usize, Known<VirtualMachine>)>, String> {
        let base = group.base().clone();
        let spec = base.view::<VirtualMachineGroup>().expect("a draft of a group has a group's spec").spec;
        let entries = group.status().members.iter().enumerate();
        let places: BTreeMap<(MemberKind, String), usize> =
            entries.map(|(place, entry)| ((entry.kind, entry.name.clone()), place)).collect();
        let mut own = Vec::new();
        for member in spec.boot_order.iter().flat_map(|boot_group| &boot_group.members) {
            let kind = member.kind.unwrap_or_default();
            let place = places.get(&(kind, member.name.clone())).copied();
            match kind {
                MemberKind::VirtualMachineGroup => self.descend(cx, group, &member.name, place)?,
                MemberKind::VirtualMachine => {
                    let place = place.ok_or_else(|| format!("VM {:?} is not in group member status", member.name))?;
                    own.extend(vm_to_place(cx, group, place)?.map(|vm| (place, vm)));
                }
            }
        }
        Ok(own)
    }

    fn descend(&mut self, cx: &mut Cx<'_>, group: &Draft<VirtualMachineGroup>, name: &str, place: Option<usize>) -> Result<(), String> {
        let entry = place.map(|place| &group.status().members[place]);
        if !entry.is_some_and(|entry| entry.conditions.is_true(&ConditionType::GroupLinked)) {
            return Err(format!("VM Group {name:?} is not linked for parent group {:?}", group.name()));
        }
        let key = ObjectKey::of::<VirtualMachineGroup>(group.namespace().clone(), name);
        let missing = || format!("failed to get group member VM Group {name:?}: {}", not_found(VirtualMachineGroup::KIND, name));
        let mut child = cx.get(&key).and_then(Draft::<VirtualMachineGroup>::of).ok_or_else(missing)?;
        if !self.met.insert(child.name().clone()) {
            return Err(format!("VM Group {name:?} is met twice below one root"));
        }
        let own = self.gather(cx, &mut child)?;
        let group = Some(self.tree.children.len());
        self.tree.children.push(child);
        self.tree.wanted.extend(own.into_iter().map(|(entry, vm)| Wanted { group, entry, vm }));
        Ok(())
    }
}

/// The VM of this entry, if it wants a place; otherwise the entry says why not.
fn vm_to_place(cx: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>, place: usize) -> Result<Option<Known<VirtualMachine>>, String> {
    let checked = linked_vm(cx, group, &group.status().members[place]);
    let condition = match &checked {
        Err(error) => Condition::fails(ConditionType::MemberPlacementReady, Reason::Error, error.as_str()),
        Ok(vm) => match standing(cx, vm, &group.status().members[place]) {
            Standing::Wants => return Ok(Some(vm.clone())),
            Standing::Placed | Standing::GoesByItself => return Ok(None),
            Standing::Exists => {
                let zone = vm.status().zone.as_str();
                Condition::new(ConditionType::MemberPlacementReady, ConditionStatus::True, Reason::AlreadyPlaced, zone)
            }
        },
    };
    let entry = &mut group.status_mut().members[place];
    if let Ok(vm) = &checked {
        vm.object.uid().clone_into(&mut entry.uid);
    }
    entry.conditions.put(condition, cx.now());
    checked.map(|_| None)
}

fn linked_vm(cx: &mut Cx<'_>, group: &Draft<VirtualMachineGroup>, entry: &GroupMemberStatus) -> Result<Known<VirtualMachine>, String> {
    let (name, group_name) = (&entry.name, group.name());
    if !entry.conditions.is_true(&ConditionType::GroupLinked) {
        return Err(format!("VM {name:?} is not linked for group {group_name:?}"));
    }
    let missing = || format!("failed to get group member VM {name:?}: {}", not_found(VirtualMachine::KIND, name));
    let vm = cx.find::<VirtualMachine>(group.namespace(), name).ok_or_else(missing)?;
    let named = &vm.spec().group_name;
    if *named != **group_name {
        return Err(format!("VM {name:?} is assigned to group {named:?} instead of expected {group_name:?}"));
    }
    Ok(vm)
}

/// How a linked VM stands to the placement of its group.
enum Standing {
    /// It has a place.
    Placed,
    /// It exists, wherever it is.
    Exists,
    /// It goes to the zone that its label names.
    GoesByItself,
    /// It takes part.
    Wants,
}

fn standing(cx: &Cx<'_>, vm: &Known<VirtualMachine>, entry: &GroupMemberStatus) -> Standing {
    let by_label = affinity::zone_label(&vm.object.meta).is_some()
        && (!cx.settings.features.on(Feature::VMAffinityDuringExecution) || affinity::is_kubernetes_node(&vm.object.meta));
    // What was there before is told anew: its zone may not have been known yet.
    let told = entry.conditions.condition(&ConditionType::MemberPlacementReady);
    let placed = told.is_some_and(|told| told.status == ConditionStatus::True && told.reason != Reason::AlreadyPlaced);
    if entry.uid == vm.object.uid() && placed {
        Standing::Placed
    } else if !vm.status().unique_id.is_empty() {
        Standing::Exists
    } else if by_label {
        Standing::GoesByItself
    } else {
        Standing::Wants
    }
}
