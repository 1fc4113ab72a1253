//! The Kubernetes side of an infrastructure, made as a Supervisor would make it. Source: scenario-format §3.1, placement-groups §2.
//!
//! Only what isn't in `state` or `objects` already is made. Everything is a plain manifest, installed like a dump of a live system.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use vmtwin_engine::{NetworkProvider, Settings};
use vmtwin_model::kube::api::Request;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{Kind, ObjectKey};
use vmtwin_model::rng::Rng;
use vmtwin_model::vsphere::Inventory;
use vmtwin_model::vsphere::inventory::{Image, OvfProperty, StoragePolicy};
use vmtwin_sim::{Topology, World};

const VMOP: &str = "vmoperator.vmware.com/v1alpha5";

/// The twin's name of a network provider.
pub(super) fn network_provider(provider: NetworkProvider) -> vmtwin_sim::NetworkProvider {
    match provider {
        NetworkProvider::Vpc => vmtwin_sim::NetworkProvider::Vpc,
        NetworkProvider::NsxT => vmtwin_sim::NetworkProvider::NsxT,
        NetworkProvider::Vds => vmtwin_sim::NetworkProvider::Vds,
        NetworkProvider::Named => vmtwin_sim::NetworkProvider::Named,
    }
}

/// The VM object of `namespace/name`.
pub(super) fn vm_key(name: &str) -> Option<ObjectKey> {
    let (namespace, name) = name.split_once('/')?;
    Some(ObjectKey::of::<VirtualMachine>(namespace, name))
}

/// The text of a manifest's own field; empty where there is none.
fn head<'a>(manifest: &'a Value, field: &str) -> &'a str {
    manifest.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The text of a field of a manifest's metadata; empty where there is none.
fn named<'a>(manifest: &'a Value, field: &str) -> &'a str {
    manifest.get("metadata").map_or("", |metadata| head(metadata, field))
}

/// The object that a manifest describes, if it is of a kind that is served.
#[must_use]
pub(crate) fn key_of_manifest(manifest: &Value) -> Option<ObjectKey> {
    let kind = Kind::find(head(manifest, "apiVersion"), head(manifest, "kind"))?;
    Some(ObjectKey::new(kind, named(manifest, "namespace"), named(manifest, "name")))
}

/// The object that a request is about.
pub(super) fn key_of(request: &Request) -> Option<ObjectKey> {
    match request {
        Request::Create { manifest } | Request::Update { manifest, .. } => key_of_manifest(manifest),
        Request::Patch { key, .. } | Request::Delete { key } => Some(key.clone()),
        Request::Write(write) => Some(write.key().clone()),
    }
}

/// The request's verb.
pub(super) fn verb_of(request: &Request) -> &'static str {
    match request {
        Request::Create { .. } => "create",
        Request::Update { .. } => "update",
        Request::Patch { .. } => "patch",
        Request::Delete { .. } => "delete",
        Request::Write(_) => "write",
    }
}

/// How a manifest is called in a message.
pub(crate) fn name_of(manifest: &Value) -> String {
    let (kind, name) = (head(manifest, "kind"), named(manifest, "name"));
    match named(manifest, "namespace") {
        "" => format!("{kind}/{name}"),
        namespace => format!("{kind}/{namespace}/{name}"),
    }
}

/// Whether this is a claim that is said to be pending: one that CSI gets nowhere with.
pub(crate) fn is_pending_claim(manifest: &Value) -> bool {
    head(manifest, "kind") == "PersistentVolumeClaim" && manifest.pointer("/status/phase").is_some_and(|phase| phase == "Pending")
}

/// The order in which a set of objects goes: by kind, then namespace, then name. Source: scenario-format §1.
#[must_use]
pub fn order_of(manifest: &Value) -> (u8, &str, &str, &str) {
    let kind = head(manifest, "kind");
    let rank = match kind {
        "Namespace" => 0,
        "StorageClass" => 1,
        "StoragePolicyQuota" | "StoragePolicyUsage" | "StorageQuota" | "ResourceQuota" => 2,
        "VirtualMachineClass" => 4,
        "VirtualMachineImage" | "ClusterVirtualMachineImage" => 5,
        "EncryptionClass" => 6,
        "PersistentVolumeClaim" => 7,
        "VirtualMachineSetResourcePolicy" => 8,
        "VirtualMachineGroup" => 9,
        "VirtualMachine" => 10,
        "VirtualMachineSnapshot" => 11,
        _ => 3,
    };
    (rank, if rank == 3 { kind } else { "" }, named(manifest, "namespace"), named(manifest, "name"))
}

/// The state in the order of installation, and the keys of what it holds.
pub(super) fn ordered_state(state: &[Value], inventory: &Inventory) -> (Vec<Value>, Vec<ObjectKey>) {
    let mut state = state.to_vec();
    state.iter_mut().for_each(|manifest| name_item(manifest, inventory));
    state.sort_by(|a, b| order_of(a).cmp(&order_of(b)));
    let keys = state.iter().filter_map(key_of_manifest).collect();
    (state, keys)
}

/// An image object that stands for an item of the library by its name, and doesn't say which, is told: the content library knows.
fn name_item(manifest: &mut Value, inventory: &Inventory) {
    let is_image = matches!(manifest["kind"].as_str(), Some("VirtualMachineImage" | "ClusterVirtualMachineImage"));
    let silent = manifest.pointer("/status/providerItemID").is_none() && manifest["status"].is_object();
    if !is_image || !silent {
        return;
    }
    let name = manifest.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if let Some(image) = inventory.images.iter().find(|image| *image.name == *name) {
        manifest["status"]["providerItemID"] = json!(image.id);
    }
}

/// Every object that the infrastructure brings and nobody else does, in the order of installation.
pub(super) fn generate(
    settings: &Settings,
    inventory: &Inventory,
    world: &World,
    state: &[ObjectKey],
    applied: &[ObjectKey],
) -> Vec<Value> {
    let topology = world.topology();
    let mut objects = Vec::new();
    namespaces(settings, inventory, &mut objects);
    zones(inventory, &topology, &mut objects);
    storage(settings, inventory, &mut objects);
    images(inventory, &mut objects);
    networks(settings, inventory, &mut objects);
    config_map(settings, &mut objects);
    let taken: BTreeSet<&ObjectKey> = state.iter().chain(applied).collect();
    objects.retain(|manifest| key_of_manifest(manifest).is_none_or(|key| !taken.contains(&key)));
    objects.sort_by(|a, b| order_of(a).cmp(&order_of(b)));
    objects
}

fn namespaces(settings: &Settings, inventory: &Inventory, out: &mut Vec<Value>) {
    let mut names: BTreeSet<&str> = inventory.namespaces.iter().map(|namespace| &*namespace.name).collect();
    names.extend(["default", "kube-system", &*settings.pod_namespace]);
    for name in names {
        out.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }
}

fn zones(inventory: &Inventory, topology: &Topology, out: &mut Vec<Value>) {
    for zone in &inventory.zones {
        let clusters: Vec<String> = topology.clusters(&zone.name).iter().map(ToString::to_string).collect();
        let members = inventory.namespaces.iter().filter(|namespace| namespace.zones.contains(&zone.name));
        let mut entries = BTreeMap::new();
        for namespace in members {
            let pools: Vec<String> = topology.pools(&zone.name, &namespace.name).iter().map(ToString::to_string).collect();
            let folder = topology.folder(&namespace.name).map(ToString::to_string).unwrap_or_default();
            entries.insert(namespace.name.to_string(), json!({"poolMoIDs": pools, "folderMoId": folder}));
            out.push(json!({
                "apiVersion": "topology.tanzu.vmware.com/v1alpha1",
                "kind": "Zone",
                "metadata": {"name": zone.name, "namespace": namespace.name, "finalizers": ["vmoperator.vmware.com/zone-finalizer"]},
                "spec": {
                    "availabilityZoneReference": {"apiVersion": "topology.tanzu.vmware.com/v1alpha1", "name": zone.name},
                    "managedVMs": {"clusterMoIDs": clusters, "poolMoIDs": pools, "folderMoID": folder},
                    "namespace": {"clusterMoIDs": clusters, "poolMoIDs": pools, "folderMoID": folder},
                },
            }));
        }
        out.push(json!({
            "apiVersion": "topology.tanzu.vmware.com/v1alpha1",
            "kind": "AvailabilityZone",
            "metadata": {"name": zone.name, "labels": {"tanzu-topology.vmware.com/type": "WORKLOAD"}},
            "spec": {"clusterComputeResourceMoIDs": clusters, "namespaces": entries},
        }));
    }
}

fn storage(settings: &Settings, inventory: &Inventory, out: &mut Vec<Value>) {
    for policy in &inventory.storage_policies {
        out.push(json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": policy.name},
            "provisioner": "csi.vsphere.vmware.com",
            "parameters": {"storagePolicyID": policy.id},
            "reclaimPolicy": "Delete",
            "allowVolumeExpansion": true,
            "volumeBindingMode": "Immediate",
        }));
        out.extend(storage_policy(settings, policy));
    }
    for namespace in &inventory.namespaces {
        let mut hard = BTreeMap::new();
        for policy in &inventory.storage_policies {
            let limit = namespace.storage_quota.get(&policy.name);
            let mut spec = json!({"storagePolicyId": policy.id});
            if let Some(limit) = limit {
                spec["limit"] = limit.to_string().into();
            }
            out.push(json!({
                "apiVersion": "cns.vmware.com/v1alpha2",
                "kind": "StoragePolicyQuota",
                "metadata": {"name": format!("{}-storagepolicyquota", policy.name), "namespace": namespace.name},
                "spec": spec,
            }));
            let limit = limit.map_or_else(|| "9223372036854775807".to_owned(), ToString::to_string);
            hard.insert(format!("{}.storageclass.storage.k8s.io/requests.storage", policy.name), limit);
        }
        if !hard.is_empty() {
            out.push(json!({
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": format!("{}-storagequota", namespace.name), "namespace": namespace.name},
                "spec": {"hard": hard},
            }));
        }
    }
}

/// What the operator knows of a policy. Its own controller would write this from vCenter's facts; until it does, the facts are given here.
pub(crate) fn storage_policy(settings: &Settings, policy: &StoragePolicy) -> Option<Value> {
    let digits: String = policy.id.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    let is_uuid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_uuid.then(|| {
        json!({
            "apiVersion": "infra.vmware.com/v1alpha1",
            "kind": "StoragePolicy",
            "metadata": {"name": format!("pol-{}-{}", &digits[..8], &digits[16..]), "namespace": settings.pod_namespace},
            "spec": {"id": policy.id},
            "status": {
                "encrypted": policy.encrypted,
                "diskProvisioningMode": if policy.thin { "Thin" } else { "Thick" },
                "storageClasses": [policy.name],
            },
        })
    })
}

/// An image's object name: its own if it begins with `vmi-`, else drawn from it, so that both spellings resolve.
fn image_name(image: &Image) -> String {
    if image.name.starts_with("vmi-") {
        return image.name.to_string();
    }
    let mut draw = Rng::new(0).draw("scenarios/image-name", &*image.name);
    let digits: String = format!("{:016x}{:016x}", draw.bits(), draw.bits());
    format!("vmi-{}", &digits[..17])
}

fn images(inventory: &Inventory, out: &mut Vec<Value>) {
    for image in &inventory.images {
        let name = image_name(image);
        let display = image.display_name.clone().unwrap_or_else(|| image.name.clone());
        let (kind, item_kind) = match image.namespace {
            None => ("ClusterVirtualMachineImage", "ClusterContentLibraryItem"),
            Some(_) => ("VirtualMachineImage", "ContentLibraryItem"),
        };
        let item_name = name.replacen("vmi-", "clitem-", 1);
        let mut meta = json!({"name": name, "labels": {"image.vmoperator.vmware.com/type": image.type_}});
        let mut item_meta = json!({"name": item_name});
        if let Some(namespace) = &image.namespace {
            meta["namespace"] = json!(namespace);
            item_meta["namespace"] = json!(namespace);
        }
        out.push(json!({
            "apiVersion": "imageregistry.vmware.com/v1alpha1",
            "kind": item_kind,
            "metadata": item_meta,
            "spec": {"uuid": image.id},
            "status": item_status(inventory, image, &display),
        }));
        out.push(json!({
            "apiVersion": VMOP,
            "kind": kind,
            "metadata": meta,
            "spec": {"providerRef": {"apiVersion": "imageregistry.vmware.com/v1alpha1", "kind": item_kind, "name": item_name}},
            "status": image_status(image, &display),
        }));
    }
}

/// What the library tells of an image's item: it is here, with the one file of an ISO.
fn item_status(inventory: &Inventory, image: &Image, display: &str) -> Value {
    let type_ = if &*image.type_ == "ISO" { "ISO" } else { "OVF" };
    let mut status = json!({"name": display, "type": type_, "cached": true, "conditions": [ready()]});
    if type_ == "ISO" {
        let datastore = inventory.datastores.first().map_or("library", |datastore| &*datastore.name);
        let uri = format!("[{datastore}] contentlib/{}/{}.iso", image.id, image.name);
        status["sizeInBytes"] = "1Gi".into();
        status["fileInfo"] =
            json!([{"name": format!("{}.iso", image.name), "version": "1", "cached": true, "sizeInBytes": "1Gi", "storageURI": uri}]);
    }
    status
}

fn ready() -> Value {
    json!({"type": "Ready", "status": "True", "reason": "True", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

fn image_status(image: &Image, display: &str) -> Value {
    let disks: Vec<Value> = image
        .disks
        .iter()
        .enumerate()
        .map(|(nth, disk)| {
            let name = disk.file.as_deref().map_or_else(|| format!("disk-{nth}"), str::to_owned);
            json!({"name": name, "requested": disk.size.to_string(), "limit": disk.capacity.to_string()})
        })
        .collect();
    let mut status = json!({
        "name": display,
        "type": image.type_,
        "providerItemID": image.id,
        "providerContentVersion": "1",
        "conditions": [ready()],
    });
    if !disks.is_empty() && &*image.type_ != "ISO" {
        status["disks"] = json!(disks);
    }
    if !image.guest_id.is_empty() {
        status["osInfo"] = json!({"type": image.guest_id});
    }
    if let Some(version) = image.hardware_version {
        status["hardwareVersion"] = version.into();
    }
    if let Some(firmware) = &image.firmware {
        status["firmware"] = json!(firmware);
    }
    if !image.ovf_properties.is_empty() {
        let told = |property: &OvfProperty| json!({"key": property.key, "type": property.type_, "default": property.default});
        status["ovfProperties"] = image.ovf_properties.iter().map(told).collect();
    }
    status
}

/// What an interface may name, by the network provider. The first is the namespace's default.
fn networks(settings: &Settings, inventory: &Inventory, out: &mut Vec<Value>) {
    for namespace in &inventory.namespaces {
        for (nth, network) in inventory.networks.iter().enumerate() {
            let meta = json!({"name": network.name, "namespace": namespace.name});
            out.push(match settings.network_provider {
                NetworkProvider::Vpc => json!({
                    "apiVersion": "crd.nsx.vmware.com/v1alpha1", "kind": "SubnetSet", "metadata": meta,
                    "spec": {"accessMode": "Private"},
                }),
                NetworkProvider::NsxT => json!({"apiVersion": "vmware.com/v1alpha1", "kind": "VirtualNetwork", "metadata": meta, "spec": {}}),
                NetworkProvider::Vds => {
                    let labels = if nth == 0 { json!({"netoperator.vmware.com/is-default-network": "true"}) } else { json!({}) };
                    json!({
                        "apiVersion": "netoperator.vmware.com/v1alpha1", "kind": "Network",
                        "metadata": {"name": network.name, "namespace": namespace.name, "labels": labels}, "spec": {"type": "vsphere-distributed"},
                    })
                }
                NetworkProvider::Named => continue,
            });
        }
    }
}

fn config_map(settings: &Settings, out: &mut Vec<Value>) {
    if settings.nameservers.is_empty() && settings.search_domains.is_empty() {
        return;
    }
    out.push(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "vmoperator-network-config", "namespace": settings.pod_namespace},
        "data": {"nameservers": settings.nameservers.join(" "), "searchsuffixes": settings.search_domains.join(" ")},
    }));
}
