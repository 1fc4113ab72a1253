//! What the tests of the house and the benchmarks share: the library of scenarios and runs of it, scenarios of many lives, foreign cases,
//! the worlds behind the vSphere port, and what hostile input is thrown at.

pub mod admission;
pub mod conformance;
pub mod contract;
pub mod folder;
pub mod hostile;
pub mod lives;
pub mod twin;
pub mod vcsim;

use std::path::{Path, PathBuf};

use vmtwin_scenarios::format::{self, Files, Scenario};

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests lie in the repository's root").to_owned()
}

/// The files of the scenario library, by path.
#[must_use]
pub fn library() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("scenarios/library")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the library can be read") {
            let path = entry.expect("the library can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The scenarios of a file, which must be valid.
///
/// # Panics
/// If the file isn't valid; the diagnostics are printed.
#[must_use]
pub fn scenarios(path: &Path) -> Vec<Scenario> {
    let loaded = format::load(path, &format::Root { folder: root(), allow_outside: false });
    assert_valid(&loaded);
    loaded.scenarios
}

/// The scenarios of a file.
///
/// # Errors
/// The first line of the first diagnostic, if it isn't valid.
pub fn scenarios_within(path: &Path) -> Result<Vec<Scenario>, String> {
    let loaded = format::load(path, &format::Root { folder: root(), allow_outside: false });
    if loaded.is_valid() {
        return Ok(loaded.scenarios);
    }
    let told = loaded.diagnostics.iter().map(|diagnostic| diagnostic.render(false)).next().unwrap_or_default();
    Err(told.lines().next().unwrap_or_default().to_owned())
}

/// Holds that a file has no error.
///
/// # Panics
/// If it has; the diagnostics are printed.
pub fn assert_valid(loaded: &format::Loaded) {
    let text: String = loaded.diagnostics.iter().map(|diagnostic| diagnostic.render(false)).collect();
    assert!(loaded.is_valid(), "{text}");
}

/// No other file.
#[derive(Debug)]
pub struct Nowhere;

impl Files for Nowhere {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        Err(std::io::Error::new(std::io::ErrorKind::NotFound, path.display().to_string()))
    }

    fn is_inside(&self, _: &Path) -> bool {
        false
    }

    fn glob(&self, _: &Path, _: &str) -> std::io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}
