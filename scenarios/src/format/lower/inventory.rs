//! The infrastructure as a whole; datastores, policies, key providers, namespaces.

use vmtwin_model::units::{Bytes, MHz};
use vmtwin_model::vsphere::inventory::{Datastore, Inventory, KeyProvider, Name, Namespace, StoragePolicy};

use super::{Cx, cluster, fault, image, name, names, network, vm};
use crate::diagnostics::{Code, Region};
use crate::format::section::inventory::{self, DatastoreType, KeyProviderType, Vsphere};

/// The most pairs of a policy and a datastore, or of a namespace and a zone.
const MOST_PAIRS: usize = 4_000_000;

/// The infrastructure.
pub(in crate::format) fn inventory(cx: &mut Cx<'_>, section: &Vsphere) -> Inventory {
    let all_datastores: Vec<Name> = section.datastores.iter().map(|datastore| name(&datastore.name)).collect();
    let all_zones: Vec<Name> = section.zones.iter().map(|zone| name(&zone.name)).collect();
    let version = section.vcenter.as_ref().and_then(|vcenter| vcenter.version.as_ref());
    Inventory {
        vcenter_version: version.map_or_else(|| "9.0".into(), name),
        zones: cluster::zones(cx, &section.zones, &all_datastores),
        datastores: datastores(cx, &section.datastores),
        storage_policies: policies(cx, &section.storage_policies, &all_datastores),
        key_providers: key_providers(cx, &section.key_providers),
        networks: network::networks(cx, &section.networks),
        images: image::images(cx, &section.images),
        guests: image::guests(cx, &section.guests),
        timings: image::timings(cx, &section.timings),
        virtual_machines: vm::virtual_machines(cx, &section.virtual_machines),
        faults: section.faults.iter().filter_map(|rule| fault::rule(cx, rule)).collect(),
        namespaces: namespaces(cx, &section.namespaces, &all_zones),
    }
}

fn datastores(cx: &mut Cx<'_>, section: &[inventory::Datastore]) -> Vec<Datastore> {
    section
        .iter()
        .map(|one| {
            let capacity = one.capacity.as_ref().and_then(|capacity| cx.sink.bytes(capacity)).unwrap_or_else(|| Bytes::from_gib(10 << 10));
            let used = one.used.as_ref().and_then(|used| cx.sink.bytes(used)).unwrap_or_default();
            if let Some(given) = one.used.as_ref().filter(|_| used > capacity) {
                cx.sink.tell(Code::Contradiction, given.0.region, format!("{used} of a datastore of {capacity} can't be in use"));
            }
            if let Some(other) = &one.shares_space_with {
                let known = cx.known.datastores.check(other, Code::UnknownDatastore, "datastore", cx.sink);
                if known && other.value == one.name.value {
                    cx.sink.tell(Code::Contradiction, other.region, "a datastore doesn't share its space with itself");
                }
            }
            Datastore {
                name: name(&one.name),
                type_: match one.type_ {
                    None | Some(DatastoreType::Vmfs) => "vmfs",
                    Some(DatastoreType::Vsan) => "vsan",
                    Some(DatastoreType::Nfs) => "nfs",
                    Some(DatastoreType::Nfs41) => "nfs41",
                    Some(DatastoreType::Vvol) => "vvol",
                }
                .into(),
                capacity,
                used,
                maintenance: one.maintenance.unwrap_or(false),
                shares_space_with: one.shares_space_with.as_ref().map(name),
            }
        })
        .collect()
}

fn policies(cx: &mut Cx<'_>, section: &[inventory::StoragePolicy], all: &[Name]) -> Vec<StoragePolicy> {
    if too_many_pairs(cx, section.len(), all.len(), section.first().map(|policy| policy.name.region), "policies and datastores") {
        return Vec::new();
    }
    section
        .iter()
        .map(|one| {
            for datastore in one.datastores.iter().flatten() {
                cx.known.datastores.check(datastore, Code::UnknownDatastore, "datastore", cx.sink);
            }
            StoragePolicy {
                name: name(&one.name),
                id: one.id.as_ref().map_or_else(|| image::drawn_id("policy", &one.name.value), name),
                datastores: one.datastores.as_deref().map_or_else(|| all.to_vec(), names),
                encrypted: one.encrypted.unwrap_or(false),
                thin: thin(cx, one),
            }
        })
        .collect()
}

/// Whether a policy takes space as it is used: its own word, or VMFS's rule.
fn thin(cx: &mut Cx<'_>, section: &inventory::StoragePolicy) -> bool {
    let mut by_rule = None;
    for (rule, value) in &section.rules.0 {
        match (rule.value.as_str(), value.value.as_str()) {
            ("VMFS.volumeAllocationType", "Conserve space when possible") => by_rule = Some(true),
            ("VMFS.volumeAllocationType", "Reserve space" | "Fully initialized") => by_rule = Some(false),
            ("VMFS.volumeAllocationType", _) => {
                let message = "`VMFS.volumeAllocationType` is `Conserve space when possible`, `Reserve space` or `Fully initialized`";
                cx.sink.tell(Code::UnknownWord, value.region, message);
            }
            ("sectorFormat", _) => cx.sink.tell(Code::NotSupported, rule.region, "the rule `sectorFormat` is not supported yet"),
            (other, _) => {
                let help = cx.sink.near(other, ["VMFS.volumeAllocationType", "sectorFormat"]);
                cx.sink.tell_help(Code::UnknownField, rule.region, format!("unknown rule `{other}` of a storage policy"), help);
            }
        }
    }
    if let (Some(rule), Some(thin)) = (by_rule, section.thin.as_ref().filter(|thin| Some(thin.value) != by_rule)) {
        let message = format!("`thin: {}` contradicts the rule, by which it is {rule}", thin.value);
        cx.sink.tell(Code::Contradiction, thin.region, message);
    }
    by_rule.or(section.thin.as_ref().map(|thin| thin.value)).unwrap_or(true)
}

fn key_providers(cx: &mut Cx<'_>, section: &[inventory::KeyProvider]) -> Vec<KeyProvider> {
    let mut default: Option<Region> = None;
    section
        .iter()
        .map(|one| {
            if let Some(flag) = one.default.as_ref().filter(|flag| flag.value) {
                match default {
                    None => default = Some(flag.region),
                    Some(first) => {
                        cx.sink.tell_with(Code::TwoDefaults, flag.region, "a second default key provider", |diagnostic, sources| {
                            diagnostic.note("the first is here", Some(sources.place(first)))
                        })
                    }
                }
            }
            KeyProvider {
                name: name(&one.name),
                native: !matches!(one.type_, Some(KeyProviderType::Standard | KeyProviderType::TrustAuthority)),
                default: one.default.as_ref().is_some_and(|flag| flag.value),
                keys: one.keys.iter().map(|key| name(&key.id)).collect(),
                available: one.available.unwrap_or(true),
            }
        })
        .collect()
}

fn namespaces(cx: &mut Cx<'_>, section: &[inventory::Namespace], all: &[Name]) -> Vec<Namespace> {
    if too_many_pairs(cx, section.len(), all.len(), section.first().map(|namespace| namespace.name.region), "namespaces and zones") {
        return Vec::new();
    }
    section
        .iter()
        .map(|one| {
            for zone in one.zones.iter().flatten() {
                cx.known.zones.check(zone, Code::UnknownZone, "zone", cx.sink);
            }
            let mut storage_quota = std::collections::BTreeMap::new();
            for (policy, limit) in &one.storage_quota.0 {
                cx.known.policies.check(policy, Code::UnknownStoragePolicy, "storage policy", cx.sink);
                if let Some(limit) = cx.sink.bytes(limit) {
                    storage_quota.insert(name(policy), limit);
                }
            }
            Namespace {
                name: name(&one.name),
                zones: one.zones.as_deref().map_or_else(|| all.to_vec(), names),
                storage_quota,
                cpu_limit: one
                    .cpu_limit
                    .as_ref()
                    .and_then(|limit| cx.sink.within(limit, 1, 1 << 31, "the CPU limit in MHz"))
                    .map(|limit| MHz(i64::from(limit))),
                memory_limit: one.memory_limit.as_ref().and_then(|limit| cx.sink.bytes(limit)),
            }
        })
        .collect()
}

fn too_many_pairs(cx: &mut Cx<'_>, some: usize, others: usize, region: Option<Region>, what: &str) -> bool {
    let too_many = some.saturating_mul(others) > MOST_PAIRS;
    if let Some(region) = region.filter(|_| too_many) {
        cx.sink.tell(Code::Bounds, region, format!("there are more than {MOST_PAIRS} pairs of {what}"));
    }
    too_many
}
