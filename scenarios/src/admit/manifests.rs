//! Manifests in users' files, each with its place.

use std::path::Path as FilePath;
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::kube::{Kind, Version};

use crate::diagnostics::{Code, Diagnostic, Place, Region, SourceFile};
use crate::yaml::{self, Data, Limits, Node, Path, Segment};

/// How a file was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// By its name: all of it is meant.
    Named,
    /// In a folder: what isn't a manifest is passed over.
    Found,
}

/// A manifest in a file.
#[derive(Clone, Debug)]
pub struct Document {
    file: Arc<SourceFile>,
    root: Arc<Node>,
    path: Path,
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The manifests, in the file's order.
    pub documents: Vec<Document>,
    /// What is wrong with the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Manifests {
    /// Reads a file: any number of documents, lists among them.
    #[must_use]
    pub fn read(name: &FilePath, bytes: &[u8], chosen: Chosen) -> Self {
        let mut out = Self::parse(name, bytes);
        let Self { documents, diagnostics } = &mut out;
        documents.retain(|document| document.is_manifest(chosen, diagnostics));
        out
    }

    /// All documents of a file, whatever they are.
    pub(super) fn parse(name: &FilePath, bytes: &[u8]) -> Self {
        let limits = Limits::default();
        let file = match yaml::decode(&name.display().to_string(), bytes, &limits) {
            Ok(file) => Arc::new(file),
            Err(diagnostic) => return Self { documents: Vec::new(), diagnostics: vec![*diagnostic] },
        };
        let parsed = yaml::parse(&file, 0, &limits);
        let mut documents = Vec::new();
        for root in parsed.documents {
            let document = Document { file: Arc::clone(&file), root: Arc::new(root), path: Path::root() };
            document.unlist(&mut documents);
        }
        Self { documents, diagnostics: parsed.diagnostics }
    }
}

impl Document {
    /// The document, or the items of a list.
    fn unlist(self, out: &mut Vec<Self>) {
        let items = match self.text("kind") {
            Some("List") => self.root.get("items").filter(|items| matches!(items.data, Data::Sequence(_))),
            _ => None,
        };
        match items.map(|items| items.items().len()) {
            None => out.push(self),
            Some(count) => {
                let items = Path::root().key("items");
                out.extend((0..count).map(|at| Self { path: items.index(at), ..self.clone() }));
            }
        }
    }

    pub(super) fn node(&self) -> &Node {
        self.root.node_at(&self.path).expect("the path was made from the tree")
    }

    /// The text of a field of the head.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.node().get(field)?.as_str()
    }

    /// The manifest as JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        self.node().to_value()
    }

    /// Where it begins: where it says what it is.
    #[must_use]
    pub fn place(&self) -> Place {
        let node = self.node();
        self.at(node.entry("kind").map_or(node.region, |kind| kind.value.region))
    }

    fn at(&self, region: Region) -> Place {
        let head = self.file.head(region);
        Place { file: Arc::clone(&self.file), start: head.start, end: head.end }
    }

    /// The place of a field as denials spell it, or of its nearest ancestor that is written down. The field is one of the stored
    /// version; in an older manifest it may stand elsewhere.
    #[must_use]
    pub fn place_of(&self, field: &str) -> Place {
        let (api_version, kind) = (self.text("apiVersion").unwrap_or_default(), self.text("kind").unwrap_or_default());
        let version = Kind::find(api_version, kind).and_then(|kind| Version::of(kind, api_version.rsplit('/').next()?));
        let own = version.map_or_else(|| field.to_owned(), |version| version.own_path(field));
        let path = Path::parse(&own);
        let mut node = self.node();
        let mut region = None;
        let mut segments = path.segments();
        while let [segment, rest @ ..] = segments {
            // Some annotations are spelled with a plain dot before a key that has dots itself.
            let dotted = || {
                let keys = segments.iter().map(|segment| match segment {
                    Segment::Key(key) => key.to_string(),
                    Segment::Index(index) => index.to_string(),
                });
                keys.collect::<Vec<_>>().join(".")
            };
            let (next, found) = match segment {
                Segment::Key(key) => match node.entry(key) {
                    Some(entry) => (rest, entry),
                    None => match node.entry(&dotted()) {
                        Some(entry) => (&segments[segments.len()..], entry),
                        None => break,
                    },
                },
                Segment::Index(index) => {
                    let Some(item) = node.items().get(*index) else { break };
                    (node, region, segments) = (item, Some(item.region), rest);
                    continue;
                }
            };
            // A mapping or list is pointed at by its name, a scalar by its value.
            let whole = matches!(found.value.data, Data::Mapping(_) | Data::Sequence(_) | Data::Null);
            region = Some(if whole { found.key_region } else { found.value.region });
            (node, segments) = (&found.value, next);
        }
        region.map_or_else(|| self.place(), |region| self.at(region))
    }

    /// Whether the document is one to be judged; what is wrong with it is told.
    fn is_manifest(&self, chosen: Chosen, diagnostics: &mut Vec<Diagnostic>) -> bool {
        let mut tell = |code, message: String, help: Option<String>| {
            let diagnostic = Diagnostic::new(code, self.place(), message);
            diagnostics.push(match help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
            false
        };
        if !matches!(self.node().data, Data::Mapping(_)) {
            return tell(Code::NotAManifest, format!("a manifest is a mapping, found {}", self.node().sort()), None);
        }
        let (Some(api_version), Some(kind)) = (self.text("apiVersion"), self.text("kind")) else {
            let found = chosen == Chosen::Found;
            return !found && tell(Code::NotAManifest, "a manifest has an `apiVersion` and a `kind`".to_owned(), None);
        };
        if api_version.starts_with("vmtwin.dev/") {
            let message = format!("a {kind} is no manifest");
            let help = "give it to `vmtwin run`, or as the surroundings with `--given`".to_owned();
            return chosen == Chosen::Named && tell(Code::NotAManifest, message, Some(help));
        }
        if Kind::find(api_version, kind).is_some() {
            return true;
        }
        let message = format!("the API server doesn't serve `{kind}` of `{api_version}`");
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        match Kind::all().find(|known| known.info().kind == kind) {
            Some(known) => tell(Code::UnknownKind, message, Some(format!("`{kind}` is served as `{}`", known.info().api_version()))),
            None if !group.is_empty() && Kind::all().any(|known| known.info().group == group) => {
                let names = Kind::all().filter(|known| known.info().group == group).map(|known| known.info().kind);
                let mut effort = usize::MAX;
                let near = crate::format::nearest(kind, names, &mut effort).map(|near| format!("did you mean `{near}`?"));
                tell(Code::UnknownKind, message, near)
            }
            None => tell(Code::NotServed, format!("{message}: it is passed over"), None),
        }
    }
}
