//! VM-V-050 to VM-V-055: a new VM names an image of a known kind, and keeps it.
//!
//! Page: admission §6.2. With the gates `VMImportNewNet` and `VMIncrementalRestore` a privileged user may do without an image. Whether the image exists is the resolution's and the quota's business.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateImageOnCreate`, `validateImageOnUpdate`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;

use crate::admission::cause::{self, Causes, IMMUTABLE, Structure};
use crate::admission::changes::{self, May};
use crate::admission::keys::FAILED_OVER_VM;
use crate::admission::request::Request;
use crate::features::Feature;

const PRIVILEGED: &str = "restricted to privileged users";
const KINDS: [&str; 2] = ["VirtualMachineImage", "ClusterVirtualMachineImage"];

pub(in crate::admission) fn validate_create(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let supported = format!("supported: {}", KINDS.join("; "));
    match &request.new.spec.image {
        None if may_lack_image(request) => {
            if !request.user.is_privileged() {
                causes.push(cause::forbidden("spec.image", PRIVILEGED));
            }
        }
        None => causes.push(cause::required("spec.image")),
        Some(image) if image.kind.is_empty() => causes.push(cause::required_because("spec.image.kind", &supported)),
        Some(image) if !KINDS.contains(&image.kind.as_str()) => {
            causes.push(cause::invalid("spec.image.kind", &image.kind, &supported));
        }
        Some(_) => {}
    }
}

/// VM-V-054: a VM that is imported or restored may be without an image.
fn may_lack_image(request: &Request<'_, VirtualMachine>) -> bool {
    let gates = request.cx.on(Feature::VMImportNewNet) || request.cx.on(Feature::VMIncrementalRestore);
    gates && request.new.spec.image_name.is_empty()
}

pub(in crate::admission) fn validate_update(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let (Some(old), new, power) = (request.old_spec(), request.new.spec, changes::power(request)) else { return };
    if is_failed_over(request) {
        if !request.user.is_privileged() {
            let changed = [(changes::IMAGE.path, old.image != new.image), (changes::IMAGE_NAME.path, old.image_name != new.image_name)];
            causes.extend(changed.iter().filter(|(_, changed)| *changed).map(|(path, _)| cause::forbidden(*path, PRIVILEGED)));
        }
        return;
    }
    if changes::IMAGE.may(power) == May::Stay && old.image != new.image {
        causes.push(cause::invalid(changes::IMAGE.path, Structure(&new.image), IMMUTABLE));
    }
    if changes::IMAGE_NAME.may(power) == May::Stay && old.image_name != new.image_name {
        causes.push(cause::invalid(changes::IMAGE_NAME.path, &new.image_name, IMMUTABLE));
    }
}

/// VM-V-055: a VM that was failed over may lose its image.
fn is_failed_over(request: &Request<'_, VirtualMachine>) -> bool {
    let new = request.new.spec;
    let without = new.image.is_none() && new.image_name.is_empty();
    without && request.cx.on(Feature::VMIncrementalRestore) && request.new.object.annotation(FAILED_OVER_VM).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    #[test]
    fn a_new_vm_needs_an_image_of_a_known_kind() {
        let with = |image: Value| Sample::vm().spec("imageName", Value::Null).spec("image", image);
        assert_eq!(with(Value::Null).denied(), ["spec.image: Required value"]);
        let supported = "supported: VirtualMachineImage; ClusterVirtualMachineImage";
        let no_kind = with(json!({"name": "vmi-1"}));
        assert_eq!(no_kind.denied(), [format!("spec.image.kind: Required value: {supported}")]);
        let other = with(json!({"name": "vmi-1", "kind": "Other"}));
        assert_eq!(other.denied(), [format!("spec.image.kind: Invalid value: \"Other\": {supported}")]);
        assert!(with(json!({"name": "vmi-1", "kind": "VirtualMachineImage"})).admitted().is_ok());
    }

    #[test]
    fn the_image_of_a_vm_stays() {
        let stored = Sample::vm().stored().privileged();
        let renamed = stored.clone().spec("imageName", json!("vmi-2"));
        assert_eq!(renamed.denied(), ["spec.imageName: Invalid value: \"vmi-2\": field is immutable"]);
        assert_eq!(stored.spec("image", Value::Null).denied().len(), 1);
    }
}
