//! How text looks: its inks, whether they are shown, and how wide a line may get.

use vmtwin_model::time::Span;

/// Whether text carries colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// It is text and nothing else.
    #[default]
    Plain,
    /// It carries a terminal's escape sequences.
    Ansi,
}

/// What a piece of text is, which decides how it is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Plain text.
    Text,
    /// What is there for completeness.
    Faint,
    /// What the eye should find.
    Strong,
    /// What went well.
    Good,
    /// What went wrong.
    Bad,
    /// What may be wrong.
    Warning,
    /// A user.
    User,
    /// The operator.
    Operator,
    /// vSphere.
    Vsphere,
    /// A guest.
    Guest,
}

impl Colour {
    /// The text in this ink.
    #[must_use]
    pub fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Text => return text.to_owned(),
            Ink::Faint => "2",
            Ink::Strong => "1",
            Ink::Good => "32",
            Ink::Bad => "1;31",
            Ink::Warning => "33",
            Ink::User => "36",
            Ink::Operator => "34",
            Ink::Vsphere => "35",
            Ink::Guest => "32",
        };
        match self {
            Self::Ansi if !text.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether with colours.
    pub colour: Colour,
    /// Where lines are folded; never, if absent, so that a record is one line.
    pub width: Option<usize>,
}

/// A text without line breaks and without what could steer a terminal.
#[must_use]
pub fn plain(text: &str) -> String {
    let text = text.trim_end().replace('\n', " ↵ ");
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A span as people read it: in milliseconds at the finest, once it has any.
#[must_use]
pub fn duration(span: Span) -> String {
    let nanos = span.as_nanos();
    let millis = nanos / 1_000_000;
    if millis == 0 { span.to_string() } else { Span::from_millis(millis).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_steer_a_terminal() {
        assert_eq!(plain("a\x1b[31mb\nc\n"), "a\u{fffd}[31mb ↵ c");
    }

    #[test]
    fn durations_stop_at_milliseconds() {
        assert_eq!(duration(Span::from_nanos(12_500_123_456)), "12.5s");
        assert_eq!(duration(Span::from_nanos(1_500)), "1.5µs");
        assert_eq!(duration(Span::ZERO), "0s");
    }

    #[test]
    fn plain_text_carries_no_escape_sequences() {
        assert_eq!(Colour::Plain.paint(Ink::Bad, "x"), "x");
        assert_eq!(Colour::Ansi.paint(Ink::Bad, "x"), "\x1b[1;31mx\x1b[0m");
        assert_eq!(Colour::Ansi.paint(Ink::Text, "x"), "x");
    }
}
