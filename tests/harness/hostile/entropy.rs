//! Bytes as a source of choices: whatever they are, they come to some input, and a fuzzer that changes a byte changes a choice.

/// The choices that are left. When the bytes are used up, every choice is the first one.
pub(super) struct Entropy<'b>(&'b [u8]);

impl<'b> Entropy<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all is used up.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    /// A number below `end`, which is at least 1.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let number = if end > 256 { self.byte() << 8 | self.byte() } else { self.byte() };
        number % end.max(1)
    }

    /// True once in so many times; never when the bytes are used up.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1 && times > 1
    }

    /// One of these.
    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Some text, most of it as it came.
    pub(super) fn text(&mut self) -> String {
        let end = self.below(24).min(self.0.len());
        let (text, rest) = self.0.split_at(end);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }
}
