//! VM-V-131 to VM-V-135: volumes that several VMs write to: their modes, their controllers and their claims go together.
//!
//! Page: admission §12; gates `VMSharedDisks`, `AllDisksArePVCs`. A claim that isn't there is left to the controller. A field of a
//! volume that isn't set yet may be set, since the operator itself fills it in when the VM is upgraded.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateVolumes`.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use vmtwin_model::kube::View;
use vmtwin_model::kube::virtual_machine::{
    ControllerSharingMode, ControllerType, VirtualMachine, VolumeApplicationType, VolumeDiskMode, VolumeSharingMode, VolumeSpec,
};

use super::volumes::is_exempt;
use crate::admission::cause::{self, Causes, IMMUTABLE};
use crate::admission::controllers::{self, Controller};
use crate::admission::encryption::{self, Encryption};
use crate::admission::request::Request;
use crate::features::Feature;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    if !(request.cx.on(Feature::VMSharedDisks) || request.cx.on(Feature::AllDisksArePVCs)) || is_exempt(request) {
        return;
    }
    let controllers = controllers::all(request.new.spec.hardware.as_ref());
    let same_hardware = request.old_spec().is_some_and(|old| old.hardware == request.new.spec.hardware);
    for (index, volume) in request.new.spec.volumes.iter().enumerate() {
        let path = format!("spec.volumes[{index}]");
        let old = request.old_spec().and_then(|old| old.volumes.iter().find(|old| old.name == volume.name));
        if let Some(old) = old {
            validate_immutable(&path, old, volume, causes);
        }
        let controller = controllers::of_volume(volume, &controllers);
        validate_application(&path, volume, controller, causes);
        if !same_hardware || old.is_none_or(|old| old != volume) {
            validate_claim(request, &path, volume, controller, causes);
        }
    }
}

/// VM-V-131.
fn validate_immutable(path: &str, old: &VolumeSpec, new: &VolumeSpec, causes: &mut Causes) {
    let mut fixed = |field: &str, old: Option<String>, new: Option<String>| {
        if old.is_some() && old != new {
            let new = new.unwrap_or_default();
            causes.push(match new.parse::<i64>() {
                Ok(number) => cause::invalid(format!("{path}.{field}"), number, IMMUTABLE),
                Err(_) => cause::invalid(format!("{path}.{field}"), &new, IMMUTABLE),
            });
        }
    };
    fixed("applicationType", text(old.application_type), text(new.application_type));
    fixed("controllerBusNumber", text(old.controller_bus_number), text(new.controller_bus_number));
    fixed("controllerType", text(old.controller_type), text(new.controller_type));
    fixed("diskMode", text(old.disk_mode), text(new.disk_mode));
    fixed("sharingMode", text(old.sharing_mode), text(new.sharing_mode));
    fixed("unitNumber", text(old.unit_number), text(new.unit_number));
}

fn text<T: ToString>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// VM-V-132, VM-V-133.
fn validate_application(path: &str, volume: &VolumeSpec, controller: Option<&Controller>, causes: &mut Causes) {
    let Some(application) = volume.application_type else { return };
    let sharing = volume.sharing_mode.map_or("", VolumeSharingMode::as_str);
    if application == VolumeApplicationType::OracleRac && volume.sharing_mode != Some(VolumeSharingMode::MultiWriter) {
        let text = "SharingMode must be MultiWriter for OracleRAC volumes";
        causes.push(cause::invalid(format!("{path}.sharingMode"), sharing, text));
    }
    if volume.disk_mode != Some(VolumeDiskMode::IndependentPersistent) {
        let text = format!("DiskMode must be IndependentPersistent for {application} volumes");
        let mode = volume.disk_mode.map_or("", VolumeDiskMode::as_str);
        causes.push(cause::invalid(format!("{path}.diskMode"), mode, &text));
    }
    let physical = |controller: &Controller| controller.sharing == ControllerSharingMode::Physical;
    if application == VolumeApplicationType::MicrosoftWsfc && controller.is_some_and(|controller| !physical(controller)) {
        let text = "Controller sharing mode must be Physical for a MicrosoftWSFC volume";
        causes.push(cause::invalid(format!("{path}.applicationType"), application.as_str(), text));
    }
}

/// VM-V-134, VM-V-135.
fn validate_claim(
    request: &Request<'_, VirtualMachine>,
    path: &str,
    volume: &VolumeSpec,
    controller: Option<&Controller>,
    causes: &mut Causes,
) {
    let Some(source) = &volume.persistent_volume_claim else { return };
    let Some(claim) = request.cx.cache.view::<PersistentVolumeClaim>(request.namespace(), &source.claim_name) else { return };
    let shared_bus = controller.filter(|controller| controller.id.0 == ControllerType::Scsi && controller.is_shared());
    let several_writers = volume.sharing_mode == Some(VolumeSharingMode::MultiWriter);
    let mut refuse = |field: &str, text: &str| match field {
        "sharingMode" => {
            let mode = volume.sharing_mode.map_or("", VolumeSharingMode::as_str);
            causes.push(cause::invalid(format!("{path}.sharingMode"), mode, text));
        }
        _ => causes.push(cause::invalid(format!("{path}.{field}"), volume.controller_bus_number.unwrap_or_default(), text)),
    };
    if is_encrypted(request, claim) {
        if several_writers {
            refuse("sharingMode", "MultiWriter disk sharing is not supported for encrypted volumes");
        }
        if let Some(controller) = shared_bus {
            let text = format!("Controller with sharing mode {} is not supported for encrypted volumes", controller.sharing);
            refuse("controllerBusNumber", &text);
        }
    }
    if volume.application_type.is_none() {
        return;
    }
    if claim.spec.access_modes.iter().flatten().all(|mode| mode != "ReadWriteMany") {
        if several_writers {
            refuse("sharingMode", "MultiWriter sharing mode is not allowed for ReadWriteOnce volume");
        }
        if let Some(controller) = shared_bus {
            let text = format!("Controller with sharing mode {} is not allowed for ReadWriteOnce volume", controller.sharing);
            refuse("controllerBusNumber", &text);
        }
    } else if !several_writers && controller.is_some_and(|controller| !controller.is_shared()) {
        refuse("sharingMode", "ReadWriteMany PVC must have a shared volume or controller");
    }
}

fn is_encrypted(request: &Request<'_, VirtualMachine>, claim: View<'_, PersistentVolumeClaim>) -> bool {
    let class = claim.spec.storage_class_name.as_deref().unwrap_or_default();
    encryption::of(&request.cx, class) == Encryption::Encrypted
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    fn claim(class: &str, mode: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim", "namespace": "my-namespace"},
            "spec": {"accessModes": [mode], "storageClassName": class}
        })
    }

    fn volume(more: &Value) -> Value {
        let mut volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "claim"}});
        for (field, value) in more.as_object().expect("a mapping") {
            volume[field] = value.clone();
        }
        volume
    }

    fn sample(more: &Value) -> Sample {
        let scsi = json!([{"busNumber": 1, "sharingMode": "Virtual"}, {"busNumber": 2, "sharingMode": "None"}, {"busNumber": 3, "sharingMode": "Physical"}]);
        let hardware = json!({"ideControllers": [{"busNumber": 0}, {"busNumber": 1}], "scsiControllers": scsi});
        Sample::vm().with(Feature::VMSharedDisks).spec("hardware", hardware).spec("volumes", json!([volume(more)]))
    }

    fn on(bus: i32, more: &Value) -> Value {
        let mut place = json!({"controllerType": "SCSI", "controllerBusNumber": bus, "unitNumber": 0});
        for (field, value) in more.as_object().expect("a mapping") {
            place[field] = value.clone();
        }
        place
    }

    #[test]
    fn clustered_applications_need_their_modes() {
        let rac = json!({"applicationType": "OracleRAC", "sharingMode": "None", "diskMode": "Persistent"});
        let expected = [
            "spec.volumes[0].sharingMode: Invalid value: \"None\": SharingMode must be MultiWriter for OracleRAC volumes",
            "spec.volumes[0].diskMode: Invalid value: \"Persistent\": DiskMode must be IndependentPersistent for OracleRAC volumes",
        ];
        assert_eq!(sample(&rac).denied(), expected);
        let wsfc = json!({"applicationType": "MicrosoftWSFC", "diskMode": "Persistent"});
        let expected = [
            "spec.volumes[0].diskMode: Invalid value: \"Persistent\": DiskMode must be IndependentPersistent for MicrosoftWSFC volumes",
            "spec.volumes[0].applicationType: Invalid value: \"MicrosoftWSFC\": Controller sharing mode must be Physical for a MicrosoftWSFC volume",
        ];
        assert_eq!(sample(&on(2, &wsfc)).denied(), expected);
    }

    #[test]
    fn encrypted_volumes_are_shared_with_nobody() {
        let encrypted = |more: &Value| sample(more).given(claim("encrypted", "ReadWriteMany"));
        assert!(encrypted(&on(2, &json!({}))).admitted().is_ok());
        let text =
            "spec.volumes[0].sharingMode: Invalid value: \"MultiWriter\": MultiWriter disk sharing is not supported for encrypted volumes";
        assert_eq!(encrypted(&json!({"sharingMode": "MultiWriter"})).denied(), [text]);
        let text = "spec.volumes[0].controllerBusNumber: Invalid value: 1: Controller with sharing mode Virtual is not supported for encrypted volumes";
        assert_eq!(encrypted(&on(1, &json!({}))).denied(), [text]);
    }

    #[test]
    fn a_claim_for_one_writer_is_not_shared_and_one_for_many_is() {
        let rac = json!({"applicationType": "OracleRAC"});
        let text =
            "spec.volumes[0].sharingMode: Invalid value: \"MultiWriter\": MultiWriter sharing mode is not allowed for ReadWriteOnce volume";
        assert_eq!(sample(&rac).given(claim("gold", "ReadWriteOnce")).denied(), [text]);
        assert!(sample(&rac).given(claim("gold", "ReadWriteMany")).admitted().is_ok());
        let wsfc = json!({"applicationType": "MicrosoftWSFC"});
        let text = "spec.volumes[0].controllerBusNumber: Invalid value: 3: Controller with sharing mode Physical is not allowed for ReadWriteOnce volume";
        assert_eq!(sample(&on(3, &wsfc)).given(claim("gold", "ReadWriteOnce")).denied(), [text]);
        let found = sample(&on(2, &wsfc)).given(claim("gold", "ReadWriteMany")).denied();
        assert_eq!(
            found[1],
            "spec.volumes[0].sharingMode: Invalid value: \"None\": ReadWriteMany PVC must have a shared volume or controller"
        );
    }

    #[test]
    fn what_is_set_stays() {
        let stored = sample(&on(1, &json!({"diskMode": "Persistent"}))).stored();
        assert!(stored.clone().admitted().is_ok());
        let moved = stored.spec("volumes", json!([volume(&on(2, &json!({"diskMode": "NonPersistent"})))]));
        let expected = [
            "spec.volumes[0].controllerBusNumber: Invalid value: 2: field is immutable",
            "spec.volumes[0].diskMode: Invalid value: \"NonPersistent\": field is immutable",
        ];
        assert_eq!(moved.denied(), expected);
    }
}
