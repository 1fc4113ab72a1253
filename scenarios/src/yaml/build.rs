//! From the parser's events to trees, within budgets and without recursion.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::node::{Data, Entry, Node};
use super::offsets::Offsets;
use super::scalar::{ScalarError, resolve};
use crate::diagnostics::{Code, Diagnostic, Place, Region, SourceFile, offset};

/// How much of everything a file may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file.
    pub bytes: usize,
    /// Nodes of a file, every use of an alias counted with all that it stands for.
    pub nodes: usize,
    /// Lists and mappings within each other.
    pub depth: usize,
    /// Bytes of one scalar.
    pub scalar: usize,
    /// Bytes of all scalars and keys of a file, aliases counted like nodes.
    pub text: usize,
    /// Diagnostics of a file; the rest is counted.
    pub diagnostics: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 16 << 20, nodes: 2_000_000, depth: 128, scalar: 1 << 20, text: 64 << 20, diagnostics: 1000 }
    }
}

/// The documents of a file.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The documents that could be read to their end; empty ones are left out.
    pub documents: Vec<Node>,
    /// What is wrong with the YAML.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the whole file was read.
    pub complete: bool,
    /// How many nodes it took, aliases counted with all that they stand for.
    pub nodes: usize,
}

/// Reads the documents of a file, which is number `number` of those that are read together.
#[must_use]
pub fn parse(file: &Arc<SourceFile>, number: u32, limits: &Limits) -> Parsed {
    let mut builder = Builder::new(file, number, limits);
    let complete = builder.run();
    Parsed { documents: builder.documents, diagnostics: builder.diagnostics, complete, nodes: builder.spent.nodes }
}

/// The list or mapping that is being read.
struct Frame {
    start: Region,
    anchor: usize,
    spent_before: Spent,
    /// Lists and mappings within each other, below this one.
    height: usize,
    /// Where the last child ended.
    end: u32,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, seen: BTreeMap<Arc<str>, Region>, key: Option<Key>, merges: Vec<Node> },
}

/// The key whose value comes next.
enum Key {
    Named(Arc<str>, Region),
    /// `<<`: the entries of the value are added.
    Merge,
    /// The key was wrong: the value is passed over.
    Dropped,
}

struct Anchored {
    node: Node,
    spent: Spent,
    height: usize,
}

/// What was used of the budgets.
#[derive(Clone, Copy, Default)]
struct Spent {
    nodes: usize,
    text: usize,
}

/// Reading can't go on; the reason was told.
struct Stop;

struct Builder<'a> {
    file: &'a Arc<SourceFile>,
    number: u32,
    limits: &'a Limits,
    offsets: Offsets<'a>,
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    /// Keys are few and frequent: one text for each.
    keys: BTreeSet<Arc<str>>,
    spent: Spent,
    documents: Vec<Node>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    fn new(file: &'a Arc<SourceFile>, number: u32, limits: &'a Limits) -> Self {
        Self {
            file,
            number,
            limits,
            offsets: Offsets::new(file.text()),
            stack: Vec::new(),
            anchors: BTreeMap::new(),
            keys: BTreeSet::new(),
            spent: Spent::default(),
            documents: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Whether the file could be read to its end.
    fn run(&mut self) -> bool {
        let mut parser = Parser::new_from_str(self.file.text());
        while let Some(event) = parser.next_event() {
            let done = match event {
                Ok((event, span)) => self.event(event, span),
                Err(error) => {
                    let start = self.offsets.at(error.marker().index());
                    let region = Region { file: self.number, start, end: self.offsets.after(start) };
                    if error.info().contains("unknown anchor") {
                        // The parser has passed the alias and can go on.
                        let word = self.alias_at(start);
                        self.tell(Code::UnknownAnchor, word, "no anchor of this name stands before this alias");
                        self.complete(Node::new(word, Data::Broken), 0)
                    } else if error.info().contains("recursion limit") {
                        self.tell(Code::TooLarge, region, "lists and mappings in brackets stand too deep");
                        Err(Stop)
                    } else {
                        self.tell(Code::Syntax, region, format!("this is not valid YAML: {}", error.info()));
                        Err(Stop)
                    }
                }
            };
            if done.is_err() {
                return false;
            }
        }
        true
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let region = self.region(span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, region),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), region),
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", region);
                self.open(region, anchor, Content::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", region);
                let content = Content::Mapping { entries: Vec::new(), seen: BTreeMap::new(), key: None, merges: Vec::new() };
                self.open(region, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(region),
        }
    }

    fn open(&mut self, start: Region, anchor: usize, content: Content) -> Result<(), Stop> {
        if self.stack.len() >= self.limits.depth {
            let message = format!("lists and mappings stand more than {} deep", self.limits.depth);
            self.tell(Code::TooLarge, start, message);
            return Err(Stop);
        }
        let spent_before = self.spent;
        self.spend(1, 0, start)?;
        self.stack.push(Frame { start, anchor, spent_before, height: 0, end: start.end, content });
        Ok(())
    }

    fn close(&mut self, end: Region) -> Result<(), Stop> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        // Only a bracket has a width; a block ends with its last child.
        let end = if end.end > end.start { end.end } else { frame.end };
        let region = Region { end: end.max(frame.start.start), ..frame.start };
        let data = match frame.content {
            Content::Sequence(items) => Data::Sequence(items),
            Content::Mapping { mut entries, mut seen, merges, .. } => {
                for merge in merges {
                    self.merge(merge, &mut entries, &mut seen);
                }
                Data::Mapping(entries)
            }
        };
        let spent = Spent { nodes: self.spent.nodes - frame.spent_before.nodes, text: self.spent.text - frame.spent_before.text };
        self.finish(Node::new(region, data), frame.anchor, spent, frame.height + 1)
    }

    /// Adds the entries of a `<<` that the mapping doesn't have itself.
    fn merge(&mut self, merge: Node, entries: &mut Vec<Entry>, seen: &mut BTreeMap<Arc<str>, Region>) {
        let region = merge.region;
        let sources = match merge.data {
            Data::Sequence(items) => items,
            data => vec![Node::new(region, data)],
        };
        for source in sources {
            match source.data {
                Data::Mapping(more) => {
                    for entry in more {
                        if !seen.contains_key(&entry.key) {
                            seen.insert(Arc::clone(&entry.key), entry.key_region);
                            entries.push(entry);
                        }
                    }
                }
                Data::Broken => {}
                _ => self.tell(Code::WrongType, source.region, format!("`<<` takes a mapping or a list of them, found {}", source.sort())),
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, region: Region) -> Result<(), Stop> {
        if text.len() > self.limits.scalar {
            let message = format!("this scalar has {} bytes; {} are the most", text.len(), self.limits.scalar);
            self.tell(Code::TooLarge, region, message);
            return Err(Stop);
        }
        self.spend(1, text.len(), region)?;
        let data = self.meaning(text, style, tag, region);
        self.finish(Node::new(region, data), anchor, Spent { nodes: 1, text: text.len() }, 0)
    }

    fn meaning(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, region: Region) -> Data {
        let plain = style == ScalarStyle::Plain;
        let resolved = match tag {
            None if !plain => return Data::String(text.into()),
            None => resolve(text),
            Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => return Data::String(text.into()),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => return Data::String(text.into()),
            Some(tag) if tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "null" | "bool" | "int" | "float") => resolve(text),
            Some(tag) => {
                self.tell(Code::Tag, region, format!("the tag `{}` has no meaning here", tag_text(tag)));
                return Data::Broken;
            }
        };
        resolved.unwrap_or_else(|error| {
            let message = match error {
                ScalarError::Range => format!("the number {text} does not fit in 64 bits"),
                ScalarError::NotFinite => format!("{text} is not a number that can be counted with"),
            };
            self.tell(Code::NumberRange, region, message);
            Data::Broken
        })
    }

    fn check_tag(&mut self, tag: Option<&Tag>, own: &str, region: Region) {
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == own)) {
            self.tell(Code::Tag, region, format!("the tag `{}` has no meaning here", tag_text(tag)));
        }
    }

    fn alias(&mut self, anchor: usize, region: Region) -> Result<(), Stop> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            let inside = self.stack.iter().any(|frame| frame.anchor == anchor);
            let message =
                if inside { "this alias stands inside of its own anchor" } else { "no anchor of this name stands before this alias" };
            self.tell(Code::UnknownAnchor, region, message);
            return self.complete(Node::new(region, Data::Broken), 0);
        };
        let (spent, height) = (anchored.spent, anchored.height);
        if self.stack.len() + height > self.limits.depth {
            self.tell(Code::TooLarge, region, format!("with this alias, lists and mappings stand more than {} deep", self.limits.depth));
            return Err(Stop);
        }
        self.spend(spent.nodes, spent.text, region)?;
        let node = self.anchors.get(&anchor).map(|anchored| anchored.node.clone()).expect("the anchor was found above");
        self.complete(node, height)
    }

    /// A node is whole: it goes to its anchor, if it has one, and to its place.
    fn finish(&mut self, node: Node, anchor: usize, spent: Spent, height: usize) -> Result<(), Stop> {
        if anchor > 0 {
            // The anchor keeps a copy, which counts as well.
            self.spend(spent.nodes, 0, node.region)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), spent, height });
        }
        self.complete(node, height)
    }

    /// Puts a whole node into its place.
    fn complete(&mut self, node: Node, height: usize) -> Result<(), Stop> {
        let Some(frame) = self.stack.last_mut() else {
            if !node.is_null() {
                self.documents.push(node);
            }
            return Ok(());
        };
        frame.height = frame.height.max(height);
        frame.end = frame.end.max(node.region.end);
        match &mut frame.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping { entries, key, merges, .. } => match key.take() {
                Some(Key::Named(key, key_region)) => entries.push(Entry { key, key_region, value: node }),
                Some(Key::Merge) => merges.push(node),
                Some(Key::Dropped) => {}
                None => {
                    let key = self.key(&node);
                    if let Some(Frame { content: Content::Mapping { key: slot, .. }, .. }) = self.stack.last_mut() {
                        *slot = Some(key);
                    }
                }
            },
        }
        Ok(())
    }

    /// What a node means as a key of the mapping on top.
    fn key(&mut self, node: &Node) -> Key {
        let text: Arc<str> = match &node.data {
            Data::String(text) if &**text == "<<" && self.file.text()[node.region.start as usize..].starts_with("<<") => return Key::Merge,
            Data::String(text) => Arc::clone(text),
            Data::Bool(value) => value.to_string().into(),
            Data::Number(number) => number.to_string().into(),
            Data::Broken => return Key::Dropped,
            Data::Null | Data::Sequence(_) | Data::Mapping(_) => {
                self.tell(Code::KeyNotScalar, node.region, format!("a key is a string, found {}", node.sort()));
                return Key::Dropped;
            }
        };
        let text = match self.keys.get(&text) {
            Some(known) => Arc::clone(known),
            None => {
                self.keys.insert(Arc::clone(&text));
                text
            }
        };
        let Some(Frame { content: Content::Mapping { seen, .. }, .. }) = self.stack.last_mut() else { return Key::Dropped };
        if let Some(&first) = seen.get(&text) {
            let first = self.place(first);
            let diagnostic =
                Diagnostic::new(Code::DuplicateKey, self.place(node.region), format!("the key `{text}` stands twice in this mapping"))
                    .label("the second")
                    .note("the first is here", Some(first));
            self.push(diagnostic);
            return Key::Dropped;
        }
        seen.insert(Arc::clone(&text), node.region);
        Key::Named(text, node.region)
    }

    fn spend(&mut self, nodes: usize, text: usize, region: Region) -> Result<(), Stop> {
        self.spent.nodes = self.spent.nodes.saturating_add(nodes);
        self.spent.text = self.spent.text.saturating_add(text);
        let message = if self.spent.nodes > self.limits.nodes {
            format!("the file has more than {} values, aliases counted with all that they stand for", self.limits.nodes)
        } else if self.spent.text > self.limits.text {
            format!("the file has more than {} bytes of text, aliases counted with all that they stand for", self.limits.text)
        } else {
            return Ok(());
        };
        self.tell(Code::TooLarge, region, message);
        Err(Stop)
    }

    fn tell(&mut self, code: Code, region: Region, message: impl Into<String>) {
        let diagnostic = Diagnostic::new(code, self.place(region), message);
        self.push(diagnostic);
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < self.limits.diagnostics {
            self.diagnostics.push(diagnostic);
        }
    }

    fn place(&self, region: Region) -> Place {
        let head = self.file.head(region);
        Place { file: Arc::clone(self.file), start: head.start, end: head.end }
    }

    fn region(&self, span: Span) -> Region {
        let start = self.offsets.at(span.start.index());
        Region { file: self.number, start, end: self.offsets.at(span.end.index()).max(start) }
    }

    /// The alias that begins here.
    fn alias_at(&self, start: u32) -> Region {
        let text = &self.file.text()[start as usize..];
        let end = text.find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}')).unwrap_or(text.len());
        Region { file: self.number, start, end: start + offset(end) }
    }
}

/// A tag as people write it.
fn tag_text(tag: &Tag) -> String {
    if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { format!("{}{}", tag.handle, tag.suffix) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml::Path;

    fn read(text: &str) -> Parsed {
        parse(&Arc::new(SourceFile::new("a.yaml", text)), 0, &Limits::default())
    }

    fn codes(text: &str) -> Vec<Code> {
        read(text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
    }

    #[test]
    fn a_document_becomes_the_json_that_kubernetes_sees() {
        let parsed = read("a: {b: [1, 2], c: 010}\nd: |\n  text\n---\n- x\n---\n# nothing\n");
        let values: Vec<_> = parsed.documents.iter().map(Node::to_value).collect();
        assert_eq!(values, [json!({"a": {"b": [1, 2], "c": 8}, "d": "text\n"}), json!(["x"])]);
        assert!(parsed.complete && parsed.diagnostics.is_empty());
    }

    #[test]
    fn every_node_knows_its_place() {
        let text = "ä: 1\nspec:\n  items:\n  - name: ö\n    more: {x: y}\n\nlast: 2\n";
        let document = read(text).documents.remove(0);
        let slice = |path: &str| {
            let region = document.nearest(&Path::parse(path));
            &text[region.start as usize..region.end as usize]
        };
        assert_eq!(slice("spec.items[0].name"), "ö");
        assert_eq!(slice("spec.items[0].more"), "{x: y}");
        assert_eq!(slice("spec.items[0]"), "name: ö\n    more: {x: y}");
        assert_eq!(slice("spec.items[7].more"), "name: ö\n    more: {x: y}", "the list begins with its first item");
        assert_eq!(slice("last.below"), "2");
    }

    #[test]
    fn aliases_and_merges_stand_for_their_anchors() {
        let parsed = read("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {<<: [*a, {z: 4}]}\n");
        assert_eq!(
            parsed.documents[0].to_value(),
            json!({"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 2}, "c": {"y": 3, "x": 1}, "d": {"x": 1, "y": 2, "z": 4}})
        );
    }

    #[test]
    fn what_is_wrong_is_told_and_reading_goes_on() {
        assert_eq!(
            codes("a: 1\na: 2\nb: *nowhere\n? [x]\n: 1\nc: .inf\nd: !odd x\na: 3\n"),
            [Code::DuplicateKey, Code::UnknownAnchor, Code::KeyNotScalar, Code::NumberRange, Code::Tag, Code::DuplicateKey]
        );
        assert_eq!(codes("a: &a [*a]"), [Code::UnknownAnchor]);
        assert_eq!(codes("a: &a 1\n---\nb: *a\n"), [Code::UnknownAnchor], "anchors end with their document");
        assert_eq!(codes("a: [1, 2\nb: 3"), [Code::Syntax]);
    }

    #[test]
    fn alias_bombs_deep_nests_and_long_scalars_end_early() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let uses = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
        }
        assert_eq!(codes(&bomb), [Code::TooLarge]);
        let long = "y".repeat(900_000);
        let text_bomb = format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 1000].join(", "));
        assert_eq!(codes(&text_bomb), [Code::TooLarge]);
        let ladder: String = (1..5000).map(|at| format!("a{at}: &a{at} [*a{}]\n", at - 1)).collect();
        assert_eq!(codes(&format!("a0: &a0 x\n{ladder}")), [Code::TooLarge]);
        assert_eq!(codes(&"[".repeat(100_000)), [Code::TooLarge]);
        assert_eq!(codes(&"- ".repeat(100_000)), [Code::TooLarge]);
        assert_eq!(codes(&format!("a: {}", "x".repeat(10 << 20))), [Code::TooLarge]);
    }
}
