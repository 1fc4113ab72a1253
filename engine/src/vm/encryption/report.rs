//! `status.crypto` and the condition of a VM to whose encryption nothing is to be done. Source: crypto-storage §1.8.

use vmtwin_model::kube::virtual_machine::EncryptionType;
use vmtwin_model::kube::{Condition, ConditionType, Conditions};
use vmtwin_model::vsphere::vm::Config;

use crate::pass::Cx;
use crate::vm::VmDraft;

pub(super) fn write(cx: &Cx<'_>, draft: &mut VmDraft, config: &Config) {
    const TYPE: ConditionType = ConditionType::EncryptionSynced;
    let Some(key) = super::current(config) else {
        if draft.status().crypto.is_some() {
            draft.status_mut().crypto = None;
        }
        if draft.status().conditions.condition(&TYPE).is_some() {
            draft.status_mut().conditions.take(&TYPE);
        }
        return;
    };
    let has_key = |device: &vmtwin_model::vsphere::spec::Device| device.backing.as_ref().is_some_and(|backing| backing.key_id.is_some());
    let now = cx.now();
    let status = draft.status_mut();
    status.conditions.put(Condition::holds(TYPE), now);
    let crypto = status.crypto.get_or_insert_default();
    (**key.provider()).clone_into(&mut crypto.provider_id);
    (*key.key_id).clone_into(&mut crypto.key_id);
    crypto.encrypted = vec![EncryptionType::Config];
    if config.hardware.device.iter().any(has_key) {
        crypto.encrypted.push(EncryptionType::Disks);
    }
}
