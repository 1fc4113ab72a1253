//! Requests in any order against the naive models of `explore::reference`: whenever all is at rest, operator and twin are where the
//! model is.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use serde_json::{Value, json};
use vmtwin_model::kube::api::{PatchKind, Request, Subresource, User};
use vmtwin_model::kube::{Kind, ObjectKey};
use vmtwin_model::time::Span;
use vmtwin_model::vsphere::vm::PowerState;
use vmtwin_scenarios::explore;
use vmtwin_scenarios::explore::reference::{Group, Power, Quota, Room, State};
use vmtwin_scenarios::runner::{Options, Simulation, Turn, set_up};

const VMOP: &str = "vmoperator.vmware.com/v1alpha5";
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn config() -> ProptestConfig {
    ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() }
}

/// Operator, API server and twin over one zone of `hosts` hosts, each with room for four VMs.
struct Real(Simulation);

impl Real {
    fn with(hosts: usize, limit: Option<u64>) -> Self {
        let hosts: Vec<Value> = (1..=hosts).map(|at| json!({"name": format!("esx-{at}"), "memory": "40Gi"})).collect();
        let mut namespace = json!({"name": "ns"});
        if let Some(limit) = limit {
            namespace["storageQuota"] = json!({"gold": format!("{limit}Gi")});
        }
        let document = json!({
            "apiVersion": "vmtwin.dev/v1alpha1", "kind": "Scenario", "metadata": {"name": "machine"},
            "spec": {"vsphere": {
                "timings": {"*": "1s"},
                "zones": [{"name": "z", "clusters": [{"name": "c", "hosts": hosts, "reservable": {"cpu": "90%", "memory": "50%"}}]}],
                "datastores": [{"name": "ds"}], "storagePolicies": [{"name": "gold"}], "images": [{"name": "vmi-1"}],
                "namespaces": [namespace],
            }},
        });
        let scenario = explore::load(&document).expect("a scenario");
        let mut real = Self(set_up(&scenario, &Options::default()).expect("a world"));
        let class = json!({"apiVersion": VMOP, "kind": "VirtualMachineClass", "metadata": {"name": "small", "namespace": "ns"},
            "spec": {"hardware": {"cpus": 1, "memory": "4Gi"}, "policies": {"resources": {"requests": {"memory": "4Gi"}}}}});
        assert!(real.create(class), "the class is admitted");
        real
    }

    /// Whether a request is admitted.
    fn ask(&mut self, request: Request) -> bool {
        self.0.user_request(&User::named("kubernetes-admin"), request).is_ok()
    }

    fn create(&mut self, manifest: Value) -> bool {
        self.ask(Request::Create { manifest })
    }

    fn create_vm(&mut self, name: &str, state: State) -> bool {
        self.create(json!({"apiVersion": VMOP, "kind": "VirtualMachine", "metadata": {"name": name, "namespace": "ns"},
            "spec": {"className": "small", "imageName": "vmi-1", "storageClass": "gold", "powerState": state.word(), "powerOffMode": "Hard",
                "suspendMode": "Hard"}}))
    }

    fn patch(&mut self, kind: &str, name: &str, spec: Value) -> bool {
        let patch = json!({"spec": spec});
        self.ask(Request::Patch { key: key(kind, name), kind: PatchKind::Merge, patch, part: Subresource::Main })
    }

    fn delete(&mut self, kind: &str, name: &str) -> bool {
        self.ask(Request::Delete { key: key(kind, name) })
    }

    /// An hour goes by: whoever was to try again has.
    fn rest(&mut self) {
        let until = self.0.now() + Span::from_hours(1);
        while matches!(self.0.turn(until), Turn::Event(_)) {}
    }

    /// The power states that vSphere has.
    fn states(&self) -> BTreeMap<String, State> {
        let state = |state| match state {
            PowerState::PoweredOn => State::On,
            PowerState::PoweredOff => State::Off,
            PowerState::Suspended => State::Suspended,
        };
        let name = |name: Option<&str>| name.and_then(|name| name.strip_prefix("ns/")).map(str::to_owned);
        let vms = self.0.world().vms();
        vms.filter_map(|vm| Some((name(vm.extra_config("vmservice.namespacedName"))?, state(vm.runtime.power_state)))).collect()
    }
}

fn key(kind: &str, name: &str) -> ObjectKey {
    ObjectKey::new(Kind::named(kind).expect("a kind of ours"), "ns", name)
}

fn name() -> impl Strategy<Value = &'static str> {
    select(&NAMES[..])
}

// Power.

#[derive(Clone, Debug)]
enum PowerAsk {
    Create(&'static str, State),
    Set(&'static str, State),
    Delete(&'static str),
}

struct PowerMachine;

impl ReferenceStateMachine for PowerMachine {
    type State = Power;
    type Transition = PowerAsk;

    fn init_state() -> BoxedStrategy<Power> {
        Just(Power::default()).boxed()
    }

    fn transitions(_: &Power) -> BoxedStrategy<PowerAsk> {
        let state = || select(vec![State::On, State::Off, State::Suspended]);
        prop_oneof![
            2 => (name(), state()).prop_map(|(name, state)| PowerAsk::Create(name, state)),
            5 => (name(), state()).prop_map(|(name, state)| PowerAsk::Set(name, state)),
            1 => name().prop_map(PowerAsk::Delete),
        ]
        .boxed()
    }

    fn apply(mut power: Power, ask: &PowerAsk) -> Power {
        match ask {
            PowerAsk::Create(name, state) => {
                power.create(name, *state);
            }
            PowerAsk::Set(name, state) => {
                power.ask(name, *state);
            }
            PowerAsk::Delete(name) => power.delete(name),
        }
        power
    }
}

impl StateMachineTest for PowerMachine {
    type SystemUnderTest = (Real, Power);
    type Reference = Self;

    fn init_test(power: &Power) -> Self::SystemUnderTest {
        (Real::with(2, None), power.clone())
    }

    fn apply((mut real, mut before): Self::SystemUnderTest, after: &Power, ask: PowerAsk) -> Self::SystemUnderTest {
        match ask {
            PowerAsk::Create(name, state) => assert_eq!(real.create_vm(name, state), before.create(name, state)),
            PowerAsk::Set(name, state) => {
                let admitted = real.patch("VirtualMachine", name, json!({"powerState": state.word()}));
                assert_eq!(admitted, before.ask(name, state), "{name} → {state:?}");
            }
            PowerAsk::Delete(name) => {
                real.delete("VirtualMachine", name);
            }
        }
        real.rest();
        assert_eq!(&real.states(), after.at_rest());
        (real, after.clone())
    }
}

// Groups.

#[derive(Clone, Debug)]
enum GroupAsk {
    Set(State),
    Join(&'static str),
    Leave(&'static str),
}

struct GroupMachine;

impl ReferenceStateMachine for GroupMachine {
    type State = Group;
    type Transition = GroupAsk;

    fn init_state() -> BoxedStrategy<Group> {
        let mut group = Group::default();
        for (name, state) in NAMES.into_iter().zip([State::On, State::Off, State::On, State::Off]) {
            group.create(name, state);
        }
        Just(group).boxed()
    }

    fn transitions(_: &Group) -> BoxedStrategy<GroupAsk> {
        prop_oneof![
            2 => select(vec![State::On, State::Off]).prop_map(GroupAsk::Set),
            3 => name().prop_map(GroupAsk::Join),
            1 => name().prop_map(GroupAsk::Leave),
        ]
        .boxed()
    }

    fn apply(mut group: Group, ask: &GroupAsk) -> Group {
        match ask {
            GroupAsk::Set(state) => group.set(*state),
            GroupAsk::Join(name) => group.join(name),
            GroupAsk::Leave(name) => group.leave(name),
        }
        group
    }
}

impl StateMachineTest for GroupMachine {
    type SystemUnderTest = Real;
    type Reference = Self;

    fn init_test(group: &Group) -> Real {
        let mut real = Real::with(2, None);
        assert!(
            real.create(
                json!({"apiVersion": VMOP, "kind": "VirtualMachineGroup", "metadata": {"name": "g", "namespace": "ns"}, "spec": {}})
            )
        );
        for (name, state) in group.at_rest() {
            assert!(real.create_vm(name, *state));
        }
        real.rest();
        real
    }

    fn apply(mut real: Real, after: &Group, ask: GroupAsk) -> Real {
        let members = || after.members().iter().map(|name| json!({"kind": "VirtualMachine", "name": name})).collect::<Vec<_>>();
        let listed = || if after.members().is_empty() { Value::Null } else { json!([{"members": members(), "powerOnDelay": "10s"}]) };
        match ask {
            GroupAsk::Set(state) => assert!(real.patch("VirtualMachineGroup", "g", json!({"powerState": state.word()}))),
            GroupAsk::Join(name) => {
                assert!(real.patch("VirtualMachine", name, json!({"groupName": "g"})));
                assert!(real.patch("VirtualMachineGroup", "g", json!({"bootOrder": listed()})));
            }
            GroupAsk::Leave(name) => {
                assert!(real.patch("VirtualMachineGroup", "g", json!({"bootOrder": listed()})));
                assert!(real.patch("VirtualMachine", name, json!({"groupName": null})));
            }
        }
        real.rest();
        assert_eq!(&real.states(), after.at_rest());
        real
    }
}

// Quota.

#[derive(Clone, Debug)]
enum QuotaAsk {
    Claim(&'static str, u64),
    Delete(&'static str),
}

struct QuotaMachine;

impl ReferenceStateMachine for QuotaMachine {
    type State = Quota;
    type Transition = QuotaAsk;

    fn init_state() -> BoxedStrategy<Quota> {
        Just(Quota::of(20)).boxed()
    }

    fn transitions(_: &Quota) -> BoxedStrategy<QuotaAsk> {
        prop_oneof![
            3 => (name(), 1..=12_u64).prop_map(|(name, size)| QuotaAsk::Claim(name, size)),
            1 => name().prop_map(QuotaAsk::Delete),
        ]
        .boxed()
    }

    fn apply(mut quota: Quota, ask: &QuotaAsk) -> Quota {
        match ask {
            QuotaAsk::Claim(name, size) => {
                quota.ask(name, *size);
            }
            QuotaAsk::Delete(name) => quota.give_back(name),
        }
        quota
    }
}

impl StateMachineTest for QuotaMachine {
    type SystemUnderTest = (Real, Quota);
    type Reference = Self;

    fn init_test(quota: &Quota) -> Self::SystemUnderTest {
        (Real::with(1, Some(20)), quota.clone())
    }

    fn apply((mut real, mut before): Self::SystemUnderTest, after: &Quota, ask: QuotaAsk) -> Self::SystemUnderTest {
        match ask {
            QuotaAsk::Claim(name, size) => {
                let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": "ns"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "gold", "resources": {"requests": {"storage": format!("{size}Gi")}}}});
                let sum = before.sum();
                assert_eq!(real.create(claim), before.ask(name, size), "{size} on top of {sum}");
            }
            QuotaAsk::Delete(name) => {
                real.delete("PersistentVolumeClaim", name);
            }
        }
        real.rest();
        let there: Vec<&str> = real.0.api().list(key("PersistentVolumeClaim", "").kind, Some("ns")).map(|claim| &*claim.key.name).collect();
        assert_eq!(there, after.there().collect::<Vec<_>>());
        (real, after.clone())
    }
}

// Room.

#[derive(Clone, Debug)]
enum RoomAsk {
    Create(String),
    Delete(String),
}

struct RoomMachine;

impl ReferenceStateMachine for RoomMachine {
    type State = Room;
    type Transition = RoomAsk;

    fn init_state() -> BoxedStrategy<Room> {
        Just(Room::of(2, 4)).boxed()
    }

    fn transitions(room: &Room) -> BoxedStrategy<RoomAsk> {
        let there: Vec<String> = room.there().map(str::to_owned).collect();
        let create = (0..14_u32).prop_map(|at| RoomAsk::Create(format!("vm-{at}")));
        if there.is_empty() {
            return create.boxed();
        }
        prop_oneof![4 => create, 1 => select(there).prop_map(RoomAsk::Delete)].boxed()
    }

    fn preconditions(room: &Room, ask: &RoomAsk) -> bool {
        match ask {
            RoomAsk::Create(name) => !room.there().any(|there| there == name),
            RoomAsk::Delete(name) => room.there().any(|there| there == name),
        }
    }

    fn apply(mut room: Room, ask: &RoomAsk) -> Room {
        match ask {
            RoomAsk::Create(name) => room.create(name),
            RoomAsk::Delete(name) => room.delete(name),
        }
        room
    }
}

impl StateMachineTest for RoomMachine {
    type SystemUnderTest = Real;
    type Reference = Self;

    fn init_test(_: &Room) -> Real {
        Real::with(2, None)
    }

    fn apply(mut real: Real, after: &Room, ask: RoomAsk) -> Real {
        match ask {
            RoomAsk::Create(name) => assert!(real.create_vm(&name, State::On)),
            RoomAsk::Delete(name) => assert!(real.delete("VirtualMachine", &name)),
        }
        real.rest();
        let running = real.states().values().filter(|state| **state == State::On).count();
        assert_eq!(running, after.running(), "{:?}", real.states());
        real
    }
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn every_vm_ends_in_the_power_state_that_was_asked_for_last(sequential 1..16 => PowerMachine);

    #[test]
    fn members_of_a_group_have_its_power_state_and_keep_it_when_they_leave(sequential 1..12 => GroupMachine);

    #[test]
    fn a_quota_grants_what_fits_and_takes_back_what_goes(sequential 1..24 => QuotaMachine);

    #[test]
    fn as_many_vms_run_as_there_are_places(sequential 1..24 => RoomMachine);
}
