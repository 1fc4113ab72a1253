//! The pools that are offered for a group's VMs: those of the namespace's zones. Source: placement-groups §3.2.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::id::{ClusterId, PoolId};
use vmtwin_model::kube::Resource;
use vmtwin_model::kube::zone::Zone;
use vmtwin_model::vsphere::{Operation, Reply};

use crate::pass::{Cx, Flow, Known};
use crate::verdict::Verdict;
use crate::vm::create::prerequisites::not_found;
use crate::vm::text_of;

/// What is offered.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    /// The pools, zone by zone.
    pub(super) pools: Vec<PoolId>,
    /// Each pool's zone.
    pub(super) zones: BTreeMap<PoolId, Arc<str>>,
    /// The first zone's first cluster.
    pub(super) cluster: Option<ClusterId>,
}

/// The pools of all zones of the namespace, or of one; each is replaced by its child of this name, if one is given. A zone that is being
/// taken from the namespace takes only VMs that name it.
pub(super) fn find(cx: &mut Cx<'_>, namespace: &str, zone: Option<&str>, child_pool: &str) -> Flow<Candidates> {
    let mut candidates = Candidates::default();
    for zone in zones(cx, namespace, zone)? {
        let Some(vms) = &zone.spec().managed_vms else { continue };
        for (nth, pool) in vms.pool_mo_ids.iter().enumerate() {
            let Some(pool) = below(cx, PoolId::from(pool.as_str()), child_pool)? else { continue };
            candidates.cluster = candidates.cluster.or_else(|| vms.cluster_mo_ids.get(nth).map(|id| id.as_str().into()));
            candidates.zones.insert(pool.clone(), zone.object.key.name.clone());
            candidates.pools.push(pool);
        }
    }
    if candidates.pools.is_empty() { Err(Verdict::failed("no placement candidates").into()) } else { Ok(candidates) }
}

fn zones(cx: &mut Cx<'_>, namespace: &str, zone: Option<&str>) -> Flow<Vec<Known<Zone>>> {
    let failed = |why: String| Verdict::failed(format!("failed to get placement candidates: {why}"));
    if let Some(name) = zone {
        let zone = cx.find::<Zone>(namespace, name).ok_or_else(|| failed(not_found(Zone::KIND, name)))?;
        return Ok(vec![zone]);
    }
    let zones = cx.list::<Zone>(namespace);
    if zones.is_empty() {
        return Err(failed("no zones in specified namespace".to_owned()).into());
    }
    Ok(zones.into_iter().filter(|zone| !zone.object.is_deleting()).collect())
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
        Err(failure) => Err(Verdict::failed(format!("failed to get placement candidates: {}", text_of(&operation, &failure))).into()),
    }
}
