//! VM-V-040 to VM-V-042: the record of schema upgrades is the operator's, and what an upgrade fills in waits for it.
//!
//! Page: admission §5.3. A VM is behind if its record names another build, schema or features than the running ones; one without a record
//! was made by this operator. For the operator and the masters these rules don't hold.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateSchemaUpgrade`.

use vmtwin_model::kube::View;
use vmtwin_model::kube::virtual_machine::{HardwareSpec, VirtualMachine};

use crate::admission::cause::{self, Causes};
use crate::admission::changes::BIOS_UUID;
use crate::admission::keys::{self, UPGRADED};
use crate::admission::request::Request;
use crate::features::Feature;

const NOT_YET: &str = "modifying this VM is not allowed until it is upgraded";

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let Some(old) = request.old.filter(|_| !request.user.may_upgrade()) else { return };
    for (key, _) in UPGRADED {
        let new = request.new_annotation(key);
        if !new.is_empty() && new != request.old_annotation(key) {
            let text = "modifying this annotation is restricted to privileged users";
            causes.push(cause::forbidden(keys::annotation_path(key), text));
        }
    }
    if is_upgraded(old) {
        return;
    }
    if old.spec.bios_uuid != request.new.spec.bios_uuid {
        causes.push(cause::forbidden(BIOS_UUID.path, NOT_YET));
    }
    if request.cx.on(Feature::VMSharedDisks) {
        validate_controllers(old.spec.hardware.as_ref(), request.new.spec.hardware.as_ref(), causes);
    }
}

/// VM-V-042.
fn validate_controllers(old: Option<&HardwareSpec>, new: Option<&HardwareSpec>, causes: &mut Causes) {
    let none = HardwareSpec::default();
    let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
    let lists = [
        ("ide", old.ide_controllers != new.ide_controllers),
        ("nvme", old.nvme_controllers != new.nvme_controllers),
        ("sata", old.sata_controllers != new.sata_controllers),
        ("scsi", old.scsi_controllers != new.scsi_controllers),
    ];
    let changed = lists.iter().filter(|(_, changed)| *changed);
    causes.extend(changed.map(|(kind, _)| cause::forbidden(format!("spec.hardware.{kind}Controllers"), NOT_YET)));
}

/// Whether a VM's record, if it has one, names the running operator.
pub(in crate::admission) fn is_upgraded(vm: View<'_, VirtualMachine>) -> bool {
    UPGRADED.iter().all(|(key, running)| vm.object.annotation(key).is_none_or(|version| version == *running))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    const SCHEMA: &str = "vmoperator.vmware.com/upgraded-to-schema-version";
    const OPERATOR: &str = "system:serviceaccount:vmware-system-vmop:default";

    #[test]
    fn the_record_is_the_operators() {
        let changed = Sample::vm().stored().annotation(SCHEMA, "v1alpha4").privileged();
        let text = format!("metadata.annotations[{SCHEMA}]: Forbidden: modifying this annotation is restricted to privileged users");
        assert_eq!(changed.denied(), [text]);
        assert!(changed.asked_by(OPERATOR).admitted().is_ok());
    }

    #[test]
    fn what_an_upgrade_fills_in_waits_for_it() {
        let behind = Sample::vm().spec("powerState", json!("PoweredOff")).annotation(SCHEMA, "v1alpha4").imported().privileged();
        let changed = behind.spec("biosUUID", json!("11223344-5566-4778-899a-abbccddeeff0"));
        assert_eq!(changed.denied(), ["spec.biosUUID: Forbidden: modifying this VM is not allowed until it is upgraded"]);
        assert!(changed.asked_by(OPERATOR).admitted().is_ok());
    }
}
