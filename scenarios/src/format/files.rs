//! Where files come from. [`Disk`] is the one place of the crate that reads any; tests and fuzzers bring [`Memory`].

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// The most files that a pattern may look at.
const MOST_FILES: usize = 200_000;
/// The most bytes that are read of a file: more than any budget allows, so that the budget can tell, and few enough to hold in memory.
pub const MOST_BYTES: u64 = 32 << 20;

/// Gives files their content.
pub trait Files {
    /// The content of a file.
    ///
    /// # Errors
    /// If it can't be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files below `base` whose path from there matches the pattern, sorted.
    ///
    /// # Errors
    /// If the folder can't be read or the pattern is none.
    fn glob(&self, base: &Path, pattern: &str) -> io::Result<Vec<PathBuf>>;

    /// Whether a path lies where paths may lead.
    fn is_inside(&self, path: &Path) -> bool;
}

/// The folder that no path may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The folder.
    pub folder: PathBuf,
    /// Whether paths may leave it all the same.
    pub allow_outside: bool,
}

/// Files on the disk.
#[derive(Clone, Debug)]
pub struct Disk {
    root: Root,
}

impl Disk {
    /// The files of the disk, in as far as they lie below the root.
    #[must_use]
    pub fn new(root: Root) -> Self {
        Self { root }
    }

    /// Links may lead outside, too.
    fn check(&self, path: &Path) -> io::Result<()> {
        if self.root.allow_outside || path.canonicalize()?.starts_with(self.root.folder.canonicalize()?) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "a link leads outside of the folder"))
    }
}

/// MARK: this is where scenarios read files.
impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.check(path)?;
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        let mut content = Vec::new();
        // The length on the disk is not asked: a file may grow, and some say that they are empty.
        let read = std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut content)?;
        if read as u64 > MOST_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 32 MiB"));
        }
        Ok(content)
    }

    fn glob(&self, base: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let matcher = matcher(pattern)?;
        let base = or_here(base);
        let mut found = Vec::new();
        let mut folders = vec![base.to_owned()];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                seen += 1;
                if seen > MOST_FILES {
                    return Err(io::Error::other("there are more than 200,000 files"));
                }
                // Links are not followed: they could lead in a circle.
                let sort = entry.file_type()?;
                if sort.is_dir() {
                    folders.push(entry.path());
                } else if sort.is_file() && entry.path().strip_prefix(base).is_ok_and(|path| matcher.is_match(path)) {
                    found.push(normal(&entry.path()));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn is_inside(&self, path: &Path) -> bool {
        let absolute = |path: &Path| std::path::absolute(or_here(path)).map(|path| normal(&path));
        let inside = || Ok::<_, io::Error>(absolute(path)?.starts_with(absolute(&self.root.folder)?));
        self.root.allow_outside || inside().unwrap_or(false)
    }
}

/// The path; the current folder in the place of none.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Memory {
    /// Adds a file.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no such file"))
    }

    fn glob(&self, base: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let matcher = matcher(pattern)?;
        let below = |path: &&PathBuf| path.strip_prefix(base).is_ok_and(|path| matcher.is_match(path));
        Ok(self.files.keys().filter(below).cloned().collect())
    }

    fn is_inside(&self, path: &Path) -> bool {
        path.components().all(|component| matches!(component, Component::Normal(_)))
    }
}

fn matcher(pattern: &str) -> io::Result<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// Whether a path is a pattern.
pub(super) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

/// The path without `.`, and without `..` but at its beginning.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match (component, out.components().next_back()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                out.pop();
            }
            (other, _) => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_plain_without_asking_the_disk() {
        let plain = |path: &str| normal(Path::new(path)).to_string_lossy().into_owned();
        assert_eq!(plain("a/./b/../c.yaml"), "a/c.yaml");
        assert_eq!(plain("a/../../etc/passwd"), "../etc/passwd");
        assert_eq!(plain("../../a"), "../../a");
        assert_eq!(plain("/a/../../b"), "/b");
        assert!(!Memory::default().is_inside(Path::new("../a")));
    }

    #[test]
    fn the_disk_gives_what_lies_in_the_current_folder_and_nothing_without_end() {
        let disk = Disk::new(Root { folder: ".".into(), allow_outside: false });
        assert!(disk.is_inside(Path::new("")) && !disk.is_inside(Path::new("..")));
        // Tests run in the folder of their crate.
        assert_eq!(disk.glob(Path::new(""), "Cargo.*").expect("the folder can be read"), [Path::new("Cargo.toml")]);
        assert!(disk.read(Path::new("Cargo.toml")).is_ok());
        let large = std::env::temp_dir().join(format!("vmtwin-large-{}", std::process::id()));
        std::fs::File::create(&large).and_then(|file| file.set_len(MOST_BYTES + 1)).expect("a file without content");
        let everywhere = Disk::new(Root { folder: ".".into(), allow_outside: true });
        assert_eq!(everywhere.read(&large).expect_err("it is too large").kind(), io::ErrorKind::FileTooLarge);
        std::fs::remove_file(&large).expect("it is ours");
    }

    #[test]
    fn patterns_match_within_folders_unless_they_say_otherwise() {
        let files = Memory::default().with("a/x.yaml", "").with("a/b/y.yaml", "").with("a/z.json", "");
        let found = |pattern: &str| files.glob(Path::new("a"), pattern).expect("a pattern").len();
        assert_eq!((found("*.yaml"), found("**/*.yaml"), found("*.{yaml,json}")), (1, 2, 2));
        assert!(files.glob(Path::new("a"), "[").is_err());
    }
}
