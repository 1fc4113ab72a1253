//! A folder of a test's own in the temp directory, which goes with the test.

use std::ops::Deref;
use std::path::Path;

use tempfile::TempDir;

/// The folder.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// A new one with nothing in it.
    ///
    /// # Panics
    /// If it can't be made.
    #[must_use]
    pub fn empty() -> Self {
        Self(tempfile::Builder::new().prefix("vmtwin-").tempdir().expect("a folder for the test"))
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.0.path()
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        self.0.path()
    }
}
