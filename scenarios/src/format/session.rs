//! The files that are read together: a scenario, its inventory, its manifests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Files, is_pattern, normal};
use super::lower::manifest::Raw;
use super::shape::{Rules, Shape, shorten};
use super::sink::{Sink, whole_file};
use super::{API_VERSION, schema};
use crate::diagnostics::{Code, Region};
use crate::yaml::{self, Data, Entry, Limits, Node, Path as NodePath};

/// The most bytes of all files together.
const MOST_BYTES: usize = 256 << 20;
/// The most files.
const MOST_FILES: usize = 20_000;
/// How many files may be as large as one may be.
const FILES_OF_FULL_SIZE: usize = 4;
/// How far inventories may lean on others.
const LONGEST_CHAIN: usize = 16;

/// A file that was read.
pub(super) struct Read {
    pub(super) documents: Vec<Arc<Node>>,
    /// Whether there is more to it than could be read.
    pub(super) complete: bool,
}

/// The reading of one scenario file.
pub(super) struct Session<'f> {
    files: &'f dyn Files,
    limits: Limits,
    pub(super) sink: Sink,
    /// Where the files lie, by their number.
    paths: Vec<PathBuf>,
    read: BTreeMap<PathBuf, Option<Arc<Read>>>,
    bytes: usize,
    /// How many nodes further files may have.
    nodes: usize,
}

impl<'f> Session<'f> {
    pub(super) fn new(files: &'f dyn Files, limits: &Limits) -> Self {
        Self {
            files,
            limits: limits.clone(),
            sink: Sink::new(limits.diagnostics),
            paths: Vec::new(),
            read: BTreeMap::new(),
            bytes: 0,
            nodes: limits.nodes.saturating_mul(FILES_OF_FULL_SIZE),
        }
    }

    /// Takes in a file that is at hand.
    pub(super) fn take(&mut self, path: &Path, bytes: &[u8]) -> Option<Arc<Read>> {
        let file = match yaml::decode(&path.display().to_string(), bytes, &self.limits) {
            Ok(file) => Arc::new(file),
            Err(diagnostic) => {
                let number = self.sink.sources.add(Arc::clone(&diagnostic.place.file));
                self.paths.push(normal(path));
                self.sink.extend(number, vec![*diagnostic]);
                return None;
            }
        };
        let number = self.sink.sources.add(Arc::clone(&file));
        self.paths.push(normal(path));
        let limits = Limits { nodes: self.limits.nodes.min(self.nodes), ..self.limits.clone() };
        let parsed = yaml::parse(&file, number, &limits);
        self.nodes = self.nodes.saturating_sub(parsed.nodes);
        self.sink.extend(number, parsed.diagnostics);
        let documents = parsed.documents.into_iter().map(Arc::new).collect();
        Some(Arc::new(Read { documents, complete: parsed.complete }))
    }

    /// Reads a file that another one names.
    fn open(&mut self, path: &Path, named: Region) -> Option<Arc<Read>> {
        if let Some(known) = self.read.get(path) {
            return known.clone();
        }
        let read = self.open_new(path, named);
        self.read.insert(path.to_owned(), read.clone());
        read
    }

    fn open_new(&mut self, path: &Path, named: Region) -> Option<Arc<Read>> {
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                self.sink.tell(Code::File, named, format!("`{}` can't be read: {}", shorten(&name), reason(&error)));
                return None;
            }
        };
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > MOST_BYTES || self.read.len() >= MOST_FILES {
            let message = format!("the scenario refers to more than {MOST_FILES} files or {MOST_BYTES} bytes");
            self.sink.tell(Code::TooLarge, named, message);
            return None;
        }
        self.take(path, &bytes)
    }

    /// Where a path leads that stands in a file; nothing, and told, if that is outside.
    pub(super) fn resolve(&mut self, path: &str, named: Region) -> Option<PathBuf> {
        let base = self.paths[named.file as usize].parent().unwrap_or(Path::new("")).to_owned();
        let full = normal(&base.join(path));
        if path.is_empty() || path.contains('\0') {
            self.sink.tell(Code::File, named, "this is not a path");
            return None;
        }
        if !self.files.is_inside(&full) {
            self.sink.tell_help(
                Code::Outside,
                named,
                format!("`{}` leads outside of the folder", shorten(path)),
                Some("give the folder above on the command line, or `--allow-outside`".to_owned()),
            );
            return None;
        }
        Some(full)
    }

    /// Puts the inventory that `vsphere.from` names in its place. False: names of the infrastructure may be missing.
    pub(super) fn put_inventory(&mut self, root: &mut Node) -> bool {
        let own = self.paths[root.region.file as usize].clone();
        let Some(section) = field_mut(root, "spec").and_then(|spec| field_mut(spec, "vsphere")) else { return true };
        self.put_from(section, &mut vec![own])
    }

    fn put_from(&mut self, section: &mut Node, chain: &mut Vec<PathBuf>) -> bool {
        let Some(from) = section.get("from").filter(|from| !from.is_null()) else { return true };
        let (Some(text), region) = (from.as_str(), from.region) else { return true };
        let text = text.to_owned();
        let Some(path) = self.resolve(&text, region) else { return false };
        if chain.contains(&path) || chain.len() > LONGEST_CHAIN {
            self.sink.tell(Code::Cycle, region, format!("`{}` leads back to this file", shorten(&text)));
            return false;
        }
        let Some(read) = self.open(&path, region) else { return false };
        if !read.complete {
            return false;
        }
        let Some(document) = read.documents.iter().find(|document| is_kind(document, "Inventory")) else {
            let message = format!("`{}` holds no document with `kind: Inventory`", shorten(&text));
            self.sink.tell(Code::NoScenario, region, message);
            return false;
        };
        let mut document = Node::clone(document);
        let mut shape = Shape::new(schema::inventory(), Rules::Own, &mut self.sink);
        let usable = shape.check(&mut document);
        let mut whole = shape.lost.is_empty() && usable;
        let Some(mut inventory) = field_mut(&mut document, "spec").map(|spec| spec.clone()) else { return false };
        chain.push(path);
        whole &= self.put_from(&mut inventory, chain);
        merge(section, inventory);
        whole
    }

    /// The manifests that an entry stands for: itself, or those of the files that it names.
    pub(super) fn manifests(&mut self, root: &Arc<Node>, path: &NodePath, out: &mut Vec<Raw>) -> bool {
        let Some(node) = root.node_at(path) else { return true };
        let Some(entry) = node.entry("file").filter(|_| node.get("kind").is_none()) else {
            flatten(root, path.clone(), out);
            return true;
        };
        for other in node.entries().iter().filter(|other| &*other.key != "file") {
            let message = format!("unknown field `{}` beside `file`", shorten(&other.key));
            self.sink.tell(Code::UnknownField, other.key_region, message);
        }
        let region = entry.value.region;
        let Some(text) = entry.value.as_str() else {
            self.sink.tell(Code::WrongType, region, format!("`file` takes a string, found {}", entry.value.sort()));
            return false;
        };
        let Some(paths) = self.matching(text, region) else { return false };
        let mut whole = true;
        for path in paths {
            if path == self.paths[root.region.file as usize] {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.sink.tell(Code::Cycle, region, format!("`{}` is this file itself", shorten(&name)));
                whole = false;
                continue;
            }
            let Some(read) = self.open(&path, region) else {
                whole = false;
                continue;
            };
            whole &= read.complete;
            for document in &read.documents {
                if own_kind(document).is_some() {
                    let kind = document.get("kind").map_or(document.region, |kind| kind.region);
                    self.sink.tell(Code::NotAManifest, kind, "a file of manifests holds Kubernetes objects alone");
                    continue;
                }
                flatten(document, NodePath::root(), out);
            }
        }
        whole
    }

    /// The files that a path or a pattern names, sorted.
    fn matching(&mut self, text: &str, region: Region) -> Option<Vec<PathBuf>> {
        if !is_pattern(text) {
            return self.resolve(text, region).map(|path| vec![path]);
        }
        let split = text.split('/').take_while(|part| !is_pattern(part)).map(|part| part.len() + 1).sum::<usize>().min(text.len());
        let (fixed, pattern) = text.split_at(split);
        let folder = self.resolve(if fixed.is_empty() { "." } else { fixed }, region)?;
        match self.files.glob(&folder, pattern) {
            Ok(paths) if !paths.is_empty() => Some(paths),
            Ok(_) => {
                self.sink.tell(Code::File, region, format!("no file matches `{}`", shorten(text)));
                None
            }
            Err(error) => {
                self.sink.tell(Code::File, region, format!("`{}` can't be read: {}", shorten(text), reason(&error)));
                None
            }
        }
    }
}

/// Which kind of vmtwin's own a document is, if it is one.
pub(super) fn own_kind(document: &Node) -> Option<&str> {
    let group = API_VERSION.split('/').next().unwrap_or_default();
    let version = document.get("apiVersion")?.as_str()?;
    (version.split('/').next() == Some(group)).then(|| document.get("kind")?.as_str()).flatten()
}

/// Whether a document is of this kind of vmtwin's own, in the version that is spoken.
pub(super) fn is_kind(document: &Node, kind: &str) -> bool {
    own_kind(document) == Some(kind) && document.get("apiVersion").and_then(Node::as_str) == Some(API_VERSION)
}

fn field_mut<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    match &mut node.data {
        Data::Mapping(entries) => entries.iter_mut().find(|entry| &*entry.key == key).map(|entry| &mut entry.value),
        _ => None,
    }
}

/// Fills a section with the fields of an inventory that it doesn't have itself.
fn merge(section: &mut Node, inventory: Node) {
    let (Data::Mapping(own), Data::Mapping(more)) = (&mut section.data, inventory.data) else { return };
    own.retain(|entry| &*entry.key != "from");
    let new: Vec<Entry> = more.into_iter().filter(|entry| &*entry.key != "from" && !own.iter().any(|have| have.key == entry.key)).collect();
    own.extend(new);
}

/// The manifests of a document: itself, the items of a list, the items of a `kind: List`.
fn flatten(root: &Arc<Node>, path: NodePath, out: &mut Vec<Raw>) {
    let Some(node) = root.node_at(&path) else { return };
    let list = match &node.data {
        Data::Sequence(_) => Some((node, path.clone())),
        _ if node.get("kind").and_then(Node::as_str) == Some("List") => node.get("items").map(|items| (items, path.key("items"))),
        _ => None,
    };
    match list {
        Some((items, path)) => {
            out.extend((0..items.items().len()).map(|at| Raw { root: Arc::clone(root), path: path.index(at) }));
        }
        None => out.push(Raw { root: Arc::clone(root), path }),
    }
}

/// Why a file can't be read, in the same words on every machine where there are some.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

/// The diagnostics of a file that can't even be read.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> crate::diagnostics::Diagnostic {
    crate::diagnostics::Diagnostic::new(Code::File, whole_file(path), format!("the file can't be read: {}", reason(error)))
}
