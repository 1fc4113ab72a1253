//! A key is changed for another one only. Source: seed "Rekeying"; crypto-storage §1.5.

use vmtwin_model::vsphere::Operation;
use vmtwin_model::vsphere::spec::CryptoSpec;
use vmtwin_model::vsphere::vm::CryptoKeyId;

use super::{Check, Invariant, View, When};
use crate::log::{Data, Event, Record};

pub(super) const RULE: Invariant = Invariant {
    name: "rekey-needed",
    guards: "seed: Rekeying; crypto-storage §1.5",
    holds: "each recrypt goes to another provider than the VM's, or to a named key that differs",
    of_twin: false,
    when: When::Each(check),
};

fn check(view: &View<'_>, record: &Record, out: &mut Check) {
    let (Event::Operation, Data::Call(Operation::ReconfigVm { vm, spec })) = (record.event, &record.data) else { return };
    let Some(config) = view.vm(vm).and_then(|vm| vm.config.as_ref()) else { return };
    let mut look = |asked: &CryptoSpec, has: Option<&CryptoKeyId>, what: &str| {
        let (CryptoSpec::ShallowRecrypt { new_key_id } | CryptoSpec::DeepRecrypt { new_key_id }) = asked else { return };
        let Some(has) = has else { return };
        out.premise();
        let other_provider = new_key_id.provider() != has.provider();
        let other_key = !new_key_id.key_id.is_empty() && new_key_id.key_id != has.key_id;
        if !other_provider && !other_key {
            let text = |key: &CryptoKeyId| format!("key {:?} of {}", key.key_id, key.provider());
            out.violated(&[vm], format!("{what} is rekeyed to what it has"), format!("another key than {}", text(has)), text(new_key_id));
        }
    };
    if let Some(asked) = &spec.crypto {
        look(asked, config.key_id.as_ref(), "the VM");
    }
    for change in &spec.device_change {
        let Some(asked) = change.crypto() else { continue };
        let device = config.hardware.device.iter().find(|device| device.key == change.device.key);
        look(asked, device.and_then(|device| device.backing.as_ref()?.key_id.as_ref()), "a disk");
    }
}
