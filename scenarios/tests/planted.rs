//! Every mistake that is planted into the engine is found by `explore`, made small, and gone without it. Source: reproduce §8.
//!
//! Runs are counted, not timed; seconds are printed for people.

use vmtwin_scenarios::explore::shrink::{Limits, Target, file, shrink};
use vmtwin_scenarios::explore::{self, PLANTED, draw, plant};
use vmtwin_scenarios::format::profile::Profile;
use vmtwin_scenarios::runner::Failing;

/// So many runs at the most until a mistake is found.
const RUNS: u64 = 20_000;
/// So many lines at the most of a find.
const LINES: usize = 40;

/// The profile in which each area's mistakes are looked for.
fn profile_of(mistake: &str) -> &'static str {
    match mistake {
        "zone-label-ignored" | "tags-forgotten" | "no-capacity-is-final" => "placement",
        "delays-not-summed" | "off-stops-at-first-level" | "leaver-kept" => "groups",
        "quota-counts-size" | "quota-forgets-granted" | "volumes-not-awaited" => "storage",
        "rekey-on-empty-key" | "disks-keep-old-key" => "crypto",
        "one-check-is-enough" => "default",
        "create-not-searched" | "stale-write-back" => "chaos",
        _ => "power",
    }
}

#[test]
fn every_planted_mistake_is_found_made_small_and_gone_without_it() {
    let only = std::env::var("PLANTED").unwrap_or_default();
    let mut missed = Vec::new();
    for (mistake, invariant) in PLANTED.iter().filter(|(mistake, _)| only.is_empty() || only.split(',').any(|one| one == *mistake)) {
        let begun = std::time::Instant::now();
        let profile =
            Profile::built_in(profile_of(mistake)).and_then(|profile| profile.with("invariants.only", &format!("[{invariant}]")).ok());
        let profile = profile.expect("a profile");
        assert!(plant(Some(mistake)));
        let found = (0..RUNS).find_map(|run| {
            let one = explore::run(&profile, 1, run, &|| false).expect("a scenario");
            one.violations.into_iter().find(|violation| violation.invariant == *invariant).map(|violation| (run, violation))
        });
        let Some((run, violation)) = found else {
            missed.push(format!("{mistake}: not found in {RUNS} runs"));
            continue;
        };
        let limits = Limits { tries: 5_000, stop: &|| false };
        let shrunk = match shrink(&draw(&profile, 1, run), &Target::of(&violation), &limits) {
            Ok(shrunk) => shrunk,
            Err(error) => {
                missed.push(format!("{mistake}: run {run}: {error}"));
                continue;
            }
        };
        let text = file(&shrunk.document, mistake, &violation, "the test of planted mistakes");
        let lines = text.lines().count();
        println!(
            "{mistake:<26} {:<10} run {run:>5} {:>6.1} s {lines:>3} lines {:>5} tries",
            profile.name,
            begun.elapsed().as_secs_f64(),
            shrunk.tries
        );
        if std::env::var("PLANTED_PRINT").is_ok() {
            println!("{text}");
        }
        if lines >= LINES {
            missed.push(format!("{mistake}: {lines} lines\n{text}"));
        }
        plant(None);
        let scenario = explore::load(&shrunk.document).expect("a scenario");
        let clean = explore::play(&scenario, 0, Failing::Ends, &|| false);
        if !clean.violations.is_empty() {
            missed.push(format!("{mistake}: fails without it, too: {}", clean.violations[0].message));
        }
    }
    plant(None);
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
