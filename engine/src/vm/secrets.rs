//! The Secrets that a VM's bootstrap names: whether they are there, and what they hold. Source: vm-lifecycle §6.1, §11.9.
//!
//! Mirrors: vm-operator `pkg/providers/vsphere/vmprovider_vm_utils.go`, `GetVirtualMachineBootstrap`.

use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use vmtwin_model::kube::reference::SecretKeySelector;
use vmtwin_model::kube::virtual_machine::{BootstrapSpec, CloudConfig, CloudInit, LinuxPrep, Sysprep, SysprepSpec, VAppConfig};
use vmtwin_model::kube::{Reason, Resource};

use super::VmDraft;
use super::create::prerequisites::{Missing, not_found};
use crate::pass::Cx;

/// Where older versions keep cloud-init's user data in a Secret that has no key of the wanted name.
const OTHER_USER_DATA: [&str; 2] = ["user-data", "value"];
/// The key of an answer file whose selector names none.
pub(crate) const UNATTEND: &str = "unattend";

/// A value in a Secret: the Secret, and the keys under which it may be. No key asks for the Secret alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    secret: String,
    keys: Vec<String>,
}

impl Kept {
    fn under(secret: &str, key: &str, default: &str) -> Self {
        Self { secret: secret.to_owned(), keys: vec![if key.is_empty() { default } else { key }.to_owned()] }
    }

    /// The value behind a selector.
    pub(crate) fn selected(selector: &SecretKeySelector) -> Self {
        Self::under(&selector.name, &selector.key, "")
    }

    /// All of a Secret.
    pub(crate) fn whole(secret: &str) -> Self {
        Self { secret: secret.to_owned(), keys: Vec::new() }
    }

    /// Cloud-init's user data.
    pub(crate) fn user_data(selector: &SecretKeySelector) -> Self {
        let others = OTHER_USER_DATA.map(str::to_owned);
        Self { secret: selector.name.clone(), keys: [selector.key.clone()].into_iter().chain(others).collect() }
    }

    /// An answer file.
    pub(crate) fn unattend(selector: &SecretKeySelector) -> Self {
        Self::under(&selector.name, &selector.key, UNATTEND)
    }

    /// A password of this name.
    pub(crate) fn password(secret: &str, key: &str, default: &str) -> Self {
        Self::under(secret, key, default)
    }
}

/// Looks for all that a bootstrap names; the first thing that is missing ends it.
pub(crate) fn check(cx: &mut Cx<'_>, draft: &VmDraft, bootstrap: &BootstrapSpec) -> Result<(), Missing> {
    for kept in named(bootstrap) {
        if kept.keys.is_empty() {
            find(cx, draft, &kept)?;
        } else {
            value(cx, draft, &kept)?;
        }
    }
    Ok(())
}

/// What a Secret holds under the first of the keys that it has.
pub(crate) fn value(cx: &mut Cx<'_>, draft: &VmDraft, kept: &Kept) -> Result<String, Missing> {
    let secret = find(cx, draft, kept)?;
    let data = secret.as_object();
    let held = kept.keys.iter().find_map(|key| data.and_then(|data| data.get(key)));
    let missing = || {
        let key = kept.keys.first().map(String::as_str).unwrap_or_default();
        Missing::new(Reason::RequiredKeyNotFound, format!("required key {key:?} not found in Secret {:?}", kept.secret))
    };
    held.and_then(Value::as_str).map(str::to_owned).ok_or_else(missing)
}

/// Everything that a Secret holds, as a mapping of texts.
pub(crate) fn find(cx: &mut Cx<'_>, draft: &VmDraft, kept: &Kept) -> Result<Value, Missing> {
    let secret = cx.find::<Secret>(&draft.namespace().clone(), &kept.secret);
    let secret = secret.ok_or_else(|| Missing::new(Reason::NotFound, not_found(Secret::KIND, &kept.secret)))?;
    let data = secret.spec().data.iter().flatten();
    Ok(data.map(|(key, bytes)| (key.clone(), Value::from(String::from_utf8_lossy(&bytes.0).into_owned()))).collect())
}

fn named(bootstrap: &BootstrapSpec) -> Vec<Kept> {
    let mut named = Vec::new();
    named.extend(bootstrap.cloud_init.iter().flat_map(by_cloud_init));
    named.extend(bootstrap.linux_prep.iter().flat_map(by_linux_prep));
    named.extend(bootstrap.sysprep.iter().flat_map(by_sysprep));
    named.extend(bootstrap.vapp_config.iter().flat_map(by_vapp));
    named
}

fn by_cloud_init(cloud_init: &CloudInit) -> Vec<Kept> {
    match (&cloud_init.cloud_config, &cloud_init.raw_cloud_config) {
        (Some(config), _) => by_cloud_config(config),
        (None, Some(raw)) => vec![Kept::user_data(raw)],
        (None, None) => Vec::new(),
    }
}

fn by_cloud_config(config: &CloudConfig) -> Vec<Kept> {
    let passwords = config.users.iter().flat_map(|user| [&user.passwd, &user.hashed_passwd]).flatten().map(Kept::selected);
    let contents = config.write_files.iter().filter_map(|file| content_of(file.content.as_ref()?));
    passwords.chain(contents).collect()
}

/// The selector that a file's content is; nothing where the content is written out.
pub(crate) fn content_of(content: &Value) -> Option<Kept> {
    content.is_object().then(|| serde_json::from_value(content.clone()).ok()).flatten().as_ref().map(Kept::selected)
}

fn by_linux_prep(prep: &LinuxPrep) -> Vec<Kept> {
    let password = prep.password.as_ref().map(|password| Kept::password(&password.name, &password.key, "password"));
    let script = prep.script_text.as_ref().and_then(|script| script.from.as_ref()).map(Kept::selected);
    password.into_iter().chain(script).collect()
}

fn by_sysprep(spec: &SysprepSpec) -> Vec<Kept> {
    match (&spec.raw_sysprep, &spec.sysprep) {
        (Some(raw), _) => vec![Kept::unattend(raw)],
        (None, Some(sysprep)) => by_answers(sysprep),
        (None, None) => Vec::new(),
    }
}

fn by_answers(sysprep: &Sysprep) -> Vec<Kept> {
    let script = sysprep.script_text.as_ref().and_then(|script| script.from.as_ref()).map(Kept::selected);
    [administrator(sysprep), domain_administrator(sysprep), product_key(sysprep), script].into_iter().flatten().collect()
}

/// The administrator's password.
pub(crate) fn administrator(sysprep: &Sysprep) -> Option<Kept> {
    let password = sysprep.gui_unattended.as_ref()?.password.as_ref()?;
    Some(Kept::password(&password.name, &password.key, "password"))
}

/// The password of the account that joins the domain.
pub(crate) fn domain_administrator(sysprep: &Sysprep) -> Option<Kept> {
    let password = sysprep.identification.as_ref()?.domain_admin_password.as_ref()?;
    Some(Kept::password(&password.name, &password.key, "domain_admin_password"))
}

/// The product key.
pub(crate) fn product_key(sysprep: &Sysprep) -> Option<Kept> {
    let product = sysprep.user_data.product_id.as_ref()?;
    Some(Kept::password(&product.name, &product.key, "product_id"))
}

fn by_vapp(vapp: &VAppConfig) -> Vec<Kept> {
    let selected = vapp.properties.iter().filter_map(|property| property.value.as_ref()?.from.as_ref()).map(Kept::selected);
    let whole = (!vapp.raw_properties.is_empty()).then(|| Kept::whole(&vapp.raw_properties));
    selected.chain(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn named_by(bootstrap: Value) -> Vec<(String, Vec<String>)> {
        let bootstrap: BootstrapSpec = serde_json::from_value(bootstrap).expect("a bootstrap");
        named(&bootstrap).into_iter().map(|kept| (kept.secret, kept.keys)).collect()
    }

    #[test]
    fn every_provider_names_its_secrets_with_the_keys_that_it_defaults() {
        let one = |secret: &str, keys: &[&str]| vec![(secret.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>())];
        assert_eq!(named_by(json!({"cloudInit": {"rawCloudConfig": {"name": "s", "key": "k"}}})), one("s", &["k", "user-data", "value"]));
        let files = json!({"cloudInit": {"cloudConfig": {"write_files": [
            {"path": "/a", "content": "plain"}, {"path": "/b", "content": {"name": "s", "key": "b"}}]}}});
        assert_eq!(named_by(files), one("s", &["b"]));
        assert_eq!(named_by(json!({"linuxPrep": {"password": {"name": "s"}}})), one("s", &["password"]));
        assert_eq!(named_by(json!({"sysprep": {"rawSysprep": {"name": "s"}}})), one("s", &["unattend"]));
        let join = json!({"sysprep": {"sysprep": {"identification": {"domainAdminPassword": {"name": "s"}}, "userData": {}}}});
        assert_eq!(named_by(join), one("s", &["domain_admin_password"]));
        assert_eq!(named_by(json!({"vAppConfig": {"rawProperties": "s"}})), one("s", &[]));
        assert_eq!(named_by(json!({"cloudInit": {}})), []);
    }
}
