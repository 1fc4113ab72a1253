//! What is taken, by namespace and storage class: sums that every change moves by its difference.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::kube::cluster_virtual_machine_image::ClusterVirtualMachineImage;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_image::{VirtualMachineImage, VirtualMachineImageStatus};
use vmtwin_model::kube::virtual_machine_snapshot::VirtualMachineSnapshot;
use vmtwin_model::kube::{ConditionType, Conditions, Object, ObjectKey, Resource, View};
use vmtwin_model::units::Bytes;

use crate::cache::Cache;
use crate::vm::keys;

/// Whose report it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    Vms,
    Snapshots,
}

impl Whose {
    /// The report of this extension on this kind, if it is one of the operator's. Snapshots' had once the name of that on VMs.
    pub(super) fn of(extension: &str, kind: &str) -> Option<Self> {
        let own = [Self::Vms, Self::Snapshots];
        let is_own = own.iter().any(|whose| whose.extension() == extension);
        own.into_iter().find(|whose| is_own && whose.kind() == kind)
    }

    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Vms => "vm-usage",
            Self::Snapshots => "vmsnapshot-usage",
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Vms => "VirtualMachine",
            Self::Snapshots => "VirtualMachineSnapshot",
        }
    }

    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Vms => "vmware-system-vmop-webhook-service",
            Self::Snapshots => "snapshot-vmware-system-vmop-webhook-service",
        }
    }
}

/// What is promised to what is being made, and what is taken by what exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) reserved: Bytes,
    pub(crate) used: Bytes,
}

/// What counts where: a namespace, a storage class, a report.
type Place = (Arc<str>, String, Whose);

/// The sums.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    by_place: BTreeMap<Place, Taken>,
}

impl Sums {
    /// What is taken of a class in a namespace.
    pub(crate) fn taken(&self, namespace: &Arc<str>, class: &str, whose: Whose) -> Taken {
        self.by_place.get(&(namespace.clone(), class.to_owned(), whose)).copied().unwrap_or_default()
    }

    /// Takes a change in, which the cache has already, and gives back where it counts.
    pub(crate) fn note(&mut self, cache: &Cache, key: &ObjectKey, before: Option<&Object>, after: Option<&Object>) -> Vec<Place> {
        match key.kind {
            VirtualMachine::KIND if counts_alike(before, after) => Vec::new(),
            VirtualMachine::KIND => {
                let part = |object: Option<&Object>| object.and_then(Object::view).and_then(|vm| of_vm(cache, vm));
                let mut moved = self.shift(part(before), part(after));
                let deleting = |object: Option<&Object>| object.is_none_or(Object::is_deleting);
                if deleting(before) != deleting(after) || class_of(before) != class_of(after) {
                    moved.extend(self.snapshots_of(cache, key, before, after));
                }
                moved
            }
            VirtualMachineSnapshot::KIND => {
                let parts = |object: Option<&Object>| of_snapshot(object, |name| vm_of(cache, key, name));
                self.shift_all(parts(before), parts(after))
            }
            VirtualMachineImage::KIND | ClusterVirtualMachineImage::KIND => self.image(cache, key, before, after),
            _ => Vec::new(),
        }
    }

    fn shift(&mut self, before: Option<(Place, Taken)>, after: Option<(Place, Taken)>) -> Vec<Place> {
        self.shift_all(before.into_iter().collect(), after.into_iter().collect())
    }

    fn shift_all(&mut self, before: Vec<(Place, Taken)>, after: Vec<(Place, Taken)>) -> Vec<Place> {
        if before == after {
            return Vec::new();
        }
        let mut moved = Vec::new();
        for (parts, sign) in [(before, -1), (after, 1)] {
            for (place, Taken { reserved, used }) in parts {
                let sum = self.by_place.entry(place.clone()).or_default();
                sum.reserved = Bytes(sum.reserved.0 + sign * reserved.0);
                sum.used = Bytes(sum.used.0 + sign * used.0);
                if !moved.contains(&place) {
                    moved.push(place);
                }
            }
        }
        moved
    }

    /// What a VM's deletion, or its coming, means for the snapshots that name it.
    fn snapshots_of(&mut self, cache: &Cache, key: &ObjectKey, before: Option<&Object>, after: Option<&Object>) -> Vec<Place> {
        let mut moved = Vec::new();
        for snapshot in cache.list(VirtualMachineSnapshot::KIND, Some(&key.namespace)) {
            if snapshot.view::<VirtualMachineSnapshot>().is_none_or(|view| *view.spec.vm_name != *key.name) {
                continue;
            }
            let parts = |vm: Option<&Object>| of_snapshot(Some(snapshot), |_| vm.map(|vm| (class_of(Some(vm)), vm.is_deleting())));
            moved.extend(self.shift_all(parts(before), parts(after)));
        }
        moved
    }

    /// An image's disks are what its VMs reserve until they exist.
    fn image(&mut self, cache: &Cache, key: &ObjectKey, before: Option<&Object>, after: Option<&Object>) -> Vec<Place> {
        let size = |object: Option<&Object>| object.and_then(status_of).map(capacity).unwrap_or_default();
        let (old, new) = (size(before), size(after));
        if old == new {
            return Vec::new();
        }
        let namespace = (!key.namespace.is_empty()).then_some(&*key.namespace);
        let names_it = |vm: &View<'_, VirtualMachine>| {
            vm.spec.image.as_ref().is_some_and(|image| image.kind == key.kind.info().kind && *image.name == *key.name)
        };
        let vms = cache.list(VirtualMachine::KIND, namespace).filter_map(|object| object.view::<VirtualMachine>()).filter(names_it);
        let mut moved = Vec::new();
        for vm in vms.filter(|vm| !vm.object.is_deleting() && exists(*vm).is_none()) {
            let place = place_of(vm);
            let reserved = |size| Some((place.clone(), Taken { reserved: size, used: Bytes::ZERO }));
            moved.extend(self.shift(reserved(old), reserved(new)));
        }
        moved
    }
}

/// Whether nothing that counts differs between two versions of a VM, as in most of its changes.
fn counts_alike(before: Option<&Object>, after: Option<&Object>) -> bool {
    let (Some(before), Some(after)) = (before.and_then(Object::view::<VirtualMachine>), after.and_then(Object::view::<VirtualMachine>))
    else {
        return false;
    };
    before.object.is_deleting() == after.object.is_deleting()
        && exists(before) == exists(after)
        && before.spec.storage_class == after.spec.storage_class
        && before.spec.image == after.spec.image
}

fn place_of(vm: View<'_, VirtualMachine>) -> Place {
    (vm.object.key.namespace.clone(), vm.spec.storage_class.clone(), Whose::Vms)
}

/// What a VM that exists takes.
fn exists(vm: View<'_, VirtualMachine>) -> Option<Bytes> {
    let storage = vm.status.storage.as_ref().filter(|_| vm.status.conditions.is_true(&ConditionType::Created))?;
    Some(storage.total.unwrap_or_default())
}

fn of_vm(cache: &Cache, vm: View<'_, VirtualMachine>) -> Option<(Place, Taken)> {
    if vm.object.is_deleting() || vm.spec.storage_class.is_empty() {
        return None;
    }
    let taken = match exists(vm) {
        Some(used) => Taken { reserved: Bytes::ZERO, used },
        None => Taken { reserved: image_of(cache, vm).map(capacity).unwrap_or_default(), used: Bytes::ZERO },
    };
    Some((place_of(vm), taken))
}

fn image_of<'a>(cache: &'a Cache, vm: View<'_, VirtualMachine>) -> Option<&'a VirtualMachineImageStatus> {
    let image = vm.spec.image.as_ref()?;
    let (kind, namespace) = match image.kind.as_str() {
        "VirtualMachineImage" => (VirtualMachineImage::KIND, vm.object.key.namespace.clone()),
        "ClusterVirtualMachineImage" => (ClusterVirtualMachineImage::KIND, "".into()),
        _ => return None,
    };
    status_of(cache.get(&ObjectKey::new(kind, namespace, image.name.as_str()))?)
}

fn status_of(object: &Object) -> Option<&VirtualMachineImageStatus> {
    let own = object.view::<VirtualMachineImage>().map(|image| image.status);
    own.or_else(|| object.view::<ClusterVirtualMachineImage>().map(|image| image.status))
}

fn capacity(image: &VirtualMachineImageStatus) -> Bytes {
    image.disks.iter().filter_map(|disk| disk.limit).sum()
}

fn class_of(vm: Option<&Object>) -> String {
    vm.and_then(Object::view::<VirtualMachine>).map(|vm| vm.spec.storage_class.clone()).unwrap_or_default()
}

/// A snapshot's VM: its class, and whether it is on its way out.
fn vm_of(cache: &Cache, snapshot: &ObjectKey, name: &str) -> Option<(String, bool)> {
    let vm = cache.get(&ObjectKey::of::<VirtualMachine>(snapshot.namespace.clone(), name))?;
    Some((class_of(Some(vm)), vm.is_deleting()))
}

/// What a snapshot takes: what was asked of each class until it is there and synced, then what it uses of its VM's class. A VM on its
/// way out takes what counts under its own class along.
fn of_snapshot(object: Option<&Object>, vm: impl Fn(&str) -> Option<(String, bool)>) -> Vec<(Place, Taken)> {
    let Some(object) = object.filter(|object| !object.is_deleting()) else { return Vec::new() };
    let Some(snapshot) = object.view::<VirtualMachineSnapshot>().filter(|snapshot| !snapshot.spec.vm_name.is_empty()) else {
        return Vec::new();
    };
    let vm = vm(&snapshot.spec.vm_name);
    let gone = |class: &str| vm.as_ref().is_some_and(|(own, deleting)| own == class && *deleting);
    let place = |class: &str| (object.key.namespace.clone(), class.to_owned(), Whose::Snapshots);
    let Some(storage) = &snapshot.status.storage else { return Vec::new() };
    if object.annotation(keys::CSI_SYNC) == Some(keys::CSI_SYNC_COMPLETED) {
        let used = storage.used.unwrap_or_default();
        let own = vm.as_ref().map(|(class, _)| class.as_str()).filter(|class| !gone(class));
        return own.map(|class| (place(class), Taken { reserved: Bytes::ZERO, used })).into_iter().collect();
    }
    let mut parts: Vec<(Place, Taken)> = Vec::new();
    for one in storage.requested.iter().filter(|one| !gone(&one.storage_class)) {
        let place = place(&one.storage_class);
        // Only the first entry of a class counts.
        if !parts.iter().any(|(there, _)| *there == place) {
            parts.push((place, Taken { reserved: one.total, used: Bytes::ZERO }));
        }
    }
    parts
}
