//! What open passes wait for besides answers, found by what ends it: the work for one change doesn't grow with the waits of others.

use std::collections::{BTreeMap, BTreeSet};

use vmtwin_model::id::VmId;
use vmtwin_model::kube::ObjectKey;
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::vm::PowerState;

use crate::pass::{PassId, Until};

/// The waits of all open passes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    open: BTreeMap<PassId, (Timestamp, Until)>,
    deadlines: BTreeSet<(Timestamp, PassId)>,
    of_vm: BTreeSet<(VmId, PassId)>,
    of_object: BTreeSet<(ObjectKey, PassId)>,
}

impl Waits {
    /// A pass waits, but not beyond the deadline.
    pub(crate) fn add(&mut self, id: PassId, deadline: Timestamp, until: Until) {
        match &until {
            Until::PowerState(vm, _) => drop(self.of_vm.insert((vm.clone(), id))),
            Until::ObjectsChange(keys) => self.of_object.extend(keys.iter().map(|key| (key.clone(), id))),
        }
        self.deadlines.insert((deadline, id));
        self.open.insert(id, (deadline, until));
    }

    /// The next deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes out a wait whose deadline has come.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Option<(PassId, Until)> {
        let &(at, id) = self.deadlines.first()?;
        (at <= now).then(|| (id, self.take(id).expect("deadlines belong to waits")))
    }

    /// The passes that wait for a VM's power state to be this one, the nearest deadline first.
    pub(crate) fn for_power(&self, vm: &VmId, state: PowerState) -> Vec<PassId> {
        let ids = self.of_vm.range((vm.clone(), PassId(0))..).take_while(|(of, _)| of == vm).map(|(_, id)| *id);
        self.by_deadline(ids.filter(|id| matches!(&self.open[id].1, Until::PowerState(_, wanted) if *wanted == state)))
    }

    /// The passes that wait for an object to change, the nearest deadline first.
    pub(crate) fn for_object(&self, key: &ObjectKey) -> Vec<PassId> {
        self.by_deadline(self.of_object.range((key.clone(), PassId(0))..).take_while(|(of, _)| of == key).map(|(_, id)| *id))
    }

    fn by_deadline(&self, ids: impl Iterator<Item = PassId>) -> Vec<PassId> {
        let mut ids = Vec::from_iter(ids);
        ids.sort_unstable_by_key(|id| (self.open[id].0, *id));
        ids
    }

    /// Takes out a pass's wait, if it still has one.
    pub(crate) fn take(&mut self, id: PassId) -> Option<Until> {
        let (deadline, until) = self.open.remove(&id)?;
        self.deadlines.remove(&(deadline, id));
        match &until {
            Until::PowerState(vm, _) => drop(self.of_vm.remove(&(vm.clone(), id))),
            Until::ObjectsChange(keys) => {
                for key in keys {
                    self.of_object.remove(&(key.clone(), id));
                }
            }
        }
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use vmtwin_model::time::Span;

    fn at(secs: i64) -> Timestamp {
        Timestamp::default() + Span::from_secs(secs)
    }

    fn power(vm: &str, state: PowerState) -> Until {
        Until::PowerState(VmId::from(vm), state)
    }

    #[test]
    fn a_wait_is_found_by_what_ends_it_and_ends_once() {
        let mut waits = Waits::default();
        let (a, b) = (ObjectKey::of::<ConfigMap>("ns", "a"), ObjectKey::of::<ConfigMap>("ns", "b"));
        waits.add(PassId(1), at(9), Until::ObjectsChange(vec![a.clone(), b.clone()]));
        waits.add(PassId(2), at(5), Until::ObjectsChange(vec![b.clone()]));
        waits.add(PassId(3), at(7), power("vm-1", PowerState::PoweredOff));
        assert_eq!(waits.for_object(&a), [PassId(1)]);
        assert_eq!(waits.for_object(&b), [PassId(2), PassId(1)], "the nearest deadline first");
        assert_eq!(waits.for_power(&VmId::from("vm-1"), PowerState::PoweredOff), [PassId(3)]);
        assert_eq!(waits.for_power(&VmId::from("vm-1"), PowerState::PoweredOn), []);
        assert_eq!(waits.for_power(&VmId::from("vm-10"), PowerState::PoweredOff), []);
        assert!(waits.take(PassId(1)).is_some() && waits.take(PassId(1)).is_none());
        assert_eq!(waits.for_object(&a), []);
        assert_eq!((waits.next(), waits.expire(at(4))), (Some(at(5)), None));
        assert_eq!(waits.expire(at(5)), Some((PassId(2), Until::ObjectsChange(vec![b.clone()]))));
        assert_eq!((waits.for_object(&b), waits.next()), (vec![], Some(at(7))));
    }
}
