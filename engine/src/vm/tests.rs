//! Whole passes of the VM controller over a VM that exists: what it calls, in which order, and what it writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use vmtwin_model::Cause;
use vmtwin_model::id::VmId;
use vmtwin_model::kube::api::{ApiError, ErrorReason, WatchEvent, Write};
use vmtwin_model::kube::power::{PowerOpMode, PowerState};
use vmtwin_model::kube::virtual_machine::{VirtualMachine, VirtualMachineSpec, VirtualMachineStatus};
use vmtwin_model::kube::virtual_machine_class::{VirtualMachineClass, VirtualMachineClassStatus};
use vmtwin_model::kube::{ConditionType, Conditions, Object};
use vmtwin_model::rng::Rng;
use vmtwin_model::time::{Span, Timestamp};
use vmtwin_model::vsphere::vm::PowerState as Observed;
use vmtwin_model::vsphere::{self, Answer, Change, Changed, Failure, Fault, FaultName, Operation, Reply};

use super::keys;
use crate::{Engine, Input, Out, Settings, Verdict};

/// What the hypervisor says to a call that changes something.
type Says = fn(&Operation) -> Result<Reply, Failure>;

struct Rig {
    engine: Engine,
    now: Timestamp,
    object: Arc<Object>,
    vm: vsphere::VirtualMachine,
    says: Says,
    called: Vec<&'static str>,
    verdicts: Vec<Verdict>,
    version: u64,
    /// Whether reading the VM is answered as everything else.
    blind: bool,
    /// Why the API server refuses what is written.
    refuses: Option<ApiError>,
    notices: Vec<(String, String)>,
}

fn done(_: &Operation) -> Result<Reply, Failure> {
    Ok(Reply::Done)
}

fn no_tools(operation: &Operation) -> Result<Reply, Failure> {
    match operation {
        Operation::ShutdownGuest { .. } | Operation::StandbyGuest { .. } | Operation::RebootGuest { .. } => {
            Err(Failure::Fault(Fault::new(FaultName::ToolsUnavailable, "")))
        }
        _ => Ok(Reply::Done),
    }
}

impl Rig {
    /// A VM in this state whose object asks for what `spec` says.
    fn new(observed: Observed, spec: VirtualMachineSpec, annotations: &[(&str, &str)]) -> Self {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").expect("an instant");
        let mut all: BTreeMap<String, String> = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        all.extend(keys::UPGRADED.map(|(key, value)| (key.to_owned(), value.to_owned())));
        all.insert(keys::MANAGER_ID.to_owned(), "vcenter".to_owned());
        all.insert(keys::BOOTSTRAP_HASH_CUSTOM.to_owned(), String::new());
        all.insert(keys::VSPHERE_CUSTOMIZATION.to_owned(), "disable".to_owned());
        let meta = ObjectMeta {
            name: Some("vm".to_owned()),
            namespace: Some("ns".to_owned()),
            uid: Some("uid".to_owned()),
            finalizers: Some(vec![keys::FINALIZER.to_owned()]),
            annotations: Some(all),
            ..ObjectMeta::default()
        };
        let spec = VirtualMachineSpec { class_name: "small".to_owned(), ..spec };
        let status = VirtualMachineStatus { unique_id: "vm-1".to_owned(), ..VirtualMachineStatus::default() };
        let mut object = Object::new::<VirtualMachine>(meta, spec, status);
        object.resource_version = 1;
        let vm = serde_json::json!({
            "moID": "vm-1", "name": "vm", "resourcePool": "resgroup-1", "parent": "group-v1",
            "runtime": {"powerState": observed.to_string(), "host": "host-1"},
            "config": {"guestId": "ubuntu64Guest", "annotation": "x", "hardware": {"numCPU": 1, "memoryMB": 1024},
                "managedBy": {"extensionKey": keys::MANAGED_BY.0, "type": keys::MANAGED_BY.1}, "extraConfig": {keys::NAMESPACED_NAME: "ns/vm"}},
        });
        let vm = serde_json::from_value(vm).expect("a VM");
        let settings = Arc::new(Settings { resync_period: None, ..Settings::default() });
        let mut rig = Self {
            engine: Engine::new(now, settings, Rng::new(0), 0),
            now,
            object: Arc::new(object),
            vm,
            says: done,
            called: Vec::new(),
            verdicts: Vec::new(),
            version: 1,
            blind: false,
            refuses: None,
            notices: Vec::new(),
        };
        let class = ObjectMeta { name: Some("small".to_owned()), namespace: Some("ns".to_owned()), ..ObjectMeta::default() };
        let spec = serde_json::from_value(serde_json::json!({"hardware": {"cpus": 1, "memory": "1Gi"}})).expect("a class");
        rig.show(Arc::new(Object::new::<VirtualMachineClass>(class, spec, VirtualMachineClassStatus::default())));
        let object = rig.object.clone();
        rig.show(object);
        rig
    }

    fn says(mut self, says: Says) -> Self {
        self.says = says;
        self
    }

    fn show(&mut self, object: Arc<Object>) {
        let event = WatchEvent { key: object.key.clone(), before: None, after: Some(object) };
        self.tell(Input::Changed(event));
    }

    fn tell(&mut self, input: Input) {
        for output in self.engine.handle(self.now, Cause(1), input) {
            match output.what {
                Out::Call { id, operation, .. } => {
                    let result = match &operation {
                        Operation::RetrieveVm { .. } if !self.blind => Ok(Reply::Vm(Arc::new(self.vm.clone()))),
                        _ => {
                            self.called.push(operation.method());
                            (self.says)(&operation)
                        }
                    };
                    self.tell(Input::Answer { id, answer: Answer { task: None, result } });
                }
                Out::Write { id, .. } if self.refuses.is_some() => {
                    let error = self.refuses.clone().expect("it was looked at just now");
                    self.tell(Input::Written { id, result: Err(error) });
                }
                Out::Write { id, write } => {
                    self.version += 1;
                    let Write::Update { base, meta, spec, status } = write else { unreachable!("only the VM itself is written") };
                    let mut object = (*base).clone();
                    object.meta = meta.unwrap_or(object.meta);
                    object.spec = spec.unwrap_or(object.spec);
                    object.status = status.unwrap_or(object.status);
                    object.resource_version = self.version;
                    self.object = Arc::new(object);
                    self.tell(Input::Written { id, result: Ok(self.object.clone()) });
                }
                Out::Passed(passed) => self.verdicts.push(passed.verdict),
                Out::Notice(notice) => self.notices.push((notice.reason.to_string(), notice.message.to_string())),
                Out::Woke { .. } => {}
            }
        }
    }

    /// Lets the engine do what is due up to an instant, without showing it what it wrote.
    fn run(mut self, span: Span) -> Self {
        let end = self.now + span;
        while let Some((at, _)) = self.engine.next_wakeup().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.tell(Input::Came);
        }
        self.now = end;
        self
    }

    fn pass(self) -> Self {
        self.run(Span::ZERO)
    }

    /// Lets the engine do the one thing that is due next.
    fn tell_once(mut self) -> Self {
        if let Some((at, _)) = self.engine.next_wakeup() {
            self.now = self.now.max(at);
            self.tell(Input::Came);
        }
        self
    }

    fn reaches(mut self, state: Observed) -> Self {
        self.vm.runtime.power_state = state;
        self.observes(Changed::PowerState)
    }

    fn observes(mut self, changed: Changed) -> Self {
        let power_state = self.vm.runtime.power_state;
        let change = Change { vm: VmId::from("vm-1"), namespaced_name: Some("ns/vm".into()), power_state, changed: vec![changed] };
        self.tell(Input::Observed(change));
        self
    }

    fn status(&self) -> &VirtualMachineStatus {
        self.object.view::<VirtualMachine>().expect("a VM").status
    }
}

fn wants(power_state: PowerState, mode: PowerOpMode) -> VirtualMachineSpec {
    VirtualMachineSpec {
        power_state: Some(power_state),
        power_off_mode: Some(mode),
        suspend_mode: Some(mode),
        restart_mode: Some(mode),
        ..VirtualMachineSpec::default()
    }
}

#[test]
fn each_cell_of_the_power_table_calls_what_it_says() {
    use Observed as O;
    use PowerOpMode::{Hard, Soft, TrySoft};
    use PowerState as D;

    let table: &[(O, D, PowerOpMode, &[&str])] = &[
        (O::PoweredOff, D::PoweredOn, TrySoft, &["PowerOnVM_Task"]),
        (O::Suspended, D::PoweredOn, Hard, &["PowerOnVM_Task"]),
        (O::PoweredOn, D::PoweredOn, Hard, &[]),
        (O::PoweredOn, D::PoweredOff, Hard, &["PowerOffVM_Task"]),
        (O::PoweredOn, D::PoweredOff, Soft, &["ShutdownGuest"]),
        (O::PoweredOn, D::PoweredOff, TrySoft, &["ShutdownGuest"]),
        (O::PoweredOff, D::PoweredOff, Hard, &[]),
        (O::Suspended, D::PoweredOff, Hard, &["PowerOffVM_Task"]),
        (O::Suspended, D::PoweredOff, Soft, &[]),
        (O::Suspended, D::PoweredOff, TrySoft, &["PowerOffVM_Task"]),
        (O::PoweredOn, D::Suspended, Hard, &["SuspendVM_Task"]),
        (O::PoweredOn, D::Suspended, Soft, &["StandbyGuest"]),
        (O::PoweredOff, D::Suspended, Hard, &[]),
        (O::Suspended, D::Suspended, Hard, &[]),
    ];
    for (observed, desired, mode, calls) in table {
        let rig = Rig::new(*observed, wants(*desired, *mode), &[]).pass();
        assert_eq!(rig.called, *calls, "{observed} → {desired} by {mode}");
    }
}

#[test]
fn try_soft_turns_hard_at_once_when_tools_are_missing_and_soft_never_does() {
    let rig = Rig::new(Observed::PoweredOn, wants(PowerState::PoweredOff, PowerOpMode::TrySoft), &[]).says(no_tools).pass();
    assert_eq!(rig.called, ["ShutdownGuest", "PowerOffVM_Task"]);
    let rig = Rig::new(Observed::PoweredOn, wants(PowerState::PoweredOff, PowerOpMode::Soft), &[]).says(no_tools).pass();
    assert_eq!(rig.called, ["ShutdownGuest"]);
    let error = "failed to reconcile power state: soft set power state to poweredOff failed ServerFaultCode: ToolsUnavailable";
    assert_eq!(rig.verdicts, [Verdict::failed(error)]);
}

#[test]
fn try_soft_waits_five_minutes_for_the_guest_and_not_longer() {
    let rig = Rig::new(Observed::PoweredOn, wants(PowerState::PoweredOff, PowerOpMode::TrySoft), &[]).run(Span::from_secs(299));
    assert_eq!(rig.called, ["ShutdownGuest"]);
    assert_eq!(rig.run(Span::from_secs(1)).called, ["ShutdownGuest", "PowerOffVM_Task"]);
    let rig = Rig::new(Observed::PoweredOn, wants(PowerState::PoweredOff, PowerOpMode::TrySoft), &[]).run(Span::from_secs(60));
    let rig = rig.reaches(Observed::PoweredOff);
    assert_eq!(rig.called, ["ShutdownGuest"]);
    assert_eq!(rig.verdicts, [Verdict::Progress("updated power state")]);
}

#[test]
fn a_vm_whose_claim_is_not_attached_is_not_switched_on() {
    let claim = serde_json::json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    let volumes = serde_json::from_value(claim).expect("volumes");
    let spec = VirtualMachineSpec { volumes, ..wants(PowerState::PoweredOn, PowerOpMode::Hard) };
    let rig = Rig::new(Observed::PoweredOff, spec, &[]).pass();
    assert!(!rig.called.contains(&"PowerOnVM_Task"), "{:?}", rig.called);
    let error = "failed to reconcile config: one or more persistent volumes is pending: notFound=\"data\", notAttached=\"\"";
    assert_eq!(rig.verdicts.first(), Some(&Verdict::failed(error)));
}

#[test]
fn a_vm_whose_cdrom_has_no_image_is_not_switched_on() {
    let image = serde_json::json!({"kind": "VirtualMachineImage", "name": "vmi-1"});
    let hardware = serde_json::from_value(serde_json::json!({"cdrom": [{"name": "cd", "image": image}]})).expect("hardware");
    let spec = VirtualMachineSpec { hardware: Some(hardware), ..wants(PowerState::PoweredOn, PowerOpMode::Hard) };
    let rig = Rig::new(Observed::PoweredOff, spec, &[]).pass();
    assert_eq!(rig.called, [] as [&str; 0]);
    let error = "failed to reconcile config: updating state failed with error getting backing file name by image ref {VirtualMachineImage vmi-1}: \
                 virtualmachineimages.vmoperator.vmware.com \"vmi-1\" not found";
    assert_eq!(rig.verdicts, [Verdict::failed(error)]);
}

#[test]
fn one_power_on_check_of_several_holds_power_on_and_resume() {
    for observed in [Observed::PoweredOff, Observed::Suspended] {
        let check = ("poweron.check.vmoperator.vmware.com/ad", "waiting");
        let rig = Rig::new(observed, wants(PowerState::PoweredOn, PowerOpMode::Hard), &[check]).pass();
        assert_eq!((rig.called.len(), rig.verdicts), (0, vec![Verdict::Done]));
    }
}

#[test]
fn a_restart_is_recorded_after_it_happened_and_done_once() {
    let spec =
        VirtualMachineSpec { next_restart_time: "2025-12-31T23:59:59Z".to_owned(), ..wants(PowerState::PoweredOn, PowerOpMode::TrySoft) };
    let rig = Rig::new(Observed::PoweredOn, spec.clone(), &[]).says(no_tools).pass();
    assert_eq!(rig.called, ["RebootGuest", "ResetVM_Task", "ReconfigVM_Task"]);
    assert_eq!(rig.status().last_restart_time.map(|at| at.to_string()), Some("2025-12-31T23:59:59Z".to_owned()));
    let mut rig = Rig::new(Observed::PoweredOn, spec, &[]);
    let nanos = Timestamp::parse("2025-12-31T23:59:59Z").expect("an instant").as_nanos().to_string();
    let config = rig.vm.config.as_mut().expect("it is configured");
    config.extra_config.insert(keys::LAST_RESTART_TIME.into(), nanos.into());
    assert!(rig.pass().called.is_empty(), "the recorded one isn't done again");
}

#[test]
fn a_delayed_power_on_waits_exactly_for_its_instant() {
    let at = (keys::APPLY_POWER_STATE_TIME, "2026-01-01T00:00:10.5Z");
    let rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOn, PowerOpMode::Hard), &[at]).run(Span::from_millis(10_499));
    assert!(rig.called.is_empty());
    assert_eq!(rig.run(Span::from_millis(1)).called, ["PowerOnVM_Task"]);
}

#[test]
fn the_status_shows_the_state_before_the_action() {
    let rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOn, PowerOpMode::Hard), &[]).pass();
    assert_eq!(rig.status().power_state, Some(PowerState::PoweredOff));
    let synced = rig.status().conditions.condition(&ConditionType::PowerStateSynced).expect("the condition");
    assert_eq!(&*synced.message, "spec.powerState=PoweredOn != status.powerState=PoweredOff");
    assert_eq!(rig.object.annotation(keys::FIRST_BOOT_DONE), Some("true"));
}

#[test]
fn a_hard_operation_that_finds_its_end_reached_counts_as_done() {
    fn already(_: &Operation) -> Result<Reply, Failure> {
        let fault = Fault::new(FaultName::InvalidPowerState, "").with("existingState", "poweredOn").with("requestedState", "poweredOn");
        Err(Failure::Fault(fault))
    }
    let rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOn, PowerOpMode::Hard), &[]).says(already).pass();
    assert_eq!(rig.verdicts, [Verdict::Progress("updated power state")]);
}

#[test]
fn a_power_on_that_finds_no_room_is_tried_again_with_back_off() {
    fn full(_: &Operation) -> Result<Reply, Failure> {
        Err(Failure::Fault(Fault::new(FaultName::InsufficientHostMemoryCapacityFault, "no room")))
    }
    let rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOn, PowerOpMode::Hard), &[]).says(full).run(Span::from_secs(1));
    let tries = rig.called.len();
    assert!((7..=9).contains(&tries), "5 ms · 2ⁿ: {tries} tries in the first second");
    assert_eq!(rig.verdicts[0], Verdict::failed("failed to reconcile power state: hard set power state to poweredOn failed: no room"));
}

#[test]
fn the_end_of_a_failed_task_does_not_cut_the_back_off_short() {
    fn full(_: &Operation) -> Result<Reply, Failure> {
        Err(Failure::Fault(Fault::new(FaultName::InsufficientHostMemoryCapacityFault, "no room")))
    }
    let rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOn, PowerOpMode::Hard), &[]).says(full).run(Span::from_secs(1));
    let tries = rig.called.len();
    let rig = rig.observes(Changed::Task).run(Span::from_millis(1));
    assert_eq!(rig.called.len(), tries);
    let rig = rig.observes(Changed::Config).run(Span::from_millis(1));
    assert!(rig.called.len() > tries, "what is watched does wake it");
}

#[test]
fn an_unreachable_vm_is_left_alone_and_its_status_kept() {
    let mut rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOn, PowerOpMode::Hard), &[]);
    rig.vm.runtime.connection_state = vsphere::vm::ConnectionState::Disconnected;
    let rig = rig.pass();
    assert!(rig.called.is_empty());
    assert_eq!(rig.verdicts, [Verdict::terminal("unsupported connection state: disconnected")]);
    assert_eq!(rig.status().power_state, Some(PowerState::PoweredOff));
}

#[test]
fn a_paused_object_is_not_looked_at() {
    let rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOn, PowerOpMode::Hard), &[(keys::PAUSED, "")]).pass();
    assert_eq!((rig.called.len(), rig.verdicts), (0, vec![Verdict::Done]));
    assert_eq!(rig.version, 1, "nothing was written");
}

/// A power-on that finds no room; reads succeed.
fn no_room(operation: &Operation) -> Result<Reply, Failure> {
    match operation {
        Operation::PowerOnVm { .. } => Err(Failure::Fault(Fault::new(FaultName::InsufficientHostMemoryCapacityFault, "no room"))),
        _ => Ok(Reply::Done),
    }
}

#[test]
fn a_passes_own_error_outlives_a_refused_write_and_a_success_becomes_the_writes_error() {
    let conflict = ApiError::new(ErrorReason::Conflict, "the object has been modified");
    let mut rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOn, PowerOpMode::Hard), &[]).says(no_room);
    rig.refuses = Some(conflict.clone());
    let own = Verdict::failed("failed to reconcile power state: hard set power state to poweredOn failed: no room");
    assert_eq!(rig.pass().verdicts, [own]);
    let mut rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOff, PowerOpMode::Hard), &[]);
    rig.refuses = Some(conflict);
    assert_eq!(rig.pass().verdicts, [Verdict::failed("the object has been modified")]);
}

#[test]
fn a_vm_that_cannot_be_read_failed_an_update_and_one_that_cannot_be_looked_for_failed_neither() {
    fn deaf(_: &Operation) -> Result<Reply, Failure> {
        Err(Failure::Fault(Fault::new(FaultName::NotAuthenticated, "The session is not authenticated.")))
    }
    let mut rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOff, PowerOpMode::Hard), &[]).says(deaf);
    rig.blind = true;
    let rig = rig.pass();
    let text = "failed to fetch vm properties: ServerFaultCode: NotAuthenticated: The session is not authenticated.";
    assert_eq!(rig.notices, [("UpdateFailure".to_owned(), text.to_owned())]);
    let mut rig = Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOff, PowerOpMode::Hard), &[]).says(deaf);
    let mut object = (*rig.object).clone();
    object.status = Arc::new(VirtualMachineStatus::default());
    object.resource_version = 2;
    rig.show(Arc::new(object));
    let rig = rig.pass();
    let text = "failed to find vm by instance UUID: ServerFaultCode: NotAuthenticated: The session is not authenticated.";
    assert_eq!(rig.notices, [("ReconcileNormalFailure".to_owned(), text.to_owned())]);
}

#[test]
fn what_changes_nothing_that_is_watched_is_followed_by_a_pass_all_the_same() {
    let spec = VirtualMachineSpec { min_hardware_version: 20, ..wants(PowerState::PoweredOn, PowerOpMode::Hard) };
    let mut rig = Rig::new(Observed::PoweredOff, spec, &[]);
    rig.vm.config.as_mut().expect("it is configured").version = "vmx-19".into();
    // The rig's VM stays as old as it is, and so is upgraded again and again: each upgrade is followed by a pass.
    let mut rig = rig.tell_once();
    let written = rig.object.clone();
    rig.show(written);
    let rig = rig.tell_once().tell_once();
    assert_eq!(rig.verdicts.len(), 3, "the third one comes of nothing but the second: {:?}", rig.verdicts);
    assert!(rig.called.iter().all(|method| *method == "UpgradeVM_Task"), "{:?}", rig.called);
}

#[test]
fn a_restart_that_cannot_be_recorded_is_not_made_again() {
    fn records_nothing(operation: &Operation) -> Result<Reply, Failure> {
        match operation {
            Operation::ReconfigVm { .. } => Err(Failure::Fault(Fault::new(FaultName::ConcurrentAccess, "busy"))),
            _ => Ok(Reply::Done),
        }
    }
    let spec =
        VirtualMachineSpec { next_restart_time: "2025-12-31T23:59:59Z".to_owned(), ..wants(PowerState::PoweredOn, PowerOpMode::Hard) };
    let mut rig = Rig::new(Observed::PoweredOn, spec, &[]).says(records_nothing).pass();
    let written = rig.object.clone();
    rig.show(written);
    let rig = rig.run(Span::from_mins(1));
    let resets = rig.called.iter().filter(|method| **method == "ResetVM_Task").count();
    assert_eq!(resets, 1, "{:?}", rig.called);
    assert!(rig.called.iter().filter(|method| **method == "ReconfigVM_Task").count() > 5, "the record is tried again: {:?}", rig.called);
}

#[test]
fn a_condition_that_is_changed_and_changed_back_in_a_pass_leaves_the_object_as_it_was() {
    fn customizes_nothing(operation: &Operation) -> Result<Reply, Failure> {
        match operation {
            Operation::CustomizeVm { .. } => Err(Failure::Fault(Fault::new(FaultName::CustomizationFault, "no"))),
            _ => Ok(Reply::Done),
        }
    }
    let mut rig =
        Rig::new(Observed::PoweredOff, wants(PowerState::PoweredOn, PowerOpMode::Hard), &[(keys::VSPHERE_CUSTOMIZATION, "enable")]);
    rig.vm.guest = Some(vsphere::vm::Guest::default());
    let mut meta = (*rig.object.meta).clone();
    meta.annotations.get_or_insert_default().insert(keys::VSPHERE_CUSTOMIZATION.to_owned(), "enable".to_owned());
    let mut object = (*rig.object).clone();
    (object.meta, object.resource_version) = (Arc::new(meta), 2);
    rig.show(Arc::new(object));
    let mut rig = rig.says(customizes_nothing).pass();
    let condition = rig.status().conditions.condition(&ConditionType::GuestCustomization).expect("the condition").clone();
    assert_eq!(&*condition.reason.to_string(), "GuestCustomizationFailed");
    let (written, version) = (rig.object.clone(), rig.version);
    rig.show(written);
    let rig = rig.run(Span::from_mins(1));
    assert!(rig.verdicts.len() > 5, "it is tried again");
    assert_eq!(rig.version, version, "and nothing is written that is there already");
}
