//! Which files are meant: a named file, the scenarios in a folder, or what a pattern matches.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use globset::GlobBuilder;
use vmtwin_scenarios::format::{self, Loaded, Root};

use crate::interrupt;
use crate::status::Misuse;

/// A file, read.
pub struct File {
    /// Its path, as it follows from what the user typed.
    pub path: PathBuf,
    /// What it holds.
    pub loaded: Loaded,
}

/// Whether a file has to hold a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The user named it: it must.
    Named,
    /// It was found: it counts if it does.
    Found,
}

/// Reads the files that are meant, in the order of the paths, each once; in a folder by name.
pub fn load(paths: &[PathBuf], allow_outside: bool) -> anyhow::Result<Vec<File>> {
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for given in paths {
        for (path, root, chosen) in candidates(given, allow_outside, &is_yaml)? {
            if interrupt::happened() {
                return Ok(files);
            }
            let known = path.canonicalize().is_ok_and(|path| !seen.insert(path));
            if !known && (chosen == Chosen::Named || may_hold_scenario(&path)) {
                let loaded = format::load(&path, &root);
                files.push(File { path, loaded });
            }
        }
    }
    if files.is_empty() && !interrupt::happened() {
        let given: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(Misuse::because(format!("no scenario in {}: no `.yaml` or `.yml` file there has `kind: Scenario`", given.join(", "))));
    }
    Ok(files)
}

/// The files of manifests that are meant: a named file, those in a folder, or what a pattern matches; `-` is standard input.
pub fn manifests(given: &Path, allow_outside: bool) -> anyhow::Result<Vec<(PathBuf, Root, Chosen)>> {
    if given == Path::new("-") {
        return Ok(vec![(given.to_owned(), root(Path::new("."), allow_outside), Chosen::Named)]);
    }
    let is_json = |path: &Path| path.extension().is_some_and(|extension| extension == "json");
    candidates(given, allow_outside, &|path| is_yaml(path) || is_json(path))
}

fn candidates(given: &Path, allow_outside: bool, fits: &dyn Fn(&Path) -> bool) -> anyhow::Result<Vec<(PathBuf, Root, Chosen)>> {
    if given.is_dir() {
        let root = root(given, allow_outside);
        let found = walk(given, allow_outside)?.into_iter().filter(|path| fits(path));
        return Ok(found.map(|path| (shown(path), root.clone(), Chosen::Found)).collect());
    }
    if given.exists() {
        let folder = given.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return Ok(vec![(given.to_owned(), root(folder, allow_outside), Chosen::Named)]);
    }
    let Some((base, pattern)) = pattern(given) else {
        return Err(Misuse::because(format!("there is no file or folder `{}`", given.display())));
    };
    let matcher = GlobBuilder::new(&pattern).literal_separator(true).build();
    let matcher =
        matcher.map_err(|error| Misuse::because(format!("`{}` is no pattern: {}", given.display(), error.kind())))?.compile_matcher();
    if !base.is_dir() {
        return Err(Misuse::because(format!("nothing matches `{}`: there is no folder `{}`", given.display(), base.display())));
    }
    let root = root(&base, allow_outside);
    let found = walk(&base, allow_outside)?.into_iter().filter(|path| path.strip_prefix(&base).is_ok_and(|path| matcher.is_match(path)));
    Ok(found.map(|path| (shown(path), root.clone(), Chosen::Found)).collect())
}

/// The folder that the files' own paths may not leave: the current one, or the one given if it lies elsewhere.
pub fn root(given: &Path, allow_outside: bool) -> Root {
    let here = PathBuf::from(".");
    let below = given.canonicalize().ok().zip(here.canonicalize().ok()).is_some_and(|(given, here)| given.starts_with(here));
    Root { folder: if below { here } else { given.to_owned() }, allow_outside }
}

/// All files below a folder, sorted. Links to folders aren't followed, and links to files only if they stay inside.
fn walk(top: &Path, allow_outside: bool) -> anyhow::Result<Vec<PathBuf>> {
    let real_top = top.canonicalize().with_context(|| format!("`{}` can't be read", top.display()))?;
    let mut files = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        let unreadable = || format!("folder `{}` can't be read", folder.display());
        for entry in std::fs::read_dir(&folder).with_context(unreadable)? {
            let entry = entry.with_context(unreadable)?;
            let path = entry.path();
            let sort = entry.file_type().with_context(unreadable)?;
            if sort.is_dir() {
                folders.push(path);
            } else if sort.is_file()
                || (path.is_file() && (allow_outside || path.canonicalize().is_ok_and(|real| real.starts_with(&real_top))))
            {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The folder that a pattern starts from, and the pattern from there; nothing if there is no pattern in it.
fn pattern(given: &Path) -> Option<(PathBuf, String)> {
    let is_pattern = |component: &Component<'_>| component.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
    let components: Vec<Component<'_>> = given.components().collect();
    let first = components.iter().position(is_pattern)?;
    let base: PathBuf = components[..first].iter().collect();
    let pattern: PathBuf = components[first..].iter().collect();
    let base = if base.as_os_str().is_empty() { PathBuf::from(".") } else { base };
    Some((base, pattern.to_str()?.replace('\\', "/")))
}

/// The path without the `.` that a walk through the current folder puts before it.
fn shown(path: PathBuf) -> PathBuf {
    path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Whether a file holds a scenario, as far as its beginning tells, or can't be read: then loading it tells why.
fn may_hold_scenario(path: &Path) -> bool {
    let mut content = Vec::new();
    match std::fs::File::open(path).and_then(|file| file.take(format::MOST_BYTES).read_to_end(&mut content)) {
        Ok(_) => format::is_scenario_file(&content),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_starts_from_the_last_folder_that_is_none() {
        let split = |given: &str| pattern(Path::new(given)).map(|(base, pattern)| (base.to_string_lossy().into_owned(), pattern));
        assert_eq!(split("a/b/*.yaml"), Some(("a/b".to_owned(), "*.yaml".to_owned())));
        assert_eq!(split("**/x?.yml"), Some((".".to_owned(), "**/x?.yml".to_owned())));
        assert_eq!(split("a/b.yaml"), None);
    }
}
