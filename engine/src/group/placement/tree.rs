//! The walk through a root's tree: which VMs take part in the placement, and what the others' entries say. A child group is
//! descended into where it is listed, so the children's VMs come before their parent's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{GroupMemberStatus, MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Conditions, ObjectKey, Reason, Resource};

use crate::affinity;
use crate::draft::Draft;
use crate::features::Feature;
use crate::group::tally::says_where;
use crate::groups::{Listed, Listing, key_of};
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

/// Whether every VM of the tree has its place, as far as the statuses tell. Then there is nothing to walk for; a status that is behind its
/// group's spec or VMs is brought up by its own group's pass, and that wakes the root.
pub(super) fn is_placed(cx: &mut Cx<'_>, root: &Draft<VirtualMachineGroup>) -> bool {
    let tally = super::super::tally(cx, root);
    let linked = |entry: &GroupMemberStatus| entry.conditions.is_true(&ConditionType::GroupLinked);
    let members = &root.status().members;
    if !tally.all_placed() || members.len() != cx.listing(root.base()).members().len() || tally.unlinked().next().is_some() {
        return false;
    }
    let mut below: Vec<ObjectKey> =
        tally.groups().map(|place| key_of(root.namespace(), members[place].kind, &members[place].name)).collect();
    let mut met = BTreeSet::from([root.base().key.clone()]);
    while let Some(key) = below.pop() {
        let Some(group) = cx.get(&key).filter(|_| met.insert(key)) else { return false };
        let listing = cx.listing(&group);
        let Some(view) = group.view::<VirtualMachineGroup>().filter(|view| view.status.members.len() == listing.members().len()) else {
            return false;
        };
        for (listed, entry) in listing.members().iter().zip(&view.status.members) {
            let placed = listed.kind == MemberKind::VirtualMachineGroup || says_where(entry);
            if !(is_of(listed, entry) && placed && linked(entry)) {
                return false;
            }
            if listed.kind == MemberKind::VirtualMachineGroup {
                below.push(listed.key.clone());
            }
        }
    }
    true
}

/// Walks the tree. An error holds everything back.
pub(super) fn walk(cx: &mut Cx<'_>, root: &mut Draft<VirtualMachineGroup>) -> Result<Tree, String> {
    let mut tree = Tree::default();
    let mut met = BTreeSet::from([root.name().clone()]);
    // Trees may be deep: the way down is a list of its own.
    let mut way = vec![Branch { group: None, listing: cx.listing(root.base()), next: 0, own: Vec::new() }];
    while let Some(branch) = way.last_mut() {
        let group = branch.group.as_mut().unwrap_or(root);
        let Some(listed) = branch.listing.members().get(branch.next) else {
            let Branch { group, own, .. } = way.pop().expect("it was just looked at");
            let nth = group.is_some().then_some(tree.children.len());
            tree.children.extend(group);
            tree.wanted.extend(own.into_iter().map(|(entry, vm)| Wanted { group: nth, entry, vm }));
            continue;
        };
        let place = place_of(group, listed, branch.next);
        branch.next += 1;
        match listed.kind {
            MemberKind::VirtualMachine => {
                let place = place.ok_or_else(|| format!("VM {:?} is not in group member status", listed.key.name))?;
                let vm = vm_to_place(cx, group, place)?;
                branch.own.extend(vm.map(|vm| (place, vm)));
            }
            MemberKind::VirtualMachineGroup => {
                let child = child(cx, group, listed, place)?;
                if !met.insert(child.name().clone()) {
                    return Err(format!("VM Group {:?} is met twice below one root", child.name()));
                }
                way.push(Branch { listing: cx.listing(child.base()), group: Some(child), next: 0, own: Vec::new() });
            }
        }
    }
    Ok(tree)
}

/// A group on the way down.
struct Branch {
    /// The group; none is the root.
    group: Option<Draft<VirtualMachineGroup>>,
    listing: Arc<Listing>,
    /// The next member to look at.
    next: usize,
    /// The group's VMs that want a place, each with the place of its entry.
    own: Vec<(usize, Known<VirtualMachine>)>,
}

fn is_of(listed: &Listed, entry: &GroupMemberStatus) -> bool {
    listed.kind == entry.kind && *listed.key.name == *entry.name
}

/// Where a member's entry is: where the spec has it, unless the status is behind.
fn place_of(group: &Draft<VirtualMachineGroup>, listed: &Listed, place: usize) -> Option<usize> {
    let entries = &group.status().members;
    let there = entries.get(place).is_some_and(|entry| is_of(listed, entry));
    if there { Some(place) } else { entries.iter().position(|entry| is_of(listed, entry)) }
}

/// The entry at this place, which was found in the group's status before.
pub(super) fn entry_of(group: &mut Draft<VirtualMachineGroup>, place: usize) -> &mut GroupMemberStatus {
    group.status_mut().members.get_mut(place).expect("the place was found in this list")
}

fn child(
    cx: &mut Cx<'_>,
    group: &Draft<VirtualMachineGroup>,
    listed: &Listed,
    place: Option<usize>,
) -> Result<Draft<VirtualMachineGroup>, String> {
    let (name, entry) = (&listed.key.name, place.map(|place| &group.status().members[place]));
    if !entry.is_some_and(|entry| entry.conditions.is_true(&ConditionType::GroupLinked)) {
        return Err(format!("VM Group {name:?} is not linked for parent group {:?}", group.name()));
    }
    let missing = || format!("failed to get group member VM Group {name:?}: {}", not_found(VirtualMachineGroup::KIND, name));
    cx.get(&listed.key).and_then(Draft::<VirtualMachineGroup>::of).ok_or_else(missing)
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
    let entry = entry_of(group, place);
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
