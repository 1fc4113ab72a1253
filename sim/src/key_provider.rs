//! Key providers, the keys that hosts keep, and what vSphere makes of a CryptoSpec. Source: crypto-storage §2.
//!
//! A host keeps the keys of what was registered or ran on it until it fails. A VM whose home key neither its host has nor a provider
//! gives is locked: its connection state is `invalid` until the key can be had. Encrypting and rekeying happen as a whole, whatever
//! becomes of a provider meanwhile.

use vmtwin_model::vsphere::answer::KmipCluster;
use vmtwin_model::vsphere::inventory::{KeyProvider, Name};
use vmtwin_model::vsphere::spec::{ConfigSpec, CryptoSpec, Device, DeviceChange, DeviceType};
use vmtwin_model::vsphere::vm::{Config, CryptoKeyId, PowerState};
use vmtwin_model::vsphere::{Fault, FaultName, Reply};

use std::sync::Arc;

use vmtwin_model::vsphere::action::{KeyProviderAction, Reach};

use crate::actions::ActionError;
use crate::build::similar;
use crate::vm::Vm;
use crate::{World, refusals};

/// Why a key can't be used. Source: crypto-storage §2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// The provider isn't registered.
    Unregistered,
    /// The provider doesn't answer.
    Unreachable,
    /// The provider has no such key.
    Missing,
}

impl Unusable {
    fn word(self) -> &'static str {
        match self {
            Self::Unregistered => "KeyStateClusterInvalid",
            Self::Unreachable => "KeyStateClusterUnreachable",
            Self::Missing => "KeyStateMissingInKMS",
        }
    }

    fn fault(self) -> Fault {
        match self {
            Self::Unreachable => refusals::keyed(
                FaultName::GenericVmConfigFault,
                "msg.keysafe.locator",
                "A key could not be located: its provider doesn't answer.",
            ),
            Self::Unregistered | Self::Missing => {
                refusals::keyed(FaultName::GenericVmConfigFault, "msg.vigor.enc.keyNotFound", "A required key was not found.")
            }
        }
    }
}

/// The VM that something is to be encrypted of, as the rules look at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) label: &'a str,
    pub(crate) power: PowerState,
    /// Whether it has snapshots, and whether they branch.
    pub(crate) snapshots: Option<bool>,
}

impl<'a> Subject<'a> {
    pub(crate) fn of(row: &'a Vm) -> Self {
        Self { label: row.label(), power: row.power(), snapshots: row.seen.snapshot.as_ref().map(|snapshots| snapshots.branches()) }
    }

    /// A VM that is being made.
    pub(crate) fn new(label: &'a str) -> Self {
        Self { label, power: PowerState::PoweredOff, snapshots: None }
    }

    /// What data is encrypted for the first time or anew needs the VM off and without snapshots.
    fn at_rest(self) -> Result<(), Fault> {
        if self.power != PowerState::PoweredOff {
            return Err(refusals::power_state(PowerState::PoweredOff, self.power));
        }
        if self.snapshots.is_some() {
            return Err(config_fault("msg.hostd.configSpec.enc.snapshots", "The virtual machine has snapshots."));
        }
        Ok(())
    }
}

fn config_fault(key: &str, text: &str) -> Fault {
    refusals::keyed(FaultName::InvalidVmConfig, key, text)
}

impl World {
    fn key_provider(&self, id: &str) -> Option<&KeyProvider> {
        self.key_providers.iter().find(|provider| *provider.name == *id)
    }

    pub(crate) fn list_key_providers(&self) -> Reply {
        let cluster = |provider: &KeyProvider| KmipCluster { id: provider.name.clone(), native: provider.native };
        Reply::KeyProviders(self.key_providers.iter().map(cluster).collect())
    }

    pub(crate) fn default_key_provider(&self) -> Option<&Name> {
        self.key_providers.iter().find(|provider| provider.default).map(|provider| &provider.name)
    }

    pub(crate) fn key_status(&self, key: &CryptoKeyId) -> Reply {
        match self.usable(key) {
            Ok(()) => Reply::KeyStatus { available: true, reason: "".into() },
            Err(why) => Reply::KeyStatus { available: false, reason: why.word().into() },
        }
    }

    /// Whether a provider gives this key just now. vCenter itself derives the keys of a native provider, whatever their id.
    pub(crate) fn usable(&self, key: &CryptoKeyId) -> Result<(), Unusable> {
        let provider = self.key_provider(key.provider()).ok_or(Unusable::Unregistered)?;
        if !provider.available {
            Err(Unusable::Unreachable)
        } else if provider.native || provider.keys.contains(&key.key_id) {
            Ok(())
        } else {
            Err(Unusable::Missing)
        }
    }

    /// The key that is meant: where none is named, the one that the provider makes for this disk (or the home), once for each key before.
    pub(crate) fn key_for(
        &self,
        wanted: &CryptoKeyId,
        label: &str,
        disk: Option<i32>,
        before: Option<&CryptoKeyId>,
    ) -> Result<CryptoKeyId, Fault> {
        if !wanted.key_id.is_empty() {
            self.usable(wanted).map_err(Unusable::fault)?;
            return Ok(wanted.clone());
        }
        let provider = self.key_provider(wanted.provider()).ok_or_else(|| Unusable::Unregistered.fault())?;
        if !provider.available {
            return Err(Unusable::Unreachable.fault());
        }
        let before = before.map_or("", |key| &key.key_id);
        let made = self.rng.draw("sim/key", (&provider.name, label, disk, before)).uuid().to_string();
        Ok(CryptoKeyId::new(provider.name.clone(), made))
    }

    /// The key of a VM's home after this; nothing where it is plain.
    pub(crate) fn crypt_home(
        &self,
        subject: Subject<'_>,
        before: Option<&CryptoKeyId>,
        asked: &CryptoSpec,
    ) -> Result<Option<CryptoKeyId>, Fault> {
        let plain = || config_fault("msg.hostd.configSpec.enc.encrypted", "The virtual machine is not encrypted.");
        match asked {
            CryptoSpec::NoOp {} => Ok(before.cloned()),
            CryptoSpec::Encrypt { .. } if before.is_some() => {
                Err(config_fault("msg.hostd.configSpec.enc.notEncrypted", "The virtual machine is encrypted already."))
            }
            CryptoSpec::Encrypt { crypto_key_id } => {
                subject.at_rest()?;
                self.key_for(crypto_key_id, subject.label, None, None).map(Some)
            }
            CryptoSpec::ShallowRecrypt { .. } | CryptoSpec::DeepRecrypt { .. } | CryptoSpec::Decrypt {} if before.is_none() => Err(plain()),
            CryptoSpec::ShallowRecrypt { .. } if subject.snapshots == Some(true) => {
                Err(config_fault("msg.hostd.configSpec.enc.snapshots", "The snapshots of the virtual machine make a tree with branches."))
            }
            CryptoSpec::ShallowRecrypt { new_key_id } => self.key_for(new_key_id, subject.label, None, before).map(Some),
            CryptoSpec::DeepRecrypt { new_key_id } => {
                subject.at_rest()?;
                self.key_for(new_key_id, subject.label, None, before).map(Some)
            }
            CryptoSpec::Decrypt {} => {
                subject.at_rest()?;
                Ok(None)
            }
        }
    }

    /// The key of a disk after a change of it that asks for encryption.
    pub(crate) fn crypt_disk(
        &self,
        subject: Subject<'_>,
        config: &Config,
        index: usize,
        disk: &Device,
        change: &DeviceChange,
    ) -> Result<Option<CryptoKeyId>, Fault> {
        let before = disk.backing.as_ref().and_then(|backing| backing.key_id.as_ref());
        let Some(asked) = change.crypto() else { return Ok(before.cloned()) };
        let device = |key: &str, text: &str| Err(refusals::keyed_device(FaultName::InvalidDeviceSpec, index, key, text));
        let operation = |key: &str, text: &str| Err(refusals::keyed(FaultName::from("InvalidDeviceOperation"), key, text));
        if disk.type_ != DeviceType::VirtualDisk {
            return device("msg.hostd.deviceSpec.enc.notDisk", "Only disks can be encrypted.");
        }
        let key = match asked {
            CryptoSpec::NoOp {} => return Ok(before.cloned()),
            CryptoSpec::Encrypt { .. } if before.is_some() => {
                return operation("msg.hostd.deviceSpec.enc.encrypted", "The disk is encrypted already.");
            }
            CryptoSpec::ShallowRecrypt { .. } | CryptoSpec::DeepRecrypt { .. } | CryptoSpec::Decrypt {} if before.is_none() => {
                return operation("msg.hostd.deviceSpec.enc.notEncrypted", "The disk is not encrypted.");
            }
            CryptoSpec::ShallowRecrypt { new_key_id } => {
                if subject.snapshots == Some(true) {
                    return Err(config_fault("msg.hostd.deviceSpec.enc.diskChain", "The disk's chain has branches."));
                }
                return self.key_for(new_key_id, subject.label, Some(disk.key), before).map(Some);
            }
            CryptoSpec::Decrypt {} => {
                subject.at_rest()?;
                return Ok(None);
            }
            CryptoSpec::Encrypt { crypto_key_id: key } | CryptoSpec::DeepRecrypt { new_key_id: key } => key,
        };
        subject.at_rest()?;
        if !change.profile.iter().any(|profile| self.encrypts(&profile.profile_id)) {
            return device("msg.hostd.deviceSpec.enc.badPolicy", "The disk's storage policy doesn't encrypt.");
        }
        if config.key_id.is_none() {
            return Err(config_fault("msg.hostd.configSpec.enc.mismatch", "The virtual machine is not encrypted, its disk is to be."));
        }
        self.key_for(key, subject.label, Some(disk.key), before).map(Some)
    }

    /// Whether a storage policy encrypts.
    pub(crate) fn encrypts(&self, policy: &str) -> bool {
        self.policy(policy).is_some_and(|policy| policy.encrypted)
    }

    /// Encrypts a new VM's home: by its spec, else because its policy or its vTPM needs it, by the default provider.
    pub(crate) fn encrypt_new(&self, label: &str, config: &mut Config, spec: &ConfigSpec, policy: Option<&str>) -> Result<(), Fault> {
        let has_tpm = spec.device_change.iter().any(|change| change.device.type_ == DeviceType::VirtualTPM);
        let wanted = match &spec.crypto {
            Some(asked) => Some(asked.clone()),
            None if policy.is_some_and(|id| self.encrypts(id)) || has_tpm => {
                let provider = self.default_key_provider().ok_or_else(|| Unusable::Missing.fault())?;
                Some(CryptoSpec::Encrypt { crypto_key_id: CryptoKeyId::new(provider.clone(), "") })
            }
            None => None,
        };
        if let Some(wanted) = wanted {
            config.key_id = self.crypt_home(Subject::new(label), None, &wanted)?;
        }
        Ok(())
    }

    /// The keys that a VM was encrypted with are its provider's, made or not, and its host keeps them.
    pub(crate) fn keep_keys(&mut self, vm: u32) {
        let Some(row) = self.vms.get(vm).filter(|row| row.config().key_id.is_some()).cloned() else { return };
        for key in keys_of(row.config()) {
            let known = self.key_provider(key.provider()).is_none_or(|provider| provider.native || provider.keys.contains(&key.key_id));
            if !known {
                let providers = Arc::make_mut(&mut self.key_providers);
                providers.iter_mut().filter(|provider| *provider.name == **key.provider()).for_each(|p| p.keys.push(key.key_id.clone()));
            }
            if let Some(host) = self.hosts.get_mut(row.host) {
                host.keys.insert(key);
            }
        }
    }

    /// Whether a host has the keys of a VM, or can get them.
    pub(crate) fn keys_for_host(&self, host: u32, config: &Config) -> Result<(), Unusable> {
        if config.key_id.is_none() {
            return Ok(());
        }
        let there = self.hosts.get(host).map(|host| &host.keys);
        let missing = keys_of(config).into_iter().find(|key| there.is_none_or(|keys| !keys.contains(key)) && self.usable(key).is_err());
        missing.map_or(Ok(()), |key| self.usable(&key))
    }

    /// Lets a VM's host get the key of its home, and notes whether the VM is locked for want of it.
    pub(crate) fn unlock(&mut self, vm: u32) {
        let Some(row) = self.vms.get(vm) else { return };
        let Some(home) = row.config().key_id.clone() else {
            self.locked.remove(&vm);
            return;
        };
        let (host, keys) = (row.host, keys_of(row.config()));
        let there = |world: &Self, key: &CryptoKeyId| world.hosts.get(host).is_some_and(|host| host.keys.contains(key));
        let gained: Vec<CryptoKeyId> = keys.into_iter().filter(|key| !there(self, key) && self.usable(key).is_ok()).collect();
        if let Some(row) = self.hosts.get_mut(host).filter(|_| !gained.is_empty()) {
            row.keys.extend(gained);
        }
        if there(self, &home) {
            self.locked.remove(&vm);
        } else if self.locked.insert(vm) {
            self.tell_vm(
                vm,
                match self.usable(&home) {
                    Err(Unusable::Missing) => "Virtual machine is locked because keys are missing on KMS cluster.",
                    _ => "Virtual machine is locked because of a KMS cluster error.",
                },
            );
        }
    }

    /// What an encrypted disk without its key says against switching its VM on.
    pub(crate) fn check_disk_keys(&self, row: &Vm, host: u32) -> Result<(), Fault> {
        if row.config().key_id.is_none() {
            return Ok(());
        }
        let keys = self.hosts.get(host).map(|host| &host.keys);
        for disk in &row.config().hardware.device {
            let Some(backing) = &disk.backing else { continue };
            let Some(key) = &backing.key_id else { continue };
            if keys.is_none_or(|keys| !keys.contains(key)) && self.usable(key).is_err() {
                let file = backing.file_name.as_deref().unwrap_or_default();
                let text = format!("The disk [{file}] is encrypted and a required key was not found.");
                return Err(refusals::keyed(FaultName::GenericVmConfigFault, "msg.vigor.enc.keyNotFound", &text));
            }
        }
        Ok(())
    }

    pub(crate) fn act_on_key_provider(&mut self, name: &Name, action: &KeyProviderAction) -> Result<(), ActionError> {
        let Some(at) = self.key_providers.iter().position(|provider| provider.name == *name) else {
            let similar = similar(name, self.key_providers.iter().map(|provider| &provider.name));
            return Err(ActionError::Unknown { kind: "key provider", name: name.clone(), similar });
        };
        let provider = &mut Arc::make_mut(&mut self.key_providers)[at];
        match action {
            KeyProviderAction::Reach(reach) => provider.available = *reach == Reach::Up,
            KeyProviderAction::RemoveKey(key) if !provider.keys.contains(key) => {
                return Err(ActionError::State(format!("key provider {name} has no key {key:?}")));
            }
            KeyProviderAction::RemoveKey(key) => provider.keys.retain(|there| there != key),
        }
        self.tell(format!("KeyProvider/{name}"), vmtwin_model::vsphere::Action::KeyProvider(name.clone(), action.clone()).to_string());
        for vm in self.locked.clone() {
            self.reach(vm);
        }
        Ok(())
    }
}

/// The keys that a VM needs: its home's and its disks', each once.
fn keys_of(config: &Config) -> Vec<CryptoKeyId> {
    let disks = config.hardware.device.iter().filter_map(|device| device.backing.as_ref()?.key_id.as_ref());
    let mut keys: Vec<CryptoKeyId> = config.key_id.iter().chain(disks).cloned().collect();
    keys.sort();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, inventory, spec};
    use vmtwin_model::id::VmId;
    use vmtwin_model::time::Span;
    use vmtwin_model::vsphere::action::{Fate, HostAction, VmAction};
    use vmtwin_model::vsphere::spec::{DeviceOperation, ProfileSpec};
    use vmtwin_model::vsphere::vm::ConnectionState;
    use vmtwin_model::vsphere::{Action, Inventory, Operation};

    fn encrypting() -> Inventory {
        let mut inventory = inventory();
        inventory.storage_policies[0].encrypted = true;
        let provider = |name: &str, native: bool, keys: &[&str]| KeyProvider {
            name: name.into(),
            native,
            default: false,
            keys: keys.iter().map(|key| (*key).into()).collect(),
            available: true,
        };
        inventory.key_providers = vec![provider("kms", false, &["k1", "k2"]), provider("own", true, &[])];
        inventory
    }

    fn encrypt(key: CryptoKeyId) -> ConfigSpec {
        ConfigSpec { crypto: Some(CryptoSpec::Encrypt { crypto_key_id: key }), ..ConfigSpec::default() }
    }

    fn recrypt(provider: &str, key: &str) -> ConfigSpec {
        ConfigSpec { crypto: Some(CryptoSpec::ShallowRecrypt { new_key_id: CryptoKeyId::new(provider, key) }), ..ConfigSpec::default() }
    }

    fn deployed(trial: &mut Trial, key: &str) -> VmId {
        let crypto = encrypt(CryptoKeyId::new("kms", key)).crypto;
        trial.deploy(ConfigSpec { crypto, ..spec("a") })
    }

    fn keys(trial: &Trial, vm: &VmId) -> (Option<CryptoKeyId>, Option<CryptoKeyId>) {
        let config = trial.vm(vm).config.clone().expect("a configuration");
        let disk = config.hardware.device.iter().find(|device| device.type_ == DeviceType::VirtualDisk).expect("a disk");
        (config.key_id.clone(), disk.backing.as_ref().and_then(|backing| backing.key_id.clone()))
    }

    fn refused(trial: &mut Trial, vm: &VmId, spec: ConfigSpec) -> String {
        let fault = trial.refused(Operation::ReconfigVm { vm: vm.clone(), spec: spec.into() });
        fault.properties.get("faultMessage").and_then(|messages| messages[0]["key"].as_str()).unwrap_or(fault.name.as_str()).to_owned()
    }

    #[test]
    fn a_policy_that_encrypts_gives_the_disks_the_key_of_their_vm() {
        let mut trial = Trial::new(&encrypting());
        let vm = deployed(&mut trial, "k1");
        let key = Some(CryptoKeyId::new("kms", "k1"));
        assert_eq!(keys(&trial, &vm), (key.clone(), key));
        let operation = trial.deployment(spec("b"));
        assert_eq!(trial.refused(operation).name, FaultName::GenericVmConfigFault, "there is no default provider");
    }

    #[test]
    fn a_provider_makes_a_key_where_none_is_named_and_knows_it_then() {
        let mut trial = Trial::new(&encrypting());
        let vm = deployed(&mut trial, "");
        let (Some(made), _) = keys(&trial, &vm) else { panic!("it is encrypted") };
        assert!(!made.key_id.is_empty());
        assert_eq!(
            trial.ask(Operation::QueryCryptoKeyStatus { key: made.clone() }),
            Ok(Reply::KeyStatus { available: true, reason: "".into() })
        );
        trial.ask(Operation::ReconfigVm { vm: vm.clone(), spec: recrypt("kms", "").into() }).expect("another key is made");
        assert_ne!(keys(&trial, &vm).0, Some(made));
    }

    #[test]
    fn what_cannot_be_encrypted_or_rekeyed_is_refused_with_its_reason() {
        let mut trial = Trial::new(&encrypting());
        let vm = deployed(&mut trial, "k1");
        let key = |key: &str| CryptoKeyId::new("kms", key);
        assert_eq!(refused(&mut trial, &vm, encrypt(key("k1"))), "msg.hostd.configSpec.enc.notEncrypted");
        assert_eq!(refused(&mut trial, &vm, recrypt("kms", "k9")), "msg.vigor.enc.keyNotFound");
        assert_eq!(refused(&mut trial, &vm, recrypt("nobody", "k1")), "msg.vigor.enc.keyNotFound");
        trial.act(&Action::KeyProvider("kms".into(), KeyProviderAction::Reach(Reach::Down))).expect("it is there");
        assert_eq!(refused(&mut trial, &vm, recrypt("kms", "k2")), "msg.keysafe.locator");
        trial.ask(Operation::ReconfigVm { vm: vm.clone(), spec: recrypt("own", "any").into() }).expect("another provider answers");
        let mut plain = Trial::new(&inventory());
        let other = plain.running("b");
        assert_eq!(refused(&mut plain, &other, recrypt("kms", "k1")), "msg.hostd.configSpec.enc.encrypted");
        assert_eq!(refused(&mut plain, &other, encrypt(key("k1"))), "InvalidPowerState");
        let tpm = DeviceChange::add(Device::new(DeviceType::VirtualTPM, -1));
        let mut off = Trial::new(&inventory());
        let third = off.deploy(spec("c"));
        let with_tpm = ConfigSpec { device_change: vec![tpm], ..ConfigSpec::default() };
        assert_eq!(refused(&mut off, &third, with_tpm), "msg.vtpm.add.notEncrypted");
    }

    #[test]
    fn a_disk_is_encrypted_with_a_policy_alone() {
        let mut trial = Trial::new(&encrypting());
        let vm = deployed(&mut trial, "k1");
        let disk = trial.vm(&vm).config.as_ref().expect("one").hardware.device.iter().find(|d| d.type_ == DeviceType::VirtualDisk).cloned();
        let crypto = |asked| vmtwin_model::vsphere::spec::BackingSpec { parent: None, crypto: Some(asked) };
        let mut change = DeviceChange { backing: Some(crypto(CryptoSpec::Decrypt {})), ..DeviceChange::edit(disk.expect("a disk")) };
        assert_eq!(change.operation, Some(DeviceOperation::Edit));
        let with = |change: &DeviceChange| ConfigSpec { device_change: vec![change.clone()], ..ConfigSpec::default() };
        trial.ask(Operation::ReconfigVm { vm: vm.clone(), spec: with(&change).into() }).expect("vSphere decrypts where it is asked to");
        assert_eq!(keys(&trial, &vm).1, None);
        change.backing = Some(crypto(CryptoSpec::Encrypt { crypto_key_id: CryptoKeyId::new("kms", "k2") }));
        assert_eq!(refused(&mut trial, &vm, with(&change)), "msg.hostd.deviceSpec.enc.badPolicy");
        change.profile = vec![ProfileSpec { profile_id: "gold-id".into() }];
        trial.ask(Operation::ReconfigVm { vm: vm.clone(), spec: with(&change).into() }).expect("it has a policy");
        assert_eq!(keys(&trial, &vm).1, Some(CryptoKeyId::new("kms", "k2")));
    }

    #[test]
    fn a_vm_is_locked_where_neither_host_nor_provider_has_its_key() {
        let mut trial = Trial::new(&encrypting());
        let vm = deployed(&mut trial, "k1");
        let host = trial.vm(&vm).location.host_name.clone().expect("a host");
        let state = |trial: &Trial| trial.vm(&vm).runtime.connection_state;
        let kms = |reach| Action::KeyProvider("kms".into(), KeyProviderAction::Reach(reach));
        trial.act(&kms(Reach::Down)).expect("it is there");
        assert_eq!(state(&trial), ConnectionState::Connected, "the host keeps the key");
        trial.ask(Operation::PowerOnVm { vm: vm.clone(), host: None }).expect("and so it runs");
        trial.act(&Action::Host(host.clone(), HostAction::Fate(Fate::Fail))).expect("it was up");
        trial.run(Span::from_mins(5));
        trial.act(&Action::Host(host, HostAction::Fate(Fate::Recover))).expect("it was down");
        assert_eq!(state(&trial), ConnectionState::Invalid);
        assert!(trial.messages().contains(&"Virtual machine is locked because of a KMS cluster error."));
        assert_eq!(trial.refused(Operation::PowerOnVm { vm: vm.clone(), host: None }).name, FaultName::InvalidState);
        assert!(trial.act(&Action::Vm("shop/a".into(), VmAction::PowerOn)).is_err());
        trial.act(&kms(Reach::Up)).expect("it is there");
        assert_eq!(state(&trial), ConnectionState::Connected);
        trial.ask(Operation::PowerOnVm { vm, host: None }).expect("it is unlocked");
    }

    #[test]
    fn a_key_that_is_removed_is_missed_once_the_host_forgets_it() {
        let mut trial = Trial::new(&encrypting());
        let vm = deployed(&mut trial, "k1");
        let host = trial.vm(&vm).location.host_name.clone().expect("a host");
        trial.act(&Action::KeyProvider("kms".into(), KeyProviderAction::RemoveKey("k1".into()))).expect("it is there");
        let key = CryptoKeyId::new("kms", "k1");
        assert_eq!(
            trial.ask(Operation::QueryCryptoKeyStatus { key }),
            Ok(Reply::KeyStatus { available: false, reason: "KeyStateMissingInKMS".into() })
        );
        trial.act(&Action::Host(host.clone(), HostAction::Fate(Fate::Fail))).expect("it was up");
        trial.act(&Action::Host(host, HostAction::Fate(Fate::Recover))).expect("it was down");
        assert_eq!(trial.vm(&vm).runtime.connection_state, ConnectionState::Invalid);
        assert!(trial.messages().contains(&"Virtual machine is locked because keys are missing on KMS cluster."));
    }
}
