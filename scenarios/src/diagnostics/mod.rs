//! Diagnostics: what is wrong in a file that a user wrote, as values.
//!
//! A [`Diagnostic`] has a code for ever ([`Code`]), a primary place, a message, notes with places of their own and a help that
//! can be typed. [`render`](Diagnostic::render) prints it as rustc does, [`to_json`](Diagnostic::to_json) for tools. What each
//! code means is told in one table, from which [`render_page`] makes the page of the documentation. Nothing here reads
//! or judges a file.

mod codes;
mod page;
mod render;
mod source;

use serde_json::{Value, json};

pub use codes::{Code, CodeInfo};
pub use page::render_page;
pub use render::Refusal;
pub(crate) use source::offset;
pub use source::{Place, Position, Region, SourceFile, Sources};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing of the file can be run.
    Error,
    /// It can be run; it may not mean what its author thinks.
    Warning,
}

impl Severity {
    /// The word that people and tools read.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something wrong in a user's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What sort of mistake it is.
    pub code: Code,
    /// Where it is.
    pub place: Place,
    /// A few words beside the place.
    pub label: Option<String>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What else there is to know, with or without a place of its own.
    pub notes: Vec<Note>,
    /// What to type instead.
    pub help: Option<String>,
}

/// What else there is to know about a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where.
    pub place: Option<Place>,
    /// What.
    pub message: String,
}

impl Diagnostic {
    /// A diagnostic with nothing but its code, place and message.
    #[must_use]
    pub fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, place, label: None, message: message.into(), notes: Vec::new(), help: None }
    }

    /// The diagnostic with a label at its place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The diagnostic with one more note.
    #[must_use]
    pub fn note(mut self, message: impl Into<String>, place: Option<Place>) -> Self {
        self.notes.push(Note { place, message: message.into() });
        self
    }

    /// The diagnostic with a help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// How bad it is: the code says so.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// The diagnostic for tools.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let place = |place: &Place| {
            let (start, end) = (place.position(), place.file.position(place.end));
            json!({"file": place.file.name(), "line": start.line, "column": start.column, "endLine": end.line, "endColumn": end.column})
        };
        let mut value = json!({
            "code": self.code.id(), "severity": self.severity().as_str(), "message": self.message, "place": place(&self.place),
        });
        if let Some(label) = &self.label {
            value["label"] = label.as_str().into();
        }
        if !self.notes.is_empty() {
            let note = |note: &Note| match &note.place {
                Some(at) => json!({"message": note.message, "place": place(at)}),
                None => json!({"message": note.message}),
            };
            value["notes"] = self.notes.iter().map(note).collect();
        }
        if let Some(help) = &self.help {
            value["help"] = help.as_str().into();
        }
        value
    }
}
