//! Collects what is wrong with a file: each mistake once, in the file's order, and not without bound.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::near::nearest;
use crate::diagnostics::{Code, Diagnostic, Place, Region, SourceFile, Sources};

/// The diagnostics of a file and of what it refers to.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) sources: Sources,
    most: usize,
    told: BTreeSet<(Region, Code, String)>,
    found: Vec<(Region, Diagnostic)>,
    untold: usize,
    errors: usize,
    effort: usize,
}

/// How much may be spent on helps: comparing words, narrowing down what is wrong. Without it a file of nothing but mistakes
/// would take hours.
const EFFORT: usize = 2_000_000;

impl Sink {
    pub(super) fn new(most: usize) -> Self {
        Self { sources: Sources::default(), most, told: BTreeSet::new(), found: Vec::new(), untold: 0, errors: 0, effort: EFFORT }
    }

    /// Spends some of what may be spent on helps. False: it is used up, or nothing more will be shown anyway.
    pub(super) fn afford(&mut self, effort: usize) -> bool {
        let affordable = self.effort >= effort && self.found.len() < self.most;
        self.effort = self.effort.saturating_sub(effort);
        affordable
    }

    /// The help that proposes the known word that is nearest to a mistaken one, if one is near.
    pub(super) fn near<'a>(&mut self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
        self.nearest(word, known).map(|near| format!("did you mean `{near}`?"))
    }

    /// The known word that is nearest to a mistaken one, if one is near.
    pub(super) fn nearest<'a>(&mut self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        if self.afford(1) { nearest(word, known, &mut self.effort) } else { None }
    }

    /// Adds a mistake.
    pub(super) fn tell(&mut self, code: Code, region: Region, message: impl Into<String>) {
        self.tell_with(code, region, message, |diagnostic, _| diagnostic);
    }

    /// Adds a mistake with a help, if there is one.
    pub(super) fn tell_help(&mut self, code: Code, region: Region, message: impl Into<String>, help: Option<String>) {
        self.tell_with(code, region, message, |diagnostic, _| match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }

    /// Adds a mistake that has more to it.
    pub(super) fn tell_with(
        &mut self,
        code: Code,
        region: Region,
        message: impl Into<String>,
        more: impl FnOnce(Diagnostic, &Sources) -> Diagnostic,
    ) {
        let diagnostic = Diagnostic::new(code, self.sources.place(region), message);
        let diagnostic = more(diagnostic, &self.sources);
        self.push(region, diagnostic);
    }

    /// Adds what the YAML reader found.
    pub(super) fn extend(&mut self, file: u32, diagnostics: Vec<Diagnostic>) {
        for diagnostic in diagnostics {
            let region = Region { file, start: diagnostic.place.start, end: diagnostic.place.end };
            self.push(region, diagnostic);
        }
    }

    fn push(&mut self, region: Region, diagnostic: Diagnostic) {
        let key = (region, diagnostic.code, diagnostic.message.clone());
        if self.told.contains(&key) {
            return;
        }
        if !diagnostic.code.id().starts_with("VT9") {
            self.errors += 1;
        }
        if self.found.len() >= self.most {
            self.untold += 1;
            return;
        }
        self.told.insert(key);
        self.found.push((region, diagnostic));
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Everything, in the file's order.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|(region, diagnostic)| (*region, diagnostic.code));
        let mut diagnostics: Vec<_> = self.found.into_iter().map(|(_, diagnostic)| diagnostic).collect();
        if let Some(last) = diagnostics.last().filter(|_| self.untold > 0) {
            let message = format!("{} more mistakes are not shown", self.untold);
            let more = Diagnostic::new(Code::TooMany, last.place.clone(), message);
            diagnostics.push(more);
        }
        diagnostics
    }
}

/// The place at the beginning of a file whose text isn't at hand.
pub(super) fn whole_file(path: &Path) -> Place {
    Place { file: Arc::new(SourceFile::new(path.display().to_string(), "")), start: 0, end: 0 }
}
