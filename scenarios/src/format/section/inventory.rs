//! `vsphere`: the infrastructure (scenario-format §3).

use schemars::JsonSchema;
use serde::Deserialize;

use super::cluster::Zone;
use super::scalar::{Duration, Quantity, Text};
use super::step::FaultRule;
use super::vm::VirtualMachine;
use crate::format::spanned::{Named, Spanned, Tree};

/// The infrastructure. Everything but names has a default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Vsphere {
    /// A file with `kind: Inventory`; the fields beside it replace or add to that one's.
    #[expect(dead_code, reason = "the file is put in its place on the tree, before it is read")]
    pub(in crate::format) from: Option<Text>,
    /// The vCenter.
    pub(in crate::format) vcenter: Option<Vcenter>,
    /// Availability zones.
    #[serde(default)]
    pub(in crate::format) zones: Vec<Zone>,
    /// Datastores.
    #[serde(default)]
    pub(in crate::format) datastores: Vec<Datastore>,
    /// Storage policies, each also a storage class.
    #[serde(default)]
    pub(in crate::format) storage_policies: Vec<StoragePolicy>,
    /// Key providers; none unless told.
    #[serde(default)]
    pub(in crate::format) key_providers: Vec<KeyProvider>,
    /// Networks; one, `workload`, unless told.
    #[serde(default)]
    pub(in crate::format) networks: Vec<Network>,
    /// Images of the content library.
    #[serde(default)]
    pub(in crate::format) images: Vec<Image>,
    /// The behaviour of guests by profile.
    #[serde(default)]
    pub(in crate::format) guests: Named<Guest>,
    /// How long operations of the hypervisor take, by the API's method name; `*` is every one that isn't named.
    #[serde(default)]
    pub(in crate::format) timings: Named<Timing>,
    /// VMs that exist already.
    #[serde(default)]
    pub(in crate::format) virtual_machines: Vec<VirtualMachine>,
    /// Fault rules in force from the start.
    #[serde(default)]
    pub(in crate::format) faults: Vec<Spanned<FaultRule>>,
    /// Supervisor namespaces.
    #[serde(default)]
    pub(in crate::format) namespaces: Vec<Namespace>,
}

/// The vCenter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Vcenter {
    /// Its version; `9.0` unless told.
    pub(in crate::format) version: Option<Text>,
}

/// A datastore.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Datastore {
    /// The name.
    pub(in crate::format) name: Text,
    /// Its type; vmfs unless told.
    #[serde(rename = "type")]
    pub(in crate::format) type_: Option<DatastoreType>,
    /// The capacity; 10Ti unless told.
    pub(in crate::format) capacity: Option<Quantity>,
    /// What others use of it; nothing unless told.
    pub(in crate::format) used: Option<Quantity>,
    /// Whether it is in maintenance mode.
    pub(in crate::format) maintenance: Option<bool>,
    /// Another datastore whose space it really is.
    pub(in crate::format) shares_space_with: Option<Text>,
}

/// The type of a datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum DatastoreType {
    /// A VMFS volume.
    Vmfs,
    /// vSAN.
    Vsan,
    /// NFS, version 3.
    Nfs,
    /// NFS, version 4.1.
    Nfs41,
    /// Virtual volumes.
    Vvol,
}

/// A storage policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct StoragePolicy {
    /// The name, which is the storage class's, too.
    pub(in crate::format) name: Text,
    /// The policy's id; drawn from the name unless told.
    pub(in crate::format) id: Option<Text>,
    /// The datastores that comply; all unless told.
    pub(in crate::format) datastores: Option<Vec<Text>>,
    /// Whether it encrypts.
    pub(in crate::format) encrypted: Option<bool>,
    /// Whether space is taken as it is used, as it is unless told.
    pub(in crate::format) thin: Option<Spanned<bool>>,
    /// Rules of the policy under their names of the API: `VMFS.volumeAllocationType`, `sectorFormat`.
    #[serde(default)]
    pub(in crate::format) rules: Named<Text>,
}

/// A key provider.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct KeyProvider {
    /// The name.
    pub(in crate::format) name: Text,
    /// Its type; native unless told.
    #[serde(rename = "type")]
    pub(in crate::format) type_: Option<KeyProviderType>,
    /// Whether it is the default.
    pub(in crate::format) default: Option<Spanned<bool>>,
    /// Its keys.
    #[serde(default)]
    pub(in crate::format) keys: Vec<Key>,
    /// Whether it answers, as it does unless told.
    pub(in crate::format) available: Option<bool>,
}

/// The type of a key provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum KeyProviderType {
    /// vCenter's own.
    Native,
    /// A KMIP server.
    Standard,
    /// vSphere Trust Authority.
    #[serde(rename = "trustAuthority")]
    TrustAuthority,
}

/// A key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Key {
    /// The id.
    pub(in crate::format) id: Text,
}

/// A network.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Network {
    /// The name.
    pub(in crate::format) name: Text,
    /// Its sort; distributed unless told.
    #[serde(rename = "type")]
    pub(in crate::format) type_: Option<NetworkType>,
    /// Its address and prefix length; `10.N.0.0/16`, N its place in the list, unless told.
    pub(in crate::format) cidr: Option<Text>,
    /// The gateway; the network's first address unless told.
    pub(in crate::format) gateway: Option<Text>,
    /// Whether guests ask for their address by DHCP.
    pub(in crate::format) dhcp: Option<Spanned<bool>>,
    /// What the network provider hands to each interface.
    pub(in crate::format) ipam: Option<Spanned<Ipam>>,
}

/// The sort of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum NetworkType {
    /// A port group of a standard switch.
    Standard,
    /// A port group of a distributed switch.
    Distributed,
    /// A network of NSX's own.
    Opaque,
}

/// What a network provider hands to each interface.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Ipam {
    /// How; static unless told.
    pub(in crate::format) mode: Option<IpamMode>,
    /// Exactly these addresses, with prefix length, to each interface.
    pub(in crate::format) addresses: Option<Vec<IpamAddress>>,
}

/// How interfaces get their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum IpamMode {
    /// The provider hands them out.
    Static,
    /// The guest asks by DHCP.
    Dhcp,
    /// Nobody hands out anything.
    None,
}

/// An address that is handed out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct IpamAddress {
    /// The address with its prefix length.
    pub(in crate::format) ip: Text,
    /// The gateway.
    pub(in crate::format) gateway: Option<Text>,
}

/// An image of the content library.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Image {
    /// The object's name if it begins with `vmi-`, else the display name.
    pub(in crate::format) name: Text,
    /// The display name, where `name` is the object's.
    pub(in crate::format) display_name: Option<Text>,
    /// The namespace, for an image of a namespace.
    pub(in crate::format) namespace: Option<Text>,
    /// The library item's id; drawn from the name unless told.
    pub(in crate::format) id: Option<Text>,
    /// Its type; OVF unless told.
    #[serde(rename = "type")]
    pub(in crate::format) type_: Option<ImageType>,
    /// Its disks; one of 2Gi that may grow to 10Gi unless told, none for an ISO.
    pub(in crate::format) disks: Option<Vec<Spanned<Disk>>>,
    /// The guest operating system's identifier; `otherGuest` unless told.
    #[serde(rename = "guestID")]
    pub(in crate::format) guest_id: Option<Text>,
    /// Whether VM Tools run in the guest, as they do unless told.
    pub(in crate::format) tools: Option<Tools>,
    /// The virtual hardware's version; the platform's unless told.
    pub(in crate::format) hardware_version: Option<Spanned<u64>>,
    /// The firmware.
    pub(in crate::format) firmware: Option<Firmware>,
    /// What its OVF lets a VM's user set.
    #[serde(default)]
    pub(in crate::format) ovf_properties: Vec<OvfProperty>,
    /// The guest's behaviour: an entry of `guests`.
    pub(in crate::format) guest: Option<Text>,
}

/// A property of an OVF, under the names of the image's status.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct OvfProperty {
    /// Its name.
    pub(in crate::format) key: Text,
    /// What it takes; `string` unless told.
    #[serde(rename = "type")]
    pub(in crate::format) type_: Option<Text>,
    /// Its value when nobody sets one.
    pub(in crate::format) default: Option<Text>,
}

/// The type of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub(in crate::format) enum ImageType {
    /// A VM in the open virtualization format.
    #[serde(rename = "OVF")]
    Ovf,
    /// An installation medium.
    #[serde(rename = "ISO")]
    Iso,
    /// A VM template.
    #[serde(rename = "VMTX")]
    Vmtx,
}

/// Whether VM Tools run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum Tools {
    /// They run.
    Running,
    /// There are none.
    None,
}

/// The firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::format) enum Firmware {
    /// BIOS.
    Bios,
    /// EFI.
    Efi,
}

/// A disk of an image.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Disk {
    /// The file's name.
    pub(in crate::format) file: Option<Text>,
    /// The space that it takes; 2Gi unless told.
    pub(in crate::format) size: Option<Quantity>,
    /// The size to which it may grow; 10Gi unless told.
    pub(in crate::format) capacity: Option<Quantity>,
}

/// How a guest behaves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Guest {
    /// From power-on to the running operating system.
    pub(in crate::format) boot: Option<Timing>,
    /// From there to running VM Tools.
    pub(in crate::format) tools_start: Option<Timing>,
    /// From there to an address.
    pub(in crate::format) dhcp: Option<Timing>,
    /// From the request to shut down to power-off; `never` hangs.
    pub(in crate::format) shutdown: Option<Timing>,
    /// From the request to stand by to suspension; `never` hangs.
    pub(in crate::format) standby: Option<Timing>,
    /// Customization, and one more boot.
    pub(in crate::format) customization: Option<Timing>,
    /// Load: the share of its CPUs that it uses.
    pub(in crate::format) cpu: Option<Tree>,
    /// Load: the share of its memory that it uses.
    pub(in crate::format) memory: Option<Tree>,
    /// Load: how fast its disks grow, `2Gi/h`.
    pub(in crate::format) write: Option<Tree>,
    /// Load: how fast its memory changes, `200Mi/s`.
    pub(in crate::format) dirty: Option<Tree>,
}

/// A duration, fixed or drawn: `20s`, `{median: 12s, p99: 45s}`, `never` where a guest may hang.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(in crate::format) struct Timing(pub(in crate::format) Tree);

impl JsonSchema for Timing {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timing".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (fixed, drawn) = (generator.subschema_for::<Duration>(), generator.subschema_for::<DrawnTiming>());
        schemars::json_schema!({"anyOf": [fixed, drawn]})
    }
}

/// A duration that is drawn from a log-normal distribution.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct DrawnTiming {
    /// Half of the draws are below this.
    pub(in crate::format) median: Duration,
    /// 99 of 100 are below this.
    pub(in crate::format) p99: Duration,
}

/// A Supervisor namespace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct Namespace {
    /// The name.
    pub(in crate::format) name: Text,
    /// The zones that it was given; all unless told.
    pub(in crate::format) zones: Option<Vec<Text>>,
    /// Limits by storage class; none unless told.
    #[serde(default)]
    pub(in crate::format) storage_quota: Named<Quantity>,
    /// Classes: a name of one that a manifest brings, or the class itself, short or as a VirtualMachineClass.
    #[serde(default)]
    pub(in crate::format) classes: Vec<Class>,
    /// CPU limit of its pools in MHz.
    pub(in crate::format) cpu_limit: Option<Spanned<u64>>,
    /// Memory limit of its pools.
    pub(in crate::format) memory_limit: Option<Quantity>,
}

/// A class of a namespace.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(in crate::format) struct Class(pub(in crate::format) Tree);

impl JsonSchema for Class {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Class".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let short = generator.subschema_for::<ShortClass>();
        schemars::json_schema!({"anyOf": [
            {"type": "string", "description": "A class that a manifest brings."},
            short,
            {"type": "object", "required": ["kind"], "description": "A whole VirtualMachineClass."},
        ]})
    }
}

/// A class in short (capacity §2.1).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct ShortClass {
    /// The name.
    pub(in crate::format) name: Text,
    /// Virtual CPUs.
    pub(in crate::format) cpus: Spanned<u64>,
    /// Memory.
    pub(in crate::format) memory: Quantity,
    /// What is guaranteed.
    #[serde(default)]
    pub(in crate::format) reservation: ShortAllocation,
    /// What may be used at most.
    #[serde(default)]
    pub(in crate::format) limit: ShortAllocation,
    /// vGPUs.
    #[serde(default)]
    pub(in crate::format) vgpus: Vec<super::cluster::Vgpu>,
    /// Instance storage.
    pub(in crate::format) instance_storage: Option<Quantity>,
}

/// A reservation or a limit of a class in short.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::format) struct ShortAllocation {
    /// CPU in MHz.
    pub(in crate::format) cpu: Option<Spanned<u64>>,
    /// Memory; `full` is all of it.
    pub(in crate::format) memory: Option<Quantity>,
}
