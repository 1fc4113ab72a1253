//! Every story of the library holds, and its timeline is what it was.

use vmtwin_scenarios::log::Keep;
use vmtwin_scenarios::runner::{Options, RunResult, run};
use vmtwin_scenarios::timeline;
use vmtwin_tests::{library, root, scenarios};

/// Stories whose whole timeline is kept beside the tests; the others are told by their digest alone.
const TOLD: &[&str] = &["first-vm", "power-on-check", "nested-group"];

#[test]
fn every_story_of_the_library_holds() {
    let mut failed = Vec::new();
    for path in library() {
        for scenario in scenarios(&path) {
            let ran = run(&scenario, &Options::default(), &|| false);
            if ran.report.result != RunResult::Passed {
                failed.push(format!("{}: {}", scenario.name, serde_json::to_string_pretty(&ran.report.to_json()).expect("JSON")));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn timelines_are_what_they_were() {
    for path in library() {
        for scenario in scenarios(&path) {
            if !TOLD.contains(&scenario.name.as_str()) {
                continue;
            }
            let ran = run(&scenario, &Options { keep: Keep::All, ..Options::default() }, &|| false);
            let story: Vec<String> = ran.records.iter().map(|record| timeline::line(record, timeline::Style::default())).collect();
            insta::with_settings!({prepend_module_to_snapshot => false, description => path.strip_prefix(root()).unwrap_or(&path).display().to_string()}, {
                insta::assert_snapshot!(scenario.name.as_str(), story.join("\n"));
            });
        }
    }
}
