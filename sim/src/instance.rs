//! Instance storage: disks on a host itself. A host has so much of it, thick; a VM that has such a disk stays on that host. Source:
//! placement-groups §4, §10.7.
//!
//! Where no host of a cluster says how much it has, it isn't counted there.

use serde_json::Value;
use vmtwin_model::vsphere::Fault;
use vmtwin_model::vsphere::spec::{ConfigSpec, DeviceType};

use crate::host::Host;
use crate::placement::Wish;
use crate::planning::Constraint;
use crate::vm::Vm;
use crate::{World, refusals};

/// The disk id that stands for an instance volume in a request for a place. Source: placement-groups §3.5.
const PLACEHOLDER: &str = "cc737f33-2aa3-4594-aa60-df7d6d4cb984";

/// How many bytes of instance storage a VM that a spec describes takes.
pub(crate) fn of_spec(spec: &ConfigSpec) -> i64 {
    let disks = spec.device_change.iter().map(|change| &change.device).filter(|device| device.type_ == DeviceType::VirtualDisk);
    let stands_in = |id: Option<&Value>| id.and_then(|id| id.get("id")?.as_str()) == Some(PLACEHOLDER);
    disks.filter(|disk| stands_in(disk.rest.get("vDiskId"))).filter_map(|disk| disk.capacity_in_bytes).map(|bytes| bytes.0).sum()
}

impl Vm {
    /// The host that its instance storage is on.
    pub(crate) fn bound_to(&self) -> Option<u32> {
        self.instance.first().map(|(_, host)| *host)
    }
}

impl World {
    /// What the instance storage of a VM says against a host; `besides` was given away in the same request.
    pub(crate) fn storage_says(&self, host: &Host, row: u32, wish: &Wish<'_>, besides: i64) -> Result<(), Fault> {
        let bound = wish.vm.and_then(|vm| self.vms.get(vm)?.bound_to()).filter(|bound| *bound != row);
        if let Some(bound) = bound {
            let name = self.hosts.get(bound).map_or("another host", |host| &host.name);
            return Err(refusals::invalid_state(&format!("The virtual machine's instance storage is on the host {name}.")));
        }
        if wish.instance == 0 || self.is_lifted(Constraint::InstanceStorage) {
            return Ok(());
        }
        self.instance_room(host, besides + wish.instance)
    }

    /// Whether a host has so much instance storage free.
    pub(crate) fn instance_room(&self, host: &Host, bytes: i64) -> Result<(), Fault> {
        let counted = self.hosts_of(host.cluster).any(|(_, host)| host.instance_storage.0 > 0);
        let free = host.instance_storage.0 - host.instance_used;
        if counted && bytes > free {
            let gib = |bytes: i64| format!("{} GiB", bytes >> 30);
            let text = format!("Not enough instance storage on the host: needs {}, {} is free.", gib(bytes), gib(free.max(0)));
            return Err(refusals::no_storage(&text));
        }
        Ok(())
    }
}
