//! Requests for the rules' tests: a world in which the plainest objects are admitted, to be varied field by field.

use std::sync::Arc;

use serde_json::{Value, json};
use vmtwin_model::kube::api::{Admitted, ApiError, Review, ReviewVerb, User};
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{Kind, Layout, Object, ObjectKey};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::Timestamp;

use super::cause::Causes;
use super::keys::SKIP_VALIDATION;
use super::request::{Request, Validation};
use super::{AdmissionCx, admit};
use crate::cache::Cache;
use crate::features::Feature;
use crate::settings::Settings;

/// The instant of every request.
pub(super) const NOW: &str = "2026-01-01T00:00:12.5Z";

/// A request in the making.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) settings: Settings,
    cache: Cache,
    user: User,
    old: Option<Value>,
    new: Value,
}

impl Sample {
    /// For a VirtualMachine that names class, image and storage class.
    pub(super) fn vm() -> Self {
        let spec = json!({"className": "my-class", "imageName": "vmi-1", "storageClass": "gold", "powerOffMode": "TrySoft"});
        Self::of("vmoperator.vmware.com/v1alpha5", "VirtualMachine", &spec)
    }

    /// For a VirtualMachineGroup without members.
    pub(super) fn group() -> Self {
        Self::of("vmoperator.vmware.com/v1alpha5", "VirtualMachineGroup", &json!({}))
    }

    /// For a VirtualMachineClass.
    pub(super) fn class() -> Self {
        Self::of("vmoperator.vmware.com/v1alpha5", "VirtualMachineClass", &json!({}))
    }

    /// For a VirtualMachineSnapshot of `my-vm`, where there are snapshots.
    pub(super) fn snapshot() -> Self {
        let spec = json!({"vmName": "my-vm"});
        Self::of("vmoperator.vmware.com/v1alpha5", "VirtualMachineSnapshot", &spec).with(Feature::VMSnapshots)
    }

    /// With this gate on.
    pub(super) fn with(mut self, feature: Feature) -> Self {
        self.settings.features.set(feature, true);
        self
    }

    /// For an object of any other kind.
    pub(super) fn of(api_version: &str, kind: &str, spec: &Value) -> Self {
        let metadata = json!({"name": "my-object", "namespace": "my-namespace"});
        let sample = Self {
            settings: Settings::default(),
            cache: Cache::default(),
            user: User::named("devops@vsphere.local"),
            old: None,
            new: json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}),
        };
        world().into_iter().fold(sample, Self::given)
    }

    /// With one more object there.
    pub(super) fn given(mut self, object: Value) -> Self {
        let object = decode(&object);
        self.cache.apply(&object.key.clone(), Some(Arc::new(object)));
        self
    }

    /// With this in the spec; `null` takes the field out.
    pub(super) fn spec(self, field: &str, value: Value) -> Self {
        self.field("spec", field, value)
    }

    /// With this in the metadata.
    pub(super) fn meta(self, field: &str, value: Value) -> Self {
        self.field("metadata", field, value)
    }

    /// With this in the status.
    pub(super) fn status(self, field: &str, value: Value) -> Self {
        self.field("status", field, value)
    }

    fn field(mut self, part: &str, field: &str, value: Value) -> Self {
        match (value, &mut self.new[part]) {
            (Value::Null, part) => {
                if let Some(part) = part.as_object_mut() {
                    part.remove(field);
                }
            }
            (value, part) => part[field] = value,
        }
        self
    }

    /// With this annotation.
    pub(super) fn annotation(mut self, key: &str, value: &str) -> Self {
        self.new["metadata"]["annotations"][key] = value.into();
        self
    }

    /// With this label.
    pub(super) fn label(mut self, key: &str, value: &str) -> Self {
        self.new["metadata"]["labels"][key] = value.into();
        self
    }

    /// Under another name.
    pub(super) fn named(self, name: &str) -> Self {
        self.meta("name", name.into())
    }

    /// Asked for by a privileged user.
    pub(super) fn privileged(self) -> Self {
        self.asked_by("kubernetes-admin")
    }

    /// Asked for by this user.
    pub(super) fn asked_by(mut self, user: &str) -> Self {
        self.user = User::named(user);
        self
    }

    /// The object so far is what is stored, as mutations would have left it; what follows changes it.
    pub(super) fn stored(self) -> Self {
        let new = self.mutated();
        Self { old: Some(new.clone()), new, ..self }
    }

    /// The object so far is what is stored, as it is.
    pub(super) fn imported(mut self) -> Self {
        self.old = Some(self.new.clone());
        self
    }

    /// What becomes of the request.
    pub(super) fn admitted(&self) -> Admitted {
        let verb = if self.old.is_some() { ReviewVerb::Update } else { ReviewVerb::Create };
        self.ask(verb)
    }

    /// What becomes of a request to delete the object.
    pub(super) fn deleted(&self) -> Admitted {
        self.clone().imported().ask(ReviewVerb::Delete)
    }

    fn ask(&self, verb: ReviewVerb) -> Admitted {
        admit(&self.cx(), &self.review(verb))
    }

    fn cx(&self) -> AdmissionCx<'_> {
        let now = Timestamp::parse(NOW).expect("NOW is an instant");
        AdmissionCx { now, rng: Rng::new(1), settings: &self.settings, cache: &self.cache }
    }

    fn review(&self, verb: ReviewVerb) -> Review {
        let new = decode(&self.new);
        let old = self.old.as_ref().map(|old| Arc::new(decode(old)));
        Review { user: self.user.clone(), verb, key: new.key.clone(), old, new: (verb != ReviewVerb::Delete).then_some(new) }
    }

    /// The new object as it would be stored.
    pub(super) fn created(&self) -> Value {
        assert_eq!(self.old, None, "the sample is an update");
        self.stored_as()
    }

    /// The changed object as it would be stored.
    pub(super) fn updated(&self) -> Value {
        assert_ne!(self.old, None, "the sample is a create");
        self.stored_as()
    }

    fn stored_as(&self) -> Value {
        let admission = self.admitted().unwrap_or_else(|error| panic!("{error}"));
        admission.object.unwrap_or_else(|| decode(&self.new)).to_value()
    }

    /// The object as mutations leave it for a privileged user, whatever validation would say.
    pub(super) fn mutated(&self) -> Value {
        let mut object = self.clone().privileged().annotation(SKIP_VALIDATION, "").stored_as();
        let annotations = object["metadata"]["annotations"].as_object_mut().expect("there is an annotation");
        annotations.remove(SKIP_VALIDATION);
        if annotations.is_empty() {
            object["metadata"].as_object_mut().expect("metadata is a mapping").remove("annotations");
        }
        object
    }

    /// What validation finds wrong.
    pub(super) fn denied(&self) -> Vec<String> {
        let error = self.error();
        let texts: Vec<String> = error.causes.into_iter().map(|cause| cause.message).collect();
        assert_eq!((error.code, after_prefix(&error.message, "validating")), (422, texts.join(", ").as_str()));
        texts
    }

    /// What one rule finds wrong with the object as it was sent.
    pub(super) fn found_by(&self, rule: Validation<VirtualMachine>) -> Vec<String> {
        let review = self.review(ReviewVerb::Update);
        let sent = review.new.as_ref().expect("an update has an object");
        let request = Request::of(&self.cx(), &review, sent).expect("the sample is a VM");
        let mut causes = Causes::new();
        rule(&request, &mut causes);
        causes.into_iter().map(|cause| cause.message).collect()
    }

    /// What a mutation refuses.
    pub(super) fn denied_by_mutation(&self) -> String {
        let error = self.error();
        assert_eq!(error.code, 403);
        after_prefix(&error.message, "mutating").to_owned()
    }

    fn error(&self) -> ApiError {
        self.admitted().expect_err("the request is refused")
    }
}

fn after_prefix<'a>(message: &'a str, stage: &str) -> &'a str {
    let (prefix, text) = message.split_once(" denied the request: ").expect("a webhook's refusal");
    assert!(prefix.starts_with(&format!("admission webhook \"default.{stage}.")), "{message}");
    text
}

fn decode(object: &Value) -> Object {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = Kind::find(&text(&object["apiVersion"]), &text(&object["kind"])).expect("the kind is served");
    let meta = &object["metadata"];
    let body = match kind.info().layout {
        Layout::SpecStatus => object["spec"].clone(),
        Layout::Whole => object.clone(),
    };
    Object {
        key: ObjectKey::new(kind, text(&meta["namespace"]), text(&meta["name"])),
        meta: Arc::new(serde_json::from_value(meta.clone()).expect("metadata is well formed")),
        spec: (kind.info().decode_spec)(body).expect("the spec is well formed"),
        status: (kind.info().decode_status)(object["status"].clone()).expect("the status is well formed"),
        resource_version: 0,
        generation: 0,
    }
}

/// An image, three storage classes (with a plain, an encrypting and an unknown policy) and two zones, one of them going.
fn world() -> Vec<Value> {
    let mut world = vec![json!({
        "apiVersion": "vmoperator.vmware.com/v1alpha5", "kind": "VirtualMachineImage",
        "metadata": {"name": "vmi-1", "namespace": "my-namespace"}, "status": {"name": "ubuntu"}
    })];
    for (number, class, encrypted) in [(1, "gold", Some(false)), (2, "encrypted", Some(true)), (3, "unknown-policy", None)] {
        let id = format!("00000000-0000-4000-8000-00000000000{number}");
        world.push(json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": class},
            "provisioner": "csi.vsphere.vmware.com", "parameters": {"storagePolicyID": id}
        }));
        world.push(json!({
            "apiVersion": "cns.vmware.com/v1alpha2", "kind": "StoragePolicyQuota",
            "metadata": {"name": class, "namespace": "my-namespace"}, "spec": {"storagePolicyId": id}
        }));
        if let Some(encrypted) = encrypted {
            world.push(json!({
                "apiVersion": "infra.vmware.com/v1alpha1", "kind": "StoragePolicy",
                "metadata": {"name": format!("pol-00000000-800000000000000{number}"), "namespace": "vmware-system-vmop"},
                "spec": {"id": id}, "status": {"encrypted": encrypted}
            }));
        }
    }
    for (zone, gone) in [("zone-1", Value::Null), ("zone-gone", "2026-01-01T00:00:00Z".into())] {
        world.push(json!({
            "apiVersion": "topology.tanzu.vmware.com/v1alpha1", "kind": "Zone",
            "metadata": {"name": zone, "namespace": "my-namespace", "deletionTimestamp": gone}
        }));
    }
    world
}
