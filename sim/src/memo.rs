//! Hosts judged once for VMs that are alike, and kept over one request for places: a request for thousands looks at each host once a sort
//! of VM, not once a VM.
//!
//! It rests on this: while a request is worked through, hosts only get fuller and policies that keep VMs apart only stricter, so that a host's
//! place in the order is right or too good; the best is judged anew before it is taken. Where VMs are drawn together by a tag, a new place
//! of that tag makes the order void. Clusters whose rules name VMs are judged VM by VM.

use std::collections::BinaryHeap;
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::vsphere::inventory::Name;
use vmtwin_model::vsphere::spec::ConfigSpec;

use crate::capacity::Size;
use crate::placement::{Besides, Score, Wish, size_of};
use crate::{World, graphics};

/// So many sorts of VM are kept in one request; further ones are judged VM by VM.
const SORTS: usize = 32;

/// The sorts of VM that a request has shown so far.
pub(crate) struct Memo<'w> {
    world: &'w World,
    pools: &'w [(u32, u32)],
    sorts: Vec<Sort<'w>>,
    /// Whether rules name VMs: then none is like another.
    ruled: bool,
}

/// Hosts with their pool and cluster, the best on top.
type Order<'w> = BinaryHeap<(Score<'w>, u32, (u32, u32))>;

/// VMs that are alike, with the hosts in the order in which they suit them.
struct Sort<'w> {
    size: Size,
    policies: Option<&'w Value>,
    wish: Wish<'w>,
    hosts: Option<Order<'w>>,
}

/// Where a VM goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) pool: u32,
    pub(crate) cluster: u32,
    pub(crate) host: u32,
}

impl<'w> Memo<'w> {
    pub(crate) fn new(world: &'w World, pools: &'w [(u32, u32)]) -> Self {
        let clusters = pools.iter().filter_map(|(_, cluster)| world.clusters.get(*cluster));
        let ruled = clusters.into_iter().any(|cluster| cluster.rules.iter().any(|rule| rule.enabled));
        Self { world, pools, sorts: Vec::new(), ruled }
    }

    /// The best spot for a VM; nothing where there is none, or where it has to be judged by itself.
    pub(crate) fn best(&mut self, spec: &'w ConfigSpec, besides: &Besides) -> Option<(Spot, &Wish<'w>)> {
        if self.ruled {
            return None;
        }
        let nth = self.sort_of(spec, besides)?;
        let (world, pools) = (self.world, self.pools);
        let Sort { wish, hosts, .. } = &mut self.sorts[nth];
        let wish: &Wish<'w> = wish;
        let heap = hosts.get_or_insert_with(|| in_order(world, pools, wish, besides));
        while let Some((score, host, (pool, cluster))) = heap.pop() {
            let Some(there) = world.hosts.get(host) else { continue };
            if world.host_says(there, host, wish, besides).is_err() {
                continue;
            }
            let failover = score.failover_holds();
            let as_it_is = world.score(there, host, wish, besides, failover);
            let is_best = as_it_is == score;
            heap.push((as_it_is, host, (pool, cluster)));
            if is_best {
                return Some((Spot { pool, cluster, host }, wish));
            }
        }
        None
    }

    /// Notes that a VM with these tags goes there.
    pub(crate) fn taken(&mut self, tags: &[Arc<str>], spot: Spot) {
        let zone: Option<&Name> = self.world.clusters.get(spot.cluster).map(|cluster| &cluster.zone);
        for sort in &mut self.sorts {
            let mut draws = false;
            for policy in &mut sort.wish.policies {
                draws |= policy.mentions(tags) && policy.note((spot.host, spot.cluster), zone) && !policy.is_apart();
            }
            if draws {
                sort.hosts = None;
            }
        }
    }

    fn sort_of(&mut self, spec: &'w ConfigSpec, besides: &Besides) -> Option<usize> {
        let (size, policies) = (size_of(spec), spec.rest.get("vmPlacementPolicies"));
        let like = |sort: &Sort<'_>| sort.size == size && sort.policies == policies && sort.wish.vgpus == graphics::of_spec(spec);
        if let Some(nth) = self.sorts.iter().position(like) {
            return Some(nth);
        }
        if self.sorts.len() == SORTS {
            return None;
        }
        let wish = self.world.wish_for(spec, besides)?;
        self.sorts.push(Sort { size, policies, wish, hosts: None });
        Some(self.sorts.len() - 1)
    }
}

/// The hosts that take a VM, in the order in which they suit it.
fn in_order<'w>(world: &'w World, pools: &[(u32, u32)], wish: &Wish<'_>, besides: &Besides) -> Order<'w> {
    let mut hosts = BinaryHeap::new();
    for (pool, cluster) in pools {
        if world.admit_to_pool(*pool, wish.size.reserved).is_err() {
            continue;
        }
        let failover = world.admit_failover(*cluster, &wish.size).is_ok();
        let fit = world.hosts_of(*cluster).filter(|(row, host)| world.host_says(host, *row, wish, besides).is_ok());
        hosts.extend(fit.map(|(row, host)| (world.score(host, row, wish, besides, failover), row, (*pool, *cluster))));
    }
    hosts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop, proptest};
    use serde_json::json;
    use vmtwin_model::units::{MiB, VCpus};

    use super::*;
    use crate::policies::tags_of;
    use crate::trial::{Trial, spec, two_zones};

    /// A VM of one of a few sorts: its size and its tag. All with a tag state the same policy about it: what binds others that don't state
    /// it is judged VM by VM.
    fn vm() -> impl Strategy<Value = (u8, u8)> {
        (0..4_u8, 0..3_u8)
    }

    fn described(nth: usize, (size, policy, tag): (u8, u8, u8)) -> ConfigSpec {
        let mut spec =
            ConfigSpec { num_cpus: Some(VCpus(u32::from(size) + 1)), memory_mb: Some(MiB(1024 << size)), ..spec(&format!("vm-{nth}")) };
        let tag = json!({"nameId": {"tag": format!("t:{tag}"), "category": "shop"}});
        let (type_, field, topology, strictness) = match policy {
            0 => return spec,
            1 => ("VmVmAntiAffinity", "antiAffinedVmsTag", "Host", "Required"),
            2 => ("VmVmAntiAffinity", "antiAffinedVmsTag", "Host", "Preferred"),
            3 => ("VmVmAffinity", "affinedVmsTag", "Host", "Preferred"),
            _ => ("VmVmAffinity", "affinedVmsTag", "VSphereZone", "Required"),
        };
        let strictness = format!("{strictness}DuringPlacementPreferredDuringExecution");
        let policies = json!([{"_typeName": type_, field: tag, "policyTopology": topology, "policyStrictness": strictness}]);
        spec.rest.insert("vmPlacementPolicies".to_owned(), policies);
        spec.rest.insert("tagSpecs".to_owned(), json!([{"operation": "add", "id": tag}]));
        spec
    }

    proptest! {
        #[test]
        fn the_best_of_a_memo_is_the_best_of_all_hosts(vms in prop::collection::vec(vm(), 1..40), policies in prop::array::uniform3(0..5_u8)) {
            let trial = Trial::new(&two_zones());
            let world = &trial.world;
            let pools: Vec<(u32, u32)> = world.clusters.iter().map(|(row, cluster)| (cluster.root, row)).collect();
            let with_policy = |(size, tag): (u8, u8)| (size, policies[usize::from(tag)], tag);
            let specs: Vec<ConfigSpec> = vms.into_iter().enumerate().map(|(nth, vm)| described(nth, with_policy(vm))).collect();
            let (mut memo, mut besides) = (Memo::new(world, &pools), Besides::default());
            for spec in &specs {
                let alone = world.best_spot(&pools, spec, &besides).ok().map(|(spot, _)| spot);
                let kept = memo.best(spec, &besides).map(|(spot, _)| spot);
                assert_eq!(kept, alone, "{:?}", spec.name);
                let Some(spot) = alone else { continue };
                let wish = world.wish_for(spec, &besides).expect("it has a name");
                world.take(spot, &wish, spec, (true, false), &mut besides).expect("it was offered");
                memo.taken(&tags_of(spec), spot);
            }
        }
    }
}
