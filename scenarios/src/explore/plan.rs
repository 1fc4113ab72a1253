//! One drawn run as a scenario: its world, what users ask for, what administrators do, what goes wrong, by the instants.

use serde_json::{Value, json};

use super::dice::Dice;
use super::users::{Asked, Users, Vm};
use super::{trouble, world};
use crate::format::API_VERSION;
use crate::format::profile::Profile;

/// Draws run `run` of a profile and a seed, as the document of a scenario. The same three give the same document.
#[must_use]
pub fn draw(profile: &Profile, seed: u64, run: u64) -> Value {
    let mut dice = Dice::of(profile, seed, run, "shape");
    let whole = dice.chance("swarm.whole");
    let operations = dice.swarm("users.operations", whole);
    let kinds = dice.swarm("outOfBand.kinds", whole);
    let faults = dice.swarm("faults.kinds", whole);
    let count = dice.number("users.steps");
    let gates = dice.gates();
    let resync = dice.seconds("operator.resyncPeriod");
    let horizon = dice.seconds("horizon");
    let forks = dice.chance("invariants.forkChecks");

    // About a third of the requests make VMs.
    let (world, vsphere, mut objects) = world::draw(&mut Dice::of(profile, seed, run, "world"), (count / 3).clamp(1, 20));
    let mut dice = Dice::of(profile, seed, run, "users");
    let mut users = Users::default();
    objects.extend(users.begin(&mut dice, &world));
    let (mut steps, mut at, mut made) = (Vec::new(), 1, Vec::<(u64, Vm)>::new());
    for _ in 0..count {
        if !dice.chance("users.burst") {
            at += dice.seconds("users.gap");
        }
        if at > horizon {
            break;
        }
        let before = users.vms.len();
        let privileged = dice.name("users.as") == "privileged";
        for asked in users.ask(&mut dice, &world, &operations) {
            steps.push((at, step_of(&asked, privileged)));
        }
        made.extend(users.vms[before..].iter().map(|vm| (at, vm.clone())));
    }
    let until = at + 600;
    steps.extend(trouble::out_of_band(&mut Dice::of(profile, seed, run, "out of band"), &world, &made, &kinds, until));
    steps.extend(trouble::faults(&mut Dice::of(profile, seed, run, "faults"), &world, until, &faults));
    steps.sort_by_key(|(at, _)| *at);
    let steps: Vec<Value> = steps.into_iter().map(timed).collect();

    let mut spec = json!({"seed": run, "operator": {"resyncPeriod": if resync == 0 { "none".to_owned() } else { format!("{resync}s") }}, "vsphere": vsphere});
    if !gates.is_empty() {
        spec["operator"]["features"] = gates.iter().map(|gate| ((*gate).to_owned(), true.into())).collect::<serde_json::Map<_, _>>().into();
    }
    let mut disable = profile.disable.clone();
    if !forks && profile.only.is_empty() && !disable.iter().any(|name| name == "rest-is-rest") {
        disable.push("rest-is-rest".to_owned());
    }
    if !disable.is_empty() || !profile.only.is_empty() {
        spec["invariants"] = json!({"disable": disable, "only": profile.only});
    }
    spec["objects"] = objects.into();
    spec["steps"] = steps.into();
    json!({"apiVersion": API_VERSION, "kind": "Scenario", "metadata": {"name": format!("{}-{seed}-{run}", profile.name)}, "spec": spec})
}

pub(super) fn step_of(asked: &Asked, privileged: bool) -> Value {
    let mut step = json!({});
    // What must be denied to ordinary users is asked by one.
    if asked.privileged || (privileged && asked.denied.is_none()) {
        step["as"] = "administrator".into();
    }
    step[asked.verb] = asked.value.clone();
    if let Some(field) = asked.denied {
        step["expect"] = json!({"denied": {"field": field}});
    }
    step
}

pub(super) fn timed((at, step): (u64, Value)) -> Value {
    let mut timed = json!({"at": format!("{at}s")});
    for (name, value) in step.as_object().into_iter().flatten() {
        timed[name] = value.clone();
    }
    timed
}
