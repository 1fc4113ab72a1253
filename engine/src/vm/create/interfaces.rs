//! The network interfaces of a VM: an object of the network provider for each, and what the provider says of it.
//!
//! The object is created if it isn't there, and waited for; a wait ends with the object's change or after 15 s, and then the object's
//! own event wakes the VM. Source: vm-lifecycle §11.7.1, §11.7.4 ("What the network provider's status means").

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use vmtwin_model::kube::api::Write;
use vmtwin_model::kube::network_interface::{self, NetworkInterface};
use vmtwin_model::kube::subnet_port::{PortAddressBinding, SubnetPort, SubnetPortSpec, SubnetPortStatus};
use vmtwin_model::kube::virtual_machine::NetworkInterfaceSpec;
use vmtwin_model::kube::virtual_network_interface::{VirtualNetworkInterface, VirtualNetworkInterfaceSpec, VirtualNetworkInterfaceStatus};
use vmtwin_model::kube::{Condition, ConditionStatus, ConditionType, Conditions, Kind, Object, ObjectKey, Resource};
use vmtwin_model::time::Span;

use crate::draft::Draft;
use crate::pass::{Cx, Flow, Until};
use crate::settings::NetworkProvider;
use crate::verdict::Verdict;
use crate::vm::{VmDraft, keys};

/// How long a pass waits for interface objects to become ready.
const PATIENCE: Span = Span::from_secs(15);

/// An interface as its provider made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its name in the VM's spec.
    pub(crate) name: String,
    /// The provider's object; a network that is addressed by its name has none.
    pub(crate) object: Option<ObjectKey>,
    /// The network, as vSphere's adapter is to name it.
    pub(crate) network: Arc<str>,
    /// The id of the port at the provider.
    pub(crate) external_id: String,
    /// The MAC address in lower case; empty where the platform chooses.
    pub(crate) mac: String,
    /// The addresses with their prefix.
    pub(crate) addresses: Vec<String>,
    /// The gateways, of either family.
    pub(crate) gateways: Vec<String>,
    /// Whether the network uses DHCP for IPv4.
    pub(crate) dhcp4: bool,
    /// Whether the network uses DHCP for IPv6.
    pub(crate) dhcp6: bool,
}

/// The interfaces, once all of them are ready. None where networking is disabled.
pub(crate) fn ready(cx: &mut Cx<'_>, draft: &VmDraft) -> Flow<Vec<Interface>> {
    let wanted = match &draft.spec().network {
        Some(network) if !network.disabled => network.interfaces.clone(),
        _ => return Ok(Vec::new()),
    };
    if cx.settings.network_provider == NetworkProvider::Named {
        return Ok(wanted.iter().map(named).collect());
    }
    let mut objects = Vec::with_capacity(wanted.len());
    for interface in &wanted {
        objects.push(ensure(cx, draft, interface)?);
    }
    let deadline = cx.now() + PATIENCE;
    loop {
        let mut waiting = Vec::new();
        let mut failure = None;
        let mut made = Vec::with_capacity(wanted.len());
        for (interface, key) in wanted.iter().zip(&objects) {
            match cx.get(key).as_deref().map_or(Seen::NotReady(None), |object| read(object, interface)) {
                Seen::Ready(interface) => made.push(Interface { object: Some(key.clone()), ..interface }),
                Seen::NotReady(why) => {
                    failure = failure.or(why);
                    waiting.push(key.clone());
                }
            }
        }
        if waiting.is_empty() {
            return Ok(made);
        }
        let rest = deadline - cx.now();
        if rest <= Span::ZERO || !cx.wait(Until::ObjectsChange(waiting), rest)? {
            let suffix = failure.map(|why| format!(": failure - {why}")).unwrap_or_default();
            return Err(Verdict::terminal(format!("network interface is not ready{suffix}")).into());
        }
    }
}

/// The interfaces as far as they are made, in the spec's order, without waiting for any or making one. Those that aren't ready are missing.
pub(crate) fn made(cx: &mut Cx<'_>, draft: &VmDraft) -> Vec<Interface> {
    let wanted = match &draft.spec().network {
        Some(network) if !network.disabled => network.interfaces.clone(),
        _ => return Vec::new(),
    };
    if cx.settings.network_provider == NetworkProvider::Named {
        return wanted.iter().map(named).collect();
    }
    let mut made = Vec::with_capacity(wanted.len());
    for interface in &wanted {
        let key = key_of(cx.settings.network_provider, draft, interface);
        if let Some(Seen::Ready(found)) = cx.get(&key).as_deref().map(|object| read(object, interface)) {
            made.push(Interface { object: Some(key), ..found });
        }
    }
    made
}

/// The interfaces that the VM has objects for and doesn't name any more, by the name that each had.
pub(crate) fn orphans(cx: &mut Cx<'_>, draft: &VmDraft, named: &[Interface]) -> Vec<Interface> {
    let vm = draft.base().key.clone();
    let objects: Vec<Arc<Object>> = match cx.settings.network_provider {
        NetworkProvider::Vpc => cx.naming::<SubnetPort>(&vm).into_iter().map(|known| known.object).collect(),
        NetworkProvider::NsxT => cx.naming::<VirtualNetworkInterface>(&vm).into_iter().map(|known| known.object).collect(),
        NetworkProvider::Vds => cx.naming::<NetworkInterface>(&vm).into_iter().map(|known| known.object).collect(),
        NetworkProvider::Named => Vec::new(),
    };
    let orphan = |object: Arc<Object>| {
        let name = object.meta.labels.as_ref()?.get(keys::VM_INTERFACE_NAME)?.clone();
        let spec = NetworkInterfaceSpec { name: name.clone(), ..NetworkInterfaceSpec::default() };
        let interface = match read(&object, &spec) {
            Seen::Ready(interface) => interface,
            Seen::NotReady(_) => Interface { name, ..Interface::default() },
        };
        Some(Interface { object: Some(object.key.clone()), ..interface })
    };
    let is_named = |key: &ObjectKey| named.iter().any(|interface| interface.object.as_ref() == Some(key));
    objects.into_iter().filter(|object| !is_named(&object.key)).filter_map(orphan).collect()
}

fn named(interface: &NetworkInterfaceSpec) -> Interface {
    Interface {
        name: interface.name.clone(),
        network: network_name(interface).into(),
        mac: interface.mac_addr.to_lowercase(),
        dhcp4: true,
        ..Interface::default()
    }
}

/// The interface's object: created if it isn't there, and brought up to date if it is otherwise than this VM wants it.
fn ensure(cx: &mut Cx<'_>, draft: &VmDraft, interface: &NetworkInterfaceSpec) -> Flow<ObjectKey> {
    let key = key_of(cx.settings.network_provider, draft, interface);
    let write = match cx.get(&key) {
        Some(there) => match brought_up_to_date(&there, draft, interface) {
            Ok(None) => return Ok(key),
            Ok(Some(write)) => write,
            Err(error) => return Err(Verdict::failed(format!("network interface {:?} error: {error}", interface.name)).into()),
        },
        None => Write::Create(Arc::new(new_object(cx.settings.network_provider, draft, interface, &key))),
    };
    match cx.write(write)? {
        Ok(_) => Ok(key),
        Err(error) if error.code == 409 && cx.get(&key).is_none() => Ok(key),
        Err(error) => Err(Verdict::failed(format!("failed to create network interface {}: {error}", interface.name)).into()),
    }
}

fn network_name(interface: &NetworkInterfaceSpec) -> &str {
    interface.network.as_ref().map_or("", |network| network.name.as_str())
}

/// The adapter's type that Net Operator knows.
const VMXNET3: &str = "vmxnet3";

fn new_object(provider: NetworkProvider, draft: &VmDraft, interface: &NetworkInterfaceSpec, key: &ObjectKey) -> Object {
    let meta = ObjectMeta {
        name: Some(key.name.to_string()),
        namespace: Some(key.namespace.to_string()),
        labels: Some(labels(draft, interface).map(|(key, value)| (key.to_owned(), value)).into()),
        owner_references: Some(vec![draft.as_owner()]),
        ..ObjectMeta::default()
    };
    let network = network_name(interface);
    match provider {
        NetworkProvider::Vpc => Object::new::<SubnetPort>(meta, subnet_port(interface, network), SubnetPortStatus::default()),
        NetworkProvider::NsxT => {
            let spec = VirtualNetworkInterfaceSpec { virtual_network: network.to_owned() };
            Object::new::<VirtualNetworkInterface>(meta, spec, VirtualNetworkInterfaceStatus::default())
        }
        NetworkProvider::Vds | NetworkProvider::Named => {
            let spec = network_interface::NetworkInterfaceSpec {
                network_name: network.to_owned(),
                type_: VMXNET3.to_owned(),
                ..Default::default()
            };
            Object::new::<NetworkInterface>(meta, spec, network_interface::NetworkInterfaceStatus::default())
        }
    }
}

fn labels(draft: &VmDraft, interface: &NetworkInterfaceSpec) -> [(&'static str, String); 2] {
    [(keys::VM_NAME, draft.name().to_string()), (keys::VM_INTERFACE_NAME, interface.name.clone())]
}

/// What has to be written so that an object is this VM's and asks for what the interface says; an object that another controls can't be had.
fn brought_up_to_date(there: &Arc<Object>, draft: &VmDraft, interface: &NetworkInterfaceSpec) -> Result<Option<Write>, String> {
    let network = network_name(interface);
    if there.view::<SubnetPort>().is_some() {
        return updated::<SubnetPort>(there, draft, interface, |spec| *spec = subnet_port(interface, network));
    }
    if there.view::<VirtualNetworkInterface>().is_some() {
        return updated::<VirtualNetworkInterface>(there, draft, interface, |spec| network.clone_into(&mut spec.virtual_network));
    }
    updated::<NetworkInterface>(there, draft, interface, |spec| {
        network.clone_into(&mut spec.network_name);
        VMXNET3.clone_into(&mut spec.type_);
    })
}

fn updated<K: Resource>(
    there: &Arc<Object>,
    draft: &VmDraft,
    interface: &NetworkInterfaceSpec,
    ask: impl FnOnce(&mut K::Spec),
) -> Result<Option<Write>, String> {
    let owners = there.meta.owner_references.as_deref().unwrap_or_default();
    let own = draft.as_owner();
    let is_own = |other: &OwnerReference| other.kind == own.kind && other.name == own.name;
    if let Some(other) = owners.iter().find(|other| other.controller == Some(true) && !is_own(other)) {
        let key = &there.key;
        return Err(format!("Object {}/{} is already owned by another {} controller {}", key.namespace, key.name, other.kind, other.name));
    }
    let Some(mut object) = Draft::<K>::of(there.clone()) else { return Ok(None) };
    for (key, value) in labels(draft, interface) {
        object.set_label(key, Some(&value));
    }
    if !owners.contains(&own) {
        let all = object.meta_mut().owner_references.get_or_insert_default();
        all.retain(|there| !(there.kind == own.kind && there.name == own.name));
        all.push(own);
    }
    ask(object.spec_mut());
    Ok(object.into_write())
}

/// `<vm>-<network>-<interface>`, or `<vm>-<interface>` without a network.
fn key_of(provider: NetworkProvider, draft: &VmDraft, interface: &NetworkInterfaceSpec) -> ObjectKey {
    let vm = draft.name();
    let name = match network_name(interface) {
        "" => format!("{vm}-{}", interface.name),
        network => format!("{vm}-{network}-{}", interface.name),
    };
    ObjectKey::new(kind(provider), draft.namespace().clone(), name.as_str())
}

fn kind(provider: NetworkProvider) -> Kind {
    match provider {
        NetworkProvider::Vpc => SubnetPort::KIND,
        NetworkProvider::NsxT => VirtualNetworkInterface::KIND,
        NetworkProvider::Vds | NetworkProvider::Named => NetworkInterface::KIND,
    }
}

fn subnet_port(interface: &NetworkInterfaceSpec, network: &str) -> SubnetPortSpec {
    let is_subnet = interface.network.as_ref().is_some_and(|reference| reference.kind == "Subnet");
    let (subnet, subnet_set) = if is_subnet { (network.to_owned(), String::new()) } else { (String::new(), network.to_owned()) };
    SubnetPortSpec { subnet, subnet_set, address_bindings: address_binding(interface).into_iter().collect() }
}

/// The one binding that a VPC's port takes: the last address without its prefix, and the MAC address in lower case. Source: vm-lifecycle
/// §11.7.2.
fn address_binding(interface: &NetworkInterfaceSpec) -> Option<PortAddressBinding> {
    let bare = |cidr: &String| Some(cidr.split_once('/')?.0.parse::<std::net::IpAddr>().ok()?.to_string());
    let ip_address = interface.addresses.iter().filter_map(bare).next_back().unwrap_or_default();
    let mac_address = interface.mac_addr.to_lowercase();
    (!(ip_address.is_empty() && mac_address.is_empty())).then_some(PortAddressBinding { ip_address, mac_address })
}

enum Seen {
    Ready(Interface),
    /// With the provider's word, if it says why.
    NotReady(Option<String>),
}

fn read(object: &Object, interface: &NetworkInterfaceSpec) -> Seen {
    let made = if let Some(port) = object.view::<SubnetPort>() {
        ready_or(&port.status.conditions, || from_subnet_port(port.status))
    } else if let Some(vif) = object.view::<VirtualNetworkInterface>() {
        ready_or(&vif.status.conditions, || from_virtual_network_interface(vif.status))
    } else if let Some(nic) = object.view::<NetworkInterface>() {
        // Net Operator takes no address: what the user wants goes on the card as it is.
        ready_or(&nic.status.conditions, || Interface {
            mac: if interface.mac_addr.is_empty() { nic.status.mac_address.clone() } else { interface.mac_addr.clone() },
            ..from_network_interface(nic.status)
        })
    } else {
        Seen::NotReady(None)
    };
    match made {
        Seen::Ready(made) => {
            let mac = if made.mac == "00:00:00:00:00:00" { String::new() } else { made.mac.to_lowercase() };
            Seen::Ready(Interface { name: interface.name.clone(), mac, ..made })
        }
        not_ready => not_ready,
    }
}

fn ready_or(conditions: &Vec<Condition>, made: impl FnOnce() -> Interface) -> Seen {
    match conditions.condition(&ConditionType::Ready) {
        Some(ready) if ready.status == ConditionStatus::True => Seen::Ready(made()),
        Some(ready) if ready.status == ConditionStatus::False => Seen::NotReady(Some(format!("{}: {}", ready.reason, ready.message))),
        _ => Seen::NotReady(None),
    }
}

/// VPC: no address means DHCP, unless DHCP is deactivated on the subnet.
fn from_subnet_port(status: &SubnetPortStatus) -> Interface {
    let Some(config) = &status.network_interface_config else { return Interface::default() };
    let addresses = config.ip_addresses.iter().filter(|address| !address.ip_address.is_empty());
    let addresses: Vec<String> = addresses.map(|address| address.ip_address.clone()).collect();
    Interface {
        network: config.logical_switch_uuid.as_str().into(),
        external_id: status.attachment.as_ref().map(|attachment| attachment.id.clone()).unwrap_or_default(),
        mac: config.mac_address.clone(),
        dhcp4: addresses.is_empty() && !config.dhcp_deactivated_on_subnet,
        gateways: config.ip_addresses.iter().map(|address| address.gateway.clone()).filter(|gateway| !gateway.is_empty()).collect(),
        addresses,
        ..Interface::default()
    }
}

/// NSX-T: no address, or a single empty one, means DHCP.
fn from_virtual_network_interface(status: &VirtualNetworkInterfaceStatus) -> Interface {
    let given = status.ip_addresses.iter().filter(|address| !address.ip.is_empty());
    let addresses: Vec<String> = given.clone().map(|address| with_prefix(&address.ip, &address.subnet_mask)).collect();
    Interface {
        network: status.provider_status.as_ref().map_or("", |provider| provider.nsx_logical_switch_id.as_str()).into(),
        external_id: status.interface_id.clone(),
        mac: status.mac_address.clone(),
        dhcp4: addresses.is_empty(),
        gateways: given.map(|address| address.gateway.clone()).filter(|gateway| !gateway.is_empty()).collect(),
        addresses,
        ..Interface::default()
    }
}

/// VDS: by the assignment mode; where none is given, addresses mean a static pool.
fn from_network_interface(status: &network_interface::NetworkInterfaceStatus) -> Interface {
    let is = |mode: &str, word: &str| mode.eq_ignore_ascii_case(word);
    let (mode4, mode6) = (status.ip_assignment_mode.as_str(), status.ipv6_assignment_mode.as_str());
    let takes_addresses = !(is(mode4, "dhcp") || is(mode4, "none") && is(mode6, "none"));
    let given: Vec<_> = if takes_addresses { status.ip_configs.iter().collect() } else { Vec::new() };
    let addresses: Vec<String> = given
        .iter()
        .map(|config| match config.prefix {
            Some(prefix) => format!("{}/{prefix}", config.ip),
            None => with_prefix(&config.ip, &config.subnet_mask),
        })
        .collect();
    Interface {
        network: status.network_id.as_str().into(),
        external_id: status.external_id.clone(),
        mac: status.mac_address.clone(),
        dhcp4: is(mode4, "dhcp") || (mode4.is_empty() && addresses.is_empty()),
        dhcp6: is(mode6, "dhcp"),
        gateways: given.iter().map(|config| config.gateway.clone()).filter(|gateway| !gateway.is_empty()).collect(),
        addresses,
        ..Interface::default()
    }
}

/// An address with the prefix length of its mask; a mask that is none gives the bare address.
fn with_prefix(address: &str, mask: &str) -> String {
    use std::net::IpAddr;

    match mask.parse::<IpAddr>() {
        Ok(IpAddr::V4(mask)) => format!("{address}/{}", mask.to_bits().leading_ones()),
        Ok(IpAddr::V6(mask)) => format!("{address}/{}", mask.to_bits().leading_ones()),
        Err(_) if mask.parse::<u8>().is_ok() => format!("{address}/{mask}"),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_becomes_a_prefix_length() {
        assert_eq!(with_prefix("192.168.0.3", "255.255.255.0"), "192.168.0.3/24");
        assert_eq!(with_prefix("192.168.0.3", "16"), "192.168.0.3/16");
        assert_eq!(with_prefix("fd00::1", "ffff:ffff:ffff:ffff::"), "fd00::1/64");
        assert_eq!(with_prefix("fd00::1", ""), "fd00::1");
    }

    #[test]
    fn a_port_without_address_means_dhcp_unless_dhcp_is_deactivated() {
        use vmtwin_model::kube::subnet_port::NetworkInterfaceConfig;

        let status = |deactivated| SubnetPortStatus {
            network_interface_config: Some(NetworkInterfaceConfig { dhcp_deactivated_on_subnet: deactivated, ..Default::default() }),
            ..Default::default()
        };
        assert!(from_subnet_port(&status(false)).dhcp4);
        assert!(!from_subnet_port(&status(true)).dhcp4);
    }
}
