//! From characters to bytes: the parser counts in the former, regions in the latter.

use crate::diagnostics::offset;

/// From the parser's count of characters to bytes.
pub(super) struct Offsets<'a> {
    text: &'a str,
    /// The byte offset of every [`Self::STEP`]th character; none in a text that is ASCII throughout.
    marks: Vec<u32>,
}

impl<'a> Offsets<'a> {
    const STEP: usize = 64;

    pub(super) fn new(text: &'a str) -> Self {
        let marks = if text.is_ascii() { Vec::new() } else { text.char_indices().step_by(Self::STEP).map(|(at, _)| offset(at)).collect() };
        Self { text, marks }
    }

    /// The offset of a character.
    pub(super) fn at(&self, index: usize) -> u32 {
        if self.marks.is_empty() {
            return offset(index.min(self.text.len()));
        }
        let Some(&mark) = self.marks.get(index / Self::STEP) else { return offset(self.text.len()) };
        let rest = self.text[mark as usize..].char_indices().nth(index % Self::STEP);
        rest.map_or_else(|| offset(self.text.len()), |(at, _)| mark + offset(at))
    }

    /// The offset of the character after this one.
    pub(super) fn after(&self, at: u32) -> u32 {
        at + self.text[at as usize..].chars().next().map_or(0, |c| offset(c.len_utf8()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_found_in_ascii_and_elsewhere() {
        let text = "ä".repeat(200) + "b";
        let offsets = Offsets::new(&text);
        assert_eq!((offsets.at(0), offsets.at(63), offsets.at(64), offsets.at(200), offsets.at(999)), (0, 126, 128, 400, 401));
        assert_eq!((offsets.after(0), offsets.after(400), offsets.after(401)), (2, 401, 401));
        assert_eq!(Offsets::new("abc").at(2), 2);
    }
}
