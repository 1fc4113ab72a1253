//! Whole passes of the controller, through the engine and a stand-in for the API server.

mod memory;
mod placement;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vmtwin_model::Cause;
use vmtwin_model::id::{CallId, PoolId};
use vmtwin_model::kube::api::{ApiError, ErrorReason, Notice, WatchEvent, Write};
use vmtwin_model::kube::object::same_part;
use vmtwin_model::kube::power::{PowerOpMode, PowerState};
use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineSpec, VirtualMachineStatus};
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::virtual_machine_group::{
    BootOrderGroup, GroupMember, GroupMemberStatus, MemberKind, VirtualMachineGroup, VirtualMachineGroupSpec, VirtualMachineGroupStatus,
};
use vmtwin_model::kube::virtual_machine_image::VirtualMachineImage;
use vmtwin_model::kube::zone::Zone;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Object, ObjectKey, Reason, Resource, Scope};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::units::{MHz, MiB, VCpus};
use vmtwin_model::vsphere::answer::{Placement, Placements};
use vmtwin_model::vsphere::spec::{Allocation, ConfigSpec, DeviceType};
use vmtwin_model::vsphere::{Answer, Failure, Fault, FaultName, Operation, Reply};

use super::finalizer::FINALIZER;
use super::power::{APPLIED, APPLY_TIME, LAST_UPDATED};
use crate::draft::Draft;
use crate::settings::Settings;
use crate::vm::keys;
use crate::{Engine, Input, Key, Out, Verdict};

const NAMESPACE: &str = "ns";

/// An engine, a few objects, and an instant.
struct Cluster {
    engine: Engine,
    objects: BTreeMap<ObjectKey, Arc<Object>>,
    now: Timestamp,
    version: u64,
    writes: Vec<ObjectKey>,
    calls: Vec<Operation>,
    notices: Vec<Notice>,
    verdicts: Vec<(Key, Verdict)>,
    vsphere: fn(&Operation) -> Result<Reply, Failure>,
}

impl Cluster {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let now = Timestamp::parse("2026-01-01T00:00:00.25Z").expect("an instant");
        Self {
            engine: Engine::new(now, Arc::new(Settings { resync_period: None, ..settings }), Rng::new(1), 0),
            objects: BTreeMap::new(),
            now,
            version: 0,
            writes: Vec::new(),
            calls: Vec::new(),
            notices: Vec::new(),
            verdicts: Vec::new(),
            vsphere: |operation| unreachable!("nobody expects {operation}"),
        }
    }

    /// Stores an object as a user's request would. VMs are paused: what their own controller does is looked at elsewhere.
    fn apply<K: Resource>(&mut self, name: &str, spec: K::Spec, status: K::Status) {
        let namespaced = K::KIND.info().scope == Scope::Namespaced;
        let meta = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: namespaced.then(|| NAMESPACE.to_owned()),
            uid: Some(format!("{}-{name}", K::KIND)),
            annotations: (K::KIND == VirtualMachine::KIND).then(|| BTreeMap::from([(keys::PAUSED.to_owned(), String::new())])),
            ..ObjectMeta::default()
        };
        self.store(Object::new::<K>(meta, spec, status));
    }

    fn vm(&mut self, name: &str, group: &str, power_state: PowerState) {
        let spec = VirtualMachineSpec { group_name: group.to_owned(), power_state: Some(power_state), ..VirtualMachineSpec::default() };
        self.apply::<VirtualMachine>(name, spec, VirtualMachineStatus::default());
    }

    fn group(&mut self, name: &str, spec: VirtualMachineGroupSpec) {
        self.apply::<VirtualMachineGroup>(name, spec, VirtualMachineGroupStatus::default());
    }

    /// Changes an object as a user's request would.
    fn edit<K: Resource>(&mut self, name: &str, change: impl FnOnce(&mut Draft<K>)) {
        let key = ObjectKey::of::<K>(NAMESPACE, name);
        let mut draft = Draft::<K>::of(self.objects[&key].clone()).expect("an object of that kind");
        change(&mut draft);
        let write = draft.into_write().expect("an edit changes something");
        self.write(&write).expect("nobody else wrote");
    }

    fn delete<K: Resource>(&mut self, name: &str) {
        let key = ObjectKey::of::<K>(NAMESPACE, name);
        let before = self.objects.remove(&key);
        self.tell(Input::Changed(WatchEvent { key, before, after: None }));
    }

    /// Takes a new object or a new version in, as admission lets it through, and tells the engine.
    fn store(&mut self, mut object: Object) -> Arc<Object> {
        let before = self.objects.get(&object.key).cloned();
        admit(self.now, before.as_deref(), &mut object);
        self.version += 1;
        object.resource_version = self.version;
        let new_spec = before.as_ref().is_none_or(|before| !same_part(&before.spec, &object.spec));
        object.generation = before.as_ref().map_or(0, |before| before.generation) + i64::from(new_spec);
        let object = Arc::new(object);
        self.objects.insert(object.key.clone(), object.clone());
        self.tell(Input::Changed(WatchEvent { key: object.key.clone(), before, after: Some(object.clone()) }));
        object
    }

    fn write(&mut self, write: &Write) -> Result<Arc<Object>, ApiError> {
        let Write::Update { base, meta, spec, status } = write else { unreachable!("groups create and delete nothing") };
        let Some(there) = self.objects.get(&base.key) else { return Err(ApiError::new(ErrorReason::NotFound, "it is gone")) };
        if there.resource_version != base.resource_version {
            return Err(ApiError::new(ErrorReason::Conflict, "the object has been modified"));
        }
        let mut object = (**there).clone();
        object.meta = meta.clone().unwrap_or(object.meta);
        object.spec = spec.clone().unwrap_or(object.spec);
        object.status = status.clone().unwrap_or(object.status);
        Ok(self.store(object))
    }

    fn tell(&mut self, input: Input) {
        let outputs = self.engine.handle(self.now, Cause::default(), input);
        for output in outputs {
            match output.what {
                Out::Write { id, write } => {
                    self.writes.push(write.key().clone());
                    let result = self.write(&write);
                    self.tell(Input::Written { id, result });
                }
                Out::Call { id, operation, .. } => self.answer_call(id, operation),
                Out::Notice(notice) => self.notices.push(notice),
                Out::Passed(passed) => self.verdicts.push((passed.key, passed.verdict)),
                Out::Woke { .. } => {}
            }
        }
    }

    fn answer_call(&mut self, id: CallId, operation: Operation) {
        let answer = Answer { task: None, result: (self.vsphere)(&operation) };
        self.calls.push(operation);
        self.tell(Input::Answer { id, answer });
    }

    /// Lets time pass up to this instant.
    fn run(&mut self, span: Span) {
        let end = self.now + span;
        while let Some((at, _)) = self.engine.next_wakeup().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.tell(Input::Came);
        }
        self.now = end;
    }

    /// Lets a second pass, in which everything comes to rest.
    fn settle(&mut self) {
        self.run(Span::from_secs(1));
    }

    fn object<K: Resource>(&self, name: &str) -> &Object {
        &self.objects[&ObjectKey::of::<K>(NAMESPACE, name)]
    }

    fn status(&self, group: &str) -> &VirtualMachineGroupStatus {
        self.object::<VirtualMachineGroup>(group).view::<VirtualMachineGroup>().expect("a group").status
    }

    fn entry(&self, group: &str, name: &str) -> &GroupMemberStatus {
        self.status(group).members.iter().find(|entry| entry.name == name).expect("a member")
    }

    fn vm_spec(&self, name: &str) -> &VirtualMachineSpec {
        self.object::<VirtualMachine>(name).view::<VirtualMachine>().expect("a VM").spec
    }

    /// How long after an instant the VM's power state is to be applied.
    fn applies_after(&self, name: &str, since: Timestamp) -> Option<Span> {
        let text = self.object::<VirtualMachine>(name).annotation(APPLY_TIME)?;
        Some(Timestamp::parse(text).expect("an instant") - since)
    }

    fn last_updated(&self, group: &str) -> Timestamp {
        let text = self.object::<VirtualMachineGroup>(group).annotation(LAST_UPDATED).expect("admission wrote it");
        Timestamp::parse(text).expect("an instant")
    }

    /// What the group tells of a member, or of itself, as reason (status where it holds) and message.
    fn says(conditions: &[Condition], type_: &ConditionType) -> String {
        match conditions.to_vec().condition(type_) {
            None => "absent".to_owned(),
            Some(condition) if condition.message.is_empty() => condition.reason.to_string(),
            Some(condition) => format!("{}: {}", condition.reason, condition.message),
        }
    }

    fn ready(&self, group: &str) -> String {
        Self::says(&self.status(group).conditions, &ConditionType::Ready)
    }

    fn verdict(&self, group: &str) -> &Verdict {
        let key = ObjectKey::of::<VirtualMachineGroup>(NAMESPACE, group);
        let (_, verdict) = self.verdicts.iter().rfind(|(of, _)| of.object == key).expect("the group had a pass");
        verdict
    }

    /// The VM's own controller switched it.
    fn observe(&mut self, vm: &str, power_state: PowerState) {
        self.edit::<VirtualMachine>(vm, |vm| vm.status_mut().power_state = Some(power_state));
    }

    fn owners(&self, vm: &str) -> Vec<String> {
        let owners = self.object::<VirtualMachine>(vm).meta.owner_references.iter().flatten();
        owners.map(|owner| format!("{} {} {:?}", owner.kind, owner.uid, owner.controller)).collect()
    }
}

/// What admission does to groups' instants (GR-M-01 to GR-M-03) and to a VM's (VM-M-024).
fn admit(now: Timestamp, before: Option<&Object>, object: &mut Object) {
    let unchanged = before.is_some_and(|before| before.annotation(APPLY_TIME) == object.annotation(APPLY_TIME));
    let power_changed = match (object.view::<VirtualMachineGroup>(), before.and_then(Object::view::<VirtualMachineGroup>)) {
        (Some(new), old) => {
            let sync = |spec: &VirtualMachineGroupSpec| spec.next_force_power_state_sync_time.clone();
            let old = old.map(|old| (old.spec.power_state, sync(old.spec))).unwrap_or_default();
            let changed = old != (new.spec.power_state, sync(new.spec));
            if changed {
                let meta = Arc::make_mut(&mut object.meta);
                meta.annotations.get_or_insert_default().insert(LAST_UPDATED.to_owned(), now.to_string());
            }
            changed
        }
        (None, _) => {
            let power_state = |object: &Object| object.view::<VirtualMachine>().map(|vm| vm.spec.power_state);
            before.and_then(power_state) != power_state(object)
        }
    };
    if power_changed && unchanged && object.annotation(APPLY_TIME).is_some() {
        Arc::make_mut(&mut object.meta).annotations.get_or_insert_default().remove(APPLY_TIME);
    }
}

fn vms(names: &[&str]) -> Vec<GroupMember> {
    names.iter().map(|name| GroupMember { kind: None, name: (*name).to_owned() }).collect()
}

fn groups(names: &[&str]) -> Vec<GroupMember> {
    names.iter().map(|name| GroupMember { kind: Some(MemberKind::VirtualMachineGroup), name: (*name).to_owned() }).collect()
}

fn boot(members: Vec<GroupMember>, delay_secs: Option<i64>) -> BootOrderGroup {
    BootOrderGroup { members, power_on_delay: delay_secs.map(Span::from_secs) }
}

fn spec(boot_order: Vec<BootOrderGroup>, power_state: Option<PowerState>) -> VirtualMachineGroupSpec {
    VirtualMachineGroupSpec { boot_order, power_state, ..VirtualMachineGroupSpec::default() }
}

/// The three tiers of the documentation, with delays of 10 s, 5 s and none, all powered off.
fn tiers(power_state: Option<PowerState>) -> Cluster {
    let mut cluster = Cluster::new();
    for vm in ["db", "app", "web"] {
        cluster.vm(vm, "tiers", PowerState::PoweredOff);
    }
    cluster.group("tiers", spec(vec![boot(vms(&["db"]), Some(10)), boot(vms(&["app"]), Some(5)), boot(vms(&["web"]), None)], power_state));
    cluster.settle();
    for vm in ["db", "app", "web"] {
        cluster.observe(vm, PowerState::PoweredOff);
    }
    cluster.settle();
    cluster
}

fn seconds(secs: i64) -> Option<Span> {
    Some(Span::from_secs(secs))
}

fn power(cluster: &mut Cluster, group: &str, power_state: PowerState) {
    cluster.edit::<VirtualMachineGroup>(group, |group| group.spec_mut().power_state = Some(power_state));
}

#[test]
fn members_are_linked_in_boot_order_and_owned() {
    let cluster = tiers(None);
    assert!(cluster.object::<VirtualMachineGroup>("tiers").meta.finalizers.iter().flatten().eq([FINALIZER]));
    let names: Vec<&str> = cluster.status("tiers").members.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["db", "app", "web"]);
    for vm in names {
        let entry = cluster.entry("tiers", vm);
        assert_eq!(Cluster::says(&entry.conditions, &ConditionType::GroupLinked), "True");
        assert_eq!(Cluster::says(&entry.conditions, &ConditionType::MemberPowerStateSynced), "absent");
        assert_eq!((entry.uid.as_str(), entry.power_state), (&*format!("VirtualMachine-{vm}"), Some(PowerState::PoweredOff)));
        assert_eq!(cluster.owners(vm), ["VirtualMachineGroup VirtualMachineGroup-tiers None"]);
    }
}

#[test]
fn a_quiet_group_stays_quiet() {
    let mut cluster = tiers(Some(PowerState::PoweredOff));
    cluster.writes.clear();
    cluster.edit::<VirtualMachine>("db", |vm| vm.set_label("looked-at", Some("yes")));
    cluster.settle();
    assert_eq!(cluster.writes, []);
}

#[test]
fn boot_delays_add_up_from_the_admission_of_the_change() {
    let mut cluster = tiers(Some(PowerState::PoweredOff));
    cluster.run(Span::from_secs(60));
    power(&mut cluster, "tiers", PowerState::PoweredOn);
    let admitted = cluster.last_updated("tiers");
    cluster.settle();
    for (vm, delay) in [("db", 10), ("app", 15), ("web", 15)] {
        assert_eq!(cluster.applies_after(vm, admitted), seconds(delay), "{vm}");
        assert_eq!(cluster.vm_spec(vm).power_state, Some(PowerState::PoweredOn));
        let synced = Cluster::says(&cluster.entry("tiers", vm).conditions, &ConditionType::MemberPowerStateSynced);
        assert_eq!(synced, "Pending", "{vm}");
    }
    assert_eq!(cluster.status("tiers").last_updated_power_state_time, Some(admitted.to_second()));
}

#[test]
fn powering_off_knows_no_delays() {
    let mut cluster = tiers(Some(PowerState::PoweredOn));
    for vm in ["db", "app", "web"] {
        cluster.observe(vm, PowerState::PoweredOn);
    }
    cluster.run(Span::from_secs(60));
    power(&mut cluster, "tiers", PowerState::PoweredOff);
    let admitted = cluster.last_updated("tiers");
    cluster.settle();
    for vm in ["db", "app", "web"] {
        assert_eq!(cluster.applies_after(vm, admitted), seconds(0), "{vm}");
        assert_eq!(cluster.vm_spec(vm).power_state, Some(PowerState::PoweredOff), "{vm}");
    }
}

#[test]
fn boot_groups_that_still_wait_never_start_when_the_group_is_powered_off() {
    let mut cluster = tiers(Some(PowerState::PoweredOff));
    power(&mut cluster, "tiers", PowerState::PoweredOn);
    cluster.settle();
    power(&mut cluster, "tiers", PowerState::PoweredOff);
    cluster.settle();
    assert_eq!(cluster.vm_spec("web").power_state, Some(PowerState::PoweredOff));
    assert_eq!(cluster.applies_after("web", cluster.now), None);
    assert_eq!(Cluster::says(&cluster.entry("tiers", "web").conditions, &ConditionType::MemberPowerStateSynced), "True");
}

#[test]
fn a_member_that_was_switched_by_hand_is_left_until_a_sync_is_asked_for() {
    let mut cluster = tiers(Some(PowerState::PoweredOn));
    for vm in ["db", "app", "web"] {
        cluster.observe(vm, PowerState::PoweredOn);
    }
    cluster.settle();
    cluster.edit::<VirtualMachine>("db", |vm| {
        vm.annotate(APPLY_TIME, None);
        vm.spec_mut().power_state = Some(PowerState::PoweredOff);
        vm.status_mut().power_state = Some(PowerState::PoweredOff);
    });
    cluster.settle();
    let synced = |cluster: &Cluster| Cluster::says(&cluster.entry("tiers", "db").conditions, &ConditionType::MemberPowerStateSynced);
    assert_eq!((synced(&cluster).as_str(), cluster.vm_spec("db").power_state), ("NotSynced", Some(PowerState::PoweredOff)));
    let now = cluster.now.to_string();
    cluster.edit::<VirtualMachineGroup>("tiers", |group| group.spec_mut().next_force_power_state_sync_time = now);
    let asked = cluster.last_updated("tiers");
    cluster.settle();
    assert_eq!((synced(&cluster).as_str(), cluster.vm_spec("db").power_state), ("Pending", Some(PowerState::PoweredOn)));
    assert_eq!(cluster.applies_after("db", asked), seconds(10));
    assert_eq!(cluster.vm_spec("app").power_off_mode, Some(PowerOpMode::TrySoft), "no mode of the group: the default");
}

#[test]
fn two_changes_in_one_second_are_both_applied() {
    let mut cluster = tiers(Some(PowerState::PoweredOff));
    power(&mut cluster, "tiers", PowerState::PoweredOn);
    cluster.run(Span::from_millis(200));
    assert_eq!(cluster.vm_spec("web").power_state, Some(PowerState::PoweredOn));
    power(&mut cluster, "tiers", PowerState::Suspended);
    cluster.run(Span::from_millis(200));
    assert_eq!(cluster.vm_spec("web").power_state, Some(PowerState::Suspended));
    assert_eq!(cluster.applies_after("web", cluster.now), None, "suspending knows no instant");
    let group = cluster.object::<VirtualMachineGroup>("tiers");
    assert_eq!(group.annotation(APPLIED), group.annotation(LAST_UPDATED));
}

#[test]
fn delays_of_nested_groups_add_up() {
    let mut cluster = Cluster::new();
    cluster.vm("vm", "child", PowerState::PoweredOff);
    let child = VirtualMachineGroupSpec { group_name: "parent".to_owned(), ..spec(vec![boot(vms(&["vm"]), Some(60))], None) };
    cluster.group("child", child);
    cluster.group("parent", spec(vec![boot(groups(&["child"]), Some(30))], Some(PowerState::PoweredOn)));
    let admitted = cluster.last_updated("parent");
    cluster.run(Span::from_secs(4));
    assert_eq!(cluster.applies_after("vm", admitted), seconds(90));
    assert_eq!(Cluster::says(&cluster.status("child").conditions, &ConditionType::GroupLinked), "True");
    assert_eq!(cluster.entry("parent", "child").power_state, None);

    for (vm, joins_after, applies_after) in [("soon", 5, 90), ("late", 100, 160)] {
        cluster.run(admitted + Span::from_secs(joins_after) - cluster.now);
        cluster.vm(vm, "child", PowerState::PoweredOff);
        cluster.edit::<VirtualMachineGroup>("child", |group| group.spec_mut().boot_order[0].members.extend(vms(&[vm])));
        cluster.settle();
        assert_eq!(cluster.applies_after(vm, admitted), seconds(applies_after), "{vm}: from joining, but not before the turn of its group");
    }
}

#[test]
fn a_forced_sync_does_not_reach_the_members_of_a_child_group() {
    let mut cluster = Cluster::new();
    cluster.vm("vm", "child", PowerState::PoweredOff);
    let child = VirtualMachineGroupSpec { group_name: "parent".to_owned(), ..spec(vec![boot(vms(&["vm"]), None)], None) };
    cluster.group("child", child);
    cluster.group("parent", spec(vec![boot(groups(&["child"]), None)], Some(PowerState::PoweredOn)));
    cluster.settle();
    cluster.edit::<VirtualMachine>("vm", |vm| vm.spec_mut().power_state = Some(PowerState::PoweredOff));
    cluster.settle();
    let now = cluster.now.to_string();
    cluster.edit::<VirtualMachineGroup>("parent", |group| group.spec_mut().next_force_power_state_sync_time = now);
    cluster.settle();
    let handed_down = cluster.object::<VirtualMachineGroup>("child").annotation(APPLY_TIME).map(str::to_owned);
    assert_eq!(handed_down, Some(cluster.last_updated("parent").to_string()));
    assert_eq!(cluster.vm_spec("vm").power_state, Some(PowerState::PoweredOff));
}

#[test]
fn one_that_joins_a_powered_on_group_is_powered_on() {
    let mut cluster = tiers(Some(PowerState::PoweredOn));
    cluster.run(Span::from_secs(100));
    cluster.vm("late", "tiers", PowerState::PoweredOff);
    cluster.edit::<VirtualMachineGroup>("tiers", |group| group.spec_mut().boot_order[1].members.extend(vms(&["late"])));
    let joined = cluster.now;
    cluster.settle();
    assert_eq!(cluster.vm_spec("late").power_state, Some(PowerState::PoweredOn));
    assert_eq!(cluster.applies_after("late", joined), seconds(15));
    assert_eq!(cluster.vm_spec("db").power_state, Some(PowerState::PoweredOn));
    assert_eq!(cluster.applies_after("db", cluster.last_updated("tiers")), seconds(10), "the others keep what they had");
}

#[test]
fn a_missing_member_is_not_found_and_keeps_the_change_open() {
    let mut cluster = Cluster::new();
    cluster.vm("here", "g", PowerState::PoweredOff);
    cluster.group("g", spec(vec![boot(vms(&["here", "gone"]), Some(1))], Some(PowerState::PoweredOn)));
    cluster.settle();
    let message = r#"member "VirtualMachine/gone" not found"#;
    assert_eq!(Cluster::says(&cluster.entry("g", "gone").conditions, &ConditionType::GroupLinked), format!("NotFound: {message}"));
    assert_eq!(*cluster.verdict("g"), Verdict::terminal(message));
    assert_eq!(cluster.status("g").last_updated_power_state_time, None);
    assert_eq!(
        cluster.ready("g"),
        "MembersNotReady: 2 of 2 members not ready: VirtualMachine/here missing condition PlacementReady; \
         VirtualMachine/gone condition GroupLinked is False"
    );
    let admitted = cluster.last_updated("g");
    cluster.run(Span::from_secs(60));
    cluster.vm("gone", "g", PowerState::PoweredOff);
    cluster.settle();
    assert_eq!(cluster.applies_after("gone", admitted), seconds(1), "it was listed from the start");
    assert!(cluster.status("g").last_updated_power_state_time.is_some());
}

#[test]
fn a_vm_that_took_its_instant_off_is_not_given_it_again() {
    let mut cluster = Cluster::new();
    cluster.vm("here", "g", PowerState::PoweredOff);
    cluster.group("g", spec(vec![boot(vms(&["here", "gone"]), Some(1))], Some(PowerState::PoweredOn)));
    cluster.run(Span::from_secs(10));
    cluster.edit::<VirtualMachine>("here", |vm| vm.annotate(APPLY_TIME, None));
    cluster.writes.clear();
    cluster.settle();
    assert_eq!(cluster.writes, []);
}

#[test]
fn who_does_not_name_the_group_is_no_member() {
    let mut cluster = Cluster::new();
    cluster.vm("none", "", PowerState::PoweredOff);
    cluster.vm("other", "elsewhere", PowerState::PoweredOff);
    cluster.group("g", spec(vec![boot(vms(&["none", "other"]), None)], None));
    cluster.settle();
    let linked = |vm| Cluster::says(&cluster.entry("g", vm).conditions, &ConditionType::GroupLinked);
    assert_eq!(linked("none"), r#"NotMember: member "VirtualMachine/none" has no group name"#);
    assert_eq!(linked("other"), r#"NotMember: member "VirtualMachine/other" has different group name: "elsewhere""#);
    assert!(cluster.owners("none").is_empty() && cluster.owners("other").is_empty());
}

#[test]
fn the_status_forgets_who_left_the_spec_and_owns_them_no_more() {
    let mut cluster = tiers(None);
    cluster.edit::<VirtualMachineGroup>("tiers", |group| {
        group.spec_mut().boot_order.remove(1);
    });
    cluster.settle();
    let names: Vec<&str> = cluster.status("tiers").members.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["db", "web"]);
    assert!(cluster.owners("app").is_empty());
}

#[test]
fn a_group_that_its_parent_does_not_list_leaves_its_members_alone() {
    let mut cluster = Cluster::new();
    cluster.vm("vm", "child", PowerState::PoweredOff);
    let child = VirtualMachineGroupSpec { group_name: "parent".to_owned(), ..spec(vec![boot(vms(&["vm"]), None)], None) };
    cluster.group("child", child);
    cluster.settle();
    let linked = |cluster: &Cluster| Cluster::says(&cluster.status("child").conditions, &ConditionType::GroupLinked);
    assert_eq!(linked(&cluster), "NotFound");
    cluster.group("parent", spec(Vec::new(), None));
    cluster.settle();
    assert_eq!(linked(&cluster), "NotMember");
    let error = "failed to reconcile group name: group is not linked to its parent group";
    assert_eq!(*cluster.verdict("child"), Verdict::failed(error));
    assert_eq!(cluster.ready("child"), format!("Error: {error}"));
    assert!(cluster.owners("vm").is_empty() && cluster.status("child").members.is_empty());
    cluster.edit::<VirtualMachineGroup>("parent", |group| group.spec_mut().boot_order.push(boot(groups(&["child"]), None)));
    cluster.settle();
    assert_eq!((linked(&cluster).as_str(), cluster.owners("vm").len()), ("True", 1));
}

#[test]
fn a_ring_of_groups_is_named_once_and_comes_to_rest() {
    let mut cluster = Cluster::new();
    for (name, parent, child) in [("a", "c", "b"), ("b", "a", "c"), ("c", "b", "a")] {
        let members = vec![boot(groups(&[child]), None)];
        cluster.group(name, VirtualMachineGroupSpec { group_name: parent.to_owned(), ..spec(members, None) });
    }
    cluster.run(Span::from_secs(10));
    assert_eq!(cluster.ready("a"), "Error: cycle detected in group hierarchy: a -> c -> b -> a");
    assert_eq!(*cluster.verdict("b"), Verdict::terminal("cycle detected in group hierarchy: b -> a -> c -> b"));
    assert_eq!(Cluster::says(&cluster.entry("a", "b").conditions, &ConditionType::GroupLinked), "True", "the rest goes on");
    let told: Vec<String> = cluster.notices.iter().map(|notice| notice.object.name.to_string()).collect();
    assert_eq!(told.len(), 3, "each group tells once: {told:?}");
    cluster.writes.clear();
    cluster.run(Span::from_secs(10));
    assert_eq!(cluster.writes, []);
    cluster.edit::<VirtualMachineGroup>("c", |group| group.spec_mut().group_name.clear());
    cluster.run(Span::from_secs(10));
    assert!(!cluster.ready("b").contains("cycle"), "{}", cluster.ready("b"));
}

#[test]
fn a_write_that_meets_a_newer_version_is_decided_anew() {
    let mut cluster = Cluster::new();
    cluster.vm("vm", "g", PowerState::PoweredOff);
    let key = ObjectKey::of::<VirtualMachine>(NAMESPACE, "vm");
    let mut newer = (*cluster.objects[&key]).clone();
    newer.resource_version = 99;
    let newer = Arc::new(newer);
    let before = cluster.objects.insert(key.clone(), newer.clone());
    cluster.group("g", spec(vec![boot(vms(&["vm"]), None)], None));
    cluster.run(Span::from_millis(50));
    assert!(matches!(cluster.verdict("g"), Verdict::Failed(_)), "{}", cluster.verdict("g"));
    assert_eq!(Cluster::says(&cluster.entry("g", "vm").conditions, &ConditionType::GroupLinked), "absent");
    cluster.tell(Input::Changed(WatchEvent { key, before, after: Some(newer) }));
    cluster.settle();
    assert_eq!(Cluster::says(&cluster.entry("g", "vm").conditions, &ConditionType::GroupLinked), "True");
}

#[test]
fn a_group_under_deletion_is_let_go() {
    let mut cluster = tiers(None);
    let now = Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
    cluster.edit::<VirtualMachineGroup>("tiers", |group| group.meta_mut().deletion_timestamp = Some(now));
    cluster.settle();
    assert_eq!(cluster.object::<VirtualMachineGroup>("tiers").meta.finalizers, None);
    cluster.delete::<VirtualMachineGroup>("tiers");
    cluster.settle();
    assert_eq!(cluster.owners("db").len(), 1, "who is owned goes with the owner, by the garbage collector");
}

#[test]
fn a_thousand_members_are_linked_in_one_more_run() {
    let mut cluster = Cluster::new();
    let names: Vec<String> = (0..1000).map(|n| format!("vm-{n:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cluster.group("g", spec(Vec::new(), Some(PowerState::PoweredOn)));
    for name in &names {
        cluster.vm(name, "g", PowerState::PoweredOff);
    }
    cluster.settle();
    let before = cluster.engine.work();
    cluster.edit::<VirtualMachineGroup>("g", |group| group.spec_mut().boot_order.push(boot(vms(&names), None)));
    cluster.run(Span::from_millis(50));
    let work = cluster.engine.work();
    assert!(work.writes - before.writes < 1010, "one write for each member: {}", work.writes - before.writes);
    let runs = (work.runs - before.runs) - (work.passes - before.passes);
    assert!(runs <= 4, "runs beyond one for each pass: {runs}");
    let reasons = cluster.status("g").members.iter().map(|entry| Cluster::says(&entry.conditions, &ConditionType::GroupLinked));
    assert!(reasons.into_iter().all(|reason| reason == Reason::True.as_str()));
}
