//! A VM's set resource policy: the child pool and folder that it is made in, and its cluster module. Source: placement-groups §8,
//! vm-lifecycle §6.1.
//!
//! Mirrors: vm-operator `vmprovider_vm.go`, `vmCreateGetSetResourcePolicy`; `vmprovider_vm_utils.go`, `GetVMSetResourcePolicy`.

use std::sync::Arc;

use vmtwin_model::id::ClusterId;
use vmtwin_model::kube::virtual_machine_set_resource_policy::VirtualMachineSetResourcePolicy;
use vmtwin_model::kube::{Reason, Resource};

use crate::pass::{Cx, Known};
use crate::vm::VmDraft;
use crate::vm::create::prerequisites::not_found;

/// A set resource policy, as far as a VM needs it.
pub(crate) type Policy = Known<VirtualMachineSetResourcePolicy>;

/// The policy that a VM names, or why it can't be used; nothing where it names none.
pub(crate) fn find(cx: &mut Cx<'_>, vm: &VmDraft) -> Option<Result<Policy, (Reason, String)>> {
    let name = vm.spec().reserved.as_ref().map(|reserved| reserved.resource_policy_name.clone()).filter(|name| !name.is_empty())?;
    let kind = VirtualMachineSetResourcePolicy::KIND;
    Some(match cx.find::<VirtualMachineSetResourcePolicy>(&vm.namespace().clone(), &name) {
        None => Err((Reason::NotFound, not_found(kind, &name))),
        Some(policy) if policy.object.is_deleting() => {
            Err((Reason::NotReady, format!("VirtualMachineSetResourcePolicy {name:?} is being deleted")))
        }
        Some(policy) if !is_ready(&policy) => Err((Reason::NotReady, format!("VirtualMachineSetResourcePolicy {name:?} is not ready"))),
        Some(policy) => Ok(policy),
    })
}

/// Whether what the policy asks for was made.
fn is_ready(policy: &Policy) -> bool {
    child_pool(Some(policy)).is_empty() || !policy.status().resource_pools.is_empty()
}

/// The name of the pool below each candidate; empty without one.
pub(crate) fn child_pool(policy: Option<&Policy>) -> String {
    policy.and_then(|policy| policy.spec().resource_pool.as_ref()).map(|pool| pool.name.clone()).unwrap_or_default()
}

/// The name of the folder below the namespace's; empty without one.
pub(crate) fn child_folder(policy: Option<&Policy>) -> String {
    policy.map(|policy| policy.spec().folder.clone()).unwrap_or_default()
}

/// On a VM: the cluster module group of its policy.
const MODULE_GROUP: &str = "vsphere-cluster-module-group";

/// Whether a VM names a group of cluster modules.
pub(crate) fn names_module_group(vm: &VmDraft) -> bool {
    vm.annotation(MODULE_GROUP).is_some_and(|group| !group.is_empty())
}

/// The cluster module that a VM in this cluster belongs to; nothing where it names no group.
pub(crate) fn module(vm: &VmDraft, policy: Option<&Policy>, cluster: Option<&ClusterId>) -> Result<Option<Arc<str>>, &'static str> {
    let Some(group) = vm.annotation(MODULE_GROUP).filter(|group| !group.is_empty()) else { return Ok(None) };
    let policy = policy.ok_or("cannot set cluster module without resource policy")?;
    let cluster = cluster.map(ClusterId::as_str).unwrap_or_default();
    let of_group = |module: &&vmtwin_model::kube::virtual_machine_set_resource_policy::ClusterModuleStatus| {
        module.group_name == group && module.cluster_mo_id == cluster && !module.module_uuid.is_empty()
    };
    let module = policy.status().clustermodules.iter().find(of_group);
    module.map(|module| Some(module.module_uuid.as_str().into())).ok_or("VirtualMachineSetResourcePolicy cluster module is not ready")
}
