//! The answer file of Windows' Sysprep as fields. A part of it; the rest goes in raw.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;
use crate::kube::reference::ValueOrSecretKeySelector;

/// The answer file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sysprep {
    /// Whether administrators must choose a new password.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub expire_password_after_next_login: bool,
    /// Commands of the first logon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gui_run_once: Option<GuiRunOnce>,
    /// The unattended setup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gui_unattended: Option<GuiUnattended>,
    /// Workgroup or domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identification: Option<Identification>,
    /// Licensing of old servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_file_print_data: Option<LicenseFilePrintData>,
    /// A batch file run before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script_text: Option<ValueOrSecretKeySelector>,
    /// Owner and product.
    #[serde(default)]
    #[schemars(!default)]
    pub user_data: UserData,
}

/// Commands of the first logon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuiRunOnce {
    /// The commands, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

/// The unattended setup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuiUnattended {
    /// Whether the administrator is logged on automatically.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub auto_logon: bool,
    /// How many times.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub auto_logon_count: i32,
    /// The administrator's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<GuiUnattendedPassword>,
    /// The index of the time zone, Microsoft's numbering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 85, "minimum" = 0))]
    pub time_zone: Option<i32>,
}

/// The administrator's password in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuiUnattendedPassword {
    /// The key whose value is wanted.
    #[serde(default)]
    #[schemars(!default, extend("default" = "password"))]
    pub key: String,
    /// The Secret's name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}

/// Workgroup or domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identification {
    /// The account that joins the domain.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain_admin: String,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_admin_password: Option<DomainPassword>,
    /// The organizational unit, as an LDAP path.
    #[serde(rename = "domainOU", default, skip_serializing_if = "String::is_empty")]
    pub domain_ou: String,
    /// The workgroup; excludes a domain.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub join_workgroup: String,
}

/// The domain account's password in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainPassword {
    /// The key whose value is wanted.
    #[serde(default)]
    #[schemars(!default, extend("default" = "domain_admin_password"))]
    pub key: String,
    /// The Secret's name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}

/// Licensing of old servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LicenseFilePrintData {
    /// By seat or by server.
    #[serde(default)]
    #[schemars(!default)]
    pub auto_mode: LicenseMode,
    /// How many clients, by server only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_users: Option<i32>,
}

choice! {
    /// Ways of licensing.
    #[derive(Default)]
    pub enum LicenseMode {
        /// Each client has a licence.
        #[default]
        PerSeat = "perSeat",
        /// The server has licences for so many at a time.
        PerServer = "perServer",
    }
}

/// Owner and product.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserData {
    /// The owner's name.
    #[serde(default)]
    #[schemars(!default, extend("minLength" = 1))]
    pub full_name: String,
    /// The owner's organization.
    #[serde(default)]
    #[schemars(!default, extend("minLength" = 1))]
    pub org_name: String,
    /// The product key.
    #[serde(rename = "productID", default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
}

/// The product key in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductId {
    /// The key whose value is wanted.
    #[serde(default)]
    #[schemars(!default, extend("default" = "product_id"))]
    pub key: String,
    /// The Secret's name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}
