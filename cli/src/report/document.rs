//! The document that `run -o json` prints: stable, complete, the same but for nothing on every machine.

use serde_json::{Value, json};
use vmtwin_scenarios::diagnostics::Diagnostic;
use vmtwin_scenarios::runner::RunResult;

use super::{Group, Run, Unit};

/// The whole document.
pub fn document(units: &[Unit<'_>]) -> Value {
    let scenarios = units.iter().flat_map(|unit| match unit {
        Unit::Invalid { file, diagnostics } => vec![invalid(file, diagnostics)],
        Unit::Scenario(group) => group.runs.iter().map(|run| scenario(group, run)).collect(),
    });
    json!({"scenarios": scenarios.collect::<Vec<_>>()})
}

fn scenario(group: &Group<'_>, run: &Run) -> Value {
    let mut value = match run.report() {
        Some(report) => report.to_json(),
        None => nothing(&group.scenario.name, group.scenario.file.name(), run.seed, RunResult::Interrupted),
    };
    if !group.diagnostics.is_empty() {
        value["diagnostics"] = group.diagnostics.iter().map(Diagnostic::to_json).collect();
    }
    value
}

fn invalid(file: &str, diagnostics: &[Diagnostic]) -> Value {
    // The file's name stands for the scenario's, which may not be legible.
    let mut value = nothing(&stem(file), file, 0, RunResult::Invalid);
    value["diagnostics"] = diagnostics.iter().map(Diagnostic::to_json).collect();
    value
}

/// The entry of what was never run.
fn nothing(name: &str, file: &str, seed: u64, result: RunResult) -> Value {
    json!({
        "name": name, "file": file, "seed": seed, "result": result.word(), "virtualTime": "PT0S", "events": 0, "digest": "", "steps": [], "violations": [],
    })
}

/// A file's name without folder and ending.
pub fn stem(file: &str) -> String {
    std::path::Path::new(file).file_stem().map_or_else(|| file.to_owned(), |stem| stem.to_string_lossy().into_owned())
}
