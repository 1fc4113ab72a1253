//! What the last pass of a group found, so that the next one looks only at what changed since. It is a shortcut and never a source: a pass
//! that finds the group other than it was left, or an operator that just started, looks at everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use vmtwin_model::kube::ObjectKey;
use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::object::Body;
use vmtwin_model::kube::virtual_machine_group::VirtualMachineGroup;

use super::power::Order;
use super::tally::Tally;
use crate::draft::Draft;

/// How a pass left a group.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    spec: Arc<dyn Body>,
    status: Arc<dyn Body>,
    /// What all members were given.
    order: Option<Order>,
    tally: Tally,
}

/// What a pass knows beforehand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// How the last pass left the group.
    pub(crate) memory: Option<Arc<Memory>>,
    /// Which objects that named the group changed since that pass began.
    pub(crate) stirred: Arc<BTreeSet<ObjectKey>>,
}

impl Memory {
    /// The memory of a pass that looked after the members, with nothing that is to be tried again. It isn't through yet.
    pub(super) fn of_members(group: &Draft<VirtualMachineGroup>, order: Option<Order>) -> Self {
        let base = group.base();
        Self { spec: base.spec.clone(), status: base.status.clone(), order, tally: Tally::default() }
    }

    /// The memory at the end of the pass, which leaves the group by this write.
    pub(super) fn at_the_end(self, write: Option<&Write>, tally: Tally) -> Self {
        let written = match write {
            Some(Write::Update { status, .. }) => status.clone(),
            _ => None,
        };
        Self { status: written.unwrap_or(self.status), tally, ..self }
    }

    /// Whether a member that didn't change needs nothing: the group is as it was left, and its order the same.
    pub(super) fn fits(&self, group: &Draft<VirtualMachineGroup>, order: Option<&Order>) -> bool {
        let same_order = match (&self.order, order) {
            (None, None) => true,
            (Some(before), Some(order)) => before.asks_the_same(order),
            _ => false,
        };
        same_order && Arc::ptr_eq(&self.spec, &group.base().spec) && Arc::ptr_eq(&self.status, &group.base().status)
    }

    /// What the list of members came to.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }
}
