//! What exists when manifests are judged: objects in files, or what a scenario or an inventory begins with.

use std::path::Path;

use super::manifests::{Document, Manifests};
use crate::diagnostics::{Code, Diagnostic};
use crate::format::{self, API_VERSION, Disk, Files, Root, Scenario};

/// The surroundings of judged requests.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    pub(super) scenario: Option<Scenario>,
    pub(super) state: Vec<Document>,
}

impl Surroundings {
    /// Adds what a file holds: manifests, or the `vsphere`, `operator` and `state` of a Scenario, or an Inventory. What is wrong with it comes back.
    pub fn add(&mut self, path: &Path, bytes: &[u8], root: &Root) -> Vec<Diagnostic> {
        let read = Manifests::parse(path, bytes);
        if read.diagnostics.iter().any(|diagnostic| diagnostic.severity() == crate::diagnostics::Severity::Error) {
            return read.diagnostics;
        }
        let own = read.documents.iter().find(|document| document.text("apiVersion") == Some(API_VERSION));
        match own.map(|document| (document, document.text("kind").unwrap_or_default())) {
            None => {
                self.take(read.documents);
                read.diagnostics
            }
            Some((document, _)) if self.scenario.is_some() => {
                vec![Diagnostic::new(Code::TwoScenarios, document.place(), "a second Scenario or Inventory among the surroundings")]
            }
            Some((_, "Scenario")) => self.load(path, bytes, root),
            Some((_, "Inventory")) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let text = serde_json::json!({
                    "apiVersion": API_VERSION, "kind": "Scenario", "metadata": {"name": "surroundings"}, "spec": {"vsphere": {"from": name}},
                });
                self.load(&path.with_file_name("surroundings.yaml"), text.to_string().as_bytes(), root)
            }
            Some((document, kind)) => {
                let message = format!("a {kind} says nothing of what exists");
                let help = "give manifests, a Scenario or an Inventory";
                vec![Diagnostic::new(Code::NotAManifest, document.place(), message).help(help)]
            }
        }
    }

    /// Adds the objects that are to be changed, as they are.
    pub fn add_old(&mut self, path: &Path, bytes: &[u8]) -> Vec<Diagnostic> {
        let read = Manifests::read(path, bytes, super::Chosen::Named);
        self.take(read.documents);
        read.diagnostics
    }

    /// What comes later stands in the place of what came before under the same name.
    fn take(&mut self, documents: Vec<Document>) {
        self.state.extend(documents);
    }

    fn load(&mut self, path: &Path, bytes: &[u8], root: &Root) -> Vec<Diagnostic> {
        let disk = Disk::new(root.clone());
        let loaded = format::load_bytes(path, bytes, &disk as &dyn Files);
        self.scenario = loaded.scenarios.into_iter().next();
        loaded.diagnostics
    }
}
