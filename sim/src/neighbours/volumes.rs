//! CSI and CNS: disks for claims, and their attachment to VMs.
//!
//! A claim's disk is a first class disk: it lies in the datastore's `fcd` folder, lives as long as its claim, and hangs on one VM at
//! most. Attaching and detaching take their time and happen at once then; a VM that is busy with a task is waited for.
//! Source: crypto-storage §4.4, §5.3; [choice] after Kubernetes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Answer, ErrorReason, PatchKind, Request, Subresource, User, WatchEvent};
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::units::{Bytes, bytes_of};
use vmtwin_model::vsphere::inventory::Name;
use vmtwin_model::vsphere::spec::{Backing, Device, DeviceType};
use vmtwin_model::vsphere::vm::CryptoKeyId;
use vmtwin_model::vsphere::{Changed, Fault};

use crate::agenda::Entry;
use crate::shards::Shards;
use crate::{RequestId, What, World, devices};

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

/// The claim that an attachment names.
fn claim_of(attachment: &Object) -> ObjectKey {
    let spec = attachment.spec.to_value();
    let kind = vmtwin_model::kube::Kind::find("v1", CLAIM).expect("claims are served");
    ObjectKey::new(kind, attachment.key.namespace.clone(), text(&spec, "/volumename"))
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

    fn see_attachment(&mut self, object: &Arc<Object>) {
        let name: Arc<str> = object.key.namespaced_name().into();
        let is_new = self.volumes.attachments.get(&name).is_none();
        let ready = self.volumes.attachments.get(&name).is_some_and(|there| there.ready);
        let status = object.status.to_value();
        let is_attached = status.get("attached").and_then(Value::as_bool).unwrap_or_default();
        self.volumes.attachments.insert(name, Arc::new(Attachment { object: object.clone(), ready }));
        let claim = claim_of(object);
        if let Some(claim) = self.volumes.claims.get_mut(&claim.namespaced_name()) {
            Arc::make_mut(claim).attachments.insert(object.key.clone());
        }
        if is_new
            && is_attached
            && let Some(vm) = self.vm_of(object)
        {
            self.adopt_attachment(&claim, text(&status, "/metadata/diskUUID"), vm);
        }
        // Whatever is attached and stays so needs nothing.
        if object.is_deleting() || is_new && !is_attached {
            self.begin_work(&object.key);
        }
    }

    /// A disk that hung on a VM before anyone looked goes on hanging there.
    fn adopt_attachment(&mut self, claim: &ObjectKey, uuid: &str, vm: u32) {
        let Some(claim) = self.volumes.claims.get_mut(&claim.namespaced_name()) else { return };
        let Some(disk) = &mut Arc::make_mut(claim).disk else { return };
        disk.vm = Some(vm);
        if !uuid.is_empty() {
            disk.uuid = uuid.into();
        }
        let host = disk.host;
        if let (Some(host), Some(row)) = (host, self.vms.get_mut(vm)) {
            // Which of its devices it is, nobody can tell.
            row.instance.push((0, host));
        }
    }

    /// Attaching and detaching take their time, one after the other on each VM.
    fn begin_work(&mut self, key: &ObjectKey) {
        if let Some(there) = self.volumes.attachments.get_mut(&key.namespaced_name()) {
            Arc::make_mut(there).ready = true;
        }
        let label = key.namespaced_name();
        let span = self.duration("AttachVolume", &label, Span::ZERO);
        self.agenda.put(self.now + span, self.cause, Entry::Attend(key.clone()));
    }

    fn forget_attachment(&mut self, key: &ObjectKey) {
        let Some(there) = self.volumes.attachments.remove(&key.namespaced_name()) else { return };
        let claim = claim_of(&there.object);
        let Some(claim) = self.volumes.claims.get_mut(&claim.namespaced_name()) else { return };
        let claim = Arc::make_mut(claim);
        claim.attachments.remove(key);
        let others = claim.attachments.clone();
        let object = claim.object.clone();
        if object.is_deleting() {
            self.agenda.put(self.now, self.cause, Entry::Attend(object.key.clone()));
        }
        for other in others {
            self.agenda.put(self.now, self.cause, Entry::Attend(other));
        }
    }

    /// The VM that an attachment is about: its owner's, if that has the BIOS UUID.
    fn vm_of(&self, attachment: &Object) -> Option<u32> {
        let owners = attachment.meta.owner_references.as_ref()?;
        let owner = owners.iter().find(|owner| owner.kind == "VirtualMachine")?;
        let vm = self.vms.labelled(&format!("{}/{}", attachment.key.namespace, owner.name))?;
        let spec = attachment.spec.to_value();
        self.vms.get(vm).filter(|row| *row.config().uuid == *text(&spec, "/nodeuuid")).map(|_| vm)
    }

    fn attend_attachment(&mut self, key: &ObjectKey) {
        let Some(there) = self.volumes.attachments.get(&key.namespaced_name()).cloned() else { return };
        let object = &there.object;
        if !there.ready {
            return;
        }
        let vm = self.vm_of(object);
        if vm.and_then(|vm| self.vms.get(vm)).is_some_and(|row| row.task.is_some()) {
            self.agenda.put(self.now + TRY_AGAIN, self.cause, Entry::Attend(key.clone()));
            return;
        }
        if object.is_deleting() {
            self.detach(object, vm);
            return;
        }
        if !has_finalizer(object, ATTACHED) {
            self.patch_volume(key, finalizers(object, |all| all.push(ATTACHED.to_owned())), Subresource::Main);
        }
        let claim = self.volumes.claims.get(&claim_of(object).namespaced_name()).cloned();
        if let Some(claim) = claim.as_ref().filter(|claim| claim.disk.is_none()) {
            // The claim's disk, once it is there, comes back here.
            if text(&claim.object.status.to_value(), "/phase") != "Bound" {
                return;
            }
        }
        let status = match self.attach(claim.as_deref(), object, vm) {
            Ok(disk) => {
                let metadata = json!({"diskUUID": disk.uuid, "type": "vSphere CNS Block Volume"});
                json!({"attached": true, "error": null, "metadata": metadata})
            }
            Err(why) => {
                self.agenda.put(self.now + LOOK_AGAIN, self.cause, Entry::Again(key.clone()));
                json!({"attached": false, "error": why})
            }
        };
        let told = object.status.to_value();
        let same = |field: &str| status.get(field).filter(|value| !value.is_null()) == told.get(field);
        if !(same("attached") && same("error")) || status["attached"] == true {
            self.patch_volume(key, json!({"status": status}), Subresource::Status);
        }
    }

    /// Hangs a claim's disk on a VM.
    fn attach(&mut self, claim: Option<&Claim>, attachment: &Object, vm: Option<u32>) -> Result<Disk, String> {
        let spec = attachment.spec.to_value();
        let Some(claim) = claim else { return Err(format!("persistentvolumeclaim {:?} not found", text(&spec, "/volumename"))) };
        let Some(vm) = vm else { return Err(format!("virtual machine with UUID {:?} not found", text(&spec, "/nodeuuid"))) };
        let Some(disk) = claim.disk.clone() else { return Err("the claim has no volume".to_owned()) };
        match disk.vm {
            Some(there) if there == vm => return Ok(disk),
            Some(_) => {
                let id = &disk.id;
                return Err(format!("failed to attach cns volume: {id:?} to node vm: the resource 'volume' is in use. opId: 0"));
            }
            None => {}
        }
        let refused = |fault: Fault| format!("failed to attach cns volume: {fault} opId: 0");
        self.check_reach(vm).map_err(refused)?;
        let Some(row) = self.vms.get(vm).cloned() else { return Err("the virtual machine is gone".to_owned()) };
        if self.hosts.get(row.host).is_some_and(|host| !host.datastores.contains(&disk.datastore)) {
            return Err("failed to attach cns volume: the datastore of the volume is not accessible from the host opId: 0".to_owned());
        }
        if disk.host.is_some_and(|host| host != row.host) {
            return Err("failed to attach cns volume: the volume is on another host opId: 0".to_owned());
        }
        let mut config = row.config().clone();
        let key = devices::hang(&mut config, device(&disk));
        self.vms.change(vm, |row| {
            row.written.insert(key, disk.written);
            row.instance.extend(disk.host.map(|host| (key, host)));
            Arc::make_mut(&mut row.seen).config = Some(config);
        });
        self.charge_space(disk.datastore, -disk.written.0);
        self.note_holder(&claim.object.key, Some(vm), disk.written);
        self.volume_changed(vm);
        Ok(disk)
    }

    /// Takes a disk off a VM, and lets the attachment go.
    fn detach(&mut self, attachment: &Object, vm: Option<u32>) {
        let claim = self.volumes.claims.get(&claim_of(attachment).namespaced_name()).cloned();
        let held = claim.as_ref().and_then(|claim| claim.disk.as_ref()).filter(|disk| disk.vm.is_some() && disk.vm == vm);
        if let (Some(claim), Some(disk), Some(vm)) = (&claim, held, vm) {
            // A disk that is part of a snapshot stays until the snapshot is gone.
            let hangs = self.vms.get(vm).and_then(|row| Some((row, devices::hanging(row.config(), &disk.id)?)));
            if self.check_reach(vm).is_err() || hangs.is_some_and(|(row, key)| row.snapshots.hold(key)) {
                self.agenda.put(self.now + LOOK_AGAIN, self.cause, Entry::Again(attachment.key.clone()));
                return;
            }
            let key = self.vms.get(vm).and_then(|row| devices::hanging(row.config(), &disk.id));
            let mut written = disk.written;
            if let Some(key) = key {
                self.vms.change(vm, |row| {
                    written = row.written.remove(&key).unwrap_or(written);
                    row.instance.retain(|(there, _)| *there != key);
                    if let Some(config) = &mut Arc::make_mut(&mut row.seen).config {
                        config.hardware.device.retain(|device| device.key != key);
                    }
                });
            }
            self.charge_space(disk.datastore, written.0);
            self.note_holder(&claim.object.key, None, written);
            self.volume_changed(vm);
        }
        if has_finalizer(attachment, ATTACHED) {
            let patch = finalizers(attachment, |all| all.retain(|there| there != ATTACHED));
            self.patch_volume(&attachment.key, patch, Subresource::Main);
        }
    }

    /// The VM is gone: the first class disks that hung on it are free.
    pub(crate) fn free_disks(&mut self, row: &crate::vm::Vm) {
        for device in &row.config().hardware.device {
            self.free_disk(row, device);
        }
    }

    /// A device that a VM has no more: the first class disk, if it was one, is free, with all its links in one.
    pub(crate) fn free_disk(&mut self, row: &crate::vm::Vm, device: &Device) {
        let Some(id) = device.rest.get("vDiskId").and_then(|id| id.get("id")?.as_str()) else { return };
        let Some(claim) = self.volumes.by_disk.get(id).cloned() else { return };
        let written = row.snapshots.merged(device, row.written.get(&device.key).copied().unwrap_or_default());
        let datastore = self.volumes.claims.get(&claim.namespaced_name()).and_then(|claim| Some(claim.disk.as_ref()?.datastore));
        if let Some(datastore) = datastore {
            self.charge_space(datastore, written.0);
        }
        self.note_holder(&claim, None, written);
    }

    fn note_holder(&mut self, claim: &ObjectKey, vm: Option<u32>, written: Bytes) {
        let Some(claim) = self.volumes.claims.get_mut(&claim.namespaced_name()) else { return };
        let claim = Arc::make_mut(claim);
        if let Some(disk) = &mut claim.disk {
            (disk.vm, disk.written) = (vm, written);
        }
        if vm.is_none() {
            for attachment in claim.attachments.clone() {
                self.agenda.put(self.now, self.cause, Entry::Attend(attachment));
            }
        }
    }

    fn volume_changed(&mut self, vm: u32) {
        self.lay_out(vm);
        self.keep_keys(vm);
        self.touch(vm, Changed::Config);
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

/// A first class disk as a VM has it.
fn device(disk: &Disk) -> Device {
    let mut device = Device::new(DeviceType::VirtualDisk, 0);
    device.capacity_in_bytes = Some(disk.capacity);
    device.backing = Some(Backing {
        type_: Some("VirtualDiskFlatVer2BackingInfo".into()),
        file_name: Some(disk.path.clone()),
        thin_provisioned: Some(disk.written < disk.capacity),
        uuid: Some(disk.uuid.clone()),
        key_id: disk.key.clone(),
        ..Backing::default()
    });
    device.rest.insert("vDiskId".to_owned(), json!({"id": disk.id}));
    device
}

#[cfg(test)]
mod tests {
    use vmtwin_model::kube::Kind;
    use vmtwin_model::vsphere::action::VmAction;
    use vmtwin_model::vsphere::spec::ConfigSpec;
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
            self.put(
                "cns.vmware.com/v1alpha1",
                ATTACHMENT,
                &name,
                json!({"metadata": meta, "spec": {"nodeuuid": uuid, "volumename": claim}}),
            );
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
        let spec = json!({"storageClassName": "gold", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": format!("{gib}Gi")}}});
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
}
