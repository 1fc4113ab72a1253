//! The names that the infrastructure gives to things.

use crate::diagnostics::{Code, Region};
use crate::format::known::{Known, Names};
use crate::format::section::cluster::Host;
use crate::format::section::inventory::Vsphere;
use crate::format::section::scalar::Text;
use crate::format::sink::Sink;

/// The most hosts that one entry may stand for.
pub(in crate::format) const MOST_OF_AN_ENTRY: u64 = 10_000;
/// The most hosts and VMs of a scenario.
pub(in crate::format) const MOST_THINGS: usize = 100_000;

/// Collects the names of the infrastructure; those that are given twice are told.
pub(in crate::format) fn collect(section: &Vsphere, sink: &mut Sink) -> Known {
    let mut known = Known::default();
    let mut things = 0usize;
    for zone in &section.zones {
        define(&mut known.zones, &zone.name, "a zone", sink);
        for cluster in &zone.clusters {
            define(&mut known.clusters, &cluster.name, "a cluster", sink);
            for host in &cluster.hosts {
                collect_hosts(host, &mut known.hosts, &mut things, sink);
            }
        }
    }
    for datastore in &section.datastores {
        define(&mut known.datastores, &datastore.name, "a datastore", sink);
    }
    for policy in &section.storage_policies {
        define(&mut known.policies, &policy.name, "a storage policy", sink);
    }
    for provider in &section.key_providers {
        define(&mut known.key_providers, &provider.name, "a key provider", sink);
        for key in &provider.keys {
            let full = format!("{}/{}", provider.name.value, key.id.value);
            if sink.name(&key.id) {
                known.keys.define(&full, key.id.region, "a key", sink);
            }
        }
    }
    for network in &section.networks {
        define(&mut known.networks, &network.name, "a network", sink);
    }
    if section.networks.is_empty() {
        known.networks.assume(super::network::DEFAULT_NAME);
    }
    for (profile, _) in &section.guests.0 {
        define(&mut known.guests, profile, "a guest profile", sink);
    }
    for namespace in &section.namespaces {
        define(&mut known.namespaces, &namespace.name, "a namespace", sink);
    }
    for namespace in super::manifest::SYSTEM_NAMESPACES {
        known.namespaces.assume(*namespace);
    }
    let mut images = Names::default();
    for image in &section.images {
        let scope = image.namespace.as_ref().map(|namespace| format!("{}/", namespace.value)).unwrap_or_default();
        if sink.name(&image.name) {
            images.define(&format!("{scope}{}", image.name.value), image.name.region, "an image", sink);
        }
    }
    for vm in &section.virtual_machines {
        things += 1;
        if things == MOST_THINGS + 1 {
            too_many(vm.name.region, sink);
        }
        define(&mut known.vms, &vm.name, "a VM", sink);
        if let Some(id) = &vm.mo_id {
            define(&mut known.vms, id, "a VM", sink);
        }
    }
    known
}

fn define(names: &mut Names, name: &Text, what: &str, sink: &mut Sink) {
    if sink.name(name) {
        names.define(&name.value, name.region, what, sink);
    }
}

fn collect_hosts(host: &Host, hosts: &mut Names, things: &mut usize, sink: &mut Sink) {
    if !sink.name(&host.name) {
        return;
    }
    let before = *things;
    *things += count_of(host, sink);
    if before <= MOST_THINGS && *things > MOST_THINGS {
        too_many(host.name.region, sink);
    }
    if *things > MOST_THINGS {
        return;
    }
    for name in host_names(host) {
        // One mistake is told once: the other hosts of the entry would only repeat it.
        if !hosts.define(&name, host.name.region, "a host", sink) {
            break;
        }
    }
}

fn too_many(region: Region, sink: &mut Sink) {
    sink.tell(Code::Bounds, region, format!("the scenario has more than {MOST_THINGS} hosts and VMs"));
}

/// For how many hosts an entry stands, within bounds.
fn count_of(host: &Host, sink: &mut Sink) -> usize {
    let Some(count) = &host.count else { return 1 };
    sink.within(count, 0, MOST_OF_AN_ENTRY, "the number of hosts of an entry").map_or(0, |count| count as usize)
}

/// The names of an entry's hosts.
pub(in crate::format) fn host_names(host: &Host) -> Vec<String> {
    match &host.count {
        None => vec![host.name.value.clone()],
        Some(count) => (0..count.value.min(MOST_OF_AN_ENTRY)).map(|index| format!("{}{index}", host.name.value)).collect(),
    }
}
