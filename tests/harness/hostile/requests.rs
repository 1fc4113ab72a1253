//! Requests of anybody for anything, sent to the whole machine: the API server with the operator's admission, and behind it the operator and the
//! infrastructure, which have to live with whatever was let in.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_apiserver::IdOrder;
use vmtwin_engine::Settings;
use vmtwin_model::kube::api::{PatchKind, Request, Subresource, User};
use vmtwin_model::kube::{Kind, Object};
use vmtwin_model::time::Span;
use vmtwin_scenarios::format::{self, Memory};
use vmtwin_scenarios::log::Keep;
use vmtwin_scenarios::runner::{Setup, Simulation, Turn};

use super::INVENTORY;
use super::entropy::Entropy;
use super::objects::{anything, manifest, part, scribble};

/// How many requests follow on each other.
const REQUESTS: usize = 8;
/// How many events may follow on a request before the next one is sent.
const TURNS: usize = 400;

/// Sends requests made of these bytes to a small world in which two VMs and a group live, and lets time pass in between. Gives the number of
/// requests that were let in.
///
/// # Panics
/// If anything of it panics, or if a refusal doesn't say why.
pub fn admit(bytes: &[u8]) -> usize {
    let entropy = &mut Entropy::new(bytes);
    let mut simulation = world();
    let mut admitted = 0;
    for _ in 0..REQUESTS {
        if entropy.is_empty() {
            break;
        }
        let user = user(entropy);
        let request = request(entropy, &simulation);
        match simulation.user_request(&user, request) {
            Ok(_) => admitted += 1,
            Err(error) => assert!(!error.message.is_empty() && (400..600).contains(&error.code), "a refusal says why: {error:?}"),
        }
        let pause = entropy.of(&[0, 1, 20, 3600]);
        pass(&mut simulation, Span::from_secs(pause));
    }
    pass(&mut simulation, Span::from_hours(2));
    admitted
}

fn pass(simulation: &mut Simulation, span: Span) {
    let until = simulation.now() + span;
    for _ in 0..TURNS {
        if let Turn::Idle = simulation.turn(until) {
            break;
        }
    }
}

fn user(entropy: &mut Entropy<'_>) -> User {
    const OPERATOR: &str = "system:serviceaccount:vmware-system-vmop:vmware-system-vmop-controller-manager";
    let mut user = User::named(entropy.of(&["devops@vsphere.local", "kubernetes-admin", OPERATOR, ""]));
    if entropy.one_in(8) {
        user.groups.insert("system:masters".into());
    }
    user
}

/// A kind: every second time one that the operator lives on; now and then none that is served.
fn kind(entropy: &mut Entropy<'_>) -> Option<Kind> {
    if entropy.below(2) == 0 {
        return Kind::named(entropy.of(&["VirtualMachine", "VirtualMachine", "VirtualMachineGroup", "VirtualMachineClass"]));
    }
    let kinds: Vec<Kind> = Kind::all().collect();
    kinds.get(entropy.below(kinds.len() + 1)).copied()
}

fn request(entropy: &mut Entropy<'_>, simulation: &Simulation) -> Request {
    let choice = entropy.below(8);
    let there = if choice < 3 { None } else { present(entropy, simulation) };
    let Some(object) = there else {
        let kind = kind(entropy);
        return Request::Create { manifest: manifest(entropy, kind) };
    };
    let key = object.key.clone();
    let part = entropy.of(&[Subresource::Main, Subresource::Main, Subresource::Status]);
    match choice {
        3 => {
            let mut manifest = object.to_value();
            scribble(entropy, &mut manifest);
            Request::Update { manifest, part }
        }
        4 => {
            let mut fresh = manifest(entropy, Some(key.kind));
            fresh["metadata"] = json!({"name": &*key.name, "namespace": &*key.namespace});
            Request::Update { manifest: fresh, part }
        }
        5 | 6 => {
            let (kind, patch) = patch(entropy, &object, part);
            Request::Patch { key, kind, patch, part }
        }
        _ => Request::Delete { key },
    }
}

/// An object that is there: every second time a VM or a group.
fn present(entropy: &mut Entropy<'_>, simulation: &Simulation) -> Option<Arc<Object>> {
    let watched = ["VirtualMachine", "VirtualMachineGroup"].map(Kind::named);
    let objects: Vec<&Arc<Object>> = if entropy.below(2) == 0 {
        simulation.api().objects().filter(|object| watched.contains(&Some(object.key.kind))).collect()
    } else {
        simulation.api().objects().collect()
    };
    let nth = entropy.below(objects.len());
    objects.get(nth).map(|object| Arc::clone(object))
}

fn patch(entropy: &mut Entropy<'_>, object: &Object, part_of: Subresource) -> (PatchKind, Value) {
    let name = if part_of == Subresource::Status { "status" } else { entropy.of(&["spec", "spec", "metadata"]) };
    let changed = match name {
        "metadata" => manifest(entropy, Some(object.key.kind))["metadata"].take(),
        name => part(entropy, object.key.kind, name),
    };
    match entropy.below(4) {
        3 => {
            let operation = |entropy: &mut Entropy<'_>| {
                let op = entropy.of(&["add", "replace", "remove", "test", "move", "copy", "nonsense"]);
                let path = |entropy: &mut Entropy<'_>| pointer(entropy, &object.to_value());
                json!({"op": op, "path": path(entropy), "from": path(entropy), "value": anything(entropy, 2)})
            };
            (PatchKind::Json, (0..=entropy.below(3)).map(|_| operation(entropy)).collect())
        }
        2 => (entropy.of(&[PatchKind::Strategic, PatchKind::Json, PatchKind::Merge]), anything(entropy, 0)),
        1 => (PatchKind::Strategic, json!({name: changed})),
        _ => (PatchKind::Merge, json!({name: changed})),
    }
}

/// A place in a value, or beside it.
fn pointer(entropy: &mut Entropy<'_>, value: &Value) -> String {
    let (mut pointer, mut place) = (String::new(), value);
    while entropy.below(5) > 0 {
        let (name, below) = match place {
            Value::Object(fields) if !fields.is_empty() => {
                let nth = entropy.below(fields.len());
                fields.iter().nth(nth).map(|(name, below)| (name.replace('~', "~0").replace('/', "~1"), below)).expect("it lies within")
            }
            Value::Array(items) if !items.is_empty() => {
                let nth = entropy.below(items.len());
                (nth.to_string(), &items[nth])
            }
            _ => break,
        };
        pointer = format!("{pointer}/{name}");
        place = below;
    }
    pointer + entropy.of(&["", "", "/-", "/x", "/0", "/99999999999999999999", "~"])
}

/// The world, in which two VMs run, members of a group within a group. It is made once for each thread; a clone of it is a fork.
fn world() -> Simulation {
    thread_local! {
        static WORLD: OnceCell<Simulation> = const { OnceCell::new() };
    }
    WORLD.with(|world| world.get_or_init(made).clone())
}

fn made() -> Simulation {
    let files = Memory::default().with("small.yaml", INVENTORY);
    let scenario = "apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {name: world}\nspec: {vsphere: {from: small.yaml}}\n";
    let loaded = format::load_bytes(Path::new("world.yaml"), scenario.as_bytes(), &files);
    crate::assert_valid(&loaded);
    let scenario = &loaded.scenarios[0];
    let mut simulation = Simulation::new(&Setup {
        start: scenario.start,
        seed: 1,
        settings: Arc::new(Settings::default()),
        csi: vmtwin_sim::Csi::Acts,
        inventory: Arc::new(scenario.inventory.clone()),
        state: scenario.classes.iter().map(|manifest| manifest.value.clone()).collect(),
        claimed: Vec::new(),
        keep: Keep::Tail,
        id_order: IdOrder::Dense,
    })
    .expect("the small inventory can be built");
    for (api_version, kind, name, rest) in [
        ("v1", "Secret", "my-secret", json!({"stringData": {"user-data": "#cloud-config\n"}})),
        (
            "v1",
            "PersistentVolumeClaim",
            "my-claim",
            json!({"spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "my-storage-class", "resources": {"requests": {"storage": "1Gi"}}}}),
        ),
        (VMOP, "VirtualMachineClass", "my-class", json!({"spec": {"hardware": {"cpus": 2, "memory": "4Gi"}}})),
        (
            VMOP,
            "VirtualMachineGroup",
            "outer-group",
            json!({"spec": {"bootOrder": [{"members": [{"name": "my-group", "kind": "VirtualMachineGroup"}]}]}}),
        ),
        (
            VMOP,
            "VirtualMachineGroup",
            "my-group",
            json!({"spec": {"groupName": "outer-group", "bootOrder": [{"members": [{"name": "vm-1"}, {"name": "vm-2"}]}]}}),
        ),
        (VMOP, "VirtualMachine", "vm-1", vm()),
        (VMOP, "VirtualMachine", "vm-2", vm()),
    ] {
        let mut manifest = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "my-namespace"}});
        let (fields, more) = (manifest.as_object_mut().expect("a mapping"), rest.as_object().expect("a mapping"));
        fields.extend(more.clone());
        let created = simulation.user_request(&User::named("kubernetes-admin"), Request::Create { manifest });
        created.expect("the world's objects are fine");
    }
    let until = simulation.now() + Span::from_hours(1);
    while let Turn::Event(_) = simulation.turn(until) {}
    simulation
}

const VMOP: &str = "vmoperator.vmware.com/v1alpha5";

fn vm() -> Value {
    json!({"spec": {"className": "my-class", "imageName": "ubuntu-22.04", "storageClass": "my-storage-class", "groupName": "my-group", "powerState": "PoweredOn"}})
}
