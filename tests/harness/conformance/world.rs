//! What checks look at: the final objects, Kubernetes' and the infrastructure's, and the records of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use vmtwin_engine::{Passed, Verdict};
use vmtwin_model::kube::ObjectKey;
use vmtwin_model::time::Span;
use vmtwin_scenarios::log::{Data, Event, Outcome, Record};
use vmtwin_scenarios::runner::{Ran, VSPHERE};

/// The end of a run, and its history.
#[derive(Debug)]
pub(super) struct World<'a> {
    given: &'a Value,
    objects: &'a [Value],
    records: &'a [Arc<Record>],
    /// By which other texts a name or an id of the infrastructure is known.
    aliases: BTreeMap<String, BTreeSet<String>>,
    /// The VMs of an object, by its namespaced name: their ids.
    vms_of: BTreeMap<String, BTreeSet<String>>,
}

/// A call of the operator, with its end.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    /// Its record.
    pub(super) record: &'a Record,
    /// Its arguments under the API's names.
    pub(super) data: Value,
    /// How it ended; nothing while it is under way.
    pub(super) succeeded: Option<bool>,
}

impl<'a> World<'a> {
    pub(super) fn new(case: &'a Value, ran: &'a Ran) -> Self {
        let mut world = Self {
            given: &case["given"],
            objects: &ran.final_objects,
            records: &ran.records,
            aliases: BTreeMap::new(),
            vms_of: BTreeMap::new(),
        };
        for object in world.infrastructure() {
            if let (Some(name), Some(id)) = (object["name"].as_str(), object["moID"].as_str()) {
                world.aliases.entry(name.to_owned()).or_default().insert(id.to_owned());
            }
        }
        for record in &ran.records {
            if let (Some(id), Some(key)) = (&record.vsphere, &record.object) {
                world.vms_of.entry(key.namespaced_name()).or_default().insert(id.to_string());
            }
        }
        world
    }

    fn infrastructure(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.objects.iter().filter(|object| object["apiVersion"] == VSPHERE)
    }

    /// The Kubernetes object of a reference `Kind/namespace/name` or `Kind/name`.
    pub(super) fn object(&self, reference: &str) -> Option<&'a Value> {
        let parts: Vec<&str> = reference.splitn(3, '/').collect();
        let (kind, namespace, name) = match parts[..] {
            [kind, namespace, name] => (kind, namespace, name),
            [kind, name] => (kind, "", name),
            _ => return None,
        };
        self.of_kind(kind).find(|object| {
            let meta = &object["metadata"];
            meta["name"] == name && meta["namespace"].as_str().unwrap_or_default() == namespace
        })
    }

    /// All Kubernetes objects of a kind.
    pub(super) fn of_kind<'k>(&self, kind: &'k str) -> impl Iterator<Item = &'a Value> + use<'a, 'k> {
        self.objects.iter().filter(move |object| object["apiVersion"] != VSPHERE && object["kind"] == kind)
    }

    /// The hypervisor's VM, by id or by name.
    pub(super) fn vm(&self, which: &str) -> Option<&'a Value> {
        let is_it = |object: &Value| [&object["moID"], &object["metadata"]["name"], &object["name"]].contains(&&Value::from(which));
        self.infrastructure().find(|object| object["kind"] == "VirtualMachine" && is_it(object))
    }

    /// Another object of the infrastructure: `Kind` or `Kind/name`.
    pub(super) fn inventory(&self, reference: &str) -> Option<&'a Value> {
        let (kind, name) = reference.split_once('/').map_or((reference, None), |(kind, name)| (kind, Some(name)));
        self.infrastructure().find(|object| {
            object["kind"] == kind
                && name.is_none_or(|name| object["name"] == name || object["moID"] == name || object["metadata"]["name"] == name)
        })
    }

    /// Whether two texts name the same host, pool or folder.
    pub(super) fn same_reference(&self, a: &str, b: &str) -> bool {
        let knows = |a: &str, b: &str| self.aliases.get(a).is_some_and(|ids| ids.contains(b));
        a == b || knows(a, b) || knows(b, a)
    }

    /// The object as it was at an instant of the run: what was written last up to then, else what the case gives.
    pub(super) fn object_at(&self, reference: &str, elapsed: Span) -> Option<Value> {
        let now = self.object(reference)?;
        let (kind, meta) = (now["kind"].as_str()?, &now["metadata"]);
        let is_it = |key: &ObjectKey| {
            key.kind.info().kind == kind
                && *key.name == *meta["name"].as_str().unwrap_or_default()
                && *key.namespace == *meta["namespace"].as_str().unwrap_or_default()
        };
        let mut writes = self.records.iter().filter_map(|record| match &record.data {
            Data::Change(change) if change.after.as_ref().is_some_and(|after| is_it(&after.key)) => Some((record.elapsed, change)),
            _ => None,
        });
        let last = writes.clone().rfind(|(at, _)| *at <= elapsed);
        if let Some((_, change)) = last {
            return change.after.as_ref().map(|after| after.to_value());
        }
        match writes.next() {
            Some((_, change)) => change.before.as_ref().map(|before| before.to_value()),
            None => Some(now.clone()),
        }
        .or_else(|| self.given.as_array()?.iter().find(|given| given["kind"] == kind && given["metadata"]["name"] == meta["name"]).cloned())
    }

    /// The operator's calls, reads excepted, in their order.
    pub(super) fn calls(&self) -> Vec<Call<'a>> {
        let mut ends: BTreeMap<u64, bool> = BTreeMap::new();
        for record in self.records.iter().filter(|record| record.event == Event::Task) {
            if let Some(outcome) = &record.result {
                ends.insert(record.cause.0, *outcome == Outcome::Success);
            }
        }
        let call = |record: &'a Arc<Record>| {
            let Data::Call(operation) = &record.data else { return None };
            Some(Call { record, data: operation.arguments(), succeeded: ends.get(&record.seq).copied() })
        };
        self.records.iter().filter(|record| record.event == Event::Operation).filter_map(call).collect()
    }

    /// Whether a call is about a VM, given by id or by name; the call that makes it counts, too.
    pub(super) fn is_about(&self, call: &Call<'_>, vm: &str) -> bool {
        let object = call.record.object.as_ref().map(ObjectKey::namespaced_name).unwrap_or_default();
        match call.record.vsphere.as_deref() {
            Some(id) if id == vm => true,
            Some(id) => self.vms_of.get(vm).is_some_and(|ids| ids.contains(id)) || self.vm(vm).is_some_and(|there| there["moID"] == id),
            None => object == vm || self.vms_of.get(&object).is_some_and(|ids| ids.contains(vm)),
        }
    }

    /// How the passes of an object ended; of all, without one.
    pub(super) fn passes(&self, reference: Option<&str>) -> impl Iterator<Item = &'a Passed> {
        let ended = self.records.iter().filter_map(|record| match &record.data {
            Data::Passed(passed) => Some(&**passed),
            _ => None,
        });
        ended.filter(move |passed| reference.is_none_or(|wanted| passed.key.object.to_string() == wanted))
    }

    /// The passes of an object that ended in an error: the text, and whether it is tried again by itself.
    pub(super) fn errors(&self, reference: Option<&str>) -> impl Iterator<Item = (String, bool)> {
        self.passes(reference).filter_map(|passed| Some((passed.verdict.error()?.to_string(), looks_again(passed))))
    }

    /// The Kubernetes Events on an object, or all of them: reason, message, warning.
    pub(super) fn events(&self, reference: Option<&str>) -> impl Iterator<Item = (String, String, bool)> {
        self.records.iter().filter(|record| record.event == Event::Event).filter_map(move |record| {
            record.object.as_ref().filter(|key| reference.is_none_or(|wanted| key.to_string() == wanted))?;
            let (reason, message) = record.message.split_once(": ")?;
            Some((reason.to_owned(), message.to_owned(), record.result.is_some()))
        })
    }
}

/// Whether the operator looks again by itself after a pass.
pub(super) fn looks_again(passed: &Passed) -> bool {
    matches!(passed.verdict, Verdict::Failed(_) | Verdict::Again { .. })
}

/// Names the pool of each VM by its id: the pools of a namespace have one name in all clusters, and a VM is in that of its host's.
pub(super) fn name_pools_exactly(objects: &mut [Value]) {
    let of_kind = |kind: &str| -> Vec<Value> {
        objects.iter().filter(|object| object["apiVersion"] == VSPHERE && object["kind"] == kind).cloned().collect()
    };
    let (hosts, pools) = (of_kind("HostSystem"), of_kind("ResourcePool"));
    for vm in objects.iter_mut().filter(|object| object["apiVersion"] == VSPHERE && object["kind"] == "VirtualMachine") {
        let cluster = hosts.iter().find(|host| host["name"] == vm["runtime"]["host"]).map(|host| &host["parent"]);
        let pool = pools.iter().find(|pool| pool["name"] == vm["resourcePool"] && Some(&pool["owner"]) == cluster);
        if let Some(id) = pool.map(|pool| &pool["moID"]).filter(|id| id.is_string()) {
            vm["resourcePool"] = id.clone();
        }
    }
}
