//! What every hypervisor promises behind the port: one set of tests, over the twin and over a real wire alike.
//!
//! The promises are about calls, answers and changes, never about times, texts or the choice of a host: those differ between any two
//! vCenters. Source: vsphere §4, §8.2 (where the simulator deviates, nothing is promised).

use std::collections::BTreeSet;
use std::sync::Arc;

use vmtwin_model::id::{ClusterId, FolderId, PoolId, TaskId, VmId};
use vmtwin_model::units::{MHz, MiB, VCpus};
use vmtwin_model::vsphere::spec::{ConfigSpec, FileInfo, OptionValue};
use vmtwin_model::vsphere::vm::{PowerState, TaskState};
use vmtwin_model::vsphere::{Answer, Change, Changed, FaultName, Operation, Reply, VirtualMachine};

/// Where new VMs go.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The cluster.
    pub cluster: ClusterId,
    /// A pool of it.
    pub pool: PoolId,
    /// A folder.
    pub folder: FolderId,
    /// A datastore's name.
    pub datastore: Arc<str>,
    /// An OVF item of the content library.
    pub item: Arc<str>,
    /// A storage policy's id.
    pub policy: Arc<str>,
}

/// A hypervisor behind the port.
pub trait Hypervisor {
    /// Where new VMs go.
    fn ground(&self) -> Ground;

    /// Sends these calls at once, and waits until nothing of them is under way: all answers to each.
    fn call_all(&mut self, operations: Vec<Operation>) -> Vec<Vec<Answer>>;

    /// The next call of this method fails, once.
    fn fail_next(&mut self, method: &'static str, fault: FaultName);

    /// Waits until a change of this VM is heard that has `wanted` in it; earlier changes are taken away.
    fn hear(&mut self, vm: &VmId, wanted: Changed) -> Change;

    /// Sends one call, which must be answered once.
    fn call(&mut self, operation: Operation) -> Answer {
        let mut answers = self.call_all(vec![operation.clone()]).remove(0);
        assert_eq!(answers.len(), 1, "{operation} is answered once: {answers:?}");
        answers.remove(0)
    }

    /// Sends one call, which must succeed.
    fn done(&mut self, operation: Operation) -> Reply {
        let text = operation.to_string();
        self.call(operation).result.unwrap_or_else(|failure| panic!("{text}: {failure}"))
    }

    /// Sends one call, which must fail with this fault.
    fn refused(&mut self, operation: Operation, fault: &str) -> vmtwin_model::vsphere::Fault {
        let text = operation.to_string();
        let failure = self.call(operation).result.expect_err(&text);
        assert!(failure.is_a(fault), "{text} is refused with {fault}: {failure:?}");
        failure.fault().expect("it is a fault").clone()
    }

    /// The VM's properties.
    fn read(&mut self, vm: &VmId) -> Arc<VirtualMachine> {
        match self.done(Operation::RetrieveVm { vm: vm.clone() }) {
            Reply::Vm(vm) => vm,
            other => panic!("a retrieval answers a VM: {other:?}"),
        }
    }

    /// The VMs of this instance UUID.
    fn find(&mut self, uuid: &str) -> Vec<VmId> {
        match self.done(Operation::FindAllByUuid { uuid: uuid.into() }) {
            Reply::Found(vms) => vms,
            other => panic!("a search finds: {other:?}"),
        }
    }

    /// A new VM of this number; each test has its own.
    fn create(&mut self, number: u32) -> VmId {
        let ground = self.ground();
        match self.done(creation(&ground, number)) {
            Reply::Created(vm) => vm,
            other => panic!("a create answers the VM: {other:?}"),
        }
    }
}

/// A promise: it panics where it is broken.
pub type Promise = fn(&mut dyn Hypervisor);

/// The promises, by name.
pub const PROMISES: &[(&str, Promise)] = &[
    ("it says who it is", it_says_who_it_is),
    ("a created VM is found, and a destroyed one leaves nothing", a_created_vm_is_found_and_a_destroyed_one_leaves_nothing),
    ("an item of the library becomes a VM", an_item_of_the_library_becomes_a_vm),
    ("a wrong power state is refused with both states", a_wrong_power_state_is_refused_with_both_states),
    ("a VM is suspended and resumed", a_vm_is_suspended_and_resumed),
    ("who isn't there is not found by any call", who_is_not_there_is_not_found_by_any_call),
    ("a name is taken once in a folder", a_name_is_taken_once_in_a_folder),
    ("each task is another and ends once", each_task_is_another_and_ends_once),
    ("calls that leave together are each answered once", calls_that_leave_together_are_each_answered_once),
    ("a reconfigure changes what it names", a_reconfigure_changes_what_it_names),
    ("a fault on purpose comes back once by its name", a_fault_on_purpose_comes_back_once_by_its_name),
    ("changes are heard under the name of the object", changes_are_heard_under_the_name_of_the_object),
    ("a child is found by its kind", a_child_is_found_by_its_kind),
    ("a cluster has a clock", a_cluster_has_a_clock),
];

fn uuid(number: u32) -> Arc<str> {
    format!("5a000000-0000-4000-8000-{number:012x}").into()
}

fn name(number: u32) -> Arc<str> {
    format!("contract-{number}").into()
}

fn creation(ground: &Ground, number: u32) -> Operation {
    let config = ConfigSpec {
        name: Some(name(number)),
        instance_uuid: Some(uuid(number)),
        guest_id: Some("otherGuest".into()),
        num_cpus: Some(VCpus(1)),
        memory_mb: Some(MiB(64)),
        files: Some(FileInfo { vm_path_name: Some(format!("[{}]", ground.datastore).into()) }),
        extra_config: vec![OptionValue::new("vmservice.namespacedName", format!("contract/{}", name(number)))],
        ..ConfigSpec::default()
    };
    Operation::CreateVm { folder: ground.folder.clone(), config: Arc::new(config), pool: ground.pool.clone(), host: None }
}

fn power_on(vm: &VmId) -> Operation {
    Operation::PowerOnVm { vm: vm.clone(), host: None }
}

fn power_off(vm: &VmId) -> Operation {
    Operation::PowerOffVm { vm: vm.clone() }
}

fn destroy(vm: &VmId) -> Operation {
    Operation::DestroyVm { vm: vm.clone() }
}

fn it_says_who_it_is(world: &mut dyn Hypervisor) {
    let first = world.done(Operation::About {});
    assert!(matches!(&first, Reply::About { instance_uuid } if !instance_uuid.is_empty()), "{first:?}");
    assert_eq!(first, world.done(Operation::About {}), "and stays it");
}

fn a_created_vm_is_found_and_a_destroyed_one_leaves_nothing(world: &mut dyn Hypervisor) {
    let ground = world.ground();
    assert!(world.find(&uuid(1)).is_empty());
    let made = world.call(creation(&ground, 1));
    assert!(made.task.is_some(), "a create starts a task: {made:?}");
    let vm = match made.result {
        Ok(Reply::Created(vm)) => vm,
        other => panic!("a create answers the VM: {other:?}"),
    };
    assert_eq!(world.find(&uuid(1)), std::slice::from_ref(&vm));
    let read = world.read(&vm);
    let config = read.config.as_ref().expect("a config");
    assert_eq!((&read.id, &read.name, &config.instance_uuid), (&vm, &name(1), &uuid(1)));
    assert_eq!((config.hardware.num_cpu, config.hardware.memory_mb), (VCpus(1), MiB(64)));
    assert_eq!(
        (read.runtime.power_state, read.resource_pool.as_ref(), read.parent.as_ref()),
        (PowerState::PoweredOff, Some(&ground.pool), Some(&ground.folder))
    );
    assert_eq!(read.location.cluster.as_ref(), Some(&ground.cluster));
    assert_eq!(read.extra_config("vmservice.namespacedName"), Some("contract/contract-1"));
    assert_eq!(world.done(destroy(&vm)), Reply::Done);
    assert!(world.find(&uuid(1)).is_empty());
    world.refused(Operation::RetrieveVm { vm: vm.clone() }, "ManagedObjectNotFound");
    let again = world.create(1);
    assert_ne!(again, vm, "an id is never given again");
    world.done(destroy(&again));
}

fn an_item_of_the_library_becomes_a_vm(world: &mut dyn Hypervisor) {
    let ground = world.ground();
    let Operation::CreateVm { config, .. } = creation(&ground, 2) else { unreachable!("a create") };
    let config = ConfigSpec { files: None, ..(*config).clone() };
    let deploy = |item: &str| {
        Operation::DeployLibraryItem(vmtwin_model::vsphere::operation::DeployLibraryItem {
            item: item.into(),
            name: name(2),
            resource_pool_id: ground.pool.clone(),
            folder_id: ground.folder.clone(),
            host_id: None,
            storage_profile_id: Some(ground.policy.clone()),
            default_datastore_id: None,
            vm_config_spec: Arc::new(config.clone()),
        })
    };
    world.refused(deploy("00000000-0000-0000-0000-000000000000"), "ManagedObjectNotFound");
    let vm = match world.done(deploy(&ground.item)) {
        Reply::Created(vm) => vm,
        other => panic!("a deploy answers the VM: {other:?}"),
    };
    assert_eq!(world.find(&uuid(2)), std::slice::from_ref(&vm), "the spec that came along holds");
    let read = world.read(&vm);
    assert_eq!((&read.name, read.runtime.power_state), (&name(2), PowerState::PoweredOff));
    assert_eq!(read.config.as_ref().map(|config| config.hardware.memory_mb), Some(MiB(64)));
    world.done(destroy(&vm));
}

fn a_wrong_power_state_is_refused_with_both_states(world: &mut dyn Hypervisor) {
    let vm = world.create(3);
    let states = |fault: &vmtwin_model::vsphere::Fault| {
        let text = |name| fault.text(name).unwrap_or_default().to_owned();
        (text("requestedState"), text("existingState"))
    };
    let off = world.refused(power_off(&vm), "InvalidPowerState");
    assert_eq!(states(&off).1, "poweredOff");
    assert_eq!(world.done(power_on(&vm)), Reply::Done);
    let on = world.refused(power_on(&vm), "InvalidPowerState");
    assert_eq!(states(&on), ("poweredOn".into(), "poweredOn".into()));
    assert!(on.name.is_a("InvalidState"), "by ancestry too");
    let running = world.refused(destroy(&vm), "InvalidPowerState");
    assert_eq!(states(&running).1, "poweredOn");
    assert_eq!(world.read(&vm).runtime.power_state, PowerState::PoweredOn, "a refusal changes nothing");
    world.done(power_off(&vm));
    assert_eq!(world.read(&vm).runtime.power_state, PowerState::PoweredOff);
    world.done(destroy(&vm));
}

fn a_vm_is_suspended_and_resumed(world: &mut dyn Hypervisor) {
    let vm = world.create(4);
    world.refused(Operation::SuspendVm { vm: vm.clone() }, "InvalidPowerState");
    world.refused(Operation::ResetVm { vm: vm.clone() }, "InvalidPowerState");
    world.done(power_on(&vm));
    world.done(Operation::ResetVm { vm: vm.clone() });
    world.done(Operation::SuspendVm { vm: vm.clone() });
    assert_eq!(world.read(&vm).runtime.power_state, PowerState::Suspended);
    world.done(power_on(&vm));
    assert_eq!(world.read(&vm).runtime.power_state, PowerState::PoweredOn);
    world.done(power_off(&vm));
    world.done(destroy(&vm));
}

fn who_is_not_there_is_not_found_by_any_call(world: &mut dyn Hypervisor) {
    let vm = VmId::from("vm-999999");
    let spec = Arc::new(ConfigSpec { annotation: Some("a".into()), ..ConfigSpec::default() });
    for operation in [
        Operation::RetrieveVm { vm: vm.clone() },
        power_on(&vm),
        power_off(&vm),
        Operation::SuspendVm { vm: vm.clone() },
        Operation::ResetVm { vm: vm.clone() },
        Operation::ShutdownGuest { vm: vm.clone() },
        Operation::RebootGuest { vm: vm.clone() },
        Operation::ReconfigVm { vm: vm.clone(), spec },
        Operation::UpgradeVm { vm: vm.clone(), version: "vmx-21".into() },
        destroy(&vm),
    ] {
        let fault = world.refused(operation, "ManagedObjectNotFound");
        assert_eq!(fault.text("obj"), Some("vm-999999"));
    }
}

fn a_name_is_taken_once_in_a_folder(world: &mut dyn Hypervisor) {
    let vm = world.create(5);
    let ground = world.ground();
    let Operation::CreateVm { folder, config, pool, host } = creation(&ground, 5) else { unreachable!("a create") };
    let twin = ConfigSpec { instance_uuid: Some(uuid(50)), ..(*config).clone() };
    let fault = world.refused(Operation::CreateVm { folder, config: Arc::new(twin), pool, host }, "DuplicateName");
    assert_eq!((fault.text("name"), fault.text("object")), (Some(&*name(5)), Some(vm.as_str())));
    assert!(world.find(&uuid(50)).is_empty(), "nothing came of it");
    world.done(destroy(&vm));
}

fn each_task_is_another_and_ends_once(world: &mut dyn Hypervisor) {
    let vm = world.create(6);
    let mut tasks: BTreeSet<TaskId> = BTreeSet::new();
    for operation in [power_on(&vm), power_on(&vm), power_off(&vm)] {
        let answer = world.call(operation);
        // A refusal may come before there is a task, or as the task's end.
        if let Some(task) = answer.task {
            assert!(tasks.insert(task.clone()), "{task} is given twice");
        }
    }
    assert!(tasks.len() >= 2);
    assert!(world.call(Operation::RetrieveVm { vm: vm.clone() }).task.is_none(), "a read starts no task");
    let read = world.read(&vm);
    for task in read.recent_task.iter().filter(|task| tasks.contains(&task.key)) {
        assert!(!task.state.is_open(), "{} was answered, and runs", task.key);
        assert_eq!(task.error.is_some(), task.state == TaskState::Error);
        assert!(task.complete_time.is_some());
    }
    world.done(destroy(&vm));
}

fn calls_that_leave_together_are_each_answered_once(world: &mut dyn Hypervisor) {
    let ground = world.ground();
    let answers = world.call_all((70..78).map(|number| creation(&ground, number)).collect());
    let mut vms = BTreeSet::new();
    for answers in &answers {
        match answers.as_slice() {
            [Answer { result: Ok(Reply::Created(vm)), .. }] => assert!(vms.insert(vm.clone()), "{vm} is made twice"),
            other => panic!("one answer, and it succeeded: {other:?}"),
        }
    }
    assert_eq!(vms.len(), 8);
    let vm = vms.first().expect("a VM").clone();
    let answers = world.call_all(vec![power_on(&vm), power_on(&vm)]);
    let good = answers.iter().filter(|answers| answers.iter().all(|answer| answer.result.is_ok())).count();
    assert!(answers.iter().all(|answers| answers.len() == 1) && good == 1, "it is switched on once: {answers:?}");
    world.done(power_off(&vm));
    let answers = world.call_all(vms.iter().map(destroy).collect());
    assert!(answers.iter().flatten().all(|answer| answer.result == Ok(Reply::Done)), "{answers:?}");
}

fn a_reconfigure_changes_what_it_names(world: &mut dyn Hypervisor) {
    let vm = world.create(8);
    let spec = ConfigSpec {
        annotation: Some("a < b & c".into()),
        memory_mb: Some(MiB(128)),
        extra_config: vec![OptionValue::new("guestinfo.key", "two\nlines")],
        ..ConfigSpec::default()
    };
    world.done(Operation::ReconfigVm { vm: vm.clone(), spec: Arc::new(spec) });
    let read = world.read(&vm);
    let config = read.config.as_ref().expect("a config");
    assert_eq!((&*config.annotation, config.hardware.memory_mb, config.hardware.num_cpu), ("a < b & c", MiB(128), VCpus(1)));
    assert_eq!(read.extra_config("guestinfo.key"), Some("two\nlines"));
    assert_eq!(read.extra_config("vmservice.namespacedName"), Some("contract/contract-8"), "what isn't named stays");
    let spec = ConfigSpec { extra_config: vec![OptionValue::new("guestinfo.key", "")], ..ConfigSpec::default() };
    world.done(Operation::ReconfigVm { vm: vm.clone(), spec: Arc::new(spec) });
    assert_eq!(world.read(&vm).extra_config("guestinfo.key"), None, "an empty value takes a key away");
    world.done(destroy(&vm));
}

fn a_fault_on_purpose_comes_back_once_by_its_name(world: &mut dyn Hypervisor) {
    let vm = world.create(9);
    world.fail_next("PowerOnVM_Task", FaultName::NoCompatibleHost);
    world.refused(power_on(&vm), "NoCompatibleHost");
    assert_eq!(world.read(&vm).runtime.power_state, PowerState::PoweredOff);
    world.done(power_on(&vm));
    world.done(power_off(&vm));
    world.done(destroy(&vm));
}

fn changes_are_heard_under_the_name_of_the_object(world: &mut dyn Hypervisor) {
    let vm = world.create(10);
    let entered = world.hear(&vm, Changed::Entered);
    assert_eq!(entered.power_state, PowerState::PoweredOff);
    world.done(power_on(&vm));
    let on = world.hear(&vm, Changed::PowerState);
    assert_eq!((on.power_state, on.namespaced_name.as_deref()), (PowerState::PoweredOn, Some("contract/contract-10")));
    world.done(power_off(&vm));
    assert_eq!(world.hear(&vm, Changed::PowerState).power_state, PowerState::PoweredOff);
    let spec = ConfigSpec { extra_config: vec![OptionValue::new("guestinfo.key", "a")], ..ConfigSpec::default() };
    world.done(Operation::ReconfigVm { vm: vm.clone(), spec: Arc::new(spec) });
    world.hear(&vm, Changed::Config);
    world.done(destroy(&vm));
    let left = world.hear(&vm, Changed::Left);
    assert_eq!(left.namespaced_name.as_deref(), Some("contract/contract-10"));
}

fn a_child_is_found_by_its_kind(world: &mut dyn Hypervisor) {
    let vm = world.create(11);
    let Ground { pool, folder, .. } = world.ground();
    for name in ["no-such-child".into(), name(11)] {
        let pool = Operation::FindChildPool { entity: pool.clone(), name: Arc::clone(&name) };
        assert_eq!(world.done(pool), Reply::Child(None), "{name} is no pool");
        let folder = Operation::FindChildFolder { entity: folder.clone(), name: Arc::clone(&name) };
        assert_eq!(world.done(folder), Reply::Child(None), "{name} is no folder");
    }
    world.done(destroy(&vm));
}

fn a_cluster_has_a_clock(world: &mut dyn Hypervisor) {
    let cluster = world.ground().cluster;
    let clock = world.done(Operation::MinClusterCpu { cluster });
    assert!(matches!(clock, Reply::Clock(clock) if clock > MHz(0)), "{clock:?}");
    world.refused(Operation::MinClusterCpu { cluster: "domain-c999999".into() }, "ManagedObjectNotFound");
}
