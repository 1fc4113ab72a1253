//! VM-M-012: a volume that several writers share, or one, gets the modes that go with its application.
//!
//! Page: admission §3.1; gate `VMSharedDisks`. What is given stays, and is judged by VM-V-132 and VM-V-133.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetPVCVolumeDefaults`.

use vmtwin_model::kube::virtual_machine::{VirtualMachine, VolumeApplicationType, VolumeDiskMode, VolumeSharingMode, VolumeSpec};

use crate::admission::request::{Denial, Request};
use crate::draft::Draft;
use crate::features::Feature;

pub(in crate::admission) fn default(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    if request.cx.on(Feature::VMSharedDisks) {
        fill(vm);
    }
    Ok(())
}

pub(super) fn fill(vm: &mut Draft<VirtualMachine>) {
    let complete = |volume: &VolumeSpec| volume.disk_mode.is_some() && volume.sharing_mode.is_some();
    if vm.spec().volumes.iter().all(complete) {
        return;
    }
    for volume in &mut vm.spec_mut().volumes {
        let (disk, sharing) = match volume.application_type {
            Some(VolumeApplicationType::OracleRac) => (VolumeDiskMode::IndependentPersistent, VolumeSharingMode::MultiWriter),
            Some(VolumeApplicationType::MicrosoftWsfc) => (VolumeDiskMode::IndependentPersistent, VolumeSharingMode::None),
            None => (VolumeDiskMode::Persistent, VolumeSharingMode::None),
        };
        volume.disk_mode.get_or_insert(disk);
        volume.sharing_mode.get_or_insert(sharing);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;
    use crate::features::Feature;

    #[test]
    fn modes_follow_the_application_and_given_ones_stay() {
        let sample = Sample::vm().spec(
            "volumes",
            json!([
                {"name": "plain"}, {"name": "rac", "applicationType": "OracleRAC"}, {"name": "wsfc", "applicationType": "MicrosoftWSFC"},
                {"name": "own", "diskMode": "NonPersistent", "sharingMode": "MultiWriter"},
            ]),
        );
        assert_eq!(sample.mutated()["spec"]["volumes"][0], json!({"name": "plain"}), "the gate is off");
        let vm = sample.with(Feature::VMSharedDisks).mutated();
        let modes: Vec<(&str, &str)> = vm["spec"]["volumes"]
            .as_array()
            .expect("volumes")
            .iter()
            .map(|volume| (volume["diskMode"].as_str().expect("a mode"), volume["sharingMode"].as_str().expect("a mode")))
            .collect();
        let expected = [
            ("Persistent", "None"),
            ("IndependentPersistent", "MultiWriter"),
            ("IndependentPersistent", "None"),
            ("NonPersistent", "MultiWriter"),
        ];
        assert_eq!(modes, expected);
    }
}
