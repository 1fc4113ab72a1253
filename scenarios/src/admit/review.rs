//! `AdmissionReview` (admission.k8s.io/v1): from the request of an API server to a webhook's response.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use vmtwin_apiserver::Asked;
use vmtwin_model::kube::Kind;
use vmtwin_model::kube::api::{ApiError, ErrorReason, User};

use super::judge::Judge;
use super::status::{Subject, status};
use crate::yaml::{self, Limits};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The most bytes of a review. An API server takes no larger request, and its webhooks get that one alone.
const MOST_BYTES: usize = 3 << 20;

/// An answer to a review.
#[derive(Clone, Debug, PartialEq)]
pub enum Answered {
    /// The request is let in.
    Allowed(Value),
    /// The request is refused.
    Denied(Value),
    /// The request can't be understood: the answer refuses it with code 400.
    Bad(Value),
}

impl Answered {
    /// The `AdmissionReview` to print.
    #[must_use]
    pub fn document(&self) -> &Value {
        match self {
            Self::Allowed(document) | Self::Denied(document) | Self::Bad(document) => document,
        }
    }
}

/// Answers a review in JSON or YAML.
pub fn answer_bytes(judge: &mut Judge, bytes: &[u8]) -> Answered {
    match read(bytes) {
        Ok(review) => answer(judge, &review),
        Err(why) => bad("", &why),
    }
}

/// Reads JSON, or else YAML.
fn read(bytes: &[u8]) -> Result<Value, String> {
    if bytes.len() > MOST_BYTES {
        return Err(format!("the review has {} bytes; {MOST_BYTES} are the most", bytes.len()));
    }
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        // The reader of JSON has a limit of its own on what is nested; what isn't JSON may be YAML all the same.
        if let Ok(value) = serde_json::from_slice(bytes) {
            return Ok(value);
        }
    }
    let limits = Limits { bytes: MOST_BYTES, diagnostics: 1, ..Limits::default() };
    let file = yaml::decode("the review", bytes, &limits).map_err(|diagnostic| diagnostic.message)?;
    let mut parsed = yaml::parse(&std::sync::Arc::new(file), 0, &limits);
    if let Some(wrong) = parsed.diagnostics.first() {
        let position = wrong.place.position();
        return Err(format!("the review can't be read: line {}, column {}: {}", position.line, position.column, wrong.message));
    }
    match (parsed.documents.pop(), parsed.documents.len()) {
        (Some(only), 0) => Ok(only.to_value()),
        (Some(_), _) => Err("one review is answered at a time; there are several documents".to_owned()),
        (None, _) => Err("there is no review".to_owned()),
    }
}

/// Answers a review.
pub fn answer(judge: &mut Judge, review: &Value) -> Answered {
    let uid = review.pointer("/request/uid").and_then(Value::as_str).unwrap_or_default();
    match Asking::read(review) {
        Ok(asking) => asking.answer(judge),
        Err(why) => bad(uid, &why),
    }
}

/// A request that could be read.
struct Asking<'a> {
    uid: &'a str,
    subject: Subject<'a>,
    user: User,
    /// Nothing for a subresource, which isn't judged.
    asked: Option<Asked>,
}

impl<'a> Asking<'a> {
    fn read(review: &'a Value) -> Result<Self, String> {
        let text = |pointer: &str| review.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if (text("/apiVersion"), text("/kind")) != (API_VERSION, KIND) {
            let (api_version, kind) = (text("/apiVersion"), text("/kind"));
            return Err(format!("a review is `{KIND}` of `{API_VERSION}`, not `{}` of `{}`", short(kind), short(api_version)));
        }
        if !review.get("request").is_some_and(Value::is_object) {
            return Err("the review has no `request`".to_owned());
        }
        let uid = text("/request/uid");
        if uid.is_empty() {
            return Err("the request has no `uid`".to_owned());
        }
        let (group, version, kind_name) = (text("/request/kind/group"), text("/request/kind/version"), text("/request/kind/kind"));
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let Some(kind) = Kind::find(&api_version, kind_name) else {
            return Err(format!("no matches for kind {:?} in version {:?}", short(kind_name), short(&api_version)));
        };
        let subject = Subject { group: kind.info().group, kind: kind.info().kind, name: text("/request/name") };
        let user = user(review.pointer("/request/userInfo"));
        let asked = asked(review, &api_version, kind_name)?;
        // GEN-004: what isn't the object itself is not judged.
        let asked = Some(asked).filter(|_| text("/request/subResource").is_empty());
        Ok(Self { uid, subject, user, asked })
    }

    fn answer(self, judge: &mut Judge) -> Answered {
        let Some(asked) = self.asked else {
            return Answered::Allowed(response(json!({"uid": self.uid, "allowed": true})));
        };
        let before = match &asked {
            Asked::Create { object } | Asked::Update { object, .. } => Some(object.clone()),
            Asked::Delete { .. } => None,
        };
        let reviewed = judge.review(&self.user, asked);
        let mut out = json!({"uid": self.uid, "allowed": reviewed.result.is_ok()});
        if !reviewed.warnings.is_empty() {
            out["warnings"] = json!(reviewed.warnings);
        }
        match reviewed.result {
            Ok(after) => {
                if let (Some(before), Some(after)) = (before, after) {
                    let patch = json_patch::diff(&before, &after);
                    if !patch.0.is_empty() {
                        let text = serde_json::to_vec(&patch).expect("a patch is JSON");
                        out["patchType"] = "JSONPatch".into();
                        out["patch"] = STANDARD.encode(text).into();
                    }
                }
                Answered::Allowed(response(out))
            }
            Err(error) => {
                out["status"] = status(&error, self.subject);
                Answered::Denied(response(out))
            }
        }
    }
}

fn asked(review: &Value, api_version: &str, kind: &str) -> Result<Asked, String> {
    let object = |name: &str| -> Result<Value, String> {
        let mut object =
            review["request"].get(name).filter(|object| object.is_object()).cloned().ok_or(format!("the request has no `{name}`"))?;
        let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
        if (text("apiVersion"), text("kind")) != (api_version, kind) {
            return Err(format!(
                "`{name}` is a `{}` of `{}`, but the request is about a `{kind}` of `{api_version}`",
                short(text("kind")),
                short(text("apiVersion"))
            ));
        }
        if let (Some(namespace), Some(metadata)) = (review["request"].get("namespace"), object["metadata"].as_object_mut())
            && !metadata.contains_key("namespace")
        {
            metadata.insert("namespace".to_owned(), namespace.clone());
        }
        Ok(object)
    };
    match review["request"]["operation"].as_str().unwrap_or_default() {
        "CREATE" => Ok(Asked::Create { object: object("object")? }),
        "UPDATE" => Ok(Asked::Update { object: object("object")?, old: object("oldObject")? }),
        "DELETE" => Ok(Asked::Delete { old: object("oldObject")? }),
        other => Err(format!("the operation is CREATE, UPDATE or DELETE, not `{}`", short(other))),
    }
}

fn user(info: Option<&Value>) -> User {
    let name = info.and_then(|info| info["username"].as_str()).unwrap_or_default();
    let groups = info.and_then(|info| info["groups"].as_array()).into_iter().flatten();
    User { groups: groups.filter_map(Value::as_str).map(Into::into).collect(), ..User::named(name) }
}

fn response(response: Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": KIND, "response": response})
}

fn bad(uid: &str, why: &str) -> Answered {
    let error = ApiError::new(ErrorReason::BadRequest, why);
    let mut out = Map::new();
    out.insert("uid".to_owned(), uid.into());
    out.insert("allowed".to_owned(), false.into());
    out.insert("status".to_owned(), status(&error, Subject::default()));
    Answered::Bad(response(Value::Object(out)))
}

/// A word from outside, short enough for a message.
fn short(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(77).chain("...".chars()).collect() }
}
