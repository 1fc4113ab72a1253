//! The live objects as checks see them: Kubernetes' from the API server, Events as they were told, the infrastructure's from the twin.

use serde_json::{Value, json};
use vmtwin_model::kube::{Kind, ObjectKey};

use super::simulation::{NoticeRecord, Simulation};
use crate::check::Lookup;
use crate::format::VSPHERE_KINDS;

/// The API group under which the infrastructure's objects are asserted on.
pub const VSPHERE: &str = "vsphere.vmtwin.dev/v1alpha1";

impl Lookup for Simulation {
    fn object(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        if api_version == VSPHERE {
            let name = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
            let object = self.world().objects(kind)?.into_iter().find(|(there, _)| **there == *name)?.1;
            return Some(vsphere(kind, &name, object));
        }
        let kind = Kind::find(api_version, kind)?;
        self.api().get(&ObjectKey::new(kind, namespace, name)).map(|object| object.to_value())
    }

    fn objects(&self, api_version: Option<&str>, kind: &str, namespace: Option<&str>) -> Vec<Value> {
        if api_version == Some(VSPHERE) {
            return self.world().objects(kind).into_iter().flatten().map(|(name, object)| vsphere(kind, &name, object)).collect();
        }
        let found = match api_version {
            Some(version) => Kind::find(version, kind),
            None => Kind::named(kind),
        };
        let Some(kind) = found else { return Vec::new() };
        let mut objects: Vec<Value> = self.api().list(kind, namespace).map(|object| object.to_value()).collect();
        if kind.info().kind == "Event" {
            let told = self.notices().filter(|record| namespace.is_none_or(|namespace| *namespace == *record.notice.object.namespace));
            objects.extend(told.map(event));
        }
        objects
    }
}

fn vsphere(kind: &str, name: &str, mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert("apiVersion".to_owned(), VSPHERE.into());
        fields.insert("kind".to_owned(), kind.into());
        fields.insert("metadata".to_owned(), json!({"name": name}));
    }
    object
}

/// A Kubernetes Event as it would stand in the API server.
fn event(record: &NoticeRecord) -> Value {
    let NoticeRecord { notice, count, first, last } = record;
    let object = &notice.object;
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": format!("{}.{}", object.name, notice.reason), "namespace": object.namespace},
        "involvedObject": {"apiVersion": object.kind.info().api_version(), "kind": object.kind.info().kind, "namespace": object.namespace, "name": object.name},
        "type": if notice.warning { "Warning" } else { "Normal" },
        "reason": notice.reason,
        "message": notice.message,
        "count": count,
        "firstTimestamp": first,
        "lastTimestamp": last,
    })
}

/// All objects: Kubernetes' in the order of their keys, then the infrastructure's.
pub(super) fn everything(simulation: &Simulation) -> Vec<Value> {
    let mut objects: Vec<Value> = simulation.api().objects().map(|object| object.to_value()).collect();
    for kind in VSPHERE_KINDS {
        objects.extend(Lookup::objects(simulation, Some(VSPHERE), kind, None));
    }
    objects
}
