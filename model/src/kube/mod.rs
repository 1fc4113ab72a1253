//! Kubernetes' side of the world: objects at rest, the requests that change them, and VM Operator's kinds.
//!
//! [`object`] has the one representation that the API server stores, watches carry and caches share. [`kinds`] is the
//! table of the kinds that are known. [`api`] is the vocabulary of the Kubernetes port. The modules named after kinds hold
//! their types: spec, status, conditions, nothing else.

pub mod api;
pub mod condition;
pub mod kinds;
pub mod object;
pub mod registry;

pub use condition::{Condition, ConditionStatus, ConditionType, Conditions, Reason};
pub use kinds::{Kind, KindInfo, Layout, Resource, Scope};
pub use object::{Body, Object, ObjectKey, View};
