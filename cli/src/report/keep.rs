//! What `--keep` leaves of a run: its timeline as JSON lines, and its last objects as YAML.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value};
use vmtwin_scenarios::runner::Ran;

use crate::output::yaml;

/// The longest name of a file, without its ending.
const LONGEST: usize = 120;

/// File names for scenarios: legible, safe in any folder, each given once.
#[derive(Debug, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// The file name for this scenario; with its seed, if there are several.
    pub fn give(&mut self, scenario: &str, seed: Option<u64>) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.=,@".contains(c) { c } else { '_' };
        let name: String = scenario.chars().map(safe).take(LONGEST).collect();
        let name = name.trim_matches(['_', '.']);
        let name = if name.is_empty() { "scenario" } else { name };
        let name = seed.map_or_else(|| name.to_owned(), |seed| format!("{name}@{seed}"));
        let mut free = name.clone();
        let mut nth = 2;
        // Some file systems don't tell large letters from small ones.
        while !self.0.insert(free.to_lowercase()) {
            free = format!("{name}-{nth}");
            nth += 1;
        }
        free
    }
}

/// Writes both files.
pub fn write(stem: &Path, ran: &Ran) -> anyhow::Result<()> {
    into_file(&with_ending(stem, "timeline.jsonl"), |file| {
        ran.records.iter().try_for_each(|record| Ok(writeln!(file, "{}", record.to_json())?))
    })?;
    into_file(&with_ending(stem, "objects.yaml"), |file| {
        ran.final_objects.iter().try_for_each(|object| Ok(writeln!(file, "---\n{}", yaml(&in_order(object))?.trim_end())?))
    })
}

/// The object with its head first, as kubectl prints it.
fn in_order(object: &Value) -> Value {
    let Value::Object(fields) = object else { return object.clone() };
    let head = ["apiVersion", "kind", "metadata"];
    let first = head.iter().filter_map(|&name| fields.get_key_value(name));
    let rest = fields.iter().filter(|(name, _)| !head.contains(&name.as_str()));
    first.chain(rest).map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
}

fn with_ending(stem: &Path, ending: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn into_file(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let written = || {
        let mut file = BufWriter::new(File::create(path)?);
        write(&mut file)?;
        Ok::<_, anyhow::Error>(file.flush()?)
    };
    written().with_context(|| format!("`{}` can't be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_each_is_given_once() {
        let mut names = Names::default();
        assert_eq!(names.give("boot[mode=Hard,tools=running]", None), "boot_mode=Hard,tools=running");
        assert_eq!(names.give("../../etc/passwd", None), "etc_passwd");
        assert_eq!(names.give("ETC_passwd", None), "ETC_passwd-2");
        assert_eq!(names.give("..", None), "scenario");
        assert_eq!(names.give("boot", Some(7)), "boot@7");
        assert_eq!(names.give(&"x".repeat(500), None).len(), LONGEST);
    }
}
