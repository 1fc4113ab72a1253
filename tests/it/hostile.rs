//! Hostile input, by the functions that the fuzz targets call: the library as it is, the seeds that fuzzing begins with, everything that it ever
//! found, and a little chance.

#[path = "../harness/spoil.rs"]
mod spoil;

use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use spoil::Seeds;
use vmtwin_tests::{hostile, library, root};

/// The files of `tests/fuzz/{seeds,finds}` for a target, by name.
fn kept(target: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["seeds", "finds"] {
        // Git keeps no empty folder: a target that nothing was found with has none.
        let Ok(entries) = std::fs::read_dir(root().join("tests/fuzz").join(folder).join(target)) else { continue };
        files.extend(entries.map(|entry| entry.expect("the folder can be read").path()));
    }
    files.sort();
    files
}

/// How many cases there are: so many times more than usual as `VMTWIN_HOSTILE_TIMES` says.
fn cases(usual: u32) -> ProptestConfig {
    let times = number("VMTWIN_HOSTILE_TIMES").and_then(|times| u32::try_from(times).ok());
    let seed = number("VMTWIN_HOSTILE_SEED").unwrap_or(5);
    let cases = usual.saturating_mul(times.unwrap_or(1));
    ProptestConfig { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(seed), ..ProptestConfig::default() }
}

/// A number of the environment: how a developer asks for more.
fn number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

/// Reads a file, and says which, so that a failure names it.
fn content(path: &PathBuf) -> Vec<u8> {
    println!("{}", path.display());
    std::fs::read(path).expect("the file can be read")
}

#[test]
fn the_library_comes_through_as_it_is() {
    for path in library() {
        assert!(!hostile::read(&content(&path)).scenarios.is_empty(), "{} is valid", path.display());
        hostile::run(&content(&path));
    }
}

#[test]
fn whatever_was_found_is_mended() {
    for path in kept("read").iter().chain(&kept("run")) {
        hostile::run(&content(path));
    }
    for path in kept("admit") {
        hostile::admit(&content(&path));
    }
}

#[test]
fn requests_go_far_enough_to_matter() {
    let spread = |seed: u32, at: u32| (seed.wrapping_mul(2_654_435_761).wrapping_add(at.wrapping_mul(40_503)) >> 13).to_le_bytes()[0];
    let bytes = |seed| (0..400).map(|at| spread(seed, at)).collect::<Vec<_>>();
    let admitted: usize = (0..40).map(|seed| hostile::admit(&bytes(seed))).sum();
    assert!(admitted >= 20, "only {admitted} requests were let in");
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn no_request_for_any_object_breaks_the_machine(bytes in vec(any::<u8>(), 0..1200)) {
        hostile::admit(&bytes);
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn no_spoilt_scenario_breaks_the_runner(case in spoil::any()) {
        hostile::run(&Seeds::of_the_library().spoilt(&case));
    }
}
