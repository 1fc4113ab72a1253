//! A small world to try things on, for the tests of this crate alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::Cause;
use vmtwin_model::id::{CallId, VmId};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::units::{Bytes, MHz, MiB, VCpus};
use vmtwin_model::vsphere::inventory::{
    Cluster, Datastore, Drs, Ha, Host, HostState, Image, ImageDisk, Ipam, Namespace, Network, StoragePolicy, Timing, Zone,
};
use vmtwin_model::vsphere::operation::DeployLibraryItem;
use vmtwin_model::vsphere::spec::{ConfigSpec, Device, DeviceChange, DeviceType, OptionValue};
use vmtwin_model::vsphere::{Action, Answer, Change, Failure, Fault, Inventory, Operation, Reply, VirtualMachine};

use crate::{ActionError, Csi, Happening, NetworkProvider, Settings, What, World};

/// Two hosts, one datastore, one image, one namespace `shop`; every operation takes one second.
pub(crate) fn inventory() -> Inventory {
    let host = |name: &str| Host {
        name: name.into(),
        id: None,
        sockets: 2,
        cores: 16,
        clock: MHz(2600),
        memory: Bytes::from_gib(64),
        datastores: vec!["ds".into()],
        vgpus: Vec::new(),
        instance_storage: Bytes::ZERO,
        state: HostState::Connected,
    };
    let cluster = Cluster {
        name: "cluster-a".into(),
        hosts: vec![host("esx-0"), host("esx-1")],
        drs: Drs::default(),
        ha: Ha::default(),
        rules: Vec::new(),
        reservable_cpu: None,
        reservable_memory: None,
        resource_pools: Vec::new(),
        overrides: BTreeMap::new(),
    };
    Inventory {
        vcenter_version: "9.0".into(),
        zones: vec![Zone { name: "zone-a".into(), clusters: vec![cluster] }],
        datastores: vec![Datastore {
            name: "ds".into(),
            type_: "vmfs".into(),
            capacity: Bytes::from_gib(1024),
            used: Bytes::ZERO,
            maintenance: false,
            shares_space_with: None,
        }],
        storage_policies: vec![StoragePolicy {
            name: "gold".into(),
            id: "gold-id".into(),
            datastores: vec!["ds".into()],
            encrypted: false,
            thin: true,
        }],
        networks: vec![Network {
            name: "workload".into(),
            type_: "distributed".into(),
            cidr: "192.168.0.0/24".into(),
            gateway: "192.168.0.1".into(),
            ipam: Ipam::Pool,
        }],
        images: vec![Image {
            name: "vmi-1".into(),
            display_name: None,
            namespace: None,
            id: "item-1".into(),
            type_: "OVF".into(),
            disks: vec![ImageDisk { file: None, size: Bytes::from_gib(2), capacity: Bytes::from_gib(10) }],
            guest_id: "ubuntu64Guest".into(),
            tools: true,
            hardware_version: Some(21),
            firmware: None,
            ovf_properties: Vec::new(),
            guest: None,
        }],
        timings: BTreeMap::from([("*".into(), Timing::Fixed(Span::from_secs(1)))]),
        namespaces: vec![Namespace {
            name: "shop".into(),
            zones: vec!["zone-a".into()],
            storage_quota: BTreeMap::new(),
            cpu_limit: None,
            memory_limit: None,
        }],
        ..Inventory::default()
    }
}

/// The same with zones a and b, two hosts each.
pub(crate) fn two_zones() -> Inventory {
    let mut inventory = inventory();
    let mut second = inventory.zones[0].clone();
    second.name = "zone-b".into();
    second.clusters[0].name = "cluster-b".into();
    for (nth, host) in second.clusters[0].hosts.iter_mut().enumerate() {
        host.name = format!("esx-b{nth}").into();
    }
    inventory.zones.push(second);
    inventory.namespaces[0].zones = vec!["zone-a".into(), "zone-b".into()];
    inventory
}

/// A spec of two CPUs and 4 GiB, with one adapter on the network.
pub(crate) fn spec(name: &str) -> ConfigSpec {
    let mut card = Device::new(DeviceType::VirtualVmxnet3, -1);
    card.backing = serde_json::from_value(json!({"deviceName": "workload"})).ok();
    ConfigSpec {
        name: Some(name.into()),
        num_cpus: Some(VCpus(2)),
        memory_mb: Some(MiB(4096)),
        extra_config: vec![OptionValue::new("vmservice.namespacedName", format!("shop/{name}"))],
        device_change: vec![DeviceChange::add(card)],
        ..ConfigSpec::default()
    }
}

/// A world on its way.
pub(crate) struct Trial {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    pub(crate) answers: BTreeMap<CallId, (Timestamp, Answer)>,
    pub(crate) changes: Vec<(Timestamp, Change)>,
    pub(crate) happened: Vec<Happening>,
    calls: u64,
}

impl Trial {
    pub(crate) fn new(inventory: &Inventory) -> Self {
        Self::with(inventory, NetworkProvider::Vpc)
    }

    pub(crate) fn with(inventory: &Inventory, network_provider: NetworkProvider) -> Self {
        let now = Timestamp::from_nanos(0);
        let world =
            World::new(now, Settings { rng: Rng::new(7), network_provider, csi: Csi::Acts }, inventory).expect("the inventory is whole");
        Self { world, now, answers: BTreeMap::new(), changes: Vec::new(), happened: Vec::new(), calls: 0 }
    }

    pub(crate) fn call(&mut self, operation: Operation) -> CallId {
        self.calls += 1;
        let id = CallId(self.calls);
        self.world.call(self.now, Cause(self.calls), id, operation);
        id
    }

    pub(crate) fn act(&mut self, action: &Action) -> Result<(), ActionError> {
        let result = self.world.act(self.now, Cause(0), action);
        self.run(Span::ZERO);
        result
    }

    pub(crate) fn run(&mut self, span: Span) {
        let end = self.now + span;
        while let Some(at) = self.world.next_event().filter(|at| *at <= end) {
            self.step_at(at);
        }
        self.now = end;
    }

    fn step_at(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        for happening in self.world.step(self.now) {
            match &happening.what {
                What::Answer { id, answer, .. } => {
                    let twice = self.answers.insert(*id, (self.now, answer.clone()));
                    assert!(twice.is_none(), "{id} is answered twice");
                }
                What::Changed(change) => self.changes.push((self.now, change.clone())),
                _ => {}
            }
            self.happened.push(happening);
        }
    }

    /// How many calls were made.
    pub(crate) fn asked(&self) -> u64 {
        self.calls
    }

    /// Calls, and waits for the answer.
    pub(crate) fn ask(&mut self, operation: Operation) -> Result<Reply, Failure> {
        let id = self.call(operation);
        while !self.answers.contains_key(&id) {
            let at = self.world.next_event().expect("every call is answered one day");
            self.step_at(at);
        }
        self.answers[&id].1.result.clone()
    }

    pub(crate) fn refused(&mut self, operation: Operation) -> Fault {
        match self.ask(operation) {
            Err(Failure::Fault(fault)) => fault,
            other => panic!("a fault was expected, not {other:?}"),
        }
    }

    pub(crate) fn deployment(&self, spec: ConfigSpec) -> Operation {
        let topology = self.world.topology();
        Operation::DeployLibraryItem(DeployLibraryItem {
            item: "item-1".into(),
            name: spec.name.clone().expect("a name"),
            resource_pool_id: topology.pools("zone-a", "shop")[0].clone(),
            folder_id: topology.folder("shop").expect("a folder").clone(),
            host_id: None,
            storage_profile_id: Some("gold-id".into()),
            default_datastore_id: None,
            vm_config_spec: Arc::new(spec),
        })
    }

    pub(crate) fn deploy(&mut self, spec: ConfigSpec) -> VmId {
        let operation = self.deployment(spec);
        match self.ask(operation) {
            Ok(Reply::Created(id)) => id,
            other => panic!("the VM should be made: {other:?}"),
        }
    }

    /// A VM of this name that is on, its guest not yet up.
    pub(crate) fn running(&mut self, name: &str) -> VmId {
        let vm = self.deploy(spec(name));
        self.ask(Operation::PowerOnVm { vm: vm.clone(), host: None }).expect("it is switched on");
        vm
    }

    pub(crate) fn vm(&self, id: &VmId) -> &VirtualMachine {
        self.world.vm(id).expect("the VM is there")
    }

    pub(crate) fn value(&self, kind: &str, name: &str) -> Value {
        let objects = self.world.objects(kind).expect("the kind is known");
        objects.into_iter().find(|(there, _)| **there == *name).expect("the object is there").1
    }

    pub(crate) fn messages(&self) -> Vec<&str> {
        self.happened
            .iter()
            .filter_map(|happening| match &happening.what {
                What::Event { message, .. } => Some(message.as_str()),
                _ => None,
            })
            .collect()
    }
}
