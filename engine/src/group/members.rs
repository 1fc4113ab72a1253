//! Step 4: links the members that name this group, and hands its power state down to them. The status lists exactly the spec's
//! members, in boot order.
//!
//! All that a member is given, the owner reference and the power state, goes into one write, and the writes of all members leave
//! together. Mirrors: vm-operator `virtualmachinegroup_controller.go`, `reconcileMembers`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vmtwin_model::kube::api::{self, ErrorReason, Write};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{GroupMemberStatus, MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Object, ObjectKey, Reason, Resource};
use vmtwin_model::list::List;
use vmtwin_model::time::Span;

use super::memory::Memory;
use super::owner;
use super::power::{self, Member, Order};
use crate::draft::Draft;
use crate::groups::{Listed, Listing};
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

pub(super) fn reconcile(cx: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>) -> Flow<()> {
    let order = power::order(cx, group)?;
    let listing = cx.listing(group.base());
    let Plan { mut list, places, leavers } = plan(cx, group, &listing, order.as_ref());
    let mut walk = Walk {
        group: group.base().clone(),
        order: order.as_ref(),
        entries: Vec::new(),
        writes: Writes::default(),
        errors: Errors::default(),
    };
    for place in &places {
        let listed = &listing.members()[*place];
        let delay = order.as_ref().map_or(Span::ZERO, |order| order.delay(listed.delay));
        walk.member(cx, listed, list[*place].clone(), delay);
    }
    for leaver in leavers {
        walk.leaver(cx, leaver.kind, &leaver.name);
    }
    let Walk { entries, writes, errors, .. } = walk;
    let (entries, errors) = writes.send(cx, entries, errors)?;
    for (place, entry) in places.into_iter().zip(entries) {
        if list[place] != entry {
            *list.get_mut(place).expect("each place of the plan is in the list") = entry;
        }
    }
    if crate::planted::is("leaver-kept") && group.status().members.len() > list.len() {
        list = group.status().members.clone();
    }
    if group.status().members != list {
        group.status_mut().members = list;
    }
    let error = errors.into_verdict();
    if let (None, Some(order)) = (&error, &order) {
        power::close(group, order);
    }
    if !matches!(error, Some(Verdict::Failed(_))) {
        cx.remember(Memory::of_members(group, order));
    }
    error.map_or(Ok(()), |error| Err(error.into()))
}

/// What is to be looked at.
struct Plan {
    /// The entries of all members in boot order, as they are.
    list: List<GroupMemberStatus>,
    /// The places of the members to be looked at.
    places: Vec<usize>,
    /// The entries of those that the spec doesn't list any more.
    leavers: Vec<GroupMemberStatus>,
}

/// If the last pass left the group as it is: the members that changed since then and those that aren't linked. Otherwise all.
fn plan(cx: &Cx<'_>, group: &Draft<VirtualMachineGroup>, listing: &Listing, order: Option<&Order>) -> Plan {
    let there = &group.status().members;
    if let Some(memory) = cx.group().memory.as_ref().filter(|memory| memory.fits(group, order)) {
        let stirred = cx.group().stirred.iter().filter_map(|member| listing.place(member));
        let places: BTreeSet<usize> = stirred.chain(memory.tally().unlinked()).collect();
        return Plan { list: there.clone(), places: places.into_iter().collect(), leavers: Vec::new() };
    }
    let places = (0..listing.members().len()).collect();
    let is_of = |(listed, entry): (&Listed, &GroupMemberStatus)| listed.kind == entry.kind && *listed.key.name == *entry.name;
    if there.len() == listing.members().len() && listing.members().iter().zip(there).all(is_of) {
        return Plan { list: there.clone(), places, leavers: Vec::new() };
    }
    let mut former: BTreeMap<(MemberKind, &str), &GroupMemberStatus> =
        there.iter().map(|entry| ((entry.kind, entry.name.as_str()), entry)).collect();
    let former_or_new = listing.members().iter().map(|listed| {
        let entry = former.remove(&(listed.kind, &*listed.key.name));
        entry.cloned().unwrap_or_else(|| new_entry(listed))
    });
    let list = former_or_new.collect();
    Plan { list, places, leavers: former.into_values().cloned().collect() }
}

fn new_entry(listed: &Listed) -> GroupMemberStatus {
    GroupMemberStatus { kind: listed.kind, name: listed.key.name.to_string(), ..GroupMemberStatus::default() }
}

struct Walk<'a> {
    group: Arc<Object>,
    order: Option<&'a Order>,
    entries: Vec<GroupMemberStatus>,
    writes: Writes,
    errors: Errors,
}

impl Walk<'_> {
    fn member(&mut self, cx: &mut Cx<'_>, listed: &Listed, entry: GroupMemberStatus, delay: Span) {
        match listed.kind {
            MemberKind::VirtualMachine => self.link::<VirtualMachine>(cx, listed, entry, delay),
            MemberKind::VirtualMachineGroup => self.link::<VirtualMachineGroup>(cx, listed, entry, delay),
        }
    }

    fn link<M: Member>(&mut self, cx: &mut Cx<'_>, listed: &Listed, mut entry: GroupMemberStatus, delay: Span) {
        let quoted = || format!("{:?}", format!("{}/{}", listed.kind, listed.key.name));
        let mut member = match cx.get(&listed.key).and_then(Draft::<M>::of) {
            None => return self.unlink(cx, entry, Reason::NotFound, format!("member {} not found", quoted())),
            Some(member) => member,
        };
        match M::group_name(member.spec()) {
            name if *name == *self.group.key.name => {}
            "" => return self.unlink(cx, entry, Reason::NotMember, format!("member {} has no group name", quoted())),
            other => {
                let message = format!("member {} has different group name: {other:?}", quoted());
                return self.unlink(cx, entry, Reason::NotMember, message);
            }
        }
        let uid = member.base().uid();
        if entry.uid != uid {
            // An object made anew under an old name: what was decided for the one before isn't its own.
            entry.uid = uid.to_owned();
            entry.placement = None;
            entry.conditions.take(&ConditionType::MemberPlacementReady);
        }
        let membership = owner::set(&mut member, &self.group);
        M::apply(&mut member, &mut entry, self.order, delay, membership);
        match member.into_write() {
            Some(write) => self.writes.push(write, Some(self.entries.len())),
            None => entry.conditions.put(Condition::holds(ConditionType::GroupLinked), cx.now()),
        }
        self.entries.push(entry);
    }

    /// A member that isn't there or isn't ours: nothing is known of its power, and only a change of it can mend that.
    fn unlink(&mut self, cx: &Cx<'_>, mut entry: GroupMemberStatus, reason: Reason, message: String) {
        entry.power_state = None;
        entry.conditions.take(&ConditionType::MemberPowerStateSynced);
        entry.conditions.take(&ConditionType::Ready);
        entry.conditions.put(Condition::fails(ConditionType::GroupLinked, reason, message.as_str()), cx.now());
        self.errors.final_one(message);
        self.entries.push(entry);
    }

    /// One that the spec doesn't list any more isn't owned any more.
    fn leaver(&mut self, cx: &mut Cx<'_>, kind: MemberKind, name: &str) {
        match kind {
            MemberKind::VirtualMachine => self.let_go::<VirtualMachine>(cx, name),
            MemberKind::VirtualMachineGroup => self.let_go::<VirtualMachineGroup>(cx, name),
        }
    }

    fn let_go<M: Resource>(&mut self, cx: &mut Cx<'_>, name: &str) {
        let key = ObjectKey::of::<M>(self.group.key.namespace.clone(), name);
        let Some(mut member) = cx.get(&key).and_then(Draft::<M>::of) else { return };
        owner::remove(&mut member, &self.group);
        if let Some(write) = member.into_write() {
            self.writes.push(write, None);
        }
    }
}

/// The writes of the step, each with the place of its member's entry; a leaver has none.
#[derive(Default)]
struct Writes {
    writes: Vec<Write>,
    entries: Vec<Option<usize>>,
}

impl Writes {
    fn push(&mut self, write: Write, entry: Option<usize>) {
        self.writes.push(write);
        self.entries.push(entry);
    }

    /// Sends all of them, and enters what came of each.
    fn send(self, cx: &mut Cx<'_>, mut entries: Vec<GroupMemberStatus>, mut errors: Errors) -> Flow<(Vec<GroupMemberStatus>, Errors)> {
        let keys: Vec<ObjectKey> = self.writes.iter().map(|write| write.key().clone()).collect();
        let answers = cx.write_all(self.writes)?;
        for ((key, place), answer) in keys.iter().zip(self.entries).zip(answers) {
            match (place, answer) {
                (Some(place), answer) => errors.retry(enter(cx, &mut entries[place], key, answer)),
                (None, Ok(_)) => {}
                (None, Err(error)) if error.reason == ErrorReason::NotFound => {}
                // The entry has to stay until its object is let go: nothing else remembers it.
                (None, Err(error)) => return Err(Verdict::failed(failure(key, &error)).into()),
            }
        }
        Ok((entries, errors))
    }
}

/// Enters the answer to a member's write, and gives back what went wrong.
fn enter(cx: &Cx<'_>, entry: &mut GroupMemberStatus, key: &ObjectKey, answer: api::Answer) -> Option<String> {
    match answer {
        Ok(_) => {
            entry.conditions.put(Condition::holds(ConditionType::GroupLinked), cx.now());
            None
        }
        // Decided on an old version: the next pass decides anew, and nothing is known to be wrong.
        Err(error) if error.reason == ErrorReason::Conflict => Some(failure(key, &error)),
        Err(error) => {
            let message = failure(key, &error);
            let linked = Condition::fails(ConditionType::GroupLinked, Reason::OwnerRefPatchError, error.message.as_str());
            entry.conditions.put(linked, cx.now());
            let synced = ConditionType::MemberPowerStateSynced;
            if entry.conditions.condition(&synced).is_some_and(|condition| condition.reason == Reason::Pending) {
                entry.conditions.put(Condition::fails(synced, Reason::PowerStatePatchError, error.message), cx.now());
            }
            Some(message)
        }
    }
}

fn failure(key: &ObjectKey, error: &api::ApiError) -> String {
    format!("failed to patch group member, kind={}, name={}: {error}", key.kind, key.name)
}

/// What went wrong with members. It is tried again by itself only if that can help.
#[derive(Default)]
struct Errors {
    texts: Vec<String>,
    retry: bool,
}

impl Errors {
    fn final_one(&mut self, text: String) {
        self.texts.push(text);
    }

    fn retry(&mut self, text: Option<String>) {
        self.retry |= text.is_some();
        self.texts.extend(text);
    }

    fn into_verdict(self) -> Option<Verdict> {
        match (self.texts.is_empty(), self.retry) {
            (true, _) => None,
            (false, true) => Some(Verdict::failed(self.texts.join("\n"))),
            (false, false) => Some(Verdict::terminal(self.texts.join("\n"))),
        }
    }
}
