//! What the placement policies of some VMs ask of others. Source: placement-groups §5.2 ("Symmetry").
//!
//! Affinity and anti-affinity over a tag bind all VMs that have it, those too that state nothing; one that states it without having the tag is bound
//! with those that have it in the same request. Anti-affinity to groups of VMs binds the one that states it with each VM that has one of
//! the tags, whichever comes later; vCenter is told of it only where a place is looked for, and remembers it from there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::vsphere::operation::PlaceVmsXCluster;
use vmtwin_model::vsphere::spec::ConfigSpec;

use crate::World;
use crate::placement::Besides;
use crate::policies::{Policy, Stated, Topology, tags_of};
use crate::shards::Shards;
use crate::vm::{NAMESPACED_NAME, Vm};

/// What a policy asks of every VM with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Binding {
    /// To be with, or apart from, all others that have the tag.
    Mutual { apart: bool, required: bool, topology: Topology },
    /// To keep away from one that is in this cluster.
    Repelled { required: bool, topology: Topology, cluster: u32 },
}

/// The bindings of all VMs that exist, by tag, how often there is each; and what was stated of VMs that don't exist yet, by their label.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bindings {
    by_tag: Shards<BTreeMap<Binding, u32>>,
    announced: Shards<Arc<Vec<Value>>>,
    /// How many there are.
    count: usize,
}

/// The bindings that the policies of a VM in this cluster make. Those that keep a VM away from a single host aren't stated by anyone.
fn of_policies(policies: &[Value], cluster: u32) -> Vec<(Arc<str>, Binding)> {
    let mut bindings = Vec::new();
    for Stated { apart, required, topology, tags, to_groups } in policies.iter().filter_map(Stated::read) {
        let binding = match (to_groups, topology) {
            (false, _) => Binding::Mutual { apart, required, topology },
            (true, Topology::Host) => continue,
            (true, Topology::Cluster | Topology::Zone) => Binding::Repelled { required, topology, cluster },
        };
        bindings.extend(tags.into_iter().map(|tag| (tag, binding)));
    }
    bindings
}

fn policies_of(spec: &ConfigSpec) -> &[Value] {
    spec.rest.get("vmPlacementPolicies").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether a VM that states these itself is bound by that already.
fn is_stated(own: &[(Arc<str>, Binding)], tag: &str, binding: &Binding) -> bool {
    let Binding::Mutual { apart, required, topology } = *binding else { return false };
    own.iter().any(|(of, own)| match own {
        Binding::Mutual { apart: also, required: strictly, topology: same } => {
            **of == *tag && *also == apart && *same == topology && (*strictly || !required)
        }
        Binding::Repelled { .. } => false,
    })
}

impl Besides {
    /// What holds among all VMs of a request before any of them has its place: what one states of a tag binds those that come before it, too.
    pub(crate) fn of_request(specs: &[Arc<ConfigSpec>]) -> Self {
        let mut besides = Self::default();
        for (tag, binding) in specs.iter().flat_map(|spec| of_policies(policies_of(spec), 0)) {
            if matches!(binding, Binding::Mutual { .. }) {
                besides.bindings.entry(tag).or_default().insert(binding);
            }
        }
        besides
    }

    /// Notes what a VM of the request that goes to this host asks of those after it.
    pub(crate) fn bind(&mut self, spec: &ConfigSpec, (host, cluster): (u32, u32)) {
        let own = tags_of(spec);
        for (tag, binding) in of_policies(policies_of(spec), cluster) {
            if matches!(binding, Binding::Mutual { .. }) && !own.contains(&tag) {
                self.strangers.entry(tag.clone()).or_default().push((binding, host, cluster));
            }
            self.bindings.entry(tag).or_default().insert(binding);
        }
    }
}

impl World {
    fn bindings_of(&self, vm: &Vm) -> Vec<(Arc<str>, Binding)> {
        let cluster = self.pools.get(vm.pool).map_or(0, |pool| pool.cluster);
        let mut bindings = of_policies(&vm.policies, cluster);
        bindings.extend(of_policies(&vm.announced, cluster));
        bindings
    }

    /// Notes what a VM asks of others from now on.
    pub(crate) fn bind_others(&mut self, vm: u32) {
        let Some(row) = self.vms.get(vm) else { return };
        for (tag, binding) in self.bindings_of(row) {
            *self.bindings.by_tag.entry(&tag).entry(binding).or_default() += 1;
            self.bindings.count += 1;
        }
    }

    /// Notes that a VM asks nothing of others any more; the row may be gone already.
    pub(crate) fn unbind_others(&mut self, vm: &Vm) {
        for (tag, binding) in self.bindings_of(vm) {
            let there = self.bindings.by_tag.entry(&tag);
            let left = there.get(&binding).map_or(0, |count| count - 1);
            if left == 0 {
                there.remove(&binding);
            } else {
                there.insert(binding, left);
            }
            if there.is_empty() {
                self.bindings.by_tag.remove(&tag);
            }
            self.bindings.count -= 1;
        }
    }

    /// Remembers what a request states about zones: the VMs themselves are made without it.
    pub(crate) fn announce(&mut self, place: &PlaceVmsXCluster) {
        for spec in &place.vm_placement_specs {
            let about_groups = |policy: &&Value| Stated::read(policy).is_some_and(|stated| stated.to_groups);
            let stated: Vec<Value> = policies_of(spec).iter().filter(about_groups).cloned().collect();
            let Some(label) = spec.extra_config.iter().find(|option| &*option.key == NAMESPACED_NAME).map(|option| option.value.clone())
            else {
                continue;
            };
            if stated.is_empty() {
                self.bindings.announced.remove(&label);
            } else {
                self.bindings.announced.insert(label, Arc::new(stated));
            }
        }
    }

    /// What was stated of a VM that is made just now.
    pub(crate) fn announced(&mut self, label: &str) -> Arc<Vec<Value>> {
        self.bindings.announced.remove(label).unwrap_or_default()
    }

    /// What others ask of a VM with these tags and policies that it doesn't state itself. `vm`: the VM, if it exists.
    pub(crate) fn asked_by_others(&self, tags: &[Arc<str>], own: &[Value], vm: Option<u32>, besides: &Besides) -> Vec<Policy> {
        if tags.is_empty() || self.bindings.count == 0 && besides.bindings.is_empty() {
            return Vec::new();
        }
        let stated = of_policies(own, 0);
        let by_itself = vm.and_then(|vm| self.vms.get(vm)).map(|row| self.bindings_of(row)).unwrap_or_default();
        let mut mutual: BTreeSet<(&Arc<str>, Binding)> = BTreeSet::new();
        let mut repelled: BTreeMap<(bool, Topology), BTreeSet<u32>> = BTreeMap::new();
        for tag in tags {
            let others = self.bindings.by_tag.get(tag).into_iter().flatten().filter(|(binding, count)| {
                let own = by_itself.iter().filter(|(of, own)| of == tag && own == *binding).count();
                usize::try_from(**count).unwrap_or(usize::MAX) > own
            });
            let earlier = besides.bindings.get(tag).into_iter().flatten();
            for binding in others.map(|(binding, _)| binding).chain(earlier) {
                match *binding {
                    Binding::Repelled { required, topology, cluster } => {
                        repelled.entry((required, topology)).or_default().insert(cluster);
                    }
                    Binding::Mutual { .. } if is_stated(&stated, tag, binding) => {}
                    Binding::Mutual { .. } => {
                        mutual.insert((tag, *binding));
                    }
                }
            }
        }
        let mut policies = Vec::new();
        for tag in tags {
            for (binding, host, cluster) in besides.strangers.get(tag).into_iter().flatten() {
                let Binding::Mutual { apart, required, topology } = *binding else { continue };
                let text = format!("{} of another VM to {tag}", if apart { "anti-affinity" } else { "affinity" });
                policies.push(self.policy_against(required, topology, text, BTreeSet::from([*cluster])).with(apart, *host));
            }
        }
        for (tag, binding) in mutual {
            let Binding::Mutual { apart, required, topology } = binding else { continue };
            let text = format!("{} of others with {tag}", if apart { "anti-affinity" } else { "affinity" });
            policies.push(self.policy_over(
                Stated { apart, required, topology, tags: vec![tag.clone()], to_groups: false },
                text,
                vm,
                besides,
            ));
        }
        for ((required, topology), clusters) in repelled {
            let text = format!("anti-affinity of others to {}", tags.join(", "));
            policies.push(self.policy_against(required, topology, text, clusters));
        }
        policies
    }

    /// Whether each VM of a request has to be judged by itself, since what one of them or an existing one states binds some that don't
    /// state it.
    pub(crate) fn binds_others(&self, specs: &[Arc<ConfigSpec>]) -> bool {
        let mut stated: BTreeMap<Arc<str>, BTreeSet<Binding>> = BTreeMap::new();
        let mut by_strangers: BTreeSet<Arc<str>> = BTreeSet::new();
        for spec in specs {
            let bindings = of_policies(policies_of(spec), 0);
            if bindings.is_empty() {
                continue;
            }
            let own = tags_of(spec);
            for (tag, binding) in bindings {
                if matches!(binding, Binding::Mutual { .. }) && !own.contains(&tag) {
                    by_strangers.insert(tag.clone());
                }
                stated.entry(tag).or_default().insert(binding);
            }
        }
        if stated.is_empty() && self.bindings.count == 0 {
            return false;
        }
        specs.iter().any(|spec| {
            let own = of_policies(policies_of(spec), 0);
            tags_of(spec).iter().any(|tag| {
                let existing = self.bindings.by_tag.get(tag).into_iter().flat_map(BTreeMap::keys);
                let asks = |binding: &Binding| !is_stated(&own, tag, binding);
                by_strangers.contains(tag) || existing.chain(stated.get(tag).into_iter().flatten()).any(asks)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vmtwin_model::vsphere::{Operation, Reply};

    use super::*;
    use crate::trial::{Trial, spec, two_zones};

    fn tag(name: &str) -> Value {
        json!({"nameId": {"tag": name, "category": "shop"}})
    }

    fn tagged(mut spec: ConfigSpec, name: &str) -> ConfigSpec {
        spec.rest.insert("tagSpecs".to_owned(), json!([{"operation": "add", "id": tag(name)}]));
        spec
    }

    fn stating(mut spec: ConfigSpec, type_: &str, topology: &str, of: &str) -> ConfigSpec {
        let field = match type_ {
            "VmToVmGroupsAntiAffinity" => "antiAffinedVmGroupTags",
            "VmVmAntiAffinity" => "antiAffinedVmsTag",
            _ => "affinedVmsTag",
        };
        let tags = if type_ == "VmToVmGroupsAntiAffinity" { json!([tag(of)]) } else { tag(of) };
        let policy = json!({"_typeName": type_, field: tags, "policyTopology": topology,
                            "policyStrictness": "RequiredDuringPlacementPreferredDuringExecution"});
        spec.rest.insert("vmPlacementPolicies".to_owned(), json!([policy]));
        spec
    }

    /// The zone of each VM of one request, or why there is none.
    fn zones(trial: &mut Trial, specs: Vec<ConfigSpec>) -> Result<Vec<String>, String> {
        let topology = trial.world.topology();
        let in_a = topology.pools("zone-a", "shop").to_vec();
        let resource_pools = ["zone-a", "zone-b"].iter().flat_map(|zone| topology.pools(zone, "shop").to_vec()).collect();
        let request = PlaceVmsXCluster {
            resource_pools,
            vm_placement_specs: specs.into_iter().map(Arc::new).collect(),
            host_recomm_required: true,
            datastore_recomm_required: false,
        };
        match trial.ask(Operation::PlaceVmsXCluster(request)) {
            Ok(Reply::Placements(told)) if told.faults.is_empty() => {
                let zone = |pool| if in_a.contains(pool) { "a".to_owned() } else { "b".to_owned() };
                Ok(told.placements.iter().map(|placement| zone(&placement.pool)).collect())
            }
            Ok(Reply::Placements(told)) => Err(told.faults.iter().map(|pool| format!("{:?}", pool.faults)).collect()),
            other => panic!("{other:?}"),
        }
    }

    fn loner(name: &str) -> ConfigSpec {
        stating(spec(name), "VmToVmGroupsAntiAffinity", "VSphereZone", "app:web")
    }

    #[test]
    fn zone_anti_affinity_binds_in_both_directions_within_a_request() {
        let web = |name: &str| tagged(spec(name), "app:web");
        let both = zones(&mut Trial::new(&two_zones()), vec![loner("x"), web("w1"), web("w2")]).expect("two zones suffice");
        assert!(both[0] != both[1] && both[1] == both[2], "those with the tag don't repel each other: {both:?}");
        let turned = zones(&mut Trial::new(&two_zones()), vec![web("w1"), loner("x"), web("w2")]).expect("whoever comes first");
        assert!(turned[0] != turned[1] && turned[0] == turned[2], "{turned:?}");
    }

    #[test]
    fn a_later_vm_with_the_tag_avoids_the_one_that_stated_it_though_that_was_made_without() {
        let mut trial = Trial::new(&two_zones());
        assert_eq!(zones(&mut trial, vec![loner("x")]), Ok(vec!["a".to_owned()]));
        trial.deploy(spec("x"));
        assert_eq!(zones(&mut trial, vec![tagged(spec("w"), "app:web")]), Ok(vec!["b".to_owned()]));
        let gone = trial.world.vm_named("shop/x").map(|vm| vm.id.clone()).expect("it is there");
        trial.ask(Operation::DestroyVm { vm: gone }).expect("it is off");
        assert_eq!(trial.world.bindings.count, 0);
        assert_eq!(zones(&mut trial, vec![tagged(spec("w"), "app:web")]), Ok(vec!["a".to_owned()]));
    }

    #[test]
    fn one_that_states_it_of_its_own_tag_isn_t_in_its_own_way() {
        let own = |name: &str| tagged(loner(name), "app:web");
        let placed = zones(&mut Trial::new(&two_zones()), vec![own("x"), own("y")]).expect("one for each");
        assert_ne!(placed[0], placed[1]);
        let why = zones(&mut Trial::new(&two_zones()), vec![own("x"), own("y"), own("z")]).expect_err("two zones are too few");
        assert!(why.contains("VmToVmGroupsAntiAffinity with shop/app:web"), "{why}");
    }

    #[test]
    fn what_one_states_binds_those_before_it_in_the_request_too() {
        let plain = |name: &str| tagged(spec(name), "app:db");
        let stranger = stating(spec("x"), "VmVmAntiAffinity", "Host", "app:db");
        let mut trial = Trial::new(&two_zones());
        assert!(zones(&mut trial, vec![plain("a"), plain("b"), plain("c"), stranger.clone()]).is_ok(), "four hosts for four");
        let why = zones(&mut trial, vec![plain("a"), plain("b"), plain("c"), plain("d"), stranger]).expect_err("not for five");
        assert!(why.contains("app:db"), "{why}");
    }

    #[test]
    fn affinity_and_host_anti_affinity_bind_those_with_the_tag_that_state_nothing() {
        let plain = |name: &str| tagged(spec(name), "app:db");
        let near = tagged(stating(spec("x"), "VmVmAffinity", "VSphereZone", "app:db"), "app:db");
        let placed = zones(&mut Trial::new(&two_zones()), vec![near, plain("y"), spec("z"), plain("w")]).expect("they fit");
        assert!(placed[0] == placed[1] && placed[1] == placed[3], "{placed:?}");
        let mut trial = Trial::new(&two_zones());
        let apart = tagged(stating(spec("x"), "VmVmAntiAffinity", "Host", "app:db"), "app:db");
        let specs = vec![apart.clone(), plain("y"), plain("z"), plain("w")];
        assert!(zones(&mut trial, specs).is_ok(), "four hosts for four");
        let why = zones(&mut trial, vec![apart, plain("y"), plain("z"), plain("w"), plain("v")]).expect_err("not for five");
        assert!(why.contains("anti-affinity of others with shop/app:db"), "{why}");
    }
}
