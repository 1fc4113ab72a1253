//! The text of a file that a user wrote, and places in it.

use std::fmt;
use std::sync::Arc;

/// A file as it was read: its name and its text.
pub struct SourceFile {
    name: String,
    text: String,
    /// The byte offset of the first character of each line.
    lines: Vec<u32>,
}

impl SourceFile {
    /// A file of this name with this text. Texts are shorter than 4 GiB: the YAML reader's budget sees to it.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| offset(at + 1));
        let lines = std::iter::once(0).chain(starts).collect();
        Self { name: name.into(), text, lines }
    }

    /// The file's name, as diagnostics print it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line and the column, both counted from 1 and the column in characters, of a byte offset.
    #[must_use]
    pub fn position(&self, at: u32) -> Position {
        let at = self.snap(at);
        let row = self.row(at);
        let start = self.lines[row] as usize;
        let column = self.text[start..at as usize].chars().count() + 1;
        Position { line: row + 1, column }
    }

    /// The text of a line, counted from 1, without its end.
    #[must_use]
    pub fn line(&self, line: usize) -> &str {
        let Some(&start) = line.checked_sub(1).and_then(|row| self.lines.get(row)) else { return "" };
        let end = self.lines.get(line).map_or(self.text.len(), |&next| next as usize);
        self.text[start as usize..end].trim_end_matches(['\n', '\r'])
    }

    /// How many lines there are.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// The byte offset at which a line, counted from 1, begins.
    #[must_use]
    pub fn line_start(&self, line: usize) -> u32 {
        line.checked_sub(1).and_then(|row| self.lines.get(row)).copied().unwrap_or_else(|| offset(self.text.len()))
    }

    /// The part of a region that lies on its first line, so that a mapping of a hundred lines is pointed at by its head.
    #[must_use]
    pub fn head(&self, region: Region) -> Region {
        let start = self.snap(region.start);
        let end = self.snap(region.end).max(start);
        let line_end = self.lines.get(self.row(start) + 1).map_or(self.text.len(), |&next| next as usize);
        let line = &self.text[start as usize..line_end.max(start as usize)];
        let visible = line.trim_end_matches(['\n', '\r', ' ', '\t']).len();
        Region { start, end: end.min(start + offset(visible)), ..region }
    }

    fn row(&self, at: u32) -> usize {
        self.lines.partition_point(|&start| start <= at).saturating_sub(1)
    }

    /// The nearest offset at or before `at` that begins a character.
    fn snap(&self, at: u32) -> u32 {
        let mut at = (at as usize).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        offset(at)
    }
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceFile({:?}, {} bytes)", self.name, self.text.len())
    }
}

/// An offset into a text; texts are below 4 GiB.
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A line and a column, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A range of bytes in one of the files that are read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    /// Which file, by its number in [`Sources`].
    pub file: u32,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// The files that are read together: a scenario and what it refers to.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Arc<SourceFile>>,
}

impl Sources {
    /// Adds a file and gives its number.
    pub fn add(&mut self, file: Arc<SourceFile>) -> u32 {
        self.files.push(file);
        offset(self.files.len() - 1)
    }

    /// The file of this number.
    #[must_use]
    pub fn file(&self, number: u32) -> &Arc<SourceFile> {
        &self.files[number as usize]
    }

    /// The place of a region: its file, and the part of it on its first line.
    #[must_use]
    pub fn place(&self, region: Region) -> Place {
        let file = Arc::clone(self.file(region.file));
        let head = file.head(region);
        Place { file, start: head.start, end: head.end }
    }
}

/// A place that a diagnostic points at. It lies on one line.
#[derive(Clone)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Place {
    /// The line and the column at which it begins.
    #[must_use]
    pub fn position(&self) -> Position {
        self.file.position(self.start)
    }
}

/// `file:line:column`, as editors take it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.position();
        write!(f, "{}:{}:{}", self.file.name(), position.line, position.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        (self.file.name(), self.start, self.end) == (other.file.name(), other.start, other.end)
    }
}

impl Eq for Place {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_lines_from_one() {
        let file = SourceFile::new("a.yaml", "a: ü\nb: x\r\n");
        assert_eq!(file.position(0), Position { line: 1, column: 1 });
        assert_eq!(file.position(5), Position { line: 1, column: 5 }, "after the two bytes of ü");
        assert_eq!(file.position(4), Position { line: 1, column: 4 }, "in the middle of ü");
        assert_eq!(file.position(6), Position { line: 2, column: 1 });
        assert_eq!(file.position(999), Position { line: 3, column: 1 });
        assert_eq!((file.line(1), file.line(2), file.line(3), file.line(4)), ("a: ü", "b: x", "", ""));
    }

    #[test]
    fn a_region_of_several_lines_has_its_first_as_its_head() {
        let file = SourceFile::new("a.yaml", "a:  \n  b: 1\n");
        let head = file.head(Region { file: 0, start: 0, end: 12 });
        assert_eq!((head.start, head.end), (0, 2));
    }
}
