//! VMs that are there from the start: their properties as given, the rest made up so that it agrees with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::id::VmId;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::Inventory;
use vmtwin_model::vsphere::inventory::ExistingVm;
use vmtwin_model::vsphere::spec::{DeviceType, ManagedBy};
use vmtwin_model::vsphere::vm::PowerState;

use crate::World;
use crate::build::{BuildError, profile};
use crate::guest::GuestLife;
use crate::image::Behaviour;
use crate::vm::{NAMESPACED_NAME, Vm};

impl World {
    /// Puts the existing VMs in: those whose id is given first, so that no other takes it.
    pub(crate) fn build_vms(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        let (given, counted): (Vec<_>, Vec<_>) = inventory.virtual_machines.iter().partition(|vm| vm.has_id);
        for existing in given {
            let id = existing.properties.id.clone();
            let twice = || BuildError::Twice { kind: "VM", what: "id", name: id.as_str().into() };
            let row = self.vms.reserve(&id).ok_or_else(twice)?;
            self.build_vm(inventory, existing, row, id.clone())?;
        }
        for existing in counted {
            let row = self.vms.next_number();
            self.build_vm(inventory, existing, row, VmId::new(format!("vm-{row}")))?;
        }
        Ok(())
    }

    fn build_vm(&mut self, inventory: &Inventory, existing: &ExistingVm, row: u32, id: VmId) -> Result<(), BuildError> {
        let mut vm = self.existing_vm(inventory, existing, id)?;
        let (host, on) = (vm.host, vm.power() == PowerState::PoweredOn);
        if on && vm.seen.runtime.boot_time.is_none() {
            Arc::make_mut(&mut vm.seen).runtime.boot_time = Some(self.now);
        }
        self.enter_vm(row, vm);
        if on {
            self.book(row, host);
        }
        self.guest_found(row);
        if !self.hosts.get(host).is_some_and(|host| host.is_reachable()) {
            self.reach(row);
        }
        Ok(())
    }

    fn existing_vm(&self, inventory: &Inventory, existing: &ExistingVm, id: VmId) -> Result<Vm, BuildError> {
        let mut seen = existing.properties.clone();
        seen.id = id;
        let (namespace, name) = existing.name.split_once('/').map_or((None, &*existing.name), |(ns, name)| (Some(ns), name));
        if seen.name.is_empty() || seen.name == existing.name {
            seen.name = name.into();
        }
        let cluster = |row: u32| self.hosts.get(row).map_or(0, |host| host.cluster);
        let host = match &existing.host {
            Some(name) => self.names.hosts[name],
            None => self.host_of_namespace(namespace).ok_or_else(|| BuildError::NoHost(existing.name.clone()))?,
        };
        let root = self.clusters.get(cluster(host)).map_or(0, |cluster| cluster.root);
        let pool = namespace.and_then(|ns| self.child_pool(root, ns)).unwrap_or(root);
        let folder = namespace.and_then(|ns| self.namespace_folder(ns)).unwrap_or(self.vm_folder);
        let mounted = self.hosts.get(host).and_then(|host| host.datastores.first().copied());
        let home = existing.datastores.first().map(|name| self.names.datastores[name]).or(mounted).unwrap_or(0);

        if let Some(config) = &mut seen.config {
            if config.name.is_empty() {
                config.name = seen.name.clone();
            }
            let mut draw = self.rng.draw("sim/uuid", ("VirtualMachine", &existing.name, 0));
            for uuid in [&mut config.uuid, &mut config.instance_uuid] {
                let drawn = draw.uuid().to_string();
                if uuid.is_empty() {
                    *uuid = drawn.into();
                }
            }
            if config.guest_full_name.is_empty() {
                config.guest_full_name = config.guest_id.clone();
            }
            for (allocation, unset) in [(&mut config.cpu_allocation, -1), (&mut config.memory_allocation, -1)] {
                allocation.reservation.get_or_insert(0);
                allocation.limit.get_or_insert(unset);
            }
            if let Some(owner) = &existing.managed_by {
                config.extra_config.entry(NAMESPACED_NAME.into()).or_insert_with(|| owner.clone());
                config
                    .managed_by
                    .get_or_insert_with(|| ManagedBy { extension_key: "com.vmware.vcenter.wcp".into(), type_: "VirtualMachine".into() });
            }
            config.create_date.get_or_insert(self.now);
        }
        let user = || format!("VM {}", existing.name);
        let guest_id = seen.config.as_ref().map_or_else(|| "otherGuest".into(), |config| config.guest_id.clone());
        let behaviour = Behaviour::new(profile(inventory, user, existing.guest_profile.as_ref())?, &guest_id, true);
        let stated_files = !seen.layout_ex.file.is_empty();
        let on = seen.runtime.power_state != PowerState::PoweredOff;
        let tags = seen.tags.iter().map(|tag| format!("{}/{tag}", namespace.unwrap_or_default()).into()).collect();
        let mut vm = Vm {
            seen: Arc::new(seen),
            given_name: Some(existing.name.clone()),
            host,
            pool,
            folder,
            home,
            space: Vec::new(),
            written: BTreeMap::new(),
            boots: u32::from(on),
            stated_files,
            booked: None,
            task: None,
            guest: GuestLife::default(),
            behaviour: Arc::new(behaviour),
            customization: None,
            addresses: BTreeMap::new(),
            tags,
            policies: Arc::default(),
        };
        vm.written = written(&vm);
        Ok(vm)
    }

    /// A host for a VM that names none: the first of the first cluster that its namespace has a pool in.
    fn host_of_namespace(&self, namespace: Option<&str>) -> Option<u32> {
        let clusters = || self.clusters.iter().map(|(_, cluster)| cluster).filter(|cluster| !cluster.hosts.is_empty());
        let own = clusters().find(|cluster| namespace.is_some_and(|ns| self.child_pool(cluster.root, ns).is_some()));
        own.or_else(|| clusters().next()).and_then(|cluster| cluster.hosts.first().copied())
    }
}

/// What the thin disks of an existing VM have written: nobody says, so all of it.
fn written(vm: &Vm) -> BTreeMap<i32, Bytes> {
    let disks = vm.config().hardware.device.iter().filter(|device| device.type_ == DeviceType::VirtualDisk);
    disks.map(|disk| (disk.key, disk.capacity_in_bytes.unwrap_or_default())).collect()
}
