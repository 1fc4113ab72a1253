//! How long whole lives of VMs take: created, switched on, deleted. The work for one should not grow with the number of others.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vmtwin_scenarios::format::{self, Files, Scenario};
use vmtwin_scenarios::runner::{Options, RunResult, run};

/// No other file.
struct Nowhere;

impl Files for Nowhere {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        Err(std::io::Error::new(std::io::ErrorKind::NotFound, path.display().to_string()))
    }

    fn is_inside(&self, _: &Path) -> bool {
        false
    }

    fn glob(&self, _: &Path, _: &str) -> std::io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}

/// So many VMs on as many hosts as they need.
fn lives(count: usize) -> Scenario {
    let hosts = count.div_ceil(16).max(2);
    let mut text = format!(
        "apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: lives}}\nspec:\n  operator: {{maxDeployThreadsOnProvider: 640}}\n  vsphere:\n    \
         zones: [{{name: z, clusters: [{{name: c, hosts: [{{name: h-, count: {hosts}}}]}}]}}]\n    datastores: [{{name: d, capacity: 10000Ti}}]\n    \
         storagePolicies: [{{name: p}}]\n    images: [{{name: vmi-1}}]\n    namespaces: [{{name: ns}}]\n    networks: [{{name: w, cidr: 10.0.0.0/8, gateway: 10.0.0.1}}]\n  objects:\n  \
         - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachineClass, metadata: {{name: small, namespace: ns}}, spec: {{hardware: {{cpus: 1, memory: 1Gi}}}}}}\n"
    );
    for n in 0..count {
        text.push_str(&format!(
            "  - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachine, metadata: {{name: vm-{n:05}, namespace: ns}}, spec: {{className: small, imageName: vmi-1, storageClass: p}}}}\n"
        ));
    }
    text.push_str("  steps:\n  - settle: {}\n    timeout: 8h\n");
    let loaded = format::load_bytes(Path::new("lives.yaml"), text.as_bytes(), &Nowhere);
    assert!(loaded.is_valid());
    loaded.scenarios.into_iter().next().expect("one scenario")
}

fn simulate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lives");
    group.sample_size(10);
    for count in [10usize, 100, 1000] {
        let scenario = lives(count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &scenario, |bencher, scenario| {
            bencher.iter(|| {
                let ran = run(black_box(scenario), &Options::default(), &|| false);
                assert_eq!(ran.report.result, RunResult::Passed);
                ran.report.events
            });
        });
    }
    group.finish();
}

criterion_group!(benches, simulate);
criterion_main!(benches);
