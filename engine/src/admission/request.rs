//! A request as the rules see it: who asks, the object before, as it was sent and as it stands, and what is known around it.

use std::sync::Arc;

use vmtwin_model::kube::api::{Cause, Review, ReviewVerb, Write};
use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineSpec};
use vmtwin_model::kube::{Object, Resource, View};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::Timestamp;

use super::cause::Causes;
use super::user::Standing;
use crate::cache::Cache;
use crate::draft::Draft;
use crate::features::Feature;
use crate::settings::Settings;

/// What admission stands on besides the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdmissionCx<'a> {
    /// The instant of the request.
    pub(crate) now: Timestamp,
    /// The source of drawn identifiers.
    pub(crate) rng: Rng,
    /// The operator's settings.
    pub(crate) settings: &'a Settings,
    /// What the watches have told.
    pub(crate) cache: &'a Cache,
}

impl AdmissionCx<'_> {
    /// Whether a gate is on.
    pub(super) fn on(&self, feature: Feature) -> bool {
        self.settings.features.on(feature)
    }
}

/// A request for an object of kind `K` to be created or updated.
#[derive(Debug)]
pub(super) struct Request<'a, K: Resource> {
    /// What admission stands on.
    pub(super) cx: AdmissionCx<'a>,
    /// The standing of the user.
    pub(super) user: Standing,
    /// The object before; absent at a create.
    pub(super) old: Option<View<'a, K>>,
    /// The object as it was sent, with the schema's defaults; at a delete the one that shall go.
    pub(super) sent: View<'a, K>,
    /// The object as it stands: as it was sent for mutations, as they left it for validations.
    pub(super) new: View<'a, K>,
}

impl<'a, K: Resource> Request<'a, K> {
    /// The request of a review, before any mutation.
    pub(super) fn of(cx: &AdmissionCx<'a>, review: &'a Review, sent: &'a Object) -> Option<Self> {
        let old = match &review.old {
            Some(old) => Some(old.view::<K>()?),
            None => None,
        };
        let sent = sent.view::<K>()?;
        Some(Self { cx: *cx, user: Standing::of(&review.user, cx.settings), old, sent, new: sent })
    }

    /// The same request with the object as mutations left it.
    pub(super) fn with<'b>(&self, new: &'b Object) -> Request<'b, K>
    where
        'a: 'b,
    {
        let new = new.view::<K>().expect("mutations keep an object's kind");
        Request { cx: self.cx, user: self.user, old: self.old, sent: self.sent, new }
    }

    /// The namespace of the object.
    pub(super) fn namespace(&self) -> &'a str {
        &self.new.object.key.namespace
    }

    /// The name of the object.
    pub(super) fn name(&self) -> &'a str {
        &self.new.object.key.name
    }

    /// An annotation before, empty if it wasn't there.
    pub(super) fn old_annotation(&self, key: &str) -> &'a str {
        self.old.and_then(|old| old.object.annotation(key)).unwrap_or_default()
    }

    /// An annotation as it stands, empty if it isn't there.
    pub(super) fn new_annotation(&self, key: &str) -> &'a str {
        self.new.object.annotation(key).unwrap_or_default()
    }
}

impl<'a> Request<'a, VirtualMachine> {
    /// The VM's spec before; absent at a create.
    pub(super) fn old_spec(&self) -> Option<&'a VirtualMachineSpec> {
        self.old.map(|old| old.spec)
    }
}

/// A mutation refuses the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// For a field.
    Field(Cause),
    /// For what no single field is to blame for.
    Text(String),
}

impl From<Cause> for Denial {
    fn from(cause: Cause) -> Self {
        Self::Field(cause)
    }
}

/// A rule that fills something in, or refuses.
pub(super) type Mutation<K> = fn(&Request<'_, K>, &mut Draft<K>) -> Result<(), Denial>;

/// A rule that finds what is wrong.
pub(super) type Validation<K> = fn(&Request<'_, K>, &mut Causes);

/// All rules for a kind, in their order, each with its ids.
pub(super) struct Rules<K: Resource> {
    /// Mutations of a new object.
    pub(super) mutate_create: &'static [(&'static str, Mutation<K>)],
    /// Mutations of a changed object.
    pub(super) mutate_update: &'static [(&'static str, Mutation<K>)],
    /// Validations of a new object.
    pub(super) validate_create: &'static [(&'static str, Validation<K>)],
    /// Validations of a changed object.
    pub(super) validate_update: &'static [(&'static str, Validation<K>)],
    /// Validations of an object that shall go.
    pub(super) validate_delete: &'static [(&'static str, Validation<K>)],
}

impl<K: Resource> Rules<K> {
    /// The object as the mutations for this request leave it; nothing if they change nothing.
    pub(super) fn mutate(&self, verb: ReviewVerb, request: &Request<'_, K>) -> Result<Option<Object>, Denial> {
        let rules = match verb {
            ReviewVerb::Create => self.mutate_create,
            ReviewVerb::Update => self.mutate_update,
            ReviewVerb::Delete => &[],
        };
        if rules.is_empty() {
            return Ok(None);
        }
        let mut draft = Draft::of(Arc::new(request.sent.object.clone())).expect("a request is for an object of its kind");
        for (_, rule) in rules {
            rule(request, &mut draft)?;
        }
        let sent = request.sent.object;
        Ok(match draft.into_write() {
            Some(Write::Update { meta, spec, .. }) => Some(Object {
                meta: meta.unwrap_or_else(|| sent.meta.clone()),
                spec: spec.unwrap_or_else(|| sent.spec.clone()),
                ..sent.clone()
            }),
            _ => None,
        })
    }

    /// What is wrong with the object of this request.
    pub(super) fn validate(&self, verb: ReviewVerb, request: &Request<'_, K>) -> Causes {
        let rules = match verb {
            ReviewVerb::Create => self.validate_create,
            ReviewVerb::Update => self.validate_update,
            ReviewVerb::Delete => self.validate_delete,
        };
        let mut causes = Causes::new();
        for (_, rule) in rules {
            rule(request, &mut causes);
        }
        causes
    }
}
