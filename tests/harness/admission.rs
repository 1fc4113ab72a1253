//! Admission cases as data: objects that are there, one request, and what must become of it.
//!
//! A case has `given` (manifests, status included), `features` (gates besides those of [`ON`]), `operator.networkProvider`, `when`
//! (`verb`, `as`, `object`) and `then`; ours may have `before`, requests that come first, and `causes` in `then`, all of them. The whole chain is asked: the API server with the engine's admission and the storage quota.

use std::sync::Arc;

use serde_json::Value;
use vmtwin_apiserver::{ApiServer, IdOrder};
use vmtwin_engine::storage_quota::{self, Granted, Objects};
use vmtwin_engine::{Engine, Feature, Features, Input, NetworkProvider, Settings};
use vmtwin_model::Cause;
use vmtwin_model::kube::api::{Admitted, ApiError, Request, Review, ReviewVerb, Subresource, User, WatchEvent};
use vmtwin_model::kube::{Kind, Object, ObjectKey};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::Timestamp;

/// The gates that are on unless a case says otherwise; all others of upstream's are off.
pub const ON: [&str; 7] = [
    "BringYourOwnEncryptionKey",
    "InstanceStorage",
    "PodVMOnStretchedSupervisor",
    "VMGroups",
    "VMResizeCPUMemory",
    "VMSnapshots",
    "WorkloadDomainIsolation",
];

const NOW: &str = "2026-01-01T00:00:12.5Z";

/// The API server and the operator of a case.
#[derive(Clone, Debug)]
pub struct Chain {
    api: ApiServer,
    engine: Engine,
    granted: Granted,
    now: Timestamp,
    settings: Arc<Settings>,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The object as it is stored, or why not.
    pub result: Result<Value, ApiError>,
    /// What was asked of each storage class: class, policy, bytes.
    pub asked: Vec<(String, String, i64)>,
}

impl Chain {
    /// The chain of a case, with these gates on besides what `features` names.
    ///
    /// # Panics
    /// If the case can't be set up.
    #[must_use]
    pub fn of(case: &Value, on: &[&str]) -> Self {
        let mut features = Features::default();
        for gate in vmtwin_engine::features::GATES.iter().filter(|gate| gate.origin != vmtwin_engine::features::Origin::Vmtwin) {
            features.set(Feature::named(gate.name).expect("the gate is in the table"), on.contains(&gate.name));
        }
        for gate in texts(&case["features"]) {
            let feature = Feature::named(&gate).unwrap_or_else(|error| panic!("{error}"));
            features.set(feature, true);
            if feature == Feature::VMAffinityDuringExecution {
                // Upstream has one gate for both.
                features.set(Feature::HostAffinity, true);
            }
        }
        let network_provider = match case["operator"]["networkProvider"].as_str() {
            Some("vds") => NetworkProvider::Vds,
            Some("nsx-t") => NetworkProvider::NsxT,
            Some("named") => NetworkProvider::Named,
            _ => NetworkProvider::Vpc,
        };
        let settings = Arc::new(Settings {
            network_provider,
            features,
            privileged_users: texts(&case["operator"]["privilegedUsers"]).into_iter().map(Arc::from).collect(),
            ..Settings::default()
        });
        let now = Timestamp::parse(NOW).expect("an instant");
        let mut chain = Self {
            api: ApiServer::new(vmtwin_apiserver::Settings { rng: Rng::new(1), id_order: IdOrder::Dense }),
            engine: Engine::new(now, settings.clone(), Rng::new(1), 0),
            granted: Granted::default(),
            now,
            settings,
        };
        for manifest in case["given"].as_array().into_iter().flatten() {
            chain.install(manifest);
        }
        chain
    }

    /// Puts an object there, as it is.
    ///
    /// # Panics
    /// If it is no manifest.
    pub fn install(&mut self, manifest: &Value) {
        let installed = self.api.install(self.now, manifest.clone()).unwrap_or_else(|error| panic!("{error}: {manifest}"));
        let event = WatchEvent { key: installed.object.key.clone(), before: None, after: Some(installed.object) };
        self.engine.handle(self.now, Cause(1), Input::Changed(event));
    }

    /// Asks for a case's `when`, and tells the operator of what changed.
    pub fn ask(&mut self, when: &Value) -> Verdict {
        let user = user(when["as"].as_str().unwrap_or("devops"));
        let request = request(when);
        let Self { api, engine, granted, now, .. } = self;
        let mut asked = Vec::new();
        let mut admission = |api: &ApiServer, review: Review| -> Admitted {
            let (admission, requested) = engine.admit_counting(*now, &review, &Stored(api), granted)?;
            asked = requested;
            Ok(admission)
        };
        let response = api.request(*now, Cause(2), &user, request, &mut admission);
        let counts = asked.iter().map(|one| (one.storage_class.clone(), one.policy.clone(), one.capacity.0)).collect();
        if let Some(change) = response.changes.first()
            && let Some(after) = &change.after
        {
            granted.note(after, change.before.is_none(), asked);
        }
        for change in response.changes {
            engine.handle(*now, Cause(3), Input::Changed(change));
        }
        Verdict { result: response.result.map(|object| object.to_value()), asked: counts }
    }

    /// Asks the storage quota alone what a request needs.
    ///
    /// # Errors
    /// If that can't be told.
    ///
    /// # Panics
    /// If the request is for no object that can be read.
    pub fn ask_quota(&self, when: &Value) -> Result<Vec<(String, String, i64)>, ApiError> {
        let mut scratch = ApiServer::new(vmtwin_apiserver::Settings { rng: Rng::new(1), id_order: IdOrder::Dense });
        let new = scratch.install(self.now, when["object"].clone()).unwrap_or_else(|error| panic!("{error}")).object;
        let old = self.api.get(&new.key).cloned();
        let verb = if when["verb"] == "update" { ReviewVerb::Update } else { ReviewVerb::Create };
        let old = old.filter(|_| verb == ReviewVerb::Update);
        let review = Review { user: user("devops"), verb, key: new.key.clone(), old, new: Some((*new).clone()) };
        let asked = storage_quota::asked(&self.settings.features, &Stored(&self.api), &review, &new)?;
        storage_quota::judge(&Stored(&self.api), &self.granted, &new.key.namespace, &asked)?;
        Ok(asked.into_iter().map(|one| (one.storage_class, one.policy, one.capacity.0)).collect())
    }
}

/// What an API server holds at the moment, for the quota.
struct Stored<'a>(&'a ApiServer);

impl Objects for Stored<'_> {
    fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.0.get(key)
    }

    fn list<'a>(&'a self, kind: Kind, namespace: &'a str) -> Box<dyn Iterator<Item = &'a Arc<Object>> + 'a> {
        Box::new(self.0.list(kind, Some(namespace)))
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn user(name: &str) -> User {
    match name {
        "devops" => User::named("devops@vsphere.local"),
        "privileged" => User::named("kubernetes-admin"),
        "operator" => Settings::default().operator(),
        "masters" => User { groups: ["system:masters".into()].into(), ..User::named("someone") },
        other => User::named(other),
    }
}

fn request(when: &Value) -> Request {
    let manifest = when["object"].clone();
    match when["verb"].as_str() {
        Some("update") => {
            Request::Update { manifest, part: if when["part"] == "status" { Subresource::Status } else { Subresource::Main } }
        }
        Some("delete") => {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let kind = Kind::find(&text(&manifest["apiVersion"]), &text(&manifest["kind"])).expect("the kind is served");
            Request::Delete { key: ObjectKey::new(kind, text(&manifest["metadata"]["namespace"]), text(&manifest["metadata"]["name"])) }
        }
        _ => Request::Create { manifest },
    }
}

/// What is wrong with a case; nothing if it holds.
#[must_use]
pub fn check(case: &Value, on: &[&str]) -> Vec<String> {
    let (when, then) = (&case["when"], &case["then"]);
    let mut chain = Chain::of(case, on);
    for earlier in case["before"].as_array().into_iter().flatten() {
        if let Err(error) = chain.ask(earlier).result {
            return vec![format!("what comes before is refused: {error}")];
        }
    }
    let verdict = if when["webhook"] == "quota" {
        let asked = chain.ask_quota(when);
        match asked {
            Ok(asked) => Verdict { result: Ok(when["object"].clone()), asked },
            Err(error) => Verdict { result: Err(error), asked: Vec::new() },
        }
    } else {
        chain.ask(when)
    };
    let mut wrong = Vec::new();
    let allowed = then["allowed"].as_bool().unwrap_or(true);
    match &verdict.result {
        Err(error) if allowed => wrong.push(format!("refused ({}): {}", error.code, error.message)),
        Err(error) => check_denial(error, then, &mut wrong),
        Ok(_) if !allowed => wrong.push("let in".to_owned()),
        Ok(object) => check_object(object, then, &mut wrong),
    }
    if allowed && let Some(wanted) = then["requested_capacity"].as_array() {
        check_capacity(wanted, &verdict.asked, &mut wrong);
    }
    wrong
}

fn check_denial(error: &ApiError, then: &Value, wrong: &mut Vec<String>) {
    let spelled =
        |path: &str| path.replace("[\"", "[").replace("\"]", "]").replace(['[', ']'], ".").replace("..", ".").trim_matches('.').to_owned();
    let fields: Vec<String> = error.causes.iter().map(|cause| spelled(&cause.field)).collect();
    if let Some(field) = then["field"].as_str().map(spelled)
        && !fields.contains(&field)
    {
        wrong.push(format!("no cause at {field}, but {fields:?}: {}", error.message));
    }
    for text in texts(&then["message_contains"]) {
        if !error.message.contains(&text) {
            wrong.push(format!("`{text}` isn't in `{}`", error.message));
        }
    }
    if let Some(causes) = then["causes"].as_array() {
        let found: Vec<Value> = error.causes.iter().map(|cause| serde_json::to_value(cause).expect("causes serialize")).collect();
        if found != *causes {
            wrong.push(format!("causes {}, not {}", Value::from(found), then["causes"]));
        }
    }
    if let Some(code) = then["code"].as_u64()
        && u64::from(error.code) != code
    {
        wrong.push(format!("code {}, not {code}: {}", error.code, error.message));
    }
}

fn check_object(object: &Value, then: &Value, wrong: &mut Vec<String>) {
    if !contains(object, &then["object_contains"]) {
        wrong.push(format!("{object} doesn't contain {}", then["object_contains"]));
    }
    for path in texts(&then["object_lacks"]) {
        let found = at(object, &path).cloned().unwrap_or_default();
        let empty = found.is_null()
            || found == ""
            || found.as_array().is_some_and(Vec::is_empty)
            || found.as_object().is_some_and(serde_json::Map::is_empty);
        if !empty {
            wrong.push(format!("{path} is {found}"));
        }
    }
    for (path, pattern) in then["object_matches"].as_object().into_iter().flatten() {
        let found = at(object, path).and_then(Value::as_str).unwrap_or_default();
        let pattern = pattern.as_str().unwrap_or_default();
        let holds = match crate::conformance::matches(pattern, found) {
            Ok(holds) => holds,
            Err(error) => {
                wrong.push(format!("`{pattern}`: {error}"));
                continue;
            }
        };
        if !holds {
            wrong.push(format!("{path} is `{found}`, which {pattern} doesn't match"));
        }
    }
}

fn check_capacity(wanted: &[Value], asked: &[(String, String, i64)], wrong: &mut Vec<String>) {
    let bytes = |value: &Value| {
        let quantity = value.as_str().map(|text| k8s_openapi::apimachinery::pkg::api::resource::Quantity(text.to_owned()));
        quantity.and_then(|quantity| vmtwin_model::units::bytes_of(&quantity).ok()).map(|bytes| bytes.0)
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut expected: Vec<(String, String, i64)> = wanted
        .iter()
        .map(|one| (text(&one["storageClassName"]), text(&one["storagePolicyId"]), bytes(&one["capacity"]).unwrap_or(-1)))
        .collect();
    let mut found = asked.to_vec();
    expected.sort();
    found.sort();
    if expected != found {
        wrong.push(format!("asks for {found:?}, not {expected:?}"));
    }
}

/// Whether a value contains another; lists are compared position by position.
fn contains(value: &Value, part: &Value) -> bool {
    match part {
        Value::Null => true,
        Value::Object(fields) => fields.iter().all(|(name, part)| contains(&value[name], part)),
        Value::Array(items) => value
            .as_array()
            .is_some_and(|values| items.len() <= values.len() && items.iter().zip(values).all(|(part, value)| contains(value, part))),
        scalar => scalar == value,
    }
}

/// The value at a path: `a.b[0].c`, `a[some.key/with.dots]`.
fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = object;
    let mut rest = path;
    while !rest.is_empty() {
        let step;
        if let Some(bracket) = rest.strip_prefix('[') {
            (step, rest) = bracket.split_once(']')?;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            (step, rest) = rest.split_at(end);
        }
        let step = step.trim_matches('"');
        value = match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            other => other.get(step)?,
        };
    }
    Some(value)
}
