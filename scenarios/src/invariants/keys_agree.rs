//! At rest what is said of a VM's encryption is what vSphere has. Source: reproduce §2; seed "Encryption Status".

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::kube::{ConditionType, Conditions};
use vmtwin_model::vsphere::spec::DeviceType;
use vmtwin_model::vsphere::vm::ConnectionState;

use super::{Check, Invariant, View, When};

pub(super) const RULE: Invariant = Invariant {
    name: "keys-agree",
    guards: "seed: Encryption Status; crypto-storage §1.8, §6.1",
    holds: "where EncryptionSynced is True, status.crypto has the VM's key, status.volumes[].crypto the disks'",
    of_twin: false,
    when: When::AtRest(check),
};

fn check(view: &View<'_>, out: &mut Check) {
    for object in view.touched_objects::<VirtualMachine>() {
        let key = &object.object.key;
        let paused = object.object.annotation("vmoperator.vmware.com/paused").is_some() || object.object.is_deleting();
        if paused || !object.status.conditions.is_true(&ConditionType::EncryptionSynced) {
            continue;
        }
        let Some(vm) = view.vm_of(key).filter(|vm| vm.runtime.connection_state == ConnectionState::Connected) else { continue };
        let Some(config) = &vm.config else { continue };
        out.premise();
        let has = config.key_id.as_ref().map(|key| (key.provider().to_string(), key.key_id.to_string())).unwrap_or_default();
        let says = object.status.crypto.as_ref().map(|crypto| (crypto.provider_id.clone(), crypto.key_id.clone())).unwrap_or_default();
        if has != says {
            out.violated(&[key, &vm.id], "status.crypto isn't the VM's key", format!("{has:?}"), format!("{says:?}"));
        }
        for disk in config.hardware.device.iter().filter(|device| device.type_ == DeviceType::VirtualDisk) {
            let Some(backing) = &disk.backing else { continue };
            let Some(own) = &backing.key_id else { continue };
            let volume = object.status.volumes.iter().find(|volume| Some(volume.disk_uuid.as_str()) == backing.uuid.as_deref());
            if let Some(said) = volume.and_then(|volume| volume.crypto.as_ref())
                && (said.key_id.as_str(), said.provider_id.as_str()) != (&*own.key_id, &**own.provider())
            {
                let expected = format!("{own:?}");
                out.violated(&[key, &vm.id], "status.volumes[].crypto isn't the disk's key", expected, format!("{said:?}"));
            }
        }
    }
}
