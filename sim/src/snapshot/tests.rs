use std::sync::Arc;

use serde_json::json;
use vmtwin_model::id::VmId;
use vmtwin_model::time::Span;
use vmtwin_model::units::{Bytes, MiB};
use vmtwin_model::vsphere::operation::GuestQuiesceSpec;
use vmtwin_model::vsphere::spec::{ConfigSpec, Device, DeviceChange, DeviceType, OptionValue};
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_model::vsphere::{Changed, Operation, Reply};

use crate::trial::{Trial, inventory, spec};

fn take(trial: &mut Trial, vm: &VmId, name: &str, memory: bool) -> Arc<str> {
    let operation = Operation::CreateSnapshot { vm: vm.clone(), name: name.into(), description: None, memory, quiesce_spec: None };
    match trial.ask(operation) {
        Ok(Reply::Snapshot(id)) => id,
        other => panic!("the snapshot should be taken: {other:?}"),
    }
}

fn revert(vm: &VmId, snapshot: &Arc<str>) -> Operation {
    Operation::RevertToSnapshot { vm: vm.clone(), snapshot: snapshot.clone() }
}

fn remove(vm: &VmId, snapshot: &Arc<str>) -> Operation {
    Operation::RemoveSnapshot { vm: vm.clone(), snapshot: snapshot.clone() }
}

/// The guest writes so much into the first disk.
fn write(trial: &mut Trial, vm: &VmId, bytes: Bytes) {
    let row = trial.world.find_vm(vm).expect("the VM is there");
    trial.world.vms.get_mut(row).expect("it has a row").written.insert(2000, bytes);
    trial.world.lay_out(row);
}

/// The chain of the first disk, by the names and sizes of its extents.
fn chain(trial: &Trial, vm: &VmId) -> Vec<(String, i64)> {
    let layout = &trial.vm(vm).layout_ex;
    let extents = layout.disk[0].chain.iter().map(|link| link.file_key[1]);
    let files = extents.map(|key| layout.file.iter().find(|file| file.key == key).expect("the file is listed"));
    files.map(|file| (file.name.rsplit('/').next().unwrap_or_default().to_owned(), file.size.0 >> 20)).collect()
}

fn tree(trial: &Trial, vm: &VmId) -> serde_json::Value {
    fn names(list: &[vmtwin_model::vsphere::snapshot::SnapshotNode]) -> serde_json::Value {
        list.iter().map(|node| json!({&*node.name: names(&node.child_snapshot_list)})).collect()
    }
    trial.vm(vm).snapshot.as_ref().map_or(json!(null), |tree| names(&tree.root_snapshot_list))
}

#[test]
fn a_snapshot_freezes_the_disks_and_they_go_on_in_new_links() {
    let mut trial = Trial::new(&inventory());
    let vm = trial.deploy(spec("a"));
    trial.changes.clear();
    let first = take(&mut trial, &vm, "one", false);
    assert!(trial.changes.iter().any(|(_, change)| change.changed.contains(&Changed::Snapshot)));
    write(&mut trial, &vm, MiB(100).to_bytes());
    take(&mut trial, &vm, "two", false);
    assert_eq!(tree(&trial, &vm), json!([{"one": [{"two": []}]}]));
    let links = chain(&trial, &vm);
    let sizes: Vec<i64> = links.iter().map(|(_, size)| *size).collect();
    assert_eq!((links[0].0.as_str(), sizes), ("a-flat.vmdk", vec![2048, 100, 0]), "base, the first delta, the live one");
    let layout = &trial.vm(&vm).layout_ex;
    let lengths: Vec<usize> = layout.snapshot.iter().map(|snapshot| snapshot.disk[0].chain.len()).collect();
    assert_eq!(lengths, [1, 2]);
    assert!(layout.snapshot.iter().all(|snapshot| snapshot.memory_key == -1));
    let config = trial.ask(Operation::RetrieveSnapshot { vm, snapshot: first });
    assert!(matches!(config, Ok(Reply::SnapshotConfig(config)) if &*config.name == "a"));
}

#[test]
fn going_back_throws_away_what_came_since_and_lets_the_tree_branch() {
    let mut trial = Trial::new(&inventory());
    let vm = trial.deploy(spec("a"));
    let first = take(&mut trial, &vm, "one", false);
    let set = |value: &str| ConfigSpec { extra_config: vec![OptionValue::new("guestinfo.x", value)], ..ConfigSpec::default() };
    trial.ask(Operation::ReconfigVm { vm: vm.clone(), spec: set("later").into() }).expect("it is reconfigured");
    write(&mut trial, &vm, MiB(700).to_bytes());
    take(&mut trial, &vm, "two", false);
    trial.ask(Operation::PowerOnVm { vm: vm.clone(), host: None }).expect("it is switched on");
    trial.ask(revert(&vm, &first)).expect("it is reverted");
    let seen = trial.vm(&vm);
    assert_eq!((seen.runtime.power_state, seen.extra_config("guestinfo.x")), (PowerState::PoweredOff, None));
    assert_eq!(seen.snapshot.as_ref().and_then(|tree| tree.current_snapshot.clone()), Some(first.clone()));
    let sizes: Vec<i64> = chain(&trial, &vm).iter().map(|(_, size)| *size).collect();
    assert_eq!(sizes, [2048, 0]);
    take(&mut trial, &vm, "three", false);
    assert_eq!(tree(&trial, &vm), json!([{"one": [{"two": []}, {"three": []}]}]));
    // Two branches lie on the first one's link: removed, it leaves the link where it is.
    trial.ask(remove(&vm, &first)).expect("it is removed");
    assert_eq!(tree(&trial, &vm), json!([{"two": []}, {"three": []}]));
    assert_eq!(chain(&trial, &vm)[0].1, 2048);
}

#[test]
fn what_a_removed_snapshot_held_is_merged_into_what_lies_on_it() {
    let mut trial = Trial::new(&inventory());
    let vm = trial.deploy(spec("a"));
    let free = |trial: &Trial| trial.value("Datastore", "ds")["summary"]["freeSpace"].as_i64().expect("a number");
    let before = free(&trial);
    let first = take(&mut trial, &vm, "one", false);
    write(&mut trial, &vm, MiB(300).to_bytes());
    let second = take(&mut trial, &vm, "two", false);
    write(&mut trial, &vm, Bytes::from_gib(9));
    trial.ask(remove(&vm, &first)).expect("it is removed");
    assert_eq!(chain(&trial, &vm)[0], ("a-flat.vmdk".to_owned(), 2048 + 300));
    assert_eq!(trial.vm(&vm).snapshot.as_ref().and_then(|tree| tree.current_snapshot.clone()), Some(second.clone()));
    trial.ask(remove(&vm, &second)).expect("it is removed");
    assert_eq!(chain(&trial, &vm), [("a-flat.vmdk".to_owned(), 10 << 10)], "never more than the capacity");
    assert_eq!(trial.vm(&vm).snapshot, None);
    assert_eq!(before - free(&trial), Bytes::from_gib(8).0, "what was written stays, and nothing else");
    let fault = trial.refused(remove(&vm, &second));
    assert_eq!(fault.name.as_str(), "ManagedObjectNotFound");
}

#[test]
fn a_running_vm_keeps_its_memory_and_runs_on_where_it_was() {
    let mut trial = Trial::new(&inventory());
    let vm = trial.running("a");
    trial.run(Span::from_mins(5));
    let snapshot = take(&mut trial, &vm, "warm", true);
    let layout = &trial.vm(&vm).layout_ex;
    let memory = layout.file.iter().find(|file| &*file.type_ == "snapshotMemory").expect("the memory is on disk");
    assert_eq!((memory.size, layout.snapshot[0].memory_key), (Bytes::from_gib(4), memory.key));
    trial.ask(Operation::PowerOffVm { vm: vm.clone() }).expect("it is switched off");
    trial.ask(revert(&vm, &snapshot)).expect("it is reverted");
    trial.run(Span::from_secs(5));
    let seen = trial.vm(&vm);
    assert_eq!(seen.runtime.power_state, PowerState::PoweredOn);
    assert!(seen.tools_run(), "the guest goes on without a boot");
    assert_eq!(trial.world.hosts().map(|host| host.vms.len()).sum::<usize>(), 1);
}

#[test]
fn a_guest_without_tools_is_not_brought_to_rest() {
    let mut trial = Trial::new(&inventory());
    let vm = trial.running("a");
    let quiesce_spec = Some(GuestQuiesceSpec { timeout: Some(10) });
    let operation = Operation::CreateSnapshot { vm: vm.clone(), name: "s".into(), description: None, memory: false, quiesce_spec };
    assert_eq!(trial.refused(operation.clone()).name.as_str(), "ToolsUnavailable");
    trial.run(Span::from_mins(5));
    trial.ask(operation).expect("the tools run");
    let quiesced = trial.vm(&vm).snapshot.as_ref().map(|tree| tree.root_snapshot_list[0].quiesced);
    assert_eq!(quiesced, Some(true));
}

#[test]
fn memory_needs_room() {
    let mut inventory = inventory();
    inventory.datastores[0].capacity = Bytes::from_gib(9);
    let mut trial = Trial::new(&inventory);
    let vm = trial.running("a");
    let operation = |memory| Operation::CreateSnapshot { vm: vm.clone(), name: "s".into(), description: None, memory, quiesce_spec: None };
    assert_eq!(trial.refused(operation(true)).name.as_str(), "NoDiskSpace");
    trial.ask(operation(false)).expect("a delta begins with nothing");
}

#[test]
fn a_disk_in_a_snapshot_is_neither_grown_nor_taken_off() {
    let mut trial = Trial::new(&inventory());
    let vm = trial.deploy(spec("a"));
    let disk = |gib| Device { capacity_in_bytes: Some(Bytes::from_gib(gib)), ..Device::new(DeviceType::VirtualDisk, 2000) };
    let change = |change: DeviceChange| {
        let spec = ConfigSpec { device_change: vec![change], ..ConfigSpec::default() };
        Operation::ReconfigVm { vm: vm.clone(), spec: spec.into() }
    };
    let snapshot = take(&mut trial, &vm, "s", false);
    for refused in [DeviceChange::edit(disk(20)), DeviceChange::remove(disk(10))] {
        assert_eq!(trial.refused(change(refused)).name.as_str(), "InvalidDeviceOperation");
    }
    trial.ask(remove(&vm, &snapshot)).expect("it is removed");
    trial.ask(change(DeviceChange::edit(disk(20)))).expect("it grows");
}

#[test]
fn no_more_than_thirty_two_stand_one_on_the_other() {
    let mut trial = Trial::new(&inventory());
    let vm = trial.deploy(spec("a"));
    for nth in 0..super::LEVELS_MAX {
        take(&mut trial, &vm, &format!("s{nth}"), false);
    }
    let one_more = Operation::CreateSnapshot { vm, name: "s".into(), description: None, memory: false, quiesce_spec: None };
    assert_eq!(trial.refused(one_more).name.as_str(), "TooManySnapshotLevels");
}
