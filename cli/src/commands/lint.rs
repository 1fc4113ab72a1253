//! `vmtwin lint`: checks files without running them.

use std::path::PathBuf;

use serde_json::{Value, json};
use vmtwin_scenarios::diagnostics::{Diagnostic, Severity};
use vmtwin_scenarios::timeline::{Ink, plain};

use crate::arguments::Format;
use crate::console::Console;
use crate::files::{self, File};
use crate::interrupt;
use crate::output::Out;
use crate::report::{counted, errors};
use crate::status::Status;

/// What can be typed after `vmtwin lint`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Files, folders (their .yaml and .yml files that hold a Scenario) or patterns
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to print the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// Runs the command.
pub fn run(arguments: &Arguments, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    interrupt::note()?;
    let files = files::load(&arguments.paths, console.allow_outside)?;
    for file in &files {
        console.show(&file.loaded.diagnostics);
    }
    match arguments.output {
        Format::Text => print(&files, console, out)?,
        format => out.document(format, &json!({"files": files.iter().map(entry).collect::<Vec<_>>()}))?,
    }
    if interrupt::happened() {
        return Ok(Status::Interrupted);
    }
    let valid = files.iter().all(|file| file.loaded.is_valid());
    Ok(if valid { Status::Held } else { Status::Invalid })
}

fn print(files: &[File], console: &Console, out: &mut Out) -> anyhow::Result<()> {
    let paint = |ink, text: &str| console.style.colour.paint(ink, text);
    let warnings = |file: &File| file.loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Warning).count();
    for file in files {
        let (glyph, found) = if file.loaded.is_valid() {
            (paint(Ink::Good, "✓"), counted(file.loaded.scenarios.len(), "scenario"))
        } else {
            (paint(Ink::Bad, "!"), counted(errors(&file.loaded.diagnostics), "error"))
        };
        let warned = match warnings(file) {
            0 => String::new(),
            count => format!(", {}", paint(Ink::Warning, &counted(count, "warning"))),
        };
        out.line(&format!("{glyph} {}  {found}{warned}", plain(&file.path.display().to_string())))?;
    }
    let invalid = files.iter().filter(|file| !file.loaded.is_valid()).count();
    let warned: usize = files.iter().map(warnings).sum();
    out.line(&format!("{} valid, {invalid} invalid, {}", files.len() - invalid, counted(warned, "warning")))
}

fn entry(file: &File) -> Value {
    let loaded = &file.loaded;
    json!({
        "file": file.path.display().to_string(),
        "result": if loaded.is_valid() { "valid" } else { "invalid" },
        "scenarios": loaded.scenarios.iter().map(|scenario| scenario.name.as_str()).collect::<Vec<_>>(),
        "diagnostics": loaded.diagnostics.iter().map(Diagnostic::to_json).collect::<Vec<_>>(),
    })
}
