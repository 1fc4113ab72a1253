//! Everything that can be asked of the hypervisor: the vSphere port. Source: vm-lifecycle §18, vsphere §4.
//!
//! One variant is one call of the vSphere API, but for the reads: what a vCenter answers in two or three property retrievals
//! (a VM with its tasks and the way up through the inventory) is one operation here, since a pass needs it as a whole. The
//! name that a timeline prints is the API's ([`Operation::method`]); the arguments are printed under the API's names.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::spec::{ConfigSpec, Device};
use super::vm::CryptoKeyId;
use crate::id::{ClusterId, DatastoreId, FolderId, HostId, PoolId, TaskId, VmId};

/// A call on the hypervisor.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Operation {
    /// `RetrieveServiceContent`: which vCenter it is. Answers [`super::Reply::About`].
    About {},
    /// `SearchIndex.FindAllByUuid` by instance UUID, in the datacenter. Answers [`super::Reply::Found`].
    #[serde(rename_all = "camelCase")]
    FindAllByUuid {
        /// The instance UUID.
        uuid: Arc<str>,
    },
    /// `RetrievePropertiesEx` of a VM: everything of vsphere §6.1 with the tasks' infos and the way up through the inventory. Answers
    /// [`super::Reply::Vm`], or fault `ManagedObjectNotFound`.
    RetrieveVm {
        /// The VM.
        vm: VmId,
    },
    /// `CryptoManagerKmip.ListKmipServers`: the key providers. Answers [`super::Reply::KeyProviders`].
    ListKmipServers {},
    /// `CryptoManagerKmip.GetDefaultKmsCluster`. Answers [`super::Reply::DefaultKeyProvider`].
    GetDefaultKmsCluster {},
    /// `CryptoManagerKmip.QueryCryptoKeyStatus` of one key, by its availability. Answers [`super::Reply::KeyStatus`].
    QueryCryptoKeyStatus {
        /// The key.
        key: CryptoKeyId,
    },
    /// The least `summary.hardware.cpuMhz` of a cluster's hosts. Answers [`super::Reply::Clock`].
    MinClusterCpu {
        /// The cluster.
        cluster: ClusterId,
    },
    /// `FileManager.MakeDirectory`, with all above it.
    MakeDirectory {
        /// The path, `[datastore] folder`.
        name: Arc<str>,
    },
    /// `VirtualDiskManager.CopyVirtualDisk_Task`.
    #[serde(rename_all = "camelCase")]
    CopyVirtualDisk {
        /// The disk's path.
        source_name: Arc<str>,
        /// The copy's.
        dest_name: Arc<str>,
    },
    /// `FileManager.DeleteDatastoreFile_Task`: a file, or a folder with all in it.
    DeleteDatastoreFile {
        /// The path.
        name: Arc<str>,
    },
    /// `SearchIndex.FindChild` below a pool. Answers [`super::Reply::Child`].
    FindChildPool {
        /// The pool above.
        entity: PoolId,
        /// The child's name.
        name: Arc<str>,
    },
    /// `SearchIndex.FindChild` below a folder. Answers [`super::Reply::Child`].
    FindChildFolder {
        /// The folder above.
        entity: FolderId,
        /// The child's name.
        name: Arc<str>,
    },
    /// `RetrievePropertiesEx` of a host's name. Answers [`super::Reply::Name`], or fault `ManagedObjectNotFound`.
    RetrieveHost {
        /// The host.
        host: HostId,
    },
    /// `RetrievePropertiesEx` of what a recommended datastore is known by. Answers [`super::Reply::Datastore`].
    RetrieveDatastore {
        /// The datastore.
        datastore: DatastoreId,
    },
    /// `ResourcePool.CreateResourcePool`. Answers [`super::Reply::Child`].
    CreateResourcePool {
        /// The pool above.
        entity: PoolId,
        /// Its name.
        name: Arc<str>,
        /// `ResourceConfigSpec`.
        spec: PoolSpec,
    },
    /// `Folder.CreateFolder`. Answers [`super::Reply::Child`].
    CreateFolder {
        /// The folder above.
        entity: FolderId,
        /// Its name.
        name: Arc<str>,
    },
    /// `ResourcePool.Destroy_Task`: what is in the pool goes to the one above.
    DestroyPool {
        /// The pool.
        pool: PoolId,
    },
    /// `Folder.Destroy_Task`: with all that is in it; refused while a VM of it is on.
    DestroyFolder {
        /// The folder.
        folder: FolderId,
    },
    /// The cluster modules that there are (REST). Answers [`super::Reply::Modules`].
    ListModules {},
    /// Makes a cluster module (REST). Answers [`super::Reply::Module`].
    CreateModule {
        /// The cluster.
        cluster: ClusterId,
    },
    /// Deletes a cluster module (REST).
    DeleteModule {
        /// The module.
        module: Arc<str>,
    },
    /// The VMs of a cluster module (REST). Answers [`super::Reply::Found`].
    ListModuleMembers {
        /// The module.
        module: Arc<str>,
    },
    /// Adds VMs to a cluster module (REST).
    AddModuleMembers {
        /// The module.
        module: Arc<str>,
        /// The VMs.
        vms: Vec<VmId>,
    },
    /// `ClusterComputeResource.PlaceVm` for a VM that is to be created. Answers [`super::Reply::Placements`] with one entry.
    #[serde(rename_all = "camelCase")]
    PlaceVm {
        /// The cluster.
        cluster: ClusterId,
        /// The VM.
        config_spec: Arc<ConfigSpec>,
    },
    /// `Folder.PlaceVmsXCluster` on the root folder. Answers [`super::Reply::Placements`] in the order of the request.
    PlaceVmsXCluster(PlaceVmsXCluster),
    /// The content library's deploy of an OVF item (REST). Answers [`super::Reply::Created`].
    #[serde(rename = "deployLibraryItem")]
    DeployLibraryItem(DeployLibraryItem),
    /// `Folder.CreateVM_Task`. Answers [`super::Reply::Created`].
    CreateVm {
        /// The folder.
        folder: FolderId,
        /// The VM.
        config: Arc<ConfigSpec>,
        /// The pool.
        pool: PoolId,
        /// The host, if one is wanted.
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<HostId>,
    },
    /// `ReconfigVM_Task`.
    ReconfigVm {
        /// The VM.
        vm: VmId,
        /// What is to change.
        spec: Arc<ConfigSpec>,
    },
    /// `UpgradeVM_Task`.
    UpgradeVm {
        /// The VM.
        vm: VmId,
        /// The hardware version, `vmx-21`.
        version: Arc<str>,
    },
    /// `CustomizeVM_Task`.
    CustomizeVm {
        /// The VM.
        vm: VmId,
        /// The customization, in the API's JSON.
        spec: Arc<Value>,
    },
    /// `InvokeFSR_Task`: suspends and resumes a running VM in no time, so that what was reconfigured takes effect.
    InvokeFsr {
        /// The VM.
        vm: VmId,
    },
    /// `PromoteDisks_Task`: linked disks become full ones. Answered as soon as there is a task; the VM's `recentTask` tells how that goes.
    PromoteDisks {
        /// The VM.
        vm: VmId,
        /// Whether the disks are to stand alone afterwards.
        unlink: bool,
        /// Which disks.
        disks: Vec<Device>,
    },
    /// `Task.CancelTask`.
    CancelTask {
        /// The task.
        task: TaskId,
    },
    /// The content library's sync of an item whose files aren't here yet (REST).
    #[serde(rename = "syncLibraryItem")]
    SyncLibraryItem {
        /// The library item's id.
        item: Arc<str>,
    },
    /// A TCP connection to a guest, made and closed again; no call of the vSphere API.
    #[serde(rename_all = "camelCase")]
    ConnectTcp {
        /// The VM whose readiness is asked for.
        vm: VmId,
        /// The host's name or address.
        host: Arc<str>,
        /// The port.
        port: u16,
        /// How long the attempt may take.
        timeout_seconds: i64,
    },
    /// `CreateSnapshotEx_Task`. Answers [`super::Reply::Snapshot`].
    #[serde(rename_all = "camelCase")]
    CreateSnapshot {
        /// The VM.
        vm: VmId,
        /// The snapshot's name.
        name: Arc<str>,
        /// What it is for, in words.
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<Arc<str>>,
        /// Whether the memory is kept.
        memory: bool,
        /// Whether and how the guest is brought to rest.
        #[serde(skip_serializing_if = "Option::is_none")]
        quiesce_spec: Option<GuestQuiesceSpec>,
    },
    /// `VirtualMachineSnapshot.RevertToSnapshot_Task`.
    RevertToSnapshot {
        /// The snapshot's VM.
        vm: VmId,
        /// The snapshot.
        snapshot: Arc<str>,
    },
    /// `VirtualMachineSnapshot.RemoveSnapshot_Task`: takes a snapshot away and leaves those on top of it.
    RemoveSnapshot {
        /// The snapshot's VM.
        vm: VmId,
        /// The snapshot.
        snapshot: Arc<str>,
    },
    /// `RetrievePropertiesEx` of how a snapshot's VM was configured. Answers [`super::Reply::SnapshotConfig`], or fault
    /// `ManagedObjectNotFound`.
    RetrieveSnapshot {
        /// The snapshot's VM.
        vm: VmId,
        /// The snapshot.
        snapshot: Arc<str>,
    },
    /// `PowerOnVM_Task`: switches on, or resumes.
    PowerOnVm {
        /// The VM.
        vm: VmId,
        /// The host, if one is wanted.
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<HostId>,
    },
    /// `PowerOffVM_Task`.
    PowerOffVm {
        /// The VM.
        vm: VmId,
    },
    /// `SuspendVM_Task`.
    SuspendVm {
        /// The VM.
        vm: VmId,
    },
    /// `ResetVM_Task`.
    ResetVm {
        /// The VM.
        vm: VmId,
    },
    /// `ShutdownGuest`: returns before the guest has done anything.
    ShutdownGuest {
        /// The VM.
        vm: VmId,
    },
    /// `StandbyGuest`: returns before the guest has done anything.
    StandbyGuest {
        /// The VM.
        vm: VmId,
    },
    /// `RebootGuest`: returns before the guest has done anything.
    RebootGuest {
        /// The VM.
        vm: VmId,
    },
    /// `Destroy_Task`: deletes the VM and its files.
    DestroyVm {
        /// The VM.
        vm: VmId,
    },
}

/// `VirtualMachineGuestQuiesceSpec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GuestQuiesceSpec {
    /// How many minutes the guest may take; vSphere's own limit where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i32>,
}

/// `ResourceConfigSpec`, as far as pools are made here: expandable, with normal shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolSpec {
    /// CPU in MHz.
    pub cpu_allocation: PoolShare,
    /// Memory in MB.
    pub memory_allocation: PoolShare,
}

/// A pool's part of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolShare {
    /// What is guaranteed.
    pub reservation: i64,
    /// What may be used at most; −1 is no limit.
    pub limit: i64,
}

impl Default for PoolShare {
    fn default() -> Self {
        Self { reservation: 0, limit: -1 }
    }
}

/// `PlaceVmsXClusterSpec`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceVmsXCluster {
    /// The pools that are offered; one for each cluster.
    pub resource_pools: Vec<PoolId>,
    /// The VMs.
    pub vm_placement_specs: Vec<Arc<ConfigSpec>>,
    /// Whether a host is to be named.
    pub host_recomm_required: bool,
    /// Whether datastores are to be named.
    pub datastore_recomm_required: bool,
}

/// The deploy of a content library's OVF item.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployLibraryItem {
    /// The library item's id.
    pub item: Arc<str>,
    /// The VM's name.
    pub name: Arc<str>,
    /// The pool.
    pub resource_pool_id: PoolId,
    /// The folder.
    pub folder_id: FolderId,
    /// The host, if one is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_id: Option<HostId>,
    /// The storage policy of the VM's home and disks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_profile_id: Option<Arc<str>>,
    /// The datastore, if one is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_datastore_id: Option<DatastoreId>,
    /// The VM.
    pub vm_config_spec: Arc<ConfigSpec>,
}

impl Operation {
    /// The method's name in the vSphere API, as timelines print it.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::About {} => "RetrieveServiceContent",
            Self::FindAllByUuid { .. } => "FindAllByUuid",
            Self::RetrieveVm { .. }
            | Self::MinClusterCpu { .. }
            | Self::RetrieveHost { .. }
            | Self::RetrieveDatastore { .. }
            | Self::RetrieveSnapshot { .. } => "RetrievePropertiesEx",
            Self::MakeDirectory { .. } => "MakeDirectory",
            Self::CopyVirtualDisk { .. } => "CopyVirtualDisk_Task",
            Self::DeleteDatastoreFile { .. } => "DeleteDatastoreFile_Task",
            Self::ListKmipServers {} => "ListKmipServers",
            Self::GetDefaultKmsCluster {} => "GetDefaultKmsCluster",
            Self::QueryCryptoKeyStatus { .. } => "QueryCryptoKeyStatus",
            Self::FindChildPool { .. } | Self::FindChildFolder { .. } => "FindChild",
            Self::CreateResourcePool { .. } => "CreateResourcePool",
            Self::CreateFolder { .. } => "CreateFolder",
            Self::ListModules {} => "listClusterModules",
            Self::CreateModule { .. } => "createClusterModule",
            Self::DeleteModule { .. } => "deleteClusterModule",
            Self::ListModuleMembers { .. } => "listClusterModuleMembers",
            Self::AddModuleMembers { .. } => "addClusterModuleMembers",
            Self::PlaceVm { .. } => "PlaceVm",
            Self::PlaceVmsXCluster(_) => "PlaceVmsXCluster",
            Self::DeployLibraryItem(_) => "deployLibraryItem",
            Self::CreateVm { .. } => "CreateVM_Task",
            Self::ReconfigVm { .. } => "ReconfigVM_Task",
            Self::UpgradeVm { .. } => "UpgradeVM_Task",
            Self::CustomizeVm { .. } => "CustomizeVM_Task",
            Self::InvokeFsr { .. } => "InvokeFSR_Task",
            Self::PromoteDisks { .. } => "PromoteDisks_Task",
            Self::CancelTask { .. } => "CancelTask",
            Self::ConnectTcp { .. } => "ConnectTcp",
            Self::SyncLibraryItem { .. } => "syncLibraryItem",
            Self::CreateSnapshot { .. } => "CreateSnapshotEx_Task",
            Self::RevertToSnapshot { .. } => "RevertToSnapshot_Task",
            Self::RemoveSnapshot { .. } => "RemoveSnapshot_Task",
            Self::PowerOnVm { .. } => "PowerOnVM_Task",
            Self::PowerOffVm { .. } => "PowerOffVM_Task",
            Self::SuspendVm { .. } => "SuspendVM_Task",
            Self::ResetVm { .. } => "ResetVM_Task",
            Self::ShutdownGuest { .. } => "ShutdownGuest",
            Self::StandbyGuest { .. } => "StandbyGuest",
            Self::RebootGuest { .. } => "RebootGuest",
            Self::DestroyVm { .. } | Self::DestroyPool { .. } | Self::DestroyFolder { .. } => "Destroy_Task",
        }
    }

    /// Whether the call changes anything in vSphere.
    #[must_use]
    pub fn mutates(&self) -> bool {
        !matches!(
            self,
            Self::About {}
                | Self::FindAllByUuid { .. }
                | Self::RetrieveVm { .. }
                | Self::ListKmipServers {}
                | Self::GetDefaultKmsCluster {}
                | Self::QueryCryptoKeyStatus { .. }
                | Self::MinClusterCpu { .. }
                | Self::RetrieveDatastore { .. }
                | Self::RetrieveSnapshot { .. }
                | Self::ConnectTcp { .. }
                | Self::FindChildPool { .. }
                | Self::FindChildFolder { .. }
                | Self::RetrieveHost { .. }
                | Self::ListModules {}
                | Self::ListModuleMembers { .. }
                | Self::PlaceVm { .. }
                | Self::PlaceVmsXCluster(_)
        )
    }

    /// The VM that it is about, if it is about an existing one.
    #[must_use]
    pub fn vm(&self) -> Option<&VmId> {
        match self {
            Self::RetrieveVm { vm }
            | Self::ReconfigVm { vm, .. }
            | Self::UpgradeVm { vm, .. }
            | Self::CustomizeVm { vm, .. }
            | Self::InvokeFsr { vm }
            | Self::PromoteDisks { vm, .. }
            | Self::ConnectTcp { vm, .. }
            | Self::CreateSnapshot { vm, .. }
            | Self::RevertToSnapshot { vm, .. }
            | Self::RemoveSnapshot { vm, .. }
            | Self::RetrieveSnapshot { vm, .. }
            | Self::PowerOnVm { vm, .. }
            | Self::PowerOffVm { vm }
            | Self::SuspendVm { vm }
            | Self::ResetVm { vm }
            | Self::ShutdownGuest { vm }
            | Self::StandbyGuest { vm }
            | Self::RebootGuest { vm }
            | Self::DestroyVm { vm } => Some(vm),
            _ => None,
        }
    }

    /// The method's arguments under their names of the API, for timelines.
    #[must_use]
    pub fn arguments(&self) -> Value {
        let mut arguments = serde_json::to_value(self).expect("operations have string keys and finite numbers");
        match self {
            // The bit 1 asks for the availability alone.
            Self::QueryCryptoKeyStatus { key } => json!({"keyIds": [key], "checkKeyBitMap": 1}),
            Self::PlaceVm { .. } => {
                let spec = arguments["configSpec"].take();
                json!({"cluster": arguments["cluster"], "placementSpec": {"configSpec": spec}})
            }
            Self::PlaceVmsXCluster(_) => {
                for spec in arguments["vmPlacementSpecs"].as_array_mut().into_iter().flatten() {
                    *spec = json!({"configSpec": spec.take()});
                }
                json!({"placementSpec": arguments})
            }
            Self::RevertToSnapshot { snapshot, .. } => json!({"snapshot": snapshot, "suppressPowerOn": false}),
            Self::RemoveSnapshot { snapshot, .. } => json!({"snapshot": snapshot, "removeChildren": false, "consolidate": true}),
            _ => arguments,
        }
    }
}

/// The method, and the VM that it is about.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vm() {
            Some(vm) => write!(f, "{} {vm}", self.method()),
            None => f.write_str(self.method()),
        }
    }
}

/// Every method that the operator may call, by the API's name. Fault rules and timings name these.
pub const METHODS: &[&str] = &[
    "RetrieveServiceContent",
    "FindAllByUuid",
    "RetrievePropertiesEx",
    "FindChild",
    "PlaceVm",
    "PlaceVmsXCluster",
    "deployLibraryItem",
    "syncLibraryItem",
    "ConnectTcp",
    "CreateVM_Task",
    "CloneVM_Task",
    "ReconfigVM_Task",
    "UpgradeVM_Task",
    "CustomizeVM_Task",
    "PowerOnVM_Task",
    "PowerOffVM_Task",
    "SuspendVM_Task",
    "ResetVM_Task",
    "ShutdownGuest",
    "StandbyGuest",
    "RebootGuest",
    "Destroy_Task",
    "RelocateVM_Task",
    "CreateSnapshotEx_Task",
    "RevertToSnapshot_Task",
    "RemoveSnapshot_Task",
    "PromoteDisks_Task",
    "CancelTask",
    "InvokeFSR_Task",
    "CopyVirtualDisk_Task",
    "CopyDatastoreFile_Task",
    "MakeDirectory",
    "CreateDirectory",
    "DeleteDirectory",
    "DeleteDatastoreFile_Task",
    "CreateFolder",
    "CreateResourcePool",
    "listClusterModules",
    "createClusterModule",
    "deleteClusterModule",
    "listClusterModuleMembers",
    "addClusterModuleMembers",
    "UpdateConfig",
    "ListKmipServers",
    "RetrieveKmipServersStatus_Task",
    "QueryCryptoKeyStatus",
    "GetDefaultKmsCluster",
    "GenerateKey",
    "EnterMaintenanceMode_Task",
    "ExitMaintenanceMode_Task",
    "ReconfigureComputeResource_Task",
    "AttachTag",
    "DetachTag",
];
