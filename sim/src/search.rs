//! A place for each of several VMs where taking them one after the other finds none: back and forth over the clusters, within a bound.
//! Source: placement-groups §10.3.
//!
//! VMs that must share a zone go together, larger ones first; each tries the clusters from the best to the worst. A host is never gone back
//! on: within a cluster the best one is taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::vsphere::answer::Placement;
use vmtwin_model::vsphere::spec::ConfigSpec;

use crate::World;
use crate::deploy;
use crate::placement::{Besides, Score, size_of};
use crate::policies::tag_key;

/// A request for more VMs than that is taken as it comes.
const MOST_VMS: usize = 64;
/// How many placements of a single VM are tried before the search is given up.
const MOST_TRIES: u32 = 2_000;

impl World {
    /// Places for all VMs, in the order of the request; nothing where the bound ends the search, or there are none.
    pub(crate) fn search_places(&self, pools: &[(u32, u32)], specs: &[Arc<ConfigSpec>], asked: (bool, bool)) -> Option<Vec<Placement>> {
        if specs.len() < 2 || specs.len() > MOST_VMS {
            return None;
        }
        let mut found = vec![None; specs.len()];
        let mut tries = MOST_TRIES;
        let order = order(specs);
        self.try_next(pools, specs, asked, &order, &Besides::of_request(specs), &mut found, &mut tries).then_some(())?;
        found.into_iter().collect()
    }

    #[expect(clippy::too_many_arguments, reason = "the state of a search that goes back and forth")]
    fn try_next(
        &self,
        pools: &[(u32, u32)],
        specs: &[Arc<ConfigSpec>],
        asked: (bool, bool),
        order: &[usize],
        besides: &Besides,
        found: &mut [Option<Placement>],
        tries: &mut u32,
    ) -> bool {
        let Some((nth, rest)) = order.split_first() else { return true };
        let spec = &specs[*nth];
        for pool in self.by_score(pools, spec, besides) {
            if *tries == 0 {
                return false;
            }
            *tries -= 1;
            let mut taken = besides.clone();
            let Ok(placement) = self.place(&[pool], spec, asked, &mut taken) else { continue };
            found[*nth] = Some(placement);
            if self.try_next(pools, specs, asked, rest, &taken, found, tries) {
                return true;
            }
            found[*nth] = None;
        }
        false
    }

    /// The pools that take a VM, the best first.
    fn by_score(&self, pools: &[(u32, u32)], spec: &ConfigSpec, besides: &Besides) -> Vec<(u32, u32)> {
        let Some(wish) = self.wish_for(spec, besides) else { return Vec::new() };
        let scored = pools.iter().filter_map(|pool| Some((self.best_host(pool.1, &wish, besides)?.0, *pool)));
        let mut scored: Vec<(Score<'_>, (u32, u32))> = scored.collect();
        scored.sort();
        scored.into_iter().rev().map(|(_, pool)| pool).collect()
    }
}

/// The order in which VMs are taken: bundles that must share a zone, the larger bundle first, the larger VM first in each.
fn order(specs: &[Arc<ConfigSpec>]) -> Vec<usize> {
    let bundle = |spec: &ConfigSpec| {
        let policies = deploy::policies_of(spec);
        let together = policies.iter().find(|policy| {
            let required = policy.get("policyStrictness").and_then(Value::as_str).is_some_and(|text| text.starts_with("Required"));
            required && policy.get("affinedVmsTag").is_some()
        });
        together.and_then(|policy| tag_key(policy.get("affinedVmsTag")?))
    };
    let memory = |spec: &ConfigSpec| size_of(spec).memory.0;
    let bundles: Vec<Option<Arc<str>>> = specs.iter().map(|spec| bundle(spec)).collect();
    let mut sums: BTreeMap<&Arc<str>, i64> = BTreeMap::new();
    for (spec, bundle) in specs.iter().zip(&bundles) {
        if let Some(bundle) = bundle {
            *sums.entry(bundle).or_default() += memory(spec);
        }
    }
    let mut order: Vec<usize> = (0..specs.len()).collect();
    order.sort_by_key(|nth| {
        let of_bundle = bundles[*nth].as_ref();
        let sum = of_bundle.map_or_else(|| memory(&specs[*nth]), |bundle| sums[bundle]);
        (std::cmp::Reverse(sum), of_bundle.cloned(), std::cmp::Reverse(memory(&specs[*nth])), *nth)
    });
    order
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vmtwin_model::units::MiB;
    use vmtwin_model::vsphere::spec::Allocation;
    use vmtwin_model::vsphere::{Operation, Reply};

    use super::*;
    use crate::trial::{Trial, inventory, spec};

    fn reserving(name: &str, gib: i64) -> ConfigSpec {
        let reservation = Some(Allocation { reservation: Some(gib << 10), ..Allocation::default() });
        ConfigSpec { memory_mb: Some(MiB(gib << 10)), memory_allocation: reservation, ..spec(name) }
    }

    fn together(mut spec: ConfigSpec, with: &str) -> ConfigSpec {
        let tag = json!({"nameId": {"tag": with, "category": "shop"}});
        let strictness = "RequiredDuringPlacementPreferredDuringExecution";
        let policy =
            json!({"_typeName": "VmVmAffinity", "affinedVmsTag": tag, "policyStrictness": strictness, "policyTopology": "VSphereZone"});
        spec.rest.insert("vmPlacementPolicies".to_owned(), json!([policy]));
        spec.rest.insert("tagSpecs".to_owned(), json!([{"operation": "add", "id": tag}]));
        spec
    }

    /// Two zones of one host each, the second with more memory.
    fn two_zones() -> Trial {
        let mut inventory = inventory();
        inventory.zones[0].clusters[0].hosts.truncate(1);
        let mut second = inventory.zones[0].clone();
        second.name = "zone-b".into();
        second.clusters[0].name = "cluster-b".into();
        second.clusters[0].hosts[0].name = "esx-b".into();
        second.clusters[0].hosts[0].memory = vmtwin_model::units::Bytes::from_gib(80);
        inventory.zones.push(second);
        inventory.namespaces[0].zones = vec!["zone-a".into(), "zone-b".into()];
        Trial::new(&inventory)
    }

    fn zones(trial: &mut Trial, specs: Vec<ConfigSpec>) -> Option<Vec<String>> {
        let topology = trial.world.topology();
        let pools: Vec<_> = ["zone-a", "zone-b"].iter().flat_map(|zone| topology.pools(zone, "shop").to_vec()).collect();
        let in_a = topology.pools("zone-a", "shop").to_vec();
        let request = vmtwin_model::vsphere::operation::PlaceVmsXCluster {
            resource_pools: pools,
            vm_placement_specs: specs.into_iter().map(Arc::new).collect(),
            host_recomm_required: true,
            datastore_recomm_required: false,
        };
        match trial.ask(Operation::PlaceVmsXCluster(request)) {
            Ok(Reply::Placements(told)) if told.faults.is_empty() => {
                let zone = |placement: &Placement| if in_a.contains(&placement.pool) { "a" } else { "b" };
                Some(told.placements.iter().map(|placement| format!("{} {}", placement.vm_name, zone(placement))).collect())
            }
            _ => None,
        }
    }

    #[test]
    fn a_bundle_that_only_one_zone_holds_is_found_though_another_vm_comes_first() {
        // Taken in order, `alone` goes to the roomier zone, and the two that must share one fit nowhere.
        let specs = vec![reserving("alone", 30), together(reserving("x", 35), "app:x"), together(reserving("y", 35), "app:x")];
        assert_eq!(zones(&mut two_zones(), specs), Some(vec!["alone a".into(), "x b".into(), "y b".into()]));
    }

    #[test]
    fn what_fits_nowhere_is_given_up() {
        let specs = vec![together(reserving("x", 50), "app:x"), together(reserving("y", 50), "app:x")];
        assert_eq!(zones(&mut two_zones(), specs), None);
    }
}
