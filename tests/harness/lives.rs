//! Scenarios of many VMs' whole lives, for those who count work and those who time it: so many VMs are created, run, and may be deleted.

use std::fmt::Write as _;
use std::path::Path;

use vmtwin_scenarios::format::{self, Scenario};

/// How many hosts a cluster has at most.
const CLUSTER: usize = 64;

/// What a scenario of lives is made of.
#[derive(Clone, Copy, Debug)]
pub struct Lives {
    /// How many VMs there are.
    pub vms: usize,
    /// How many hosts they have, in clusters of 64; each cluster is a zone with a datastore and a namespace of its own, so that the VMs
    /// are spread over all hosts.
    pub hosts: usize,
    /// Whether the VMs are deleted in the end.
    pub deleted: bool,
}

impl Lives {
    /// The scenario as a file. Nothing in it recurs: the operator's periodic resync is off. Nobody waits for a create slot either,
    /// which would be a pass more for those who do; the limits of vCenter itself are as they are.
    #[must_use]
    pub fn text(self) -> String {
        let clusters = self.hosts.div_ceil(CLUSTER);
        let list = |one: &dyn Fn(usize) -> String| (0..clusters).map(one).collect::<Vec<_>>().join(", ");
        let hosts = list(&|c| {
            let count = CLUSTER.min(self.hosts - c * CLUSTER);
            format!("{{name: z{c}, clusters: [{{name: c{c}, hosts: [{{name: h{c}-, count: {count}, datastores: [d{c}]}}]}}]}}")
        });
        let datastores = list(&|c| format!("{{name: d{c}, capacity: 1000Ti}}"));
        let namespaces = list(&|c| format!("{{name: ns{c}, zones: [z{c}]}}"));
        let slots = self.vms.max(1);
        let mut text = format!(
            "apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: lives}}\nspec:\n  operator: {{maxDeployThreadsOnProvider: {slots}, \
             resyncPeriod: none}}\n  vsphere:\n    zones: [{hosts}]\n    datastores: [{datastores}]\n    storagePolicies: \
             [{{name: p}}]\n    images: [{{name: vmi-1}}]\n    namespaces: [{namespaces}]\n    networks: [{{name: w, cidr: 10.0.0.0/8, gateway: \
             10.0.0.1}}]\n  objects:\n"
        );
        let mut line = |line: std::fmt::Arguments<'_>| text.write_fmt(line).expect("writing to memory can't fail");
        for c in 0..clusters {
            line(format_args!(
                "  - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachineClass, metadata: {{name: small, namespace: ns{c}}}, spec: \
                 {{hardware: {{cpus: 1, memory: 1Gi}}}}}}\n"
            ));
        }
        for n in 0..self.vms {
            let c = n % clusters;
            line(format_args!(
                "  - {{apiVersion: vmoperator.vmware.com/v1alpha5, kind: VirtualMachine, metadata: {{name: vm-{n:05}, namespace: ns{c}}}, spec: \
                 {{className: small, imageName: vmi-1, storageClass: p}}}}\n"
            ));
        }
        line(format_args!("  steps:\n  - settle: {{}}\n    timeout: 24h\n"));
        if self.deleted {
            line(format_args!("  - delete:\n"));
            for n in 0..self.vms {
                line(format_args!("    - VirtualMachine/ns{}/vm-{n:05}\n", n % clusters));
            }
            line(format_args!("  - settle: {{}}\n    timeout: 24h\n"));
        }
        text
    }

    /// The scenario.
    ///
    /// # Panics
    /// If the file isn't valid; the diagnostics are printed.
    #[must_use]
    pub fn scenario(self) -> Scenario {
        let loaded = format::load_bytes(Path::new("lives.yaml"), self.text().as_bytes(), &crate::Nowhere);
        crate::assert_valid(&loaded);
        loaded.scenarios.into_iter().next().expect("one scenario")
    }
}
