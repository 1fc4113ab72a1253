//! A pass looks only at what changed since the last one, and comes to what a look at everything comes to.

use super::*;

/// VMs that exist, all members of one group.
fn existing(names: &[String], power_state: Option<PowerState>) -> Cluster {
    let mut cluster = Cluster::new();
    for name in names {
        exists(&mut cluster, name);
    }
    let members = names.iter().map(|name| GroupMember { kind: None, name: name.clone() }).collect();
    cluster.group("g", spec(vec![boot(members, Some(5))], power_state));
    cluster.settle();
    cluster
}

fn exists(cluster: &mut Cluster, name: &str) {
    let spec =
        VirtualMachineSpec { group_name: "g".to_owned(), power_state: Some(PowerState::PoweredOff), ..VirtualMachineSpec::default() };
    let status = VirtualMachineStatus { unique_id: format!("vm-{name}"), zone: "z".to_owned(), ..VirtualMachineStatus::default() };
    cluster.apply::<VirtualMachine>(name, spec, status);
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("vm-{n}")).collect()
}

/// What an operator writes that starts just now and knows nothing of any pass.
fn written_by_a_fresh_operator(cluster: &Cluster) -> Vec<ObjectKey> {
    let mut fresh = Cluster::new();
    (fresh.now, fresh.version, fresh.objects) = (cluster.now, cluster.version, cluster.objects.clone());
    for (key, object) in &cluster.objects {
        fresh.tell(Input::Changed(WatchEvent { key: key.clone(), before: None, after: Some(object.clone()) }));
    }
    fresh.settle();
    fresh.writes
}

#[test]
fn the_change_of_one_member_costs_one_look_however_many_others_there_are() {
    let looks = |count: usize| {
        let mut cluster = existing(&names(count), Some(PowerState::PoweredOff));
        cluster.settle();
        let before = cluster.engine.work().looks;
        cluster.observe("vm-1", PowerState::PoweredOff);
        cluster.settle();
        assert_eq!(cluster.entry("g", "vm-1").power_state, Some(PowerState::PoweredOff));
        cluster.engine.work().looks - before
    };
    assert_eq!(looks(10), looks(300));
}

#[test]
fn a_fresh_operator_finds_nothing_that_was_left_out() {
    let rng = Rng::new(7);
    for run in 0..12u64 {
        let mut cluster = existing(&names(6), Some(PowerState::PoweredOff));
        for step in 0..25u64 {
            let mut draw = rng.draw("test/edit", (run, step));
            let (what, which) = (draw.below(7), format!("vm-{}", draw.below(6)));
            let key = ObjectKey::of::<VirtualMachine>(NAMESPACE, which.as_str());
            let named = cluster.objects.get(&key).map(|vm| vm.view::<VirtualMachine>().expect("a VM").spec.group_name == "g");
            match (what, named) {
                (0, Some(_)) => {
                    let state = if step % 2 == 0 { PowerState::PoweredOn } else { PowerState::PoweredOff };
                    cluster.edit::<VirtualMachine>(&which, |vm| {
                        vm.status_mut().power_state = Some(state);
                        vm.set_label("step", Some(&step.to_string()));
                    });
                }
                (1, Some(true)) => cluster.edit::<VirtualMachine>(&which, |vm| vm.spec_mut().group_name.clear()),
                (2, Some(false)) => cluster.edit::<VirtualMachine>(&which, |vm| vm.spec_mut().group_name = "g".to_owned()),
                (3, Some(true)) => cluster.delete::<VirtualMachine>(&which),
                (4, None) => exists(&mut cluster, &which),
                (5, _) => {
                    let on = cluster.object::<VirtualMachineGroup>("g").view::<VirtualMachineGroup>().expect("a group").spec.power_state;
                    let next = if on == Some(PowerState::PoweredOn) { PowerState::PoweredOff } else { PowerState::PoweredOn };
                    power(&mut cluster, "g", next);
                }
                (6, _) => cluster.edit::<VirtualMachineGroup>("g", |group| {
                    let members = &mut group.spec_mut().boot_order[0].members;
                    match members.iter().position(|member| member.name == which) {
                        Some(place) => drop(members.remove(place)),
                        None => members.push(GroupMember { kind: None, name: which.clone() }),
                    }
                }),
                _ => {}
            }
            cluster.settle();
            assert_eq!(written_by_a_fresh_operator(&cluster), [], "after step {step} of run {run}: {what} on {which}");
        }
    }
}
