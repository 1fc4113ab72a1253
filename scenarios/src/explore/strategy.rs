//! Worlds, requests, changes and faults as strategies of proptest. Source: reproduce §7.
//!
//! Counts and lists of choices shrink as proptest shrinks them; what a run makes of them is made smaller still by
//! [`Played::shrink`](super::harness::Played::shrink).

use std::ops::{Range, RangeInclusive};

use proptest::collection::{SizeRange, vec};
use proptest::prelude::any;
use proptest::strategy::{BoxedStrategy, NewTree, Strategy};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::harness::{Choice, Happenings, World};
use super::world::VMOP;
use crate::format::profile::Profile;

/// A number, or a range of numbers.
#[derive(Clone, Debug)]
pub struct Count(u32, u32);

impl From<u32> for Count {
    fn from(number: u32) -> Self {
        Self(number, number)
    }
}

impl From<RangeInclusive<u32>> for Count {
    fn from(range: RangeInclusive<u32>) -> Self {
        Self(*range.start(), *range.end())
    }
}

impl From<Range<u32>> for Count {
    fn from(range: Range<u32>) -> Self {
        Self(range.start, range.end.saturating_sub(1).max(range.start))
    }
}

fn built_in(name: &str) -> Profile {
    Profile::built_in(name).expect("the profile is built in")
}

/// Sets a field of a profile; the field is one of ours, the value may be too large for it.
fn set(profile: &mut Profile, field: &str, value: &str) {
    match profile.with(field, value) {
        Ok(changed) => *profile = changed,
        Err(wrong) => panic!("{field}: {wrong}"),
    }
}

/// Worlds as the profile `default` draws them.
#[must_use]
pub fn world() -> Worlds {
    let at_least_one = || Count(1, 2);
    Worlds { profile: built_in("default"), zones: at_least_one(), clusters: Count(1, 1), hosts: Count(1, 3), vms: Count(8, 8) }
}

/// A strategy of worlds; every method says where it differs from the profile.
#[derive(Clone, Debug)]
pub struct Worlds {
    profile: Profile,
    zones: Count,
    clusters: Count,
    hosts: Count,
    vms: Count,
}

impl Worlds {
    /// So many zones.
    #[must_use]
    pub fn zones(self, zones: impl Into<Count>) -> Self {
        Self { zones: zones.into(), ..self }
    }

    /// So many clusters in each zone.
    #[must_use]
    pub fn clusters_per_zone(self, clusters: impl Into<Count>) -> Self {
        Self { clusters: clusters.into(), ..self }
    }

    /// So many hosts in each cluster.
    #[must_use]
    pub fn hosts_per_cluster(self, hosts: impl Into<Count>) -> Self {
        Self { hosts: hosts.into(), ..self }
    }

    /// Room for so many VMs, as the profile's `world.tightness` has it.
    #[must_use]
    pub fn for_vms(self, vms: impl Into<Count>) -> Self {
        Self { vms: vms.into(), ..self }
    }

    /// Another value of a field of the profile, written as in its file: `with("world.namespaces", "1")`.
    ///
    /// # Panics
    /// If there is no such field, or the value isn't one of it.
    #[must_use]
    pub fn with(mut self, field: &str, value: &str) -> Self {
        set(&mut self.profile, field, value);
        self
    }
}

impl Strategy for Worlds {
    type Tree = <BoxedStrategy<World> as Strategy>::Tree;
    type Value = World;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let (profile, between) = (self.profile.clone(), |count: &Count| count.0..=count.1);
        let counts = (between(&self.zones), between(&self.clusters), between(&self.hosts), between(&self.vms), any::<u64>().no_shrink());
        let draw = move |(zones, clusters, hosts, vms, seed): (u32, u32, u32, u32, u64)| {
            let mut profile = profile.clone();
            set(&mut profile, "world.zones", &zones.to_string());
            set(&mut profile, "world.clustersPerZone", &clusters.to_string());
            set(&mut profile, "world.hostsPerCluster", &hosts.to_string());
            World::draw(&profile, seed, u64::from(vms))
        };
        counts.prop_map(draw).boxed().new_tree(runner)
    }
}

/// What users ask for.
#[must_use]
pub fn operations() -> Choices {
    Choices { profile: built_in("default"), steps: SizeRange::from(5..40), longest_gap: 600 }
}

/// What administrators change behind the operator's back.
#[must_use]
pub fn out_of_band() -> Choices {
    Choices { profile: built_in("default"), steps: SizeRange::from(0..6), longest_gap: 1800 }
}

/// What goes wrong.
#[must_use]
pub fn faults() -> Choices {
    Choices { profile: built_in("default"), steps: SizeRange::from(0..5), longest_gap: 1800 }
}

/// A strategy of things that happen one after the other.
#[derive(Clone, Debug)]
pub struct Choices {
    profile: Profile,
    steps: SizeRange,
    longest_gap: u64,
}

impl Choices {
    /// So many of them.
    #[must_use]
    pub fn steps(self, steps: impl Into<SizeRange>) -> Self {
        Self { steps: steps.into(), ..self }
    }

    /// At most so many seconds between them.
    #[must_use]
    pub fn gap(self, seconds: u64) -> Self {
        Self { longest_gap: seconds, ..self }
    }

    /// By the weights of another built-in profile.
    ///
    /// # Panics
    /// If no profile has this name.
    #[must_use]
    pub fn profile(self, name: &str) -> Self {
        Self { profile: built_in(name), ..self }
    }

    /// Another value of a field of the profile: `with("faults.kinds", "{hostFail: 1}")`.
    ///
    /// # Panics
    /// If there is no such field, or the value isn't one of it.
    #[must_use]
    pub fn with(mut self, field: &str, value: &str) -> Self {
        set(&mut self.profile, field, value);
        self
    }

    /// Nothing of these fields but these names: `only("faults.kinds", &["hostFail"])`.
    ///
    /// # Panics
    /// If there is no such field, or it has no such name.
    #[must_use]
    pub fn only(mut self, field: &str, names: &[&str]) -> Self {
        let Some(all) = self.profile.weights(field) else { panic!("{field} has no weights") };
        let weights = all.iter().map(|(name, _)| format!("{name}: {}", u64::from(names.contains(&name.as_str()))));
        let value = format!("{{{}}}", weights.collect::<Vec<_>>().join(", "));
        set(&mut self.profile, field, &value);
        self
    }
}

impl Strategy for Choices {
    type Tree = <BoxedStrategy<Happenings> as Strategy>::Tree;
    type Value = Happenings;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let profile = self.profile.clone();
        let choice = (0..=self.longest_gap, any::<u64>().no_shrink()).prop_map(|(gap, pick)| Choice { gap, pick });
        let choices = vec(choice, self.steps.clone());
        choices.prop_map(move |choices| Happenings { profile: profile.clone(), choices }).boxed().new_tree(runner)
    }
}

/// Manifests of VMs that fit a world.
pub fn vm(world: &World) -> impl Strategy<Value = Value> + use<> {
    let world = world.clone();
    any::<u64>().no_shrink().prop_map(move |choice| world.vm(choice))
}

/// Manifests of classes, from one CPU and 1Gi up to eight and 16Gi.
pub fn class(namespace: &str, name: &str) -> impl Strategy<Value = Value> + use<> {
    let meta = json!({"name": name, "namespace": namespace});
    (1..=8_u32, 1..=16_u32).prop_map(move |(cpus, memory)| {
        json!({"apiVersion": VMOP, "kind": "VirtualMachineClass", "metadata": meta,
            "spec": {"hardware": {"cpus": cpus, "memory": format!("{memory}Gi")}}})
    })
}

/// Manifests of groups with these VMs in boot groups of their own, each with a delay of up to two minutes.
pub fn group(namespace: &str, name: &str, members: &[&str]) -> impl Strategy<Value = Value> + use<> {
    let meta = json!({"name": name, "namespace": namespace});
    let members: Vec<String> = members.iter().map(|member| (*member).to_owned()).collect();
    vec(0..=120_u32, members.len()).prop_map(move |delays| {
        let boot_group = |(member, delay): (&String, u32)| json!({"members": [{"kind": "VirtualMachine", "name": member}], "powerOnDelay": format!("{delay}s")});
        let boot_order: Vec<Value> = members.iter().zip(delays).map(boot_group).collect();
        json!({"apiVersion": VMOP, "kind": "VirtualMachineGroup", "metadata": meta, "spec": {"bootOrder": boot_order}})
    })
}

/// Whole scenarios as `vmtwin explore` draws them of a profile; they don't shrink here, [`super::shrink`] makes them small.
pub fn scenario(profile: &Profile) -> impl Strategy<Value = Value> + use<> {
    let profile = profile.clone();
    any::<u64>().no_shrink().prop_map(move |seed| super::draw(&profile, seed, 0))
}
