//! Cases of the real VM Operator's behaviour, as data: read, run, judged, counted.
//!
//! The vocabulary is described in `tests/conformance/README.md`. A case is admission (one request against the whole chain) or
//! reconcile (a scenario, and checks of what is there at its end and of what happened). Nothing here knows a case by its id.

mod checks;
mod compare;
mod paths;
mod reconcile;
mod tally;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

pub use compare::matches;
pub use tally::Tally;

/// One case, as it stands in its file.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Area, topic, number.
    pub id: String,
    /// What it shows, in words.
    pub title: String,
    /// The section of the seed page that says so too.
    #[serde(default)]
    pub seed: Option<String>,
    /// `admission` or `reconcile`.
    pub kind: String,
    /// Everything.
    #[serde(skip)]
    pub body: Value,
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every check holds.
    Passed,
    /// A check doesn't hold, or the run failed: what, in a line each.
    Failed(Vec<String>),
    /// It asks for something that this version refuses.
    NotRunnable(String),
    /// It can't be set up as a scenario; it counts nowhere.
    LeftOut(String),
}

impl Outcome {
    /// In a line.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Passed => "passes".to_owned(),
            Self::Failed(wrong) => wrong.first().cloned().unwrap_or_default(),
            Self::NotRunnable(why) | Self::LeftOut(why) => why.clone(),
        }
    }
}

/// Upstream's built-in values.
const BUILT_IN: &[&str] = &["InstanceStorage", "PodVMOnStretchedSupervisor"];

/// The gates that are on in a file's case: by the file's name, or by the area of the case's id where the file has another name. Source: the
/// README of the cases, section 5.
#[must_use]
pub fn gates(file: &str, case: &Case) -> &'static [&'static str] {
    let area = case.id.split('-').next().unwrap_or_default();
    match (file, area) {
        ("lifecycle" | "placement", _) => BUILT_IN,
        ("crypto-storage", _) => &[],
        ("admission", _) | (_, "adm") => &crate::admission::ON,
        (_, "lc" | "plc") => BUILT_IN,
        _ => &[],
    }
}

/// The files of cases in a folder, by name: all of its `.yaml` files but the list.
///
/// # Panics
/// If the folder can't be read.
#[must_use]
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    files.retain(|path| {
        path.extension().is_some_and(|ending| ending == "yaml") && path.file_name().is_some_and(|name| name != "pending.yaml")
    });
    files.sort();
    files
}

/// The cases of a file.
///
/// # Panics
/// If the file isn't a list of cases.
#[must_use]
pub fn load(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let bodies: Vec<Value> = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let case = |body: Value| {
        let case: Case = serde_json::from_value(body.clone()).unwrap_or_else(|error| panic!("{}: {error}: {body}", path.display()));
        Case { body, ..case }
    };
    bodies.into_iter().map(case).collect()
}

/// Runs a case. A panic of the code under test is a failure of the case.
#[must_use]
pub fn run(case: &Case, on: &[&str]) -> Outcome {
    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match case.kind.as_str() {
        "admission" => {
            let wrong = crate::admission::check(&case.body, on);
            if wrong.is_empty() { Outcome::Passed } else { Outcome::Failed(wrong) }
        }
        "reconcile" => reconcile::run(case, on),
        other => Outcome::NotRunnable(format!("no such kind of case: {other}")),
    }));
    judged.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome::Failed(vec![format!("panic: {}", text.unwrap_or_default())])
    })
}

/// The cases that don't pass yet and those that a decision leaves out, by id, with the reason.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pending {
    /// Those that don't pass yet.
    #[serde(default)]
    pub pending: BTreeMap<String, String>,
    /// Those that contradict a decision: which, and why the decision wins.
    #[serde(default)]
    pub left_out: BTreeMap<String, String>,
}

impl Pending {
    /// Reads the list.
    ///
    /// # Panics
    /// If it can't be read.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.trim().is_empty() {
            return Self::default();
        }
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Takes over what became of the cases: whatever doesn't pass is pending, for this reason.
    pub fn bless<'a>(&mut self, outcomes: impl IntoIterator<Item = (&'a str, &'a Outcome)>) {
        let waits = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_) | Outcome::NotRunnable(_));
        let left_out = &self.left_out;
        let outcomes = outcomes.into_iter().filter(|(id, outcome)| waits(outcome) && !left_out.contains_key(*id));
        self.pending = outcomes.map(|(id, outcome)| (id.to_owned(), short(&outcome.reason()))).collect();
    }

    /// Writes the list.
    ///
    /// # Panics
    /// If it can't be written.
    pub fn store(&self, path: &Path) {
        let head = "# The cases that don't pass yet, with what is wrong first of all, and those that a decision leaves out, with the reason.\n\
                    # A test holds both ways: a case that isn't here passes, and one that is here doesn't. `VMTWIN_BLESS=1` renews the first part.\n";
        let mut text = head.to_owned();
        for (name, list) in [("pending", &self.pending), ("leftOut", &self.left_out)].into_iter().filter(|(_, list)| !list.is_empty()) {
            text.push_str(&format!("{name}:\n"));
            // A JSON text is a YAML text, on one line.
            list.iter().for_each(|(id, reason)| text.push_str(&format!("  {id}: {}\n", Value::from(reason.as_str()))));
        }
        std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// What is wrong with the list, given what became of the cases: a line each.
    #[must_use]
    pub fn mistakes<'a>(&self, outcomes: impl IntoIterator<Item = (&'a str, &'a Outcome)>) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for (id, outcome) in outcomes {
            seen.insert(id);
            let listed = self.pending.contains_key(id);
            match outcome {
                _ if self.left_out.contains_key(id) => {}
                Outcome::Passed if listed => mistakes.push(format!("{id} passes: take it off the list")),
                Outcome::Failed(wrong) if !listed => mistakes.push(format!("{id} fails: {}", wrong.join("; "))),
                Outcome::NotRunnable(why) if !listed => mistakes.push(format!("{id} can't be run: {why}")),
                _ => {}
            }
        }
        let unknown = self.pending.keys().chain(self.left_out.keys()).filter(|id| !seen.contains(id.as_str()));
        mistakes.extend(unknown.map(|id| format!("{id} is on the list, and there is no such case")));
        mistakes
    }
}

/// The beginning of a reason, on one line.
fn short(reason: &str) -> String {
    const LETTERS: usize = 160;
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > LETTERS { format!("{} …", line.chars().take(LETTERS).collect::<String>()) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_pending_cases_binds_both_ways() {
        let list =
            |ids: &[&str]| Pending { pending: ids.iter().map(|id| ((*id).to_owned(), String::new())).collect(), ..Pending::default() };
        let outcomes = [("a", Outcome::Passed), ("b", Outcome::Failed(vec!["x".to_owned()])), ("c", Outcome::LeftOut("y".to_owned()))];
        let mistakes = |listed: &[&str]| list(listed).mistakes(outcomes.iter().map(|(id, outcome)| (*id, outcome)));
        assert_eq!(mistakes(&["b"]), Vec::<String>::new());
        assert_eq!(mistakes(&[]), ["b fails: x"]);
        assert_eq!(mistakes(&["a", "b"]), ["a passes: take it off the list"]);
        assert_eq!(mistakes(&["b", "z"]), ["z is on the list, and there is no such case"]);
    }
}
