//! How many drawn runs there are in a second: the bar is 500 of `power` and 100 of `chaos` on one core. Beside each the same runs without
//! invariants: what is between them is what watching costs. Figures: `docs/explore.md`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vmtwin_scenarios::explore;
use vmtwin_scenarios::format::profile::Profile;

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// So many runs at once: single ones differ too much from each other.
const RUNS: u64 = 50;

fn runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("explore");
    group.sample_size(10);
    group.throughput(Throughput::Elements(RUNS));
    for name in ["power", "chaos"] {
        let watched = Profile::built_in(name).expect("the profile is built in");
        // One rule that costs next to nothing stands for none.
        let alone = watched.with("invariants.only", "[privilege-kept]").expect("a field of profiles");
        for (kind, profile) in [("all invariants", watched), ("none", alone)] {
            group.bench_with_input(BenchmarkId::new(name, kind), &profile, |bencher, profile| {
                bencher.iter(|| {
                    (0..RUNS).map(|run| explore::run(black_box(profile), 1, run, &|| false).map_or(0, |one| one.events)).sum::<u64>()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, runs);
criterion_main!(benches);
