//! VM-V-182, VM-V-185 to VM-V-189: boot options that fit together, devices that are there, and nothing of it changed while the VM
//! runs.
//!
//! Page: admission §15. A boot order names devices that the VM has, so it comes after the creation. A disk counts by
//! `status.volumes`; a name counts as seen whatever the entry's type.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateBootOptions`.

use vmtwin_model::kube::virtual_machine::BootableDeviceType::{CDRom, Disk, Network};
use vmtwin_model::kube::virtual_machine::{BootableDevice, Firmware, Switch, VirtualMachine};

use super::FROZEN_WHILE_ON;
use crate::admission::cause::{self, Causes};
use crate::admission::changes::{self, May};
use crate::admission::request::Request;

const ORDER: &str = "spec.bootOptions.bootOrder";

pub(in crate::admission) fn validate_create(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(options) = &request.new.spec.boot_options else { return };
    if !options.boot_order.is_empty() {
        causes.push(cause::forbidden(ORDER, "when creating a VM"));
    }
    validate_settings(request, causes);
}

pub(in crate::admission) fn validate_update(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(options) = &request.new.spec.boot_options else { return };
    for (index, device) in options.boot_order.iter().enumerate() {
        validate_device(request, index, device, &options.boot_order[..index], causes);
    }
    validate_settings(request, causes);
}

fn validate_settings(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(options) = &request.new.spec.boot_options else { return };
    if options.boot_retry_delay.is_some() && options.boot_retry != Switch::Enabled.as_str() {
        let text = "bootRetry must be set when setting bootRetryDelay";
        causes.push(cause::required_because("spec.bootOptions.bootRetry", text));
    }
    if options.efi_secure_boot == Some(Switch::Enabled) && options.firmware != Some(Firmware::Efi) {
        let text = "cannot set efiSecureBoot when image firmware is not 'efi'";
        causes.push(cause::forbidden("spec.bootOptions.efiSecureBoot", text));
    }
}

fn validate_device(
    request: &Request<'_, VirtualMachine>,
    index: usize,
    device: &BootableDevice,
    earlier: &[BootableDevice],
    causes: &mut Causes,
) {
    let (path, name, spec) = (format!("{ORDER}[{index}]"), &device.name, request.new.spec);
    if name.is_empty() && device.type_ != CDRom {
        let text = format!("name must not be empty when specifying a bootable device of type \"{}\"", device.type_);
        causes.push(cause::required_because(format!("{path}.name"), &text));
        return;
    }
    if earlier.iter().any(|earlier| earlier.name == *name) {
        causes.push(cause::duplicate(path, name));
        return;
    }
    let missing = match device.type_ {
        Network => match &spec.network {
            None => Some(format!("cannot specify network device \"{name}\" when vm.spec.network is empty")),
            Some(network) if network.interfaces.iter().all(|interface| interface.name != *name) => {
                Some(format!("bootable network device \"{name}\" was not found in vm.Spec.Network.Interfaces"))
            }
            Some(_) => None,
        },
        Disk if request.new.status.volumes.iter().all(|volume| volume.name != *name) => {
            Some(format!("bootable disk device \"{name}\" was not found in vm.Status.Volumes"))
        }
        CDRom if super::cdroms(spec).is_empty() => Some("no CD-ROM device(s) defined for this VM".to_owned()),
        Disk | CDRom => None,
    };
    if let Some(missing) = missing {
        causes.push(cause::invalid(path, name, &missing));
    }
}

pub(in crate::admission) fn validate_frozen(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let changed = request.old_spec().is_some_and(|old| old.boot_options != request.new.spec.boot_options);
    if changed && changes::BOOT_OPTIONS.may(changes::power(request)) == May::Stay {
        causes.push(cause::forbidden(changes::BOOT_OPTIONS.path, FROZEN_WHILE_ON));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn options(options: Value) -> Sample {
        Sample::vm().spec("bootOptions", options)
    }

    fn order(devices: Value) -> Sample {
        let volumes = json!([{"name": "disk-0", "type": "Classic"}]);
        let vm = Sample::vm().spec("powerState", json!("PoweredOff")).status("volumes", volumes).stored();
        vm.spec("bootOptions", json!({"bootOrder": devices}))
    }

    #[test]
    fn settings_fit_together() {
        assert!(options(json!({"efiSecureBoot": "Enabled", "firmware": "efi"})).admitted().is_ok());
        let secure = options(json!({"efiSecureBoot": "Enabled", "firmware": "bios"}));
        let text = "spec.bootOptions.efiSecureBoot: Forbidden: cannot set efiSecureBoot when image firmware is not 'efi'";
        assert_eq!(secure.denied(), [text]);
        assert!(options(json!({"bootRetry": "Enabled", "bootRetryDelay": "10s"})).admitted().is_ok());
        let delay = options(json!({"bootRetry": "Disabled", "bootRetryDelay": "10s"}));
        let text = "spec.bootOptions.bootRetry: Required value: bootRetry must be set when setting bootRetryDelay";
        assert_eq!(delay.denied(), [text]);
    }

    #[test]
    fn a_new_vm_has_no_boot_order() {
        let sample = options(json!({"bootOrder": [{"type": "CDRom"}]}));
        assert_eq!(sample.denied(), ["spec.bootOptions.bootOrder: Forbidden: when creating a VM"]);
    }

    #[test]
    fn a_boot_order_names_devices_that_are_there() {
        assert!(order(json!([{"type": "Disk", "name": "disk-0"}, {"type": "Network", "name": "eth0"}])).admitted().is_ok());
        let missing = order(json!([
            {"type": "Disk", "name": "disk-1"}, {"type": "Network", "name": "eth1"}, {"type": "CDRom"}, {"type": "CDRom"}, {"type": "Disk"}
        ]));
        assert_eq!(
            missing.denied(),
            [
                "spec.bootOptions.bootOrder[0]: Invalid value: \"disk-1\": bootable disk device \"disk-1\" was not found in vm.Status.Volumes",
                "spec.bootOptions.bootOrder[1]: Invalid value: \"eth1\": bootable network device \"eth1\" was not found in \
                 vm.Spec.Network.Interfaces",
                "spec.bootOptions.bootOrder[2]: Invalid value: \"\": no CD-ROM device(s) defined for this VM",
                "spec.bootOptions.bootOrder[3]: Duplicate value: \"\"",
                "spec.bootOptions.bootOrder[4].name: Required value: name must not be empty when specifying a bootable device of type \"Disk\"",
            ]
        );
    }

    #[test]
    fn a_running_vm_keeps_its_boot_options() {
        let vm = Sample::vm().spec("powerState", json!("PoweredOn")).stored().spec("bootOptions", json!({"firmware": "efi"}));
        assert_eq!(vm.denied(), ["spec.bootOptions: Forbidden: updates to this field is not allowed when VM power is on"]);
    }
}
