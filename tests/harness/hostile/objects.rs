//! Objects of any kind out of choices: near enough to what the kind's schema asks for to come far, and wrong in a place or two.

use serde_json::{Map, Value, json};
use vmtwin_model::kube::{Kind, Scope};

use super::entropy::Entropy;

/// How deep values stand that follow no schema.
const DEEPEST: usize = 4;
/// How long lists and free mappings get.
const LONGEST: usize = 4;

/// Words that mean something to somebody, and some that mean harm.
const WORDS: &[&str] = &[
    "",
    "my-namespace",
    "my-class",
    "my-storage-class",
    "vmi-0a0044d7c690bcbea",
    "ubuntu-22.04",
    "vm-1",
    "vm-2",
    "my-group",
    "outer-group",
    "my-secret",
    "my-claim",
    "my-policy",
    "zone-a",
    "workload",
    "vsan-a",
    "default",
    "eth0",
    "disk-0",
    "cdrom1",
    "PoweredOn",
    "PoweredOff",
    "Suspended",
    "Hard",
    "Soft",
    "TrySoft",
    "now",
    "True",
    "VirtualMachine",
    "VirtualMachineGroup",
    "VirtualMachineImage",
    "ClusterVirtualMachineImage",
    "VirtualMachineClass",
    "Network",
    "Subnet",
    "Secret",
    "v1",
    "vmoperator.vmware.com",
    "vmoperator.vmware.com/v1alpha5",
    "10.0.0.1",
    "10.0.0.1/24",
    "10.0.0.0/33",
    "192.168.0.255",
    "::1",
    "fe80::1/64",
    "::ffff:1.2.3.4",
    "00:50:56:aa:bb:cc",
    "4203a3b2-0b4d-4f6a-9c33-1b2f4f1e0001",
    "00000000-0000-0000-0000-000000000000",
    "1Gi",
    "0",
    "-1Gi",
    "9E",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "9E9223372036854775807",
    "1e-9223372036854775808",
    "1n",
    "0.0000000001",
    "10s",
    "-10s",
    "2562047h47m16.854775807s",
    "99999999999h",
    "1h1h1h",
    "2026-01-01T00:00:00Z",
    "2262-04-11T23:47:16.854775807Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "vmx-21",
    "vmx-",
    "vmx-99999999999999999999",
    "zone-a.example",
    "a.b.c",
    "-",
    ".",
    "/",
    "..",
    "a/b/c",
    "*",
    "(",
    "%s",
    "{{ .V1alpha5_FirstIP }}",
    "{{",
    "#cloud-config\nusers: []\n",
    "H4sIAAAAAAAA",
    "bm90IGd6aXA=",
    "é\u{0301}😀\u{202e}",
    "\u{0}",
    "\n",
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "vmoperator.vmware.com/paused",
    "vmoperator.vmware.com/instance-storage-resource",
    "vmoperator.vmware.com/created-at-schema-version",
    "vmoperator.vmware.com/last-resized-vm-class",
    "vmoperator.vmware.com/same-vm-class-resize",
    "vmoperator.vmware.com/restored-vm",
    "vmoperator.vmware.com/failed-over-vm",
    "vmoperator.vmware.com/imported-vm",
    "vmoperator.vmware.com/no-default-nic",
    "vmoperator.vmware.com/vsphere-customization",
    "vmoperator.vmware.com/manager-id",
    "vmoperator.vmware.com/virtualmachine",
    "vmoperator.vmware.com/virtualmachinegroup",
    "virtualmachine.vmoperator.vmware.com/first-boot-done",
    "encryption.vmware.com/default",
    "poweron.check.vmoperator.vmware.com/app",
    "delete.check.vmoperator.vmware.com/app",
    "capv.vmware.com/cluster.role",
];

/// Keys of kinds without a schema.
const KEYS: &[&str] = &[
    "spec",
    "status",
    "data",
    "stringData",
    "binaryData",
    "type",
    "hard",
    "used",
    "scopes",
    "resources",
    "requests",
    "limits",
    "storage",
    "accessModes",
    "storageClassName",
    "volumeName",
    "volumeMode",
    "capacity",
    "provisioner",
    "parameters",
    "storagePolicyID",
    "phase",
    "immutable",
    "webhooks",
    "finalizers",
    "name",
    "kind",
    "apiVersion",
    "metadata",
    "user-data",
    "requests.storage",
];

fn word(entropy: &mut Entropy<'_>) -> String {
    match entropy.below(24) {
        22 => entropy.text(),
        23 => entropy.of(WORDS).repeat(1 + entropy.below(300)),
        _ => entropy.of(WORDS).to_owned(),
    }
}

fn number(entropy: &mut Entropy<'_>) -> Value {
    const NUMBERS: &[i64] = &[
        0,
        1,
        2,
        3,
        -1,
        7,
        16,
        64,
        100,
        1000,
        1004,
        4094,
        4096,
        65_535,
        65_536,
        2_147_483_647,
        2_147_483_648,
        -2_147_483_648,
        i64::MAX,
        i64::MIN,
    ];
    match entropy.below(32) {
        31 => json!(u64::MAX),
        30 => json!(1.5),
        29 => json!(1e308),
        28 => json!(-0.0),
        _ => json!(entropy.of(NUMBERS)),
    }
}

/// A value that follows no schema.
pub(super) fn anything(entropy: &mut Entropy<'_>, depth: usize) -> Value {
    match entropy.below(if depth < DEEPEST { 10 } else { 6 }) {
        0 => Value::Null,
        1 | 2 => word(entropy).into(),
        3 => number(entropy),
        4 => json!(true),
        5 => json!(false),
        6 | 7 => (0..entropy.below(LONGEST)).map(|_| anything(entropy, depth + 1)).collect(),
        _ => {
            let entry = |entropy: &mut Entropy<'_>| {
                let key = if entropy.one_in(3) { word(entropy) } else { entropy.of(KEYS).to_owned() };
                (key, anything(entropy, depth + 1))
            };
            Value::Object((0..entropy.below(LONGEST)).map(|_| entry(entropy)).collect())
        }
    }
}

/// A value that a schema asks for, most of the time.
fn value(entropy: &mut Entropy<'_>, schema: &Value) -> Value {
    if entropy.one_in(40) {
        return anything(entropy, 2);
    }
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.is_empty())
        && !entropy.one_in(16)
    {
        return words[entropy.below(words.len())].clone();
    }
    match schema["type"].as_str() {
        Some("object") => mapping(entropy, schema),
        Some("array") => (0..entropy.below(LONGEST)).map(|_| value(entropy, &schema["items"])).collect(),
        Some("boolean") => json!(entropy.below(2) == 1),
        Some("integer" | "number") => number(entropy),
        Some("string") => word(entropy).into(),
        _ if schema.get("x-kubernetes-int-or-string").is_some() && entropy.one_in(4) => number(entropy),
        _ if schema.get("x-kubernetes-int-or-string").is_some() => word(entropy).into(),
        _ => anything(entropy, 1),
    }
}

fn mapping(entropy: &mut Entropy<'_>, schema: &Value) -> Value {
    let mut fields = Map::new();
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|there| there == name));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let wanted = if required(name) { !entropy.one_in(24) } else { entropy.one_in(4) };
        if wanted {
            fields.insert(name.clone(), value(entropy, field));
        }
    }
    if schema["additionalProperties"].is_object() {
        for _ in 0..entropy.below(LONGEST) {
            fields.insert(word(entropy), value(entropy, &schema["additionalProperties"]));
        }
    }
    Value::Object(fields)
}

/// Metadata, whose name is one that others refer to, most of the time.
fn metadata(entropy: &mut Entropy<'_>, kind: Option<Kind>) -> Value {
    let mut meta = Map::new();
    if !entropy.one_in(16) {
        meta.insert("name".to_owned(), word(entropy).into());
    }
    if kind.is_none_or(|kind| kind.info().scope == Scope::Namespaced) != entropy.one_in(24) {
        let namespace = if entropy.one_in(12) { word(entropy) } else { "my-namespace".to_owned() };
        meta.insert("namespace".to_owned(), namespace.into());
    }
    let words = |entropy: &mut Entropy<'_>| {
        let count = entropy.below(LONGEST);
        let entry = |entropy: &mut Entropy<'_>| (word(entropy), Value::from(word(entropy)));
        Value::Object((0..count).map(|_| entry(entropy)).collect())
    };
    for name in ["labels", "annotations"] {
        if entropy.one_in(3) {
            meta.insert(name.to_owned(), words(entropy));
        }
    }
    if entropy.one_in(8) {
        let owner = |entropy: &mut Entropy<'_>| json!({"apiVersion": word(entropy), "kind": word(entropy), "name": word(entropy), "uid": word(entropy), "controller": entropy.one_in(2)});
        meta.insert("ownerReferences".to_owned(), (0..entropy.below(LONGEST)).map(|_| owner(entropy)).collect());
    }
    if entropy.one_in(8) {
        meta.insert("finalizers".to_owned(), (0..entropy.below(LONGEST)).map(|_| Value::from(word(entropy))).collect());
    }
    for name in ["generateName", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "generation", "managedFields"] {
        if entropy.one_in(24) {
            meta.insert(name.to_owned(), if entropy.one_in(2) { anything(entropy, 2) } else { word(entropy).into() });
        }
    }
    Value::Object(meta)
}

/// A manifest of this kind; of a kind that nobody serves, if there is none.
pub(super) fn manifest(entropy: &mut Entropy<'_>, kind: Option<Kind>) -> Value {
    let info = kind.map(Kind::info);
    let mut fields = Map::new();
    let api_version = match info {
        None => "example.com/v1".to_owned(),
        Some(info) if !info.also.is_empty() && entropy.one_in(6) => format!("{}/{}", info.group, entropy.of(info.also)),
        Some(info) => info.api_version(),
    };
    fields.insert("apiVersion".to_owned(), api_version.into());
    fields.insert("kind".to_owned(), info.map_or("Thing", |info| info.kind).into());
    fields.insert("metadata".to_owned(), if entropy.one_in(64) { anything(entropy, 2) } else { metadata(entropy, kind) });
    match info.and_then(|info| info.schema) {
        Some(schema) => {
            for (name, field) in schema()["properties"].as_object().into_iter().flatten() {
                let wanted = match name.as_str() {
                    "apiVersion" | "kind" | "metadata" => false,
                    "spec" => !entropy.one_in(32),
                    _ => entropy.one_in(8),
                };
                if wanted {
                    fields.insert(name.clone(), value(entropy, field));
                }
            }
        }
        None => {
            for _ in 0..=entropy.below(LONGEST) {
                fields.insert(entropy.of(KEYS).to_owned(), anything(entropy, 1));
            }
        }
    }
    Value::Object(fields)
}

/// A part of a kind's object alone, `spec` or `status`, as a patch would carry it.
pub(super) fn part(entropy: &mut Entropy<'_>, kind: Kind, name: &str) -> Value {
    match kind.info().schema.map(|schema| &schema()["properties"][name]) {
        Some(schema) if !schema.is_null() => value(entropy, schema),
        _ => anything(entropy, 1),
    }
}

/// Puts something else into a few places of a value, however deep.
pub(super) fn scribble(entropy: &mut Entropy<'_>, object: &mut Value) {
    for _ in 0..=entropy.below(3) {
        let mut place = &mut *object;
        while entropy.below(6) > 0 {
            let length = match place {
                Value::Object(fields) => fields.len(),
                Value::Array(items) => items.len(),
                _ => 0,
            };
            if length == 0 {
                break;
            }
            let nth = entropy.below(length);
            let below = match place {
                Value::Object(fields) => fields.values_mut().nth(nth),
                Value::Array(items) => items.get_mut(nth),
                _ => None,
            };
            place = below.expect("the place lies within the value's length");
        }
        *place = anything(entropy, 2);
    }
}
