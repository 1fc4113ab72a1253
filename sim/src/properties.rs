//! Properties of placement over random requests and worlds. Source: placement-groups §10.3, §11.3.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};
use vmtwin_model::id::{HostId, PoolId};
use vmtwin_model::units::{Bytes, MiB, VCpus};
use vmtwin_model::vsphere::action::HostAction;
use vmtwin_model::vsphere::answer::Placement;
use vmtwin_model::vsphere::inventory::{Rule, RuleKind};
use vmtwin_model::vsphere::operation::PlaceVmsXCluster;
use vmtwin_model::vsphere::spec::{Allocation, ConfigSpec};
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Action, Inventory, Operation};

use crate::trial::{Trial, inventory, spec};

/// A VM of a request: how many GiB it reserves, its tag, and what it states about which tag.
#[derive(Clone, Debug)]
struct Wished {
    gib: i64,
    tag: u8,
    states: Option<(Sort, bool, u8)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    TogetherZone,
    ApartHost,
    ApartZone,
}

fn wished() -> impl Strategy<Value = Wished> {
    let sort = prop_oneof![Just(Sort::TogetherZone), Just(Sort::ApartHost), Just(Sort::ApartZone)];
    let states = prop::option::of((sort, any::<bool>(), 0..3_u8));
    (1..30_i64, 0..3_u8, states).prop_map(|(gib, tag, states)| Wished { gib, tag, states })
}

fn tag(tag: u8) -> Value {
    json!({"nameId": {"tag": format!("t:{tag}"), "category": "shop"}})
}

fn described(nth: usize, wished: &Wished) -> ConfigSpec {
    let reservation = Some(Allocation { reservation: Some(wished.gib << 10), ..Allocation::default() });
    let mut spec = ConfigSpec {
        memory_mb: Some(MiB(wished.gib << 10)),
        memory_allocation: reservation,
        num_cpus: Some(VCpus(1)),
        ..spec(&format!("vm-{nth}"))
    };
    spec.rest.insert("tagSpecs".to_owned(), json!([{"operation": "add", "id": tag(wished.tag)}]));
    if let Some((sort, required, of)) = wished.states {
        let strictness = format!("{}DuringPlacementPreferredDuringExecution", if required { "Required" } else { "Preferred" });
        let (type_, field, topology, tags) = match sort {
            Sort::TogetherZone => ("VmVmAffinity", "affinedVmsTag", "VSphereZone", tag(of)),
            Sort::ApartHost => ("VmVmAntiAffinity", "antiAffinedVmsTag", "Host", tag(of)),
            Sort::ApartZone => ("VmToVmGroupsAntiAffinity", "antiAffinedVmGroupTags", "VSphereZone", json!([tag(of)])),
        };
        let policy = json!({"_typeName": type_, field: tags, "policyTopology": topology, "policyStrictness": strictness});
        spec.rest.insert("vmPlacementPolicies".to_owned(), json!([policy]));
    }
    spec
}

/// Two zones with so many hosts each.
fn zones(hosts: usize) -> Inventory {
    let mut inventory = inventory();
    let like = inventory.zones[0].clusters[0].hosts[0].clone();
    let mut second = inventory.zones[0].clone();
    second.name = "zone-b".into();
    second.clusters[0].name = "cluster-b".into();
    inventory.zones.push(second);
    for (zone, letter) in inventory.zones.iter_mut().zip(["a", "b"]) {
        let host = |nth| vmtwin_model::vsphere::inventory::Host { name: format!("esx-{letter}{nth}").into(), ..like.clone() };
        zone.clusters[0].hosts = (0..hosts).map(host).collect();
    }
    inventory.namespaces[0].zones = vec!["zone-a".into(), "zone-b".into()];
    inventory
}

fn pools(trial: &Trial) -> Vec<PoolId> {
    let topology = trial.world.topology();
    ["zone-a", "zone-b"].iter().flat_map(|zone| topology.pools(zone, "shop").to_vec()).collect()
}

fn placed(trial: &Trial, pools: Vec<PoolId>, wished: &[Wished]) -> Option<Vec<Placement>> {
    let specs = wished.iter().enumerate().map(|(nth, wished)| Arc::new(described(nth, wished))).collect();
    let request =
        PlaceVmsXCluster { resource_pools: pools, vm_placement_specs: specs, host_recomm_required: true, datastore_recomm_required: false };
    let told = trial.world.recommend(&request).expect("the request makes sense");
    told.faults.is_empty().then_some(told.placements)
}

/// Whether a request's answer keeps what its VMs require of each other, and every host's room: a naive reading of the page.
fn check(trial: &Trial, wished: &[Wished], placements: &[Placement]) {
    let host_of = |nth: usize| placements[nth].host.clone().expect("a host was asked for");
    let zone_of = |host: &HostId| trial.world.host(host).expect("it is there").name.as_bytes()[4];
    let mut taken: BTreeMap<HostId, i64> = BTreeMap::new();
    for (nth, wish) in wished.iter().enumerate() {
        *taken.entry(host_of(nth)).or_default() += wish.gib << 10;
    }
    for (host, taken) in &taken {
        let usable = trial.world.host(host).expect("it is there").usable_memory.0;
        assert!(*taken <= usable, "{host} has {usable} MiB and was given {taken}");
    }
    for (nth, wish) in wished.iter().enumerate() {
        let Some((sort, true, of)) = wish.states else { continue };
        // What is stated of a tag binds all that have it, but for anti-affinity to groups: that binds the one that states it.
        let with_tag: Vec<usize> = (0..wished.len()).filter(|other| wished[*other].tag == of).collect();
        let distinct = |all: &[usize], by: &dyn Fn(usize) -> String| all.iter().map(|nth| by(*nth)).collect::<BTreeSet<_>>().len();
        match sort {
            Sort::TogetherZone => {
                let mut all = with_tag.clone();
                if !with_tag.is_empty() {
                    all.push(nth);
                }
                assert!(
                    distinct(&all, &|nth| zone_of(&host_of(nth)).to_string()) <= 1,
                    "{nth} is in the zone of {with_tag:?}: {placements:?}"
                );
            }
            Sort::ApartHost => {
                let others: Vec<usize> = with_tag.iter().copied().filter(|other| *other != nth).collect();
                assert!(!others.iter().any(|other| host_of(*other) == host_of(nth)), "{nth} is apart from {others:?}");
                assert_eq!(distinct(&with_tag, &|nth| host_of(nth).to_string()), with_tag.len(), "those with the tag are apart");
            }
            Sort::ApartZone => {
                let near = |other: &usize| *other != nth && zone_of(&host_of(*other)) == zone_of(&host_of(nth));
                assert!(!with_tag.iter().any(near), "{nth} is in another zone than {with_tag:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_host_is_over_its_reservations_and_no_required_policy_is_broken(vms in prop::collection::vec(wished(), 1..9), hosts in 1..5_usize) {
        let trial = Trial::new(&zones(hosts));
        if let Some(placements) = placed(&trial, pools(&trial), &vms) {
            check(&trial, &vms, &placements);
        }
    }

    #[test]
    fn a_place_doesnt_depend_on_the_order_in_which_pools_are_offered(vms in prop::collection::vec(wished(), 1..9), hosts in 1..5_usize) {
        let trial = Trial::new(&zones(hosts));
        let offered = pools(&trial);
        let turned = offered.iter().rev().cloned().collect();
        assert_eq!(placed(&trial, offered, &vms), placed(&trial, turned, &vms));
    }

    #[test]
    fn a_host_more_never_leaves_a_vm_without_a_place(vm in wished(), running in prop::collection::vec(1..30_i64, 0..6), hosts in 1..4_usize) {
        // The host more stands in maintenance until the others are as full as they get.
        let mut trial = Trial::new(&zones(hosts + 1));
        let one_more = format!("esx-a{hosts}");
        trial.act(&Action::Host(one_more.as_str().into(), HostAction::EnterMaintenance)).expect("it is connected");
        for (nth, gib) in running.iter().enumerate() {
            let reservation = Some(Allocation { reservation: Some(gib << 10), ..Allocation::default() });
            let spec = ConfigSpec { memory_mb: Some(MiB(gib << 10)), memory_allocation: reservation, ..spec(&format!("old-{nth}")) };
            let old = trial.deploy(spec);
            // What doesn't fit stays off.
            let _refused = trial.ask(Operation::PowerOnVm { vm: old, host: None });
        }
        let fits = placed(&trial, pools(&trial), std::slice::from_ref(&vm)).is_some();
        trial.act(&Action::Host(one_more.as_str().into(), HostAction::ExitMaintenance)).expect("it is in maintenance");
        assert!(!fits || placed(&trial, pools(&trial), &[vm]).is_some());
    }

    #[test]
    fn an_evacuation_breaks_no_rule_that_must_be_kept(apart in any::<bool>(), first in 0..3_usize, count in 2..5_usize) {
        let mut inventory = inventory();
        let cluster = &mut inventory.zones[0].clusters[0];
        let like = cluster.hosts[0].clone();
        cluster.hosts = (0..3).map(|nth| vmtwin_model::vsphere::inventory::Host { name: format!("esx-{nth}").into(), memory: Bytes::from_gib(64), ..like.clone() }).collect();
        let vms: Vec<vmtwin_model::vsphere::inventory::Name> = (0..2).map(|nth| format!("shop/v{nth}").into()).collect();
        let kind = if apart { RuleKind::AntiAffinity } else { RuleKind::RunOn(vec!["esx-0".into(), "esx-1".into()]) };
        cluster.rules = vec![Rule { name: "must".into(), enabled: true, must: true, vms, kind: kind.clone() }];
        let mut trial = Trial::new(&inventory);
        let made: Vec<_> = (0..count).map(|nth| trial.running(&format!("v{nth}"))).collect();
        trial.act(&Action::Host(format!("esx-{first}").into(), HostAction::EnterMaintenance)).expect("it is connected");
        for _ in 0..40 {
            trial.run(vmtwin_model::time::Span::from_secs(15));
            let at: Vec<String> = made[..2].iter().map(|vm| trial.vm(vm).location.host_name.as_deref().unwrap_or_default().to_owned()).collect();
            let kept = match &kind {
                RuleKind::AntiAffinity => at[0] != at[1],
                _ => at.iter().all(|host| host != "esx-2"),
            };
            assert!(kept, "{at:?}");
            assert!(made.iter().all(|vm| trial.vm(vm).runtime.power_state == PowerState::PoweredOn), "nobody is stopped for it");
        }
    }
}
