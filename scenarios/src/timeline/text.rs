//! Lines: the columns of when, who and about what, then what happened, then what brought it about.

use std::sync::Arc;

use super::name::{Namespaces, short_name};
use super::style::{Ink, Style, duration, plain};
use super::what::{Piece, what};
use crate::log::{Record, Source};

/// The widest column of names; longer names push what follows.
const WIDEST_NAME: usize = 36;
/// What is left at least for what happened, where lines are folded.
const LEAST_FOR_WHAT: usize = 28;
const WIDEST_SOURCE: usize = 10;
const GAP: &str = "  ";
/// Stands for a space at which no line is folded.
const UNBROKEN: &str = "\u{a0}";

/// One record as a line, on its own: nothing is known of the lines around it.
#[must_use]
pub fn line(record: &Record, style: Style) -> String {
    let text = Text { style, namespaces: Namespaces::Several, columns: Columns { number: 5, elapsed: 9, name: 24 } };
    text.line(record)
}

/// Renders records whose columns are lined up.
#[derive(Clone, Debug)]
pub struct Text {
    style: Style,
    namespaces: Namespaces,
    columns: Columns,
}

#[derive(Clone, Copy, Debug)]
struct Columns {
    number: usize,
    elapsed: usize,
    name: usize,
}

impl Text {
    /// A renderer for these records.
    #[must_use]
    pub fn of(records: &[Arc<Record>], style: Style) -> Self {
        let namespaces = Namespaces::of(records.iter().map(|record| &**record));
        let longest = |of: &dyn Fn(&Record) -> usize| records.iter().map(|record| of(record)).max().unwrap_or(0);
        let number = longest(&|record| number(record).len());
        let elapsed = longest(&|record| width(&duration(record.elapsed)));
        let room = style
            .width
            .map_or(WIDEST_NAME, |width| width.saturating_sub(number + elapsed + WIDEST_SOURCE + 4 * GAP.len() + LEAST_FOR_WHAT));
        let room = room.clamp(8, WIDEST_NAME);
        // A few long names don't make the column wide: they push.
        let name = longest(&|record| Some(width(&name(record, namespaces))).filter(|&width| width <= room).unwrap_or(0));
        Self { style, namespaces, columns: Columns { number, elapsed, name } }
    }

    /// One record as a line, without a line break at its end; folded where the style says so.
    #[must_use]
    pub fn line(&self, record: &Record) -> String {
        let Columns { number: number_width, elapsed, name: name_width } = self.columns;
        let colour = self.style.colour;
        let name = name(record, self.namespaces);
        let head = [
            (Ink::Faint, format!("{:>number_width$}", number(record))),
            (Ink::Text, format!("{:>elapsed$}", duration(record.elapsed))),
            (ink(record.source), format!("{:<WIDEST_SOURCE$}", record.source.to_string())),
            (Ink::Text, format!("{name:<name_width$}")),
        ];
        let mut out = String::new();
        for (ink, cell) in &head {
            out.push_str(&colour.paint(*ink, cell));
            out.push_str(GAP);
        }
        let indent = number_width + elapsed + WIDEST_SOURCE + name_width + 4 * GAP.len();
        let mut pieces = what(record);
        if record.cause.0 > 0 {
            pieces.push((Ink::Faint, format!("←{UNBROKEN}#{}", record.cause.0)));
        }
        let start = indent + width(&name).saturating_sub(name_width);
        self.fold(&mut out, &pieces, Place { indent, start });
        out.truncate(out.trim_end().len());
        out.replace(UNBROKEN, " ")
    }

    /// Appends the pieces, a space between two; words that don't fit go to a line of their own below the first.
    fn fold(&self, out: &mut String, pieces: &[Piece], place: Place) {
        let limit = self.style.width.filter(|width| width.saturating_sub(place.indent) >= LEAST_FOR_WHAT / 2).unwrap_or(usize::MAX);
        let mut at = place.start;
        if at > place.indent && at + LEAST_FOR_WHAT / 2 > limit {
            break_line(out, place.indent);
            at = place.indent;
        }
        let mut fresh = true;
        for (ink, text) in pieces {
            let mut run = String::new();
            for word in text.split(' ') {
                let needed = width(word) + usize::from(!fresh);
                if at + needed > limit && !fresh {
                    out.push_str(&self.style.colour.paint(*ink, &run));
                    run.clear();
                    break_line(out, place.indent);
                    at = place.indent;
                    fresh = true;
                }
                if !fresh {
                    // The space belongs to no ink where a piece begins.
                    if run.is_empty() {
                        out.push(' ')
                    } else {
                        run.push(' ')
                    }
                    at += 1;
                }
                run.push_str(word);
                at += width(word);
                fresh = false;
            }
            out.push_str(&self.style.colour.paint(*ink, &run));
        }
    }
}

/// Where what happened stands: further lines at the indent, the first one later where a name pushes it.
#[derive(Clone, Copy)]
struct Place {
    indent: usize,
    start: usize,
}

fn break_line(out: &mut String, indent: usize) {
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

fn number(record: &Record) -> String {
    format!("#{}", record.seq)
}

fn name(record: &Record, namespaces: Namespaces) -> String {
    match (&record.object, &record.vsphere) {
        (Some(key), _) => plain(&short_name(key, namespaces)),
        (None, Some(vsphere)) => plain(vsphere),
        (None, None) => String::new(),
    }
}

fn ink(source: Source) -> Ink {
    match source {
        Source::User => Ink::User,
        Source::Operator => Ink::Operator,
        Source::Supervisor => Ink::Text,
        Source::Vsphere => Ink::Vsphere,
        Source::Guest => Ink::Guest,
        Source::Scenario => Ink::Warning,
    }
}

/// How many columns a text takes, near enough: names and messages are Latin.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Event, Outcome};
    use crate::timeline::samples::{Sample, key};
    use crate::timeline::style::Colour;

    fn power_on() -> Record {
        let sample = Sample::new(Source::Vsphere, Event::Task, "").operation("PowerOnVM_Task").task("task-17").result(Outcome::Success);
        sample.on(key("VirtualMachine", "ns", "app-1")).at_millis(62_400).cause(175).seq(181).build()
    }

    #[test]
    fn a_line_tells_when_who_about_what_how_and_why() {
        assert_eq!(
            line(&power_on(), Style::default()),
            " #181     1m2.4s  vsphere     vm/ns/app-1               PowerOnVM_Task task-17 success ← #175"
        );
    }

    #[test]
    fn lines_are_lined_up_and_the_only_namespace_is_left_out() {
        let records = [
            Arc::new(Sample::new(Source::User, Event::Request, "devops patch").on(key("VirtualMachineGroup", "ns", "app")).build()),
            Arc::new(power_on()),
        ];
        let text = Text::of(&records, Style::default());
        assert_eq!(text.line(&records[0]), "  #1      0s  user        vmg/app   devops patch");
        assert_eq!(text.line(&records[1]), "#181  1m2.4s  vsphere     vm/app-1  PowerOnVM_Task task-17 success ← #175");
    }

    #[test]
    fn a_line_is_folded_below_what_happened() {
        let message = "error: the operation is not allowed in the current state of the virtual machine";
        let records = [Arc::new(Sample::new(Source::Operator, Event::Pass, message).on(key("VirtualMachine", "ns", "a")).build())];
        let told = Text::of(&records, Style { width: Some(60), ..Style::default() }).line(&records[0]);
        let expected = "#1  0s  operator    vm/a  pass: error: the operation is not\n                          allowed in the current state of\n                          the virtual machine";
        assert_eq!(told, expected);
        assert!(told.lines().all(|line| width(line) <= 60));
    }

    #[test]
    fn colours_change_nothing_but_the_colours() {
        let style = |colour| Style { colour, width: Some(70) };
        let coloured = line(&power_on(), style(Colour::Ansi));
        let mut bare = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\x1b') {
            bare.push_str(before);
            rest = after.split_once('m').map_or("", |(_, after)| after);
        }
        bare.push_str(rest);
        assert_eq!(bare, line(&power_on(), style(Colour::Plain)));
        assert_ne!(bare, coloured);
    }
}
