//! VMs that exist already, under the vSphere API's property names.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::Text;
use crate::format::spanned::{Object, Tree};

/// A VM that exists already. Inside of `runtime`, `config`, `guest` and `layoutEx` stand the API's own properties.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct VirtualMachine {
    /// `NAMESPACE/NAME` of a managed VM, the plain name of another.
    pub(in crate::format) name: Text,
    /// The managed object id.
    #[serde(rename = "moID")]
    pub(in crate::format) mo_id: Option<Text>,
    /// The host's name.
    pub(in crate::format) host: Option<Text>,
    /// `VirtualMachineRuntimeInfo`.
    pub(in crate::format) runtime: Option<Object>,
    /// `VirtualMachineConfigInfo`; `extraConfig` is a mapping.
    pub(in crate::format) config: Option<Object>,
    /// `GuestInfo`.
    pub(in crate::format) guest: Option<Object>,
    /// The guest's heartbeat.
    pub(in crate::format) guest_heartbeat_status: Option<Tree>,
    /// `VirtualMachineFileLayoutEx`, in place of what the twin would compute.
    pub(in crate::format) layout_ex: Option<Object>,
    /// Snapshots.
    pub(in crate::format) snapshot: Option<Object>,
    /// Foreign tasks that don't end.
    #[serde(default)]
    pub(in crate::format) recent_task: Vec<Object>,
    /// The datastores of its files.
    #[serde(default)]
    pub(in crate::format) datastores: Vec<Text>,
    /// The tags attached to it.
    #[serde(default)]
    pub(in crate::format) tags: Vec<Text>,
    /// The object that manages it, `NAMESPACE/NAME`.
    pub(in crate::format) managed_by: Option<Text>,
    /// The guest's behaviour: an entry of `guests`.
    pub(in crate::format) guest_profile: Option<Text>,
    /// The resource pool.
    pub(in crate::format) resource_pool: Option<Text>,
    /// The folder.
    pub(in crate::format) parent: Option<Text>,
}
