//! Scalars with a meaning of their own: durations, quantities, percentages. They are read as texts; what a text means is
//! judged later, where it can be told with its place.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::format::spanned::Spanned;

/// A text with its place.
pub(in crate::format) type Text = Spanned<String>;

macro_rules! scalars {
    ($($(#[doc = $doc:literal])+ $name:ident, $schema_name:literal, $schema:tt;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        pub(in crate::format) struct $name(pub(in crate::format) Text);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $schema_name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

scalars! {
    /// A duration: `90s`, `1h30m`.
    Duration, "Duration", {
        "type": ["string", "number"], "format": "duration", "description": "A duration as Go writes it.", "examples": ["90s", "1h30m"]
    };
    /// A quantity of bytes: `512Gi`.
    Quantity, "Quantity", {
        "type": ["string", "number"], "format": "quantity", "description": "A quantity as Kubernetes writes it, in bytes.", "examples": ["512Gi"]
    };
    /// A percentage: `85%`, `85`.
    Percentage, "Percentage", {
        "type": ["string", "number"], "format": "percentage", "description": "A percentage from 0 to 100.", "examples": ["85%", 85]
    };
    /// An instant: `2026-01-01T00:00:00Z`.
    Instant, "Instant", {
        "type": "string", "format": "date-time", "description": "An instant, RFC 3339."
    };
    /// A number of calls, or a bound: `2`, `">=1"`.
    CallCount, "CallCount", {
        "type": ["string", "integer"], "format": "count", "description": "How often: a number, or a bound.", "examples": [2, ">=1"]
    };
    /// A number that may have a fraction: `0.3`.
    Decimal, "Decimal", {
        "type": ["number", "string"], "format": "decimal", "description": "A number, with a fraction if need be.", "examples": [0.3]
    };
}
