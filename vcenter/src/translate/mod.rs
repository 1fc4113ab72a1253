//! Between the model's nouns and the trees of the wire.
//!
//! [`types`] is the table of what is sent, in the order that a vCenter insists on; [`encode`] writes the model's JSON, whose names are
//! the API's own, by that table. [`vm`] reads a VM off the properties that a collector answers.

pub mod encode;
pub mod types;
pub mod vm;
