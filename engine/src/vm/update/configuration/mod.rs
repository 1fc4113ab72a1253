//! Step 10: the VM's configuration: its marks, its class, its guest, its network as intended, its bootstrap. Source: vm-lifecycle §11.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmprovider_vm_utils.go` and `session/session_vm_update.go`. All that is to change goes into one
//! reconfigure; whatever it changes ends the pass, so that a power-on finds the VM as it is to be.

pub(crate) mod boot_options;
pub(crate) mod bootstrap;
mod cdrom;
mod cluster_module;
mod network_config;
pub(crate) mod nics;
pub(crate) mod promotion;
pub(crate) mod resize;

pub(super) use bootstrap::{gzip_base64, plain_text};

use std::sync::Arc;

use vmtwin_model::kube::power::PowerState as Desired;
use vmtwin_model::kube::virtual_machine_class::VirtualMachineClass;
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason, Resource};
use vmtwin_model::units::{Bytes, bytes_of};
use vmtwin_model::vsphere::spec::{ConfigSpec, Device, DeviceChange, DeviceType, OptionValue};
use vmtwin_model::vsphere::vm::{Config, PowerState as Observed};
use vmtwin_model::vsphere::{self, Failure, FaultName, Operation};

use super::{has_running_task, paused_by, power};
use crate::crypto::Doing;
use crate::features::Feature;
use crate::pass::{Cx, Flow, Known, Stop};
use crate::policy::workload;
use crate::settings::NetworkProvider;
use crate::verdict::Verdict;
use crate::vm::create::{interfaces, prerequisites, spec};
use crate::vm::encryption::{self, Scope};
use crate::vm::{VmDraft, keys, text_of};
use crate::volumes;

/// What may change in this pass. Source: vm-lifecycle §11.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// The VM sleeps or a task has it: nothing of ours.
    Nothing,
    /// Somebody holds it: our marks alone.
    Marks,
    /// It runs.
    On,
    /// It is off and to be switched on, or there is no resize.
    Off,
    /// It is off and stays off.
    Resize,
}

pub(super) fn reconcile(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine) -> Flow<Option<Arc<str>>> {
    let Some(config) = &vm.config else { return Err(Verdict::terminal("nil config info").into()) };
    power::reachable(vm)?;
    match apply(cx, draft, vm, config) {
        Ok(()) => Ok(None),
        Err(Stop::End(Verdict::Failed(error))) => Ok(Some(error)),
        Err(stop) => Err(stop),
    }
}

fn apply(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine, config: &Config) -> Flow<()> {
    let set = set_of(cx, draft, vm);
    note_pause(draft, vm);
    if matches!(set, Set::Nothing | Set::Marks) {
        if set == Set::Nothing {
            promotion::reconcile(cx, draft, vm, config)?;
        }
        let mut change = if set == Set::Nothing { ConfigSpec::default() } else { marks(draft, config) };
        let scope = if set == Set::Marks || has_running_task(vm) { Scope::Report } else { Scope::Whole };
        let doing = encryption::reconcile(cx, draft, vm, config, &mut change, scope)?;
        return reconfigure(cx, draft, vm, change, set, doing).map_err(of_update);
    }
    let ready = bring_up_to_date(cx, draft, vm, config, set).map_err(of_update)?;
    if set == Set::Off
        && !crate::planted::is("volumes-not-awaited")
        && draft.spec().power_state == Some(Desired::PoweredOn)
        && let Some(pending) = volumes::pending(draft)
    {
        return Err(Verdict::failed(pending).into());
    }
    prepare_guest(cx, draft, vm, config, set, &ready).map_err(of_update)
}

/// An error says that it came of bringing the VM up to its spec.
fn of_update(stop: Stop) -> Stop {
    match stop {
        Stop::End(Verdict::Failed(error)) => Verdict::failed(format!("updating state failed with {error}")).into(),
        other => other,
    }
}

/// Brings devices, size and keys to what the object asks for; the interfaces come back.
fn bring_up_to_date(
    cx: &mut Cx<'_>,
    draft: &mut VmDraft,
    vm: &vsphere::VirtualMachine,
    config: &Config,
    set: Set,
) -> Flow<Vec<interfaces::Interface>> {
    let mut change = marks(draft, config);
    let class = find_class(cx, draft, set)?;
    prerequisites::check_bootstrap(cx, draft).map_err(Verdict::Failed)?;
    cluster_module::join(cx, draft, vm)?;
    if draft.spec().guest_id.is_empty() && draft.status().conditions.condition(&ConditionType::GuestIdReconfigured).is_some() {
        draft.status_mut().conditions.take(&ConditionType::GuestIdReconfigured);
    }
    hardware_version(cx, draft, vm, config)?;
    let ready = interfaces::ready(cx, draft)?;
    let applied = policies(cx, draft, config)?;
    workload::correct(&mut change, vm, applied.as_ref());
    collect(cx, draft, vm, config, set, class.as_ref(), &mut change)?;
    let mutable = cx.settings.features.on(Feature::MutableNetworks);
    change.boot_options = boot_options::collect(draft, config, &ready, mutable);
    if set == Set::On && cx.settings.network_provider == NetworkProvider::Vpc {
        change.device_change.extend(nics::attached_anew(draft, &config.hardware.device, &ready));
    }
    if mutable && set != Set::On {
        change.device_change.extend(nics::changes(cx, draft, &config.hardware.device, &ready));
    }
    promotion::reconcile(cx, draft, vm, config)?;
    let doing = encryption::reconcile(cx, draft, vm, config, &mut change, Scope::Whole)?;
    reconfigure(cx, draft, vm, change, set, doing)?;
    if set != Set::On
        && let Some(class) = &class
    {
        resize::note(cx, draft, class);
    }
    Ok(ready)
}

/// Tells the guest of its network, and prepares it by its bootstrap provider.
fn prepare_guest(
    cx: &mut Cx<'_>,
    draft: &mut VmDraft,
    vm: &vsphere::VirtualMachine,
    config: &Config,
    set: Set,
    ready: &[interfaces::Interface],
) -> Flow<()> {
    let mutable = cx.settings.features.on(Feature::MutableNetworks);
    if mutable && set != Set::On {
        nics::collect_orphans(cx, draft, ready)?;
    }
    network_config::write(cx, draft, ready)?;
    let by_cloud_init = draft.spec().bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.cloud_init.is_some());
    if mutable && set == Set::On && by_cloud_init && nics::is_pending(cx, draft, &config.hardware.device, ready) {
        // The guest would be told of cards that it hasn't got.
        return Ok(());
    }
    bootstrap::apply(cx, draft, vm, config, ready)
}

/// The compute policies that apply, told in the status.
fn policies(cx: &mut Cx<'_>, draft: &mut VmDraft, config: &Config) -> Flow<Option<workload::Applied>> {
    let own = draft.spec().guest_id.clone();
    let guest_id = if own.is_empty() { &*config.guest_id } else { own.as_str() };
    let applied = workload::applied(cx, draft, guest_id, workload::Stage::Existing)?;
    workload::report(draft, applied.as_ref());
    Ok(applied)
}

fn set_of(cx: &Cx<'_>, draft: &VmDraft, vm: &vsphere::VirtualMachine) -> Set {
    if vm.runtime.power_state == Observed::Suspended || has_running_task(vm) {
        Set::Nothing
    } else if paused_by(draft, vm).is_some() {
        Set::Marks
    } else if vm.runtime.power_state == Observed::PoweredOn {
        Set::On
    } else if draft.spec().power_state == Some(Desired::PoweredOn) || !resize::gate_is_on(cx.settings) {
        Set::Off
    } else {
        Set::Resize
    }
}

fn note_pause(draft: &mut VmDraft, vm: &vsphere::VirtualMachine) {
    let who = paused_by(draft, vm);
    draft.set_label(keys::PAUSED, who);
}

/// `managedBy` and `vmservice.namespacedName`, put back where they are gone.
fn marks(draft: &VmDraft, config: &Config) -> ConfigSpec {
    let mut change = ConfigSpec::default();
    if config.managed_by != Some(spec::managed_by()) {
        change.managed_by = Some(spec::managed_by());
    }
    let name = draft.base().key.namespaced_name();
    if config.extra_config.get(keys::NAMESPACED_NAME).is_none_or(|there| **there != *name) {
        change.extra_config.push(OptionValue::new(keys::NAMESPACED_NAME, name));
    }
    change
}

/// The class must be there, but for a VM that is off and stays off.
fn find_class(cx: &mut Cx<'_>, draft: &mut VmDraft, set: Set) -> Flow<Option<Known<VirtualMachineClass>>> {
    let name = draft.spec().class_name.clone();
    if name.is_empty() {
        return Ok(None);
    }
    let class = cx.find::<VirtualMachineClass>(&draft.namespace().clone(), &name);
    let now = cx.now();
    match class {
        Some(class) => {
            if !draft.status().conditions.is_true(&ConditionType::ClassReady) {
                draft.status_mut().conditions.put(Condition::holds(ConditionType::ClassReady), now);
            }
            Ok(Some(class))
        }
        None => {
            let info = VirtualMachineClass::KIND.info();
            let text = format!("{}.{} {name:?} not found", info.plural, info.group);
            draft.status_mut().conditions.put(Condition::fails(ConditionType::ClassReady, Reason::NotFound, text.clone()), now);
            if set == Set::Resize { Ok(None) } else { Err(Verdict::failed(text).into()) }
        }
    }
}

/// Source: vm-lifecycle §11.5.
fn hardware_version(cx: &mut Cx<'_>, draft: &VmDraft, vm: &vsphere::VirtualMachine, config: &Config) -> Flow<()> {
    const NEWEST: i32 = 22;
    let wanted = draft.spec().min_hardware_version;
    if wanted > NEWEST {
        return Err(Verdict::failed(format!("invalid minHardwareVersion: {wanted}")).into());
    }
    let observed: i32 = config.version.strip_prefix("vmx-").and_then(|number| number.parse().ok()).unwrap_or(0);
    if wanted == 0 || observed >= wanted || vm.runtime.power_state != Observed::PoweredOff {
        return Ok(());
    }
    crate::vm::ask(cx, Operation::UpgradeVm { vm: vm.id.clone(), version: format!("vmx-{wanted}").into() }, "failed to upgrade vm")?;
    Err(Verdict::Progress("upgraded hardware version").into())
}

/// Puts together what the set of this pass allows.
fn collect(
    cx: &mut Cx<'_>,
    draft: &VmDraft,
    vm: &vsphere::VirtualMachine,
    config: &Config,
    set: Set,
    class: Option<&Known<VirtualMachineClass>>,
    change: &mut ConfigSpec,
) -> Flow<()> {
    if matches!(set, Set::On | Set::Off) && vm.extra_config(keys::EVACUATION_POWER_OFF).is_some() {
        change.extra_config.push(OptionValue::new(keys::EVACUATION_POWER_OFF, ""));
    }
    if set != Set::Resize
        && let Some(tracking) = draft.spec().advanced.as_ref().and_then(|advanced| advanced.change_block_tracking)
        && config.change_tracking_enabled.unwrap_or(false) != tracking
    {
        change.change_tracking_enabled = Some(tracking);
    }
    if set == Set::Off && config.annotation.is_empty() {
        change.annotation = Some(keys::DEFAULT_ANNOTATION.into());
    }
    let guest_id = &draft.spec().guest_id;
    if set == Set::Off && !guest_id.is_empty() && **guest_id != *config.guest_id {
        change.guest_id = Some(guest_id.as_str().into());
    }
    let devices = &config.hardware.device;
    match set {
        Set::Off => {
            change.device_change.extend(grown_boot_disk(draft, devices)?);
            change.device_change.extend(cdrom::while_off(cx, draft, devices)?);
        }
        Set::On => change.device_change.extend(cdrom::while_on(cx, draft, devices)?),
        Set::Nothing | Set::Marks | Set::Resize => {}
    }
    if (matches!(set, Set::Off | Set::Resize) || crate::planted::is("resize-while-on"))
        && let Some(class) = class
    {
        resize::collect(cx, draft, vm, config, class, change)?;
    }
    Ok(())
}

/// The first disk at the size that is asked for. A VM with CD-ROMs is left as it is: its disks come from its class. Source: vm-lifecycle §11.6.
fn grown_boot_disk(draft: &VmDraft, devices: &[Device]) -> Flow<Option<DeviceChange>> {
    let spec = draft.spec();
    let quantity = spec.advanced.as_ref().and_then(|advanced| advanced.boot_disk_capacity.as_ref());
    let wanted = quantity.and_then(|quantity| bytes_of(quantity).ok()).filter(|wanted| *wanted > Bytes::ZERO);
    let has_cdrom = spec.hardware.as_ref().is_some_and(|hardware| !hardware.cdrom.is_empty());
    let disk = devices.iter().find(|device| device.type_ == DeviceType::VirtualDisk);
    let (Some(wanted), Some(disk), false) = (wanted, disk, has_cdrom) else { return Ok(None) };
    let there = disk.capacity_in_bytes.unwrap_or_default();
    if wanted < there {
        return Err(Verdict::failed(format!("cannot shrink boot disk from {} bytes to {} bytes", there.0, wanted.0)).into());
    }
    Ok((wanted > there).then(|| DeviceChange::edit(Device { capacity_in_bytes: Some(wanted), ..disk.clone() })))
}

/// Sends the change, unless it is empty; what it changed ends the pass.
fn reconfigure(
    cx: &mut Cx<'_>,
    draft: &mut VmDraft,
    vm: &vsphere::VirtualMachine,
    change: ConfigSpec,
    set: Set,
    doing: Option<Doing>,
) -> Flow<()> {
    if change == ConfigSpec::default() {
        return Ok(());
    }
    let resized =
        change.num_cpus.is_some() || change.memory_mb.is_some() || change.cpu_allocation.is_some() || change.memory_allocation.is_some();
    let guest_id = change.guest_id.clone();
    let tracking = change.change_tracking_enabled;
    let operation = Operation::ReconfigVm { vm: vm.id.clone(), spec: change.into() };
    if resized && crate::planted::is("resize-marked-on-failure") {
        resize::note_applied(cx, draft);
    }
    let result = cx.call(operation.clone())?;
    note_guest_id(cx, draft, guest_id.as_deref(), result.as_ref().err());
    match result {
        Ok(_) => {
            if resized {
                resize::note_applied(cx, draft);
            }
            if set == Set::On {
                draft.annotate(keys::RECONFIGURE_NIC, None);
            }
            if set == Set::On && tracking.is_some() {
                // Block tracking takes effect once the VM was suspended and resumed. Its failure leaves it to the next power cycle.
                let _ = cx.call(Operation::InvokeFsr { vm: vm.id.clone() })?;
            }
            Err(Verdict::Progress("reconfigured vm").into())
        }
        Err(failure) => {
            encryption::note_refusal(cx, draft, doing, failure.fault());
            let text = text_of(&operation, &failure);
            Err(Verdict::failed(format!("reconfigure VM task failed: {text}")).into())
        }
    }
}

/// `GuestIDReconfigured` is False where vSphere refused the guest ID, and gone otherwise.
fn note_guest_id(cx: &Cx<'_>, draft: &mut VmDraft, guest_id: Option<&str>, failure: Option<&Failure>) {
    let refused = failure.and_then(Failure::fault).is_some_and(|fault| {
        fault.name == FaultName::InvalidArgument && fault.text("invalidProperty").is_some_and(|path| path.contains("configSpec.guestId"))
    });
    match guest_id.filter(|_| refused) {
        Some(id) => {
            let now = cx.now();
            let text = format!("The specified guest ID value is not supported: {id}");
            draft.status_mut().conditions.put(Condition::fails(ConditionType::GuestIdReconfigured, Reason::Invalid, text), now);
        }
        None => {
            if draft.status().conditions.condition(&ConditionType::GuestIdReconfigured).is_some() {
                draft.status_mut().conditions.take(&ConditionType::GuestIdReconfigured);
            }
        }
    }
}
