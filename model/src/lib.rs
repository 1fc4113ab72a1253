//! The nouns of vmtwin: plain data that the operator engine, the API server and the twin all speak.
//!
//! Nothing in this crate decides anything. It holds the Kubernetes kinds ([`kube`]), the vocabulary of the
//! hypervisor port ([`vsphere`]), and the few value types that everything stands on: instants and spans
//! ([`time`]), quantities with their unit ([`units`]), identities ([`id`]), draws by name and key ([`rng`]), the form
//! that digests cover ([`digest`]), the copy-on-write table ([`table`]) and map ([`shards`]) that make a fork of a whole machine cheap,
//! and the list ([`list`]) that does so for a long part of one object.

pub mod digest;
pub mod id;
pub mod kube;
pub mod list;
pub mod rng;
pub mod shards;
pub mod table;
pub mod time;
pub mod units;
pub mod vsphere;
mod words;

/// The number of the log record that brought something about.
///
/// Machines carry it through without looking at it: what they emit names the record of the input that caused it, so
/// that a timeline can be walked from any effect back to the user's request. `Cause(0)` means "the beginning".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Cause(pub u64);
