//! Whether what a scenario asserts holds: partial objects, expressions over them, and the operator's calls.
//!
//! Everything here is a function from what is expected and what is there to an answer. Nothing polls, waits or knows a
//! clock: when to ask, how often and for how long is the runner's matter.

mod calls;
mod cel;
mod expected;
mod matching;
mod mismatch;
mod quantity;
mod scalar;

pub use calls::{CallFact, CallWanted, Count, check_calls};
pub use expected::{Expected, ExpectedError, Outcome};
pub use mismatch::{Mismatch, explain};

use serde_json::Value;

/// The live objects, as a check may look them up.
pub trait Lookup {
    /// The object of this name, as kubectl would print it; an empty namespace is cluster scope, or the kind's own way of naming.
    fn object(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value>;

    /// All objects of a kind, in a stable order; those of one namespace, if one is given. Without an `apiVersion`, of every
    /// version and group that has a kind of this name.
    fn objects(&self, api_version: Option<&str>, kind: &str, namespace: Option<&str>) -> Vec<Value>;
}

/// What stands at `metadata.<field>` of an object, as text.
pub(crate) fn metadata<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get("metadata").and_then(|metadata| metadata.get(field)).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
