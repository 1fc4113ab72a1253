//! What every drawn run is: a scenario, and the same one each time.

use super::*;

fn profiles() -> Vec<Profile> {
    Profile::names().filter_map(Profile::built_in).collect()
}

#[test]
fn what_is_drawn_is_a_scenario_and_the_same_each_time() {
    for profile in profiles() {
        for at in 0..40 {
            let document = draw(&profile, 1, at);
            assert_eq!(document, draw(&profile, 1, at), "{} {at}", profile.name);
            if let Err(told) = load(&document) {
                panic!(
                    "{} run {at}: {:?}\n{}",
                    profile.name,
                    told.iter().map(|told| &told.message).collect::<Vec<_>>(),
                    to_yaml(&document)
                );
            }
        }
    }
}

#[test]
fn a_run_depends_on_profile_seed_and_number_alone() {
    let profile = Profile::built_in("default").expect("a profile");
    let one = |at| run(&profile, 5, at, &|| false).expect("a run");
    let digests: Vec<String> = (0..6).map(|at| one(at).digest).collect();
    let again: Vec<String> = (0..6).rev().map(|at| one(at).digest).collect();
    assert_eq!(digests, again.into_iter().rev().collect::<Vec<_>>());
    assert_ne!(run(&profile, 6, 0, &|| false).expect("a run").digest, digests[0]);
}
