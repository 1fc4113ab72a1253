//! VM-M-004: a VM with CD-ROMs and without an image name is made from what is in its first connected drive.
//!
//! Page: admission §3.1. It also fills in a name where `spec.image` is given; the resolution then compares the two.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetImageNameFromCdrom`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

pub(in crate::admission) fn default(_: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    if !vm.spec().image_name.is_empty() {
        return Ok(());
    }
    let cdroms = vm.spec().hardware.as_ref().map(|hardware| &hardware.cdrom[..]).unwrap_or_default();
    let first = cdroms.iter().find(|cdrom| cdrom.connected == Some(true)).or_else(|| cdroms.first());
    if let Some(name) = first.map(|cdrom| cdrom.image.name.clone()) {
        vm.spec_mut().image_name = name;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    #[test]
    fn the_first_connected_drive_names_the_image() {
        let drive = |name: &str, connected: bool, image: &str| json!({"name": name, "connected": connected, "image": {"kind": "VirtualMachineImage", "name": image}});
        let sample = Sample::vm()
            .spec("imageName", json!(null))
            .spec("guestID", json!("ubuntu64Guest"))
            .spec("hardware", json!({"cdrom": [drive("cd1", false, "vmi-2"), drive("cd2", true, "vmi-1")]}));
        assert_eq!(sample.created()["spec"]["imageName"], "vmi-1");
        let none_connected = sample.spec("hardware", json!({"cdrom": [drive("cd1", false, "vmi-1"), drive("cd2", false, "vmi-2")]}));
        assert_eq!(none_connected.created()["spec"]["imageName"], "vmi-1");
    }

    #[test]
    fn a_given_name_stays() {
        let drive = json!({"name": "cd1", "image": {"kind": "VirtualMachineImage", "name": "vmi-2"}});
        let sample = Sample::vm().spec("guestID", json!("ubuntu64Guest")).spec("hardware", json!({"cdrom": [drive]}));
        assert_eq!(sample.created()["spec"]["imageName"], "vmi-1");
    }
}
