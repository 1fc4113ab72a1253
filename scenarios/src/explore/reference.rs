//! Naive models of what users may rely on: each a few lines that anybody can check against the seed page, none of them fast, complete or
//! clever. State-machine tests hold the twin and the operator against them. Source: reproduce §7.

use std::collections::{BTreeMap, BTreeSet};

/// A power state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It runs.
    On,
    /// It is off.
    Off,
    /// It is suspended.
    Suspended,
}

impl State {
    /// The API's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "PoweredOn",
            Self::Off => "PoweredOff",
            Self::Suspended => "Suspended",
        }
    }
}

/// Power states of VMs with cooperative guests and room enough, all modes `Hard`. Source: seed "Power States", "Transitions".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Power {
    vms: BTreeMap<String, State>,
}

impl Power {
    /// A VM is made; whether that is allowed.
    pub fn create(&mut self, vm: &str, state: State) -> bool {
        let allowed = state != State::Suspended && !self.vms.contains_key(vm);
        if allowed {
            self.vms.insert(vm.to_owned(), state);
        }
        allowed
    }

    /// Another state is asked for; whether that is allowed: all are but for suspending what is off.
    pub fn ask(&mut self, vm: &str, to: State) -> bool {
        let Some(state) = self.vms.get_mut(vm) else { return false };
        let allowed = !(*state == State::Off && to == State::Suspended);
        if allowed {
            *state = to;
        }
        allowed
    }

    /// The VM goes.
    pub fn delete(&mut self, vm: &str) {
        self.vms.remove(vm);
    }

    /// The states when all is at rest.
    #[must_use]
    pub fn at_rest(&self) -> &BTreeMap<String, State> {
        &self.vms
    }
}

/// A group and its VMs: the last word counts. Source: seed "Power State Management"; decisions (joiners take the group's state).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    state: Option<State>,
    members: BTreeSet<String>,
    vms: BTreeMap<String, State>,
}

impl Group {
    /// A VM that isn't a member.
    pub fn create(&mut self, vm: &str, state: State) {
        self.vms.insert(vm.to_owned(), state);
    }

    /// The group's state is set: it is every member's. Setting it to what it is changes nothing.
    pub fn set(&mut self, state: State) {
        if self.state.replace(state) != Some(state) {
            for member in &self.members {
                self.vms.insert(member.clone(), state);
            }
        }
    }

    /// A VM joins: it takes the group's state, if the group has one.
    pub fn join(&mut self, vm: &str) {
        if self.members.insert(vm.to_owned())
            && let Some(state) = self.state
        {
            self.vms.insert(vm.to_owned(), state);
        }
    }

    /// A VM leaves, and stays as it is.
    pub fn leave(&mut self, vm: &str) {
        self.members.remove(vm);
    }

    /// Its members.
    #[must_use]
    pub fn members(&self) -> &BTreeSet<String> {
        &self.members
    }

    /// The states of all VMs when all is at rest.
    #[must_use]
    pub fn at_rest(&self) -> &BTreeMap<String, State> {
        &self.vms
    }
}

/// A storage quota in GiB: what was granted counts until it is deleted. Source: seed "Storage Quota"; crypto-storage §7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    limit: u64,
    taken: BTreeMap<String, u64>,
}

impl Quota {
    /// One with nothing taken.
    #[must_use]
    pub fn of(limit: u64) -> Self {
        Self { limit, taken: BTreeMap::new() }
    }

    /// Something of this size is asked for; whether it is granted.
    pub fn ask(&mut self, what: &str, size: u64) -> bool {
        let granted = !self.taken.contains_key(what) && self.sum() + size <= self.limit;
        if granted {
            self.taken.insert(what.to_owned(), size);
        }
        granted
    }

    /// It goes.
    pub fn give_back(&mut self, what: &str) {
        self.taken.remove(what);
    }

    /// What is taken in all.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.taken.values().sum()
    }

    /// What there is.
    pub fn there(&self) -> impl Iterator<Item = &str> {
        self.taken.keys().map(String::as_str)
    }
}

/// Hosts of one size for VMs of one size: as many run as there are places, and who waits gets the place that is given up.
/// Source: seed "Working with VMs"; placement-groups §10.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    places: usize,
    vms: BTreeSet<String>,
}

impl Room {
    /// So many hosts with so many places each.
    #[must_use]
    pub fn of(hosts: usize, on_each: usize) -> Self {
        Self { places: hosts * on_each, vms: BTreeSet::new() }
    }

    /// A VM that shall run.
    pub fn create(&mut self, vm: &str) {
        self.vms.insert(vm.to_owned());
    }

    /// It goes.
    pub fn delete(&mut self, vm: &str) {
        self.vms.remove(vm);
    }

    /// How many run when all is at rest.
    #[must_use]
    pub fn running(&self) -> usize {
        self.vms.len().min(self.places)
    }

    /// The VMs.
    pub fn there(&self) -> impl Iterator<Item = &str> {
        self.vms.iter().map(String::as_str)
    }
}
