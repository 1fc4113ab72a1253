//! The dynamic tree that SOAP is read into and written from: a name, a type, text or children.
//!
//! It knows nothing of vSphere. Servers are newer than clients, so whatever an answer holds is kept; names and attributes are
//! matched without their namespace's prefix, since vcsim and a vCenter choose different ones. Reading is bounded: depth and
//! number of elements have a limit, and a document type definition, by which a text could grow without end, is refused.
//! Source: vsphere §2.1.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// How deep elements may nest. A chain of snapshots, the deepest thing that vSphere sends, has 32 links.
const DEPTH_MAX: usize = 128;

/// How many elements a document may have.
const ELEMENTS_MAX: usize = 1_000_000;

/// An element with all that it holds. One with children has no text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The name, without prefix.
    pub name: String,
    /// The attribute `type`: what kind of managed object the text refers to.
    pub reference: Option<String>,
    /// The attribute `xsi:type`: the real type, where the declared one is a base; with its prefix, if it has one.
    pub type_: Option<String>,
    /// The text.
    pub text: String,
    /// The children.
    pub children: Vec<Element>,
}

/// Why bytes are no tree.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no XML.
    #[error("malformed XML at byte {at}: {why}")]
    Malformed {
        /// Where.
        at: u64,
        /// Why.
        why: String,
    },
    /// It nests too deep.
    #[error("the XML nests deeper than {DEPTH_MAX} elements")]
    TooDeep,
    /// It is too large.
    #[error("the XML has more than {ELEMENTS_MAX} elements")]
    TooLarge,
    /// It has a document type definition.
    #[error("the XML has a document type definition, which is refused")]
    DocumentType,
    /// It ends in the middle, or has nothing in it.
    #[error("the XML ends too early")]
    Incomplete,
}

/// A character that XML has no way to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the character U+{0:04X} can't be sent: XML has no way to say it")]
pub struct Unspeakable(u32);

impl Element {
    /// An element without content.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// An element with text.
    #[must_use]
    pub fn text(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), text: text.into(), ..Self::default() }
    }

    /// A reference to a managed object.
    #[must_use]
    pub fn reference(name: &str, kind: &str, id: &str) -> Self {
        Self { reference: Some(kind.to_owned()), ..Self::text(name, id) }
    }

    /// The element with its real type.
    #[must_use]
    pub fn typed(mut self, type_: &str) -> Self {
        self.type_ = Some(type_.to_owned());
        self
    }

    /// The element with one more child.
    #[must_use]
    pub fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The real type without prefix; empty where none is said.
    #[must_use]
    pub fn type_name(&self) -> &str {
        let type_ = self.type_.as_deref().unwrap_or_default();
        type_.rsplit_once(':').map_or(type_, |(_, name)| name)
    }

    /// The first child of this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of this name: a list.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The element at a path of names, `config.hardware`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |element, name| element.child(name))
    }

    /// The text at a path; an empty one counts.
    #[must_use]
    pub fn text_at(&self, path: &str) -> Option<&str> {
        Some(&self.at(path)?.text)
    }

    /// Writes the element as XML.
    ///
    /// # Errors
    /// If a text has a character that XML can't say.
    pub fn write(&self, out: &mut String) -> Result<(), Unspeakable> {
        self.write_with(out, "")
    }

    /// Writes the element, with more attributes than a tree has.
    ///
    /// # Errors
    /// If a text has a character that XML can't say.
    pub fn write_with(&self, out: &mut String, attributes: &str) -> Result<(), Unspeakable> {
        out.push('<');
        out.push_str(&self.name);
        out.push_str(attributes);
        for (attribute, value) in [(" type=\"", &self.reference), (" xsi:type=\"", &self.type_)] {
            if let Some(value) = value {
                out.push_str(attribute);
                escape(value, out)?;
                out.push('"');
            }
        }
        out.push('>');
        escape(&self.text, out)?;
        for child in &self.children {
            child.write(out)?;
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
        Ok(())
    }

    /// Reads a document.
    ///
    /// # Errors
    /// If it is no XML, or larger or deeper than anything that vSphere sends.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        Tree::default().read(bytes)
    }
}

fn escape(text: &str, out: &mut String) -> Result<(), Unspeakable> {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // A reader may turn them, written bare, into something else.
            '\r' | '\n' | '\t' => out.push_str(&format!("&#{};", u32::from(c))),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => return Err(Unspeakable(c.into())),
            c => out.push(c),
        }
    }
    Ok(())
}

/// A tree that grows: the open elements, outermost first.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Tree {
    fn read(mut self, bytes: &[u8]) -> Result<Element, ReadError> {
        let mut reader = Reader::from_reader(bytes);
        loop {
            let at = reader.buffer_position();
            let malformed = |why: String| ReadError::Malformed { at, why };
            match reader.read_event().map_err(|error| malformed(error.to_string()))? {
                Event::Start(start) => self.begin(element(&start).map_err(malformed)?, at)?,
                Event::Empty(start) => {
                    self.begin(element(&start).map_err(malformed)?, at)?;
                    self.end();
                }
                Event::End(_) => self.end(),
                Event::Text(text) => self.say(&text.xml10_content().map_err(|error| malformed(error.to_string()))?, at)?,
                Event::CData(text) => self.say(&text.decode().map_err(|error| malformed(error.to_string()))?, at)?,
                Event::GeneralRef(reference) => {
                    let name = reference.decode().map_err(|error| malformed(error.to_string()))?;
                    let c = character(&name).ok_or_else(|| malformed(format!("`&{name};` is no character")))?;
                    self.say(c.encode_utf8(&mut [0; 4]), at)?;
                }
                Event::DocType(_) => return Err(ReadError::DocumentType),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        if self.open.is_empty() { self.root.ok_or(ReadError::Incomplete) } else { Err(ReadError::Incomplete) }
    }

    fn begin(&mut self, element: Element, at: u64) -> Result<(), ReadError> {
        if self.root.is_some() {
            return Err(ReadError::Malformed { at, why: "a second root element".into() });
        }
        if self.open.len() == DEPTH_MAX {
            return Err(ReadError::TooDeep);
        }
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(ReadError::TooLarge);
        }
        self.open.push(element);
        Ok(())
    }

    /// Closes the innermost element; the reader holds that it is the one that is named.
    fn end(&mut self) {
        let Some(mut element) = self.open.pop() else { return };
        if !element.children.is_empty() {
            // What stands between children is the server's indentation.
            element.text.clear();
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn say(&mut self, text: &str, at: u64) -> Result<(), ReadError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(ReadError::Malformed { at, why: "text outside of the root element".into() }),
        }
        Ok(())
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let name = start.local_name();
    let mut element = Element::new(std::str::from_utf8(name.as_ref()).map_err(|error| error.to_string())?);
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.local_name().as_ref() != b"type" {
            continue;
        }
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|error| error.to_string())?.into_owned();
        if attribute.key.prefix().is_some() {
            element.type_ = Some(value);
        } else {
            element.reference = Some(value);
        }
    }
    Ok(element)
}

/// The character that a reference names.
fn character(name: &str) -> Option<char> {
    let code = match name.strip_prefix('#') {
        None => return quick_xml::escape::resolve_predefined_entity(name).and_then(|text| text.chars().next()),
        Some(number) => match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        },
    };
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(element: &Element) -> String {
        let mut out = String::new();
        element.write_with(&mut out, " xmlns:xsi=\"x\"").expect("speakable text");
        out
    }

    fn elements() -> impl Strategy<Value = Element> {
        let name = "[A-Za-z_][A-Za-z0-9_]{0,8}";
        let attribute = || proptest::option::of("[A-Za-z:<>&\" ]{0,8}");
        let text = "[ -~\u{a0}-\u{d7ff}\r\n\t]{0,12}";
        let leaf = (name, attribute(), attribute(), text).prop_map(|(name, reference, type_, text)| Element {
            name,
            reference,
            type_,
            text,
            children: Vec::new(),
        });
        leaf.prop_recursive(4, 32, 5, move |inner| {
            (name, attribute(), attribute(), proptest::collection::vec(inner, 1..5))
                .prop_map(|(name, reference, type_, children)| Element { name, reference, type_, text: String::new(), children })
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_it_was(element in elements()) {
            let text = written(&element);
            prop_assert_eq!(Element::read(text.as_bytes()).expect("our own XML"), element);
        }

        #[test]
        fn no_bytes_bring_the_reader_down(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(Element::read(&bytes));
        }

        #[test]
        fn no_broken_document_brings_the_reader_down(element in elements(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = written(&element).into_bytes();
            let at = cut.index(bytes.len());
            bytes[at] = byte;
            drop(Element::read(&bytes));
            bytes.truncate(at);
            prop_assert!(Element::read(&bytes).is_err(), "a document that is cut off reads");
        }
    }

    #[test]
    fn types_are_known_by_any_prefix_and_references_have_none() {
        let text = br#"<?xml version="1.0"?><v xmlns:XMLSchema-instance="x"><a XMLSchema-instance:type="xsd:string">b&#xA;&lt;</a> <o type="Task">task-1</o></v>"#;
        let element = Element::read(text).expect("a tree");
        let a = element.child("a").expect("a");
        assert_eq!((a.type_name(), a.text.as_str()), ("string", "b\n<"));
        assert_eq!(element.child("o").and_then(|o| o.reference.as_deref()), Some("Task"));
        assert_eq!(element.text, "", "indentation is no text");
        assert_eq!(element.text_at("o"), Some("task-1"));
        assert!(element.at("a.b").is_none());
    }

    #[test]
    fn what_would_eat_memory_is_refused() {
        let deep = "<a>".repeat(100_000);
        assert!(matches!(Element::read(deep.as_bytes()), Err(ReadError::TooDeep)));
        let wide = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS_MAX));
        assert!(matches!(Element::read(wide.as_bytes()), Err(ReadError::TooLarge)));
        let laughs = br#"<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>"#;
        assert!(matches!(Element::read(laughs), Err(ReadError::DocumentType)));
    }

    #[test]
    fn what_is_no_document_is_told_with_its_place() {
        for (text, told) in [
            ("", "the XML ends too early"),
            ("<a><b></b>", "the XML ends too early"),
            ("<a></b>", "malformed XML at byte 3"),
            ("<a/><b/>", "a second root element"),
            ("<a>&nbsp;</a>", "`&nbsp;` is no character"),
            ("<a>&#xD800;</a>", "`&#xD800;` is no character"),
            ("502 Bad Gateway", "text outside of the root element"),
        ] {
            let error = Element::read(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn a_character_that_xml_cannot_say_is_refused_before_it_is_sent() {
        let mut out = String::new();
        assert_eq!(Element::text("a", "b\u{1b}[0m").write(&mut out), Err(Unspeakable(0x1b)));
    }
}
