//! Making VMs: from an OVF item of the content library, or empty for an ISO image. A VM is always made powered off.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::id::{DatastoreId, FolderId, HostId, PoolId, VmId};
use vmtwin_model::time::Span;
use vmtwin_model::units::{MiB, VCpus};
use vmtwin_model::vsphere::inventory;
use vmtwin_model::vsphere::spec::{Allocation, ConfigSpec};
use vmtwin_model::vsphere::vm::{
    Config, ConnectionState, Guest, Hardware, Heartbeat, LayoutEx, Location, Runtime, ToolsRunningStatus, VAppConfig, VAppProperty,
};
use vmtwin_model::vsphere::{Changed, Fault, FaultName, Operation, Reply, VirtualMachine};

use crate::capacity::Size;
use crate::devices::{self, Bench};
use crate::guest::GuestLife;
use crate::image::{Behaviour, Image};
use crate::key_provider::Subject;
use crate::latency::transfer;
use crate::placement::{Besides, Wish};
use crate::snapshot::Snapshots;
use crate::vm::Vm;
use crate::{World, configure, destroy, power, refusals};

/// How fast a datastore copies.
const COPY_RATE: i64 = 400_000_000;

/// Where a VM is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) host: u32,
    pub(crate) datastore: u32,
    pool: u32,
    folder: u32,
    /// What is written there at once.
    bytes: i64,
}

#[cfg(test)]
impl Site {
    pub(crate) fn bytes(&self) -> i64 {
        self.bytes
    }
}

/// What a call that makes a VM asks for, the two ways of asking brought together.
struct Wanted<'a> {
    name: Arc<str>,
    spec: &'a Arc<ConfigSpec>,
    pool: &'a PoolId,
    folder: &'a FolderId,
    host: Option<&'a HostId>,
    datastore: Option<&'a DatastoreId>,
    policy: Option<&'a str>,
    image: Option<&'a Image>,
}

impl World {
    fn wanted<'a>(&'a self, operation: &'a Operation) -> Result<Wanted<'a>, Fault> {
        match operation {
            Operation::DeployLibraryItem(deploy) => {
                let image = self.images.iter().find(|image| image.item.id == deploy.item);
                let Some(image) = image else { return Err(refusals::not_found("LibraryItem", &deploy.item)) };
                if &*image.item.type_ != "OVF" {
                    return Err(Fault::new(FaultName::InvalidRequest, format!("The library item {} is no OVF template.", deploy.item)));
                }
                Ok(Wanted {
                    name: deploy.name.clone(),
                    spec: &deploy.vm_config_spec,
                    pool: &deploy.resource_pool_id,
                    folder: &deploy.folder_id,
                    host: deploy.host_id.as_ref(),
                    datastore: deploy.default_datastore_id.as_ref(),
                    policy: deploy.storage_profile_id.as_deref().or_else(|| policy_of(&deploy.vm_config_spec)),
                    image: Some(image),
                })
            }
            Operation::CreateVm { folder, config, pool, host } => {
                let Some(name) = config.name.clone() else { return Err(refusals::invalid_argument("configSpec.name")) };
                Ok(Wanted {
                    name,
                    spec: config,
                    pool,
                    folder,
                    host: host.as_ref(),
                    datastore: None,
                    policy: policy_of(config),
                    image: None,
                })
            }
            _ => Err(refusals::not_supported("it makes no virtual machine")),
        }
    }

    /// What can be said against making a VM without doing anything.
    pub(crate) fn check_deploy(&self, operation: &Operation) -> Result<(), Fault> {
        let wanted = self.wanted(operation)?;
        if !self.names.pool_ids.contains_key(wanted.pool) {
            return Err(refusals::not_found(PoolId::TYPE, wanted.pool.as_str()));
        }
        let Some(folder) = self.names.folder_ids.get(wanted.folder).copied() else {
            return Err(refusals::not_found(FolderId::TYPE, wanted.folder.as_str()));
        };
        if let Some(there) = self.vms.in_folder(folder, &wanted.name).and_then(|row| self.vms.get(row)) {
            return Err(refusals::duplicate_name(&wanted.name, there.seen.id.as_str()));
        }
        self.check_instance(None, wanted.spec)?;
        configure::check_guest_id(wanted.spec)
    }

    /// Whether the instance UUID of a spec is another VM's.
    pub(crate) fn check_instance(&self, vm: Option<u32>, spec: &ConfigSpec) -> Result<(), Fault> {
        let Some(uuid) = &spec.instance_uuid else { return Ok(()) };
        let other = self.vms.with_instance(uuid).iter().find(|row| vm != Some(**row)).and_then(|row| self.vms.get(*row));
        other.map_or(Ok(()), |other| Err(refusals::duplicate_instance_uuid(other.seen.id.as_str())))
    }

    /// Where the VM of a call is to be made; nothing if the call makes none.
    pub(crate) fn site_of(&self, operation: &Operation) -> Result<Option<Site>, Fault> {
        if operation.vm().is_some() || power::is_about_files(operation) || destroy::is_destruction(operation) {
            return Ok(None);
        }
        let wanted = self.wanted(operation)?;
        let pool = *self.names.pool_ids.get(wanted.pool).ok_or_else(|| refusals::not_found(PoolId::TYPE, wanted.pool.as_str()))?;
        let folder =
            *self.names.folder_ids.get(wanted.folder).ok_or_else(|| refusals::not_found(FolderId::TYPE, wanted.folder.as_str()))?;
        let cluster = self.pools.get(pool).map_or(0, |pool| pool.cluster);
        let thin = wanted.policy.and_then(|id| self.policy(id)).is_none_or(|policy| policy.thin);
        let disks = wanted.image.map_or(&[][..], |image| &image.item.disks);
        let bytes =
            disks.iter().map(|disk| if thin { disk.size.0 } else { disk.capacity.0 }).sum::<i64>() + devices::new_bytes(wanted.spec, thin);
        let path = wanted.spec.files.as_ref().and_then(|files| files.vm_path_name.as_deref());
        let named = match wanted.datastore {
            Some(id) => Some(*self.names.datastore_ids.get(id).ok_or_else(|| refusals::not_found(DatastoreId::TYPE, id.as_str()))?),
            None => path.filter(|path| path.starts_with('[')).and_then(|path| self.datastore_of_path(path)),
        };
        let roomy = self.roomy(wanted.policy, bytes)?;
        let host = match wanted.host {
            Some(id) => {
                let row = *self.names.host_ids.get(id).ok_or_else(|| refusals::not_found(HostId::TYPE, id.as_str()))?;
                match self.hosts.get(row) {
                    Some(host) if !host.takes_vms() => return Err(refusals::host_not_connected(&host.name)),
                    _ => row,
                }
            }
            None => self
                .least_busy_host(cluster, |host| match named {
                    Some(datastore) => self.hosts.get(host).is_some_and(|host| host.datastores.contains(&datastore)),
                    None => self.hosts.get(host).is_some_and(|host| host.datastores.iter().any(|ds| roomy.contains(ds))),
                })
                .ok_or_else(|| match self.choose_datastore(&roomy, bytes, &[]) {
                    Err(fault) if named.is_none() => fault,
                    _ => {
                        let wish = Wish { label: &wanted.name, ..Wish::of_size(Size::of(&Config::default())) };
                        self.no_compatible_host(cluster, &wish, &Besides::default())
                    }
                })?,
        };
        let datastore = match named {
            Some(datastore) => datastore,
            None => self.choose_datastore(&roomy, bytes, &[host])?,
        };
        Ok(Some(Site { host, datastore, pool, folder, bytes }))
    }

    /// Takes the room, and tells how long the copying takes.
    pub(crate) fn start_deploy(&mut self, operation: &Operation, site: Option<&Site>) -> Result<Span, Fault> {
        let Some(site) = site else { return Ok(Span::ZERO) };
        let Some(ds) = self.datastores.get(site.datastore) else { return Ok(Span::ZERO) };
        if !ds.accessible {
            return Err(refusals::inaccessible_datastore(&ds.id, &ds.name));
        }
        if self.free_on(site.datastore) < site.bytes {
            return Err(refusals::no_disk_space(&ds.id, &ds.name, "disk-0.vmdk"));
        }
        let copies = i64::from(ds.gate.used.max(1));
        self.charge_space(site.datastore, site.bytes);
        Ok(match operation {
            Operation::DeployLibraryItem(_) => transfer(site.bytes.saturating_mul(copies), COPY_RATE),
            _ => Span::ZERO,
        })
    }

    pub(crate) fn finish_deploy(&mut self, operation: &Operation, site: Option<&Site>) -> Result<Reply, Fault> {
        let Some(site) = site.copied() else { return Err(Fault::new(FaultName::SystemError, "no place was chosen")) };
        self.charge_space(site.datastore, -site.bytes);
        self.check_deploy(operation)?;
        if let Some(host) = self.hosts.get(site.host).filter(|host| !host.is_reachable()) {
            return Err(refusals::host_not_connected(&host.name));
        }
        if let Some(ds) = self.datastores.get(site.datastore).filter(|ds| !ds.accessible) {
            return Err(refusals::inaccessible_datastore(&ds.id, &ds.name));
        }
        let label = self.future_name(operation).unwrap_or_else(|| "vm".into());
        let nth = self.count(&label, "created");
        let number = self.vms.next_number();
        let vm = self.make_vm(operation, &site, VmId::new(format!("vm-{number}")), (&label, nth))?;
        let id = vm.seen.id.clone();
        if let Operation::CreateVm { config, .. } = operation {
            self.take_over_disks(config);
        }
        self.enter_vm(number, vm);
        self.touch(number, Changed::Entered);
        Ok(Reply::Created(id))
    }

    fn make_vm(&self, operation: &Operation, site: &Site, id: VmId, who: (&str, u32)) -> Result<Vm, Fault> {
        let wanted = self.wanted(operation)?;
        let item = wanted.image.map(|image| &image.item);
        let mut draw = self.rng.draw("sim/uuid", ("VirtualMachine", who.0, who.1));
        let mut config = Config {
            name: wanted.name.clone(),
            uuid: draw.uuid().to_string().into(),
            instance_uuid: draw.uuid().to_string().into(),
            version: item
                .and_then(|item| item.hardware_version)
                .map_or_else(|| self.hardware_version.clone(), |v| format!("vmx-{v}").into()),
            guest_id: item.map_or_else(|| "otherGuest".into(), |item| item.guest_id.clone()),
            firmware: Some(item.and_then(|item| item.firmware.clone()).unwrap_or_else(|| "bios".into())),
            hardware: Hardware { num_cpu: VCpus(1), num_cores_per_socket: Some(VCpus(1)), memory_mb: MiB(128), device: devices::basic() },
            cpu_allocation: Allocation::platform_default(),
            memory_allocation: Allocation::platform_default(),
            create_date: Some(self.now),
            v_app_config: item.and_then(vapp_of),
            ..Config::default()
        };
        let datastore = self.datastores.get(site.datastore);
        let path = wanted.spec.files.as_ref().and_then(|files| files.vm_path_name.as_deref());
        let given = path.filter(|path| path.starts_with('[') && path.ends_with(".vmx")).and_then(|path| path.rsplit_once('/'));
        let folder = match given {
            Some((folder, _)) => folder.to_owned(),
            None => format!("[{}] {}", datastore.map_or("", |ds| &ds.name), wanted.name),
        };
        config.files.vm_path_name = Some(format!("{folder}/{}.vmx", wanted.name).into());
        configure::apply_values(&mut config, wanted.spec);
        config.name.clone_from(&wanted.name);
        self.encrypt_new(who.0, &mut config, wanted.spec, wanted.policy)?;
        let mut written = BTreeMap::new();
        let thin = wanted.policy.and_then(|id| self.policy(id)).is_none_or(|policy| policy.thin);
        let bench =
            Bench { world: self, subject: Subject::new(who.0), folder: &folder, datastore: site.datastore, thin, policy: wanted.policy };
        let disks = item.map_or(&[][..], |item| &item.disks);
        bench.add_image_disks(&mut config, disks, wanted.spec, &mut written);
        bench.change_devices(&mut config, &wanted.spec.device_change, &mut written)?;
        config.guest_full_name = config.guest_id.clone();
        let image = wanted.image.or_else(|| self.image_of_disks(wanted.spec));
        let behaviour = image.map_or_else(|| Arc::new(Behaviour::new(None, &config.guest_id, false)), |image| image.behaviour.clone());
        let seen = VirtualMachine {
            id,
            name: wanted.name.clone(),
            config: Some(config),
            runtime: Runtime { connection_state: ConnectionState::Connected, ..Runtime::default() },
            guest: Some(Guest {
                tools_running_status: Some(ToolsRunningStatus::NotRunning),
                guest_state: Some("notRunning".into()),
                ..Guest::default()
            }),
            guest_heartbeat_status: Heartbeat::Gray,
            resource_pool: None,
            parent: None,
            layout_ex: LayoutEx::default(),
            snapshot: None,
            recent_task: Vec::new(),
            tags: Vec::new(),
            location: Location::default(),
        };
        let mut vm = Vm {
            seen: Arc::new(seen),
            given_name: None,
            host: site.host,
            pool: site.pool,
            folder: site.folder,
            home: site.datastore,
            space: Vec::new(),
            written,
            snapshots: Snapshots::default(),
            boots: 0,
            stated_files: false,
            booked: None,
            moved_at: None,
            task: None,
            guest: GuestLife::default(),
            behaviour,
            customization: None,
            addresses: BTreeMap::new(),
            tags: Vec::new(),
            policies: Arc::new(policies_of(wanted.spec)),
            announced: Arc::default(),
            instance: Vec::new(),
        };
        configure::apply_tags(&mut vm, wanted.spec);
        Ok(vm)
    }
}

/// The storage policy of a VM's home.
pub(crate) fn policy_of(spec: &ConfigSpec) -> Option<&str> {
    spec.vm_profile.first().map(|profile| &*profile.profile_id)
}

/// The placement policies of a spec.
pub(crate) fn policies_of(spec: &ConfigSpec) -> Vec<Value> {
    spec.rest.get("vmPlacementPolicies").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// The properties that a VM has of its image.
fn vapp_of(image: &inventory::Image) -> Option<VAppConfig> {
    let property = |(key, property): (i32, &inventory::OvfProperty)| VAppProperty {
        key,
        id: property.key.clone(),
        type_: property.type_.clone(),
        user_configurable: Some(true),
        default_value: property.default.clone(),
        value: "".into(),
    };
    let properties: Vec<VAppProperty> = (0..).zip(&image.ovf_properties).map(property).collect();
    (!properties.is_empty()).then(|| VAppConfig { property: properties, ovf_environment_transport: Vec::new() })
}
