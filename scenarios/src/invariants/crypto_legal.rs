//! What may never be asked of a VM's encryption. Source: reproduce §2, crypto-storage §1.5, §1.7.

use k8s_openapi::api::storage::v1::StorageClass;
use vmtwin_model::kube::storage_policy::StoragePolicy;
use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{Object, ObjectKey};
use vmtwin_model::vsphere::Operation;
use vmtwin_model::vsphere::spec::{ConfigSpec, CryptoSpec, DeviceType};
use vmtwin_model::vsphere::vm::PowerState;

use super::{Check, Invariant, View, When};
use crate::log::Record;

pub(super) const RULE: Invariant = Invariant {
    name: "crypto-legal",
    guards: "seed: Decrypting a VM, InvalidState; crypto-storage §1.7",
    holds: "no call takes the key from a VM or a disk; a VM that is on, sleeps or has a snapshot is never encrypted; one with neither \
            encrypted storage class nor vTPM is neither encrypted nor rekeyed",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    for call in view.calls_of(record) {
        let Operation::ReconfigVm { vm, spec } = &call.operation else { continue };
        let of_disks = spec.device_change.iter().filter_map(|change| change.crypto());
        if spec.crypto.iter().chain(of_disks).any(|asked| matches!(asked, CryptoSpec::Decrypt {})) {
            out.violated(&[vm], "a reconfigure takes a key away", "no CryptoSpecDecrypt", "CryptoSpecDecrypt");
        }
        let Some(asked) = &spec.crypto else { continue };
        let (Some(known), Some(there)) = (view.known(record), view.vm(vm)) else { continue };
        out.premise();
        if matches!(asked, CryptoSpec::Encrypt { .. }) {
            let states = view.states_during(record);
            if !states.is_empty() && !states.contains(&PowerState::PoweredOff) {
                out.violated(
                    &[&known.key, vm],
                    "a VM is to be encrypted that isn't off",
                    "poweredOff",
                    there.runtime.power_state.to_string(),
                );
            }
            if there.snapshot.is_some() {
                out.violated(&[&known.key, vm], "a VM is to be encrypted that has snapshots", "no snapshot", "snapshots");
            }
        }
        let devices = there.config.iter().flat_map(|config| &config.hardware.device).map(|device| &device.type_);
        let has_tpm = devices.chain(changed(spec)).any(|type_| *type_ == DeviceType::VirtualTPM);
        if !has_tpm && !is_encrypted(view, known) {
            let message = "a VM is encrypted or rekeyed that has neither encrypted storage class nor vTPM";
            out.violated(&[&known.key, vm], message, "no crypto", format!("{asked:?}"));
        }
    }
}

fn changed(spec: &ConfigSpec) -> impl Iterator<Item = &DeviceType> {
    spec.device_change.iter().map(|change| &change.device.type_)
}

/// Whether the policy of the VM's storage class encrypts; what isn't known any more is given the benefit of the doubt.
fn is_encrypted(view: &View<'_>, object: &Object) -> bool {
    let Some(vm) = object.view::<VirtualMachine>() else { return true };
    let class = view.object(&ObjectKey::of::<StorageClass>("", vm.spec.storage_class.as_str()));
    let class = class.and_then(|class| class.view::<StorageClass>());
    let Some(id) = class.and_then(|class| class.spec.parameters.as_ref()?.get("storagePolicyID").cloned()) else { return true };
    let mut policies = view.objects::<StoragePolicy>().filter(|policy| policy.spec.id == id).peekable();
    policies.peek().is_none() || policies.any(|policy| policy.status.encrypted)
}
