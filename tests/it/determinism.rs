//! Same file, seed and version: same digest. Whatever the order of the file's sets, of the API server's inner ids, and on any thread.

use vmtwin_apiserver::IdOrder;
use vmtwin_scenarios::format::Scenario;
use vmtwin_scenarios::log::Keep;
use vmtwin_scenarios::runner::{Options, run};
use vmtwin_tests::{library, scenarios};

/// The lines of a run, and its digest.
fn lines(scenario: &Scenario, id_order: IdOrder) -> (Vec<String>, String) {
    let ran = run(scenario, &Options { keep: Keep::All, id_order, ..Options::default() }, &|| false);
    (ran.records.iter().map(|record| record.to_json().to_string()).collect(), ran.report.digest)
}

/// Fails with the first line that differs.
fn assert_same(name: &str, how: &str, (a, digest_a): &(Vec<String>, String), (b, digest_b): &(Vec<String>, String)) {
    if let Some((one, other)) = a.iter().zip(b).find(|(one, other)| one != other) {
        panic!("{name}, {how}: the first lines that differ are\n  {one}\n  {other}");
    }
    assert_eq!((a.len(), digest_a), (b.len(), digest_b), "{name}, {how}");
}

fn all() -> Vec<Scenario> {
    library().iter().flat_map(|path| scenarios(path)).collect()
}

#[test]
fn a_second_run_is_the_same() {
    for scenario in all() {
        let first = lines(&scenario, IdOrder::Dense);
        assert_same(&scenario.name, "run again", &first, &lines(&scenario, IdOrder::Dense));
    }
}

#[test]
fn the_order_of_the_file_and_of_inner_ids_changes_nothing() {
    for scenario in all() {
        let mut turned = scenario.clone();
        turned.objects.reverse();
        turned.state.reverse();
        let first = lines(&scenario, IdOrder::Dense);
        assert_same(&scenario.name, "objects and ids in another order", &first, &lines(&turned, IdOrder::Scrambled));
    }
}

#[test]
fn threads_change_nothing() {
    let scenarios = all();
    let alone: Vec<_> = scenarios.iter().map(|scenario| lines(scenario, IdOrder::Dense)).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = scenarios.iter().map(|scenario| scope.spawn(|| lines(scenario, IdOrder::Dense))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a run doesn't panic")).collect()
    });
    for ((scenario, alone), together) in scenarios.iter().zip(&alone).zip(&together) {
        assert_same(&scenario.name, "on several threads", alone, together);
    }
}

#[test]
fn another_seed_is_another_run() {
    let scenario = all().into_iter().find(|scenario| scenario.name == "first-vm").expect("the library has the first VM");
    let digest = |seed| run(&scenario, &Options { seed: Some(seed), ..Options::default() }, &|| false).report.digest;
    assert_ne!(digest(0), digest(1), "durations are drawn by the seed");
    assert_eq!(digest(1), digest(1));
}
