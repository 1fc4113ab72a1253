//! What the quota has granted since it was last reported as used.
//!
//! Page: admission QU-32, crypto-storage §7.3. A grant is for an object, and counts while that object is there and isn't on its way
//! out. A VM that reports what it takes on the datastores counts with that; the growth of its boot disk counts until its report
//! has grown by as much.

use std::collections::BTreeMap;
use std::sync::Arc;

use vmtwin_model::kube::condition::{ConditionStatus, ConditionType};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{Object, ObjectKey, View};
use vmtwin_model::units::Bytes;

use super::{Objects, RequestedCapacity, asked};

/// The grants, by object. A clone shares them until one changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    grants: Arc<BTreeMap<ObjectKey, Grant>>,
}

/// What an object was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    /// The object, for its name may be used again.
    uid: String,
    /// At its creation.
    created: Vec<RequestedCapacity>,
    /// For a larger boot disk, and what the VM reported at the time.
    grown: Vec<(RequestedCapacity, Bytes)>,
}

impl Granted {
    /// Notes what a request was granted, by the object as it is stored. `is_new` says that the request created it.
    pub fn note(&mut self, object: &Object, is_new: bool, asked: Vec<RequestedCapacity>) {
        if asked.iter().all(|asked| asked.capacity == Bytes::ZERO) {
            return;
        }
        let fresh = || Grant { uid: object.uid().to_owned(), created: Vec::new(), grown: Vec::new() };
        let grant = Arc::make_mut(&mut self.grants).entry(object.key.clone()).or_insert_with(fresh);
        if grant.uid != object.uid() {
            *grant = fresh();
        }
        if is_new {
            grant.created = asked;
        } else {
            let reported = object.view::<VirtualMachine>().and_then(reported).unwrap_or_default();
            grant.grown.extend(asked.into_iter().map(|asked| (asked, reported)));
        }
    }

    /// Forgets an object that is gone.
    pub fn forget(&mut self, key: &ObjectKey) {
        if self.grants.contains_key(key) {
            Arc::make_mut(&mut self.grants).remove(key);
        }
    }

    /// The policies of which something was granted in a namespace.
    pub(super) fn policies<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a str> {
        let grants = self.grants.iter().filter(move |(key, _)| *key.namespace == *namespace);
        grants
            .flat_map(|(_, grant)| grant.created.iter().chain(grant.grown.iter().map(|(asked, _)| asked)))
            .map(|asked| asked.policy.as_str())
    }

    /// What the granted objects of a namespace take of a policy.
    pub(super) fn of_policy(&self, objects: &dyn Objects, namespace: &str, policy: &str) -> Bytes {
        let taken = self.grants.iter().filter(|(key, _)| *key.namespace == *namespace).map(|(key, grant)| {
            let Some(object) = objects.get(key).filter(|object| object.uid() == grant.uid && !object.is_deleting()) else {
                return Bytes::ZERO;
            };
            grant.takes(object, policy)
        });
        taken.sum()
    }

    /// What a VM takes: as it reports, else as it was granted, else as its image says.
    pub(super) fn of_vm(&self, objects: &dyn Objects, vm: View<'_, VirtualMachine>) -> Bytes {
        let grant = self.grants.get(&vm.object.key).filter(|grant| grant.uid == vm.object.uid());
        let growth = grant.map_or(Bytes::ZERO, |grant| grant.growth(vm, None));
        let base = reported(vm).or_else(|| grant.filter(|grant| !grant.created.is_empty()).map(|grant| sum(&grant.created, None)));
        base.unwrap_or_else(|| {
            let image = vm.spec.image.as_ref().and_then(|image| asked::image_status(objects, &vm.object.key.namespace, image).ok());
            image.map_or(Bytes::ZERO, asked::capacity_of)
        }) + growth
    }

    /// What a snapshot takes of a policy, as it was granted.
    pub(super) fn of_snapshot(&self, snapshot: &Object, policy: &str) -> Bytes {
        let grant = self.grants.get(&snapshot.key).filter(|grant| grant.uid == snapshot.uid());
        grant.map_or(Bytes::ZERO, |grant| sum(&grant.created, Some(policy)))
    }
}

impl Grant {
    fn takes(&self, object: &Object, policy: &str) -> Bytes {
        let Some(vm) = object.view::<VirtualMachine>() else { return sum(&self.created, Some(policy)) };
        let created = sum(&self.created, Some(policy));
        // A VM that was there before has its report in the totals; its growth isn't yet.
        let base = if self.created.is_empty() { Bytes::ZERO } else { reported(vm).unwrap_or(created) };
        base + self.growth(vm, Some(policy))
    }

    /// What of the granted growth the VM doesn't report yet.
    fn growth(&self, vm: View<'_, VirtualMachine>, policy: Option<&str>) -> Bytes {
        let mut grown = self.grown.iter().filter(|(asked, _)| policy.is_none_or(|policy| policy == asked.policy));
        let Some((first, before)) = grown.next() else { return Bytes::ZERO };
        let all = grown.fold(first.capacity, |sum, (asked, _)| sum + asked.capacity);
        let seen = (reported(vm).unwrap_or_default() - *before).at_least(Bytes::ZERO);
        (all - seen).at_least(Bytes::ZERO)
    }
}

fn sum(asked: &[RequestedCapacity], policy: Option<&str>) -> Bytes {
    asked.iter().filter(|asked| policy.is_none_or(|policy| policy == asked.policy)).map(|asked| asked.capacity).sum()
}

/// What a VM that exists reports to take.
fn reported(vm: View<'_, VirtualMachine>) -> Option<Bytes> {
    let created = vm.status.conditions.iter().find(|condition| condition.type_ == ConditionType::Created)?;
    if created.status == ConditionStatus::True { vm.status.storage.as_ref()?.total } else { None }
}
