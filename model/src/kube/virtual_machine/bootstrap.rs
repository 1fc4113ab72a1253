//! How a guest is set up when it first starts: cloud-init, LinuxPrep, Sysprep and vApp properties. Nothing is
//! rendered here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::reference::{KeyValueOrSecretKeySelectorPair, SecretKeySelector, ValueOrSecretKeySelector};
use crate::kube::virtual_machine::{CloudConfig, Sysprep};

/// How the guest is set up; several ways can be named as far as admission lets them go together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BootstrapSpec {
    /// By cloud-init.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_init: Option<CloudInit>,
    /// By vSphere's customization of Linux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux_prep: Option<LinuxPrep>,
    /// By Windows' Sysprep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysprep: Option<SysprepSpec>,
    /// By vApp (OVF) properties.
    #[serde(rename = "vAppConfig", default, skip_serializing_if = "Option::is_none")]
    pub vapp_config: Option<VAppConfig>,
}

/// Setting up by cloud-init.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudInit {
    /// The user data, as fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_config: Option<CloudConfig>,
    /// cloud-init's instance id; the BIOS UUID when empty.
    #[serde(rename = "instanceID", default, skip_serializing_if = "String::is_empty")]
    pub instance_id: String,
    /// The user data, as text in a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_cloud_config: Option<SecretKeySelector>,
    /// Public keys of the default user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_authorized_keys: Vec<String>,
    /// Whether interfaces without name servers get the VM's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_global_nameservers_as_default: Option<bool>,
    /// Whether interfaces without search domains get the VM's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_global_search_domains_as_default: Option<bool>,
    /// Whether cloud-init waits for an IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_on_network4: Option<bool>,
    /// Whether cloud-init waits for an IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_on_network6: Option<bool>,
}

/// Setting up by vSphere's customization of Linux.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinuxPrep {
    /// Whether to do it again at the next power-on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customize_at_next_power_on: Option<bool>,
    /// Whether root must choose a new password.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub expire_password_after_next_login: bool,
    /// Whether the hardware clock shows UTC.
    #[serde(rename = "hardwareClockIsUTC", default, skip_serializing_if = "Option::is_none")]
    pub hardware_clock_is_utc: Option<bool>,
    /// Root's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<LinuxPrepPassword>,
    /// A script run before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script_text: Option<ValueOrSecretKeySelector>,
    /// The time zone, e.g. `Europe/Berlin`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub time_zone: String,
}

/// A password in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinuxPrepPassword {
    /// The key whose value is wanted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("default" = "password"))]
    pub key: String,
    /// The Secret's name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}

/// Setting up by Windows' Sysprep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SysprepSpec {
    /// Whether to do it again at the next power-on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customize_at_next_power_on: Option<bool>,
    /// The answer file, as text in a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_sysprep: Option<SecretKeySelector>,
    /// The answer file, as fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysprep: Option<Sysprep>,
}

/// Setting up by vApp (OVF) properties.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VAppConfig {
    /// Properties with their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub properties: Vec<KeyValueOrSecretKeySelectorPair>,
    /// The name of a Secret whose keys are the properties.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub raw_properties: String,
}
