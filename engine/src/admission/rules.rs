//! The rules of admission as a table: what each one is about, when it holds, and what it answers.
//!
//! The lists of `admission` say in which order rules are asked, by these ids; the code of each stands in the file that its line
//! names. The table is for people: the documentation's page is made from it, and tests hold the two together.

use super::{CLAIM, RESOURCE_POLICY, SNAPSHOT, VIRTUAL_MACHINE, VIRTUAL_MACHINE_CLASS, VIRTUAL_MACHINE_GROUP};

/// A rule, as people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id, `VM-V-001`.
    pub id: &'static str,
    /// The requests that it is about: `C` create, `U` update, `D` delete.
    pub on: &'static str,
    /// The path of the field that it blames.
    pub path: &'static str,
    /// When it holds, or what it does.
    pub when: &'static str,
    /// What it answers: the kind of error, and its text.
    pub answer: &'static str,
    /// The gate on which it hangs; empty if on none.
    pub gate: &'static str,
    /// Where it comes from: `[seed]` the documentation, `[up]` upstream's code, `[seed+]` the documentation beyond upstream's code,
    /// `[choice]` neither.
    pub mark: &'static str,
}

/// Every rule, by family and number.
pub fn rules() -> impl Iterator<Item = Rule> {
    include_str!("rules.tsv").lines().skip(1).map(|line| {
        let mut cells = line.split('\t');
        let mut next = || cells.next().unwrap_or_default();
        Rule { id: next(), on: next(), path: next(), when: next(), answer: next(), gate: next(), mark: next() }
    })
}

/// The order in which the rules for one kind of request are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The kind of object.
    pub kind: &'static str,
    /// Whether these fill in or refuse, and at which request.
    pub stage: &'static str,
    /// The ids, `VM-V-001` or `VM-V-120 to VM-V-123` a place.
    pub ids: Vec<&'static str>,
}

/// The order of all lists.
#[must_use]
pub fn order() -> Vec<Order> {
    let mut all = Vec::new();
    macro_rules! of {
        ($kind:literal, $rules:expr) => {
            let lists: [(&'static str, Vec<&'static str>); 5] = [
                ("mutation, create", $rules.mutate_create.iter().map(|(ids, _)| *ids).collect()),
                ("mutation, update", $rules.mutate_update.iter().map(|(ids, _)| *ids).collect()),
                ("validation, create", $rules.validate_create.iter().map(|(ids, _)| *ids).collect()),
                ("validation, update", $rules.validate_update.iter().map(|(ids, _)| *ids).collect()),
                ("validation, delete", $rules.validate_delete.iter().map(|(ids, _)| *ids).collect()),
            ];
            all.extend(lists.into_iter().filter(|(_, ids)| !ids.is_empty()).map(|(stage, ids)| Order { kind: $kind, stage, ids }));
        };
    }
    of!("VirtualMachine", VIRTUAL_MACHINE);
    of!("VirtualMachineGroup", VIRTUAL_MACHINE_GROUP);
    of!("VirtualMachineClass", VIRTUAL_MACHINE_CLASS);
    of!("VirtualMachineSetResourcePolicy", RESOURCE_POLICY);
    of!("VirtualMachineSnapshot", SNAPSHOT);
    of!("PersistentVolumeClaim", CLAIM);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Rules that no list has: the schema's, and those that say what isn't looked at or which others hold.
    const ELSEWHERE: [&str; 8] = ["VM-V-004", "VM-V-080", "VM-V-081", "VM-V-112", "VM-V-162", "GR-M-05", "GR-V-07", "CL-V-03"];

    /// The ids of an entry, ranges written out by what the table has between their ends.
    fn spelled_out(entry: &'static str) -> Vec<&'static str> {
        let all: Vec<&str> = rules().map(|rule| rule.id).collect();
        let part = |part: &'static str| match part.split_once(" to ") {
            Some((first, last)) => all.iter().copied().filter(|id| first <= *id && (*id <= last || id.starts_with(last))).collect(),
            None => {
                all.iter().copied().filter(|id| *id == part || (id.starts_with(part) && id.len() == part.len() + 1)).collect::<Vec<_>>()
            }
        };
        entry.split(", ").flat_map(part).collect()
    }

    #[test]
    fn the_table_has_each_rule_once_and_whole() {
        let mut seen = BTreeSet::new();
        for rule in rules() {
            assert!(seen.insert(rule.id), "{} stands twice", rule.id);
            assert!(!rule.when.is_empty() && rule.mark.starts_with('['), "{rule:?}");
        }
        assert!(seen.len() > 200);
    }

    #[test]
    fn every_rule_stands_in_a_list_of_its_requests() {
        let listed: BTreeSet<(&str, char)> = order()
            .iter()
            .flat_map(|order| {
                let on = match order.stage.rsplit_once(' ').map(|(_, verb)| verb) {
                    Some("create") => 'C',
                    Some("update") => 'U',
                    _ => 'D',
                };
                order.ids.iter().flat_map(|entry| spelled_out(entry)).map(move |id| (id, on))
            })
            .collect();
        for rule in rules().filter(|rule| !rule.id.starts_with("GEN") && !rule.id.starts_with("QU")) {
            for on in rule.on.chars().filter(|on| "CUD".contains(*on)) {
                assert!(ELSEWHERE.contains(&rule.id) || listed.contains(&(rule.id, on)), "{} is in no list of {on}", rule.id);
            }
        }
    }

    #[test]
    fn every_id_of_a_list_is_a_rule() {
        for entry in order().iter().flat_map(|order| order.ids.iter().flat_map(|ids| ids.split(", "))) {
            for id in entry.split(" to ") {
                assert!(rules().any(|rule| rule.id.starts_with(id)), "{id} is no rule");
            }
        }
    }

    #[test]
    fn a_gate_that_a_rule_names_is_one() {
        for rule in rules().filter(|rule| !rule.gate.is_empty()) {
            for gate in rule.gate.split(" or ") {
                assert!(crate::features::Feature::named(gate).is_ok(), "{}: {gate}", rule.id);
            }
        }
    }
}
