//! A VM's encryption: the facts that the tables of `crypto` decide on, and what is done and told in consequence.
//!
//! It is part of building the create spec, and of the configuration step: what it changes goes into the one reconfigure of the pass.
//! Source: crypto-storage §1.2–1.8. Mirrors: vm-operator `pkg/vmconfig/crypto`.

mod disks;
mod keys;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::storage::v1::StorageClass;
use vmtwin_model::kube::storage_policy::StoragePolicy;
use vmtwin_model::kube::virtual_machine::VtpmMode;
use vmtwin_model::kube::{Conditions, Resource};
use vmtwin_model::vsphere::spec::{CryptoSpec, DeviceOperation, DeviceType};
use vmtwin_model::vsphere::vm::{Config, CryptoKeyId};
use vmtwin_model::vsphere::{self, ConfigSpec, Fault};

use super::VmDraft;
use super::create::prerequisites::{Needs, not_found};
use crate::admission::encryption::policy_name;
use crate::crypto::{self, Deed, Doing, Facts, Problem, Reasons};
use crate::features::Feature;
use crate::pass::{Cx, Flow};
use crate::verdict::Verdict;

/// How far a pass goes with a VM's encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// It is made what it should be.
    Whole,
    /// It is told as it is: the VM is paused, or busy with a task.
    Report,
}

fn is_on(cx: &Cx<'_>) -> bool {
    cx.settings.features.on(Feature::BringYourOwnEncryptionKey)
}

/// What the create spec says of encryption. Source: crypto-storage §1.4.
pub(crate) fn of_new(cx: &mut Cx<'_>, draft: &mut VmDraft, needs: &Needs) -> Flow<Option<CryptoSpec>> {
    let clones = draft.spec().crypto.as_ref().is_some_and(|crypto| crypto.vtpm_mode == Some(VtpmMode::Clone));
    if !is_on(cx) || (clones && needs.image.type_ == "VM") {
        return Ok(None);
    }
    let storage = storage(cx, draft)?;
    let qualifies = storage.encrypted || brings_tpm(needs);
    let wanted = match keys::of_class(cx, draft)? {
        Some(wanted) => wanted,
        None if qualifies => Ok(keys::default_provider(cx)?),
        None => return Ok(None),
    };
    match wanted.and_then(|wanted| crypto::creating(&wanted, qualifies)) {
        Ok(key) => Ok(key.map(|crypto_key_id| CryptoSpec::Encrypt { crypto_key_id })),
        Err(problem) => Err(hard(cx, draft, &problem)),
    }
}

/// Whether the class configures a vTPM.
fn brings_tpm(needs: &Needs) -> bool {
    let changes = needs.class().config_spec.as_ref().and_then(|spec| spec.get("deviceChange")?.as_array());
    let is_tpm = |change: &&serde_json::Value| change.pointer("/device/_typeName").is_some_and(|type_| type_ == "VirtualTPM");
    let first = changes.and_then(|changes| changes.iter().find(is_tpm));
    first.is_some_and(|change| change.get("operation").is_none_or(|operation| operation == "add"))
}

/// Puts into the change what the VM's encryption needs, and tells how it stands; gives back what is being done, for the message of a
/// refusal. Source: crypto-storage §1.5.
pub(crate) fn reconcile(
    cx: &mut Cx<'_>,
    draft: &mut VmDraft,
    vm: &vsphere::VirtualMachine,
    config: &Config,
    change: &mut ConfigSpec,
    scope: Scope,
) -> Flow<Option<Doing>> {
    if !is_on(cx) {
        return Ok(None);
    }
    let storage = storage(cx, draft)?;
    if scope == Scope::Report {
        report::write(cx, draft, config);
        return Ok(None);
    }
    let tpm = crypto::first_tpm(change);
    let has_tpm = config.hardware.device.iter().any(|device| device.type_ == DeviceType::VirtualTPM);
    let qualifies = storage.encrypted || has_tpm || matches!(tpm, Some(DeviceOperation::Add | DeviceOperation::Remove));
    let site = Site { vm, config, storage, qualifies };
    let deed = match decide(cx, draft, &site)? {
        Ok(deed) => deed,
        Err(problem) => return Err(hard(cx, draft, &problem)),
    };
    let doing = match &deed {
        Deed::Encrypt(_) => Some(Doing::Encrypting),
        Deed::Recrypt(_) => Some(Doing::Recrypting),
        Deed::Nothing => None,
    };
    if let Some(doing) = doing
        && validate(cx, draft, &site, change, doing)?
    {
        apply(config, deed, change);
    }
    let disks = match disks::reconcile(cx, draft, config, change)? {
        Ok(disks) => disks,
        Err(problem) => return Err(hard(cx, draft, &problem)),
    };
    if doing.is_some() || disks {
        return Ok(doing);
    }
    report::write(cx, draft, config);
    if current(config).is_none() {
        return Ok(None);
    }
    if validate(cx, draft, &site, change, Doing::Updating)? {
        disks::encrypt_plain(cx, &site, change);
    }
    Ok(Some(Doing::Updating))
}

/// A refused reconfigure, as far as it has to do with encryption, in the condition. Source: crypto-storage §1.9.
pub(crate) fn note_refusal(cx: &Cx<'_>, draft: &mut VmDraft, doing: Option<Doing>, fault: Option<&Fault>) {
    let parts = fault.map(crypto::parts_of).unwrap_or_default();
    if !is_on(cx) || parts.is_empty() {
        return;
    }
    let problem = Problem::new(Reasons::RECONFIGURE_ERROR, crypto::message(&parts, doing));
    let now = cx.now();
    draft.status_mut().conditions.put(problem.condition(), now);
}

/// The VM that is looked at.
#[derive(Debug)]
struct Site<'a> {
    vm: &'a vsphere::VirtualMachine,
    config: &'a Config,
    storage: Storage,
    /// Whether it has a vTPM or an encrypted storage class.
    qualifies: bool,
}

/// The key that the VM has. It is encrypted exactly when the key names a provider.
fn current(config: &Config) -> Option<&CryptoKeyId> {
    config.key_id.as_ref().filter(|key| !key.provider().is_empty())
}

fn decide(cx: &mut Cx<'_>, draft: &VmDraft, site: &Site<'_>) -> Flow<Result<Deed, Problem>> {
    let current = current(site.config);
    let wanted = match keys::of_class(cx, draft)? {
        Some(wanted) => wanted,
        None if !keys::uses_default(draft) => Ok(crypto::Wanted::Nobody),
        // Who the default provider is matters only to a VM that has a key or is to get one.
        None if current.is_none() && !site.qualifies => return Ok(Ok(Deed::Nothing)),
        None => Ok(keys::default_provider(cx)?),
    };
    Ok(wanted.and_then(|wanted| crypto::existing(&wanted, current, site.qualifies)))
}

/// Whether nothing speaks against it; what does is put into the condition.
fn validate(cx: &mut Cx<'_>, draft: &mut VmDraft, site: &Site<'_>, change: &ConfigSpec, doing: Doing) -> Flow<bool> {
    let policies = policies(cx, change)?;
    let facts = Facts {
        change,
        qualifies: site.qualifies,
        power: site.vm.runtime.power_state,
        snapshots: site.vm.snapshot.as_deref(),
        policies: &policies,
    };
    match crypto::validate(doing, facts) {
        Ok(()) => Ok(true),
        Err(problem) => {
            let now = cx.now();
            draft.status_mut().conditions.put(problem.condition(), now);
            Ok(false)
        }
    }
}

/// Encrypts or rekeys the VM; its classic disks that are encrypted follow the key.
fn apply(config: &Config, deed: Deed, change: &mut ConfigSpec) {
    match deed {
        Deed::Nothing => {}
        Deed::Encrypt(crypto_key_id) => change.crypto = Some(CryptoSpec::Encrypt { crypto_key_id }),
        Deed::Recrypt(new_key_id) => {
            let asked = CryptoSpec::ShallowRecrypt { new_key_id };
            disks::recrypt_classic(config, &asked, change);
            change.crypto = Some(asked);
        }
    }
}

/// An error that ends the pass and stands in the condition.
fn hard(cx: &Cx<'_>, draft: &mut VmDraft, problem: &Problem) -> crate::pass::Stop {
    let now = cx.now();
    draft.status_mut().conditions.put(problem.condition(), now);
    Verdict::Failed(problem.message.clone()).into()
}

/// What is known of a storage class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Storage {
    policy: Arc<str>,
    encrypted: bool,
}

fn storage(cx: &mut Cx<'_>, draft: &VmDraft) -> Flow<Storage> {
    let name = draft.spec().storage_class.clone();
    storage_of(cx, &name)
}

/// Whether a storage class encrypts. Source: crypto-storage §3.2.
fn storage_of(cx: &mut Cx<'_>, name: &str) -> Flow<Storage> {
    if name.is_empty() {
        return Ok(Storage::default());
    }
    let class = cx.find::<StorageClass>("", name);
    let id = class.as_ref().and_then(|class| class.spec().parameters.as_ref()?.get("storagePolicyID"));
    let Some(id) = id.filter(|id| !id.is_empty()) else { return Ok(Storage::default()) };
    let encrypted = policy_encrypts(cx, id)?;
    Ok(Storage { policy: id.as_str().into(), encrypted })
}

fn policy_encrypts(cx: &mut Cx<'_>, id: &str) -> Flow<bool> {
    let Some(name) = policy_name(id) else { return Err(Verdict::failed(format!("invalid UUID length: {}", id.len())).into()) };
    let policy = cx.find::<StoragePolicy>(&cx.settings.pod_namespace, &name);
    let policy = policy.ok_or_else(|| Verdict::failed(not_found(StoragePolicy::KIND, &name)))?;
    Ok(policy.status().encrypted)
}

/// Whether the policies of devices that are to be encrypted do encrypt.
fn policies(cx: &mut Cx<'_>, change: &ConfigSpec) -> Flow<BTreeMap<Arc<str>, bool>> {
    let mut policies = BTreeMap::new();
    let named = change.device_change.iter().filter(|change| crypto::writes_encrypted(change)).flat_map(|change| &change.profile);
    for id in named.map(|profile| &profile.profile_id) {
        if policies.contains_key(id) {
            continue;
        }
        let names_it = |class: &crate::pass::Known<StorageClass>| {
            class.spec().parameters.as_ref().and_then(|parameters| parameters.get("storagePolicyID")).is_some_and(|there| **there == **id)
        };
        if !cx.list::<StorageClass>("").iter().any(names_it) {
            return Err(Verdict::failed(format!("storage class with profile ID {id} not found")).into());
        }
        policies.insert(id.clone(), policy_encrypts(cx, id)?);
    }
    Ok(policies)
}
