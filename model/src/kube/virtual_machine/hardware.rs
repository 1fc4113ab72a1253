//! CD-ROM drives, storage controllers, and what is seen of them and of CPU, memory and vGPUs. Which unit goes where
//! is decided at admission.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kube::choice::choice;
use crate::kube::virtual_machine::ImageRef;
use crate::units::Bytes;

/// CD-ROM drives and controllers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareSpec {
    /// CD-ROM drives, each backed by an ISO image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub cdrom: Vec<CdromSpec>,
    /// IDE controllers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 2, "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["busNumber"]))]
    pub ide_controllers: Vec<IdeControllerSpec>,
    /// NVMe controllers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 4, "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["busNumber"]))]
    pub nvme_controllers: Vec<NvmeControllerSpec>,
    /// SATA (AHCI) controllers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 4, "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["busNumber"]))]
    pub sata_controllers: Vec<SataControllerSpec>,
    /// SCSI controllers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 4, "x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["busNumber"]))]
    pub scsi_controllers: Vec<ScsiControllerSpec>,
}

/// A CD-ROM drive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CdromSpec {
    /// Whether the console may connect and disconnect it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub allow_guest_control: Option<bool>,
    /// Whether it shall be connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub connected: Option<bool>,
    /// The bus number of its controller; chosen when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_bus_number: Option<i32>,
    /// The kind of its controller; IDE or SATA make sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_type: Option<ControllerType>,
    /// The ISO image behind it.
    #[serde(default)]
    #[schemars(!default)]
    pub image: ImageRef,
    /// Its name, unique among the drives.
    #[serde(default)]
    #[schemars(!default, extend("pattern" = "^[a-z0-9]{2,}$"))]
    pub name: String,
    /// Its unit on the controller; the next free one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_number: Option<i32>,
}

/// An IDE controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdeControllerSpec {
    /// Its bus number.
    #[serde(default)]
    #[schemars(!default, extend("minimum" = 0, "maximum" = 1))]
    pub bus_number: i32,
}

/// An NVMe controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NvmeControllerSpec {
    /// Its bus number.
    #[serde(default)]
    #[schemars(!default, extend("minimum" = 0, "maximum" = 3))]
    pub bus_number: i32,
    /// Whether VMs share its bus; `Virtual` does not exist for NVMe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["None", "Physical"], "default" = "None"))]
    pub sharing_mode: Option<ControllerSharingMode>,
}

/// A SATA controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SataControllerSpec {
    /// Its bus number.
    #[serde(default)]
    #[schemars(!default, extend("minimum" = 0, "maximum" = 3))]
    pub bus_number: i32,
}

/// A SCSI controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScsiControllerSpec {
    /// Its bus number.
    #[serde(default)]
    #[schemars(!default, extend("minimum" = 0, "maximum" = 3))]
    pub bus_number: i32,
    /// Whether VMs share its bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "None"))]
    pub sharing_mode: Option<ControllerSharingMode>,
    /// Its make.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "ParaVirtual"))]
    pub type_: Option<ScsiControllerType>,
}

choice! {
    /// The kinds of storage controller.
    #[derive(Default)]
    pub enum ControllerType {
        /// IDE: two devices each.
        #[default]
        Ide = "IDE",
        /// NVMe.
        Nvme = "NVME",
        /// SCSI.
        Scsi = "SCSI",
        /// SATA (AHCI).
        Sata = "SATA",
    }
}

choice! {
    /// Whether VMs share a controller's bus.
    pub enum ControllerSharingMode {
        /// Not shared.
        None = "None",
        /// Shared by VMs on any host.
        Physical = "Physical",
        /// Shared by VMs on one host.
        Virtual = "Virtual",
    }
}

choice! {
    /// Makes of SCSI controller.
    pub enum ScsiControllerType {
        /// VMware's paravirtual adapter.
        ParaVirtual = "ParaVirtual",
        /// BusLogic parallel.
        BusLogic = "BusLogic",
        /// LSI Logic parallel.
        LsiLogic = "LsiLogic",
        /// LSI Logic SAS.
        LsiLogicSas = "LsiLogicSAS",
    }
}

/// The hardware seen in vSphere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareStatus {
    /// Storage controllers with their devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["busNumber", "type"]))]
    pub controllers: Vec<ControllerStatus>,
    /// Processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuAllocationStatus>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryAllocationStatus>,
    /// Virtual GPUs.
    #[serde(rename = "vGPUs", default, skip_serializing_if = "Vec::is_empty")]
    pub vgpus: Vec<VgpuStatus>,
}

/// A storage controller seen in vSphere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControllerStatus {
    /// Its bus number.
    #[serde(default)]
    #[schemars(!default)]
    pub bus_number: i32,
    /// vSphere's key of the device.
    #[serde(default)]
    #[schemars(!default)]
    pub device_key: i32,
    /// What hangs on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["unitNumber"]))]
    pub devices: Vec<DeviceStatus>,
    /// What kind it is.
    #[serde(rename = "type", default)]
    #[schemars(!default)]
    pub type_: ControllerType,
}

/// A device on a controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceStatus {
    /// What it is.
    #[serde(rename = "type", default)]
    #[schemars(!default)]
    pub type_: DeviceType,
    /// Its unit.
    #[serde(default)]
    #[schemars(!default)]
    pub unit_number: i32,
}

choice! {
    /// What hangs on a storage controller.
    #[derive(Default)]
    pub enum DeviceType {
        /// A CD-ROM drive.
        #[default]
        Cdrom = "CDROM",
        /// A disk.
        Disk = "Disk",
    }
}

/// Processors seen in vSphere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CpuAllocationStatus {
    /// The reservation, in MHz.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub reservation: i64,
    /// The number of virtual CPUs.
    #[serde(default, skip_serializing_if = "crate::kube::schema::is_zero")]
    pub total: i32,
}

/// Memory seen in vSphere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryAllocationStatus {
    /// The reservation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Bytes>,
    /// The configured size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Bytes>,
}

/// A virtual GPU seen in vSphere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VgpuStatus {
    /// How it can be moved while running: `None`, `Normal` or `Enhanced`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub migration_type: String,
    /// Its profile.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub profile: String,
    /// Its make, e.g. `Nvidia`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub type_: String,
}
