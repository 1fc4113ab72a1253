//! `vmtwin features`: the table of feature gates.

use comfy_table::{Cell, ContentArrangement, Table, presets};
use serde_json::{Value, json};
use vmtwin_engine::features::{GATES, Gate};

use crate::arguments::Format;
use crate::console::Console;
use crate::output::Out;
use crate::status::Status;

/// What can be typed after `vmtwin features`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How to print the table
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// Runs the command.
pub fn run(arguments: &Arguments, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    match arguments.output {
        Format::Text => print(console, out)?,
        format => out.document(format, &json!({"features": GATES.iter().map(entry).collect::<Vec<_>>()}))?,
    }
    Ok(Status::Held)
}

fn print(console: &Console, out: &mut Out) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    if let Some(width) = console.style.width.and_then(|width| u16::try_from(width).ok()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(["NAME", "DEFAULT", "ORIGIN", "EFFECT"]);
    for gate in GATES {
        let default = match (gate.default, gate.supported) {
            (true, _) => "on",
            (false, true) => "off",
            (false, false) => "off *",
        };
        table.add_row([gate.name, default, &gate.origin.to_string(), gate.effect].map(Cell::new));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for line in table.lines() {
        out.line(line.trim_end())?;
    }
    out.line("")?;
    out.line("on, off: unless spec.operator.features says otherwise ({NAME: true})")?;
    out.line("off *:   not acted on by this version, so it can't be switched on")?;
    out.line("origin:  VM Operator's own default (upstream), on because the documentation")?;
    out.line("         describes what it opens (documented), vmtwin's own gate (vmtwin)")
}

fn entry(gate: &Gate) -> Value {
    json!({
        "name": gate.name, "default": gate.default, "origin": gate.origin.to_string(), "effect": gate.effect, "supported": gate.supported,
    })
}
