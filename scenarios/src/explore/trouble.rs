//! What goes wrong in a drawn run, and what administrators do behind the operator's back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::dice::Dice;
use super::users::Vm;
use super::world::World;

/// A step and when it is taken, in seconds from the start.
pub(super) type Happens = (u64, Value);

/// Calls that fail, and with what.
const FAULTS: &[(&str, &str)] = &[
    ("PowerOnVM_Task", "InsufficientResourcesFault"),
    ("PowerOnVM_Task", "GenericVmConfigFault"),
    ("PowerOffVM_Task", "TaskInProgress"),
    ("SuspendVM_Task", "SystemError"),
    ("ReconfigVM_Task", "ConcurrentAccess"),
    ("ReconfigVM_Task", "GenericVmConfigFault"),
    ("deployLibraryItem", "InsufficientResourcesFault"),
    ("CreateVM_Task", "FileLocked"),
    ("Destroy_Task", "FileLocked"),
    ("ShutdownGuest", "SystemError"),
    ("RebootGuest", "SystemError"),
    ("ResetVM_Task", "SystemError"),
    ("PlaceVmsXCluster", "Timedout"),
];

/// Calls whose way or answer is lost, and before or after which the operator dies.
const CALLS: &[&str] = &[
    "PowerOnVM_Task",
    "PowerOffVM_Task",
    "ReconfigVM_Task",
    "deployLibraryItem",
    "Destroy_Task",
    "ResetVM_Task",
    "RebootGuest",
    "ShutdownGuest",
    "SuspendVM_Task",
    "FindAllByUuid",
];

/// Kinds whose events arrive late, or not at all.
const KINDS: &[&str] = &["VirtualMachine", "VirtualMachineGroup", "VirtualMachineClass", "PersistentVolumeClaim"];

/// Draws the faults of a run, each with its end.
pub(super) fn faults(dice: &mut Dice<'_>, world: &World, until: u64, kinds: &BTreeMap<&str, u64>) -> Vec<Happens> {
    let mut all = Vec::new();
    for _ in 0..dice.number("faults.count") {
        let at = dice.between(0, until);
        all.extend(one(dice, world, at, kinds));
    }
    all
}

/// A fault with its end; nothing if none of its kind fits the world.
pub(super) fn one(dice: &mut Dice<'_>, world: &World, at: u64, kinds: &BTreeMap<&str, u64>) -> Vec<Happens> {
    let lasting = dice.seconds("faults.lasting").max(1);
    let kind = dice.weighted(kinds.iter().map(|(name, weight)| (*name, *weight)));
    kind.and_then(|kind| fault(kind, dice, world, at, lasting)).unwrap_or_default()
}

fn fault(kind: &str, dice: &mut Dice<'_>, world: &World, at: u64, lasting: u64) -> Option<Vec<Happens>> {
    let step = |value: Value| (at, json!({"vsphere": value}));
    let both = |begin: Value, end: Value| vec![(at, json!({"vsphere": begin})), (at + lasting, json!({"vsphere": end}))];
    let span = format!("{lasting}s");
    Some(match kind {
        "taskFault" => {
            let (operation, fault) = *dice.one(FAULTS)?;
            let mut rule = json!({"operation": operation, "fault": fault, "for": span});
            if dice.happens(60) {
                rule["times"] = dice.between(1, 3).into();
            }
            vec![step(json!({"fault": rule}))]
        }
        "loseCall" | "loseAnswer" => {
            let lost = if kind == "loseCall" { "call" } else { "answer" };
            vec![step(json!({"fault": {"operation": dice.one(CALLS)?, "lose": lost, "times": dice.between(1, 2), "for": span}}))]
        }
        "slow" => {
            let operation = dice.one(CALLS).filter(|operation| operation.ends_with("_Task"))?;
            both(
                json!({"slow": {"operation": operation, "factor": dice.between(2, 30)}}),
                json!({"slow": {"operation": operation, "factor": 1}}),
            )
        }
        "hostFail" => {
            let host = dice.one(&world.hosts)?;
            both(json!({"host": host, "fail": true}), json!({"host": host, "recover": true}))
        }
        "hostDisconnect" => {
            let host = dice.one(&world.hosts)?;
            both(json!({"host": host, "disconnect": true}), json!({"host": host, "reconnect": true}))
        }
        "maintenance" => {
            let host = dice.one(&world.hosts)?;
            both(json!({"host": host, "enterMaintenance": true}), json!({"host": host, "exitMaintenance": true}))
        }
        "zoneFail" => {
            let zone = dice.one(&world.zones)?;
            both(json!({"zone": zone, "fail": true}), json!({"zone": zone, "recover": true}))
        }
        "datastoreInaccessible" => {
            let datastore = dice.one(&world.datastores)?;
            both(json!({"datastore": datastore, "inaccessible": true}), json!({"datastore": datastore, "accessible": true}))
        }
        "keyProviderDown" => {
            let (provider, _) = dice.one(&world.providers)?;
            both(json!({"keyProvider": provider, "unavailable": true}), json!({"keyProvider": provider, "available": true}))
        }
        "ipExhausted" => {
            let network = dice.one(&world.networks)?;
            both(json!({"network": network, "exhaust": true}), json!({"network": network, "restore": true}))
        }
        "vcenterDown" => both(json!({"vcenter": "down"}), json!({"vcenter": "up"})),
        "late" => vec![(at, json!({"kube": {"late": dice.one(KINDS)?, "by": format!("{}s", dice.between(1, 60)), "for": span}}))],
        "unseen" => vec![(at, json!({"kube": {"unseen": dice.one(KINDS)?, "times": dice.between(1, 3)}}))],
        "old" => vec![
            (at, json!({"kube": {"old": dice.one(KINDS)?, "by": format!("{}s", dice.between(10, 600))}})),
            (at, json!({"operator": {"restart": true}})),
        ],
        "conflict" => vec![(at, json!({"kube": {"conflict": dice.one(KINDS)?, "times": dice.between(1, 3)}}))],
        "apiDown" => vec![(at, json!({"kube": {"down": format!("{}s", lasting.min(300))}}))],
        "crash" => {
            let point = *dice.one(&["call", "answer", "write"])?;
            let mut crash = json!({"at": point});
            if point != "write" {
                crash["operation"] = (*dice.one(CALLS)?).into();
            }
            if dice.happens(40) {
                crash["skip"] = dice.between(1, 4).into();
            }
            vec![(at, json!({"operator": {"crash": crash, "down": format!("{}s", dice.between(0, 60))}}))]
        }
        "pause" => vec![(at, json!({"operator": {"pause": span}}))],
        _ => return None,
    })
}

/// Draws what administrators do to the VMs that users made.
pub(super) fn out_of_band(dice: &mut Dice<'_>, world: &World, vms: &[(u64, Vm)], kinds: &BTreeMap<&str, u64>, until: u64) -> Vec<Happens> {
    let mut all = Vec::new();
    for _ in 0..dice.number("outOfBand.events") {
        let at = dice.between(0, until);
        all.extend(change(dice, world, vms, kinds, at));
    }
    all
}

/// A change at an instant; nothing if none of its kind fits what is there by then.
pub(super) fn change(dice: &mut Dice<'_>, world: &World, vms: &[(u64, Vm)], kinds: &BTreeMap<&str, u64>, at: u64) -> Option<Happens> {
    let kind = dice.weighted(kinds.iter().map(|(name, weight)| (*name, *weight)))?;
    let there: Vec<&Vm> = vms.iter().filter(|(made, _)| *made + 120 < at).map(|(_, vm)| vm).collect();
    Some((at, json!({"vsphere": action(kind, dice, world, &there)?})))
}

fn action(kind: &str, dice: &mut Dice<'_>, world: &World, vms: &[&Vm]) -> Option<Value> {
    match kind {
        "fillDatastore" => {
            let level = *dice.one(&["50%", "95%", "100%"])?;
            return Some(json!({"datastore": dice.one(&world.datastores)?, "fill": level}));
        }
        "removeKey" => {
            let (provider, keys) = dice.one(&world.providers)?;
            return Some(json!({"keyProvider": provider, "removeKey": dice.one(keys)?}));
        }
        _ => {}
    }
    let vm = dice.one(vms)?;
    let name = format!("{}/{}", vm.namespace, vm.name);
    Some(match kind {
        "migrate" => json!({"vm": name, "migrate": dice.one(&world.hosts)?}),
        "reconfigure" => json!({"vm": name, "reconfigure": {"memoryMB": 1024 * dice.between(1, 4)}}),
        "relocate" => json!({"vm": name, "relocate": {"pool": *dice.one(&["root", "namespace"])?}}),
        "powerOff" | "powerOn" | "suspend" | "reset" | "guestShutdown" | "guestCrash" | "toolsStop" | "destroy" => {
            json!({"vm": name, kind: true})
        }
        _ => return None,
    })
}
