//! The vocabulary of the Kubernetes port: who asks for what, what the API server answers, and what watches tell.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::{Body, Object, ObjectKey};

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    /// The user's name, `devops@vsphere.local` or `system:serviceaccount:NAMESPACE:NAME`.
    pub name: Arc<str>,
    /// The groups that the user is in.
    pub groups: BTreeSet<Arc<str>>,
}

impl User {
    /// A user of this name in no group.
    #[must_use]
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), groups: BTreeSet::new() }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// How a patch says what is to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 7396: mappings merge, `null` removes, all else replaces.
    Merge,
    /// RFC 6902: a list of operations.
    Json,
    /// Kubernetes' own, for its built-in kinds alone: lists merge by key.
    Strategic,
}

/// Which part of an object a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subresource {
    /// Everything but the status.
    Main,
    /// The status alone.
    Status,
}

/// One request to the API server.
#[derive(Clone, Debug)]
pub enum Request {
    /// Creates the object of this manifest.
    Create {
        /// The manifest.
        manifest: Value,
    },
    /// Replaces the object by this manifest.
    Update {
        /// The manifest, complete.
        manifest: Value,
        /// Which part counts.
        part: Subresource,
    },
    /// Changes an object.
    Patch {
        /// Which object.
        key: ObjectKey,
        /// How the patch is to be read.
        kind: PatchKind,
        /// The patch.
        patch: Value,
        /// Which part counts.
        part: Subresource,
    },
    /// Asks for an object to be deleted.
    Delete {
        /// Which object.
        key: ObjectKey,
    },
    /// What a controller writes: typed parts, on the version that they were decided on.
    Write(Write),
}

/// What a controller writes. An update carries the changed parts alone; it is one request with a spec-or-metadata part
/// and a status part, and meets a conflict if the object isn't at `base`'s version any more.
#[derive(Clone, Debug)]
pub enum Write {
    /// A new object.
    Create(Arc<Object>),
    /// Changed parts of an object.
    Update {
        /// The version that the change was decided on.
        base: Arc<Object>,
        /// The new metadata, if it changes.
        meta: Option<Arc<ObjectMeta>>,
        /// The new spec, if it changes.
        spec: Option<Arc<dyn Body>>,
        /// The new status, if it changes.
        status: Option<Arc<dyn Body>>,
    },
    /// Asks for an object to be deleted.
    Delete(ObjectKey),
}

impl Write {
    /// The object that is written.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Create(object) => &object.key,
            Self::Update { base, .. } => &base.key,
            Self::Delete(key) => key,
        }
    }
}

/// What the API server says to a request.
pub type Answer = Result<Arc<Object>, ApiError>;

/// The API server's refusal: a Kubernetes `Status` of failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// The HTTP status code.
    pub code: u16,
    /// The reason in one word.
    pub reason: ErrorReason,
    /// The text for people.
    pub message: String,
    /// The broken rules, one each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl ApiError {
    /// A refusal without single causes.
    #[must_use]
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self { code: reason.code(), reason, message: message.into(), causes: Vec::new() }
    }
}

crate::words::words! {
    /// The reason of a refusal, as Kubernetes spells it.
    pub enum ErrorReason {
        /// The object isn't there (404).
        NotFound,
        /// An object of that name is there already (409).
        AlreadyExists,
        /// The object has changed meanwhile (409).
        Conflict,
        /// The object breaks a rule (422).
        Invalid,
        /// The request isn't allowed (403).
        Forbidden,
        /// The request can't be understood (400).
        BadRequest,
        /// The API server can't be reached (503).
        ServiceUnavailable,
        /// The API server failed (500).
        InternalError,
    }
}

impl ErrorReason {
    /// The HTTP status code that goes with it.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Invalid => 422,
            Self::Forbidden => 403,
            Self::BadRequest => 400,
            Self::ServiceUnavailable => 503,
            Self::InternalError | Self::Other(_) => 500,
        }
    }
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What is wrong with the field, as Kubernetes classifies it.
    pub reason: CauseReason,
    /// The path of the field, `spec.powerState`, `metadata.annotations[KEY]`.
    pub field: String,
    /// The text for people, path included: `spec.powerState: Invalid value: "x": why`.
    pub message: String,
}

crate::words::words! {
    /// What is wrong with a field. Source: admission §2.2.
    pub enum CauseReason {
        /// A value is missing.
        FieldValueRequired,
        /// A value is wrong.
        FieldValueInvalid,
        /// A value is of a wrong type.
        FieldValueTypeInvalid,
        /// A value isn't allowed here.
        FieldValueForbidden,
        /// A value isn't in the list of those allowed.
        FieldValueNotSupported,
        /// A value is there twice.
        FieldValueDuplicate,
        /// A look-up failed.
        InternalError,
    }
}

/// What a request of a user or controller is about to do, for admission to judge.
#[derive(Clone, Debug)]
pub struct Review {
    /// Who asks.
    pub user: User,
    /// What for.
    pub verb: ReviewVerb,
    /// Which object.
    pub key: ObjectKey,
    /// The object before; absent at a create.
    pub old: Option<Arc<Object>>,
    /// The object after, defaulted; absent at a delete.
    pub new: Option<Object>,
}

/// The verbs that admission sees. Writes of a status alone aren't reviewed (admission GEN-004).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewVerb {
    /// A new object.
    Create,
    /// A changed object.
    Update,
    /// An object that shall go.
    Delete,
}

/// Admission's verdict on a review: the object as it is to be stored (absent at a delete) with warnings, or why not.
pub type Admitted = Result<Admission, ApiError>;

/// An admitted request.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// The object as mutated; absent if it is to be stored as it came.
    pub object: Option<Object>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// A change of an object, as a watch tells it.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// Which object.
    pub key: ObjectKey,
    /// The object before; absent if it is new to the watcher.
    pub before: Option<Arc<Object>>,
    /// The object after; absent if it is gone.
    pub after: Option<Arc<Object>>,
}

/// An event on an object, for people (`kubectl describe`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The object that it is about.
    pub object: ObjectKey,
    /// Whether something is wrong.
    pub warning: bool,
    /// One word in CamelCase.
    pub reason: Arc<str>,
    /// A sentence.
    pub message: Arc<str>,
}
