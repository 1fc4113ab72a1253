//! Diagnostics as text, in the form that rustc made familiar.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Place, Severity};

/// Lines longer than this are not shown: a machine wrote them, and nobody finds a caret in them.
const LONGEST_LINE: usize = 400;

impl Diagnostic {
    /// The diagnostic as people read it, with or without colour. It ends without a line break.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let message = printable(&self.message);
        let label = self.label.as_deref().map(printable);
        let mut group = level.primary_title(message).id(self.code.id()).element_at(&self.place, label);
        for note in &self.notes {
            let message = printable(&note.message);
            group = match &note.place {
                None => group.element(Level::NOTE.message(message)),
                Some(place) => group.element(Level::NOTE.message(format!("{message} ({place})"))),
            };
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// Admission's refusal of a field, drawn like a diagnostic. It is none: the file is well-formed, and Kubernetes names the reason.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// Kubernetes' reason, `FieldValueForbidden`.
    pub id: &'a str,
    /// The text.
    pub message: &'a str,
    /// The line at fault.
    pub place: &'a Place,
}

impl Refusal<'_> {
    /// The refusal as people read it, with or without colour. It ends without a line break.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let title = Level::ERROR.with_name("denied").primary_title(printable(self.message)).id(self.id);
        let group = title.element_at(self.place, None);
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// A text without what could steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

trait At<'a> {
    /// Adds the place's line, with the place underlined.
    fn element_at(self, place: &'a Place, label: Option<String>) -> Group<'a>;
}

impl<'a> At<'a> for annotate_snippets::Title<'a> {
    fn element_at(self, place: &'a Place, label: Option<String>) -> Group<'a> {
        let position = place.position();
        let line = place.file.line(position.line);
        if line.len() > LONGEST_LINE {
            let origin = Origin::path(place.file.name()).line(position.line).char_column(position.column);
            let group = self.element(origin);
            return match label {
                Some(label) => group.element(Level::NOTE.message(label)),
                None => group,
            };
        }
        let line_start = place.file.line_start(position.line) as usize;
        let start = (place.start as usize - line_start).min(line.len());
        let end = (place.end as usize).saturating_sub(line_start).clamp(start, line.len());
        let annotation = AnnotationKind::Primary.span(start..end);
        let annotation = match label {
            Some(label) => annotation.label(label),
            None => annotation,
        };
        let snippet = Snippet::source(line).line_start(position.line).path(place.file.name()).annotation(annotation);
        self.element(snippet)
    }
}
