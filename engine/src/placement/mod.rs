//! What a place for VMs is looked for with, and what comes back: the pools that are offered, the zones that claims leave, the texts
//! of faults. Who asks (one VM, or the root of a group's tree) is in `vm::create::place` and `group::placement`. Source:
//! placement-groups §3.

pub(crate) mod candidates;
pub(crate) mod claims;
pub(crate) mod datastores;
pub(crate) mod fault;
pub(crate) mod set_policy;
