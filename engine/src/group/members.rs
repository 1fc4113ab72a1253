//! Step 4: links the members that name this group, and hands its power state down to them. The status lists exactly the spec's
//! members, in boot order.
//!
//! All that a member is given, the owner reference and the power state, goes into one write, and the writes of all members leave
//! together. Mirrors: vm-operator `virtualmachinegroup_controller.go`, `reconcileMembers`.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::kube::api::{self, ErrorReason, Write};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_group::{GroupMember, GroupMemberStatus, MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Object, ObjectKey, Reason, Resource};
use vmtwin_model::time::Span;

use super::owner;
use super::power::{self, Member, Order};
use crate::draft::Draft;
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

pub(super) fn reconcile(cx: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>) -> Flow<()> {
    let order = power::order(cx, group)?;
    let mut former: BTreeMap<(MemberKind, String), GroupMemberStatus> =
        group.status().members.iter().map(|entry| ((entry.kind, entry.name.clone()), entry.clone())).collect();
    let mut walk = Walk {
        group: group.base().clone(),
        order: order.as_ref(),
        entries: Vec::new(),
        writes: Writes::default(),
        errors: Errors::default(),
    };
    let mut delay = Span::ZERO;
    for boot_group in &group.spec().boot_order {
        delay += order.as_ref().map_or(Span::ZERO, |order| order.delay(boot_group.power_on_delay));
        for member in &boot_group.members {
            let entry = former.remove(&(member.kind.unwrap_or_default(), member.name.clone())).unwrap_or_else(|| new_entry(member));
            walk.member(cx, entry, delay);
        }
    }
    for (kind, name) in former.into_keys() {
        walk.leaver(cx, kind, &name);
    }
    let Walk { entries, writes, errors, .. } = walk;
    let (entries, errors) = writes.send(cx, entries, errors)?;
    group.status_mut().members = entries;
    match (errors.into_verdict(), &order) {
        (Some(verdict), _) => return Err(verdict.into()),
        (None, Some(order)) => power::close(group, order),
        (None, None) => {}
    }
    Ok(())
}

fn new_entry(member: &GroupMember) -> GroupMemberStatus {
    GroupMemberStatus { kind: member.kind.unwrap_or_default(), name: member.name.clone(), ..GroupMemberStatus::default() }
}

struct Walk<'a> {
    group: Arc<Object>,
    order: Option<&'a Order>,
    entries: Vec<GroupMemberStatus>,
    writes: Writes,
    errors: Errors,
}

impl Walk<'_> {
    fn member(&mut self, cx: &mut Cx<'_>, entry: GroupMemberStatus, delay: Span) {
        match entry.kind {
            MemberKind::VirtualMachine => self.link::<VirtualMachine>(cx, entry, delay),
            MemberKind::VirtualMachineGroup => self.link::<VirtualMachineGroup>(cx, entry, delay),
        }
    }

    fn link<M: Member>(&mut self, cx: &mut Cx<'_>, mut entry: GroupMemberStatus, delay: Span) {
        let quoted = format!("{:?}", format!("{}/{}", entry.kind, entry.name));
        let key = ObjectKey::of::<M>(self.group.key.namespace.clone(), entry.name.as_str());
        let mut member = match cx.get(&key).and_then(Draft::<M>::of) {
            None => return self.unlink(cx, entry, Reason::NotFound, format!("member {quoted} not found")),
            Some(member) => member,
        };
        match M::group_name(member.spec()) {
            name if *name == *self.group.key.name => {}
            "" => return self.unlink(cx, entry, Reason::NotMember, format!("member {quoted} has no group name")),
            other => {
                let message = format!("member {quoted} has different group name: {other:?}");
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
