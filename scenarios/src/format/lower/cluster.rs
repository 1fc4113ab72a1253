//! Zones, clusters, hosts.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::id::HostId;
use vmtwin_model::units::{Bytes, MHz};
use vmtwin_model::vsphere::inventory::{
    self, AdmissionControl, Drs, DrsAutomation, Ha, HostState, Name, PoolAllocation, ResourcePool, Rule, RuleKind,
};

use super::names::host_names;
use super::{Cx, name, names};
use crate::diagnostics::Code;
use crate::format::known::Names;
use crate::format::section::cluster::{self, AdmissionPolicy, Automation, Cluster, Host, RestartPriority, RuleType, Zone};
use crate::format::section::scalar::Text;
use crate::format::spanned::Spanned;

/// The most mounts of all hosts together: hosts times datastores.
const MOST_MOUNTS: usize = 4_000_000;

/// The zones with all their hosts. `datastores` are all that there are, for hosts that name none.
pub(in crate::format) fn zones(cx: &mut Cx<'_>, zones: &[Zone], datastores: &[Name]) -> Vec<inventory::Zone> {
    let mut mounts = 0;
    zones
        .iter()
        .map(|zone| inventory::Zone {
            name: name(&zone.name),
            clusters: zone.clusters.iter().map(|one| cluster(cx, one, datastores, &mut mounts)).collect(),
        })
        .collect()
}

fn cluster(cx: &mut Cx<'_>, section: &Cluster, datastores: &[Name], mounts: &mut usize) -> inventory::Cluster {
    let mut hosts = Vec::new();
    let mut own = Names::new(cx.known.hosts.open);
    for entry in &section.hosts {
        for name in host_names(entry) {
            own.mention(name, entry.name.region);
        }
        add_hosts(cx, entry, datastores, mounts, &mut hosts);
    }
    let (mut reservable_cpu, mut reservable_memory) = (None, None);
    if let Some(reservable) = &section.reservable {
        reservable_cpu = reservable.cpu.as_ref().and_then(|cpu| cx.sink.basis_points(cpu));
        reservable_memory = reservable.memory.as_ref().and_then(|memory| cx.sink.basis_points(memory));
    }
    inventory::Cluster {
        name: name(&section.name),
        hosts,
        drs: section.drs.as_ref().map_or_else(Drs::default, |one| drs(cx, one)),
        ha: section.ha.as_ref().map_or_else(Ha::default, |one| ha(cx, one, &own)),
        rules: rules(cx, &section.rules, &own),
        reservable_cpu,
        reservable_memory,
        resource_pools: pools(cx, &section.resource_pools),
        overrides: overrides(cx, &section.overrides),
    }
}

fn add_hosts(cx: &mut Cx<'_>, entry: &Host, datastores: &[Name], mounts: &mut usize, hosts: &mut Vec<inventory::Host>) {
    let all_names = host_names(entry);
    let datastores = match &entry.datastores {
        None => datastores.to_vec(),
        Some(own) => {
            for datastore in own {
                cx.known.datastores.check(datastore, Code::UnknownDatastore, "datastore", cx.sink);
            }
            names(own)
        }
    };
    let before = *mounts;
    *mounts = mounts.saturating_add(all_names.len().saturating_mul(datastores.len()));
    if *mounts > MOST_MOUNTS {
        if before <= MOST_MOUNTS {
            cx.sink.tell(Code::Bounds, entry.name.region, format!("all hosts together mount more than {MOST_MOUNTS} datastores"));
        }
        return;
    }
    if let (Some(id), Some(count)) = (&entry.mo_id, entry.count.as_ref().filter(|count| count.value != 1)) {
        let message = format!("one managed object id can't be that of {} hosts", count.value);
        cx.sink.tell(Code::Contradiction, id.region, message);
    }
    let cpu = entry.cpu.clone().unwrap_or_default();
    let host = inventory::Host {
        name: "".into(),
        id: entry.mo_id.as_ref().map(|id| HostId::new(id.value.as_str())),
        sockets: cx.sink.within_or(cpu.sockets.as_ref(), 1, 128, "the number of sockets", 2),
        cores: cx.sink.within_or(cpu.cores.as_ref(), 1, 1024, "the number of cores of a socket", 16),
        clock: MHz(i64::from(cx.sink.within_or(cpu.mhz.as_ref(), 1, 100_000, "the clock in MHz", 2600))),
        memory: entry.memory.as_ref().and_then(|memory| cx.sink.bytes(memory)).unwrap_or_else(|| Bytes::from_gib(256)),
        datastores,
        vgpus: entry
            .vgpus
            .iter()
            .map(|vgpu| (name(&vgpu.profile), cx.sink.within_or(vgpu.count.as_ref(), 1, 1024, "the number of vGPUs", 1)))
            .collect(),
        instance_storage: entry.instance_storage.as_ref().and_then(|size| cx.sink.bytes(size)).unwrap_or_default(),
        state: match entry.state {
            None | Some(cluster::HostState::Connected) => HostState::Connected,
            Some(cluster::HostState::Disconnected) => HostState::Disconnected,
            Some(cluster::HostState::NotResponding) => HostState::NotResponding,
            Some(cluster::HostState::Maintenance) => HostState::Maintenance,
        },
    };
    hosts.extend(all_names.into_iter().map(|name| inventory::Host { name: name.into(), ..host.clone() }));
}

fn drs(cx: &mut Cx<'_>, section: &cluster::Drs) -> Drs {
    let default = Drs::default();
    let threshold = cx.sink.within_or(section.migration_threshold.as_ref(), 1, 5, "the migration threshold", 3);
    Drs {
        enabled: section.enabled.unwrap_or(default.enabled),
        automation: section.automation.map_or(default.automation, automation),
        migration_threshold: u8::try_from(threshold).unwrap_or(default.migration_threshold),
    }
}

fn automation(automation: Automation) -> DrsAutomation {
    match automation {
        Automation::Manual => DrsAutomation::Manual,
        Automation::PartiallyAutomated => DrsAutomation::PartiallyAutomated,
        Automation::FullyAutomated => DrsAutomation::FullyAutomated,
        Automation::Disabled => DrsAutomation::Disabled,
    }
}

fn ha(cx: &mut Cx<'_>, section: &cluster::Ha, hosts: &Names) -> Ha {
    let enabled = section.enabled.unwrap_or(false);
    let admission_control = match &section.admission_control {
        Some(control) => admission_control(cx, control, hosts),
        None if enabled => AdmissionControl::Percentage { host_failures: 1, cpu: None, memory: None },
        None => AdmissionControl::Disabled,
    };
    let mut restart_priority = BTreeMap::new();
    for (vm, priority) in &section.restart_priority.0 {
        cx.known.vms.check(vm, Code::UnknownVm, "VM", cx.sink);
        restart_priority.insert(name(vm), priority_word(*priority).into());
    }
    Ha { enabled, admission_control, restart_priority }
}

fn priority_word(priority: RestartPriority) -> &'static str {
    match priority {
        RestartPriority::Highest => "highest",
        RestartPriority::High => "high",
        RestartPriority::Medium => "medium",
        RestartPriority::Low => "low",
        RestartPriority::Lowest => "lowest",
        RestartPriority::Disabled => "disabled",
    }
}

fn admission_control(cx: &mut Cx<'_>, section: &Spanned<cluster::AdmissionControl>, hosts: &Names) -> AdmissionControl {
    let policy = section.policy.unwrap_or_default();
    let host_failures = cx.sink.within_or(section.host_failures_to_tolerate.as_ref(), 1, 64, "the number of host failures to tolerate", 1);
    let cpu = section.cpu.as_ref().and_then(|cpu| cx.sink.basis_points(cpu));
    let memory = section.memory.as_ref().and_then(|memory| cx.sink.basis_points(memory));
    let percentage = policy == AdmissionPolicy::ClusterResourcePercentage;
    for (present, field, fits) in [
        (section.cpu.as_ref().map(|cpu| cpu.0.region), "cpu", percentage),
        (section.memory.as_ref().map(|memory| memory.0.region), "memory", percentage),
        (section.slot.as_ref().map(|_| section.region), "slot", policy == AdmissionPolicy::SlotPolicy),
        (section.hosts.as_ref().map(|_| section.region), "hosts", policy == AdmissionPolicy::DedicatedFailoverHosts),
    ] {
        if let Some(region) = present.filter(|_| !fits) {
            cx.sink.tell(Code::Contradiction, region, format!("`{field}` belongs to another policy of admission control"));
        }
    }
    match policy {
        AdmissionPolicy::Disabled => AdmissionControl::Disabled,
        AdmissionPolicy::ClusterResourcePercentage => AdmissionControl::Percentage { host_failures, cpu, memory },
        AdmissionPolicy::SlotPolicy => {
            let slot = section.slot.clone().unwrap_or_default();
            AdmissionControl::Slots {
                host_failures,
                cpu: slot
                    .cpu
                    .as_ref()
                    .and_then(|cpu| cx.sink.within(cpu, 1, 1_000_000, "a slot's CPU in MHz"))
                    .map(|cpu| MHz(i64::from(cpu))),
                memory: slot.memory.as_ref().and_then(|memory| cx.sink.bytes(memory)),
            }
        }
        AdmissionPolicy::DedicatedFailoverHosts => {
            let kept = section.hosts.clone().unwrap_or_default();
            if kept.is_empty() {
                cx.sink.tell(Code::MissingField, section.region, "the policy `dedicatedFailoverHosts` lacks `hosts`");
            }
            check_hosts(cx, &kept, hosts);
            AdmissionControl::FailoverHosts(names(&kept))
        }
    }
}

fn check_hosts(cx: &mut Cx<'_>, used: &[Text], hosts: &Names) {
    for host in used {
        hosts.check(host, Code::UnknownHost, "host of this cluster", cx.sink);
    }
}

fn rules(cx: &mut Cx<'_>, section: &[cluster::Rule], hosts: &Names) -> Vec<Rule> {
    let mut seen = Names::default();
    section
        .iter()
        .map(|rule| {
            if cx.sink.name(&rule.name) {
                seen.define(&rule.name.value, rule.name.region, "a rule", cx.sink);
            }
            for vm in &rule.vms {
                cx.known.vms.check(vm, Code::UnknownVm, "VM", cx.sink);
            }
            check_hosts(cx, &rule.hosts, hosts);
            let vm_host = rule.type_ == RuleType::VmHost;
            if let Some(host) = rule.hosts.first().filter(|_| !vm_host) {
                cx.sink.tell(Code::Contradiction, host.region, "`hosts` belongs to rules of type `vmHost`");
            }
            if let Some(run) = rule.run.as_ref().filter(|_| !vm_host) {
                cx.sink.tell(Code::Contradiction, run.region, "`run` belongs to rules of type `vmHost`");
            }
            Rule {
                name: name(&rule.name),
                enabled: rule.enabled.unwrap_or(true),
                must: rule.must.unwrap_or(true),
                vms: names(&rule.vms),
                kind: match rule.type_ {
                    RuleType::Affinity => RuleKind::Affinity,
                    RuleType::AntiAffinity => RuleKind::AntiAffinity,
                    RuleType::VmHost if rule.run.as_ref().is_none_or(|run| run.value) => RuleKind::RunOn(names(&rule.hosts)),
                    RuleType::VmHost => RuleKind::NotRunOn(names(&rule.hosts)),
                },
            }
        })
        .collect()
}

fn pools(cx: &mut Cx<'_>, section: &[cluster::ResourcePool]) -> Vec<ResourcePool> {
    let mut known = Names::new(cx.known.namespaces.open);
    let mut parents: BTreeMap<&str, &str> = BTreeMap::new();
    for pool in section {
        if cx.sink.name(&pool.name) {
            known.define(&pool.name.value, pool.name.region, "a resource pool", cx.sink);
        }
        if let Some(parent) = &pool.parent {
            parents.insert(&pool.name.value, &parent.value);
        }
    }
    section
        .iter()
        .map(|pool| {
            if let Some(parent) = &pool.parent {
                match parent.value.strip_prefix("namespace/") {
                    Some(namespace) => {
                        cx.known.namespaces.check_at(namespace, parent.region, Code::UnknownNamespace, "namespace", cx.sink);
                    }
                    None => {
                        known.check(parent, Code::UnknownPool, "resource pool of this cluster", cx.sink);
                        if is_own_ancestor(&pool.name.value, &parents) {
                            cx.sink.tell(Code::Contradiction, parent.region, format!("the pool `{}` lies in itself", pool.name.value));
                        }
                    }
                }
            }
            ResourcePool {
                name: name(&pool.name),
                parent: pool.parent.as_ref().map(name),
                cpu: allocation(cx, pool.cpu.as_ref()),
                memory: allocation(cx, pool.memory.as_ref()),
            }
        })
        .collect()
}

fn is_own_ancestor(pool: &str, parents: &BTreeMap<&str, &str>) -> bool {
    let mut at = pool;
    for _ in 0..64 {
        match parents.get(at) {
            Some(parent) if *parent == pool => return true,
            Some(parent) => at = parent,
            None => return false,
        }
    }
    // Deeper than vSphere nests pools, or in a circle further up, which is told of the pools in it.
    false
}

fn allocation(cx: &mut Cx<'_>, section: Option<&cluster::PoolAllocation>) -> PoolAllocation {
    let default = PoolAllocation::default();
    let Some(section) = section else { return default };
    let mut number = |number: Option<&Spanned<i64>>, least: i64, what: &str, default: i64| match number {
        Some(number) if number.value >= least => number.value,
        Some(number) => {
            cx.sink.tell(Code::Bounds, number.region, format!("{what} is at least {least}, found {}", number.value));
            default
        }
        None => default,
    };
    let reservation = number(section.reservation.as_ref(), 0, "a reservation", default.reservation);
    let limit = number(section.limit.as_ref(), -1, "a limit", default.limit);
    if let Some(given) = section.limit.as_ref().filter(|limit| limit.value >= 0 && limit.value < reservation) {
        cx.sink.tell(Code::Contradiction, given.region, format!("the limit {} is below the reservation {reservation}", given.value));
    }
    PoolAllocation { reservation, limit, expandable: section.expandable.unwrap_or(default.expandable) }
}

fn overrides(cx: &mut Cx<'_>, section: &[cluster::Override]) -> BTreeMap<Arc<str>, DrsAutomation> {
    let mut seen = Names::default();
    let mut overrides = BTreeMap::new();
    for one in section {
        cx.known.vms.check(&one.vm, Code::UnknownVm, "VM", cx.sink);
        seen.define(&one.vm.value, one.vm.region, "an override", cx.sink);
        overrides.insert(name(&one.vm), automation(one.drs));
    }
    overrides
}
