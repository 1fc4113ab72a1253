//! Claims and attachments as the API server and the VMs see them.

use vmtwin_model::kube::Kind;
use vmtwin_model::vsphere::action::VmAction;
use vmtwin_model::vsphere::spec::{ConfigSpec, DeviceType};
use vmtwin_model::vsphere::{Action, Operation};

use super::*;
use crate::trial::{Trial, inventory, spec};

/// The API server, as far as CSI needs it: objects that its patches change, told back.
struct Cluster {
    trial: Trial,
    objects: BTreeMap<ObjectKey, Value>,
    heard: usize,
}

fn object(key: &ObjectKey, whole: &Value) -> Arc<Object> {
    let info = key.kind.info();
    let body = if whole["spec"].is_null() { whole.clone() } else { whole["spec"].clone() };
    Arc::new(Object {
        key: key.clone(),
        meta: Arc::new(serde_json::from_value(whole["metadata"].clone()).expect("metadata")),
        spec: (info.decode_spec)(body).expect("a spec of the kind"),
        status: (info.decode_status)(whole["status"].clone()).expect("a status of the kind"),
        resource_version: 1,
        generation: 1,
    })
}

fn merge(into: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) => {
            for (field, value) in fields {
                match (value, &mut *into) {
                    (Value::Null, Value::Object(there)) => drop(there.remove(field)),
                    (Value::Null, _) => {}
                    (value, into) => merge(&mut into[field], value),
                }
            }
        }
        value => *into = value.clone(),
    }
}

impl Cluster {
    fn new() -> Self {
        let mut cluster = Self { trial: Trial::new(&inventory()), objects: BTreeMap::new(), heard: 0 };
        let class = json!({"metadata": {"name": "gold"}, "provisioner": "p", "parameters": {"storagePolicyID": "gold-id"}});
        cluster.put("storage.k8s.io/v1", "StorageClass", "gold", class);
        cluster
    }

    fn key(&self, api: &str, kind: &str, name: &str) -> ObjectKey {
        let namespace = if kind == "StorageClass" { "" } else { "shop" };
        ObjectKey::new(Kind::find(api, kind).expect("the kind is served"), namespace, name)
    }

    fn put(&mut self, api: &str, kind: &str, name: &str, whole: Value) {
        let key = self.key(api, kind, name);
        self.objects.insert(key.clone(), whole);
        self.tell(&key);
    }

    fn tell(&mut self, key: &ObjectKey) {
        let after = self.objects.get(key).map(|whole| object(key, whole));
        self.trial.world.observe(self.trial.now, Cause(1), &WatchEvent { key: key.clone(), before: None, after });
    }

    fn claim(&mut self, name: &str) {
        let spec = json!({"storageClassName": "gold", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Gi"}}});
        self.put("v1", CLAIM, name, json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec}));
    }

    fn attachment(&mut self, vm: &str, claim: &str) {
        let id = self.trial.world.vm_named(&format!("shop/{vm}")).map(|vm| vm.id.clone()).expect("the VM is there");
        let uuid = self.trial.vm(&id).config.as_ref().map(|config| config.uuid.to_string());
        let owner = json!([{"apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachine", "name": vm, "uid": "u"}]);
        let name = format!("{vm}-{claim}");
        let meta = json!({"name": name, "namespace": "shop", "ownerReferences": owner});
        self.put("cns.vmware.com/v1alpha1", ATTACHMENT, &name, json!({"metadata": meta, "spec": {"nodeuuid": uuid, "volumename": claim}}));
    }

    fn go(&mut self, kind: &str, name: &str) {
        let api = if kind == CLAIM { "v1" } else { "cns.vmware.com/v1alpha1" };
        let key = self.key(api, kind, name);
        self.objects.get_mut(&key).expect("it is there")["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        self.tell(&key);
    }

    /// Lets time pass; patches are carried out and told back, and what has no finalizer left is gone.
    fn run(&mut self) {
        for _ in 0..30 {
            self.trial.run(Span::from_secs(10));
            let patches: Vec<(ObjectKey, Value)> = self.trial.happened[self.heard..]
                .iter()
                .filter_map(|happening| match &happening.what {
                    What::Request { request: Request::Patch { key, patch, .. }, .. } => Some((key.clone(), patch.clone())),
                    _ => None,
                })
                .collect();
            self.heard = self.trial.happened.len();
            for (key, patch) in patches {
                let Some(whole) = self.objects.get_mut(&key) else { continue };
                merge(whole, &patch);
                let free = whole["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
                if free && whole["metadata"]["deletionTimestamp"].is_string() {
                    self.objects.remove(&key);
                }
                self.tell(&key);
            }
        }
    }

    fn seen(&self, kind: &str, name: &str) -> Value {
        let api = if kind == CLAIM { "v1" } else { "cns.vmware.com/v1alpha1" };
        self.objects.get(&self.key(api, kind, name)).cloned().unwrap_or_default()
    }

    fn disks(&self, vm: &str) -> usize {
        let vm = self.trial.world.vm_named(&format!("shop/{vm}")).expect("the VM is there");
        vm.config.iter().flat_map(|config| &config.hardware.device).filter(|device| device.type_ == DeviceType::VirtualDisk).count()
    }
}

#[test]
fn a_claim_is_bound_attached_held_and_let_go() {
    let mut cluster = Cluster::new();
    cluster.trial.deploy(spec("a"));
    cluster.claim("data");
    cluster.attachment("a", "data");
    cluster.run();
    assert_eq!(cluster.seen(CLAIM, "data")["status"]["phase"], "Bound");
    let topology = cluster.seen(CLAIM, "data")["metadata"]["annotations"][TOPOLOGY].clone();
    assert_eq!(topology, "[{\"topology.kubernetes.io/zone\":\"zone-a\"}]");
    let attachment = cluster.seen(ATTACHMENT, "a-data");
    assert_eq!((&attachment["status"]["attached"], cluster.disks("a")), (&json!(true), 2));
    cluster.go(CLAIM, "data");
    cluster.run();
    assert_eq!(cluster.seen(CLAIM, "data")["status"]["phase"], "Bound", "it is in use");
    cluster.go(ATTACHMENT, "a-data");
    cluster.run();
    assert_eq!((cluster.seen(ATTACHMENT, "a-data"), cluster.seen(CLAIM, "data"), cluster.disks("a")), (Value::Null, Value::Null, 1));
}

#[test]
fn a_disk_hangs_on_one_vm_and_outlives_it() {
    let mut cluster = Cluster::new();
    let first = cluster.trial.deploy(spec("a"));
    cluster.trial.deploy(spec("b"));
    cluster.claim("data");
    cluster.attachment("a", "data");
    cluster.run();
    cluster.attachment("b", "data");
    cluster.run();
    let told = cluster.seen(ATTACHMENT, "b-data")["status"]["error"].as_str().unwrap_or_default().to_owned();
    assert!(told.contains("is in use"), "{told}");
    cluster.trial.act(&Action::Vm("shop/a".into(), VmAction::Destroy)).expect("it is there");
    cluster.run();
    assert!(cluster.trial.world.vm(&first).is_none());
    assert_eq!((&cluster.seen(ATTACHMENT, "b-data")["status"]["attached"], cluster.disks("b")), (&json!(true), 2));
}

fn instance_claim(cluster: &mut Cluster, name: &str, host: &str, gib: u32) {
    let spec =
        json!({"storageClassName": "gold", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": format!("{gib}Gi")}}});
    let meta = json!({"name": name, "namespace": "shop", "labels": {IS_INSTANCE: "true"}, "annotations": {SELECTED: host}});
    cluster.put("v1", CLAIM, name, json!({"metadata": meta, "spec": spec}));
}

#[test]
fn instance_storage_is_on_its_host_takes_its_room_and_keeps_the_vm_there() {
    let mut cluster = Cluster::new();
    for row in [0, 1] {
        cluster.trial.world.hosts.get_mut(row).expect("two hosts").instance_storage = Bytes::from_gib(10);
    }
    let vm = cluster.trial.running("a");
    let host = cluster.trial.vm(&vm).location.host_name.clone().expect("it runs");
    instance_claim(&mut cluster, "scratch", &host, 8);
    instance_claim(&mut cluster, "more", &host, 8);
    cluster.attachment("a", "scratch");
    cluster.run();
    assert_eq!(cluster.seen(ATTACHMENT, "a-scratch")["status"]["attached"], true);
    assert_eq!(cluster.seen(CLAIM, "more")["metadata"]["annotations"][STORAGE_POOL], NO_ROOM);
    let used = |cluster: &Cluster| cluster.trial.world.host_named(&host).map(|host| host.instance_used >> 30);
    assert_eq!(used(&cluster), Some(8));
    let other = if &*host == "esx-0" { "esx-1" } else { "esx-0" };
    let away = VmAction::Migrate(other.into());
    assert!(cluster.trial.act(&Action::Vm("shop/a".into(), away.clone())).is_err());
    cluster.go(ATTACHMENT, "a-scratch");
    cluster.run();
    cluster.go(CLAIM, "scratch");
    cluster.run();
    assert_eq!(cluster.seen(CLAIM, "more")["status"]["phase"], "Bound", "there is room for the other one");
    assert_eq!(used(&cluster), Some(8));
    cluster.trial.act(&Action::Vm("shop/a".into(), away)).expect("nothing ties it any more");
}

#[test]
fn a_busy_vm_is_waited_for() {
    let mut cluster = Cluster::new();
    let vm = cluster.trial.deploy(spec("a"));
    cluster.claim("data");
    cluster.run();
    cluster.attachment("a", "data");
    cluster.trial.call(Operation::ReconfigVm { vm, spec: ConfigSpec::default().into() });
    cluster.run();
    assert_eq!(cluster.disks("a"), 2);
}
