//! Admission of one object: a manifest with everything that the documentation's examples show, created and updated, among a thousand
//! other VMs. The bar is 20 µs each.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use vmtwin_engine::{Engine, Input, Settings};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Review, ReviewVerb, User, WatchEvent};
use vmtwin_model::kube::{Kind, Layout, Object, ObjectKey};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::Timestamp;

const POLICY: &str = "00000000-0000-4000-8000-000000000001";

fn decode(object: &Value) -> Object {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = Kind::find(&text(&object["apiVersion"]), &text(&object["kind"])).expect("the kind is served");
    let meta = &object["metadata"];
    let body = match kind.info().layout {
        Layout::SpecStatus => object["spec"].clone(),
        Layout::Whole => object.clone(),
    };
    Object {
        key: ObjectKey::new(kind, text(&meta["namespace"]), text(&meta["name"])),
        meta: Arc::new(serde_json::from_value(meta.clone()).expect("metadata is well formed")),
        spec: (kind.info().decode_spec)(body).expect("the spec is well formed"),
        status: (kind.info().decode_status)(object["status"].clone()).expect("the status is well formed"),
        resource_version: 0,
        generation: 0,
    }
}

fn manifest(name: &str) -> Value {
    let term = |key: &str| json!({"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": key});
    let volumes: Vec<Value> =
        (0..8).map(|nth| json!({"name": format!("data-{nth}"), "persistentVolumeClaim": {"claimName": format!("claim-{nth}")}})).collect();
    let interfaces: Vec<Value> = (0..4)
        .map(|nth| {
            json!({
                "name": format!("eth{nth}"), "network": {"kind": "Subnet", "name": format!("net-{nth}")}, "mtu": 9000,
                "addresses": ["10.0.0.10/24"], "gateway4": "10.0.0.1", "nameservers": ["10.0.0.2"],
                "routes": [{"to": "10.1.0.0/16", "via": "10.0.0.3"}], "searchDomains": ["example.com"]
            })
        })
        .collect();
    json!({
        "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachine",
        "metadata": {
            "name": name, "namespace": "my-namespace", "labels": {"app": "web", "topology.kubernetes.io/zone": "zone-1"},
            "annotations": {"poweron.check.vmoperator.vmware.com/app": "wait"}
        },
        "spec": {
            "className": "small", "imageName": "vmi-1", "storageClass": "gold", "guestID": "ubuntu64Guest", "groupName": "web",
            "powerOffMode": "TrySoft", "minHardwareVersion": 20,
            "affinity": {
                "vmAffinity": {"requiredDuringSchedulingPreferredDuringExecution": [term("topology.kubernetes.io/zone")]},
                "vmAntiAffinity": {"preferredDuringSchedulingPreferredDuringExecution": [term("kubernetes.io/hostname")]}
            },
            "network": {"hostName": "web-1", "domainName": "example.com", "interfaces": interfaces},
            "hardware": {"cdrom": [{"name": "cd1", "image": {"kind": "VirtualMachineImage", "name": "vmi-1"}}]},
            "volumes": volumes,
            "advanced": {"bootDiskCapacity": "50Gi"},
            "readinessProbe": {"guestHeartbeat": {"thresholdStatus": "green"}},
            "bootstrap": {"cloudInit": {"cloudConfig": {
                "users": [{"name": "jdoe", "sudo": "ALL=(ALL) NOPASSWD:ALL"}], "runcmd": ["ls", ["echo", "hello"]],
                "write_files": [{"path": "/etc/my-plaintext", "content": "Hello, world."}]
            }}}
        }
    })
}

fn world() -> Vec<Value> {
    let mut world = vec![
        json!({"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineImage", "metadata": {"name": "vmi-1", "namespace": "my-namespace"}, "status": {"name": "photon", "disks": [{"name": "a", "limit": "10Gi"}]}}),
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gold"}, "provisioner": "p", "parameters": {"storagePolicyID": POLICY}}),
        json!({"apiVersion": "cns.vmware.com/v1alpha2", "kind": "StoragePolicyQuota", "metadata": {"name": "gold", "namespace": "my-namespace"}, "spec": {"storagePolicyId": POLICY, "limit": "500Ti"}}),
        json!({"apiVersion": "infra.vmware.com/v1alpha1", "kind": "StoragePolicy", "metadata": {"name": "pol-00000000-8000000000000001", "namespace": "vmware-system-vmop"}, "spec": {"id": POLICY}, "status": {"encrypted": false}}),
        json!({"apiVersion": "topology.tanzu.vmware.com/v1alpha1", "kind": "Zone", "metadata": {"name": "zone-1", "namespace": "my-namespace"}, "spec": {}}),
    ];
    world.extend((0..1000).map(|nth| manifest(&format!("other-{nth}"))));
    world
}

fn admission(c: &mut Criterion) {
    let now = Timestamp::parse("2026-01-01T00:00:12.5Z").expect("an instant");
    let mut engine = Engine::new(now, Arc::new(Settings::default()), Rng::new(1), 0);
    for object in world() {
        let object = Arc::new(decode(&object));
        let event = WatchEvent { key: object.key.clone(), before: None, after: Some(object) };
        engine.handle(now, Cause(1), Input::Changed(event));
    }
    let new = decode(&manifest("my-vm"));
    let user = User::named("devops@vsphere.local");
    let create = Review { user: user.clone(), verb: ReviewVerb::Create, key: new.key.clone(), old: None, new: Some(new.clone()) };
    let admitted = engine.admit(now, &create).expect("the manifest is let in");
    let stored = Arc::new(admitted.object.expect("mutation fills something in"));
    let update = Review { user, verb: ReviewVerb::Update, key: new.key.clone(), old: Some(stored.clone()), new: Some((*stored).clone()) };
    assert!(engine.admit(now, &update).is_ok());
    c.bench_function("admission/create", |b| b.iter(|| engine.admit(now, black_box(&create))));
    c.bench_function("admission/update", |b| b.iter(|| engine.admit(now, black_box(&update))));
}

criterion_group!(benches, admission);
criterion_main!(benches);
