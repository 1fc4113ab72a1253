//! VM-M-003, VM-M-026: the image behind a CD-ROM is a VirtualMachineImage unless its kind is named.
//!
//! Page: admission §3.1 and §3.2. On an update a kind is put back only where the CD-ROM had that kind before; an emptied
//! `ClusterVirtualMachineImage` stays empty, and is refused.
//!
//! Mirrors: vm-operator `webhooks/virtualmachine/mutation`, `SetDefaultCdromImgKindOnCreate`, `SetDefaultCdromImgKindOnUpdate`.

use vmtwin_model::kube::virtual_machine::{CdromSpec, VirtualMachine, VirtualMachineSpec};

use crate::admission::request::{Denial, Request};
use crate::draft::Draft;

const DEFAULT: &str = "VirtualMachineImage";

pub(in crate::admission) fn default_on_create(_: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    fill(vm, |_| true);
    Ok(())
}

pub(in crate::admission) fn default_on_update(request: &Request<'_, VirtualMachine>, vm: &mut Draft<VirtualMachine>) -> Result<(), Denial> {
    let old = request.old_spec().map(cdroms).unwrap_or_default();
    fill(vm, |cdrom| old.iter().any(|old| old.image.name == cdrom.image.name && old.image.kind == DEFAULT));
    Ok(())
}

fn fill(vm: &mut Draft<VirtualMachine>, wanted: impl Fn(&CdromSpec) -> bool) {
    if cdroms(vm.spec()).iter().all(|cdrom| !cdrom.image.kind.is_empty()) {
        return;
    }
    for cdrom in vm.spec_mut().hardware.iter_mut().flat_map(|hardware| &mut hardware.cdrom) {
        if cdrom.image.kind.is_empty() && wanted(cdrom) {
            DEFAULT.clone_into(&mut cdrom.image.kind);
        }
    }
}

fn cdroms(spec: &VirtualMachineSpec) -> &[CdromSpec] {
    spec.hardware.as_ref().map_or(&[], |hardware| &hardware.cdrom)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admission::samples::Sample;

    fn cdrom(kind: &str) -> Value {
        json!({"cdrom": [{"name": "cd1", "image": {"kind": kind, "name": "vmi-1"}}]})
    }

    fn kind(vm: &Value) -> &Value {
        &vm["spec"]["hardware"]["cdrom"][0]["image"]["kind"]
    }

    #[test]
    fn a_new_cdrom_without_a_kind_gets_one() {
        let sample = Sample::vm().spec("guestID", json!("ubuntu64Guest"));
        assert_eq!(kind(&sample.clone().spec("hardware", cdrom("")).created()), "VirtualMachineImage");
        assert_eq!(kind(&sample.spec("hardware", cdrom("ClusterVirtualMachineImage")).created()), "ClusterVirtualMachineImage");
    }

    #[test]
    fn an_update_puts_back_the_default_kind_alone() {
        let old = Sample::vm().spec("guestID", json!("ubuntu64Guest")).spec("powerState", json!("PoweredOff"));
        let with = |kind: &str| old.clone().spec("hardware", cdrom(kind)).stored();
        assert_eq!(kind(&with("VirtualMachineImage").spec("hardware", cdrom("")).mutated()), "VirtualMachineImage");
        assert_eq!(kind(&with("ClusterVirtualMachineImage").spec("hardware", cdrom("")).mutated()), "");
    }
}
