//! VM-V-139: the boot disk has a whole number of MiB.
//!
//! Page: admission §12.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/validation`, `validateAdvanced`.

use vmtwin_model::kube::virtual_machine::VirtualMachine;
use vmtwin_model::units::bytes_of;

use crate::admission::cause::{self, Causes};
use crate::admission::request::Request;

pub(in crate::admission) fn validate(request: &Request<'_, VirtualMachine>, causes: &mut Causes) {
    let capacity = request.new.spec.advanced.as_ref().and_then(|advanced| advanced.boot_disk_capacity.as_ref());
    // A quantity that can't be read is the schema's to refuse.
    let Some(bytes) = capacity.and_then(|capacity| bytes_of(capacity).ok()) else { return };
    if bytes.to_mib_down().to_bytes() != bytes {
        causes.push(cause::invalid("spec.advanced.bootDiskCapacity", bytes.0, "value must be a multiple of MB"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admission::samples::Sample;

    #[test]
    fn the_boot_disk_has_whole_mebibytes() {
        let with = |capacity: &str| Sample::vm().spec("advanced", json!({"bootDiskCapacity": capacity}));
        for capacity in ["0", "20Gi", "1Mi"] {
            assert!(with(capacity).admitted().is_ok(), "{capacity}");
        }
        let text = "spec.advanced.bootDiskCapacity: Invalid value: 1000000: value must be a multiple of MB";
        assert_eq!(with("1M").denied(), [text]);
    }
}
