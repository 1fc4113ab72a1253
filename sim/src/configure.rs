//! `ReconfigVM_Task` and what a ConfigSpec means: every field that is given replaces what is there, lists of keys merge.
//!
//! Guest identifiers aren't listed: whatever has the form of one (`…Guest`, `…Guest64`) is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::time::Span;
use vmtwin_model::units::Bytes;
use vmtwin_model::vsphere::spec::{Allocation, BootOptions, Bootable, ConfigSpec, DeviceType};
use vmtwin_model::vsphere::vm::{Config, PowerState, VAppConfig, VAppProperty};
use vmtwin_model::vsphere::{Changed, Fault, FaultName};

use crate::capacity::{Need, Size};
use crate::devices::Bench;
use crate::key_provider::Subject;
use crate::vm::{NAMESPACED_NAME, Vm};
use crate::{World, deploy, files, refusals};

/// Whether vSphere knows the guest identifier of a spec.
pub(crate) fn check_guest_id(spec: &ConfigSpec) -> Result<(), Fault> {
    match spec.guest_id.as_deref() {
        Some(id) if !(id.is_empty() || id.ends_with("Guest") || id.ends_with("Guest64")) => {
            Err(refusals::invalid_argument("configSpec.guestId"))
        }
        _ => Ok(()),
    }
}

/// Puts a spec's plain values into a configuration.
pub(crate) fn apply_values(config: &mut Config, spec: &ConfigSpec) {
    let texts = [
        (&mut config.name, &spec.name),
        (&mut config.version, &spec.version),
        (&mut config.uuid, &spec.uuid),
        (&mut config.instance_uuid, &spec.instance_uuid),
        (&mut config.guest_id, &spec.guest_id),
        (&mut config.annotation, &spec.annotation),
    ];
    for (there, given) in texts {
        if let Some(given) = given.as_ref().filter(|given| !given.is_empty()) {
            there.clone_from(given);
        }
    }
    if spec.annotation.as_deref() == Some("") {
        config.annotation = "".into();
    }
    config.hardware.num_cpu = spec.num_cpus.unwrap_or(config.hardware.num_cpu);
    config.hardware.num_cores_per_socket = spec.num_cores_per_socket.or(config.hardware.num_cores_per_socket);
    config.hardware.memory_mb = spec.memory_mb.unwrap_or(config.hardware.memory_mb);
    for (there, given) in [(&mut config.cpu_allocation, &spec.cpu_allocation), (&mut config.memory_allocation, &spec.memory_allocation)] {
        if let Some(given) = given {
            *there = Allocation {
                reservation: given.reservation.or(there.reservation),
                limit: given.limit.or(there.limit),
                shares: given.shares.or(there.shares),
            };
        }
    }
    for option in &spec.extra_config {
        if option.value.is_empty() {
            config.extra_config.remove(&option.key);
        } else {
            config.extra_config.insert(option.key.clone(), option.value.clone());
        }
    }
    config.change_tracking_enabled = spec.change_tracking_enabled.or(config.change_tracking_enabled);
    if spec.firmware.is_some() {
        config.firmware.clone_from(&spec.firmware);
    }
    if let Some(options) = &spec.boot_options {
        apply_boot_options(&mut config.boot_options, options);
    }
    if let Some(managed_by) = &spec.managed_by {
        config.managed_by = (!managed_by.extension_key.is_empty()).then(|| managed_by.clone());
    }
    if spec.rest.get("vAppConfigRemoved") == Some(&Value::Bool(true)) {
        config.v_app_config = None;
    } else if let Some(vapp) = spec.rest.get("vAppConfig") {
        apply_vapp(config.v_app_config.get_or_insert_default(), vapp);
    }
}

fn apply_boot_options(there: &mut BootOptions, given: &BootOptions) {
    *there = BootOptions {
        boot_delay: given.boot_delay.or(there.boot_delay),
        enter_bios_setup: given.enter_bios_setup.or(there.enter_bios_setup),
        efi_secure_boot_enabled: given.efi_secure_boot_enabled.or(there.efi_secure_boot_enabled),
        boot_retry_enabled: given.boot_retry_enabled.or(there.boot_retry_enabled),
        boot_retry_delay: given.boot_retry_delay.or(there.boot_retry_delay),
        boot_order: if given.boot_order.is_empty() { std::mem::take(&mut there.boot_order) } else { given.boot_order.clone() },
        network_boot_protocol: given.network_boot_protocol.clone().or_else(|| there.network_boot_protocol.clone()),
    };
}

/// What is wrong with boot options: a device that isn't there, or secure boot that is switched while the VM runs or without EFI.
fn check_boot_options(before: &Config, after: &Config, power: PowerState) -> Result<(), Fault> {
    let is_there = |key: i32| after.hardware.device.iter().any(|device| device.key == key);
    let key = |entry: &Bootable| match entry {
        Bootable::Disk { device_key } | Bootable::Ethernet { device_key } => Some(*device_key),
        Bootable::Cdrom {} | Bootable::Floppy {} => None,
    };
    if after.boot_options.boot_order != before.boot_options.boot_order
        && after.boot_options.boot_order.iter().filter_map(key).any(|key| !is_there(key))
    {
        return Err(refusals::invalid_argument("configSpec.bootOptions.bootOrder"));
    }
    let secure = |config: &Config| config.boot_options.efi_secure_boot_enabled.unwrap_or(false);
    if secure(after) != secure(before) && power != PowerState::PoweredOff {
        return Err(refusals::power_state(PowerState::PoweredOff, power));
    }
    if secure(after) && !secure(before) && after.firmware.as_deref() != Some("efi") {
        return Err(refusals::invalid_argument("configSpec.bootOptions.efiSecureBootEnabled"));
    }
    Ok(())
}

/// Adds and edits properties by their keys, and replaces the ways by which a guest reads them.
fn apply_vapp(there: &mut VAppConfig, vapp: &Value) {
    for change in vapp.get("property").and_then(Value::as_array).into_iter().flatten() {
        let info = change.get("info").cloned().unwrap_or_default();
        let Ok(info) = serde_json::from_value::<VAppProperty>(info) else { continue };
        match there.property.iter_mut().find(|property| property.key == info.key) {
            Some(property) => *property = info,
            None => there.property.push(info),
        }
    }
    if let Some(ways) = vapp.get("ovfEnvironmentTransport").and_then(Value::as_array) {
        there.ovf_environment_transport = ways.iter().filter_map(Value::as_str).map(Arc::from).collect();
    }
}

/// Attaches and detaches the tags of a spec.
pub(crate) fn apply_tags(vm: &mut Vm, spec: &ConfigSpec) {
    let specs = spec.rest.get("tagSpecs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for tag in specs {
        let named = tag.pointer("/id/nameId/tag").and_then(Value::as_str);
        let Some(name) = named.or_else(|| tag.pointer("/id/uuid").and_then(Value::as_str)) else { continue };
        let category = tag.pointer("/id/nameId/category").and_then(Value::as_str).unwrap_or_default();
        let key: Arc<str> = format!("{category}/{name}").into();
        let seen = Arc::make_mut(&mut vm.seen);
        vm.tags.retain(|there| *there != key);
        seen.tags.retain(|there| **there != *name);
        if tag.get("operation").and_then(Value::as_str) != Some("remove") {
            vm.tags.push(key);
            seen.tags.push(name.into());
        }
    }
}

impl World {
    /// The configuration that a VM would have, and what its disks have written, or what is wrong with the spec.
    fn configured(&self, row: &Vm, spec: &ConfigSpec) -> Result<(Config, BTreeMap<i32, Bytes>), Fault> {
        let mut config = row.config().clone();
        let mut written = row.written.clone();
        apply_values(&mut config, spec);
        let subject = Subject::of(row);
        if let Some(crypto) = &spec.crypto {
            config.key_id = self.crypt_home(subject, row.config().key_id.as_ref(), crypto)?;
        }
        let folder = files::home_path(self, row);
        let bench = Bench { world: self, subject, folder: &folder, datastore: row.home, thin: true, policy: None };
        bench.change_devices(&mut config, &spec.device_change, &mut written)?;
        Ok((config, written))
    }

    pub(crate) fn check_reconfigure(&self, vm: u32, row: &Vm, spec: &ConfigSpec) -> Result<(), Fault> {
        check_guest_id(spec)?;
        self.check_instance(Some(vm), spec)?;
        let before = row.config();
        if row.power() != PowerState::PoweredOff {
            if spec.num_cpus.is_some_and(|cpus| cpus != before.hardware.num_cpu) {
                return Err(Fault::new(
                    FaultName::from("CpuHotPlugNotSupported"),
                    "CPU hot plug is not supported for this virtual machine.",
                ));
            }
            if spec.memory_mb.is_some_and(|memory| memory != before.hardware.memory_mb) {
                let text = "Memory hot plug is not supported for this virtual machine.";
                return Err(Fault::new(FaultName::from("MemoryHotPlugNotSupported"), text));
            }
            let version = spec.version.as_ref().is_some_and(|version| *version != before.version);
            let guest = spec.guest_id.as_ref().is_some_and(|id| !id.is_empty() && *id != before.guest_id);
            let firmware = spec.firmware.is_some() && spec.firmware != before.firmware;
            if version || guest || firmware {
                return Err(refusals::power_state(PowerState::PoweredOff, row.power()));
            }
        }
        if let Some(name) = spec.name.as_ref().filter(|name| !name.is_empty() && **name != row.seen.name)
            && let Some(there) = self.vms.in_folder(row.folder, name).and_then(|row| self.vms.get(row))
        {
            return Err(refusals::duplicate_name(name, there.seen.id.as_str()));
        }
        Self::check_held_disks(row, spec)?;
        let (config, written) = self.configured(row, spec)?;
        check_boot_options(before, &config, row.power())?;
        self.check_raise(row, &config)?;
        self.check_room(row, &config, &written)
    }

    /// Admission for a reservation that is raised while the VM is on.
    pub(crate) fn check_raise(&self, row: &Vm, config: &Config) -> Result<(), Fault> {
        let Some(booked) = row.booked else { return Ok(()) };
        let size = Size::of(config);
        let more = size.reserved - booked.reserved;
        let more = Need { cpu: more.cpu.max(0), memory: more.memory.max(0) };
        if more == Need::default() {
            return Ok(());
        }
        self.admit_to_pool(booked.pool, more)?;
        self.hosts.get(booked.host).map_or(Ok(()), |host| host.admits(&Size { reserved: more, ..size }, Need::default()))
    }

    /// Whether new and grown disks have room.
    fn check_room(&self, row: &Vm, config: &Config, written: &BTreeMap<i32, Bytes>) -> Result<(), Fault> {
        if row.stated_files {
            return Ok(());
        }
        let disk = |config: &Config, written: &BTreeMap<i32, Bytes>| -> i64 {
            let disks = config.hardware.device.iter().filter(|device| device.type_ == DeviceType::VirtualDisk);
            disks
                .map(|disk| {
                    let thin = disk.backing.as_ref().and_then(|backing| backing.thin_provisioned).unwrap_or(false);
                    if thin { written.get(&disk.key).copied().unwrap_or_default().0 } else { disk.capacity_in_bytes.unwrap_or_default().0 }
                })
                .sum()
        };
        let more = disk(config, written) - disk(row.config(), &row.written);
        match self.datastores.get(row.home) {
            Some(ds) if more > self.free_on(row.home).max(0) => {
                Err(refusals::no_disk_space(&ds.id, &ds.name, &files::home_path(self, row)))
            }
            _ => Ok(()),
        }
    }

    /// Changes a VM's configuration; the spec was checked just now.
    pub(crate) fn reconfigure(&mut self, vm: u32, spec: &ConfigSpec) -> Result<(), Fault> {
        let Some(row) = self.vms.get(vm).cloned() else { return Ok(()) };
        let (config, written) = self.configured(&row, spec)?;
        let watched = is_watched_change(row.config(), &config);
        let policies = spec.rest.contains_key("vmPlacementPolicies").then(|| Arc::new(deploy::policies_of(spec)));
        let rebinds = policies.is_some();
        if rebinds {
            self.unbind_others(&row);
        }
        self.vms.change(vm, |row| {
            let seen = Arc::make_mut(&mut row.seen);
            seen.name = if config.name.is_empty() { seen.name.clone() } else { config.name.clone() };
            seen.config = Some(config);
            row.written = written;
            row.policies = policies.unwrap_or_else(|| row.policies.clone());
            apply_tags(row, spec);
        });
        if rebinds {
            self.bind_others(vm);
        }
        if watched {
            self.touch(vm, Changed::Config);
        }
        if let Some(booked) = row.booked {
            self.book(vm, booked.host);
        }
        self.lay_out(vm);
        self.keep_keys(vm);
        Ok(())
    }

    /// How much longer a reconfiguration takes for its disks.
    pub(crate) fn reconfigure_span(&self, spec: &ConfigSpec) -> Span {
        let disks = spec.device_change.iter().filter(|change| change.device.type_ == DeviceType::VirtualDisk).count();
        Span::from_millis(700).times(i64::try_from(disks).unwrap_or(i64::MAX))
    }
}

/// Whether what differs between two configurations is watched. Source: vm-lifecycle §15.3.
fn is_watched_change(before: &Config, after: &Config) -> bool {
    let plain = |config: &Config| {
        let mut config = config.clone();
        config.guest_id = "".into();
        config.guest_full_name = "".into();
        config.version = "".into();
        config.uuid = "".into();
        config.instance_uuid = "".into();
        config.firmware = None;
        config.boot_options = BootOptions::default();
        config.managed_by = None;
        config.extra_config.retain(|key, _| !is_unwatched(key));
        config
    };
    plain(before) != plain(after)
}

/// The ExtraConfig keys whose changes the operator's watcher passes over: those that the operator alone writes.
fn is_unwatched(key: &str) -> bool {
    key == NAMESPACED_NAME
        || key == "hpet0.present"
        || key == "vmprov.keepDisks"
        || (key.starts_with("vmservice.virtualmachine.") && key != "vmservice.virtualmachine.pause")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory, spec};
    use serde_json::json;
    use vmtwin_model::id::VmId;
    use vmtwin_model::units::{MiB, VCpus};
    use vmtwin_model::vsphere::spec::{Device, DeviceChange, DeviceOperation, OptionValue};
    use vmtwin_model::vsphere::{Operation, Reply};

    fn reconfigure(vm: &VmId, spec: ConfigSpec) -> Operation {
        Operation::ReconfigVm { vm: vm.clone(), spec: Arc::new(spec) }
    }

    #[test]
    fn a_deployed_vm_has_the_devices_of_image_and_spec_under_positive_keys() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(ConfigSpec { uuid: Some("bios".into()), instance_uuid: Some("instance".into()), ..spec("a") });
        let seen = trial.vm(&vm).clone();
        let config = seen.config.as_ref().expect("a configuration");
        assert_eq!(
            (&*config.uuid, &*config.instance_uuid, &*config.version, &*config.guest_id),
            ("bios", "instance", "vmx-21", "ubuntu64Guest")
        );
        let keys: Vec<i32> = config.hardware.device.iter().map(|device| device.key).collect();
        assert_eq!(keys, [100, 200, 201, 300, 400, 1000, 2000, 4000]);
        let card = &config.hardware.device[7];
        assert!(card.mac_address.as_deref().is_some_and(|mac| mac.starts_with("00:50:56:")), "{card:?}");
        assert_eq!((card.controller_key, card.unit_number), (Some(100), Some(7)));
        let disk = &config.hardware.device[6];
        assert_eq!((disk.controller_key, disk.capacity_in_bytes), (Some(1000), Some(Bytes::from_gib(10))));
        assert_eq!(disk.backing.as_ref().and_then(|backing| backing.file_name.as_deref()), Some("[ds] a/a.vmdk"));
        let extent = seen.layout_ex.file.iter().find(|file| &*file.type_ == "diskExtent").expect("the disk's extent");
        assert_eq!(extent.size, Bytes::from_gib(2), "a thin disk takes what was written");
        assert_eq!(trial.ask(Operation::FindAllByUuid { uuid: "instance".into() }), Ok(Reply::Found(vec![vm])));
    }

    #[test]
    fn a_name_or_instance_uuid_that_is_taken_is_refused() {
        let mut trial = Trial::new(&inventory());
        let with = |name: &str, uuid: &str| ConfigSpec { instance_uuid: Some(uuid.into()), ..spec(name) };
        trial.deploy(with("a", "1"));
        let operation = trial.deployment(with("a", "2"));
        assert_eq!(trial.refused(operation).name, FaultName::DuplicateName);
        let operation = trial.deployment(with("b", "1"));
        assert_eq!(trial.refused(operation).text("invalidProperty"), Some("configSpec.instanceUuid"));
        let (first, second) = (trial.deployment(with("c", "3")), trial.deployment(with("d", "3")));
        let (first, second) = (trial.call(first), trial.call(second));
        trial.run(Span::from_secs(60));
        assert!(trial.answers[&first].1.result.is_ok() && trial.answers[&second].1.result.is_err(), "also if both are on their way");
    }

    #[test]
    fn an_unknown_guest_id_is_refused_by_its_property() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(spec("a"));
        let fault = trial.refused(reconfigure(&vm, ConfigSpec { guest_id: Some("bogus".into()), ..ConfigSpec::default() }));
        assert_eq!((fault.name, fault.properties["invalidProperty"].as_str()), (FaultName::InvalidArgument, Some("configSpec.guestId")));
        for known in ["otherGuest", "rhel9_64Guest", "otherGuest64"] {
            trial.ask(reconfigure(&vm, ConfigSpec { guest_id: Some(known.into()), ..ConfigSpec::default() })).expect(known);
        }
    }

    #[test]
    fn values_merge_and_devices_come_change_and_go() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(spec("a"));
        let card = |key: i32| Device::new(DeviceType::VirtualE1000, key);
        let change = |operation, device| DeviceChange { operation: Some(operation), ..DeviceChange::edit(device) };
        let disk = Device { capacity_in_bytes: Some(Bytes::from_gib(20)), ..Device::new(DeviceType::VirtualDisk, 2000) };
        let changes =
            vec![change(DeviceOperation::Remove, card(4000)), change(DeviceOperation::Add, card(-7)), change(DeviceOperation::Edit, disk)];
        let spec = ConfigSpec {
            num_cpus: Some(VCpus(4)),
            memory_mb: Some(MiB(8192)),
            cpu_allocation: Some(Allocation { reservation: Some(500), ..Allocation::default() }),
            extra_config: vec![OptionValue::new("guestinfo.a", "1"), OptionValue::new(NAMESPACED_NAME, "")],
            device_change: changes,
            ..ConfigSpec::default()
        };
        trial.changes.clear();
        trial.ask(reconfigure(&vm, spec)).expect("all of it is fine");
        let config = trial.vm(&vm).config.clone().expect("a configuration");
        assert_eq!((config.hardware.num_cpu, config.hardware.memory_mb), (VCpus(4), MiB(8192)));
        assert_eq!((config.cpu_allocation.reservation, config.cpu_allocation.limit), (Some(500), Some(-1)));
        assert_eq!(config.extra_config.keys().map(|key| &**key).collect::<Vec<_>>(), ["guestinfo.a"]);
        let last = config.hardware.device.last().expect("devices");
        assert_eq!((last.key, &last.type_), (4000, &DeviceType::VirtualE1000));
        assert_eq!(trial.changes[0].1.changed, [Changed::Config, Changed::Task]);
        assert!(trial.world.vm_named("shop/a").is_none() && trial.world.vm_named("a").is_some(), "the mark is gone");

        let bad = ConfigSpec { device_change: vec![change(DeviceOperation::Edit, card(4711))], ..ConfigSpec::default() };
        let fault = trial.refused(reconfigure(&vm, bad));
        assert_eq!((fault.name, fault.properties["deviceIndex"].as_i64()), (FaultName::InvalidDeviceSpec, Some(0)));
        let smaller = Device { capacity_in_bytes: Some(Bytes::from_gib(1)), ..Device::new(DeviceType::VirtualDisk, 2000) };
        let bad = ConfigSpec { device_change: vec![change(DeviceOperation::Edit, smaller)], ..ConfigSpec::default() };
        assert_eq!(trial.refused(reconfigure(&vm, bad)).name, FaultName::InvalidDeviceSpec);
    }

    #[test]
    fn what_only_the_operator_writes_is_no_watched_change() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(spec("a"));
        trial.changes.clear();
        let backup = vec![OptionValue::new("vmservice.virtualmachine.resource.yaml", "…")];
        trial.ask(reconfigure(&vm, ConfigSpec { extra_config: backup, ..ConfigSpec::default() })).expect("it is fine");
        assert_eq!(trial.changes[0].1.changed, [Changed::Task]);
    }

    #[test]
    fn a_running_vm_keeps_its_size_and_must_have_what_it_reserves() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.running("a");
        let fault = trial.refused(reconfigure(&vm, ConfigSpec { num_cpus: Some(VCpus(8)), ..ConfigSpec::default() }));
        assert_eq!(fault.name.as_str(), "CpuHotPlugNotSupported");
        let reserve = |mhz| {
            let cpu_allocation = Some(Allocation { reservation: Some(mhz), ..Allocation::default() });
            ConfigSpec { cpu_allocation, ..ConfigSpec::default() }
        };
        trial.ask(reconfigure(&vm, reserve(80_000))).expect("the host has it");
        let fault = trial.refused(reconfigure(&vm, reserve(81_000)));
        assert_eq!((fault.name, fault.properties["unreserved"].as_i64()), (FaultName::InsufficientHostCpuCapacityFault, Some(536)));
        assert_eq!(trial.world.hosts().map(|host| host.reserved.cpu).collect::<Vec<_>>(), [80_000, 0]);
    }

    #[test]
    fn tags_are_attached_by_a_spec() {
        let mut trial = Trial::new(&inventory());
        let mut with = spec("a");
        with.rest.insert("tagSpecs".to_owned(), json!([{"operation": "add", "id": {"nameId": {"tag": "app:web", "category": "shop"}}}]));
        let vm = trial.deploy(with);
        assert_eq!(trial.vm(&vm).tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["app:web"]);
    }

    #[test]
    fn an_upgrade_needs_a_vm_that_is_off_and_older() {
        let mut trial = Trial::new(&inventory());
        let vm = trial.deploy(spec("a"));
        let upgrade = |version: &str| Operation::UpgradeVm { vm: vm.clone(), version: version.into() };
        assert_eq!(trial.refused(upgrade("vmx-21")).name, FaultName::AlreadyUpgraded);
        assert_eq!(trial.refused(upgrade("vmx-99")).name, FaultName::NotSupported);
        trial.ask(upgrade("vmx-22")).expect("it is newer");
        assert_eq!(trial.vm(&vm).config.as_ref().map(|config| &*config.version), Some("vmx-22"));
    }
}
