//! The data objects that are sent, with their fields in the API's order. Source: vsphere §3.
//!
//! A vCenter refuses children in another order; the simulator takes any, so the order is held by the tests here. A subtype's fields
//! follow its base's. A field whose type isn't in the table keeps its place as [`Kind::Opaque`]: to send one is refused by name.

/// How a field's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, a number, a truth value.
    Plain,
    /// A reference to a managed object of this type.
    Reference(&'static str),
    /// An object of exactly this type.
    Object(&'static str),
    /// An object whose real type is said: its own, or this one where it says none.
    Open(&'static str),
    /// A text of the declared type `anyType`.
    Any,
    /// A type that isn't translated.
    Opaque,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub kind: Kind,
    /// What is sent where nothing is said, since the API requires the field.
    pub required: Option<&'static str>,
}

/// A data object.
#[derive(Debug)]
pub struct Type {
    name: &'static str,
    base: Option<&'static str>,
    fields: &'static [Field],
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: None }
}

const fn plain(name: &'static str) -> Field {
    field(name, Kind::Plain)
}

const fn required(name: &'static str, value: &'static str) -> Field {
    Field { name, kind: Kind::Plain, required: Some(value) }
}

const fn object(name: &'static str, type_: &'static str) -> Field {
    field(name, Kind::Object(type_))
}

const fn open(name: &'static str, type_: &'static str) -> Field {
    field(name, Kind::Open(type_))
}

const fn reference(name: &'static str, type_: &'static str) -> Field {
    field(name, Kind::Reference(type_))
}

const fn opaque(name: &'static str) -> Field {
    field(name, Kind::Opaque)
}

const fn type_(name: &'static str, fields: &'static [Field]) -> Type {
    Type { name, base: None, fields }
}

const fn sub(name: &'static str, base: &'static str, fields: &'static [Field]) -> Type {
    Type { name, base: Some(base), fields }
}

/// All fields of a type, its base's first; nothing if the type isn't in the table.
#[must_use]
pub fn fields(name: &str) -> Option<Vec<&'static Field>> {
    let found = TYPES.iter().find(|type_| type_.name == name)?;
    let mut all = found.base.and_then(fields).unwrap_or_default();
    all.extend(found.fields);
    Some(all)
}

const TYPES: &[Type] = &[
    type_("VirtualMachineConfigSpec", CONFIG_SPEC),
    type_("VirtualMachineFileInfo", &[plain("vmPathName"), plain("snapshotDirectory"), plain("suspendDirectory"), plain("logDirectory")]),
    type_(
        "ResourceAllocationInfo",
        &[plain("reservation"), plain("expandableReservation"), plain("limit"), object("shares", "SharesInfo"), plain("overheadLimit")],
    ),
    type_("SharesInfo", &[required("shares", "0"), plain("level")]),
    type_("LatencySensitivity", &[plain("level"), plain("sensitivity")]),
    type_("OptionValue", &[plain("key"), field("value", Kind::Any)]),
    type_("ManagedByInfo", &[plain("extensionKey"), plain("type")]),
    type_(
        "VirtualMachineBootOptions",
        &[
            plain("bootDelay"),
            plain("enterBIOSSetup"),
            plain("efiSecureBootEnabled"),
            plain("bootRetryEnabled"),
            plain("bootRetryDelay"),
            open("bootOrder", "VirtualMachineBootOptionsBootableDevice"),
            plain("networkBootProtocol"),
        ],
    ),
    type_("VirtualMachineBootOptionsBootableDevice", &[]),
    sub("VirtualMachineBootOptionsBootableCdromDevice", "VirtualMachineBootOptionsBootableDevice", &[]),
    sub("VirtualMachineBootOptionsBootableDiskDevice", "VirtualMachineBootOptionsBootableDevice", &[plain("deviceKey")]),
    sub("VirtualMachineBootOptionsBootableEthernetDevice", "VirtualMachineBootOptionsBootableDevice", &[plain("deviceKey")]),
    sub("VirtualMachineBootOptionsBootableFloppyDevice", "VirtualMachineBootOptionsBootableDevice", &[]),
    type_(
        "VirtualMachineDefinedProfileSpec",
        &[plain("profileId"), opaque("replicationSpec"), opaque("profileData"), opaque("profileParams")],
    ),
    type_(
        "VirtualDeviceConfigSpec",
        &[
            plain("operation"),
            plain("fileOperation"),
            open("device", "VirtualDevice"),
            open("profile", "VirtualMachineDefinedProfileSpec"),
            object("backing", "VirtualDeviceConfigSpecBackingSpec"),
            opaque("filterSpec"),
            plain("changeMode"),
        ],
    ),
    type_("VirtualDeviceConfigSpecBackingSpec", &[opaque("parent"), open("crypto", "CryptoSpecNoOp")]),
    type_(
        "VirtualDevice",
        &[
            required("key", "0"),
            opaque("deviceInfo"),
            open("backing", "VirtualDeviceBackingInfo"),
            object("connectable", "VirtualDeviceConnectInfo"),
            opaque("slotInfo"),
            plain("controllerKey"),
            plain("unitNumber"),
            plain("numaNode"),
            opaque("deviceGroupInfo"),
        ],
    ),
    type_(
        "VirtualDeviceConnectInfo",
        &[
            plain("migrateConnect"),
            required("startConnected", "false"),
            required("allowGuestControl", "false"),
            required("connected", "false"),
            plain("status"),
        ],
    ),
    sub("VirtualController", "VirtualDevice", &[required("busNumber", "0"), plain("device")]),
    sub(
        "VirtualSCSIController",
        "VirtualController",
        &[plain("hotAddRemove"), required("sharedBus", "noSharing"), plain("scsiCtlrUnitNumber")],
    ),
    sub("ParaVirtualSCSIController", "VirtualSCSIController", &[]),
    sub("VirtualLsiLogicController", "VirtualSCSIController", &[]),
    sub("VirtualLsiLogicSASController", "VirtualSCSIController", &[]),
    sub("VirtualBusLogicController", "VirtualSCSIController", &[]),
    sub("VirtualNVMEController", "VirtualController", &[]),
    sub("VirtualSATAController", "VirtualController", &[]),
    sub("VirtualAHCIController", "VirtualSATAController", &[]),
    sub("VirtualIDEController", "VirtualController", &[]),
    sub("VirtualPCIController", "VirtualController", &[]),
    sub(
        "VirtualDisk",
        "VirtualDevice",
        &[
            required("capacityInKB", "0"),
            plain("capacityInBytes"),
            object("shares", "SharesInfo"),
            opaque("storageIOAllocation"),
            plain("diskObjectId"),
            opaque("vFlashCacheConfigInfo"),
            plain("iofilter"),
            object("vDiskId", "ID"),
            plain("vDiskVersion"),
            plain("virtualDiskFormat"),
        ],
    ),
    type_("ID", &[plain("id")]),
    sub("VirtualCdrom", "VirtualDevice", &[]),
    sub("VirtualPCIPassthrough", "VirtualDevice", &[]),
    sub("VirtualTPM", "VirtualDevice", &[]),
    sub(
        "VirtualEthernetCard",
        "VirtualDevice",
        &[
            plain("addressType"),
            plain("macAddress"),
            plain("wakeOnLanEnabled"),
            opaque("resourceAllocation"),
            plain("externalId"),
            plain("uptCompatibilityEnabled"),
            plain("subnetId"),
        ],
    ),
    sub("VirtualE1000", "VirtualEthernetCard", &[]),
    sub("VirtualE1000e", "VirtualEthernetCard", &[]),
    sub("VirtualPCNet32", "VirtualEthernetCard", &[]),
    sub("VirtualVmxnet", "VirtualEthernetCard", &[]),
    sub("VirtualVmxnet2", "VirtualVmxnet", &[]),
    sub("VirtualVmxnet3", "VirtualVmxnet", &[]),
    type_("VirtualDeviceFileBackingInfo", &[required("fileName", ""), reference("datastore", "Datastore"), plain("backingObjectId")]),
    sub(
        "VirtualDiskFlatVer2BackingInfo",
        "VirtualDeviceFileBackingInfo",
        &[
            required("diskMode", "persistent"),
            plain("split"),
            plain("writeThrough"),
            plain("thinProvisioned"),
            plain("eagerlyScrub"),
            plain("uuid"),
            plain("contentId"),
            plain("changeId"),
            opaque("parent"),
            plain("deltaDiskFormat"),
            plain("digestEnabled"),
            plain("deltaGrainSize"),
            plain("deltaDiskFormatVariant"),
            plain("sharing"),
            object("keyId", "CryptoKeyId"),
        ],
    ),
    sub("VirtualCdromIsoBackingInfo", "VirtualDeviceFileBackingInfo", &[]),
    type_("VirtualDeviceDeviceBackingInfo", &[required("deviceName", ""), plain("useAutoDetect")]),
    sub(
        "VirtualEthernetCardNetworkBackingInfo",
        "VirtualDeviceDeviceBackingInfo",
        &[reference("network", "Network"), plain("inPassthroughMode")],
    ),
    type_("VirtualEthernetCardDistributedVirtualPortBackingInfo", &[object("port", "DistributedVirtualSwitchPortConnection")]),
    type_(
        "DistributedVirtualSwitchPortConnection",
        &[plain("switchUuid"), plain("portgroupKey"), plain("portKey"), plain("connectionCookie")],
    ),
    type_("VirtualPCIPassthroughVmiopBackingInfo", &[plain("vgpu")]),
    sub(
        "VirtualPCIPassthroughDynamicBackingInfo",
        "VirtualDeviceDeviceBackingInfo",
        &[object("allowedDevice", "VirtualPCIPassthroughAllowedDevice"), plain("customLabel"), plain("assignedId")],
    ),
    type_("VirtualPCIPassthroughAllowedDevice", &[plain("vendorId"), plain("deviceId")]),
    type_("CryptoKeyId", &[plain("keyId"), object("providerId", "KeyProviderId")]),
    type_("KeyProviderId", &[plain("id")]),
    type_("CryptoSpecNoOp", &[]),
    type_("CryptoSpecDecrypt", &[]),
    type_("CryptoSpecEncrypt", &[object("cryptoKeyId", "CryptoKeyId")]),
    type_("CryptoSpecShallowRecrypt", &[object("newKeyId", "CryptoKeyId")]),
    type_("CryptoSpecDeepRecrypt", &[object("newKeyId", "CryptoKeyId")]),
    type_("TagSpec", &[plain("operation"), plain("removeKey"), object("id", "TagId")]),
    type_("TagId", &[object("nameId", "TagIdNameId"), plain("uuid")]),
    type_("TagIdNameId", &[plain("tag"), plain("category")]),
    type_("VmPlacementPolicy", &[object("tagsToAttach", "TagId")]),
    sub("VmVmAffinity", "VmPlacementPolicy", &[object("affinedVmsTag", "TagId"), plain("policyStrictness"), plain("policyTopology")]),
    sub(
        "VmVmAntiAffinity",
        "VmPlacementPolicy",
        &[object("antiAffinedVmsTag", "TagId"), plain("policyStrictness"), plain("policyTopology")],
    ),
    sub(
        "VmToVmGroupsAntiAffinity",
        "VmPlacementPolicy",
        &[object("selfTag", "TagId"), object("antiAffinedVmGroupTags", "TagId"), plain("policyStrictness"), plain("policyTopology")],
    ),
    type_(
        "VmConfigSpec",
        &[
            opaque("product"),
            object("property", "VAppPropertySpec"),
            opaque("ipAssignment"),
            plain("eula"),
            opaque("ovfSection"),
            plain("ovfEnvironmentTransport"),
            plain("installBootRequired"),
            plain("installBootStopDelay"),
        ],
    ),
    type_("VAppPropertySpec", &[plain("operation"), plain("removeKey"), object("info", "VAppPropertyInfo")]),
    type_(
        "VAppPropertyInfo",
        &[
            plain("key"),
            plain("classId"),
            plain("instanceId"),
            plain("id"),
            plain("category"),
            plain("label"),
            plain("type"),
            plain("typeReference"),
            plain("userConfigurable"),
            plain("defaultValue"),
            plain("value"),
            plain("description"),
        ],
    ),
    type_(
        "CustomizationSpec",
        &[
            opaque("options"),
            open("identity", "CustomizationIdentitySettings"),
            object("globalIPSettings", "CustomizationGlobalIPSettings"),
            object("nicSettingMap", "CustomizationAdapterMapping"),
            plain("encryptionKey"),
        ],
    ),
    type_(
        "CustomizationLinuxPrep",
        &[open("hostName", "CustomizationFixedName"), plain("domain"), plain("timeZone"), plain("hwClockUTC"), plain("scriptText")],
    ),
    type_(
        "CustomizationSysprep",
        &[
            object("guiUnattended", "CustomizationGuiUnattended"),
            object("userData", "CustomizationUserData"),
            object("guiRunOnce", "CustomizationGuiRunOnce"),
            object("identification", "CustomizationIdentification"),
            object("licenseFilePrintData", "CustomizationLicenseFilePrintData"),
        ],
    ),
    type_(
        "CustomizationGuiUnattended",
        &[object("password", "CustomizationPassword"), plain("timeZone"), plain("autoLogon"), plain("autoLogonCount")],
    ),
    type_("CustomizationPassword", &[plain("value"), plain("plainText")]),
    type_(
        "CustomizationUserData",
        &[plain("fullName"), plain("orgName"), open("computerName", "CustomizationFixedName"), plain("productId")],
    ),
    type_("CustomizationGuiRunOnce", &[plain("commandList")]),
    type_(
        "CustomizationIdentification",
        &[
            plain("joinWorkgroup"),
            plain("joinDomain"),
            plain("domainAdmin"),
            object("domainAdminPassword", "CustomizationPassword"),
            plain("domainOU"),
        ],
    ),
    type_("CustomizationLicenseFilePrintData", &[plain("autoMode"), plain("autoUsers")]),
    type_("CustomizationFixedName", &[plain("name")]),
    type_("CustomizationSysprepText", &[plain("value")]),
    type_("CustomizationCloudinitPrep", &[plain("metadata"), plain("userdata")]),
    type_("CustomizationGlobalIPSettings", &[plain("dnsSuffixList"), plain("dnsServerList")]),
    type_("CustomizationAdapterMapping", &[plain("macAddress"), object("adapter", "CustomizationIPSettings")]),
    type_(
        "CustomizationIPSettings",
        &[
            open("ip", "CustomizationDhcpIpGenerator"),
            plain("subnetMask"),
            plain("gateway"),
            object("ipV6Spec", "CustomizationIPSettingsIpV6AddressSpec"),
            plain("dnsServerList"),
            plain("dnsDomain"),
        ],
    ),
    type_("CustomizationFixedIp", &[plain("ipAddress")]),
    type_("CustomizationDhcpIpGenerator", &[]),
    type_("CustomizationDisableIpV4", &[]),
    type_("CustomizationIPSettingsIpV6AddressSpec", &[open("ip", "CustomizationDhcpIpV6Generator"), plain("gateway")]),
    type_("CustomizationFixedIpV6", &[plain("ipAddress"), plain("subnetMask")]),
    type_("CustomizationDhcpIpV6Generator", &[]),
];

const CONFIG_SPEC: &[Field] = &[
    plain("changeVersion"),
    plain("name"),
    plain("version"),
    plain("createDate"),
    plain("uuid"),
    plain("instanceUuid"),
    plain("locationId"),
    plain("guestId"),
    plain("alternateGuestName"),
    plain("annotation"),
    object("files", "VirtualMachineFileInfo"),
    opaque("tools"),
    opaque("flags"),
    opaque("consolePreferences"),
    opaque("powerOpInfo"),
    plain("rebootPowerOff"),
    plain("numCPUs"),
    opaque("vcpuConfig"),
    plain("numCoresPerSocket"),
    plain("memoryMB"),
    plain("memoryHotAddEnabled"),
    plain("cpuHotAddEnabled"),
    plain("cpuHotRemoveEnabled"),
    plain("virtualICH7MPresent"),
    plain("virtualSMCPresent"),
    object("deviceChange", "VirtualDeviceConfigSpec"),
    object("cpuAllocation", "ResourceAllocationInfo"),
    object("memoryAllocation", "ResourceAllocationInfo"),
    object("latencySensitivity", "LatencySensitivity"),
    opaque("cpuAffinity"),
    opaque("memoryAffinity"),
    opaque("networkShaper"),
    opaque("cpuFeatureMask"),
    open("extraConfig", "OptionValue"),
    plain("swapPlacement"),
    object("bootOptions", "VirtualMachineBootOptions"),
    open("vAppConfig", "VmConfigSpec"),
    opaque("ftInfo"),
    opaque("repConfig"),
    plain("vAppConfigRemoved"),
    plain("vAssertsEnabled"),
    plain("changeTrackingEnabled"),
    plain("firmware"),
    plain("maxMksConnections"),
    plain("guestAutoLockEnabled"),
    object("managedBy", "ManagedByInfo"),
    plain("memoryReservationLockedToMax"),
    plain("nestedHVEnabled"),
    plain("vPMCEnabled"),
    opaque("scheduledHardwareUpgradeInfo"),
    open("vmProfile", "VirtualMachineDefinedProfileSpec"),
    plain("messageBusTunnelEnabled"),
    open("crypto", "CryptoSpecNoOp"),
    plain("migrateEncryption"),
    opaque("sgxInfo"),
    plain("ftEncryptionMode"),
    opaque("guestMonitoringModeInfo"),
    plain("sevEnabled"),
    opaque("virtualNuma"),
    plain("motherboardLayout"),
    plain("pmemFailoverEnabled"),
    plain("vmxStatsCollectionEnabled"),
    plain("vmOpNotificationToAppEnabled"),
    plain("vmOpNotificationTimeout"),
    opaque("deviceSwap"),
    plain("simultaneousThreads"),
    opaque("pmem"),
    opaque("deviceGroups"),
    plain("fixedPassthruHotPlugEnabled"),
    plain("metroFtEnabled"),
    plain("metroFtHostGroup"),
    plain("tdxEnabled"),
    plain("sevSnpEnabled"),
    object("tagSpecs", "TagSpec"),
    open("vmPlacementPolicies", "VmPlacementPolicy"),
    plain("extensionCompatibilityConstraint"),
    plain("skipExtensionCompatibilityChecks"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_is_there_once_and_has_each_field_once() {
        let names: BTreeSet<&str> = TYPES.iter().map(|type_| type_.name).collect();
        assert_eq!(names.len(), TYPES.len());
        for type_ in TYPES {
            let all = fields(type_.name).expect("it is in the table");
            let once: BTreeSet<&str> = all.iter().map(|field| field.name).collect();
            assert_eq!(once.len(), all.len(), "{}", type_.name);
            assert!(type_.base.is_none_or(|base| names.contains(base)), "{}", type_.name);
        }
    }

    #[test]
    fn the_types_that_fields_name_are_there() {
        // A base that is never sent itself needs no row: a value must say its own type.
        const ABSTRACT: &[&str] = &["VirtualDeviceBackingInfo", "CustomizationIdentitySettings"];
        for field in TYPES.iter().flat_map(|type_| type_.fields) {
            if let Kind::Object(name) | Kind::Open(name) = field.kind {
                assert!(fields(name).is_some() || ABSTRACT.contains(&name), "{} is a {name}", field.name);
            }
        }
    }

    #[test]
    fn a_subtypes_fields_follow_its_bases() {
        let names: Vec<&str> = fields("VirtualVmxnet3").expect("a card").iter().map(|field| field.name).collect();
        let at = |name: &str| names.iter().position(|other| *other == name).expect(name);
        assert!(at("key") < at("backing") && at("backing") < at("unitNumber") && at("unitNumber") < at("addressType"));
    }
}
