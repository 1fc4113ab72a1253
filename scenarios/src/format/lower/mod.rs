//! From the structs of the format to what runs: values are read, names looked up, defaults filled in, contradictions told.
//!
//! Each module takes one part of the format. All of them go on after a mistake, with a default in place of what was
//! wrong: what comes out then is never run.

pub(super) mod action;
pub(super) mod class;
pub(super) mod cluster;
pub(super) mod fault;
pub(super) mod image;
pub(super) mod inventory;
pub(super) mod manifest;
pub(super) mod names;
pub(super) mod network;
pub(super) mod operator;
pub(super) mod property;
pub(super) mod reference;
pub(super) mod step;
pub(super) mod vm;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::known::Known;
use super::output::Origin;
use super::section::scalar::Text;
use super::sink::Sink;
use super::spanned::Tree;
use crate::diagnostics::Region;
use crate::yaml::{Node, Path};

/// What lowering works with.
pub(super) struct Cx<'a> {
    pub(super) sink: &'a mut Sink,
    pub(super) known: Known,
    /// The scenario's document.
    pub(super) root: Arc<Node>,
    /// The places of mappings and lists from which the shape check cut something.
    pub(super) cut: BTreeSet<Region>,
    /// The only namespace that a manifest without one goes to; nothing if there are several or none.
    pub(super) only_namespace: Option<String>,
}

impl Cx<'_> {
    /// The subtree that a field took as it is.
    pub(super) fn node(&self, tree: &Tree) -> Node {
        self.root.node_at(&tree.path).cloned().unwrap_or_else(|| Node::new(tree.region, crate::yaml::Data::Null))
    }

    /// Where something of the scenario's document stands.
    pub(super) fn origin(&self, path: Path) -> Origin {
        let region = self.root.nearest(&path);
        Origin { file: Arc::clone(self.sink.sources.file(region.file)), root: Arc::clone(&self.root), path }
    }
}

/// A name as the model has it.
pub(super) fn name(text: &Text) -> Arc<str> {
    text.value.as_str().into()
}

/// Names as the model has them.
pub(super) fn names(texts: &[Text]) -> Vec<Arc<str>> {
    texts.iter().map(name).collect()
}
