//! Ways to spoil a scenario: on its tree, where the file stays legible and goes far, and on its text, where anything may come of it. A module of the
//! tests that need it, of the program's own too, and not of the harness: no fuzz target wants it.

use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

/// One file: a scenario of the library, and what is done to it.
#[derive(Clone, Debug)]
pub struct Case {
    seed: Index,
    tree: Vec<OnTree>,
    text: Vec<OnText>,
}

#[derive(Clone, Debug)]
enum OnTree {
    Drop(Index),
    Double(Index),
    Swap(Index, Index),
    Replace(Index, &'static str),
    /// An entry more in a mapping, or another value for the one there is.
    Set(Index, (&'static str, &'static str)),
}

#[derive(Clone, Debug)]
enum OnText {
    DropLine(Index),
    DoubleLine(Index),
    SwapLines(Index, Index),
    Splice(Index, usize, &'static str),
    Byte(Index, u8),
}

/// Any case; half of them have a tree that is at least legible.
pub fn any() -> impl Strategy<Value = Case> {
    let index = proptest::prelude::any::<Index>;
    let tree = prop_oneof![
        1 => index().prop_map(OnTree::Drop),
        1 => index().prop_map(OnTree::Double),
        1 => (index(), index()).prop_map(|(a, b)| OnTree::Swap(a, b)),
        4 => (index(), select(NASTY)).prop_map(|(at, value)| OnTree::Replace(at, value)),
        3 => (index(), select(FIELDS)).prop_map(|(at, field)| OnTree::Set(at, field)),
    ];
    let text = prop_oneof![
        index().prop_map(OnText::DropLine),
        index().prop_map(OnText::DoubleLine),
        (index(), index()).prop_map(|(a, b)| OnText::SwapLines(a, b)),
        (index(), 0usize..30, select(PIECES)).prop_map(|(at, cut, piece)| OnText::Splice(at, cut, piece)),
        (index(), proptest::prelude::any::<u8>()).prop_map(|(at, byte)| OnText::Byte(at, byte)),
    ];
    let lists = prop_oneof![3 => (vec(tree, 1..5), Just(Vec::new())), 2 => (Just(Vec::new()), vec(text, 1..4))];
    (index(), lists).prop_map(|(seed, (tree, text))| Case { seed, tree, text })
}

/// The scenarios that are spoilt.
pub struct Seeds(Vec<String>);

impl Seeds {
    /// Those of the library, with their inventory beside them.
    pub fn of_the_library() -> Self {
        let mut files = Vec::new();
        let mut folders = vec![root().join("scenarios/library")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("the library can be read") {
                let path = entry.expect("the library can be read").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "yaml") {
                    files.push(path);
                }
            }
        }
        files.sort();
        let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a scenario can be read").replace("../../inventories/", "");
        Self(files.iter().map(read).collect())
    }

    /// What becomes of a case.
    pub fn spoilt(&self, case: &Case) -> Vec<u8> {
        let seed = case.seed.get(&self.0);
        let text = if case.tree.is_empty() { seed.clone() } else { on_tree(seed, &case.tree) };
        on_text(text, &case.text)
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn on_tree(seed: &str, edits: &[OnTree]) -> String {
    let mut tree: Value = serde_saphyr::from_str(seed).expect("the library is YAML");
    for edit in edits {
        let mut places = Vec::new();
        gather(&tree, &mut String::new(), &mut places);
        match edit {
            OnTree::Drop(at) => remove(&mut tree, at.get::<String>(&places)),
            OnTree::Double(at) => double(&mut tree, at.get::<String>(&places)),
            OnTree::Swap(a, b) => {
                let (a, b) = (a.get(&places), b.get(&places));
                if let (Some(one), Some(other)) = (tree.pointer(a).cloned(), tree.pointer(b).cloned()) {
                    put(&mut tree, a, other);
                    put(&mut tree, b, one);
                }
            }
            OnTree::Replace(at, value) => put(&mut tree, at.get::<String>(&places), stand_in(value)),
            OnTree::Set(at, (name, value)) => {
                let mappings: Vec<&String> = places.iter().filter(|place| tree.pointer(place).is_some_and(Value::is_object)).collect();
                if !mappings.is_empty()
                    && let Some(fields) = tree.pointer_mut(mappings[at.index(mappings.len())]).and_then(Value::as_object_mut)
                {
                    fields.insert((*name).to_owned(), stand_in(value));
                }
            }
        }
    }
    // JSON is YAML; what stands in for raw text gives way to it.
    let text = serde_json::to_string_pretty(&tree).expect("a tree is JSON");
    let raw = NASTY.iter().chain(FIELDS.iter().map(|(_, value)| value));
    raw.enumerate().fold(text, |text, (nth, value)| text.replace(&format!("\"@raw {nth}@\""), &grown(value)))
}

/// What stands for a value that JSON couldn't say.
fn stand_in(value: &str) -> Value {
    let nth = NASTY.iter().chain(FIELDS.iter().map(|(_, value)| value)).position(|raw| *raw == value);
    format!("@raw {}@", nth.expect("it is one of the table")).into()
}

/// A few values are too long to be written down: `TIMES n text`.
fn grown(value: &str) -> String {
    let Some((count, text)) = value.strip_prefix("TIMES ").and_then(|rest| rest.split_once(' ')) else { return value.to_owned() };
    let repeated = text.repeat(count.parse().expect("the table says a number"));
    if text.starts_with('x') { format!("\"{repeated}\"") } else { repeated }
}

fn gather(value: &Value, place: &mut String, places: &mut Vec<String>) {
    places.push(place.clone());
    let length = place.len();
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(nth, value)| (nth.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in below {
        place.push('/');
        place.push_str(&name);
        gather(value, place, places);
        place.truncate(length);
    }
}

fn put(tree: &mut Value, place: &str, value: Value) {
    if let Some(there) = tree.pointer_mut(place) {
        *there = value;
    }
}

fn parent<'t>(tree: &'t mut Value, place: &str) -> Option<(&'t mut Value, String)> {
    let (parent, name) = place.rsplit_once('/')?;
    Some((tree.pointer_mut(parent)?, name.replace("~1", "/").replace("~0", "~")))
}

fn remove(tree: &mut Value, place: &str) {
    match parent(tree, place) {
        Some((Value::Object(fields), name)) => {
            fields.shift_remove(&name);
        }
        Some((Value::Array(items), nth)) => {
            items.remove(nth.parse().expect("an item's place is a number"));
        }
        _ => {}
    }
}

fn double(tree: &mut Value, place: &str) {
    let Some(copy) = tree.pointer(place).cloned() else { return };
    match parent(tree, place) {
        Some((Value::Object(fields), name)) => {
            fields.insert(format!("{name}x"), copy);
        }
        Some((Value::Array(items), _)) => items.push(copy),
        _ => {}
    }
}

fn on_text(text: String, edits: &[OnText]) -> Vec<u8> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for edit in edits {
        let count = lines.len();
        match edit {
            OnText::DropLine(at) if count > 1 => drop(lines.remove(at.index(count))),
            OnText::DoubleLine(at) => {
                let line = at.get(&lines).clone();
                lines.insert(at.index(count), line);
            }
            OnText::SwapLines(a, b) => lines.swap(a.index(count), b.index(count)),
            _ => {}
        }
    }
    let mut bytes = (lines.join("\n") + "\n").into_bytes();
    for edit in edits {
        match edit {
            OnText::Splice(at, cut, piece) => {
                let at = at.index(bytes.len());
                let end = (at + cut).min(bytes.len());
                bytes.splice(at..end, piece.bytes());
            }
            OnText::Byte(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            _ => {}
        }
        if bytes.is_empty() {
            bytes.push(b'\n');
        }
    }
    bytes
}

/// Values in the place of others, as YAML.
const NASTY: &[&str] = &[
    "null",
    "~",
    "true",
    "0",
    "-1",
    "99999999999",
    "99999999999999999999999",
    "-9223372036854775808",
    "18446744073709551615",
    "1e999",
    ".inf",
    ".nan",
    "0x7fffffffffffffff",
    "\"9E9223372036854775807\"",
    "\"9223372036854775807\"",
    "\"1e-9223372036854775808\"",
    "\"8Ei\"",
    "\"7Ei\"",
    "\"-5Gi\"",
    "\"1n\"",
    "\"1000000h\"",
    "\"2562047h47m16.854775807s\"",
    "\"-5s\"",
    "\"0s\"",
    "\"1ns\"",
    "\"9999-99-99T00:00:00Z\"",
    "\"2262-04-11T23:47:16Z\"",
    "\"1677-09-21T00:12:44Z\"",
    "\"0001-01-01T00:00:00Z\"",
    "\"\"",
    "\"\\0\"",
    "\"\\ufeff\"",
    "\"\\ud800\"",
    "\"é\u{301}😀\u{202e}\"",
    "TIMES 100000 x",
    "TIMES 3000000 x",
    "&a [*a]",
    "*nowhere",
    "&a [&b [x, x, x], *b, *b, *b]",
    "{<<: {name: a}}",
    "{<<: [*nowhere]}",
    "!!binary aGk=",
    "!!python/object:os.system x",
    "? [a]\n",
    "TIMES 200 [",
    "TIMES 100000 {a: ",
    "[]",
    "{}",
    "[[]]",
    "{file: /dev/zero}",
    "{file: zero.yaml}",
    "{file: fifo.yaml}",
    "{file: loop.yaml}",
    "{file: dangling.yaml}",
    "{file: a folder.yaml}",
    "{file: up/x.yaml}",
    "{file: ../../../../etc/passwd}",
    "{file: case.yaml}",
    "{file: \"**/*\"}",
    "{file: \"{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}*\"}",
    "{from: case.yaml}",
    "\"application-group\"",
    "\"web-tier-group\"",
    "\"database-vm\"",
    "\"VirtualMachineGroup\"",
    "\"my-namespace\"",
    "\"${a}\"",
    "\"${\"",
    "{sleep: 1000000h}",
    "{settle: {}, timeout: 1000000h}",
    "{operator: restart}",
    "{operator: {pause: 1000000h}}",
    "{always: {for: 20h, object: {apiVersion: v1, kind: Namespace, metadata: {name: my-namespace}}}}",
];

/// Entries to be set somewhere.
const FIELDS: &[(&str, &str)] = &[
    ("horizon", "\"0s\""),
    ("horizon", "\"2000000h\""),
    ("start", "\"2262-04-11T00:00:00Z\""),
    ("seed", "18446744073709551615"),
    ("resyncPeriod", "\"1ns\""),
    ("resyncPeriod", "\"1s\""),
    ("createVMRequeueDelay", "\"0s\""),
    ("maxConcurrentReconciles", "1"),
    ("count", "99999999999"),
    ("count", "10000"),
    ("memory", "\"8Ei\""),
    ("cpus", "2147483647"),
    ("capacity", "1"),
    ("timeout", "\"1000000h\""),
    ("at", "\"1000000h\""),
    ("powerOnDelay", "\"-1h\""),
    ("powerOnDelay", "\"1000000h\""),
    ("powerState", "\"Suspended\""),
    ("powerState", "\"PoweredOff\""),
    ("groupName", "\"application-group\""),
    ("groupName", "\"web-tier-group\""),
    ("nextRestartTime", "\"9999-01-01T00:00:00Z\""),
    ("finalizers", "[a.b/c]"),
    ("ownerReferences", "[{apiVersion: v1, kind: ConfigMap, name: a, uid: a}]"),
    ("deletionTimestamp", "\"2026-01-01T00:00:00Z\""),
    ("timings", "{\"*\": 0s}"),
    ("timings", "{\"*\": 1000000h}"),
    ("matrix", "{a: [1, 2, 3], b: [1, 2, 3]}"),
    ("matrix", "{a: [1,2,3,4,5,6,7,8,9,10], b: [1,2,3,4,5,6,7,8,9,10], c: [1,2,3,4,5,6,7,8,9,10], d: [1,2,3,4,5,6,7,8,9,10], e: [1, 2]}"),
    ("(object.metadata.name.matches('((a{1,90}){1,90}){1,90}'))", "true"),
    (
        "(object.metadata.name.replace('', 'aaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaa') == '')",
        "false",
    ),
    (
        "([1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, a > 0))))))",
        "true",
    ),
    ("((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))))))))))", "1"),
];

/// Bytes in the place of others.
const PIECES: &[&str] = &[
    "",
    "\n",
    "\t",
    " ",
    "- ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "'",
    "\"",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "!!int ",
    "|\n",
    ">-\n",
    "\0",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "%YAML 9.9\n---\n",
    "\n---\n",
    "\n...\n",
    "? ",
    "${a}",
    "99999999999",
    "-1",
    "1e999",
    "\u{7f}",
];
