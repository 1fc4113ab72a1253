//! A virtual machine as vSphere's property collector shows it, under the API's names.
//!
//! It is what a pass reads at its beginning (vsphere §6.1), and what scenarios assert on as `kind: VirtualMachine` of
//! `vsphere.vmtwin.dev`. Absent is not the same as empty: a VM whose host is unreachable may be listed without `config`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::snapshot::SnapshotInfo;
use super::spec::{Allocation, BootOptions, Device, ManagedBy};
use crate::id::{ClusterId, FolderId, HostId, PoolId, TaskId, VmId};
use crate::time::Timestamp;
use crate::units::{Bytes, MiB, VCpus};
use crate::words::words;

/// A virtual machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachine {
    /// The managed object id.
    #[serde(rename = "moID")]
    pub id: VmId,
    /// Its name in the inventory.
    pub name: Arc<str>,
    /// How it is configured; absent where vCenter can't tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Config>,
    /// How it runs.
    pub runtime: Runtime,
    /// What VM Tools report; absent where they never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// The guest's heartbeat, as VM Tools give it.
    #[serde(default)]
    pub guest_heartbeat_status: Heartbeat,
    /// The pool; a template has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_pool: Option<PoolId>,
    /// The folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<FolderId>,
    /// Its files.
    #[serde(default)]
    pub layout_ex: LayoutEx,
    /// Its snapshots; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Arc<SnapshotInfo>>,
    /// Tasks on it that run or ended lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent_task: Vec<Task>,
    /// The tags attached to it, by name or id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Arc<str>>,
    /// Where it lies, followed up through the inventory.
    #[serde(default)]
    pub location: Location,
}

/// `VirtualMachineConfigInfo`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The name.
    #[serde(default)]
    pub name: Arc<str>,
    /// The BIOS UUID; may be shared by VMs.
    #[serde(default)]
    pub uuid: Arc<str>,
    /// The instance UUID; unique in a vCenter.
    #[serde(default)]
    pub instance_uuid: Arc<str>,
    /// The virtual hardware's version, `vmx-21`.
    #[serde(default)]
    pub version: Arc<str>,
    /// The guest operating system's identifier.
    #[serde(default)]
    pub guest_id: Arc<str>,
    /// The guest operating system's name.
    #[serde(default)]
    pub guest_full_name: Arc<str>,
    /// Free text.
    #[serde(default)]
    pub annotation: Arc<str>,
    /// Whether it is a template.
    #[serde(default)]
    pub template: bool,
    /// `bios` or `efi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Arc<str>>,
    /// How it boots.
    #[serde(default, skip_serializing_if = "boots_as_ever")]
    pub boot_options: BootOptions,
    /// Whether changed blocks are tracked; absent where nobody ever said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_tracking_enabled: Option<bool>,
    /// CPUs, memory, devices.
    #[serde(default)]
    pub hardware: Hardware,
    /// CPU reservation and limit in MHz.
    #[serde(default)]
    pub cpu_allocation: Allocation,
    /// Memory reservation and limit in MB.
    #[serde(default)]
    pub memory_allocation: Allocation,
    /// Keys of the configuration file.
    #[serde(default)]
    pub extra_config: BTreeMap<Arc<str>, Arc<str>>,
    /// Who manages the VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManagedBy>,
    /// Where the files are.
    #[serde(default)]
    pub files: super::spec::FileInfo,
    /// The key that the VM's home is encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<CryptoKeyId>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_date: Option<Timestamp>,
    /// The properties of a vApp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v_app_config: Option<VAppConfig>,
}

fn boots_as_ever(options: &BootOptions) -> bool {
    *options == BootOptions::default()
}

/// `VmConfigInfo`: what an OVF lets the VM's user set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VAppConfig {
    /// The properties.
    #[serde(default)]
    pub property: Vec<VAppProperty>,
    /// How the guest can read them: `iso`, `com.vmware.guestInfo`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ovf_environment_transport: Vec<Arc<str>>,
}

/// `VAppPropertyInfo`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VAppProperty {
    /// By which it is addressed.
    #[serde(default)]
    pub key: i32,
    /// Its name.
    #[serde(default)]
    pub id: Arc<str>,
    /// What it takes: `string`, `int(0..255)` and so on.
    #[serde(default, rename = "type")]
    pub type_: Arc<str>,
    /// Whether the user may set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_configurable: Option<bool>,
    /// Its value when nobody sets one.
    #[serde(default)]
    pub default_value: Arc<str>,
    /// Its value.
    #[serde(default)]
    pub value: Arc<str>,
}

/// `CryptoKeyId`: a key and its provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CryptoKeyId {
    /// The key's id.
    pub key_id: Arc<str>,
    /// The provider.
    pub provider_id: KeyProviderId,
}

impl CryptoKeyId {
    /// A key of a provider; an empty one is for the provider to make.
    #[must_use]
    pub fn new(provider: impl Into<Arc<str>>, key: impl Into<Arc<str>>) -> Self {
        Self { key_id: key.into(), provider_id: KeyProviderId { id: provider.into() } }
    }

    /// The provider's id.
    #[must_use]
    pub fn provider(&self) -> &Arc<str> {
        &self.provider_id.id
    }
}

/// `KeyProviderId`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyProviderId {
    /// The provider's name.
    pub id: Arc<str>,
}

/// `VirtualHardware`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hardware {
    /// How many virtual CPUs.
    #[serde(default, rename = "numCPU")]
    pub num_cpu: VCpus,
    /// How many of them make a socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_cores_per_socket: Option<VCpus>,
    /// The memory's size.
    #[serde(default, rename = "memoryMB")]
    pub memory_mb: MiB,
    /// The devices, in the order of their keys.
    #[serde(default)]
    pub device: Vec<Device>,
}

/// `VirtualMachinePowerState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PowerState {
    /// It runs.
    PoweredOn,
    /// It is off.
    #[default]
    PoweredOff,
    /// It sleeps, its memory on disk.
    Suspended,
}

impl std::fmt::Display for PowerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::PoweredOn => "poweredOn",
            Self::PoweredOff => "poweredOff",
            Self::Suspended => "suspended",
        })
    }
}

/// `VirtualMachineConnectionState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConnectionState {
    /// vCenter sees it. Also when it says nothing: upstream takes an empty state for this one.
    #[default]
    #[serde(alias = "")]
    Connected,
    /// Its host can't be reached.
    Disconnected,
    /// Its files can't be reached.
    Inaccessible,
    /// Its configuration is broken.
    Invalid,
    /// vCenter knows it, its host doesn't.
    Orphaned,
}

impl std::fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Inaccessible => "inaccessible",
            Self::Invalid => "invalid",
            Self::Orphaned => "orphaned",
        })
    }
}

/// `VirtualMachineRuntimeInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Runtime {
    /// The host that it runs on or is registered on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// The power state that vCenter knows.
    #[serde(default)]
    pub power_state: PowerState,
    /// Whether vCenter can reach it.
    #[serde(default)]
    pub connection_state: ConnectionState,
    /// When it was switched on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_time: Option<Timestamp>,
}

words! {
    /// `VirtualMachineToolsRunningStatus`.
    pub enum ToolsRunningStatus {
        /// They don't run.
        NotRunning = "guestToolsNotRunning",
        /// They run.
        Running = "guestToolsRunning",
        /// They run scripts.
        ExecutingScripts = "guestToolsExecutingScripts",
    }
}

/// `ManagedEntityStatus` of the guest's heartbeat, worst first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Heartbeat {
    /// None of the colours below.
    Unknown,
    /// No tools, no beat.
    #[default]
    Gray,
    /// No beat for long.
    Red,
    /// Beats are missed.
    Yellow,
    /// It beats.
    Green,
}

impl std::fmt::Display for Heartbeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Unknown => "unknown",
            Self::Gray => "gray",
            Self::Red => "red",
            Self::Yellow => "yellow",
            Self::Green => "green",
        })
    }
}

/// `GuestInfo`: what VM Tools report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    /// Whether VM Tools run; empty where they never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools_running_status: Option<ToolsRunningStatus>,
    /// `running`, `shuttingDown`, `resetting`, `standby`, `notRunning` or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_state: Option<Arc<str>>,
    /// The host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<Arc<str>>,
    /// The primary address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<Arc<str>>,
    /// The adapters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub net: Vec<GuestNic>,
    /// The network stacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_stack: Vec<IpStack>,
    /// How the customization went; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customization_info: Option<CustomizationInfo>,
}

/// `GuestNicInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuestNic {
    /// The network's name.
    #[serde(default)]
    pub network: Arc<str>,
    /// The MAC address.
    #[serde(default)]
    pub mac_address: Arc<str>,
    /// Whether it is connected.
    #[serde(default)]
    pub connected: bool,
    /// The key of the virtual adapter; negative for the guest's own pseudo devices.
    #[serde(default)]
    pub device_config_id: i32,
    /// The addresses.
    #[serde(default)]
    pub ip_config: IpConfig,
    /// Name servers and search domains of the adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_config: Option<DnsConfig>,
}

/// `NetIpConfigInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpConfig {
    /// The addresses.
    #[serde(default)]
    pub ip_address: Vec<IpAddress>,
    /// The DHCP client's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<DhcpConfig>,
    /// Whether IPv6 configures itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_configuration_enabled: Option<bool>,
}

/// `NetDnsConfigInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsConfig {
    /// Whether it came by DHCP.
    #[serde(default)]
    pub dhcp: bool,
    /// The host name.
    #[serde(default)]
    pub host_name: Arc<str>,
    /// The domain name.
    #[serde(default)]
    pub domain_name: Arc<str>,
    /// The name servers.
    #[serde(default)]
    pub ip_address: Vec<Arc<str>>,
    /// The search domains.
    #[serde(default)]
    pub search_domain: Vec<Arc<str>>,
}

/// `NetDhcpConfigInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpConfig {
    /// For IPv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<DhcpOptions>,
    /// For IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<DhcpOptions>,
}

/// `NetDhcpConfigInfoDhcpOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpOptions {
    /// Whether the client runs.
    #[serde(default)]
    pub enable: bool,
    /// The guest's own settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<KeyValue>,
}

/// `KeyValue`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The key.
    #[serde(default)]
    pub key: Arc<str>,
    /// The value.
    #[serde(default)]
    pub value: Arc<str>,
}

/// `GuestStackInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpStack {
    /// Name servers and search domains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_config: Option<DnsConfig>,
    /// The routing table.
    #[serde(default)]
    pub ip_route_config: IpRouteConfig,
    /// Settings of the kernel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_stack_config: Vec<KeyValue>,
    /// The DHCP client's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp_config: Option<DhcpConfig>,
}

/// `NetIpRouteConfigInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpRouteConfig {
    /// The routes.
    #[serde(default)]
    pub ip_route: Vec<IpRoute>,
}

/// `NetIpRouteConfigInfoIpRoute`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpRoute {
    /// The network's address.
    #[serde(default)]
    pub network: Arc<str>,
    /// The length of its prefix.
    #[serde(default)]
    pub prefix_length: u8,
    /// The next hop.
    #[serde(default)]
    pub gateway: IpRouteGateway,
}

/// `NetIpRouteConfigInfoGateway`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpRouteGateway {
    /// The hop's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<Arc<str>>,
    /// The interface that it goes through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Arc<str>>,
}

/// `NetIpConfigInfoIpAddress`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpAddress {
    /// The address.
    pub ip_address: Arc<str>,
    /// The length of its network's prefix; 0 where a guest doesn't report it.
    #[serde(default)]
    pub prefix_length: u8,
    /// Where it comes from: `manual`, `dhcp`, `linklayer` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Arc<str>>,
    /// `preferred`, `deprecated` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Arc<str>>,
}

/// `GuestInfoCustomizationInfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomizationInfo {
    /// `TOOLSDEPLOYPKG_IDLE`, `…_PENDING`, `…_RUNNING`, `…_SUCCEEDED` or `…_FAILED`.
    pub customization_status: Arc<str>,
    /// The guest's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<Arc<str>>,
}

/// `VirtualMachineFileLayoutEx`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutEx {
    /// The files.
    #[serde(default)]
    pub file: Vec<LayoutFile>,
    /// Which files make up which disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disk: Vec<LayoutDisk>,
    /// Which files make up which snapshot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshot: Vec<LayoutSnapshot>,
}

/// `VirtualMachineFileLayoutExSnapshotLayout`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutSnapshot {
    /// The snapshot's id.
    pub key: Arc<str>,
    /// The file of its data.
    pub data_key: i32,
    /// The file of its memory; -1 where none is kept.
    #[serde(default = "no_file")]
    pub memory_key: i32,
    /// The disks as they were.
    #[serde(default)]
    pub disk: Vec<LayoutDisk>,
}

/// The key that stands for no file.
fn no_file() -> i32 {
    -1
}

/// `VirtualMachineFileLayoutExFileInfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutFile {
    /// By which the rest of the layout refers to it.
    pub key: i32,
    /// The path.
    #[serde(default)]
    pub name: Arc<str>,
    /// The sort: `config`, `log`, `swap`, `diskDescriptor`, `diskExtent`, `snapshotMemory` …
    #[serde(rename = "type")]
    pub type_: Arc<str>,
    /// The space that it takes.
    #[serde(with = "bare")]
    pub size: Bytes,
    /// The space that nothing else shares.
    #[serde(default, with = "bare")]
    pub unique_size: Bytes,
}

/// `VirtualMachineFileLayoutExDiskLayout`, with its chain flattened: parents first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutDisk {
    /// The disk's device key.
    pub key: i32,
    /// The files of each link of its chain.
    #[serde(default)]
    pub chain: Vec<LayoutChain>,
}

/// `VirtualMachineFileLayoutExDiskUnit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutChain {
    /// The keys of the files.
    pub file_key: Vec<i32>,
}

mod bare {
    //! Bytes as the bare number that the vSphere API has.

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::units::Bytes;

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(bytes.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        i64::deserialize(deserializer).map(Bytes)
    }
}

/// `TaskInfoState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskState {
    /// It waits for room.
    Queued,
    /// It runs.
    Running,
    /// It ended well.
    Success,
    /// It failed.
    Error,
}

impl TaskState {
    /// Whether it has not ended.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// `TaskInfo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The task's id.
    pub key: TaskId,
    /// What it does: `VirtualMachine.powerOn`.
    pub description_id: Arc<str>,
    /// Its state.
    pub state: TaskState,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
    /// When it was asked for.
    #[serde(default)]
    pub queue_time: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_time: Option<Timestamp>,
}

/// Where a VM lies: what a reader finds by following its references up through the inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The name of `runtime.host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<Arc<str>>,
    /// The owner of `resourcePool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// The parent of `resourcePool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_parent: Option<PoolId>,
    /// The parent of `parent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_parent: Option<FolderId>,
}

impl VirtualMachine {
    /// The value of an ExtraConfig key; an empty one counts as absent.
    #[must_use]
    pub fn extra_config(&self, key: &str) -> Option<&str> {
        self.config.as_ref()?.extra_config.get(key).map(|value| &**value).filter(|value| !value.is_empty())
    }

    /// Whether VM Tools run.
    #[must_use]
    pub fn tools_run(&self) -> bool {
        let status = self.guest.as_ref().and_then(|guest| guest.tools_running_status.as_ref());
        matches!(status, Some(ToolsRunningStatus::Running | ToolsRunningStatus::ExecutingScripts))
    }
}
