//! Preparing the guest: what cloud-init reads, what vSphere customizes at the next power-on, the properties of a vApp. Source: vm-lifecycle
//! §11.9.
//!
//! A provider says what it wants as a part for the configuration and a part for the customization. Each is applied once: a hash of it is kept on the
//! object, and an equal hash is passed over; LinuxPrep and Sysprep may have a latch that decides instead.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmlifecycle/bootstrap.go`, `DoBootstrap`.

mod cloud_init;
mod customization;
mod template;
mod vapp;

pub(crate) use cloud_init::{gzip_base64, settle_instance_id};
pub(crate) use customization::plain_text;

use serde_json::{Value, json};
use vmtwin_model::kube::power::PowerState as Desired;
use vmtwin_model::kube::virtual_machine::{BootstrapSpec, LinuxPrep};
use vmtwin_model::kube::{Condition, ConditionType, Conditions, Reason};
use vmtwin_model::vsphere::spec::ConfigSpec;
use vmtwin_model::vsphere::vm::{Config, PowerState as Observed};
use vmtwin_model::vsphere::{self, Operation};
use xxhash_rust::xxh3::xxh3_64;

use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;
use crate::vm::create::interfaces::Interface;
use crate::vm::{VmDraft, keys, text_of};

/// What a provider wants of the VM.
#[derive(Debug, Default)]
struct Plan {
    /// For the configuration, with what stands for it in the hash.
    config: Option<(ConfigSpec, String)>,
    /// For the customization.
    custom: Option<Value>,
    /// What decides on the customization.
    latch: Latch,
}

/// What decides whether a customization is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Latch {
    /// Its hash: once for each content.
    #[default]
    Hash,
    /// The user asked for it at this power-on.
    Once,
    /// The user wants none.
    Never,
}

impl Latch {
    fn of(asked: Option<bool>) -> Self {
        match asked {
            None => Self::Hash,
            Some(true) => Self::Once,
            Some(false) => Self::Never,
        }
    }
}

/// The VM that a guest is prepared in.
struct Guest<'a> {
    config: &'a Config,
    interfaces: &'a [Interface],
    switches_on: bool,
    is_off: bool,
}

pub(super) fn apply(
    cx: &mut Cx<'_>,
    draft: &mut VmDraft,
    vm: &vsphere::VirtualMachine,
    config: &Config,
    interfaces: &[Interface],
) -> Flow<()> {
    let is_off = vm.runtime.power_state == Observed::PoweredOff;
    let switches_on = is_off && draft.spec().power_state == Some(Desired::PoweredOn);
    let guest = Guest { config, interfaces, switches_on, is_off };
    let plan = plan(cx, draft, &guest).map_err(|why| Verdict::failed(format!("failed to create bootstrap data: {why}")))?;
    let mut done = None;
    if let Some((spec, content)) = plan.config {
        done = configure(cx, draft, vm, spec, &content)?.or(done);
    }
    if let Some(custom) = plan.custom {
        done = customize(cx, draft, vm, custom, plan.latch)?.or(done);
    }
    done.map_or(Ok(()), |what| Err(Verdict::Progress(what).into()))
}

fn plan(cx: &mut Cx<'_>, draft: &mut VmDraft, guest: &Guest<'_>) -> Result<Plan, String> {
    let Some(bootstrap) = draft.spec().bootstrap.clone() else { return Ok(implicit(draft, guest)) };
    let BootstrapSpec { cloud_init, linux_prep, sysprep, vapp_config } = &bootstrap;
    if let Some(cloud_init) = cloud_init {
        return cloud_init::plan(cx, draft, guest, cloud_init);
    }
    let customizes = linux_prep.is_some() || sysprep.is_some();
    if (customizes && !guest.switches_on) || !guest.is_off {
        return Ok(Plan::default());
    }
    let config = match vapp_config {
        Some(vapp) => vapp::config(cx, draft, guest, vapp)?.map(hashed),
        None => None,
    };
    if let Some(prep) = linux_prep {
        let custom = Some(customization::linux_prep(cx, draft, guest, prep)?);
        return Ok(Plan { config, custom, latch: Latch::of(prep.customize_at_next_power_on) });
    }
    if let Some(sysprep) = sysprep {
        let custom = Some(customization::sysprep(cx, draft, guest, sysprep)?);
        return Ok(Plan { config, custom, latch: Latch::of(sysprep.customize_at_next_power_on) });
    }
    Ok(Plan { config, ..Plan::default() })
}

/// A Linux guest of which nobody said how it is prepared gets LinuxPrep when it is switched on, unless it boots from a CD-ROM.
fn implicit(draft: &VmDraft, guest: &Guest<'_>) -> Plan {
    let has_cdrom = draft.spec().hardware.as_ref().is_some_and(|hardware| !hardware.cdrom.is_empty());
    if !guest.switches_on || has_cdrom || !is_linux(&guest.config.guest_id) {
        return Plan::default();
    }
    let prep = LinuxPrep { hardware_clock_is_utc: Some(true), ..LinuxPrep::default() };
    Plan { custom: Some(customization::plain_linux_prep(draft, guest, &prep)), ..Plan::default() }
}

/// Whether a guest identifier is of the Linux family.
fn is_linux(guest_id: &str) -> bool {
    const FAMILY: [&str; 15] = [
        "redhat",
        "rhel",
        "centos",
        "oracle",
        "suse",
        "sles",
        "mandrake",
        "mandriva",
        "ubuntu",
        "debian",
        "asianux",
        "opensuse",
        "fedora",
        "coreos64",
        "vmwarePhoton",
    ];
    FAMILY.iter().any(|prefix| guest_id.starts_with(prefix)) || guest_id.contains("Linux") || guest_id.contains("linux")
}

/// Sends a provider's part for the configuration, once.
fn configure(
    cx: &mut Cx<'_>,
    draft: &mut VmDraft,
    vm: &vsphere::VirtualMachine,
    spec: ConfigSpec,
    content: &str,
) -> Flow<Option<&'static str>> {
    let hash = hash(content);
    if draft.annotation(keys::BOOTSTRAP_HASH_CONFIG) == Some(&hash) {
        return Ok(None);
    }
    crate::vm::ask(cx, Operation::ReconfigVm { vm: vm.id.clone(), spec: spec.into() }, "bootstrap reconfigure failed")?;
    draft.annotate(keys::BOOTSTRAP_HASH_CONFIG, Some(&hash));
    Ok(Some("bootstrap reconfigured vm"))
}

/// Has vSphere customize the guest at the next power-on, if the latch says so. What is pending already, or forbidden, counts as done.
fn customize(cx: &mut Cx<'_>, draft: &mut VmDraft, vm: &vsphere::VirtualMachine, spec: Value, latch: Latch) -> Flow<Option<&'static str>> {
    let hash = hash(&spec.to_string());
    let wanted = match latch {
        Latch::Hash => draft.annotation(keys::BOOTSTRAP_HASH_CUSTOM) != Some(&hash),
        Latch::Once => true,
        Latch::Never => false,
    };
    if !wanted {
        return Ok(None);
    }
    let disabled = draft.annotation(keys::VSPHERE_CUSTOMIZATION) == Some("disable");
    if disabled || vm.extra_config(keys::DEPLOY_PKG).is_some() {
        return Ok(None);
    }
    let operation = Operation::CustomizeVm { vm: vm.id.clone(), spec: spec.into() };
    match cx.call(operation.clone())? {
        Ok(_) => {}
        Err(failure) if failure.is_a("CustomizationPending") => {}
        Err(failure) => {
            let text = text_of(&operation, &failure);
            let now = cx.now();
            let condition = Condition::fails(ConditionType::GuestCustomization, Reason::GuestCustomizationFailed, text.clone());
            draft.status_mut().conditions.put(condition, now);
            return Err(Verdict::failed(format!("bootstrap customize failed: {text}")).into());
        }
    }
    draft.annotate(keys::BOOTSTRAP_HASH_CUSTOM, Some(&hash));
    if latch == Latch::Once {
        release(draft);
    }
    Ok(Some("bootstrap customized vm"))
}

/// The latch asks for one customization and no more.
fn release(draft: &mut VmDraft) {
    let Some(bootstrap) = &mut draft.spec_mut().bootstrap else { return };
    if let Some(prep) = &mut bootstrap.linux_prep {
        prep.customize_at_next_power_on = Some(false);
    }
    if let Some(sysprep) = &mut bootstrap.sysprep {
        sysprep.customize_at_next_power_on = Some(false);
    }
}

fn hashed(spec: ConfigSpec) -> (ConfigSpec, String) {
    let content = serde_json::to_value(&spec).unwrap_or_else(|_| json!(null)).to_string();
    (spec, content)
}

fn hash(content: &str) -> String {
    format!("{:016x}", xxh3_64(content.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_of_a_guest_is_told_by_its_identifier() {
        for id in
            ["ubuntu64Guest", "vmwarePhoton64Guest", "otherLinux64Guest", "other3xLinuxGuest", "rhel9_64Guest", "amazonlinux3_64Guest"]
        {
            assert!(is_linux(id), "{id}");
        }
        for id in
            ["windows2022srvNext_64Guest", "otherGuest", "otherGuest64", "freebsd13_64Guest", "darwin21_64Guest", "vmkernel7Guest", ""]
        {
            assert!(!is_linux(id), "{id}");
        }
    }

    #[test]
    fn a_latch_decides_in_the_place_of_the_hash() {
        assert_eq!([None, Some(true), Some(false)].map(Latch::of), [Latch::Hash, Latch::Once, Latch::Never]);
    }
}
