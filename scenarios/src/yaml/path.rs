//! Paths into a tree, as Kubernetes spells them: `spec.interfaces[0].name`, `metadata.annotations[a.b/c]`.

use std::fmt;
use std::sync::Arc;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// To the value of a key.
    Key(Arc<str>),
    /// To an item of a list.
    Index(usize),
}

/// A way down from some node.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<Segment>);

impl Path {
    /// The way that stays where it is.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Reads the spelling of field paths. Brackets hold an index or a key, with or without quotes. Any text is a path.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let quote = inner.chars().next().filter(|c| matches!(c, '"' | '\''));
                let (word, after) = match quote {
                    Some(quote) => inner[1..].split_once(quote).map(|(word, after)| (word, after.strip_prefix(']').unwrap_or(after))),
                    None => inner.split_once(']'),
                }
                .unwrap_or((inner, ""));
                segments.push(match word.parse() {
                    Ok(index) if quote.is_none() => Segment::Index(index),
                    _ => Segment::Key(word.into()),
                });
                rest = after.strip_prefix('.').unwrap_or(after);
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                if !word.is_empty() {
                    segments.push(Segment::Key(word.into()));
                }
                rest = after.strip_prefix('.').unwrap_or(after);
            }
        }
        Self(segments)
    }

    /// The steps.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The path one step further, to a key.
    #[must_use]
    pub fn key(&self, key: impl Into<Arc<str>>) -> Self {
        self.with(Segment::Key(key.into()))
    }

    /// The path one step further, to an item.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// The path followed by another.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = Vec::with_capacity(self.0.len() + 1);
        segments.extend(self.0.iter().cloned());
        segments.push(segment);
        Self(segments)
    }
}

impl From<Vec<Segment>> for Path {
    fn from(segments: Vec<Segment>) -> Self {
        Self(segments)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if key.contains(['.', '[', '/']) => write!(f, "[{key}]")?,
                Segment::Key(key) if at == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_kubernetes_spells_them() {
        for (text, printed) in [
            ("spec.network.interfaces[0].name", "spec.network.interfaces[0].name"),
            ("metadata.annotations[a.b/c]", "metadata.annotations[a.b/c]"),
            ("metadata.annotations[\"a.b/c\"].x", "metadata.annotations[a.b/c].x"),
            ("a['0']", "a.0"),
            ("", ""),
        ] {
            assert_eq!(Path::parse(text).to_string(), printed, "{text}");
        }
        for text in ["[", "]", "..", "a[", "[\"", "a[b", "a]b.[c"] {
            let _any_text_is_a_path = Path::parse(text);
        }
    }
}
