//! The create spec: what the class, the image and the VM say, put together. Source: vm-lifecycle §6.2, placement-groups §3.5.

use std::sync::Arc;

use vmtwin_model::kube::virtual_machine_class::{ResourceSpec, VirtualMachineClassSpec};
use vmtwin_model::units::{Amount, MHz, MiB, VCpus, bytes_of};
use vmtwin_model::vsphere::spec::{
    Allocation, Backing, ConfigSpec, Device, DeviceChange, DeviceType, FileInfo, ManagedBy, OptionValue, ProfileSpec, Shares,
};
use vmtwin_model::vsphere::{Operation, Reply};

use super::interfaces::Interface;
use super::place::Place;
use super::prerequisites::Needs;
use super::{class_devices, instance, placed_devices};
use crate::affinity::{self, Purpose};
use crate::features::Feature;
use crate::pass::{Cx, Flow};
use crate::policy::workload;
use crate::verdict::Verdict;
use crate::vm::update::configuration::boot_options;
use crate::vm::{VmDraft, ask, keys};

/// CPU, memory and their allocations, as a class says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compute {
    pub(crate) cpus: VCpus,
    pub(crate) memory: MiB,
    pub(crate) cpu: Allocation,
    pub(crate) memory_allocation: Allocation,
}

/// The spec with which the VM is made.
pub(super) fn build(cx: &mut Cx<'_>, draft: &VmDraft, needs: &Needs, interfaces: &[Interface], place: &Place) -> Flow<ConfigSpec> {
    let clock = clock_if_needed(cx, needs.class(), place.cluster.as_ref())?;
    let mut spec = base(draft, needs, clock)?;
    connect(&mut spec, interfaces);
    let owner = draft.base().key.namespaced_name();
    spec.uuid = Some(draft.spec().bios_uuid.as_str().into());
    spec.instance_uuid = Some(draft.spec().instance_uuid.as_str().into());
    spec.extra_config.push(OptionValue::new(keys::NAMESPACED_NAME, owner));
    spec.managed_by = Some(managed_by());
    class_devices::add_keys(&mut spec);
    spec.boot_options = boot_options::of_new(draft, spec.boot_options.take());
    workload::add_to(&mut spec, needs.applied.as_ref());
    affinity::add_to(&mut spec, &cx.settings.features, draft.view(), Purpose::Creation);
    Ok(spec)
}

/// The spec with which a place for the VM is looked for.
pub(super) fn to_be_placed(
    cx: &mut Cx<'_>,
    draft: &VmDraft,
    needs: &Needs,
    cluster: Option<&vmtwin_model::id::ClusterId>,
) -> Flow<ConfigSpec> {
    let clock = clock_if_needed(cx, needs.class(), cluster)?;
    for_placement(cx, draft, needs, clock)
}

/// The same at a known clock; it asks vSphere nothing. Source: placement-groups §3.5.
pub(crate) fn for_placement(cx: &mut Cx<'_>, draft: &VmDraft, needs: &Needs, clock: MHz) -> Flow<ConfigSpec> {
    let mut spec = base(draft, needs, clock)?;
    spec.files = Some(FileInfo::default());
    spec.rest.remove("vAppConfig");
    workload::add_to(&mut spec, needs.applied.as_ref());
    let instance = instance::disks(cx, draft)?;
    placed_devices::complete(&mut spec, needs, cx.settings.features.on(Feature::FastDeploy), instance);
    affinity::add_to(&mut spec, &cx.settings.features, draft.view(), Purpose::Placement);
    Ok(spec)
}

/// The marks by which a vSphere VM shows that it is ours.
pub(crate) fn managed_by() -> ManagedBy {
    ManagedBy { extension_key: keys::MANAGED_BY.0.into(), type_: keys::MANAGED_BY.1.into() }
}

fn base(draft: &VmDraft, needs: &Needs, clock: MHz) -> Flow<ConfigSpec> {
    let class = needs.class();
    let mut spec = class_config(class)?;
    spec.device_change.extend(class_devices::listed(class));
    let compute = compute(class, &spec, clock)?;
    spec.name = Some(draft.name().clone());
    spec.annotation.get_or_insert_with(|| keys::DEFAULT_ANNOTATION.into());
    spec.num_cpus = Some(compute.cpus);
    spec.memory_mb = Some(compute.memory);
    spec.cpu_allocation = Some(compute.cpu);
    spec.memory_allocation = Some(compute.memory_allocation);
    spec.guest_id = guest_id(draft, needs, spec.guest_id.take());
    if let Some(firmware) = firmware(draft, needs) {
        spec.firmware = Some(firmware);
    }
    if let Some(tracking) = draft.spec().advanced.as_ref().and_then(|advanced| advanced.change_block_tracking) {
        spec.change_tracking_enabled = Some(tracking);
    }
    let version = hardware_version(draft, needs, spec.version.take(), &spec.device_change);
    spec.version = version.map(|version| format!("vmx-{version}").into());
    spec.vm_profile = vec![ProfileSpec { profile_id: needs.storage_policy.clone() }];
    Ok(spec)
}

/// The class's `configSpec`, without what only a VM can say.
pub(crate) fn class_config(class: &VirtualMachineClassSpec) -> Flow<ConfigSpec> {
    let Some(json) = &class.config_spec else { return Ok(ConfigSpec::default()) };
    let mut spec: ConfigSpec = serde_json::from_value(json.clone())
        .map_err(|error| Verdict::failed(format!("failed to read the configSpec of the VirtualMachineClass: {error}")))?;
    spec.rest.remove("_typeName");
    for name in [&mut spec.name, &mut spec.uuid, &mut spec.instance_uuid] {
        *name = None;
    }
    spec.files = None;
    Ok(spec)
}

/// The clock by which CPU requests in processors become MHz; asked for only where the class has such requests.
pub(crate) fn clock_if_needed(
    cx: &mut Cx<'_>,
    class: &VirtualMachineClassSpec,
    cluster: Option<&vmtwin_model::id::ClusterId>,
) -> Flow<MHz> {
    let Some(cluster) = cluster.filter(|_| needs_clock(class)) else { return Ok(MHz::ZERO) };
    let Reply::Clock(clock) = ask(cx, Operation::MinClusterCpu { cluster: cluster.clone() }, "failed to get minimum CPU frequency")? else {
        unreachable!("a clock rate was asked for")
    };
    Ok(clock)
}

/// Whether a class counts CPU in processors.
pub(crate) fn needs_clock(class: &VirtualMachineClassSpec) -> bool {
    let resources = class.policies.as_ref().and_then(|policies| policies.resources.as_ref());
    resources.is_some_and(|resources| is_set(resources.requests.as_ref(), cpu_of) || is_set(resources.limits.as_ref(), cpu_of))
}

fn cpu_of(spec: &ResourceSpec) -> Option<Amount> {
    Amount::parse(&spec.cpu.as_ref()?.0).ok()
}

fn memory_of(spec: &ResourceSpec) -> Option<Amount> {
    Amount::parse(&spec.memory.as_ref()?.0).ok()
}

fn is_set(spec: Option<&ResourceSpec>, part: fn(&ResourceSpec) -> Option<Amount>) -> bool {
    spec.and_then(part).is_some_and(|amount| amount > Amount::default())
}

/// CPU, memory and their allocations. `hardware` always wins over `configSpec`; allocations come from the policies if they say anything.
pub(crate) fn compute(class: &VirtualMachineClassSpec, config: &ConfigSpec, clock: MHz) -> Flow<Compute> {
    let hardware = class.hardware.as_ref();
    let cpus = hardware.map_or(0, |hardware| hardware.cpus);
    let memory = match hardware.and_then(|hardware| hardware.memory.as_ref()) {
        Some(quantity) => bytes_of(quantity)
            .map_err(|error| Verdict::failed(format!("spec.hardware.memory of the VirtualMachineClass: {error}")))?
            .to_mib_up(),
        None => MiB::ZERO,
    };
    let cpus = u32::try_from(cpus).ok().filter(|cpus| *cpus > 0).map(VCpus).or(config.num_cpus).unwrap_or(VCpus(1));
    let memory = if memory > MiB::ZERO { memory } else { config.memory_mb.unwrap_or(MiB(1024)) };
    let resources = class.policies.as_ref().and_then(|policies| policies.resources.as_ref());
    let (requests, limits) = (resources.and_then(|r| r.requests.as_ref()), resources.and_then(|r| r.limits.as_ref()));
    let in_mhz = |amount: Amount| (amount.milli_up().saturating_mul(clock.0) + 999) / 1000;
    let in_mib = |amount: Amount| vmtwin_model::units::Bytes(amount.value_up()).to_mib_up().0;
    Ok(Compute {
        cpus,
        memory,
        cpu: allocation(requests.and_then(cpu_of).map(in_mhz), limits.and_then(cpu_of).map(in_mhz), config.cpu_allocation.as_ref()),
        memory_allocation: allocation(
            requests.and_then(memory_of).map(in_mib),
            limits.and_then(memory_of).map(in_mib),
            config.memory_allocation.as_ref(),
        ),
    })
}

fn allocation(request: Option<i64>, limit: Option<i64>, config: Option<&Allocation>) -> Allocation {
    let (request, limit) = (request.filter(|value| *value > 0), limit.filter(|value| *value > 0));
    let config = config.cloned().unwrap_or_default();
    let shares = Some(config.shares.unwrap_or(Shares::default()));
    if request.is_some() || limit.is_some() {
        return Allocation { reservation: Some(request.unwrap_or(0)), limit: Some(limit.unwrap_or(Allocation::UNLIMITED)), shares };
    }
    Allocation { reservation: Some(config.reservation.unwrap_or(0)), limit: Some(config.limit.unwrap_or(Allocation::UNLIMITED)), shares }
}

/// The guest ID that a new VM will have, as far as it is known.
pub(crate) fn guest_of(draft: &VmDraft, needs: &Needs) -> Flow<Arc<str>> {
    let class = class_config(needs.class())?.guest_id;
    let of_image = || needs.image.os_info.as_ref().map(|os| os.type_.as_str().into()).unwrap_or_default();
    Ok(guest_id(draft, needs, class).unwrap_or_else(of_image))
}

/// The VM's own guest ID; else the class's, unless that says nothing either; else the image's, which the deploy brings.
fn guest_id(draft: &VmDraft, needs: &Needs, class: Option<Arc<str>>) -> Option<Arc<str>> {
    let own = &draft.spec().guest_id;
    if !own.is_empty() {
        return Some(own.as_str().into());
    }
    let image_says = needs.image.os_info.as_ref().is_some_and(|os| !os.type_.is_empty());
    match class.filter(|id| !id.is_empty()) {
        Some(id) if image_says || &*id != "otherGuest64" => Some(id),
        _ if image_says => None,
        _ => Some("otherGuest".into()),
    }
}

/// The VM's own firmware, else the image's; else it is left to the class.
fn firmware(draft: &VmDraft, needs: &Needs) -> Option<Arc<str>> {
    let own = draft.spec().boot_options.as_ref().and_then(|options| options.firmware);
    let own = own.map(|firmware| firmware.as_str().to_ascii_lowercase().into());
    own.or_else(|| Some(needs.image.firmware.as_str()).filter(|firmware| !firmware.is_empty()).map(Into::into))
}

/// The class's version or `minHardwareVersion`, whichever is newer. Where the class says none, what the devices need, but not less than the image has;
/// nothing leaves it to the platform. Source: vm-lifecycle §6.2.
fn hardware_version(draft: &VmDraft, needs: &Needs, class: Option<Arc<str>>, devices: &[DeviceChange]) -> Option<i32> {
    const FOR_PASSTHROUGH: i32 = 17;
    const FOR_CLAIMS: i32 = 15;
    const FOR_TPM: i32 = 14;
    let own = draft.spec().min_hardware_version;
    if let Some(of_class) = class.and_then(|version| version.strip_prefix("vmx-")?.parse::<i32>().ok()).filter(|version| *version > 0) {
        return Some(of_class.max(own));
    }
    let has = |type_: DeviceType| devices.iter().any(|change| change.device.type_ == type_);
    let claims = draft.spec().volumes.iter().any(|volume| volume.persistent_volume_claim.is_some());
    let reasons = [(has(DeviceType::VirtualPCIPassthrough), FOR_PASSTHROUGH), (claims, FOR_CLAIMS), (has(DeviceType::VirtualTPM), FOR_TPM)];
    let of_image = needs.image.hardware_version.unwrap_or(0);
    let needed = reasons.into_iter().filter(|(applies, _)| *applies).map(|(_, least)| least.max(of_image));
    needed.chain([own]).max().filter(|version| *version > 0)
}

/// The n-th Ethernet card of the class belongs to the n-th interface; interfaces beyond get VMXNET3, cards beyond are dropped.
/// Source: vm-lifecycle §11.7.2.
fn connect(spec: &mut ConfigSpec, interfaces: &[Interface]) {
    let (cards, others): (Vec<_>, Vec<_>) =
        std::mem::take(&mut spec.device_change).into_iter().partition(|change| change.device.type_.is_ethernet_card());
    spec.device_change = others;
    let mut cards = cards.into_iter();
    for (interface, key) in interfaces.iter().zip((-1000..).step_by(1)) {
        let (mut device, is_new) = match cards.next() {
            Some(card) => (card.device, false),
            None => (Device::new(DeviceType::VirtualVmxnet3, key), true),
        };
        plug(&mut device, interface);
        if interface.mac.is_empty() && is_new {
            device.address_type = Some("generated".into());
        }
        spec.device_change.push(DeviceChange::add(device));
    }
}

/// Puts an interface's network, port and MAC address on a card; all else of the card stays.
pub(crate) fn plug(card: &mut Device, interface: &Interface) {
    card.backing = Some(Backing {
        type_: Some("VirtualEthernetCardNetworkBackingInfo".into()),
        device_name: Some(interface.network.clone()),
        ..Backing::default()
    });
    if !interface.external_id.is_empty() {
        card.external_id = Some(interface.external_id.as_str().into());
    }
    if !interface.mac.is_empty() {
        card.address_type = Some("manual".into());
        card.mac_address = Some(interface.mac.as_str().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(json: serde_json::Value) -> VirtualMachineClassSpec {
        serde_json::from_value(json).expect("a class's spec")
    }

    fn computed(class: &VirtualMachineClassSpec) -> Compute {
        let config = class_config(class).expect("a config spec");
        compute(class, &config, MHz(2600)).expect("a class")
    }

    #[test]
    fn the_documented_class_reserves_and_limits_in_mhz_and_mb() {
        let compute = computed(&class(serde_json::json!({
            "configSpec": {"cpuAllocation": {"limit": 400, "reservation": 200}, "memoryAllocation": {"limit": 2048, "reservation": 1024}},
            "hardware": {"cpus": 2, "memory": "4Gi"}
        })));
        assert_eq!((compute.cpus, compute.memory), (VCpus(2), MiB(4096)));
        assert_eq!((compute.cpu.reservation, compute.cpu.limit), (Some(200), Some(400)));
        assert_eq!((compute.memory_allocation.reservation, compute.memory_allocation.limit), (Some(1024), Some(2048)));
    }

    #[test]
    fn requests_of_the_policies_are_counted_at_the_clusters_slowest_clock() {
        let compute = computed(&class(serde_json::json!({
            "policies": {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "2"}}},
            "configSpec": {"cpuAllocation": {"limit": 400, "reservation": 200}},
            "hardware": {"cpus": 2, "memory": "4Gi"}
        })));
        assert_eq!((compute.cpu.reservation, compute.cpu.limit), (Some(1300), Some(5200)));
        assert_eq!((compute.memory_allocation.reservation, compute.memory_allocation.limit), (Some(1024), Some(-1)));
    }

    #[test]
    fn hardware_wins_over_the_config_spec() {
        let compute =
            computed(&class(serde_json::json!({"configSpec": {"numCPUs": 8, "memoryMB": 512}, "hardware": {"cpus": 2, "memory": "4Gi"}})));
        assert_eq!((compute.cpus, compute.memory), (VCpus(2), MiB(4096)));
    }

    #[test]
    fn interfaces_take_the_classes_cards_in_order_and_vmxnet3_beyond() {
        let mut spec = class_config(&class(serde_json::json!({"configSpec": {"deviceChange": [
            {"device": {"_typeName": "VirtualE1000", "key": -100}, "operation": "add"},
            {"device": {"_typeName": "VirtualVmxnet2", "key": -200}, "operation": "add"}]}})))
        .expect("a config spec");
        let interfaces: Vec<Interface> =
            ["eth0", "eth1", "eth2"].iter().map(|name| Interface { name: (*name).to_owned(), ..Interface::default() }).collect();
        connect(&mut spec, &interfaces);
        let types: Vec<&DeviceType> = spec.device_change.iter().map(|change| &change.device.type_).collect();
        assert_eq!(types, [&DeviceType::VirtualE1000, &DeviceType::VirtualVmxnet2, &DeviceType::VirtualVmxnet3]);
        connect(&mut spec, &interfaces[..1]);
        assert_eq!(spec.device_change.len(), 1, "cards beyond the interfaces are dropped");
    }
}
