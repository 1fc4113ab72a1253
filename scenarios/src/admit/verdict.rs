//! The verdict on a manifest, for people and for programs.

use std::fmt::Write as _;
use std::sync::Arc;

use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::{Value, json};
use vmtwin_model::kube::Object;
use vmtwin_model::kube::api::{ApiError, ReviewVerb};

use super::manifests::Document;
use super::status::{Subject, status};
use crate::diagnostics::{Place, Refusal};
use crate::timeline::{Colour, Ink, plain};
use crate::yaml::{Path, Segment};

/// What was judged, and how it came out.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The object, `VirtualMachine/my-namespace/my-vm`.
    pub object: String,
    /// What was asked for.
    pub verb: ReviewVerb,
    /// Where the manifest stands.
    pub place: Place,
    /// How it came out.
    pub outcome: Outcome,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// How it came out.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is let in.
    Admitted {
        /// As it is stored.
        stored: Arc<Object>,
        /// What admission filled in.
        filled: Vec<Filled>,
    },
    /// It is refused.
    Denied {
        /// Why.
        error: ApiError,
        /// Where the fields at fault stand, a place for each cause.
        places: Vec<Place>,
    },
}

/// A field that admission set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Its path.
    pub field: String,
    /// Its value; nothing if it was taken out.
    pub value: Option<Value>,
}

impl Filled {
    /// What differs between an object as it was sent and as admission left it.
    pub(super) fn between(before: &Object, after: &Object) -> Vec<Self> {
        let (before, after) = (before.to_value(), after.to_value());
        let patch = json_patch::diff(&before, &after);
        patch.0.into_iter().filter_map(Self::of).collect()
    }

    fn of(operation: PatchOperation) -> Option<Self> {
        let (path, value) = match operation {
            PatchOperation::Add(AddOperation { path, value }) | PatchOperation::Replace(ReplaceOperation { path, value }) => {
                (path, Some(value))
            }
            PatchOperation::Remove(RemoveOperation { path }) => (path, None),
            PatchOperation::Move(_) | PatchOperation::Copy(_) | PatchOperation::Test(_) => return None,
        };
        let segments = path.tokens().map(|token| {
            let word = token.decoded();
            word.parse().map_or_else(|_| Segment::Key(word.as_ref().into()), Segment::Index)
        });
        Some(Self { field: Path::from(segments.collect::<Vec<_>>()).to_string(), value })
    }
}

impl Outcome {
    pub(super) fn denied(error: ApiError, document: &Document) -> Self {
        let places = error.causes.iter().map(|cause| document.place_of(&cause.field)).collect();
        Self::Denied { error, places }
    }
}

impl Verdict {
    /// Whether it is let in.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        matches!(self.outcome, Outcome::Admitted { .. })
    }

    /// The verdict as people read it: a line, and below it what was filled in, or every broken rule at the line that breaks it. It ends
    /// with a line break.
    #[must_use]
    pub fn render(&self, colour: Colour) -> String {
        let paint = |ink, text: &str| colour.paint(ink, text);
        let mut out = String::new();
        let head = format!("{}  {}  {}", plain(&self.object), self.verb_name(), paint(Ink::Faint, &plain(&self.place.to_string())));
        let glyph = if self.is_admitted() { paint(Ink::Good, "✓") } else { paint(Ink::Bad, "✗") };
        let _ = writeln!(out, "{glyph} {head}");
        for warning in &self.warnings {
            let _ = writeln!(out, "    {} {}", paint(Ink::Warning, "warning:"), plain(warning));
        }
        match &self.outcome {
            Outcome::Admitted { filled, .. } => {
                for Filled { field, value } in filled {
                    let line = match value {
                        Some(value) => format!("+ {field}: {value}"),
                        None => format!("- {field}"),
                    };
                    let _ = writeln!(out, "    {}", paint(Ink::Faint, &plain(&line)));
                }
            }
            Outcome::Denied { error, .. } if error.causes.is_empty() => {
                let refusal = Refusal { id: &error.reason.to_string(), message: &error.message, place: &self.place };
                let _ = writeln!(out, "{}", refusal.render(colour == Colour::Ansi));
            }
            Outcome::Denied { error, places } => {
                for (cause, place) in error.causes.iter().zip(places) {
                    let refusal = Refusal { id: &cause.reason.to_string(), message: &cause.message, place };
                    let _ = writeln!(out, "{}", refusal.render(colour == Colour::Ansi));
                }
            }
        }
        out
    }

    fn verb_name(&self) -> &'static str {
        match self.verb {
            ReviewVerb::Create => "create",
            ReviewVerb::Update => "update",
            ReviewVerb::Delete => "delete",
        }
    }

    /// The verdict for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let at = |place: &Place| {
            let position = place.position();
            json!({"file": place.file.name(), "line": position.line, "column": position.column})
        };
        let mut value = json!({
            "object": self.object, "operation": self.verb_name(), "place": at(&self.place), "allowed": self.is_admitted(),
        });
        if !self.warnings.is_empty() {
            value["warnings"] = json!(self.warnings);
        }
        match &self.outcome {
            Outcome::Admitted { stored, filled } => {
                let filled = filled.iter().map(|Filled { field, value }| json!({"field": field, "value": value}));
                value["filled"] = filled.collect();
                value["stored"] = stored.to_value();
            }
            Outcome::Denied { error, places } => {
                let mut parts = self.object.split('/');
                let kind = parts.next().unwrap_or_default();
                let subject = Subject { group: "", kind, name: parts.next_back().unwrap_or_default() };
                value["status"] = status(error, subject);
                let causes = error.causes.iter().zip(places);
                value["places"] = causes.map(|(cause, place)| json!({"field": cause.field, "place": at(place)})).collect();
            }
        }
        value
    }
}
