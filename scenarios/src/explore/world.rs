//! The world of a drawn run: infrastructure, classes, what users can name.

use serde_json::{Map, Value, json};

use super::dice::Dice;

pub(super) const VMOP: &str = "vmoperator.vmware.com/v1alpha5";

/// What of a world the rest of a run has to know.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) zones: Vec<String>,
    pub(super) hosts: Vec<String>,
    pub(super) datastores: Vec<String>,
    pub(super) policies: Vec<String>,
    pub(super) encrypted: Vec<String>,
    pub(super) networks: Vec<String>,
    pub(super) namespaces: Vec<String>,
    pub(super) classes: Vec<String>,
    pub(super) images: Vec<String>,
    pub(super) iso: Option<String>,
    pub(super) encryption_classes: Vec<String>,
    pub(super) providers: Vec<(String, Vec<String>)>,
    pub(super) affinity: u64,
    pub(super) quota: bool,
}

/// Classes: CPUs and memory in GiB.
const CLASSES: &[(u64, u64)] = &[(1, 1), (2, 2), (1, 2), (2, 4), (4, 8), (4, 4), (8, 16), (2, 8)];

/// Draws a world; `vms` is how many VMs are to find room in it.
pub(super) fn draw(dice: &mut Dice<'_>, vms: u64) -> (World, Value, Vec<Value>) {
    let mut world = World::default();
    let mut vsphere = Map::new();
    let named = |prefix: &str, count: u64| (1..=count).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>();
    world.datastores = named("d", dice.number("world.datastores"));
    world.networks = named("n", dice.number("world.networks"));
    world.namespaces = named("ns-", dice.number("world.namespaces"));
    world.classes = named("c-", dice.number("world.classes"));
    world.affinity = dice.number("world.affinity");

    let zones = zones(dice, &mut world, vms);
    vsphere.insert("zones".to_owned(), zones.into());
    vsphere.insert("datastores".to_owned(), world.datastores.iter().map(|name| json!({"name": name, "capacity": "2Ti"})).collect());
    let providers = dice.number("world.keyProviders");
    let mut policies = Vec::new();
    for at in 1..=dice.number("world.storagePolicies") {
        let name = format!("p{at}");
        let encrypted = providers > 0 && dice.happens(60);
        policies.push(if encrypted { json!({"name": name, "encrypted": true}) } else { json!({"name": name}) });
        if encrypted {
            world.encrypted.push(name.clone());
        }
        world.policies.push(name);
    }
    vsphere.insert("storagePolicies".to_owned(), policies.into());
    let mut objects = Vec::new();
    if providers > 0 {
        let default = dice.between(0, providers);
        let mut list = Vec::new();
        for at in 1..=providers {
            let name = format!("kms-{at}");
            let keys: Vec<String> = (1..=3).map(|key| format!("k{at}{key}")).collect();
            let kind = if dice.happens(25) { "native" } else { "standard" };
            list.push(json!({"name": name, "type": kind, "default": at == default, "keys": keys.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()}));
            world.providers.push((name, keys));
        }
        vsphere.insert("keyProviders".to_owned(), list.into());
        encryption_classes(&mut world, &mut objects);
    }
    vsphere.insert("networks".to_owned(), world.networks.iter().map(|name| json!({"name": name})).collect());
    let (images, guests) = images(dice, &mut world);
    vsphere.insert("images".to_owned(), images.into());
    if let Some(guests) = guests {
        vsphere.insert("guests".to_owned(), guests);
    }
    match dice.name("world.timings") {
        "instant" => drop(vsphere.insert("timings".to_owned(), json!({"*": "1s"}))),
        "heavyTail" => drop(vsphere.insert(
            "timings".to_owned(),
            json!({"PowerOnVM_Task": {"median": "5s", "p99": "3m"}, "ReconfigVM_Task": {"median": "2s", "p99": "2m"}, "deployLibraryItem": {"median": "20s", "p99": "5m"}}),
        )),
        _ => {}
    }
    let existing = existing(dice, &world);
    if !existing.is_empty() {
        vsphere.insert("virtualMachines".to_owned(), existing.into());
    }
    let namespaces = namespaces(dice, &mut world);
    vsphere.insert("namespaces".to_owned(), namespaces.into());
    for namespace in world.namespaces.clone() {
        for (at, class) in world.classes.clone().iter().enumerate() {
            objects.push(class_manifest(dice, &namespace, class, at));
        }
    }
    (world, Value::Object(vsphere), objects)
}

fn zones(dice: &mut Dice<'_>, world: &mut World, vms: u64) -> Vec<Value> {
    let zones = dice.number("world.zones");
    let per_zone = dice.number("world.clustersPerZone");
    let hosts = dice.number("world.hostsPerCluster");
    let tightness = dice.number("world.tightness").max(1);
    let ha = dice.name("world.ha");
    let drs = dice.name("world.drs");
    // So much memory in GiB that the VMs to come ask for this share of it, at four GiB a VM.
    let memory = (vms.max(1) * 4 * 100 / tightness / (zones * per_zone * hosts)).clamp(6, 512);
    let mut list = Vec::new();
    for zone in 1..=zones {
        let name = format!("z{zone}");
        let mut clusters = Vec::new();
        for cluster in 1..=per_zone {
            let cluster_name = format!("{name}c{cluster}");
            let names: Vec<String> = (1..=hosts).map(|host| format!("{cluster_name}h{host}")).collect();
            let mut described = Map::from_iter([
                ("name".to_owned(), Value::from(cluster_name.as_str())),
                ("hosts".to_owned(), names.iter().map(|host| json!({"name": host, "memory": format!("{memory}Gi")})).collect()),
            ]);
            match drs {
                "off" => drop(described.insert("drs".to_owned(), json!({"enabled": false}))),
                "manual" => drop(described.insert("drs".to_owned(), json!({"enabled": true, "automation": "manual"}))),
                _ => {}
            }
            let policy = match ha {
                "percentage" => Some(json!({"policy": "clusterResourcePercentage", "hostFailuresToTolerate": 1})),
                "slots" => Some(json!({"policy": "slotPolicy", "hostFailuresToTolerate": 1})),
                "failoverHosts" if names.len() > 1 => Some(json!({"policy": "dedicatedFailoverHosts", "hosts": [names.last()]})),
                _ => None,
            };
            if let Some(policy) = policy.filter(|_| names.len() > 1) {
                described.insert("ha".to_owned(), json!({"enabled": true, "admissionControl": policy}));
            }
            world.hosts.extend(names);
            clusters.push(Value::Object(described));
        }
        list.push(json!({"name": name, "clusters": clusters}));
        world.zones.push(name);
    }
    list
}

fn encryption_classes(world: &mut World, objects: &mut Vec<Value>) {
    for namespace in &world.namespaces {
        let mut at = 0;
        for (provider, keys) in &world.providers {
            let mut class = |spec: Value| {
                at += 1;
                let name = format!("e-{at}");
                objects.push(json!({"apiVersion": "encryption.vmware.com/v1alpha1", "kind": "EncryptionClass",
                    "metadata": {"name": name, "namespace": namespace}, "spec": spec}));
                name
            };
            let mut names = vec![class(json!({"keyProvider": provider}))];
            names.extend(keys.iter().take(2).map(|key| class(json!({"keyProvider": provider, "keyID": key}))));
            if *namespace == world.namespaces[0] {
                world.encryption_classes.extend(names);
            }
        }
    }
}

fn images(dice: &mut Dice<'_>, world: &mut World) -> (Vec<Value>, Option<Value>) {
    let mut list = Vec::new();
    let mut guests = Map::new();
    for at in 1..=dice.number("world.images") {
        let name = format!("vmi-{at}");
        let mut image = json!({"name": name, "disks": [{"size": "1Gi", "capacity": format!("{}Gi", 2 * dice.between(1, 5))}]});
        match dice.name("world.guests") {
            "noTools" => image["tools"] = "none".into(),
            "slow" => {
                guests.insert("slow".to_owned(), json!({"boot": "90s", "toolsStart": "60s", "shutdown": "4m", "standby": "2m"}));
                image["guest"] = "slow".into();
            }
            "hangs" => {
                guests.insert("hangs".to_owned(), json!({"shutdown": "never", "standby": "never"}));
                image["guest"] = "hangs".into();
            }
            _ => {}
        }
        list.push(image);
        world.images.push(name);
    }
    if dice.happens(30) {
        list.push(json!({"name": "vmi-iso", "type": "ISO"}));
        world.iso = Some("vmi-iso".to_owned());
    }
    (list, (!guests.is_empty()).then_some(Value::Object(guests)))
}

/// VMs of others, which take room.
fn existing(dice: &mut Dice<'_>, world: &World) -> Vec<Value> {
    let mut list = Vec::new();
    for at in 1..=dice.number("world.existingVMs") {
        let Some(host) = dice.one(&world.hosts) else { break };
        let state = if dice.happens(70) { "poweredOn" } else { "poweredOff" };
        list.push(json!({"name": format!("other-{at}"), "host": host, "runtime": {"powerState": state},
            "config": {"hardware": {"numCPU": 1, "memoryMB": 1024}}}));
    }
    list
}

fn namespaces(dice: &mut Dice<'_>, world: &mut World) -> Vec<Value> {
    let quota = dice.name("world.quota");
    world.quota = quota != "none";
    let mut list = Vec::new();
    for name in &world.namespaces {
        let mut namespace = json!({"name": name});
        let limit = match quota {
            "tight" => Some(dice.between(8, 40)),
            "ample" => Some(2000),
            _ => None,
        };
        if let Some(limit) = limit {
            let of = |policy: &String| (policy.clone(), Value::from(format!("{limit}Gi")));
            namespace["storageQuota"] = Value::Object(world.policies.iter().map(of).collect());
        }
        list.push(namespace);
    }
    list
}

fn class_manifest(dice: &mut Dice<'_>, namespace: &str, name: &str, at: usize) -> Value {
    let (cpus, memory) = CLASSES[at % CLASSES.len()];
    let mut spec = json!({"hardware": {"cpus": cpus, "memory": format!("{memory}Gi")}});
    if dice.happens(40) {
        spec["policies"] = json!({"resources": {"requests": {"memory": format!("{memory}Gi")}}});
    }
    json!({"apiVersion": VMOP, "kind": "VirtualMachineClass", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}
