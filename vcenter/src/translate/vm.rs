//! Reads a VM and its tasks off the properties that a collector answers. Source: vsphere §6.1.
//!
//! A property that isn't there is absent, never false or empty; one that is there and can't be read is an error with its path.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;
use vmtwin_model::id::{FolderId, HostId, PoolId, TaskId, VmId};
use vmtwin_model::time::Timestamp;
use vmtwin_model::units::{Bytes, MiB, VCpus};
use vmtwin_model::vsphere::VirtualMachine;
use vmtwin_model::vsphere::snapshot::{SnapshotInfo, SnapshotNode};
use vmtwin_model::vsphere::spec::{
    Allocation, Backing, BootOptions, Bootable, Connectable, Device, DeviceType, FileInfo, ManagedBy, Shares, SharesLevel,
};
use vmtwin_model::vsphere::vm::{
    Config, ConnectionState, CryptoKeyId, CustomizationInfo, DhcpConfig, DhcpOptions, DnsConfig, Guest, GuestNic, Hardware, Heartbeat,
    IpAddress, IpConfig, IpRoute, IpRouteConfig, IpRouteGateway, IpStack, KeyValue, LayoutChain, LayoutDisk, LayoutEx, LayoutFile,
    LayoutSnapshot, Location, PowerState, Runtime, Task, TaskState, ToolsRunningStatus, VAppConfig, VAppProperty,
};

use crate::soap;
use crate::xml::Element;

/// The properties of one object by their paths.
pub type Properties = BTreeMap<String, Element>;

/// The paths of which a VM is read.
pub const PATHS: &[&str] =
    &["name", "config", "runtime", "guest", "guestHeartbeatStatus", "resourcePool", "parent", "layoutEx", "snapshot", "recentTask"];

/// A property that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("property `{path}` of {object} can't be read: {why}")]
pub struct Undecoded {
    /// The object.
    pub object: String,
    /// The property.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

/// Why an element can't be read: its path below the property, and what is wrong.
type Wrong = (String, String);
type Read<T> = Result<T, Wrong>;

/// The VM of these properties; its tasks, tags and the names around it are read elsewhere.
///
/// # Errors
/// If a property can't be read, or one that every VM has is missing.
pub fn vm(id: &VmId, properties: &Properties) -> Result<VirtualMachine, Undecoded> {
    decode(id, properties).map_err(|(path, why)| Undecoded { object: id.to_string(), path, why })
}

fn decode(id: &VmId, properties: &Properties) -> Read<VirtualMachine> {
    let of = |path: &str| properties.get(path);
    let text = |path: &str| of(path).map(|element| Arc::from(element.text.as_str()));
    Ok(VirtualMachine {
        id: id.clone(),
        name: text("name").ok_or_else(|| ("name".to_owned(), "it is missing".to_owned()))?,
        config: of("config").map(config).transpose()?,
        runtime: runtime(of("runtime").ok_or_else(|| ("runtime".to_owned(), "it is missing".to_owned()))?)?,
        guest: of("guest").map(guest).transpose()?,
        guest_heartbeat_status: match of("guestHeartbeatStatus").map(|element| element.text.as_str()) {
            Some("red") => Heartbeat::Red,
            Some("yellow") => Heartbeat::Yellow,
            Some("green") => Heartbeat::Green,
            Some("gray") | None => Heartbeat::Gray,
            Some(_) => Heartbeat::Unknown,
        },
        resource_pool: text("resourcePool").map(PoolId::new),
        parent: text("parent").map(FolderId::new),
        layout_ex: of("layoutEx").map(layout).transpose()?.unwrap_or_default(),
        snapshot: of("snapshot").map(snapshots).transpose()?,
        recent_task: Vec::new(),
        tags: Vec::new(),
        location: Location::default(),
    })
}

fn text(element: &Element, path: &str) -> Option<Arc<str>> {
    element.text_at(path).map(Arc::from)
}

fn parsed<T: FromStr>(element: &Element, path: &str) -> Read<Option<T>> {
    let Some(text) = element.text_at(path) else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| (format!("{}.{path}", element.name), format!("`{text}` is out of its range")))
}

fn truth(element: &Element, path: &str) -> Option<bool> {
    element.text_at(path).map(|text| matches!(text, "true" | "1"))
}

fn instant(element: &Element, path: &str) -> Read<Option<Timestamp>> {
    let Some(text) = element.text_at(path) else { return Ok(None) };
    Timestamp::parse(text).map(Some).map_err(|error| (format!("{}.{path}", element.name), error.to_string()))
}

/// How a VM was configured in a snapshot.
///
/// # Errors
/// If a value can't be read.
pub fn snapshot_config(id: &str, properties: &Properties) -> Result<Config, Undecoded> {
    let read = properties.get("config").map(config).transpose();
    read.map(Option::unwrap_or_default).map_err(|(path, why)| Undecoded { object: id.to_owned(), path, why })
}

fn config(element: &Element) -> Read<Config> {
    let said = |path: &str| text(element, path).unwrap_or_default();
    let extra = element.list("extraConfig").filter_map(|option| Some((text(option, "key")?, text(option, "value").unwrap_or_default())));
    Ok(Config {
        name: said("name"),
        uuid: said("uuid"),
        instance_uuid: said("instanceUuid"),
        version: said("version"),
        guest_id: said("guestId"),
        guest_full_name: said("guestFullName"),
        annotation: said("annotation"),
        template: truth(element, "template").unwrap_or_default(),
        firmware: text(element, "firmware"),
        boot_options: element.child("bootOptions").map(boot_options).transpose()?.unwrap_or_default(),
        change_tracking_enabled: truth(element, "changeTrackingEnabled"),
        hardware: element.child("hardware").map(hardware).transpose()?.unwrap_or_default(),
        cpu_allocation: element.child("cpuAllocation").map(allocation).transpose()?.unwrap_or_default(),
        memory_allocation: element.child("memoryAllocation").map(allocation).transpose()?.unwrap_or_default(),
        extra_config: extra.collect(),
        managed_by: element
            .child("managedBy")
            .and_then(|by| Some(ManagedBy { extension_key: text(by, "extensionKey")?, type_: text(by, "type").unwrap_or_default() })),
        files: FileInfo { vm_path_name: text(element, "files.vmPathName") },
        key_id: element.child("keyId").and_then(crypto_key),
        create_date: instant(element, "createDate")?,
        v_app_config: element.child("vAppConfig").map(vapp).transpose()?,
    })
}

fn boot_options(element: &Element) -> Read<BootOptions> {
    let bootable = |element: &Element| -> Option<Bootable> {
        let device_key = element.text_at("deviceKey").and_then(|key| key.trim().parse().ok());
        Some(match element.type_name() {
            "VirtualMachineBootOptionsBootableDiskDevice" => Bootable::Disk { device_key: device_key? },
            "VirtualMachineBootOptionsBootableEthernetDevice" => Bootable::Ethernet { device_key: device_key? },
            "VirtualMachineBootOptionsBootableCdromDevice" => Bootable::Cdrom {},
            "VirtualMachineBootOptionsBootableFloppyDevice" => Bootable::Floppy {},
            _ => return None,
        })
    };
    Ok(BootOptions {
        boot_delay: parsed(element, "bootDelay")?,
        enter_bios_setup: truth(element, "enterBIOSSetup"),
        efi_secure_boot_enabled: truth(element, "efiSecureBootEnabled"),
        boot_retry_enabled: truth(element, "bootRetryEnabled"),
        boot_retry_delay: parsed(element, "bootRetryDelay")?,
        boot_order: element.list("bootOrder").filter_map(bootable).collect(),
        network_boot_protocol: text(element, "networkBootProtocol"),
    })
}

fn vapp(element: &Element) -> Read<VAppConfig> {
    let property = |element: &Element| -> Read<VAppProperty> {
        Ok(VAppProperty {
            key: parsed(element, "key")?.unwrap_or_default(),
            id: text(element, "id").unwrap_or_default(),
            type_: text(element, "type").unwrap_or_default(),
            user_configurable: truth(element, "userConfigurable"),
            default_value: text(element, "defaultValue").unwrap_or_default(),
            value: text(element, "value").unwrap_or_default(),
        })
    };
    Ok(VAppConfig {
        property: element.list("property").map(property).collect::<Read<_>>()?,
        ovf_environment_transport: element.list("ovfEnvironmentTransport").map(|way| way.text.as_str().into()).collect(),
    })
}

/// A `CryptoKeyId`.
fn crypto_key(element: &Element) -> Option<CryptoKeyId> {
    Some(CryptoKeyId::new(text(element, "providerId.id").unwrap_or_default(), text(element, "keyId")?))
}

fn snapshots(element: &Element) -> Read<Arc<SnapshotInfo>> {
    Ok(Arc::new(SnapshotInfo {
        current_snapshot: text(element, "currentSnapshot"),
        root_snapshot_list: element.list("rootSnapshotList").map(snapshot).collect::<Read<_>>()?,
    }))
}

fn snapshot(element: &Element) -> Read<SnapshotNode> {
    Ok(SnapshotNode {
        snapshot: text(element, "snapshot").unwrap_or_default(),
        id: parsed(element, "id")?.unwrap_or_default(),
        name: text(element, "name").unwrap_or_default(),
        description: text(element, "description").unwrap_or_default(),
        create_time: instant(element, "createTime")?,
        state: match element.text_at("state") {
            Some("poweredOn") => PowerState::PoweredOn,
            Some("suspended") => PowerState::Suspended,
            _ => PowerState::PoweredOff,
        },
        quiesced: truth(element, "quiesced").unwrap_or_default(),
        child_snapshot_list: element.list("childSnapshotList").map(snapshot).collect::<Read<_>>()?,
        stored_manifest: None,
    })
}

fn hardware(element: &Element) -> Read<Hardware> {
    Ok(Hardware {
        num_cpu: VCpus(parsed(element, "numCPU")?.unwrap_or_default()),
        num_cores_per_socket: parsed(element, "numCoresPerSocket")?.map(VCpus),
        memory_mb: MiB(parsed(element, "memoryMB")?.unwrap_or_default()),
        device: element.list("device").map(device).collect::<Read<_>>()?,
    })
}

fn allocation(element: &Element) -> Read<Allocation> {
    let shares = |element: &Element| -> Read<Shares> {
        let level = match element.text_at("level") {
            Some("low") => SharesLevel::Low,
            Some("high") => SharesLevel::High,
            Some("custom") => SharesLevel::Custom,
            _ => SharesLevel::Normal,
        };
        // The server fills in what a level stands for; the number is the VM's own with `custom` alone.
        let shares = if level == SharesLevel::Custom { parsed(element, "shares")?.unwrap_or_default() } else { 0 };
        Ok(Shares { level, shares })
    };
    Ok(Allocation {
        reservation: parsed(element, "reservation")?,
        limit: parsed(element, "limit")?,
        shares: element.child("shares").map(shares).transpose()?,
    })
}

fn device(element: &Element) -> Read<Device> {
    const KNOWN: &[&str] = &[
        "key",
        "backing",
        "connectable",
        "controllerKey",
        "unitNumber",
        "busNumber",
        "capacityInBytes",
        "addressType",
        "macAddress",
        "externalId",
    ];
    Ok(Device {
        type_: DeviceType::from(element.type_name()),
        key: parsed(element, "key")?.unwrap_or_default(),
        backing: element.child("backing").map(backing),
        connectable: element.child("connectable").map(|connectable| Connectable {
            start_connected: truth(connectable, "startConnected").unwrap_or_default(),
            allow_guest_control: truth(connectable, "allowGuestControl").unwrap_or_default(),
            connected: truth(connectable, "connected").unwrap_or_default(),
        }),
        controller_key: parsed(element, "controllerKey")?,
        unit_number: parsed(element, "unitNumber")?,
        bus_number: parsed(element, "busNumber")?,
        capacity_in_bytes: parsed(element, "capacityInBytes")?.map(Bytes),
        address_type: text(element, "addressType"),
        mac_address: text(element, "macAddress"),
        external_id: text(element, "externalId"),
        rest: rest(element, KNOWN),
    })
}

fn backing(element: &Element) -> Backing {
    const KNOWN: &[&str] = &["fileName", "datastore", "thinProvisioned", "uuid", "keyId", "deviceName", "network"];
    Backing {
        type_: (!element.type_name().is_empty()).then(|| element.type_name().into()),
        file_name: text(element, "fileName"),
        datastore: text(element, "datastore"),
        thin_provisioned: truth(element, "thinProvisioned"),
        uuid: text(element, "uuid"),
        key_id: element.child("keyId").and_then(crypto_key),
        device_name: text(element, "deviceName"),
        network: text(element, "network"),
        rest: rest(element, KNOWN),
    }
}

/// What else an element has, as JSON. The schema isn't known: truth values are told by their look, numbers stay text.
fn rest(element: &Element, known: &[&str]) -> BTreeMap<String, Value> {
    let others = element.children.iter().filter(|child| !known.contains(&child.name.as_str()));
    let names: std::collections::BTreeSet<&str> = others.map(|child| child.name.as_str()).collect();
    let value = |name| match soap::json_of_list(element.list(name)) {
        Value::String(text) if text == "true" => Value::Bool(true),
        Value::String(text) if text == "false" => Value::Bool(false),
        value => value,
    };
    names.into_iter().map(|name| (name.to_owned(), value(name))).collect()
}

/// The power state of this word.
#[must_use]
pub fn power_state(word: &str) -> Option<PowerState> {
    [PowerState::PoweredOn, PowerState::PoweredOff, PowerState::Suspended].into_iter().find(|state| state.to_string() == word)
}

fn runtime(element: &Element) -> Read<Runtime> {
    let wrong = |path: &str, word: &str| (format!("runtime.{path}"), format!("`{word}` isn't known"));
    let power = element.text_at("powerState").unwrap_or_default();
    let connection = element.text_at("connectionState").unwrap_or("connected");
    let states = [
        ConnectionState::Connected,
        ConnectionState::Disconnected,
        ConnectionState::Inaccessible,
        ConnectionState::Invalid,
        ConnectionState::Orphaned,
    ];
    Ok(Runtime {
        host: text(element, "host").map(HostId::new),
        power_state: power_state(power).ok_or_else(|| wrong("powerState", power))?,
        connection_state: states
            .into_iter()
            .find(|state| state.to_string() == connection)
            .ok_or_else(|| wrong("connectionState", connection))?,
        boot_time: instant(element, "bootTime")?,
    })
}

fn guest(element: &Element) -> Read<Guest> {
    let nic = |element: &Element| -> Read<GuestNic> {
        Ok(GuestNic {
            network: text(element, "network").unwrap_or_default(),
            mac_address: text(element, "macAddress").unwrap_or_default(),
            connected: truth(element, "connected").unwrap_or_default(),
            device_config_id: parsed(element, "deviceConfigId")?.unwrap_or_default(),
            ip_config: IpConfig {
                ip_address: element
                    .at("ipConfig")
                    .into_iter()
                    .flat_map(|config| config.list("ipAddress"))
                    .map(address)
                    .collect::<Read<_>>()?,
                dhcp: element.at("ipConfig.dhcp").map(dhcp),
                auto_configuration_enabled: element.at("ipConfig").and_then(|config| truth(config, "autoConfigurationEnabled")),
            },
            dns_config: element.child("dnsConfig").map(dns),
        })
    };
    Ok(Guest {
        tools_running_status: element.text_at("toolsRunningStatus").map(ToolsRunningStatus::from),
        guest_state: text(element, "guestState"),
        host_name: text(element, "hostName"),
        ip_address: text(element, "ipAddress"),
        net: element.list("net").map(nic).collect::<Read<_>>()?,
        ip_stack: element.list("ipStack").map(stack).collect::<Read<_>>()?,
        customization_info: element.child("customizationInfo").and_then(|info| {
            Some(CustomizationInfo { customization_status: text(info, "customizationStatus")?, error_msg: text(info, "errorMsg") })
        }),
    })
}

fn stack(element: &Element) -> Read<IpStack> {
    let route = |element: &Element| -> Read<IpRoute> {
        Ok(IpRoute {
            network: text(element, "network").unwrap_or_default(),
            prefix_length: parsed(element, "prefixLength")?.unwrap_or_default(),
            gateway: IpRouteGateway { ip_address: text(element, "gateway.ipAddress"), device: text(element, "gateway.device") },
        })
    };
    let routes = element.at("ipRouteConfig").into_iter().flat_map(|config| config.list("ipRoute"));
    Ok(IpStack {
        dns_config: element.child("dnsConfig").map(dns),
        ip_route_config: IpRouteConfig { ip_route: routes.map(route).collect::<Read<_>>()? },
        ip_stack_config: element.list("ipStackConfig").map(key_value).collect(),
        dhcp_config: element.child("dhcpConfig").map(dhcp),
    })
}

fn dns(element: &Element) -> DnsConfig {
    let texts = |path: &str| element.list(path).map(|entry| entry.text.as_str().into()).collect();
    DnsConfig {
        dhcp: truth(element, "dhcp").unwrap_or_default(),
        host_name: text(element, "hostName").unwrap_or_default(),
        domain_name: text(element, "domainName").unwrap_or_default(),
        ip_address: texts("ipAddress"),
        search_domain: texts("searchDomain"),
    }
}

fn dhcp(element: &Element) -> DhcpConfig {
    let options = |element: &Element| DhcpOptions {
        enable: truth(element, "enable").unwrap_or_default(),
        config: element.list("config").map(key_value).collect(),
    };
    DhcpConfig { ipv4: element.child("ipv4").map(options), ipv6: element.child("ipv6").map(options) }
}

fn key_value(element: &Element) -> KeyValue {
    KeyValue { key: text(element, "key").unwrap_or_default(), value: text(element, "value").unwrap_or_default() }
}

fn address(element: &Element) -> Read<IpAddress> {
    Ok(IpAddress {
        ip_address: text(element, "ipAddress").unwrap_or_default(),
        prefix_length: parsed(element, "prefixLength")?.unwrap_or_default(),
        origin: text(element, "origin"),
        state: text(element, "state"),
    })
}

fn layout(element: &Element) -> Read<LayoutEx> {
    let file = |element: &Element| -> Read<LayoutFile> {
        Ok(LayoutFile {
            key: parsed(element, "key")?.unwrap_or_default(),
            name: text(element, "name").unwrap_or_default(),
            type_: text(element, "type").unwrap_or_default(),
            size: Bytes(parsed(element, "size")?.unwrap_or_default()),
            unique_size: Bytes(parsed(element, "uniqueSize")?.unwrap_or_default()),
        })
    };
    let chain = |element: &Element| -> Read<LayoutChain> {
        let keys =
            element.list("fileKey").map(|key| key.text.parse().map_err(|_| ("layoutEx.disk.chain.fileKey".to_owned(), key.text.clone())));
        Ok(LayoutChain { file_key: keys.collect::<Read<_>>()? })
    };
    let disk = |element: &Element| -> Read<LayoutDisk> {
        Ok(LayoutDisk { key: parsed(element, "key")?.unwrap_or_default(), chain: element.list("chain").map(chain).collect::<Read<_>>()? })
    };
    let snapshot = |element: &Element| -> Read<LayoutSnapshot> {
        Ok(LayoutSnapshot {
            key: text(element, "key").unwrap_or_default(),
            data_key: parsed(element, "dataKey")?.unwrap_or(-1),
            memory_key: parsed(element, "memoryKey")?.unwrap_or(-1),
            disk: element.list("disk").map(disk).collect::<Read<_>>()?,
        })
    };
    Ok(LayoutEx {
        file: element.list("file").map(file).collect::<Read<_>>()?,
        disk: element.list("disk").map(disk).collect::<Read<_>>()?,
        snapshot: element.list("snapshot").map(snapshot).collect::<Read<_>>()?,
    })
}

/// A task by its `info`.
///
/// # Errors
/// If its state isn't known or a time can't be read.
pub fn task(id: &TaskId, info: &Element) -> Result<Task, Undecoded> {
    let wrong = |(path, why): Wrong| Undecoded { object: id.to_string(), path, why };
    let word = info.text_at("state").unwrap_or_default();
    let state = match word {
        "queued" => TaskState::Queued,
        "running" => TaskState::Running,
        "success" => TaskState::Success,
        "error" => TaskState::Error,
        other => return Err(wrong(("info.state".to_owned(), format!("`{other}` isn't known")))),
    };
    Ok(Task {
        key: id.clone(),
        description_id: text(info, "descriptionId").unwrap_or_default(),
        state,
        error: info.child("error").map(soap::localized_fault),
        queue_time: instant(info, "queueTime").map_err(wrong)?.unwrap_or_default(),
        complete_time: instant(info, "completeTime").map_err(wrong)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(named: &[(&str, &str)]) -> Properties {
        let read = |(name, xml): &(&str, &str)| ((*name).to_owned(), Element::read(xml.as_bytes()).expect("a tree"));
        named.iter().map(read).collect()
    }

    const RUNTIME: (&str, &str) = ("runtime", "<val><host type=\"HostSystem\">host-9</host><powerState>poweredOn</powerState></val>");

    #[test]
    fn a_vm_is_read_off_its_properties() {
        let read = properties(&[
            ("name", "<val>web</val>"),
            RUNTIME,
            ("resourcePool", "<val type=\"ResourcePool\">resgroup-1</val>"),
            (
                "config",
                "<val xmlns:x=\"i\"><instanceUuid>u</instanceUuid><extraConfig><key>a</key><value x:type=\"xsd:string\">1</value></extraConfig>\
                 <hardware><numCPU>2</numCPU><memoryMB>1024</memoryMB>\
                 <device x:type=\"VirtualDisk\"><key>2000</key><backing x:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName>[ds] a.vmdk</fileName>\
                 <thinProvisioned>true</thinProvisioned><split>false</split></backing><capacityInBytes>1048576</capacityInBytes></device></hardware>\
                 <cpuAllocation><reservation>10</reservation><limit>-1</limit><shares><shares>2000</shares><level>normal</level></shares></cpuAllocation></val>",
            ),
        ]);
        let vm = vm(&"vm-1".into(), &read).expect("a VM");
        assert_eq!((&*vm.name, vm.runtime.power_state, vm.runtime.host), ("web", PowerState::PoweredOn, Some("host-9".into())));
        assert_eq!((vm.resource_pool, vm.parent, vm.guest.is_some()), (Some("resgroup-1".into()), None, false));
        let config = vm.config.expect("a config");
        assert_eq!((config.hardware.num_cpu, config.hardware.memory_mb, config.extra_config.len()), (VCpus(2), MiB(1024), 1));
        assert_eq!(config.cpu_allocation.shares, Some(Shares::default()), "the number of a level isn't the VM's own");
        let disk = &config.hardware.device[0];
        assert_eq!((&disk.type_, disk.capacity_in_bytes), (&DeviceType::VirtualDisk, Some(Bytes(1_048_576))));
        assert_eq!(disk.backing.as_ref().and_then(|backing| backing.rest.get("split")), Some(&Value::Bool(false)));
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_path() {
        let told = |named: &[(&str, &str)]| vm(&"vm-1".into(), &properties(named)).expect_err("refused").to_string();
        assert_eq!(told(&[RUNTIME]), "property `name` of vm-1 can't be read: it is missing");
        let odd = ("runtime", "<val><powerState>on</powerState></val>");
        assert_eq!(told(&[("name", "<val>a</val>"), odd]), "property `runtime.powerState` of vm-1 can't be read: `on` isn't known");
        let huge = ("config", "<val><hardware><numCPU>99999999999</numCPU></hardware></val>");
        assert!(told(&[("name", "<val>a</val>"), RUNTIME, huge]).contains("`99999999999` is out of its range"));
    }

    #[test]
    fn a_failed_task_keeps_its_fault() {
        let text = "<info xmlns:x=\"i\"><descriptionId>VirtualMachine.powerOn</descriptionId><state>error</state>\
            <error><fault x:type=\"InvalidPowerState\"><existingState>poweredOn</existingState></fault><localizedMessage>no</localizedMessage></error></info>";
        let task = task(&"task-1".into(), &Element::read(text.as_bytes()).expect("a tree")).expect("a task");
        assert_eq!((task.state, &*task.description_id), (TaskState::Error, "VirtualMachine.powerOn"));
        assert_eq!(task.error.as_ref().and_then(|fault| fault.text("existingState")), Some("poweredOn"));
    }
}
