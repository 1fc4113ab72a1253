//! VMs that are there from the start: their properties as given, the rest made up so that it agrees with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::id::VmId;
use vmtwin_model::units::{MiB, VCpus};
use vmtwin_model::vsphere::inventory::ExistingVm;
use vmtwin_model::vsphere::spec::ManagedBy;
use vmtwin_model::vsphere::vm::{Config, Hardware, PowerState};
use vmtwin_model::vsphere::{Inventory, VirtualMachine};

use crate::build::{BuildError, find, profile};
use crate::guest::GuestLife;
use crate::image::Behaviour;
use crate::vm::{NAMESPACED_NAME, Vm};
use crate::{Host, World};

impl World {
    /// Puts the existing VMs in: those whose id is given first, so that no other takes it.
    pub(crate) fn add_existing(&mut self, inventory: &Inventory) -> Result<(), BuildError> {
        let (given, counted): (Vec<_>, Vec<_>) = inventory.virtual_machines.iter().partition(|vm| vm.has_id);
        for vm in given {
            let id = vm.properties.id.clone();
            let row = self.vms.reserve(&id).ok_or_else(|| BuildError::Twice { kind: "VM", name: id.as_str().into() })?;
            self.add_vm(inventory, vm, row, id)?;
        }
        for vm in counted {
            let row = self.vms.next_number();
            self.add_vm(inventory, vm, row, VmId::new(format!("vm-{row}")))?;
        }
        Ok(())
    }

    fn add_vm(&mut self, inventory: &Inventory, given: &ExistingVm, row: u32, id: VmId) -> Result<(), BuildError> {
        let vm = self.existing(inventory, given, id)?;
        let (host, on) = (vm.host, vm.power() == PowerState::PoweredOn);
        self.enter_vm(row, vm);
        if on {
            self.book(row, host);
        }
        self.guest_found(row);
        // A connection state that is given stands, unless the host can't be reached.
        if self.hosts.get(host).is_some_and(|host| !host.is_reachable()) {
            self.reach(row);
        }
        Ok(())
    }

    /// A VM that exists already: on its host, in its namespace's pool and folder, with its files on its datastore.
    fn existing(&self, inventory: &Inventory, given: &ExistingVm, id: VmId) -> Result<Vm, BuildError> {
        let by = || format!("VM `{}`", given.name);
        let namespace = given.name.split_once('/').map(|(namespace, _)| namespace);
        let host = match &given.host {
            Some(name) => find("host", &self.names.hosts, name, by)?,
            None => self.host_of_namespace(namespace).ok_or_else(|| BuildError::NoHost(given.name.clone()))?,
        };
        let cluster = self.hosts.get(host).map_or(0, |host| host.cluster);
        let root = self.clusters.get(cluster).map_or(0, |cluster| cluster.root);
        let homes = given.datastores.iter().map(|name| find("datastore", &self.names.datastores, name, by));
        let homes = homes.collect::<Result<Vec<_>, _>>()?;
        let mounted = self.hosts.get(host).and_then(|host| host.datastores.first().copied());
        let mut seen = self.properties(given, id);
        let snapshots = Self::adopt_snapshots(&mut seen);
        let guest_id = seen.config.as_ref().map(|config| config.guest_id.clone()).unwrap_or_default();
        let tools = seen.guest.as_ref().is_none_or(|guest| guest.tools_running_status.is_none()) || seen.tools_run();
        let profile = profile(inventory, given.guest_profile.as_ref(), by)?;
        Ok(Vm {
            stated_files: !seen.layout_ex.file.is_empty(),
            tags: seen.tags.iter().map(|tag| format!("{}/{tag}", namespace.unwrap_or_default()).into()).collect(),
            seen: Arc::new(seen),
            given_name: Some(given.name.clone()),
            host,
            pool: namespace.and_then(|namespace| self.child_pool(root, namespace)).unwrap_or(root),
            folder: namespace.and_then(|namespace| self.namespace_folder(namespace)).unwrap_or(self.vm_folder),
            home: homes.first().copied().or(mounted).unwrap_or(0),
            space: Vec::new(),
            written: BTreeMap::new(),
            snapshots,
            boots: 1,
            booked: None,
            moved_at: None,
            task: None,
            guest: GuestLife::default(),
            behaviour: Arc::new(Behaviour::new(profile, &guest_id, tools)),
            customization: None,
            addresses: BTreeMap::new(),
            policies: Arc::default(),
            announced: Arc::default(),
            instance: Vec::new(),
        })
    }

    /// The properties as given, with name, marks and UUIDs where they say nothing.
    fn properties(&self, given: &ExistingVm, id: VmId) -> VirtualMachine {
        let mut seen = given.properties.clone();
        seen.id = id;
        seen.name = given.name.rsplit('/').next().unwrap_or_default().into();
        let config = seen.config.get_or_insert_with(|| self.plain_config());
        config.name = seen.name.clone();
        let mut draw = self.rng.draw("sim/uuid", ("VirtualMachine", &given.name, 0));
        for uuid in [&mut config.uuid, &mut config.instance_uuid] {
            let drawn = draw.uuid().to_string();
            if uuid.is_empty() {
                *uuid = drawn.into();
            }
        }
        if let Some(owner) = given.managed_by.clone().or_else(|| given.name.contains('/').then(|| given.name.clone())) {
            config.extra_config.entry(NAMESPACED_NAME.into()).or_insert(owner);
            let mark = || ManagedBy { extension_key: "com.vmware.vcenter.wcp".into(), type_: "VirtualMachine".into() };
            config.managed_by.get_or_insert_with(mark);
        }
        seen
    }

    /// The configuration of a VM of which nothing is told: the least that runs, on vCenter's newest hardware.
    fn plain_config(&self) -> Config {
        let hardware = Hardware { num_cpu: VCpus(1), memory_mb: MiB(1024), ..Hardware::default() };
        Config { version: self.hardware_version.clone(), guest_id: "otherGuest".into(), hardware, ..Config::default() }
    }

    /// A host for a VM that names none: the first that its namespace's zones have.
    fn host_of_namespace(&self, namespace: Option<&str>) -> Option<u32> {
        let zones = self.namespaces.iter().find(|(name, _)| Some(&**name) == namespace).map(|(_, zones)| zones);
        let fits = |host: &Host| {
            let zone = self.clusters.get(host.cluster).map(|cluster| &cluster.zone);
            zones.is_none_or(|zones| zone.is_some_and(|zone| zones.contains(zone)))
        };
        let usable = self.hosts.iter().find(|(_, host)| host.takes_vms() && fits(host));
        usable.or_else(|| self.hosts.iter().next()).map(|(row, _)| row)
    }
}
