//! The rules of the house: which crate may know which, which words stand nowhere, which licences come in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use vmtwin_tests::root;

/// The arrows: a crate, and the crates of ours that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("vmtwin-model", &[]),
    ("vmtwin-engine", &["vmtwin-model"]),
    ("vmtwin-apiserver", &["vmtwin-model"]),
    ("vmtwin-sim", &["vmtwin-model"]),
    ("vmtwin-scenarios", &["vmtwin-apiserver", "vmtwin-engine", "vmtwin-model", "vmtwin-sim"]),
    ("vmtwin-vcenter", &["vmtwin-apiserver", "vmtwin-engine", "vmtwin-model"]),
    ("vmtwin", &["vmtwin-engine", "vmtwin-model", "vmtwin-scenarios", "vmtwin-vcenter"]),
];

/// Crates that no pure machine may name.
const IMPURE: &[&str] = &["tokio", "reqwest", "ureq", "getrandom", "crossbeam", "rayon"];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .expect("cargo metadata")
}

#[test]
fn crates_know_only_whom_they_may() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ARROWS.iter().map(|(name, may)| (*name, may.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(may) = allowed.get(package.name.as_str()) else { continue };
        let ours = package.dependencies.iter().filter(|dependency| dependency.path.is_some() && dependency.kind == DependencyKind::Normal);
        wrong.extend(
            ours.filter(|dependency| !may.contains(dependency.name.as_str()))
                .map(|dependency| format!("{} → {}", package.name, dependency.name)),
        );
    }
    assert!(wrong.is_empty(), "these arrows aren't in the house: {wrong:?}");
    let members: BTreeSet<String> = metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    assert!(ARROWS.iter().all(|(name, _)| members.contains(*name)), "the table names crates that aren't there");
}

#[test]
fn the_pure_machines_name_no_impure_crate() {
    for package in metadata().workspace_packages() {
        let pure = ["vmtwin-model", "vmtwin-engine", "vmtwin-apiserver", "vmtwin-sim", "vmtwin-scenarios"].contains(&package.name.as_str());
        let named = package.dependencies.iter().find(|dependency| IMPURE.contains(&dependency.name.as_str()));
        assert!(
            !pure || named.is_none(),
            "{} names {}",
            package.name,
            named.map(|dependency| dependency.name.as_str()).unwrap_or_default()
        );
    }
}

#[test]
fn every_dependency_is_explained() {
    let page = std::fs::read_to_string(root().join("docs/dependencies.md")).expect("docs/dependencies.md");
    let words: BTreeSet<&str> = page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).collect();
    let mut missing = BTreeSet::new();
    for package in metadata().workspace_packages() {
        let foreign = package.dependencies.iter().filter(|dependency| dependency.path.is_none());
        missing.extend(foreign.filter(|dependency| !words.contains(dependency.name.as_str())).map(|dependency| dependency.name.clone()));
    }
    assert!(missing.is_empty(), "docs/dependencies.md doesn't say why these are there: {missing:?}");
}

#[test]
fn every_licence_is_permissive() {
    const FINE: &[&str] = &[
        "Apache-2.0",
        "MIT",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "ISC",
        "Unicode-3.0",
        "Unlicense",
        "Zlib",
        "CC0-1.0",
        "MIT-0",
        "0BSD",
    ];
    /// What one crate may have besides: its content is data, and it is built in on no platform that vmtwin is built for.
    const BESIDES: &[(&str, &str)] = &[("webpki-root-certs", "CDLA-Permissive-2.0")];
    let metadata = metadata();
    let is_fine = |licence: &str| {
        let choices = licence.replace('/', " OR ").replace(['(', ')'], " ");
        choices
            .split(" OR ")
            .any(|choice| choice.split(" AND ").all(|part| FINE.contains(&part.trim().split(" WITH ").next().unwrap_or_default())))
    };
    let bad: Vec<String> = metadata
        .packages
        .iter()
        .filter(|package| !BESIDES.contains(&(package.name.as_str(), package.license.as_deref().unwrap_or_default())))
        .filter(|package| !package.license.as_deref().is_some_and(is_fine))
        .map(|package| format!("{} {}: {}", package.name, package.version, package.license.as_deref().unwrap_or("none")))
        .collect();
    assert!(bad.is_empty(), "these licences aren't in the list: {bad:?}");
}

/// Files that git tracks, without those that hold data of others.
fn tracked() -> Vec<String> {
    let output = Command::new("git").args(["ls-files"]).current_dir(root()).output();
    let Ok(output) = output else { return Vec::new() };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|file| !file.ends_with("Cargo.lock") && !file.starts_with("tests/conformance/"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_file_speaks_of_how_it_came_about() {
    let words = [["sub", "agent"].concat(), ["this work", "place"].concat(), ["/wo", "rk/"].concat(), ["session", " limit"].concat()];
    let mut found = Vec::new();
    for file in tracked() {
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else { continue };
        found.extend(words.iter().filter(|word| text.to_lowercase().contains(word.as_str())).map(|word| format!("{file}: {word}")));
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_core_has_no_stub_and_no_switched_off_test() {
    let words = [["to", "do!("].concat(), ["unimple", "mented!("].concat(), ["#[ig", "nore"].concat(), ["#[should_", "panic"].concat()];
    let mut found = Vec::new();
    for file in tracked().into_iter().filter(|file| file.ends_with(".rs")) {
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else { continue };
        found.extend(words.iter().filter(|word| text.contains(word.as_str())).map(|word| format!("{file}: {word}")));
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn invariants_read_nothing_that_decides() {
    let folder = root().join("scenarios/src/invariants");
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the invariants can be read") {
        let path = entry.expect("the invariants can be read").path();
        let text = std::fs::read_to_string(&path).expect("a source file");
        let imports = text.lines().filter(|line| line.trim_start().starts_with("use ") || line.contains("::vmtwin_"));
        let bad = imports.filter(|line| ["vmtwin_engine", "vmtwin_sim", "vmtwin_apiserver"].iter().any(|name| line.contains(name)));
        wrong.extend(bad.map(|line| format!("{}: {line}", Path::new(&path).file_name().unwrap_or_default().to_string_lossy())));
    }
    assert!(wrong.is_empty(), "the oracle is apart from the mechanism: {wrong:?}");
}

#[test]
fn no_release_plants_mistakes() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let defaults = package.features.get("default").into_iter().flatten();
        assert_eq!(defaults.filter(|feature| feature.contains("planted")).count(), 0, "{}", package.name);
        let named = package.dependencies.iter().filter(|dependency| dependency.features.iter().any(|feature| feature.contains("planted")));
        assert_eq!(named.count(), 0, "{} asks another crate for its planted mistakes", package.name);
    }
}

#[test]
fn every_planted_mistake_is_planted_and_found_by_a_rule_that_is_checked() {
    let source = |folder: &str| -> String {
        let files = tracked().into_iter().filter(|file| file.starts_with(folder) && file.ends_with(".rs") && !file.ends_with("planted.rs"));
        files.filter_map(|file| std::fs::read_to_string(root().join(file)).ok()).collect()
    };
    let text = source("engine/src") + &source("scenarios/src/runner");
    for (mistake, invariant) in vmtwin_engine::planted::ALL {
        assert!(text.contains(&format!("planted::is(\"{mistake}\")")), "{mistake} is planted nowhere");
        assert!(vmtwin_scenarios::invariants::all().iter().any(|rule| rule.name == *invariant), "{invariant}");
    }
}
