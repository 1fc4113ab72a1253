//! VirtualMachineGroup: VMs and groups that are placed and powered together. The arithmetic of boot groups is the
//! engine's.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::Condition;
use crate::kube::choice::choice;
use crate::kube::power::{PowerOpMode, PowerState};
use crate::list::List;
use crate::time::{GoDuration, Timestamp};

/// What the owner of a group asks for.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "vmoperator.vmware.com",
    version = "v1alpha5",
    kind = "VirtualMachineGroup",
    plural = "virtualmachinegroups",
    namespaced,
    status = "VirtualMachineGroupStatus",
    shortname = "vmg",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineGroupSpec {
    /// Boot groups, first to last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boot_order: Vec<BootOrderGroup>,
    /// The group that this one belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group_name: String,
    /// A sync of the members' power states asked for: `now` when written, an RFC 3339 instant once admitted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next_force_power_state_sync_time: String,
    /// How members are powered off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_off_mode: Option<PowerOpMode>,
    /// What power state the members shall be in; absent leaves them alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_state: Option<PowerState>,
    /// How members are suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_mode: Option<PowerOpMode>,
}

/// Members that are powered on together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BootOrderGroup {
    /// The members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind", "name"]))]
    pub members: Vec<GroupMember>,
    /// How long to wait, after the boot group before, until this one is powered on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_on_delay: Option<GoDuration>,
}

/// A member by kind and name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupMember {
    /// What it is; a VM when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "VirtualMachine"))]
    pub kind: Option<MemberKind>,
    /// Its name, in the group's namespace.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
}

/// What was seen of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachineGroupStatus {
    /// What is true of the group, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// When the group's power state was last given to its members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated_power_state_time: Option<Timestamp>,
    /// What was seen of each member.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name", "kind"]))]
    pub members: List<GroupMemberStatus>,
}

/// What was seen of a member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupMemberStatus {
    /// What is true of the member, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What it is.
    #[serde(default)]
    #[schemars(!default)]
    pub kind: MemberKind,
    /// Its name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// Where it is to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<GroupPlacementStatus>,
    /// Its power state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_state: Option<PowerState>,
    /// The object's uid.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// Where a member is to go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupPlacementStatus {
    /// The datastores for its disks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datastores: Vec<GroupPlacementDatastoreStatus>,
    /// The host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// The resource pool.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pool: String,
    /// The zone.
    #[serde(rename = "zoneID", default, skip_serializing_if = "String::is_empty")]
    pub zone_id: String,
}

/// A datastore for a member's home or one of its disks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupPlacementDatastoreStatus {
    /// The disk it is for; absent for the VM's home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_key: Option<i32>,
    /// The datastore's id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The datastore's name.
    #[serde(default)]
    #[schemars(!default)]
    pub name: String,
    /// The disk formats it can hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supported_disk_formats: Vec<String>,
    /// Whether directories can be made at its top (not on vSAN).
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub top_level_directory_create_supported: bool,
    /// The datastore's URL.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
}

choice! {
    /// What can be a member of a group.
    #[derive(Default)]
    pub enum MemberKind {
        /// A VM.
        #[default]
        VirtualMachine = "VirtualMachine",
        /// A group.
        VirtualMachineGroup = "VirtualMachineGroup",
    }
}
