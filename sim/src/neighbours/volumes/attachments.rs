//! CNS: disks of claims hung on VMs and taken off again. Source: crypto-storage §5.3.

use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::kube::api::Subresource;
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::Span;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::spec::{Backing, Device, DeviceType};
use vmtwin_model::vsphere::{Changed, Fault};

use super::{ATTACHED, Attachment, CLAIM, Claim, Disk, LOOK_AGAIN, TRY_AGAIN, finalizers, has_finalizer, text};
use crate::agenda::Entry;
use crate::{World, devices};

/// The claim that an attachment names.
fn claim_of(attachment: &Object) -> ObjectKey {
    let spec = attachment.spec.to_value();
    let kind = vmtwin_model::kube::Kind::find("v1", CLAIM).expect("claims are served");
    ObjectKey::new(kind, attachment.key.namespace.clone(), text(&spec, "/volumename"))
}

impl World {
    pub(super) fn see_attachment(&mut self, object: &Arc<Object>) {
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

    pub(super) fn forget_attachment(&mut self, key: &ObjectKey) {
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

    pub(super) fn attend_attachment(&mut self, key: &ObjectKey) {
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
