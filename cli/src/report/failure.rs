//! A failure in full: which step, where it stands, expected beside found, what happened last to the objects, and how to repeat it.

use std::sync::Arc;

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use serde_json::Value;
use vmtwin_scenarios::diagnostics::SourceFile;
use vmtwin_scenarios::format::Scenario;
use vmtwin_scenarios::log::Record;
use vmtwin_scenarios::runner::{Difference, Report, StepReport, StepResult, Violation};
use vmtwin_scenarios::timeline::{Colour, Ink, Style, Text, duration, plain};

use super::counted;

/// How many lines of the user's file are shown from a step's beginning, unless a diagnostic points at them.
const LINES_SHOWN: usize = 3;
/// The longest value that is shown in full.
const LONGEST_VALUE: usize = 400;

/// What failed, in one line.
pub fn headline(report: &Report) -> String {
    let step = report.steps.iter().find(|step| step.result == StepResult::Failed).map(step_headline);
    let violation = || report.violations.first().map(|violation| format!("{} violated at {}", violation.invariant, duration(violation.at)));
    step.or_else(violation).unwrap_or_else(|| "failed".to_owned())
}

/// All that is known of it, every line indented.
pub fn render(scenario: &Scenario, report: &Report, repeat: &str, style: Style) -> String {
    let mut page = Page { style, out: String::new() };
    for step in report.steps.iter().filter(|step| step.result == StepResult::Failed) {
        page.step(step, &scenario.file);
    }
    let skipped = report.steps.iter().filter(|step| step.result == StepResult::Skipped).count();
    if skipped > 0 {
        page.line(2, Ink::Faint, &format!("{} skipped", counted(skipped, "step")));
    }
    for violation in &report.violations {
        page.violation(violation);
    }
    page.line(2, Ink::Text, &format!("repeat: {}", style.colour.paint(Ink::Strong, repeat)));
    page.out
}

fn step_headline(step: &StepReport) -> String {
    let name = if step.name.contains(step.verb) { plain(&step.name) } else { format!("{} \"{}\"", step.verb, plain(&step.name)) };
    format!("{name} failed at {}", duration(step.at))
}

struct Page {
    style: Style,
    out: String,
}

impl Page {
    fn step(&mut self, step: &StepReport, file: &Arc<SourceFile>) {
        let message = step.message.as_deref().map(|message| format!(": {}", plain(message))).unwrap_or_default();
        let headline = self.paint(Ink::Bad, &step_headline(step));
        self.line(2, Ink::Text, &format!("{headline}{message}"));
        let Some(failure) = &step.failure else { return self.source(step, file) };
        if failure.diagnostics.is_empty() {
            self.source(step, file);
        }
        for diagnostic in &failure.diagnostics {
            self.block(2, &diagnostic.render(self.style.colour == Colour::Ansi));
        }
        self.differences(&failure.differences);
        self.records(&failure.records);
    }

    fn violation(&mut self, violation: &Violation) {
        let headline = self.paint(Ink::Bad, &format!("invariant {} violated at {}", violation.invariant, duration(violation.at)));
        self.line(2, Ink::Text, &format!("{headline}: {}", plain(&violation.message)));
        for object in &violation.objects {
            self.line(4, Ink::Strong, &plain(object));
        }
        for (word, ink, text) in [("expected", Ink::Good, &violation.expected), ("observed", Ink::Bad, &violation.observed)] {
            let text = self.paint(ink, &plain(text));
            self.line(4, Ink::Text, &format!("{word}  {text}"));
        }
        self.records(&violation.records);
    }

    /// The step's first lines, as they stand in the user's file.
    fn source(&mut self, step: &StepReport, file: &Arc<SourceFile>) {
        let Some((name, line, column)) = &step.place else { return };
        let gutter = (line + LINES_SHOWN).to_string().len();
        let arrow = self.paint(Ink::Operator, "-->");
        self.line(2 + gutter, Ink::Text, &format!("{arrow} {}:{line}:{column}", plain(name)));
        if name != file.name() {
            return;
        }
        let bar = self.paint(Ink::Operator, "|");
        let last = file.line_count().min(line + LINES_SHOWN - 1);
        for number in *line..=last {
            let text = plain(file.line(number));
            // The next step is no part of this one.
            if number > *line && text.trim_start().starts_with("- ") && text.len() - text.trim_start().len() < *column {
                break;
            }
            let number = self.paint(Ink::Operator, &format!("{number:>gutter$}"));
            self.line(2, Ink::Text, &format!("{number} {bar} {text}"));
        }
    }

    /// Expected beside found, a table for each object.
    fn differences(&mut self, differences: &[Difference]) {
        let mut object = None;
        let mut rest = differences;
        while let Some(first) = rest.first() {
            let count = rest.iter().take_while(|difference| difference.object == first.object).count();
            let (these, others) = rest.split_at(count);
            rest = others;
            if object != Some(&first.object) {
                self.line(2, Ink::Strong, &plain(&first.object));
            }
            object = Some(&first.object);
            let table = table(these, self.style);
            self.block(4, &table);
        }
    }

    fn records(&mut self, records: &[Arc<Record>]) {
        if records.is_empty() {
            return;
        }
        self.line(2, Ink::Faint, "what happened to it last:");
        let style = Style { width: self.style.width.map(|width| width - 4), ..self.style };
        let text = Text::of(records, style);
        for record in records {
            self.block(4, &text.line(record));
        }
    }

    fn line(&mut self, indent: usize, ink: Ink, text: &str) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(&self.paint(ink, text));
        self.out.push('\n');
    }

    fn block(&mut self, indent: usize, text: &str) {
        for line in text.lines() {
            self.line(indent, Ink::Text, line.trim_end());
        }
    }

    fn paint(&self, ink: Ink, text: &str) -> String {
        self.style.colour.paint(ink, text)
    }
}

fn table(differences: &[Difference], style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = style.width.and_then(|width| u16::try_from(width.saturating_sub(4)).ok()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    match style.colour {
        Colour::Ansi => table.enforce_styling(),
        Colour::Plain => table.force_no_tty(),
    };
    let since = differences.iter().any(|difference| difference.since.is_some());
    let mut header = vec!["field", "expected", "found"];
    if since {
        header.push("since");
    }
    table.set_header(header);
    let coloured = |cell: Cell, colour: Color| if style.colour == Colour::Ansi { cell.fg(colour) } else { cell };
    for difference in differences {
        let found = difference.found.as_ref().map_or_else(|| "(absent)".to_owned(), shown);
        let mut row = vec![
            Cell::new(plain(&difference.path)),
            coloured(Cell::new(shown(&difference.expected)), Color::Green),
            coloured(Cell::new(found), Color::Red),
        ];
        if since {
            row.push(Cell::new(difference.since.map(duration).unwrap_or_default()));
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.to_string()
}

/// A value as a manifest would spell it, in one line.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() => plain(text),
        other => plain(&other.to_string()),
    };
    if text.chars().count() > LONGEST_VALUE { format!("{}…", text.chars().take(LONGEST_VALUE).collect::<String>()) } else { text }
}
