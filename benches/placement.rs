//! Placements a second at the size of a whole vCenter: 40 clusters of 64 hosts, a thousand VMs a request, over all clusters at once.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use vmtwin_model::rng::Rng;
use vmtwin_model::time::Timestamp;
use vmtwin_model::units::{Bytes, MHz, MiB, VCpus};
use vmtwin_model::vsphere::Inventory;
use vmtwin_model::vsphere::inventory::{Cluster, Drs, Ha, Host, HostState, Namespace, Zone};
use vmtwin_model::vsphere::operation::PlaceVmsXCluster;
use vmtwin_model::vsphere::spec::ConfigSpec;
use vmtwin_sim::{Csi, NetworkProvider, Settings, World};

const CLUSTERS: usize = 40;
const HOSTS: usize = 64;
const VMS: usize = 1000;

fn inventory() -> Inventory {
    let host = |cluster: usize, nth: usize| Host {
        name: format!("esx-{cluster:02}-{nth:02}").into(),
        id: None,
        sockets: 2,
        cores: 32,
        clock: MHz(2600),
        memory: Bytes::from_gib(1024),
        datastores: Vec::new(),
        vgpus: Vec::new(),
        instance_storage: Bytes(0),
        state: HostState::Connected,
    };
    let cluster = |nth: usize| Cluster {
        name: format!("cluster-{nth:02}").into(),
        hosts: (0..HOSTS).map(|host_nth| host(nth, host_nth)).collect(),
        drs: Drs::default(),
        ha: Ha::default(),
        rules: Vec::new(),
        reservable_cpu: None,
        reservable_memory: None,
        resource_pools: Vec::new(),
        overrides: std::collections::BTreeMap::new(),
    };
    let zone = |nth: usize| Zone { name: format!("zone-{nth:02}").into(), clusters: vec![cluster(nth)] };
    let zones: Vec<Zone> = (0..CLUSTERS).map(zone).collect();
    let names = zones.iter().map(|zone| zone.name.clone()).collect();
    let namespace = Namespace { name: "ns".into(), zones: names, storage_quota: Default::default(), cpu_limit: None, memory_limit: None };
    Inventory { zones, namespaces: vec![namespace], ..Inventory::default() }
}

/// Every second VM keeps away from the others of its tier by host, and together with them by zone, if `bound`.
fn specs(bound: bool) -> Vec<Arc<ConfigSpec>> {
    let spec = |nth: usize| {
        let mut spec = ConfigSpec {
            name: Some(format!("vm-{nth:04}").into()),
            num_cpus: Some(VCpus(4)),
            memory_mb: Some(MiB(16 << 10)),
            ..ConfigSpec::default()
        };
        if bound && nth.is_multiple_of(2) {
            let tag = json!({"nameId": {"tag": format!("tier:{}", nth / 2 % 20), "category": "ns"}});
            let policy = |type_: &str, field: &str, topology: &str| {
                json!({"_typeName": type_, field: tag, "policyTopology": topology,
                       "policyStrictness": "RequiredDuringPlacementPreferredDuringExecution"})
            };
            let policies =
                json!([policy("VmVmAffinity", "affinedVmsTag", "VSphereZone"), policy("VmVmAntiAffinity", "antiAffinedVmsTag", "Host")]);
            spec.rest.insert("vmPlacementPolicies".to_owned(), policies);
            spec.rest.insert("tagSpecs".to_owned(), json!([{"operation": "add", "id": tag}]));
        }
        Arc::new(spec)
    };
    (0..VMS).map(spec).collect()
}

fn placement(criterion: &mut Criterion) {
    let settings = Settings { rng: Rng::new(0), network_provider: NetworkProvider::Vpc, csi: Csi::Acts };
    let world = World::new(Timestamp::default(), settings, &inventory()).expect("the inventory holds together");
    let topology = world.topology();
    let resource_pools: Vec<_> = (0..CLUSTERS).flat_map(|nth| topology.pools(&format!("zone-{nth:02}"), "ns").to_vec()).collect();
    let mut group = criterion.benchmark_group("placement");
    group.sample_size(10);
    group.throughput(Throughput::Elements(VMS as u64));
    for (name, bound) in [("capacity", false), ("affinity on half", true)] {
        let request = PlaceVmsXCluster {
            resource_pools: resource_pools.clone(),
            vm_placement_specs: specs(bound),
            host_recomm_required: true,
            datastore_recomm_required: false,
        };
        group.bench_with_input(BenchmarkId::from_parameter(name), &request, |bencher, request| {
            bencher.iter(|| {
                let placed = world.recommend(black_box(request)).expect("there is room");
                assert_eq!(placed.placements.len(), VMS);
                placed
            });
        });
    }
    group.finish();
}

criterion_group!(benches, placement);
criterion_main!(benches);
