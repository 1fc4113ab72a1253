//! The names that a file defines, and the look-up of those that it uses.

use std::collections::BTreeMap;

use super::section::scalar::Text;
use super::shape::shorten;
use super::sink::Sink;
use crate::diagnostics::{Code, Region};

/// The names of one sort, with the places where they are given.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: BTreeMap<String, Option<Region>>,
    /// Something of this sort may have been lost to another mistake: an unknown name is no news then.
    pub(super) open: bool,
}

impl Names {
    /// No names yet; `open` if some may have been lost.
    pub(super) fn new(open: bool) -> Self {
        Self { names: BTreeMap::new(), open }
    }

    /// Adds a name that nobody wrote down.
    pub(super) fn assume(&mut self, name: impl Into<String>) {
        self.names.entry(name.into()).or_insert(None);
    }

    /// Adds a name that may stand in several places.
    pub(super) fn mention(&mut self, name: impl Into<String>, region: Region) {
        self.names.entry(name.into()).or_insert(Some(region));
    }

    /// Adds a name that must be unique; `what` is its sort with an article: `a datastore`. False: it is there already.
    pub(super) fn define(&mut self, name: &str, region: Region, what: &str, sink: &mut Sink) -> bool {
        if let Some(first) = self.names.get(name) {
            let first = *first;
            sink.tell_with(Code::DuplicateName, region, format!("{what} is called `{}` already", shorten(name)), |diagnostic, sources| {
                let diagnostic = diagnostic.label("the second of this name");
                match first {
                    Some(first) => diagnostic.note("the first is here", Some(sources.place(first))),
                    None => diagnostic,
                }
            });
            return false;
        }
        self.names.insert(name.to_owned(), Some(region));
        true
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Whether the name is known; if not it is told, unless that is no news. `what` is the sort of name: `datastore`.
    pub(super) fn check(&self, name: &Text, code: Code, what: &str, sink: &mut Sink) -> bool {
        self.check_at(&name.value, name.region, code, what, sink)
    }

    /// The same for a name whose place is known apart.
    pub(super) fn check_at(&self, name: &str, region: Region, code: Code, what: &str, sink: &mut Sink) -> bool {
        if self.contains(name) {
            return true;
        }
        if self.open {
            return false;
        }
        let message = format!("no {what} is named `{}`", shorten(name));
        let near = sink.nearest(name, self.iter());
        let place = near.and_then(|near| self.names.get(near).copied().flatten());
        sink.tell_with(code, region, message, |diagnostic, sources| {
            let diagnostic = diagnostic.label(format!("unknown {what}"));
            match (near, place) {
                (Some(near), Some(place)) => diagnostic.help(format!("`{near}` is defined at {}", sources.place(place))),
                (Some(near), None) => diagnostic.help(format!("did you mean `{near}`?")),
                (None, _) => diagnostic,
            }
        });
        false
    }
}

/// Everything that can be named.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) zones: Names,
    pub(super) clusters: Names,
    pub(super) hosts: Names,
    pub(super) datastores: Names,
    pub(super) policies: Names,
    pub(super) key_providers: Names,
    /// `PROVIDER/KEY`.
    pub(super) keys: Names,
    pub(super) networks: Names,
    pub(super) guests: Names,
    pub(super) namespaces: Names,
    /// `NAMESPACE/NAME` of managed VMs, names of others, managed object ids.
    pub(super) vms: Names,
    /// `NAMESPACE/NAME` of classes that manifests bring.
    pub(super) classes: Names,
}

impl Known {
    /// Names of the inventory may have been lost.
    pub(super) fn open_inventory(&mut self) {
        for names in [
            &mut self.zones,
            &mut self.clusters,
            &mut self.hosts,
            &mut self.datastores,
            &mut self.key_providers,
            &mut self.keys,
            &mut self.networks,
            &mut self.guests,
        ] {
            names.open = true;
        }
        self.open_manifests();
    }

    /// Names that manifests bring may have been lost.
    pub(super) fn open_manifests(&mut self) {
        for names in [&mut self.policies, &mut self.namespaces, &mut self.vms, &mut self.classes] {
            names.open = true;
        }
    }
}
