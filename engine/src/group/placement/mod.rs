//! Step 5: has vSphere choose a place for every VM of the tree that has none, all at once. Only a root does so, for itself and its
//! descendants; what was placed stays placed, and one member that isn't linked holds all the others back.
//!
//! Nothing is reserved by it: a VM that can't be made where it was to go tries again with the same place.
//!
//! Mirrors: vm-operator `virtualmachinegroup_controller.go`, `reconcilePlacement`; `vmprovider_vmgroup.go`; `placement/group_placement.go`.

mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::id::{ClusterId, DatastoreId};
use vmtwin_model::kube::virtual_machine_group::{GroupMemberStatus, GroupPlacementStatus, VirtualMachineGroup};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};
use vmtwin_model::time::Timestamp;
use vmtwin_model::units::MHz;
use vmtwin_model::vsphere::ConfigSpec;
use vmtwin_model::vsphere::answer::{DatastoreInfo, Placement};
use vmtwin_model::vsphere::operation::PlaceVmsXCluster;

use self::tree::Wanted;
use crate::affinity;
use crate::draft::Draft;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Stop};
use crate::placement::candidates::{self, Candidates, Source};
use crate::placement::{datastores, set_policy};
use crate::verdict::Verdict;
use crate::vm::VmDraft;
use crate::vm::create::place::place_across;
use crate::vm::create::prerequisites::{self, Needs};
use crate::vm::create::spec;

pub(super) fn reconcile(cx: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>) -> Flow<()> {
    if !group.spec().group_name.is_empty() || tree::is_placed(cx, group) {
        return Ok(());
    }
    let tree = tree::walk(cx, group).map_err(Verdict::failed)?;
    let (mut children, wanted) = (tree.children, tree.wanted);
    let placements = place(cx, group, &wanted)?;
    let now = cx.now();
    // The children's first: while one of them isn't written, the root's own stay as they were, and all are tried again together.
    for (wanted, placement) in wanted.iter().zip(&placements) {
        if let Some(child) = wanted.group {
            enter(tree::entry_of(&mut children[child], wanted.entry), wanted, placement, now);
        }
    }
    let writes = children.into_iter().filter_map(Draft::into_write).collect();
    for answer in cx.write_all(writes)? {
        answer.map_err(|error| Verdict::failed(format!("failed to patch member group: {error}")))?;
    }
    for (wanted, placement) in wanted.iter().zip(&placements).filter(|(wanted, _)| wanted.group.is_none()) {
        enter(tree::entry_of(group, wanted.entry), wanted, placement, now);
    }
    Ok(())
}

fn enter(entry: &mut GroupMemberStatus, wanted: &Wanted, placement: &GroupPlacementStatus, now: Timestamp) {
    wanted.vm.object.uid().clone_into(&mut entry.uid);
    entry.placement = Some(placement.clone());
    entry.conditions.put(Condition::holds(ConditionType::MemberPlacementReady), now);
}

/// A place for each VM that wants one, in their order. After a failure the root's own members tell it.
fn place(cx: &mut Cx<'_>, group: &mut Draft<VirtualMachineGroup>, wanted: &[Wanted]) -> Flow<Vec<GroupPlacementStatus>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let prepared = prepare(cx, wanted);
    let failures: Vec<String> = prepared.iter().filter_map(|prepared| prepared.as_ref().err().cloned()).collect();
    for (wanted, prepared) in wanted.iter().zip(&prepared) {
        match prepared {
            Err(error) => tell(cx, group, wanted, (Reason::NotReady, error)),
            // What the last attempt said stands until this one says something: else each would change every entry, and wake every VM.
            Ok(_) if failures.is_empty() && is_pending(group, wanted) => {}
            Ok(_) => tell(cx, group, wanted, (Reason::PendingPlacement, "")),
        }
    }
    if !failures.is_empty() {
        return Err(specs_failed(&failures));
    }
    let mut prepared: Vec<Prepared> = prepared.into_iter().flatten().collect();
    let found = ask(cx, group, wanted, &mut prepared);
    if let Err(Stop::End(Verdict::Failed(error))) = &found {
        for wanted in wanted {
            if is_pending(group, wanted) {
                tell(cx, group, wanted, (Reason::PendingPlacement, error));
            }
        }
    }
    found
}

/// Whether the entry of one of the root's own members says that it waits for its place.
fn is_pending(group: &Draft<VirtualMachineGroup>, wanted: &Wanted) -> bool {
    let told = || group.status().members[wanted.entry].conditions.condition(&ConditionType::MemberPlacementReady);
    wanted.group.is_none() && told().is_some_and(|told| told.reason == Reason::PendingPlacement)
}

fn tell(cx: &Cx<'_>, group: &mut Draft<VirtualMachineGroup>, wanted: &Wanted, (reason, message): (Reason, &str)) {
    if wanted.group.is_none() {
        let condition = Condition::fails(ConditionType::MemberPlacementReady, reason, message);
        let there = group.status().members[wanted.entry].conditions.condition(&ConditionType::MemberPlacementReady);
        if there
            .is_some_and(|there| (there.status, &there.reason, &there.message) == (condition.status, &condition.reason, &condition.message))
        {
            return;
        }
        tree::entry_of(group, wanted.entry).conditions.put(condition, cx.now());
    }
}

fn specs_failed(failures: &[String]) -> Stop {
    Verdict::failed(format!("failed to get all VM placement ConfigSpecs: {}", failures.join("\n"))).into()
}

/// A VM with all that its ConfigSpec is made of.
struct Prepared {
    vm: VmDraft,
    needs: Needs,
    child_pool: String,
}

fn prepare(cx: &mut Cx<'_>, wanted: &[Wanted]) -> Vec<Result<Prepared, String>> {
    let mut common_pool: Option<String> = None;
    let mut one = |wanted: &Wanted| {
        let vm = VmDraft::of(wanted.vm.object.clone()).ok_or("a VM is expected")?;
        let needs = prerequisites::for_placement(cx, &vm).map_err(|error| format!("failed to get VM placement prereqs: {error}"))?;
        let child_pool = set_policy::child_pool(needs.set_policy.as_ref());
        if *common_pool.get_or_insert_with(|| child_pool.clone()) != child_pool {
            return Err("all VMs being placed as group must belong to same child ResourcePool".to_owned());
        }
        Ok(Prepared { vm, needs, child_pool })
    };
    wanted.iter().map(&mut one).collect()
}

/// Puts the whole request to vSphere.
fn ask(
    cx: &mut Cx<'_>,
    group: &mut Draft<VirtualMachineGroup>,
    wanted: &[Wanted],
    prepared: &mut [Prepared],
) -> Flow<Vec<GroupPlacementStatus>> {
    let zone = common_zone(wanted).map(str::to_owned);
    let child_pool = prepared.first().map_or("", |prepared| prepared.child_pool.as_str());
    let nodes = wanted.first().is_some_and(|wanted| affinity::is_kubernetes_node(&wanted.vm.object.meta));
    let source = Source::of(cx, nodes);
    let candidates = candidates::find(cx, source, group.namespace(), zone.as_deref(), child_pool)?;
    let cluster = candidates.0.first().and_then(|candidate| candidate.cluster.clone());
    let specs = specs(cx, group, wanted, prepared, cluster.as_ref())?;
    let with_datastores = cx.settings.features.on(Feature::FastDeploy);
    let request = PlaceVmsXCluster {
        resource_pools: candidates.pools(),
        vm_placement_specs: specs,
        host_recomm_required: true,
        datastore_recomm_required: with_datastores,
    };
    let placements = place_across(cx, request)?;
    let known = if with_datastores { Some(datastores::read(cx, &placements)?) } else { None };
    let by_name: BTreeMap<&str, &Placement> = placements.iter().map(|placement| (&*placement.vm_name, placement)).collect();
    let status = |wanted: &Wanted| {
        let (vm, of) = (wanted.vm.name(), &wanted.vm.spec().group_name);
        let missing = || Verdict::failed(format!("no placement result for VM {vm} in group {of}"));
        let placement = by_name.get(vm).ok_or_else(missing)?;
        result(&candidates, placement, known.as_ref())
    };
    wanted.iter().map(status).collect()
}

fn result(
    candidates: &Candidates,
    placement: &Placement,
    known: Option<&BTreeMap<DatastoreId, Arc<DatastoreInfo>>>,
) -> Flow<GroupPlacementStatus> {
    let unknown = || Verdict::failed(format!("no zone assignment for ResourcePool {}", placement.pool));
    Ok(GroupPlacementStatus {
        zone_id: candidates.with_pool(&placement.pool).ok_or_else(unknown)?.zone.to_string(),
        pool: placement.pool.to_string(),
        node: placement.host.as_ref().map(ToString::to_string).unwrap_or_default(),
        datastores: known.map_or_else(|| Ok(Vec::new()), |known| datastores::of(placement, known))?,
    })
}

/// The zone that every VM of the request is labelled with, if they agree.
fn common_zone(wanted: &[Wanted]) -> Option<&str> {
    let mut zones = wanted.iter().map(|wanted| affinity::zone_label(&wanted.vm.object.meta));
    let first = zones.next()??;
    zones.all(|zone| zone == Some(first)).then_some(first)
}

fn specs(
    cx: &mut Cx<'_>,
    group: &mut Draft<VirtualMachineGroup>,
    wanted: &[Wanted],
    prepared: &mut [Prepared],
    cluster: Option<&ClusterId>,
) -> Flow<Vec<Arc<ConfigSpec>>> {
    let clock = clock(cx, prepared, cluster)?;
    let (mut specs, mut failures) = (Vec::new(), Vec::new());
    for (wanted, Prepared { vm, needs, .. }) in wanted.iter().zip(&mut *prepared) {
        let spec = needs.find_policies(cx, vm).and_then(|()| spec::for_placement(cx, vm, needs, clock));
        match spec {
            Ok(spec) => specs.push(Arc::new(spec)),
            Err(Stop::End(Verdict::Failed(error) | Verdict::Terminal(error))) => {
                let error = format!("failed to get VM placement ConfigSpec: {error}");
                tell(cx, group, wanted, (Reason::NotReady, &error));
                failures.push(error);
            }
            Err(other) => return Err(other),
        }
    }
    if failures.is_empty() { Ok(specs) } else { Err(specs_failed(&failures)) }
}

/// The clock that requests in processors are counted at: one for the whole request, and asked for once.
fn clock(cx: &mut Cx<'_>, prepared: &[Prepared], cluster: Option<&ClusterId>) -> Flow<MHz> {
    let Some(class) = prepared.iter().map(|prepared| prepared.needs.class()).find(|class| spec::needs_clock(class)) else {
        return Ok(MHz::ZERO);
    };
    spec::clock_if_needed(cx, class, cluster)
}
