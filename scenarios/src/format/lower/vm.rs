//! VMs that exist already.

use std::sync::Arc;

use vmtwin_model::id::{FolderId, PoolId, TaskId, VmId};
use vmtwin_model::vsphere::inventory::ExistingVm;
use vmtwin_model::vsphere::snapshot::SnapshotInfo;
use vmtwin_model::vsphere::vm::{Config, Guest, Heartbeat, LayoutEx, Location, Runtime, Task, VirtualMachine};

use super::property::{check_known, read};
use super::{Cx, name, names};
use crate::diagnostics::Code;
use crate::format::section::scalar::Text;
use crate::format::section::vm;
use crate::format::shape::shorten;
use crate::format::spanned::Object;
use crate::yaml::{Data, Node};

const CONFIG: &[&str] = &[
    "name",
    "uuid",
    "instanceUuid",
    "version",
    "guestId",
    "guestFullName",
    "annotation",
    "template",
    "firmware",
    "changeTrackingEnabled",
    "hardware",
    "cpuAllocation",
    "memoryAllocation",
    "extraConfig",
    "managedBy",
    "files",
    "keyId",
    "createDate",
];
const HARDWARE: &[&str] = &["numCPU", "numCoresPerSocket", "memoryMB", "device"];
const RUNTIME: &[&str] = &["host", "powerState", "connectionState", "bootTime"];
const GUEST: &[&str] = &["toolsRunningStatus", "guestState", "hostName", "ipAddress", "net", "customizationInfo"];

/// The VMs.
pub(in crate::format) fn virtual_machines(cx: &mut Cx<'_>, section: &[vm::VirtualMachine]) -> Vec<ExistingVm> {
    section.iter().map(|one| existing(cx, one)).collect()
}

fn existing(cx: &mut Cx<'_>, section: &vm::VirtualMachine) -> ExistingVm {
    check_full_name(cx, &section.name);
    if let Some(host) = &section.host {
        cx.known.hosts.check(host, Code::UnknownHost, "host", cx.sink);
    }
    for datastore in &section.datastores {
        cx.known.datastores.check(datastore, Code::UnknownDatastore, "datastore", cx.sink);
    }
    if let Some(profile) = &section.guest_profile {
        cx.known.guests.check(profile, Code::UnknownGuest, "guest profile", cx.sink);
    }
    if let Some(manager) = &section.managed_by {
        check_full_name(cx, manager);
    }
    ExistingVm {
        name: name(&section.name),
        properties: properties(cx, section),
        has_id: section.mo_id.is_some(),
        host: section.host.as_ref().map(name),
        datastores: names(&section.datastores),
        guest_profile: section.guest_profile.as_ref().map(name),
        managed_by: section.managed_by.as_ref().map(name),
    }
}

/// A managed VM's name has its namespace in front.
fn check_full_name(cx: &mut Cx<'_>, full: &Text) {
    match full.value.split_once('/') {
        Some((namespace, vm)) if !namespace.is_empty() && !vm.is_empty() && !vm.contains('/') => {
            cx.known.namespaces.check_at(namespace, full.region, Code::UnknownNamespace, "namespace", cx.sink);
        }
        Some(_) => cx.sink.tell(Code::Name, full.region, format!("`{}` is not `NAMESPACE/NAME`", shorten(&full.value))),
        None => {}
    }
}

fn properties(cx: &mut Cx<'_>, section: &vm::VirtualMachine) -> VirtualMachine {
    let short = section.name.value.rsplit('/').next().unwrap_or_default();
    let config = part(cx, section.config.as_ref(), CONFIG, "`config`");
    if let Some(hardware) = config.as_ref().and_then(|config| config.get("hardware")) {
        check_known(cx, hardware, HARDWARE, "`hardware`");
    }
    let mut config = config.map(texts_of_extra_config).and_then(|node| read::<Config>(cx, &node, "`config`"));
    if let Some(config) = config.as_mut().filter(|config| config.name.is_empty()) {
        config.name = short.into();
    }
    let runtime = part(cx, section.runtime.as_ref(), RUNTIME, "`runtime`");
    let guest = part(cx, section.guest.as_ref(), GUEST, "`guest`");
    let layout = section.layout_ex.as_ref().map(|layout| cx.node(&layout.0));
    let snapshot = section.snapshot.as_ref().map(|snapshot| cx.node(&snapshot.0));
    let heartbeat = section.guest_heartbeat_status.as_ref().map(|heartbeat| cx.node(heartbeat));
    VirtualMachine {
        id: VmId::new(section.mo_id.as_ref().map_or("", |id| id.value.as_str())),
        name: short.into(),
        config,
        runtime: runtime.and_then(|node| read::<Runtime>(cx, &node, "`runtime`")).unwrap_or_default(),
        guest: guest.and_then(|node| read::<Guest>(cx, &node, "`guest`")),
        guest_heartbeat_status: heartbeat.and_then(|node| read::<Heartbeat>(cx, &node, "a heartbeat")).unwrap_or_default(),
        resource_pool: section.resource_pool.as_ref().map(|pool| PoolId::new(pool.value.as_str())),
        parent: section.parent.as_ref().map(|folder| FolderId::new(folder.value.as_str())),
        layout_ex: layout.and_then(|node| read::<LayoutEx>(cx, &node, "`layoutEx`")).unwrap_or_default(),
        snapshot: snapshot.and_then(|node| read::<Arc<SnapshotInfo>>(cx, &node, "`snapshot`")),
        recent_task: section.recent_task.iter().enumerate().filter_map(|(at, task)| foreign_task(cx, section, at, task)).collect(),
        tags: names(&section.tags),
        location: Location::default(),
    }
}

fn part(cx: &mut Cx<'_>, object: Option<&Object>, known: &[&str], what: &str) -> Option<Node> {
    let node = cx.node(&object?.0);
    check_known(cx, &node, known, what);
    Some(node)
}

/// In ExtraConfig every value is a text, also where YAML sees a number.
fn texts_of_extra_config(mut config: Node) -> Node {
    if let Data::Mapping(entries) = &mut config.data {
        for entry in entries.iter_mut().filter(|entry| &*entry.key == "extraConfig") {
            if let Data::Mapping(keys) = &mut entry.value.data {
                for key in keys {
                    let text = match &key.value.data {
                        Data::Number(number) => number.to_string(),
                        Data::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
                        _ => continue,
                    };
                    key.value.data = Data::String(text.into());
                }
            }
        }
    }
    config
}

/// A task that isn't the operator's; it has an id unless it is given one.
fn foreign_task(cx: &mut Cx<'_>, section: &vm::VirtualMachine, at: usize, task: &Object) -> Option<Task> {
    let mut node = cx.node(&task.0);
    if node.get("key").is_none()
        && let Data::Mapping(entries) = &mut node.data
    {
        let key = TaskId::new(format!("task-foreign-{}-{at}", section.name.value));
        let value = Node::new(node.region, Data::String(key.as_str().into()));
        entries.push(crate::yaml::Entry { key: "key".into(), key_region: node.region, value });
    }
    read::<Task>(cx, &node, "a task")
}
