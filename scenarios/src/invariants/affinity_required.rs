//! A placement keeps to what is required of it. Source: seed "Affinity"; placement §5.2, §5.3.

use std::collections::{BTreeMap, BTreeSet};

use vmtwin_model::kube::virtual_machine::{VirtualMachine, VmAffinityTerm};
use vmtwin_model::kube::zone::Zone;
use vmtwin_model::kube::{Object, ObjectKey};

use super::{Check, Invariant, View, When};
use crate::log::{Event, Record};

const ZONE: &str = "topology.kubernetes.io/zone";
const NODE_LABELS: [&str; 2] = ["capw.vmware.com/cluster.role", "capv.vmware.com/cluster.role"];

pub(super) const RULE: Invariant = Invariant {
    name: "affinity-required",
    guards: "seed: Affinity; placement §5.2, §5.3",
    holds: "in each answer to PlaceVmsXCluster the required zone terms in force of the VMs asked for, and of those that are created, hold for all \
            pairs among them, both ways",
    of_twin: false,
    when: When::Each(check),
};

/// A VM of the namespace with the zone that it has or is given.
struct Placed<'a> {
    object: &'a Object,
    zone: &'a str,
    /// Whether this answer places it.
    asked: bool,
}

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    if record.event != Event::Task || record.operation != Some("PlaceVmsXCluster") || !view.gate_is_on("VMPlacementPolicies") {
        return;
    }
    let Some(call) = view.call(record.cause.0).filter(|call| !call.places.is_empty()) else { return };
    let namespace = &call.object.namespace;
    let zones = zones_of_pools(view, namespace);
    let mut placed: Vec<Placed<'_>> = Vec::new();
    for place in call.places.iter() {
        let Some(object) = view.object(&ObjectKey::of::<VirtualMachine>(namespace.clone(), place.vm_name.clone())) else { continue };
        if let Some(zone) = zones.get(place.pool.as_str()) {
            placed.push(Placed { object, zone, asked: true });
        }
    }
    for vm in view.objects::<VirtualMachine>() {
        let key = &vm.object.key;
        let there = view.vm_of(key).filter(|there| created_before(there, call.at));
        let host = there.and_then(|there| there.location.host_name.as_deref());
        let Some(zone) = host.and_then(|host| view.zone_of_host(host)) else { continue };
        if *key.namespace == **namespace && !placed.iter().any(|known| known.object.key == *key) && !view.history().relabelled.contains(key)
        {
            placed.push(Placed { object: vm.object, zone, asked: false });
        }
    }
    for (at, one) in placed.iter().enumerate() {
        for other in placed[at + 1..].iter().filter(|other| one.asked || other.asked) {
            // The terms of a VM that is there bound its own placement; vSphere isn't told of them again (placement §5.3).
            for (one, other) in [(one, other), (other, one)].into_iter().filter(|(one, _)| one.asked) {
                pair(one, other, out);
            }
        }
    }
}

fn created_before(vm: &vmtwin_model::vsphere::VirtualMachine, at: vmtwin_model::time::Timestamp) -> bool {
    vm.config.as_ref().and_then(|config| config.create_date).is_some_and(|made| made < at)
}

/// The terms of one hold for the other.
fn pair(one: &Placed<'_>, other: &Placed<'_>, out: &mut Check) {
    let Some(terms) = Terms::of(one) else { return };
    let Some(tags) = Terms::of(other).map(|of_other| of_other.tags(other.object)) else { return };
    let carries = |wanted: &BTreeSet<String>| wanted.intersection(&tags).next().cloned();
    // Affinity binds all that carry the tag; who states it without carrying it follows them.
    if let Some(tag) = carries(&terms.together) {
        out.premise();
        if one.zone != other.zone {
            tell(one, other, &format!("the zone of what carries {tag}"), out);
        }
    }
    if let Some(tag) = carries(&terms.apart) {
        out.premise();
        if one.zone == other.zone {
            tell(one, other, &format!("another zone than what carries {tag}"), out);
        }
    }
}

fn tell(one: &Placed<'_>, other: &Placed<'_>, expected: &str, out: &mut Check) {
    let observed = format!("{} in {}, {} in {}", one.object.key, one.zone, other.object.key, other.zone);
    out.violated(&[&one.object.key, &other.object.key], "a placement breaks a required term", expected, observed);
}

/// The tags that the required zone terms of a VM name, and all that its terms mention.
#[derive(Default)]
struct Terms {
    together: BTreeSet<String>,
    apart: BTreeSet<String>,
    mentioned: BTreeSet<String>,
}

impl Terms {
    fn of(placed: &Placed<'_>) -> Option<Self> {
        let vm = placed.object.view::<VirtualMachine>()?;
        if NODE_LABELS.iter().any(|label| placed.object.label(label).is_some()) {
            return None;
        }
        let mut terms = Self::default();
        let Some(affinity) = &vm.spec.affinity else { return Some(terms) };
        // A VM that is asked for and has a zone already isn't placed by zone terms.
        let in_force = !(placed.asked && placed.object.label(ZONE).is_some_and(|zone| !zone.is_empty()));
        let (with, without) = (affinity.vm_affinity.as_ref(), affinity.vm_anti_affinity.as_ref());
        let required = |list: &[VmAffinityTerm], into: &mut BTreeSet<String>| {
            for term in list.iter().filter(|term| term.topology_key == ZONE) {
                into.extend(tags_of(term));
            }
        };
        if let Some(with) = with.filter(|_| in_force) {
            required(&with.required_during_scheduling_preferred_during_execution, &mut terms.together);
        }
        if let Some(without) = without.filter(|_| in_force) {
            required(&without.required_during_scheduling_preferred_during_execution, &mut terms.apart);
        }
        let lists = with.into_iter().flat_map(|with| {
            with.required_during_scheduling_preferred_during_execution
                .iter()
                .chain(&with.preferred_during_scheduling_preferred_during_execution)
        });
        let lists = lists.chain(without.into_iter().flat_map(|without| {
            let required = &without.required_during_scheduling_preferred_during_execution;
            required.iter().chain(&without.preferred_during_scheduling_preferred_during_execution)
        }));
        let active = lists.filter(|term| in_force || term.topology_key != ZONE);
        terms.mentioned = active.flat_map(tags_of).collect();
        Some(terms)
    }

    /// A label becomes a tag if a term of the VM's own mentions it.
    fn tags(&self, object: &Object) -> BTreeSet<String> {
        let labels = object.meta.labels.iter().flatten().map(|(key, value)| format!("{key}:{value}"));
        labels.filter(|tag| self.mentioned.contains(tag)).collect()
    }
}

/// Every label and every value of a term is a tag of its own; an operator other than `In` drops the term.
fn tags_of(term: &VmAffinityTerm) -> Vec<String> {
    let Some(selector) = &term.label_selector else { return Vec::new() };
    let expressions = || selector.match_expressions.iter().flatten();
    if expressions().any(|expression| expression.operator != "In") {
        return Vec::new();
    }
    let labels = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}:{value}"));
    let values = expressions().flat_map(|expression| {
        let values = expression.values.iter().flatten();
        values.map(|value| format!("{}:{value}", expression.key))
    });
    labels.chain(values).collect()
}

/// The zone of each pool of a namespace.
fn zones_of_pools<'a>(view: &View<'a>, namespace: &str) -> BTreeMap<&'a str, &'a str> {
    let zones = view.objects::<Zone>().filter(|zone| *zone.object.key.namespace == *namespace);
    let pools = |zone: vmtwin_model::kube::View<'a, Zone>| {
        let vms = zone.spec.managed_vms.as_ref();
        vms.into_iter().flat_map(|vms| &vms.pool_mo_ids).map(move |pool| (pool.as_str(), &*zone.object.key.name))
    };
    zones.flat_map(pools).collect()
}
