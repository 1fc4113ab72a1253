//! The format as typed structs: what may stand where. From these the JSON Schema is made that `vmtwin schema` prints, that
//! editors check with, and that every file is checked against.
//!
//! Everything that a diagnostic may have to point at is read with its place. Nothing here judges values.

pub(super) mod cluster;
pub(super) mod inventory;
pub(super) mod scalar;
pub(super) mod scenario;
pub(super) mod step;
pub(super) mod vm;

use schemars::JsonSchema;
use serde::Deserialize;

/// What is switched on carries `true`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct True(bool);

impl JsonSchema for True {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "True".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "boolean", "const": true})
    }
}
