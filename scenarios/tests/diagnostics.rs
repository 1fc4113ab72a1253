//! The examples of the table of codes: what each wrong line says must be told of it, and nothing else.
//!
//! A wrong line carries `#! VT2003: message`; a line that has nothing but such a mark speaks of the line before it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vmtwin_scenarios::diagnostics::{Code, render_page};
use vmtwin_scenarios::format::{Root, load};

/// Code, line and message of one diagnostic.
type Told = (usize, String, String);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/diagnostics")
}

fn examples() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder of examples");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths
}

fn expected(text: &str) -> BTreeSet<Told> {
    let mut expected = BTreeSet::new();
    let mut last = 0;
    for (at, line) in text.split('\n').enumerate() {
        let Some((before, mark)) = line.split_once("#! ") else {
            last = at + 1;
            continue;
        };
        if !before.trim().is_empty() {
            last = at + 1;
        }
        for mark in mark.split(" #! ") {
            let (code, message) = mark.split_once(": ").expect("a mark has a code and a message");
            expected.insert((last, code.to_owned(), message.trim_end().to_owned()));
        }
    }
    expected
}

#[test]
fn every_example_fails_as_it_says_and_in_no_other_way() {
    let mut report = String::new();
    for path in examples() {
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("an example")).into_owned();
        let loaded = load(&path, &Root { folder: folder(), allow_outside: false });
        let told: BTreeSet<Told> = loaded
            .diagnostics
            .iter()
            .map(|diagnostic| (diagnostic.place.position().line, diagnostic.code.id().to_owned(), diagnostic.message.clone()))
            .collect();
        let expected = expected(&text);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for (line, code, message) in told.difference(&expected) {
            report.push_str(&format!("{name}:{line}: told, and not expected: {code}: {message}\n"));
        }
        for (line, code, message) in expected.difference(&told) {
            report.push_str(&format!("{name}:{line}: expected, and not told: {code}: {message}\n"));
        }
        let own = name.get(..6).unwrap_or_default().to_uppercase();
        if Code::ALL.iter().all(|code| code.id() != own) || expected.iter().all(|(_, code, _)| *code != own) {
            report.push_str(&format!("{name}: is no example of the code in its name\n"));
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn the_page_of_the_documentation_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/diagnostics.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, render_page()).expect("the page can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == render_page(), "docs/diagnostics.md is not what the table says: run this test with BLESS=1");
}
