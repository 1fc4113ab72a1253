//! Compares the tables of versions with the public custom resource definitions: whatever a served version has or lacks beside the stored one stands in them.
//!
//! The definitions are looked for in `$VMTWIN_DATA/crds`; without that variable the test says that it is skipped.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;
use vmtwin_model::kube::{Kind, Version};

#[test]
fn the_tables_say_how_each_served_version_differs_from_the_stored_one() {
    let Some(folder) = std::env::var_os("VMTWIN_DATA").map(PathBuf::from) else {
        writeln!(std::io::stderr(), "skipped: VMTWIN_DATA does not name the folder with the custom resource definitions")
            .expect("stderr can be written to");
        return;
    };
    let mut compared = 0;
    let mut differences = Vec::new();
    for kind in Kind::all() {
        let info = kind.info();
        let Ok(text) = std::fs::read_to_string(folder.join(format!("crds/{}_{}.yaml", info.group, info.plural))) else { continue };
        let definition: Value = serde_saphyr::from_str(&text).expect("a definition is YAML");
        let fields = |version: &str| {
            let versions = definition["versions"].as_array().into_iter().flatten();
            let found = versions.into_iter().find(|candidate| candidate["name"] == version).expect("the version is defined");
            let mut out = BTreeSet::new();
            walk(&found["schema"], "", &mut out);
            out
        };
        let stored = fields(info.version);
        for name in info.also {
            compared += 1;
            let own = fields(name);
            let (lacks, has) = (tops(&stored, &own), tops(&own, &stored));
            let none = Version { name, ..Version::default() };
            let table = Version::of(kind, name).unwrap_or(&none);
            let spec = |path: &&String| path.starts_with("spec");
            let told: BTreeSet<String> = table.lacks.iter().map(ToString::to_string).collect();
            if told != lacks.iter().filter(spec).cloned().collect() {
                differences.push(format!("{kind} {name} lacks: table {told:?}, definition {lacks:?}"));
            }
            // The resolved image moves field by field; its version is dropped.
            let moved = table.moves.iter().map(|(from, _)| *from).chain(table.loses.iter().copied());
            let moved: BTreeSet<String> = moved
                .filter(|path| !path.starts_with("metadata"))
                .map(|path| if path.starts_with("status.image.") { "status.image".to_owned() } else { path.to_owned() })
                .collect();
            if moved != has {
                differences.push(format!("{kind} {name} has besides: table {moved:?}, definition {has:?}"));
            }
            for (_, to) in table.moves.iter().filter(|(_, to)| !to.starts_with("metadata")) {
                if !stored.contains(*to) {
                    differences.push(format!("{kind} {name}: the stored version has no {to}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(compared > 30, "only {compared} versions were compared");
}

/// All paths of a schema.
fn walk(schema: &Value, path: &str, out: &mut BTreeSet<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        out.insert(path.clone());
        walk(field, &path, out);
    }
    for (keyword, step) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[keyword].is_object() {
            walk(&schema[keyword], &format!("{path}{step}"), out);
        }
    }
}

/// The paths of `of` that `other` lacks, without those below one of them.
fn tops(of: &BTreeSet<String>, other: &BTreeSet<String>) -> BTreeSet<String> {
    let missing: Vec<&String> = of.iter().filter(|path| !other.contains(*path)).collect();
    let below = |path: &str, top: &str| path.strip_prefix(top).is_some_and(|rest| rest.starts_with(['.', '[', '{']));
    missing.iter().filter(|path| !missing.iter().any(|top| below(path, top))).map(|path| (*path).clone()).collect()
}
