//! Drawing by a profile: one run's chance, value after value.

use std::collections::BTreeMap;

use vmtwin_model::rng::{Draw, Rng};

use crate::format::profile::{Profile, Setting};

/// One run's chance. Every part of a run has dice of its own, so that what one part draws moves nothing in another.
#[derive(Debug)]
pub(super) struct Dice<'p> {
    profile: &'p Profile,
    draw: Draw,
}

impl<'p> Dice<'p> {
    /// The dice of one part of run `run`.
    pub(super) fn of(profile: &'p Profile, seed: u64, run: u64, part: &str) -> Self {
        Self { profile, draw: Rng::new(seed).draw("explore", (&profile.name, run, part)) }
    }

    /// A number from the first up to the last.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        if high <= low { low } else { low + self.draw.below((high - low).saturating_add(1)) }
    }

    /// True so often in a hundred.
    pub(super) fn happens(&mut self, percent: u64) -> bool {
        self.draw.below(100) < percent
    }

    /// One of these.
    pub(super) fn one<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(usize::try_from(self.draw.below(of.len() as u64)).unwrap_or_default()) }
    }

    /// One of these by weight; nothing if there is no weight at all.
    pub(super) fn weighted<'a>(&mut self, weights: impl Iterator<Item = (&'a str, u64)> + Clone) -> Option<&'a str> {
        let sum: u64 = weights.clone().map(|(_, weight)| weight).sum();
        let mut at = if sum == 0 { return None } else { self.draw.below(sum) };
        for (name, weight) in weights {
            if at < weight {
                return Some(name);
            }
            at -= weight;
        }
        None
    }

    /// A number of a field.
    pub(super) fn number(&mut self, field: &str) -> u64 {
        match self.profile.setting(field) {
            Setting::Range(low, high) => self.between(*low, *high),
            Setting::Weights(_) => self.name(field).parse().unwrap_or_default(),
        }
    }

    /// A span of a field, in whole seconds; its text for a field of spans by weight.
    pub(super) fn seconds(&mut self, field: &str) -> u64 {
        const SECOND: u64 = 1_000_000_000;
        match self.profile.setting(field) {
            Setting::Range(low, high) => self.between(*low / SECOND, *high / SECOND),
            Setting::Weights(_) => {
                let text = self.name(field);
                let span: vmtwin_model::time::Span = text.parse().unwrap_or_default();
                u64::try_from(span.as_nanos()).unwrap_or_default() / SECOND
            }
        }
    }

    /// A name of a field of weights.
    pub(super) fn name(&mut self, field: &str) -> &'p str {
        let profile = self.profile;
        let Setting::Weights(weights) = profile.setting(field) else { return "" };
        self.weighted(weights.iter().map(|(name, weight)| (name.as_str(), *weight))).unwrap_or_default()
    }

    /// Whether the chance of a field comes up.
    pub(super) fn chance(&mut self, field: &str) -> bool {
        let percent = self.number(field);
        self.happens(percent)
    }

    /// The names of a field with the weights of this run: some left out, the others drawn anew, so that rare pairs meet.
    pub(super) fn swarm(&mut self, field: &str, whole: bool) -> BTreeMap<&'p str, u64> {
        let profile = self.profile;
        let Setting::Weights(weights) = profile.setting(field) else { return BTreeMap::new() };
        let omit = self.number("swarm.omit");
        let mut drawn = BTreeMap::new();
        for (name, weight) in weights.iter().filter(|(_, weight)| *weight > 0) {
            let left_out = !whole && self.happens(omit);
            let weight = if whole { *weight } else { self.between(1, weight.saturating_mul(2)) };
            if !left_out {
                drawn.insert(name.as_str(), weight);
            }
        }
        drawn
    }

    /// The gates that are on in this run; what this version doesn't have yet stays off.
    pub(super) fn gates(&mut self) -> Vec<&'p str> {
        let profile = self.profile;
        let Setting::Weights(gates) = profile.setting("features") else { return Vec::new() };
        gates.iter().filter(|(name, share)| self.happens(*share) && is_supported(name)).map(|(name, _)| name.as_str()).collect()
    }
}

fn is_supported(name: &str) -> bool {
    vmtwin_engine::features::GATES.iter().any(|gate| gate.name == name && gate.supported)
}
