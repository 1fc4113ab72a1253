//! The promises of speed: the bare kernel, one life, many lives, a fork of a large world, the library as a process. The work for one
//! VM should not grow with the number of others. Figures and machine: `BASELINE.md`.

use std::hint::black_box;
use std::process::{Command, Stdio};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use vmtwin_model::kube::api::{Request, User};
use vmtwin_scenarios::format::Scenario;
use vmtwin_scenarios::runner::{Options, RunResult, Simulation, Turn, run, set_up};
use vmtwin_tests::lives::Lives;
use vmtwin_tests::root;

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Everything that is ahead happens, up to rest.
fn settle(simulation: &mut Simulation) -> u64 {
    while let Some(at) = simulation.next_pending() {
        assert!(matches!(simulation.turn(at), Turn::Event(_)), "what is pending happens");
    }
    simulation.log().len()
}

/// Agenda, queue, store, watches and log, with objects that mean nothing to anybody.
fn kernel(criterion: &mut Criterion) {
    const OBJECTS: usize = 1000;
    let empty =
        set_up(&Lives { vms: 0, hosts: 2, deleted: false }.scenario(), &Options::default()).expect("the infrastructure holds together");
    let user = User::named("kubernetes-admin");
    let play = |mut simulation: Simulation| {
        for n in 0..OBJECTS {
            let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("map-{n}"), "namespace": "ns"}});
            simulation.user_request(&user, Request::Create { manifest }).expect("nothing is wrong with it");
            settle(&mut simulation);
        }
        simulation.log().len()
    };
    let mut group = criterion.benchmark_group("kernel");
    group.throughput(Throughput::Elements(play(empty.clone())));
    group.bench_function("records", |bencher| bencher.iter_batched(|| empty.clone(), play, BatchSize::LargeInput));
    group.finish();
}

fn played(scenario: &Scenario) -> u64 {
    let ran = run(black_box(scenario), &Options::default(), &|| false);
    assert_eq!(ran.report.result, RunResult::Passed);
    ran.report.events
}

/// Created, switched on, deleted.
fn lives(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lives");
    group.sample_size(10);
    for (vms, hosts) in [(1, 2), (1000, 64), (10_000, 640)] {
        let scenario = Lives { vms, hosts, deleted: true }.scenario();
        group.throughput(Throughput::Elements(vms as u64));
        group.bench_with_input(BenchmarkId::from_parameter(vms), &scenario, |bencher, scenario| bencher.iter(|| played(scenario)));
    }
    group.finish();
}

/// A copy of a world in which many VMs run and nothing is due.
fn fork(criterion: &mut Criterion) {
    let scenario = Lives { vms: 10_000, hosts: 640, deleted: false }.scenario();
    let mut settled = set_up(&scenario, &Options::default()).expect("the infrastructure holds together");
    let user = User::named("kubernetes-admin");
    for manifest in &scenario.objects {
        settled.user_request(&user, Request::Create { manifest: manifest.value.clone() }).expect("nothing is wrong with it");
    }
    settle(&mut settled);
    criterion.bench_function("fork of 10,000 running VMs", |bencher| bencher.iter_with_large_drop(|| settled.clone()));
}

/// The program over the whole library, as a user starts it; passed over where it isn't built.
fn library(criterion: &mut Criterion) {
    let program = root().join("target/release/vmtwin");
    if !program.exists() {
        println!("`vmtwin run` of the library is passed over: build it with `cargo build --release`");
        return;
    }
    let mut group = criterion.benchmark_group("process");
    group.sample_size(10);
    group.bench_function("vmtwin run scenarios/library", |bencher| {
        bencher.iter(|| {
            let ended = Command::new(&program)
                .args(["run", "scenarios/library"])
                .current_dir(root())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            assert!(ended.expect("the program starts").success(), "the library passes");
        });
    });
    group.finish();
}

criterion_group!(benches, kernel, lives, fork, library);
criterion_main!(benches);
