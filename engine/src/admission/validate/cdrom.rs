//! VM-V-082, VM-V-083, VM-V-088: each CD-ROM holds an image of its own, of a known kind, and the VM says what guest it is for.
//!
//! Page: admission §9. An image counts by its name alone: the two kinds stem from one library item. Names are the schema's business.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateCdrom`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

const KINDS: [&str; 2] = ["VirtualMachineImage", "ClusterVirtualMachineImage"];

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let cdroms = super::cdroms(request.new.spec);
    if !cdroms.is_empty() && request.new.spec.guest_id.is_empty() {
        causes.push(cause::required_because("spec.guestID", "when deploying a VM with CD-ROMs"));
    }
    for (index, cdrom) in cdroms.iter().enumerate() {
        let path = format!("spec.hardware.cdrom[{index}].image");
        let image = &cdrom.image;
        if !KINDS.contains(&image.kind.as_str()) {
            causes.push(cause::not_supported(format!("{path}.kind"), &image.kind, &KINDS));
        }
        if cdroms[..index].iter().any(|earlier| earlier.image.name == image.name) {
            causes.push(cause::duplicate(format!("{path}.name"), &image.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn with(cdroms: Value) -> Sample {
        Sample::vm().spec("guestID", json!("ubuntu64Guest")).spec("hardware", json!({"cdrom": cdroms}))
    }

    fn cdrom(name: &str, kind: &str, image: &str) -> Value {
        json!({"name": name, "image": {"kind": kind, "name": image}})
    }

    #[test]
    fn drives_hold_different_images_of_known_kinds() {
        let own = cdrom("cd1", "VirtualMachineImage", "vmi-1");
        assert!(with(json!([own, cdrom("cd2", "ClusterVirtualMachineImage", "vmi-2")])).admitted().is_ok());
        let twice = with(json!([own, cdrom("cd2", "ClusterVirtualMachineImage", "vmi-1")]));
        assert_eq!(twice.denied(), ["spec.hardware.cdrom[1].image.name: Duplicate value: \"vmi-1\""]);
        let other = "spec.hardware.cdrom[0].image.kind: Unsupported value: \"Disk\": supported values: \"VirtualMachineImage\", \
                     \"ClusterVirtualMachineImage\"";
        assert_eq!(with(json!([cdrom("cd1", "Disk", "vmi-1")])).denied(), [other]);
    }

    #[test]
    fn drives_need_a_guest_id() {
        let sample = with(json!([cdrom("cd1", "VirtualMachineImage", "vmi-1")])).spec("guestID", Value::Null);
        assert_eq!(sample.denied(), ["spec.guestID: Required value: when deploying a VM with CD-ROMs"]);
    }
}
