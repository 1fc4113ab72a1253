//! The judge: an API server with what exists, and the operator's admission in front of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::{Value, json};
use vmtwin_apiserver::{ApiServer, Asked, IdOrder, Response, Reviewed, in_stored_version};
use vmtwin_engine::features::{Feature, UnknownGate};
use vmtwin_engine::storage_quota::Granted;
use vmtwin_engine::{Engine, Input, NetworkProvider, Settings};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Admitted, ApiError, PatchKind, Request, ReviewVerb, Subresource, User, WatchEvent};
use vmtwin_model::kube::{Kind, Object, ObjectKey, Resource, Scope};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::Timestamp;
use vmtwin_model::vsphere::inventory::StoragePolicy;

use super::manifests::Document;
use super::surroundings::Surroundings;
use super::verdict::{Filled, Outcome, Verdict};
use crate::diagnostics::{Code, Diagnostic};
use crate::runner::stored::Stored;
use crate::runner::{SetupError, Simulation, objects, run, steps};

/// Where kubectl keeps what was applied last.
const LAST_APPLIED: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

/// What is asked for besides the surroundings.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Gates that differ from those of the surroundings.
    pub features: Vec<(String, bool)>,
    /// A network provider in place of the surroundings'.
    pub network_provider: Option<NetworkProvider>,
    /// The namespace of manifests that name none.
    pub namespace: Option<String>,
    /// The instant of all requests; the surroundings' start if it is absent.
    pub now: Option<Timestamp>,
}

/// Why there can be no judge.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// There is no such gate.
    #[error(transparent)]
    Gate(#[from] UnknownGate),
    /// The gate can't be switched on.
    #[error("the feature gate `{0}` isn't acted on by this version, so it can't be switched on")]
    Unsupported(String),
    /// The surroundings don't hold together.
    #[error(transparent)]
    Surroundings(#[from] SetupError),
}

/// Judges requests one after another: what was let in is there for the next.
#[derive(Clone, Debug)]
pub struct Judge {
    api: ApiServer,
    engine: Engine,
    now: Timestamp,
    /// What was let in and takes of the storage quota.
    granted: Granted,
    /// The number of the next change.
    next: u64,
    namespace: String,
}

impl Judge {
    /// A judge in these surroundings, and what is wrong with those of their objects that can't be there.
    ///
    /// # Errors
    /// If a gate doesn't exist, or the surroundings don't hold together.
    pub fn new(surroundings: &Surroundings, options: &Options) -> Result<(Self, Vec<Diagnostic>), JudgeError> {
        let scenario = surroundings.scenario.as_ref();
        let mut settings = scenario.map(run::settings).transpose()?.unwrap_or_default();
        for (name, on) in &options.features {
            let feature = Feature::named(name)?;
            if *on && !feature.gate().supported {
                return Err(JudgeError::Unsupported(name.clone()));
            }
            settings.features.set(feature, *on);
        }
        settings.network_provider = options.network_provider.unwrap_or(settings.network_provider);
        let start = scenario.map_or_else(|| Timestamp::parse("2026-01-01T00:00:00Z").expect("an instant"), |scenario| scenario.start);
        let seed = scenario.map_or(0, |scenario| scenario.seed);
        let api = match scenario {
            Some(scenario) => {
                let mut setup = run::setup(scenario, &run::Options::default(), seed, settings.clone());
                setup.claimed.clear();
                Simulation::new(&setup)?.api().clone()
            }
            None => ApiServer::new(vmtwin_apiserver::Settings { rng: Rng::new(seed), id_order: IdOrder::Dense }),
        };
        let only = scenario.and_then(|scenario| match scenario.inventory.namespaces.as_slice() {
            [only] => Some(only.name.to_string()),
            _ => None,
        });
        let now = options.now.unwrap_or(start);
        let namespace = options.namespace.clone().or(only).unwrap_or_else(|| "default".to_owned());
        Ok(Self::over(api, now, settings, Rng::new(seed), namespace).with(&surroundings.state))
    }

    fn over(api: ApiServer, now: Timestamp, settings: Settings, rng: Rng, namespace: String) -> Self {
        let engine = Engine::new(now, Arc::new(settings), rng, 0);
        let known: Vec<Arc<Object>> = api.objects().cloned().collect();
        let mut judge = Self { api, engine, now, granted: Granted::default(), next: 1, namespace };
        for object in known {
            judge.tell(WatchEvent { key: object.key.clone(), before: None, after: Some(object) });
        }
        judge
    }

    /// Installs what exists already, as it is.
    fn with(mut self, state: &[Document]) -> (Self, Vec<Diagnostic>) {
        let mut wrong = Vec::new();
        let state = state.iter().map(|document| (self.placed(document.value()), document));
        // Of an object that stands there twice the later one counts: the old object before the surroundings.
        let mut last: BTreeMap<(String, String, String), (Value, &Document)> = BTreeMap::new();
        for (manifest, document) in state {
            let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            last.insert((text("/kind"), text("/metadata/namespace"), text("/metadata/name")), (manifest, document));
        }
        for (manifest, document) in last.into_values() {
            self.need_namespace(&manifest);
            let tell = |code, message: String| Diagnostic::new(code, document.place(), message);
            match self.api.install(self.now, manifest) {
                Ok(installed) => {
                    let object = installed.object;
                    wrong.extend(installed.warnings.into_iter().map(|warning| tell(Code::NotServed, warning)));
                    self.tell(WatchEvent { key: object.key.clone(), before: None, after: Some(object) });
                }
                Err(error) => wrong.push(tell(Code::NotAManifest, format!("it can't be there: {error}"))),
            }
        }
        self.know_policies();
        (self, wrong)
    }

    /// What the operator itself keeps of each class' storage policy, where the surroundings don't say: a policy that doesn't encrypt.
    fn know_policies(&mut self) {
        let manifests = self.api.list(StorageClass::KIND, None).filter_map(|object| {
            let class = object.to_value();
            let id = class.pointer("/parameters/storagePolicyID")?.as_str()?;
            objects::storage_policy(
                self.engine.settings(),
                &StoragePolicy { name: object.key.name.clone(), id: id.into(), datastores: Vec::new(), encrypted: false, thin: true },
            )
        });
        for manifest in manifests.collect::<Vec<_>>() {
            let there = objects::key_of_manifest(&manifest).is_some_and(|key| self.api.get(&key).is_some());
            if !there && let Ok(installed) = self.api.install(self.now, manifest) {
                let object = installed.object;
                self.tell(WatchEvent { key: object.key.clone(), before: None, after: Some(object) });
            }
        }
    }

    /// The operator hears of a change at once.
    fn tell(&mut self, event: WatchEvent) {
        self.next += 1;
        // What it would do about it is not asked.
        let _ = self.engine.handle(self.now, Cause(self.next), Input::Changed(event));
    }

    /// The manifest, in the namespace that it goes to.
    pub(super) fn placed(&self, mut manifest: Value) -> Value {
        let text = |field: &str| manifest.get(field).and_then(Value::as_str).unwrap_or_default();
        let scope = Kind::find(text("apiVersion"), text("kind")).map(|kind| kind.info().scope);
        if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut)
            && scope == Some(Scope::Namespaced)
            && metadata.get("namespace").is_none_or(|namespace| namespace.is_null() || namespace == "")
        {
            metadata.insert("namespace".to_owned(), self.namespace.as_str().into());
        }
        manifest
    }

    /// Whoever asks for an object in a namespace has that namespace.
    fn need_namespace(&mut self, manifest: &Value) {
        let Some(namespace) = manifest.pointer("/metadata/namespace").and_then(Value::as_str).filter(|name| !name.is_empty()) else {
            return;
        };
        let key = ObjectKey::new(Kind::named("Namespace").expect("the table has it"), "", namespace);
        if self.api.get(&key).is_some() {
            return;
        }
        let manifest = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        if let Ok(installed) = self.api.install(self.now, manifest) {
            self.tell(WatchEvent { key, before: None, after: Some(installed.object) });
        }
    }

    /// Judges manifests as a set, in the order of their kinds, and gives the verdicts in the order of the documents.
    pub fn judge(&mut self, user: &User, documents: &[Document]) -> Vec<Verdict> {
        let mut placed: Vec<(usize, Value)> = documents.iter().map(Document::value).map(|value| self.placed(value)).enumerate().collect();
        placed.sort_by(|(_, a), (_, b)| objects::order_of(a).cmp(&objects::order_of(b)));
        let mut verdicts: Vec<(usize, Verdict)> =
            placed.into_iter().map(|(at, manifest)| (at, self.judge_one(user, &documents[at], manifest))).collect();
        verdicts.sort_by_key(|(at, _)| *at);
        verdicts.into_iter().map(|(_, verdict)| verdict).collect()
    }

    /// Sends a manifest: a new object is created, one that is there is replaced, or changed as `kubectl apply` does if kubectl has
    /// noted what was applied before.
    fn judge_one(&mut self, user: &User, document: &Document, mut manifest: Value) -> Verdict {
        self.need_namespace(&manifest);
        let object = objects::name_of(&manifest);
        if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
            // A copy of a live object is told by its name: its version and its id are those of another server.
            metadata.shift_remove("resourceVersion");
            metadata.shift_remove("uid");
        }
        let current = objects::key_of_manifest(&manifest).and_then(|key| self.api.get(&key).cloned());
        let (verb, request) = match &current {
            None => (ReviewVerb::Create, Ok(Request::Create { manifest })),
            Some(current) => (ReviewVerb::Update, replacing(current, manifest)),
        };
        let mut warnings = Vec::new();
        let sent = request.and_then(|request| {
            let (response, filled) = self.request(user, request);
            warnings = response.warnings;
            response.result.map(|stored| Outcome::Admitted { stored, filled })
        });
        let outcome = sent.unwrap_or_else(|error| Outcome::denied(error, document));
        Verdict { object, verb, place: document.place(), outcome, warnings }
    }

    fn request(&mut self, user: &User, request: Request) -> (Response, Vec<Filled>) {
        let Self { api, engine, now, granted, .. } = self;
        let (mut filled, mut asked) = (Vec::new(), Vec::new());
        let response = api.request(*now, Cause(self.next), user, request, &mut |api: &ApiServer, review| {
            let before = review.new.clone();
            let (admission, needed) = engine.admit_counting(*now, &review, &Stored(api), granted)?;
            asked = needed;
            if let (Some(before), Some(after)) = (before, &admission.object) {
                filled = Filled::between(&before, after);
            }
            Ok(admission)
        });
        if let Some(change) = response.changes.first()
            && let Some(after) = &change.after
        {
            self.granted.note(after, change.before.is_none(), asked);
        }
        for change in &response.changes {
            self.tell(change.clone());
        }
        (response, filled)
    }

    /// Judges a request that another API server sends on; nothing is stored.
    pub(super) fn review(&mut self, user: &User, asked: Asked) -> Reviewed {
        let (Asked::Create { object } | Asked::Update { object, .. } | Asked::Delete { old: object }) = &asked;
        self.need_namespace(object);
        let Self { api, engine, now, granted, .. } = self;
        api.review(*now, user, asked, &mut |api: &ApiServer, review| -> Admitted {
            engine.admit_counting(*now, &review, &Stored(api), granted).map(|(admission, _)| admission)
        })
    }
}

/// The request that puts a manifest in the place of an object.
fn replacing(current: &Object, manifest: Value) -> Result<Request, ApiError> {
    let live = current.to_value();
    let before = live.pointer(LAST_APPLIED).and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(before) = before else { return Ok(Request::Update { manifest, part: Subresource::Main }) };
    let (before, wanted) = (in_stored_version(before)?, in_stored_version(manifest)?);
    let mut patch = wanted.clone();
    steps::remove_dropped(&before, &wanted, &mut patch);
    if let Some(fields) = patch.as_object_mut() {
        fields.retain(|name, _| !matches!(name.as_str(), "apiVersion" | "kind" | "status"));
    }
    if let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, value| !(matches!(name.as_str(), "name" | "namespace") || (name == "annotations" && value.is_null())));
    }
    Ok(Request::Patch { key: current.key.clone(), kind: PatchKind::Merge, patch, part: Subresource::Main })
}
