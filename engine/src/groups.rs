//! What the operator knows of groups besides their objects: where each lists whom, and which of them form a ring. It is kept with the
//! cache, so that a pass finds one member, or the way up, without a walk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::kube::object::Body;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{MemberKind, VirtualMachineGroup, VirtualMachineGroupSpec};
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::Span;

/// All members of a group, in boot order.
#[derive(Debug)]
pub(crate) struct Listing {
    /// What it was read from.
    spec: Arc<dyn Body>,
    members: Vec<Listed>,
    places: BTreeMap<ObjectKey, usize>,
}

/// A member as its group lists it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// What it is.
    pub(crate) kind: MemberKind,
    /// Which object.
    pub(crate) key: ObjectKey,
    /// All power-on delays up to and with its boot group's.
    pub(crate) delay: Span,
}

/// The object that a group of this namespace means by a kind and a name.
pub(crate) fn key_of(namespace: &Arc<str>, kind: MemberKind, name: &str) -> ObjectKey {
    match kind {
        MemberKind::VirtualMachine => ObjectKey::of::<VirtualMachine>(namespace.clone(), name),
        MemberKind::VirtualMachineGroup => ObjectKey::of::<VirtualMachineGroup>(namespace.clone(), name),
    }
}

impl Listing {
    /// Reads a group's list.
    fn of(group: &Object, spec: &VirtualMachineGroupSpec) -> Self {
        let mut members = Vec::new();
        let mut delay = Span::ZERO;
        for boot_group in &spec.boot_order {
            delay =
                if crate::planted::is("delays-not-summed") { Span::ZERO } else { delay } + boot_group.power_on_delay.unwrap_or_default();
            for member in &boot_group.members {
                let kind = member.kind.unwrap_or_default();
                members.push(Listed { kind, key: key_of(&group.key.namespace, kind, &member.name), delay });
            }
        }
        // Who is listed twice stands where the first mention is.
        let places = members.iter().enumerate().rev().map(|(place, member)| (member.key.clone(), place)).collect();
        Self { spec: group.spec.clone(), members, places }
    }

    /// The members in boot order; a place in this list is the place in the status.
    pub(crate) fn members(&self) -> &[Listed] {
        &self.members
    }

    /// Where a member stands.
    pub(crate) fn place(&self, member: &ObjectKey) -> Option<usize> {
        self.places.get(member).copied()
    }
}

/// What is kept of all groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    listings: BTreeMap<ObjectKey, Arc<Listing>>,
    parents: BTreeMap<ObjectKey, ObjectKey>,
    in_rings: BTreeSet<ObjectKey>,
}

impl Groups {
    /// Takes a changed object in.
    pub(crate) fn apply(&mut self, key: &ObjectKey, after: Option<&Object>) {
        let Some(group) = after.and_then(Object::view::<VirtualMachineGroup>) else {
            if self.listings.remove(key).is_some() {
                self.hang(key, None);
            }
            return;
        };
        if self.listings.get(key).is_some_and(|listing| Arc::ptr_eq(&listing.spec, &group.object.spec)) {
            return;
        }
        self.listings.insert(key.clone(), Arc::new(Listing::of(group.object, group.spec)));
        let parent = group.spec.group_name.as_str();
        self.hang(key, (!parent.is_empty()).then(|| ObjectKey::of::<VirtualMachineGroup>(key.namespace.clone(), parent)));
    }

    /// Hangs a group below another one. A change of this one way up can open the ring that it was part of, and close one other.
    fn hang(&mut self, key: &ObjectKey, parent: Option<ObjectKey>) {
        if self.parents.get(key) == parent.as_ref() {
            return;
        }
        if self.in_rings.contains(key) {
            for member in self.ring(key) {
                self.in_rings.remove(&member);
            }
        }
        match parent {
            Some(parent) => self.parents.insert(key.clone(), parent),
            None => self.parents.remove(key),
        };
        self.in_rings.extend(self.ring(key));
    }

    /// The ring that this group is part of; nothing if the way up ends elsewhere.
    fn ring(&self, key: &ObjectKey) -> BTreeSet<ObjectKey> {
        let mut way = BTreeSet::from([key.clone()]);
        let mut at = key;
        while let Some(parent) = self.parents.get(at) {
            if parent == key {
                return way;
            }
            if !way.insert(parent.clone()) {
                break;
            }
            at = parent;
        }
        BTreeSet::new()
    }

    /// Whether any groups form a ring.
    pub(crate) fn any_ring(&self) -> bool {
        !self.in_rings.is_empty()
    }

    /// A group's list, read again if this isn't the version that was seen last.
    pub(crate) fn listing(&self, group: &Object) -> Option<Arc<Listing>> {
        let view = group.view::<VirtualMachineGroup>()?;
        let known = self.listings.get(&group.key).filter(|listing| Arc::ptr_eq(&listing.spec, &group.spec));
        Some(known.cloned().unwrap_or_else(|| Arc::new(Listing::of(group, view.spec))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroupStatus;

    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::of::<VirtualMachineGroup>("ns", name)
    }

    fn group(name: &str, parent: &str, boot_order: serde_json::Value) -> Object {
        let spec = serde_json::from_value(json!({"groupName": parent, "bootOrder": boot_order})).expect("a group's spec");
        let mut object = Object::new::<VirtualMachineGroup>(Default::default(), spec, VirtualMachineGroupStatus::default());
        object.key = key(name);
        object
    }

    fn hang(groups: &mut Groups, name: &str, parent: &str) {
        groups.apply(&key(name), Some(&group(name, parent, json!([]))));
    }

    fn in_rings(groups: &Groups) -> Vec<&str> {
        groups.in_rings.iter().map(|key| &*key.name).collect()
    }

    #[test]
    fn a_ring_is_known_as_long_as_it_is_closed() {
        let mut groups = Groups::default();
        for (name, parent) in [("a", "b"), ("b", "c"), ("below", "a"), ("x", "y")] {
            hang(&mut groups, name, parent);
        }
        assert!(!groups.any_ring());
        hang(&mut groups, "c", "a");
        assert_eq!(in_rings(&groups), ["a", "b", "c"], "who hangs below a ring is no part of it");
        hang(&mut groups, "b", "a");
        assert_eq!(in_rings(&groups), ["a", "b"], "one is opened and another closed at once");
        groups.apply(&key("a"), None);
        assert!(!groups.any_ring());
        hang(&mut groups, "a", "a");
        assert_eq!(in_rings(&groups), ["a"]);
    }

    #[test]
    fn a_list_tells_place_and_delay_of_each_member() {
        let boot_order = json!([
            {"members": [{"name": "a"}, {"kind": "VirtualMachineGroup", "name": "a"}], "powerOnDelay": "10s"},
            {"members": [{"name": "b"}], "powerOnDelay": "5s"},
        ]);
        let group = group("g", "", boot_order);
        let listing = Groups::default().listing(&group).expect("it is a group");
        assert_eq!(listing.place(&ObjectKey::of::<VirtualMachine>("ns", "b")), Some(2));
        assert_eq!(listing.place(&key("a")), Some(1));
        assert_eq!(listing.place(&key("b")), None, "a VM of that name is listed, not a group");
        assert_eq!(listing.members().iter().map(|member| member.delay.to_string()).collect::<Vec<_>>(), ["10s", "10s", "15s"]);
    }
}
