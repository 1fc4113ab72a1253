//! A reconcile case as a scenario. Source: the README of the cases, section 3.

use std::path::Path;

use serde_json::{Map, Value, json};
use vmtwin_engine::features::{GATES, Origin};
use vmtwin_engine::{Controller, Controllers};
use vmtwin_scenarios::format::{self, Scenario};
use vmtwin_scenarios::log::Keep;
use vmtwin_scenarios::runner::{Options, Ran, RunResult, run as play};
use vmtwin_sim::Csi;

use super::checks;
use super::world::{World, name_pools_exactly};
use super::{Case, Outcome};
use crate::Nowhere;

/// The annotation by which a privileged user passes validation.
const SKIP: &str = "vmoperator.vmware.com.protected/skip-validation";

pub(super) fn run(case: &Case, on: &[&str]) -> Outcome {
    if let Err(why) = part(&case.body) {
        return Outcome::LeftOut(why);
    }
    let ran = match attempt(case, on, Users::AsTheCaseSays) {
        Ok(ran) if is_denied(&ran) => attempt(case, on, Users::PastTheWebhooks),
        other => other,
    };
    match ran {
        Err(outcome) => outcome,
        Ok(mut ran) => match failed_step(&ran) {
            Some(failure) => Outcome::Failed(vec![failure]),
            None => {
                name_pools_exactly(&mut ran.final_objects);
                judge(case, &ran)
            }
        },
    }
}

/// Upstream's tests call the reconciler past its webhooks: what admission refuses is sent again past validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Users {
    AsTheCaseSays,
    PastTheWebhooks,
}

fn attempt(case: &Case, on: &[&str], users: Users) -> Result<Ran, Outcome> {
    let scenario = scenario(&case.body, on, users)?;
    let (controllers, csi) = part(&case.body).map_err(Outcome::LeftOut)?;
    let ran = play(&scenario, &Options { keep: Keep::All, controllers, csi, ..Options::default() }, &|| false);
    if ran.report.result == RunResult::Invalid { Err(Outcome::NotRunnable(failed_step(&ran).unwrap_or_default())) } else { Ok(ran) }
}

/// Which controllers run, and whether CSI does anything by itself; or why a case can't be set up. Source: the README of the cases, section 3.
fn part(case: &Value) -> Result<(Controllers, Csi), String> {
    let mut controllers = if case["controllers"].is_null() { Controllers::ALL } else { Controllers::NONE };
    for name in case["controllers"].as_array().into_iter().flatten() {
        let ours: &[Controller] = match name.as_str().unwrap_or_default() {
            "virtualmachine" => &[Controller::Vm, Controller::VmCreate, Controller::Probe],
            "virtualmachinesnapshot" => &[Controller::Snapshot],
            "volume" => &[Controller::Volumes],
            "storagepolicyquota" => &[Controller::StorageQuota],
            "storagepolicyusage" => &[Controller::StorageUsage],
            _ => return Err(format!("`controllers`: there is no controller {name} to run alone")),
        };
        controllers = ours.iter().fold(controllers, |all, one| all.with(*one));
    }
    let mut csi = Csi::Acts;
    for (key, value) in case["surroundings"].as_object().into_iter().flatten() {
        match (key.as_str(), value.as_str()) {
            ("cns", Some("manual")) => csi = Csi::Silent,
            _ => return Err(format!("`surroundings`: a scenario doesn't say `{key}`")),
        }
    }
    Ok((controllers, csi))
}

fn failed_step(ran: &Ran) -> Option<String> {
    let step = ran.report.steps.iter().find(|step| step.result == vmtwin_scenarios::runner::StepResult::Failed)?;
    Some(format!("{} fails: {}", step.name, step.message.clone().unwrap_or_default()))
}

fn is_denied(ran: &Ran) -> bool {
    let words = ["denied", "refused", "unable to calculate"];
    failed_step(ran).is_some_and(|failure| words.iter().any(|word| failure.contains(word)))
}

fn judge(case: &Case, ran: &Ran) -> Outcome {
    let world = World::new(&case.body, ran);
    let mut wrong = Vec::new();
    for check in case.body["then"].as_array().into_iter().flatten() {
        match checks::judge(&world, check) {
            Ok(()) => {}
            Err(checks::Failed::No(why)) => wrong.push(why),
            Err(checks::Failed::Unknown(why)) => return Outcome::NotRunnable(why),
        }
    }
    if wrong.is_empty() { Outcome::Passed } else { Outcome::Failed(wrong) }
}

fn scenario(case: &Value, on: &[&str], users: Users) -> Result<Scenario, Outcome> {
    let text = document(case, on, users).to_string();
    let loaded = format::load_bytes(Path::new("case.yaml"), text.as_bytes(), &Nowhere);
    if !loaded.is_valid() {
        let told = loaded.diagnostics.iter().map(|diagnostic| diagnostic.render(false)).next().unwrap_or_default();
        return Err(Outcome::NotRunnable(told.lines().next().unwrap_or_default().to_owned()));
    }
    loaded.scenarios.into_iter().next().ok_or_else(|| Outcome::NotRunnable("no scenario".to_owned()))
}

fn document(case: &Value, on: &[&str], users: Users) -> Value {
    let mut operator = case["operator"].as_object().cloned().unwrap_or_default();
    operator.insert("features".to_owned(), features(case, on).into());
    let mut vsphere = case["vsphere"].as_object().cloned().unwrap_or_default();
    vsphere.entry("timings").or_insert_with(|| json!({"*": "1s"}));
    give_images_to_namespaces(case, &mut vsphere);
    let mut steps: Vec<Value> = case["steps"].as_array().into_iter().flatten().map(|step| self::step(step, users)).collect();
    if case["steps"].as_array().and_then(|steps| steps.last()).is_none_or(|step| step.get("advance").is_none()) {
        steps.push(json!({"settle": {}}));
    }
    let mut spec = json!({"operator": operator, "vsphere": vsphere, "steps": steps});
    for (from, to) in [("given", "state"), ("start", "start")] {
        if !case[from].is_null() {
            spec[to] = case[from].clone();
        }
    }
    json!({"apiVersion": "vmtwin.dev/v1alpha1", "kind": "Scenario", "metadata": {"name": "case"}, "spec": spec})
}

/// An image that a given VM names as one of its namespace is one: `vsphere.images` leaves room for that.
fn give_images_to_namespaces(case: &Value, vsphere: &mut Map<String, Value>) {
    let given = case["given"].as_array().into_iter().flatten();
    let named: Vec<(&Value, &Value)> = given
        .filter(|object| object["spec"]["image"]["kind"] == "VirtualMachineImage")
        .map(|object| (&object["spec"]["image"]["name"], &object["metadata"]["namespace"]))
        .collect();
    for image in vsphere.get_mut("images").and_then(Value::as_array_mut).into_iter().flatten() {
        let namespace = named.iter().find(|(name, _)| **name == image["name"]).map(|(_, namespace)| (*namespace).clone());
        if let (Some(namespace), Some(image)) = (namespace, image.as_object_mut()) {
            image.entry("namespace").or_insert(namespace);
        }
    }
}

/// The gates that are on, and `false` for every other of upstream's that is on by default.
fn features(case: &Value, on: &[&str]) -> Map<String, Value> {
    let mut named: Vec<&str> = case["features"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    named.extend(on);
    let mut features = Map::new();
    for gate in GATES.iter().filter(|gate| gate.origin != Origin::Vmtwin && gate.default) {
        features.insert(gate.name.to_owned(), false.into());
    }
    for name in &named {
        features.insert((*name).to_owned(), true.into());
    }
    if named.contains(&"VMAffinityDuringExecution") {
        // Upstream has one gate for both.
        features.insert("HostAffinity".to_owned(), true.into());
    }
    features
}

fn step(step: &Value, users: Users) -> Value {
    let mut out = Map::new();
    for (key, value) in step.as_object().into_iter().flatten() {
        match key.as_str() {
            "advance" => out.insert("sleep".to_owned(), value.clone()),
            "as" if value == "privileged" => out.insert("as".to_owned(), "administrator".into()),
            _ => out.insert(key.clone(), value.clone()),
        };
    }
    if users == Users::PastTheWebhooks {
        for verb in ["apply", "patch"] {
            if let Some(manifest) = out.get_mut(verb) {
                manifest["metadata"]["annotations"][SKIP] = "true".into();
                out.insert("as".to_owned(), "administrator".into());
                break;
            }
        }
    }
    out.into()
}
