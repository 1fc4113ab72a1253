//! YAML as a tree in which everything knows its place.
//!
//! [`parse`] reads the documents of one file into [`Node`]s and reports what is wrong with the YAML as diagnostics, all of it as
//! far as the parser can go on. Scalars mean what Kubernetes takes them for. Budgets ([`Limits`]) bound what a hostile file can
//! cost: its size, the number of nodes with aliases expanded, the depth, the text of scalars. [`Path`] and [`Node::nearest`]
//! find the place of whatever is found wrong later, on the JSON. Nothing here knows what a document is about.

mod build;
mod decode;
mod node;
mod offsets;
mod path;
mod scalar;

pub use build::{Limits, Parsed, parse};
pub use decode::decode;
pub use node::{Data, Entry, Node};
pub use path::{Path, Segment};
