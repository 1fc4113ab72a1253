//! Records for tests, made by hand.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use vmtwin_model::Cause;
use vmtwin_model::kube::api::WatchEvent;
use vmtwin_model::kube::{Kind, Object, ObjectKey};
use vmtwin_model::time::{Span, Timestamp};

use crate::log::{Data, Event, Outcome, Record, Source};

/// A record in the making.
pub(super) struct Sample(Record);

impl Sample {
    pub(super) fn new(source: Source, event: Event, message: &str) -> Self {
        Self(Record {
            seq: 1,
            at: Timestamp::default(),
            elapsed: Span::ZERO,
            source,
            event,
            object: None,
            vsphere: None,
            operation: None,
            task: None,
            result: None,
            message: message.into(),
            cause: Cause(0),
            data: Data::Nothing,
        })
    }

    pub(super) fn seq(mut self, seq: u64) -> Self {
        self.0.seq = seq;
        self
    }

    pub(super) fn cause(mut self, cause: u64) -> Self {
        self.0.cause = Cause(cause);
        self
    }

    pub(super) fn at_millis(mut self, millis: i64) -> Self {
        self.0.elapsed = Span::from_millis(millis);
        self
    }

    pub(super) fn on(mut self, object: ObjectKey) -> Self {
        self.0.object = Some(object);
        self
    }

    pub(super) fn operation(mut self, method: &'static str) -> Self {
        self.0.operation = Some(method);
        self
    }

    pub(super) fn task(mut self, task: &str) -> Self {
        self.0.task = Some(task.into());
        self
    }

    pub(super) fn result(mut self, result: Outcome) -> Self {
        self.0.result = Some(result);
        self
    }

    pub(super) fn data(mut self, data: Data) -> Self {
        self.0.data = data;
        self
    }

    pub(super) fn build(self) -> Record {
        self.0
    }
}

pub(super) fn key(kind: &str, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey::new(Kind::named(kind).expect("a kind"), namespace, name)
}

/// A record about the VM of this name.
pub(super) fn about(namespace: &str, name: &str) -> Record {
    Sample::new(Source::Operator, Event::Wake, "").on(key("VirtualMachine", namespace, name)).build()
}

/// A VM with this spec and status.
pub(super) fn object(spec: Value, status: Value) -> Arc<Object> {
    let meta = ObjectMeta { name: Some("a".to_owned()), namespace: Some("ns".to_owned()), ..ObjectMeta::default() };
    Arc::new(Object {
        key: key("VirtualMachine", "ns", "a"),
        meta: Arc::new(meta),
        spec: Arc::new(spec),
        status: Arc::new(status),
        resource_version: 1,
        generation: 1,
    })
}

pub(super) fn change(before: Option<Arc<Object>>, after: Option<Arc<Object>>) -> WatchEvent {
    WatchEvent { key: key("VirtualMachine", "ns", "a"), before, after }
}
