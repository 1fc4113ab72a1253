//! The VirtualMachineSetResourcePolicy controller: makes the pool in every cluster of the namespace, the folder, and a cluster module for
//! every group in every cluster; with the policy they go. Source: placement-groups §8, vsphere §5.
//!
//! What exists is taken as it is; a pool or module of a cluster that no longer backs the namespace leaves the status, the pool itself
//! stays where it is.
//!
//! Mirrors: vm-operator `controllers/virtualmachinesetresourcepolicy`, `vmprovider_resourcepolicy.go`.

use std::sync::Arc;

use vmtwin_model::id::{ClusterId, FolderId, PoolId};
use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class::ResourceSpec;
use vmtwin_model::kube::virtual_machine_set_resource_policy::{
    ClusterModuleStatus, ResourcePoolSpec, ResourcePoolStatus, VirtualMachineSetResourcePolicy,
};
use vmtwin_model::units::{Amount, Bytes, MHz};
use vmtwin_model::vsphere::operation::{PoolShare, PoolSpec};
use vmtwin_model::vsphere::{Operation, Reply};

use crate::draft::Draft;
use crate::pass::{Cx, Flow, Stop};
use crate::placement::candidates::{self, Source};
use crate::verdict::Verdict;
use crate::vm::{ask, text_of};

type Policy = Draft<VirtualMachineSetResourcePolicy>;

const FINALIZER: &str = "vmoperator.vmware.com/virtualmachinesetresourcepolicy";

/// One pass.
pub(crate) fn run(cx: &mut Cx<'_>) -> (Flow<Verdict>, Option<Write>) {
    let Some(mut policy) = cx.subject().and_then(Draft::of) else { return (Ok(Verdict::Done), None) };
    let result = reconcile(cx, &mut policy);
    let write = if matches!(result, Err(Stop::Suspended)) { None } else { policy.into_write() };
    (result, write)
}

fn reconcile(cx: &mut Cx<'_>, policy: &mut Policy) -> Flow<Verdict> {
    if policy.base().is_deleting() {
        return delete(cx, policy);
    }
    if !policy.has_finalizer(FINALIZER) {
        policy.add_finalizer(FINALIZER);
        return Ok(Verdict::Progress("added finalizer"));
    }
    let wants_pool = policy.spec().resource_pool.as_ref().is_some_and(|pool| !pool.name.is_empty());
    if !wants_pool && policy.spec().folder.is_empty() && policy.spec().cluster_module_groups.is_empty() {
        return Ok(Verdict::Done);
    }
    let clusters = candidates::clusters(cx, &policy.namespace().clone())?;
    make_folder(cx, policy)?;
    make_pools(cx, policy, &clusters)?;
    make_modules(cx, policy, &clusters)?;
    Ok(Verdict::Done)
}

fn delete(cx: &mut Cx<'_>, policy: &mut Policy) -> Flow<Verdict> {
    let names_it = |vm: &crate::pass::Known<VirtualMachine>| {
        vm.spec().reserved.as_ref().is_some_and(|reserved| reserved.resource_policy_name == **policy.name())
    };
    if let Some(vm) = cx.list::<VirtualMachine>(&policy.namespace().clone()).iter().find(|vm| names_it(vm)) {
        let (vm, own) = (vm.object.key.namespaced_name(), policy.base().key.namespaced_name());
        let text =
            format!("failing VirtualMachineSetResourcePolicy deletion since VM: '{vm}' is referencing it, resourcePolicyName: '{own}'");
        return Err(Verdict::failed(text).into());
    }
    delete_pools(cx, policy)?;
    for module in policy.status().clustermodules.clone() {
        delete_module(cx, &module)?;
    }
    delete_folder(cx, policy)?;
    policy.remove_finalizer(FINALIZER);
    Ok(Verdict::Done)
}

/// Deletes the child pool in every cluster of the namespace.
fn delete_pools(cx: &mut Cx<'_>, policy: &Policy) -> Flow<()> {
    let name: Arc<str> = policy.spec().resource_pool.as_ref().map(|pool| pool.name.as_str()).unwrap_or_default().into();
    if name.is_empty() {
        return Ok(());
    }
    // A namespace that has no zone any more has no pools either.
    for (_, entity) in candidates::clusters(cx, &policy.namespace().clone()).or_else(nothing_left)? {
        let find = Operation::FindChildPool { entity, name: name.clone() };
        let found = child(cx, find, "failed to find child resource pool")?;
        if let Some(id) = found {
            destroy(cx, Operation::DestroyPool { pool: PoolId::from(&*id) }, "failed to delete child resource pool")?;
        }
    }
    Ok(())
}

/// Deletes the child folder.
fn delete_folder(cx: &mut Cx<'_>, policy: &Policy) -> Flow<()> {
    let name: Arc<str> = policy.spec().folder.as_str().into();
    if name.is_empty() {
        return Ok(());
    }
    let Some(entity) = candidates::folder(cx, Source::Zones, &policy.namespace().clone()).map(Some).or_else(nothing_left)? else {
        return Ok(());
    };
    if let Some(id) = child(cx, Operation::FindChildFolder { entity, name }, "failed to find child folder")? {
        destroy(cx, Operation::DestroyFolder { folder: FolderId::from(&*id) }, "failed to delete child folder")?;
    }
    Ok(())
}

/// What a namespace without zones has.
fn nothing_left<T: Default>(stop: Stop) -> Flow<T> {
    match stop {
        Stop::Suspended => Err(stop),
        Stop::End(_) => Ok(T::default()),
    }
}

/// The child that a search finds; what it would be searched below may be gone already.
fn child(cx: &mut Cx<'_>, find: Operation, what: &str) -> Flow<Option<Arc<str>>> {
    match cx.call(find.clone())? {
        Ok(Reply::Child(found)) => Ok(found),
        Ok(other) => unreachable!("a search for a child answered {other:?}"),
        Err(failure) if failure.is_a("ManagedObjectNotFound") => Ok(None),
        Err(failure) => Err(Verdict::failed(format!("{what}: {}", text_of(&find, &failure))).into()),
    }
}

/// Destroys a pool or folder; one that is gone already is as good.
fn destroy(cx: &mut Cx<'_>, operation: Operation, what: &str) -> Flow<()> {
    match cx.call(operation.clone())? {
        Err(failure) if !failure.is_a("ManagedObjectNotFound") => {
            Err(Verdict::failed(format!("{what}: {}", text_of(&operation, &failure))).into())
        }
        _ => Ok(()),
    }
}

/// Deletes a module; one that is gone already is as good.
fn delete_module(cx: &mut Cx<'_>, module: &ClusterModuleStatus) -> Flow<()> {
    let operation = Operation::DeleteModule { module: module.module_uuid.as_str().into() };
    match cx.call(operation.clone())? {
        Err(failure) if !failure.is_a("ManagedObjectNotFound") => {
            Err(Verdict::failed(format!("failed to delete cluster module: {}", text_of(&operation, &failure))).into())
        }
        _ => Ok(()),
    }
}

fn make_folder(cx: &mut Cx<'_>, policy: &Policy) -> Flow<()> {
    let name: Arc<str> = policy.spec().folder.as_str().into();
    if name.is_empty() {
        return Ok(());
    }
    let entity: FolderId = candidates::folder(cx, Source::Zones, &policy.namespace().clone())?;
    let find = Operation::FindChildFolder { entity: entity.clone(), name: name.clone() };
    let Reply::Child(found) = ask(cx, find, "failed to find child folder")? else { unreachable!("a child was asked for") };
    if found.is_none() {
        ask(cx, Operation::CreateFolder { entity, name }, "failed to create child folder")?;
    }
    Ok(())
}

fn make_pools(cx: &mut Cx<'_>, policy: &mut Policy, clusters: &[(ClusterId, PoolId)]) -> Flow<()> {
    let mut pools = policy.status().resource_pools.clone();
    pools.retain(|pool| clusters.iter().any(|(cluster, _)| pool.cluster_mo_id == cluster.as_str()));
    if let Some(spec) = policy.spec().resource_pool.clone().filter(|pool| !pool.name.is_empty()) {
        for (cluster, parent) in clusters {
            let child = make_pool(cx, cluster, parent, &spec)?;
            match pools.iter_mut().find(|pool| pool.cluster_mo_id == cluster.as_str()) {
                Some(pool) => child.clone_into(&mut pool.child_resource_pool_mo_id),
                None => {
                    pools.push(ResourcePoolStatus { cluster_mo_id: cluster.to_string(), child_resource_pool_mo_id: child });
                }
            }
        }
    }
    if pools != policy.status().resource_pools {
        policy.status_mut().resource_pools = pools;
    }
    Ok(())
}

/// The child pool in one cluster, made if it isn't there.
fn make_pool(cx: &mut Cx<'_>, cluster: &ClusterId, parent: &PoolId, spec: &ResourcePoolSpec) -> Flow<String> {
    let name: Arc<str> = spec.name.as_str().into();
    let find = Operation::FindChildPool { entity: parent.clone(), name: name.clone() };
    let Reply::Child(found) = ask(cx, find, "failed to find child resource pool")? else { unreachable!("a child was asked for") };
    if let Some(id) = found {
        return Ok(id.to_string());
    }
    let spec = allocations(cx, cluster, spec)?;
    let make = Operation::CreateResourcePool { entity: parent.clone(), name, spec };
    let Reply::Child(made) = ask(cx, make, "failed to create child resource pool")? else { unreachable!("a pool was made") };
    Ok(made.map(|id| id.to_string()).unwrap_or_default())
}

/// Reservations and limits in MHz, at the clock of the cluster's slowest host, and MB.
fn allocations(cx: &mut Cx<'_>, cluster: &ClusterId, spec: &ResourcePoolSpec) -> Flow<PoolSpec> {
    let cpu = |part: &Option<ResourceSpec>| part.as_ref().and_then(|part| Amount::parse(&part.cpu.as_ref()?.0).ok());
    let memory = |part: &Option<ResourceSpec>| part.as_ref().and_then(|part| Amount::parse(&part.memory.as_ref()?.0).ok());
    let clock = if cpu(&spec.reservations).or(cpu(&spec.limits)).is_some() {
        let ask_clock = Operation::MinClusterCpu { cluster: cluster.clone() };
        let Reply::Clock(clock) = ask(cx, ask_clock, "failed to get minimum CPU frequency")? else { unreachable!("a clock was asked for") };
        clock
    } else {
        MHz::ZERO
    };
    let in_mhz = |amount: Amount| (amount.milli_up().saturating_mul(clock.0) + 999) / 1000;
    let in_mb = |amount: Amount| Bytes(amount.value_up()).to_mib_up().0;
    let share = |reservation: Option<i64>, limit: Option<i64>| PoolShare {
        reservation: reservation.unwrap_or(0),
        limit: limit.filter(|limit| *limit > 0).unwrap_or(-1),
    };
    Ok(PoolSpec {
        cpu_allocation: share(cpu(&spec.reservations).map(in_mhz), cpu(&spec.limits).map(in_mhz)),
        memory_allocation: share(memory(&spec.reservations).map(in_mb), memory(&spec.limits).map(in_mb)),
    })
}

fn make_modules(cx: &mut Cx<'_>, policy: &mut Policy, clusters: &[(ClusterId, PoolId)]) -> Flow<()> {
    let groups = policy.spec().cluster_module_groups.clone();
    let mut modules = policy.status().clustermodules.clone();
    if groups.is_empty() && modules.is_empty() {
        return Ok(());
    }
    let Reply::Modules(there) = ask(cx, Operation::ListModules {}, "failed to list cluster modules")? else {
        unreachable!("the modules were asked for")
    };
    let exists = |uuid: &str, cluster: &ClusterId| there.iter().any(|(id, of)| **id == *uuid && of == cluster);
    for (cluster, _) in clusters {
        for group in &groups {
            let own = modules.iter().position(|module| module.group_name == *group && module.cluster_mo_id == cluster.as_str());
            let unclaimed = || {
                let is_free = |module: &ClusterModuleStatus| {
                    module.group_name == *group && module.cluster_mo_id.is_empty() && exists(&module.module_uuid, cluster)
                };
                modules.iter().position(is_free)
            };
            match own.or_else(unclaimed) {
                Some(at) if exists(&modules[at].module_uuid, cluster) => modules[at].cluster_mo_id = cluster.to_string(),
                Some(at) => modules[at].module_uuid = make_module(cx, cluster)?,
                None => modules.push(ClusterModuleStatus {
                    cluster_mo_id: cluster.to_string(),
                    group_name: group.clone(),
                    module_uuid: make_module(cx, cluster)?,
                }),
            }
        }
    }
    let backs = |module: &ClusterModuleStatus| clusters.iter().any(|(cluster, _)| module.cluster_mo_id == cluster.as_str());
    let (kept, gone): (Vec<_>, Vec<_>) = modules.into_iter().partition(backs);
    for module in &gone {
        // As far as it can be: a module that stays behind is nobody's.
        let _deleted = cx.call(Operation::DeleteModule { module: module.module_uuid.as_str().into() })?;
    }
    if kept != policy.status().clustermodules {
        policy.status_mut().clustermodules = kept;
    }
    Ok(())
}

fn make_module(cx: &mut Cx<'_>, cluster: &ClusterId) -> Flow<String> {
    let make = Operation::CreateModule { cluster: cluster.clone() };
    let Reply::Module(id) = ask(cx, make, "failed to create cluster module")? else { unreachable!("a module was made") };
    Ok(id.to_string())
}
