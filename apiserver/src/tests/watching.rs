//! What watchers are told, and when; with and without faults.

use std::collections::BTreeSet;

use serde_json::json;
use vmtwin_model::kube::Kind;
use vmtwin_model::kube::api::ErrorReason;
use vmtwin_model::time::Span;

use super::{Bench, line, map, map_key, vm, vm_key, vm_kind, with};
use crate::{Delivery, KubeFault, Target, WatcherId};

fn told(deliveries: &[Delivery]) -> Vec<String> {
    deliveries
        .iter()
        .map(|delivery| format!("{} {}", delivery.watcher.0, line(delivery.event.before.as_deref(), delivery.event.after.as_deref())))
        .collect()
}

fn fault(bench: &mut Bench, fault: KubeFault) {
    bench.api.fault(bench.now, fault);
}

fn touch(bench: &mut Bench, name: &str, class: &str) {
    bench.merge(&vm_key(name), json!({"spec": {"className": class}})).result.expect("a good patch");
}

fn class_of(delivery: &Delivery) -> String {
    let object = delivery.event.after.as_ref().expect("it is there");
    object.to_value()["spec"]["className"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn every_watcher_is_told_of_its_kinds_at_once_and_in_order() {
    let mut bench = Bench::new();
    let all = bench.api.watch(None);
    let vms = bench.api.watch(Some(BTreeSet::from([vm_kind()])));
    assert_eq!((all, vms), (WatcherId(0), WatcherId(1)));
    assert_eq!(bench.api.next_delivery(), None);
    bench.create(map("m")).expect("a good map");
    let first = bench.next;
    bench.create(vm("a")).expect("a good VM");
    bench.delete(&vm_key("a")).result.expect("it is there");
    assert_eq!(bench.api.next_delivery(), Some(bench.now));
    let deliveries = bench.deliveries();
    assert_eq!(
        told(&deliveries),
        [
            "0 created ConfigMap/ns/m",
            "0 created VirtualMachine/ns/a",
            "1 created VirtualMachine/ns/a",
            "0 gone VirtualMachine/ns/a",
            "1 gone VirtualMachine/ns/a",
        ]
    );
    assert_eq!((deliveries[1].cause.0, deliveries[4].cause.0), (first, first + 1));
    assert!(bench.api.deliver(bench.now).is_none());
}

#[test]
fn a_watcher_that_starts_anew_lists_and_is_told_nothing_of_before() {
    let mut bench = Bench::new();
    let watcher = bench.api.watch(Some(BTreeSet::from([vm_kind()])));
    bench.create(vm("b")).expect("a good VM");
    bench.create(vm("a")).expect("a good VM");
    bench.api.rewatch(watcher);
    let names: Vec<String> = bench.api.list_for(watcher, bench.now).iter().map(|object| object.key.name.to_string()).collect();
    assert_eq!((names, bench.api.next_delivery()), (vec!["a".to_owned(), "b".to_owned()], None));
}

#[test]
fn late_events_don_t_hold_back_those_of_other_objects_and_aren_t_overtaken_by_their_own() {
    let mut bench = Bench::new();
    bench.api.watch(None);
    fault(&mut bench, KubeFault::Late { what: Target::Kind(vm_kind()), by: Span::from_secs(20), lasts: Span::from_secs(10) });
    bench.create(vm("a")).expect("a good VM");
    bench.create(map("m")).expect("a good map");
    assert_eq!(told(&bench.deliveries()), ["0 created ConfigMap/ns/m"]);
    bench.sleep(15);
    touch(&mut bench, "a", "big");
    assert_eq!(bench.api.next_delivery(), Some(bench.now + Span::from_secs(5)), "the fault is over, the first event isn't there yet");
    bench.sleep(5);
    assert_eq!(told(&bench.deliveries()), ["0 created VirtualMachine/ns/a", "0 changed VirtualMachine/ns/a"]);
    touch(&mut bench, "a", "small");
    assert_eq!(told(&bench.deliveries()), ["0 changed VirtualMachine/ns/a"]);
}

#[test]
fn of_swallowed_events_only_the_state_after_them_is_seen() {
    let mut bench = Bench::new();
    bench.api.watch(None);
    bench.create(vm("a")).expect("a good VM");
    bench.deliveries();
    fault(&mut bench, KubeFault::Unseen { what: Target::Object(vm_key("a")), times: 2 });
    touch(&mut bench, "a", "one");
    touch(&mut bench, "a", "two");
    assert!(bench.deliveries().is_empty());
    touch(&mut bench, "a", "three");
    let deliveries = bench.deliveries();
    assert_eq!(told(&deliveries), ["0 changed VirtualMachine/ns/a"]);
    assert_eq!(class_of(&deliveries[0]), "three");
    let before = deliveries[0].event.before.as_ref().expect("it was there").to_value();
    assert_eq!(before["spec"]["className"], "small");
}

#[test]
fn a_broken_watch_lists_again_after_a_while() {
    let mut bench = Bench::new();
    bench.api.watch(None);
    fault(&mut bench, KubeFault::Unseen { what: Target::Kind(vm_kind()), times: 5 });
    for name in ["b", "a", "c"] {
        bench.create(vm(name)).expect("a good VM");
    }
    bench.delete(&vm_key("c")).result.expect("it is there");
    assert_eq!(bench.api.next_delivery(), Some(bench.now + Span::from_secs(30)));
    bench.sleep(30);
    assert_eq!(told(&bench.deliveries()), ["0 created VirtualMachine/ns/a", "0 created VirtualMachine/ns/b"]);
}

#[test]
fn what_a_watch_missed_of_a_kind_comes_with_the_next_event() {
    let mut bench = Bench::new();
    bench.api.watch(None);
    fault(&mut bench, KubeFault::Unseen { what: Target::Kind(vm_kind()), times: 1 });
    bench.create(vm("b")).expect("a good VM");
    bench.create(map("m")).expect("a good map");
    assert_eq!(told(&bench.deliveries()), ["0 created ConfigMap/ns/m"]);
    bench.create(vm("a")).expect("a good VM");
    assert_eq!(told(&bench.deliveries()), ["0 created VirtualMachine/ns/b", "0 created VirtualMachine/ns/a"]);
}

#[test]
fn an_old_list_shows_the_past_and_its_watch_catches_up() {
    let mut bench = Bench::new();
    let watcher = bench.api.watch(Some(BTreeSet::from([vm_kind()])));
    bench.create(vm("a")).expect("a good VM");
    bench.create(vm("gone")).expect("a good VM");
    bench.sleep(100);
    touch(&mut bench, "a", "big");
    bench.create(vm("new")).expect("a good VM");
    bench.delete(&vm_key("gone")).result.expect("it is there");
    bench.deliveries();
    bench.sleep(10);
    fault(&mut bench, KubeFault::Old { kind: vm_kind(), by: Span::from_mins(1) });
    bench.api.rewatch(watcher);
    let list: Vec<String> = bench
        .api
        .list_for(watcher, bench.now)
        .iter()
        .map(|object| format!("{} {}", object.key.name, object.to_value()["spec"]["className"]))
        .collect();
    assert_eq!(list, [r#"a "small""#, r#"gone "small""#]);
    assert_eq!(bench.api.next_delivery(), Some(bench.now + Span::from_secs(50)));
    bench.sleep(49);
    touch(&mut bench, "a", "huge");
    bench.sleep(1);
    assert_eq!(
        told(&bench.deliveries()),
        [
            "0 changed VirtualMachine/ns/a",
            "0 created VirtualMachine/ns/new",
            "0 gone VirtualMachine/ns/gone",
            "0 changed VirtualMachine/ns/a"
        ]
    );
    bench.api.rewatch(watcher);
    assert_eq!(bench.api.list_for(watcher, bench.now).len(), 2);
    assert_eq!(bench.api.next_delivery(), None);
}

#[test]
fn so_many_updates_meet_a_conflict() {
    let mut bench = Bench::new();
    let base = bench.create(with(vm("a"), &[])).expect("a good VM");
    fault(&mut bench, KubeFault::Conflict { what: Target::Kind(vm_kind()), times: 1 });
    let write = || vmtwin_model::kube::api::Write::Update { base: base.clone(), meta: Some(base.meta.clone()), spec: None, status: None };
    assert_eq!(bench.write(write()).result.expect_err("one conflict").reason, ErrorReason::Conflict);
    assert!(bench.write(write()).result.is_ok());
}

#[test]
fn while_it_is_away_requests_are_refused_and_watches_are_silent() {
    let mut bench = Bench::new();
    bench.api.watch(None);
    bench.create(map("m")).expect("a good map");
    fault(&mut bench, KubeFault::Down { lasts: Span::from_secs(30) });
    let error = bench.delete(&map_key("m")).result.expect_err("it is away");
    assert_eq!((error.code, error.message.as_str()), (503, "the server is currently unable to handle the request"));
    assert!(bench.deliveries().is_empty());
    bench.sleep(30);
    assert_eq!(told(&bench.deliveries()), ["0 created ConfigMap/ns/m"]);
    assert!(bench.delete(&map_key("m")).result.is_ok());
}

#[test]
fn a_fault_says_what_it_does() {
    let kind = Kind::named("ConfigMap").expect("the table has it");
    let faults = [
        KubeFault::Late { what: Target::Object(vm_key("a")), by: Span::from_secs(20), lasts: Span::from_mins(2) },
        KubeFault::Unseen { what: Target::Kind(kind), times: 2 },
        KubeFault::Old { kind, by: Span::from_mins(5) },
        KubeFault::Conflict { what: Target::Kind(kind), times: 1 },
        KubeFault::Down { lasts: Span::from_secs(30) },
    ];
    assert_eq!(
        faults.map(|fault| fault.to_string()),
        [
            "watch events of VirtualMachine/ns/a arrive 20s late for 2m0s",
            "the next 2 watch events of ConfigMap are swallowed",
            "the next list of ConfigMap is answered from 5m0s ago",
            "the next update of ConfigMap meets a conflict",
            "away for 30s",
        ]
    );
}
