//! What is noted of the class is what the VM's hardware was made of. Source: seed "ClassConfigurationSynced Condition"; lifecycle §11.3.

use serde_json::Value;
use vmtwin_model::kube::Object;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::units::{MiB, VCpus, bytes_of};
use vmtwin_model::vsphere::vm::ConnectionState;

use super::excused::is_paused;
use super::{Check, Invariant, View, When};

const MARK: &str = "vmoperator.vmware.com/last-resized-vm-class";

pub(super) const RULE: Invariant = Invariant {
    name: "resize-marks-true",
    guards: "seed: ClassConfigurationSynced; lifecycle §11.3",
    holds: "the class that is noted as the last resized one, in that generation, is what the VM's CPUs and memory are",
    of_twin: false,
    when: When::AtRest(check),
};

fn check(view: &View<'_>, out: &mut Check) {
    for object in view.touched_objects::<VirtualMachine>() {
        let key = &object.object.key;
        if is_paused(object.object) || object.object.is_deleting() || view.history().was_meddled(&key.namespaced_name(), &["reconfigure"]) {
            continue;
        }
        let Some(vm) = view.vm_of(key).filter(|vm| vm.runtime.connection_state == ConnectionState::Connected) else { continue };
        let mark: Option<Value> = object.object.annotation(MARK).and_then(|mark| serde_json::from_str(mark).ok());
        let (Some(mark), Some(config)) = (mark, &vm.config) else { continue };
        let Some(uid) = mark.get("uid").and_then(Value::as_str) else { continue };
        let generation = mark.get("generation").and_then(Value::as_i64).unwrap_or_default();
        let Some((cpus, memory)) = view.history().class(uid, generation).and_then(|class| hardware(class)) else { continue };
        out.premise();
        let has = (config.hardware.num_cpu, config.hardware.memory_mb);
        if has != (cpus, memory) {
            out.violated(
                &[key, &vm.id],
                "the class that is noted isn't what the VM was made of",
                format!("{cpus} and {memory} of generation {generation}"),
                format!("{} and {}", has.0, has.1),
            );
        }
    }
}

/// CPUs and memory of a class that says both in its hardware alone; what a configSpec adds is for other rules.
fn hardware(class: &Object) -> Option<(VCpus, MiB)> {
    let spec = class.view::<VirtualMachineClass>()?.spec;
    let config = spec.config_spec.as_ref();
    if config.is_some_and(|config| config.get("numCPUs").is_some() || config.get("memoryMB").is_some()) {
        return None;
    }
    let hardware = spec.hardware.as_ref()?;
    let cpus = u32::try_from(hardware.cpus).ok().filter(|cpus| *cpus > 0)?;
    let memory = bytes_of(hardware.memory.as_ref()?).ok()?.to_mib_down();
    (memory > MiB::ZERO).then_some((VCpus(cpus), memory))
}
