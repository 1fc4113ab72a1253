//! The image cache: brings copies of an image's disks near the datastores that a VirtualMachineImageCache names. Source: vm-lifecycle §16.2.
//!
//! It is a part of VM Operator's that talks to the content library; here a neighbour does its work, and tells in the object what is where.

use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{PatchKind, Request, Subresource, User, WatchEvent};
use vmtwin_model::kube::virtual_machine_image_cache::{ImageCacheLocationSpec, VirtualMachineImageCache};
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};

use crate::agenda::Entry;
use crate::latency::transfer;
use crate::library::LooseDisk;
use crate::{RequestId, What, World};

/// How fast files come from the library.
const RATE: i64 = 400_000_000;
/// What comes before the first byte.
const SETUP: Span = Span::from_secs(2);

impl World {
    /// A cache was made or asked for another place.
    pub(crate) fn observe_cache(&mut self, now: Timestamp, cause: Cause, event: &WatchEvent) {
        let Some(object) = &event.after else {
            self.ports.caches.remove(&event.key);
            return;
        };
        let Some(cache) = object.view::<VirtualMachineImageCache>() else { return };
        let known = self.ports.caches.insert(event.key.clone(), object.clone());
        let before =
            known.as_ref().and_then(|known| known.view::<VirtualMachineImageCache>()).map_or(0, |known| known.spec.locations.len());
        let is_told = cache.status.conditions.iter().any(|condition| condition.type_.as_str() == "VirtualMachineImageCacheHardwareReady");
        if cache.spec.locations.len() == before || is_told && cache.status.locations.len() >= cache.spec.locations.len() {
            return;
        }
        let bytes = self.item_disks(&cache.spec.provider_id).iter().map(|disk| disk.1.size.0).sum();
        self.begin(now, cause);
        self.agenda.put(now + SETUP + transfer(bytes, RATE), cause, Entry::Attend(event.key.clone()));
    }

    /// The disks of an item by the names of their files.
    fn item_disks(&self, item: &str) -> Vec<(String, LooseDisk)> {
        let Some((row, image)) = self.images.iter().enumerate().find(|(_, image)| *image.item.id == *item) else { return Vec::new() };
        let disks = image.item.disks.iter().enumerate();
        disks
            .map(|(nth, disk)| {
                let file = disk.file.as_deref().map_or_else(|| format!("disk-{nth}.vmdk"), str::to_owned);
                (file, LooseDisk { size: disk.size, capacity: disk.capacity, image: row })
            })
            .collect()
    }

    /// All that the object asks for is brought, and told.
    pub(crate) fn attend_cache(&mut self, key: &ObjectKey) {
        let Some(object) = self.ports.caches.get(key).cloned() else { return };
        let status = self.cached(&object);
        let id = RequestId(self.ports.next_request(key));
        let request =
            Request::Patch { key: key.clone(), kind: PatchKind::Merge, patch: json!({"status": status}), part: Subresource::Status };
        self.push(What::Request { id, user: User::named("system:serviceaccount:vmware-system-vmop:image-cache"), request });
    }

    fn cached(&mut self, object: &Arc<Object>) -> Value {
        let Some(cache) = object.view::<VirtualMachineImageCache>() else { return json!({}) };
        let disks = self.item_disks(&cache.spec.provider_id);
        if disks.is_empty() {
            let why = format!("library item {:?} has no disks", cache.spec.provider_id);
            return json!({"conditions": [self.said("VirtualMachineImageCacheHardwareReady", "False", "NotFound", &why)]});
        }
        let (item, locations) = (cache.spec.provider_id.clone(), cache.spec.locations.clone());
        let version = cache.spec.provider_version.clone();
        let places: Vec<Value> = locations.iter().map(|location| self.cached_at(&item, location, &disks)).collect();
        let types = ["VirtualMachineImageCacheHardwareReady", "VirtualMachineImageCacheFilesReady", "Ready"];
        json!({
            "conditions": types.map(|type_| self.said(type_, "True", "True", "")),
            "ovf": {"configMapName": object.key.name, "providerVersion": version},
            "locations": places,
        })
    }

    fn cached_at(&mut self, item: &str, location: &ImageCacheLocationSpec, disks: &[(String, LooseDisk)]) -> Value {
        let id = vmtwin_model::id::DatastoreId::from(location.datastore_id.as_str());
        let name = self.names.datastore_ids.get(&id).and_then(|row| self.datastores.get(*row)).map(|ds| ds.name.clone());
        let place = json!({"datacenterID": location.datacenter_id, "datastoreID": location.datastore_id, "profileID": location.profile_id});
        let with = |conditions: Value, files: Vec<Value>| {
            let mut place = place.clone();
            place["conditions"] = json!([conditions]);
            place["files"] = json!(files);
            place
        };
        let Some(name) = name else {
            return with(self.said("Ready", "False", "NotFound", "no such datastore"), Vec::new());
        };
        let mut files = Vec::new();
        for (file, disk) in disks {
            let path: Arc<str> = format!("[{name}] vmicache/{item}/{}/{file}", location.profile_id).into();
            if self.library.disk(&path).is_none() {
                self.lay_disk(&path, disk.clone());
            }
            files.push(json!({"id": path, "name": file, "type": "Disk", "diskType": "Classic"}));
        }
        with(self.said("Ready", "True", "True", ""), files)
    }

    fn said(&self, type_: &str, status: &str, reason: &str, message: &str) -> Value {
        let since = self.now.to_second().to_string();
        json!({"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": since})
    }
}
