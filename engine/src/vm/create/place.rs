//! Where a new VM goes: zone, pool, folder and, where its group decided, host. Source: placement-groups §3, §7 ("The VM's side").
//!
//! A zone that is named on the label is taken without looking further; a single candidate zone is implied; several are put to
//! `PlaceVmsXCluster`. A group's member takes what its group's root decided.

use std::sync::Arc;

use vmtwin_model::id::{DatastoreId, FolderId, HostId, PoolId};
use vmtwin_model::kube::virtual_machine_group::{GroupMemberStatus, MemberKind, VirtualMachineGroup};
use vmtwin_model::kube::zone::{Zone, ZoneEntityInfo};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason, Resource};
use vmtwin_model::vsphere::operation::PlaceVmsXCluster;
use vmtwin_model::vsphere::{Operation, Reply};

use super::prerequisites::{Needs, not_found};
use super::{fast_deploy, spec};
use crate::affinity;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Known};
use crate::verdict::Verdict;
use crate::vm::{VmDraft, group_link, keys, text_of};

/// Where a VM goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) zone: Arc<str>,
    pub(crate) pool: PoolId,
    pub(crate) folder: FolderId,
    pub(crate) host: Option<HostId>,
    pub(crate) cluster: Option<vmtwin_model::id::ClusterId>,
    /// The datastore of its home, where that is decided beforehand.
    pub(crate) datastore: Option<DatastoreId>,
}

/// What is to be decided besides the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wants {
    /// The datastore.
    pub(super) datastore: bool,
}

pub(super) fn decide(cx: &mut Cx<'_>, draft: &mut VmDraft, needs: &Needs, wants: Wants) -> Flow<Place> {
    let label = draft.label(keys::ZONE).filter(|zone| !zone.is_empty() && !crate::planted::is("zone-label-ignored")).map(str::to_owned);
    let grouped = !draft.spec().group_name.is_empty() && cx.settings.features.on(Feature::VMGroups);
    let place = if grouped {
        let Some(group) = group_link::update(cx, draft) else {
            return Err(Verdict::terminal("VM is not linked to its group").into());
        };
        let joins =
            label.is_none() || (cx.settings.features.on(Feature::VMAffinityDuringExecution) && !affinity::is_kubernetes_node(draft.meta()));
        if joins { from_group(cx, draft, &group)? } else { alone(cx, draft, needs, label.as_deref(), wants)? }
    } else {
        alone(cx, draft, needs, label.as_deref(), wants)?
    };
    hold_against_label(cx, draft, &place, label.as_deref())?;
    let place = if wants.datastore && place.datastore.is_none() { with_datastore(cx, draft, needs, place)? } else { place };
    draft.set_label(keys::ZONE, Some(&place.zone));
    Ok(place)
}

fn hold_against_label(cx: &Cx<'_>, draft: &mut VmDraft, place: &Place, label: Option<&str>) -> Flow<()> {
    let Some(label) = label.filter(|label| **label != *place.zone) else { return Ok(()) };
    let now = cx.now();
    let message = format!("placement selected zone {:?} which differs from the VM zone label {label:?}", place.zone);
    draft.status_mut().conditions.put(Condition::fails(ConditionType::PlacementReady, Reason::ZoneMismatch, message), now);
    Err(Verdict::terminal(format!("placement zone {:?} does not match VM zone label {label:?}", place.zone)).into())
}

fn from_group(cx: &mut Cx<'_>, draft: &VmDraft, group: &Known<VirtualMachineGroup>) -> Flow<Place> {
    let is_mine = |member: &&GroupMemberStatus| member.kind == MemberKind::VirtualMachine && *member.name == **draft.name();
    // The status lists the members as the spec does, once the group has seen its spec.
    let members = &group.status().members;
    let there = cx.place_in(&group.object, &draft.base().key).and_then(|place| members.get(place)).filter(is_mine);
    let mine = there.or_else(|| members.iter().find(is_mine)).filter(|member| member.uid == draft.base().uid());
    let ready = mine.filter(|member| member.conditions.is_true(&ConditionType::MemberPlacementReady));
    let Some(member) = ready else { return Err(Verdict::terminal("VM Group placement is not ready").into()) };
    let Some(placement) = &member.placement else { return Err(Verdict::failed("VM Group placement is empty").into()) };
    let zone = find_zone(cx, draft, &placement.zone_id)?;
    let host = (!placement.node.is_empty()).then(|| HostId::from(placement.node.as_str()));
    let pool = if placement.pool.is_empty() { None } else { Some(PoolId::from(placement.pool.as_str())) };
    let home = placement.datastores.iter().find(|datastore| datastore.disk_key.is_none()).or(placement.datastores.first());
    let datastore = home.map(|datastore| DatastoreId::from(datastore.id.as_str()));
    Ok(Place { datastore, ..in_zone(&zone, pool, host)? })
}

fn alone(cx: &mut Cx<'_>, draft: &VmDraft, needs: &Needs, label: Option<&str>, wants: Wants) -> Flow<Place> {
    if let Some(name) = label {
        let zone = find_zone(cx, draft, name)?;
        return in_zone(&zone, None, None);
    }
    let zones = candidates(cx, draft)?;
    match zones.as_slice() {
        [zone] => in_zone(zone, None, None),
        zones => across(cx, draft, needs, zones, wants),
    }
}

fn find_zone(cx: &mut Cx<'_>, draft: &VmDraft, name: &str) -> Flow<Known<Zone>> {
    let zone = cx.find::<Zone>(&draft.namespace().clone(), name);
    zone.ok_or_else(|| Verdict::failed(not_found(Zone::KIND, name)).into())
}

/// The zones that may take a new VM of this namespace. Source: placement-groups §3.2.
fn candidates(cx: &mut Cx<'_>, draft: &VmDraft) -> Flow<Vec<Known<Zone>>> {
    let namespace = draft.namespace().clone();
    let zones = cx.list::<Zone>(&namespace);
    if zones.is_empty() {
        return Err(Verdict::failed("failed to get placement candidates: no zones in specified namespace").into());
    }
    let usable =
        zones.into_iter().filter(|zone| !zone.object.is_deleting() && managed(zone).is_some_and(|vms| !vms.pool_mo_ids.is_empty()));
    let usable: Vec<Known<Zone>> = usable.collect();
    if usable.is_empty() {
        return Err(Verdict::failed("no placement candidates").into());
    }
    Ok(usable)
}

fn managed(zone: &Known<Zone>) -> Option<&ZoneEntityInfo> {
    zone.spec().managed_vms.as_ref()
}

/// The place in a zone: the pool given, or the zone's first.
fn in_zone(zone: &Known<Zone>, pool: Option<PoolId>, host: Option<HostId>) -> Flow<Place> {
    let missing =
        || Verdict::failed(format!("availability zone {:?} missing info for namespace {}", zone.name(), zone.object.key.namespace));
    let vms = managed(zone).ok_or_else(missing)?;
    let nth = match &pool {
        Some(pool) => vms.pool_mo_ids.iter().position(|id| **id == *pool.as_str()).unwrap_or(0),
        None => 0,
    };
    let pool = pool.or_else(|| Some(PoolId::from(vms.pool_mo_ids.first()?.as_str()))).ok_or_else(missing)?;
    Ok(Place {
        zone: zone.object.key.name.clone(),
        pool,
        folder: FolderId::from(vms.folder_mo_id.as_str()),
        host,
        cluster: vms.cluster_mo_ids.get(nth).map(|id| id.as_str().into()),
        datastore: None,
    })
}

/// Has vSphere choose a datastore where the zone is settled.
fn with_datastore(cx: &mut Cx<'_>, draft: &VmDraft, needs: &Needs, place: Place) -> Flow<Place> {
    let Some(cluster) = place.cluster.clone() else { return Ok(place) };
    let config_spec = Arc::new(spec::to_be_placed(cx, draft, needs, &place)?);
    let operation = Operation::PlaceVm { cluster, config_spec };
    let placements = match cx.call(operation.clone())? {
        Ok(Reply::Placements(placements)) => placements,
        Ok(other) => unreachable!("a placement answered {other:?}"),
        Err(failure) => return Err(Verdict::failed(format!("PlaceVm failed: {}", text_of(&operation, &failure))).into()),
    };
    let datastore = placements.first().and_then(|placement| fast_deploy::home_of(&placement.datastores));
    Ok(Place { datastore, ..place })
}

/// Puts the choice between several zones to vSphere. Source: placement-groups §3.4-2.
fn across(cx: &mut Cx<'_>, draft: &VmDraft, needs: &Needs, zones: &[Known<Zone>], wants: Wants) -> Flow<Place> {
    let first = in_zone(&zones[0], None, None)?;
    let config = spec::to_be_placed(cx, draft, needs, &first)?;
    let pools = |zone: &Known<Zone>| managed(zone).map(|vms| vms.pool_mo_ids.clone()).unwrap_or_default();
    let resource_pools = zones.iter().flat_map(pools).map(PoolId::from).collect();
    let operation = Operation::PlaceVmsXCluster(PlaceVmsXCluster {
        resource_pools,
        vm_placement_specs: vec![Arc::new(config)],
        host_recomm_required: false,
        datastore_recomm_required: wants.datastore,
    });
    let placements = match cx.call(operation.clone())? {
        Ok(Reply::Placements(placements)) => placements,
        Ok(other) => unreachable!("a placement answered {other:?}"),
        Err(failure) => return Err(Verdict::failed(format!("PlaceVmsXCluster failed: {}", text_of(&operation, &failure))).into()),
    };
    let Some(chosen) = placements.into_iter().find(|placement| placement.vm_name == *draft.name()) else {
        return Err(Verdict::failed("no placement recommendation for VM returned").into());
    };
    let zone = zones.iter().find(|zone| managed(zone).is_some_and(|vms| vms.pool_mo_ids.iter().any(|id| **id == *chosen.pool.as_str())));
    let Some(zone) = zone else {
        return Err(Verdict::failed(format!("no zone assignment for ResourcePool {}", chosen.pool)).into());
    };
    let datastore = fast_deploy::home_of(&chosen.datastores);
    Ok(Place { datastore, ..in_zone(zone, Some(chosen.pool), chosen.host)? })
}
