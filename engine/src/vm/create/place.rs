//! Where a new VM goes: zone, pool, folder and, where its group or instance storage decided, host. Source: placement-groups §3, §7
//! ("The VM's side").
//!
//! A zone that is named on the label is taken without looking further; a single candidate zone is implied; several are put to
//! `PlaceVmsXCluster`. Instance storage has a host chosen by `PlaceVm`. A group's member takes what its group's root decided.
//!
//! Mirrors: vm-operator `vmprovider_vm.go`, `vmCreateDoPlacement`; `placement/zone_placement.go`, `Placement`.

use std::sync::Arc;

use vmtwin_model::id::{DatastoreId, FolderId, HostId, PoolId};
use vmtwin_model::kube::virtual_machine_group::{GroupPlacementDatastoreStatus, MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::{ConditionType, Conditions};
use vmtwin_model::vsphere::answer::{Placement, Placements};
use vmtwin_model::vsphere::operation::PlaceVmsXCluster;
use vmtwin_model::vsphere::{Operation, Reply};

use super::prerequisites::Needs;
use super::{instance, spec};
use crate::affinity;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Known};
use crate::placement::candidates::{self, Candidate, Candidates, Source};
use crate::placement::{claims, datastores, fault, set_policy};
use crate::verdict::Verdict;
use crate::vm::{VmDraft, ask, group_link, keys, text_of};

/// What placement decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Decision {
    pub(super) zone: Arc<str>,
    /// The pool, where it was chosen; otherwise the zone's first is.
    candidate: Option<Candidate>,
    host: Option<HostId>,
    /// The host's name, where instance storage is to be bound to it.
    host_name: Option<Arc<str>>,
    /// The home's first, then one for each disk; only where they were asked for.
    pub(super) datastores: Vec<GroupPlacementDatastoreStatus>,
}

/// Where a VM is made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) zone: Arc<str>,
    pub(crate) pool: PoolId,
    pub(crate) folder: FolderId,
    pub(crate) host: Option<HostId>,
    pub(crate) cluster: Option<vmtwin_model::id::ClusterId>,
    /// The datastore of the VM's home, where one was asked for.
    pub(crate) datastore: Option<DatastoreId>,
}

/// `fast`: whether datastores are to be recommended, since fast deploy makes this VM. Source: placement-groups §3.1-2.
pub(super) fn decide(cx: &mut Cx<'_>, draft: &mut VmDraft, needs: &Needs, fast: bool) -> Flow<Decision> {
    let label = affinity::zone_label(draft.meta()).map(str::to_owned);
    let grouped = !draft.spec().group_name.is_empty() && cx.settings.features.on(Feature::VMGroups);
    if grouped {
        let group = group_link::update(cx, draft).ok_or_else(|| Verdict::terminal("VM is not linked to its group"))?;
        if label.is_none() || host_rules_hold(cx, draft) {
            return from_group(cx, draft, &group);
        }
    }
    alone(cx, draft, needs, label.as_deref(), fast)
}

/// Whether the label of a zone is one wish among others: it then binds a group's placement, and is held against its result.
fn host_rules_hold(cx: &Cx<'_>, draft: &VmDraft) -> bool {
    cx.settings.features.on(Feature::VMAffinityDuringExecution) && !affinity::is_kubernetes_node(draft.meta())
}

/// What a zone other than the label's makes of the condition, and of the pass.
pub(super) fn mismatch(cx: &Cx<'_>, draft: &VmDraft, decision: &Decision) -> Option<(String, String)> {
    let zone = &decision.zone;
    let label = affinity::zone_label(draft.meta()).filter(|label| **label != **zone && host_rules_hold(cx, draft))?;
    Some((
        format!("placement selected zone {zone:?} which differs from the VM zone label {label:?}"),
        format!("placement zone {zone:?} does not match VM zone label {label:?}"),
    ))
}

/// Writes on the VM what outlives this attempt. Source: placement-groups §3.7.
pub(super) fn keep(draft: &mut VmDraft, decision: &Decision, fast: bool) {
    if !fast {
        draft.set_label(keys::ZONE, Some(&decision.zone));
    }
    if let (Some(host), Some(name)) = (&decision.host, &decision.host_name) {
        draft.annotate(keys::INSTANCE_NODE, Some(name));
        draft.annotate(keys::INSTANCE_NODE_ID, Some(host.as_str()));
    }
}

/// Pool and folder of what was decided: the set resource policy's own below the namespace's, where the VM names one.
pub(super) fn home(cx: &mut Cx<'_>, draft: &VmDraft, needs: &Needs, decision: Decision) -> Flow<Place> {
    let (source, namespace) = (source(cx, draft), draft.namespace().clone());
    let policy = needs.set_policy.as_ref();
    let Decision { zone, candidate, host, datastores, .. } = decision;
    let datastore = datastores.iter().find(|datastore| datastore.disk_key.is_none()).or(datastores.first());
    let datastore = datastore.map(|datastore| DatastoreId::from(datastore.id.as_str()));
    let candidate = match candidate {
        Some(candidate) => candidate,
        None => candidates::first_pool(cx, source, &namespace, &zone, &set_policy::child_pool(policy))?,
    };
    let folder = candidates::folder(cx, source, &namespace)?;
    let folder = candidates::folder_below(cx, folder, &set_policy::child_folder(policy))?;
    Ok(Place { zone, pool: candidate.pool, folder, host, cluster: candidate.cluster, datastore })
}

fn source(cx: &Cx<'_>, draft: &VmDraft) -> Source {
    Source::of(cx, affinity::is_kubernetes_node(draft.meta()))
}

fn from_group(cx: &mut Cx<'_>, draft: &VmDraft, group: &Known<VirtualMachineGroup>) -> Flow<Decision> {
    let uid = draft.base().uid();
    let mine = group
        .status()
        .members
        .iter()
        .find(|member| member.kind == MemberKind::VirtualMachine && *member.name == **draft.name() && member.uid == uid);
    let ready = mine.filter(|member| member.conditions.is_true(&ConditionType::MemberPlacementReady));
    let Some(member) = ready else { return Err(Verdict::terminal("VM Group placement is not ready").into()) };
    let Some(placement) = &member.placement else { return Err(Verdict::failed("VM Group placement is empty").into()) };
    let host = (!placement.node.is_empty()).then(|| HostId::from(placement.node.as_str()));
    let host_name = match &host {
        Some(host) if instance::needs_host(cx, draft) => Some(name_of(cx, host)?),
        None if instance::needs_host(cx, draft) => return Err(host_is_missing()),
        _ => None,
    };
    let zone: Arc<str> = placement.zone_id.as_str().into();
    let candidate = match placement.pool.as_str() {
        "" => None,
        pool => Some(chosen(cx, draft, &zone, PoolId::from(pool))?),
    };
    Ok(Decision { zone, candidate, host, host_name, datastores: placement.datastores.clone() })
}

/// A pool that a group's root chose, with the cluster that its zone has it in.
fn chosen(cx: &mut Cx<'_>, draft: &VmDraft, zone: &Arc<str>, pool: PoolId) -> Flow<Candidate> {
    let first = candidates::in_zone(cx, source(cx, draft), &draft.namespace().clone(), zone)?;
    let cluster = first.iter().find(|candidate| candidate.pool == pool).or_else(|| first.first()).and_then(|there| there.cluster.clone());
    Ok(Candidate { zone: zone.clone(), pool, cluster })
}

fn alone(cx: &mut Cx<'_>, draft: &VmDraft, needs: &Needs, label: Option<&str>, fast: bool) -> Flow<Decision> {
    let allowed = claims::allowed_zones(cx, draft)?;
    let needs_host = instance::needs_host(cx, draft);
    let host = draft.annotation(keys::INSTANCE_NODE_ID).filter(|_| instance::has_volumes(draft)).map(HostId::from);
    if let Some(zone) = label.filter(|_| !needs_host && !fast) {
        return Ok(Decision { zone: zone.into(), host, ..Decision::default() });
    }
    let child_pool = set_policy::child_pool(needs.set_policy.as_ref());
    let source = source(cx, draft);
    let found = candidates::find(cx, source, &draft.namespace().clone(), label, &child_pool)?.within(allowed.as_ref())?;
    let decision = if needs_host {
        on_one_host(cx, draft, needs, &found)?
    } else if found.zones() > 1 || fast {
        across(cx, draft, needs, &found, fast)?
    } else {
        let first = found.0.into_iter().next().expect("there is a candidate");
        Decision { zone: first.zone.clone(), candidate: Some(first), ..Decision::default() }
    };
    if let Some(label) = label.filter(|label| **label != *decision.zone) {
        let text = format!("preassigned zone {label} was different than recommended zone {}", decision.zone);
        return Err(Verdict::failed(text).into());
    }
    Ok(Decision { host: decision.host.or(host), ..decision })
}

fn host_is_missing() -> crate::pass::Stop {
    Verdict::failed("placement result missing host required for instance storage").into()
}

fn name_of(cx: &mut Cx<'_>, host: &HostId) -> Flow<Arc<str>> {
    let Reply::Name(name) = ask(cx, Operation::RetrieveHost { host: host.clone() }, "failed to get host name")? else {
        unreachable!("a host's name was asked for")
    };
    Ok(name)
}

/// A host for a VM with instance storage: each candidate's cluster recommends one, and one of those is drawn. Source: placement-groups
/// §3.4-1.
fn on_one_host(cx: &mut Cx<'_>, draft: &VmDraft, needs: &Needs, candidates: &Candidates) -> Flow<Decision> {
    let config = Arc::new(spec::to_be_placed(cx, draft, needs, first_cluster(candidates))?);
    let (mut offers, mut errors): (Vec<(Candidate, HostId)>, Vec<String>) = (Vec::new(), Vec::new());
    for candidate in &candidates.0 {
        let Some(cluster) = candidate.cluster.clone() else { continue };
        let place = Operation::PlaceVm { cluster: cluster.clone(), config_spec: config.clone() };
        match cx.call(place.clone())? {
            Ok(Reply::Placements(Placements { placements, .. })) => {
                let host = placements.into_iter().find_map(|placement| placement.host);
                offers.extend(host.map(|host| (candidate.clone(), host)));
            }
            Ok(other) => unreachable!("a placement answered {other:?}"),
            Err(failure) => {
                errors.push(format!("PlaceVM failed for zone {} CCR {cluster}: {}", candidate.zone, text_of(&place, &failure)));
            }
        }
    }
    if offers.is_empty() {
        let why = if errors.is_empty() { "no placement recommendations".to_owned() } else { errors.join("\n") };
        return Err(Verdict::failed(format!("PlaceVM failed: {why}")).into());
    }
    let key = (draft.base().key.namespaced_name(), cx.now());
    let nth = cx.draw("engine/instance-host", key).below(offers.len() as u64);
    let (candidate, host) = offers.swap_remove(usize::try_from(nth).expect("it is below a usize"));
    let host_name = Some(name_of(cx, &host)?);
    Ok(Decision { zone: candidate.zone.clone(), candidate: Some(candidate), host: Some(host), host_name, datastores: Vec::new() })
}

fn first_cluster(candidates: &Candidates) -> Option<&vmtwin_model::id::ClusterId> {
    candidates.0.first()?.cluster.as_ref()
}

/// Puts the choice between several zones, or of datastores, to vSphere. Source: placement-groups §3.4-2.
fn across(cx: &mut Cx<'_>, draft: &VmDraft, needs: &Needs, candidates: &Candidates, with_datastores: bool) -> Flow<Decision> {
    let config = spec::to_be_placed(cx, draft, needs, first_cluster(candidates))?;
    let request = PlaceVmsXCluster {
        resource_pools: candidates.pools(),
        vm_placement_specs: vec![Arc::new(config)],
        host_recomm_required: false,
        datastore_recomm_required: with_datastores,
    };
    let placements = place_across(cx, request)?;
    let Some(chosen) = placements.iter().find(|placement| placement.vm_name == *draft.name()) else {
        return Err(Verdict::failed("no placement recommendation for VM returned").into());
    };
    let no_zone = || Verdict::failed(format!("no zone assignment for ResourcePool {}", chosen.pool));
    let candidate = candidates.with_pool(&chosen.pool).cloned().ok_or_else(no_zone)?;
    let datastores = if with_datastores {
        let known = datastores::read(cx, std::slice::from_ref(chosen))?;
        datastores::of(chosen, &known)?
    } else {
        Vec::new()
    };
    Ok(Decision { zone: candidate.zone.clone(), candidate: Some(candidate), host: chosen.host.clone(), host_name: None, datastores })
}

/// One placement over several clusters; any fault in its answer is an error.
pub(crate) fn place_across(cx: &mut Cx<'_>, request: PlaceVmsXCluster) -> Flow<Vec<Placement>> {
    let operation = Operation::PlaceVmsXCluster(request);
    let text = match cx.call(operation.clone())? {
        Ok(Reply::Placements(Placements { placements, faults })) => match fault::text(&faults) {
            None => return Ok(placements),
            Some(text) => text,
        },
        Ok(other) => unreachable!("a placement answered {other:?}"),
        Err(failure) => text_of(&operation, &failure).to_string(),
    };
    Err(Verdict::failed(format!("PlaceVmsXCluster failed: {text}")).into())
}
