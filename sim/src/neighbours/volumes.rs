//! CSI and CNS: disks for claims, and their attachment to VMs.
//!
//! A claim's disk is a first class disk: it lies in the datastore's `fcd` folder, lives as long as its claim, and hangs on one VM at
//! most. Attaching and detaching take their time and happen at once then; a VM that is busy with a task is waited for.
//! Source: crypto-storage §4.4, §5.3; [choice] after Kubernetes.

mod attachments;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Answer, ErrorReason, PatchKind, Request, Subresource, User, WatchEvent};
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::units::{Bytes, bytes_of};
use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::inventory::Name;
use vmtwin_model::vsphere::vm::CryptoKeyId;

use crate::agenda::Entry;
use crate::shards::Shards;
use crate::{RequestId, What, World};

const CLAIM: &str = "PersistentVolumeClaim";
const ATTACHMENT: &str = "CnsNodeVmAttachment";
/// Keeps a claim that a VM uses.
const IN_USE: &str = "kubernetes.io/pvc-protection";
/// Keeps an attachment until its disk is detached.
const ATTACHED: &str = "cns.vmware.com";
/// The zones that can reach a claim's disk.
const TOPOLOGY: &str = "csi.vsphere.volume-accessible-topology";
/// The zone that a claim's disk is to be in.
const SELECTED: &str = "volume.kubernetes.io/selected-node";
/// On a claim of instance storage: what is selected for it is a host. Source: placement-groups §4.
const IS_INSTANCE: &str = "vmoperator.vmware.com/instance-storage-resource";
/// On a claim of instance storage: that the host has no room for it.
const STORAGE_POOL: &str = "failure-domain.beta.vmware.com/storagepool";
const NO_ROOM: &str = "FAILED_PLACEMENT-NotEnoughResources";
/// The EncryptionClass of a claim.
const ENCRYPTION_CLASS: &str = "csi.vsphere.encryption-class";
/// How soon a busy VM, or a refused request, is tried again.
const TRY_AGAIN: Span = Span::from_secs(5);
/// How soon what can't be done is looked at again, though nobody says that it can be.
const LOOK_AGAIN: Span = Span::from_mins(1);

/// What CSI knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Volumes {
    /// Storage classes and EncryptionClasses, as objects.
    classes: Arc<BTreeMap<ObjectKey, Arc<Object>>>,
    claims: Shards<Arc<Claim>>,
    attachments: Shards<Arc<Attachment>>,
    /// The claim of a first class disk, by its id.
    by_disk: Shards<ObjectKey>,
    asked: BTreeMap<RequestId, ObjectKey>,
    /// Snapshots whose volumes are to be looked at.
    pub(super) syncing: BTreeSet<ObjectKey>,
    /// Claims that will be seen for the first time, and are left as they are then.
    stuck: BTreeSet<Arc<str>>,
}

#[derive(Clone, Debug)]
struct Claim {
    object: Arc<Object>,
    disk: Option<Disk>,
    /// The attachments that name it.
    attachments: BTreeSet<ObjectKey>,
}

#[derive(Clone, Debug)]
struct Disk {
    id: Arc<str>,
    uuid: Arc<str>,
    path: Arc<str>,
    datastore: u32,
    capacity: Bytes,
    written: Bytes,
    key: Option<CryptoKeyId>,
    /// The host whose instance storage it is on.
    host: Option<u32>,
    /// The VM that it hangs on.
    vm: Option<u32>,
}

#[derive(Clone, Debug)]
struct Attachment {
    object: Arc<Object>,
    /// Whether the time that the work takes is over.
    ready: bool,
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn has_finalizer(object: &Object, finalizer: &str) -> bool {
    object.meta.finalizers.iter().flatten().any(|there| there == finalizer)
}

fn finalizers(object: &Object, change: impl FnOnce(&mut Vec<String>)) -> Value {
    let mut finalizers = object.meta.finalizers.clone().unwrap_or_default();
    change(&mut finalizers);
    json!({"metadata": {"finalizers": finalizers}})
}

/// Whether this neighbour looks at objects of a kind.
pub(super) fn is_ours(kind: &str) -> bool {
    matches!(kind, CLAIM | ATTACHMENT | "StorageClass" | "EncryptionClass")
}

impl World {
    /// A claim, `namespace/name`, that CSI gets nowhere with until it is changed.
    pub fn leave_claim(&mut self, claim: &str) {
        self.volumes.stuck.insert(claim.into());
    }

    /// The API server tells of a claim, an attachment, or a class.
    pub(super) fn observe_volume(&mut self, event: &WatchEvent) {
        let key = &event.key;
        match (key.kind.info().kind, &event.after) {
            (CLAIM, Some(object)) => self.see_claim(object),
            (CLAIM, None) => self.forget_claim(key),
            (ATTACHMENT, Some(object)) => self.see_attachment(object),
            (ATTACHMENT, None) => self.forget_attachment(key),
            (_, Some(object)) => {
                Arc::make_mut(&mut self.volumes.classes).insert(key.clone(), object.clone());
            }
            (_, None) => {
                Arc::make_mut(&mut self.volumes.classes).remove(key);
            }
        }
    }

    fn see_claim(&mut self, object: &Arc<Object>) {
        let name: Arc<str> = object.key.namespaced_name().into();
        let known = self.volumes.claims.get(&name).cloned();
        let is_new = known.is_none();
        let phase = text(&object.status.to_value(), "/phase").to_owned();
        let is_stuck = is_new && self.volumes.stuck.remove(&name);
        let mut claim = known.map_or_else(
            || Claim { object: object.clone(), disk: None, attachments: BTreeSet::new() },
            |known| Claim { object: object.clone(), ..(*known).clone() },
        );
        if is_new && phase == "Bound" {
            claim.disk = self.adopted(object);
            if let Some(disk) = &claim.disk {
                self.volumes.by_disk.insert(disk.id.clone(), object.key.clone());
            }
        }
        let has_disk = claim.disk.is_some();
        self.volumes.claims.insert(name, Arc::new(claim));
        if object.is_deleting() {
            self.agenda.put(self.now, self.cause, Entry::Attend(object.key.clone()));
        } else if !has_disk && !is_stuck {
            let mut draw = self.rng.draw("sim/claim", (&*object.key.namespace, &*object.key.name, object.uid()));
            let span = self.durations.of("CreateVolume", Span::ZERO, &mut draw);
            self.agenda.put(self.now + span, self.cause, Entry::Attend(object.key.clone()));
        }
    }

    /// The disk of a claim that was bound before anyone looked: where its topology says, as empty as it was made.
    fn adopted(&mut self, object: &Object) -> Option<Disk> {
        let place = self.place_disk(object).ok()?;
        let disk = self.make_disk(object, place, None);
        self.charge_disk(&disk);
        Some(disk)
    }

    /// A new disk takes room: on its datastore, and on its host if it is instance storage.
    fn charge_disk(&mut self, disk: &Disk) {
        self.charge_space(disk.datastore, disk.written.0);
        if let Some(host) = disk.host.and_then(|host| self.hosts.get_mut(host)) {
            host.instance_used += disk.capacity.0;
        }
    }

    fn forget_claim(&mut self, key: &ObjectKey) {
        let Some(claim) = self.volumes.claims.remove(&key.namespaced_name()) else { return };
        if let Some(disk) = &claim.disk {
            self.volumes.by_disk.remove(&disk.id);
            if disk.vm.is_none() {
                self.charge_space(disk.datastore, -disk.written.0);
            }
            if let Some(host) = disk.host.and_then(|host| self.hosts.get_mut(host)) {
                host.instance_used -= disk.capacity.0;
            }
        }
    }

    /// CSI turns to a claim or an attachment.
    pub(super) fn attend_volume(&mut self, key: &ObjectKey) {
        match key.kind.info().kind {
            CLAIM => self.attend_claim(key),
            _ => self.attend_attachment(key),
        }
    }

    fn attend_claim(&mut self, key: &ObjectKey) {
        let Some(claim) = self.volumes.claims.get(&key.namespaced_name()).cloned() else { return };
        let object = &claim.object;
        if object.is_deleting() {
            if claim.attachments.is_empty() && has_finalizer(object, IN_USE) {
                self.patch_volume(key, finalizers(object, |all| all.retain(|there| there != IN_USE)), Subresource::Main);
            }
            return;
        }
        if claim.disk.is_some() || text(&object.status.to_value(), "/phase") == "Bound" || self.waits_for_consumer(object) {
            return;
        }
        let made = self.place_disk(object).and_then(|place| Ok((place, self.disk_key(object)?)));
        let (place, crypto) = match made {
            Ok(made) => made,
            Err(why) => {
                self.tell(format!("{CLAIM}/{}", key.namespaced_name()), format!("failed to provision volume: {why}"));
                if is_instance(object) && object.annotation(STORAGE_POOL).is_none() {
                    self.patch_volume(key, json!({"metadata": {"annotations": {STORAGE_POOL: NO_ROOM}}}), Subresource::Main);
                }
                self.agenda.put(self.now + LOOK_AGAIN, self.cause, Entry::Again(key.clone()));
                return;
            }
        };
        let disk = self.make_disk(object, place, crypto);
        self.charge_disk(&disk);
        self.volumes.by_disk.insert(disk.id.clone(), key.clone());
        let zones: Vec<Value> =
            self.zones_of_datastore(disk.datastore).iter().map(|zone| json!({"topology.kubernetes.io/zone": zone})).collect();
        let mut patch = finalizers(object, |all| {
            if !all.iter().any(|there| there == IN_USE) {
                all.push(IN_USE.to_owned());
            }
        });
        patch["metadata"]["annotations"] = json!({TOPOLOGY: Value::from(zones).to_string()});
        patch["spec"] = json!({"volumeName": format!("pvc-{}", disk.id)});
        let status =
            json!({"status": {"phase": "Bound", "capacity": {"storage": text(&object.spec.to_value(), "/resources/requests/storage")}}});
        if let Some(claim) = self.volumes.claims.get_mut(&key.namespaced_name()) {
            Arc::make_mut(claim).disk = Some(disk);
        }
        self.patch_volume(key, patch, Subresource::Main);
        self.patch_volume(key, status, Subresource::Status);
        for attachment in claim.attachments.clone() {
            self.agenda.put(self.now, self.cause, Entry::Attend(attachment));
        }
    }

    fn storage_class(&self, claim: &Object) -> Option<Value> {
        let spec = claim.spec.to_value();
        let kind = vmtwin_model::kube::Kind::find("storage.k8s.io/v1", "StorageClass")?;
        let class = self.volumes.classes.get(&ObjectKey::new(kind, "", text(&spec, "/storageClassName")))?;
        Some(class.spec.to_value())
    }

    /// Whether a claim waits until it is known where its first consumer is.
    fn waits_for_consumer(&self, claim: &Object) -> bool {
        let late = self.storage_class(claim).is_some_and(|class| text(&class, "/volumeBindingMode") == "WaitForFirstConsumer");
        late && claim.annotation(SELECTED).is_none_or(str::is_empty)
    }

    /// The datastore for a claim's disk: of its policy, in reach of the zones that it may be in, with most room.
    fn place_disk(&self, claim: &Object) -> Result<(u32, Bytes, bool), String> {
        let Some(class) = self.storage_class(claim) else {
            let spec = claim.spec.to_value();
            return Err(format!("storageclass.storage.k8s.io {:?} not found", text(&spec, "/storageClassName")));
        };
        let policy = text(&class, "/parameters/storagePolicyID");
        let policy = (!policy.is_empty()).then_some(policy);
        let thin = policy.and_then(|id| self.policy(id)).is_none_or(|policy| policy.thin);
        let spec = claim.spec.to_value();
        let request = spec.pointer("/resources/requests/storage").or_else(|| spec.pointer("/resources/limits/storage"));
        let request = request.and_then(|quantity| serde_json::from_value(quantity.clone()).ok());
        let capacity = request.and_then(|quantity| bytes_of(&quantity).ok()).unwrap_or_default();
        let bytes = if thin { 0 } else { capacity.0 };
        let mut roomy = self.roomy(policy, bytes).map_err(|fault| fault.to_string())?;
        if let Some(host) = self.host_for_claim(claim)? {
            let there = self.hosts.get(host).ok_or("the host is gone")?;
            self.instance_room(there, capacity.0).map_err(|fault| fault.to_string())?;
            let datastore = self.choose_datastore(&roomy, bytes, &[host]).map_err(|fault| fault.to_string())?;
            return Ok((datastore, capacity, thin));
        }
        let zones = self.zones_for_claim(claim);
        roomy.retain(|datastore| self.zones_of_datastore(*datastore).iter().any(|zone| zones.is_empty() || zones.contains(zone)));
        let datastore = self.choose_datastore(&roomy, bytes, &[]).map_err(|fault| fault.to_string())?;
        Ok((datastore, capacity, thin))
    }

    /// The host that a claim of instance storage is to be on.
    fn host_for_claim(&self, claim: &Object) -> Result<Option<u32>, String> {
        if !is_instance(claim) {
            return Ok(None);
        }
        let name = claim.annotation(SELECTED).unwrap_or_default();
        self.names.hosts.get(name).copied().map(Some).ok_or_else(|| format!("host {name:?} not found"))
    }

    /// The zones that a claim's disk may be in; none given is its namespace's.
    fn zones_for_claim(&self, claim: &Object) -> Vec<Name> {
        if let Some(zone) = claim.annotation(SELECTED).filter(|zone| !zone.is_empty()) {
            return vec![zone.into()];
        }
        for annotation in [TOPOLOGY, "csi.vsphere.volume-requested-topology"] {
            let terms: Vec<BTreeMap<String, String>> =
                claim.annotation(annotation).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            let zones: Vec<Name> = terms.iter().filter_map(|term| Some(term.get("topology.kubernetes.io/zone")?.as_str().into())).collect();
            if !zones.is_empty() {
                return zones;
            }
        }
        let own = self.namespaces.iter().find(|(name, _)| **name == *claim.key.namespace);
        own.map(|(_, zones)| zones.clone()).unwrap_or_default()
    }

    /// The zones whose hosts see a datastore.
    fn zones_of_datastore(&self, datastore: u32) -> BTreeSet<Name> {
        let hosts = self.hosts.iter().filter(|(_, host)| host.datastores.contains(&datastore));
        hosts.filter_map(|(_, host)| self.clusters.get(host.cluster).map(|cluster| cluster.zone.clone())).collect()
    }

    /// The key for a claim's disk, if its policy encrypts: its EncryptionClass's, else the default provider's.
    fn disk_key(&self, claim: &Object) -> Result<Option<CryptoKeyId>, String> {
        let Some(class) = self.storage_class(claim) else { return Ok(None) };
        if !self.encrypts(text(&class, "/parameters/storagePolicyID")) {
            return Ok(None);
        }
        let wanted = match claim.annotation(ENCRYPTION_CLASS).filter(|name| !name.is_empty()) {
            Some(name) => {
                let kind = vmtwin_model::kube::Kind::find("encryption.vmware.com/v1alpha1", "EncryptionClass");
                let class = kind.and_then(|kind| self.volumes.classes.get(&ObjectKey::new(kind, claim.key.namespace.clone(), name)));
                let Some(class) = class else { return Err(format!("EncryptionClass {name:?} not found")) };
                let spec = class.spec.to_value();
                CryptoKeyId::new(text(&spec, "/keyProvider"), text(&spec, "/keyID"))
            }
            None => match self.default_key_provider() {
                Some(provider) => CryptoKeyId::new(provider.clone(), ""),
                None => return Err("no default key provider".to_owned()),
            },
        };
        let label = claim.key.namespaced_name();
        self.key_for(&wanted, &label, Some(0), None).map(Some).map_err(|fault: Fault| fault.to_string())
    }

    fn make_disk(&mut self, claim: &Object, (datastore, capacity, thin): (u32, Bytes, bool), key: Option<CryptoKeyId>) -> Disk {
        let mut draw = self.rng.draw("sim/fcd", (&*claim.key.namespace, &*claim.key.name, claim.uid()));
        let (id, uuid) = (draw.uuid().to_string(), draw.uuid().to_string());
        let name = self.datastores.get(datastore).map_or("", |ds| &ds.name);
        Disk {
            path: format!("[{name}] fcd/{id}.vmdk").into(),
            id: id.into(),
            uuid: uuid.into(),
            datastore,
            capacity,
            written: if thin { Bytes::ZERO } else { capacity },
            key,
            host: self.host_for_claim(claim).ok().flatten(),
            vm: None,
        }
    }

    pub(super) fn patch_volume(&mut self, key: &ObjectKey, patch: Value, part: Subresource) {
        let id = self.next_request();
        self.volumes.asked.insert(id, key.clone());
        let request = Request::Patch { key: key.clone(), kind: PatchKind::Merge, patch, part };
        self.push(What::Request { id, user: User::named("system:serviceaccount:vmware-system-csi:vsphere-csi-controller"), request });
    }

    /// The API server answers a request of CSI; tells whether it was one.
    pub(super) fn volume_answered(&mut self, now: Timestamp, id: RequestId, result: &Answer) -> bool {
        let Some(key) = self.volumes.asked.remove(&id) else { return false };
        if let Err(error) = result
            && error.reason != ErrorReason::NotFound
        {
            self.agenda.put(now + TRY_AGAIN, Cause::default(), Entry::Attend(key));
        }
        true
    }
}

/// Whether a claim is of instance storage.
fn is_instance(claim: &Object) -> bool {
    claim.meta.labels.as_ref().and_then(|labels| labels.get(IS_INSTANCE)).is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests;
