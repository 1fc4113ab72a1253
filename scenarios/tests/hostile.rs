//! Files that mean harm, or nothing at all: any bytes give diagnostics, in little time and memory, and no panic.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use vmtwin_scenarios::diagnostics::Severity;
use vmtwin_scenarios::format::{Memory, is_scenario_file, load_bytes, load_within};
use vmtwin_scenarios::yaml::Limits;

const HEAD: &str = "apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\nmetadata: {name: hostile}\nspec:\n";

/// The codes of a file's errors.
fn codes(bytes: &[u8]) -> Vec<&'static str> {
    if bytes.len() < 1 << 20 {
        let _the_other_reader_holds_as_well = is_scenario_file(bytes);
    }
    let loaded = load_bytes("a.yaml", bytes, &Memory::default());
    for diagnostic in &loaded.diagnostics {
        assert!(!diagnostic.render(true).is_empty() && diagnostic.to_json()["code"].is_string());
    }
    let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error).count();
    assert_eq!(loaded.scenarios.is_empty(), errors > 0, "scenarios come of valid files alone");
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.code.id()).collect()
}

fn spec(text: &str) -> Vec<&'static str> {
    codes(format!("{HEAD}{text}").as_bytes())
}

#[test]
fn what_is_no_text_or_no_document_is_told() {
    for (bytes, code) in [
        (&b""[..], "VT1009"),
        (b"# nothing but a comment\n", "VT1009"),
        (b"---\n---\n", "VT1009"),
        (b"just a word", "VT1009"),
        (b"[1, 2]", "VT1009"),
        (b"\xff\xfea\x00p\x00", "VT1005"),
        (b"a: \x00b", "VT1005"),
        (b"\xc3\x28", "VT1005"),
        (b"a: &a [*a]", "VT1003"),
        (b"a: b: c", "VT1001"),
    ] {
        assert_eq!(codes(bytes).first(), Some(&code), "{bytes:?}");
    }
}

#[test]
fn bombs_end_early() {
    let mut aliases = format!("{HEAD}  annotations:\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        aliases.push_str(&format!("    a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")));
    }
    assert_eq!(codes(aliases.as_bytes()), ["VT1006"]);
    assert_eq!(spec(&format!("  description: {}\n", "x".repeat(10 << 20))), ["VT1006"]);
    assert_eq!(spec(&format!("  vsphere: {}\n", "[".repeat(100_000))), ["VT1006"]);
    assert_eq!(spec(&format!("  vsphere: {}\n", "{a: ".repeat(100_000))), ["VT1006"]);
    let nested: String = (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth + 2))).collect();
    assert_eq!(spec(&nested), ["VT1006"]);
    assert_eq!(codes(&vec![b'a'; 17 << 20]), ["VT1006"]);
    assert_eq!(spec(&format!("  a: {}", "- ".repeat(100_000))).len(), 1);
    assert_eq!(codes("? ".repeat(50_000).as_bytes()).len(), 1);
}

#[test]
fn absurd_values_are_told() {
    let hosts = |host: &str| spec(&format!("  vsphere: {{zones: [{{name: z, clusters: [{{name: c, hosts: [{host}]}}]}}]}}\n"));
    assert_eq!(hosts("{name: h, count: 99999999999}"), ["VT3006"]);
    assert_eq!(hosts("{name: h, count: 99999999999999999999}"), ["VT3001"]);
    assert_eq!(hosts("{name: h, count: -1}"), ["VT3006"]);
    assert_eq!(hosts("{name: h, memory: -5Gi}"), ["VT3003"]);
    assert_eq!(hosts("{name: h, cpu: {cores: 4294967296}}"), ["VT3006"]);
    let many: Vec<String> = (0..11).map(|entry| format!("{{name: \"h{entry}-\", count: 10000}}")).collect();
    assert_eq!(hosts(&many.join(", ")), ["VT3006"]);
    assert_eq!(spec("  horizon: 9999999h\n"), ["VT3002"]);
    assert_eq!(spec("  start: \"2262-01-01T00:00:00Z\"\n  horizon: 100000h\n"), ["VT3002"]);
    assert_eq!(spec("  start: \"9999-01-01T00:00:00Z\"\n"), ["VT3004"]);
    assert_eq!(spec("  start: \"0000-00-00T00:00:00Z\"\n"), ["VT3004"]);
}

#[test]
fn a_run_of_nothing_but_resyncs_is_refused() {
    assert_eq!(spec("  operator: {resyncPeriod: 1ns}\n"), ["VT3006"]);
    assert_eq!(spec("  operator: {resyncPeriod: 1s}\n  horizon: 28h\n"), ["VT3006"]);
    assert_eq!(spec("  horizon: 1000000h\n"), ["VT3006"], "at the usual period as well");
    for fine in ["  operator: {resyncPeriod: 1s}\n", "  operator: {resyncPeriod: none}\n  horizon: 1000000h\n", "  horizon: 40000h\n"] {
        assert_eq!(spec(fine), Vec::<&str>::new(), "{fine}");
    }
}

#[test]
fn many_hosts_with_many_datastores_are_counted_before_they_are_made() {
    let datastores: Vec<String> = (0..1000).map(|at| format!("{{name: d{at}}}")).collect();
    let text = format!(
        "  vsphere:\n    datastores: [{}]\n    zones: [{{name: z, clusters: [{{name: c, hosts: [{{name: h, count: 10000}}]}}]}}]\n",
        datastores.join(", ")
    );
    assert_eq!(spec(&text), ["VT3006"]);
}

#[test]
fn mistakes_without_end_are_counted() {
    let text: String = (0..5000).map(|at| format!("  field{at}: 1\n")).collect();
    let codes = spec(&text);
    assert_eq!((codes.len(), codes[1000]), (1001, "VT1008"));
}

#[test]
fn a_matrix_is_bounded() {
    let axis = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(spec(&format!("  matrix: {{a: [{}]}}\n", axis(10_001))), ["VT5003"]);
    assert_eq!(spec("  matrix: {a: []}\n"), ["VT3006"]);
    assert_eq!(spec("  matrix: [a]\n"), ["VT1011"]);
    assert_eq!(spec("  matrix: {a: [1], b: 2}\n"), ["VT1011"]);
    let wide = axis(5000);
    let long = format!("  matrix: {{a: [{}], b: [{wide}]}}\n", axis(2));
    assert_eq!(spec(&long), ["VT5003"], "the values of all combinations count");
}

#[test]
fn small_scenarios_of_large_infrastructures_count_in_a_matrix() {
    let list = |count: usize, item: fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(", ");
    let text = format!(
        "  matrix: {{a: [{}]}}\n  vsphere:\n    datastores: [{}]\n    zones: [{{name: z, clusters: [{{name: c, hosts: [{{name: h, count: 10000}}]}}]}}]\n",
        list(100, |at| at.to_string()),
        list(30, |at| format!("{{name: d{at}}}"))
    );
    assert_eq!(spec(&text), ["VT5003"]);
}

#[test]
fn helps_do_not_cost_without_end() {
    let known: Vec<String> = (0..4000).map(|at| format!("{{name: datastore-of-rack-{at}}}")).collect();
    let used: Vec<String> = (0..4000).map(|at| format!("datastore-of-rock-{at}")).collect();
    let text = format!(
        "  vsphere:\n    datastores: [{}]\n    storagePolicies: [{{name: p, datastores: [{}]}}]\n",
        known.join(", "),
        used.join(", ")
    );
    assert_eq!(spec(&text).len(), 1001);
    let vms: Vec<String> =
        (0..1200).map(|at| format!("{{name: v{at}, config: {{hardware: {{memoryMB: x}}, extraConfig: {{a: b, c: d}}}}}}")).collect();
    assert_eq!(spec(&format!("  vsphere: {{virtualMachines: [{}]}}\n", vms.join(", "))).len(), 1001);
}

#[test]
fn expressions_may_be_any_text() {
    let told = |expression: &str| {
        let key = expression.replace('\'', "''");
        spec(&format!(
            "  vsphere: {{namespaces: [{{name: n}}]}}\n  steps: [{{assert: {{apiVersion: v1, kind: ConfigMap, '({key})': true}}}}]\n"
        ))
    };
    assert_eq!(told("object.data.size() == 1"), Vec::<&str>::new());
    for expression in ["((((((((", "'", "\\", "a.b.c(", "1 +", "[[[[[[", "{{", "?:", "😀", "a ? b", "0xfffffffffffffffffffff", "a b", ""]
    {
        assert_eq!(told(expression), ["VT1017"], "{expression}");
    }
    for expression in ["(".repeat(2000), "1 + ".repeat(1000), "a.".repeat(5000), "!".repeat(2000)] {
        assert_eq!(told(&expression), ["VT1017"]);
    }
}

/// A scenario with something of everything.
const RICH: &str = include_str!("rich.scenario");

#[test]
fn the_rich_scenario_is_valid() {
    let loaded = load_bytes("rich.yaml", RICH.as_bytes(), &Memory::default());
    let rendered: Vec<String> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.render(false)).collect();
    assert!(loaded.scenarios.len() == 2, "{}", rendered.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_scenario_breaks_the_reader(
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(PIECES), 0usize..40), 1..6)
    ) {
        let mut bytes = RICH.as_bytes().to_vec();
        for (at, piece, cut) in edits {
            let at = at.index(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        codes(&bytes);
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        codes(&bytes);
    }

    #[test]
    fn no_yaml_like_text_breaks_the_reader(text in "(apiVersion: vmtwin.dev/v1alpha1\nkind: Scenario\n)?([a-z]{1,4}: |- |\\[|\\]|\\{|\\}|,|\n|  |\\*a|&a |!!str |'|\"|#|\\||>|\\?|%|é|[0-9]{1,3}){0,60}") {
        codes(text.as_bytes());
    }

    #[test]
    fn smaller_budgets_hold_as_well(nodes in 1usize..300, depth in 1usize..20, text in 1usize..4000) {
        let limits = Limits { nodes, depth, text, diagnostics: 5, ..Limits::default() };
        let loaded = load_within(std::path::Path::new("a.yaml"), RICH.as_bytes(), &Memory::default(), &limits);
        prop_assert!(loaded.diagnostics.len() <= 6);
    }
}

const PIECES: &[&str] = &[
    "",
    "\n",
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
    "!!int ",
    "|\n",
    "null",
    "~",
    "-1",
    "99999999999",
    "1e9",
    "true",
    "\u{0}",
    "\u{feff}",
    "é",
    "${mode}",
    "${",
    "()",
    "(object.x == 1)",
    "name: ",
    "file: a.yaml",
    "kind: Scenario\n",
    "\n---\n",
    "<<: ",
    "../",
    "%",
    "5s",
    "-5Gi",
    ".inf",
];
