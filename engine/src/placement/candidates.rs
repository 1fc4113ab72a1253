//! The pools that are offered for VMs: those of the namespace's zones. Source: placement-groups §2, §3.2.
//!
//! Zones come from Zone objects; for nodes of a Kubernetes cluster without workload domain isolation, from AvailabilityZones.
//!
//! Mirrors: vm-operator `placement/zone_placement.go`, `pkg/topology/availability_zones.go`.

use std::collections::BTreeSet;
use std::sync::Arc;

use vmtwin_model::id::{ClusterId, FolderId, PoolId};
use vmtwin_model::kube::Resource;
use vmtwin_model::kube::availability_zone::AvailabilityZone;
use vmtwin_model::kube::zone::Zone;
use vmtwin_model::vsphere::{Operation, Reply};

use crate::features::Feature;
use crate::pass::{Cx, Flow, Known};
use crate::verdict::Verdict;
use crate::vm::create::prerequisites::not_found;
use crate::vm::text_of;

/// Where a namespace's zones are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The Zones of the namespace.
    Zones,
    /// The AvailabilityZones that list the namespace.
    AvailabilityZones,
}

impl Source {
    /// The source for a VM.
    pub(crate) fn of(cx: &Cx<'_>, is_kubernetes_node: bool) -> Self {
        let isolated = cx.settings.features.on(Feature::WorkloadDomainIsolation);
        if isolated || !is_kubernetes_node { Self::Zones } else { Self::AvailabilityZones }
    }
}

/// A pool that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) zone: Arc<str>,
    pub(crate) pool: PoolId,
    pub(crate) cluster: Option<ClusterId>,
}

/// All that is offered, zone by zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidates(pub(crate) Vec<Candidate>);

impl Candidates {
    /// How many zones there are.
    pub(crate) fn zones(&self) -> usize {
        self.0.iter().map(|candidate| &candidate.zone).collect::<BTreeSet<_>>().len()
    }

    /// The pools, in their order.
    pub(crate) fn pools(&self) -> Vec<PoolId> {
        self.0.iter().map(|candidate| candidate.pool.clone()).collect()
    }

    /// The candidate with this pool.
    pub(crate) fn with_pool(&self, pool: &PoolId) -> Option<&Candidate> {
        self.0.iter().find(|candidate| candidate.pool == *pool)
    }

    /// Leaves the candidates of these zones alone. Source: placement-groups §3.3.
    pub(crate) fn within(mut self, allowed: Option<&BTreeSet<String>>) -> Flow<Self> {
        let Some(allowed) = allowed else { return Ok(self) };
        self.0.retain(|candidate| allowed.contains(&*candidate.zone));
        if self.0.is_empty() {
            let zones = allowed.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            let text = format!("no candidates remaining after applying zone constraints {zones}: no placement candidates");
            return Err(Verdict::failed(text).into());
        }
        Ok(self)
    }
}

/// A namespace's part of a zone.
#[derive(Clone, Debug, Default)]
struct Part {
    zone: Arc<str>,
    pools: Vec<String>,
    clusters: Vec<String>,
    folder: String,
}

/// The pools of all zones of the namespace, or of one; each is replaced by its child of this name, if one is given. A zone that is being
/// taken from the namespace takes only VMs that name it.
pub(crate) fn find(cx: &mut Cx<'_>, source: Source, namespace: &str, zone: Option<&str>, child_pool: &str) -> Flow<Candidates> {
    let parts = parts(cx, source, namespace, zone).map_err(failed)?;
    let mut candidates = Candidates::default();
    for part in parts {
        for (nth, pool) in part.pools.iter().enumerate() {
            let Some(pool) = below(cx, PoolId::from(pool.as_str()), child_pool)? else { continue };
            let cluster = part.clusters.get(nth).map(|id| id.as_str().into());
            candidates.0.push(Candidate { zone: part.zone.clone(), pool, cluster });
        }
    }
    if candidates.0.is_empty() { Err(Verdict::failed("no placement candidates").into()) } else { Ok(candidates) }
}

fn failed(why: String) -> Verdict {
    Verdict::failed(format!("failed to get placement candidates: {why}"))
}

/// The first pool of a zone, with its cluster; the child of this name below it, if one is given.
pub(crate) fn first_pool(cx: &mut Cx<'_>, source: Source, namespace: &str, zone: &str, child_pool: &str) -> Flow<Candidate> {
    let missing = || Verdict::failed(format!("availability zone {zone:?} missing info for namespace {namespace}"));
    let part = parts(cx, source, namespace, Some(zone)).map_err(Verdict::failed)?.into_iter().next().ok_or_else(missing)?;
    let first = PoolId::from(part.pools.first().ok_or_else(missing)?.as_str());
    let no_child = || Verdict::failed(format!("child ResourcePool {child_pool:?} not found under ResourcePool {first}"));
    let pool = below(cx, first.clone(), child_pool)?.ok_or_else(no_child)?;
    Ok(Candidate { zone: part.zone, pool, cluster: part.clusters.first().map(|id| id.as_str().into()) })
}

/// The namespace's pools in a zone, with their clusters.
pub(crate) fn in_zone(cx: &mut Cx<'_>, source: Source, namespace: &str, zone: &str) -> Flow<Vec<Candidate>> {
    let parts = parts(cx, source, namespace, Some(zone)).map_err(Verdict::failed)?;
    let candidates = |part: Part| {
        let Part { zone, pools, clusters, .. } = part;
        let clusters = clusters.into_iter().map(Some).chain(std::iter::repeat(None));
        let pair = move |(pool, cluster): (String, Option<String>)| Candidate {
            zone: zone.clone(),
            pool: pool.as_str().into(),
            cluster: cluster.map(|id| id.as_str().into()),
        };
        pools.into_iter().zip(clusters).map(pair).collect::<Vec<_>>()
    };
    Ok(parts.into_iter().flat_map(candidates).collect())
}

/// The namespace's folder: that of the first zone that says one.
pub(crate) fn folder(cx: &mut Cx<'_>, source: Source, namespace: &str) -> Flow<FolderId> {
    let parts = parts(cx, source, namespace, None).map_err(Verdict::failed)?;
    let folder = parts.into_iter().map(|part| part.folder).find(|folder| !folder.is_empty());
    let missing = || Verdict::failed(format!("unable to get FolderMoID for namespace {namespace}")).into();
    folder.map(|folder| FolderId::from(folder.as_str())).ok_or_else(missing)
}

/// Each cluster of the namespace with the namespace's pool in it.
pub(crate) fn clusters(cx: &mut Cx<'_>, namespace: &str) -> Flow<Vec<(ClusterId, PoolId)>> {
    let parts = parts(cx, Source::Zones, namespace, None).map_err(Verdict::failed)?;
    let pairs = parts.into_iter().flat_map(|part| part.clusters.into_iter().zip(part.pools));
    Ok(pairs.map(|(cluster, pool)| (cluster.as_str().into(), pool.as_str().into())).collect())
}

fn parts(cx: &mut Cx<'_>, source: Source, namespace: &str, zone: Option<&str>) -> Result<Vec<Part>, String> {
    match source {
        Source::Zones => {
            let found = zones(cx, namespace, zone)?;
            Ok(found.iter().filter_map(of_zone).collect())
        }
        Source::AvailabilityZones => {
            let found = availability_zones(cx, zone)?;
            Ok(found.iter().filter_map(|zone| of_availability_zone(zone, namespace)).collect())
        }
    }
}

fn zones(cx: &mut Cx<'_>, namespace: &str, zone: Option<&str>) -> Result<Vec<Known<Zone>>, String> {
    if let Some(name) = zone {
        return Ok(vec![cx.find::<Zone>(namespace, name).ok_or_else(|| not_found(Zone::KIND, name))?]);
    }
    let zones = cx.list::<Zone>(namespace);
    if zones.is_empty() {
        return Err("no zones in specified namespace".to_owned());
    }
    Ok(zones.into_iter().filter(|zone| !zone.object.is_deleting()).collect())
}

fn of_zone(zone: &Known<Zone>) -> Option<Part> {
    let vms = zone.spec().managed_vms.as_ref()?;
    Some(Part {
        zone: zone.object.key.name.clone(),
        pools: vms.pool_mo_ids.clone(),
        clusters: vms.cluster_mo_ids.clone(),
        folder: vms.folder_mo_id.clone(),
    })
}

fn availability_zones(cx: &mut Cx<'_>, zone: Option<&str>) -> Result<Vec<Known<AvailabilityZone>>, String> {
    if let Some(name) = zone {
        return Ok(vec![cx.find::<AvailabilityZone>("", name).ok_or_else(|| not_found(AvailabilityZone::KIND, name))?]);
    }
    let zones = cx.list::<AvailabilityZone>("");
    if zones.is_empty() { Err("no availability zones".to_owned()) } else { Ok(zones) }
}

fn of_availability_zone(zone: &Known<AvailabilityZone>, namespace: &str) -> Option<Part> {
    let spec = zone.spec();
    let info = spec.namespaces.get(namespace)?;
    let several = |list: &[String], one: &str| if list.is_empty() && !one.is_empty() { vec![one.to_owned()] } else { list.to_vec() };
    Some(Part {
        zone: zone.object.key.name.clone(),
        pools: several(&info.pool_mo_ids, &info.pool_mo_id),
        clusters: several(&spec.cluster_compute_resource_mo_ids, &spec.cluster_compute_resource_mo_id),
        folder: info.folder_mo_id.clone(),
    })
}

/// The pool's child of this name, if it has one; the pool itself if no child is wanted.
fn below(cx: &mut Cx<'_>, pool: PoolId, child: &str) -> Flow<Option<PoolId>> {
    if child.is_empty() {
        return Ok(Some(pool));
    }
    let operation = Operation::FindChildPool { entity: pool, name: child.into() };
    match cx.call(operation.clone())? {
        Ok(Reply::Child(found)) => Ok(found.map(|id| PoolId::from(&*id))),
        Ok(other) => unreachable!("a search for a child answered {other:?}"),
        Err(failure) => Err(failed(text_of(&operation, &failure).to_string()).into()),
    }
}

/// The folder's child of this name; the folder itself if no child is wanted.
pub(crate) fn folder_below(cx: &mut Cx<'_>, folder: FolderId, child: &str) -> Flow<FolderId> {
    if child.is_empty() {
        return Ok(folder);
    }
    let operation = Operation::FindChildFolder { entity: folder.clone(), name: child.into() };
    match cx.call(operation.clone())? {
        Ok(Reply::Child(Some(id))) => Ok(FolderId::from(&*id)),
        Ok(Reply::Child(None)) => Err(Verdict::failed(format!("child Folder {child:?} not found under Folder {folder}")).into()),
        Ok(other) => unreachable!("a search for a child answered {other:?}"),
        Err(failure) => Err(Verdict::failed(format!("failed to get child Folder: {}", text_of(&operation, &failure))).into()),
    }
}
