//! Random lives of a small world: nothing panics, every call is answered once, and the books balance against a naive recount.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use vmtwin_model::id::VmId;
use vmtwin_model::time::Span;
use vmtwin_model::units::{Bytes, MiB, VCpus};
use vmtwin_model::vsphere::action::{DatastoreAction, Fate, FaultEnd, FaultRule, HostAction, Reach, VmAction};
use vmtwin_model::vsphere::inventory::{PoolAllocation, ResourcePool, Timing};
use vmtwin_model::vsphere::spec::{Allocation, ConfigSpec, Device, DeviceChange, DeviceOperation, DeviceType};
use vmtwin_model::vsphere::{Action, Fault, FaultName, Inventory, Operation};

use crate::World;
use crate::capacity::{Need, Size};
use crate::placement::{Besides, Wish};
use crate::trial::{Trial, inventory, spec};

/// Something to do, with the small number of what it is done to.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Deploy(u8),
    Power(u8, u8),
    Reconfigure(u8, u8),
    Snapshot(u8, u8),
    Destroy(u8),
    Read(u8),
    Act(u8, u8),
    Infrastructure(u8),
    Wait(u16),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => any::<u8>().prop_map(Deed::Deploy),
        4 => any::<(u8, u8)>().prop_map(|(vm, what)| Deed::Power(vm, what)),
        3 => any::<(u8, u8)>().prop_map(|(vm, what)| Deed::Reconfigure(vm, what)),
        3 => any::<(u8, u8)>().prop_map(|(vm, what)| Deed::Snapshot(vm, what)),
        1 => any::<u8>().prop_map(Deed::Destroy),
        1 => any::<u8>().prop_map(Deed::Read),
        3 => any::<(u8, u8)>().prop_map(|(vm, what)| Deed::Act(vm, what)),
        2 => any::<u8>().prop_map(Deed::Infrastructure),
        4 => any::<u16>().prop_map(Deed::Wait),
    ]
}

fn crowded() -> Inventory {
    let mut inventory = inventory();
    let cluster = &mut inventory.zones[0].clusters[0];
    cluster.ha.enabled = true;
    let fixed = PoolAllocation { reservation: 4000, limit: -1, expandable: false };
    cluster.resource_pools =
        vec![ResourcePool { name: "fixed".into(), parent: Some("namespace/shop".into()), cpu: fixed, memory: PoolAllocation::default() }];
    inventory.datastores[0].capacity = Bytes::from_gib(60);
    inventory.timings = BTreeMap::from([("RetrievePropertiesEx".into(), Timing::Fixed(Span::from_millis(10)))]);
    inventory
}

fn do_it(trial: &mut Trial, deed: Deed) {
    let name = |n: u8| format!("vm{}", n % 5);
    let label = |n: u8| format!("shop/{}", name(n));
    let id = |trial: &Trial, n: u8| trial.world.vm_named(&label(n)).map_or_else(|| VmId::from("vm-999"), |vm| vm.id.clone());
    match deed {
        Deed::Deploy(n) => {
            let reservation = Some(Allocation { reservation: Some(i64::from(n) * 300), ..Allocation::default() });
            let spec = ConfigSpec { cpu_allocation: reservation, ..spec(&name(n)) };
            let operation = trial.deployment(spec);
            trial.call(operation);
        }
        Deed::Power(n, what) => {
            let vm = id(trial, n);
            trial.call(match what % 7 {
                0 | 1 => Operation::PowerOnVm { vm, host: None },
                2 => Operation::PowerOffVm { vm },
                3 => Operation::SuspendVm { vm },
                4 => Operation::ResetVm { vm },
                5 => Operation::ShutdownGuest { vm },
                _ => Operation::RebootGuest { vm },
            });
        }
        Deed::Reconfigure(n, what) => {
            let vm = id(trial, n);
            let amount = i64::from(what) * 200;
            let spec = match what % 4 {
                0 => ConfigSpec {
                    memory_allocation: Some(Allocation { reservation: Some(amount), ..Allocation::default() }),
                    ..ConfigSpec::default()
                },
                1 => ConfigSpec {
                    cpu_allocation: Some(Allocation { reservation: Some(amount), ..Allocation::default() }),
                    ..ConfigSpec::default()
                },
                2 => ConfigSpec {
                    num_cpus: Some(VCpus(u32::from(what % 8) + 1)),
                    memory_mb: Some(MiB(amount + 64)),
                    ..ConfigSpec::default()
                },
                _ => {
                    let disk = Device { capacity_in_bytes: Some(Bytes(amount << 20)), ..Device::new(DeviceType::VirtualDisk, -1) };
                    let gone = DeviceChange {
                        operation: Some(DeviceOperation::Remove),
                        ..DeviceChange::add(Device::new(DeviceType::VirtualDisk, 2001))
                    };
                    ConfigSpec { device_change: vec![if what > 128 { gone } else { DeviceChange::add(disk) }], ..ConfigSpec::default() }
                }
            };
            trial.call(Operation::ReconfigVm { vm, spec: spec.into() });
        }
        Deed::Snapshot(n, what) => {
            let vm = id(trial, n);
            let there = trial.world.vm(&vm).and_then(|vm| vm.snapshot.clone());
            let nodes: Vec<Arc<str>> = there.iter().flat_map(|tree| tree.nodes()).map(|node| node.snapshot.clone()).collect();
            let any = |nth: u8| nodes.get(usize::from(nth) % nodes.len().max(1)).cloned().unwrap_or_else(|| "snapshot-999".into());
            let name: Arc<str> = format!("s{what}").into();
            trial.call(match what % 4 {
                0 | 1 => Operation::CreateSnapshot { vm, name, description: None, memory: what & 1 == 1, quiesce_spec: None },
                2 => Operation::RevertToSnapshot { vm, snapshot: any(what / 4) },
                _ => Operation::RemoveSnapshot { vm, snapshot: any(what / 4) },
            });
        }
        Deed::Destroy(n) => {
            let vm = id(trial, n);
            trial.call(Operation::DestroyVm { vm });
        }
        Deed::Read(n) => {
            let vm = id(trial, n);
            trial.call(Operation::RetrieveVm { vm });
        }
        Deed::Act(n, what) => {
            let action = match what % 11 {
                0 => VmAction::PowerOff,
                1 => VmAction::PowerOn,
                2 => VmAction::Suspend,
                3 => VmAction::Reset,
                4 => VmAction::GuestHang,
                5 => VmAction::GuestCrash,
                6 => VmAction::GuestShutdown,
                7 => VmAction::Migrate(format!("esx-{}", what % 2).into()),
                8 => VmAction::Destroy,
                9 => VmAction::Relocate { pool: Some("namespace/fixed".into()), folder: None },
                _ => VmAction::ToolsStop,
            };
            // Refusals are fine; what counts is what is left behind.
            let _refused = trial.act(&Action::Vm(label(n).into(), action));
        }
        Deed::Infrastructure(what) => {
            let host = format!("esx-{}", what & 1).into();
            let action = match (what >> 1) % 11 {
                0 => Action::Host(host, HostAction::Fate(Fate::Fail)),
                1 | 2 => Action::Host(host, HostAction::Fate(Fate::Recover)),
                3 => Action::Host(host, HostAction::EnterMaintenance),
                4 | 5 => Action::Host(host, HostAction::ExitMaintenance),
                6 => Action::Datastore("ds".into(), DatastoreAction::Fill(u32::from(what) * 39)),
                7 => Action::Datastore("ds".into(), DatastoreAction::Reach(if what & 1 == 0 { Reach::Down } else { Reach::Up })),
                8 => Action::Vcenter(if what & 1 == 0 { Reach::Down } else { Reach::Up }),
                9 => Action::Host(host, if what & 64 == 0 { HostAction::Disconnect } else { HostAction::Reconnect }),
                _ => Action::Fault(Box::new(FaultRule {
                    operation: "PowerOnVM_Task".into(),
                    matching: None,
                    ends: if what & 1 == 0 { FaultEnd::LoseAnswer } else { FaultEnd::Fault(Fault::new(FaultName::SystemError, "")) },
                    times: Some(1),
                    skip: 0,
                    lasts: None,
                    probability: 500_000,
                })),
            };
            let _refused = trial.act(&action);
        }
        Deed::Wait(millis) => trial.run(Span::from_millis(i64::from(millis))),
    }
}

/// Counts everything anew from the VMs and compares it with the books.
fn recount(world: &World) {
    let mut hosts: BTreeMap<u32, (Need, u32)> = BTreeMap::new();
    let mut own: BTreeMap<u32, Need> = BTreeMap::new();
    let mut used: BTreeMap<u32, i64> = BTreeMap::new();
    for (row, vm) in world.vms.iter() {
        assert!(world.hosts.get(vm.host).is_some_and(|host| host.vms.contains(&row)), "{} is listed by its host", vm.label());
        assert_eq!(world.vms.find(&vm.seen.id), Some(row));
        assert_eq!(world.vms.labelled(vm.label()), Some(row));
        for file in &vm.seen.layout_ex.file {
            *used.entry(0).or_default() += file.size.0;
        }
        let Some(booked) = vm.booked else { continue };
        assert_eq!(booked.reserved, Size::of(vm.config()).reserved, "{} has booked what it reserves", vm.label());
        assert_eq!(booked.pool, vm.pool);
        let underway = vm.task.is_some() || world.hosts.get(vm.host).is_none_or(|host| host.leaving.contains(&row) || !host.alive);
        assert!(booked.host == vm.host || underway, "{} has booked elsewhere than it is", vm.label());
        let host = hosts.entry(booked.host).or_default();
        *host = (host.0 + booked.reserved, host.1 + 1);
        let pool = own.entry(booked.pool).or_default();
        *pool = *pool + booked.reserved;
    }
    for (row, host) in world.hosts.iter() {
        let counted = hosts.remove(&row).unwrap_or_default();
        assert_eq!((host.reserved, host.powered_on), counted, "{}", host.name);
        assert!(host.reserved.cpu <= host.usable_cpu.0 && host.reserved.memory <= host.usable_memory.0, "{} is overbooked", host.name);
    }
    for (row, there) in world.clusters.iter() {
        let mut fresh = world.clone();
        fresh.rank(row);
        assert_eq!(fresh.clusters.get(row).map(|fresh| &fresh.ranks), Some(&there.ranks), "{}", there.name);
        look_at_each_host(world, row);
    }
    for (row, pool) in world.pools.iter() {
        assert_eq!(pool.demand, demand(world, row, &own), "{}", pool.name);
    }
    let under_way: i64 = world.space_under_way();
    for (row, ds) in world.datastores.iter() {
        assert_eq!(ds.used.0, used.get(&row).copied().unwrap_or_default() + under_way, "{}", ds.name);
    }
}

/// The best host for a VM, new or there, is the one that a look at each host finds.
fn look_at_each_host(world: &World, cluster: u32) {
    let besides = Besides::default();
    let of_size = |cpus, memory| Wish::of_size(Size { cpus: VCpus(cpus), memory: MiB(memory), reserved: Need { cpu: 500, memory } });
    let there = world.vms.iter().map(|(row, vm)| world.wish_of(row, vm));
    for wish in [of_size(1, 128), of_size(8, 4096)].into_iter().chain(there) {
        let failover = world.admit_failover(cluster, &wish.size).is_ok();
        let fit = world.hosts_of(cluster).filter(|(row, host)| world.host_says(host, *row, &wish, &besides).is_ok());
        let naive = fit.map(|(row, host)| (world.score(host, row, &wish, &besides, failover), row)).max();
        assert_eq!(world.best_host(cluster, &wish, &besides), naive);
    }
}

/// What is asked of a pool, from below.
fn demand(world: &World, row: u32, own: &BTreeMap<u32, Need>) -> Need {
    let children = world.pools.iter().filter(|(_, pool)| pool.parent == Some(row));
    children.fold(own.get(&row).copied().unwrap_or_default(), |sum, (child, pool)| {
        let below = demand(world, child, own);
        sum + Need { cpu: below.cpu.max(pool.cpu.reservation), memory: below.memory.max(pool.memory.reservation) }
    })
}

proptest! {
    #[test]
    fn whatever_happens_books_balance_and_every_call_is_answered_once(deeds in prop::collection::vec(deed(), 1..60)) {
        let mut trial = Trial::new(&crowded());
        for deed in deeds {
            do_it(&mut trial, deed);
            recount(&trial.world);
        }
        let mut fork = trial.world.clone();
        let (mut at, mut steps) = (trial.now, 0);
        trial.run(Span::from_hours(2));
        recount(&trial.world);
        assert_eq!(u64::try_from(trial.answers.len()).ok(), Some(trial.asked()), "each call has its answer");
        assert_eq!(trial.world.next_pending(), None, "after two hours nothing is under way");
        while let Some(next) = fork.next_event().filter(|next| *next <= trial.now) {
            at = at.max(next);
            fork.step(at);
            steps += 1;
            assert!(steps < 100_000, "the fork goes on for ever");
        }
        let last = |world: &World| world.vms().cloned().collect::<Vec<_>>();
        assert_eq!(last(&fork), last(&trial.world), "a fork goes the same way");
    }
}
