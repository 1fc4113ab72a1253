//! The VM's membership in the cluster module of its set resource policy. Source: placement-groups §8, vm-lifecycle §11.2.
//!
//! Mirrors: vm-operator `vmprovider_vm.go`, `reconcileClusterModule`; `clustermodules/cluster_modules.go`.

use vmtwin_model::vsphere::{self, Operation, Reply};

use crate::pass::{Cx, Flow};
use crate::placement::set_policy;
use crate::verdict::Verdict;
use crate::vm::{VmDraft, ask};

/// Makes the VM a member, if its object names a group and it is none yet.
pub(super) fn join(cx: &mut Cx<'_>, draft: &VmDraft, vm: &vsphere::VirtualMachine) -> Flow<()> {
    if !set_policy::names_module_group(draft) {
        return Ok(());
    }
    let policy = set_policy::find(cx, draft).transpose().map_err(|(_, error)| Verdict::failed(error))?;
    let module = set_policy::module(draft, policy.as_ref(), vm.location.cluster.as_ref()).map_err(Verdict::failed)?;
    let Some(module) = module else { return Ok(()) };
    let list = Operation::ListModuleMembers { module: module.clone() };
    let Reply::Found(members) = ask(cx, list, "failed to list cluster module members")? else { unreachable!("members were asked for") };
    if !members.contains(&vm.id) {
        let add = Operation::AddModuleMembers { module, vms: vec![vm.id.clone()] };
        ask(cx, add, "failed to add to cluster module")?;
    }
    Ok(())
}
