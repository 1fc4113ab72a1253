//! What a group's list of members comes to: who isn't linked, who isn't placed, who isn't ready and why. It is a function of the list alone,
//! and follows a change of it in as many steps as members changed.

use std::sync::Arc;

use vmtwin_model::kube::condition::MESSAGE_MAX;
use vmtwin_model::kube::virtual_machine_group::{GroupMemberStatus, MemberKind};
use vmtwin_model::kube::{ConditionType, Conditions, Reason};
use vmtwin_model::list::List;

/// How many members stand in a block; each has a bit in a word.
const BLOCK: usize = 64;
/// What stands between two reasons.
const BETWEEN: &str = "; ";
/// What the word on the reasons left out takes at most.
const ROOM_FOR_REST: usize = 32;

/// The sum of a list, block by block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    list: List<GroupMemberStatus>,
    blocks: Vec<Block>,
    unready: Option<Arc<str>>,
}

/// The sum of a block. A bit is a member's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Block {
    unlinked: u64,
    unplaced: u64,
    groups: u64,
    unready: u32,
    /// Why members aren't ready, joined.
    reasons: Arc<str>,
}

impl Tally {
    /// The sum of this list, of which an earlier state may be known.
    pub(super) fn of(list: &List<GroupMemberStatus>, earlier: Option<&Self>) -> Self {
        let mut tally = earlier.cloned().unwrap_or_default();
        let mut blocks: Vec<usize> = list.apart(&tally.list).map(|place| place / BLOCK).collect();
        blocks.dedup();
        let same_length = list.len() == tally.list.len();
        tally.blocks.resize_with(list.len().div_ceil(BLOCK), Block::default);
        tally.list = list.clone();
        let mut changed = !same_length;
        for nth in blocks {
            // Of a list that became shorter, the last blocks are gone.
            if let Some(there) = tally.blocks.get_mut(nth) {
                let block = Block::of(list, nth * BLOCK);
                changed |= block != *there;
                *there = block;
            }
        }
        if changed {
            tally.unready = tally.text();
        }
        tally
    }

    /// The message; of more reasons than it holds the first ones are given, and how many are left out.
    fn text(&self) -> Option<Arc<str>> {
        let count: u32 = self.blocks.iter().map(|block| block.unready).sum();
        if count == 0 {
            return None;
        }
        let mut text = format!("{count} of {} members not ready: ", self.list.len());
        let reasons = self.blocks.iter().filter(|block| !block.reasons.is_empty()).flat_map(|block| block.reasons.split(BETWEEN));
        for (given, reason) in (0..count).zip(reasons) {
            let last = given + 1 == count;
            if text.len() + BETWEEN.len() + reason.len() + if last { 0 } else { ROOM_FOR_REST } > MESSAGE_MAX {
                text.push_str(&format!("{BETWEEN}and {} more", count - given));
                break;
            }
            if given > 0 {
                text.push_str(BETWEEN);
            }
            text.push_str(reason);
        }
        Some(text.into())
    }

    /// How many members aren't ready, and why; nothing if all are.
    pub(super) fn unready(&self) -> Option<&Arc<str>> {
        self.unready.as_ref()
    }

    /// The places of the members that aren't linked.
    pub(super) fn unlinked(&self) -> impl Iterator<Item = usize> {
        places(self.blocks.iter().map(|block| block.unlinked))
    }

    /// Whether every VM among the members has a place.
    pub(super) fn all_placed(&self) -> bool {
        self.blocks.iter().all(|block| block.unplaced == 0)
    }

    /// The places of the members that are groups.
    pub(super) fn groups(&self) -> impl Iterator<Item = usize> {
        places(self.blocks.iter().map(|block| block.groups))
    }
}

impl Block {
    fn of(list: &List<GroupMemberStatus>, first: usize) -> Self {
        let mut block = Self::default();
        let mut reasons = String::new();
        let members = (first..first + BLOCK).map_while(|place| list.get(place));
        for (bit, member) in members.enumerate() {
            let mark = |condition: bool| u64::from(condition) << bit;
            let is_vm = member.kind == MemberKind::VirtualMachine;
            block.unlinked |= mark(!member.conditions.is_true(&ConditionType::GroupLinked));
            block.unplaced |= mark(is_vm && !says_where(member));
            block.groups |= mark(!is_vm);
            if let Some(reason) = unready(member) {
                if block.unready > 0 {
                    reasons.push_str(BETWEEN);
                }
                reasons.push_str(&reason);
                block.unready += 1;
            }
        }
        block.reasons = reasons.into();
        block
    }
}

/// Whether an entry says where its VM is. One that was made before its VM's zone was known doesn't, and is told anew.
pub(super) fn says_where(entry: &GroupMemberStatus) -> bool {
    let told = entry.conditions.condition(&ConditionType::MemberPlacementReady);
    told.is_some_and(|told| told.is_true() && (told.reason != Reason::AlreadyPlaced || !told.message.is_empty()))
}

/// The places that have their bit set.
fn places(words: impl Iterator<Item = u64>) -> impl Iterator<Item = usize> {
    words
        .enumerate()
        .filter(|(_, word)| *word != 0)
        .flat_map(|(nth, word)| (0..BLOCK).filter(move |bit| word >> bit & 1 == 1).map(move |bit| nth * BLOCK + bit))
}

/// The first thing that keeps a member from being ready: one of the conditions that it must have, then any other.
fn unready(member: &GroupMemberStatus) -> Option<String> {
    let needed = match member.kind {
        MemberKind::VirtualMachine => [ConditionType::GroupLinked, ConditionType::MemberPlacementReady],
        MemberKind::VirtualMachineGroup => [ConditionType::GroupLinked, ConditionType::Ready],
    };
    let (kind, name) = (member.kind, &member.name);
    let needs = needed.iter().map(|type_| (type_, member.conditions.condition(type_)));
    let rest = member.conditions.iter().map(|condition| (&condition.type_, Some(condition)));
    needs.chain(rest).find_map(|(type_, condition)| match condition {
        None => Some(format!("{kind}/{name} missing condition {type_}")),
        Some(condition) if !condition.is_true() => Some(format!("{kind}/{name} condition {type_} is {}", condition.status)),
        Some(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use vmtwin_model::kube::{Condition, Reason};

    use super::*;

    fn member(name: &str, conditions: Vec<Condition>) -> GroupMemberStatus {
        GroupMemberStatus { name: name.to_owned(), conditions, ..GroupMemberStatus::default() }
    }

    fn good() -> Vec<Condition> {
        vec![Condition::holds(ConditionType::GroupLinked), Condition::holds(ConditionType::MemberPlacementReady)]
    }

    #[test]
    fn each_unready_member_gives_its_first_reason() {
        let unlinked = vec![Condition::fails(ConditionType::GroupLinked, Reason::NotFound, "")];
        let mut unsynced = good();
        unsynced.push(Condition::fails(ConditionType::MemberPowerStateSynced, Reason::NotSynced, ""));
        let members =
            [member("a", good()), member("b", unlinked), member("c", good()[..1].to_vec()), member("d", unsynced), member("e", good())];
        let tally = Tally::of(&members.into_iter().collect(), None);
        assert_eq!(
            tally.unready().map(|text| &**text),
            Some(
                "3 of 5 members not ready: VirtualMachine/b condition GroupLinked is False; \
                 VirtualMachine/c missing condition PlacementReady; VirtualMachine/d condition PowerStateSynced is False"
            )
        );
        assert_eq!((tally.unlinked().collect::<Vec<_>>(), tally.all_placed()), (vec![1], false));
    }

    #[test]
    fn ten_thousand_reasons_are_cut_to_what_a_condition_holds() {
        let list: List<GroupMemberStatus> = (0..10_000).map(|n| member(&format!("vm-{n}"), Vec::new())).collect();
        let tally = Tally::of(&list, None);
        let text = tally.unready().expect("none is ready").to_string();
        assert!(text.starts_with("10000 of 10000 members not ready: VirtualMachine/vm-0 missing condition GroupLinked; "), "{text:.80}");
        assert!(text.len() <= MESSAGE_MAX && text.len() > MESSAGE_MAX - 200, "{}", text.len());
        let given = text.matches("missing").count();
        assert!(text.ends_with(&format!("; and {} more", 10_000 - given)), "{}", &text[text.len() - 40..]);
    }

    #[test]
    fn following_a_change_gives_what_reading_the_whole_list_gives() {
        let mut list: List<GroupMemberStatus> = (0..200).map(|n| member(&format!("vm-{n}"), Vec::new())).collect();
        let mut followed = Tally::of(&list, None);
        for place in [3, 63, 64, 130, 199] {
            list.get_mut(place).expect("there are two hundred").conditions = good();
            followed = Tally::of(&list, Some(&followed));
            let whole = Tally::of(&list, None);
            assert_eq!((&followed.blocks, followed.unready()), (&whole.blocks, whole.unready()));
        }
        assert!(!followed.unlinked().any(|place| place == 64) && followed.unlinked().count() == 195);
        let fewer: List<GroupMemberStatus> = list.iter().take(65).cloned().collect();
        let (followed, whole) = (Tally::of(&fewer, Some(&followed)), Tally::of(&fewer, None));
        assert_eq!((&followed.blocks, followed.unready()), (&whole.blocks, whole.unready()));
    }
}
