//! Classes that `namespaces[].classes` names or describes.

use serde_json::{Value, json};

use super::Cx;
use super::manifest::{Purpose, Raw, manifest};
use crate::diagnostics::Code;
use crate::format::is_mapping;
use crate::format::output::Manifest;
use crate::format::reader::from_node;
use crate::format::section::inventory::{Class, Namespace, ShortAllocation, ShortClass};
use crate::format::shape::shorten;

/// The kind and version of classes.
const API_VERSION: &str = "vmoperator.vmware.com/v1alpha5";

/// The classes that the namespaces describe, as manifests.
pub(in crate::format) fn classes(cx: &mut Cx<'_>, namespaces: &[Namespace]) -> Vec<Manifest> {
    let mut manifests = Vec::new();
    for namespace in namespaces {
        for class in &namespace.classes {
            manifests.extend(self::class(cx, &namespace.name.value, class));
        }
    }
    manifests
}

fn class(cx: &mut Cx<'_>, namespace: &str, class: &Class) -> Option<Manifest> {
    let node = cx.node(&class.0);
    if let Some(name) = node.as_str() {
        let full = format!("{namespace}/{name}");
        if !cx.known.classes.open && !cx.known.classes.contains(&full) {
            let prefix = format!("{namespace}/");
            let help = cx.sink.near(name, cx.known.classes.iter().filter_map(|class| class.strip_prefix(&prefix)));
            let message = format!("nothing brings the class `{}` into the namespace `{}`", shorten(name), shorten(namespace));
            cx.sink.tell_help(Code::UnknownClass, node.region, message, help);
        }
        return None;
    }
    if !is_mapping(&node) {
        return None;
    }
    if node.get("kind").is_some() {
        let raw = Raw { root: cx.root.clone(), path: class.0.path.clone() };
        let only = cx.only_namespace.replace(namespace.to_owned());
        let manifest = manifest(cx, &raw, Purpose::Request);
        cx.only_namespace = only;
        return manifest;
    }
    let short: ShortClass = from_node(&node).ok()?;
    let value = long(cx, namespace, &short)?;
    Some(Manifest { value, origin: cx.origin(class.0.path.clone()) })
}

/// The VirtualMachineClass that a class in short stands for.
fn long(cx: &mut Cx<'_>, namespace: &str, short: &ShortClass) -> Option<Value> {
    cx.sink.name(&short.name);
    let cpus = cx.sink.within(&short.cpus, 1, 960, "the number of virtual CPUs");
    let memory = cx.sink.bytes(&short.memory);
    let reservation = allocation(cx, &short.reservation, memory.map(|memory| memory.to_mib_up().0));
    let limit = allocation(cx, &short.limit, memory.map(|memory| memory.to_mib_up().0));
    let mut hardware = json!({"cpus": cpus?, "memory": memory?.to_string()});
    let mut vgpus = Vec::new();
    for vgpu in &short.vgpus {
        let count = cx.sink.within_or(vgpu.count.as_ref(), 1, 16, "the number of vGPUs of a VM", 1);
        vgpus.extend((0..count).map(|_| json!({"profileName": vgpu.profile.value})));
    }
    if !vgpus.is_empty() {
        hardware["devices"] = json!({"vgpuDevices": vgpus});
    }
    if let Some(size) = short.instance_storage.as_ref().and_then(|size| cx.sink.bytes(size)) {
        hardware["instanceStorage"] = json!({"volumes": [{"size": size.to_string()}]});
    }
    let mut spec = json!({"hardware": hardware});
    let mut config = json!({"_typeName": "VirtualMachineConfigSpec"});
    for (field, reservation, limit) in [("cpuAllocation", reservation.0, limit.0), ("memoryAllocation", reservation.1, limit.1)] {
        if reservation.is_some() || limit.is_some() {
            let mut allocation = json!({"_typeName": "ResourceAllocationInfo"});
            if let Some(reservation) = reservation {
                allocation["reservation"] = reservation.into();
            }
            if let Some(limit) = limit {
                allocation["limit"] = limit.into();
            }
            config[field] = allocation;
            spec["configSpec"] = config.clone();
        }
    }
    Some(json!({
        "apiVersion": API_VERSION, "kind": "VirtualMachineClass",
        "metadata": {"name": short.name.value, "namespace": namespace}, "spec": spec,
    }))
}

/// CPU in MHz and memory in MiB.
fn allocation(cx: &mut Cx<'_>, section: &ShortAllocation, whole: Option<i64>) -> (Option<i64>, Option<i64>) {
    let cpu = section.cpu.as_ref().and_then(|cpu| cx.sink.within(cpu, 0, 10_000_000, "CPU in MHz")).map(i64::from);
    let memory = match &section.memory {
        Some(memory) if memory.0.value == "full" => whole,
        Some(memory) => cx.sink.bytes(memory).map(|memory| memory.to_mib_up().0),
        None => None,
    };
    (cpu, memory)
}
