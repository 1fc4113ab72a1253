//! cloud-init's user data as fields, in cloud-init's own spelling. A small part of what cloud-init knows; the rest
//! goes in raw.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kube::choice::choice;
use crate::kube::reference::SecretKeySelector;

/// cloud-init's user data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudConfig {
    /// Whether the image's default user is made too.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub default_user_enabled: bool,
    /// Commands for the first boot: a list of strings or of lists of strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
    pub runcmd: Option<Value>,
    /// Whether SSH takes passwords.
    #[serde(rename = "ssh_pwauth", default, skip_serializing_if = "Option::is_none")]
    pub ssh_pwauth: Option<bool>,
    /// The time zone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub timezone: String,
    /// The users to make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub users: Vec<CloudConfigUser>,
    /// The files to write.
    #[serde(rename = "write_files", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["path"]))]
    pub write_files: Vec<WriteFile>,
}

/// A user to make.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CloudConfigUser {
    /// Whether missing groups are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_groups: Option<bool>,
    /// When the account expires, as a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiredate: Option<String>,
    /// The comment of the account, usually the full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gecos: Option<String>,
    /// Further groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The password's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashed_passwd: Option<SecretKeySelector>,
    /// The home directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homedir: Option<String>,
    /// Days after the password expires until the account is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive: Option<i32>,
    /// Whether password login is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_passwd: Option<bool>,
    /// The login name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// Whether no home directory is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_create_home: Option<bool>,
    /// Whether lastlog and faillog are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_log_init: Option<bool>,
    /// Whether no group of the user's name is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_user_group: Option<bool>,
    /// The password in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passwd: Option<SecretKeySelector>,
    /// The primary group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_group: Option<String>,
    /// The SELinux user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selinux_user: Option<String>,
    /// The login shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// The account at Ubuntu's store to import from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapuser: Option<String>,
    /// Public keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_authorized_keys: Vec<String>,
    /// Accounts to import public keys from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_import_id: Vec<String>,
    /// Whether SSH logins are sent to the default user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_redirect_user: Option<bool>,
    /// A sudo rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo: Option<String>,
    /// Whether it is a system account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<bool>,
    /// The numeric id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<i64>,
}

/// A file to write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WriteFile {
    /// Whether to append rather than to overwrite.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub append: bool,
    /// The content: a string, or a selector of a Secret's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
    pub content: Option<Value>,
    /// Whether to wait until users and packages are there.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub defer: bool,
    /// How the content is encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "text/plain"))]
    pub encoding: Option<WriteFileEncoding>,
    /// Owner and group, `user:group`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("default" = "root:root"))]
    pub owner: String,
    /// Where to write.
    #[serde(default)]
    #[schemars(!default)]
    pub path: String,
    /// The mode in octal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("default" = "0644"))]
    pub permissions: String,
}

choice! {
    /// How a file's content is encoded.
    pub enum WriteFileEncoding {
        /// Base64.
        B64 = "b64",
        /// Base64.
        Base64 = "base64",
        /// Gzip.
        Gz = "gz",
        /// Gzip.
        Gzip = "gzip",
        /// Gzip in Base64.
        GzB64 = "gz+b64",
        /// Gzip in Base64.
        GzBase64 = "gz+base64",
        /// Gzip in Base64.
        GzipB64 = "gzip+b64",
        /// Gzip in Base64.
        GzipBase64 = "gzip+base64",
        /// As it stands.
        TextPlain = "text/plain",
    }
}
