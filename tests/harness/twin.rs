//! The twin behind the contract of the port: its time passes as far as it must.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use vmtwin_model::Cause;
use vmtwin_model::id::{CallId, VmId};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::action::{FaultEnd, FaultRule};
use vmtwin_model::vsphere::{Action, Answer, Change, Changed, Fault, FaultName, Operation};
use vmtwin_scenarios::format::{self, Scenario};
use vmtwin_sim::{NetworkProvider, Settings, What, World};

use crate::Nowhere;
use crate::contract::{Ground, Hypervisor};

const WORLD: &str = "apiVersion: vmtwin.dev/v1alpha1
kind: Scenario
metadata: {name: ground}
spec:
  vsphere:
    zones: [{name: z, clusters: [{name: c, hosts: [{name: h-, count: 2, memory: 64Gi}]}]}]
    datastores: [{name: d, capacity: 1Ti}]
    storagePolicies: [{name: p}]
    images: [{name: vmi-1}]
    timings: {\"*\": 1s}
    namespaces: [{name: ns}]
  steps: []
";

/// The longest time that is waited for anything.
const PATIENCE: Span = Span::from_mins(10);

/// A twin.
#[derive(Debug)]
pub struct Twin {
    world: World,
    scenario: Scenario,
    now: Timestamp,
    calls: u64,
    answers: BTreeMap<CallId, Vec<Answer>>,
    changes: VecDeque<Change>,
}

impl Twin {
    /// A small twin.
    ///
    /// # Panics
    /// If its description isn't valid.
    #[must_use]
    pub fn new() -> Self {
        let loaded = format::load_bytes(Path::new("ground.yaml"), WORLD.as_bytes(), &Nowhere);
        crate::assert_valid(&loaded);
        let scenario = loaded.scenarios.into_iter().next().expect("one scenario");
        let settings = Settings { rng: Rng::new(1), network_provider: NetworkProvider::Vpc, csi: vmtwin_sim::Csi::Acts };
        let world = World::new(scenario.start, settings, &scenario.inventory).expect("a world");
        Self { now: scenario.start, world, scenario, calls: 0, answers: BTreeMap::new(), changes: VecDeque::new() }
    }

    /// Lets time pass up to the next event, if there is one before `end`.
    fn step(&mut self, end: Timestamp) -> bool {
        let Some(at) = self.world.next_event().filter(|at| *at <= end) else { return false };
        self.now = self.now.max(at);
        for happening in self.world.step(self.now) {
            match happening.what {
                What::Answer { id, answer, .. } => self.answers.entry(id).or_default().push(answer),
                What::Changed(change) => self.changes.push_back(change),
                What::Task { .. } | What::Event { .. } | What::Request { .. } => {}
            }
        }
        true
    }
}

impl Default for Twin {
    fn default() -> Self {
        Self::new()
    }
}

impl Hypervisor for Twin {
    fn ground(&self) -> Ground {
        let topology = self.world.topology();
        Ground {
            cluster: topology.clusters("z")[0].clone(),
            pool: topology.pools("z", "ns")[0].clone(),
            folder: topology.folder("ns").expect("the namespace has a folder").clone(),
            datastore: "d".into(),
            item: self.scenario.inventory.images[0].id.clone(),
            policy: self.scenario.inventory.storage_policies[0].id.clone(),
        }
    }

    fn call_all(&mut self, operations: Vec<Operation>) -> Vec<Vec<Answer>> {
        let ids: Vec<CallId> = operations.iter().map(|_| self.next_id()).collect();
        for (id, operation) in ids.iter().zip(operations) {
            self.world.call(self.now, Cause::default(), *id, operation);
        }
        // Time passes well beyond the answers: a second one would come too.
        let end = self.now + PATIENCE;
        while self.step(end) {}
        ids.iter().map(|id| self.answers.remove(id).unwrap_or_default()).collect()
    }

    fn fail_next(&mut self, method: &'static str, fault: FaultName) {
        let rule = FaultRule {
            operation: method.into(),
            matching: None,
            ends: FaultEnd::Fault(Fault::new(fault, "on purpose")),
            times: Some(1),
            skip: 0,
            lasts: None,
            probability: 1_000_000,
        };
        self.world.act(self.now, Cause::default(), &Action::Fault(Box::new(rule))).expect("a rule comes into force");
    }

    fn hear(&mut self, vm: &VmId, wanted: Changed) -> Change {
        let end = self.now + PATIENCE;
        loop {
            while let Some(change) = self.changes.pop_front() {
                if change.vm == *vm && change.changed.contains(&wanted) {
                    return change;
                }
            }
            assert!(self.step(end), "{vm} never told {wanted:?}");
        }
    }
}

impl Twin {
    fn next_id(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }
}
